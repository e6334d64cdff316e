//! `UserSync.status`: how a sync is.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::{
    delivery::Delivery,
    outcome::{Counts, FileReport, Mode, Reports},
};

/// How a sync is: written by UserSync alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSyncStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready (the spec is valid; references, source and target are usable), Synced (the verdict of the last import) and
    /// SourceReady; Reconciling, Stalled, Suspended and FileOverdue only while True; Notified only while False.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// SHA-256 of the parts of the spec that Ready speaks of, in hexadecimal: while they stay, so does Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub checked_spec: Option<String>,
    /// The connection in one word: Active, Suspended, or Failing, which wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Connection>,
    /// The schedule in words. Example: `daily 01:00 Europe/Paris`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub schedule: Option<String>,
    /// The last token of `usersync.dev/update-now` that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_update_now: Option<String>,
    /// The last token of `usersync.dev/update-now` whose run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_completed_update_now: Option<String>,
    /// The last token of `usersync.dev/simulate-now` that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_handled_simulate_now: Option<String>,
    /// The last token of `usersync.dev/simulate-now` whose run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub last_completed_simulate_now: Option<String>,
    /// Digests of the last 20 tokens that were accepted: none of them starts a run again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 64)))]
    pub handled_tokens: Vec<String>,
    /// The last slot of the schedule that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// The next slot of the schedule; empty for `every`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,
    /// When the last import succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Time>,
    /// With `schedule.expectFileEvery`: since when a file is expected. That is when the last one came, or else when the resource
    /// was made, was resumed, or began to expect files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_expected_since: Option<Time>,
    /// While a file is overdue: who was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_alert: Option<FileAlert>,
    /// Name of the run at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub active_run: Option<String>,
    /// SHA-256 of that run's spec, in hexadecimal: a run of this name that says anything else is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub active_run_digest: Option<String>,
    /// The run that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<RunSummary>,
    /// The last five runs, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub recent_runs: Vec<RunSummary>,
}

/// Who was told that no file came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileAlert {
    /// Since when a file was expected: there is one alert for each such time.
    pub since: Time,
    /// Who was told of it, or is still to be told.
    #[schemars(length(max = 256))]
    pub deliveries: Vec<Delivery>,
}

/// A connection in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Connection {
    /// It works.
    Active,
    /// No scheduled run: `spec.suspend` is true.
    Suspended,
    /// It doesn't work.
    Failing,
}

/// A run that ended, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Name of the UserSyncRun.
    #[schemars(length(max = 253))]
    pub name: String,
    /// What the run was: Import or Simulation.
    pub mode: Mode,
    /// Why it ended as it did. Examples: `Completed`, `Held`, `InvalidFile`.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// When the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// The file, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileReport>,
    /// What it did, or would have done.
    #[serde(default)]
    pub counts: Counts,
    /// Where its reports are.
    #[serde(default)]
    pub reports: Reports,
}
