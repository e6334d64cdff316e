//! Which addresses, URLs and Secrets for mail are taken, and what is said of the others.

use serde_json::json;

use super::*;
use crate::control::job::{
    sync_job,
    tests::{Fixed, sync},
};

#[test]
fn mailboxes() {
    for (text, name, address) in [
        ("hr@example.com", None, "hr@example.com"),
        (" <hr@example.com> ", None, "hr@example.com"),
        ("HR <hr@example.com>", Some("HR"), "hr@example.com"),
        ("Müller, HR <hr@example.com>", Some("Müller, HR"), "hr@example.com"),
        (r#""Müller, \"HR\"" <hr@example.com>"#, Some("Müller, \"HR\""), "hr@example.com"),
        ("jürgen@bücher.example", None, "jürgen@xn--bcher-kva.example"),
        ("hr+sync@localhost", None, "hr+sync@localhost"),
    ] {
        let found = mailbox(text).unwrap();
        assert_eq!((found.name.as_deref(), found.address.as_str()), (name, address), "{text}");
    }
    for text in [
        "",
        "hr",
        "hr@",
        "@example.com",
        "a b@example.com",
        "a@b@example.com",
        "x <y>",
        "a@x\r\nBcc: b@x",
        "a@x, b@x",
        "a@ex ample.com",
    ] {
        assert!(mailbox(text).is_err(), "{text:?}");
    }
}

#[test]
fn mail_urls() {
    use SmtpSecurity::{Implicit, Plain, StartTls};
    for (url, host, port, security) in [
        ("smtps://mail.example.com", "mail.example.com", 465, Implicit),
        ("smtp+starttls://mail.example.com/", "mail.example.com", 587, StartTls),
        ("SMTP://mail.example.com:2525\n", "mail.example.com", 2525, StartTls),
        ("smtp://mail.example.com?tls=none", "mail.example.com", 25, Plain),
        ("smtp://localhost", "localhost", 25, Plain),
        ("smtp://127.0.0.2:2525", "127.0.0.2", 2525, Plain),
        ("smtp://[::1]:2525", "::1", 2525, Plain),
        ("smtp+starttls://[::1]", "::1", 587, StartTls),
    ] {
        let wanted = SmtpUrl { host: host.into(), port, security };
        assert_eq!(SmtpUrl::parse(url), Ok(wanted), "{url}");
    }
    for (url, said) in [
        ("mail.example.com", "write smtps://HOST"),
        ("http://mail.example.com", "write smtps://HOST"),
        ("smtps://", "names no host"),
        ("smtps://a b", "names no host"),
        ("smtps://user:s3cret@mail.example.com", "keys username and password"),
        ("smtps://mail.example.com:x", "port"),
        ("smtps://mail.example.com:0", "port"),
        ("smtps://mail.example.com?tls=none", "smtp:// alone"),
        ("smtp://mail.example.com?tls=maybe", "tls=none"),
    ] {
        let why = SmtpUrl::parse(url).unwrap_err();
        assert!(why.contains(said) && !why.contains("s3cret"), "{url}: {why}");
    }
}

fn job(report: serde_json::Value, keys: &[(&str, &str)]) -> Result<(NoticeJob, Vec<String>), String> {
    let secrets =
        Fixed::usual().with("smtp", keys).with("hook", &[("url", "https://hook.example.com/x"), ("key", "k")]);
    let job = sync_job(&sync(json!({"report": report})), "usersync", &secrets, std::path::Path::new("/git"));
    let lines = |problems: Vec<JobProblem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    job.map(|job| (job.notice, job.warnings)).map_err(lines)
}

#[test]
fn a_mail_job_is_whole_or_says_why_not() {
    let email = json!({"smtp": {"name": "smtp"}, "from": "Sync <sync@example.com>", "to": ["it@example.com"],
        "bcc": ["b@example.com"], "failedImportTo": ["HR <hr@example.com>"], "when": "OnChange", "simulations": false});
    let report = json!({"email": email});
    let (notice, warnings) =
        job(report.clone(), &[("url", "smtps://mail.example.com"), ("username", "u\n"), ("password", "s3cret")])
            .unwrap();
    let mail = notice.mail.unwrap();
    assert_eq!((mail.smtp.port, mail.smtp.login.unwrap().username.as_str()), (465, "u"));
    assert!(mail.to_anyone && !mail.simulations && mail.when == crate::api::usersync::report::MailWhen::OnChange);
    assert_eq!((mail.to.len(), mail.cc.len(), mail.failed_import_to.len()), (1, 0, 1));
    assert!(warnings.is_empty(), "{warnings:?}");

    let (_, warnings) = job(report.clone(), &[("url", "smtp://mail.example.com?tls=none")]).unwrap();
    assert!(warnings[0].contains("in the clear"), "{warnings:?}");
    for (keys, said) in [
        (&[][..], "no key “url”"),
        (&[("url", "x")][..], "can't be used"),
        (&[("url", "smtps://m"), ("username", "u")][..], "no “password”"),
        (&[("url", "smtps://m"), ("password", "s3cret")][..], "no “username”"),
    ] {
        let why = job(report.clone(), keys).unwrap_err();
        assert!(why.starts_with("spec.report.email.smtp: the Secret “smtp” ") && why.contains(said), "{why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    let mut wrong = report;
    wrong["email"]["cc"] = json!(["nobody@@example.com"]);
    let why = job(wrong, &[("url", "smtps://m")]).unwrap_err();
    assert_eq!(
        why,
        "spec.report.email.cc[0]: “nobody@@example.com” is no e-mail address: write hr@example.com, or Name <hr@example.com>"
    );
}

#[test]
fn a_webhook_s_url_says_how_it_is_protected() {
    let of = |url: &str| {
        let secrets = Fixed::usual().with("hook", &[("url", url), ("key", "k")]);
        let hook = json!({"url": {"secretKeyRef": {"name": "hook", "key": "url"}},
            "signingKey": {"secretKeyRef": {"name": "hook", "key": "key"}}});
        let spec = sync(json!({"report": {"webhook": hook}})).spec;
        let reader = Reader { secrets: &secrets, namespace: "people" };
        notice(&spec, &reader).map(|(_, warnings)| warnings.len())
    };
    assert_eq!(of("https://hook.example.com/x?token=1\n"), Ok(0));
    assert_eq!(of("http://127.0.0.1:8080/x"), Ok(0));
    assert_eq!(of("http://hook.example.com/x"), Ok(1));
    for wrong in ["ftp://hook.example.com", "hook.example.com", "https://"] {
        let why = of(wrong).unwrap_err();
        assert!(why[0].message.contains("must begin with https://"), "{why:?}");
    }
}
