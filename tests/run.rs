//! Runs in which something goes on beside them: edits, new uploads, folders that can't be written, refused rows. On
//! SQLite, PostgreSQL and MariaDB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    fs,
    io::Read,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use support::{
    bench::{Bench, Database, Silent},
    mariadb, postgres,
};
use usersync::{
    api::{Action, Mode},
    engine::Ended,
    model::{
        counts::Counts,
        file::Stamp,
        job::Limit,
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::Watch,
    sync::render::text::number,
};

/// Does something each time that the run begins to write, on a thread of its own.
struct WhenApplying(Box<dyn Fn(u32) + Send + Sync>, AtomicU32);

impl WhenApplying {
    fn new(act: impl Fn(u32) + Send + Sync + 'static) -> Self {
        Self(Box::new(act), AtomicU32::new(0))
    }

    /// Runs a statement that may have `{try}` in it, in the first `times` tries.
    fn execute(bench: &Arc<Bench>, times: u32, sql: &'static str) -> Self {
        let bench = bench.clone();
        Self::new(move |attempt| {
            if attempt <= times {
                let sql = sql.replace("{try}", &attempt.to_string());
                let handle = tokio::runtime::Handle::current();
                tokio::task::block_in_place(|| handle.block_on(bench.execute(&sql)));
            }
        })
    }
}

impl Watch for WhenApplying {
    fn at(&self, progress: Progress) {
        if progress.step == Step::Apply && progress.done == 0 {
            (self.0)(self.1.fetch_add(1, Ordering::Relaxed) + 1);
        }
    }
}

/// Each scenario on each database.
macro_rules! scenarios {
    ($($name:ident)+) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Database::Sqlite).await;
            })+
        }
        mod postgres_server {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let server = tokio::task::block_in_place(super::postgres::Server::shared);
                let database = tokio::task::block_in_place(|| server.create_database());
                super::$name(super::Database::Postgres(database)).await;
            })+
        }
        mod mariadb_server {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let server = tokio::task::block_in_place(super::mariadb::Server::shared);
                let database = tokio::task::block_in_place(|| server.create_database());
                super::$name(super::Database::Mariadb(database)).await;
            })+
        }
    };
}

scenarios! {
    an_edit_meanwhile_is_seen_and_kept
    a_user_added_meanwhile_is_updated
    endless_edits_end_the_run_and_nothing_is_written
    a_file_that_cannot_be_put_away_is_put_away_by_the_next_run
    a_file_is_known_by_its_day_where_no_more_is_said
    a_report_that_cannot_be_published_is_published_by_the_next_run
    a_new_upload_meanwhile_stays_for_the_next_run
    a_new_upload_meanwhile_is_not_deleted
    rows_that_the_database_refuses_are_rejects
    refused_rows_are_tried_while_their_neighbours_come
    a_mirror_holds_when_a_key_is_no_value_of_its_column
    a_user_deactivated_again_comes_back
    a_run_that_was_committed_keeps_its_report
    a_value_replaced_by_a_default_counts_as_lost
    a_run_that_is_stopped_at_the_last_moment_writes_nothing
    an_attempt_that_was_taken_over_leaves_nothing
    a_first_file_is_reported_whole_and_in_order
    many_users_are_compared_whatever_the_order_of_file_and_table
    a_few_users_are_looked_up_in_a_large_table
}

fn spec(action: &str, after: Value) -> Value {
    json!({
        "source": {
            "directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": after,
        },
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "email"}, {"property": "city"}]},
        "action": action,
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%", "maxRejected": "100%"},
        "target": {},
    })
}

async fn bench(database: Database, spec: Value) -> Arc<Bench> {
    let bench = Bench::new(database, spec).await;
    bench
        .execute(
            "create table users (id varchar(20) not null primary key, email text check (email <> 'bad'), city text, \
             active varchar(5) not null default 'true')",
        )
        .await;
    Arc::new(bench)
}

fn upload(bench: &Bench, rows: &[[&str; 3]]) {
    let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
    bench.write_csv("users.csv", &["id", "email", "city"], &rows);
}

async fn users(bench: &Bench) -> Vec<String> {
    let rows = bench.rows("select id, email, city, active from users order by id").await;
    let text = |row: Vec<Option<String>>| {
        row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" ")
    };
    rows.into_iter().map(text).collect()
}

fn counts(ended: &Ended) -> Counts {
    ended.report.counts
}

fn adds_up(counts: &Counts) {
    let rows = counts.filtered + counts.rejected + counts.added + counts.updated + counts.unchanged + counts.skipped;
    assert_eq!(counts.read, rows, "{counts:?}");
}

async fn an_edit_meanwhile_is_seen_and_kept(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"keep": {}}))).await;
    bench.execute("insert into users (id, email, city) values ('E1', 'a@x', 'Rome')").await;
    upload(&bench, &[["E1", "b@x", ""], ["E2", "", ""], ["", "x", ""]]);
    let edit = WhenApplying::execute(&bench, 1, "update users set city = 'Oslo', email = 'z@x' where id = 'E1'");
    let ended = bench.watched(edit).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    assert_eq!(users(&bench).await, ["E1 b@x Oslo true", "E2 - - true"]);
    assert_eq!(counts(&ended), Counts { read: 3, added: 1, updated: 1, rejected: 1, ..Counts::default() });
    let records = bench.records(&ended).join("\n");
    assert!(records.contains("z@x") && !records.contains("a@x"), "{records}");
    let rejects = fs::read_to_string(ended.report.reports.rejects.unwrap()).unwrap();
    assert_eq!(rejects.lines().count(), 2, "each reject once: {rejects}");
}

async fn a_user_added_meanwhile_is_updated(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"keep": {}}))).await;
    upload(&bench, &[["E1", "b@x", ""]]);
    let edit = WhenApplying::execute(&bench, 1, "insert into users (id, email, city) values ('E1', 'a@x', 'Rome')");
    let ended = bench.watched(edit).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    assert_eq!(users(&bench).await, ["E1 b@x Rome true"]);
    assert_eq!(counts(&ended), Counts { read: 1, updated: 1, ..Counts::default() });
}

async fn endless_edits_end_the_run_and_nothing_is_written(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"moveTo": "bak"}))).await;
    bench.execute("insert into users (id, email) values ('E1', 'a@x'), ('E2', 'gone@x')").await;
    upload(&bench, &[["E1", "b@x", ""], ["E3", "", ""]]);
    let edit = WhenApplying::execute(&bench, 9, "update users set email = '{try}@x' where id = 'E1'");
    let ended = bench.watched(edit).await;
    assert_eq!(ended.report.reason, Reason::TargetBusy, "{:?}", ended.report);
    assert_eq!(users(&bench).await, ["E1 3@x - true", "E2 gone@x - true"]);
    assert!(bench.inbox("users.csv").exists());
    assert!(!bench.inbox("bak").exists());
    assert_eq!(ended.report.reports.rejects, None);
    assert!(fs::read_to_string(ended.report.reports.report.unwrap()).unwrap().contains("TargetBusy"));
}

/// So many that a first import begins to add them before their file is read to its end.
const MANY: usize = 40_000;

/// A file of many users, with a city.
fn many(city: &str) -> Vec<[String; 3]> {
    (0..MANY).map(|n| [format!("E{n:05}"), format!("{n}@x"), city.to_owned()]).collect()
}

const HEADER: [&str; 3] = ["id", "email", "city"];

async fn many_users_are_compared_whatever_the_order_of_file_and_table(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"keep": {}}))).await;
    let many_in_table = async || bench.rows("select cast(count(*) as char(9)) from users").await[0][0].clone().unwrap();
    // The first half of the file is on its way into the table when these come.
    let mut rows = many("Rome");
    rows[30_000][0] = rows[5][0].clone();
    rows[31_000][1] = "bad".to_owned();
    bench.write_csv("users.csv", &HEADER, &rows);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    let (read, added) = (MANY as u64, MANY as u64 - 2);
    assert_eq!(counts(&ended), Counts { read, added, rejected: 2, ..Counts::default() });
    assert_eq!(many_in_table().await.trim(), added.to_string());
    assert_eq!(bench.records(&ended).len() as u64, added);
    let rejects = fs::read_to_string(ended.report.reports.rejects.unwrap()).unwrap();
    assert!(["E00005", "E31000"].iter().all(|user| rejects.contains(user)), "{rejects}");

    // The table's first rows are the file's last ones.
    let mut rows = many("Rome");
    rows.reverse();
    rows[7][2] = "Oslo".to_owned();
    bench.write_csv("users.csv", &HEADER, &rows[..MANY - 1]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    let unchanged = MANY as u64 - 4;
    let expected = Counts { read: MANY as u64 - 1, added: 2, updated: 1, unchanged, removed: 1, ..Counts::default() };
    assert_eq!(counts(&ended), expected);
    let oslo = bench.rows("select id from users where city = 'Oslo'").await;
    assert_eq!(oslo, [[Some(format!("E{:05}", MANY - 8))]]);
    assert_eq!(many_in_table().await.trim(), (MANY - 1).to_string());
}

async fn a_first_file_is_reported_whole_and_in_order(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"keep": {}}))).await;
    bench.write_csv("users.csv", &HEADER, &many("Rome"));
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    let expected = |n: usize| format!(r#"{{"action":"added","userId":"E{n:05}","line":{}}}"#, n + 2);
    assert!(bench.records(&ended).into_iter().eq((0..MANY).map(expected)));
    let mut changes = String::new();
    let path = ended.report.reports.changes.unwrap();
    GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut changes).unwrap();
    let expected = |n: usize| format!("added,E{n:05},{},,,", n + 2);
    assert!(changes.lines().skip(1).map(str::to_owned).eq((0..MANY).map(expected)));
    let sample: Vec<_> = ended.sample.changes.iter().map(|change| change.user_id.as_str()).collect();
    assert_eq!(sample[..3], ["E00000", "E00001", "E00002"]);
}

/// Counts the table's rows that are read.
struct RowsRead(Arc<AtomicU64>);

impl Watch for RowsRead {
    fn at(&self, progress: Progress) {
        if progress.step == Step::Compare {
            self.0.fetch_max(progress.done, Ordering::Relaxed);
        }
    }
}

async fn a_few_users_are_looked_up_in_a_large_table(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"keep": {}}))).await;
    bench.write_csv("users.csv", &HEADER, &many("Rome"));
    assert_eq!(bench.run(Mode::Import).await.report.reason, Reason::Completed);

    upload(
        &bench,
        &[
            ["E00001", "1@x", "Rome"],
            ["E00002", "", "Oslo"],
            ["new", "new@example.com", "Oslo"],
            ["E00002", "twice@example.com", ""],
            ["E00003", "bad", ""],
        ],
    );
    let rows = Arc::<AtomicU64>::default();
    let ended = bench.watched(RowsRead(rows.clone())).await;
    assert_eq!(rows.load(Ordering::Relaxed), 3, "of the table's rows only these");
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    let expected = Counts { read: 5, added: 1, updated: 1, unchanged: 1, rejected: 2, ..Counts::default() };
    assert_eq!(counts(&ended), expected);
    let oslo = bench.rows("select id from users where city = 'Oslo' order by id").await;
    assert_eq!(oslo, [[Some("E00002".to_owned())], [Some("new".to_owned())]]);

    // The safeguards know how many there are all the same.
    let mut bench = Arc::into_inner(bench).unwrap();
    bench.sync.action = Action::Delete;
    bench.sync.safeguards.max_removals = Limit::Percent(0.004);
    upload(&bench, &[["E00001", "", ""], ["E00002", "", ""], ["nobody", "", ""]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Held, "{:?}", ended.report);
    let of = format!("would remove 2 of {} active users", number(MANY as u64 + 1));
    assert!(ended.report.guard.reasons[0].contains(&of), "{:?}", ended.report.guard);
    upload(&bench, &[["E00001", "", ""], ["nobody", "", ""]]);
    let rows = Arc::<AtomicU64>::default();
    let ended = bench.watched(RowsRead(rows.clone())).await;
    assert_eq!(rows.load(Ordering::Relaxed), 1);
    assert_eq!(counts(&ended), Counts { read: 2, removed: 1, unchanged: 1, ..Counts::default() });
}

/// Adds a user when the file is half read, once.
struct WhenHalfRead(Arc<Bench>, AtomicU32);

impl Watch for WhenHalfRead {
    fn at(&self, progress: Progress) {
        let half = progress.step == Step::Read && progress.of.is_some_and(|of| progress.done > of / 2);
        if half && self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            let handle = tokio::runtime::Handle::current();
            let add = self.0.execute("insert into users (id, email, city) values ('E39000', 'by hand', 'Oslo')");
            tokio::task::block_in_place(|| handle.block_on(add));
        }
    }
}

async fn a_user_added_while_a_first_file_is_read_is_updated(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"keep": {}}))).await;
    bench.write_csv("users.csv", &HEADER, &many("Rome"));
    let ended = bench.watched(WhenHalfRead(bench.clone(), AtomicU32::new(0))).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    let (read, added) = (MANY as u64, MANY as u64 - 1);
    assert_eq!(counts(&ended), Counts { read, added, updated: 1, ..Counts::default() });
    let records = bench.records(&ended);
    assert!(records.iter().any(|record| record.contains("by hand")), "the edit is told");
    assert_eq!(bench.rows("select email from users where id = 'E39000'").await, [[Some("39000@x".to_owned())]]);
}

/// SQLite lets nobody else write meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_added_while_a_first_file_is_read_is_updated_on_servers() {
    let url = tokio::task::block_in_place(|| postgres::Server::shared().create_database());
    a_user_added_while_a_first_file_is_read_is_updated(Database::Postgres(url)).await;
    let url = tokio::task::block_in_place(|| mariadb::Server::shared().create_database());
    a_user_added_while_a_first_file_is_read_is_updated(Database::Mariadb(url)).await;
}

async fn a_file_that_cannot_be_put_away_is_put_away_by_the_next_run(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    upload(&bench, &[["E1", "b@x", ""]]);
    fs::write(bench.inbox("bak"), "not a folder").unwrap();
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    assert!(ended.report.warnings.iter().any(|warning| warning.contains("could not be put away")), "{ended:?}");
    assert_eq!(users(&bench).await, ["E1 b@x - true"]);
    assert_eq!(fs::read_to_string(bench.inbox("bak")).unwrap(), "not a folder");

    fs::remove_file(bench.inbox("bak")).unwrap();
    let next = bench.run(Mode::Import).await;
    assert_eq!(next.report.reason, Reason::NoFile, "{:?}", next.report);
    assert!(bench.inbox("bak/users.csv").exists() && !bench.inbox("users.csv").exists());
    assert!(!next.report.warnings.iter().any(|warning| warning.contains("users.csv")), "{:?}", next.report);
}

async fn a_file_is_known_by_its_day_where_no_more_is_said(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    upload(&bench, &[["1", "a@x", "Ulm"]]);
    let ended = bench.run(Mode::Import).await;
    let file = ended.file.unwrap();
    let store = bench.ports(Mode::Import, Arc::new(Silent)).await.store;
    let begin = jiff::Timestamp::from_second(file.mtime.as_second() / 86_400 * 86_400).unwrap();
    let day = |days: i64| begin + jiff::SignedDuration::from_hours(24 * days);
    for (size, mtime, known) in [
        (file.size, begin, 1),
        (file.size, file.mtime, 1),
        (file.size, day(1) - jiff::SignedDuration::from_secs(1), 1),
        (file.size, day(1), 0),
        (file.size, day(-1), 0),
        (file.size + 1, begin, 0),
    ] {
        let asked = [Stamp { size, mtime, ..file.clone() }];
        let rows = store.imported_on_day(&bench.sync.sync, &asked).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.file == file).count(), known, "{asked:?}: {rows:?}");
    }
}

async fn a_report_that_cannot_be_published_is_published_by_the_next_run(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    upload(&bench, &[["E1", "b@x", ""], ["", "", ""]]);
    fs::write(bench.path().join("reports"), "not a folder").unwrap();
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    assert!(ended.report.warnings.iter().any(|warning| warning.contains("not published yet")), "{ended:?}");
    let place = bench.path().join("reports/default/hr").join(&ended.report.run);
    let will_be = |name: &str| Some(place.join(name).to_string_lossy().into_owned());
    let reports = &ended.report.reports;
    assert_eq!((&reports.report, &reports.rejects), (&will_be("report.json"), &will_be("users_rejects.csv")));
    let staged = bench.path().join("spool").join(&ended.report.run).join("report");
    assert!(staged.join("report.json").exists() && staged.join("users_rejects.csv").exists());

    fs::remove_file(bench.path().join("reports")).unwrap();
    let next = bench.run(Mode::Import).await;
    assert_eq!(next.report.reason, Reason::NoFile, "{:?}", next.report);
    let names = ["changes.csv.gz", "records.jsonl.gz", "report.html", "report.json", "users_rejects.csv"];
    assert!(names.iter().all(|name| place.join(name).exists()));
    assert!(fs::read_to_string(place.join("report.json")).unwrap().contains("CompletedWithRejects"));
    assert!(!staged.exists());
}

/// Replaces the file while its import is written.
async fn replaced(bench: &Arc<Bench>) -> Ended {
    upload(bench, &[["E1", "b@x", ""]]);
    let again = bench.clone();
    let ended = bench.watched(WhenApplying::new(move |_| upload(&again, &[["E2", "new@x", "Rome"]]))).await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    assert!(ended.report.warnings.iter().any(|warning| warning.contains("new upload")), "{:?}", ended.report);
    assert_eq!(users(bench).await, ["E1 b@x - true"]);
    assert!(fs::read_to_string(bench.inbox("users.csv")).unwrap().contains("new@x"));
    ended
}

async fn a_new_upload_meanwhile_stays_for_the_next_run(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    replaced(&bench).await;
    assert!(!bench.inbox("bak/users.csv").exists());
    bench.run(Mode::Import).await;
    assert_eq!(users(&bench).await, ["E1 b@x - true", "E2 new@x Rome true"]);
    assert!(fs::read_to_string(bench.inbox("bak/users.csv")).unwrap().contains("new@x"));
}

async fn a_new_upload_meanwhile_is_not_deleted(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"delete": {}}))).await;
    replaced(&bench).await;
    bench.run(Mode::Import).await;
    assert_eq!(users(&bench).await, ["E1 b@x - true", "E2 new@x Rome true"]);
    assert_eq!(fs::read_dir(bench.inbox("")).unwrap().count(), 0);
}

async fn rows_that_the_database_refuses_are_rejects(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"keep": {}}))).await;
    bench.execute("insert into users (id, email) values ('E1', 'a@x'), ('E2', 'b@x'), ('E9', 'c@x')").await;
    upload(&bench, &[["E1", "bad", ""], ["E2", "d@x", ""], ["E3", "bad", "Rome"], ["E4", "", ""], ["", "", ""]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Held, "a key is missing: {:?}", ended.report);
    assert_eq!(users(&bench).await.len(), 3);

    upload(&bench, &[["E1", "bad", ""], ["E2", "d@x", ""], ["E3", "bad", "Rome"], ["E4", "", ""], ["E4", "", ""]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "{:?}", ended.report);
    assert_eq!(users(&bench).await, ["E1 a@x - true", "E2 d@x - true", "E4 - - true"]);
    adds_up(&counts(&ended));
    let expected = Counts { read: 5, rejected: 3, added: 1, updated: 1, removed: 1, ..Counts::default() };
    assert_eq!(counts(&ended), expected);
    let rejects = fs::read_to_string(ended.report.reports.rejects.as_ref().unwrap()).unwrap();
    let mut lines: Vec<_> =
        rejects.lines().skip(1).map(|line| line.split(',').take(5).collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    let expected = ["E1 bad  2 DatabaseRefused", "E3 bad Rome 4 DatabaseRefused", "E4   6 DuplicateKey"];
    assert_eq!(lines, expected, "{rejects}");
    let records = bench.records(&ended);
    assert_eq!(records.len(), 3, "{records:?}");
    assert!(records.iter().all(|record| !record.contains("E1") && !record.contains("E3")), "{records:?}");
}

/// Rows so long that eight are all that is written at once: those of three batches need those of the next one.
async fn refused_rows_are_tried_while_their_neighbours_come(database: Database) {
    let bench = Bench::new(database, spec("Upsert", json!({"keep": {}}))).await;
    let text = bench.long_text();
    let sql = format!(
        "create table users (id varchar(20) not null primary key, email varchar(20) references users (id), \
         city {text} check (city <> 'bad'))"
    );
    bench.execute(&sql).await;
    let long = |fill: &str| {
        let ids = ["A", "B", "C"].iter().flat_map(|batch| (0..8).map(move |n| format!("{batch}{n}")));
        let row = |id: String| {
            let above = match &id[..1] {
                "A" => "B0",
                "B" => "C0",
                _ => "",
            };
            [id, above.to_owned(), fill.repeat(1 << 20)]
        };
        ids.map(row).collect::<Vec<_>>()
    };
    let header = ["id", "email", "city"];
    let bad = |id: &str, above: &str| [id, above, "bad"].map(str::to_owned);
    let mut rows = long("x");
    rows.insert(0, bad("X1", ""));
    rows.insert(12, bad("X2", "A0"));
    rows.push(bad("X3", "X1"));
    bench.write_csv("users.csv", &header, &rows);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(counts(&ended), Counts { read: 27, added: 24, rejected: 3, ..Counts::default() }, "{:?}", ended.report);
    assert_eq!(refused(&ended), ["X1 2", "X2 14", "X3 28"]);

    let mut rows = long("y");
    rows[1] = bad("A1", "");
    rows[22] = bad("C6", "");
    bench.write_csv("users.csv", &header, &rows);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(
        counts(&ended),
        Counts { read: 24, updated: 22, rejected: 2, ..Counts::default() },
        "{:?}",
        ended.report
    );
    let mut changes = refused(&ended);
    changes.sort();
    assert_eq!(changes, ["A1 3", "C6 24"], "changes come in the table's order");
    assert_eq!(
        bench.rows("select id from users where city like 'x%' order by id").await,
        [["A1"], ["C6"]].map(|row| { row.map(|id| Some(id.to_owned())).to_vec() })
    );
    assert_eq!(bench.records(&ended).len(), 22);
}

/// The refused rows in the order of the rejects file: user id and line.
fn refused(ended: &Ended) -> Vec<String> {
    let rejects = fs::read_to_string(ended.report.reports.rejects.as_ref().unwrap()).unwrap();
    let row = |line: &str| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells[4], "DatabaseRefused", "{line}");
        format!("{} {}", cells[0], cells[3])
    };
    rejects.lines().skip(1).map(row).collect()
}

async fn a_mirror_holds_when_a_key_is_no_value_of_its_column(database: Database) {
    let mut spec = spec("Mirror", json!({"keep": {}}));
    spec["mapping"]["filter"] = json!("row['city'] != '' || int(row['email']) > 0");
    let bench = Bench::new(database, spec).await;
    bench.execute("create table users (id integer not null primary key, email text, city text)").await;
    bench.execute("insert into users values (101, 'a@x', 'Rome'), (102, 'b@x', 'Rome')").await;
    for [id, email, city] in [["1O2", "b@x", "Rome"], ["", "no number", ""]] {
        upload(&bench, &[["101", "a@x", "Rome"], [id, email, city]]);
        let ended = bench.run(Mode::Import).await;
        assert_eq!(ended.report.reason, Reason::Held, "{:?}", ended.report);
        assert!(ended.report.message.contains("KeyUnreadable"), "{:?}", ended.report);
        assert_eq!(bench.rows("select email from users").await.len(), 2);
    }
    upload(&bench, &[["101", "a@x", "Rome"], ["101", "b@x", "Rome"]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::CompletedWithRejects, "its key is read well: {:?}", ended.report);
    assert_eq!(bench.rows("select email from users").await.len(), 1);
}

async fn a_user_deactivated_again_comes_back(database: Database) {
    let mut spec = spec("Mirror", json!({"keep": {}}));
    spec["removal"] = json!({"policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}});
    let bench = bench(database, spec).await;
    let (with, without) = ([["E1", "a@x", ""], ["E2", "b@x", ""]], [["E1", "a@x", ""]]);
    upload(&bench, &with);
    bench.run(Mode::Import).await;
    upload(&bench, &without);
    bench.run(Mode::Import).await;
    assert_eq!(users(&bench).await, ["E1 a@x - true", "E2 b@x - false"]);
    bench.execute("update users set active = 'true' where id = 'E2'").await;
    assert_eq!(counts(&bench.run(Mode::Import).await).removed, 1);
    assert_eq!(users(&bench).await, ["E1 a@x - true", "E2 b@x - false"]);
    upload(&bench, &with);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(counts(&ended), Counts { read: 2, updated: 1, unchanged: 1, ..Counts::default() });
    assert_eq!(users(&bench).await, ["E1 a@x - true", "E2 b@x - true"]);
}

async fn a_run_that_was_committed_keeps_its_report(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    upload(&bench, &[["E1", "b@x", ""]]);
    let run = || bench.run_as("hr-again", Mode::Import, None, Arc::new(Silent));
    let ended = run().await;
    assert_eq!(ended.report.reason, Reason::Completed, "{:?}", ended.report);
    let place = PathBuf::from(ended.report.reports.report.clone().unwrap());
    let before = fs::read_to_string(&place).unwrap();
    upload(&bench, &[["E1", "other@x", ""]]);
    let again = run().await;
    assert_eq!(again.report.reason, Reason::AlreadyApplied, "{:?}", again.report);
    assert_eq!(again.report.counts, ended.report.counts);
    assert_eq!(again.report.reports, ended.report.reports);
    assert!(again.report.reports.changes.is_some());
    assert_eq!(fs::read_to_string(&place).unwrap(), before);
    assert_eq!(bench.records(&ended).len(), 1, "all its files are there");
    assert_eq!(users(&bench).await, ["E1 b@x - true"]);
}

async fn a_value_replaced_by_a_default_counts_as_lost(database: Database) {
    let mut spec = spec("Upsert", json!({"keep": {}}));
    spec["conflictMode"] = json!("Replace");
    spec["safeguards"]["maxEmptied"] = json!(0);
    let bench = bench(database, spec).await;
    bench.execute("insert into users (id, email, city, active) values ('E1', 'a@x', 'Rome', 'leave')").await;
    upload(&bench, &[["E1", "b@x", "Rome"]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::Held, "{:?}", ended.report);
    assert_eq!(users(&bench).await, ["E1 a@x Rome leave"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_rows_that_are_one_user_are_told_and_left_alone() {
    let bench = Bench::new(Database::Sqlite, spec("Mirror", json!({"keep": {}}))).await;
    bench.execute("create table users (id text not null primary key, email text, city text)").await;
    bench.execute("create unique index by_city on users (id collate nocase, city)").await;
    bench.execute("insert into users values ('E1', 'a@x', 'Rome'), ('e1', 'b@x', 'Oslo')").await;
    upload(&bench, &[["E1", "c@x", ""]]);
    let ended = bench.run(Mode::Import).await;
    assert_eq!(ended.report.reason, Reason::TargetInvalid, "{:?}", ended.report);
    let emails = bench.rows("select email from users order by email").await;
    assert_eq!(emails, [[Some("a@x".to_owned())], [Some("b@x".to_owned())]]);
}

/// Wants the run to end once it has begun to write.
#[derive(Default)]
struct StopWhileApplying(std::sync::atomic::AtomicBool);

impl Watch for StopWhileApplying {
    fn at(&self, progress: Progress) {
        self.0.fetch_or(progress.step == Step::Apply, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

async fn a_run_that_is_stopped_at_the_last_moment_writes_nothing(database: Database) {
    let bench = bench(database, spec("Mirror", json!({"moveTo": "bak"}))).await;
    bench.execute("insert into users (id, email) values ('9', 'i@x.de')").await;
    upload(&bench, &[["1", "a@x.de", "Rom"]]);
    let ended = bench.watched(StopWhileApplying::default()).await;
    assert_eq!(ended.report.reason, Reason::Stopped, "{}", ended.report.message);
    assert_eq!(bench.rows("select id from users").await, [[Some("9".to_owned())]]);
    assert!(bench.inbox("users.csv").exists());
    assert_eq!(bench.run(Mode::Import).await.report.reason, Reason::Completed);
    assert_eq!(bench.rows("select id from users").await, [[Some("1".to_owned())]]);
}

async fn an_attempt_that_was_taken_over_leaves_nothing(database: Database) {
    let bench = bench(database, spec("Upsert", json!({"moveTo": "bak"}))).await;
    upload(&bench, &[["1", "a@x.de", "Rom"]]);
    let other = bench.clone();
    let watch = WhenApplying::new(move |_| {
        let (other, handle) = (other.clone(), tokio::runtime::Handle::current());
        // Another process begins the same run, and is done with it before this one gets on.
        let theirs = tokio::task::block_in_place(|| handle.block_on(other.attempt("hr-1", Silent)));
        assert_eq!(theirs.unwrap().report.reason, Reason::Completed);
    });
    let taken = bench.attempt("hr-1", watch).await.unwrap_err();
    assert!(taken.0.contains("has taken over"), "{taken}");
    let report = fs::read_to_string(bench.path().join("reports/default/hr/hr-1/report.json")).unwrap();
    assert!(report.contains("\"reason\":\"Completed\"") || report.contains("\"reason\": \"Completed\""), "{report}");
    let again = bench.attempt("hr-1", Silent).await.unwrap();
    assert_eq!(again.report.reason, Reason::AlreadyApplied);
    assert_eq!(again.report.counts.added, 1);
}
