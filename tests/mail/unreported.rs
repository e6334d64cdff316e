//! Runs that have no report: people are told of them all the same, by what their status says.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use super::{
    postfix::Postfix,
    scene::{Running, Server, attachments, deliveries, header, parse, run, scene, until, words},
    webhook::{Hook, hooked},
    world::THREE,
};

#[test]
fn a_run_whose_secret_is_missing_is_told() {
    let (postfix, hook) = (Postfix::start(), Hook::start(vec!["204 No Content".into()]));
    let email = format!("to: [it@example.com], failedImportTo: [hr@example.com]}}, {}", hooked());
    let target = "target: {url: {secretKeyRef: {name: users-db, key: url}}}";
    let zone = "schedule: {daily: {at: '01:00'}, timeZone: Europe/Paris}";
    let world = scene(&Server::plain(&postfix), &email, &[target, zone]);
    hook.named_in(&world);
    world.drop_file(THREE);
    let mut local = world.command(&["local", "."]);
    let _local = Running(local.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let asked = world.usersync(&["update", "hr", "--local", ".", "--wait"]);
    assert_eq!(asked.code, 1, "{asked:?}");
    assert!(asked.stdout.contains("ReferenceMissing"), "{asked:?}");

    let sent = ["FailedImport hr@example.com Sent", "Summary it@example.com Sent", "Webhook webhook Sent"];
    until("all are told", &world, || deliveries(&world) == sent);
    let summary = postfix.await_mails("it@example.com", 1).remove(0);
    let mail = parse(&summary);
    assert!(mail.subject().unwrap().starts_with("hr FAILED: "), "{:?}", mail.subject());
    assert!(attachments(&mail).is_empty());
    assert!(header(&mail, "Message-ID").starts_with("<hr-"), "{}", header(&mail, "Message-ID"));
    let said = words(&summary);
    for word in ["users-db", "Make the Secret or ConfigMap", "ReferenceMissing", "01:00 Europe/Paris"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let rows = postfix.await_mails("hr@example.com", 1).remove(0);
    assert_eq!(parse(&rows).subject(), Some("hr FAILED: no file was imported"));
    assert!(words(&rows).contains("Nothing has to be sent again"), "{}", words(&rows));
    let posts = hook.posts();
    let told: serde_json::Value = serde_json::from_str(&posts[0].body).unwrap();
    assert_eq!((posts.len(), &told["reason"]), (1, &"ReferenceMissing".into()));

    // The database's Secret comes: the next run is told as ever, and the one before is not told again.
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: users-db}\nstringData: {url: \"sqlite:people.db?mode=rwc\"}\n";
    world.sql("people.db", "create table users (id text primary key, name text, mail text)");
    world.write_aged("hr.yaml", world.read("hr.yaml") + secret, 0);
    let patience = Instant::now() + Duration::from_secs(60);
    while world.usersync(&["update", "hr", "--local", ".", "--wait"]).code != 0 {
        assert!(Instant::now() < patience, "the Secret is not seen");
    }
    let imported = || {
        let mails = postfix.mails("it@example.com");
        mails.iter().filter(|mail| parse(mail).subject() == Some("hr: 3 added")).count()
    };
    until("the import is told", &world, || imported() == 1);
}

#[test]
fn mails_of_a_report_that_can_t_be_published_yet_come_with_it() {
    let postfix = Postfix::start();
    let email = "to: [it@example.com], failedImportTo: [hr@example.com]";
    let world = scene(&Server::plain(&postfix), email, &["safeguards: {minRows: 100}"]);
    world.drop_file(THREE);
    // Whatever keeps the folder of reports from being made.
    world.write(".usersync/reports/default", "in the way");
    let held = run(&world, &[]);
    assert_eq!(held.code, 3, "{held:?}");
    assert!(held.stderr.contains("ReportNotPublished"), "{held:?}");
    assert_eq!(deliveries(&world), ["Summary it@example.com Waiting ReportNotPublished"]);

    std::fs::remove_file(world.path(".usersync/reports/default")).unwrap();
    world.drop_file("no csv for us\n\"\n");
    let failed = run(&world, &[]);
    assert_eq!(failed.code, 1, "{failed:?}");
    let rows = postfix.await_mails("hr@example.com", 1).remove(0);
    assert_eq!(parse(&rows).subject(), Some("hr FAILED: userdata_1.csv was not imported"));
    let mails = postfix.await_mails("it@example.com", 2);
    let mail = mails.iter().find(|mail| parse(mail).subject().unwrap().starts_with("hr HELD: only 3 rows passed"));
    let mail = mail.expect("the held run is told");
    assert_eq!(attachments(&parse(mail))[0].0, "changes.csv.gz", "all of it");
    let said = words(mail);
    let manifest = world.path("hr.yaml");
    for word in ["--approve ", &format!("usersync run -f {}", manifest.display())] {
        assert!(said.contains(word), "{word}: {said}");
    }
    run(&world, &["--no-mail"]);
    postfix.rests();
    assert_eq!((postfix.mails("it@example.com").len(), postfix.mails("hr@example.com").len()), (2, 1), "none twice");
}
