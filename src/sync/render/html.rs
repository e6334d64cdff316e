//! `report.html`: a run on one page that needs nothing but itself. Nothing is loaded, and what the file's own cells say is text:
//! a policy in its head allows this very style and this very script and nothing else.

mod changes;
mod counts;
mod how;
mod rejects;

use std::sync::LazyLock;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use self::changes::ChangeRows;
use super::{
    approve::commands,
    letter::{CORRECTION, time},
    shown::lines,
    summary::outcome,
    text::{capital, duration, number, visible},
};
use crate::{
    api::Mode,
    model::{
        approving::Approving,
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
                        (counts::section(page))
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
        (_, _) if report.reason == Reason::NoFile => ("ask", "No file"),
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
        _ if report.reason == Reason::NoFile => "There was no file to import".to_owned(),
        _ if report.reason == Reason::AlreadyApplied => visible(&report.message),
        _ => capital(&outcome(report)),
    }
}

fn top(page: &Page) -> Markup {
    let report = page.report;
    let (tone, badge) = verdict(report);
    let failed = report.reason.verdict() == Verdict::Failed;
    let kind = match (report.mode, report.correction()) {
        (Mode::Import, false) => "Import of",
        (Mode::Import, true) => "Correction for",
        (Mode::Simulation, false) => "Simulation of",
        (Mode::Simulation, true) => "Simulation of a correction for",
    };
    html! {
        header.card.top.(tone) {
            p.eyebrow { span.badge { (badge) } span { (kind) " " strong { bdi { (visible(&report.sync)) } } } span { (moment(page)) } }
            h1 { (headline(report)) }
            @if failed { p.lead { bdi { (lines(&report.message, None)) } } p { (lines(report.reason.cure(), None)) } }
            @else if report.guard.held {
                ul.reasons { @for reason in &report.guard.reasons { li { bdi { (lines(reason, None)) } } } }
                p { (report.reason.cure()) }
                @if report.mode == Mode::Import { (approve(page)) }
            }
            @else if report.reason == Reason::NoFile { (no_file(report)) }
            @else if report.mode == Mode::Simulation {
                p.lead { "Nothing was written. Whether the database takes each row, only the import shows." }
            }
            @if report.correction() && !failed { p { (CORRECTION) } }
            @if let Some(file) = &report.file { p.soft { "File " bdi.code { (visible(&file.name)) } @if let Some(rows) = file.rows { ", " (number(rows)) @if rows == 1 { " row" } @else { " rows" } } ", took " (duration(report.timings.total)) } }
            @if !report.warnings.is_empty() {
                ul.reasons { @for warning in &report.warnings { li { "Warning: " bdi { (lines(warning, None)) } } } }
            }
        }
    }
}

/// Why there was none, and what lies in the folder instead.
fn no_file(report: &RunReport) -> Markup {
    html! {
        p.lead { bdi { (lines(&capital(&report.message), None)) } }
        @if let Some(looked) = report.looked.as_ref().filter(|looked| !looked.names.is_empty()) {
            p { "What lies in the folder:" }
            ul.reasons { @for name in &looked.names { li { bdi.code { (visible(&name.name)) } ": " bdi { (lines(&name.why, None)) } } } }
            @if looked.more > 0 { p.soft { "and " (number(looked.more)) @if looked.more == 1 { " more name" } @else { " more names" } } }
        }
        p { (report.reason.cure()) }
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
