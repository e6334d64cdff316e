//! Runs: by the schedule, over restarts, with edits and signals in between.

use crate::{
    daemon::{Daemon, condition, kept, listed, status, verb, wait},
    world::{THREE, World, hr, people},
};

#[test]
fn a_schedule_imports_what_is_dropped_and_says_so() {
    let world = World::new(&["schedule: {every: 1s}"]);
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    world.drop_file(THREE);
    let synced = daemon.condition("hr", "Synced", "True");
    assert_eq!(synced["lastRun"]["counts"]["added"], 3);
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem"]);
    world.drop_file("id,name,mail\nE1,Ann B,ann@example.com\nE2,Bob,bob@example.com\nE3,Cem,cem@example.com\n");
    daemon.until("hr", "a second run", |status| status["lastRun"]["counts"]["updated"] == 1);
    let runs = kept(&world);
    assert_eq!(runs.len(), 2);
    for run in &runs {
        assert_eq!((&run["kind"], &run["spec"]["trigger"]), (&"UserSyncRun".into(), &"Schedule".into()));
        assert!(run["metadata"]["uid"].is_string() && run["metadata"]["ownerReferences"][0]["uid"].is_string());
    }
}

#[test]
fn suspended_means_no_scheduled_run_until_resumed() {
    let world = World::new(&["schedule: {every: 1s}"]);
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    let ran = verb(&world, &["suspend", "hr"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let suspended = daemon.condition("hr", "Suspended", "True");
    assert_eq!(
        (&suspended["connection"], condition(&suspended, "Ready").unwrap()["status"].as_str()),
        (&"Suspended".into(), Some("True"))
    );
    world.drop_file(THREE);
    // A request still works, and shows that the process is awake: the schedule would have taken the file before.
    assert_eq!(verb(&world, &["simulate", "hr", "--wait"]).code, 0);
    assert_eq!(listed(&world, "hr").len(), 1);
    assert!(world.exists("inbox/userdata_1.csv"));
    // The request outlives the process.
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&world);
    assert_eq!(verb(&world, &["simulate", "hr", "--wait"]).code, 0);
    assert!(listed(&world, "hr").iter().all(|run| run["mode"] == "Simulation"));
    assert_eq!(verb(&world, &["resume", "hr"]).code, 0);
    daemon.condition("hr", "Synced", "True");
    assert!(condition(&status(&world, "hr").unwrap(), "Suspended").is_none());
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem"]);
}

#[test]
fn an_annotation_in_the_manifest_starts_one_run_however_often_the_process_starts() {
    let world = World::new(&[]);
    let with = |token: &str| {
        hr(&[]).replace("{name: hr}", &format!("{{name: hr, annotations: {{usersync.dev/update-now: '{token}'}}}}"))
    };
    world.write("hr.yaml", with("1"));
    let daemon = Daemon::start(&world);
    daemon.until("hr", "token 1", |status| status["lastCompletedUpdateNow"] == "1");
    assert_eq!(daemon.stop(), 0);
    let daemon = Daemon::start(&world);
    world.write("hr.yaml", with("2"));
    daemon.until("hr", "token 2", |status| status["lastCompletedUpdateNow"] == "2");
    daemon.kill();
    let daemon = Daemon::start(&world);
    world.write("hr.yaml", with("1"));
    // An old token comes back; another request shows that it was seen and passed over.
    assert_eq!(verb(&world, &["simulate", "hr", "--wait"]).code, 0);
    assert_eq!(kept(&world).len(), 3);
    drop(daemon);
}

#[test]
fn a_request_made_while_nobody_works_starts_with_the_process() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    let ran = verb(&world, &["update", "hr"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("`usersync local .` is not running: it starts when that runs"), "{ran:?}");
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Synced", "True");
    assert_eq!(world.names_of_users().len(), 3);
}

#[test]
fn an_edit_during_a_run_counts_for_the_next_one() {
    let world = World::new(&[]);
    world.write("inbox/userdata_1.csv", people(60_000));
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    assert_eq!(verb(&world, &["update", "hr"]).code, 0);
    daemon.until("hr", "a run at work", |status| status["activeRun"].is_string());
    world.write("hr.yaml", hr(&["safeguards: {minRows: 2}"]));
    let done = daemon.until("hr", "the run's end", |status| status["lastRun"]["reason"] == "Completed");
    assert_eq!(done["lastRun"]["counts"]["added"], 60_000);
    let run = &kept(&world)[0];
    assert_eq!((&run["spec"]["generation"], &run["spec"]["syncSpec"]["safeguards"]["minRows"]), (&1.into(), &1.into()));
    daemon.until("hr", "the new generation", |status| status["observedGeneration"] == 2);
}

#[test]
fn told_to_stop_in_the_middle_it_leaves_nothing_half_done() {
    let world = World::new(&[]);
    world.write("inbox/userdata_1.csv", people(60_000));
    let daemon = Daemon::with(&world, &["--grace", "0s"]);
    daemon.condition("hr", "Ready", "True");
    assert_eq!(verb(&world, &["update", "hr"]).code, 0);
    daemon.until("hr", "a run at work", |status| status["activeRun"].is_string());
    assert_eq!(daemon.stop(), 0);
    let there = counted(&world);
    assert!(there.is_empty() || there == ["0"] || there == ["60000"], "{there:?}");
    let daemon = Daemon::start(&world);
    daemon
        .until("hr", "the run's end", |status| status["lastRun"]["name"].is_string() && status["activeRun"].is_null());
    assert_eq!(world.users("select count(*) || '' from users"), ["60000"]);
    assert_eq!(kept(&world).len(), 1, "the same run");
}

#[test]
fn a_sync_removed_during_its_run_is_gone_and_the_others_go_on() {
    let world = World::new(&[]);
    world.write("inbox/userdata_1.csv", people(60_000));
    let other = "source: {directory: {path: inbox}, files: x.csv}";
    world.write("other.yaml", crate::world::named("other", &[other, "target: {table: x}"]));
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    assert_eq!(verb(&world, &["update", "hr"]).code, 0);
    daemon.until("hr", "a run at work", |status| status["activeRun"].is_string());
    std::fs::remove_file(world.path("hr.yaml")).unwrap();
    wait("hr is forgotten", || (status(&world, "hr").is_none() && kept(&world).is_empty()).then_some(()));
    assert_eq!(verb(&world, &["update", "other", "--wait"]).code, 0);
    assert_eq!(daemon.stop(), 0);
    let there = counted(&world);
    assert!(there.is_empty() || there == ["0"] || there == ["60000"], "all or nothing: {there:?}");
}

/// How many users there are; nothing where there is no table.
fn counted(world: &World) -> Vec<String> {
    let tables = "select name from sqlite_master where name = 'users'";
    if !world.exists(".usersync/users.db") || world.users(tables).is_empty() {
        return Vec::new();
    }
    world.users("select count(*) || '' from users")
}
