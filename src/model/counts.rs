//! How many rows and users a run met.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
