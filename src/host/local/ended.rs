//! A run that ended, as the `UserSyncRun` that is kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{UserSyncRun, UserSyncRunSpec},
    control::told::run_status,
    model::{file::Stamp, report::RunReport},
};

/// The UID of its sync in a run that was carried out without the process that gives syncs theirs.
pub const NO_UID: &str = "local";

/// The object of a run that ended: named as the report says, with the condition `Succeeded`. `file` is the one that was
/// chosen, `last` the committed run that was the last one when it began.
pub fn ended(
    namespace: &str,
    spec: UserSyncRunSpec,
    report: &RunReport,
    file: Option<&Stamp>,
    last: Option<&str>,
) -> UserSyncRun {
    let mut run = UserSyncRun::new(&report.run, spec);
    run.metadata.namespace = Some(namespace.to_owned());
    run.metadata.creation_timestamp = Some(Time(report.start_time));
    run.status = Some(run_status(report, file, last));
    run
}
