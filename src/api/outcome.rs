//! What a run says of itself in a status: mode, file, counts, guard, progress and reports.

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

/// Counts of a run. They add up: for Upsert and Mirror `read = filtered + rejected + added + updated + unchanged +
/// skipped` (Mirror's `removed` comes besides), for Delete `read = filtered + rejected + removed + unchanged`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Data rows of the file.
    pub read: u64,
    /// Rows that `mapping.filter` left out.
    pub filtered: u64,
    /// Rows that were refused, each with a reason.
    pub rejected: u64,
    /// Users who were new.
    pub added: u64,
    /// Users of whom at least one property changed.
    pub updated: u64,
    /// Users who were as the file says already.
    pub unchanged: u64,
    /// Users who were deleted or deactivated.
    pub removed: u64,
    /// Existing users whom `conflictMode: Skip` left alone.
    pub skipped: u64,
}

/// The file of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileReport {
    /// The name within the folder. Example: `userdata_20261122.csv`.
    #[schemars(length(max = 1024))]
    pub name: String,
    /// The file's size in bytes.
    pub size: u64,
    /// SHA-256 of the content, in hexadecimal; known once it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: Option<String>,
    /// Data rows; known once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whether it is a rejects file that came back: its rows alone are imported, and nobody is removed for not being in it.
    /// Known once its header was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub correction: bool,
}

/// What the safeguards said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardReport {
    /// Whether the run waits for a person.
    pub held: bool,
    /// Each breach in plain words; empty when there is none.
    #[schemars(length(max = 16), inner(length(max = 1024)))]
    pub reasons: Vec<String>,
    /// How many users would lose a value that they have.
    #[serde(default)]
    pub emptied: u64,
    /// How many removals the guard counted, mapped deactivations included.
    #[serde(default)]
    pub removals: u64,
}

/// Where a run's reports are: paths or URLs; what does not exist is left out. A report that could not be published yet will be
/// there: the condition `Unfinished` says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reports {
    /// Where `report.json` is: the run's status plus timings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub report: Option<String>,
    /// Where `report.html` is: the report to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub html: Option<String>,
    /// Where `changes.csv.gz` is: each change, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub changes: Option<String>,
    /// Where `records.jsonl.gz` is: each change, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub records: Option<String>,
    /// Where the rejects CSV is (`<file's stem>_rejects.csv`): to be corrected and sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub rejects: Option<String>,
}

/// The step a run is at, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// The folder is listed and a file chosen.
    Look,
    /// The file is copied and hashed (bytes).
    Fetch,
    /// Rows are read, mapped and checked (bytes of the file).
    Read,
    /// The table is read and compared (users).
    Compare,
    /// Changes are written (changes).
    Apply,
    /// The file is moved, the report published.
    Finish,
}

/// How far a run is within its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The step at work: Look, Fetch, Read, Compare, Apply or Finish.
    pub step: Step,
    /// How much of it is done: bytes for Fetch and Read, users for Compare, changes for Apply.
    pub done: u64,
    /// How much there is, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}
