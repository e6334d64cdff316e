//! The table's description, and values on their way there and back.

use usersync::{
    model::{
        change::ChangeKind,
        column::{Case, ColumnDefault, ColumnType},
        plan::Role,
    },
    ports::{StoreError, UserStore as _},
};

use super::bench::*;

#[tokio::test]
async fn a_table_is_described() {
    let bench = Bench::new(
        "create table users (id varchar(80) primary key, nick varchar(40) character set latin1 collate latin1_swedish_ci unique, \
         code char(3) default 'ab', exact_code varchar(9) collate utf8mb4_nopad_bin, tiny tinyint, small smallint unsigned, \
         big bigint default -5, huge bigint unsigned, amount decimal(10,2) default 1.50, f float, f2 float(7,2), d double, \
         active boolean not null default true, flag bit(1) default b'1', flags bit(8), born date default '2020-01-01', \
         wake time(3), seen datetime(3), made timestamp default current_timestamp, joined year, token uuid default uuid(), \
         extra json default '{}', photo blob, hash binary(4), m enum('sad','o''k') default 'sad', tags set('a','b'), \
         n int not null auto_increment unique, full_name varchar(99) generated always as (concat(id, '!')) stored, \
         virt int as (1 + 1), org varchar(20), empty varchar(9) default null, it varchar(9) not null default 'it''s', \
         \"odd\" int, long_text longtext, ip inet6, unique (org, id), unique (long_text(50)), index (big)) \
         character set utf8mb4 collate utf8mb4_unicode_ci"
            .replace("\"odd\"", "`odd ``name`")
            .as_str(),
    )
    .await;
    let table = bench.store.inspect().await.unwrap();
    assert_eq!(table.unique[0], ["id"]);
    let unique = |columns: &[&str]| table.unique.iter().any(|unique| unique == columns);
    assert!(unique(&["nick"]) && unique(&["org", "id"]) && unique(&["n"]) && unique(&["long_text"]), "{table:?}");
    assert_eq!(table.unique.len(), 5, "{:?}", table.unique);
    let text = |max, padded| ColumnType::Text { max, padded, case: Case::Collation };
    let labels = ["sad", "o'k"].map(str::to_owned).to_vec();
    let constant = |value: &str| ColumnDefault::Constant(value.to_owned());
    let integer = |min, max| ColumnType::Integer { min, max };
    use ColumnDefault::{Expression, None as Nothing};
    for (name, kind, nullable, default, generated) in [
        ("id", text(Some(80), false), false, Nothing, false),
        ("nick", text(Some(40), false), true, Nothing, false),
        ("code", text(Some(3), true), true, constant("ab"), false),
        ("exact_code", ColumnType::Text { max: Some(9), padded: false, case: Case::Exact }, true, Nothing, false),
        ("tiny", integer(-128, 127), true, Nothing, false),
        ("small", integer(0, 65_535), true, Nothing, false),
        ("big", integer(i64::MIN, i64::MAX), true, constant("-5"), false),
        ("huge", ColumnType::Decimal { precision: Some(20), scale: Some(0) }, true, Nothing, false),
        ("amount", ColumnType::Decimal { precision: Some(10), scale: Some(2) }, true, constant("1.5"), false),
        ("f", ColumnType::Float { single: true }, true, Nothing, false),
        ("f2", ColumnType::Decimal { precision: Some(7), scale: Some(2) }, true, Nothing, false),
        ("d", ColumnType::Float { single: false }, true, Nothing, false),
        ("active", ColumnType::Boolean, false, constant("true"), false),
        ("flag", ColumnType::Boolean, true, constant("true"), false),
        ("flags", ColumnType::Unsupported, true, Nothing, false),
        ("born", ColumnType::Date, true, constant("2020-01-01"), false),
        ("wake", ColumnType::Time, true, Nothing, false),
        ("seen", ColumnType::Timestamp { zoned: false, digits: 3 }, true, Nothing, false),
        ("made", ColumnType::Timestamp { zoned: true, digits: 0 }, true, Expression, false),
        ("joined", integer(1901, 2155), true, Nothing, false),
        ("token", ColumnType::Uuid, true, Expression, false),
        ("extra", ColumnType::Json { text: true }, true, constant("{}"), false),
        ("photo", ColumnType::Bytes, true, Nothing, false),
        ("hash", ColumnType::Bytes, true, Nothing, false),
        ("m", ColumnType::Enum { labels }, true, constant("sad"), false),
        ("tags", ColumnType::Unsupported, true, Nothing, false),
        ("n", integer(i32::MIN.into(), i32::MAX.into()), false, Expression, false),
        ("full_name", text(Some(99), false), true, Nothing, true),
        ("virt", integer(i32::MIN.into(), i32::MAX.into()), true, Nothing, true),
        ("empty", text(Some(9), false), true, Nothing, false),
        ("it", text(Some(9), false), false, constant("it's"), false),
        ("odd `name", integer(i32::MIN.into(), i32::MAX.into()), true, Nothing, false),
        ("long_text", text(None, false), true, Nothing, false),
        ("ip", ColumnType::Unsupported, true, Nothing, false),
    ] {
        let column = table.column(name).unwrap_or_else(|| panic!("no {name}: {table:?}"));
        let found = (&column.kind, column.nullable, &column.default, column.generated);
        assert_eq!(found, (&kind, nullable, &default, generated), "{name}");
    }
    assert_eq!(table.column("amount").unwrap().sql_type, "decimal(10,2)");
}

/// Column, a value, another one, and one that the server refuses (`-`: there is none that gets this far).
const TYPES: &[(&str, &str, &str, &str)] = &[
    ("varchar(40)", "ü€'\"\t\n\r\\N\\'`%", "😀", "-"),
    ("varchar(3) character set latin1", "ä", "x y", "中"),
    ("char(5)", "ab", "", "-"),
    ("text", "x", "a\u{301}", "-"),
    ("tinytext", "x", "", "LONG"),
    ("tinyint", "-7", "127", "-"),
    ("smallint unsigned", "65535", "0", "-"),
    ("mediumint", "-8388608", "8388607", "-"),
    ("int unsigned zerofill", "42", "4294967295", "-"),
    ("bigint", "9007199254740993", "-9223372036854775808", "-"),
    ("bigint unsigned", "18446744073709551615", "0", "-1"),
    ("decimal(10,2)", "1200.5", "-0.01", "-"),
    ("decimal(65,30)", "12345678901234567890.000000000000000000000000000001", "1", "-"),
    ("float", "0.1", "16777217000", "NaN"),
    ("float(7,2)", "0.1", "12345.5", "-"),
    ("double", "2.5", "1e300", "Infinity"),
    ("boolean", "true", "false", "-"),
    ("bit(1)", "false", "true", "-"),
    ("date", "2026-02-28", "1999-12-31", "infinity"),
    ("time(3)", "23:59:59.5", "00:00:00", "-"),
    ("datetime(6)", "2026-11-22T14:03:00.123456", "1000-01-01T00:00:00", "infinity"),
    ("datetime", "2026-11-22T14:03:00", "2026-11-22T14:03:01", "-"),
    ("timestamp(6) null", "2026-11-22T14:03:00.5Z", "1970-01-01T00:00:01Z", "2226-11-22T14:03:00Z"),
    ("year", "2026", "1901", "-"),
    ("uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "00000000-0000-0000-0000-000000000001", "-"),
    ("json", r#"{"a":1,"b":[null,"x\n",true]}"#, r#""\\""#, "-"),
    ("varbinary(9)", "\\x00ff10275c", "\\x", "\\x00112233445566778899"),
    ("blob", "\\x27", "\\xfb", "-"),
    ("enum('sad','o''k')", "o'k", "sad", "happy"),
];

#[tokio::test]
async fn values_of_each_type_are_added_read_updated_and_refused() {
    let columns: Vec<String> = TYPES.iter().enumerate().map(|(i, (kind, ..))| format!("c{i} {kind}")).collect();
    let bench = Bench::new(&format!("create table users (id varchar(40) primary key, {})", columns.join(", "))).await;
    let names: Vec<String> = (0..TYPES.len()).map(|i| format!("c{i}")).collect();
    let names: Vec<&str> = std::iter::once("id").chain(names.iter().map(String::as_str)).collect();
    let layout = bench.mapped(&names).await;
    let row = |id: &'static str,
               value: fn(&(&'static str, &'static str, &'static str, &'static str)) -> &'static str| {
        std::iter::once(id).chain(TYPES.iter().map(value)).collect::<Vec<&str>>()
    };
    let one = row("E1", |t| t.1);
    let (nulls, two) = (row("E2", |_| "-"), row("E2", |t| t.1));
    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&rows(&[&one, &nulls, &row("E3", |t| t.2)])).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    let found = bench.scan(&layout).await;
    assert_eq!(found, [cells(&one), cells(&nulls), cells(&row("E3", |t| t.2))]);

    // Each value, as it was read, is taken for what is there: nothing is stale, and everything can be changed.
    let mut apply = bench.begin(&layout).await;
    let changes = [update(&one, &row("E1", |t| t.2)), update(&nulls, &two), delete(&row("E3", |t| t.2))];
    assert!(apply.change(changes[0].kind, &changes[..2]).await.unwrap().is_empty());
    assert!(apply.change(changes[2].kind, &changes[2..]).await.unwrap().is_empty());
    bench.commit(apply, "r2").await;
    assert_eq!(bench.scan(&layout).await, [cells(&row("E1", |t| t.2)), cells(&two)]);

    // And each value that the server refuses is a reject of its row alone, added or updated.
    let long = "x".repeat(300);
    let mut bad = Vec::new();
    for (i, (kind, _, _, refused)) in TYPES.iter().enumerate().filter(|(_, t)| t.3 != "-") {
        let mut cells = vec!["-"; names.len()];
        let id: &'static str = format!("R{i}").leak();
        (cells[0], cells[i + 1]) = (id, if *refused == "LONG" { long.as_str() } else { *refused });
        bad.push((i, *kind, cells));
    }
    let mut apply = bench.begin(&layout).await;
    let mut lines: Vec<&[&str]> = bad.iter().map(|(.., cells)| cells.as_slice()).collect();
    let good = row("E4", |t| t.1);
    lines.push(&good);
    let refused = apply.add(&rows(&lines)).await.unwrap();
    assert_eq!(refused.len(), bad.len(), "{refused:?}");
    for (refused, (i, kind, _)) in refused.iter().zip(&bad) {
        assert!(refused.message.contains(&format!("c{i}")), "{kind}: {}", refused.message);
        assert!(!refused.message.contains("at row"), "{}", refused.message);
    }
    let old = row("E1", |t| t.2);
    let mut single = 0;
    for (i, kind, cells) in &bad {
        let mut new = old.clone();
        new[i + 1] = cells[i + 1];
        let refused = apply.change(ChangeKind::Update, &[update(&old, &new)]).await.unwrap();
        assert_eq!(refused.len(), 1, "{kind}");
        single += 1;
    }
    assert!(single > 5);
    bench.commit(apply, "r3").await;
    assert_eq!(bench.scan(&layout).await, [cells(&row("E1", |t| t.2)), cells(&two), cells(&good)]);
}

#[tokio::test]
async fn values_nobody_can_name_are_kept_as_printed_and_still_compare() {
    let bench = Bench::new(
        "set sql_mode = ''; create table users (id varchar(9) primary key, d date, dt datetime, ts timestamp null, t time, \
         b tinyint(1), y year, n int); \
         insert into users values ('a', '0000-00-00', '2026-00-00', '0000-00-00', '-100:00:00', 2, 0, 1)",
    )
    .await;
    let layout = bench.mapped(&["id", "d", "dt", "ts", "t", "b", "y", "n"]).await;
    let old = bench.scan(&layout).await.remove(0);
    let expected = ["a", "0000-00-00", "2026-00-00 00:00:00", "0000-00-00 00:00:00", "-100:00:00", "2", "0000", "1"];
    assert_eq!(old, cells(&expected));
    let mut change = update(&["a"], &["a"]);
    (change.old, change.new) = (old.clone(), old);
    change.new[7] = Some("2".into());
    let mut apply = bench.begin(&layout).await;
    assert!(apply.change(change.kind, std::slice::from_ref(&change)).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.scan(&layout).await, [change.new]);
}

#[tokio::test]
async fn an_empty_value_is_the_column_s_default_where_it_cannot_be_empty() {
    let bench = Bench::new(
        "create table users (id varchar(9) primary key, made datetime not null default current_timestamp, \
         lang varchar(9) not null default 'en', note varchar(9) default 'n')",
    )
    .await;
    let layout = bench.mapped(&["id", "made", "lang", "note"]).await;
    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&rows(&[&["a", "-", "-", "-"]])).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    let sql = "select id, made > '2020-01-01', lang, note is null from users";
    assert_eq!(bench.sql(sql), "a|1|en|1");
}

#[tokio::test]
async fn many_users_come_in_batches() {
    let bench = Bench::new(
        "create table users (id integer primary key, note varchar(100)); \
         insert into users select seq, repeat('x', 100) from seq_1_to_30000",
    )
    .await;
    let layout = bench.mapped(&["id", "note"]).await;
    use futures::TryStreamExt as _;
    let batches: Vec<_> = bench.store.scan(&layout, &bench.scope, None).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches.iter().map(|b: &usersync::model::rows::Rows| b.len()).sum::<usize>(), 30_000);
    assert!(batches.len() >= 3 && batches.iter().all(|b| b.size() < 2 << 20), "{} batches", batches.len());
    // A scan that nobody reads to its end is no harm.
    drop(bench.store.scan(&layout, &bench.scope, None).await.unwrap());
    assert_eq!(bench.scan(&layout).await.len(), 30_000);
}

#[tokio::test]
async fn names_are_used_exactly_as_written() {
    let bench = Bench::new(
        "create table `Staff` (`E-Mail` varchar(80) primary key, `select` varchar(9), `a``b` int); \
         insert into `Staff` values ('a', 'b', 1); create table users (id int primary key); \
         create view seen as select 1 as id; create sequence counted; \
         create table old (id int primary key) engine = MyISAM; create table crash (id int primary key) engine = Aria; \
         create table parted (id int primary key) partition by hash (id) partitions 3",
    )
    .await;
    let named = Store::connect(&target(&bench.url, "Staff")).await.unwrap();
    let bench = Bench { store: named, ..bench };
    let layout = bench.mapped(&["E-Mail", "select", "a`b"]).await;
    assert_eq!(bench.scan(&layout).await, [cells(&["a", "b", "1"])]);
    let mut apply = bench.begin(&layout).await;
    apply.add(&rows(&[&["c", "-", "2"]])).await.unwrap();
    let change = update(&["a", "b", "1"], &["a", "x", "2"]);
    assert!(apply.change(ChangeKind::Update, &[change]).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.scan(&layout).await, [cells(&["a", "x", "2"]), cells(&["c", "-", "2"])]);

    for (table, part) in [
        ("staff", "There is Staff"),
        ("usres", "There is users"),
        ("nothing", "`nothing` (id varchar(190) primary key"),
        ("seen", "seen is a view"),
        ("counted", "no table that lasts"),
        ("old", "engine MyISAM, which has no transactions"),
        ("crash", "engine = InnoDB"),
        ("nowhere.users", "doesn't exist"),
    ] {
        let store = Store::connect(&target(&bench.url, table)).await.unwrap();
        let error = failure(store.inspect().await);
        assert!(matches!(error, StoreError::Invalid(_)) && error.to_string().contains(part), "{table}: {error}");
    }
    let parted = Bench { store: Store::connect(&target(&bench.url, "parted")).await.unwrap(), ..bench };
    let layout = parted.mapped(&["id"]).await;
    let mut apply = parted.begin(&layout).await;
    assert!(apply.add(&rows(&[&["1"], &["2"]])).await.unwrap().is_empty());
    parted.commit(apply, "r2").await;
    assert_eq!(parted.scan(&layout).await.len(), 2);
}

#[tokio::test]
async fn what_is_outside_the_scope_is_not_there() {
    let mut bench = Bench::new(
        "create table users (id varchar(9) collate utf8mb4_unicode_ci primary key, org varchar(9) not null, name varchar(9)); \
         insert into users values ('a', 'acme', 'A'), ('b', 'other', 'B'), ('c', 'acme', 'C'), ('é', 'other', 'E')",
    )
    .await;
    bench.scope = scope(&[("org", "acme")]);
    let layout = bench.mapped(&["id", "name"]).await;
    assert_eq!(bench.scan(&layout).await, [cells(&["a", "A"]), cells(&["c", "C"])]);
    let keys = rows(&[&["a"], &["b"], &["x"], &["B "], &["E"], &["c"]]);
    assert_eq!(bench.store.outside(&layout, &bench.scope, &keys).await.unwrap(), [1, 3, 4]);
    assert!(bench.store.outside(&layout, &scope(&[]), &keys).await.unwrap().is_empty());

    let mut apply = bench.begin(&layout).await;
    assert!(apply.add(&rows(&[&["x", "X"]])).await.unwrap().is_empty());
    assert!(apply.change(ChangeKind::Update, &[update(&["a", "A"], &["a", "2"])]).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(
        bench.sql("select id, org, name from users where id <> 'é' order by 1"),
        "a|acme|2\nb|other|B\nc|acme|C\nx|acme|X"
    );

    // A row outside is never changed, even where all that was compared is equal.
    for change in [update(&["b", "B"], &["b", "2"]), delete(&["b", "B"])] {
        let mut apply = bench.begin(&layout).await;
        assert!(matches!(failure(apply.change(change.kind, &[change]).await), StoreError::Stale(_)));
        apply.rollback().await.unwrap();
    }
    assert_eq!(bench.sql("select count(*) from users where id = 'b' and name = 'B'"), "1");
}

#[tokio::test]
async fn the_same_key_may_stand_in_another_scope_where_the_scope_is_part_of_the_key() {
    let mut bench = Bench::new(
        "create table users (org varchar(9), id varchar(9), name varchar(9) check (name <> 'no'), primary key (org, id)); \
         insert into users values ('other', 'a', 'O')",
    )
    .await;
    bench.scope = scope(&[("org", "acme")]);
    let layout = bench.layout(&[("id", Role::Key), ("name", Role::Mapped)]).await;
    assert!(bench.store.outside(&layout, &bench.scope, &rows(&[&["a"]])).await.unwrap().is_empty());
    let mut apply = bench.begin(&layout).await;
    let refused = apply.add(&rows(&[&["a", "A"], &["b", "B"], &["c", "no"]])).await.unwrap();
    assert_eq!(refused.iter().map(|r| r.index).collect::<Vec<_>>(), [2]);
    let changes = [update(&["a", "A"], &["a", "A2"])];
    assert!(apply.change(ChangeKind::Update, &changes).await.unwrap().is_empty());
    bench.commit(apply, "r1").await;
    assert_eq!(bench.sql("select org, id, name from users order by 1, 2"), "acme|a|A2\nacme|b|B\nother|a|O");
}
