//! Subjects: sync, mode, verdict and counts in one line.

use super::super::{
    summary::{head, outcome},
    text::{number, visible, visible_cut},
};
use crate::model::{
    reason::{Reason, Verdict},
    report::RunReport,
};

/// The longest subject, in characters.
const LONGEST: usize = 120;

/// `hr: 12 added, 3 updated, 1 rejected`, `hr HELD: would remove 412 of 1,000 users`
pub fn summary(report: &RunReport) -> String {
    let head = head(report);
    line(&match (report.reason.verdict(), report.reason) {
        (Verdict::Failed, _) => format!("{head} FAILED: {}", first_words(&report.message)),
        (Verdict::Held, _) => format!("{head} HELD: {}", breach(report)),
        (_, Reason::NoFile | Reason::AlreadyApplied) => format!("{head}: {}", first_words(&report.message)),
        _ => format!("{head}: {}", outcome(report)),
    })
}

/// `hr: 3 of 120 rows rejected (userdata_1.csv)`, of a correction `hr: 1 of 3 corrected rows still rejected (…)`
pub fn failed_import(report: &RunReport) -> String {
    let file = report.file.as_ref().map(|file| file.name.as_str());
    line(&match (report.reason.verdict(), file) {
        (Verdict::Failed, Some(file)) => format!("{} FAILED: {file} was not imported", report.sync),
        (Verdict::Failed, None) => format!("{} FAILED: no file was imported", report.sync),
        (_, file) => {
            let counts = &report.counts;
            let file = file.map(|file| format!(" ({file})")).unwrap_or_default();
            let rows = if counts.read == 1 { "row" } else { "rows" };
            let (corrected, still) = if report.correction() { ("corrected ", "still ") } else { ("", "") };
            let (rejected, read) = (number(counts.rejected), number(counts.read));
            format!("{}: {rejected} of {read} {corrected}{rows} {still}rejected{file}", report.sync)
        }
    })
}

/// The first breach without the setting that it breaches: `would remove 412 of 1,000 users`.
fn breach(report: &RunReport) -> String {
    let why = report.guard.reasons.first().unwrap_or(&report.message);
    let end = why.find([';', ':']).unwrap_or(why.len());
    // A reason that begins with a code says more behind it.
    first_words(why.strip_prefix("KeyUnreadable: ").unwrap_or(&why[..end])).replace("active users", "users")
}

/// The first line of a message, up to where it begins to explain, without marks that a subject can't show.
fn first_words(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let end = line.find("; ").unwrap_or(line.len());
    line[..end].replace('`', "")
}

/// One line that a header can hold: nothing in it breaks a line, hides, or turns the direction of writing.
pub fn line(text: &str) -> String {
    visible_cut(&visible(text), LONGEST)
}
