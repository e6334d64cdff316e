//! Every ordinary type of a column: users are added with it, found unchanged whatever the spelling, updated, and refused.

use serde_json::json;
use usersync::{
    api::Mode,
    model::{counts::Counts, reason::Reason},
};

use crate::{
    on_each_database,
    place::Place,
    support::{
        bench::{Bench, Database},
        mariadb,
    },
};

on_each_database! {
    each_type_is_added_unchanged_updated_and_refused
}

/// What no text may have in it.
const NUL: &str = "a\0b";

/// A column's type and what a file may say of it.
struct Case {
    kind: &'static str,
    /// A first value.
    one: &'static str,
    /// Another one.
    two: &'static str,
    /// The same as the second one, written otherwise.
    alike: &'static str,
    /// What the second one is to the database: a condition on the column `v`.
    stored: &'static str,
    /// What is no value of it.
    bad: &'static str,
}

const fn case(
    kind: &'static str,
    one: &'static str,
    two: &'static str,
    alike: &'static str,
    stored: &'static str,
    bad: &'static str,
) -> Case {
    Case { kind, one, two, alike, stored, bad }
}

const POSTGRES: &[Case] = &[
    case("text", "a", "ü€ 'x' \\N", "ü€ 'x' \\N", "v = 'ü€ ''x'' \\N'", NUL),
    case("varchar(5)", "a", "äöüß€", "äöüß€", "v = 'äöüß€'", "sechs!"),
    case("char(5)", "a", "ab", "ab   ", "v = 'ab'", "sechs!"),
    case("citext", "a", "Ada", "Ada", "v::text = 'Ada'", NUL),
    case("smallint", "-1", "7", "+007", "v = 7", "32768"),
    case("integer", "1", "-2147483648", "-2147483648", "v = -2147483648", "2147483648"),
    case("bigint", "1", "9007199254740993", "9007199254740993", "v = 9007199254740993", "1.5"),
    case(
        "numeric",
        "1",
        "0.1000000000000000000001",
        "0.10000000000000000000010",
        "v = 0.1000000000000000000001",
        "1,5",
    ),
    case("numeric(8,2)", "1", "1200.5", "1200.499", "v = 1200.5", "1000000"),
    case("real", "1", "0.1", "1e-1", "v = 0.1::real", "1e39"),
    case("double precision", "1", "0.1", "0.10000000000000000555", "v = 0.1", "zero"),
    case("boolean", "no", "true", "YES", "v", "maybe"),
    case("date", "2026-01-01", "2026-02-28", "2026-02-28T00:00:00Z", "v = '2026-02-28'", "2026-02-30"),
    case("time", "00:00", "23:59:59.5", "23:59:59.500", "v = '23:59:59.5'", "25:00"),
    case(
        "timestamp",
        "2026-01-01",
        "2026-11-22T14:03:00.25",
        "2026-11-22 14:03:00.250",
        "v = '2026-11-22 14:03:00.25'",
        "soon",
    ),
    case(
        "timestamp(0)",
        "2026-01-01",
        "2026-11-22T14:03:01",
        "2026-11-22T14:03:00.9",
        "v = '2026-11-22 14:03:01'",
        "soon",
    ),
    case(
        "timestamptz",
        "2026-01-01",
        "2026-11-22T14:03:00Z",
        "2026-11-22T15:03:00+01:00",
        "v = '2026-11-22 14:03:00+00'",
        "soon",
    ),
    case(
        "uuid",
        "00000000-0000-0000-0000-000000000001",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
        "v = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
        "6ba7b810",
    ),
    case(
        "json",
        "{}",
        r#"{"a":1,"b":[true,null]}"#,
        r#"{ "b": [true, null], "a": 1.0 }"#,
        "v::jsonb = '{\"a\":1,\"b\":[true,null]}'",
        "{a:1}",
    ),
    case("jsonb", "[]", r#"{"a":1.50}"#, r#"{"a":1.5}"#, "v = '{\"a\":1.5}'", "{"),
    case("mood", "sad", "ok", "ok", "v = 'ok'", "happy"),
    case(
        "text[]",
        "{}",
        r#"{red,"dark green",NULL,""}"#,
        r#"["red", "dark green", null, ""]"#,
        "v = array['red', 'dark green', null, '']",
        "red",
    ),
    case("varchar(3)[]", "{a}", "{a,b}", "{ \"a\" , b }", "v = array['a', 'b']::varchar[]", "{long}"),
    case("bytea", "\\x", "\\x00ff27", "\\x00FF27", "v = '\\x00ff27'", "00ff"),
    case("short", "a", "abc", "abc", "v = 'abc'", "abcd"),
    case("positive", "1", "42", "042", "v = 42", "-1"),
    case("integer check (v > 0)", "1", "2", "2", "v = 2", "-1"),
    case("text unique", "a", "b", "b", "v = 'b'", "taken"),
    case("text collate \"C\"", "a", "é", "é", "v = 'é'", NUL),
];

const MARIADB: &[Case] = &[
    case("varchar(5)", "a", "äöüß€", "äöüß€", "v = 'äöüß€'", "sechs!"),
    case("char(5)", "a", "ab", "ab   ", "v = 'ab'", "sechs!"),
    case("text", "a", "ü€ 'x' \\N", "ü€ 'x' \\N", "v = concat('ü€ ''x'' ', char(92), 'N')", NUL),
    case("tinytext", "a", "b", "b", "v = 'b'", NUL),
    case("varchar(5) character set latin1", "a", "ä", "ä", "v = 'ä'", "中"),
    case("tinyint", "1", "-7", "-007", "v = -7", "128"),
    case("smallint unsigned", "1", "65535", "65535", "v = 65535", "-1"),
    case("mediumint", "1", "8388607", "+8388607", "v = 8388607", "8388608"),
    case("int", "1", "-2147483648", "-2147483648", "v = -2147483648", "1.5"),
    case(
        "bigint unsigned",
        "1",
        "18446744073709551615",
        "18446744073709551615",
        "v = 18446744073709551615",
        "18446744073709551616",
    ),
    case("decimal(8,2)", "1", "1200.5", "1200.499", "v = 1200.5", "1000000"),
    case("float", "1", "0.1", "1e-1", "abs(v - 0.1) < 1e-7", "1e39"),
    case("double", "1", "0.1", "0.10000000000000000555", "v = 0.1e0", "zero"),
    case("boolean", "no", "true", "YES", "v = 1", "maybe"),
    case("bit(1)", "no", "true", "on", "v = b'1'", "maybe"),
    case("date", "2026-01-01", "2026-02-28", "2026-02-28T00:00:00Z", "v = '2026-02-28'", "2026-02-30"),
    case("time(1)", "00:00", "23:59:59.5", "23:59:59.500", "v = '23:59:59.5'", "25:00"),
    case(
        "datetime(2)",
        "2026-01-01",
        "2026-11-22T14:03:00.25",
        "2026-11-22 14:03:00.250",
        "v = '2026-11-22 14:03:00.25'",
        "soon",
    ),
    case(
        "timestamp null",
        "2026-01-01",
        "2026-11-22T14:03:00Z",
        "2026-11-22T15:03:00+01:00",
        "v = timestamp'2026-11-22 14:03:00'",
        "2226-01-01",
    ),
    case("year", "2025", "2026", "2026", "v = 2026", "1800"),
    case(
        "uuid",
        "00000000-0000-0000-0000-000000000001",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
        "v = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
        "6ba7b810",
    ),
    case(
        "json",
        "{}",
        r#"{"a":1,"b":[true,null]}"#,
        r#"{ "b": [true, null], "a": 1.0 }"#,
        "json_extract(v, '$.a') = 1",
        "{a:1}",
    ),
    case("enum('sad','ok')", "sad", "ok", "ok", "v = 'ok'", "happy"),
    case("varbinary(3)", "\\x", "\\x00ff27", "\\x00FF27", "v = x'00ff27'", "\\x00112233"),
    case("binary(3)", "\\x000000", "\\x00ff27", "\\x00FF27", "v = x'00ff27'", "\\x00112233"),
    case("blob", "\\x", "\\x00ff27", "\\x00FF27", "v = x'00ff27'", "00ff"),
    case("int check (v > 0)", "1", "2", "2", "v = 2", "-1"),
    case("varchar(9) unique", "a", "b", "b", "v = 'b'", "taken"),
];

const SQLITE: &[Case] = &[
    case("text", "a", "ü€ 'x' \\N", "ü€ 'x' \\N", "v = 'ü€ ''x'' \\N'", NUL),
    case("varchar(80) collate nocase", "a", "Ada", "Ada", "v = 'Ada' collate binary", NUL),
    case("integer", "1", "9007199254740993", "+9007199254740993", "v = 9007199254740993", "1.5"),
    case("numeric", "1", "1.5", "1.50", "v = 1.5", "1,5"),
    case("decimal(8,2)", "1", "1200.5", "1200.5", "v = 1200.5", "x"),
    case("real", "1", "0.1", "1e-1", "v = 0.1", "zero"),
    case("boolean", "no", "true", "YES", "v = 1", "maybe"),
    case("date", "2026-01-01", "2026-02-28", "2026-02-28T00:00:00Z", "v = '2026-02-28'", "2026-02-30"),
    case("time", "00:00", "23:59:59.5", "23:59:59.500", "v = '23:59:59.5'", "25:00"),
    case(
        "datetime",
        "2026-01-01",
        "2026-11-22T14:03:00.25",
        "2026-11-22 14:03:00.250",
        "v like '2026-11-22%14:03:00.25%'",
        "soon",
    ),
    case(
        "uuid",
        "00000000-0000-0000-0000-000000000001",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
        "v = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
        "6ba7b810",
    ),
    case("json", "{}", r#"{"a":1,"b":[true,null]}"#, r#"{ "b": [true, null], "a": 1.0 }"#, "v ->> 'a' = 1", "{a:1}"),
    case("blob", "\\x", "\\x00ff27", "\\x00FF27", "v = x'00ff27'", "00ff"),
    case("integer check (v > 0)", "1", "2", "2", "v = 2", "-1"),
    case("text unique", "a", "b", "b", "v = 'b'", "taken"),
];

async fn each_type_is_added_unchanged_updated_and_refused(place: Place) {
    let cases = match place.database {
        Database::Postgres(_) => POSTGRES,
        Database::Mariadb(_) => MARIADB,
        Database::Sqlite => SQLITE,
    };
    let folder = tempfile::tempdir().unwrap();
    let spec = json!({
        "source": {"directory": {"path": "inbox"}, "files": "users.csv", "stableFor": "0s", "afterImport": {"keep": {}}},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "v"}]},
        "safeguards": {"maxRejected": "100%"},
        "target": {},
    });
    let bench = place.bench(folder.path(), spec).await;
    if let Database::Postgres(_) = place.database {
        bench.execute("create extension if not exists citext").await;
        bench.execute("create type mood as enum ('sad', 'ok')").await;
        bench.execute("create domain short as varchar(3)").await;
        bench.execute("create domain positive as integer check (value > 0)").await;
    }
    // MySQL has no such type, and minds such rules from 8.0.16 on only.
    let is_mysql = mariadb::is_mysql() && matches!(place.database, Database::Mariadb(_));
    let has = |case: &&Case| !is_mysql || case.kind != "uuid" && !case.kind.contains("check");
    for case in cases.iter().filter(has) {
        try_case(&bench, case, matches!(place.database, Database::Mariadb(_))).await;
        bench.execute("drop table users").await;
    }
}

async fn try_case(bench: &Bench, case: &Case, mariadb: bool) {
    let Case { kind, one, two, alike, stored, bad } = case;
    bench.execute(&format!("create table users (id varchar(20) not null primary key, v {kind})")).await;
    if *bad == "taken" {
        bench.execute("insert into users values ('T', 'taken')").await;
    }
    let import = async |rows: &[[&str; 2]], expected: Counts| {
        let rows: Vec<_> = rows.iter().map(|row| row.map(str::to_owned)).collect();
        bench.write_csv("users.csv", &["id", "v"], &rows);
        let report = bench.run(Mode::Import).await.report;
        let reason = if expected.rejected == 0 { Reason::Completed } else { Reason::CompletedWithRejects };
        let expected = Counts { read: rows.len() as u64, ..expected };
        assert_eq!((report.reason, report.counts), (reason, expected), "{kind}, {rows:?}: {report:?}");
    };
    let counts = Counts { rejected: 1, ..Counts::default() };

    // Somebody without a value, somebody with the first one, and one who can't be had.
    let first = [["N", ""], ["E", one], ["B", bad]];
    import(&first, Counts { added: 2, ..counts }).await;
    // The same again is nothing, also for one who would get what can't be had.
    import(&first, Counts { unchanged: 2, ..counts }).await;
    import(&[["E", two], ["N", bad]], Counts { updated: 1, ..counts }).await;
    let found = bench.rows(&format!("select id from users where {stored} and id = 'E'")).await;
    assert_eq!(found.len(), 1, "{kind}: the database has {:?}", stored_text(bench, mariadb).await);
    import(&[["E", alike]], Counts { unchanged: 1, ..Counts::default() }).await;
    // Whoever had nothing gets it, and loses it no more by an empty cell.
    let second = if kind.contains("unique") { "c" } else { two };
    import(&[["N", second], ["E", ""]], Counts { updated: 1, unchanged: 1, ..Counts::default() }).await;
}

async fn stored_text(bench: &Bench, mariadb: bool) -> Vec<Vec<Option<String>>> {
    let kind = if mariadb { "char" } else { "text" };
    bench.rows(&format!("select id, cast(v as {kind}) from users order by id")).await
}
