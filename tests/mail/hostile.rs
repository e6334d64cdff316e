//! Hostile values: shown as text, and never a header, a recipient or a command of their own.

use super::{
    postfix::Postfix,
    scene::{Server, attachments, lines_are_sound, parse, run, scene},
};

#[test]
fn what_files_and_people_call_things_stays_text() {
    let postfix = Postfix::start();
    let name = "userdata_=?utf-8?b?QmNjOiBldmlsQGV4YW1wbGUuY29t?= \"x\"; a=b <b>\u{202e}vsc.txt ü\r\nBcc: boss@example.com\r\n\r\nx.csv";
    let email = "to: [\"\\\"Bcc: boss@example.com; <script>, =?utf-8?q?x?=\\\" <it@example.com>\"], failedImportTo: [hr@example.com]";
    let world = scene(&Server::plain(&postfix), email, &["source: {directory: {path: inbox}, files: \"*\"}"]);
    world.write(
        &format!("inbox/{name}"),
        "id,name,mail\nE1,<script>alert(1)</script>,=cmd@@x\nE2,x\u{202e}y,b@example.com\n",
    );
    let ran = run(&world, &[]);
    for to in ["it@example.com", "hr@example.com"] {
        let mails = postfix.mails(to);
        // A name with a line break is no file that is taken; then there is nothing to tell.
        for bytes in &mails {
            let mail = parse(bytes);
            assert!(lines_are_sound(bytes));
            assert!(mail.bcc().is_none() && mail.cc().is_none(), "{ran:?}");
            assert!(!mail.subject().unwrap().chars().any(char::is_control));
            assert!(!mail.body_html(0).unwrap().contains("<script>alert"));
        }
    }
    let good = "userdata_=?utf-8?b?QmNjOiBldmlsQGV4YW1wbGUuY29t?= \"x\"; a=b <b>\u{202e}vsc.txt ü'.csv";
    std::fs::remove_dir_all(world.path("inbox")).unwrap();
    world.write(
        &format!("inbox/{good}"),
        "id,name,mail\nE1,<script>alert(1)</script>,=cmd@@x\nE2,x\u{202e}y,b@example.com\n",
    );
    let ran = run(&world, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (4, ""), "{ran:?}");
    postfix.await_mails("hr@example.com", 1);
    for to in ["it@example.com", "hr@example.com"] {
        let bytes = postfix.await_mails(to, 1).pop().unwrap();
        let mail = parse(&bytes);
        assert!(lines_are_sound(&bytes));
        assert!(mail.bcc().is_none() && mail.cc().is_none());
        let html = mail.body_html(0).unwrap();
        assert!(!html.contains("<script>") && !html.contains("<b>\u{202e}"), "{html}");
        for (attached, _) in attachments(&mail) {
            let fine = |c: char| !c.is_control() && !"/\\\"\u{202e}".contains(c);
            assert!(attached.chars().all(fine), "{attached:?}");
        }
        for text in [mail.subject().unwrap(), &mail.body_text(0).unwrap()] {
            assert!(!text.contains("evil@example.com"), "nothing that only looks encoded is decoded: {text}");
        }
    }
    postfix.rests();
    assert!(postfix.mails("boss@example.com").is_empty(), "nobody else got it");
}

#[test]
fn addresses_beyond_ascii_arrive() {
    let postfix = Postfix::start();
    let email = "to: [\"Jürgen Müller <jürgen@example.com>\"], bcc: [it@example.com]";
    let world = scene(&Server::plain(&postfix), email, &[]);
    world.drop_file(super::world::THREE);
    let ran = run(&world, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let mail = postfix.await_mails("jürgen@example.com", 1).remove(0);
    assert_eq!(parse(&mail).to().unwrap().first().unwrap().name(), Some("Jürgen Müller"));
}
