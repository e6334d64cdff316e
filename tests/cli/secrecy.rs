//! Sensitive values and Secrets stay where they belong; nobody's cell is run by a spreadsheet or a terminal.

use std::{fs, path::Path};

use data_encoding::BASE64;
use mail_parser::{MessageParser, MimeHeaders};

use super::{
    smtp::{Does, Smtp},
    world::World,
};

const MAPPING: &str =
    "mapping: {userId: {column: id}, properties: [{property: name}, {property: band, sensitive: true, type: Integer}]}";

/// What tells people of a run by mail, and the Secret for it.
const MAIL: &str = "report: {email: {smtp: {name: smtp}, from: sync@example.com, to: [it@example.com], failedImportTo: [hr@example.com]}}";
const PASSWORD: &str = "correct-horse-3";

/// The same with a mail server that takes everything.
fn with_mail(world: &World) -> Smtp {
    let server = Smtp::start(|_| Does::Usual);
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: smtp}}\nstringData: {{url: \"{}\", username: sync, password: {PASSWORD}}}\n",
        server.url()
    );
    world.write("hr.yaml", world.read("hr.yaml") + &secret);
    server
}

/// The parts of a file by their names: what is packed is unpacked, and of a mail each part is one, decoded.
fn parts(name: &str, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    if name.ends_with(".gz") {
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut plain).unwrap();
        return vec![(name.to_owned(), plain)];
    }
    if !name.ends_with(".eml") {
        return vec![(name.to_owned(), bytes)];
    }
    let mail = MessageParser::default().parse(&bytes).unwrap();
    let subject = mail.subject().unwrap().as_bytes().to_vec();
    let mut found = vec![(name.to_owned(), subject)];
    for part in mail.parts.iter().filter(|part| !part.is_multipart()) {
        found.extend(parts(part.attachment_name().unwrap_or("mail"), part.contents().to_vec()));
    }
    assert!(found.len() >= 3, "text and HTML: {found:?}");
    // What was never encoded, and the head.
    found.push((name.to_owned(), bytes.clone()));
    found
}

/// The names of all parts of files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(holding_parts(&name, fs::read(&path).unwrap(), text));
    }
    found.sort();
    found.dedup();
    found
}

fn holding_parts(name: &str, bytes: Vec<u8>, text: &str) -> Vec<String> {
    let holds = |(_, part): &(String, Vec<u8>)| String::from_utf8_lossy(part).contains(text);
    parts(name, bytes).into_iter().filter(holds).map(|(name, _)| name).collect()
}

/// The names of all parts of mails that hold a text, and how many mails there are.
fn mailed(server: &Smtp, text: &str) -> (Vec<String>, usize) {
    let taken = server.taken();
    let count = taken.len();
    let mut found: Vec<_> = taken.into_iter().flat_map(|taken| holding_parts("taken.eml", taken.mail, text)).collect();
    found.sort();
    found.dedup();
    (found, count)
}

#[test]
fn sensitive_values_are_in_the_rejects_file_and_nowhere_else() {
    let safeguards = "safeguards: {maxRejected: \"100%\", maxRemovals: \"100%\"}";
    let world = World::new(&[MAPPING, MAIL, safeguards, "action: Mirror"]);
    let server = with_mail(&world);
    let mut said = String::new();
    let mut run = |file: &str| {
        world.drop_file(file);
        for args in [&["run", "-f", "hr.yaml", "--simulate"][..], &["run", "-f", "hr.yaml"]] {
            let mut command = world.command(args);
            let ended = command.env("USERSYNC_LOG", "trace").output().unwrap();
            said += &String::from_utf8(ended.stdout).unwrap();
            said += &String::from_utf8(ended.stderr).unwrap();
        }
    };
    run("id,name,band\nE1,Ann,77001\nE2,Bob,77002\n");
    run("id,name,band\nE1,Ann,77003\nE2,Bob,x77004\nE3,Cem,7700599999999999999999999\n");
    run("id,name,band\nE1,Ann,77003\n");
    // Rows that can't be read at all, among them the cell.
    run("id,name,band\nE1,Ann,77003\nE2,Bob,77005,77006\nE3,\"Cem\"x,77007\n,Dan,77008\nE1,Ann,77009\n");
    assert!(said.contains("•••"), "that it changed is said: {said}");
    assert!(!said.contains("7700"), "{said}");
    assert_eq!(holding(&world.path(".usersync"), "7700"), ["userdata_1_rejects.csv"]);
    let (found, mails) = mailed(&server, "7700");
    assert_eq!(found, ["userdata_1_rejects.csv"], "of {mails} mails");
    assert!(mails >= 10, "a summary of each run, and rows to correct: {mails}");
    for masked in ["report.html", "mail", "changes.csv.gz"] {
        assert!(holding(&world.path(".usersync"), "•••").contains(&masked.to_owned()), "{masked} says that it changed");
    }
    let logged_in = BASE64.encode(format!("\0sync\0{PASSWORD}").as_bytes());
    for secret in [PASSWORD, &logged_in] {
        assert!(!said.contains(secret), "{said}");
        assert_eq!(holding(&world.path(".usersync"), secret), Vec::<String>::new());
        assert_eq!(mailed(&server, secret).0, Vec::<String>::new());
    }
}

#[test]
fn a_held_run_and_a_refusing_database_show_no_sensitive_value() {
    let world = World::new(&[
        MAPPING,
        MAIL,
        "safeguards: {maxRejected: \"100%\", maxEmptied: 0}",
        "target: {url: {value: \"sqlite:people.db\"}}",
        "conflictMode: Replace",
    ]);
    world.sql(
        "people.db",
        "create table users (id text primary key, name text, band integer unique check (band < 77100));
         insert into users values ('E1', 'Ann', 77001), ('E2', 'Bob', 77002);",
    );
    let server = with_mail(&world);
    let mut said = String::new();
    let mut run = |file: &str, code: i32| {
        world.drop_file(file);
        for args in [
            &["run", "-f", "hr.yaml", "--simulate"][..],
            &["run", "-f", "hr.yaml"],
            &["run", "-f", "hr.yaml", "-o", "json"],
        ] {
            let mut command = world.command(args);
            let ended = command.env("USERSYNC_LOG", "trace").output().unwrap();
            said += &String::from_utf8(ended.stdout).unwrap();
            said += &String::from_utf8(ended.stderr).unwrap();
            if !args.contains(&"--simulate") && !args.contains(&"json") {
                assert_eq!(ended.status.code(), Some(code), "{said}");
            }
        }
    };
    run("id,name,band\nE1,Ann,\nE2,Bob,77002\n", 3);
    run("id,name,band\nE1,Ann,77001\nE2,Bob,77002\nE3,Cem,77001\nE4,Dora,77666\nE5,Eve,77005\n", 4);
    assert!(said.contains("the database refuses the row"), "{said}");
    assert!(!said.contains("7700") && !said.contains("77666"), "{said}");
    for marker in ["7700", "77666"] {
        assert_eq!(holding(&world.path(".usersync"), marker), ["userdata_1_rejects.csv"], "{marker}");
        assert_eq!(mailed(&server, marker).0, ["userdata_1_rejects.csv"], "{marker}");
    }
    let pages = holding(&world.path(".usersync"), "<!DOCTYPE html>");
    assert_eq!(
        pages,
        ["failed-import.eml", "mail", "report.html", "summary.eml"],
        "and there were pages and mails to look at"
    );
}

#[test]
fn a_sensitive_key_is_not_shown_in_the_terminal() {
    let world = World::new(&[
        "mapping: {userId: {column: id}, properties: [{property: name}]}",
        "target: {url: {secretKeyRef: {name: db, key: url}}}",
    ]);
    world.write("secrets/db/url", "sqlite:people-none.db");
    world.drop_file("id,name\nE1,Ann\n");
    let ran = world.usersync(&["run", "-f", "hr.yaml", "--secrets", "secrets", "-o", "json"]);
    assert_eq!(ran.code, 1, "the file is not there: {ran:?}");
    assert!(!world.exists("people-none.db"), "and is not made");
    world.write("secrets/db/url", "postgres://u:hunter2@127.0.0.1:1/db");
    let mut command = world.command(&["run", "-f", "hr.yaml", "--secrets", "secrets"]);
    let ended = command.env("USERSYNC_LOG", "trace").output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("TargetUnreachable"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(holding(&world.path(".usersync"), "hunter2"), Vec::<String>::new());
}

#[test]
fn cells_that_a_spreadsheet_would_run_get_an_apostrophe() {
    let mapping = "mapping: {userId: {column: id}, properties: [{property: name}, {property: mail, type: Email}]}";
    let world = World::new(&[
        mapping,
        "source: {directory: {path: inbox}, csv: {trim: false}}",
        "safeguards: {maxRejected: \"100%\"}",
    ]);
    world.import("id,name,mail\nE1,Ann,ann@example.com\n");
    let bad = ["=cmd()", "+1", "-1", "@x", "'x", "\tx"];
    let rows: String = bad.iter().enumerate().map(|(n, cell)| format!("R{n},\"{cell}\",wrong\n")).collect();
    world.drop_file(format!("id,name,mail\nE1,=HYPERLINK(1),ann@example.com\n{rows}=K,x,k@example.com\n"));
    let one = world.run(&[]);
    assert_eq!((one.code, one.count("added"), one.count("updated")), (4, 1, 1), "{one:?}");
    let rejects = one.report_text(&world, "rejects");
    for cell in bad {
        assert!(rejects.contains(&format!("'{cell}")), "{cell:?}: {rejects}");
    }
    let changes = one.report_text(&world, "changes");
    assert!(changes.contains("'=HYPERLINK(1)") && changes.contains("added,'=K"), "{changes}");
    let stored = world.users("select name from users where id in ('E1', '=K') order by id");
    assert_eq!(stored, ["x", "=HYPERLINK(1)"], "the database has what was sent");
}

#[test]
fn a_terminal_is_not_steered_by_a_file() {
    let world = World::new(&[]);
    world.import("id,name,mail\nE1,Ann,ann@example.com\n");
    world.drop_file(
        "id,name,mail\nE1,\u{1b}[2J\u{202e}owned\u{7},ann@example.com\nE2,\u{9b}31m,\u{1b}]0;x\u{7}\n\u{1b}[1m,x,y\n",
    );
    for args in [
        &["preview", "-f", "hr.yaml"][..],
        &["run", "-f", "hr.yaml", "--simulate"],
        &["run", "-f", "hr.yaml", "-o", "json"],
        &["run", "-f", "hr.yaml"],
    ] {
        let ran = world.usersync(args);
        let steering = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.stdout.contains(steering) && !ran.stderr.contains(steering), "{args:?}: {ran:?}");
        assert!(ran.stdout.len() > 50, "{ran:?}");
    }
}
