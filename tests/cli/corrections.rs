//! The rejects file: corrected and dropped back it imports exactly those rows.

use super::world::{One, World};

const FILE: &str =
    "id;name;mail\nE1;Ann;ann@example.com\nE2;\"Bob; jr.\";nowhere\nE3;=1+1;cem\nE4;Dee;dee@example.com\n";

fn rejected(changes: &[&str], file: &str) -> (World, One, String) {
    let world = World::new(changes);
    world.drop_file(file);
    let one = world.run(&[]);
    assert_eq!(one.code, 4, "{one:?}");
    let rejects = one.report_text(&world, "rejects");
    (world, one, rejects)
}

#[test]
fn it_holds_the_rows_as_they_came() {
    let (_, one, rejects) = rejected(&[], FILE);
    assert_eq!(one.counts(), "read 4, rejected 2, added 2");
    assert!(one.report["reports"]["rejects"].as_str().unwrap().ends_with("/userdata_1_rejects.csv"));
    assert!(
        rejects.starts_with("\u{feff}id;name;mail;usersync_line;usersync_reason_code;usersync_reason"),
        "{rejects}"
    );
    let lines: Vec<_> = rejects.lines().collect();
    assert_eq!(lines.len(), 3, "{rejects}");
    assert!(lines[1].starts_with("E2;\"Bob; jr.\";nowhere;3;"), "{rejects}");
    assert!(lines[2].starts_with("E3;'=1+1;cem;4;"), "no spreadsheet runs it: {rejects}");
}

#[test]
fn corrected_in_a_cell_it_imports_those_rows() {
    for action in ["Upsert", "Mirror"] {
        let (world, _, rejects) = rejected(&[&format!("action: {action}"), "safeguards: {minRows: 2}"], FILE);
        world.drop_file(rejects.replace("nowhere", "bob@example.com"));
        let one = world.run(&[]);
        assert_eq!(
            (one.code, one.count("added"), one.count("rejected"), one.count("removed")),
            (4, 1, 1, 0),
            "{one:?}"
        );
        assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob; jr.", "E4 Dee"]);
        // What was rejected again is a correction file again, and the apostrophes don't pile up.
        let again = one.report_text(&world, "rejects");
        assert_eq!(again.matches("usersync_line").count(), 1, "{again}");
        assert!(again.contains("E3;'=1+1;cem;"), "{again}");
        world.drop_file(again.replace(";cem;", ";cem@example.com;"));
        let one = world.run(&[]);
        assert_eq!((one.code, one.counts().as_str()), (0, "read 1, added 1"), "{one:?}");
        assert_eq!(world.users("select name from users where id = 'E3'"), ["=1+1"]);
    }
}

#[test]
fn dropped_back_uncorrected_it_is_rejected_again() {
    let (world, first, rejects) = rejected(&["safeguards: {maxRejected: \"100%\"}"], FILE);
    world.drop_file(&rejects);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 2, rejected 2"));
    assert_eq!(first.count("rejected"), 2);
    assert_eq!(world.names_of_users().len(), 2);
    let reasons = |text: &str| text.lines().map(|line| line.rsplit(';').nth(1).unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(reasons(&one.report_text(&world, "rejects")), reasons(&rejects));
}

#[test]
fn ragged_rows_do_not_slip_in() {
    let rows = [
        "E2,Bob",
        "E2",
        "E2,Bob,b@example.com,more",
        "E2,Bob,b@example.com,a,b,c",
        "E2,Bob,b@example.com,9,X,y,z",
        "E2,\"Bob\" x,b@example.com",
        "\"E2,Bob,b@example.com",
    ];
    for row in rows {
        let file = format!("id,name,mail\nE1,Ann,ann@example.com\n{row}\n");
        let (world, _, rejects) = rejected(&["safeguards: {maxRejected: \"100%\"}"], &file);
        world.drop_file(&rejects);
        let one = world.run(&[]);
        assert_eq!((one.code, one.count("added"), one.count("rejected")), (4, 0, 1), "{row:?}: {one:?}\n{rejects}");
        assert_eq!(world.names_of_users(), ["E1 Ann"], "{row:?}");
        // And once more: it stays the same file.
        world.drop_file(one.report_text(&world, "rejects"));
        let again = world.run(&[]);
        assert_eq!((again.code, again.count("rejected")), (4, 1), "{row:?}: {again:?}");
        assert_eq!(again.report_text(&world, "rejects").lines().next(), rejects.lines().next());
    }
}

#[test]
fn only_the_rows_that_are_left_count() {
    let (world, _, rejects) = rejected(&["action: Mirror"], FILE);
    let header = rejects.lines().next().unwrap().to_owned() + "\n";
    world.drop_file(header);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (0, ""), "minRows doesn't apply, absence means nothing: {one:?}");
    assert_eq!(world.names_of_users().len(), 2);
}
