//! The folder: what changes in it, what is wrong in it, who has it.

use std::{
    fs,
    process::{Child, Stdio},
};

use crate::{
    daemon::{Daemon, condition, kept, listed, status, verb, wait},
    world::{THREE, World, hr, named},
};

#[test]
fn a_manifest_becomes_ready_with_the_status_that_a_cluster_would_show() {
    let world = World::new(&[]);
    let manifest = world.read("hr.yaml");
    let daemon = Daemon::start(&world);
    let status = daemon.condition("hr", "Ready", "True");
    assert_eq!((&status["observedGeneration"], &status["connection"]), (&1.into(), &"Active".into()));
    assert_eq!(status["schedule"], "by annotation");
    for kind in ["Ready", "SourceReady"] {
        let condition = condition(&status, kind).unwrap();
        assert_eq!((&condition["status"], &condition["observedGeneration"]), (&"True".into(), &1.into()), "{kind}");
        assert!(condition["lastTransitionTime"].is_string() && condition["message"].is_string(), "{condition}");
    }
    let whole = serde_json::json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": "hr"}, "status": status,
        "spec": serde_yaml::from_str::<serde_json::Value>(&manifest).unwrap()["spec"],
    });
    let read: usersync::api::UserSync = serde_json::from_value(whole).unwrap();
    assert_eq!(serde_json::to_value(read.status).unwrap(), status, "nothing in it is unknown to the definition");
    assert_eq!(daemon.stop(), 0);
    assert_eq!(world.read("hr.yaml"), manifest, "the manifests are never edited");
}

#[test]
fn a_bad_manifest_says_so_on_itself_and_stops_no_other() {
    let world = World::new(&["schedule: {every: 1s}"]);
    world.write(
        "bad.yaml",
        named("bad", &["source: {directory: {path: inbox}, files: x.csv}", "color: red", "shape: round"]),
    );
    world.write("broken.yaml", "kind: [\n");
    fs::write(world.path("latin.yaml"), b"kind: M\xfcller\n").unwrap();
    let daemon = Daemon::start(&world);
    let bad = daemon.condition("bad", "Stalled", "True");
    let message = condition(&bad, "Ready").unwrap()["message"].as_str().unwrap().to_owned();
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 2, "{message}");
    assert!(lines[0].starts_with("./bad.yaml:8:3: spec.color: ") && lines[1].contains("spec.shape"), "{message}");
    daemon.condition("hr", "Ready", "True");
    world.drop_file(THREE);
    daemon.condition("hr", "Synced", "True");
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem"]);
    let log = world.read("log");
    assert!(log.contains("broken.yaml:") && log.contains("latin.yaml:1: this is not UTF-8"), "{log}");
    world.write(
        "bad.yaml",
        named("bad", &["source: {directory: {path: inbox}, files: x.csv}", "target: {table: other}"]),
    );
    let mended = daemon.condition("bad", "Ready", "True");
    assert_eq!(mended["observedGeneration"], 2);
    assert!(condition(&mended, "Stalled").is_none(), "{mended}");
}

#[test]
fn a_half_written_file_deletes_nothing() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    assert_eq!(verb(&world, &["update", "hr", "--wait"]).code, 0);
    let whole = world.read("hr.yaml");
    fs::write(world.path("hr.yaml"), &whole[..whole.len() - 4]).unwrap();
    let stalled = daemon.condition("hr", "Stalled", "True");
    assert_eq!(stalled["lastRun"]["reason"], "Completed", "what was said of its runs stays");
    // As editors save: a new file takes the name.
    fs::write(world.path(".hr.yaml.new"), &whole).unwrap();
    fs::rename(world.path(".hr.yaml.new"), world.path("hr.yaml")).unwrap();
    let ready = daemon.condition("hr", "Ready", "True");
    assert_eq!(ready["lastRun"]["reason"], "Completed");
    assert_eq!(kept(&world).len(), 1);
}

#[test]
fn a_burst_of_changes_counts_as_one() {
    let world = World::new(&[]);
    let daemon = Daemon::start(&world);
    daemon.condition("hr", "Ready", "True");
    // As a `git pull` does: files go, others come, one is rewritten several times.
    for round in 0..20 {
        world.write(
            &format!("s{round}.yaml"),
            named(
                &format!("s{round}"),
                &[
                    &format!("source: {{directory: {{path: inbox}}, files: s{round}.csv}}"),
                    &format!("target: {{table: s{round}}}"),
                ],
            ),
        );
        world.write("hr.yaml", hr(&[&format!("safeguards: {{minRows: {}}}", round + 2)]));
    }
    fs::remove_file(world.path("s0.yaml")).unwrap();
    daemon.condition("s19", "Ready", "True");
    let hr = daemon.until("hr", "the last of the changes", |status| status["observedGeneration"] != 1);
    assert_eq!(hr["observedGeneration"], 2, "twenty changes, read once");
    assert!(status(&world, "s0").is_none());
}

#[test]
fn a_sync_whose_manifest_goes_is_forgotten_but_for_its_reports() {
    let world = World::new(&[]);
    world.write(
        "other.yaml",
        named("other", &["source: {directory: {path: inbox}, files: x.csv}", "target: {table: x}"]),
    );
    world.drop_file(THREE);
    let daemon = Daemon::start(&world);
    assert_eq!(verb(&world, &["update", "hr", "--wait"]).code, 0);
    daemon.condition("other", "Ready", "True");
    let report = listed(&world, "hr")[0]["reports"]["report"].as_str().unwrap().to_owned();
    fs::remove_file(world.path("hr.yaml")).unwrap();
    wait("hr is forgotten", || (status(&world, "hr").is_none() && kept(&world).is_empty()).then_some(()));
    assert!(status(&world, "other").is_some());
    assert!(fs::exists(&report).unwrap());
    let ran = verb(&world, &["update", "hr"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("has no UserSync hr in namespace default; there is other"), "{ran:?}");
}

#[test]
fn a_folder_that_is_made_anew_is_watched_again() {
    let outer = World::new(&[]);
    fs::create_dir(outer.path("syncs")).unwrap();
    outer.write("syncs/hr.yaml", hr(&["source: {directory: {path: ../inbox}}"]));
    let log = fs::File::create(outer.path("log")).unwrap();
    let mut command = outer.command(&["local", "syncs", "--data", "state"]);
    let _child = Ended(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let status = |name: &str| {
        let text = fs::read_to_string(outer.path(&format!("state/status/default/{name}.yaml"))).ok()?;
        serde_yaml::from_str::<serde_json::Value>(&text).ok()
    };
    let ready = |name: &str| {
        let is = status(name)?;
        condition(&is, "Ready").is_some_and(|ready| ready["status"] == "True").then_some(is)
    };
    wait("hr is ready", || ready("hr"));
    fs::rename(outer.path("syncs"), outer.path("old")).unwrap();
    wait("the folder is missed", || outer.read("log").contains("there is no such folder").then_some(()));
    assert!(status("hr").is_some(), "nothing is forgotten");
    fs::create_dir(outer.path("syncs")).unwrap();
    outer.write("syncs/hr.yaml", hr(&["source: {directory: {path: ../inbox}}"]));
    outer.write(
        "syncs/new.yaml",
        named("new", &["source: {directory: {path: ../inbox}, files: fresh.csv}", "target: {table: fresh}"]),
    );
    wait("the new sync is ready", || ready("new"));
    assert_eq!(ready("hr").unwrap()["observedGeneration"], 1, "still the same one");
}

/// A process that doesn't outlive its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_second_process_says_who_has_the_folder() {
    let world = World::new(&[]);
    let daemon = Daemon::start(&world);
    let ran = world.usersync(&["local", "."]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    let who = format!("in process {} (lock ./.usersync/.lock)", daemon.pid());
    assert!(ran.stderr.contains(&who), "{ran:?}");
    assert_eq!(daemon.stop(), 0);
    Daemon::start(&world).stop();
}

#[test]
fn a_folder_that_is_none_is_bad_usage() {
    let world = World::new(&[]);
    for folder in ["nowhere", "hr.yaml"] {
        let ran = world.usersync(&["local", folder]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        assert!(ran.stderr.contains("there is no such folder"), "{ran:?}");
    }
}

#[test]
fn where_the_system_tells_nothing_it_is_looked_at_every_second() {
    let world = World::new(&[]);
    let daemon = Daemon::untold(&world);
    daemon.condition("hr", "Ready", "True");
    let log = world.read("log");
    assert!(log.contains("the system can't tell of changes") && log.contains("looked at every second"), "{log}");
    // What people ask, what they write into a manifest, a manifest that is new and one that goes.
    world.drop_file(THREE);
    let asked = verb(&world, &["update", "hr", "--wait"]);
    assert_eq!((asked.code, world.names_of_users().len()), (0, 3), "{asked:?}");
    world.write_aged("hr.yaml", hr(&["suspend: true"]), 0);
    daemon.condition("hr", "Suspended", "True");
    world.write_aged(
        "more.yaml",
        named("more", &["source: {directory: {path: inbox}, files: more.csv}", "target: {table: more}"]),
        0,
    );
    daemon.condition("more", "Ready", "True");
    fs::remove_file(world.path("more.yaml")).unwrap();
    wait("its status goes with it", || status(&world, "more").is_none().then_some(()));
    assert_eq!(daemon.stop(), 0);
}
