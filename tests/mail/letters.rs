//! What people get: through each way in, to whom it may concern, as it should be read.

use mail_parser::MimeHeaders;

use super::{
    postfix::Postfix,
    scene::{Server, attachments, deliveries, header, lines_are_sound, parse, run, scene},
};

const FILE: &str = "id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,bob@@example.com\nE3,Cem,cem@example.com\n";

#[test]
fn every_way_in_ends_in_the_mailbox() {
    let postfix = Postfix::start();
    for (count, server) in
        [Server::plain(&postfix), Server::starttls(&postfix), Server::smtps(&postfix)].iter().enumerate()
    {
        let world = scene(server, "to: [it@example.com]", &[]);
        world.drop_file(super::world::THREE);
        let ran = run(&world, &[]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}: {ran:?}", server.url);
        assert_eq!(deliveries(&world), ["Summary it@example.com Sent"], "{}", server.url);
        let mails = postfix.await_mails("it@example.com", count + 1);
        let mail = parse(mails.last().unwrap());
        assert_eq!(mail.subject(), Some("hr: 3 added"));
    }
}

#[test]
fn a_summary_and_the_rows_to_correct() {
    let postfix = Postfix::start();
    let email = "replyTo: admin@example.com, to: [\"Müller, IT <it@example.com>\"], cc: [boss@example.com], bcc: \
                 [audit@example.com], failedImportTo: [HR <hr@example.com>]";
    let world = scene(&Server::starttls(&postfix), email, &["source: {directory: {path: inbox}, files: \"*.csv\"}"]);
    world.write("inbox/Würzburg Personal.csv", FILE);
    let one = world.run(&[]);
    assert_eq!((one.code, one.counts().as_str()), (4, "read 3, rejected 1, added 2"));
    assert_eq!(
        deliveries(&world),
        [
            "FailedImport hr@example.com Sent",
            "Summary audit@example.com Sent",
            "Summary boss@example.com Sent",
            "Summary it@example.com Sent"
        ]
    );
    let summaries: Vec<_> =
        ["it", "boss", "audit"].map(|to| postfix.await_mails(&format!("{to}@example.com"), 1).remove(0)).into();
    let bodies: Vec<_> = summaries.iter().map(|mail| parse(mail).body_text(0).unwrap().into_owned()).collect();
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "all get the same");
    let mail = parse(&summaries[0]);
    assert!(lines_are_sound(&summaries[0]));
    assert_eq!(mail.subject(), Some("hr: 2 added, 1 rejected"));
    assert_eq!(mail.from().unwrap().first().unwrap().name(), Some("User sync"));
    assert_eq!(mail.to().unwrap().first().unwrap().name(), Some("Müller, IT"));
    assert_eq!(mail.reply_to().unwrap().first().unwrap().address(), Some("admin@example.com"));
    assert_eq!(mail.cc().unwrap().first().unwrap().address(), Some("boss@example.com"));
    let whole =
        String::from_utf8_lossy(&summaries[0]).replace("Delivered-To: audit", "").replace("X-Original-To: audit", "");
    assert!(!whole.contains("audit@example.com"), "nobody sees an unseen copy: {whole}");
    let run = one.report["run"].as_str().unwrap();
    assert_eq!(header(&mail, "Message-ID"), format!("<{run}.summary@example.com>"));
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert!(header(&mail, "List-Id").ends_with("<hr.default.usersync.example.com>"), "{}", header(&mail, "List-Id"));
    // multipart/mixed { multipart/alternative { text, html }, attachment… }
    assert_eq!(mail.parts[0].content_type().unwrap().subtype(), Some("mixed"));
    assert_eq!(mail.parts[1].content_type().unwrap().subtype(), Some("alternative"));
    assert_eq!((mail.text_body_count(), mail.html_body_count()), (1, 1));

    let rows = postfix.await_mails("hr@example.com", 1).remove(0);
    let rows = parse(&rows);
    let (name, content) = attachments(&rows).remove(0);
    assert_eq!(name, "Würzburg Personal_rejects.csv");
    assert_eq!(String::from_utf8(content).unwrap(), one.report_text(&world, "rejects"), "to the byte");
    let changes: Vec<_> = attachments(&mail).into_iter().filter(|(name, _)| name == "changes.csv.gz").collect();
    let stored = std::fs::read(world.path(one.report["reports"]["changes"].as_str().unwrap())).unwrap();
    assert_eq!(changes[0].1, stored);
    assert!(!rows.body_text(0).unwrap().contains("ann@example.com"), "nobody else's data");

    // Mails of one sync form a thread.
    assert_eq!(header(&rows, "References"), header(&mail, "References"));
    assert_ne!(header(&rows, "Message-ID"), header(&mail, "Message-ID"));
    postfix.rests();
    assert_eq!(postfix.mails("it@example.com").len(), 1);
}

#[test]
fn a_correction_says_how_many_rows_are_still_wrong_until_none_is() {
    let postfix = Postfix::start();
    let open = "safeguards: {maxRejected: \"100%\"}";
    let world = scene(&Server::plain(&postfix), "to: [it@example.com], failedImportTo: [hr@example.com]", &[open]);
    let subjects = |to: &str, count: usize| -> Vec<String> {
        let mails = postfix.await_mails(to, count);
        mails.iter().map(|mail| parse(mail).subject().unwrap().to_owned()).collect()
    };
    world.drop_file("id,name,mail\nE1,Ann,ann@example.com\nE2,Bob,bob@@b.de\nE3,Cem,cem@@c.de\nE4,Dee,dee@@d.de\n");
    assert!(world.run(&[]).report["file"]["correction"].is_null(), "nothing came back yet");
    let sent_back = |count: usize, wrong: &str, right: &str| {
        subjects("hr@example.com", count);
        let mail = postfix.mails("hr@example.com").pop().unwrap();
        let (name, rows) = attachments(&parse(&mail)).remove(0);
        world.write(&format!("inbox/{name}"), String::from_utf8(rows).unwrap().replace(wrong, right));
        world.run(&[])
    };
    let one = sent_back(1, "@@b", "@b");
    assert_eq!(
        (one.counts().as_str(), &one.report["file"]["correction"]),
        ("read 3, rejected 2, added 1", &true.into())
    );
    let mail = postfix.await_mails("hr@example.com", 2).remove(1);
    let mail = parse(&mail);
    assert_eq!(mail.subject(), Some("hr: 2 of 3 corrected rows still rejected (userdata_1_rejects.csv)"));
    let said = mail.body_text(0).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let words = "1 of the 3 rows in the correction userdata_1_rejects.csv is imported now. 2 are still rejected, because \
                 something is wrong with them yet.";
    assert!(said.contains(words), "{said}");
    assert_eq!(sent_back(2, "@@", "@").counts(), "read 2, added 2");
    assert_eq!(
        subjects("it@example.com", 3),
        ["hr: 1 added, 3 rejected", "hr correction: 1 added, 2 still rejected", "hr correction: 2 added"]
    );
    assert_eq!(world.names_of_users(), ["E1 Ann", "E2 Bob", "E3 Cem", "E4 Dee"]);
    postfix.rests();
    assert_eq!(postfix.mails("hr@example.com").len(), 2, "there is nothing left for them to do");
}

#[test]
fn both_parts_say_the_same() {
    let postfix = Postfix::start();
    let world = scene(&Server::plain(&postfix), "to: [it@example.com], failedImportTo: [hr@example.com]", &[]);
    world.drop_file(FILE);
    run(&world, &[]);
    for to in ["it@example.com", "hr@example.com"] {
        let mail = postfix.await_mails(to, 1).remove(0);
        let mail = parse(&mail);
        let text = mail.body_text(0).unwrap();
        let html = shown(&mail.body_html(0).unwrap());
        let words = |text: &str| -> std::collections::BTreeSet<String> {
            // The numbers of a list are drawn by whoever shows the page.
            let letters =
                |word: &&str| word.chars().any(char::is_alphanumeric) && !(word.len() == 2 && word.ends_with('.'));
            let trimmed = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            text.split_whitespace().filter(letters).map(trimmed).collect()
        };
        let missing: Vec<_> = words(&text).difference(&words(&html)).cloned().collect();
        assert!(missing.is_empty(), "{to}: only the text says {missing:?}\n{text}\n---\n{html}");
    }
}

#[test]
fn who_gets_what_when() {
    let postfix = Postfix::start();
    let mut seen = (0, 0);
    let same = "id,name,mail\nE1,Ann,ann@example.com\n";
    for (email, file, args, it, hr) in [
        ("when: Always", Some(same), &[][..], 1, 0),
        ("when: OnChange", Some(same), &["--simulate"][..], 1, 0),
        ("when: OnFailure", Some(same), &[][..], 0, 0),
        ("when: OnFailure", Some("no csv for us\n\"\n"), &[][..], 1, 1),
        ("simulations: false", Some(same), &["--simulate"][..], 0, 0),
        // Whoever runs it has the answer on the screen.
        ("when: Always", None, &[][..], 0, 0),
        ("when: Always", Some(FILE), &["--no-mail"][..], 0, 0),
        ("when: Always", Some(FILE), &["--simulate"][..], 1, 0),
    ] {
        let world = scene(
            &Server::plain(&postfix),
            &format!("to: [it@example.com], failedImportTo: [hr@example.com], {email}"),
            &[],
        );
        file.iter().for_each(|file| world.drop_file(file));
        let ran = run(&world, args);
        seen = (seen.0 + it, seen.1 + hr);
        assert_eq!(deliveries(&world).len(), it + hr, "{email} {args:?}: {ran:?}");
        postfix.await_mails("it@example.com", seen.0);
        postfix.await_mails("hr@example.com", seen.1);
    }
    postfix.rests();
    assert_eq!((postfix.mails("it@example.com").len(), postfix.mails("hr@example.com").len()), seen);
}

/// The text that a page shows.
fn shown(html: &str) -> String {
    let body = html.split_once("</head>").map_or(html, |(_, body)| body);
    let tag = regex::Regex::new("<[^>]*>").unwrap();
    let text = tag.replace_all(body, " ").into_owned();
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text, |text, (entity, letter)| text.replace(entity, letter))
}
