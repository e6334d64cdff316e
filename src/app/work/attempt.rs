//! An attempt at a run, as a task of this process.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{Worker, local, tidied};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus},
    control::{
        deliveries::{next_run, requested},
        told::{self, run_status},
    },
    engine::attempt,
    host::local::state::{Spool, StateError},
    model::{
        job::{Job, SyncId},
        reason::Reason,
        sync::Failure,
        view::Order,
    },
    ports::{HostError, Watch},
};

/// How long a run waits for another process of this machine to let go of the sync: one that is about to end holds it until
/// its transaction is over.
const LOCK: Duration = Duration::from_secs(15);
/// How often it looks whether that has happened.
const LOCK_AGAIN: Duration = Duration::from_millis(100);

/// What is said of a run that panicked.
const DEFECT: &str = "a defect of UserSync broke the run off: nothing of it was written, unless the ledger says so. The log \
                      has the details; please report it";

impl Worker {
    /// Carries a run out, and says how it ended.
    pub(super) async fn carry_out(&self, order: &Order, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, HostError> {
        let begun = Timestamp::now();
        let job = match self.job(&sync_of(&order.run)).await {
            Ok((_, job)) => job,
            // A right that is missing comes back only if somebody gives it.
            Err(HostError::Refused(message)) => Err(Failure { reason: Reason::ReferenceMissing, message }),
            Err(error) => return Err(error),
        };
        let mut status = match job {
            Err(missing) => failed(missing, begun),
            Ok(sync) => {
                let job = Job {
                    sync,
                    run: order.run.metadata.name.clone().unwrap_or_default(),
                    mode: order.run.spec.mode,
                    approval: order.approval.clone(),
                    after: None,
                    tried: order.tried.clone(),
                    settled: order.settled.clone(),
                    requested: requested(&order.run),
                    next: next_run(&order.run, begun),
                    approving: self.approving.clone(),
                };
                match self.spawned(job, watch).await {
                    Ok(status) => status,
                    Err(Stopped::TakenOver(why)) => return Err(HostError::Conflict(why)),
                    Err(Stopped::Ending) => return Err(HostError::Conflict("this process ends".to_owned())),
                    Err(Stopped::Local(error)) => failed(local(error.to_string()), begun),
                    Err(Stopped::Broken) => failed(local(DEFECT.to_owned()), begun),
                }
            }
        };
        // Of several attempts the first one began the run.
        let before = order.run.status.as_ref().and_then(|status| status.start_time.clone());
        status.start_time = before.or(status.start_time);
        Ok(status)
    }

    /// The sync for this process alone; waits a little if another one has it.
    async fn spool(&self, sync: &SyncId) -> Result<Spool, StateError> {
        let patience = tokio::time::Instant::now() + LOCK;
        loop {
            match Spool::of(&self.data, sync) {
                Err(StateError::Busy { .. }) if tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(LOCK_AGAIN).await;
                }
                taken => return taken,
            }
        }
    }

    /// An attempt as a task of its own: it computes for long stretches, and whoever waits for it has other things to do
    /// meanwhile. Dropped, it ends at its next step.
    async fn spawned(&self, job: Job, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, Stopped> {
        let this = self.clone();
        let attempt = async move { this.attempt(&job, watch).await };
        match AbortOnDropHandle::new(tokio::spawn(attempt.in_current_span())).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => Err(Stopped::Broken),
            Err(_) => Err(Stopped::Ending),
        }
    }

    async fn attempt(&self, job: &Job, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, Stopped> {
        let spool = self.spool(&job.sync.sync).await?;
        let folder = spool.folder(&job.run)?;
        let ports = self.ports(&job.sync, job.mode, watch).await;
        let ended = attempt(job, &ports, &folder).await;
        tidied(&spool, job, &ports).await;
        let ended = ended.map_err(|taken| Stopped::TakenOver(taken.0))?;
        for warning in &ended.report.warnings {
            tracing::warn!(%warning, "the run warns");
        }
        let mut status = run_status(&ended.report, ended.file.as_ref(), ended.last.as_deref());
        if let Some(left) = &ended.unfinished {
            told::leaves(&mut status, left, ended.report.completion_time);
        }
        Ok(status)
    }
}

/// Why an attempt has no status of its own.
enum Stopped {
    /// This machine failed.
    Local(StateError),
    /// A defect broke it off.
    Broken,
    /// This process ends.
    Ending,
    /// Another process carries the run on.
    TakenOver(String),
}

impl From<StateError> for Stopped {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Busy { .. } => Self::TakenOver(error.to_string()),
            error => Self::Local(error),
        }
    }
}

/// The sync as the run carries it.
fn sync_of(run: &UserSyncRun) -> UserSync {
    let mut sync = UserSync::new(&run.spec.sync, run.spec.sync_spec.clone());
    sync.metadata.namespace = run.metadata.namespace.clone();
    sync.metadata.uid = Some(run.spec.uid.clone());
    sync.metadata.generation = Some(run.spec.generation);
    sync
}

/// The status of a run that could not begin.
fn failed(Failure { reason, message }: Failure, begun: Timestamp) -> UserSyncRunStatus {
    UserSyncRunStatus { start_time: Some(Time(begun)), ..told::failed(reason, &message, Timestamp::now()) }
}
