//! `schedule.expectFileEvery`: since when a file is expected, and whether it is overdue.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    api::{FileReport, Mode, Trigger, UserSync, UserSyncRun, UserSyncStatus},
    model::condition::{ConditionReason, SUSPENDED},
};

/// Since when a file is expected: what a run that took one has said, or else since the sync was made, was resumed, or says that
/// it expects files.
pub fn expect(sync: &UserSync, status: &mut UserSyncStatus, now: Timestamp) {
    if every(sync).is_none() {
        (status.file_expected_since, status.file_alert) = (None, None);
        return;
    }
    let resumed = !sync.spec.suspend && status.conditions.iter().any(|said| said.type_ == SUSPENDED);
    if status.file_expected_since.is_none() || resumed {
        let made = sync.metadata.creation_timestamp.clone().filter(|_| status.observed_generation.is_none());
        status.file_expected_since = Some(made.unwrap_or(Time(now)));
    }
    if status.file_alert.as_ref().is_some_and(|alert| Some(&alert.since) != status.file_expected_since.as_ref()) {
        status.file_alert = None;
    }
}

/// Notes that a run has ended that took a file, unless it was the same as before.
pub fn came(status: &mut UserSyncStatus, run: &UserSyncRun) {
    let Some(ended) = &run.status else { return };
    let Some(file) = ended.file.as_ref().filter(|_| run.spec.mode == Mode::Import) else { return };
    let same = |known: &FileReport| known.name == file.name && known.sha256 == file.sha256;
    // Whoever asks for a run may have the last file looked at again; the schedule takes none twice.
    let known = status.recent_runs.iter().filter_map(|recent| recent.file.as_ref()).any(same);
    if run.spec.trigger == Trigger::Schedule || !known {
        status.file_expected_since = ended.completion_time.clone();
    }
}

/// When the file is overdue that is expected next. None: none is expected, or nobody looks.
pub fn overdue_at(sync: &UserSync, status: &UserSyncStatus) -> Option<Timestamp> {
    let every = every(sync).filter(|_| !sync.spec.suspend)?;
    status.file_expected_since.as_ref()?.0.checked_add(every).ok()
}

/// Reason and message, once it is.
pub fn overdue(sync: &UserSync, status: &UserSyncStatus, now: Timestamp) -> Option<(&'static str, String)> {
    overdue_at(sync, status).filter(|at| *at <= now)?;
    let since = status.file_expected_since.as_ref()?.0;
    let every = sync.spec.schedule.as_ref()?.expect_file_every?;
    let message = format!(
        "no file has come since {since}, and one is expected every {every} (schedule.expectFileEvery): ask those who send them"
    );
    Some((ConditionReason::NoFileInTime.as_str(), message))
}

fn every(sync: &UserSync) -> Option<SignedDuration> {
    SignedDuration::try_from(sync.spec.schedule.as_ref()?.expect_file_every?.get()).ok()
}
