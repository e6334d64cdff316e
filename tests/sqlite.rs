//! Users in SQLite files: what goes in comes out equal, what the database refuses is named, what others do is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use usersync::{
    api::{Action, PropertyType},
    model::{
        change::{Change, ChangeKind},
        column::{Case, ColumnDefault, ColumnType, Table},
        counts::Counts,
        file::Stamp,
        job::SyncId,
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::{Layout, LayoutColumn, Role},
        rows::Rows,
        secret::Secret,
    },
    ports::{Apply, Refused, StoreError, UserStore, Why},
    store::sqlite::{Sqlite, Wanted},
};

type Row_ = Vec<Option<String>>;

/// A folder with a database file in it.
struct World {
    folder: TempDir,
    lock: Duration,
}

impl World {
    async fn new(sql: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), lock: Duration::from_secs(20) };
        world.sql(sql).await;
        world
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("users.db")
    }

    /// Another program's connection.
    async fn connect(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    async fn sql(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// One column of a query, as text.
    async fn query(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let texts = rows.iter().map(|row| row.get::<String, _>(0)).collect();
        connection.close().await.unwrap();
        texts
    }

    fn store(&self) -> Sqlite {
        self.with("", "users").unwrap()
    }

    fn with(&self, parameters: &str, table: &str) -> Result<Sqlite, StoreError> {
        let url = Secret::new(format!("sqlite:{}{parameters}", self.path().display()));
        Sqlite::file(&url, wanted(table, &["id", "name"]), self.lock)
    }

    fn embedded(&self, columns: &[&str], writable: bool) -> Sqlite {
        Sqlite::embedded(&self.path(), wanted("users", columns), self.lock, writable)
    }
}

fn wanted(table: &str, columns: &[&str]) -> Wanted {
    let kind = |name: &str| match name {
        "active" => Some(PropertyType::Boolean),
        "born" => Some(PropertyType::Date),
        "salary" => Some(PropertyType::Number),
        _ => None,
    };
    Wanted {
        table: table.to_owned(),
        key: columns[0].to_owned(),
        scope: Vec::new(),
        columns: columns.iter().map(|name| ((*name).to_owned(), kind(name))).collect(),
    }
}

fn sync(name: &str) -> SyncId {
    SyncId { instance: "usersync".into(), namespace: "default".into(), name: name.into() }
}

fn scope(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(column, value)| ((*column).to_owned(), (*value).to_owned())).collect()
}

fn claim(name: &str, action: Action, pairs: &[(&str, &str)]) -> Claim {
    Claim { sync: sync(name), table: "users".into(), scope: scope(pairs), action }
}

/// The columns of a run, the match key first.
fn layout(table: &Table, columns: &[&str]) -> Layout {
    let described = |(place, name): (usize, &&str)| LayoutColumn {
        column: table.column(name).unwrap_or_else(|| panic!("no column {name}")).clone(),
        role: if place == 0 { Role::Key } else { Role::Mapped },
        sensitive: false,
        unique: false,
    };
    Layout { columns: columns.iter().enumerate().map(described).collect() }
}

fn rows(width: usize, users: &[&[Option<&str>]]) -> Rows {
    let mut rows = Rows::new(width);
    users.iter().for_each(|user| rows.push_row(user.iter().copied()));
    rows
}

fn row(cells: &[Option<&str>]) -> Row_ {
    cells.iter().map(|cell| cell.map(str::to_owned)).collect()
}

fn change(kind: ChangeKind, old: &[Option<&str>], new: &[Option<&str>]) -> Change {
    Change { kind, line: Some(2), offset: Some(0), old: row(old), new: row(new) }
}

fn update(old: &[Option<&str>], new: &[Option<&str>]) -> Change {
    change(ChangeKind::Update, old, new)
}

fn ledger_row(run: &str) -> LedgerRow {
    LedgerRow {
        run: run.into(),
        file: Stamp { name: "users.csv".into(), size: 1234, mtime: "2026-11-22T01:02:03.123456789Z".parse().unwrap() },
        sha256: "ab".repeat(32),
        spec: "spec".into(),
        result: "Completed".into(),
        counts: Counts { read: 2, added: 2, ..Counts::default() },
        report: "cd".repeat(32),
        open: vec![OpenStep::Archive, OpenStep::Publish],
        committed: jiff::Timestamp::UNIX_EPOCH,
    }
}

async fn scan(store: &Sqlite, layout: &Layout, pairs: &[(&str, &str)]) -> Vec<Row_> {
    let batches: Vec<Rows> = store.scan(layout, &scope(pairs), None).await.unwrap().try_collect().await.unwrap();
    let mut users: Vec<Row_> = batches
        .iter()
        .flat_map(Rows::iter)
        .map(|row| row.cells().map(|cell| cell.map(str::to_owned)).collect())
        .collect();
    users.sort();
    users
}

/// A store with its ledger open, and a layout over some columns.
struct Open {
    store: Sqlite,
    layout: Layout,
    fence: Fence,
    scope: BTreeMap<String, String>,
}

async fn open(store: Sqlite, columns: &[&str], pairs: &[(&str, &str)]) -> Open {
    let fence = store.open(&claim("hr", Action::Upsert, pairs)).await.unwrap();
    let layout = layout(&store.inspect().await.unwrap(), columns);
    Open { store, layout, fence, scope: scope(pairs) }
}

impl Open {
    async fn begin(&self) -> Box<dyn Apply> {
        self.store.begin(&self.fence, &self.layout, &self.scope).await.unwrap()
    }

    async fn add(&self, run: &str, users: &[&[Option<&str>]]) -> Vec<Refused> {
        let mut apply = self.begin().await;
        let refused = apply.add(&rows(self.layout.columns.len(), users)).await.unwrap();
        apply.commit(&ledger_row(run)).await.unwrap();
        refused
    }

    async fn change(&self, run: &str, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        let mut apply = self.begin().await;
        let refused = apply.change(kind, changes).await?;
        apply.commit(&ledger_row(run)).await.unwrap();
        Ok(refused)
    }

    async fn all(&self) -> Vec<Row_> {
        let scope: Vec<(&str, &str)> = self.scope.iter().map(|(c, v)| (c.as_str(), v.as_str())).collect();
        scan(&self.store, &self.layout, &scope).await
    }
}

const TYPES: &str = "create table users (
    id text primary key, code text, untyped, number numeric, price decimal(10, 2), ratio double precision,
    count integer, active boolean, born date, seen datetime, at time, device uuid, extra json, raw blob,
    odd string, full text generated always as (id || code))";

#[tokio::test]
async fn the_table_is_described() {
    let world = World::new(
        "create table users (
            id integer primary key, org text not null default 'acme', mail varchar(80) collate nocase unique,
            name text not null default '', made datetime default current_timestamp, on_ boolean default true,
            level int default -1, gone real generated always as (level * 2) stored, unique (org, name));
         create unique index partly on users (name) where level > 0;
         create unique index folded on users (lower(name));",
    )
    .await;
    let table = world.store().inspect().await.unwrap();
    let mut unique = table.unique.clone();
    unique.sort();
    assert_eq!(unique, [vec!["id"], vec!["mail"], vec!["org", "name"]]);
    let column = |name: &str| table.column(name).unwrap();
    assert_eq!((column("id").nullable, &column("id").default), (false, &ColumnDefault::Expression));
    assert_eq!(column("org").default, ColumnDefault::Constant("acme".into()));
    assert_eq!(column("mail").kind, ColumnType::Text { max: None, padded: false, case: Case::AsciiIgnored });
    assert_eq!(column("mail").sql_type, "varchar(80)");
    assert_eq!(column("name").default, ColumnDefault::Constant(String::new()));
    assert_eq!(column("made").default, ColumnDefault::Expression);
    assert_eq!(column("on_").default, ColumnDefault::Constant("true".into()));
    assert_eq!(column("level").default, ColumnDefault::Constant("-1".into()));
    assert!(column("gone").generated && !column("level").generated);
}

#[tokio::test]
async fn what_is_no_table_is_named_as_what_it_is() {
    let world = World::new(
        "create table People (id text primary key); create view users as select * from People;
         create virtual table search using fts5(id);",
    )
    .await;
    for (table, expected) in [
        ("users", "is a view"),
        ("search", "is a virtual"),
        ("people", "but People"),
        ("other.users", "no schema but `main`"),
        ("guests", "create table \"guests\" (\n  \"id\" text not null,\n  \"name\" text\n)"),
    ] {
        match world.with("", table).unwrap().inspect().await {
            Err(StoreError::Invalid(message)) => assert!(message.contains(expected), "{message}"),
            other => panic!("{table}: {other:?}"),
        }
    }
    assert!(world.with("", "main.People").unwrap().inspect().await.is_ok());
}

#[tokio::test]
async fn files_that_cannot_be_used() {
    let world = World { folder: tempfile::tempdir().unwrap(), lock: Duration::from_secs(1) };
    for parameters in ["", "?mode=ro", "?mode=rwc"] {
        let error = world.with(parameters, "users").unwrap().inspect().await.unwrap_err();
        assert!(matches!(&error, StoreError::Invalid(_)), "{error}");
        assert!(!world.path().exists(), "looking makes no file");
    }
    std::fs::write(world.path(), "id,name\n".repeat(1000)).unwrap();
    let error = world.store().inspect().await.unwrap_err();
    assert!(matches!(&error, StoreError::Invalid(m) if m.contains("is not an SQLite database")), "{error}");
    std::fs::remove_file(world.path()).unwrap();
    std::fs::create_dir(world.path()).unwrap();
    let error = world.store().inspect().await.unwrap_err();
    assert!(matches!(&error, StoreError::Invalid(m) if m.contains("is no file")), "{error}");
}

#[tokio::test]
async fn values_come_out_as_they_went_in() {
    let world = World::new(TYPES).await;
    let columns = [
        "id", "code", "untyped", "number", "price", "ratio", "count", "active", "born", "seen", "at", "device",
        "extra", "raw", "odd",
    ];
    let open = open(world.store(), &columns, &[]).await;
    let seen = "2026-11-22T10:20:30";
    let one: [Option<&str>; 15] = [
        Some("007"),
        Some("1.50"),
        Some("1e3"),
        Some("1.5"),
        Some("12345678901234567"),
        Some("0.1"),
        Some("-9223372036854775808"),
        Some("true"),
        Some("2026-11-22"),
        Some(seen),
        Some("14:03:00"),
        Some("0f3b1c7e-0000-4000-8000-00000000e123"),
        Some("[1]"),
        Some("\\x00ff"),
        Some("O'Neil \"x\" ü \u{0} 💡"),
    ];
    let mut two: [Option<&str>; 15] = [None; 15];
    two[0] = Some("7");
    let mut three = one;
    (three[0], three[7], three[14]) = (Some("07"), Some("false"), Some(""));
    assert_eq!(open.add("one", &[&one, &two, &three]).await, []);
    let mut expected = vec![row(&one), row(&two), row(&three)];
    expected.sort();
    let found = open.all().await;
    assert_eq!(found, expected);

    // What was scanned is what a change finds; then each value goes to the other row.
    let changes: Vec<Change> = [(0, 2), (1, 0)]
        .map(|(at, from): (usize, usize)| {
            let mut new = found[from].clone();
            new[0].clone_from(&found[at][0]);
            Change { kind: ChangeKind::Update, line: None, offset: None, old: found[at].clone(), new }
        })
        .into();
    assert_eq!(open.change("two", ChangeKind::Update, &changes).await.unwrap(), []);
    let after = open.all().await;
    assert_eq!(after, [changes[0].new.clone(), changes[1].new.clone(), found[2].clone()]);
    assert_eq!(
        world
            .query(
                "select typeof(active) || typeof(count) || typeof(raw) || typeof(born) || typeof(code) \
                            from users where id = '07'"
            )
            .await,
        ["integerintegerblobtexttext"]
    );
}

/// Users are read in groups; what a group can't say as it is, is read one by one.
#[tokio::test]
async fn all_users_come_whatever_is_among_them() {
    let many = "with recursive n(i) as (select -400 union all select i + 1 from n where i < 399) \
                insert into users (rowid, id, name, born) select i, 'u' || i, 'ü\"' || i, '2026-11-22' from n;";
    let text = "create table users (id text primary key, name text, born date);";
    let plain = "create table users (id text primary key, name text, born date) without rowid;";
    let unnumbered = many.replace("rowid, ", "").replace("select i, 'u'", "select 'u'");
    let odd = [
        "",
        // Bytes, a number that JSON would cut, text that is none, a large one.
        "update users set name = x'00ff' where id = 'u300';",
        "update users set born = 0.1 + 0.2 where id = 'u-400';",
        "update users set name = cast(x'61ff62' as text) where id = 'u7';",
        "update users set name = replace(hex(zeroblob(500000)), '00', 'ab');",
        "update users set id = null where id = 'u0';",
        "update users set rowid = 9223372036854775807 where id = 'u5'; update users set rowid = -9223372036854775808 where id = 'u6';",
    ];
    for odd in odd {
        let few = odd.contains("zeroblob").then_some("delete from users where rowid not between -20 and 20;");
        let world = World::new(&format!("{text}{many}{}{odd}", few.unwrap_or_default())).await;
        let sql = "select coalesce(id, '') || case typeof(name) when 'blob' then '\\x' || lower(hex(name)) \
                   else name end || case typeof(born) when 'real' then '0.30000000000000004' else born end \
                   from users where id is not null order by id";
        let mut expected = match odd.contains("61ff62") {
            // Another program that reads it fails.
            true => Vec::new(),
            false => world.query(sql).await,
        };
        let open = open(world.store(), &["id", "name", "born"], &[]).await;
        let mut found: Vec<String> =
            open.all().await.into_iter().map(|row| row.into_iter().flatten().collect()).collect();
        if odd.contains("61ff62") {
            assert!(found.contains(&"u7a\u{fffd}b2026-11-22".to_owned()), "{odd}");
            assert_eq!(found.len(), 800);
            continue;
        }
        expected.sort();
        found.sort();
        assert!(found == expected, "{odd}: {} of {}", found.len(), expected.len());
    }
    let world = World::new(&format!("{plain}{unnumbered}")).await;
    let open = open(world.store(), &["id", "name", "born"], &[]).await;
    assert_eq!(open.all().await.len(), 800);
}

#[tokio::test]
async fn what_sqlite_would_change_is_refused_and_named() {
    let world = World::new(TYPES).await;
    let open = open(world.store(), &["id", "odd", "number"], &[]).await;
    let refused = open
        .add(
            "one",
            &[
                &[Some("a"), Some("007"), None],
                &[Some("b"), Some("7"), Some("7")],
                &[Some("c"), None, Some("0.12345678901234567891")],
                &[Some("d"), Some("1.5"), Some("1.5")],
            ],
        )
        .await;
    let found: Vec<(usize, &str)> = refused.iter().map(|r| (r.index, r.message.split(':').next().unwrap())).collect();
    assert_eq!(found, [(0, "odd"), (2, "number")]);
    assert_eq!(
        open.all().await,
        [row(&[Some("b"), Some("7"), Some("7")]), row(&[Some("d"), Some("1.5"), Some("1.5")])]
    );
}

#[tokio::test]
async fn equal_values_in_other_forms_are_no_edits() {
    let world = World::new(
        "create table users (id uuid primary key, active boolean, price decimal, name text);
         insert into users values ('0F3B1C7E-0000-4000-8000-00000000E123', 'TRUE', '1.50', 'a');
         insert into users values ('{0f3b1c7e-0000-4000-8000-00000000e124}', 0, 2.0, 'b');",
    )
    .await;
    let open = open(world.store(), &["id", "active", "price", "name"], &[]).await;
    let found = open.all().await;
    let one = row(&[Some("0f3b1c7e-0000-4000-8000-00000000e123"), Some("true"), Some("1.5"), Some("a")]);
    let two = row(&[Some("0f3b1c7e-0000-4000-8000-00000000e124"), Some("false"), Some("2"), Some("b")]);
    assert_eq!(found, [one, two]);
    let changes: Vec<Change> = found
        .iter()
        .map(|old| {
            let mut new = old.clone();
            new[3] = Some("new".into());
            Change { kind: ChangeKind::Update, line: None, offset: None, old: old.clone(), new }
        })
        .collect();
    assert_eq!(open.change("one", ChangeKind::Update, &changes).await.unwrap(), []);
    assert_eq!(world.query("select name from users").await, ["new", "new"]);
    assert_eq!(world.query("select typeof(active) from users").await, ["text", "integer"], "what is equal stays");
    assert_eq!(
        world.query("select id from users where id like '0F3%'").await,
        ["0F3B1C7E-0000-4000-8000-00000000E123"]
    );
}

#[tokio::test]
async fn rows_that_the_database_refuses_leave_their_neighbours() {
    let world = World::new(
        "create table users (id text primary key, mail text unique on conflict replace, age int check (age > 0),
            boss text references users (id), name text not null)",
    )
    .await;
    let open = open(world.store(), &["id", "mail", "age", "boss", "name"], &[]).await;
    let refused = open
        .add(
            "one",
            &[
                &[Some("1"), Some("b@x"), Some("1"), Some("5"), Some("A")],
                &[Some("2"), Some("a@x"), Some("1"), None, Some("B")],
                &[Some("3"), Some("a@x"), None, None, Some("C")],
                &[Some("4"), None, Some("0"), None, Some("D")],
                &[Some("6"), None, None, Some("nobody"), Some("F")],
                &[Some("5"), None, None, Some("5"), Some("E")],
                &[Some("7"), None, None, None, None],
                &[Some("8"), None, None, Some("6"), Some("H")],
            ],
        )
        .await;
    let texts: Vec<(usize, &str)> = refused.iter().map(|r| (r.index, r.message.as_str())).collect();
    assert_eq!(
        texts,
        [
            (2, "another user has the same mail (unique)"),
            (3, "the database refuses the row: CHECK constraint failed: age > 0"),
            (4, "column boss names a user who is not there (foreign key)"),
            (6, "name must not be empty (not null)"),
            (7, "column boss names a user who is not there (foreign key)"),
        ]
    );
    assert_eq!(world.query("select id from users order by id").await, ["1", "2", "5"]);

    // Two give up and take each other's value over a third; a user to whom others refer can't go.
    let all = open.all().await;
    let mail = |at: usize, mail: Option<&str>| {
        let mut new = all[at].clone();
        new[1] = mail.map(str::to_owned);
        Change { kind: ChangeKind::Update, line: None, offset: None, old: all[at].clone(), new }
    };
    let changes = [mail(2, Some("a@x")), mail(1, Some("c@x"))];
    assert_eq!(open.change("two", ChangeKind::Update, &changes).await.unwrap(), []);
    assert_eq!(world.query("select mail from users order by id").await, ["b@x", "c@x", "a@x"]);
    let all = open.all().await;
    let gone = |at: usize| {
        let old = all[at].clone();
        Change { kind: ChangeKind::Delete, line: None, offset: None, old, new: Vec::new() }
    };
    let refused = open.change("three", ChangeKind::Delete, &[gone(1), gone(2)]).await.unwrap();
    let message = "the foreign key boss → users is not kept".into();
    assert_eq!(refused, [Refused { index: 1, message, why: Why::Rule }]);
    assert_eq!(world.query("select id from users order by id").await, ["1", "5"]);
}

#[tokio::test]
async fn rows_beyond_one_statement() {
    let world =
        World::new("create table users (id text primary key, boss text references users (id), name text)").await;
    let open = open(world.store(), &["id", "boss", "name"], &[]).await;
    let users: Vec<[String; 3]> = (0..5000).map(|n| [n.to_string(), (4999 - n).to_string(), "x".repeat(500)]).collect();
    let cells: Vec<Vec<Option<&str>>> = users.iter().map(|u| u.iter().map(|t| Some(t.as_str())).collect()).collect();
    let users: Vec<&[Option<&str>]> = cells.iter().map(Vec::as_slice).collect();
    assert_eq!(open.add("one", &users).await, []);
    let batches: Vec<Rows> =
        open.store.scan(&open.layout, &open.scope, None).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(Rows::len).sum::<usize>(), 5000);
    assert!(batches.len() >= 2 && batches.iter().all(|batch| batch.size() < 2 << 20));
    let all = open.all().await;
    let changes: Vec<Change> = all
        .iter()
        .enumerate()
        .map(|(n, old)| {
            let mut new = old.clone();
            new[1 + n % 2] = None;
            Change { kind: ChangeKind::Update, line: None, offset: None, old: old.clone(), new }
        })
        .collect();
    assert_eq!(open.change("two", ChangeKind::Update, &changes).await.unwrap(), []);
    let expected: Vec<Row_> = changes.into_iter().map(|change| change.new).collect();
    assert_eq!(open.all().await, expected);
}

#[tokio::test]
async fn an_edit_of_somebody_else_is_seen() {
    let world = World::new(
        "create table users (id text primary key, name text, other text);
                            insert into users values ('1', 'a', 'x'), ('2', 'b', 'y')",
    )
    .await;
    let open = open(world.store(), &["id", "name"], &[]).await;
    let rename = |id: &'static str, old: &'static str| update(&[Some(id), Some(old)], &[Some(id), Some("new")]);
    let stale =
        |result: Result<Vec<Refused>, StoreError>| assert!(matches!(result, Err(StoreError::Stale(_))), "{result:?}");

    world.sql("update users set name = 'edited' where id = '2'").await;
    stale(open.change("one", ChangeKind::Update, &[rename("1", "a"), rename("2", "b")]).await);
    assert_eq!(world.query("select name from users order by id").await, ["a", "edited"]);
    world.sql("update users set other = 'edited' where id = '1'").await;
    assert_eq!(open.change("two", ChangeKind::Update, &[rename("1", "a")]).await.unwrap(), []);
    world.sql("delete from users where id = '2'").await;
    stale(open.change("three", ChangeKind::Update, &[rename("2", "edited")]).await);
    stale(
        open.change("four", ChangeKind::Delete, &[change(ChangeKind::Delete, &[Some("2"), Some("edited")], &[])]).await,
    );
    let mut apply = open.begin().await;
    let added = apply.add(&rows(2, &[&[Some("3"), None], &[Some("1"), None]])).await;
    stale(added);
    drop(apply);
    assert_eq!(world.query("select id from users").await, ["1"]);
}

#[tokio::test]
async fn who_holds_the_lock_is_waited_for() {
    let mut world = World::new("create table users (id text primary key, name text)").await;
    let first = open(world.store(), &["id", "name"], &[]).await;
    world.lock = Duration::from_millis(50);
    let second = world.store();
    let apply = first.begin().await;
    let busy = second.begin(&first.fence, &first.layout, &first.scope).await.err().unwrap();
    assert!(matches!(busy, StoreError::Busy(_)), "{busy}");
    let busy = second.open(&claim("other", Action::Upsert, &[])).await.unwrap_err();
    assert!(matches!(busy, StoreError::Busy(_)), "{busy}");
    apply.rollback().await.unwrap();
    second.begin(&first.fence, &first.layout, &first.scope).await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn a_later_attempt_voids_the_earlier() {
    let world = World::new("create table users (id text primary key, name text)").await;
    let first = open(world.store(), &["id", "name"], &[]).await;
    let second = world.store().open(&claim("hr", Action::Upsert, &[])).await.unwrap();
    assert_eq!(second.attempt, first.fence.attempt + 1);
    let fenced = first.store.begin(&first.fence, &first.layout, &first.scope).await.err().unwrap();
    assert!(matches!(fenced, StoreError::Fenced(_)), "{fenced}");
    first.store.begin(&second, &first.layout, &first.scope).await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn a_mirror_shares_no_users() {
    let world = World::new("create table users (id text primary key, name text, site int)").await;
    let store = world.store();
    store.open(&claim("hr", Action::Upsert, &[("site", "7")])).await.unwrap();
    for (pairs, shared) in [(vec![], true), (vec![("site", "7")], true), (vec![("site", "8")], false)] {
        let claim = claim("guests", Action::Mirror, &pairs);
        let main = Claim { table: "main.users".into(), ..claim.clone() };
        for claim in [claim, main] {
            let (checked, opened) = (store.check(&claim).await, store.open(&claim).await);
            assert_eq!(matches!(checked, Err(StoreError::Shared(_))), shared, "{pairs:?}: {checked:?}");
            assert_eq!(matches!(opened, Err(StoreError::Shared(_))), shared, "{pairs:?}: {opened:?}");
        }
    }
}

#[tokio::test]
async fn rows_outside_the_scope_are_not_there() {
    let world = World::new(
        "create table users (id text primary key, name text, org text collate nocase);
         insert into users values ('1', 'a', 'acme'), ('2', 'b', 'Acme'), ('3', 'c', null), ('4', 'd', 'other')",
    )
    .await;
    let open = open(world.store(), &["id", "name"], &[("org", "acme")]).await;
    assert_eq!(open.all().await, [row(&[Some("1"), Some("a")])]);
    let keys = rows(1, &[&[Some("1")], &[Some("2")], &[Some("9")], &[Some("3")], &[Some("4")]]);
    assert_eq!(open.store.outside(&open.layout, &open.scope, &keys).await.unwrap(), [1, 3, 4]);
    for id in ["2", "3", "4"] {
        let name = ["b", "c", "d"][id.parse::<usize>().unwrap() - 2];
        let result = open.change("x", ChangeKind::Update, &[update(&[Some(id), Some(name)], &[Some(id), None])]).await;
        assert!(matches!(result, Err(StoreError::Stale(_))), "{result:?}");
    }
    assert_eq!(open.add("one", &[&[Some("5"), Some("e")]]).await, []);
    assert_eq!(world.query("select org from users where id = '5'").await, ["acme"]);
}

#[tokio::test]
async fn a_key_with_the_scope_in_it_is_free_outside() {
    let world = World::new(
        "create table users (org text, id text collate nocase, name text, primary key (org, id)) without rowid;
         insert into users values ('a', '1', 'x'), ('b', '1', 'y'), ('b', '2', 'z')",
    )
    .await;
    let open = open(world.store(), &["id", "name"], &[("org", "a")]).await;
    let keys = rows(1, &[&[Some("1")], &[Some("2")]]);
    assert_eq!(open.store.outside(&open.layout, &open.scope, &keys).await.unwrap(), [0_usize; 0]);
    assert_eq!(open.add("one", &[&[Some("2"), Some("new")], &[Some("ann"), None]]).await, []);
    let changes = [update(&[Some("1"), Some("x")], &[Some("1"), Some("X")])];
    assert_eq!(open.change("two", ChangeKind::Update, &changes).await.unwrap(), []);
    let gone = [change(ChangeKind::Delete, &[Some("2"), Some("new")], &[])];
    assert_eq!(open.change("three", ChangeKind::Delete, &gone).await.unwrap(), []);
    let all = world.query("select org || id || coalesce(name, '') from users order by 1").await;
    assert_eq!(all, ["a1X", "aann", "b1y", "b2z"]);
    // The same key in other letters is refused by the index, and by nobody's edit.
    let refused = open.add("four", &[&[Some("ANN"), None]]).await;
    assert_eq!(refused.len(), 1);
}

#[tokio::test]
async fn the_ledger_keeps_what_was_committed() {
    let world = World::new("create table users (id text primary key, name text)").await;
    let store = world.store();
    let (hr, files) = (sync("hr"), [ledger_row("").file]);
    assert_eq!(store.committed(&hr, "one").await.unwrap(), None);
    assert_eq!(store.last(&hr).await.unwrap(), None);
    assert_eq!(store.imported(&hr, &files).await.unwrap(), []);
    assert_eq!(store.unfinished(&hr).await.unwrap(), []);
    assert!(store.deactivated(&hr).await.unwrap().try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(store.check(&claim("hr", Action::Mirror, &[])).await.is_ok());
    assert_eq!(world.query("select count(*) || '' from sqlite_schema where name like 'usersync%'").await, ["0"]);

    let open = open(store.clone(), &["id", "name"], &[]).await;
    for run in ["one", "two"] {
        open.add(run, &[]).await;
    }
    let found = store.committed(&hr, "one").await.unwrap().unwrap();
    assert_eq!(LedgerRow { committed: jiff::Timestamp::UNIX_EPOCH, ..found.clone() }, ledger_row("one"));
    assert!(jiff::Timestamp::now().duration_since(found.committed).as_secs() < 3600);
    let names_of = |rows: Vec<LedgerRow>| rows.into_iter().map(|row| row.run).collect::<Vec<_>>();
    assert_eq!(names_of(store.imported(&hr, &files).await.unwrap()), ["two"]);
    let other = Stamp { name: "other.csv".into(), ..files[0].clone() };
    assert_eq!(store.imported(&hr, &[other]).await.unwrap(), []);
    assert_eq!(store.last(&hr).await.unwrap().unwrap().run, "two");
    assert_eq!(store.last(&sync("other")).await.unwrap(), None);
    assert_eq!(names_of(store.unfinished(&hr).await.unwrap()), ["one", "two"]);
    store.close(&hr, "one", OpenStep::Archive).await.unwrap();
    assert_eq!(store.committed(&hr, "one").await.unwrap().unwrap().open, [OpenStep::Publish]);
    store.close(&hr, "one", OpenStep::Publish).await.unwrap();
    assert_eq!(names_of(store.unfinished(&hr).await.unwrap()), ["two"]);

    let mut apply = open.begin().await;
    apply.add(&rows(2, &[&[Some("1"), None]])).await.unwrap();
    let twice = apply.commit(&ledger_row("one")).await.unwrap_err();
    assert!(matches!(&twice, StoreError::Failed(m) if m.contains("committed already")), "{twice}");
    assert!(open.all().await.is_empty());
}

#[tokio::test]
async fn of_each_file_the_newest_run_is_found() {
    let world = World::new("create table users (id text primary key)").await;
    let open = open(world.store(), &["id"], &[]).await;
    let (store, hr) = (&open.store, sync("hr"));
    let file = |name: &str, size| Stamp { name: name.into(), size, ..ledger_row("").file };
    let (a, longer, later, b) = (
        file("a.csv", 1),
        file("a.csv", 2),
        Stamp { mtime: "2026-11-23T00:00:00Z".parse().unwrap(), ..file("a.csv", 1) },
        file("ü 'b\".csv", 1),
    );
    let committed = [("1", &a), ("2", &longer), ("3", &a), ("4", &later), ("5", &b), ("6", &a), ("7", &longer)];
    for (run, file) in committed {
        open.begin().await.commit(&LedgerRow { file: file.clone(), ..ledger_row(run) }).await.unwrap();
    }
    let runs = |rows: Vec<LedgerRow>| rows.into_iter().map(|row| row.run).collect::<Vec<_>>();
    // The order is that of the commits, also when the clock was set back meanwhile.
    world.sql("update usersync_ledger set committed = '2020-01-01T00:00:00.000Z' where run in ('6', '7')").await;
    assert_eq!(runs(store.imported(&hr, &[b.clone(), a.clone(), longer.clone()]).await.unwrap()), ["7", "6", "5"]);
    assert_eq!(runs(store.imported(&hr, &[later, file("b.csv", 1), file("a.csv", 3)]).await.unwrap()), ["4"]);
    assert_eq!(store.last(&hr).await.unwrap().unwrap().run, "7");
    assert_eq!(store.imported(&hr, &[]).await.unwrap(), []);
    assert_eq!(store.imported(&sync("other"), &[a, longer]).await.unwrap(), []);
    let many: Vec<_> = (0..10_000).map(|n| file(&format!("{n}.csv"), 1)).chain([b]).collect();
    assert_eq!(runs(store.imported(&hr, &many).await.unwrap()), ["5"]);
}

#[tokio::test]
async fn of_old_runs_the_newest_of_each_file_name_stays() {
    let world = World::new("create table users (id text primary key)").await;
    let store = world.store();
    for name in ["hr", "other"] {
        let fence = store.open(&claim(name, Action::Upsert, &[])).await.unwrap();
        let layout = layout(&store.inspect().await.unwrap(), &["id"]);
        for (run, file, size) in [("1", "a.csv", 1), ("2", "a.csv", 2), ("3", "b.csv", 1), ("4", "a.csv", 2)] {
            let stamp = Stamp { name: file.into(), size, ..ledger_row("").file };
            let apply = store.begin(&fence, &layout, &scope(&[])).await.unwrap();
            apply.commit(&LedgerRow { file: stamp, ..ledger_row(run) }).await.unwrap();
        }
    }
    let age = |days, runs| {
        format!(
            "update usersync_ledger set committed = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{days} days') \
             where sync = 'hr' and run in ({runs})"
        )
    };
    let kept = async |sql: String| {
        world.sql(&sql).await;
        store.open(&claim("hr", Action::Upsert, &[])).await.unwrap();
        world.query("select sync || run from usersync_ledger order by id").await.concat()
    };
    let other = "other1other2other3other4";
    assert_eq!(kept(age(399, "'1', '2', '3', '4'")).await, format!("hr1hr2hr3hr4{other}"));
    assert_eq!(kept(age(401, "'1', '3'")).await, format!("hr2hr3hr4{other}"));
    assert_eq!(kept(age(4000, "'2', '3', '4'")).await, format!("hr3hr4{other}"));
}

#[tokio::test]
async fn who_was_deactivated_is_remembered_until_set_back() {
    let world = World::new(
        "create table users (id text primary key, active boolean);
         insert into users values ('1', true), ('2', true), ('3', true), ('4', true)",
    )
    .await;
    let open = open(world.store(), &["id", "active"], &[]).await;
    let known = || async {
        let batches: Vec<Rows> = open.store.deactivated(&sync("hr")).await.unwrap().try_collect().await.unwrap();
        let mut keys = Vec::new();
        for row in batches.iter().flat_map(Rows::iter) {
            assert!(row.get(1).unwrap().parse::<i64>().unwrap() < 3600);
            keys.push(row.get(0).unwrap().to_owned());
        }
        keys.sort();
        keys
    };
    let set =
        |kind, id, from: &'static str, to: &'static str| change(kind, &[Some(id), Some(from)], &[Some(id), Some(to)]);
    let off: Vec<Change> = ["1", "2", "3", "4"].map(|id| set(ChangeKind::Deactivate, id, "true", "false")).into();
    assert_eq!(open.change("one", ChangeKind::Deactivate, &off).await.unwrap(), []);
    assert_eq!(known().await, ["1", "2", "3", "4"]);
    open.change("two", ChangeKind::Restore, &[set(ChangeKind::Restore, "1", "false", "true")]).await.unwrap();
    open.change("three", ChangeKind::Delete, &[change(ChangeKind::Delete, &[Some("2"), Some("false")], &[])])
        .await
        .unwrap();
    let mut apply = open.begin().await;
    apply.forget(&["3".to_owned()]).await.unwrap();
    apply.commit(&ledger_row("four")).await.unwrap();
    assert_eq!(known().await, ["4"]);
    assert_eq!(world.query("select id || active from users").await, ["11", "30", "40"]);
}

#[tokio::test]
async fn dropped_without_commit_leaves_nothing() {
    let world =
        World::new("create table users (id text primary key, name text); insert into users values ('1', 'a')").await;
    let open = open(world.store(), &["id", "name"], &[]).await;
    let mut apply = open.begin().await;
    apply.add(&rows(2, &[&[Some("2"), None]])).await.unwrap();
    apply.change(ChangeKind::Delete, &[change(ChangeKind::Delete, &[Some("1"), Some("a")], &[])]).await.unwrap();
    assert_eq!(open.all().await, [row(&[Some("1"), Some("a")])], "readers see the old state");
    drop(apply);
    // Waits for the lock that the dropped one gives up.
    open.begin().await.rollback().await.unwrap();
    assert_eq!(world.query("select id from users").await, ["1"]);
    assert_eq!(open.store.last(&sync("hr")).await.unwrap(), None);
}

#[tokio::test]
async fn read_only_serves_simulations_alone() {
    let world =
        World::new("create table users (id text primary key, name text); insert into users values ('1', 'a')").await;
    let store = world.with("?mode=ro", "users").unwrap();
    let layout = layout(&store.inspect().await.unwrap(), &["id", "name"]);
    assert_eq!(scan(&store, &layout, &[]).await, [row(&[Some("1"), Some("a")])]);
    let denied = store.open(&claim("hr", Action::Upsert, &[])).await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied(_)), "{denied}");
}

#[tokio::test]
async fn the_embedded_database_is_made_and_widened() {
    let world = World { folder: tempfile::tempdir().unwrap(), lock: Duration::from_secs(20) };
    let columns = ["id", "name", "born", "active"];
    let simulated = world.embedded(&columns, false);
    let planned = simulated.inspect().await.unwrap();
    let shape = layout(&planned, &columns);
    assert!(scan(&simulated, &shape, &[]).await.is_empty());
    assert!(simulated.check(&claim("hr", Action::Mirror, &[])).await.is_ok());
    assert_eq!(simulated.last(&sync("hr")).await.unwrap(), None);
    let denied = simulated.open(&claim("hr", Action::Upsert, &[])).await.unwrap_err();
    assert!(matches!(denied, StoreError::Denied(_)), "{denied}");
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), 0, "a simulation makes no file");

    let first = open(world.embedded(&columns, true), &columns, &[]).await;
    assert_eq!(first.store.inspect().await.unwrap(), planned, "made as it was shown");
    first.add("one", &[&[Some("007"), Some("1.50"), Some("2026-11-22"), Some("true")]]).await;
    assert_eq!(world.query("pragma journal_mode").await, ["wal"]);

    let wider = ["id", "name", "born", "active", "salary"];
    let shown = world.embedded(&wider, false);
    let planned = shown.inspect().await.unwrap();
    let expected = [row(&[Some("007"), Some("1.50"), Some("2026-11-22"), Some("true"), None])];
    assert_eq!(scan(&shown, &layout(&planned, &wider), &[]).await, expected);
    assert_eq!(world.query("select count(*) || '' from pragma_table_xinfo('users')").await, ["4"], "only shown");
    let second = open(world.embedded(&wider, true), &wider, &[]).await;
    assert_eq!(second.store.inspect().await.unwrap(), planned);
    assert_eq!(second.all().await, expected);
    assert_eq!(second.add("two", &[&[Some("8"), None, None, None, Some("1.5")]]).await, []);
}
