//! Runs whose reports are kept in a bucket, from outside: the built binary, a folder of manifests, a mail server that is scripted.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

use crate::{
    daemon::{Daemon, condition, kept, status},
    gateway::Gateway,
    smtp::{Does, Smtp},
    world::{Ran, THREE, World},
};

/// Longer than what waits for a server pauses between two tries.
const PATIENCE: Duration = Duration::from_secs(240);
const PLACE: &str = "s3://reports/usersync";
const REJECTED: &str = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,bob@@example.com\n";

fn started() -> Gateway {
    let gateway = Gateway::start();
    gateway.make("reports");
    gateway
}

/// A world whose runs are told by mail.
fn mailed(smtp: &Smtp, more: &[&str]) -> World {
    let report = "report: {email: {smtp: {name: smtp}, from: a@example.com, to: [it@example.com], failedImportTo: [hr@example.com]}}";
    let world = World::new(&[&[report], more].concat());
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: smtp}}\nstringData: {{url: \"{}\"}}\n",
        smtp.url()
    );
    world.write("hr.yaml", world.read("hr.yaml") + &secret);
    world
}

/// The binary, with what it takes to use the bucket.
fn command(world: &World, gateway: &Gateway, args: &[&str]) -> Command {
    let mut command = world.command(args);
    command.envs(gateway.environment());
    command
}

fn usersync(world: &World, gateway: &Gateway, args: &[&str]) -> Ran {
    command(world, gateway, args).output().unwrap().into()
}

/// Local mode over the world's folder.
fn local<'a>(world: &'a World, gateway: &Gateway, more: &[&str]) -> Daemon<'a> {
    Daemon::of(world, command(world, gateway, &[&["local", ".", "--reports", PLACE], more].concat()))
}

fn until<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The files of the reports in the bucket: `RUN/NAME`.
fn files(gateway: &Gateway) -> Vec<String> {
    let below = |key: String| key.strip_prefix("usersync/default/hr/").map(str::to_owned);
    gateway.keys("reports").into_iter().filter_map(below).collect()
}

/// The runs that have a report in the bucket.
fn reported(gateway: &Gateway) -> Vec<String> {
    let whole = |file: String| file.strip_suffix("/report.json").map(str::to_owned);
    files(gateway).into_iter().filter_map(whole).collect()
}

#[test]
fn one_run_and_its_report() {
    let (gateway, smtp) = (started(), Smtp::start(|_| Does::Usual));
    let world = mailed(&smtp, &[]);
    world.drop_file(REJECTED);
    let ran = usersync(&world, &gateway, &["run", "-f", "hr.yaml", "-o", "json", "--reports", PLACE]);
    assert_eq!(ran.code, 4, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let run = report["run"].as_str().unwrap();
    let at = |name: &str| format!("{PLACE}/default/hr/{run}/{name}");
    assert_eq!(report["reports"]["report"], at("report.json"));
    assert_eq!(report["reports"]["rejects"], at("userdata_1_rejects.csv"));
    let names = [
        "changes.csv.gz",
        "failed-import.eml",
        "records.jsonl.gz",
        "report.html",
        "report.json",
        "summary.eml",
        "userdata_1_rejects.csv",
    ];
    assert_eq!(files(&gateway), names.map(|name| format!("{run}/{name}")));
    assert!(world.names(".usersync/reports").is_empty() && world.names(".usersync/spool/default/hr").is_empty());

    // The mails come out of the bucket, with the attachments that lie there.
    let mails = smtp.taken();
    let to = |address: &str| mails.iter().find(|mail| mail.to == [address]).unwrap();
    let read = |name: &str| gateway.read("reports", &format!("usersync/default/hr/{run}/{name}"));
    for (address, letter, attached) in [
        ("it@example.com", "summary.eml", "changes.csv.gz"),
        ("hr@example.com", "failed-import.eml", "userdata_1_rejects.csv"),
    ] {
        let mail = to(address).mail.clone();
        assert_eq!(String::from_utf8(mail.clone()).unwrap().trim(), String::from_utf8(read(letter)).unwrap().trim());
        let message = MessageParser::default().parse(&mail).unwrap();
        let part = message.attachments().find(|part| part.attachment_name() == Some(attached)).unwrap();
        assert!(part.contents() == read(attached), "{attached}");
    }

    // Whoever may read the bucket reads it by the run's name.
    let shown = |args: &[&str]| usersync(&world, &gateway, &[&["report", run, "--local", "."], args].concat());
    assert_eq!(shown(&["-o", "html"]).stdout.into_bytes(), read("report.html"));
    assert_eq!(shown(&["--rejects"]).stdout.into_bytes(), read("userdata_1_rejects.csv"));
    assert!(shown(&["--changes"]).stdout.contains("added,E1,2,,,"));
    let json: Value = serde_json::from_str(&shown(&["-o", "json"]).stdout).unwrap();
    assert_eq!(json["timings"]["look"], report["timings"]["look"], "no status says that");
    let without = world.usersync(&["report", run, "--local", ".", "--changes"]);
    assert_eq!(without.code, 1, "{without:?}");
    assert!(
        without.stderr.contains(&at("changes.csv.gz")) && without.stderr.contains("AWS_REGION is missing"),
        "{without:?}"
    );
    let without = world.usersync(&["report", run, "--local", ".", "-o", "json"]);
    assert!(without.code == 4 && without.stdout.contains(&at("report.json")), "the status is enough: {without:?}");
}

#[test]
fn what_can_not_be_used_is_refused_at_once() {
    let world = World::new(&[]);
    world.drop_file(THREE);
    for (reports, variables, words) in [
        ("s3://reports", &[][..], "AWS_REGION is missing"),
        ("s3://reports", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")][..], "there are no credentials"),
        ("s3://reports", &[("AWS_REGION", "x"), ("AWS_ACCESS_KEY_ID", "k")][..], "AWS_SECRET_ACCESS_KEY is missing"),
        ("s3://k:hush@reports", &[][..], "AWS_ACCESS_KEY_ID"),
        ("gs://reports", &[][..], "gs:// is neither"),
    ] {
        for args in [&["run", "-f", "hr.yaml"][..], &["local", "."][..], &["operator"][..]] {
            let mut command = world.command(&[args, &["--reports", reports]].concat());
            command.env("KUBECONFIG", "/nonexistent");
            command.envs(variables.iter().copied());
            let ran: Ran = command.output().unwrap().into();
            assert_eq!(ran.code, 2, "{args:?} {ran:?}");
            assert!(ran.stderr.contains(words) && ran.stderr.contains("--reports"), "{args:?}: {}", ran.stderr);
            // What was typed stands in the error: that is the terminal's.
            assert!(ran.stdout.is_empty());
        }
    }
    assert!(world.exists("inbox/userdata_1.csv") && !world.exists(".usersync"));
}

#[test]
fn a_server_that_is_down_delays_no_import_and_loses_no_report() {
    let (mut gateway, smtp) = (started(), Smtp::start(|_| Does::Usual));
    gateway.stop();
    let world = mailed(&smtp, &["schedule: {every: 1s}"]);
    let daemon = local(&world, &gateway, &[]);
    daemon.condition("hr", "Ready", "True");
    world.drop_file(REJECTED);
    let left = until("the import is done, and its report is not published", || {
        let status = status(&world, "hr")?;
        condition(&status, "Synced").filter(|said| said["status"] == "True")?;
        condition(&status, "Unfinished").cloned()
    });
    assert_eq!(left["reason"], "ReportNotPublished");
    let message = left["message"].as_str().unwrap();
    assert!(message.contains(&format!("no connection to {}", gateway.url())), "{message}");
    assert_eq!(world.names_of_users(), ["E1 Ann"]);
    let waiting = until("the mails wait", || {
        let status = status(&world, "hr")?;
        condition(&status, "Notified").cloned()
    });
    assert_eq!((&waiting["status"], &waiting["reason"]), (&"False".into(), &"ReportNotPublished".into()), "{waiting}");
    assert!(smtp.taken().is_empty());

    gateway.go();
    until("the report is published", || {
        let status = status(&world, "hr")?;
        condition(&status, "Unfinished").is_none().then_some(())
    });
    let [run] = &reported(&gateway)[..] else { panic!("{:?}", files(&gateway)) };
    assert_eq!(kept(&world)[0]["metadata"]["name"], run.as_str());
    until("the mails are sent", || (smtp.taken().len() == 2).then_some(()));
    until("and nobody waits any more", || {
        let status = status(&world, "hr")?;
        condition(&status, "Notified").is_none().then_some(())
    });
    assert_eq!(daemon.stop(), 0);
    assert_eq!(smtp.taken().len(), 2, "each once");
}

#[test]
fn reports_go_with_their_runs() {
    let mut gateway = started();
    let world = World::new(&["history: {successful: 2}"]);
    let daemon = local(&world, &gateway, &[]);
    daemon.condition("hr", "Ready", "True");
    let update = |number: u32| {
        world.write("inbox/userdata_1.csv", THREE.replace("Ann", &format!("Ann {number}")));
        let ran = usersync(&world, &gateway, &["update", "hr", "--wait", "--local", "."]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    (1..=3).for_each(update);
    let names = || -> Vec<String> {
        let runs = kept(&world);
        runs.iter().map(|run| run["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    until("the first run is forgotten with its report", || {
        (names().len() == 2 && reported(&gateway) == names()).then_some(())
    });

    // With the server down an import goes on all the same, and what is to be forgotten stays for now.
    gateway.stop();
    world.write("inbox/userdata_1.csv", THREE.replace("Ann", "Ann 4"));
    let mut command = world.command(&["update", "hr", "--wait", "--local", "."]);
    assert!(command.status().unwrap().success());
    assert_eq!(world.names_of_users()[0], "E1 Ann 4");
    assert_eq!(names().len(), 3, "{}", world.read("log"));
    until("it is said why", || world.read("log").contains("can't be forgotten yet").then_some(()));
    assert_eq!(names().len(), 3);
    // Another process knows nothing of that try.
    assert_eq!(daemon.stop(), 0);
    gateway.go();
    let daemon = local(&world, &gateway, &[]);
    let before = names();
    until("what was left is done", || {
        let status = status(&world, "hr")?;
        condition(&status, "Unfinished").is_none().then_some(())
    });
    let ran = usersync(&world, &gateway, &["simulate", "hr", "--wait", "--local", "."]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("the oldest run is forgotten with its report", || {
        let imports: Vec<_> = names().into_iter().filter(|name| before.contains(name)).collect();
        (imports.len() == 2 && reported(&gateway) == names()).then_some(())
    });
    drop(daemon);
}

#[test]
fn old_reports_go_and_their_runs_stay() {
    let gateway = started();
    let world = World::new(&[]);
    gateway.age("reports", "usersync/default/gone/gone-0123456789abcdef0123/report.json", 9);
    gateway.age("reports", "usersync/default/gone/users.csv", 9);
    let daemon = local(&world, &gateway, &["--report-ttl", "5s"]);
    daemon.condition("hr", "Ready", "True");
    world.drop_file(THREE);
    let ran = usersync(&world, &gateway, &["update", "hr", "--wait", "--local", "."]);
    assert_eq!(ran.code, 0, "{ran:?}");
    until("only what is no report is left", || {
        (gateway.keys("reports") == ["usersync/default/gone/users.csv"]).then_some(())
    });
    let [run] = &kept(&world)[..] else { panic!("the run is gone") };
    let run = run["metadata"]["name"].as_str().unwrap();
    let ran = usersync(&world, &gateway, &["report", run, "--local", ".", "--changes"]);
    assert!(ran.code == 2 && ran.stderr.contains("is not there any more"), "{ran:?}");
    assert_eq!(usersync(&world, &gateway, &["report", run, "--local", "."]).code, 0);
}

#[test]
fn a_held_run_is_told_as_soon_as_its_report_is_there() {
    let (mut gateway, smtp) = (started(), Smtp::start(|_| Does::Usual));
    gateway.stop();
    let world = mailed(&smtp, &["safeguards: {minRows: 9}"]);
    world.drop_file(THREE);
    let daemon = local(&world, &gateway, &[]);
    daemon.condition("hr", "Ready", "True");
    let ran = world.usersync(&["update", "hr", "--wait", "--local", "."]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let left =
        until("it says that the report is not published", || condition(&status(&world, "hr")?, "Unfinished").cloned());
    assert_eq!(left["reason"], "ReportNotPublished");
    // Also after a restart.
    assert_eq!(daemon.stop(), 0);
    let daemon = local(&world, &gateway, &[]);
    gateway.go();
    until("the mail is sent", || (!smtp.taken().is_empty()).then_some(()));
    until("the report is there", || (reported(&gateway).len() == 1).then_some(()));
    let mails = smtp.taken();
    let message = MessageParser::default().parse(&mails[0].mail).unwrap();
    assert!(message.subject().unwrap().contains("HELD"), "{:?}", message.subject());
    until("nothing is left", || condition(&status(&world, "hr")?, "Unfinished").is_none().then_some(()));
    assert!(world.names(".usersync/spool/default/hr").is_empty(), "{:?}", world.names(".usersync/spool/default/hr"));
    drop(daemon);
}

#[test]
fn a_run_of_its_own_publishes_what_the_one_before_it_could_not() {
    let mut gateway = started();
    gateway.stop();
    let world = World::new(&["safeguards: {minRows: 2}"]);
    world.drop_file("id,name,mail\nE1,Ann,ann@example.com\n");
    let args = ["run", "-f", "hr.yaml", "-o", "json", "--reports", PLACE];
    let held = usersync(&world, &gateway, &args);
    assert_eq!(held.code, 3, "{held:?}");
    let report: Value = serde_json::from_str(&held.stdout).unwrap();
    let run = report["run"].as_str().unwrap();
    let place = format!("{PLACE}/default/hr/{run}/report.json");
    assert_eq!(report["reports"]["report"], place, "where it will be");
    assert!(report["warnings"].to_string().contains("its report is not published yet"), "{report}");
    gateway.go();
    world.drop_file(THREE);
    let done = usersync(&world, &gateway, &args);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(reported(&gateway).len(), 2, "{:?}", files(&gateway));
    assert!(reported(&gateway).iter().any(|run| *run == report["run"]));
}
