//! What becomes of the file, and of its marker.

use super::world::{THREE, World, people};

fn source(more: &str) -> String {
    format!("source: {{directory: {{path: inbox}}, {more}}}")
}

#[test]
fn moves_and_never_overwrites() {
    let world = World::new(&[]);
    for count in 1..=4 {
        world.import(&people(count));
    }
    let kept = world.names("inbox/bak");
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(kept.contains(&"userdata_1.csv".to_owned()) && kept.iter().all(|name| name.ends_with(".csv")));
    let mut texts: Vec<_> = kept.iter().map(|name| world.read(&format!("inbox/bak/{name}"))).collect();
    texts.sort_by_key(String::len);
    assert_eq!(texts, (1..=4).map(people).collect::<Vec<_>>());
    // The very same file once more: same name, same content.
    world.import(&people(4));
    assert_eq!(world.names("inbox/bak").len(), 5);
    assert_eq!(world.names("inbox"), ["bak"]);
}

#[test]
fn the_same_file_twice_within_a_second_is_kept_twice() {
    let world = World::new(&[&source("afterImport: {moveTo: old/done}")]);
    for _ in 0..4 {
        world.import(THREE);
    }
    assert_eq!(world.names("inbox/old/done").len(), 4);
}

#[test]
fn delete_and_keep() {
    let world = World::new(&[&source("afterImport: {delete: {}}")]);
    world.import(THREE);
    assert_eq!(world.names("inbox"), Vec::<String>::new());
    let world = World::new(&[&source("afterImport: {keep: {}}")]);
    world.import(THREE);
    assert_eq!(world.run(&[]).counts(), "read 3, unchanged 3", "compared again as long as it is there");
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
    std::fs::remove_file(world.path("inbox/userdata_1.csv")).unwrap();
    assert_eq!(world.run(&[]).reason(), "NoFile");
}

#[test]
fn a_file_in_two_states() {
    let world = World::new(&[&source("afterImport: {keep: {}}")]);
    world.import(THREE);
    world.import(&THREE.replace("Bob", "Rob"));
    world.sql(".usersync/users.db", "update users set name = 'Tampered' where id = 'E1'");
    let one = world.run(&[]);
    assert_eq!(one.counts(), "read 3, updated 1, unchanged 2", "the second state, and edits behind its back are seen");
    // A first state that is not there any more is not brought back.
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Rob", "E3 Cem"]);
}

#[test]
fn a_failed_file_stays_or_moves() {
    let bad = "badge\n1\n";
    let world = World::new(&[]);
    world.drop_file(bad);
    assert_eq!((world.run(&[]).code, world.names("inbox")), (1, vec!["userdata_1.csv".to_owned()]));
    let world = World::new(&[&source("afterFailure: {moveTo: failed}")]);
    for _ in 0..2 {
        world.drop_file(bad);
        assert_eq!(world.run(&["--simulate"]).reason(), "InvalidFile");
        assert_eq!(world.names("inbox").last().unwrap(), "userdata_1.csv", "a simulation moves nothing");
        assert_eq!(world.run(&[]).reason(), "InvalidFile");
    }
    assert_eq!(world.names("inbox"), ["failed"]);
    assert_eq!(world.names("inbox/failed").len(), 2);
    // Held is no failure.
    world.drop_file("id,name,mail\n");
    assert_eq!((world.run(&[]).code, world.names("inbox").len()), (3, 2));
}

#[test]
fn the_marker_moves_with_the_file() {
    let world = World::new(&[&source("waitFor: '{name}.done'")]);
    world.drop_file(THREE);
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (0, "NoFile"), "no marker yet");
    world.write_aged("inbox/userdata_1.csv.done", "", 7200);
    assert_eq!(world.run(&[]).reason(), "NoFile", "the marker is older than the file");
    world.write_aged("inbox/userdata_1.csv.done", "", 60);
    assert_eq!(world.run(&[]).counts(), "read 3, added 3");
    assert_eq!(world.names("inbox"), ["bak"]);
    assert_eq!(world.names("inbox/bak"), ["userdata_1.csv", "userdata_1.csv.done"]);
}

#[test]
fn a_simulation_leaves_the_file_and_the_database() {
    let world = World::new(&["target: {url: {value: 'sqlite:people.db'}}"]);
    world.sql("people.db", "create table users (id text primary key, name text, mail text); insert into users (id, name) values ('E1', 'Old')");
    world.drop_file(THREE);
    let before = std::fs::read(world.path("people.db")).unwrap();
    let one = world.run(&["--simulate"]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 3, added 2, updated 1"));
    assert_eq!(std::fs::read(world.path("people.db")).unwrap(), before, "not a byte");
    assert_eq!(world.names("."), ["hr.yaml", "inbox", "people.db"], "no journal stays");
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
}

#[test]
fn a_target_folder_that_is_a_file_undoes_no_import() {
    let world = World::new(&[]);
    world.write("inbox/bak", "in the way");
    world.drop_file(THREE);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 3, added 3"), "{one:?}");
    assert!(one.warnings().contains("bak"), "{one:?}");
    std::fs::remove_file(world.path("inbox/bak")).unwrap();
    let next = world.run(&[]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(world.names("inbox"), ["bak"], "the next run puts it away");
}
