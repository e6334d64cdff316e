//! How a run ended, as the status of its `UserSyncRun` says it.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{cause::ended, job::DEFAULT_NAMESPACE};
use crate::{
    api::{Basis, UserSyncRun, UserSyncRunStatus},
    model::{
        condition::{SUCCEEDED, UNFINISHED},
        file::Stamp,
        reason::{Reason, Verdict},
        report::{RunReport, Timings},
        sync::Unfinished,
    },
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
    let succeeded = succeeded(status, report.reason.as_str(), &report.message, report.completion_time);
    UserSyncRunStatus {
        conditions: vec![succeeded],
        start_time: Some(Time(report.start_time)),
        completion_time: Some(Time(report.completion_time)),
        file: report.file.clone(),
        counts: Some(report.counts),
        guard: Some(report.guard.clone()),
        progress: None,
        reports: Some(report.reports.clone()),
        deliveries: Vec::new(),
        basis: Some(Basis {
            modified: file.map(|file| file.mtime),
            ended: Some(report.completion_time),
            last_import: report.guard.held.then(|| last.unwrap_or_default().to_owned()),
            ..Basis::default()
        }),
    }
}

/// The report of a run that has ended, as far as its status says it: without warnings, and with the time it took alone. None: it
/// has not ended.
pub fn report_of(run: &UserSyncRun) -> Option<RunReport> {
    let (_, reason, message) = ended(run)?;
    let status = run.status.clone()?;
    let said = status.conditions.iter().find(|said| said.type_ == SUCCEEDED)?;
    let completion_time = status.completion_time.map_or(said.last_transition_time.0, |time| time.0);
    let start_time = status.start_time.map_or(completion_time, |time| time.0);
    let total = completion_time.duration_since(start_time).as_secs_f64();
    let namespace = run.metadata.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    let sync = match namespace {
        DEFAULT_NAMESPACE => run.spec.sync.clone(),
        namespace => format!("{namespace}/{}", run.spec.sync),
    };
    Some(RunReport {
        sync,
        run: run.metadata.name.clone().unwrap_or_default(),
        mode: run.spec.mode,
        // A reason of another version: failed, with its own words.
        reason: Reason::named(reason).unwrap_or(Reason::TargetFailed),
        message: message.to_owned(),
        file: status.file,
        counts: status.counts.unwrap_or_default(),
        guard: status.guard.unwrap_or_default(),
        start_time,
        completion_time,
        timings: Timings { total, ..Timings::default() },
        warnings: Vec::new(),
        looked: None,
        reports: status.reports.unwrap_or_default(),
    })
}

/// Says in the status of a run that has ended what it left to do.
pub fn leaves(status: &mut UserSyncRunStatus, left: &Unfinished, now: Timestamp) {
    status
        .conditions
        .push(Condition { type_: UNFINISHED.into(), ..succeeded("True", left.reason.as_str(), &left.message, now) });
}

/// The status of a run that UserSync did not make.
pub fn refused(now: Timestamp) -> UserSyncRunStatus {
    let message = "UserSync did not make this run, or somebody made it anew: nothing of it runs. To start a run annotate the \
                   UserSync with usersync.dev/update-now or usersync.dev/simulate-now";
    failed(Reason::Refused, message, now)
}

/// The status of a run that names a sync that there is none of.
pub fn orphaned(sync: &str, now: Timestamp) -> UserSyncRunStatus {
    let message = format!(
        "UserSync did not make this run, and there is no UserSync {sync} in its namespace: nothing of it runs. To start a run \
         make that UserSync, and annotate it with usersync.dev/update-now or usersync.dev/simulate-now"
    );
    failed(Reason::Refused, &message, now)
}

/// The status of a run that ended before it began.
pub fn failed(reason: Reason, message: &str, now: Timestamp) -> UserSyncRunStatus {
    UserSyncRunStatus {
        conditions: vec![succeeded("False", reason.as_str(), message, now)],
        completion_time: Some(Time(now)),
        basis: Some(Basis { ended: Some(now), ..Basis::default() }),
        ..UserSyncRunStatus::default()
    }
}

/// The status of a run that this attempt works on.
pub fn at_work(reason: &str, message: &str, begun: Timestamp, attempt: &str) -> UserSyncRunStatus {
    UserSyncRunStatus {
        conditions: vec![succeeded("Unknown", reason, message, begun)],
        start_time: Some(Time(begun)),
        basis: Some(Basis { attempt: Some(attempt.to_owned()), ..Basis::default() }),
        ..UserSyncRunStatus::default()
    }
}

fn succeeded(status: &str, reason: &str, message: &str, since: Timestamp) -> Condition {
    Condition {
        type_: SUCCEEDED.into(),
        status: status.into(),
        reason: reason.into(),
        message: message.chars().take(MESSAGE).collect(),
        last_transition_time: Time(since),
        observed_generation: None,
    }
}
