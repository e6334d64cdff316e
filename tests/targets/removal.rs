//! Users who go: deactivated, deleted once the grace period is over, set back when they come again; and nobody outside the scope.

use serde_json::{Value, json};
use usersync::{
    api::Mode,
    model::{counts::Counts, reason::Reason, report::RunReport},
};

use crate::{
    on_each_database,
    place::Place,
    support::bench::{Bench, Database},
};

on_each_database! {
    who_is_absent_is_deactivated_then_deleted_and_comes_back_in_between
    who_is_listed_is_deleted_or_deactivated_within_the_scope_alone
}

fn spec(action: &str, removal: Value) -> Value {
    json!({
        "source": {"directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": {"keep": {}}},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "city"}]},
        "action": action,
        "removal": removal,
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%"},
        "target": {"scope": {"org": "acme"}},
    })
}

async fn scene(place: &Place, folder: &std::path::Path, spec: Value) -> Bench {
    let bench = place.bench(folder, spec).await;
    bench
        .execute(
            "create table users (id varchar(20) not null primary key, org varchar(20) not null, city varchar(20), \
             active varchar(5) not null default 'true')",
        )
        .await;
    bench
        .execute(
            "insert into users values ('a', 'acme', 'Rome', 'true'), ('b', 'acme', 'Rome', 'true'), \
             ('c', 'acme', 'Rome', 'true'), ('gone', 'acme', 'Rome', 'false'), ('o', 'other', 'Rome', 'true')",
        )
        .await;
    bench
}

/// Imports these users, all of Rome.
async fn import(bench: &Bench, users: &[&str]) -> RunReport {
    let rows: Vec<_> = users.iter().map(|user| [(*user).to_owned(), "Rome".to_owned()]).collect();
    bench.write_csv("users.csv", &["id", "city"], &rows);
    let report = bench.run(Mode::Import).await.report;
    assert!([Reason::Completed, Reason::CompletedWithRejects].contains(&report.reason), "{report:?}");
    report
}

/// Who is there, and who of them is inactive.
async fn users(bench: &Bench) -> String {
    let rows = bench.rows("select id, active from users order by id").await;
    let word = |row: Vec<Option<String>>| {
        let mark = if row[1].as_deref() == Some("true") { "" } else { "-" };
        format!("{}{mark}", row[0].as_deref().unwrap())
    };
    rows.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Lets so many days pass for those whom the sync deactivated.
async fn days_pass(place: &Place, bench: &Bench, days: u32) {
    let sql = match place.database {
        Database::Postgres(_) => format!("update usersync_deactivated set since = since - interval '{days} days'"),
        Database::Mariadb(_) => format!("update usersync_deactivated set since = since - interval {days} day"),
        Database::Sqlite => {
            format!("update usersync_deactivated set since = strftime('%Y-%m-%dT%H:%M:%fZ', since, '-{days} days')")
        }
    };
    bench.execute(&sql).await;
}

async fn who_is_absent_is_deactivated_then_deleted_and_comes_back_in_between(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let removal = json!({
        "policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}, "gracePeriod": "30d",
    });
    let bench = scene(&place, folder.path(), spec("Mirror", removal)).await;
    let counts = |read: u64| Counts { read, ..Counts::default() };
    // Somebody else deactivated `gone`: not ours to delete, whatever the time.
    let report = import(&bench, &["a"]).await;
    assert_eq!(report.counts, Counts { unchanged: 1, removed: 2, ..counts(1) }, "{report:?}");
    assert_eq!(users(&bench).await, "a b- c- gone- o");
    days_pass(&place, &bench, 29).await;
    let report = import(&bench, &["a"]).await;
    assert_eq!(report.counts, Counts { unchanged: 1, ..counts(1) }, "{report:?}");
    assert_eq!(users(&bench).await, "a b- c- gone- o");

    // One comes back within the time, and goes again: the time begins anew.
    let report = import(&bench, &["a", "b"]).await;
    assert_eq!(report.counts, Counts { unchanged: 1, updated: 1, ..counts(2) }, "{report:?}");
    assert_eq!(users(&bench).await, "a b c- gone- o");
    import(&bench, &["a"]).await;
    assert_eq!(users(&bench).await, "a b- c- gone- o");
    days_pass(&place, &bench, 2).await;
    let report = import(&bench, &["a"]).await;
    assert_eq!(report.counts, Counts { unchanged: 1, removed: 1, ..counts(1) }, "{report:?}");
    assert_eq!(users(&bench).await, "a b- gone- o");

    // Set back by hand: from the next absence on the time counts anew.
    bench.execute("update users set active = 'true' where id = 'b'").await;
    days_pass(&place, &bench, 60).await;
    import(&bench, &["a"]).await;
    assert_eq!(users(&bench).await, "a b- gone- o");
    // Deactivated by somebody else and listed: stays so. Of another organisation: a reject.
    let report = import(&bench, &["a", "gone", "o"]).await;
    assert_eq!(report.counts, Counts { unchanged: 2, rejected: 1, ..counts(3) }, "{report:?}");
    days_pass(&place, &bench, 31).await;
    import(&bench, &["a", "gone"]).await;
    assert_eq!(users(&bench).await, "a gone- o");
    assert!(bench.rows("select sync from usersync_deactivated").await.is_empty(), "who is deleted is forgotten");
}

async fn who_is_listed_is_deleted_or_deactivated_within_the_scope_alone(place: Place) {
    let deactivate = json!({"policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}});
    for (removal, after) in [(json!({"policy": "Delete"}), "c gone- o"), (deactivate, "a- b- c gone- o")] {
        let folder = tempfile::tempdir().unwrap();
        let bench = scene(&place, folder.path(), spec("Delete", removal)).await;
        let report = import(&bench, &["a", "b", "o", "nobody"]).await;
        let expected = Counts { read: 4, removed: 2, unchanged: 2, ..Counts::default() };
        assert_eq!(report.counts, expected, "{report:?}");
        assert_eq!(users(&bench).await, after);
        let report = import(&bench, &["a", "b"]).await;
        assert_eq!(report.counts, Counts { read: 2, unchanged: 2, ..Counts::default() }, "{report:?}");
        for table in ["users", "usersync_ledger", "usersync_syncs", "usersync_deactivated", "usersync_migrations"] {
            bench.execute(&format!("drop table {table}")).await;
        }
    }
}
