//! Targets that can't be used: a clear reason each, in words for an administrator, and nothing half. `-- --nocapture` prints them.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use serde_json::{Value, json};
use usersync::{
    api::Mode,
    model::{reason::Reason, report::RunReport},
};

use crate::{
    dice::Dice,
    on_each_database,
    place::Place,
    steps::{At, Steps, stepped},
    support::{
        bench::{Bench, Database, Silent},
        mariadb, postgres,
    },
};

on_each_database! {
    a_table_dropped_after_it_was_checked
    a_key_dropped_before_and_after_it_was_checked
    a_column_dropped_or_changed_after_it_was_checked
    a_disk_that_is_full
    somebody_holds_the_users_locked
}

fn spec(more: Value) -> Value {
    let mut spec = json!({
        "source": {
            "directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": {"moveTo": "bak"},
        },
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "city"}]},
        "action": "Mirror",
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%"},
        "target": {"timeouts": {"lock": "1s"}},
    });
    spec["target"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

/// What an administrator reads.
fn says(report: &RunReport, reason: Reason, parts: &[&str]) {
    println!("{}: {}\n", report.reason, report.message);
    assert_eq!(report.reason, reason, "{}", report.message);
    for part in parts {
        assert!(report.message.contains(part), "{part}: {}", report.message);
    }
    let secrets = ["s3cret", "s3%63ret", "postgres://", "mysql://", "SELECT ", "sqlx", "Error("];
    assert!(secrets.iter().all(|secret| !report.message.contains(secret)), "{}", report.message);
}

/// A sync with a table of two users, and a file that changes, removes and adds one.
async fn scene(place: &Place, folder: &Path, more: Value) -> Arc<Bench> {
    let bench = place.bench(folder, spec(more)).await;
    bench.execute("create table users (id varchar(20) not null primary key, city varchar(20))").await;
    bench.execute("insert into users (id, city) values ('A', 'old'), ('B', 'gone')").await;
    upload(&bench);
    Arc::new(bench)
}

fn upload(bench: &Bench) {
    bench.write_csv("users.csv", &["id", "city"], &[["A", "new"], ["C", "new"]].map(|row| row.map(str::to_owned)));
}

/// The table is as it was, the file still waits, and once all is well again a run does it all.
async fn nothing_happened(bench: &Bench) {
    let rows = bench.rows("select id, city from users order by id").await;
    assert_eq!(rows, [["A", "old"], ["B", "gone"]].map(|row| row.map(|cell| Some(cell.to_owned())).to_vec()));
    assert!(bench.inbox("users.csv").exists());
}

async fn then_all_is_well(bench: &Bench) {
    nothing_happened(bench).await;
    let report = bench.attempt("hr-well", Silent).await.unwrap().report;
    assert_eq!(report.reason, Reason::Completed, "{}", report.message);
    let rows = bench.rows("select id, city from users order by id").await;
    assert_eq!(rows, [["A", "new"], ["C", "new"]].map(|row| row.map(|cell| Some(cell.to_owned())).to_vec()));
}

/// A run in which the tests' own session executes something at a step.
async fn run_with(bench: &Arc<Bench>, step: &'static str, sql: &'static str) -> RunReport {
    let other = bench.clone();
    let steps = Steps::new(At::Name(step), move |_| {
        tokio::runtime::Handle::current().block_on(other.execute(sql));
    });
    let ports = stepped(bench.ports(Mode::Import, Arc::new(Silent)).await, &steps);
    bench.attempt_by("hr-1", &ports).await.unwrap().report
}

async fn a_table_dropped_after_it_was_checked(place: Place) {
    for step in ["after inspect", "before begin"] {
        let folder = tempfile::tempdir().unwrap();
        let bench = scene(&place, folder.path(), json!({})).await;
        let report = run_with(&bench, step, "drop table users").await;
        says(&report, Reason::TargetInvalid, &["users"]);
        for table in ["usersync_ledger", "usersync_syncs", "usersync_deactivated", "usersync_migrations"] {
            bench.execute(&format!("drop table {table}")).await;
        }
    }
}

async fn a_key_dropped_before_and_after_it_was_checked(place: Place) {
    let create = "create table users (id varchar(20) not null, city varchar(20))";
    let (make, drop) = match place.database {
        Database::Mariadb(_) => ("create unique index by_id on users (id)", "drop index by_id on users"),
        _ => ("create unique index by_id on users (id)", "drop index by_id"),
    };
    let folder = tempfile::tempdir().unwrap();
    let bench = Arc::new(place.bench(folder.path(), spec(json!({}))).await);
    bench.execute(create).await;
    bench.execute("insert into users (id, city) values ('A', 'old'), ('B', 'gone')").await;
    upload(&bench);
    let report = bench.attempt("hr-0", Silent).await.unwrap().report;
    says(&report, Reason::TargetInvalid, &["no unique index on the match key \"id\"", "Make one: "]);
    nothing_happened(&bench).await;
    // What the message says mends it.
    let advice = report.message.split_once("Make one: ").unwrap().1.trim_end_matches(';').to_owned();
    bench.execute(&advice).await;
    let name = advice.split(' ').nth(3).unwrap().trim_matches('"').to_owned();
    match place.database {
        Database::Mariadb(_) => bench.execute("alter table users drop index id").await,
        _ => bench.execute(&format!("drop index {name}")).await,
    }
    bench.execute(make).await;
    let report = run_with(&bench, "before begin", drop).await;
    says(&report, Reason::TargetInvalid, &["unique index", "\"id\"", "nothing was written"]);
    bench.execute(make).await;
    then_all_is_well(&bench).await;
}

async fn a_column_dropped_or_changed_after_it_was_checked(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path(), json!({})).await;
    bench.execute("alter table users add column note varchar(9)").await;
    let report = run_with(&bench, "before begin", "alter table users rename column city to town").await;
    says(&report, Reason::TargetInvalid, &["city"]);
    bench.execute("alter table users rename column town to city").await;
    then_all_is_well(&bench).await;
}

async fn somebody_holds_the_users_locked(place: Place) {
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path(), json!({})).await;
    // A session that has changed a user and not committed: nobody can write that row.
    let hold = Hold::new(&place, folder.path()).await;
    let report = bench.attempt("hr-1", Silent).await.unwrap().report;
    says(&report, Reason::TargetBusy, &["target.timeouts.lock"]);
    hold.give_back().await;
    then_all_is_well(&bench).await;
}

/// Another program's open transaction.
enum Hold {
    Sqlite(sqlx::SqliteConnection),
    Postgres(sqlx::PgConnection),
    Mariadb(sqlx::MySqlConnection),
}

impl Hold {
    async fn new(place: &Place, folder: &Path) -> Self {
        use sqlx::Connection as _;
        const EDIT: &str = "update users set city = 'mine' where id = 'A'";
        match &place.database {
            Database::Postgres(url) => {
                let mut session = sqlx::PgConnection::connect(url).await.unwrap();
                sqlx::raw_sql("begin").execute(&mut session).await.unwrap();
                sqlx::raw_sql(EDIT).execute(&mut session).await.unwrap();
                Self::Postgres(session)
            }
            Database::Mariadb(url) => {
                let mut session = sqlx::MySqlConnection::connect(url).await.unwrap();
                sqlx::raw_sql("start transaction").execute(&mut session).await.unwrap();
                sqlx::raw_sql(EDIT).execute(&mut session).await.unwrap();
                Self::Mariadb(session)
            }
            Database::Sqlite => {
                let url = format!("sqlite://{}", folder.join("target.db").display());
                let mut session = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql("begin immediate").execute(&mut session).await.unwrap();
                sqlx::raw_sql(EDIT).execute(&mut session).await.unwrap();
                Self::Sqlite(session)
            }
        }
    }

    async fn give_back(self) {
        match self {
            Self::Sqlite(mut session) => drop(sqlx::raw_sql("rollback").execute(&mut session).await.unwrap()),
            Self::Postgres(mut session) => drop(sqlx::raw_sql("rollback").execute(&mut session).await.unwrap()),
            Self::Mariadb(mut session) => drop(sqlx::raw_sql("rollback").execute(&mut session).await.unwrap()),
        }
    }
}

/// A small disk, unmounted with this or with the test process.
struct Disk {
    folder: PathBuf,
    guard: Child,
}

impl Disk {
    fn new(size: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("usersync-disk").tempdir_in("/tmp").unwrap().keep();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=777"), "usersync-tests"]).arg(&folder);
        assert!(mount.status().unwrap().success(), "a small disk needs root, who may mount it");
        let guard = Command::new("sh")
            .args(["-c", "read -r _; umount -l \"$0\"; rmdir \"$0\""])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self { folder, guard }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

async fn a_disk_that_is_full(place: Place) {
    let disk = tokio::task::block_in_place(|| Disk::new("4m"));
    let folder = tempfile::tempdir().unwrap();
    let at = disk.folder.display();
    let more = match &place.database {
        Database::Postgres(url) => {
            // The server's account makes the folder, and the server has tables there.
            let make = format!("copy (select 1) to program 'mkdir {at}/space'");
            drop(postgres::sql(url, &make));
            drop(postgres::sql(url, &format!("create tablespace small location '{at}/space'")));
            " tablespace small"
        }
        Database::Mariadb(_) => &*format!(" engine = InnoDB data directory = '{at}'").leak(),
        Database::Sqlite => {
            std::fs::write(disk.folder.join("target.db"), "").unwrap();
            std::os::unix::fs::symlink(disk.folder.join("target.db"), folder.path().join("target.db")).unwrap();
            ""
        }
    };
    let bench = Arc::new(place.bench(folder.path(), spec(json!({}))).await);
    let text = if let Database::Mariadb(_) = place.database { "varchar(9000)" } else { "text" };
    bench.execute(&format!("create table users (id varchar(20) not null primary key, city {text}){more}")).await;
    bench.execute("insert into users (id, city) values ('A', 'old'), ('B', 'gone')").await;
    // Nothing that could be packed.
    let mut dice = Dice::new("full");
    let mut noise = || (0..500).map(|_| format!("{:016x}", dice.number(usize::MAX))).collect::<String>();
    let rows: Vec<_> = (0..1_500).map(|n| [format!("U{n}"), noise()]).collect();
    bench.write_csv("users.csv", &["id", "city"], &rows);
    let report = bench.attempt("hr-1", Silent).await.unwrap().report;
    says(&report, Reason::TargetUnreachable, &["disk", "full", "nothing of this run was kept"]);
    upload(&bench);
    then_all_is_well(&bench).await;
    // Nothing is on it when it goes.
    bench.execute("drop table users").await;
    if let Database::Postgres(url) = &place.database {
        drop(postgres::sql(url, "drop tablespace small"));
    }
}

/// A server that takes each call and says nothing, and where it is.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let place = listener.local_addr().unwrap().to_string();
    (listener, place)
}

/// A run against another URL than that of the tests.
async fn run_at(place: &Place, folder: &Path, url: &str, more: Value) -> RunReport {
    let bench = Bench::at(folder, place.database.clone(), Some(url), spec(more)).await;
    bench.attempt("hr-1", Silent).await.unwrap().report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_cannot_be_used() {
    let server: &'static postgres::Server =
        tokio::task::block_in_place(|| &*Box::leak(Box::new(postgres::Server::start())));
    let place = tokio::task::block_in_place(|| Place::on_postgres(server));
    let Database::Postgres(url) = place.database.clone() else { unreachable!() };
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path(), json!({})).await;
    let run = async |url: &str, more: Value| run_at(&place, folder.path(), url, more).await;

    let report = run(&server.url_for(&url, "postgres", "wrong s3cret"), json!({})).await;
    says(&report, Reason::TargetDenied, &["password authentication failed", "postgres"]);
    let report = run(&server.url_for("x://x/nowhere", "postgres", postgres::PASSWORD), json!({})).await;
    says(&report, Reason::TargetInvalid, &["nowhere", "target.url"]);
    bench.execute("create role crowd login password 'crowd' connection limit 0").await;
    let report = run(&server.url_for(&url, "crowd", "crowd"), json!({})).await;
    says(&report, Reason::TargetUnreachable, &["too many connections"]);
    let report = run("postgres://postgres:x@127.0.0.1:1/users", json!({})).await;
    says(&report, Reason::TargetUnreachable, &["127.0.0.1:1"]);
    let (silent, place_of_it) = silent();
    let report =
        run(&format!("postgres://postgres:s3cret@{place_of_it}/users"), json!({"timeouts": {"connect": "1s"}})).await;
    says(&report, Reason::TargetUnreachable, &[&place_of_it, "no answer within 1 s", "target.timeouts.connect"]);
    drop(silent);
    nothing_happened(&bench).await;

    // A statement that takes too long, in the database's own trigger.
    bench.execute("create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(20); return new; end $$").await;
    bench.execute("create trigger slow before insert on users for each row execute procedure slow()").await;
    let report = run(&url, json!({"timeouts": {"statement": "1s"}})).await;
    says(&report, Reason::TargetFailed, &["target.timeouts.statement"]);
    nothing_happened(&bench).await;
    bench.execute("drop trigger slow on users").await;

    let database = url.split(['/', '?']).nth(3).unwrap();
    bench.execute(&format!("alter database {database} set default_transaction_read_only = on")).await;
    let report = run(&url, json!({})).await;
    says(&report, Reason::TargetInvalid, &["read-only", "takes writes"]);
    postgres::sql(
        &url,
        &format!(
            "set default_transaction_read_only = off; alter database {database} reset default_transaction_read_only"
        ),
    );
    nothing_happened(&bench).await;

    // The same as a standby: it has all that its primary had, and takes no writes.
    tokio::task::block_in_place(|| {
        server.kill();
        std::fs::write(server.folder().join("data/standby.signal"), "").unwrap();
        server.start_again();
    });
    let report = run(&url, json!({})).await;
    says(&report, Reason::TargetInvalid, &["takes writes"]);
    tokio::task::block_in_place(|| {
        server.kill();
        std::fs::remove_file(server.folder().join("data/standby.signal")).unwrap();
        server.start_again();
    });
    then_all_is_well(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_that_cannot_be_used() {
    let server: &'static mariadb::Server =
        tokio::task::block_in_place(|| &*Box::leak(Box::new(mariadb::Server::start(&[]))));
    let place = tokio::task::block_in_place(|| Place::on_mariadb(server));
    let Database::Mariadb(url) = place.database.clone() else { unreachable!() };
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path(), json!({})).await;
    let run = async |url: &str, more: Value| run_at(&place, folder.path(), url, more).await;

    let report = run(&server.url_for(&url, "root", "wrong s3cret"), json!({})).await;
    says(&report, Reason::TargetDenied, &["Access denied for user 'root'"]);
    let report = run(&server.url_for("x://x/nowhere", "root", mariadb::PASSWORD), json!({})).await;
    says(&report, Reason::TargetInvalid, &["nowhere", "target.url"]);
    mariadb::sql(
        &url,
        "create user crowd@localhost identified by 'crowd' with max_user_connections 1; grant all on *.* to crowd@localhost; \
         revoke super on *.* from crowd@localhost; revoke connection admin on *.* from crowd@localhost",
    );
    let crowd = server.url_for(&url, "crowd", "crowd");
    let held = {
        use sqlx::Connection as _;
        sqlx::MySqlConnection::connect(&crowd).await.unwrap()
    };
    let report = run(&crowd, json!({})).await;
    says(&report, Reason::TargetUnreachable, &["max_user_connections"]);
    drop(held);
    let report = run("mysql://root:x@127.0.0.1:1/users", json!({})).await;
    says(&report, Reason::TargetUnreachable, &["127.0.0.1:1"]);
    let (silent, place_of_it) = silent();
    let report = run(&format!("mysql://root:s3cret@{place_of_it}/users"), json!({"timeouts": {"connect": "1s"}})).await;
    says(&report, Reason::TargetUnreachable, &[&place_of_it, "no answer within 1 s", "target.timeouts.connect"]);
    drop(silent);
    nothing_happened(&bench).await;

    bench.execute("create trigger slow before insert on users for each row set new.city = concat(new.city, left(sleep(20), 0))").await;
    let report = run(&url, json!({"timeouts": {"statement": "1s"}})).await;
    says(&report, Reason::TargetFailed, &["target.timeouts.statement"]);
    nothing_happened(&bench).await;
    bench.execute("drop trigger slow").await;

    // Those who may write all the same are not asked.
    mariadb::sql(
        &url,
        "create user plain@localhost identified by 'plain'; grant all on *.* to plain@localhost; \
         revoke read only admin on *.* from plain@localhost; revoke super on *.* from plain@localhost; set global read_only = 1",
    );
    let report = run(&server.url_for(&url, "plain", "plain"), json!({})).await;
    says(&report, Reason::TargetInvalid, &["read-only", "takes writes"]);
    mariadb::sql(&url, "set global read_only = 0");
    nothing_happened(&bench).await;

    for engine in ["MyISAM", "Aria", "MEMORY"] {
        bench
            .execute(&format!(
                "create table other (id varchar(20) not null primary key, city varchar(20)) engine = {engine}"
            ))
            .await;
        let report = run(&url, json!({"table": "other"})).await;
        says(&report, Reason::TargetInvalid, &[engine, "engine = InnoDB"]);
        bench.execute("drop table other").await;
    }
    then_all_is_well(&bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sqlite_file_that_cannot_be_used() {
    let place = Place::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let bench = scene(&place, folder.path(), json!({})).await;
    let file = folder.path().join("target.db");
    let run = async |url: &str, more: Value| run_at(&place, folder.path(), url, more).await;
    let report = run(&format!("sqlite:{}/nowhere.db", folder.path().display()), json!({})).await;
    says(&report, Reason::TargetInvalid, &["nowhere.db", "mode=rwc"]);
    let report = run(&format!("sqlite:{}?mode=ro", file.display()), json!({})).await;
    says(&report, Reason::TargetDenied, &["can't be written"]);
    std::fs::write(folder.path().join("text.db"), "id,name\n".repeat(999)).unwrap();
    let report = run(&format!("sqlite:{}/text.db", folder.path().display()), json!({})).await;
    says(&report, Reason::TargetInvalid, &["is not an SQLite database"]);
    let report = run(&format!("sqlite:{}", file.display()), json!({"table": "usres"})).await;
    says(&report, Reason::TargetInvalid, &["no table usres", "create table"]);
    bench.execute("create view seen as select * from users").await;
    let report = run(&format!("sqlite:{}", file.display()), json!({"table": "seen"})).await;
    says(&report, Reason::TargetInvalid, &["view"]);
    then_all_is_well(&bench).await;
}
