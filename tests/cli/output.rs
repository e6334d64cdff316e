//! What is printed where, and how the process ends.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::world::{Ran, THREE, World, hr, named, people};

const ONE_BAD: &str = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,nowhere\nE3,Cem,cem@example.com\n";

#[test]
fn the_text_of_each_kind_of_end() {
    let world = World::new(&[]);
    let golden = |name: &str, args: &[&str], code: i32| {
        let ran = world.usersync(&[&["run", "-f", "hr.yaml"], args].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{name}: {ran:?}");
        world.golden(name, &ran.stdout);
    };
    golden("nofile.txt", &[], 0);
    world.drop_file(THREE);
    golden("simulation.txt", &["--simulate"], 0);
    golden("import.txt", &[], 0);
    world.drop_file(THREE.replace("Bob", "Rob"));
    golden("update.txt", &[], 0);
    world.drop_file(ONE_BAD);
    golden("rejects.txt", &[], 4);
    world.drop_file("id,name,mail\nE1,Ann,broken\nE2,Bob,nowhere\nE3,Cem,cem@example.com\n");
    golden("held.txt", &[], 3);
    world.drop_file("badge,name\n1,Ann\n");
    golden("failed.txt", &[], 1);
}

#[test]
fn the_same_ends_as_json() {
    let world = World::new(&[]);
    let golden = |name: &str, args: &[&str], code: i32| {
        let ran = world.usersync(&[&["run", "-f", "hr.yaml", "-o", "json"], args].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{name}: {ran:?}");
        world.golden(name, &ran.stdout);
        ran.stdout
    };
    golden("nofile.json", &[], 0);
    world.drop_file(THREE);
    golden("simulation.json", &["--simulate"], 0);
    let printed = golden("import.json", &[], 0);
    let object: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let kept: serde_json::Value =
        serde_json::from_str(&world.read(object["reports"]["report"].as_str().unwrap())).unwrap();
    for field in ["sync", "mode", "reason", "message", "file", "counts", "guard", "reports", "startTime"] {
        assert_eq!(kept[field], object[field], "{field}");
    }
    world.drop_file(ONE_BAD);
    golden("rejects.json", &[], 4);
    world.drop_file("id,name,mail\nE1,Ann,broken\nE2,Bob,nowhere\nE3,Cem,cem@example.com\n");
    golden("held.json", &[], 3);
    world.drop_file("badge,name\n1,Ann\n");
    golden("failed.json", &[], 1);
}

#[test]
fn help_has_examples() {
    let world = World::new(&[]);
    for command in [
        "run",
        "local",
        "check",
        "browse",
        "preview",
        "template",
        "schedule",
        "suspend",
        "resume",
        "update",
        "simulate",
        "approve",
        "runs",
        "report",
        "crds",
        "completions",
    ] {
        let ran = world.usersync(&[command, "--help"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.contains(&format!("  usersync {command}")), "{command} has no example");
        world.golden(&format!("help-{command}.txt"), &ran.stdout);
    }
    let ran = world.usersync(&["--help"]);
    assert_eq!(ran.code, 0);
    world.golden("help.txt", &ran.stdout);
}

#[test]
fn bad_usage_ends_with_two_and_says_nothing_on_stdout() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    for args in [
        &[][..],
        &["run"],
        &["run", "-f"],
        &["run", "-f", "hr.yaml", "--approve", "abc"],
        &["run", "-f", "hr.yaml", "--simulate", "--approve", &"a".repeat(64)],
        &["run", "-f", "hr.yaml", "-o", "xml"],
        &["run", "-f", "nowhere.yaml"],
        &["run", "-f", "inbox"],
        &["run", "hr.yaml"],
        &["check", "-f", "inbox"],
        &["schedule", "-f", "hr.yaml", "-n", "0"],
        &["completions", "cmd"],
        &["fly"],
        &["run", "-f", "hr.yaml", "--log-format", "xml"],
    ] {
        let ran = world.usersync(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(ran.stderr.len() > 20, "{args:?} says nothing");
    }
    assert!(!world.exists(".usersync"), "nothing ran");
}

#[test]
fn of_several_syncs_the_most_urgent_end_counts() {
    let world = World::new(&[]);
    let sync = |name: &str, file: &str, more: &[&str]| {
        let source = format!("source: {{directory: {{path: inbox}}, files: {file}, afterImport: {{keep: {{}}}}}}");
        let target = format!("target: {{table: {name}}}");
        world.write(&format!("{name}.yaml"), named(name, &[&[source.as_str(), target.as_str()], more].concat()));
    };
    world.write("inbox/good.csv", THREE);
    world.write("inbox/rejects.csv", ONE_BAD);
    world.write("inbox/failed.csv", "badge\n1\n");
    world.write("inbox/held.csv", people(2));
    sync("good", "good.csv", &[]);
    sync("rejects", "rejects.csv", &[]);
    sync("failed", "failed.csv", &[]);
    sync("held", "held.csv", &["safeguards: {minRows: 3}"]);
    sync("none", "none.csv", &[]);
    sync("wrong", "wrong.csv", &["color: red"]);
    for (names, code, lines) in [
        (&["good", "none"][..], 0, 2),
        (&["good", "rejects", "none"], 4, 3),
        (&["rejects", "held", "good"], 3, 3),
        (&["held", "failed", "rejects"], 1, 3),
        (&["failed", "held"], 1, 2),
        (&["good", "wrong", "failed"], 2, 0),
    ] {
        let mut args = vec!["run", "-o", "json"];
        let files: Vec<_> = names.iter().map(|name| format!("{name}.yaml")).collect();
        files.iter().for_each(|file| args.extend(["-f", file]));
        let ran = world.usersync(&args);
        assert_eq!(ran.code, code, "{names:?}: {ran:?}");
        let syncs: Vec<_> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["sync"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(syncs.len(), lines, "{names:?}");
        assert!(lines == 0 || syncs == names, "{syncs:?}: in the order of the manifests");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let world = World::new(&[]);
    for args in [&["crds"][..], &["completions", "bash"], &["completions", "zsh"], &["run", "--help"]] {
        let mut child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::with_capacity(16, child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        drop(out);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(!said.contains("panic"), "{args:?}: {said}");
        assert_ne!(ended.status.code(), Some(101), "{args:?}");
    }
}

#[test]
fn a_run_whose_reader_is_gone_still_imports() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = world.command(&["run", "-f", "hr.yaml"]).stdout(writer).output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem"]);
}

#[test]
fn log_lines_are_json_if_asked_for_and_never_on_stdout() {
    let world = World::new(&[]);
    world.drop_file(people(3_000));
    let mut command = world.command(&["run", "-f", "hr.yaml", "-o", "json", "--log-format", "json"]);
    let ended = command.env("USERSYNC_LOG", "trace").output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(stdout.lines().count(), 1);
    serde_json::from_str::<serde_json::Value>(&stdout).unwrap();
    for line in String::from_utf8(ended.stderr).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn a_pipe_sees_no_bar_and_no_colour() {
    let world = World::new(&[]);
    world.drop_file(people(40_000));
    let ran = world.usersync(&["run", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(!ran.stdout.contains(['\x1b', '\r']), "{}", ran.stdout);
}

#[test]
fn manifests_come_from_files_folders_and_standard_input() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    let ran = world.piped(&["run", "-f", "-"], &hr(&[]));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem"], "beside the working folder");

    let folder = World::new(&[]);
    folder.write("syncs/a.yaml", hr(&["source: {directory: {path: ../inbox}}"]));
    let other = "source: {directory: {path: ../inbox}, files: other_*.csv}";
    folder.write("syncs/b.yml", named("other", &[other, "target: {table: others}"]));
    folder.write("syncs/notes.txt", "no manifest");
    folder.drop_file(THREE);
    folder.write("inbox/other_1.csv", THREE);
    let ran = folder.usersync(&["run", "-f", "syncs", "-o", "json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{ran:?}");
    assert!(folder.exists("syncs/.usersync/users.db"));
}

#[test]
fn several_documents_in_one_file_run_each_also_a_suspended_one() {
    let world = World::new(&[]);
    let other = "source: {directory: {path: inbox}, files: other_*.csv}";
    let other = named("other", &[other, "target: {table: others}", "suspend: true"]);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n";
    let foreign = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {anything: goes}\n";
    world.write("hr.yaml", format!("{}---\n{config}---\n{foreign}---\n{other}", hr(&[])));
    world.drop_file(THREE);
    world.write("inbox/other_1.csv", THREE);
    let ran = world.usersync(&["run", "-f", "hr.yaml", "-o", "json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{ran:?}");
    assert_eq!(world.users("select id from others order by id"), ["E1", "E2", "E3"]);
}

#[test]
fn preview_shows_rows_raw_and_mapped_and_writes_no_database() {
    let world = World::new(&["mapping: {userId: {column: id}, filter: \"row['name'] != 'Gus'\", properties: \
         [{property: name}, {property: mail, type: Email}, {property: band, column: Band, sensitive: true}]}"]);
    world.drop_file(
        "id,name,mail,Band\nE1,Ann,ann@example.com,A7\nE2,Bob,nowhere,B2\nE3,Gus,gus@example.com,B3\nE4,x\nE5,\"a\nb\",,\nE6,,,\n",
    );
    let ran = world.usersync(&["preview", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(!ran.stdout.contains("A7") && !ran.stdout.contains("B2"), "a sensitive value is shown: {ran:?}");
    world.golden("preview.txt", &ran.stdout);
    assert!(!world.exists(".usersync/users.db") && world.exists("inbox/userdata_1.csv"));
}

#[test]
fn template_schedule_and_completions() {
    let world = World::new(&[
        "mapping: {userId: {column: [Badge, 'No'], property: id}, properties: [{property: name, expression: \"row['First'] + row['Last']\"}, \
         {property: mail, column: 'E-mail; work', type: Email}, {property: born, type: Date, format: '%d.%m.%Y'}, {property: 'on', type: Boolean}]}",
        "schedule: {daily: {at: '02:30'}, timeZone: Europe/Paris}",
    ]);
    let ran = world.usersync(&["template", "-f", "hr.yaml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    world.golden("template.csv", &ran.stdout);

    let ran = world.usersync(&["schedule", "-f", "hr.yaml", "-n", "400"]);
    assert_eq!((ran.code, ran.stderr.as_str(), ran.stdout.lines().count()), (0, "", 400));
    let times: Vec<jiff::Timestamp> = ran.stdout.lines().map(|line| line.parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > jiff::Timestamp::now());
    for line in ran.stdout.lines() {
        // The night in which 02:30 doesn't exist runs at 03:00.
        let (hour, offset) = (&line[11..19], &line[19..]);
        assert!(["02:30:00", "03:00:00"].contains(&hour) && ["+01:00", "+02:00"].contains(&offset), "{line}");
    }
    assert_eq!(ran.stdout.lines().filter(|line| line[11..].starts_with("03:00")).count(), 1, "one spring a year");

    for (shell, begins) in
        [("bash", "_usersync"), ("zsh", "#compdef usersync"), ("fish", "#"), ("elvish", ""), ("powershell", "")]
    {
        let ran = world.usersync(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.trim_start().starts_with(begins), "{shell}: {}", &ran.stdout[..80]);
        assert!(ran.stdout.contains("simulate"), "{shell}");
    }
    let nothing = World::new(&[]).usersync(&["schedule", "-f", "hr.yaml"]);
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""), "{nothing:?}");
}

#[test]
fn a_log_level_that_is_none_is_refused_before_anything_is_done() {
    let world = World::new(&[]);
    for wanted in ["inof", "info,usersync=loud"] {
        let ran: Ran = world.command(&["run", "-f", "hr.yaml"]).env("USERSYNC_LOG", wanted).output().unwrap().into();
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        let bad = wanted.rsplit(',').next().unwrap();
        assert!(ran.stderr.contains(&format!("the variable USERSYNC_LOG says `{bad}`, which is no level")), "{ran:?}");
    }
    assert!(!world.exists(".usersync"), "nothing was written");
}

#[test]
fn a_report_is_printed_as_text_as_a_page_and_with_its_rows() {
    let world = World::new(&[]);
    world.import(THREE);
    world.drop_file("id,name,mail\nE1,Anna,ann@example.com\nE4,Dora,nowhere\nE2,Bob,bob@example.com\n");
    let one = world.run(&[]);
    let run = one.report["run"].as_str().unwrap();
    let report = |more: &[&str]| world.usersync(&[&["report", run, "--local", "."], more].concat());
    let page = report(&["-o", "html"]);
    assert_eq!((page.code, page.stdout.as_str()), (4, one.report_text(&world, "html").as_str()), "{page:?}");
    assert!(page.stdout.starts_with("<!DOCTYPE html>"));
    let changes = report(&["--changes"]);
    assert_eq!(
        (changes.code, changes.stdout.as_str()),
        (0, "action,userId,line,property,old,new\nupdated,E1,2,name,Ann,Anna\n")
    );
    let rejects = report(&["--rejects"]);
    assert_eq!((rejects.code, rejects.stdout.as_str()), (0, one.report_text(&world, "rejects").as_str()));
    assert_eq!(report(&["--changes", "--rejects"]).code, 2);
    // From another folder too: the run noted its path as seen from its own.
    let mut away = world.command(&["report", run, "--local", world.path("").to_str().unwrap(), "--rejects"]);
    let away = away.current_dir(world.path("inbox")).output().unwrap();
    assert_eq!(String::from_utf8(away.stdout).unwrap(), rejects.stdout);

    world.drop_file("id,name,mail\nE1,Anna,ann@example.com\n");
    let same = world.run(&[]);
    let run = same.report["run"].as_str().unwrap();
    let none = world.usersync(&["report", run, "--local", ".", "--rejects"]);
    assert_eq!(none.code, 2, "{none:?}");
    assert!(none.stderr.contains("no row was rejected"), "{none:?}");
}
