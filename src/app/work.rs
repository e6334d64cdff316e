//! The work that a host's syncs ask for, done by the engine in this process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::tidy;
use crate::{
    api::{DeliveryState, Mode, UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec},
    control::{
        deliveries::{alert_name, alert_open, alert_standing, next_run, requested},
        job::{DEFAULT_NAMESPACE, JobProblem, bounded_job, notice_job, references_digest},
        told::{self, run_status},
    },
    engine::{Patience, alert_parcels, attempt, deliver, expire, finish, probe, sight},
    host::local::state::{Spool, StateError},
    model::{
        approving::Approving,
        condition::ConditionReason,
        file::Fetched,
        job::{Bounds, Job, SyncId, SyncJob},
        letter::Letter,
        notice::NoticeJob,
        post::{Heading, Parcel, Posted, Tidings},
        reason::Reason,
        secret::References,
        sync::{Candidate, Failure, Fitness, Found, Key, Tried, Unfinished},
        view::Order,
    },
    notify,
    ports::{Host, HostError, Notifier, Ports, ReportStore, Source, UserStore, Watch, Work},
    source::{self, servers::Servers},
    store,
};

/// How long a run waits for another process of this machine to let go of the sync: one that is about to end holds it until
/// its transaction is over.
const LOCK: Duration = Duration::from_secs(15);
/// How often it looks whether that has happened.
const LOCK_AGAIN: Duration = Duration::from_millis(100);

/// Old reports are looked for once an hour, but more often where they live for less than a day.
const LONGEST: Duration = Duration::from_secs(3600);
const SHORTEST: Duration = Duration::from_secs(1);

/// What is said of a run that panicked.
const DEFECT: &str = "a defect of UserSync broke the run off: nothing of it was written, unless the ledger says so. The log \
                      has the details; please report it";

/// Which folders and SQLite files a sync may name.
pub type BoundsOf = dyn Fn(&Key) -> Bounds + Send + Sync;

/// Carries out, as tasks of this process, what a host's syncs ask for.
#[derive(Clone)]
pub struct Worker {
    host: Arc<dyn Host>,
    instance: String,
    data: PathBuf,
    reports: Arc<dyn ReportStore>,
    bounds: Arc<BoundsOf>,
    servers: Servers,
    approving: Approving,
}

impl Worker {
    /// Works for `host`. `instance` tells installations apart that write to one database; `data` holds the spool and the
    /// embedded database, and is made when it is needed.
    pub fn new(
        host: Arc<dyn Host>,
        instance: String,
        data: PathBuf,
        reports: Arc<dyn ReportStore>,
        bounds: impl Fn(&Key) -> Bounds + Send + Sync + 'static,
    ) -> Self {
        Self {
            host,
            instance,
            data,
            reports,
            bounds: Arc::new(bounds),
            servers: Servers::default(),
            approving: Approving::Cluster,
        }
    }

    /// The same, where held runs are approved like this.
    pub fn approved(self, approving: Approving) -> Self {
        Self { approving, ..self }
    }

    /// The same, with at most so many logins at once on each server.
    pub fn with_logins(mut self, logins: usize) -> Self {
        self.servers = Servers::new(logins);
        self
    }

    /// The job of a sync with the references as they are now, and what these are. The inner error is what is wrong with them.
    async fn job(&self, sync: &UserSync) -> Result<(References, Result<SyncJob, Failure>), HostError> {
        let key = key(&sync.metadata);
        let references = self.host.references(&key.namespace, &sync.spec).await?;
        let job = bounded_job(sync, &self.instance, &references, &(self.bounds)(&key)).map_err(missing);
        Ok((references, job))
    }

    /// Removes the reports that are older than that, again and again.
    pub async fn expire(&self, ttl: Duration) {
        let pause = (ttl / 24).clamp(SHORTEST, LONGEST);
        loop {
            tokio::time::sleep(pause).await;
            let before = SignedDuration::try_from(ttl).ok().and_then(|ttl| Timestamp::now().checked_sub(ttl).ok());
            let Some(before) = before else { return };
            let unfinished = |sync: &Key, run: &str| {
                let (namespace, name) = (sync.namespace.clone(), sync.name.clone());
                Spool::holds(&self.data, &SyncId { instance: self.instance.clone(), namespace, name }, run)
            };
            match expire(&*self.host, &*self.reports, before, &unfinished).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "old reports are removed"),
                Err(error) => tracing::warn!("old reports can't be removed now, which is tried again: {error}"),
            }
        }
    }

    fn sync_id(&self, metadata: &ObjectMeta) -> SyncId {
        let Key { namespace, name } = key(metadata);
        SyncId { instance: self.instance.clone(), namespace, name }
    }

    /// Tells those who are to be told that no file came.
    async fn alert(&self, sync: &UserSync) -> Tidings {
        let run = sync.status.as_ref().and_then(alert_name).unwrap_or_default();
        let standing = sync.status.as_ref().map(|status| alert_standing(sync, status)).unwrap_or_default();
        let open: Vec<_> = standing.into_iter().filter(|one| one.state == DeliveryState::Waiting).collect();
        let notifier = match self.notice_of(&sync.metadata, &sync.spec).await {
            Ok(notice) => notify::open(&notice),
            Err(failure) => Arc::new(Mute(failure.message)),
        };
        let id = self.sync_id(&sync.metadata);
        let parcels = alert_parcels(&id, sync, &open, &*notifier);
        let posted = match &parcels {
            Ok(parcels) => notifier.send(parcels).await,
            Err(why) => open.iter().map(|_| Posted::Waiting(ConditionReason::MailUnreachable, why.clone())).collect(),
        };
        let deliveries = open.iter().zip(posted).map(|(one, posted)| posted.delivery(one.kind, &one.to)).collect();
        Tidings { run, deliveries }
    }

    /// Who is to be told of a run, with the references as they are now.
    async fn notice(&self, metadata: &ObjectMeta, run: &UserSyncRun) -> Result<NoticeJob, Failure> {
        self.notice_of(metadata, &run.spec.sync_spec).await
    }

    async fn notice_of(&self, metadata: &ObjectMeta, spec: &UserSyncSpec) -> Result<NoticeJob, Failure> {
        let (namespace, spec) = (key(metadata).namespace, told_only(spec));
        let references = self.host.references(&namespace, &spec).await.map_err(unread)?;
        notice_job(&spec, &namespace, &references).map_err(missing)
    }

    fn source(&self, job: &SyncJob, watch: Arc<dyn Watch>) -> Arc<dyn Source> {
        source::open(&job.source, &self.servers.watched(watch))
    }

    async fn store(&self, job: &SyncJob, mode: Mode) -> Arc<dyn UserStore> {
        store::open(job, &self.data.join("users.db"), mode).await
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
        let ports = Ports {
            source: self.source(&job.sync, watch.clone()),
            store: self.store(&job.sync, job.mode).await,
            reports: self.reports.clone(),
            notifier: notify::open(&job.sync.notice),
            watch,
        };
        let ended = attempt(job, &ports, &folder).await;
        if let Err(error) = tidy(&spool, job, &*ports.store).await {
            tracing::warn!(%error, "what killed runs left in the spool can't be removed");
        }
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

#[async_trait]
impl Work for Worker {
    async fn probe(&self, sync: &UserSync, login: bool, watch: Arc<dyn Watch>) -> Result<Fitness, HostError> {
        let (references, job) = match self.job(sync).await {
            // A right that is missing comes back only if somebody gives it: that is said of the sync.
            Err(HostError::Refused(message)) => {
                (References::default(), Err(Failure { reason: Reason::ReferenceMissing, message }))
            }
            read => read?,
        };
        let references = references_digest(&references);
        let found = match job {
            Err(missing) => Some(Found { source: Err(missing.clone()), target: Err(missing) }),
            Ok(job) if login => {
                let patience = Patience::new(watch);
                let source = self.source(&job, patience.clone());
                Some(probe(&job, &*source, self.store(&job, Mode::Simulation), &patience).await)
            }
            Ok(_) => None,
        };
        Ok(Fitness { references, found })
    }

    async fn look(
        &self,
        sync: &UserSync,
        tried: &[Tried],
        watch: Arc<dyn Watch>,
    ) -> Result<Option<Candidate>, Failure> {
        let (_, job) = self.job(sync).await.map_err(unread)?;
        let job = job?;
        let store = async || self.store(&job, Mode::Simulation).await;
        sight(&job, &*self.source(&job, watch), store, tried).await.map_err(|error| error.failure())
    }

    async fn finish(
        &self,
        sync: &UserSync,
        aside: &[Fetched],
        watch: Arc<dyn Watch>,
    ) -> Result<Option<Unfinished>, Failure> {
        let (_, job) = self.job(sync).await.map_err(unread)?;
        let sync = job?;
        let spool = Spool::of(&self.data, &sync.sync).map_err(|error| local(error.to_string()))?;
        let run = "finish".to_owned();
        let folder = spool.folder(&run).map_err(|error| local(error.to_string()))?;
        let ports = Ports {
            source: self.source(&sync, watch.clone()),
            store: self.store(&sync, Mode::Import).await,
            reports: self.reports.clone(),
            notifier: notify::open(&sync.notice),
            watch,
        };
        let job = Job::new(sync, run, Mode::Import);
        let left = finish(&job, &ports, &folder, aside).await;
        if let Err(error) = tidy(&spool, &job, &*ports.store).await {
            tracing::warn!(%error, "what killed runs left in the spool can't be removed");
        }
        left
    }

    async fn deliver(&self, sync: &UserSync, runs: &[UserSyncRun]) -> Vec<Tidings> {
        let id = self.sync_id(&sync.metadata);
        let mut tidings = Vec::new();
        // Runs that tell the same people share a login.
        for runs in runs.chunk_by(|one, next| one.spec.sync_spec.report == next.spec.sync_spec.report) {
            let Some(first) = runs.first() else { continue };
            let notifier: Arc<dyn Notifier> = match self.notice(&sync.metadata, first).await {
                Ok(notice) => notify::open(&notice),
                Err(failure) => Arc::new(Mute(failure.message)),
            };
            tidings.extend(deliver(&id, runs, &*self.reports, &self.approving, &*notifier).await);
        }
        if alert_open(sync) {
            tidings.push(self.alert(sync).await);
        }
        tidings.iter().for_each(log);
        tidings
    }

    async fn forget(&self, run: &UserSyncRun) -> Result<(), String> {
        let Key { namespace, .. } = key(&run.metadata);
        let id = SyncId { instance: self.instance.clone(), namespace, name: run.spec.sync.clone() };
        let name = run.metadata.name.as_deref().unwrap_or_default();
        if Spool::holds(&self.data, &id, name) {
            return Err(format!("run {name} has something left to do"));
        }
        self.reports.remove(&id, name).await.map_err(|error| error.to_string())
    }

    async fn run(&self, order: &Order, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, HostError> {
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
}

/// The spec without what is not needed to tell people: the rest may be missing by now.
fn told_only(spec: &UserSyncSpec) -> UserSyncSpec {
    let mut spec = spec.clone();
    (spec.source.sftp, spec.source.ftp, spec.source.drop_box, spec.target) = (None, None, None, None);
    spec
}

/// What became of each mail, for whoever reads the log.
fn log(Tidings { run, deliveries }: &Tidings) {
    for one in deliveries {
        let (kind, to, why) = (one.kind, &one.to, one.message.as_deref().unwrap_or_default());
        match one.state {
            DeliveryState::Sent => tracing::info!(run, ?kind, to, "sent"),
            state => tracing::warn!(run, ?kind, to, ?state, "not sent: {why}"),
        }
    }
}

/// Nobody can be told, for this reason.
struct Mute(String);

#[async_trait]
impl Notifier for Mute {
    fn compose(&self, _: &Letter, _: &Heading, _: &Path) -> Result<Vec<u8>, String> {
        Err(self.0.clone())
    }

    async fn send(&self, parcels: &[Parcel]) -> Vec<Posted> {
        parcels.iter().map(|_| Posted::Waiting(ConditionReason::MailUnreachable, self.0.clone())).collect()
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

fn key(metadata: &ObjectMeta) -> Key {
    Key {
        namespace: metadata.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        name: metadata.name.clone().unwrap_or_default(),
    }
}

fn missing(problems: Vec<JobProblem>) -> Failure {
    let lines: Vec<String> = problems.iter().map(JobProblem::to_string).collect();
    Failure { reason: Reason::ReferenceMissing, message: lines.join("\n") }
}

/// What is said of references that can't be read.
fn unread(error: HostError) -> Failure {
    let message = format!("the Secrets and ConfigMaps that the spec names can't be read: {error}");
    Failure { reason: Reason::ReferenceMissing, message }
}

fn local(message: String) -> Failure {
    Failure { reason: Reason::LocalFailed, message }
}

/// The status of a run that could not begin.
fn failed(Failure { reason, message }: Failure, begun: Timestamp) -> UserSyncRunStatus {
    UserSyncRunStatus { start_time: Some(Time(begun)), ..told::failed(reason, &message, Timestamp::now()) }
}
