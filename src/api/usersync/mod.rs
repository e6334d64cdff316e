//! `UserSync`: what a person writes, part by part, and the status that comes back.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

pub mod csv;
pub mod mapping;
pub mod report;
pub mod schedule;
pub mod server;
pub mod source;
pub mod status;
pub mod target;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    mapping::MappingSpec,
    report::{HistorySpec, ReportSpec},
    schedule::ScheduleSpec,
    source::{DEFAULT_FILES, SourceSpec},
    status::UserSyncStatus,
    target::{RemovalSpec, SafeguardsSpec, TargetSpec},
};

/// What is to be kept in step: which file, with which users, when.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "usersync.dev",
    version = "v1alpha1",
    kind = "UserSync",
    plural = "usersyncs",
    singular = "usersync",
    shortname = "usync",
    namespaced,
    status = "UserSyncStatus",
    derive = "PartialEq",
    doc = "Keeps the users of a database in step with CSV files from a server.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether the spec is valid and source and target are usable"
    ),
    printcolumn(
        name = "Synced",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Synced')].status",
        description = "The verdict of the last import"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.connection",
        description = "Active, Suspended or Failing"
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether scheduled runs are suspended"
    ),
    printcolumn(
        name = "Schedule",
        type_ = "string",
        json_path = ".status.schedule",
        description = "When runs start by themselves"
    ),
    printcolumn(
        name = "Last Sync",
        type_ = "date",
        json_path = ".status.lastSuccessfulTime",
        description = "When the last import succeeded"
    ),
    printcolumn(
        name = "Next Sync",
        type_ = "string",
        json_path = ".status.nextScheduleTime",
        description = "When the next scheduled run starts"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "When the resource was made"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.action) || self.action != 'Delete' || has(self.source.files)")
        .message("action: Delete removes the users that a file lists: name its files in source.files, so that it never takes a list of users to keep"),
    validation = Rule::new("!has(self.removal) || !has(self.removal.gracePeriod) || (has(self.action) && self.action == 'Mirror')")
        .message("removal.gracePeriod counts from a user's first absence: it needs action: Mirror"),
    validation = Rule::new("!has(self.target) || !has(self.target.protectedColumns) || !has(self.mapping.properties) || self.mapping.properties.all(p, !(p.property in self.target.protectedColumns))")
        .message("a property is both mapped and in target.protectedColumns: remove it from one of them"),
    validation = Rule::new("!has(self.target) || !has(self.target.scope) || !has(self.mapping.properties) || self.mapping.properties.all(p, !(p.property in self.target.scope))")
        .message("a property is both mapped and in target.scope, which is constant: remove it from one of them")
)]
pub struct UserSyncSpec {
    /// Whether scheduled runs are suspended; explicit requests still work. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// Where files come from, which of them is taken, and what becomes of it.
    pub source: SourceSpec,
    /// Which columns of the file become which properties of a user.
    pub mapping: MappingSpec,
    /// What happens to users who are in the database already: Update (default; only mapped properties change), Replace (the
    /// whole record; unmapped or empty properties become empty) or Skip (they are left alone).
    #[serde(default)]
    pub conflict_mode: ConflictMode,
    /// What the rows of the file mean: Upsert (default; users to add or update), Delete (users to remove) or Mirror (all the
    /// users there are; absent ones are removed).
    #[serde(default)]
    pub action: Action,
    /// How users are removed, by Delete and Mirror. Default: `{policy: Delete}`.
    /// Example: `{policy: Deactivate, set: {active: "false"}, restore: {active: "true"}}`.
    #[serde(default)]
    pub removal: RemovalSpec,
    /// Limits that are checked before anything is committed: a breach holds the run for a person to decide.
    /// Default: `{maxRemovals: "10%", maxEmptied: "10%", maxRejected: "50%", minRows: 1}`.
    #[serde(default)]
    pub safeguards: SafeguardsSpec,
    /// The database and table that hold the users. Default, outside a cluster: the embedded SQLite database, whose table is
    /// made from the mapping. Example: `{url: {secretKeyRef: {name: users-db, key: url}}, table: users}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetSpec>,
    /// When runs start by themselves. Default: never, only when asked by annotation. Example: `{every: 5m}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleSpec>,
    /// Who is told of a run. Default: nobody; the reports are kept in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportSpec>,
    /// How many ended runs are kept. Default: `{successful: 10, failed: 10}`.
    #[serde(default)]
    pub history: HistorySpec,
}

impl UserSyncSpec {
    /// The glob of the files that are taken; None with `action: Delete` if none is named.
    pub fn files(&self) -> Option<&str> {
        match (&self.source.files, self.action) {
            (Some(files), _) => Some(files),
            (None, Action::Delete) => None,
            (None, _) => Some(DEFAULT_FILES),
        }
    }
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

/// The time zone where none is named.
fn etc_utc() -> String {
    "Etc/UTC".to_owned()
}
