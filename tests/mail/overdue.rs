//! The alert: no file came for longer than one is expected.

use std::process::Stdio;

use serde_json::Value;

use super::{
    postfix::Postfix,
    scene::{Running, Server, header, parse, scene, until},
    webhook::{Hook, Post, hooked},
    world::THREE,
};

#[test]
fn people_and_programs_are_told_once_each_time_that_no_file_comes() {
    let (postfix, hook) = (Postfix::start(), Hook::start(vec!["204 No Content".into()]));
    let email = format!(
        "to: [it@example.com], bcc: [boss@example.com], failedImportTo: [hr@example.com], when: OnFailure}}, {}",
        hooked()
    );
    let schedule = "schedule: {daily: {at: '01:00'}, expectFileEvery: 6s}";
    let world = scene(&Server::plain(&postfix), &email, &[schedule]);
    hook.named_in(&world);
    let mut local = world.command(&["local", "."]);
    let _local = Running(local.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());

    let alert = postfix.await_mails("it@example.com", 1).remove(0);
    let mail = parse(&alert);
    assert_eq!(mail.subject(), Some("hr: no file has come yet"));
    let said = mail.body_text(0).unwrap();
    for words in ["One is expected every 6 seconds.", "userdata_*.csv in inbox", "What to do"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let id = header(&mail, "Message-ID");
    assert!(id.starts_with("<hr.default.no-file-") && id.ends_with(".alert@example.com>"), "{id}");
    postfix.await_mails("boss@example.com", 1);
    until("the webhook is told", &world, || hook.posts().len() == 1);

    world.drop_file(THREE);
    let asked = world.usersync(&["update", "hr", "--local", ".", "--wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let again = postfix.await_mails("it@example.com", 2).remove(1);
    let again = parse(&again);
    let subject = again.subject().unwrap();
    assert!(subject.starts_with("hr: no file since ") && subject.ends_with(" UTC"), "{subject}");
    assert_ne!(header(&again, "Message-ID"), id);
    assert_eq!(header(&again, "References"), header(&mail, "References"), "one thread");
    // The import between them is posted too.
    until("the webhook is told again", &world, || hook.posts().len() == 3);
    let told: Vec<Value> = hook.posts().iter().map(|post| serde_json::from_str(&post.body).unwrap()).collect();
    let reasons: Vec<_> = told.iter().map(|told| told["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["FileOverdue", "Completed", "FileOverdue"]);
    assert_eq!((&told[2]["message"], &told[2]["expectedEverySeconds"]), (&Value::from(subject), &Value::from(6)));
    assert!(hook.posts().iter().all(Post::is_genuine));
    let documented = include_str!("../../docs/notifications.md").split("```json\n").nth(1).unwrap();
    let documented: Value = serde_json::from_str(documented.split("```").next().unwrap()).unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&told[2]), fields(&documented), "what the page says of it");
    let deliveries: std::collections::BTreeSet<_> =
        hook.posts().iter().map(|post| post.delivery().to_owned()).collect();
    assert_eq!(deliveries.len(), 3, "each by a name of its own: {deliveries:?}");

    postfix.rests();
    let count = |to: &str| postfix.mails(to).len();
    assert_eq!(["it", "boss", "hr"].map(|to| count(&format!("{to}@example.com"))), [2, 2, 0], "once an outage");
    assert_eq!(hook.posts().len(), 3);
}
