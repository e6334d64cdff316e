//! Reports in a bucket: that a status says where they are, who can read them from there, what a server that is down does to imports
//! and mails, and when reports go.

use std::io::Read as _;

use flate2::read::GzDecoder;
use mail_parser::{MessageParser, MimeHeaders as _};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, SECRET},
    smtp::{Does, Smtp},
    verbs::{verb, verb_with},
    world::{Operator, World},
};

const PLACE: &str = "s3://reports/usersync";
/// Of these one is added, one updated, one rejected.
const MIXED: &str = "id,email\nE1,new@example.com\nE2,nowhere\nE21,e21@example.com\n";

fn started() -> Gateway {
    let gateway = Gateway::start();
    gateway.make("reports");
    gateway
}

/// An operator that keeps its reports there.
fn operator(world: &World, gateway: &Gateway, more: &[&str]) -> Operator {
    let arguments = [&["--reports", PLACE], more].concat();
    world.operator_with(world.cluster.kubeconfig(), &arguments, &gateway.environment())
}

fn strict() -> Value {
    json!({"userId": {"column": "id"}, "properties": [{"property": "email", "required": true, "type": "Email"}]})
}

/// The run of that token.
fn run(world: &World, token: &str) -> Value {
    world.run_objects().into_iter().find(|run| run["spec"]["token"] == token).unwrap()
}

fn name(run: &Value) -> String {
    run["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The key of a file of a run's report.
fn key(world: &World, run: &str, file: &str) -> String {
    format!("usersync/{}/hr/{run}/{file}", world.namespace)
}

#[test]
fn what_a_run_did_is_printed_out_of_the_bucket() {
    let gateway = started();
    let world = World::new();
    let operator = operator(&world, &gateway, &[]);
    world.apply(json!({"mapping": strict()}));
    world.drop_file("userdata_1.csv", 20);
    world.update("1");
    world.drop_text("userdata_2.csv", MIXED);
    world.update("2");

    let object = run(&world, "2");
    let (run, reports) = (name(&object), &object["status"]["reports"]);
    let files = [
        ("changes", "changes.csv.gz"),
        ("records", "records.jsonl.gz"),
        ("html", "report.html"),
        ("report", "report.json"),
        ("rejects", "userdata_2_rejects.csv"),
    ];
    let keys: Vec<String> = gateway.keys("reports").into_iter().filter(|found| found.contains(&run)).collect();
    assert_eq!(keys, files.map(|(_, file)| key(&world, &run, file)));
    for (field, file) in files {
        assert_eq!(reports[field], format!("s3://reports/{}", key(&world, &run, file)));
    }
    assert_eq!(world.status()["lastRun"]["reports"], *reports);
    assert!(!world.data().join("reports").exists(), "nothing lies in a folder");

    // Whoever may read the bucket.
    let kept = |file: &str| gateway.read("reports", &key(&world, &run, file));
    let shown = |arguments: &[&str], code: i32| {
        let shown = verb_with(&world, &[&["report", &run], arguments].concat(), &gateway.environment());
        assert_eq!((shown.code, shown.stderr.as_str()), (code, ""), "{shown:?}");
        shown.stdout
    };
    assert_eq!(shown(&["-o", "html"], 4).into_bytes(), kept("report.html"));
    assert_eq!(shown(&["--rejects"], 0).into_bytes(), kept("userdata_2_rejects.csv"));
    let mut changes = String::new();
    GzDecoder::new(kept("changes.csv.gz").as_slice()).read_to_string(&mut changes).unwrap();
    assert_eq!(shown(&["--changes"], 0), changes);
    assert!(changes.contains("updated,E1,2,email,e1@example.com,new@example.com"), "{changes}");
    let whole: Value = serde_json::from_slice(&kept("report.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&shown(&["-o", "json"], 4)).unwrap(), whole);
    let text = shown(&[], 4);
    assert!(text.contains("1 rejected") && text.contains(reports["html"].as_str().unwrap()), "{text}");

    // Whoever may not is told what that takes, and has the run's status.
    let bare = verb(&world, &["report", &run, "--changes"]);
    assert_eq!((bare.code, bare.stdout.as_str()), (1, ""), "{bare:?}");
    for words in [
        reports["changes"].as_str().unwrap(),
        "AWS_REGION is missing",
        &format!(
            "`kubectl exec -n usersync-system deploy/usersync -- /usersync report {run} -n {} --changes`",
            world.namespace
        ),
    ] {
        assert!(bare.stderr.contains(words), "{words}: {bare:?}");
    }
    let bare = verb(&world, &["report", &run]);
    assert!(bare.code == 4 && bare.stdout.contains("1 rejected"), "{bare:?}");
    assert!(
        bare.stderr.contains("this is what the run's status says") && bare.stderr.contains("AWS_REGION"),
        "{bare:?}"
    );
    let mut wrong = gateway.environment();
    wrong.insert("AWS_SECRET_ACCESS_KEY".into(), "wr0ng".into());
    let denied = verb_with(&world, &["report", &run, "--rejects"], &wrong);
    assert!(denied.code == 1 && denied.stderr.contains("Check AWS_SECRET_ACCESS_KEY"), "{denied:?}");
    assert!(!denied.stderr.contains("wr0ng") && !denied.stderr.contains("kubectl exec"), "{denied:?}");

    // A status leads to no other objects.
    gateway.age("reports", "backups/users_rejects.csv", 1);
    let forged = json!({"status": {"reports": {"rejects": "s3://reports/backups/users_rejects.csv"}}}).to_string();
    world.kubectl(&["patch", "usrun", &run, "--subresource=status", "--type=merge", "-p", &forged]);
    let led = verb_with(&world, &["report", &run, "--rejects"], &gateway.environment());
    assert!(led.code == 1 && led.stderr.contains("which is no file of its report"), "{led:?}");
    assert!(!operator.said(SECRET) && !operator.warned(), "{}", operator.log());
}

#[test]
fn what_could_not_be_published_is_published_by_the_next_process() {
    let (mut gateway, smtp) = (started(), Smtp::start(|_| Does::Usual));
    gateway.stop();
    let world = World::new();
    let before = operator(&world, &gateway, &[]);
    world.kubectl(&["create", "secret", "generic", "smtp", &format!("--from-literal=url={}", smtp.url())]);
    let email = json!({"smtp": {"name": "smtp"}, "from": "a@example.com", "to": ["it@example.com"],
        "failedImportTo": ["hr@example.com"]});
    world.apply(json!({"mapping": strict(), "report": {"email": email}}));
    world.until_condition("Ready", "True Ready");
    world.drop_text("userdata_1.csv", MIXED);
    world.update("1");
    assert_eq!(world.users(), 2, "the import is committed");
    assert_eq!(world.condition("Synced"), "True CompletedWithRejects");
    world.until_condition("Unfinished", "True ReportNotPublished");
    world.until_condition("Notified", "False ReportNotPublished");
    assert_eq!(world.condition("Ready"), "True Ready");
    let said = world.status()["conditions"].to_string();
    assert!(said.contains(&format!("no connection to {}", gateway.url())) && !said.contains(SECRET), "{said}");

    // Where it will be is known already; that it is not there as well.
    let object = run(&world, "1");
    let (run, html) = (name(&object), object["status"]["reports"]["html"].clone());
    assert_eq!(html, format!("s3://reports/{}", key(&world, &run, "report.html")));
    let shown = |gateway: &Gateway| verb_with(&world, &["report", &run, "-o", "html"], &gateway.environment());
    let down = shown(&gateway);
    assert!(down.code == 1 && down.stderr.contains("no connection to"), "{down:?}");
    assert!(before.stop().success());
    gateway.go();
    let absent = shown(&gateway);
    assert!(
        absent.code == 2 && absent.stderr.contains("is committed, but its report is not published yet"),
        "{absent:?}"
    );
    assert!(smtp.taken().is_empty());

    let _after = operator(&world, &gateway, &[]);
    world.until_condition("Unfinished", "");
    world.until_condition("Notified", "");
    let mut told: Vec<String> = smtp.taken().into_iter().map(|mail| mail.to.concat()).collect();
    told.sort();
    assert_eq!(told, ["hr@example.com", "it@example.com"], "each once");
    let kept = |file: &str| gateway.read("reports", &key(&world, &run, file));
    let mails = smtp.taken();
    let failed = mails.iter().find(|mail| mail.to == ["hr@example.com"]).unwrap();
    let message = MessageParser::default().parse(&failed.mail).unwrap();
    let attached = message.attachments().find(|part| part.attachment_name() == Some("userdata_1_rejects.csv")).unwrap();
    assert!(attached.contents() == kept("userdata_1_rejects.csv"));
    let printed = shown(&gateway);
    assert_eq!((printed.code, printed.stdout.into_bytes()), (4, kept("report.html")));
    assert_eq!(world.runs(), ["UpdateNow Import CompletedWithRejects"], "no further run");
}

#[test]
fn reports_go_with_their_runs_and_old_ones_with_their_age() {
    let gateway = started();
    let world = World::new();
    let before = operator(&world, &gateway, &[]);
    world.apply(json!({"history": {"successful": 1}}));
    for number in 1..=3 {
        world.drop_file("userdata_1.csv", number);
        world.update(&number.to_string());
    }
    let last = name(&run(&world, "3"));
    let reported = || {
        let keys = gateway.keys("reports");
        let mut runs: Vec<String> = keys
            .iter()
            .filter_map(|key| Some(key.strip_suffix("/report.json")?.rsplit_once('/')?.1.to_owned()))
            .collect();
        runs.sort();
        runs
    };
    world.until("the first two runs are not forgotten", || world.runs().len() == 1 && reported() == [last.clone()]);
    // A sync that is deleted leaves its reports.
    let notes = key(&world, &last, "notes.txt");
    gateway.age("reports", &notes, 9);
    world.kubectl(&["delete", "usync", "hr"]);
    assert!(before.stop().success());
    assert_eq!(reported(), [last]);

    let _after = operator(&world, &gateway, &["--report-ttl", "5s"]);
    world.until("old reports do not go", || gateway.keys("reports") == [notes.clone()]);
}
