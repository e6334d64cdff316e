//! Mails of each kind, as they are staged with a run.

use std::{fs, path::Path};

use usersync::{
    api::{Mode, usersync::report::MailWhen},
    model::{
        approving::Approving,
        counts::Counts,
        job::SyncId,
        letter::{Letter, LetterKind},
        reason::Reason,
        reject::{Reject, RejectCode},
        report::{
            ChangeAction, FileReport, GuardReport, Looked, LookedName, Reports, RunReport, Sample, SampleChange,
            Timings,
        },
    },
    sync::render::{
        kinds::Kinds,
        letter::{About, letters, overdue},
    },
};

fn about() -> About {
    About {
        sync: SyncId { instance: "usersync".into(), namespace: "people".into(), name: "hr".into() },
        when: MailWhen::Always,
        to_anyone: true,
        failed_import_to_anyone: true,
        simulations: true,
        requested: false,
        next: "2026-11-24T00:00:00Z".parse().ok(),
        zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
        files: "userdata_*.csv".into(),
        approving: Approving::Cluster,
        staged: vec![("changes.csv.gz".into(), 6_000_000), ("Müller GmbH_rejects.csv".into(), 300)],
    }
}

fn report(mode: Mode, reason: Reason) -> RunReport {
    let place = |name: &str| Some(format!("/var/lib/usersync/reports/people/hr/hr-5f2c81d09ab3e47f6a10/{name}"));
    RunReport {
        sync: "people/hr".into(),
        run: "hr-5f2c81d09ab3e47f6a10".into(),
        mode,
        reason,
        message: "the column E-mail is missing: the header has employee_id, Mail.\nAdd it, or name the other one in mapping.properties"
            .into(),
        file: Some(FileReport { name: "Müller GmbH.csv".into(), size: 145_678, sha256: Some("ab12".repeat(16)), rows: Some(1_020), correction: false }),
        counts: Counts { read: 1_020, added: 12, updated: 3, unchanged: 999, removed: 2, rejected: 6, ..Counts::default() },
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
            records: None,
            rejects: place("Müller GmbH_rejects.csv"),
        },
    }
}

fn sample(value: &str) -> Sample {
    let own = |v: &str| (!v.is_empty()).then(|| v.to_owned());
    let change = |action, id: &str, line, properties: &[(&str, &str, &str)]| SampleChange {
        action,
        user_id: id.to_owned(),
        line,
        properties: properties.iter().map(|(name, old, new)| ((*name).to_owned(), own(old), own(new))).collect(),
    };
    let changes = vec![
        change(ChangeAction::Removed, "E00007", None, &[]),
        change(
            ChangeAction::Updated,
            "E00012",
            Some(1_003),
            &[
                ("email", "ann@old.example", "ann.anderson-brightwater@new.example"),
                ("title", value, ""),
                ("salary_band", "•••", "•••"),
            ],
        ),
        change(ChangeAction::Updated, "שרה כהן", Some(7), &[("display_name", "שרה", "שרה כהן (2)")]),
        change(ChangeAction::Added, "E00991", Some(992), &[]),
        change(ChangeAction::Added, value, Some(993), &[]),
    ];
    let reject = |line, code, column: Option<&str>, value: &str, message: &str| Reject {
        line,
        column: column.map(str::to_owned),
        value: own(value),
        code,
        message: message.to_owned(),
        sensitive: false,
    };
    let email = "not an e-mail address, such as anna@example.com: it has two @";
    let rejects = vec![
        reject(14, RejectCode::InvalidEmail, Some("E-mail"), "ada@@example.com", email),
        reject(15, RejectCode::InvalidEmail, Some("E-mail"), "bob@@example.com", email),
        reject(16, RejectCode::InvalidEmail, Some("E-mail"), value, email),
        reject(40, RejectCode::Required, Some("Name"), "", "display_name is required, but empty: fill it in"),
        reject(
            41,
            RejectCode::InvalidDate,
            Some("Born"),
            "31.12.1990",
            "not a date: year-month-day, such as 2026-11-22",
        ),
        reject(77, RejectCode::Ragged, None, "", "the row has 4 cells, the header 6: is a delimiter missing?"),
    ];
    let mut kinds = Kinds::default();
    rejects.iter().for_each(|reject| kinds.take(reject));
    Sample { changes, rejects, kinds: kinds.sorted() }
}

/// Writes the HTML part of each kind of mail as a page.
pub fn write(folder: &Path) {
    let keep = |name: &str, letters: Vec<Letter>| {
        assert!(!letters.is_empty());
        for letter in letters {
            let kind = match letter.kind {
                LetterKind::FailedImport => "failed",
                LetterKind::Summary | LetterKind::Alert => "summary",
            };
            fs::write(folder.join(format!("mail-{name}-{kind}.html")), &letter.html).unwrap();
            fs::write(folder.join(format!("mail-{name}-{kind}.txt")), &letter.text).unwrap();
        }
    };
    let plain = sample("Dr.");
    let done = report(Mode::Import, Reason::CompletedWithRejects);
    keep("imported", letters(&done, &plain, &about()));
    keep("simulated", letters(&report(Mode::Simulation, Reason::CompletedWithRejects), &plain, &about()));
    let mut held = report(Mode::Import, Reason::Held);
    held.guard.held = true;
    held.guard.reasons =
        vec!["would remove 412 of 1,000 active users; `safeguards.maxRemovals: \"10%\"` allows 100".to_owned()];
    keep("held", letters(&held, &plain, &about()));
    let mut first = report(Mode::Import, Reason::Completed);
    first.counts = Counts { read: 1_020, added: 1_020, ..Counts::default() };
    let added = |n: u64| SampleChange {
        action: ChangeAction::Added,
        user_id: format!("E{n:05}"),
        line: Some(n + 1),
        properties: Vec::new(),
    };
    keep("first", letters(&first, &Sample { changes: (1..=10).map(added).collect(), ..Sample::default() }, &about()));
    let mut correction = report(Mode::Import, Reason::CompletedWithRejects);
    correction.counts = Counts { read: 12, added: 3, updated: 3, rejected: 6, ..Counts::default() };
    if let Some(file) = &mut correction.file {
        (file.name, file.rows, file.correction) = ("userdata_Müller GmbH_rejects.csv".into(), Some(12), true);
    }
    keep("correction", letters(&correction, &plain, &about()));
    let mut nothing = report(Mode::Import, Reason::NoFile);
    nothing.message = "no file matches userdata_*.csv in sftp://files.example.com/outbox".into();
    (nothing.file, nothing.counts) = (None, Counts::default());
    let looked = |name: &str, reason: &str, why: &str| LookedName {
        name: name.into(),
        size: 12,
        mtime: nothing.start_time,
        reason: reason.into(),
        why: why.into(),
    };
    nothing.looked = Some(Looked {
        names: vec![
            looked("userdata_2.csv.part", "Partial", "named like an upload that is not finished"),
            looked("Übersicht Personal 2026.xlsx", "NotMatched", "does not match userdata_*.csv"),
        ],
        more: 3,
    });
    let asked = About { requested: true, staged: Vec::new(), ..about() };
    keep("nofile", letters(&nothing, &Sample::default(), &asked));
    let mut away =
        RunReport { counts: Counts::default(), file: None, ..report(Mode::Import, Reason::SourceUnreachable) };
    away.message =
        "sftp://files.example.com/outbox: no answer within 15 s; see that the server runs (source.timeouts.connect)"
            .into();
    keep("unreachable", letters(&away, &Sample::default(), &asked));
    let failed = RunReport { counts: Counts::default(), ..report(Mode::Import, Reason::InvalidFile) };
    keep("invalid", letters(&failed, &Sample::default(), &About { staged: Vec::new(), ..about() }));
    for (name, value) in [
        ("markup", "</td></table><script>alert(1)</script><img src=x onerror=alert(2)>".to_owned()),
        ("long", "W".repeat(1 << 20)),
        ("turned", "\u{202e}gnp.exe\r\nBcc: eve@example.com".to_owned()),
    ] {
        let mut hostile = done.clone();
        if let Some(file) = &mut hostile.file {
            file.name.clone_from(&value);
        }
        hostile.warnings.push(value.clone());
        keep(name, letters(&hostile, &sample(&value), &about()));
    }
    let last = "2026-11-22T01:00:00Z".parse().ok();
    let day = std::time::Duration::from_secs(86_400);
    keep(
        "overdue",
        vec![overdue("people/hr", last, day, "userdata_*.csv", "sftp://files.example.com/outbox", &about().zone)],
    );
}
