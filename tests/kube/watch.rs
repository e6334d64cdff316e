//! What is seen, whatever happens to the API server and to single objects.

use std::{path::Path, time::Duration};

use futures::StreamExt;
use serde_json::{Value, json};
use usersync::ports::{Host, HostError};

use crate::{
    support::cluster::Cluster,
    world::{World, eventually, manifest},
};

const SOON: Duration = Duration::from_secs(30);

fn own_cluster() -> &'static Cluster {
    // Ended with the test process at the latest.
    Box::leak(Box::new(Cluster::start()))
}

#[tokio::test]
async fn missing_definitions_and_a_missing_server_are_waited_for() {
    let cluster = own_cluster();
    let world = World::of(cluster).await;
    let host = world.host.clone();
    let watching = tokio::spawn(async move { host.watch().await });
    eventually("it does not say that definitions are missing", || {
        world.host.ready().is_err_and(|why| why.contains("install the definitions"))
    })
    .await;
    cluster.install_crds();
    eventually("definitions that were installed are not noticed", || world.host.ready().is_ok()).await;

    let mut changes = world.host.changes();
    world.sync("hr").await;
    assert_eq!(tokio::time::timeout(SOON, changes.next()).await.unwrap(), Some(world.key("hr")));

    cluster.stop_api();
    eventually("a server that is away is not noticed", || world.host.ready().is_err()).await;
    let away = world.host.live(&world.key("hr")).await;
    assert!(matches!(away, Err(HostError::Unreachable(_))), "{away:?}");
    assert!(world.host.cached(&world.key("hr")).await.unwrap().is_some(), "what was seen stays");
    cluster.start_api();
    world.apply(&manifest("it"));
    eventually("a server that is back is not noticed", || world.host.ready().is_ok()).await;
    assert_eq!(tokio::time::timeout(SOON, changes.next()).await.unwrap(), Some(world.key("it")));
    watching.abort();
}

#[tokio::test]
async fn a_malformed_object_is_reported_on_itself() {
    let cluster = own_cluster();
    cluster.install_crds();
    let world = World::of(cluster).await;
    world.sync("good").await;
    // Written while the definitions said nothing of the spec.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/usersync.dev_usersyncs.yaml");
    let mut open: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let spec = open.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    *spec = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let forced = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    assert!(cluster.feed(&forced, &open.to_string()).success);
    let bad = json!({"apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": "bad"},
        "spec": {"source": {"directory": {"path": 3}}, "mapping": {}}});
    cluster.wait_for(
        || cluster.feed(&["apply", "-n", &world.namespace, "-f", "-"], &bad.to_string()).success,
        SOON,
        "the open definition does not take effect",
    );
    cluster.install_crds();

    let _watching = world.watch().await;
    assert!(world.host.cached(&world.key("good")).await.unwrap().unwrap().sync.is_ok());
    assert!(world.host.cached(&world.key("bad")).await.unwrap().unwrap().sync.is_err());
    let malformed = world.live("bad").await.sync.unwrap_err();
    for part in ["spec.source.directory.path", "spec.mapping.userId"] {
        assert!(malformed.message.lines().any(|line| line.starts_with(part)), "{}", malformed.message);
    }
    // Its status can be written all the same.
    let status = serde_json::from_value(json!({"observedGeneration": 1, "connection": "Failing"})).unwrap();
    world.host.write_status(&malformed.metadata, &status).await.unwrap();
    assert_eq!(world.live("bad").await.sync.unwrap_err().status, status);
}

#[tokio::test]
async fn a_sync_that_is_deleted_is_told_and_forgotten() {
    let world = World::new().await;
    world.sync("hr").await;
    let _watching = world.watch().await;
    let mut changes = world.host.changes();
    assert_eq!(changes.next().await, Some(world.key("hr")));
    assert_eq!(world.host.known(), (1, 0));
    world.kubectl(&["delete", "usync", "hr"]);
    assert_eq!(tokio::time::timeout(SOON, changes.next()).await.unwrap(), Some(world.key("hr")));
    assert!(world.host.cached(&world.key("hr")).await.unwrap().is_none());
    assert_eq!(world.host.known(), (0, 0));
}
