//! The engine against a naive model, on random tables, files, modes, scopes and policies: same table after, counts add
//! up, a simulation plans what the import does, a second run finds all unchanged, nothing outside the scope or in
//! protected columns is touched. On SQLite, PostgreSQL and MariaDB.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use support::{
    bench::{Bench, Database},
    mariadb, postgres,
};
use usersync::{
    api::{Action, ConflictMode, Mode, PropertyPolicy},
    model::{counts::Counts, reason::Reason},
};

/// A user's row but for scope and key: email, city, level, note (not mapped), secret (protected), active.
type Cells = Vec<Option<String>>;
/// Users by (org, id).
type Table = BTreeMap<(String, String), Cells>;

const COLUMNS: [&str; 6] = ["email", "city", "level", "note", "secret", "active"];

#[derive(Clone, Debug)]
struct Case {
    table: Table,
    file: Vec<[String; 5]>,
    conflict: ConflictMode,
    action: Action,
    deactivate: bool,
    scoped: bool,
    key_in_scope: bool,
    city_on_create: bool,
    email_required: bool,
}

fn cell(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(values).prop_map(str::to_owned)
}

fn stored(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(cell(values))
}

fn user() -> impl Strategy<Value = ((String, String), Cells)> {
    let key = (cell(&["acme", "other"]), cell(&["E1", "E2", "E3", "E4", "e1", "007"]));
    let cells = (
        stored(&["a@x", "b@x", ""]),
        stored(&["Rome", "Zürich", "O'Hare \\ \"q\""]),
        stored(&["1", "7", "-3"]),
        stored(&["n"]),
        stored(&["s"]),
        cell(&["true", "false"]).prop_map(Some),
    );
    (key, cells.prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]))
}

fn row() -> impl Strategy<Value = [String; 5]> {
    (
        cell(&["E1", "E2", "E3", "E4", "E5", "e1", "007", "7", ""]),
        cell(&["a@x", "b@x", " c@x ", ""]),
        cell(&["Rome", "Zürich", "O'Hare \\ \"q\"", "two\nlines", ""]),
        cell(&["1", "007", "+7", "-3", "x", ""]),
        cell(&["employee", "employee", "employee", "guest"]),
    )
        .prop_map(|(a, b, c, d, e)| [a, b, c, d, e])
}

fn case() -> impl Strategy<Value = Case> {
    let modes = (
        prop::sample::select(vec![ConflictMode::Update, ConflictMode::Replace, ConflictMode::Skip]),
        prop::sample::select(vec![Action::Upsert, Action::Delete, Action::Mirror]),
    );
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (prop::collection::vec(user(), 0..8), prop::collection::vec(row(), 0..10), modes, flags).prop_map(
        |(users, file, (conflict, action), (deactivate, scoped, key_in_scope, city_on_create, email_required))| {
            let mut table = Table::new();
            for ((org, id), cells) in users {
                let taken = !(scoped && key_in_scope) && table.keys().any(|(_, other)| *other == id);
                if !taken {
                    table.insert((org, id), cells);
                }
            }
            let key_in_scope = scoped && key_in_scope;
            Case { table, file, conflict, action, deactivate, scoped, key_in_scope, city_on_create, email_required }
        },
    )
}

/// What a run must come to.
#[derive(Debug, PartialEq)]
struct Expected {
    table: Table,
    counts: Counts,
    held: bool,
}

fn trimmed(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The rows that count: accepted users by id, and the ids of rejected rows.
fn accepted(case: &Case, counts: &mut Counts) -> (Vec<(String, Cells)>, BTreeSet<String>, bool) {
    let (mut users, mut seen, mut unreadable) = (Vec::new(), BTreeSet::new(), false);
    for [id, email, city, level, kind] in &case.file {
        counts.read += 1;
        let Some(id) = trimmed(id) else {
            if kind == "guest" {
                counts.filtered += 1;
            } else {
                counts.rejected += 1;
                unreadable = true;
            }
            continue;
        };
        let number = trimmed(level).map(|level| level.parse::<i64>().map(|n| n.to_string()));
        let bad = case.action != Action::Delete
            && (case.email_required && trimmed(email).is_none() || matches!(number, Some(Err(_))));
        if kind == "guest" {
            counts.filtered += 1;
        } else if !seen.insert(id.clone()) || bad {
            counts.rejected += 1;
        } else {
            users.push((id, vec![trimmed(email), trimmed(city), number.and_then(Result::ok)]));
        }
    }
    (users, seen, unreadable)
}

fn expected(case: &Case) -> Expected {
    let mut counts = Counts::default();
    let (users, seen, unreadable) = accepted(case, &mut counts);
    let mut table = case.table.clone();
    let ours = |(org, _): &(String, String)| !case.scoped || org == "acme";
    let find = |table: &Table, id: &str| table.keys().find(|key| ours(key) && key.1 == id).cloned();
    let inactive = |cells: &Cells| case.deactivate && cells[5].as_deref() == Some("false");
    for (id, new) in &users {
        let Some(key) = find(&table, id) else {
            match case.action {
                Action::Delete => counts.unchanged += 1,
                _ if !case.key_in_scope && table.keys().any(|key| key.1 == *id) => counts.rejected += 1,
                _ => {
                    let org = if case.scoped { "acme" } else { "" };
                    let cells = [new.clone(), vec![None, None, Some("true".to_owned())]].concat();
                    table.insert((org.to_owned(), id.clone()), cells);
                    counts.added += 1;
                }
            }
            continue;
        };
        let old = table[&key].clone();
        let mut now = old.clone();
        match (case.action, case.conflict) {
            (Action::Delete, _) if inactive(&old) => counts.unchanged += 1,
            (Action::Delete, _) => counts.removed += 1,
            (_, ConflictMode::Skip) => counts.skipped += 1,
            (_, conflict) => {
                for (at, value) in new.iter().enumerate().filter(|(at, _)| !(*at == 1 && case.city_on_create)) {
                    if value.is_some() || conflict == ConflictMode::Replace {
                        now[at].clone_from(value);
                    }
                }
                if conflict == ConflictMode::Replace {
                    now[3] = None;
                    if !case.deactivate {
                        now[5] = Some("true".to_owned());
                    }
                }
                *(if now == old { &mut counts.unchanged } else { &mut counts.updated }) += 1;
            }
        }
        if case.action == Action::Delete && !inactive(&old) {
            remove(case, &mut table, &key);
        } else {
            table.insert(key, now);
        }
    }
    if case.action == Action::Mirror {
        let absent: Vec<_> = case.table.iter().filter(|(key, _)| ours(key) && !seen.contains(&key.1)).collect();
        for (key, _) in absent.into_iter().filter(|(_, cells)| !inactive(cells)) {
            counts.removed += 1;
            remove(case, &mut table, key);
        }
    }
    let held = case.action == Action::Mirror && unreadable && counts.removed > 0;
    if held {
        table.clone_from(&case.table);
    }
    Expected { table, counts, held }
}

fn remove(case: &Case, table: &mut Table, key: &(String, String)) {
    if case.deactivate {
        table.get_mut(key).unwrap()[5] = Some("false".to_owned());
    } else {
        table.remove(key);
    }
}

fn manifest(case: &Case) -> serde_json::Value {
    let mut spec = serde_json::json!({
        "source": {
            "directory": {"path": "inbox"},
            "files": "users.csv",
            "stableFor": "0s",
            "afterImport": {"keep": {}},
        },
        "mapping": {
            "userId": {"column": "id"},
            "properties": [
                {"property": "email", "required": case.email_required},
                {"property": "city", "policy": if case.city_on_create { PropertyPolicy::OnCreate } else { PropertyPolicy::Always }},
                {"property": "level"},
            ],
            "filter": "row['type'] == 'employee'",
        },
        "conflictMode": case.conflict,
        "action": case.action,
        "safeguards": {"maxRemovals": "100%", "maxEmptied": "100%", "maxRejected": "100%", "minRows": 0},
        "target": {"protectedColumns": ["secret", "org"]},
    });
    if case.scoped {
        spec["target"]["scope"] = serde_json::json!({"org": "acme"});
        spec["target"]["protectedColumns"] = serde_json::json!(["secret"]);
    }
    if case.deactivate {
        spec["removal"] =
            serde_json::json!({"policy": "Deactivate", "set": {"active": "false"}, "restore": {"active": "true"}});
    }
    spec
}

fn create(case: &Case, database: &Database) -> Vec<String> {
    let unique = if case.key_in_scope { "org, id" } else { "id" };
    // MariaDB's index needs a length, and its default collation takes `e1` for `E1`.
    let text = match database {
        Database::Mariadb(_) => "varchar(80) character set utf8mb4 collate utf8mb4_bin",
        _ => "text",
    };
    let mut statements = vec![
        format!(
            "create table users (org {text} not null default '', id {text} not null, email {text}, city {text}, \
             level integer, note {text}, secret {text}, active varchar(5) not null default 'true')"
        ),
        format!("create unique index users_key on users ({unique})"),
    ];
    // In MariaDB's default mode a backslash escapes.
    let escaped = |text: &str| match database {
        Database::Mariadb(_) => text.replace('\\', "\\\\"),
        _ => text.to_owned(),
    };
    let literal = |cell: &Option<String>| match cell {
        Some(text) => format!("'{}'", escaped(text).replace('\'', "''")),
        None => "null".to_owned(),
    };
    for ((org, id), cells) in &case.table {
        let cells: Vec<_> = cells.iter().map(literal).collect();
        statements.push(format!("insert into users values ('{org}', '{id}', {})", cells.join(", ")));
    }
    statements
}

async fn table(bench: &Bench) -> Table {
    let columns: Vec<_> = COLUMNS.iter().map(|column| format!("cast({column} as {})", bench.text())).collect();
    let rows = bench.rows(&format!("select org, id, {} from users", columns.join(", "))).await;
    rows.into_iter()
        .map(|mut row| {
            let cells = row.split_off(2);
            ((row[0].clone().unwrap(), row[1].clone().unwrap()), cells)
        })
        .collect()
}

async fn check(case: &Case, database: Database) -> Result<(), TestCaseError> {
    let statements = create(case, &database);
    let bench = Bench::new(database, manifest(case)).await;
    for statement in statements {
        bench.execute(&statement).await;
    }
    bench.write_csv("users.csv", &["id", "email", "city", "level", "type"], &case.file);
    let expected = expected(case);

    let planned = bench.run(Mode::Simulation).await;
    prop_assert_eq!(&table(&bench).await, &case.table, "a simulation wrote");
    let done = bench.run(Mode::Import).await;
    prop_assert_eq!(done.report.reason == Reason::Held, expected.held, "{:?}", done.report);
    prop_assert_eq!(planned.report.reason, done.report.reason, "{:?}\n{:?}", planned.report, done.report);
    prop_assert_eq!(done.report.counts, expected.counts, "{:?}", done.report);
    prop_assert_eq!(planned.report.counts, done.report.counts);
    prop_assert_eq!(bench.records(&planned), bench.records(&done), "simulation and import differ");
    prop_assert_eq!(&table(&bench).await, &expected.table);

    if !expected.held {
        let again = bench.run(Mode::Import).await.report;
        prop_assert_eq!((again.counts.added, again.counts.updated, again.counts.removed), (0, 0, 0), "{:?}", again);
        prop_assert_eq!(&table(&bench).await, &expected.table, "a second run changed something");
    }
    Ok(())
}

fn compare_with_model(cases: u32, database: impl Fn() -> Database) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |case| runtime.block_on(check(&case, database()));
    TestRunner::new(config).run(&case(), run).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn sqlite_does_what_the_model_does() {
    compare_with_model(150, || Database::Sqlite);
}

#[test]
fn postgres_does_what_the_model_does() {
    let server = postgres::Server::shared();
    compare_with_model(60, || Database::Postgres(server.create_database()));
}

#[test]
fn mariadb_does_what_the_model_does() {
    let server = mariadb::Server::shared();
    compare_with_model(60, || Database::Mariadb(server.create_database()));
}

#[test]
fn the_model_itself_tells_removal_policies_apart() {
    let mut table = Table::new();
    table.insert(("acme".to_owned(), "E1".to_owned()), vec![None, None, None, None, None, Some("true".to_owned())]);
    let case = Case {
        table,
        file: Vec::new(),
        conflict: ConflictMode::Update,
        action: Action::Mirror,
        deactivate: false,
        scoped: false,
        key_in_scope: false,
        city_on_create: false,
        email_required: false,
    };
    assert!(expected(&case).table.is_empty());
    let kept = expected(&Case { deactivate: true, ..case });
    assert_eq!(kept.table.values().next().unwrap()[5].as_deref(), Some("false"));
    assert_eq!(kept.counts.removed, 1);
}
