//! With the rights as shipped, and no more.

use serde_json::json;

use crate::{
    gateway::Gateway,
    world::{World, own},
};

#[test]
fn the_rights_as_shipped_are_enough() {
    let cluster = own();
    cluster.install_crds();
    cluster.ok(&["apply", "--server-side", "-k", concat!(env!("CARGO_MANIFEST_DIR"), "/charts/manifests/cluster")]);
    let world = World::of(cluster);
    let kubeconfig = cluster.token_kubeconfig("usersync-system", "usersync");
    let gateway = Gateway::start();
    gateway.make("reports");
    let arguments = ["--lease-namespace=usersync-system", "--reports=s3://reports", "--report-ttl=5s"];
    let operator = world.operator_with(kubeconfig, &arguments, &gateway.environment());
    world.kubectl(&["create", "secret", "generic", "users-db", "--from-literal=url=sqlite:users.db"]);
    world.drop_file("userdata_1.csv", 3);
    world.apply(json!({
        "target": {"url": {"secretKeyRef": {"name": "users-db", "key": "url"}}},
        "history": {"successful": 1, "failed": 1},
    }));
    world.update("1");
    world.drop_file("userdata_2.csv", 4);
    world.update("2");
    // A status that somebody else wrote, and a run of the history that is over, take no further rights.
    let forged = json!({"status": {"activeRun": "hr-forged"}}).to_string();
    world.kubectl(&["patch", "usync", "hr", "--subresource=status", "--type=merge", "-p", &forged]);
    world.until("the forged run stays", || world.status()["activeRun"].is_null());
    world.until("old runs stay", || world.runs().len() == 1);
    world.until("old reports stay", || gateway.keys("reports").is_empty());
    assert!(world.kubectl(&["get", "events"]).contains("RunCompleted"));
    assert_eq!(operator.http("/readyz").0, 200);
    let log = operator.log();
    assert!(!log.contains("forbidden") && !operator.warned(), "{log}");
    assert!(operator.stop().success());
}
