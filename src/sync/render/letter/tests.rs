//! Letters against texts that a person has read (`golden/letters`, `UPDATE=1` writes them anew); that both parts say the same.

mod correction;
mod hostile;
mod wanted;

use std::path::{Path, PathBuf};

use super::*;
use crate::model::{
    reject::{Reject, RejectCode},
    report::{ChangeAction, FileReport, GuardReport, RejectKind, Reports, SampleChange, Timings},
};

fn about() -> About {
    About {
        sync: SyncId { instance: "usersync".into(), namespace: "default".into(), name: "hr".into() },
        when: MailWhen::Always,
        to_anyone: true,
        failed_import_to_anyone: true,
        simulations: true,
        requested: false,
        next: "2026-11-24T00:00:00Z".parse().ok(),
        zone: TimeZone::get("Europe/Paris").unwrap(),
        files: "userdata_*.csv".into(),
        approving: Approving::Cluster,
        staged: vec![("changes.csv.gz".into(), 1_200), ("userdata_1_rejects.csv".into(), 300)],
    }
}

fn report(mode: Mode, reason: Reason) -> RunReport {
    let place = |name: &str| Some(format!("/var/lib/usersync/reports/default/hr/hr-5f2c81d09ab3e47f6a10/{name}"));
    RunReport {
        sync: "hr".into(),
        run: "hr-5f2c81d09ab3e47f6a10".into(),
        mode,
        reason,
        message: "12 added, 3 updated".into(),
        file: Some(FileReport {
            name: "userdata_1.csv".into(),
            size: 145_678,
            sha256: Some("ab12".repeat(16)),
            rows: Some(1_020),
            correction: false,
        }),
        counts: Counts { read: 1_020, added: 12, updated: 3, unchanged: 1_002, rejected: 3, ..Counts::default() },
        guard: GuardReport::default(),
        start_time: "2026-11-23T00:00:02Z".parse().unwrap(),
        completion_time: "2026-11-23T00:00:03Z".parse().unwrap(),
        timings: Timings { total: 1.24, ..Timings::default() },
        warnings: Vec::new(),
        looked: None,
        reports: Reports {
            report: place("report.json"),
            html: place("report.html"),
            changes: place("changes.csv.gz"),
            records: place("records.jsonl.gz"),
            rejects: place("userdata_1_rejects.csv"),
        },
    }
}

fn change(action: ChangeAction, id: &str, line: Option<u64>, properties: &[(&str, &str, &str)]) -> SampleChange {
    let own = |v: &str| (!v.is_empty()).then(|| v.to_owned());
    let properties = properties.iter().map(|(name, old, new)| ((*name).to_owned(), own(old), own(new))).collect();
    SampleChange { action, user_id: id.into(), line, properties }
}

fn reject(line: u64, code: RejectCode, column: Option<&str>, value: &str, message: &str) -> Reject {
    let value = (!value.is_empty()).then(|| value.to_owned());
    Reject { line, column: column.map(str::to_owned), value, code, message: message.into(), sensitive: false }
}

fn sample() -> Sample {
    let changes = vec![
        change(
            ChangeAction::Updated,
            "E2",
            Some(1_003),
            &[("email", "ann@old.example", "ann@new.example"), ("title", "Dr.", ""), ("salary_band", "•••", "•••")],
        ),
        change(ChangeAction::Added, "E1", Some(2), &[]),
        change(ChangeAction::Removed, "שרה", None, &[]),
    ];
    let email = "not an e-mail address, such as anna@example.com: it has two @";
    let rejects = vec![
        reject(14, RejectCode::InvalidEmail, Some("E-mail"), "ada@@example.com", email),
        reject(15, RejectCode::InvalidEmail, Some("E-mail"), "bob@@example.com", email),
        Reject {
            sensitive: true,
            ..reject(40, RejectCode::InvalidInteger, Some("Band"), "secret 7", "secret 7 is no number")
        },
    ];
    let kind = |rejects: &[Reject]| RejectKind {
        code: rejects[0].code,
        column: rejects[0].column.clone(),
        count: rejects.len() as u64,
        first: rejects.to_vec(),
    };
    let kinds = vec![kind(&rejects[..2]), kind(&rejects[2..])];
    Sample { changes, rejects, kinds }
}

/// The letters with golden files `NAME.summary.txt` and `NAME.failed.txt`; each part is compared with the other one.
fn golden(name: &str, report: &RunReport, sample: &Sample, about: &About) -> Vec<Letter> {
    let letters = letters(report, sample, about);
    for letter in &letters {
        let end = match letter.kind {
            LetterKind::FailedImport => "failed",
            _ => "summary",
        };
        let attached: Vec<&str> = letter.attachments.iter().map(|attachment| attachment.name.as_str()).collect();
        let text = format!("Subject: {}\nAttached: {}\n\n{}", letter.subject, attached.join(", "), letter.text);
        same(&format!("{name}.{end}.txt"), &text);
        assert_eq!(words(&letter.text), words(&without_tags(&letter.html)), "{name}.{end}: the parts say the same");
        assert!(letter.subject.chars().all(|c| !c.is_control()) && letter.subject.chars().count() <= 200);
        assert!(letter.text.lines().all(|line| line.len() < 998), "RFC 5322, 2.1.1");
        for loads in ["http:", "https:", "src=", "url(", "<script", "@import", "<link", "href"] {
            assert!(!letter.html.contains(loads), "{name}.{end} may load something: {loads}");
        }
    }
    letters
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync/render/golden/letters")
}

fn same(name: &str, text: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

/// What stands in the body, as a reader sees it.
fn without_tags(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let mut text = String::new();
    for part in format!("<{body}").split('<') {
        text.push(' ');
        text.push_str(part.split_once('>').map_or(part, |(_, text)| text));
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

/// The letters and digits of a text: neither marks, nor blanks, nor the numbers that a list has by itself.
fn words(text: &str) -> String {
    let mut words = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let line = if line[digits..].starts_with(". ") { &line[digits..] } else { line };
        words.extend(line.chars().filter(|c| c.is_alphanumeric()));
    }
    words
}

#[test]
fn an_import_with_rejects() {
    let mut report = report(Mode::Import, Reason::CompletedWithRejects);
    report.warnings.push("source.sftp.algorithms: Legacy allows ciphers with known weaknesses".into());
    let letters = golden("imported", &report, &sample(), &about());
    let said: Vec<_> = letters.iter().map(|letter| (letter.kind, letter.subject.as_str())).collect();
    assert_eq!(
        said,
        [
            (LetterKind::Summary, "hr: 12 added, 3 updated, 3 rejected"),
            (LetterKind::FailedImport, "hr: 3 of 1,020 rows rejected (userdata_1.csv)")
        ]
    );
    assert!(letters.iter().all(|letter| !letter.html.contains("secret 7") && !letter.text.contains("secret 7")));
    assert_eq!(letters[0].attachments[0].file, "changes.csv.gz");
    assert_eq!(letters[1].attachments[0].file, "userdata_1_rejects.csv");
    assert!(!letters[1].html.contains("E2") && !letters[1].html.contains("ann@"), "nobody else's data");
}

#[test]
fn a_simulation() {
    let letters = golden("simulated", &report(Mode::Simulation, Reason::CompletedWithRejects), &sample(), &about());
    let said: Vec<_> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert_eq!(said, ["hr simulation: would add 12, update 3, reject 3"]);
}

#[test]
fn a_held_import() {
    let mut report = report(Mode::Import, Reason::Held);
    report.counts.removed = 412;
    report.guard = GuardReport {
        held: true,
        reasons: vec!["would remove 412 of 1,000 active users; `safeguards.maxRemovals: \"10%\"` allows 100".into()],
        emptied: 0,
        removals: 412,
    };
    report.message = report.guard.reasons.join("; ");
    let letters = golden("held", &report, &sample(), &about());
    assert_eq!(letters[0].subject, "hr HELD: would remove 412 of 1,000 users");
    report.mode = Mode::Simulation;
    let letters = golden("held_simulation", &report, &sample(), &about());
    assert_eq!(letters[0].subject, "hr simulation HELD: would remove 412 of 1,000 users");
}

#[test]
fn failures() {
    let mut invalid = report(Mode::Import, Reason::InvalidFile);
    invalid.message =
        "userdata_1.csv: the column E-mail is missing: the header has id, name, Mail.\nDid you mean Mail?".into();
    invalid.counts = Counts::default();
    let nothing = About { staged: Vec::new(), ..about() };
    let letters = golden("invalid", &invalid, &Sample::default(), &nothing);
    assert_eq!(letters[1].subject, "hr FAILED: userdata_1.csv was not imported");
    let mut away = report(Mode::Import, Reason::SourceUnreachable);
    away.message =
        "sftp://files.example.com/outbox: no answer within 15 s; see that the server runs (source.timeouts.connect)"
            .into();
    (away.counts, away.file) = (Counts::default(), None);
    let letters = golden("unreachable", &away, &Sample::default(), &nothing);
    assert_eq!(letters[0].subject, "hr FAILED: sftp://files.example.com/outbox: no answer within 15 s");
}

#[test]
fn a_run_without_a_report() {
    let nothing = Reports::default();
    let mut missing = RunReport { reports: nothing.clone(), ..report(Mode::Import, Reason::ReferenceMissing) };
    missing.message =
        "spec.target.url: the Secret “users-db” is missing: make it; its key “url” holds postgres://…".into();
    (missing.counts, missing.file) = (Counts::default(), None);
    let about =
        About { staged: Vec::new(), approving: Approving::Local(vec!["--local".into(), "/srv".into()]), ..about() };
    let letters = golden("missing", &missing, &Sample::default(), &about);
    assert_eq!(letters[1].subject, "hr FAILED: no file was imported");
    let mut held = RunReport { reports: nothing, ..report(Mode::Import, Reason::Held) };
    held.guard = GuardReport { held: true, reasons: vec!["only 3 rows passed".into()], ..GuardReport::default() };
    let letters = golden("held_unreported", &held, &Sample::default(), &about);
    assert!(letters[0].text.contains("    usersync approve hr-5f2c81d09ab3e47f6a10 --local /srv\n"));
    assert!(letters.iter().all(|letter| letter.attachments.is_empty()));
}

#[test]
fn a_first_import() {
    let mut first = report(Mode::Import, Reason::Completed);
    first.counts = Counts { read: 1_000, added: 1_000, ..Counts::default() };
    first.reports.rejects = None;
    let changes = (1..=10).map(|n| change(ChangeAction::Added, &format!("E{n:04}"), Some(n + 1), &[])).collect();
    let sample = Sample { changes, ..Sample::default() };
    let about = About { staged: vec![("changes.csv.gz".into(), 1_200)], next: None, ..about() };
    let letters = golden("first", &first, &sample, &about);
    assert_eq!(letters.iter().map(|letter| letter.subject.as_str()).collect::<Vec<_>>(), ["hr: 1,000 added"]);
}

#[test]
fn nothing_to_do_and_no_file() {
    let mut report = report(Mode::Import, Reason::Completed);
    report.counts = Counts { read: 1_020, unchanged: 1_020, ..Counts::default() };
    let nothing = About { staged: Vec::new(), ..about() };
    golden("unchanged", &report, &Sample::default(), &nothing);
    report.reason = Reason::NoFile;
    report.message = "no file matches userdata_*.csv in /data/inbox".into();
    (report.file, report.counts) = (None, Counts::default());
    assert_eq!(letters(&report, &Sample::default(), &nothing), [], "nobody asked");
    golden("nofile", &report, &Sample::default(), &About { requested: true, ..nothing });
}

#[test]
fn what_is_cut_says_so() {
    let staged = vec![("changes.csv.gz".to_owned(), 6 << 20), ("userdata_1_rejects.csv".to_owned(), 9 << 20)];
    let about = About { staged, ..about() };
    let letters = letters(&report(Mode::Import, Reason::CompletedWithRejects), &sample(), &about);
    for letter in letters {
        assert!(letter.attachments.iter().all(|attachment| attachment.cut));
        assert!(letter.text.contains("5 MiB") && letter.html.contains("5 MiB"), "{}", letter.text);
    }
}
