//! Rejects files that came back, and rows spoken of by their number.

use super::*;

/// The report of a rejects file that came back.
fn correction(mode: Mode, counts: Counts) -> RunReport {
    let reason = if counts.rejected > 0 { Reason::CompletedWithRejects } else { Reason::Completed };
    let file = FileReport {
        name: "userdata_1_rejects.csv".into(),
        size: 812,
        sha256: None,
        rows: Some(counts.read),
        correction: true,
    };
    let mut report = RunReport { file: Some(file), counts, ..report(mode, reason) };
    report.reports.rejects = report.reports.rejects.map(|place| place.replace("_rejects", "_rejects_rejects"));
    report
}

#[test]
fn a_correction() {
    let about = About { staged: vec![("userdata_1_rejects_rejects.csv".into(), 300)], ..about() };
    let partly = Counts { read: 12, added: 2, unchanged: 1, rejected: 9, ..Counts::default() };
    let sample = Sample { changes: vec![change(ChangeAction::Added, "E7", Some(2), &[])], ..sample() };
    let letters = golden("correction", &correction(Mode::Import, partly), &sample, &about);
    let said: Vec<_> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert_eq!(
        said,
        [
            "hr correction: 2 added, 9 still rejected",
            "hr: 9 of 12 corrected rows still rejected (userdata_1_rejects.csv)"
        ]
    );
    let all = Counts { read: 12, added: 12, ..Counts::default() };
    let letters = super::letters(&correction(Mode::Import, all), &sample, &about);
    let said: Vec<_> = letters.iter().map(|letter| letter.subject.as_str()).collect();
    assert_eq!(said, ["hr correction: 12 added"], "those who sent it hear of it only if there is something left to do");
    let letters = super::letters(&correction(Mode::Simulation, partly), &sample, &about);
    assert_eq!(letters[0].subject, "hr simulation of a correction: would add 2, still reject 9");
    let text = letters[0].text.replace('\n', " ");
    assert!(text.contains("would add 2 users, and still reject 9 rows."), "{text}");
}

/// What those who sent a file are told first, in one line.
fn told(report: &RunReport) -> String {
    let letters = letters(report, &sample(), &about());
    let letter = letters.iter().find(|letter| letter.kind == LetterKind::FailedImport).unwrap();
    letter.text.split("\n\n").nth(1).unwrap().replace('\n', " ")
}

#[test]
fn one_row_is_spoken_of_as_one() {
    let counts = |read, rejected| Counts { read, rejected, unchanged: read - rejected, ..Counts::default() };
    let first =
        |reason, read, rejected| told(&RunReport { counts: counts(read, rejected), ..report(Mode::Import, reason) });
    let cases = [
        (first(Reason::CompletedWithRejects, 1, 1), "None of the rows of the file userdata_1.csv could be imported."),
        (
            first(Reason::CompletedWithRejects, 2, 1),
            "1 of the 2 rows in the file userdata_1.csv was not imported, because something is wrong with it. The other one is done.",
        ),
        (
            first(Reason::CompletedWithRejects, 9, 2),
            "2 of the 9 rows in the file userdata_1.csv were not imported, because something is wrong with them. The others are done.",
        ),
        (
            first(Reason::Held, 2, 2),
            "Nothing of the file userdata_1.csv is imported yet: somebody has to look at it first. None of its rows can be imported \
             as they are.",
        ),
        (
            first(Reason::Held, 2, 1),
            "Nothing of the file userdata_1.csv is imported yet: somebody has to look at it first. 1 of the 2 rows would be rejected \
             as it is.",
        ),
        (
            told(&correction(Mode::Import, counts(2, 1))),
            "1 of the 2 rows in the correction userdata_1_rejects.csv is imported now. 1 is still rejected, because something is \
             wrong with it yet.",
        ),
        (
            told(&correction(Mode::Import, counts(1, 1))),
            "None of the rows of the correction userdata_1_rejects.csv could be imported yet.",
        ),
    ];
    for (found, wanted) in cases {
        assert_eq!(found, wanted);
    }
}
