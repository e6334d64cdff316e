//! An outage that a schedule `every` meets again with each slot: people are told of it once, and again when a day is over. (Where
//! source or target can't be used no run starts; but a full disk, or locks that others hold, are found out by runs alone.)

use jiff::{SignedDuration, Timestamp};

use super::cause::{ended, ended_at, verdict};
use crate::{
    api::{Mode, Trigger, UserSyncRun, UserSyncRunStatus},
    model::reason::{Reason, Verdict},
};

/// How long an outage that was told is not told again.
const SILENT: SignedDuration = SignedDuration::from_hours(24);

/// How the run ended, with when its outage was told, if it was. `runs`: all of the sync.
pub fn noted(run: &UserSyncRun, status: &UserSyncRunStatus, runs: &[UserSyncRun]) -> UserSyncRunStatus {
    let mut status = status.clone();
    let told = told(run, &status, runs);
    if let Some(basis) = &mut status.basis {
        basis.outage = told;
    }
    status
}

/// When the outage was told that this run has met again. None: it is another one, or a day has passed since.
fn told(run: &UserSyncRun, status: &UserSyncRunStatus, runs: &[UserSyncRun]) -> Option<Timestamp> {
    let now = status.basis.as_ref()?.ended?;
    let reason = verdict(status).and_then(|(_, reason, _)| Reason::named(reason))?;
    let polls = run.spec.sync_spec.schedule.as_ref()?.every.is_some();
    // For which the file is to blame: the next run takes another one, of which nobody knows.
    let files = reason.of_file() || reason == Reason::TargetFailed;
    if reason.verdict() != Verdict::Failed || files || !polls || run.spec.trigger != Trigger::Schedule {
        return None;
    }
    let others = runs.iter().filter(|other| {
        other.metadata.name != run.metadata.name && other.spec.uid == run.spec.uid && other.spec.mode == Mode::Import
    });
    let before = others.filter(|other| ended(other).is_some()).max_by_key(|other| ended_at(other))?;
    let (_, same, _) = ended(before)?;
    let known = before.status.as_ref().and_then(|status| status.basis.as_ref()?.outage);
    let told = known.or(ended_at(before))?;
    (same == reason.as_str() && now.duration_since(told) < SILENT).then_some(told)
}
