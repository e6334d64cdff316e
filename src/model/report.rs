//! What a run says of itself when it has ended: the object of `run -o json` and of `report.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    change::ChangeKind,
    counts::Counts,
    reason::Reason,
    reject::{Reject, RejectCode},
};
use crate::api::Mode;
pub use crate::api::outcome::{FileReport, GuardReport, Reports};

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// `NAMESPACE/NAME`, or the name alone in namespace `default`.
    pub sync: String,
    /// The run's name.
    pub run: String,
    /// Import or simulation.
    pub mode: Mode,
    /// Why it ended as it did.
    pub reason: Reason,
    /// The same in plain words, with what to do.
    pub message: String,
    /// The file, once one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileReport>,
    /// What it did, or would do.
    pub counts: Counts,
    /// What the safeguards said.
    pub guard: GuardReport,
    /// When it began.
    pub start_time: Timestamp,
    /// When it ended.
    pub completion_time: Timestamp,
    /// How long each step took.
    pub timings: Timings,
    /// What is out of the ordinary and no error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What lay in the source's folder, of a run that found no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Looked>,
    /// Where the reports are.
    pub reports: Reports,
}

impl RunReport {
    /// Whether its file is a rejects file that came back.
    pub fn correction(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.correction)
    }
}

/// What a look into the source's folder saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The first names: those that match `files` in their order, then the others by name.
    pub names: Vec<LookedName>,
    /// How many more there were.
    pub more: u64,
}

/// One name in the source's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedName {
    /// The name, as the server says it.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Modification time by the server's clock.
    pub mtime: Timestamp,
    /// Why it was not taken, in one word.
    pub reason: String,
    /// The same in plain words.
    pub why: String,
}

/// Seconds spent in each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// List and choose.
    pub look: f64,
    /// Copy and hash.
    pub fetch: f64,
    /// Decode, map and check.
    pub read: f64,
    /// Read the table and compare.
    pub compare: f64,
    /// The transaction.
    pub apply: f64,
    /// Move, publish.
    pub finish: f64,
    /// From start to end.
    pub total: f64,
}

/// The first changes and rejects of a run, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The first changes.
    pub changes: Vec<SampleChange>,
    /// The first rejects.
    pub rejects: Vec<Reject>,
    /// All rejects by what is wrong with them: the most frequent kind first.
    pub kinds: Vec<RejectKind>,
}

/// Rows that were refused for the same reason in the same column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectKind {
    /// The reason.
    pub code: RejectCode,
    /// The column's name in the file, where one cell is to blame.
    pub column: Option<String>,
    /// How many rows.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Reject>,
}

/// One user of a [`Sample`], with sensitive values masked already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleChange {
    /// What happens to the user.
    pub action: ChangeAction,
    /// The match key.
    pub user_id: String,
    /// The physical line of the file's row; none for a user absent from the file.
    pub line: Option<u64>,
    /// The properties that change, of an updated user: name, before, after. None is "empty".
    pub properties: Vec<(String, Option<String>, Option<String>)>,
}

/// What happened to a user, in the words of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// New in the table.
    Added,
    /// Some properties changed; also a user set active again.
    Updated,
    /// Deleted or deactivated.
    Removed,
}

impl ChangeAction {
    /// `added`, `updated` or `removed`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Removed => "removed",
        }
    }
}

impl From<ChangeKind> for ChangeAction {
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Delete | ChangeKind::Deactivate => Self::Removed,
            ChangeKind::Update | ChangeKind::Restore => Self::Updated,
        }
    }
}
