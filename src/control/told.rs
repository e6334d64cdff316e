//! How a run ended, as the status of its `UserSyncRun` says it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::{Basis, UserSyncRunStatus},
    model::{condition::SUCCEEDED, file::Stamp, reason::Verdict, report::RunReport},
};

/// The longest message of a condition, in characters (Kubernetes API conventions).
pub const MESSAGE: usize = 32_768;

/// The status of a run that ended. `file` is the one that was chosen, `last` the import that was committed last when the run
/// began.
pub fn run_status(report: &RunReport, file: Option<&Stamp>, last: Option<&str>) -> UserSyncRunStatus {
    let status = match report.reason.verdict() {
        Verdict::Completed | Verdict::Rejects => "True",
        Verdict::Held | Verdict::Failed => "False",
    };
    let succeeded = Condition {
        type_: SUCCEEDED.into(),
        status: status.into(),
        reason: report.reason.as_str().into(),
        message: report.message.chars().take(MESSAGE).collect(),
        last_transition_time: Time(report.completion_time),
        observed_generation: None,
    };
    UserSyncRunStatus {
        conditions: vec![succeeded],
        start_time: Some(Time(report.start_time)),
        completion_time: Some(Time(report.completion_time)),
        file: report.file.clone(),
        counts: Some(report.counts),
        guard: Some(report.guard.clone()),
        progress: None,
        reports: Some(report.reports.clone()),
        basis: Some(Basis {
            modified: file.map(|file| file.mtime),
            ended: Some(report.completion_time),
            last_import: report.guard.held.then(|| last.unwrap_or_default().to_owned()),
        }),
    }
}
