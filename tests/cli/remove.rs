//! Delete lists, Mirror, deactivating and coming back.

use super::world::{THREE, World, named};

const MIRROR: &[&str] = &[
    "action: Mirror",
    "removal: {policy: Deactivate, set: {active: \"false\"}, restore: {active: \"true\"}}",
    "safeguards: {maxRemovals: \"100%\"}",
    "target: {url: {value: 'sqlite:people.db'}}",
];
const TABLE: &str =
    "create table users (id text primary key, name text, mail text unique, active boolean not null default true)";

fn states(world: &World) -> Vec<String> {
    world.query("people.db", "select id || ' ' || active from users order by id")
}

#[test]
fn a_list_of_mail_addresses_deletes() {
    let world = World::new(&[
        "action: Delete",
        "source: {directory: {path: inbox}, files: 'leavers_*.csv'}",
        "mapping: {userId: {column: E-Mail, property: mail}}",
        "safeguards: {maxRemovals: 2}",
        "target: {url: {value: 'sqlite:people.db'}}",
    ]);
    world.sql("people.db", TABLE);
    world.sql(
        "people.db",
        "insert into users (id, name, mail) values ('E1', 'Ann', 'ann@example.com'), ('E2', 'Bob', 'bob@example.com'), ('E3', 'Cem', 'cem@example.com')",
    );
    world.write(
        "inbox/leavers_1.csv",
        "E-Mail,why\nann@example.com,x\ngone@example.com,x\ncem@example.com,\n,\nann@example.com,again\n",
    );
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 5, rejected 2, unchanged 1, removed 2"), "{one:?}");
    assert_eq!(world.query("people.db", "select id from users"), ["E2"]);
    assert!(one.report_text(&world, "changes").contains("removed,ann@example.com"));
    assert!(
        one.report_text(&world, "records").contains("\"name\":\"Ann\"")
            || !one.report_text(&world, "records").contains("Cem")
    );
    world.write("inbox/leavers_2.csv", "E-Mail,why\nann@example.com,x\n");
    assert_eq!(world.run(&[]).counts(), "read 1, unchanged 1", "not there any more");
}

#[test]
fn deactivated_and_back_again() {
    let world = World::new(MIRROR);
    world.sql("people.db", TABLE);
    world.import(THREE);
    let two = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,bob@example.com\n";
    let one = world.import(two);
    assert_eq!(one.counts(), "read 2, unchanged 2, removed 1");
    assert_eq!(states(&world), ["E1 1", "E2 1", "E3 0"]);
    assert_eq!(world.import(two).counts(), "read 2, unchanged 2", "inactive already: not counted");
    let back = world.import(THREE);
    assert_eq!(back.counts(), "read 3, updated 1, unchanged 2");
    assert_eq!(states(&world), ["E1 1", "E2 1", "E3 1"]);
    assert_eq!(world.import(THREE).counts(), "read 3, unchanged 3");
}

#[test]
fn whom_somebody_else_deactivated_stays_so() {
    let world = World::new(MIRROR);
    world.sql("people.db", TABLE);
    world.import(THREE);
    world.sql("people.db", "update users set active = false where id = 'E1'");
    let one = world.import(&THREE.replace("Ann,", "Anna,"));
    assert_eq!(one.counts(), "read 3, updated 1, unchanged 2");
    assert_eq!(states(&world), ["E1 0", "E2 1", "E3 1"]);
}

#[test]
fn coming_back_works_in_skip_too() {
    let mut changes = MIRROR.to_vec();
    changes.push("conflictMode: Skip");
    let world = World::new(&changes);
    world.sql("people.db", TABLE);
    world.import(THREE);
    world.import("id,name,mail\nE1,Ann,ann@example.com\n");
    assert_eq!(states(&world), ["E1 1", "E2 0", "E3 0"]);
    let one = world.import(&THREE.replace("Bob", "Other"));
    assert_eq!(one.counts(), "read 3, updated 2, skipped 1");
    assert_eq!(states(&world), ["E1 1", "E2 1", "E3 1"]);
    assert_eq!(world.query("people.db", "select name from users where id = 'E2'"), ["Bob"]);
}

#[test]
fn grace_keeps_and_then_deletes() {
    let with = |grace: &str| {
        format!(
            "removal: {{policy: Deactivate, set: {{active: \"false\"}}, restore: {{active: \"true\"}}, gracePeriod: {grace}}}"
        )
    };
    let changes = |grace: &str| {
        let mut changes: Vec<String> = MIRROR.iter().map(|line| (*line).to_owned()).collect();
        changes[1] = with(grace);
        changes
    };
    let world = World::new(&changes("30d").iter().map(String::as_str).collect::<Vec<_>>());
    world.sql("people.db", TABLE);
    world.import(THREE);
    let one = "id,name,mail\nE1,Ann,ann@example.com\n";
    assert_eq!(world.import(one).counts(), "read 1, unchanged 1, removed 2");
    assert_eq!(world.import(one).counts(), "read 1, unchanged 1", "still in its grace");
    world.write("hr.yaml", super::world::hr(&changes("1s").iter().map(String::as_str).collect::<Vec<_>>()));
    // Somebody set one active by hand: that one is deactivated anew, not deleted.
    world.sql("people.db", "update users set active = true where id = 'E2'");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let last = world.import(one);
    assert_eq!(last.counts(), "read 1, unchanged 1, removed 2", "{last:?}");
    assert_eq!(states(&world), ["E1 1", "E2 0"]);
}

#[test]
fn mirror_on_a_table_that_another_sync_writes_needs_a_scope_of_its_own() {
    let target = |scope: &str| format!("target: {{url: {{value: 'sqlite:people.db'}}{scope}}}");
    let world = World::new(&[&target("")]);
    world.sql("people.db", "create table users (id text primary key, name text, mail text, org text default 'x')");
    world.import(THREE);
    let other = "source: {directory: {path: other}}";
    world.write("two.yaml", named("two", &[other, "action: Mirror", &target("")]));
    world.write("other/userdata_1.csv", "id,name,mail\nE9,Zoe,zoe@example.com\n");
    for args in [&["--simulate"][..], &[]] {
        let ran = world.usersync(&[&["run", "-f", "two.yaml", "-o", "json"], args].concat());
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stdout.contains("TargetShared") && ran.stdout.contains("hr"), "{}", ran.stdout);
    }
    assert_eq!(world.query("people.db", "select id from users"), ["E1", "E2", "E3"]);
    world.write("two.yaml", named("two", &[other, "action: Mirror", &target(", scope: {org: acme}")]));
    let ran = world.usersync(&["run", "-f", "two.yaml", "-o", "json"]);
    assert!(ran.stdout.contains("TargetShared"), "the other one's scope is everything: {ran:?}");
    // Two Upserts may share a table.
    world.write("two.yaml", named("two", &[other, &target("")]));
    let ran = world.usersync(&["run", "-f", "two.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn rows_outside_the_scope_are_never_touched() {
    let world = World::new(&[
        "action: Mirror",
        "safeguards: {maxRemovals: \"100%\"}",
        "target: {url: {value: 'sqlite:people.db'}, scope: {org: acme}}",
    ]);
    world.sql("people.db", "create table users (id text primary key, name text, mail text, org text)");
    world.sql("people.db", "insert into users values ('E1', 'Theirs', null, 'other'), ('E7', 'Ours', null, 'acme'), ('E8', 'Nobody''s', null, null)");
    world.drop_file(THREE);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 3, rejected 1, added 2, removed 1"), "{one:?}");
    let rows = world.query("people.db", "select id || ' ' || name || ' ' || coalesce(org, '-') from users order by id");
    assert_eq!(rows, ["E1 Theirs other", "E2 Bob acme", "E3 Cem acme", "E8 Nobody's -"]);
    assert!(one.report_text(&world, "rejects").contains("KeyOutsideScope"));
}
