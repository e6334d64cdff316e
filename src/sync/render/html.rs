//! `report.html`: a run on one page that needs nothing but itself. Nothing is loaded, and what the file's own cells say is text:
//! a policy in its head allows this very style and this very script and nothing else.

mod changes;
mod how;
mod rejects;

use std::sync::LazyLock;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use self::changes::ChangeRows;
use super::{
    approve::commands,
    letter::time,
    summary::{outcome, would},
    text::{duration, number, visible, visible_lines},
};
use crate::{
    api::Mode,
    model::{
        approving::Approving,
        counts::Counts,
        job::SyncJob,
        reason::{Reason, Verdict},
        report::{RejectKind, RunReport},
    },
};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/filter.js");

/// What the page may do: show itself.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64.encode(&Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// What the page is about.
pub struct Page<'a> {
    /// The run.
    pub report: &'a RunReport,
    /// What it was told to do. Nothing secret of it is shown.
    pub sync: &'a SyncJob,
    /// How it is approved if it is held.
    pub approving: &'a Approving,
    /// Where its file came from, for people.
    pub source: &'a str,
    /// Its rejects by kind.
    pub kinds: &'a [RejectKind],
    /// Its first changes.
    pub changes: &'a ChangeRows,
    /// Names of the files that lie beside the page.
    pub files: &'a [String],
}

impl Page<'_> {
    /// The name of a file beside the page.
    fn file(&self, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        self.files.iter().map(String::as_str).find(|name| wanted(name))
    }
}

/// The page.
pub fn page(page: &Page) -> String {
    let title = format!("{}: {}", visible(&page.report.sync), headline(page.report));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*POLICY);
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                meta name="format-detection" content="telephone=no";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                div.page {
                    (top(page))
                    main id="main" tabindex="-1" {
                        (counts(page.report))
                        (changes::section(page))
                        (rejects::section(page))
                        (files(page))
                        (how::sections(page))
                    }
                    footer { "Run " bdi.code { (visible(&page.report.run)) } " of UserSync. This page needs no network: it can be kept, printed and sent." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// The verdict in a word and in a colour.
fn verdict(report: &RunReport) -> (&'static str, &'static str) {
    match (report.reason.verdict(), report.mode) {
        (Verdict::Failed, _) => ("bad", "Failed"),
        (Verdict::Held, _) => ("ask", "Held"),
        (_, _) if report.reason == Reason::NoFile => ("good", "No file"),
        (Verdict::Rejects, Mode::Import) => ("mixed", "Imported in part"),
        (Verdict::Completed, Mode::Import) => ("good", "Imported"),
        (_, Mode::Simulation) => ("ask", "Simulated"),
    }
}

fn headline(report: &RunReport) -> String {
    match report.reason.verdict() {
        Verdict::Failed if report.mode == Mode::Import => "Nothing was imported".to_owned(),
        Verdict::Failed => "The simulation failed".to_owned(),
        Verdict::Held if report.mode == Mode::Import => "Nothing was written: a safeguard holds it".to_owned(),
        Verdict::Held => "An import would be held by a safeguard".to_owned(),
        _ if matches!(report.reason, Reason::NoFile | Reason::AlreadyApplied) => visible(&report.message),
        _ => {
            let words = outcome(&report.counts, report.mode);
            let first = words.chars().next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            first + words.get(1..).unwrap_or_default()
        }
    }
}

fn top(page: &Page) -> Markup {
    let report = page.report;
    let (tone, badge) = verdict(report);
    let failed = report.reason.verdict() == Verdict::Failed;
    let mode = match report.mode {
        Mode::Import => "Import",
        Mode::Simulation => "Simulation",
    };
    html! {
        header.card.top.(tone) {
            p.eyebrow { span.badge { (badge) } span { (mode) " of " strong { bdi { (visible(&report.sync)) } } } span { (moment(page)) } }
            h1 { (headline(report)) }
            @if failed { p.lead { bdi { (lines(&report.message)) } } p { (report.reason.cure()) } }
            @else if report.guard.held {
                ul.reasons { @for reason in &report.guard.reasons { li { bdi { (lines(reason)) } } } }
                p { (report.reason.cure()) }
                @if report.mode == Mode::Import { (approve(page)) }
            }
            @else if report.mode == Mode::Simulation {
                p.lead { "Nothing was written. Whether the database takes each row, only the import shows." }
            }
            @if let Some(file) = &report.file { p.soft { "File " bdi.code { (visible(&file.name)) } @if let Some(rows) = file.rows { ", " (number(rows)) " rows" } ", " (duration(report.timings.total)) } }
            @if !report.warnings.is_empty() {
                ul.reasons { @for warning in &report.warnings { li { "Warning: " bdi { (lines(warning)) } } } }
            }
            @if let Some(looked) = report.looked.as_ref().filter(|looked| !looked.names.is_empty()) {
                ul.reasons { @for name in &looked.names { li { bdi.code { (visible(&name.name)) } ": " bdi { (lines(&name.why)) } } } }
                @if looked.more > 0 { p.soft { "and " (number(looked.more)) " more names" } }
            }
        }
    }
}

/// How it is approved, to be copied.
fn approve(page: &Page) -> Markup {
    let commands = commands(page.report, page.approving);
    html! {
        p.command.code { (commands.usual) }
        @if let Some(other) = commands.other {
            p.soft { "Where kubectl has no plugin of UserSync:" }
            p.command.code { (other) }
        }
    }
}

/// When it began, in the schedule's time zone.
fn moment(page: &Page) -> Markup {
    let start = page.report.start_time;
    html! { time datetime=(start) { (time(start, &page.sync.notice.zone)) } }
}

/// Our own text of perhaps several lines.
fn lines(text: &str) -> Markup {
    let text = visible_lines(text);
    html! { @for (index, line) in text.split('\n').enumerate() { @if index > 0 { br; } (line) } }
}

/// Name, how many, the class of its colour, and whether it is shown when it is nothing.
fn counted(report: &RunReport) -> Vec<(&'static str, u64, &'static str)> {
    let c = &report.counts;
    let failed = report.reason.verdict() == Verdict::Failed;
    let change = |done, would_do| if would(report) { would_do } else { done };
    let all = [
        (change("added", "would be added"), c.added, "f-added", !failed),
        (change("updated", "would be updated"), c.updated, "f-updated", !failed),
        (change("removed", "would be removed"), c.removed, "f-removed", c.removed > 0 && !failed),
        (change("rejected", "would be rejected"), c.rejected, "f-rejected", c.rejected > 0 || !failed),
        ("unchanged", c.unchanged, "f-unchanged", !failed),
        (change("skipped", "would be skipped"), c.skipped, "f-skipped", c.skipped > 0 && !failed),
        ("left out by the filter", c.filtered, "f-filtered", c.filtered > 0),
    ];
    all.into_iter().filter(|(.., shown)| *shown).map(|(name, n, class, _)| (name, n, class)).collect()
}

fn counts(report: &RunReport) -> Markup {
    if report.counts == Counts::default() {
        return html! {};
    }
    let counted = counted(report);
    html! {
        section.card aria-labelledby="counts" {
            h2 id="counts" { (number(report.counts.read)) @if report.counts.read == 1 { " row read" } @else { " rows read" } }
            (bar(&counted))
            dl.tiles {
                @for (name, n, class) in &counted {
                    div {
                        dt { svg width="12" height="12" aria-hidden="true" { rect.(class) width="12" height="12" rx="3" {} } (name) }
                        dd { (number(*n)) }
                    }
                }
            }
        }
    }
}

/// How wide a bar is, in its own units.
const WIDTH: u64 = 1_000;
/// The narrowest part of it: what is there is seen.
const NARROWEST: u64 = 6;

/// The counts one beside the other. The numbers stand below it.
fn bar(counted: &[(&str, u64, &str)]) -> Markup {
    let parts: Vec<_> = counted.iter().filter(|(_, n, _)| *n > 0).collect();
    let all: u128 = parts.iter().map(|(_, n, _)| u128::from(*n)).sum::<u128>().max(1);
    let room = WIDTH.saturating_sub(NARROWEST * parts.len() as u64);
    let mut at = 0;
    html! {
        svg.bar viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true" {
            @for (_, n, class) in parts {
                @let width = NARROWEST + u64::try_from(u128::from(*n) * u128::from(room) / all).unwrap_or(room);
                rect.(class) x=(at) y="0" width=(width) height="16" {}
                ({ at += width; "" })
            }
        }
    }
}

/// What lies beside the page.
fn files(page: &Page) -> Markup {
    let what = |name: &str| match name {
        "changes.csv.gz" => Some("All changes, for a spreadsheet"),
        "records.jsonl.gz" => Some("All changes, for programs"),
        "report.json" => Some("This run, for programs"),
        name if name.ends_with("_rejects.csv") => Some("The rejected rows, to be corrected and sent again"),
        _ => None,
    };
    html! {
        nav.card aria-labelledby="files" {
            h2 id="files" { "Files beside this page" }
            ul.files { @for name in page.files { @if let Some(what) = what(name) { li { a href=(address(name)) download title=(what) { bdi { (visible(name)) } } } } } }
        }
    }
}

/// A file's name as a relative address (RFC 3986): whatever it holds, it names a file beside the page.
fn address(name: &str) -> String {
    let mut text = String::from("./");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests;
