//! The state folder on a real file system.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::{
    api::Mode,
    host::local::ended::ended,
    model::{
        counts::Counts,
        reason::Reason,
        report::{FileReport, GuardReport, Reports, RunReport, Timings},
    },
};

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
fn run(sync: &str, name: &str, reason: Reason, start: &str, sha256: &str, removals: u64) -> UserSyncRun {
    let spec = format!(
        "{{sync: {sync}, uid: u, generation: 1, mode: Import, trigger: Schedule, slot: '2026-11-22T01:00:00Z', \
         syncSpec: {{source: {{directory: {{path: inbox}}}}, mapping: {{userId: {{column: id}}}}}}}}"
    );
    let report = RunReport {
        sync: sync.into(),
        run: name.into(),
        mode: Mode::Import,
        reason,
        message: "why".into(),
        file: Some(FileReport {
            name: "a.csv".into(),
            size: 1,
            sha256: Some(sha256.into()),
            rows: Some(9),
            correction: false,
        }),
        counts: Counts { read: 9, rejected: 3, ..Counts::default() },
        guard: GuardReport { held: reason == Reason::Held, reasons: vec![], emptied: 2, removals },
        start_time: start.parse().unwrap(),
        completion_time: start.parse().unwrap(),
        timings: Timings::default(),
        warnings: vec![],
        looked: None,
        reports: Reports::default(),
    };
    ended("default", serde_yaml::from_str(&spec).unwrap(), &report, None, Some("hr-9"))
}

#[test]
fn everything_is_private_and_unversioned() {
    let (_temp, state) = opened();
    for folder in ["", "status", "runs", "reports", "spool"] {
        assert_eq!(mode(&state.root().join(folder)), 0o700, "{folder}");
    }
    assert_eq!(fs::read_to_string(state.root().join(".gitignore")).unwrap(), "*\n");
    let hr = sync("hr");
    state.write_run(&hr, &run("hr", "hr-1", Reason::Held, "2026-11-22T01:00:00Z", "ab", 1)).unwrap();
    state.write_status(&hr, &UserSyncStatus::default()).unwrap();
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
    for kept in [
        run("hr", "hr-1", Reason::Held, "2026-11-22T01:00:00Z", "ab", 1),
        run("hr", "hr-2", Reason::Held, "2026-11-22T01:30:00.5Z", "ab", 2),
        run("hr", "hr-0", Reason::Held, "2026-11-22T03:00:00Z", "cd", 3),
        run("hr", "hr-4", Reason::Completed, "2026-11-22T04:00:00Z", "ab", 4),
        run("hr-x", "hr-x-5", Reason::Held, "2026-11-22T05:00:00Z", "ab", 5),
    ] {
        state.write_run(&hr, &kept).unwrap();
    }
    let shown = |removals| Some(crate::model::job::Shown { removals, emptied: 2, rejected: 3, updated: 0 });
    assert_eq!(state.last_held(&hr, "ab").unwrap().map(|held| held.seen.shown), shown(2));
    assert_eq!(state.last_held(&hr, "CD").unwrap().map(|held| held.seen.shown), shown(3));
    assert_eq!(state.last_held(&hr, "ef").unwrap(), None);
    assert_eq!(state.last_held(&hr, "ab").unwrap().unwrap().seen.last.as_deref(), Some("hr-9"));
    let runs = state.runs(&hr).unwrap();
    let names: Vec<_> = runs.iter().map(|r| r.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["hr-4", "hr-0", "hr-2", "hr-1"]);
    assert_eq!(runs[0], run("hr", "hr-4", Reason::Completed, "2026-11-22T04:00:00Z", "ab", 4));
    let succeeded = |run: &UserSyncRun| run.status.as_ref().unwrap().conditions[0].status.clone();
    assert_eq!((succeeded(&runs[0]), succeeded(&runs[1])), ("True".into(), "False".into()));
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
    assert_eq!(state.status(&hr).unwrap(), None);
    let status = |generation| UserSyncStatus { observed_generation: Some(generation), ..UserSyncStatus::default() };
    state.write_status(&hr, &status(1)).unwrap();
    state.write_status(&hr, &status(2)).unwrap();
    assert_eq!(state.status(&hr).unwrap(), Some(status(2)));
    let folder = state.root().join("status/default");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no half-written file is left");
    fs::write(folder.join("hr.yaml"), "[").unwrap();
    assert!(matches!(state.status(&hr), Err(StateError::Corrupt { .. })));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (_temp, state) = opened();
    let hr = sync("hr");
    let spool = state.spool(&hr).unwrap();
    for name in ["", "..", "../x", "/etc", ".lock", "a b", "a\0"] {
        assert!(matches!(state.spool(&sync(name)), Err(StateError::Name(_))), "{name:?}");
        assert!(
            matches!(
                state.write_run(&hr, &run("hr", name, Reason::Held, "2026-11-22T01:00:00Z", "ab", 1)),
                Err(StateError::Name(_))
            ),
            "{name:?}"
        );
        assert!(
            matches!(state.write_status(&sync(name), &UserSyncStatus::default()), Err(StateError::Name(_))),
            "{name:?}"
        );
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
