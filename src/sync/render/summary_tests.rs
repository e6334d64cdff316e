//! The summary against texts that a person has read: `golden/*.txt`. `UPDATE=1` writes them anew.

use jiff::Timestamp;

use super::*;
use crate::model::{
    reject::RejectCode,
    report::{ChangeAction, FileReport, GuardReport, Timings},
};

fn report(mode: Mode, reason: Reason) -> RunReport {
    RunReport {
        sync: "hr".into(),
        run: "hr-1".into(),
        mode,
        reason,
        message: String::new(),
        file: Some(FileReport {
            name: "userdata_1.csv".into(),
            size: 145_678,
            sha256: Some("ab12".repeat(16)),
            rows: Some(1_020),
            correction: false,
        }),
        counts: Counts { read: 1_020, added: 12, updated: 3, unchanged: 1_004, rejected: 1, ..Counts::default() },
        guard: GuardReport::default(),
        start_time: Timestamp::UNIX_EPOCH,
        completion_time: Timestamp::UNIX_EPOCH,
        timings: Timings { total: 0.424, ..Timings::default() },
        warnings: Vec::new(),
        looked: None,
        reports: Reports::default(),
    }
}

fn change(
    action: ChangeAction,
    id: &str,
    line: Option<u64>,
    properties: &[(&str, Option<&str>, Option<&str>)],
) -> SampleChange {
    let own = |v: Option<&str>| v.map(str::to_owned);
    let properties = properties.iter().map(|(name, old, new)| ((*name).to_owned(), own(*old), own(*new))).collect();
    SampleChange { action, user_id: id.into(), line, properties }
}

fn reject(line: u64, column: Option<&str>, value: &str, sensitive: bool, message: &str) -> Reject {
    Reject {
        line,
        column: column.map(str::to_owned),
        value: Some(value.into()),
        code: RejectCode::InvalidEmail,
        message: message.into(),
        sensitive,
    }
}

fn sample() -> Sample {
    let changes = vec![
        change(ChangeAction::Added, "E1", Some(2), &[]),
        change(
            ChangeAction::Updated,
            "E2",
            Some(1_003),
            &[
                ("email", Some("ann@old.example"), Some("ann@new.example")),
                ("display_name", Some("Ann"), None),
                ("salary_band", Some("•••"), Some("•••")),
            ],
        ),
        change(ChangeAction::Removed, "E9", None, &[]),
    ];
    let rejects = vec![reject(14, Some("E-mail"), "ann@", false, "is no e-mail address: correct it and send it again")];
    Sample { changes, rejects, kinds: Vec::new() }
}

fn golden(name: &str, report: &RunReport, sample: &Sample, manifests: &[&str]) {
    let arguments: Vec<String> = manifests.iter().flat_map(|m| ["-f".to_owned(), (*m).to_owned()]).collect();
    let text = plain(&summary(report, sample, &arguments));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sync/render/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn completed_with_rejects() {
    let mut report = report(Mode::Import, Reason::CompletedWithRejects);
    report.warnings.push("source.sftp.algorithms: Legacy allows ciphers with known weaknesses".into());
    report.reports.report = Some(".usersync/reports/default/hr/hr-1/report.json".into());
    report.reports.changes = Some(".usersync/reports/default/hr/hr-1/changes.csv.gz".into());
    report.reports.rejects = Some(".usersync/reports/default/hr/hr-1/userdata_1_rejects.csv".into());
    golden("completed.txt", &report, &sample(), &[]);
}

#[test]
fn a_simulation_says_would() {
    golden("simulation.txt", &report(Mode::Simulation, Reason::CompletedWithRejects), &sample(), &[]);
}

#[test]
fn nothing_to_do() {
    let mut report = report(Mode::Import, Reason::Completed);
    report.counts = Counts { read: 1_020, unchanged: 1_020, ..Counts::default() };
    golden("unchanged.txt", &report, &Sample::default(), &[]);
}

#[test]
fn no_file() {
    let mut report = report(Mode::Import, Reason::NoFile);
    report.message = "no file matches userdata_*.csv in /data/inbox".into();
    (report.file, report.counts) = (None, Counts::default());
    golden("nofile.txt", &report, &Sample::default(), &[]);
}

#[test]
fn held_says_how_to_approve() {
    let mut report = report(Mode::Import, Reason::Held);
    report.counts.removed = 412;
    report.guard = GuardReport {
        held: true,
        reasons: vec![
            "would remove 412 of 1,000 users, safeguards.maxRemovals allows 100 (10%)".into(),
            "would empty 200 of 1,000 users, safeguards.maxEmptied allows 100 (10%)".into(),
        ],
        emptied: 200,
        removals: 412,
    };
    golden("held.txt", &report, &sample(), &["my sync.yaml", "secrets/"]);
}

#[test]
fn a_failure_shows_no_counts_that_never_came_to_be() {
    let mut report = report(Mode::Import, Reason::TargetInvalid);
    report.message = "the table users has no unique index on employee_id. Make one:\n\
        create unique index on users (employee_id);"
        .into();
    golden("failed.txt", &report, &sample(), &[]);
}

#[test]
fn hostile_values_cannot_write_to_the_terminal() {
    let mut report = report(Mode::Import, Reason::CompletedWithRejects);
    if let Some(file) = &mut report.file {
        file.name = "users\u{1b}]0;owned\u{7}.csv".into();
    }
    let many: Vec<(&str, Option<&str>, Option<&str>)> = vec![("p", Some("\u{9b}31m"), Some("\u{202e}txt")); 10];
    let sample = Sample {
        changes: vec![change(ChangeAction::Updated, "E1\nhr: 9 removed", Some(2), &many)],
        rejects: vec![
            reject(3, Some("E-mail\u{1b}[2J"), "x\r\ny", false, "is no e-mail address\nhr: fine"),
            reject(4, Some("Band"), "secret 7", true, "secret 7 is not a number"),
            reject(5, Some("Name"), &"long ".repeat(20), false, "is too long"),
        ],
        kinds: Vec::new(),
    };
    golden("hostile.txt", &report, &sample, &[]);
    let text = plain(&summary(&report, &sample, &[]));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(!text.contains("secret 7"));
}
