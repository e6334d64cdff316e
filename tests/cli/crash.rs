//! A process killed in the middle leaves the old state or the new one, and the next run knows which.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::world::{World, people};

#[test]
fn killed_anywhere_it_is_all_or_nothing_and_the_retry_ends_it() {
    const PEOPLE: usize = 30_000;
    let file = people(PEOPLE);
    let world = World::new(&["action: Mirror", "safeguards: {maxRemovals: \"100%\"}"]);
    world.import("id,name,mail\nOLD,Old,old@example.com\n");
    let old = vec!["OLD Old".to_owned()];
    let whole = {
        let clean = World::new(&[]);
        clean.drop_file(&file);
        let begun = Instant::now();
        assert_eq!(clean.run(&[]).code, 0);
        begun.elapsed()
    };
    for part in 1..=12_u32 {
        world.drop_file(&file);
        let mut child =
            world.command(&["run", "-f", "hr.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(whole * part / 12);
        child.kill().unwrap();
        child.wait().unwrap();
        let found = world.names_of_users();
        assert!(found == old || found.len() == PEOPLE, "{} users after part {part}", found.len());
        let here = world.exists("inbox/userdata_1.csv");
        let kept =
            world.names("inbox/bak").iter().filter(|name| world.read(&format!("inbox/bak/{name}")) == file).count();
        assert!(here || kept > 0, "the file is lost");
        let next = world.run(&[]);
        assert_eq!(next.code, 0, "part {part}: {next:?}");
        assert_eq!(world.names_of_users().len(), PEOPLE, "part {part}: {next:?}");
        assert!(!world.exists("inbox/userdata_1.csv"), "part {part}: put away");
        assert_eq!(world.names(".usersync/spool/default/hr"), Vec::<String>::new(), "part {part}");
        // Every committed import has its report.
        for run in world.users("select run from usersync_ledger order by 1") {
            assert!(world.exists(&format!(".usersync/reports/default/hr/{run}/report.json")), "part {part}: {run}");
        }
        world.drop_file("id,name,mail\nOLD,Old,old@example.com\n");
        let back = world.run(&[]);
        assert_eq!((back.code, world.names_of_users()), (0, old.clone()), "{back:?}");
    }
}

#[test]
fn two_processes_on_one_sync() {
    let world = World::new(&["source: {directory: {path: inbox}, stableFor: 20s}"]);
    world.write_aged("inbox/userdata_1.csv", people(3), 0);
    let mut first = world
        .command(&["run", "-f", "hr.yaml", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lock = ".usersync/spool/default/hr/.lock";
    let pid = format!("{}\n", first.id());
    let until = Instant::now() + Duration::from_secs(60);
    while !(world.exists(lock) && world.read(lock) == pid) {
        assert!(Instant::now() < until, "the first one never began");
        thread::sleep(Duration::from_millis(20));
    }
    let second = world.usersync(&["run", "-f", "hr.yaml"]);
    assert_eq!((second.code, second.stdout.as_str()), (1, ""), "{second:?}");
    assert!(second.stderr.contains(&format!("process {}", first.id())), "{}", second.stderr);
    let preview = world.usersync(&["preview", "-f", "hr.yaml"]);
    assert_eq!(preview.code, 1, "{preview:?}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The system gave the lock back.
    world.drop_file(people(3));
    assert_eq!(world.run(&[]).counts(), "read 3, added 3");
}
