//! The conditions of a UserSync, and why each is as it is: the only place that names them.
//!
//! Ready and Synced follow the Kubernetes API conventions; Reconciling and Stalled are those of kstatus.

use super::reason::reasons;

macro_rules! conditions {
    ($($(#[doc = $doc:literal])+ $name:ident = $kind:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $kind;)+

        /// The conditions and what they say, for the documentation.
        pub const MEANINGS: &[(&str, &str)] = &[$(($kind, concat!($($doc),+).trim_ascii()),)+];
    };
}

conditions! {
    /// The spec is valid; references, source and target are usable.
    READY = "Ready";
    /// The verdict of the last import.
    SYNCED = "Synced";
    /// The server answered, the login works, the folder exists.
    SOURCE_READY = "SourceReady";
    /// Only while True: UserSync is at it, or tries again.
    RECONCILING = "Reconciling";
    /// Only while True: it waits for a person.
    STALLED = "Stalled";
    /// Only while True: `spec.suspend`.
    SUSPENDED = "Suspended";
    /// Only while True: an annotation that asks for something can't be obeyed.
    REQUEST_REFUSED = "RequestRefused";
    /// Only while True, of a UserSync and of the run that left it so: an import is committed or has failed, but what follows it
    /// is not done yet. It is tried again by itself; nothing is imported twice.
    UNFINISHED = "Unfinished";
    /// Only while False: somebody who is to be told of a run could not be told yet, or at all. No import waits for that.
    NOTIFIED = "Notified";
    /// Only while True: no file has come for longer than `schedule.expectFileEvery`.
    FILE_OVERDUE = "FileOverdue";
    /// Of a UserSyncRun: Unknown while it works.
    SUCCEEDED = "Succeeded";
}

reasons! {
    /// Why a condition is as it is, where it isn't the [`super::reason::Reason`] of a run.
    ConditionReason {
        /// Everything is usable.
        Ready,
        /// It is being found out.
        Progressing,
        /// It is tried again.
        Retrying,
        /// The spec can't be obeyed: every problem is listed; nothing runs until it changes.
        InvalidSpec,
        /// In a cluster the spec must say which database: `spec.target`.
        TargetRequired,
        /// `spec.suspend` is true: no scheduled run starts.
        Suspended,
        /// The annotation's value is empty or longer than 128 characters.
        InvalidAnnotation,
        /// The run waits for its turn or has begun.
        Running,
        /// The imported file could not be moved or deleted, as `afterImport` says.
        FileNotMoved,
        /// The file that can't be imported could not be moved or deleted, as `afterFailure` says.
        FileNotSetAside,
        /// The report of a run could not be published.
        ReportNotPublished,
        /// The mail server did not answer, broke off, or asks to come back later: it is tried again.
        MailUnreachable,
        /// The mail server lets nobody in like this: login, encryption, certificate or sender. It is tried again once an hour.
        MailDenied,
        /// The mail server takes no mail for this recipient, or not this mail: it is not tried again.
        RecipientRefused,
        /// The webhook's server did not take the summary.
        WebhookFailed,
        /// No file has come for longer than `schedule.expectFileEvery`.
        NoFileInTime,
    }
}
