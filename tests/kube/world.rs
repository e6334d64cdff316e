//! A namespace with a host that sees it.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::task::AbortHandle;
use usersync::{
    api::{UserSync, UserSyncRun},
    control::cause::run_of,
    host::kube::KubeHost,
    model::{
        sync::{Cause, Key},
        view::View,
    },
    ports::Host,
};

use crate::support::cluster::{Cluster, client};

/// A sync of that name, the least of one.
pub fn manifest(name: &str) -> String {
    format!(
        "apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {{name: {name}}}
spec:
  source: {{directory: {{path: inbox}}}}
  mapping: {{userId: {{column: id}}}}
  target: {{url: {{value: 'sqlite:users.db'}}}}
"
    )
}

pub struct World {
    pub cluster: &'static Cluster,
    pub namespace: String,
    pub host: Arc<KubeHost>,
}

/// Ends a watch when dropped.
pub struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// A namespace of one's own in the cluster that all tests share.
    pub async fn new() -> Self {
        static INSTALLED: OnceLock<()> = OnceLock::new();
        let cluster = Cluster::shared();
        INSTALLED.get_or_init(|| cluster.install_crds());
        Self::of(cluster).await
    }

    /// A namespace in that cluster.
    pub async fn of(cluster: &'static Cluster) -> Self {
        let namespace = cluster.create_namespace("kube");
        let host = Arc::new(KubeHost::new(cluster.client().await, std::slice::from_ref(&namespace), "tests"));
        Self { cluster, namespace, host }
    }

    /// A host with the rights of a service account.
    pub async fn as_account(&self, account: &str) -> KubeHost {
        let client = client(&self.cluster.token_kubeconfig(&self.namespace, account)).await;
        KubeHost::new(client, std::slice::from_ref(&self.namespace), account)
    }

    /// Watches until what comes of it is dropped; everything there is was seen when this returns.
    pub async fn watch(&self) -> Watching {
        let host = self.host.clone();
        let watching = Watching(tokio::spawn(async move { host.watch().await }).abort_handle());
        eventually("the host is not ready", || self.host.ready().is_ok()).await;
        watching
    }

    pub fn key(&self, name: &str) -> Key {
        Key { namespace: self.namespace.clone(), name: name.to_owned() }
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.ok(&[&["-n", &self.namespace], arguments].concat())
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(arguments)).unwrap()
    }

    pub fn apply(&self, yaml: &str) {
        let said = self.cluster.feed(&["apply", "--server-side", "-n", &self.namespace, "-f", "-"], yaml);
        assert!(said.success, "{}\n{yaml}", said.stderr);
    }

    /// Makes a sync.
    pub async fn sync(&self, name: &str) -> UserSync {
        self.apply(&manifest(name));
        self.live(name).await.sync.unwrap()
    }

    pub async fn live(&self, name: &str) -> View {
        let view = self.host.live(&self.key(name)).await.unwrap().expect("a sync of that name");
        assert!(view.live && view.target_required);
        view
    }

    /// A run of the sync, not made yet.
    pub fn run(&self, sync: &UserSync, token: &str) -> UserSyncRun {
        run_of(sync, &Cause::UpdateNow(token.to_owned()), &[])
    }
}

/// Waits until it is so.
pub async fn eventually(otherwise: &str, mut so: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !so() {
        assert!(tokio::time::Instant::now() < deadline, "{otherwise}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
