//! Why a run ended as it did: the reasons of the condition `Succeeded`.

macro_rules! reasons {
    ($(#[$type_doc:meta])* $type:ident { $($(#[doc = $doc:literal])+ $name:ident,)+ }) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $type { $($(#[doc = $doc])+ $name,)+ }

        impl $type {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name as it stands in status, reports and the rejects file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// The one of that name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use reasons;

reasons! {
    /// Why a run ended as it did.
    Reason {
        /// All rows were imported, or would be.
        Completed,
        /// The import is done; some rows were refused.
        CompletedWithRejects,
        /// There was no file to import.
        NoFile,
        /// A retry found that the run had been committed.
        AlreadyApplied,
        /// A safeguard was breached: nothing was written, a person decides.
        Held,
        /// The approved run is not what would happen any more.
        ApprovalOutdated,
        /// The folder does not exist on the source.
        FolderMissing,
        /// The source did not answer, or broke off.
        SourceUnreachable,
        /// The source refused the login or the access.
        SourceDenied,
        /// The file can't be imported: not CSV, a mapped column is missing, a header name twice.
        InvalidFile,
        /// The file is larger than `maxSize`.
        FileTooLarge,
        /// The table, a column or the unique key is missing or unfit.
        TargetInvalid,
        /// Another sync writes the same users.
        TargetShared,
        /// The database refused the login or a right.
        TargetDenied,
        /// The database did not answer, or broke off.
        TargetUnreachable,
        /// Others kept editing the same users, or held a lock, for too long.
        TargetBusy,
        /// The database failed in a way that has no name here.
        TargetFailed,
        /// This machine failed: its disk is full, a folder can't be written.
        LocalFailed,
        /// A Secret or ConfigMap that the spec names, or a key in it, is missing or unfit.
        ReferenceMissing,
        /// The run was stopped before anything was written: its UserSync is gone.
        Stopped,
        /// UserSync did not make this run, or somebody made it anew: nothing of it runs.
        Refused,
    }
}

/// How a run ended, as an exit code and a mail's subject see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done; also when there was nothing to do.
    Completed,
    /// Done, with rows refused.
    Rejects,
    /// Waits for a person.
    Held,
    /// Not done.
    Failed,
}

impl Reason {
    /// What kind of end this is.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Completed | Self::NoFile | Self::AlreadyApplied => Verdict::Completed,
            Self::CompletedWithRejects => Verdict::Rejects,
            Self::Held => Verdict::Held,
            _ => Verdict::Failed,
        }
    }

    /// Whether waiting may help, with the spec and the file as they are: a scheduled run tries again until its
    /// `startingDeadline`. A refused login is not among these: trying it again may lock the account.
    pub const fn heals(self) -> bool {
        matches!(
            self,
            Self::SourceUnreachable
                | Self::TargetUnreachable
                | Self::TargetBusy
                | Self::ReferenceMissing
                | Self::FolderMissing
        )
    }

    /// Whether the source is to blame.
    pub const fn of_source(self) -> bool {
        matches!(self, Self::SourceUnreachable | Self::SourceDenied | Self::FolderMissing | Self::ReferenceMissing)
    }

    /// Whether the target is to blame.
    pub const fn of_target(self) -> bool {
        matches!(self, Self::TargetInvalid | Self::TargetShared | Self::TargetDenied | Self::TargetUnreachable)
    }

    /// Whether a run that ended like this has used both source and target.
    pub const fn used_both(self) -> bool {
        matches!(
            self,
            Self::Completed
                | Self::CompletedWithRejects
                | Self::NoFile
                | Self::Held
                | Self::ApprovalOutdated
                | Self::InvalidFile
                | Self::FileTooLarge
        )
    }

    /// Whether nothing but a person can mend it: it isn't tried again by itself, or not soon.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::SourceDenied | Self::TargetDenied)
    }
}
