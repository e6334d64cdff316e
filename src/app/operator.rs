//! The operator: a cluster as the host, the engine in this process as its work.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::info;

use super::Worker;
use crate::{
    engine::controller::{Controller, Options},
    host::kube::{
        KubeHost,
        connect::{connect, own_name, own_namespace},
        lease::Election,
    },
    model::job::Bounds,
    ports::ReportStore,
    reports::{self, ReportsAt},
    telemetry::{
        Metrics,
        server::{Ready, listen, serve},
    },
};

/// How an operator works.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The namespaces whose syncs it looks after; none: all of them.
    pub namespaces: Vec<String>,
    /// How runs are carried out.
    pub options: Options,
    /// Logins at once on each server, at most.
    pub logins: usize,
    /// Where runs keep what they must remember.
    pub data: PathBuf,
    /// Where reports are kept.
    pub reports: ReportsAt,
    /// How long they are kept; None: as long as their runs, and those of syncs that are gone for ever.
    pub report_ttl: Option<Duration>,
    /// Folders and SQLite files lie in this absolute folder's NAMESPACE; None: no sync may name any.
    pub directory_root: Option<PathBuf>,
    /// Tells installations apart that write to one database.
    pub instance: String,
    /// Where metrics and health are served.
    pub metrics: SocketAddr,
    /// The namespace of the Lease; None: the pod's own.
    pub lease_namespace: Option<String>,
}

impl Operator {
    /// Stands by, then leads, until `stop`; an error if it could not begin, or has lost the Lease.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.data)
            .with_context(|| format!("{} can't be made; name another folder with --data", self.data.display()))?;
        let reports = reports::open(&self.reports)?;
        let client = connect().await?;
        let name = own_name();
        let host = Arc::new(KubeHost::new(client.clone(), &self.namespaces, &name).within(self.bounds()));
        let metrics = Arc::new(Metrics::default());
        let watching = host.clone();
        let ready: Ready = Arc::new(move || watching.ready());
        let listener = listen(self.metrics).await?;
        info!(version = env!("CARGO_PKG_VERSION"), metrics = %listener.local_addr()?, "started");

        // A standby sees all there is, so that it can begin at once; both go on until the process ends.
        tokio::spawn(serve(listener, metrics.clone(), ready, CancellationToken::new()));
        let watching = host.clone();
        tokio::spawn(async move { watching.watch().await });

        let lease_namespace = self.lease_namespace.clone().unwrap_or_else(own_namespace);
        let mut leadership = tokio::select! {
            leadership = Election::new(client, &lease_namespace, &name).win() => leadership,
            () = stop.cancelled() => return Ok(()),
        };
        metrics.leading(true);
        let worker = self.worker(host.clone(), reports);
        let _expiring = self.report_ttl.map(|ttl| expiring(&worker, ttl));
        let controller = Controller::new(host.clone(), worker, metrics, self.options);
        tokio::select! {
            () = controller.run(host.changes(), stop) => {}
            why = leadership.keep() => bail!("this replica leads no more, and ends: {why}"),
        }
        leadership.release().await;
        info!("ended");
        Ok(())
    }

    /// Where the folders and SQLite files of syncs may lie.
    fn bounds(&self) -> Bounds {
        self.directory_root.clone().map_or(Bounds::Nowhere, Bounds::Below)
    }

    fn worker(&self, host: Arc<KubeHost>, reports: Arc<dyn ReportStore>) -> Arc<Worker> {
        let bounds = self.bounds();
        let worker = Worker::new(host, self.instance.clone(), self.data.clone(), reports, move |_| bounds.clone());
        Arc::new(worker.with_logins(self.logins))
    }
}

/// Removes old reports, until what is returned is dropped.
pub(super) fn expiring(worker: &Arc<Worker>, ttl: Duration) -> AbortOnDropHandle<()> {
    let worker = worker.clone();
    AbortOnDropHandle::new(tokio::spawn(async move { worker.expire(ttl).await }))
}
