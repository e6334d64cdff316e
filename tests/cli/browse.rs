//! What lies in the folder, which file the next run takes, and why not the others.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use super::world::{Ran, THREE, World, hr, named};

/// A folder with everything that is passed over, behind a file that is held.
fn full(schedule: &str) -> World {
    let source = "source: {directory: {path: inbox}, maxSize: 1Ki, afterImport: {keep: {}}}";
    let changes = [source, "safeguards: {minRows: 1}", schedule];
    let world = World::new(&changes[..if schedule.is_empty() { 2 } else { 3 }]);
    world.write_aged("inbox/userdata_a.csv", THREE, 500);
    assert_eq!(world.run(&[]).reason(), "Completed");
    world.write_aged("inbox/userdata_b.csv", "id,name,mail\n", 400);
    assert_eq!(world.run(&[]).reason(), "Held");
    world.write_aged("inbox/userdata_c.csv", THREE, 300);
    world.write_aged("inbox/userdata_0.csv", "x".repeat(2048), 600);
    world.write_aged("inbox/userdata_d.csv.part", "id", 200);
    world.write("inbox/readme.txt", "read me");
    world.write("inbox/\u{202e}fdp.csv", "");
    fs::create_dir(world.path("inbox/bak")).unwrap();
    world.write("inbox/bak/userdata_old.csv", THREE);
    symlink("userdata_a.csv", world.path("inbox/userdata_link.csv")).unwrap();
    world
}

fn json(ran: &Ran) -> Value {
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.lines().count()), (0, "", 1), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The reason that a name has.
fn reason(folder: &Value, name: &str) -> String {
    let names = folder["names"].as_array().unwrap();
    let found = names.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name} in {folder}"));
    assert_eq!(found["taken"], matches!(found["reason"].as_str().unwrap(), "Taken" | "ComparedAgain"));
    found["reason"].as_str().unwrap().to_owned()
}

#[test]
fn every_name_has_its_reason() {
    let world = full("schedule: {every: 5m}");
    let ran = world.usersync(&["browse", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(!ran.stdout.contains('\u{202e}'), "a name steers the terminal: {ran:?}");
    world.golden("browse.txt", &ran.stdout);
    let ran = world.usersync(&["browse", "-f", "hr.yaml", "-o", "json"]);
    json(&ran);
    world.golden("browse.json", &ran.stdout);
}

#[test]
fn what_a_run_takes_is_what_was_shown() {
    // Nothing starts a run but a person, who may take what was held once more.
    let world = full("");
    let look = || json(&world.usersync(&["browse", "-f", "hr.yaml", "-o", "json"]));
    let folder = look();
    assert_eq!(reason(&folder, "userdata_b.csv"), "Taken");
    assert_eq!(reason(&folder, "userdata_c.csv"), "Later");
    assert_eq!(world.run(&[]).report["file"]["name"], "userdata_b.csv");
    // Written anew it is another file.
    world.write_aged("inbox/userdata_b.csv", THREE, 100);
    assert_eq!(reason(&look(), "userdata_c.csv"), "Taken");
    assert_eq!(world.run(&[]).report["file"]["name"], "userdata_c.csv");
    assert_eq!(reason(&look(), "userdata_b.csv"), "Taken");
    assert_eq!(world.run(&[]).report["file"]["name"], "userdata_b.csv");
    fs::remove_file(world.path("inbox/userdata_0.csv")).unwrap();
    assert_eq!(reason(&look(), "userdata_b.csv"), "ComparedAgain");
    assert_eq!(world.run(&[]).report["file"]["name"], "userdata_b.csv");
}

#[test]
fn each_sync_has_its_block_and_markers_are_known() {
    let world = World::new(&[]);
    let marked = "source: {directory: {path: marked}, waitFor: '{name}.done', stableFor: 2h}";
    world.write("hr.yaml", format!("{}---\n{}", hr(&[]), named("marked", &[marked])));
    for (name, age) in [("a", 300), ("b", 200), ("c", 100)] {
        world.write_aged(&format!("marked/userdata_{name}.csv"), THREE, age);
    }
    world.write_aged("marked/userdata_b.csv.done", "", 300);
    world.write_aged("marked/userdata_c.csv.done", "", 100);
    let ran = world.usersync(&["browse", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    world.golden("browse-markers.txt", &ran.stdout);
}

#[test]
fn another_folder_is_listed_without_a_verdict() {
    let world = full("");
    let ran = world.usersync(&["browse", "-f", "hr.yaml", "bak"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    world.golden("browse-folder.txt", &ran.stdout);
    let folder = json(&world.usersync(&["browse", "-f", "hr.yaml", "-o", "json", "./bak/"]));
    assert_eq!(folder["names"][0]["name"], "userdata_old.csv");
    assert_eq!((&folder["names"][0]["why"], &folder["names"][0]["taken"]), (&Value::Null, &Value::Null));
    let same = world.usersync(&["browse", "-f", "hr.yaml", "."]);
    assert!(same.stdout.contains("imported"), "it is the source's own: {same:?}");
    let ran = world.usersync(&["browse", "-f", "hr.yaml", "nowhere"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("FolderMissing") && ran.stderr.contains("inbox/nowhere"), "{ran:?}");
    symlink(world.path("."), world.path("inbox/out")).unwrap();
    for outside in ["..", "/etc", "bak/../..", "out"] {
        let ran = world.usersync(&["browse", "-f", "hr.yaml", outside]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{outside}: {ran:?}");
    }
}

#[test]
fn it_lists_although_the_database_is_out_of_reach_and_writes_nothing() {
    let world = World::new(&["target: {url: {value: 'sqlite:nowhere.db'}}"]);
    world.drop_file(THREE);
    let before = world.names(".");
    let ran = world.usersync(&["browse", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stdout.contains("warning: what was imported can't be known"), "{ran:?}");
    assert!(ran.stdout.contains("nowhere.db") && ran.stdout.contains("→ userdata_1.csv"), "{ran:?}");
    let folder = json(&world.usersync(&["browse", "-f", "hr.yaml", "-o", "json"]));
    assert!(folder["unknown"].as_str().unwrap().contains("nowhere.db"), "{folder}");
    assert_eq!((world.names("."), world.exists(".usersync")), (before, false), "it writes nothing");
}

#[test]
fn a_run_without_a_file_says_what_it_saw() {
    let world = World::new(&[]);
    for at in 0..120 {
        world.write(&format!("inbox/other_{at:03}.csv"), "");
    }
    world.write("inbox/userdata_1.csv.part", THREE);
    let one = world.run(&[]);
    assert_eq!(one.reason(), "NoFile");
    let looked = &one.report["looked"];
    assert_eq!((looked["names"].as_array().unwrap().len(), &looked["more"]), (100, &Value::from(21)));
    assert_eq!(looked["names"][0]["name"], "other_000.csv");
    assert_eq!(looked["names"][0]["reason"], "OtherName");
    assert_eq!(looked["names"][0]["why"], "its name doesn't match `userdata_*.csv`");
    assert_eq!((&looked["names"][0]["size"], looked["names"][0]["mtime"].is_string()), (&Value::from(0), true));
    let kept: Value = serde_json::from_str(&one.report_text(&world, "report")).unwrap();
    assert_eq!(&kept["looked"], looked);
    world.import(THREE);
    assert_eq!(world.run(&[]).report["looked"]["more"], 22, "with bak");
    world.drop_file(THREE);
    assert_eq!(world.run(&[]).report.get("looked"), None, "a run that has a file says nothing of the others");
}
