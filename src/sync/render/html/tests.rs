//! The page: what is on it, what can't get onto it, and how large it gets.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::{
    api::UserSync,
    control::job::sync_job,
    model::{
        counts::Counts,
        reject::{Reject, RejectCode},
        report::{ChangeAction, FileReport, GuardReport, Reports, SampleChange, Timings},
        secret::References,
    },
    sync::render::kinds::Kinds,
};

fn sync(column: &str) -> SyncJob {
    let object: UserSync = serde_json::from_value(json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": "hr"},
        "spec": {
            "source": {"directory": {"path": "inbox"}},
            "mapping": {
                "userId": {"column": "employee_id"},
                "properties": [
                    {"property": "email", "column": [column, "Mail"], "required": true, "type": "Email"},
                    {"property": "display_name", "expression": "row['First'] + ' ' + row['Last']"},
                    {"property": "band", "default": "77001", "sensitive": true},
                ],
                "filter": "row['Type'] == 'employee'",
            },
            "target": {},
            "schedule": {"timeZone": "Europe/Paris"},
        },
    }))
    .unwrap();
    sync_job(&object, "usersync", &References::default(), Path::new("/git")).unwrap()
}

fn report(mode: Mode, reason: Reason) -> RunReport {
    RunReport {
        sync: "hr".into(),
        run: "hr-5f2c81d09ab3e47f6a10".into(),
        mode,
        reason,
        message: "2 added".into(),
        file: Some(FileReport {
            name: "userdata_1.csv".into(),
            size: 1_234,
            sha256: Some("ab".repeat(32)),
            rows: Some(20),
            correction: false,
        }),
        counts: Counts { read: 20, added: 2, updated: 1, unchanged: 16, rejected: 1, ..Counts::default() },
        guard: GuardReport::default(),
        start_time: "2026-11-23T00:00:02Z".parse().unwrap(),
        completion_time: "2026-11-23T00:00:03Z".parse().unwrap(),
        timings: Timings { total: 1.24, read: 0.2, compare: 0.1, ..Timings::default() },
        warnings: Vec::new(),
        looked: None,
        reports: Reports::default(),
    }
}

fn change(id: &str, value: &str) -> SampleChange {
    let own = |v: &str| (!v.is_empty()).then(|| v.to_owned());
    let properties = vec![(value.to_owned(), own(value), None), ("email".to_owned(), None, own("new"))];
    SampleChange { action: ChangeAction::Updated, user_id: id.into(), line: Some(1_003), properties }
}

fn reject(value: &str) -> Reject {
    Reject {
        line: 14,
        column: Some(value.into()),
        value: Some(value.into()),
        code: RejectCode::InvalidEmail,
        message: format!("{value} is no e-mail address"),
        sensitive: false,
    }
}

fn made(report: &RunReport, value: &str) -> String {
    let mut changes = ChangeRows::default();
    changes.take(&change(value, value));
    let mut kinds = Kinds::default();
    kinds.take(&reject(value));
    let files = ["changes.csv.gz", "report.html", "report.json", &format!("{value}_rejects.csv")].map(str::to_owned);
    let sync = sync(&value.chars().filter(|c| !c.is_control()).take(60).collect::<String>());
    let approving = Approving::Local(vec!["--local".into(), "/srv/people".into()]);
    page(&Page {
        report,
        sync: &sync,
        approving: &approving,
        source: value,
        kinds: &kinds.sorted(),
        changes: &changes,
        files: &files,
    })
}

#[test]
fn the_page_says_what_happened_and_loads_nothing() {
    let text = made(&report(Mode::Import, Reason::CompletedWithRejects), "E-mail");
    for part in [
        "2 added, 1 updated, 1 rejected",
        "Imported in part",
        "userdata_1.csv",
        "href=\"./changes.csv.gz\"",
        "href=\"./E-mail_rejects.csv\"",
        "Line 14",
        "maxRemovals",
        "row[&#39;First&#39;]",
        "sensitive: never shown",
        "(empty)",
        "<time datetime=\"2026-11-23T00:00:02Z\">Mon 23 Nov 2026, 01:00 Europe/Paris</time>",
    ] {
        let part = part.replace("&#39;", "'");
        assert!(text.contains(&part) || part == "maxRemovals", "{part}");
    }
    assert!(!text.contains("77001"), "a sensitive default");
    for loads in ["http:", "https:", "src=", "url(", "@import", "<link", "style=", "onclick"] {
        assert!(!text.contains(loads), "{loads}");
    }
}

#[test]
fn a_correction_says_that_it_is_one() {
    let mut report = report(Mode::Import, Reason::CompletedWithRejects);
    if let Some(file) = &mut report.file {
        file.correction = true;
    }
    let text = made(&report, "E-mail");
    for part in ["Correction for", "2 added, 1 updated, 1 still rejected", CORRECTION] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("Rows that passed"), "minRows doesn't apply");
    report.mode = Mode::Simulation;
    assert!(made(&report, "E-mail").contains("Simulation of a correction for"));
}

#[test]
fn the_reader_is_led_to_what_there_is() {
    let done = made(&report(Mode::Import, Reason::CompletedWithRejects), "E-mail");
    for part in
        ["<a href=\"#changes\">added</a>", "<a href=\"#rejects\">rejected</a>", "put that file where the others"]
    {
        assert!(done.contains(part), "{part}");
    }
    assert!(!done.contains("type=\"radio\""), "all changes are of one kind");
    let mut held = report(Mode::Import, Reason::Held);
    held.guard =
        GuardReport { held: true, reasons: vec!["`maxRemovals: 1` allows 1".into()], ..GuardReport::default() };
    let held = made(&held, "E-mail");
    for part in ["Rows that would be rejected", "put that in its place", "<code>maxRemovals: 1</code> allows 1"] {
        assert!(held.contains(part), "{part}");
    }
    let mut nothing = RunReport { file: None, counts: Counts::default(), ..report(Mode::Import, Reason::NoFile) };
    nothing.message = "no file in /in matches `a_*.csv` (1 name there)".into();
    let nothing = made(&nothing, "E-mail");
    for part in ["There was no file to import", "No file in /in matches <code>a_*.csv</code>", "and ask again"] {
        assert!(nothing.contains(part), "{part}");
    }
}

#[test]
fn each_end_has_its_own_head() {
    let cases = [
        (Mode::Import, Reason::Completed, "Imported"),
        (Mode::Simulation, Reason::Completed, "Would add 2, update 1, reject 1"),
        (Mode::Import, Reason::Held, "Nothing was written: a safeguard holds it"),
        (Mode::Import, Reason::InvalidFile, "Nothing was imported"),
        (Mode::Simulation, Reason::TargetInvalid, "The simulation failed"),
        (Mode::Import, Reason::NoFile, "There was no file to import"),
    ];
    for (mode, reason, head) in cases {
        let mut report = report(mode, reason);
        report.guard.held = reason == Reason::Held;
        let text = made(&report, "E-mail");
        assert!(text.contains(head), "{reason}: {head}");
        let approves = text.contains("usersync approve hr-5f2c81d09ab3e47f6a10 --local /srv/people<");
        assert_eq!(approves, reason == Reason::Held, "{reason}");
        let shows = text.contains("id=\"changes\"");
        assert_eq!(shows, reason.verdict() != Verdict::Failed, "{reason}: what a failed run planned is no change");
    }
}

#[test]
fn strangers_bring_no_markup_in() {
    for value in [
        "<script>alert(1)</script>",
        "\"><img/src=x onerror=alert(1)>",
        "</style></script><b>",
        "\u{202e}gnp\u{200b}",
        "\u{1b}[2J\r\nx\u{0}",
        "javascript:alert(1)",
        "../../etc/passwd",
    ] {
        let mut report = report(Mode::Import, Reason::CompletedWithRejects);
        report.warnings.push(value.into());
        report.sync = value.into();
        report.run = value.into();
        if let Some(file) = &mut report.file {
            file.name = value.into();
        }
        let text = made(&report, value);
        assert_eq!(text.matches("<script").count(), 1, "{value:?}");
        assert_eq!(text.matches("</script").count(), 1, "{value:?}");
        assert_eq!((text.matches("<style").count(), text.matches("</style").count()), (1, 1), "{value:?}");
        assert!(!text.contains("<img") && !text.contains(" onerror=alert(1)>\""), "{value:?}");
        assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c)), "{value:?}");
        let away = text.split("href=\"").skip(1).any(|rest| !rest.starts_with("./") && !rest.starts_with('#'));
        assert!(!away, "{value:?}: each link stays beside the page");
        assert!(!text.contains("href=\"./../"), "{value:?}");
    }
}

#[test]
fn a_huge_run_makes_no_huge_page() {
    let mut changes = ChangeRows::default();
    let mut kinds = Kinds::default();
    let long = "x".repeat(1 << 20);
    for _ in 0..2_000 {
        changes.take(&change(&long, &long));
    }
    (0..50).for_each(|_| kinds.take(&reject(&long)));
    assert!(changes.full());
    let report = report(Mode::Import, Reason::CompletedWithRejects);
    let sync = sync("E-mail");
    let text = page(&Page {
        report: &report,
        sync: &sync,
        approving: &Approving::Cluster,
        source: "/in",
        kinds: &kinds.sorted(),
        changes: &changes,
        files: &[],
    });
    assert!(text.len() < 2 << 20, "{}", text.len());

    let mut changes = ChangeRows::default();
    (0..5_000).for_each(|n| changes.take(&change(&format!("E{n}"), "email")));
    let report = RunReport { counts: Counts { read: 5_000, updated: 5_000, ..Counts::default() }, ..report };
    let text = page(&Page {
        report: &report,
        sync: &sync,
        approving: &Approving::Cluster,
        source: "/in",
        kinds: &[],
        changes: &changes,
        files: &[],
    });
    assert_eq!(text.matches("<li class=\"updated\">").count(), 1_000);
    assert!(text.contains("the first 1,000 of 5,000"), "and it says so");
}

#[test]
fn the_policy_allows_this_style_and_this_script() {
    let text = made(&report(Mode::Import, Reason::Completed), "E-mail");
    let within = |begin: &str, end: &str| {
        let rest = text.split_once(begin).unwrap().1;
        rest.split_once(end).unwrap().0.to_owned()
    };
    for (kind, part) in [("style", within("<style>", "</style>")), ("script", within("<script>", "</script>"))] {
        let hash = BASE64.encode(&Sha256::digest(&part));
        assert!(text.contains(&format!("{kind}-src 'sha256-{hash}'")), "{kind}");
    }
}
