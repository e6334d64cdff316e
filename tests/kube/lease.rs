//! Who of several replicas leads.

use std::time::Duration;

use serde_json::{Value, json};
use usersync::host::kube::lease::Election;

use crate::world::World;

async fn candidate(world: &World, name: &str) -> Election {
    Election::new(world.cluster.client().await, &world.namespace, name)
}

fn lease(world: &World) -> Value {
    world.json(&["get", "lease", "usersync", "-o", "json"])["spec"].take()
}

/// Long enough for anything but a Lease that must run out.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_lease_that_is_given_back_goes_to_the_next_within_seconds() {
    let world = World::new().await;
    let first = candidate(&world, "first").await.win().await;
    assert_eq!(lease(&world)["leaseDurationSeconds"], json!(15));
    let mut second = tokio::spawn(candidate(&world, "second").await.win());
    let early = tokio::time::timeout(Duration::from_secs(3), &mut second).await;
    assert!(early.is_err(), "two lead");
    first.release().await;
    tokio::time::timeout(SOON, second).await.expect("nobody leads").unwrap();
    let now = lease(&world);
    assert!(now["holderIdentity"].as_str().unwrap().starts_with("second_"), "{now}");
    assert_eq!(now["leaseTransitions"], json!(1));
}

#[tokio::test]
async fn a_leader_notices_that_its_lease_is_lost() {
    let world = World::new().await;
    let mut leader = candidate(&world, "first").await.win().await;
    let taken = json!({"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15}}).to_string();
    world.kubectl(&["patch", "lease", "usersync", "--type=merge", "-p", &taken]);
    let why = tokio::time::timeout(SOON, leader.keep()).await.expect("it goes on");
    assert_eq!(why, format!("Lease {}/usersync was taken by somebody", world.namespace));
    // Whoever has it keeps it: giving back what one has not is nothing.
    leader.release().await;
    assert_eq!(lease(&world)["holderIdentity"], json!("somebody"));
}

#[tokio::test]
async fn a_lease_that_nobody_renews_is_taken_when_it_has_run_out_and_not_before() {
    let world = World::new().await;
    // Its holder died; its clock was wrong by years, in whichever direction.
    for renewed in ["2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z"] {
        let dead = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "usersync"},
            "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 4, "renewTime": renewed}});
        let applied = ["apply", "-n", &world.namespace, "-f", "-"];
        assert!(world.cluster.feed(&applied, &dead.to_string()).success);
        let mut next = tokio::spawn(candidate(&world, "next").await.win());
        assert!(tokio::time::timeout(Duration::from_secs(3), &mut next).await.is_err(), "taken too early");
        tokio::time::timeout(SOON, next).await.expect("nobody leads").unwrap().release().await;
    }
}
