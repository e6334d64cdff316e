//! The state folder on a real file system.

use std::os::unix::fs::PermissionsExt;

use serde_yaml::Value;

use super::*;

fn sync(name: &str) -> SyncId {
    SyncId { instance: "usersync".into(), namespace: "default".into(), name: name.into() }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn opened() -> (tempfile::TempDir, State) {
    let temp = tempfile::tempdir().unwrap();
    let state = State::open(&temp.path().join(".usersync")).unwrap();
    (temp, state)
}

/// A run as it is kept.
fn run(sync: &str, reason: &str, start: &str, sha256: &str, removals: u64) -> Value {
    let text = format!(
        "{{spec: {{sync: {sync}}}, status: {{conditions: [{{type: Succeeded, status: 'False', reason: {reason}}}], \
         startTime: '{start}', file: {{name: a.csv, size: 1, sha256: '{sha256}'}}, counts: {{rejected: 3}}, \
         guard: {{held: true, reasons: [], emptied: 2, removals: {removals}}}}}}}"
    );
    serde_yaml::from_str(&text).unwrap()
}

#[test]
fn everything_is_private_and_unversioned() {
    let (_temp, state) = opened();
    for folder in ["", "status", "runs", "reports", "spool"] {
        assert_eq!(mode(&state.root().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(fs::read_to_string(state.root().join(".gitignore")).unwrap(), "*\n");
    let hr = sync("hr");
    state.write_run(&hr, "hr-1", &run("hr", "Held", "2026-11-22T01:00:00Z", "ab", 1)).unwrap();
    state.write_status(&hr, &Value::from("Active")).unwrap();
    assert_eq!(mode(&state.root().join("runs/default/hr-1.yaml")), 0o600);
    assert_eq!(mode(&state.root().join("status/default/hr.yaml")), 0o600);
    let spool = state.spool(&hr).unwrap();
    assert_eq!(mode(&spool.folder("hr-1").unwrap()), 0o700);
    assert_eq!(mode(&state.root().join("spool/default/hr/.lock")), 0o600);
}

#[test]
fn a_folder_that_somebody_else_made_gets_no_gitignore() {
    let temp = tempfile::tempdir().unwrap();
    State::open(temp.path()).unwrap();
    assert!(!temp.path().join(".gitignore").exists());
    State::open(&temp.path().join("data")).unwrap();
    assert!(temp.path().join("data/.gitignore").exists());
}

#[test]
fn the_second_process_hears_who_is_at_work() {
    let (_temp, state) = opened();
    let first = state.spool(&sync("hr")).unwrap();
    let error = State::open(state.root()).unwrap().spool(&sync("hr")).unwrap_err();
    let StateError::Busy { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder, &format!("process {}", std::process::id()));
    assert!(error.to_string().starts_with("hr is at work already in process "), "{error}");
    state.spool(&sync("parking")).unwrap();
    drop(first);
    state.spool(&sync("hr")).unwrap();
}

#[test]
fn leftovers_go_unless_they_are_open() {
    let (_temp, state) = opened();
    let spool = state.spool(&sync("hr")).unwrap();
    for run in ["hr-1", "hr-2", "hr-3"] {
        fs::write(spool.folder(run).unwrap().join("file.csv"), "x").unwrap();
    }
    let other = state.spool(&sync("hr.lock")).unwrap();
    other.folder("hr-1").unwrap();
    assert_eq!(spool.clean(&["hr-2".into(), "hr-9".into()]).unwrap(), ["hr-1", "hr-3"]);
    assert_eq!(spool.runs().unwrap(), ["hr-2"]);
    assert_eq!(other.runs().unwrap(), ["hr-1"]);
    assert_eq!(fs::read_to_string(spool.folder("hr-2").unwrap().join("file.csv")).unwrap(), "x");
    spool.remove("hr-2").unwrap();
    spool.remove("hr-2").unwrap();
    assert!(spool.runs().unwrap().is_empty());
}

#[test]
fn an_approval_covers_what_the_newest_held_run_showed() {
    let (_temp, state) = opened();
    let hr = sync("hr");
    assert_eq!(state.last_held(&hr, "ab").unwrap(), None);
    for (name, object) in [
        ("hr-1", run("hr", "Held", "2026-11-22T01:00:00Z", "ab", 1)),
        // Later by the instant, though not by its text.
        ("hr-2", run("hr", "Held", "2026-11-22T02:30:00+01:00", "ab", 2)),
        ("hr-3", run("hr", "Held", "2026-11-22T03:00:00Z", "cd", 3)),
        ("hr-4", run("hr", "Completed", "2026-11-22T04:00:00Z", "ab", 4)),
        ("hr-x-5", run("hr-x", "Held", "2026-11-22T05:00:00Z", "ab", 5)),
    ] {
        state.write_run(&hr, name, &object).unwrap();
    }
    let shown = |removals| Some(Shown { removals, emptied: 2, rejected: 3 });
    assert_eq!(state.last_held(&hr, "ab").unwrap(), shown(2));
    assert_eq!(state.last_held(&hr, "CD").unwrap(), shown(3));
    assert_eq!(state.last_held(&hr, "ef").unwrap(), None);
    let runs: Vec<Value> = state.runs(&hr).unwrap();
    let removals: Vec<_> = runs.iter().map(|r| r["status"]["guard"]["removals"].as_u64().unwrap()).collect();
    assert_eq!(removals, [4, 3, 2, 1]);
}

#[test]
fn damage_is_reported_and_left_alone() {
    let (_temp, state) = opened();
    let hr = sync("hr");
    let path = state.root().join("runs/default/hr-1.yaml");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let no_number = "{spec: {sync: hr}, status: {conditions: [{type: Succeeded, reason: Held}], file: {sha256: ab}}}";
    for (content, why) in [
        (&b"spec: ["[..], "at line 2 column 1"),
        (b"", "spec.sync is missing"),
        (b"spec: {sync: hr}\nstatus: {startTime: soon}", "status.startTime is no time"),
        (no_number.as_bytes(), "status.guard.removals is no whole number"),
        (b"\xff\xfe", "no UTF-8"),
    ] {
        fs::write(&path, content).unwrap();
        let error = state.last_held(&hr, "ab").unwrap_err().to_string();
        assert!(error.contains("runs/default/hr-1.yaml is damaged: ") && error.contains(why), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn a_status_comes_back_as_it_was_written() {
    let (_temp, state) = opened();
    let hr = sync("hr");
    assert_eq!(state.status::<Value>(&hr).unwrap(), None);
    state.write_status(&hr, &Value::from(1)).unwrap();
    state.write_status(&hr, &Value::from("two")).unwrap();
    assert_eq!(state.status::<Value>(&hr).unwrap(), Some(Value::from("two")));
    let folder: Vec<_> = fs::read_dir(state.root().join("status/default")).unwrap().collect();
    assert_eq!(folder.len(), 1, "no half-written file is left");
    assert!(matches!(state.status::<u64>(&hr), Err(StateError::Corrupt { .. })));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (_temp, state) = opened();
    let hr = sync("hr");
    let spool = state.spool(&hr).unwrap();
    for name in ["", "..", "../x", "/etc", ".lock", "a b", "a\0"] {
        assert!(matches!(state.spool(&sync(name)), Err(StateError::Name(_))), "{name:?}");
        assert!(matches!(state.write_run(&hr, name, &1), Err(StateError::Name(_))), "{name:?}");
        assert!(matches!(state.write_status(&sync(name), &1), Err(StateError::Name(_))), "{name:?}");
        assert!(matches!(spool.remove(name), Err(StateError::Name(_))), "{name:?}");
    }
}

#[test]
fn a_place_that_cannot_be_written_says_so() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("file"), "").unwrap();
    let error = State::open(&temp.path().join("file")).unwrap_err().to_string();
    assert!(error.contains("file/status can't be made: ") && error.contains("--data DIR"), "{error}");
}

#[test]
fn state_is_beside_the_first_manifest() {
    let temp = tempfile::tempdir().unwrap();
    assert_eq!(beside(temp.path()), temp.path().join(".usersync"));
    for (manifest, want) in [("-", ".usersync"), ("hr.yaml", ".usersync"), ("a/hr.yaml", "a/.usersync")] {
        assert_eq!(beside(Path::new(manifest)), Path::new(want));
    }
}
