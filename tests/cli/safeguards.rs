//! Each safeguard: held, nothing written; a limit exactly met is no breach.

use super::world::{World, people};

/// The run is held because of one safeguard, exits with 3, and left table and file as they were.
fn held(world: &World, name: &str) {
    let before = world.users("select id || coalesce(name, '-') || coalesce(mail, '-') from users order by id");
    let files = world.names("inbox");
    for args in [&["--simulate"][..], &[]] {
        let one = world.run(args);
        assert_eq!((one.code, one.reason()), (3, "Held"), "{one:?}");
        assert!(one.held().contains(name), "{}", one.held());
    }
    let after = world.users("select id || coalesce(name, '-') || coalesce(mail, '-') from users order by id");
    assert_eq!(before, after);
    assert_eq!(world.names("inbox"), files, "a held file stays where it is");
}

fn with(changes: &[&str], start: usize) -> World {
    let world = World::new(changes);
    world.import(&people(start));
    world
}

#[test]
fn max_removals() {
    let world = with(&["action: Mirror"], 20);
    world.drop_file(people(17));
    held(&world, "maxRemovals");
    world.drop_file(people(18));
    assert_eq!(world.run(&[]).counts(), "read 18, unchanged 18, removed 2", "10 % of 20 is no breach");
    let counted = with(&["action: Mirror", "safeguards: {maxRemovals: 1}"], 20);
    counted.drop_file(people(18));
    held(&counted, "maxRemovals");
    let off = with(&["action: Mirror", "safeguards: {maxRemovals: \"100%\"}"], 20);
    off.drop_file(people(1));
    assert_eq!(off.run(&[]).counts(), "read 1, unchanged 1, removed 19");
    let none = with(&["action: Mirror", "safeguards: {maxRemovals: 0}"], 20);
    none.drop_file(people(19));
    held(&none, "maxRemovals");
}

#[test]
fn a_mapped_flag_that_goes_off_counts_as_a_removal() {
    let mapping = "mapping: {userId: {column: id}, properties: [{property: name}, {property: active}]}";
    let removal = "removal: {policy: Deactivate, set: {active: \"false\"}}";
    let world = World::new(&[mapping, removal]);
    let file = |off: usize| {
        let rows: String = (1..=20).map(|n| format!("E{n},x,{}\n", n > off)).collect();
        format!("id,name,active\n{rows}")
    };
    world.import(&file(0));
    world.drop_file(file(3));
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (3, "Held"), "{one:?}");
    assert!(one.held().contains("maxRemovals"));
    world.drop_file(file(2));
    assert_eq!(world.run(&[]).code, 0);
}

#[test]
fn max_emptied() {
    let emptied = |count: usize| {
        let rows: String = (1..=20)
            .map(|n| if n <= count { format!("E{n},Name {n},\n") } else { format!("E{n},Name {n},e{n}@example.com\n") })
            .collect();
        format!("id,name,mail\n{rows}")
    };
    let world = with(&["conflictMode: Replace"], 20);
    world.drop_file(emptied(3));
    held(&world, "maxEmptied");
    world.drop_file(emptied(2));
    assert_eq!(world.run(&[]).counts(), "read 20, updated 2, unchanged 18");
    let update = with(&[], 20);
    update.drop_file(emptied(20));
    assert_eq!(update.run(&[]).counts(), "read 20, unchanged 20", "Update: empty is not specified");
}

#[test]
fn max_rejected() {
    let bad = |count: usize| people(20).replacen("@example.com", "", count);
    let world = with(&[], 20);
    world.drop_file(bad(11));
    held(&world, "maxRejected");
    world.drop_file(bad(10));
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 20, rejected 10, unchanged 10"));
    let strict = with(&["safeguards: {maxRejected: 0}"], 20);
    strict.drop_file(bad(1));
    held(&strict, "maxRejected");
}

#[test]
fn max_updated() {
    let renamed = |count: usize| people(20).replacen("Name", "Miss", count);
    let world = with(&["safeguards: {maxUpdated: \"30%\"}"], 20);
    world.drop_file(renamed(7));
    held(&world, "maxUpdated");
    world.drop_file(renamed(6));
    assert_eq!(world.run(&[]).counts(), "read 20, updated 6, unchanged 14");
    let free = with(&[], 20);
    free.drop_file(renamed(20));
    assert_eq!(free.run(&[]).counts(), "read 20, updated 20", "no default");
}

#[test]
fn min_rows() {
    let world = with(&["safeguards: {minRows: 5}"], 5);
    world.drop_file(people(4));
    held(&world, "minRows");
    let header = with(&[], 5);
    header.drop_file("id,name,mail\n");
    held(&header, "minRows");
    let allowed = with(&["safeguards: {minRows: 0}"], 5);
    allowed.drop_file("id,name,mail\n");
    let one = allowed.run(&[]);
    assert_eq!((one.code, one.reason(), one.counts().as_str()), (0, "Completed", ""));
}

#[test]
fn every_breach_is_named() {
    let world = with(&["action: Mirror", "safeguards: {minRows: 3, maxRejected: 0}"], 20);
    world.drop_file("id,name,mail\nE1,Ann,x\nE2,B,e2@example.com\n");
    let one = world.run(&[]);
    for name in ["maxRemovals", "maxRejected", "minRows"] {
        assert!(one.held().contains(name), "{}", one.held());
    }
}

#[test]
fn a_mirror_with_unreadable_keys_is_held_if_it_would_remove_anyone() {
    let off = "safeguards: {maxRemovals: \"100%\", maxRejected: \"100%\"}";
    for bad in ["E9", "E9,a,b,c", ",Ann,ann@example.com", "\"E9\"x,a,e9@example.com", "E\0,a,e9@example.com"] {
        let world = with(&["action: Mirror", off], 5);
        world.drop_file(format!("{}{bad}\n", people(4)));
        let one = world.run(&[]);
        assert_eq!((one.code, one.reason()), (3, "Held"), "{bad:?}: {one:?}");
        assert!(one.held().contains("KeyUnreadable"), "{}", one.held());
        assert_eq!(world.names_of_users().len(), 5);
        world.drop_file(format!("{}{bad}\n", people(5)));
        let one = world.run(&[]);
        assert_eq!(
            (one.code, one.counts().as_str()),
            (4, "read 6, rejected 1, unchanged 5"),
            "{bad:?}: removes nobody"
        );
    }
    let world = with(&["action: Mirror", off], 5);
    world.drop_file(people(4) + "E5,Name,broken\n");
    let one = world.run(&[]);
    assert_eq!(one.counts(), "read 5, rejected 1, unchanged 4", "a rejected row keeps its user");
    assert_eq!(one.code, 4);
}
