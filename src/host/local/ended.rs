//! A run that ended, as the `UserSyncRun` that is kept.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::{UserSyncRun, UserSyncRunSpec, UserSyncRunStatus},
    model::{reason::Verdict, report::RunReport},
};

/// When the run ended, to the nanosecond: a time of the Kubernetes API has whole seconds, and of two runs in one second
/// the later one counts.
pub(super) const ENDED: &str = "usersync.dev/ended";

/// On a held run: the committed run that was the last one then, empty if there was none. An approval is void once there is
/// another.
pub(super) const LAST_IMPORT: &str = "usersync.dev/last-import";

/// The longest message of a condition, in characters (Kubernetes API conventions).
const MESSAGE: usize = 32_768;

/// The object of a run that ended: named as the report says, with the condition `Succeeded`. `last` is the committed run
/// that was the last one when it began.
pub fn ended(namespace: &str, spec: UserSyncRunSpec, report: &RunReport, last: Option<&str>) -> UserSyncRun {
    let status = match report.reason.verdict() {
        Verdict::Completed | Verdict::Rejects => "True",
        Verdict::Held | Verdict::Failed => "False",
    };
    let succeeded = Condition {
        type_: "Succeeded".into(),
        status: status.into(),
        reason: report.reason.as_str().into(),
        message: report.message.chars().take(MESSAGE).collect(),
        last_transition_time: Time(report.completion_time),
        observed_generation: None,
    };
    let mut run = UserSyncRun::new(&report.run, spec);
    run.metadata.namespace = Some(namespace.to_owned());
    run.metadata.creation_timestamp = Some(Time(report.start_time));
    let mut annotations = BTreeMap::from([(ENDED.to_owned(), report.completion_time.to_string())]);
    if report.guard.held {
        annotations.insert(LAST_IMPORT.to_owned(), last.unwrap_or_default().to_owned());
    }
    run.metadata.annotations = Some(annotations);
    run.status = Some(UserSyncRunStatus {
        conditions: vec![succeeded],
        start_time: Some(Time(report.start_time)),
        completion_time: Some(Time(report.completion_time)),
        file: report.file.clone(),
        counts: Some(report.counts),
        guard: Some(report.guard.clone()),
        progress: None,
        reports: Some(report.reports.clone()),
    });
    run
}
