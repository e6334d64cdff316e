//! Events: what people are told as it happens.

/// Something that happened to a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// In plain words; no secret, no person's data.
    pub message: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
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
    /// An annotation asks for something that can't be done.
    RequestRefused,
}

impl EventKind {
    /// The name: an event's `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "RunStarted",
            Self::RunCompleted => "RunCompleted",
            Self::RunFailed => "RunFailed",
            Self::RunHeld => "RunHeld",
            Self::SourceFailed => "SourceFailed",
            Self::SourceRecovered => "SourceRecovered",
            Self::RequestRefused => "RequestRefused",
        }
    }

    /// Whether somebody should look: an event of type `Warning`.
    pub const fn warns(self) -> bool {
        matches!(self, Self::RunFailed | Self::RunHeld | Self::SourceFailed | Self::RequestRefused)
    }
}
