//! The connection to the API server, and who this process is there.

use std::{fs, hash::BuildHasher, time::Duration};

use axum::http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config};

use super::watch::WATCH;

/// Where a pod finds its own namespace.
const NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Why there is no connection at all. The message is whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(String);

/// A client for the cluster that the process runs in, or that `KUBECONFIG` names. Asks nobody yet.
pub async fn connect() -> Result<Client, ConnectError> {
    let mut config = Config::infer().await.map_err(|error| {
        ConnectError(format!(
            "no cluster: this process runs in none, and KUBECONFIG names none that can be used: {error}"
        ))
    })?;
    config.connect_timeout = Some(Duration::from_secs(10));
    // Nothing is as silent for as long as a watch may be: a server that is, hangs.
    config.read_timeout = Some(Duration::from_secs(u64::from(WATCH) + 10));
    config.reset_reader_on_write = true;
    // Whoever asked decides whether, and when, to ask again.
    config.default_retry = false;
    // Who asked, in the API server's audit log.
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("usersync/", env!("CARGO_PKG_VERSION")))));
    Client::try_from(config)
        .map_err(|error| ConnectError(format!("the cluster's configuration can't be used: {error}")))
}

/// The namespace that the pod is in; `default` outside of one.
pub fn own_namespace() -> String {
    let namespace = fs::read_to_string(NAMESPACE).map(|text| text.trim().to_owned()).unwrap_or_default();
    if namespace.is_empty() { "default".to_owned() } else { namespace }
}

/// The pod's name, or the machine's.
pub fn own_name() -> String {
    let name = std::env::var("HOSTNAME").ok().or_else(|| fs::read_to_string("/etc/hostname").ok());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "usersync".to_owned())
}

/// A random number.
pub fn random() -> u64 {
    // Each state is keyed anew from the system's randomness.
    std::collections::hash_map::RandomState::new().hash_one(0)
}
