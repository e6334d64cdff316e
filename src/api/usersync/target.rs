//! `spec.target`, `spec.removal` and `spec.safeguards`: where users are, how they go, and what holds a run.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::api::{
    duration::Duration,
    limit::Limit,
    reference::{CaBundle, DatabaseUrl},
};

/// The database and table that hold the users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetSpec {
    /// Where the database is: `postgres://…`, `mysql://…` or `sqlite:FILE`, from a Secret when it holds a password. Default:
    /// the embedded SQLite database in the data folder. Example: `{secretKeyRef: {name: users-db, key: url}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<DatabaseUrl>,
    /// The table, with its schema where that is needed; exactly as the database has it. Default: `users`.
    /// Example: `app.users`.
    #[serde(default = "default_table")]
    #[schemars(length(min = 1, max = 256))]
    pub table: String,
    /// The schema that holds the ledger's tables (with MySQL and MariaDB: the database on the same server), where none are wanted
    /// beside the users. It must be there, exactly as written. Default: that of the table. Example: `usersync`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub ledger_schema: Option<String>,
    /// Constant columns that say whose users these are: set when a user is added; rows with other values are never touched.
    /// Default: none; the whole table. Example: `{org: acme}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "column_values")]
    pub scope: BTreeMap<String, String>,
    /// Columns that are never written, not even by `conflictMode: Replace`. Default: none.
    /// Example: `[id, password_hash, created_at]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 128)))]
    pub protected_columns: Vec<String>,
    /// Certificates to trust besides the system's, for a connection with TLS; with them it always verifies.
    /// Example: `{configMapKeyRef: {name: ca, key: ca.crt}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// How long to wait for the database. Default: `{connect: 10s, statement: 10m, lock: 30s}`.
    #[serde(default)]
    pub timeouts: TargetTimeouts,
}

impl Default for TargetSpec {
    fn default() -> Self {
        Self {
            url: None,
            table: default_table(),
            ledger_schema: None,
            scope: BTreeMap::new(),
            protected_columns: Vec::new(),
            ca_bundle: None,
            timeouts: TargetTimeouts::default(),
        }
    }
}

fn default_table() -> String {
    "users".to_owned()
}

/// Columns of the table with a value each.
fn column_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {
            "type": "string",
            "maxLength": 1024,
            "description": "The column's value, as text. Example: \"false\".",
        },
    })
}

/// How long to wait for the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TargetTimeouts {
    /// Until the connection stands. Default: `10s`.
    pub connect: Duration,
    /// For one statement. Default: `10m`.
    pub statement: Duration,
    /// For a lock that another holds. Default: `30s`.
    pub lock: Duration,
}

impl Default for TargetTimeouts {
    fn default() -> Self {
        Self { connect: Duration::seconds(10), statement: Duration::minutes(10), lock: Duration::seconds(30) }
    }
}

/// How users are removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.policy) || self.policy != 'Deactivate' || (has(self.set) && size(self.set) > 0)")
        .message("policy: Deactivate needs set: the columns that mark a user as inactive, like set: {active: \"false\"}"),
    validation = Rule::new("(has(self.policy) && self.policy == 'Deactivate') || !(has(self.set) || has(self.restore) || has(self.gracePeriod))")
        .message("set, restore and gracePeriod go with policy: Deactivate: add it, or remove them"),
    validation = Rule::new("!has(self.restore) || (has(self.set) && self.restore.all(column, column in self.set))")
        .message("restore sets back what set has set: name only columns of set")
)]
pub struct RemovalSpec {
    /// What becomes of a removed user: Delete (default; the row goes) or Deactivate (the row stays and is marked by `set`).
    #[serde(default)]
    pub policy: RemovalPolicy,
    /// With Deactivate: what marks a user as inactive. Example: `{active: "false"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "column_values")]
    pub set: BTreeMap<String, String>,
    /// With Deactivate: what sets a user back whom a later file lists again. Needed unless the columns of `set` are mapped.
    /// Example: `{active: "true"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "column_values")]
    pub restore: BTreeMap<String, String>,
    /// With Deactivate and `action: Mirror`: a user who is still absent after this time is deleted. Default: never.
    /// Example: `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<Duration>,
}

/// What becomes of a removed user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RemovalPolicy {
    /// The row goes.
    #[default]
    Delete,
    /// The row stays and is marked.
    Deactivate,
}

/// Limits that are checked before anything is committed: a breach holds the run for a person to decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SafeguardsSpec {
    /// The most users that one run may remove: a count, or a percentage of the active users in scope. Default: `"10%"`;
    /// `"100%"` switches it off. Example: 50.
    pub max_removals: Limit,
    /// The most users that one run may cost a value that they have: a count, or a percentage of the active users in scope.
    /// Default: `"10%"`; `"100%"` switches it off.
    pub max_emptied: Limit,
    /// The most rows that one file may have rejected: a count, or a percentage of the rows read less those filtered.
    /// Default: `"50%"`; `"100%"` switches it off.
    pub max_rejected: Limit,
    /// The most users that one run may update: a count, or a percentage of the active users in scope. Default: no limit.
    /// Example: `"30%"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_updated: Option<Limit>,
    /// The fewest rows that must pass. Default: 1, so that an empty file never empties a database.
    #[schemars(range(max = 1_000_000_000))]
    pub min_rows: u64,
}

impl Default for SafeguardsSpec {
    fn default() -> Self {
        Self {
            max_removals: Limit::Percent(10.0),
            max_emptied: Limit::Percent(10.0),
            max_rejected: Limit::Percent(50.0),
            max_updated: None,
            min_rows: 1,
        }
    }
}
