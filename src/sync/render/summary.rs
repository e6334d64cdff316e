//! The text that a run leaves in the terminal: lines with a tone, so that a terminal can colour them.

use super::blocks::{Span, Words};
use super::text::{bytes, duration, number, paragraph, visible, visible_cut};
use crate::{
    api::Mode,
    model::{
        counts::Counts,
        reason::{Reason, Verdict},
        reject::Reject,
        report::{Reports, RunReport, Sample, SampleChange},
    },
};

/// One line of the summary (or, in rare messages, a few), without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// Plain text: nothing in it moves a cursor or hides.
    pub text: String,
}

/// How a line is meant: what a terminal may show as colour. The text says the same without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The first line.
    Verdict(Verdict),
    /// Opens a block.
    Heading,
    /// As any other.
    Plain,
    /// Should be seen.
    Warning,
    /// Needs no attention.
    Faint,
}

/// The longest value, in characters.
const VALUE: usize = 60;
/// How many properties of one user are shown.
const PROPERTIES: usize = 8;

/// The summary of a run that ended. `arguments` are those of the run as they were typed (`-f`, its value, …), for
/// the command that approves.
pub fn summary(report: &RunReport, sample: &Sample, arguments: &[String]) -> Vec<Line> {
    let sha256 = report.file.as_ref().and_then(|file| file.sha256.as_deref());
    let typed: String = match arguments {
        [] => " -f …".into(),
        some => some.iter().map(|argument| format!(" {}", quoted(argument))).collect(),
    };
    let approve = sha256.map(|sha256| format!("usersync run{typed} --approve {}", visible(sha256)));
    summary_approved_by(report, sample, approve.as_deref())
}

/// As [`summary`], with the whole command that approves.
pub fn summary_approved_by(report: &RunReport, sample: &Sample, approve: Option<&str>) -> Vec<Line> {
    let mut page = Page::default();
    page.add(Tone::Verdict(report.reason.verdict()), verdict_line(report));
    facts(&mut page, report);
    counts(&mut page, report);
    changes(&mut page, report, sample);
    rejects(&mut page, report, sample);
    guard(&mut page, report, approve);
    if !report.warnings.is_empty() {
        page.block("");
    }
    for warning in &report.warnings {
        page.add(Tone::Warning, format!("  warning: {}", paragraph(warning, 11)));
    }
    reports(&mut page, &report.reports);
    page.0
}

/// The lines as text, each with its line end.
pub fn plain(lines: &[Line]) -> String {
    lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
}

#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn add(&mut self, tone: Tone, text: impl Into<String>) {
        self.0.push(Line { tone, text: text.into() });
    }

    fn block(&mut self, heading: &str) {
        self.add(Tone::Plain, "");
        if !heading.is_empty() {
            self.add(Tone::Heading, format!("  {heading}"));
        }
    }
}

/// `hr: 12 added, 3 updated, 1 rejected`
fn verdict_line(report: &RunReport) -> String {
    let head = visible(&head(report));
    match (report.reason.verdict(), report.reason) {
        (Verdict::Failed, _) => format!("{head} FAILED: {}", paragraph(&report.message, 2)),
        (Verdict::Held, _) => {
            let why = report.guard.reasons.first().unwrap_or(&report.message);
            format!("{head} HELD: {}", paragraph(why, 2))
        }
        (_, Reason::NoFile | Reason::AlreadyApplied) => format!("{head}: {}", paragraph(&report.message, 2)),
        _ => format!("{head}: {}", outcome(report)),
    }
}

/// Whose run it was, and what kind of run: `hr`, `hr simulation`, `hr correction`.
pub(super) fn head(report: &RunReport) -> String {
    let kind = match (report.mode, report.correction()) {
        (Mode::Import, false) => "",
        (Mode::Import, true) => " correction",
        (Mode::Simulation, false) => " simulation",
        (Mode::Simulation, true) => " simulation of a correction",
    };
    format!("{}{kind}", report.sync)
}

/// `12 added, 3 updated`, or of a simulation `would add 12, update 3`; what is wrong in a correction is so `still`.
pub(super) fn outcome(report: &RunReport) -> String {
    let (c, mode) = (&report.counts, report.mode);
    let (rejected, reject) =
        if report.correction() { ("still rejected", "still reject") } else { ("rejected", "reject") };
    let all = [
        (c.added, "added", "add"),
        (c.updated, "updated", "update"),
        (c.removed, "removed", "remove"),
        (c.rejected, rejected, reject),
        (c.skipped, "skipped", "skip"),
    ];
    let parts = all.iter().filter(|(n, ..)| *n > 0);
    let parts: Vec<String> = match mode {
        Mode::Import => parts.map(|(n, done, _)| format!("{} {done}", number(*n))).collect(),
        Mode::Simulation => parts.map(|(n, _, would)| format!("{would} {}", number(*n))).collect(),
    };
    match (mode, parts.is_empty()) {
        (Mode::Import, false) => parts.join(", "),
        (Mode::Simulation, false) => format!("would {}", parts.join(", ")),
        (Mode::Import, true) => format!("nothing changed, {} unchanged", number(c.unchanged)),
        (Mode::Simulation, true) => format!("would change nothing, {} unchanged", number(c.unchanged)),
    }
}

/// The file, the reason of a failure, the time it took.
fn facts(page: &mut Page, report: &RunReport) {
    page.block("");
    if report.reason.verdict() == Verdict::Failed {
        page.add(Tone::Plain, format!("  reason   {}", report.reason));
    }
    if let Some(file) = &report.file {
        let rows = match file.rows {
            None => String::new(),
            Some(1) => ", 1 row".into(),
            Some(n) => format!(", {} rows", number(n)),
        };
        page.add(Tone::Plain, format!("  file     {} ({}{rows})", visible(&file.name), bytes(file.size)));
    }
    page.add(Tone::Plain, format!("  took     {}", duration(report.timings.total)));
}

/// Whether the counts say what would be instead of what was done.
pub(super) fn would(report: &RunReport) -> bool {
    report.mode == Mode::Simulation || report.reason.verdict() == Verdict::Held
}

/// The counts one below the other; of a failed run only those that are facts.
fn counts(page: &mut Page, report: &RunReport) {
    let c = &report.counts;
    let failed = report.reason.verdict() == Verdict::Failed;
    if *c == Counts::default() {
        return;
    }
    let change = |done: &'static str, would_do: &'static str| if would(report) { would_do } else { done };
    let all = [
        ("read", Some(c.read)),
        ("filtered", Some(c.filtered).filter(|n| *n > 0)),
        ("rejected", Some(c.rejected).filter(|n| *n > 0)),
        (change("added", "would add"), Some(c.added).filter(|_| !failed)),
        (change("updated", "would update"), Some(c.updated).filter(|_| !failed)),
        ("unchanged", Some(c.unchanged).filter(|_| !failed)),
        (change("removed", "would remove"), Some(c.removed).filter(|n| *n > 0 && !failed)),
        (change("skipped", "would skip"), Some(c.skipped).filter(|n| *n > 0 && !failed)),
    ];
    let rows: Vec<(&str, String)> = all.iter().filter_map(|(name, n)| n.map(|n| (*name, number(n)))).collect();
    let names = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let numbers = rows.iter().map(|(_, n)| n.len()).max().unwrap_or_default();
    page.block("");
    for (name, n) in rows {
        page.add(Tone::Plain, format!("  {name:names$}  {n:>numbers$}"));
    }
}

fn changes(page: &mut Page, report: &RunReport, sample: &Sample) {
    if sample.changes.is_empty() || report.reason.verdict() == Verdict::Failed {
        return;
    }
    page.block(if would(report) { "what would change" } else { "changes" });
    sample.changes.iter().for_each(|change| one_change(page, change));
    let all = report.counts.added + report.counts.updated + report.counts.removed;
    more(page, all, sample.changes.len(), report.reports.changes.as_deref());
}

fn one_change(page: &mut Page, change: &SampleChange) {
    let line = change.line.map(|l| format!(" (line {})", number(l))).unwrap_or_default();
    let (action, user) = (change.action.as_str(), visible_cut(&change.user_id, VALUE));
    page.add(Tone::Plain, format!("    {action:7}  {user}{line}"));
    let shown = &change.properties[..change.properties.len().min(PROPERTIES)];
    let names: Vec<String> = shown.iter().map(|(name, ..)| visible(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let value = |v: &Option<String>| v.as_deref().map_or_else(|| "(empty)".to_owned(), |v| visible_cut(v, VALUE));
    for (name, (_, old, new)) in names.iter().zip(shown) {
        page.add(Tone::Plain, format!("             {name:width$}  {} → {}", value(old), value(new)));
    }
    if change.properties.len() > shown.len() {
        let rest = change.properties.len() - shown.len();
        page.add(Tone::Faint, format!("             and {rest} more properties"));
    }
}

fn rejects(page: &mut Page, report: &RunReport, sample: &Sample) {
    if sample.rejects.is_empty() {
        return;
    }
    page.block("rejects");
    for reject in &sample.rejects {
        page.add(Tone::Plain, format!("    {}", paragraph(&one_reject(reject), 6)));
    }
    more(page, report.counts.rejected, sample.rejects.len(), report.reports.rejects.as_deref());
}

/// [`reject_words`] in one line.
fn one_reject(reject: &Reject) -> String {
    let spans = reject_words("line", reject).0;
    spans
        .iter()
        .map(|span| match span {
            Span::Text(text) | Span::Strong(text) | Span::Value(text) | Span::Code(text) => visible(text),
        })
        .collect()
}

/// `line 14, E-mail: …`, after the word that stands for "line". The value is added unless the message says it already. Of a sensitive cell only what the code
/// means is said: the message may quote the cell.
pub(super) fn reject_words(line: &str, reject: &Reject) -> Words {
    let mut words = Words::new(format!("{line} {}", number(reject.line)));
    if let Some(column) = &reject.column {
        words = words.text(", ").value(column);
    }
    if reject.sensitive {
        let meaning = reject.code.meaning().trim_end_matches('.');
        return words.text(format!(": {meaning} (its value is not shown)"));
    }
    words = words.text(": ").text(visible(&reject.message));
    match reject.value.as_deref().filter(|v| !v.trim().is_empty() && !reject.message.contains(v)) {
        Some(value) => words.text(" (\"").value(visible_cut(value, VALUE)).text("\")"),
        None => words,
    }
}

fn more(page: &mut Page, all: u64, shown: usize, place: Option<&str>) {
    let rest = all.saturating_sub(shown as u64);
    if rest > 0 {
        let place = place.map(|p| format!(", see {}", visible(p))).unwrap_or_default();
        page.add(Tone::Faint, format!("    and {} more{place}", number(rest)));
    }
}

/// Why the run is held, and how it is approved.
fn guard(page: &mut Page, report: &RunReport, approve: Option<&str>) {
    if !report.guard.held {
        return;
    }
    page.block("held: nothing was written");
    for reason in &report.guard.reasons {
        page.add(Tone::Warning, format!("    {}", paragraph(reason, 6)));
    }
    if let Some(approve) = approve {
        page.add(Tone::Plain, "    If that is right, import this very file with:");
        page.add(Tone::Plain, format!("    {approve}"));
    }
}

/// An argument as a shell takes it.
pub fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@,%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", visible(argument).replace('\'', r"'\''"))
}

fn reports(page: &mut Page, reports: &Reports) {
    let Reports { report, html, changes, records, rejects } = reports;
    let all = [("report", report), ("html", html), ("changes", changes), ("records", records), ("rejects", rejects)];
    let mut all = all.iter().filter_map(|(name, place)| place.as_deref().map(|place| (name, place))).peekable();
    if all.peek().is_some() {
        page.block("reports");
    }
    for (name, place) in all {
        page.add(Tone::Faint, format!("    {name:7}  {}", visible(place)));
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
