//! What goes, and what never does.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use usersync::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec},
    control::told::{at_work, failed},
    engine::expire,
    model::{reason::Reason, sync::Key},
    ports::ReportStore,
    reports::folder::Folder,
};

use crate::{
    gateway::Gateway,
    scene::{OTHER, RUN, hr, staged, store},
    still::Still,
};

const SPEC: &str =
    "{source: {directory: {path: in}}, mapping: {userId: {column: id}}, report: {email: {smtp: {name: smtp},
    from: a@example.com, to: [b@example.com]}}}";

fn run(name: &str, status: UserSyncRunStatus) -> UserSyncRun {
    let spec: UserSyncSpec = serde_yaml::from_str(SPEC).unwrap();
    let spec = serde_json::json!({"sync": "hr", "uid": "u", "generation": 1, "syncSpec": spec, "mode": "Import",
        "trigger": "Schedule", "slot": "2026-01-01T00:00:00Z"});
    let mut run = UserSyncRun::new(name, serde_json::from_value(spec).unwrap());
    run.status = Some(status);
    run
}

fn key(namespace: &str, name: &str) -> Key {
    Key { namespace: namespace.into(), name: name.into() }
}

#[tokio::test]
async fn only_the_old_reports_of_runs_that_need_them_no_more_go() {
    let gateway = Gateway::start();
    gateway.make("reports");
    let store = store(&gateway);
    let name = |number: u32| format!("hr-{number:020x}");
    // Told, at work, still to be told, open in the ledger, forgotten; one of a sync that is gone, one of a sync that can't be read.
    for number in 1..=5 {
        gateway.age("reports", &format!("kept/people/hr/{}/report.json", name(number)), 9);
    }
    gateway.age("reports", &format!("kept/gone/hr/{RUN}/report.json"), 9);
    gateway.age("reports", &format!("kept/closed/hr/{RUN}/report.json"), 9);
    // Young ones, and what is none.
    gateway.age("reports", &format!("kept/people/hr/{OTHER}/report.json"), 9);
    gateway.age("reports", &format!("kept/people/hr/{OTHER}/report.html"), 1);
    let others = [
        format!("kept/people/hr/{RUN}/notes.txt"),
        format!("kept/people/hr/{RUN}/deep/report.json"),
        "kept/people/hr/mails/report.json".to_owned(),
        "kept/report.json".to_owned(),
        format!("keptnot/people/hr/{RUN}/report.json"),
        format!("people/hr/{RUN}/report.json"),
        "users.csv".to_owned(),
    ];
    others.iter().for_each(|key| gateway.age("reports", key, 9));

    let now = Timestamp::now();
    let told = failed(Reason::Stopped, "stopped", now);
    let mut owing = failed(Reason::InvalidFile, "no CSV", now);
    owing.reports.get_or_insert_default().report = Some("there".into());
    let runs = vec![
        run(&name(1), told.clone()),
        run(&name(2), at_work("Running", "at work", now, "word")),
        run(&name(3), owing),
        run(&name(4), told),
    ];
    let sync = UserSync::new("hr", serde_yaml::from_str(SPEC).unwrap());
    let syncs = [(key("people", "hr"), (sync, runs))].into();
    let host = Still { syncs, unreadable: [key("closed", "hr")].into(), ..Still::default() };
    let open = name(4);
    let unfinished = |sync: &Key, run: &str| sync.namespace == "people" && run == open;
    let before = now - SignedDuration::from_hours(48);
    let removed = expire(&host, &store, before, &unfinished).await.unwrap();

    let mut left: Vec<String> = [2, 3, 4].map(|number| format!("kept/people/hr/{}/report.json", name(number))).into();
    left.extend(["report.html", "report.json"].map(|file| format!("kept/people/hr/{OTHER}/{file}")));
    left.push(format!("kept/closed/hr/{RUN}/report.json"));
    left.extend(others);
    left.sort();
    assert_eq!(gateway.keys("reports"), left);
    assert_eq!(removed, 3);
    assert_eq!(expire(&host, &store, before, &unfinished).await, Ok(0));
    assert!(store.older(now + SignedDuration::from_hours(1)).await.unwrap().len() >= 5, "also the young ones");
}

#[tokio::test]
async fn a_run_loses_its_report_and_no_other_does() {
    let gateway = Gateway::start();
    gateway.make("reports");
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn ReportStore>; 2] =
        [Arc::new(store(&gateway)), Arc::new(Folder::new(folder.path().to_owned()))];
    let (_staged, path) = staged(&[("report.json", b"{}"), ("users_rejects.csv", b"r")]);
    for store in stores {
        for run in [RUN, OTHER] {
            store.publish(&hr(), run, &path).await.unwrap();
        }
        store.remove(&hr(), RUN).await.unwrap();
        assert_eq!(store.read(&hr(), RUN, "report.json").await, Ok(None));
        assert_eq!(store.read(&hr(), RUN, "users_rejects.csv").await, Ok(None));
        assert!(store.read(&hr(), OTHER, "report.json").await.unwrap().is_some());
        store.remove(&hr(), RUN).await.unwrap();
    }
}
