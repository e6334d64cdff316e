//! The custom resources `UserSync` and `UserSyncRun` (`usersync.dev/v1alpha1`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run does to the target: writes to it, or only says what it would write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Changes are committed.
    Import,
    /// Nothing is written but the report.
    Simulation,
}

/// What happens to users who are in the database already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConflictMode {
    /// Only mapped properties change.
    #[default]
    Update,
    /// The whole record: unmapped or empty properties become empty.
    Replace,
    /// Existing users are left alone.
    Skip,
}

/// What the rows of the file mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Users are added or updated; absent users stay.
    #[default]
    Upsert,
    /// The file lists users to remove.
    Delete,
    /// The file is the whole truth: absent users are removed.
    Mirror,
}

/// The type that a property's text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PropertyType {
    /// Any text.
    Text,
    /// An e-mail address; checked, not changed.
    Email,
    /// A whole number.
    Integer,
    /// A number with a point.
    Number,
    /// true/false, yes/no, y/n, t/f, 1/0, on/off in any case.
    Boolean,
    /// ISO 8601, or as `format` says.
    Date,
    /// ISO 8601, or as `format` says; without an offset it is local to `mapping.timeZone`.
    DateTime,
    /// A UUID.
    Uuid,
}

/// When a property is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PropertyPolicy {
    /// On each import.
    #[default]
    Always,
    /// Only when the user is added: later edits stick.
    OnCreate,
}

/// What an empty cell says of an existing user's property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EmptyCell {
    /// The property stays as it is.
    Keep,
    /// The property becomes empty.
    Clear,
}

/// Which of several files a run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// The oldest by modification time, then name.
    #[default]
    Oldest,
    /// The newest by modification time, then name.
    Newest,
    /// All of them, oldest first, a run each.
    All,
}

/// Which SSH algorithms are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithms {
    /// Those without known weaknesses.
    #[default]
    Modern,
    /// Older ones as well, for servers that offer nothing else.
    Legacy,
}
