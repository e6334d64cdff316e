//! Events: what people are told as it happens.

use super::reason::reasons;

/// Something that happened to a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// In plain words; no secret, no person's data.
    pub message: String,
}

reasons! {
    /// What happened: an event's `reason`.
    EventKind {
        /// A run was started.
        RunStarted,
        /// A run has done what it should.
        RunCompleted,
        /// A run failed.
        RunFailed,
        /// A run waits for a person.
        RunHeld,
        /// The source can't be used any more.
        SourceFailed,
        /// The source can be used again.
        SourceRecovered,
        /// An import is committed or has failed, but what follows it could not be done: it is tried again.
        Unfinished,
        /// What was left to do after an import is done.
        Finished,
        /// Somebody could not be told of a run: it is tried again, or was refused.
        NotNotified,
        /// Who could not be told of a run has been told by now.
        Notified,
        /// No file has come for longer than `schedule.expectFileEvery`.
        FileOverdue,
        /// A file has come again.
        FileArrived,
        /// An annotation asks for something that can't be done.
        RequestRefused,
    }
}

impl EventKind {
    /// Whether somebody should look: an event of type `Warning`.
    pub const fn warns(self) -> bool {
        matches!(
            self,
            Self::RunFailed
                | Self::RunHeld
                | Self::SourceFailed
                | Self::Unfinished
                | Self::NotNotified
                | Self::FileOverdue
                | Self::RequestRefused
        )
    }
}
