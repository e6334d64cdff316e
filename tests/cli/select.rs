//! Which file a run takes.

use super::world::{World, named};

fn world(select: &str) -> World {
    let world = World::new(&[&format!("source: {{directory: {{path: inbox}}, select: {select}}}")]);
    for (name, age) in [("b", 300), ("c", 200), ("a", 100)] {
        let text = format!("id,name,mail\nE1,From {name},e1@example.com\n");
        world.write_aged(&format!("inbox/userdata_{name}.csv"), text, age);
    }
    world
}

fn taken(stdout: &str) -> Vec<String> {
    let name = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["file"]["name"].as_str().unwrap().to_owned()
    };
    stdout.lines().map(name).collect()
}

#[test]
fn oldest_takes_one_a_run_in_order() {
    let world = world("Oldest");
    for name in ["b", "c", "a"] {
        let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
        assert_eq!(taken(&ran.stdout), [format!("userdata_{name}.csv")]);
        assert_eq!(world.names_of_users(), [format!("E1 From {name}")]);
    }
    assert_eq!(world.run(&[]).reason(), "NoFile");
}

#[test]
fn all_takes_each_oldest_first() {
    let world = world("All");
    let simulated = world.usersync(&["run", "-f", "hr.yaml", "-o", "json", "--simulate"]);
    assert_eq!(taken(&simulated.stdout), ["userdata_b.csv", "userdata_c.csv", "userdata_a.csv"], "{simulated:?}");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(taken(&ran.stdout), ["userdata_b.csv", "userdata_c.csv", "userdata_a.csv"]);
    assert_eq!(world.names_of_users(), ["E1 From a"]);
    assert_eq!(world.names("inbox"), ["bak"]);
}

#[test]
fn behind_a_held_or_failed_file_the_later_ones_wait() {
    for (text, code) in [("id,name,mail\n", 3), ("badge\n1\n", 1)] {
        let world = world("All");
        world.write_aged("inbox/userdata_c.csv", text, 200);
        for _ in 0..2 {
            let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
            assert_eq!(ran.code, code, "{ran:?}");
            assert_eq!(world.names_of_users(), ["E1 From b"]);
            assert_eq!(world.names("inbox"), ["bak", "userdata_a.csv", "userdata_c.csv"]);
        }
    }
}

#[test]
fn all_with_files_that_stay_takes_each_once() {
    let world = world("All");
    let keep = "source: {directory: {path: inbox}, select: All, afterImport: {keep: {}}}";
    world.write("hr.yaml", named("hr", &[keep]));
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
    assert_eq!(taken(&ran.stdout).len(), 3);
    let again = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
    assert_eq!(taken(&again.stdout), ["userdata_a.csv"], "the last one is compared again");
    assert!(again.stdout.contains("\"unchanged\":1"), "{again:?}");
}

#[test]
fn newest_leaves_the_older_ones_for_good() {
    let world = world("Newest");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
    assert_eq!(taken(&ran.stdout), ["userdata_a.csv"]);
    assert_eq!(world.names_of_users(), ["E1 From a"]);
    assert_eq!(world.names("inbox"), ["bak", "userdata_b.csv", "userdata_c.csv"]);
}

#[test]
fn newest_never_brings_back_what_was() {
    let world = world("Newest");
    assert_eq!(world.run(&[]).code, 0);
    let one = world.run(&[]);
    assert_eq!(world.names_of_users(), ["E1 From a"], "{one:?}");
}

#[test]
fn of_the_same_age_the_name_decides() {
    let world = World::new(&[]);
    for name in ["b", "a"] {
        world.write(&format!("inbox/userdata_{name}.csv"), format!("id,name,mail\nE1,From {name},\n"));
    }
    let times = |name: &str| {
        std::fs::File::options().append(true).open(world.path(&format!("inbox/userdata_{name}.csv"))).unwrap()
    };
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(500);
    times("a").set_modified(then).unwrap();
    times("b").set_modified(then).unwrap();
    assert_eq!(world.run(&[]).report["file"]["name"], "userdata_a.csv");
}
