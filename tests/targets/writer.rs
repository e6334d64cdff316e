//! An application edits users all through fifty runs: each value that is ever written is followed by the one that took its place,
//! in the application's own log or in a run's report. One that nobody replaced and that is not there would be a lost edit, or one
//! overwritten unseen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};
use usersync::{
    api::Mode,
    model::{
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::Watch,
};

use crate::{
    dice::{Dice, times},
    on_each_database,
    place::Place,
    support::bench::{Bench, Database},
};

on_each_database! {
    no_edit_is_lost_or_overwritten_unseen
    nobody_waits_for_a_run_that_reads
}

const USERS: usize = 600;

/// A value was replaced: whose, which, by which (None: the user was removed).
#[derive(Debug)]
struct Replaced {
    user: String,
    old: Option<String>,
    new: Option<String>,
}

fn spec() -> Value {
    json!({
        "source": {"directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": {"keep": {}}},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "city"}]},
        "action": "Mirror",
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%"},
        "target": {"protectedColumns": ["note"]},
    })
}

/// The application: in each of its transactions it reads a user, notes what it sees, and writes another value.
trait Application: Sized {
    async fn connect(bench: &Bench, url: &str) -> Self;
    /// None: there is no such user, or the database gave the transaction up.
    async fn edit(&mut self, user: &str, city: &str, note: &str) -> Option<Replaced>;
}

macro_rules! application {
    ($connection:ty, $begin:literal, $for_update:literal) => {
        impl Application for $connection {
            async fn connect(_: &Bench, url: &str) -> Self {
                <$connection as sqlx::Connection>::connect(url).await.unwrap()
            }

            async fn edit(&mut self, user: &str, city: &str, note: &str) -> Option<Replaced> {
                let edited = async {
                    sqlx::raw_sql($begin).execute(&mut *self).await?;
                    let look = format!(concat!("select city from users where id = '{}'", $for_update), user);
                    let row = sqlx::raw_sql(AssertSqlSafe(look)).fetch_optional(&mut *self).await?;
                    let Some(row) = row else { return Ok(None) };
                    let old: Option<String> = row.try_get(0)?;
                    let write = format!("update users set city = '{city}', note = '{note}' where id = '{user}'");
                    sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut *self).await?;
                    Ok::<_, sqlx::Error>(Some(old))
                };
                match edited.await {
                    Ok(Some(old)) => {
                        sqlx::raw_sql("commit").execute(&mut *self).await.unwrap();
                        Some(Replaced { user: user.to_owned(), old, new: Some(city.to_owned()) })
                    }
                    _ => {
                        // A deadlock or a lock that took too long: the application tries another one.
                        let _ = sqlx::raw_sql("rollback").execute(&mut *self).await;
                        None
                    }
                }
            }
        }
    };
}

application!(sqlx::PgConnection, "begin", " for update");
application!(sqlx::MySqlConnection, "start transaction", " for update");
application!(sqlx::SqliteConnection, "begin immediate", "");

/// Edits until it is told to stop.
async fn application<A: Application>(bench: Arc<Bench>, url: String, stop: Arc<AtomicBool>) -> Vec<Replaced> {
    let mut dice = Dice::new("application");
    let mut connection = A::connect(&bench, &url).await;
    let mut log = Vec::new();
    for nth in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let user = format!("U{:03}", dice.number(USERS));
        log.extend(connection.edit(&user, &format!("W{nth}"), &format!("N{nth}")).await);
        tokio::time::sleep(Duration::from_millis(dice.number(40) as u64)).await;
    }
    log
}

async fn no_edit_is_lost_or_overwritten_unseen(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let bench = Arc::new(place.bench(folder.path(), spec()).await);
    bench.execute("create table users (id varchar(20) not null primary key, city varchar(20), note varchar(20))").await;
    let stop = Arc::<AtomicBool>::default();
    let (whose, until) = (bench.clone(), stop.clone());
    let writer = match place.database.clone() {
        Database::Postgres(url) => tokio::spawn(application::<sqlx::PgConnection>(whose, url, until)),
        Database::Mariadb(url) => tokio::spawn(application::<sqlx::MySqlConnection>(whose, url, until)),
        Database::Sqlite => {
            let url = format!("sqlite://{}", folder.path().join("target.db").display());
            tokio::spawn(application::<sqlx::SqliteConnection>(whose, url, until))
        }
    };

    let mut dice = Dice::new("runs");
    let (mut done, mut log) = (0, Vec::new());
    // What a run's added user has, by its own file.
    let mut begun: BTreeMap<String, usize> = BTreeMap::new();
    for run in 0..times(50, 500) {
        // One in twenty is not in the file, two get a value of this run.
        let mut rows = Vec::new();
        let now: BTreeMap<String, String> = table(&bench).await.into_iter().map(|(id, (city, _))| (id, city)).collect();
        for user in 0..USERS {
            let id = format!("U{user:03}");
            match dice.number(20) {
                0 => {}
                1..3 => rows.push([id.clone(), format!("F{run}-{user}")]),
                _ => rows.push([id.clone(), now.get(&id).cloned().unwrap_or_else(|| format!("F{run}-{user}"))]),
            }
        }
        bench.write_csv("users.csv", &["id", "city"], &rows);
        let ended = bench.run(Mode::Import).await;
        match ended.report.reason {
            Reason::Completed => done += 1,
            // Compared three times, each time somebody had been faster.
            Reason::TargetBusy => continue,
            other => panic!("{other}: {:?}", ended.report),
        }
        for line in bench.records(&ended) {
            let record: Value = serde_json::from_str(&line).unwrap();
            let user = record["userId"].as_str().unwrap().to_owned();
            let text = |value: &Value| value["city"].as_str().map(str::to_owned);
            match record["action"].as_str().unwrap() {
                "added" => {
                    let city = rows.iter().find(|row| row[0] == user).unwrap()[1].clone();
                    *begun.entry(format!("{user} {city}")).or_default() += 1;
                }
                "updated" => log.push(Replaced { user, old: text(&record["old"]), new: text(&record["new"]) }),
                "removed" => log.push(Replaced { user, old: text(&record["old"]), new: None }),
                other => panic!("{other}"),
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let edits = writer.await.unwrap();
    println!("{done} runs done beside {} edits, {} changes by runs", edits.len(), log.len());
    assert!(done >= 10, "only {done} runs were done");
    assert!(edits.len() >= 50, "only {} edits", edits.len());

    // Notes are the application's alone: the last one that it wrote to a user who is there still stands, unless the user was
    // removed since.
    let table = table(&bench).await;
    balanced(&edits, &log, begun, &table);
    let overwritten = log.iter().filter(|r| r.old.as_deref().is_some_and(|old| old.starts_with('W'))).count();
    println!("{overwritten} edits were replaced by runs that had seen them");
}

/// Edits users while the run reads its file and the table, once.
struct WhileReading(Arc<Bench>, &'static [&'static str], AtomicBool);

impl Watch for WhileReading {
    fn at(&self, progress: Progress) {
        let half = progress.step == Step::Read && progress.of.is_some_and(|of| progress.done > of / 2);
        if half && !self.2.swap(true, Ordering::Relaxed) {
            let runtime = tokio::runtime::Handle::current();
            tokio::task::block_in_place(|| self.1.iter().for_each(|sql| runtime.block_on(self.0.execute(sql))));
        }
    }
}

async fn nobody_waits_for_a_run_that_reads(place: Place) {
    // So many that the table is not read to its end when the file is half read.
    const MANY: usize = 40_000;
    let folder = tempfile::tempdir().unwrap();
    let bench = Arc::new(place.bench(folder.path(), spec()).await);
    // Whoever would have to wait gives up instead.
    let impatient = match place.database {
        Database::Postgres(_) => "set lock_timeout = '2s'",
        Database::Mariadb(_) => "set innodb_lock_wait_timeout = 2, lock_wait_timeout = 2",
        // With its other journals a file's readers keep its writers waiting.
        Database::Sqlite => "pragma journal_mode = wal",
    };
    bench.execute(impatient).await;
    bench
        .execute("create table users (id varchar(20) not null primary key, city varchar(200), note varchar(20))")
        .await;
    let rows: Vec<_> = (0..MANY).map(|n| [format!("U{n:05}"), "Rome ".repeat(30)]).collect();
    bench.write_csv("users.csv", &["id", "city"], &rows);
    assert_eq!(bench.run(Mode::Import).await.report.reason, Reason::Completed);
    let edits = &[
        "update users set note = 'edited' where id in ('U00001', 'U39999')",
        "insert into users (id, city) values ('new', 'Oslo')",
        "delete from users where id = 'U00007'",
    ];
    let ended = bench.watched(WhileReading(bench.clone(), edits, AtomicBool::new(false))).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    let edited = bench.rows("select id from users where note = 'edited' or id in ('new', 'U00007')").await;
    let edited: BTreeSet<String> = edited.into_iter().filter_map(|mut row| row[0].take()).collect();
    assert_eq!(edited, ["U00001", "U39999", "new"].map(str::to_owned).into());
    assert_eq!(ended.report.counts.updated, 0, "{:?}", ended.report);
}

/// Users with their city and note.
async fn table(bench: &Bench) -> BTreeMap<String, (String, Option<String>)> {
    let rows = bench.rows("select id, city, note from users").await;
    rows.into_iter().map(|mut row| (row[0].take().unwrap(), (row[1].take().unwrap(), row[2].take()))).collect()
}

/// Each value was written as often as it was replaced, and once more where it stands.
fn balanced(
    edits: &[Replaced],
    log: &[Replaced],
    begun: BTreeMap<String, usize>,
    table: &BTreeMap<String, (String, Option<String>)>,
) {
    let mut balance: BTreeMap<String, i64> = begun.into_iter().map(|(value, count)| (value, count as i64)).collect();
    for Replaced { user, old, new } in edits.iter().chain(log) {
        *balance.entry(format!("{user} {}", old.as_deref().unwrap_or("nothing"))).or_default() -= 1;
        if let Some(new) = new {
            *balance.entry(format!("{user} {new}")).or_default() += 1;
        }
    }
    for (user, (city, _)) in table {
        *balance.entry(format!("{user} {city}")).or_default() -= 1;
    }
    let wrong: Vec<_> = balance.iter().filter(|(_, count)| **count != 0).collect();
    assert!(wrong.is_empty(), "values whose end or beginning nobody has seen: {wrong:?}");

    // A note stands beside the city that it came with, or the city was replaced by a run that left it alone.
    let last: BTreeMap<&str, usize> = edits.iter().enumerate().map(|(nth, edit)| (edit.user.as_str(), nth)).collect();
    for (user, (_, note)) in table {
        let Some(note) = note else { continue };
        let edit = last.get(user.as_str()).map(|nth| &edits[*nth]);
        let of = edit.and_then(|edit| edit.new.as_deref()).map(|city| city.replace('W', "N"));
        assert_eq!(Some(note), of.as_ref(), "{user}: the application's last note is not there");
    }
}
