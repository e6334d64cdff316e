//! Two replicas: one leads, the other is ready.

use serde_json::json;

use crate::world::World;

#[test]
fn told_to_stop_it_gives_the_lease_back_and_the_other_takes_over() {
    let world = World::new();
    world.drop_file("userdata_1.csv", 3);
    let first = world.operator();
    world.until("nobody leads", || first.leads());
    let second = world.operator();
    world.until("the standby is not ready", || second.http("/readyz").0 == 200);
    world.apply(json!({}));
    world.update("1");
    assert!(!second.leads());

    assert!(first.stop().success());
    world.drop_file("userdata_2.csv", 5);
    world.update("2");
    assert!(second.leads());
    assert_eq!((world.users(), world.runs().len()), (5, 2));
}

#[test]
fn killed_in_the_middle_of_a_run_the_other_ends_it() {
    let world = World::new();
    let first = world.operator();
    world.until("nobody leads", || first.leads());
    let second = world.operator();
    world.apply(json!({}));
    world.until_condition("Ready", "True Ready");
    world.drop_file("userdata_1.csv", 200_000);
    world.annotate(&["usersync.dev/update-now=1"]);
    world.until("no run begins", || {
        let runs = world.run_objects();
        runs.iter().any(|run| run["status"]["startTime"].is_string())
    });
    first.kill();
    world.completed("lastCompletedUpdateNow", "1");
    assert!(second.leads());
    assert_eq!(world.users(), 200_000);
    let runs = world.runs();
    assert!(["UpdateNow Import Completed", "UpdateNow Import AlreadyApplied"].contains(&runs[0].as_str()), "{runs:?}");
    assert_eq!(runs.len(), 1);
}

#[test]
fn a_leader_that_lost_its_lease_ends() {
    let world = World::new();
    let mut operator = world.operator();
    world.until("nobody leads", || operator.leads());
    let taken = json!({"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 15}}).to_string();
    world.kubectl(&["patch", "lease", "usersync", "--type=merge", "-p", &taken]);
    assert_eq!(operator.wait().code(), Some(1));
    assert!(operator.said("this replica leads no more, and ends: Lease") && operator.said("was taken by somebody"));
}

#[test]
fn told_to_stop_a_run_at_work_is_ended_first() {
    let world = World::new();
    let operator = world.operator();
    world.apply(json!({}));
    world.until_condition("Ready", "True Ready");
    world.drop_file("userdata_1.csv", 50_000);
    world.annotate(&["usersync.dev/update-now=1"]);
    world.until("no run begins", || world.run_objects().iter().any(|run| run["status"]["startTime"].is_string()));
    assert!(operator.stop().success());
    // Either it was through, and that is noted, or nothing of it is there and the next one carries it out.
    let _next = world.operator();
    world.completed("lastCompletedUpdateNow", "1");
    assert_eq!((world.users(), world.runs().len()), (50_000, 1));
}
