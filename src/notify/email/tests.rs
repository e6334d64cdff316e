//! Servers in bad times: what becomes of each mail.

#[path = "../../../tests/support/smtp.rs"]
#[allow(dead_code)]
mod smtp;

use std::{sync::Arc, time::Duration};

use self::smtp::{Does, Heard, Smtp};
use super::{connect::Limits, send::within};
use crate::{
    api::{DeliveryKind, usersync::report::MailWhen},
    model::{
        condition::ConditionReason,
        notice::{MailJob, Mailbox, SmtpJob, SmtpLogin, SmtpSecurity},
        post::{Parcel, Posted},
        secret::Secret,
    },
};

const SHORT: Limits =
    Limits { connect: Duration::from_secs(5), command: Duration::from_millis(400), mail: Duration::from_millis(400) };

fn mailbox(address: &str) -> Mailbox {
    Mailbox { name: None, address: address.to_owned() }
}

fn job(port: u16) -> MailJob {
    MailJob {
        smtp: SmtpJob {
            host: "127.0.0.1".to_owned(),
            port,
            security: SmtpSecurity::Plain,
            login: None,
            ca_bundle: None,
            secret: "smtp".to_owned(),
        },
        from: mailbox("sync@example.com"),
        reply_to: None,
        to: Vec::new(),
        cc: Vec::new(),
        to_anyone: true,
        failed_import_to: Vec::new(),
        when: MailWhen::Always,
        simulations: true,
    }
}

fn parcel(to: &str) -> Parcel {
    let body: &[u8] = b"Subject: x\r\n\r\n.\r\n..two dots\r\nend\r\n";
    Parcel { kind: DeliveryKind::Summary, to: to.to_owned(), id: "hr-1.summary".to_owned(), body: Arc::from(body) }
}

/// `sent`, `refused REASON` or `waiting REASON`.
fn word(posted: &Posted) -> String {
    match posted {
        Posted::Sent => "sent".to_owned(),
        Posted::Refused(reason, _) => format!("refused {reason}"),
        Posted::Waiting(reason, _) => format!("waiting {reason}"),
    }
}

fn why(posted: &Posted) -> &str {
    match posted {
        Posted::Sent => "",
        Posted::Refused(_, why) | Posted::Waiting(_, why) => why,
    }
}

/// Sends to a, b and c.
async fn three(server: &Smtp, login: bool) -> Vec<Posted> {
    let mut job = job(server.address.port());
    if login {
        job.smtp.login = Some(SmtpLogin { username: "sync".into(), password: Secret::new("s3cret") });
    }
    let parcels = ["a@example.com", "b@example.com", "c@example.com"].map(parcel);
    within(&job, &parcels.iter().collect::<Vec<_>>(), SHORT).await
}

/// A rule: reacts like this to the command that begins so.
fn on(begin: &'static str, does: Does) -> impl Fn(&Heard) -> Does + Send + Sync {
    move |heard| match heard {
        Heard::Command(command) if command.starts_with(begin) => does.clone(),
        _ => Does::Usual,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_three_mails() {
    let later = "waiting MailUnreachable";
    let denied = "waiting MailDenied";
    let refused = "refused RecipientRefused";
    type Rule = Box<dyn Fn(&Heard) -> Does + Send + Sync>;
    let cases: Vec<(&str, Rule, bool, [&str; 3], usize)> = vec![
        ("all well", Box::new(|_| Does::Usual), true, ["sent"; 3], 1),
        (
            "one refused",
            Box::new(on("RCPT TO:<b", Does::Says("550 5.1.1 no such user"))),
            false,
            ["sent", refused, "sent"],
            1,
        ),
        (
            "one later",
            Box::new(on("RCPT TO:<a", Does::Says("450 4.2.0 greylisted"))),
            false,
            [later, "sent", "sent"],
            1,
        ),
        ("no relay", Box::new(on("RCPT", Does::Says("554 5.7.1 relay access denied"))), false, [refused; 3], 1),
        ("bad login", Box::new(on("AUTH", Does::Says("535 5.7.8 bad credentials"))), true, [denied; 3], 1),
        ("login later", Box::new(on("AUTH", Does::Says("454 4.7.0 try later"))), true, [later; 3], 1),
        ("login wanted", Box::new(on("MAIL", Does::Says("530 5.7.0 log in"))), false, [denied; 3], 1),
        ("sender refused", Box::new(on("MAIL", Does::Says("553 5.7.1 not yours"))), true, [denied; 3], 1),
        (
            "shut",
            Box::new(|heard| match heard {
                Heard::Connected(_) => Does::Says("554 5.3.2 no service"),
                _ => Does::Usual,
            }),
            false,
            [later; 3],
            1,
        ),
        ("goes away", Box::new(on("RCPT TO:<b", Does::Says("421 4.3.2 bye"))), false, ["sent", later, "sent"], 2),
        ("no data", Box::new(on("DATA", Does::Says("451 4.3.0 disk full"))), false, [later; 3], 1),
        ("hangs up", Box::new(on("RCPT TO:<b", Does::Hangs)), false, ["sent", later, "sent"], 2),
        (
            "spam",
            Box::new(|heard| match heard {
                Heard::Mail(_) => Does::Says("554 5.7.1 spam"),
                _ => Does::Usual,
            }),
            false,
            [refused; 3],
            1,
        ),
        (
            "lost answer",
            Box::new(|heard| match heard {
                Heard::Mail(_) => Does::Hangs,
                _ => Does::Usual,
            }),
            false,
            [later; 3],
            3,
        ),
        (
            "slow",
            Box::new(|heard| match heard {
                Heard::Mail(_) => Does::Sleeps(Duration::from_secs(2)),
                _ => Does::Usual,
            }),
            false,
            [later; 3],
            3,
        ),
    ];
    for (title, rule, login, expected, connections) in cases {
        let server = Smtp::start(rule);
        let posted = three(&server, login).await;
        let words: Vec<_> = posted.iter().map(word).collect();
        assert_eq!(words, expected, "{title}: {posted:?}");
        assert_eq!(server.connections(), connections, "{title}");
        for posted in posted.iter().filter(|posted| **posted != Posted::Sent) {
            let (why, place) = (why(posted), format!("smtp://{}", server.address));
            assert!(why.starts_with(&place) && why.ends_with('.'), "{title}: {why}");
            assert!(!why.contains("s3cret"), "{title}: {why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_recipient_has_a_transaction_and_the_mail_arrives_as_it_was() {
    let server = Smtp::start(|_| Does::Usual);
    three(&server, false).await;
    let taken = server.taken();
    let to: Vec<_> = taken.iter().map(|taken| taken.to.clone()).collect();
    assert_eq!(to, [["a@example.com"], ["b@example.com"], ["c@example.com"]]);
    assert!(taken.iter().all(|taken| taken.from == "sync@example.com"));
    let mail = String::from_utf8(taken[0].mail.clone()).unwrap();
    assert_eq!(mail.trim_end(), "Subject: x\r\n\r\n.\r\n..two dots\r\nend");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_and_no_encryption() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let one = parcel("a@example.com");
    let posted = within(&job(unused), &[&one, &one], SHORT).await;
    assert_eq!(posted.iter().map(word).collect::<Vec<_>>(), ["waiting MailUnreachable"; 2]);
    assert!(why(&posted[0]).contains("no connection") && why(&posted[0]).contains("Secret “smtp”"), "{posted:?}");

    let server = Smtp::start(|_| Does::Usual);
    let mut job = job(server.address.port());
    job.smtp.login = Some(SmtpLogin { username: "sync".into(), password: Secret::new("s3cret") });
    for (security, said) in
        [(SmtpSecurity::StartTls, "offers no STARTTLS"), (SmtpSecurity::Implicit, "does not speak TLS")]
    {
        job.smtp.security = security;
        let posted = within(&job, &[&one], SHORT).await;
        assert!(
            matches!(&posted[0], Posted::Waiting(ConditionReason::MailDenied, why) if why.contains(said)),
            "{posted:?}"
        );
    }
    assert!(server.commands().iter().all(|command| !command.starts_with("AUTH")), "no password in the clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_knows_no_other_login_gets_it_its_way() {
    // The words of base64: `Username:` and `sync`, `Password:` and `s3cret`.
    let server = Smtp::start(|heard| match heard {
        Heard::Command(command) => match command.as_str() {
            greeting if greeting.starts_with("EHLO") => Does::Says("250-old.example.com\r\n250 AUTH LOGIN"),
            "AUTH LOGIN" => Does::Says("334 VXNlcm5hbWU6"),
            "c3luYw==" => Does::Says("334 UGFzc3dvcmQ6"),
            "czNjcmV0" => Does::Says("235 2.7.0 welcome"),
            _ => Does::Usual,
        },
        _ => Does::Usual,
    });
    let posted = three(&server, true).await;
    assert_eq!(posted, [Posted::Sent, Posted::Sent, Posted::Sent], "{:?}", server.commands());
    assert_eq!(server.connections(), 1, "one login for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_beyond_ascii_in_an_address_need_a_server_that_knows_them() {
    let plain = Smtp::start(on("EHLO", Does::Says("250 plain.example.com")));
    let one = parcel("jürgen@example.com");
    let posted = within(&job(plain.address.port()), &[&one], SHORT).await;
    assert!(why(&posted[0]).contains("SMTPUTF8") && word(&posted[0]).starts_with("refused"), "{posted:?}");
    let modern = Smtp::start(|_| Does::Usual);
    assert_eq!(within(&job(modern.address.port()), &[&one], SHORT).await, [Posted::Sent]);
    assert!(modern.commands().iter().any(|command| command.contains("SMTPUTF8")), "{:?}", modern.commands());
}
