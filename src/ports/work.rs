//! What is done for a sync, apart from looking at it and writing down how it is: the seam behind which runs work, as tasks of
//! this process or wherever else.

use std::sync::Arc;

use async_trait::async_trait;

use super::{HostError, Watch};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus},
    model::{
        file::Fetched,
        post::Tidings,
        sync::{Candidate, Failure, Fitness, Tried, Unfinished},
        view::Order,
    },
};

/// What is done for a sync.
#[async_trait]
pub trait Work: Send + Sync {
    /// Whether source and target can be used; without `login` only the references are read.
    async fn probe(&self, sync: &UserSync, login: bool, watch: Arc<dyn Watch>) -> Result<Fitness, HostError>;

    /// The file that a scheduled run would take now; None: there is none.
    async fn look(&self, sync: &UserSync, tried: &[Tried], watch: Arc<dyn Watch>)
    -> Result<Option<Candidate>, Failure>;

    /// Finishes what committed runs left open, and sets these files aside whose runs failed; no run of the sync is at work.
    /// Says what is still left; None: nothing. Dropped before its end, what was done is done, and the rest is left.
    async fn finish(
        &self,
        sync: &UserSync,
        aside: &[Fetched],
        watch: Arc<dyn Watch>,
    ) -> Result<Option<Unfinished>, Failure>;

    /// Sends what these runs of the sync owe those who are to be told, and says for each what came of it. Nothing of it is
    /// done twice but by being called twice.
    async fn deliver(&self, sync: &UserSync, runs: &[UserSyncRun]) -> Vec<Tidings>;

    /// Removes what is kept of a run beside its object: its report. Fails with the reason in words if that can't be done now; also
    /// while the run has steps open, which may need it. Done twice, it is done.
    async fn forget(&self, _run: &UserSyncRun) -> Result<(), String> {
        Ok(())
    }

    /// Carries a run out, once, and says how it ended: a status with `Succeeded` True or False. Dropped before its end, the
    /// run has happened or not, never half; the next call for the same run finds out.
    async fn run(&self, order: &Order, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, HostError>;
}

/// Is told what happens, for metrics. Must be cheap.
pub trait Observer: Send + Sync {
    /// A sync was looked at and its status is this; it took so many seconds.
    fn reconciled(&self, _sync: &UserSync, _seconds: f64) {}

    /// A sync could not be looked at.
    fn failed(&self, _key: &crate::model::sync::Key, _error: &HostError) {}

    /// A sync is gone.
    fn gone(&self, _key: &crate::model::sync::Key) {}

    /// A run ended (its status has `Succeeded` True or False).
    fn ended(&self, _run: &crate::api::UserSyncRun, _status: &UserSyncRunStatus) {}

    /// The status of a run that has ended says by now who was told of it; `run` says how that stood before.
    fn told(&self, _run: &crate::api::UserSyncRun, _status: &UserSyncRunStatus) {}

    /// So many runs are at work, and so many wait for their turn.
    fn at_work(&self, _running: usize, _waiting: usize) {}
}
