//! What came of a file, in sentences.

use super::super::{
    blocks::{Block, Words},
    text::number,
};
use crate::{
    api::Mode,
    model::{
        reason::{Reason, Verdict},
        report::RunReport,
    },
};

/// What a correction is, for those who only see a small file.
pub const CORRECTION: &str =
    "It is a rejects file that came back: its rows alone count, all other users stay as they are.";

/// How many names of the folder are listed.
const NAMES: usize = 10;

/// What came of the file.
pub fn happened(report: &RunReport) -> Vec<Block> {
    let mut blocks = came_to(report);
    if report.correction() && report.reason.verdict() != Verdict::Failed {
        blocks.push(Block::Para(Words::new(CORRECTION)));
    }
    blocks
}

/// The same without what a correction is.
fn came_to(report: &RunReport) -> Vec<Block> {
    let simulation = report.mode == Mode::Simulation;
    match (report.reason.verdict(), report.reason) {
        (Verdict::Failed, _) => {
            let what = if simulation { "The simulation failed: " } else { "Nothing was imported: " };
            vec![Block::Notice(Words::new(what).and(Words::new(&report.message)))]
        }
        (Verdict::Held, _) => {
            let held = if simulation {
                Words::new("Nothing was written: this was a simulation. An import of ")
                    .and(file(report))
                    .text(" would wait for a person, because of a safeguard:")
            } else {
                Words::new("Nothing was written. A safeguard holds ")
                    .and(file(report))
                    .text(" until a person has looked at it:")
            };
            vec![Block::Notice(held), Block::List(report.guard.reasons.iter().map(Words::new).collect())]
        }
        (_, Reason::NoFile) => no_file(report),
        _ if simulation => vec![Block::Notice(
            Words::new("Nothing was written: this was a simulation. An import of ")
                .and(file(report))
                .text(format!(" {}.", sentence(report, true)))
                .text(" Whether the database takes each row, only the import shows."),
        )],
        _ => vec![Block::Notice(
            Words::new("UserSync has imported ").and(file(report)).text(format!(": {}.", sentence(report, false))),
        )],
    }
}

/// What lay in the folder instead.
fn no_file(report: &RunReport) -> Vec<Block> {
    let mut blocks = vec![Block::Notice(Words::new(format!("There was nothing to import: {}.", report.message)))];
    if let Some(looked) = report.looked.as_ref().filter(|looked| !looked.names.is_empty()) {
        let names = looked.names.iter().take(NAMES);
        blocks.push(Block::Heading("What lies in the folder"));
        blocks.push(Block::List(names.map(|name| Words::of(&name.name).text(format!(": {}", name.why))).collect()));
        let rest = looked.more + looked.names.len().saturating_sub(NAMES) as u64;
        if rest > 0 {
            let names = if rest == 1 { "name" } else { "names" };
            blocks.push(Block::Faint(Words::new(format!("and {} more {names}", number(rest)))));
        }
    }
    blocks
}

/// `12 users were added, 3 updated, and 1 row was rejected`, of a simulation `would add 12 users, update 3 and …`.
fn sentence(report: &RunReport, would: bool) -> String {
    let counts = &report.counts;
    let users = |n: u64| if n == 1 { "1 user".to_owned() } else { format!("{} users", number(n)) };
    let rows = |n: u64| if n == 1 { "1 row".to_owned() } else { format!("{} rows", number(n)) };
    let was = |n: u64| if n == 1 { "was" } else { "were" };
    let still = if report.correction() { "still " } else { "" };
    let changed =
        [(counts.added, "added", "add"), (counts.updated, "updated", "update"), (counts.removed, "removed", "remove")];
    let mut parts: Vec<String> = Vec::new();
    for (n, done, to_do) in changed.into_iter().filter(|(n, ..)| *n > 0) {
        parts.push(match (would, parts.is_empty()) {
            (true, _) => format!("{to_do} {}", users(n)),
            (false, true) => format!("{} {} {done}", users(n), was(n)),
            (false, false) => format!("{} {done}", number(n)),
        });
    }
    let rejected = counts.rejected;
    match (would, parts.is_empty(), rejected) {
        (true, true, 0) => "would change nothing".to_owned(),
        (true, true, n) => format!("would change nothing and {still}reject {}", rows(n)),
        (true, false, 0) => format!("would {}", parts.join(", ")),
        (true, false, n) => format!("would {}, and {still}reject {}", parts.join(", "), rows(n)),
        (false, true, 0) => "nothing had to be changed".to_owned(),
        (false, true, n) => format!("nothing had to be changed, and {} {} {still}rejected", rows(n), was(n)),
        (false, false, 0) => parts.join(", "),
        (false, false, n) => format!("{}, and {} {} {still}rejected", parts.join(", "), rows(n), was(n)),
    }
}

/// The file in a sentence.
pub fn file(report: &RunReport) -> Words {
    let what = if report.correction() { "the correction" } else { "the file" };
    match &report.file {
        Some(file) => Words::new(format!("{what} ")).value(&file.name),
        None => Words::new(what),
    }
}
