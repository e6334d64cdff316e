//! When it doesn't go well: nobody else suffers, nothing is sent twice, and what waits is sent the next time.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    postfix::{PASSWORD, Postfix, USER},
    scene::{Server, deliveries, header, parse, run, scene, secrets},
    smtp::{Does, Heard, Smtp},
    world::THREE,
};

#[test]
fn a_refused_recipient_stops_nobody_else() {
    let postfix = Postfix::start();
    let world = scene(&Server::plain(&postfix), "to: [it@example.com, nobody@example.com, boss@example.com]", &[]);
    world.drop_file(THREE);
    let ran = run(&world, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("nobody@example.com") && ran.stderr.contains("RecipientRefused"), "{}", ran.stderr);
    assert_eq!(
        deliveries(&world),
        [
            "Summary boss@example.com Sent",
            "Summary it@example.com Sent",
            "Summary nobody@example.com Refused RecipientRefused"
        ]
    );
    let again = run(&world, &[]);
    assert!(!again.stderr.contains("nobody"), "refused is refused: {}", again.stderr);
    for to in ["it@example.com", "boss@example.com"] {
        postfix.await_mails(to, 1);
    }
}

#[test]
fn a_login_or_a_certificate_that_is_wrong_says_what_to_do() {
    let postfix = Postfix::start();
    let (other, expired) = (Postfix::start_wrong("DNS:mail.example.com", 2), Postfix::start_wrong("DNS:localhost", -1));
    let smtps = |postfix: &Postfix| format!("smtps://localhost:{}", postfix.ports.smtps);
    let login = Some((USER, PASSWORD));
    for (url, login, authority, said) in [
        (smtps(&postfix), Some((USER, "wrong-s3cret")), Some(postfix.authority.as_str()), "refused the login"),
        (smtps(&postfix), login, None, "does not trust the authority that signed it"),
        (smtps(&postfix), login, Some(other.authority.as_str()), "not signed by an authority in report.email.caBundle"),
        (smtps(&other), login, Some(other.authority.as_str()), "not for the name localhost"),
        (smtps(&expired), login, Some(expired.authority.as_str()), "it has expired"),
        (
            format!("smtp+starttls://localhost:{}", postfix.ports.plain),
            login,
            Some(postfix.authority.as_str()),
            "offers no STARTTLS",
        ),
        (
            format!("smtps://localhost:{}", postfix.ports.plain),
            login,
            Some(postfix.authority.as_str()),
            "does not speak TLS there",
        ),
        (
            format!("smtp+starttls://localhost:{}", postfix.ports.submission),
            None,
            Some(postfix.authority.as_str()),
            "refused the recipient",
        ),
    ] {
        let world = scene(&Server { url: url.clone(), login, authority }, "to: [it@example.com]", &[]);
        world.drop_file(THREE);
        let ran = run(&world, &[]);
        assert_eq!(ran.code, 0, "the import is done: {ran:?}");
        assert!(ran.stderr.contains(said), "{url}: {}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
        let state = if login.is_some() { "Waiting MailDenied" } else { "Refused RecipientRefused" };
        assert_eq!(deliveries(&world), [format!("Summary it@example.com {state}")]);
    }
    postfix.rests();
    assert!(postfix.mails("it@example.com").is_empty());
}

#[test]
fn what_a_server_that_is_down_did_not_take_is_sent_by_the_next_run() {
    let mut postfix = Postfix::start();
    let server = Server::plain(&postfix);
    let world = scene(&server, "to: [it@example.com, boss@example.com]", &[]);
    postfix.stop();
    world.drop_file(THREE);
    let begun = Instant::now();
    let ran = run(&world, &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("MailUnreachable") && ran.stderr.contains("no connection"), "{}", ran.stderr);
    assert!(begun.elapsed() > Duration::from_secs(15), "it tried for a while");
    assert!(deliveries(&world).iter().all(|one| one.ends_with("Waiting MailUnreachable")), "{:?}", deliveries(&world));

    postfix.go();
    let next = run(&world, &["--simulate"]);
    assert_eq!(next.stderr, "", "{next:?}");
    assert!(deliveries(&world).iter().all(|one| one.ends_with(" Sent")), "{:?}", deliveries(&world));
    for to in ["it@example.com", "boss@example.com"] {
        let mail = postfix.await_mails(to, 1).remove(0);
        assert_eq!(parse(&mail).subject(), Some("hr: 3 added"), "of the run before: this one found no file");
    }
    run(&world, &["--no-mail"]);
    postfix.rests();
    assert_eq!(postfix.mails("it@example.com").len(), 1, "none twice");
}

#[test]
fn a_server_that_comes_back_within_half_a_minute_gets_it_at_once() {
    let server = Smtp::start(|_| Does::Says("421 4.3.2 later"));
    let world = scene(&Server { url: server.url(), login: None, authority: None }, "to: [it@example.com]", &[]);
    world.drop_file(THREE);
    let child = world.command(&["run", "-f", "hr.yaml"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while server.connections() < 2 {
        assert!(Instant::now() < until, "it was tried once only");
        thread::sleep(Duration::from_millis(20));
    }
    server.now(|_| Does::Usual);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap().as_str()), (Some(0), ""));
    assert_eq!(server.taken().len(), 1);
}

#[test]
fn killed_after_the_commit_the_mail_still_comes_and_once() {
    let server = Smtp::start(|_| Does::Usual);
    let address = Server { url: server.url(), login: None, authority: None };
    // The moments after the commit: while the file moves (a folder that cannot be made holds nothing up), while it is sent.
    let silent = || {
        Smtp::start(|heard| match heard {
            Heard::Connected(_) => Does::Sleeps(Duration::from_secs(3_600)),
            _ => Does::Usual,
        })
    };
    let hangs = silent();
    let world = scene(&Server { url: hangs.url(), login: None, authority: None }, "to: [it@example.com]", &[]);
    world.drop_file(THREE);
    let mut child =
        world.command(&["run", "-f", "hr.yaml"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while hangs.connections() == 0 {
        assert!(Instant::now() < until, "it never came to the mail");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    secrets(&world, &address);
    run(&world, &[]);
    let taken = server.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert_eq!(parse(&taken[0].mail).subject(), Some("hr: 3 added"));
    let id = header(&parse(&taken[0].mail), "Message-ID");

    // And where even the record of the run is missing: as if it had been killed right after the commit.
    let record =
        world.names(".usersync/runs/default").into_iter().find(|name| id.contains(name.trim_end_matches(".yaml")));
    let record = record.unwrap();
    let run_name = record.trim_end_matches(".yaml").to_owned();
    std::fs::remove_file(world.path(&format!(".usersync/runs/default/{record}"))).unwrap();
    let spool = world.path(&format!(".usersync/spool/default/hr/{run_name}/report"));
    let published = world.path(&format!(".usersync/reports/default/hr/{run_name}"));
    std::fs::create_dir_all(spool.parent().unwrap()).unwrap();
    std::fs::rename(&published, &spool).unwrap();
    let step = format!("update usersync_ledger set open_steps = '[\"Publish\"]' where run = '{run_name}'");
    world.sql(".usersync/users.db", &step);
    run(&world, &[]);
    let taken = server.taken();
    assert_eq!(taken.len(), 2, "its record was lost, and with it that it had been sent");
    assert_eq!(header(&parse(&taken[1].mail), "Message-ID"), id);
    run(&world, &[]);
    assert_eq!(server.taken().len(), 2, "and not again");
}
