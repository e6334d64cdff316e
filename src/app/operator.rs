//! The operator: a cluster as the host, the engine in this process as its work.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;
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
    pub reports: PathBuf,
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
        let controller = Controller::new(host.clone(), self.worker(host.clone()), metrics, self.options);
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

    fn worker(&self, host: Arc<KubeHost>) -> Arc<Worker> {
        let bounds = self.bounds();
        let (data, reports) = (self.data.clone(), self.reports.clone());
        let worker = Worker::new(host, self.instance.clone(), data, reports, move |_| bounds.clone());
        Arc::new(worker.with_logins(self.logins))
    }
}
