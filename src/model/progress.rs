//! How far a run is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The step at work.
    pub step: Step,
    /// How much of it is done.
    pub done: u64,
    /// How much there is, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
}
