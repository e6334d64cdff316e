//! What helps: for each reason of a run and each code of a rejected row, what a person does about it.

use super::{reason::Reason, reject::RejectCode};

impl Reason {
    /// What those who run the sync do about it.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Completed | Self::AlreadyApplied => "Nothing: all of it is done.",
            Self::CompletedWithRejects => {
                "Have the rows of the rejects file corrected and sent again: only these are imported then."
            }
            Self::NoFile => "If a file should be there, see under which name and where it was put, and ask again.",
            Self::Held => {
                "Look at what would change. If it is right, approve the run; if not, have the file corrected and replaced."
            }
            Self::ApprovalOutdated => {
                "Look at a simulation of the file as it is now, or at the new held run, and approve that."
            }
            Self::FolderMissing => "Make the folder on the server, or correct the path in the manifest.",
            Self::SourceUnreachable => {
                "See that the server runs and can be reached from here. It is tried again by itself; nothing is lost."
            }
            Self::SourceDenied => {
                "Correct user name, password, key or the server's host key in the Secret and the manifest, or have the right given. \
                 It is not tried again at once, so that the account is not locked."
            }
            Self::InvalidFile => "Have the file corrected and sent again: nothing of it was imported.",
            Self::FileTooLarge => {
                "See whether it is the right file. If so, raise `source.maxSize` or have it sent in parts."
            }
            Self::TargetInvalid => "Change the table, or the mapping, as the message says.",
            Self::TargetShared => {
                "Give both syncs scopes that have no user in common, or let one of them write to another table."
            }
            Self::TargetDenied => {
                "Correct user name and password in the Secret, or have the right given in the database."
            }
            Self::TargetUnreachable => {
                "See that the database runs and can be reached from here. It is tried again by itself; nothing is lost."
            }
            Self::TargetBusy => {
                "Nothing at first: it is tried again. If it stays so, let the sync run at a quieter time."
            }
            Self::TargetFailed => "See what the database says in the message and in its own log.",
            Self::LocalFailed => "See that the disk of this machine has room and that its folders can be written.",
            Self::ReferenceMissing => "Make the Secret or ConfigMap, or its key, that the message names.",
            Self::Stopped => "Nothing: it was meant to end.",
            Self::Refused => {
                "Start runs by an annotation of the UserSync, or with `usersync update` and `usersync simulate`."
            }
        }
    }

    /// Whether the file itself is to blame.
    pub const fn of_file(self) -> bool {
        matches!(self, Self::InvalidFile | Self::FileTooLarge)
    }

    /// What those who sent the file do about it: they see neither program nor database.
    pub const fn cure_for_senders(self) -> &'static str {
        match self {
            Self::InvalidFile => {
                "Correct the file, and put it where your files always go. It is imported with the next run, as if the first one \
                 had never been."
            }
            Self::FileTooLarge => {
                "See whether this is the right file: it is larger than those that are taken. If it has to be so large, ask those \
                 who run UserSync to allow it."
            }
            Self::SourceUnreachable | Self::SourceDenied | Self::FolderMissing => {
                "Nothing has to be sent again: the file is imported as soon as the server where files are put can be used again."
            }
            _ => "Nothing has to be sent again: the file is imported as soon as the trouble on this side is mended.",
        }
    }
}

impl RejectCode {
    /// How the row is made right.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Ragged => "Put quotes around a cell that holds the delimiter, or add what is missing.",
            Self::BrokenQuote => "Close the quote; write a quote inside a cell twice.",
            Self::Undecodable => "Save the file in the encoding that `source.csv.encoding` names.",
            Self::NulByte => "Take the NUL byte out: it is often a sign of UTF-16, or of a file that broke off.",
            Self::CellTooLong => "Shorten the cell, or close the quote before it.",
            Self::KeyMissing => "Fill the user id in.",
            Self::DuplicateKey => "Remove one of the rows: the first one counts.",
            Self::KeyOutsideScope => "Give the user another id, or let the sync that has the user change it.",
            Self::Required => "Fill the cell in.",
            Self::InvalidEmail => "Write it as in anna@example.com.",
            Self::InvalidInteger => "Write digits only, as in 42 or -7.",
            Self::InvalidNumber => "Write digits with a point, as in 1234.5.",
            Self::InvalidBoolean => "Write true or false, yes or no, 1 or 0.",
            Self::InvalidDate => "Write it as in 2026-11-22, or in the form that the mapping's `format` names.",
            Self::InvalidTime => "Write it as in 14:03:00.",
            Self::InvalidDateTime => {
                "Write it as in 2026-11-22T14:03:00Z, or in the form that the mapping's `format` names."
            }
            Self::AmbiguousLocalTime => "Write the offset behind it, as in 2026-10-25T02:30:00+02:00.",
            Self::InvalidUuid => "Write it as in 0192f0c1-2a3b-7c4d-8e5f-60718293a4b5.",
            Self::InvalidJson => "Correct it at the place that the message names.",
            Self::InvalidBytes => "Write \\x and two hexadecimal digits for each byte.",
            Self::InvalidArray => "Write it as in {red,\"dark green\"}.",
            Self::NotAllowed => "Write one of the values that the message lists.",
            Self::TooLong => "Shorten it to what the column holds.",
            Self::OutOfRange => "Write a number that the column holds.",
            Self::ExpressionFailed => "Correct the cells that the expression uses, or the expression.",
            Self::FilterFailed => "Correct the cells that the filter uses, or the filter.",
            Self::UniqueExchange => "Give one of them another value first, in a file of its own.",
            Self::DatabaseRefused => "Change what the message names: most often a value that another user has already.",
        }
    }
}
