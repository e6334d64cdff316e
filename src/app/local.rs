//! Local mode: a folder of manifests as the host, the engine in this process as its work.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{Worker, operator::expiring};
use crate::{
    engine::controller::{Controller, Options},
    host::local::{
        folder::LocalHost,
        state::{State, beside},
        watch::changes,
    },
    model::{approving::Approving, job::Bounds},
    reports::{self, ReportsAt},
    telemetry::{
        Metrics,
        server::{Ready, listen, serve},
    },
};

/// How local mode works.
#[derive(Clone, Debug)]
pub struct Local {
    /// The manifests.
    pub folder: PathBuf,
    /// Where state is kept; None: beside the manifests.
    pub data: Option<PathBuf>,
    /// Where reports are kept; None: with the state.
    pub reports: Option<ReportsAt>,
    /// How long they are kept; None: as long as their runs, and those of syncs that are gone for ever.
    pub report_ttl: Option<Duration>,
    /// Secrets as Kubernetes mounts them: DIR/NAME/KEY.
    pub secrets: Option<PathBuf>,
    /// How runs are carried out.
    pub options: Options,
    /// Logins at once on each server, at most.
    pub logins: usize,
    /// Tells installations apart that write to one database.
    pub instance: String,
    /// Where metrics and health are served, if anywhere.
    pub metrics: Option<SocketAddr>,
}

impl Local {
    /// Does what the manifests say, until `stop`. An error if it could not begin.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let state = State::open(&self.data.clone().unwrap_or_else(|| beside(&self.folder)))?;
        let host = LocalHost::open(&self.folder, state.clone(), self.secrets.clone())?;
        let metrics = Arc::new(Metrics::default());
        if let Some(address) = self.metrics {
            let listener = listen(address).await?;
            let ready: Ready = Arc::new(|| Ok(()));
            tokio::spawn(serve(listener, metrics.clone(), ready, CancellationToken::new()));
        }
        let folder = self.folder.display();
        info!(version = env!("CARGO_PKG_VERSION"), %folder, state = %state.root().display(), "started");
        metrics.leading(true);
        let host_of_runs = Arc::new(host.clone());
        let work = self.worker(host_of_runs.clone(), &state)?;
        let _expiring = self.report_ttl.map(|ttl| expiring(&work, ttl));
        let controller = Controller::new(host_of_runs, work, metrics, self.options);
        controller.run(changes(host, stop.clone()), stop).await;
        info!("ended");
        Ok(())
    }

    /// By which arguments this folder is found from anywhere.
    fn arguments(&self) -> anyhow::Result<Vec<String>> {
        let mut arguments = Vec::new();
        for (name, path) in [("--local", Some(&self.folder)), ("--data", self.data.as_ref())] {
            if let Some(path) = path {
                arguments.extend([name.to_owned(), absolute(path)?.display().to_string()]);
            }
        }
        Ok(arguments)
    }

    fn worker(&self, host: Arc<LocalHost>, state: &State) -> anyhow::Result<Arc<Worker>> {
        let bounds = Bounds::Anywhere(absolute(&self.folder)?);
        let reports = match &self.reports {
            None => ReportsAt::Folder(absolute(&state.reports())?),
            Some(ReportsAt::Folder(folder)) => ReportsAt::Folder(absolute(folder)?),
            Some(bucket) => bucket.clone(),
        };
        let (data, reports) = (absolute(state.root())?, reports::open(&reports)?);
        let worker = Worker::new(host, self.instance.clone(), data, reports, move |_| bounds.clone());
        Ok(Arc::new(worker.with_logins(self.logins).approved(Approving::Local(self.arguments()?))))
    }
}

/// The same path from wherever somebody is.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}: the current folder is gone", path.display()))
}
