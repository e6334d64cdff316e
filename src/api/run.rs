//! `UserSyncRun`: one run, import or simulation, of one file.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    delivery::Delivery,
    outcome::{Counts, FileReport, GuardReport, Mode, Progress, Reports},
    usersync::UserSyncSpec,
};

/// One run: whole in itself, so that it never depends on what its UserSync says by then. Never changed once made.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "usersync.dev",
    version = "v1alpha1",
    kind = "UserSyncRun",
    plural = "usersyncruns",
    singular = "usersyncrun",
    shortname = "usrun",
    namespaced,
    status = "UserSyncRunStatus",
    derive = "PartialEq",
    doc = "One run of a UserSync: one file, imported or simulated. Made by UserSync itself.",
    printcolumn(name = "Sync", type_ = "string", json_path = ".spec.sync", description = "Whose run it is"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", description = "Import or Simulation"),
    printcolumn(name = "Trigger", type_ = "string", json_path = ".spec.trigger", description = "What started it"),
    printcolumn(
        name = "Succeeded",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Succeeded')].status",
        description = "Unknown while it works, then True or False"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Succeeded')].reason",
        description = "Why it ended as it did"
    ),
    printcolumn(name = "File", type_ = "string", json_path = ".status.file.name", description = "The file"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "When the resource was made"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self == oldSelf")
        .message("a run never changes: to run again, annotate the UserSync with usersync.dev/update-now or usersync.dev/simulate-now"),
    validation = Rule::new("(self.trigger == 'Schedule') == has(self.slot)")
        .message("slot goes with trigger: Schedule, and only with it"),
    validation = Rule::new("(self.trigger in ['UpdateNow', 'SimulateNow']) == has(self.token)")
        .message("token goes with trigger: UpdateNow or SimulateNow, and only with them"),
    validation = Rule::new("(self.trigger == 'Approval') == has(self.approves)")
        .message("approves goes with trigger: Approval, and only with it"),
    validation = Rule::new("(self.trigger == 'SimulateNow') == (self.mode == 'Simulation')")
        .message("mode: Simulation goes with trigger: SimulateNow, and mode: Import with the others")
)]
pub struct UserSyncRunSpec {
    /// Name of the UserSync whose run this is, in the same namespace. Example: `hr`.
    #[schemars(length(min = 1, max = 253))]
    pub sync: String,
    /// UID of the UserSync, so that a new one of the same name is not taken for it.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// Generation of the UserSync whose spec was copied.
    #[schemars(range(min = 1))]
    pub generation: i64,
    /// Copy of the UserSync's spec when the run was made; it names Secrets and holds none of their values.
    pub sync_spec: UserSyncSpec,
    /// What the run does: Import (changes are committed) or Simulation (nothing is written but the report).
    pub mode: Mode,
    /// What started it: Schedule (with `slot`), UpdateNow or SimulateNow (with `token`), or Approval (with `approves`).
    pub trigger: Trigger,
    /// With Schedule: the moment of the schedule that it stands for. Example: `2026-12-01T01:00:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Time>,
    /// With UpdateNow or SimulateNow: the value of the annotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub token: Option<String>,
    /// With Approval: name of the held run that was approved. Example: `hr-5f2c81d09ab3e47f6a10`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub approves: Option<String>,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trigger {
    /// A slot of the schedule.
    Schedule,
    /// The annotation `usersync.dev/update-now`.
    UpdateNow,
    /// The annotation `usersync.dev/simulate-now`.
    SimulateNow,
    /// The annotation `usersync.dev/approve` on a held run.
    Approval,
}

/// How a run is, or how it ended: written by UserSync alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSyncRunStatus {
    /// Succeeded: Unknown while the run works, True when it is done, False when it failed or is held; its reason says why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// When the run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// The file, once one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileReport>,
    /// What it did, or would have done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// What the safeguards said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardReport>,
    /// How far it is, while it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Where its reports are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Reports>,
    /// Who was told of it, or is still to be told: each recipient of a mail, and the webhook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub deliveries: Vec<Delivery>,
    /// What UserSync itself goes by when it looks at this run later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What UserSync goes by when it looks at a run: who works on it, and once it has ended whether the schedule takes the file
/// again, what an approval is void by, which of two runs is the later one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// When the file was modified, by its server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 40), extend("format" = "date-time"))]
    pub modified: Option<Timestamp>,
    /// When the run ended, more precisely than `completionTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 40), extend("format" = "date-time"))]
    pub ended: Option<Timestamp>,
    /// Of a held run: the import that was committed last then; empty if there was none. An approval is void once there is
    /// another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub last_import: Option<String>,
    /// While the run works: a word for the attempt that works on it. A process that carries the run on writes another one, and
    /// what the attempt before came to does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub attempt: Option<String>,
    /// Of a scheduled run that failed as the one before it did: when people were told of that. They are not told of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 40), extend("format" = "date-time"))]
    pub outage: Option<Timestamp>,
}
