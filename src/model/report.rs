//! What a run says of itself when it has ended: the object of `run -o json` and of `report.json`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{change::ChangeKind, counts::Counts, reason::Reason, reject::Reject};
use crate::api::Mode;

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
    /// Where the reports are.
    pub reports: Reports,
}

/// The file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// The name within the folder.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal; known once it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Data rows; known once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

/// What the safeguards said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardReport {
    /// Whether the run waits for a person.
    pub held: bool,
    /// Each breach in plain words.
    pub reasons: Vec<String>,
    /// How many users would lose a value that they have.
    #[serde(default)]
    pub emptied: u64,
    /// How many removals the guard counted, mapped deactivations included.
    #[serde(default)]
    pub removals: u64,
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

/// Where a run's reports are: paths or URLs; what does not exist is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reports {
    /// `report.json`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// `report.html`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
    /// `changes.csv.gz`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
    /// `records.jsonl.gz`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// `<file's stem>_rejects.csv`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
}

/// The first changes and rejects of a run, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The first changes.
    pub changes: Vec<SampleChange>,
    /// The first rejects.
    pub rejects: Vec<Reject>,
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
