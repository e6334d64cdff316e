//! Two at once: runs of two syncs, of the same sync, and a process that is paused and wakes up when another has taken over.

use std::{path::Path, sync::Arc};

use serde_json::{Value, json};
use usersync::{
    api::{Action, Mode},
    model::{job::SyncId, reason::Reason},
    ports::{Ports, StoreError},
};

use crate::{
    another::{Another, Order},
    on_each_database,
    place::Place,
    steps::{At, Steps, stepped},
    support::bench::{Bench, Database, Silent},
};

on_each_database! {
    a_paused_process_that_was_overtaken_commits_nothing
    a_process_paused_within_its_transaction_keeps_others_off
    a_process_whose_session_was_ended_meanwhile_commits_nothing
    two_syncs_with_scopes_apart_write_at_once
    the_second_of_one_sync_waits_for_the_first
}

fn spec(scope: Option<&str>, more: Value) -> Value {
    let mut spec = json!({
        "source": {
            "directory": {"path": "inbox"}, "files": "users_*.csv", "stableFor": "0s", "afterImport": {"moveTo": "bak"},
        },
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "city"}]},
        "action": "Mirror",
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%"},
        "target": {"timeouts": {"lock": "1s"}},
    });
    if let Some(scope) = scope {
        spec["target"]["scope"] = json!({"org": scope});
    }
    spec["target"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

const TABLE: &str = "create table users (id varchar(20) not null primary key, org varchar(20), city varchar(20))";

async fn scene(place: &Place, folder: &Path) -> Arc<Bench> {
    let bench = Arc::new(place.bench(folder, spec(None, json!({}))).await);
    bench.execute(TABLE).await;
    bench.execute("insert into users (id, city) values ('A', 'old'), ('B', 'gone')").await;
    bench.write_csv("users_1.csv", &["id", "city"], &[["A", "new"], ["C", "new"]].map(|row| row.map(str::to_owned)));
    bench
}

async fn users(bench: &Bench) -> Vec<String> {
    let rows = bench.rows("select id, city from users order by id").await;
    rows.into_iter().map(|row| row.into_iter().map(Option::unwrap).collect::<Vec<_>>().join(" ")).collect()
}

/// The runs in the ledger.
async fn committed(bench: &Bench) -> Vec<String> {
    let rows = bench.rows("select run from usersync_ledger order by id").await;
    rows.into_iter().map(|mut row| row[0].take().unwrap()).collect()
}

fn order(place: &Place, folder: &Path, step: &str) -> Order {
    Order {
        folder: folder.to_owned(),
        database: place.words(),
        spec: spec(None, json!({})),
        run: "hr-paused".to_owned(),
        stands: None,
        stands_at: Some(step.to_owned()),
    }
}

/// The other process stands still at the step, and has the run.
fn standing(place: &Place, folder: &Path, step: &str) -> Another {
    tokio::task::block_in_place(|| {
        let other = Another::start(&order(place, folder, step));
        let said = other.says(&["STANDS", "ENDED", "TAKEN"]).unwrap();
        assert_eq!(said, format!("STANDS {step}"));
        other
    })
}

/// The same, stopped as `kill -STOP` stops it.
fn paused(place: &Place, folder: &Path, step: &str) -> Another {
    let other = standing(place, folder, step);
    other.signal("STOP");
    other
}

/// It wakes up, and this is what becomes of it.
fn wakes(mut other: Another) -> String {
    tokio::task::block_in_place(|| {
        other.signal("CONT");
        other.go_on();
        other.says(&["ENDED", "TAKEN"]).unwrap()
    })
}

async fn a_paused_process_that_was_overtaken_commits_nothing(place: Place) {
    // Nothing of it is locked at these steps: another run of the sync takes over.
    for step in ["after open", "before fetch", "after scan", "before begin"] {
        let folder = tempfile::tempdir().unwrap();
        let bench = scene(&place, folder.path()).await;
        let other = standing(&place, folder.path(), step);
        if let Database::Sqlite = place.database {
            // A task of its own reads the few users, and is through when nobody holds the file.
            bench.execute("begin exclusive; rollback").await;
        }
        other.signal("STOP");
        let ended = bench.attempt("hr-second", Silent).await.unwrap().report;
        assert_eq!(ended.reason, Reason::Completed, "{step}: {ended:?}");
        // What is edited since is not to be overwritten by what the other one has seen.
        bench.execute("update users set city = 'edited' where id = 'A'").await;
        let said = wakes(other);
        assert!(!said.contains("ENDED Completed"), "{step}: {said}");
        assert_eq!(users(&bench).await, ["A edited", "C new"], "{step}: {said}");
        assert_eq!(committed(&bench).await, ["hr-second"], "{step}: {said}");
        for table in ["users", "usersync_ledger", "usersync_syncs", "usersync_deactivated", "usersync_migrations"] {
            bench.execute(&format!("drop table {table}")).await;
        }
    }
}

async fn a_process_paused_within_its_transaction_keeps_others_off(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path()).await;
    let other = paused(&place, folder.path(), "before commit");
    let ended = bench.attempt("hr-second", Silent).await.unwrap().report;
    assert_eq!(ended.reason, Reason::TargetBusy, "{ended:?}");
    assert!(ended.message.contains("target.timeouts.lock"), "{}", ended.message);
    // Nobody has taken over, so what it was at is done.
    let said = wakes(other);
    assert!(said.starts_with("ENDED Completed"), "{said}");
    assert_eq!(users(&bench).await, ["A new", "C new"]);
    assert_eq!(committed(&bench).await, ["hr-paused"]);
    let next = bench.attempt("hr-third", Silent).await.unwrap().report;
    assert_eq!(next.reason, Reason::NoFile, "{next:?}");
}

async fn a_process_whose_session_was_ended_meanwhile_commits_nothing(place: Place) {
    if !place.has_server() {
        // SQLite has no sessions: a lock ends with its process alone.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path()).await;
    let other = paused(&place, folder.path(), "before commit");
    tokio::task::block_in_place(|| place.cut());
    place.quiet().await;
    let ended = bench.attempt("hr-second", Silent).await.unwrap().report;
    assert_eq!(ended.reason, Reason::Completed, "{ended:?}");
    bench.execute("update users set city = 'edited' where id = 'A'").await;
    let said = wakes(other);
    assert!(said.starts_with("ENDED TargetUnreachable"), "{said}");
    assert_eq!(users(&bench).await, ["A edited", "C new"], "{said}");
    assert_eq!(committed(&bench).await, ["hr-second"]);
}

async fn two_syncs_with_scopes_apart_write_at_once(place: Place) {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut benches = Vec::new();
    for (folder, org) in folders.iter().zip(["acme", "other"]) {
        let spec = spec(Some(org), json!({"timeouts": {"lock": "60s"}}));
        let mut bench = place.bench(folder.path(), spec).await;
        bench.sync.sync = SyncId { name: org.to_owned(), ..bench.sync.sync };
        let rows: Vec<_> = (0..3_000).map(|n| [format!("{org}-{n}"), "new".to_owned()]).collect();
        bench.write_csv("users_1.csv", &["id", "city"], &rows);
        benches.push(bench);
    }
    benches[0].execute(TABLE).await;
    if !place.has_server() {
        // Both on one file.
        let one = benches[0].sync.target.database.clone();
        benches[1].sync.target.database = one;
    }
    for org in ["acme", "other"] {
        let sql = format!("insert into users values ('{org}-gone', '{org}', 'x'), ('{org}-1', '{org}', 'x')");
        benches[0].execute(&sql).await;
    }
    let barrier = Arc::new(std::sync::Barrier::new(if place.has_server() { 2 } else { 1 }));
    let benches: Vec<Arc<Bench>> = benches.into_iter().map(Arc::new).collect();
    let runs: Vec<_> = benches
        .iter()
        .cloned()
        .map(|bench| {
            let barrier = barrier.clone();
            // On servers both stand in their transactions at the same time.
            let steps = Steps::new(At::Name("before commit"), move |_| {
                barrier.wait();
            });
            tokio::spawn(async move {
                let ports: Ports = stepped(bench.ports(Mode::Import, Arc::new(Silent)).await, &steps);
                bench.attempt_by(&format!("{}-1", bench.sync.sync.name), &ports).await.unwrap().report
            })
        })
        .collect();
    for run in runs {
        let ended = run.await.unwrap();
        assert_eq!(ended.reason, Reason::Completed, "{ended:?}");
    }
    let rows =
        benches[0].rows("select org, min(city), cast(count(*) as char(9)) from users group by org order by org").await;
    let rows: Vec<String> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|cell| cell.unwrap().trim().to_owned()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(rows, ["acme new 3000", "other new 3000"]);
}

async fn the_second_of_one_sync_waits_for_the_first(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path()).await;
    let patient = Arc::new(place.bench(folder.path(), spec(None, json!({"timeouts": {"lock": "60s"}}))).await);
    // The first one stands before its commit until the second one asks for the lock.
    let (tell, told) = std::sync::mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new((told, Some(begun)));
    let steps = Steps::new(At::Name("before commit"), move |_| {
        let mut told = told.lock().unwrap();
        told.1.take().unwrap().send(()).unwrap();
        told.0.recv().unwrap();
    });
    let first = bench.clone();
    let first = tokio::spawn(async move {
        let ports = stepped(first.ports(Mode::Import, Arc::new(Silent)).await, &steps);
        first.attempt_by("hr-first", &ports).await
    });
    begins.await.unwrap();
    let claim = usersync::model::ledger::Claim {
        sync: bench.sync.sync.clone(),
        table: "users".to_owned(),
        scope: Default::default(),
        action: Action::Mirror,
    };
    let impatient = bench.ports(Mode::Import, Arc::new(Silent)).await.store;
    let error = impatient.open(&claim).await.unwrap_err();
    assert!(matches!(&error, StoreError::Busy(text) if text.contains("target.timeouts.lock")), "{error}");
    let second = tokio::spawn(async move { patient.attempt("hr-second", Silent).await });
    // It waits: nothing that it could say comes before the first one goes on.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!second.is_finished());
    tell.send(()).unwrap();
    let first = first.await.unwrap().unwrap().report;
    let second = second.await.unwrap().unwrap().report;
    assert_eq!(first.reason, Reason::Completed, "{first:?}");
    // The file is imported by now, and lies in the archive or is on its way there.
    assert!([Reason::NoFile, Reason::Completed].contains(&second.reason), "{second:?}");
    assert_eq!(users(&bench).await, ["A new", "C new"]);
    let unchanged = second.counts.added + second.counts.updated + second.counts.removed;
    assert_eq!(unchanged, 0, "{second:?}");
}
