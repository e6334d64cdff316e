//! The work that a host's syncs ask for, done by the engine in this process.
//!
//! | file | does |
//! |---|---|
//! | `attempt` | carries a run out |
//! | `tell` | tells those who are to be told |
//! | `forget` | removes reports that nobody needs any more |

mod attempt;
mod forget;
mod tell;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::tidy;
use crate::{
    api::{Mode, UserSync, UserSyncRun, UserSyncRunStatus},
    control::job::{DEFAULT_NAMESPACE, JobProblem, bounded_job, references_digest},
    engine::{Patience, finish, probe, sight},
    host::local::state::Spool,
    model::{
        approving::Approving,
        file::Fetched,
        job::{Bounds, Job, SyncId, SyncJob},
        post::Tidings,
        reason::Reason,
        secret::References,
        sync::{Candidate, Failure, Fitness, Found, Key, Tried, Unfinished},
        view::Order,
    },
    notify,
    ports::{Host, HostError, Ports, ReportStore, Source, UserStore, Watch, Work},
    source::{self, servers::Servers},
    store,
};

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

    fn sync_id(&self, metadata: &ObjectMeta) -> SyncId {
        let Key { namespace, name } = key(metadata);
        SyncId { instance: self.instance.clone(), namespace, name }
    }

    fn source(&self, job: &SyncJob, watch: Arc<dyn Watch>) -> Arc<dyn Source> {
        source::open(&job.source, &self.servers.watched(watch))
    }

    async fn store(&self, job: &SyncJob, mode: Mode) -> Arc<dyn UserStore> {
        store::open(job, &self.data.join("users.db"), mode).await
    }

    /// The ports of an import or a simulation of this sync.
    async fn ports(&self, job: &SyncJob, mode: Mode, watch: Arc<dyn Watch>) -> Ports {
        Ports {
            source: self.source(job, watch.clone()),
            store: self.store(job, mode).await,
            reports: self.reports.clone(),
            notifier: notify::open(&job.notice),
            watch,
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
        let ports = self.ports(&sync, Mode::Import, watch).await;
        let job = Job::new(sync, run, Mode::Import);
        let left = finish(&job, &ports, &folder, aside).await;
        tidied(&spool, &job, &ports).await;
        left
    }

    async fn deliver(&self, sync: &UserSync, runs: &[UserSyncRun]) -> Vec<Tidings> {
        self.tell(sync, runs).await
    }

    async fn forget(&self, run: &UserSyncRun) -> Result<(), String> {
        self.remove_report(run).await
    }

    async fn run(&self, order: &Order, watch: Arc<dyn Watch>) -> Result<UserSyncRunStatus, HostError> {
        self.carry_out(order, watch).await
    }
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

/// Removes what killed runs left in the spool; what can't be removed now goes with the next run.
async fn tidied(spool: &Spool, job: &Job, ports: &Ports) {
    if let Err(error) = tidy(spool, job, &*ports.store).await {
        tracing::warn!(%error, "what killed runs left in the spool can't be removed");
    }
}
