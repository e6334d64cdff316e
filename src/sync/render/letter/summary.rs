//! The summary: what a run did, for those who run the sync.

use super::{
    super::{
        approve::commands,
        blocks::{Block, Count, CountKind, Words},
        mail::{self, Mood},
        plain::plain,
        summary::{reject_words, would},
        text::{bytes, duration, number, visible},
    },
    About, attached,
    happened::happened,
    subject,
};
use crate::{
    api::Mode,
    model::{
        counts::Counts,
        letter::{Attachment, Letter, LetterKind},
        reason::{Reason, Verdict},
        report::{Reports, RunReport, Sample},
    },
};

/// The summary of a run that has ended.
pub fn summary(report: &RunReport, sample: &Sample, about: &About) -> Letter {
    let attachments = attached(about, |name| name == "changes.csv.gz");
    let mut blocks = happened(report);
    next_step(&mut blocks, report, about);
    counts(&mut blocks, report);
    changes(&mut blocks, report, sample, attachments.first());
    rejects(&mut blocks, report, sample);
    facts(&mut blocks, report, about);
    let (title, end) = (subject::summary(report), end(report));
    Letter {
        kind: LetterKind::Summary,
        text: plain(&title, &blocks, &end),
        html: mail::document(&title, mood(report), &blocks, &end),
        subject: title,
        attachments,
    }
}

/// The report, and the names of what lies beside it.
fn places(facts: &mut Vec<(&'static str, Words)>, reports: &Reports) {
    let Some(page) = &reports.html else { return };
    facts.push(("Report", Words::default().code(page)));
    let folder = page.rfind('/').map_or("", |at| &page[..=at]);
    let others = [&reports.changes, &reports.records, &reports.rejects, &reports.report];
    let mut words = Words::default();
    for place in others.into_iter().flatten() {
        words = if words == Words::default() { words } else { words.text(", ") };
        words = words.code(place.strip_prefix(folder).unwrap_or(place));
    }
    if words != Words::default() {
        facts.push(("Beside it", words));
    }
}

pub fn mood(report: &RunReport) -> Mood {
    match (report.reason.verdict(), report.mode) {
        (Verdict::Failed, _) => Mood::Bad,
        (Verdict::Held, _) | (_, Mode::Simulation) => Mood::Asking,
        (Verdict::Completed, _) if report.reason == Reason::NoFile => Mood::Asking,
        (Verdict::Rejects, Mode::Import) => Mood::Mixed,
        (Verdict::Completed, Mode::Import) => Mood::Good,
    }
}

/// Who says this.
pub fn end(report: &RunReport) -> String {
    format!("UserSync sent this by itself about run {} of {}.", visible(&report.run), visible(&report.sync))
}

/// What the reader can do about it.
fn next_step(blocks: &mut Vec<Block>, report: &RunReport, about: &About) {
    blocks.push(Block::Heading("What to do"));
    let verdict = report.reason.verdict();
    if verdict == Verdict::Held && report.mode == Mode::Import {
        blocks.push(Block::Para(Words::new(
            "If this is what you want, have it approved: exactly this file, once, for at most what is shown here. Whoever runs UserSync \
             does that with",
        )));
        let commands = commands(report, &about.approving);
        blocks.push(Block::Command(commands.usual));
        if let Some(other) = commands.other {
            blocks.push(Block::Para(Words::new("Where kubectl has no plugin of UserSync:")));
            blocks.push(Block::Command(other));
        }
        blocks.push(Block::Para(Words::new(
            "If it is not, put a corrected file in its place. Until then nothing of this one is imported.",
        )));
        return;
    }
    if verdict == Verdict::Failed {
        blocks.push(Block::Para(Words::new(report.reason.cure())));
        return;
    }
    if report.counts.rejected > 0 && report.mode == Mode::Import {
        blocks.push(Block::Para(rejected(report, about)));
        return;
    }
    let words = match (report.reason, report.mode) {
        (Reason::NoFile, _) => report.reason.cure(),
        (_, Mode::Simulation) if verdict == Verdict::Held => {
            "The import will ask for an approval, and say how to give it."
        }
        (_, Mode::Simulation) if about.next.is_some() => {
            "If this is what you want: the next run imports it. You can start that now as well."
        }
        (_, Mode::Simulation) => "If this is what you want, start the import.",
        _ => "Nothing: all of it is done.",
    };
    blocks.push(Block::Para(Words::new(words)));
}

/// What becomes of the rejected rows of an import.
fn rejected(report: &RunReport, about: &About) -> Words {
    let Some(place) = &report.reports.rejects else {
        return Words::new("The rejected rows could not be kept: have the file corrected and sent again.");
    };
    let words = if about.failed_import_to_anyone {
        Words::new(
            "Those who sent the file have got the rejected rows by mail, and how to correct them. The same rows are in ",
        )
    } else {
        Words::new("Have the rejected rows corrected and sent again: they are in ")
    };
    words.code(place).text(
        ". That file, with its cells corrected, can be put where the files come from: only these rows are imported then.",
    )
}

/// The counts; of a failed run only those that are facts.
fn counts(blocks: &mut Vec<Block>, report: &RunReport) {
    if report.counts == Counts::default() {
        return;
    }
    blocks.push(Block::Heading("Counts"));
    blocks.push(Block::Counts(counted(report)));
}

/// Each count that is worth a line.
pub fn counted(report: &RunReport) -> Vec<Count> {
    let c = &report.counts;
    let failed = report.reason.verdict() == Verdict::Failed;
    let change = |done, would_do| if would(report) { would_do } else { done };
    let all = [
        ("rows read", c.read, CountKind::Read, true),
        (change("added", "would add"), c.added, CountKind::Added, !failed),
        (change("updated", "would update"), c.updated, CountKind::Updated, !failed),
        (change("removed", "would remove"), c.removed, CountKind::Removed, c.removed > 0 && !failed),
        (change("rejected", "would reject"), c.rejected, CountKind::Rejected, c.rejected > 0),
        ("unchanged", c.unchanged, CountKind::Quiet, !failed),
        (change("skipped", "would skip"), c.skipped, CountKind::Quiet, c.skipped > 0 && !failed),
        ("left out by the filter", c.filtered, CountKind::Quiet, c.filtered > 0),
    ];
    all.into_iter().filter(|(.., shown)| *shown).map(|(name, n, kind, _)| Count { name, n, kind }).collect()
}

fn changes(blocks: &mut Vec<Block>, report: &RunReport, sample: &Sample, attached: Option<&Attachment>) {
    if sample.changes.is_empty() || report.reason.verdict() == Verdict::Failed {
        return;
    }
    blocks.push(Block::Heading(if would(report) { "What would change" } else { "What changed" }));
    blocks.push(Block::Changes(sample.changes.clone()));
    let all = report.counts.added + report.counts.updated + report.counts.removed;
    let rest = all.saturating_sub(sample.changes.len() as u64);
    if rest > 0 {
        let place = if attached.is_some_and(|attached| !attached.cut) {
            "the attached file and in the report"
        } else {
            "the report"
        };
        blocks.push(Block::Faint(Words::new(format!("and {} more: all of them are in {place}", number(rest)))));
    }
    if attached.is_some_and(|attached| attached.cut) {
        let words = Words::new("The changes are more than 5 MiB: the attachment has the first of them only.");
        blocks.push(Block::Faint(match &report.reports.changes {
            Some(place) => words.text(" All of them are in ").code(place).text("."),
            None => words,
        }));
    }
}

fn rejects(blocks: &mut Vec<Block>, report: &RunReport, sample: &Sample) {
    if sample.rejects.is_empty() {
        return;
    }
    blocks.push(Block::Heading(if would(report) { "Rows that would be rejected" } else { "Rejected rows" }));
    blocks.push(Block::List(sample.rejects.iter().map(|reject| reject_words("Line", reject)).collect()));
    let rest = report.counts.rejected.saturating_sub(sample.rejects.len() as u64);
    if rest > 0 {
        blocks.push(Block::Faint(Words::new(format!("and {} more", number(rest)))));
    }
}

fn facts(blocks: &mut Vec<Block>, report: &RunReport, about: &About) {
    blocks.push(Block::Heading("The run"));
    let mut facts = Vec::new();
    if let Some(file) = &report.file {
        let rows = match file.rows {
            None => String::new(),
            Some(1) => ", 1 row".into(),
            Some(n) => format!(", {} rows", number(n)),
        };
        facts.push(("File", Words::of(&file.name).text(format!(" ({}{rows})", bytes(file.size)))));
        if let Some(sha256) = file.sha256.as_ref().filter(|_| report.guard.held) {
            facts.push(("SHA-256", Words::default().code(sha256)));
        }
    }
    if report.reason.verdict() == Verdict::Failed {
        facts.push(("Reason", Words::new(report.reason.as_str())));
    }
    facts.push(("Started", Words::new(about.time(report.start_time))));
    facts.push(("Took", Words::new(duration(report.timings.total))));
    if let Some(next) = about.next {
        facts.push(("Next run", Words::new(about.time(next))));
    }
    places(&mut facts, &report.reports);
    blocks.push(Block::Facts(facts));
    if !report.warnings.is_empty() {
        blocks.push(Block::Heading("Warnings"));
        blocks.push(Block::List(report.warnings.iter().map(Words::new).collect()));
    }
}
