//! The state folder: what is in it, who may read it, and that nothing else is written.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::world::{THREE, World};

/// Modes of everything below a folder that others could read.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let directory = entry.file_type().unwrap().is_dir();
            if mode != if directory { 0o700 } else { 0o600 } {
                found.push(format!("{mode:o} {}", entry.path().display()));
            }
            if directory {
                folders.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn its_layout_is_private_and_the_manifest_is_never_edited() {
    let world = World::new(&["safeguards: {maxRejected: \"100%\"}"]);
    let manifest = fs::read(world.path("hr.yaml")).unwrap();
    let changed = fs::metadata(world.path("hr.yaml")).unwrap().modified().unwrap();
    world.drop_file(THREE.replace("bob@", ""));
    let one = world.run(&[]);
    assert_eq!(one.code, 4);
    let run = one.report["run"].as_str().unwrap();
    assert_eq!(world.names(".usersync"), ["reports", "runs", "spool", "status", "users.db"]);
    assert_eq!(world.names(".usersync/status/default"), ["hr.yaml"]);
    assert_eq!(world.names(".usersync/runs/default"), [format!("{run}.yaml")]);
    let reports = world.names(&format!(".usersync/reports/default/hr/{run}"));
    assert_eq!(reports, ["changes.csv.gz", "records.jsonl.gz", "report.html", "report.json", "userdata_1_rejects.csv"]);
    assert_eq!(world.names(".usersync/spool/default/hr"), Vec::<String>::new());
    assert_eq!(open_to_others(&world.path(".usersync")), Vec::<String>::new());
    assert_eq!(fs::metadata(world.path(".usersync")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read(world.path("hr.yaml")).unwrap(), manifest);
    assert_eq!(fs::metadata(world.path("hr.yaml")).unwrap().modified().unwrap(), changed);

    let status: serde_json::Value = serde_yaml::from_str(&world.read(".usersync/status/default/hr.yaml")).unwrap();
    assert_eq!(status["lastRun"]["name"], run);
    assert_eq!(status["lastRun"]["reason"], "CompletedWithRejects");
    assert_eq!(status["conditions"][0]["type"], "Synced");
    assert_eq!(status["conditions"][0]["status"], "True");
    let kept: serde_json::Value =
        serde_yaml::from_str(&world.read(&format!(".usersync/runs/default/{run}.yaml"))).unwrap();
    assert_eq!((&kept["kind"], &kept["spec"]["mode"]), (&"UserSyncRun".into(), &"Import".into()));
    assert_eq!(kept["status"]["conditions"][0]["reason"], "CompletedWithRejects");
}

#[test]
fn a_data_folder_that_was_there_keeps_its_mode_and_hides_the_users() {
    let world = World::new(&[]);
    fs::create_dir(world.path("data")).unwrap();
    fs::set_permissions(world.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    world.drop_file(THREE);
    let one = world.run(&["--data", "data"]);
    assert_eq!(one.code, 0, "{one:?}");
    assert_eq!(world.names("data"), ["reports", "runs", "spool", "status", "users.db"]);
    assert_eq!(open_to_others(&world.path("data")), Vec::<String>::new());
    assert!(!world.exists(".usersync"));
    assert!(one.report["reports"]["report"].as_str().unwrap().starts_with("data/reports/"), "{one:?}");
}

#[test]
fn a_simulation_makes_no_database() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    let one = world.run(&["--simulate"]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 3, added 3"));
    assert_eq!(world.names(".usersync"), ["reports", "runs", "spool", "status"]);
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
    world.import(THREE);
    let before = world.database();
    world.drop_file(THREE.replace("Bob", "Rob"));
    assert_eq!(world.run(&["--simulate"]).count("updated"), 1);
    assert_eq!(world.database(), before, "not a byte");
    assert_eq!(world.names(".usersync"), ["reports", "runs", "spool", "status", "users.db"]);
}

#[test]
fn a_simulation_of_a_wider_mapping_widens_nothing() {
    let world = World::new(&[]);
    world.import(THREE);
    let mapping = "mapping: {userId: {column: id}, properties: [{property: name}, {property: mail}, {property: room}]}";
    world.write("hr.yaml", super::world::hr(&[mapping]));
    world.drop_file("id,name,mail,room\nE1,Ann,ann@example.com,12\nE4,Dee,,13\n");
    let before = world.database();
    let simulated = world.run(&["--simulate"]);
    assert_eq!((simulated.code, simulated.counts().as_str()), (0, "read 2, added 1, updated 1"), "{simulated:?}");
    assert_eq!(world.database(), before);
    assert_eq!(world.run(&[]).counts(), "read 2, added 1, updated 1");
    assert_eq!(world.users("select room from users order by id"), ["12", "NULL", "NULL", "13"]);
}

#[test]
fn a_state_folder_that_can_not_be_used_is_said() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    world.write("file", "in the way");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "--data", "file"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("file") && ran.stderr.contains("--data"), "{}", ran.stderr);
    world.write(".usersync/users.db", "no database at all, but longer than a header of a hundred bytes: ".repeat(9));
    let one = world.run(&[]);
    assert_eq!(one.code, 1, "{one:?}");
    assert!(one.message().contains("users.db"), "{}", one.message());
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
}

#[test]
fn a_damaged_run_stops_an_approval_and_nothing_else() {
    let world = World::new(&[]);
    world.import(THREE);
    world.write(".usersync/runs/default/hr-x.yaml", "spec: {sync: [");
    world.import(THREE);
    let ran = world.usersync(&["run", "-f", "hr.yaml", "--approve", &"a".repeat(64)]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
    assert!(ran.stderr.contains("hr-x.yaml"), "{}", ran.stderr);
}

#[test]
fn two_installations_on_one_database_do_not_know_each_other() {
    let world = World::new(&["action: Mirror", "target: {url: {value: 'sqlite:people.db'}}"]);
    world.sql("people.db", "create table users (id text primary key, name text, mail text)");
    world.import(THREE);
    world.drop_file(THREE);
    let one = world.run(&["--instance", "other", "--data", "other"]);
    assert_eq!((one.code, one.reason()), (1, "TargetShared"), "{one:?}");
}
