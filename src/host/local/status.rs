//! The status of a sync after a run: what of it a single run can know.

use crate::{
    api::{UserSyncRun, UserSyncStatus},
    control::{
        cause::ended,
        conditions::{remember, synced},
    },
    model::reason::Reason,
};

/// The status after a run that has ended: last and recent runs, and after an import the condition `Synced`.
pub fn after_run(mut status: UserSyncStatus, run: &UserSyncRun) -> UserSyncStatus {
    status.observed_generation = Some(run.spec.generation);
    remember(&mut status, run);
    if ended(run).is_some_and(|(_, reason, _)| reason != Reason::NoFile.as_str()) {
        synced(&mut status, run);
    }
    status
}
