//! The composition root: the one place that names the engine and the adapters.

mod browse;
mod local;
mod operator;
mod post;
mod work;

pub use self::{
    browse::{Browsed, browse, host_key},
    local::Local,
    operator::Operator,
    work::{BoundsOf, Worker},
};

use std::{path::Path, sync::Arc};

use anyhow::Context;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{
    api::{Mode, Trigger, UserSync, UserSyncRunSpec},
    engine::{Ended, Preview, RunError, preview, run, unpublished},
    host::local::{
        ended::{NO_UID, ended},
        state::{Spool, State},
        status::after_run,
    },
    model::{
        approving::Approving,
        file::Stamp,
        job::{Approval, Job, SyncId, SyncJob},
    },
    notify,
    ports::{Ports, ReportStore, StoreError, UserStore, Watch},
    reports::{self, ReportsAt, folder::Folder},
    source::{self, servers::Servers},
    store,
};

/// A process at work on one state folder.
pub struct App {
    state: State,
    reports: Arc<dyn ReportStore>,
    servers: Servers,
    approving: Approving,
}

/// A sync as it was written, and as a run needs it.
pub struct Sync {
    /// The resource.
    pub object: UserSync,
    /// What was made of it.
    pub job: SyncJob,
}

/// What is asked of a run.
#[derive(Clone, Debug)]
pub struct Request {
    /// Import or simulation.
    pub mode: Mode,
    /// What a person approved, and the name of the held run if it is known.
    pub approval: Option<(Approval, Option<String>)>,
    /// With `select: All`, the file of the run before.
    pub after: Option<Stamp>,
}

impl App {
    /// Opens the state folder; makes it when it is missing.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let state = State::open(folder)?;
        let reports = Arc::new(Folder::new(state.reports()));
        Ok(Self { state, reports, servers: Servers::default(), approving: Approving::default() })
    }

    /// The same, with its reports elsewhere.
    pub fn with_reports(mut self, at: &ReportsAt) -> anyhow::Result<Self> {
        self.reports = reports::open(at)?;
        Ok(self)
    }

    /// The same, where held runs are approved like this.
    pub fn approved(self, approving: Approving) -> Self {
        Self { approving, ..self }
    }

    /// The state folder.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One run, from the file to the report and the state folder. While it works no other process runs this sync from
    /// this folder.
    pub async fn run(&self, sync: &Sync, request: Request, watch: Arc<dyn Watch>) -> anyhow::Result<Ended> {
        let id = &sync.job.sync;
        let name = run_name(id);
        let spool = self.state.spool(id)?;
        let killed = spool.runs()?;
        let folder = spool.folder(&name)?;
        let spec = run_spec(sync, &name, &request);
        let approval = request.approval.map(|(approval, _)| approval);
        let job = Job {
            approval,
            after: request.after,
            approving: self.approving.clone(),
            ..Job::new(sync.job.clone(), name, request.mode)
        };
        let ports = self.ports(&job, watch).await;
        let ended_run = run(&job, &ports, &folder).await;
        for run in killed.iter().filter(|run| **run != job.run) {
            if let Err(error) = self.recover(sync, run, &*ports.reports).await {
                tracing::warn!(run, "what a killed run left can't be kept: {error:#}");
            }
        }
        self.keep(id, &spec, &ended_run)?;
        tidy(&spool, &job, &*ports.store).await?;
        Ok(ended_run)
    }

    /// The first rows of the file that the next run would take.
    pub async fn preview(
        &self,
        sync: &Sync,
        rows: usize,
        watch: Arc<dyn Watch>,
    ) -> anyhow::Result<Result<Preview, String>> {
        let spool = self.state.spool(&sync.job.sync)?;
        let name = run_name(&sync.job.sync);
        let folder = spool.folder(&name)?;
        let job = Job::new(sync.job.clone(), name, Mode::Simulation);
        let ports = self.ports(&job, watch).await;
        let previewed = preview(&job, &ports, &folder, rows).await;
        spool.remove(&job.run)?;
        previewed.map_err(|error: RunError| anyhow::anyhow!("{}: {error}", error.reason()))
    }

    async fn ports(&self, job: &Job, watch: Arc<dyn Watch>) -> Ports {
        Ports {
            source: source::open(&job.sync.source, &self.servers),
            store: store::open(&job.sync, &self.state.users_db(), job.mode).await,
            reports: self.reports.clone(),
            notifier: notify::open(&job.sync.notice),
            watch,
        }
    }

    fn keep(&self, id: &SyncId, spec: &UserSyncRunSpec, run: &Ended) -> anyhow::Result<()> {
        let object = ended(&id.namespace, spec.clone(), &run.report, run.file.as_ref(), run.last.as_deref());
        self.state.write_run(id, &object).context("the run has ended, but can't be kept in the state folder")?;
        let status = after_run(self.state.status(id)?.unwrap_or_default(), &object);
        self.state.write_status(id, &status)?;
        Ok(())
    }
}

/// Removes what this run and killed ones left in the spool, but for reports that are still to be published.
async fn tidy(spool: &Spool, job: &Job, store: &dyn UserStore) -> anyhow::Result<()> {
    let open: Result<Vec<_>, StoreError> = store.unfinished(&job.sync.sync).await;
    if let Ok(open) = open {
        let mut open: Vec<_> = open.into_iter().map(|row| row.run).collect();
        for run in spool.runs()? {
            if unpublished(&spool.folder(&run)?) {
                open.push(run);
            }
        }
        spool.clean(&open)?;
    }
    Ok(())
}

/// A name that no other run has: the sync's, as far as a Kubernetes name has room, and 80 bits of digest.
fn run_name(id: &SyncId) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{id:?} {} {}", jiff::Timestamp::now(), std::process::id()));
    let digest = HEXLOWER.encode(&hash.finalize()[..10]);
    let prefix: String = id.name.chars().take(200).collect();
    format!("{prefix}-{digest}")
}

fn run_spec(sync: &Sync, name: &str, request: &Request) -> UserSyncRunSpec {
    spec_of(sync, name, request.mode, request.approval.as_ref().and_then(|(_, held)| held.clone()))
}

fn spec_of(sync: &Sync, name: &str, mode: Mode, held: Option<String>) -> UserSyncRunSpec {
    let metadata = &sync.object.metadata;
    let trigger = match (mode, &held) {
        (Mode::Simulation, _) => Trigger::SimulateNow,
        (Mode::Import, Some(_)) => Trigger::Approval,
        (Mode::Import, None) => Trigger::UpdateNow,
    };
    UserSyncRunSpec {
        sync: sync.job.sync.name.clone(),
        uid: metadata.uid.clone().unwrap_or_else(|| NO_UID.to_owned()),
        generation: metadata.generation.unwrap_or(1),
        sync_spec: sync.object.spec.clone(),
        mode,
        trigger,
        slot: None,
        token: (trigger != Trigger::Approval).then(|| name.to_owned()),
        approves: held,
    }
}
