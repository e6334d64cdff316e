//! The conditions of a UserSync, and why each is as it is: the only place that names them.
//!
//! Ready and Synced follow the Kubernetes API conventions; Reconciling and Stalled are those of kstatus.

use super::reason::reasons;

/// The spec is valid; references, source and target are usable.
pub const READY: &str = "Ready";
/// The verdict of the last import.
pub const SYNCED: &str = "Synced";
/// The server answered, the login works, the folder exists.
pub const SOURCE_READY: &str = "SourceReady";
/// Only while True: UserSync is at it, or tries again.
pub const RECONCILING: &str = "Reconciling";
/// Only while True: nothing changes until the spec does.
pub const STALLED: &str = "Stalled";
/// Only while True: `spec.suspend`.
pub const SUSPENDED: &str = "Suspended";
/// Only while True: an annotation that asks for something can't be obeyed.
pub const REQUEST_REFUSED: &str = "RequestRefused";
/// Of a UserSyncRun: Unknown while it works.
pub const SUCCEEDED: &str = "Succeeded";

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
    }
}
