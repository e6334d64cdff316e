//! The ledger: who may write, what was committed, and that it is committed with the users or not at all.

use std::collections::BTreeMap;

use usersync::{
    api::Action,
    model::{
        file::Stamp,
        job::Target,
        ledger::{LedgerRow, OpenStep},
    },
    ports::{StoreError, UserStore as _},
};

use super::{bench::*, dialect};

const USERS: &str =
    "create table users (id varchar(80) primary key, org varchar(80)); insert into users values ('a', 'acme')";

fn written(row: &LedgerRow) -> LedgerRow {
    LedgerRow { committed: "2026-01-01T00:00:00Z".parse().unwrap(), ..row.clone() }
}

#[tokio::test]
async fn reading_makes_no_ledger() {
    let bench = Bench::new(USERS).await;
    let (store, hr) = (&bench.store, sync("hr"));
    store.inspect().await.unwrap();
    store.check(&claim("hr", Action::Mirror, &[])).await.unwrap();
    assert_eq!(store.committed(&hr, "r1").await.unwrap(), None);
    assert_eq!(store.imported(&hr, &[ledger_row("", "users.csv").file]).await.unwrap(), []);
    assert_eq!(store.last(&hr).await.unwrap(), None);
    assert_eq!(store.unfinished(&hr).await.unwrap(), []);
    assert!(bench.deactivated().await.is_empty());
    store.close(&hr, "r1", OpenStep::Archive).await.unwrap();
    assert_eq!(bench.sql(dialect::LEDGER_TABLES), "0");
}

#[tokio::test]
async fn a_committed_run_is_found_again() {
    let bench = Bench::new(USERS).await;
    let layout = bench.mapped(&["id", "org"]).await;
    let (store, hr) = (&bench.store, sync("hr"));
    for (run, file) in [("r1", "a.csv"), ("r2", "b.csv"), ("r3", "a.csv")] {
        let apply = bench.begin(&layout).await;
        apply.commit(&ledger_row(run, file)).await.unwrap();
    }
    let found = store.committed(&hr, "r1").await.unwrap().unwrap();
    assert_eq!(written(&found), ledger_row("r1", "a.csv"));
    assert!(found.committed > "2026-01-02T00:00:00Z".parse().unwrap() || found.committed.as_second() > 1_600_000_000);
    assert_eq!(store.last(&hr).await.unwrap().unwrap().run, "r3");
    let runs = |rows: Vec<LedgerRow>| rows.into_iter().map(|row| row.run).collect::<Vec<_>>();
    let files = ["a.csv", "c.csv"].map(|name| ledger_row("", name).file);
    assert_eq!(runs(store.imported(&hr, &files).await.unwrap()), ["r3"]);
    assert_eq!(runs(store.unfinished(&hr).await.unwrap()), ["r1", "r2", "r3"]);
    store.close(&hr, "r2", OpenStep::Archive).await.unwrap();
    assert_eq!(store.committed(&hr, "r2").await.unwrap().unwrap().open, [OpenStep::Publish]);
    store.close(&hr, "r2", OpenStep::Publish).await.unwrap();
    assert_eq!(runs(store.unfinished(&hr).await.unwrap()), ["r1", "r3"]);
    assert_eq!(store.last(&sync("other")).await.unwrap(), None);

    // The name of a run is used once.
    let mut apply = bench.begin(&layout).await;
    apply.add(&rows(&[&["b", "x"]])).await.unwrap();
    let error = failure(apply.commit(&ledger_row("r1", "a.csv")).await);
    assert!(matches!(&error, StoreError::Failed(text) if text.contains("run r1 is committed already")), "{error}");
    assert_eq!(bench.sql("select count(*) from users"), "1");

    // Rows are kept for 400 days, and the newest of each file name for ever.
    bench.sql(&format!("update usersync_ledger set committed = {} where run = 'r1'", dialect::days_ago(401)));
    bench.open().await;
    assert_eq!(store.committed(&hr, "r1").await.unwrap(), None);
    bench.sql(&format!("update usersync_ledger set committed = {}", dialect::days_ago(4000)));
    bench.open().await;
    assert_eq!(bench.sql("select run from usersync_ledger order by id"), "r2\nr3");
    bench.sql("update usersync_ledger set sync = 'other' where run = 'r2'");
    bench.begin(&layout).await.commit(&ledger_row("r4", "b.csv")).await.unwrap();
    bench.open().await;
    assert_eq!(bench.sql("select run from usersync_ledger order by id"), "r2\nr3\nr4", "of each sync");
}

#[tokio::test]
async fn of_each_file_the_newest_run_is_found() {
    let bench = Bench::new(USERS).await;
    let layout = bench.mapped(&["id", "org"]).await;
    let (store, hr) = (&bench.store, sync("hr"));
    let file = |name: &str, size| Stamp { size, ..ledger_row("", name).file };
    let (a, longer, later, b) = (
        file("a.csv", 1),
        file("a.csv", 2),
        Stamp { mtime: "2026-11-23T00:00:00Z".parse().unwrap(), ..file("a.csv", 1) },
        file("ü 'b\".csv", 1),
    );
    let committed = [("1", &a), ("2", &longer), ("3", &a), ("4", &later), ("5", &b), ("6", &a), ("7", &longer)];
    for (run, file) in committed {
        let row = LedgerRow { file: file.clone(), ..ledger_row(run, "") };
        bench.begin(&layout).await.commit(&row).await.unwrap();
    }
    let runs = |rows: Vec<LedgerRow>| rows.into_iter().map(|row| row.run).collect::<Vec<_>>();
    assert_eq!(runs(store.imported(&hr, &[b.clone(), a.clone(), longer.clone()]).await.unwrap()), ["7", "6", "5"]);
    assert_eq!(runs(store.imported(&hr, &[later, file("b.csv", 1), file("a.csv", 3)]).await.unwrap()), ["4"]);
    assert_eq!(store.imported(&hr, &[]).await.unwrap(), []);
    assert_eq!(store.imported(&sync("other"), &[a, longer]).await.unwrap(), []);
    let many: Vec<_> = (0..10_000).map(|n| file(&format!("{n}.csv"), 1)).chain([b]).collect();
    assert_eq!(runs(store.imported(&hr, &many).await.unwrap()), ["5"]);
}

#[tokio::test]
async fn without_a_commit_nothing_is_left() {
    let bench = Bench::new(USERS).await;
    let layout = bench.mapped(&["id", "org"]).await;
    for dropped in [true, false] {
        let mut apply = bench.begin(&layout).await;
        apply.add(&rows(&[&["b", "x"]])).await.unwrap();
        let change = update(&["a", "acme"], &["a", "x"]);
        apply.change(usersync::model::change::ChangeKind::Deactivate, &[change]).await.unwrap();
        if dropped {
            drop(apply)
        } else {
            apply.rollback().await.unwrap()
        }
        // The next transaction finds the row unlocked, the users and the ledger as they were.
        bench.begin(&layout).await.rollback().await.unwrap();
        assert_eq!(bench.sql("select * from users"), "a|acme");
        assert_eq!(bench.sql("select count(*) from usersync_ledger") + &bench.deactivated().await.join(","), "0");
    }
}

#[tokio::test]
async fn a_later_attempt_voids_the_earlier_ones() {
    let bench = Bench::new(USERS).await;
    let layout = bench.mapped(&["id", "org"]).await;
    let first = bench.open().await;
    let second = bench.open().await;
    assert!(second.attempt > first.attempt);
    let error = failure(bench.store.begin(&first, &layout, &bench.scope).await);
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    bench.store.begin(&second, &layout, &bench.scope).await.unwrap().rollback().await.unwrap();
    bench.sql("delete from usersync_syncs");
    let error = failure(bench.store.begin(&second, &layout, &bench.scope).await);
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}

#[tokio::test]
async fn a_mirror_shares_a_table_only_by_scope() {
    let bench = Bench::new(USERS).await;
    let store = &bench.store;
    let acme = [("org", "acme")];
    store.open(&claim("mirror", Action::Mirror, &acme)).await.unwrap();
    store.open(&claim("other", Action::Mirror, &[("org", "other")])).await.unwrap();
    store.open(&claim("mirror", Action::Mirror, &acme)).await.unwrap();
    for against in [claim("x", Action::Upsert, &[]), claim("x", Action::Delete, &acme), claim("x", Action::Mirror, &[])]
    {
        for result in [store.check(&against).await, store.open(&against).await.map(|_| ())] {
            let error = failure(result);
            let text = error.to_string();
            assert!(
                matches!(error, StoreError::Shared(_)) && text.contains("sync mirror mirrors table users"),
                "{text}"
            );
        }
    }
    assert_eq!(bench.sql("select count(*) from usersync_syncs"), "2");
    // The message's own advice works.
    let error = failure(store.check(&claim("x", Action::Upsert, &acme)).await).to_string();
    bench.sql(error.split_once("run: ").unwrap().1);
    store.open(&claim("x", Action::Upsert, &acme)).await.unwrap();
    let error = failure(store.open(&claim("mirror", Action::Mirror, &acme)).await);
    assert!(matches!(&error, StoreError::Shared(text) if text.contains("sync x writes table users too")), "{error}");
}

#[tokio::test]
async fn a_table_is_the_same_however_it_is_written() {
    let bench = Bench::new(USERS).await;
    bench.store.open(&claim("hr", Action::Mirror, &[])).await.unwrap();
    let name = dialect::with_schema(&bench.url, "users");
    let store = Store::connect(&target(&bench.url, &name)).await.unwrap();
    let other = usersync::model::ledger::Claim { table: name, ..claim("x", Action::Upsert, &[]) };
    assert!(matches!(failure(store.open(&other).await), StoreError::Shared(_)));
}

#[tokio::test]
async fn many_may_make_the_ledger_at_once() {
    let bench = Bench::new(USERS).await;
    let target = target(&bench.url, "users");
    let opened = (0..8).map(|i| {
        let target = target.clone();
        async move {
            let store = Store::connect(&target).await.unwrap();
            store.open(&claim(if i % 2 == 0 { "even" } else { "odd" }, Action::Mirror, &[])).await
        }
    });
    let opened = futures::future::join_all(opened).await;
    // Whoever came first has the table; of the others not one slipped through.
    let won: std::collections::BTreeSet<String> =
        opened.iter().filter_map(|o| o.as_ref().ok()).map(|fence| fence.sync.name.clone()).collect();
    assert_eq!(won.len(), 1, "{opened:?}");
    assert!(opened.iter().all(|o| matches!(o, Ok(_) | Err(StoreError::Shared(_)))), "{opened:?}");
    let mut attempts: Vec<i64> = opened.iter().filter_map(|o| o.as_ref().ok()).map(|f| f.attempt).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_scope_is_the_same_however_its_value_is_written() {
    let bench = Bench::new(dialect::ANY_CASE).await;
    let store = &bench.store;
    store.open(&claim("hr", Action::Mirror, &[("org", "Acme"), ("site", "1")])).await.unwrap();
    let same = claim("x", Action::Mirror, &[("org", "ACME"), ("site", "01")]);
    let error = failure(store.open(&same).await);
    assert!(matches!(&error, StoreError::Shared(text) if text.to_lowercase().contains("org: acme")), "{error}");
    store.open(&claim("x", Action::Mirror, &[("org", "ACME"), ("site", "2")])).await.unwrap();
}

#[tokio::test]
async fn a_ledger_may_have_a_schema_of_its_own() {
    let beside = Bench::new(USERS).await;
    let schema = format!("{}_sync", beside.url.split(['/', '?']).nth(3).unwrap());
    let target = Target { ledger_schema: Some(schema.clone()), ..target(&beside.url, "users") };
    let apart =
        Bench { url: beside.url.clone(), store: Store::connect(&target).await.unwrap(), scope: BTreeMap::new() };
    let (hr, own) = (sync("hr"), claim("hr", Action::Upsert, &[]));
    let error = failure(apart.store.open(&own).await);
    assert!(matches!(&error, StoreError::Invalid(text) if text.contains(&schema)), "{error}");

    beside.sql(&format!("create schema {schema}"));
    let layout = apart.mapped(&["id", "org"]).await;
    let mut apply = apart.begin(&layout).await;
    let change = update(&["a", "acme"], &["a", "x"]);
    apply.change(usersync::model::change::ChangeKind::Deactivate, &[change]).await.unwrap();
    apply.commit(&ledger_row("r1", "a.csv")).await.unwrap();
    assert_eq!(apart.store.committed(&hr, "r1").await.unwrap().map(|row| row.run), Some("r1".to_owned()));
    assert_eq!(apart.deactivated().await, ["a"]);
    let tables = "select count(*) from information_schema.tables where table_name like 'usersync%' and table_schema";
    let here = format!("{tables} <> '{schema}' and table_schema = '{}'", beside.sql(dialect::SCHEMA));
    assert_eq!(beside.sql(&format!("{tables} = '{schema}'")), "4");
    assert_eq!(beside.sql(&here), "0", "none beside the users");

    // The same sync without it would import everything again; another one on the table is known as well.
    for error in [failure(beside.store.check(&own).await), failure(beside.store.open(&own).await)] {
        let said = error.to_string();
        assert!(matches!(&error, StoreError::Invalid(_)) && said.contains("target.ledgerSchema"), "{error}");
    }
    let error = failure(beside.store.open(&claim("b", Action::Mirror, &[])).await);
    assert!(matches!(&error, StoreError::Shared(text) if text.contains(&schema)), "{error}");
    assert_eq!(beside.sql(&here), "0", "nothing is made");

    // It begins anew if somebody does what the message says.
    let said = failure(beside.store.open(&own).await).to_string();
    beside.sql(said.split_once(", run: ").unwrap().1);
    beside.open().await;
    assert_eq!(beside.store.committed(&hr, "r1").await.unwrap(), None);
}
