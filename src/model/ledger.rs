//! The ledger beside the users: what was committed, and who writes where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{counts::Counts, file::Stamp, job::SyncId};
use crate::api::Action;

/// What a sync says of itself before it may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub sync: SyncId,
    /// The table as written in the manifest.
    pub table: String,
    /// Constant columns that say whose users these are.
    pub scope: BTreeMap<String, String>,
    /// What it does there.
    pub action: Action,
}

/// The right to apply: void as soon as a later attempt of the same sync has opened the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Whose.
    pub sync: SyncId,
    /// Counts up with each attempt.
    pub attempt: i64,
}

/// A step that follows the commit and is retried by itself until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OpenStep {
    /// The file is moved or deleted, as `afterImport` says.
    Archive,
    /// The report is published.
    Publish,
}

/// A committed run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The run's name: at most one row has it.
    pub run: String,
    /// The file that was imported.
    pub file: Stamp,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Digest of everything in the spec that decides what a file does to the table.
    pub spec: String,
    /// `Completed` or `CompletedWithRejects`.
    pub result: String,
    /// What it did.
    pub counts: Counts,
    /// SHA-256 over the report's files, in hexadecimal.
    pub report: String,
    /// What is still to do.
    pub open: Vec<OpenStep>,
    /// When it was committed, by the database's clock. Ignored when a row is written.
    pub committed: Timestamp,
}
