//! `--approve`: for exactly that file, for at most what was shown, until a later import.

use super::world::{One, World, people};

const SHA: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// Twenty users, and a held Mirror run that would remove ten.
fn held() -> (World, One) {
    let world = World::new(&["action: Mirror"]);
    world.import(&people(20));
    world.drop_file(people(10));
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (3, "Held"));
    (world, one)
}

#[test]
fn held_approved_imported() {
    let (world, held) = held();
    let text = world.usersync(&["run", "-f", "hr.yaml"]).stdout;
    let command = text.lines().find(|line| line.contains("--approve")).unwrap().trim();
    assert_eq!(command, format!("usersync run -f hr.yaml --approve {}", held.sha256()), "as it can be pasted");
    let page = held.report_text(&world, "html");
    let anywhere = format!("usersync run -f {} --approve {}", world.path("hr.yaml").display(), held.sha256());
    assert!(page.contains(&anywhere), "whoever reads the page is in another folder");
    let one = world.run(&["--approve", &held.sha256().to_uppercase()]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 10, unchanged 10, removed 10"), "{one:?}");
    assert_eq!(world.names_of_users().len(), 10);
    assert_eq!((world.names("inbox"), world.names("inbox/bak").len()), (vec!["bak".to_owned()], 2));
}

#[test]
fn another_file_is_not_what_was_approved() {
    let (world, held) = held();
    let one = world.run(&["--approve", SHA]);
    assert_eq!((one.code, one.reason()), (1, "ApprovalOutdated"), "{one:?}");
    world.drop_file(people(2));
    let one = world.run(&["--approve", held.sha256()]);
    assert_eq!((one.code, one.reason()), (1, "ApprovalOutdated"), "{one:?}");
    assert_eq!(world.names_of_users().len(), 20);
    assert_eq!(world.names("inbox"), ["bak", "userdata_1.csv"]);
}

#[test]
fn more_than_was_shown_is_held_again() {
    let (world, held) = held();
    world.sql(".usersync/users.db", "insert into users (id, name) values ('X1', 'Later')");
    let one = world.run(&["--approve", held.sha256()]);
    assert_eq!((one.code, one.reason()), (3, "Held"), "{one:?}");
    assert!(one.held().contains("11") && one.held().contains("10"), "{}", one.held());
    assert_eq!(world.names_of_users().len(), 21);
    let one = world.run(&["--approve", held.sha256()]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 10, unchanged 10, removed 11"), "what it showed last");
}

#[test]
fn a_later_import_makes_it_void() {
    let (world, held) = held();
    world.drop_file(people(20).replace("Name 1,", "Miss 1,"));
    assert_eq!(world.run(&[]).counts(), "read 20, updated 1, unchanged 19");
    world.drop_file(people(10));
    let one = world.run(&["--approve", held.sha256()]);
    assert_eq!((one.code, one.reason()), (1, "ApprovalOutdated"), "{one:?}");
    assert_eq!(world.names_of_users().len(), 20);
}

#[test]
fn the_clock_of_the_database_does_not_matter() {
    for committed in ["2001-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"] {
        let (world, held) = held();
        let set = format!("update usersync_ledger set committed = '{committed}'");
        world.sql(".usersync/users.db", &set);
        let one = world.run(&["--approve", held.sha256()]);
        assert_eq!(one.code, 0, "nothing was imported since: {one:?}");
        let (world, held) = self::held();
        std::fs::remove_file(world.path("inbox/userdata_1.csv")).unwrap();
        world.import(&people(20));
        world.sql(".usersync/users.db", &set);
        world.drop_file(people(10));
        let one = world.run(&["--approve", held.sha256()]);
        assert_eq!((one.code, one.reason()), (1, "ApprovalOutdated"), "{committed}: {one:?}");
    }
}

#[test]
fn without_a_held_run_it_covers_what_the_run_finds() {
    let (world, held) = held();
    let one = world.run(&["--data", "elsewhere", "--approve", held.sha256()]);
    assert_eq!(one.code, 0, "its embedded database is empty: {one:?}");

    let file = World::new(&["action: Mirror", "target: {url: {value: 'sqlite:people.db'}}"]);
    file.sql("people.db", "create table users (id text primary key, name text, mail text)");
    file.import(&people(20));
    file.drop_file(people(10));
    let simulated = file.run(&["--simulate"]);
    assert_eq!((simulated.code, simulated.reason()), (3, "Held"));
    let one = file.run(&["--data", "elsewhere", "--approve", simulated.sha256()]);
    assert_eq!((one.code, one.counts().as_str()), (0, "read 10, unchanged 10, removed 10"), "{one:?}");
}

#[test]
fn an_approval_is_for_one_sync() {
    let (world, held) = held();
    world.write("two.yaml", super::world::named("two", &["source: {directory: {path: two}}", "target: {table: two}"]));
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-f", "two.yaml", "--approve", held.sha256()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    assert_eq!(world.names_of_users().len(), 20);
}

#[test]
fn a_file_that_breaches_nothing_needs_no_approval_and_takes_one() {
    let world = World::new(&[]);
    world.drop_file(people(3));
    let sha = world.run(&["--simulate"]).sha256().to_owned();
    assert_eq!(world.run(&["--approve", &sha]).counts(), "read 3, added 3");
}

#[test]
fn the_command_that_approves_is_that_of_the_run() {
    let world = World::new(&["safeguards: {minRows: 2}"]);
    world.drop_file(people(1));
    let args = ["run", "-f", "./hr.yaml", "--data", "my data", "--secrets", "secrets", "--instance", "blue"];
    let held = world.usersync(&args);
    assert_eq!(held.code, 3, "{held:?}");
    let line = held.stdout.lines().find(|line| line.contains("--approve")).unwrap().trim();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &line.replacen("usersync", env!("CARGO_BIN_EXE_usersync"), 1)]).current_dir(world.path("."));
    let pasted = command.output().unwrap();
    assert_eq!(pasted.status.code(), Some(0), "{line}: {pasted:?}");
    assert_eq!(world.query("my data/users.db", "select id from users"), ["E1"]);
}
