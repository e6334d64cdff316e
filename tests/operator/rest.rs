//! At rest: nothing is written but the Lease, nothing is asked for that has not changed.

use std::time::Duration;

use serde_json::json;

use crate::{
    support::cluster::Cluster,
    world::{World, condition},
};

/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(60);

#[test]
fn at_rest_nothing_is_written_but_the_lease() {
    let cluster: &Cluster = Box::leak(Box::new(Cluster::builder().audit_log().start()));
    cluster.install_crds();
    let world = World::of(cluster);
    let _operator = world.operator();
    let sync = |name: String, schedule| world.sync(&name, json!({"schedule": schedule})).to_string();
    let daily = (0..100).map(|n| sync(format!("daily-{n}"), json!({"daily": {"at": "01:00"}})));
    let polling = (0..100).map(|n| sync(format!("polling-{n}"), json!({"every": "2s"})));
    cluster.apply(&daily.chain(polling).collect::<Vec<_>>().join("\n---\n"));
    world.until("not all are ready", || {
        let all = world.get(&["usync"]);
        let ready = |sync: &&serde_json::Value| condition(&sync["status"], "Ready") == "True Ready";
        all["items"].as_array().is_some_and(|all| all.iter().filter(ready).count() == 200)
    });
    // What followed from that has been done once each has been looked at for a slot.
    std::thread::sleep(Duration::from_secs(5));

    let begun = jiff::Timestamp::now();
    std::thread::sleep(WATCHED);
    // What `kubectl` asks is not the operator's.
    let asked: Vec<_> =
        cluster.audit().into_iter().filter(|event| event.time >= begun && !event.resource.is_empty()).collect();
    let ours = asked.iter().filter(|event| event.user_agent.starts_with("usersync/"));
    let (lease, others): (Vec<_>, Vec<_>) = ours.partition(|event| event.resource == "leases");
    assert!((9..=14).contains(&lease.len()), "the Lease is renewed every 5 s: {}", lease.len());
    assert!(others.iter().all(|event| event.verb == "watch"), "{others:#?}");
}
