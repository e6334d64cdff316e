//! What people ask for: by a manifest, an annotation, a patch.

use serde_json::json;

use crate::world::World;

#[test]
fn it_says_whether_the_source_can_be_used_and_shows_it_in_columns() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"source": {"directory": {"path": "outbox"}}, "schedule": {"daily": {"at": "01:00"}}}));
    world.until_condition("SourceReady", "False FolderMissing");
    std::fs::create_dir(world.path("outbox")).unwrap();
    world.kubectl(&["wait", "--for=condition=Ready", "usync/hr", "--timeout=60s"]);
    assert_eq!(world.condition("SourceReady"), "True Ready");
    assert_eq!(world.condition("Stalled"), "", "only while True");

    let table = world.kubectl(&["get", "usync"]);
    let columns: Vec<&str> =
        table.lines().next().unwrap().split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
    assert_eq!(
        columns,
        ["NAME", "READY", "SYNCED", "STATUS", "SUSPENDED", "SCHEDULE", "LAST SYNC", "NEXT SYNC", "AGE"]
    );
    let row = table.lines().nth(1).unwrap();
    for shown in ["hr", "True", "Active", "false", "daily 01:00 Etc/UTC"] {
        assert!(row.contains(shown), "{shown}: {row}");
    }
}

#[test]
fn each_token_runs_once_over_restarts_and_reverts_and_while_suspended() {
    let world = World::new();
    world.drop_file("userdata_1.csv", 3);
    let operator = world.operator();
    world.apply(json!({}));
    world.update("1");
    assert_eq!(world.runs(), ["UpdateNow Import Completed"]);
    assert_eq!(world.users(), 3);
    assert!(operator.stop().success());

    let operator = world.operator();
    // What a GitOps tool does: it takes the annotation away; somebody puts the same value there again.
    world.annotate(&["usersync.dev/update-now-"]);
    world.patch(json!({"suspend": true}));
    world.until_condition("Suspended", "True Suspended");
    world.annotate(&["usersync.dev/update-now=1"]);
    world.simulate("a");
    assert_eq!(world.runs(), ["SimulateNow Simulation NoFile", "UpdateNow Import Completed"]);
    operator.kill();

    // Both at once, while nobody looks: one after the other.
    world.annotate(&["usersync.dev/update-now=2", "usersync.dev/simulate-now=b"]);
    let _operator = world.operator();
    world.completed("lastCompletedUpdateNow", "2");
    world.completed("lastCompletedSimulateNow", "b");
    let runs = world.runs();
    let expected = ["SimulateNow Simulation", "SimulateNow Simulation", "UpdateNow Import", "UpdateNow Import"];
    assert_eq!(runs.iter().map(|run| run.rsplit_once(' ').unwrap().0).collect::<Vec<_>>(), expected);
    assert_eq!(world.status()["lastHandledUpdateNow"], json!("2"));
    assert_eq!(world.status()["handledTokens"].as_array().unwrap().len(), 4);
}

#[test]
fn suspended_nothing_starts_by_itself_and_after_it_the_schedule_goes_on() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"schedule": {"every": "1s"}, "suspend": true}));
    world.until_condition("Ready", "True Ready");
    assert_eq!(world.status()["connection"], json!("Suspended"));
    world.drop_file("userdata_1.csv", 3);
    world.simulate("a");
    assert_eq!(world.runs(), ["SimulateNow Simulation Completed"]);
    assert_eq!(world.users(), 0);

    world.patch(json!({"suspend": false}));
    world.until_condition("Synced", "True Completed");
    assert_eq!(world.users(), 3);
    assert_eq!(world.condition("Ready"), "True Ready");
    assert_eq!(world.status()["connection"], json!("Active"));
    // The file that was imported is not looked at again: no further run.
    world.simulate("b");
    let runs = world.runs();
    assert_eq!(runs.iter().filter(|run| run.starts_with("Schedule")).count(), 1, "{runs:?}");
}

#[test]
fn a_held_run_waits_for_its_approval_and_no_other() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"action": "Mirror"}));
    world.drop_file("userdata_1.csv", 20);
    world.update("1");
    world.drop_file("userdata_2.csv", 5);
    world.update("2");
    world.until_condition("Synced", "False Held");
    assert_eq!(world.users(), 20);
    let held = world.run_objects().into_iter().find(|run| World::outcome(run).ends_with("Held")).unwrap();
    let (name, sha256) =
        (held["metadata"]["name"].as_str().unwrap(), held["status"]["file"]["sha256"].as_str().unwrap());

    let approve = |sha256: &str| {
        world.kubectl(&["annotate", "usrun", name, "--overwrite", &format!("usersync.dev/approve={sha256}")])
    };
    let approvals = || world.runs().into_iter().filter(|run| run.starts_with("Approval")).collect::<Vec<_>>();
    approve(&"0".repeat(64));
    world.until("another file's approval does not end", || approvals() == ["Approval Import ApprovalOutdated"]);
    world.simulate("a");
    assert_eq!(world.users(), 20, "another file was approved");
    approve(sha256);
    world.until_condition("Synced", "True Completed");
    assert_eq!(world.users(), 5);
    assert_eq!(approvals(), ["Approval Import ApprovalOutdated", "Approval Import Completed"]);

    let events = world.cluster.list(&["events.events.k8s.io", "-n", &world.namespace]);
    let reasons: Vec<_> = events.iter().map(|e| e["reason"].as_str().unwrap()).collect();
    for reason in ["RunStarted", "RunCompleted", "RunHeld"] {
        assert!(reasons.contains(&reason), "{reason}: {reasons:?}");
    }
}
