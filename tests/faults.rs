//! An operator that is killed between any two of its writes, that is shown old states, that does not see events: nothing is done
//! twice, nothing is left undone. Each operator speaks to a real API server by way of a proxy that fails on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "faults/killed.rs"]
mod killed;
#[path = "faults/passage.rs"]
mod passage;
#[path = "faults/proxy.rs"]
mod proxy;
#[path = "faults/scene.rs"]
mod scene;
mod support;
#[path = "faults/unseen.rs"]
mod unseen;

use support::cluster::Cluster;

/// The API server of all these tests, with the definitions.
fn cluster() -> &'static Cluster {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    let cluster = Cluster::shared();
    INSTALLED.call_once(|| cluster.install_crds());
    cluster
}
