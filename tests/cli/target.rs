//! Tables of `sqlite:` files: what is missing is said with the statement that would mend it.

use super::world::{THREE, World};

const TARGET: &str = "target: {url: {value: 'sqlite:people.db'}}";

fn invalid(table: &str, changes: &[&str], words: &[&str]) {
    let world = World::new(&[&[TARGET], changes].concat());
    world.sql("people.db", table);
    world.drop_file(THREE);
    for args in [&["--simulate"][..], &[]] {
        let one = world.run(args);
        assert_eq!((one.code, one.reason()), (1, "TargetInvalid"), "{table}: {one:?}");
        for word in words {
            assert!(one.message().contains(word), "{word:?} is not in {}", one.message());
        }
    }
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
}

#[test]
fn what_is_missing_is_said_with_a_statement() {
    invalid("create table other (id text)", &[], &["create table", "users", "name"]);
    invalid("create table users (id text primary key, name text)", &[], &["alter table", "mail"]);
    invalid("create table users (id text, name text, mail text)", &[], &["create unique index"]);
}

#[test]
fn the_statement_in_the_message_mends_it() {
    let world = World::new(&[TARGET]);
    world.sql("people.db", "create table other (id text)");
    world.drop_file(THREE);
    for _ in 0..3 {
        let one = world.run(&[]);
        if one.code == 0 {
            break;
        }
        let message = one.message();
        let begin = message.find("create table").unwrap();
        world.sql("people.db", &message[begin..]);
    }
    assert_eq!(world.query("people.db", "select id from users order by id"), ["E1", "E2", "E3"]);
}

#[test]
fn a_file_that_is_not_there_is_an_error_unless_it_may_be_made() {
    let world = World::new(&[TARGET]);
    world.drop_file(THREE);
    let one = world.run(&[]);
    assert_eq!(one.code, 1, "{one:?}");
    assert!(one.message().contains("people.db") && one.message().contains("mode=rwc"), "{}", one.message());
    assert!(!world.exists("people.db"));
    let made = World::new(&["target: {url: {value: 'sqlite:people.db?mode=rwc'}}"]);
    made.drop_file(THREE);
    let one = made.run(&["--simulate"]);
    assert!(!made.exists("people.db"), "not by a simulation: {one:?}");
}

#[test]
fn what_the_database_refuses_is_a_reject() {
    let world = World::new(&[TARGET]);
    world.sql(
        "people.db",
        "create table users (id text primary key, name text, mail text unique check (mail <> 'cem@example.com'))",
    );
    world.drop_file(format!("{THREE}E4,Dee,ann@example.com\n"));
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 4, rejected 2, added 2"), "{one:?}");
    let rejects = one.report_text(&world, "rejects");
    assert_eq!(rejects.matches("DatabaseRefused").count(), 2, "{rejects}");
    assert_eq!(world.query("people.db", "select id from users order by id"), ["E1", "E2"]);
}

#[test]
fn typed_columns_do_not_flap() {
    let world = World::new(&[
        TARGET,
        "mapping: {userId: {column: id}, properties: [{property: 'n'}, {property: price}, {property: born, type: Date}, {property: 'on', type: Boolean}, {property: zip, type: Text}]}",
    ]);
    world.sql(
        "people.db",
        "create table users (id text primary key, n integer, price numeric, born date, \"on\" boolean, zip text)",
    );
    let file = "id,n,price,born,on,zip\nE1,007,1.50,2020-01-02,yes,00120\nE2,-0,1e2,2020-02-29,off,1.0\nE3,,,,,\n";
    assert_eq!(world.import(file).counts(), "read 3, added 3");
    assert_eq!(world.import(file).counts(), "read 3, unchanged 3");
    assert_eq!(world.query("people.db", "select zip from users order by id"), ["00120", "1.0", "NULL"]);
    world.drop_file("id,n,price,born,on,zip\nE4,x,1.5,2020-13-01,maybe,1\nE1,007,1.50,2020-01-02,yes,00120\n");
    assert_eq!(world.run(&[]).counts(), "read 2, rejected 1, unchanged 1");
}
