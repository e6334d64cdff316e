//! The status of a sync after a run: what of it a single run can know.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::{Mode, UserSyncStatus, usersync::status::RunSummary},
    model::{
        reason::{Reason, Verdict},
        report::RunReport,
    },
};

/// How many runs a status names.
const RECENT: usize = 5;

/// The status after a run: last and recent runs, and after an import the condition `Synced`.
pub fn after_run(mut status: UserSyncStatus, generation: i64, report: &RunReport) -> UserSyncStatus {
    let summary = RunSummary {
        name: report.run.clone(),
        mode: report.mode,
        reason: report.reason.to_string(),
        start_time: Some(Time(report.start_time)),
        completion_time: Some(Time(report.completion_time)),
        file: report.file.clone(),
        counts: report.counts,
        reports: report.reports.clone(),
    };
    status.observed_generation = Some(generation);
    status.recent_runs.insert(0, summary.clone());
    status.recent_runs.truncate(RECENT);
    status.last_run = Some(summary);
    if report.mode == Mode::Import && report.reason != Reason::NoFile {
        synced(&mut status, generation, report);
    }
    status
}

fn synced(status: &mut UserSyncStatus, generation: i64, report: &RunReport) {
    let done = matches!(report.reason.verdict(), Verdict::Completed | Verdict::Rejects);
    if done {
        status.last_successful_time = Some(Time(report.completion_time));
    }
    let word = if done { "True" } else { "False" };
    let before = status.conditions.iter().find(|condition| condition.type_ == "Synced");
    let since = match before {
        Some(condition) if condition.status == word => condition.last_transition_time.clone(),
        _ => Time(report.completion_time),
    };
    let condition = Condition {
        type_: "Synced".to_owned(),
        status: word.to_owned(),
        reason: report.reason.to_string(),
        message: report.message.chars().take(32_768).collect(),
        last_transition_time: since,
        observed_generation: Some(generation),
    };
    status.conditions.retain(|condition| condition.type_ != "Synced");
    status.conditions.push(condition);
}
