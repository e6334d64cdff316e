//! The failed import: what is wrong with a file and how it is sent again, for those who sent it. They never see the program,
//! the database or other people's data.

use super::{
    super::{
        blocks::{Block, Words},
        mail::{self, Mood},
        plain::plain,
        text::{lower, number, visible},
    },
    About, attached,
    happened::file,
    subject,
    summary::end,
};
use crate::model::{
    counts::Counts,
    letter::{Attachment, Letter, LetterKind},
    reason::Verdict,
    reject::Reject,
    report::{RejectKind, RunReport, Sample},
};

/// How many kinds of rejects are listed.
const KINDS: usize = 20;

/// The letter to those who sent the file.
pub fn failed_import(report: &RunReport, sample: &Sample, about: &About) -> Letter {
    let attachments = match report.counts.rejected {
        0 => Vec::new(),
        _ => attached(about, |name| name.ends_with("_rejects.csv")),
    };
    let failed = report.reason.verdict() == Verdict::Failed;
    let mut blocks = if failed { failure(report) } else { rejected(report) };
    kinds(&mut blocks, sample);
    match attachments.first() {
        Some(attachment) => correct(&mut blocks, report, sample, about, attachment),
        None if report.counts.rejected > 0 => {
            blocks.push(Block::Heading("How to correct them"));
            blocks.push(Block::Para(Words::new(
                "The rows themselves could not be kept. Send the file again: if anything is wrong with it still, you are told which rows.",
            )));
        }
        None => {}
    }
    let (subject, end) = (subject::failed_import(report), end(report));
    let mood = if failed { Mood::Bad } else { Mood::Mixed };
    Letter {
        kind: LetterKind::FailedImport,
        text: plain(&subject, &blocks, &end),
        html: mail::document(&subject, mood, &blocks, &end),
        subject,
        attachments,
    }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{} rows", number(n)) }
}

/// Some rows were refused.
fn rejected(report: &RunReport) -> Vec<Block> {
    let Counts { read, filtered, rejected, .. } = report.counts;
    let (was, are, they_are) = if rejected == 1 { ("was", "is", "it is") } else { ("were", "are", "they are") };
    let them = if rejected == 1 { "it" } else { "them" };
    let of = |n: u64| format!("{} of the {}", number(n), rows(read));
    let words = match report.reason.verdict() {
        Verdict::Held => {
            let would = match rejected {
                all if all == read => "None of its rows can be imported as they are.".to_owned(),
                some => format!("{} would be rejected as {they_are}.", of(some)),
            };
            let words = Words::new("Nothing of ").and(file(report));
            words.text(format!(" is imported yet: somebody has to look at it first. {would}"))
        }
        _ if rejected == read => {
            let yet = if report.correction() { " yet" } else { "" };
            Words::new("None of the rows of ").and(file(report)).text(format!(" could be imported{yet}."))
        }
        _ if report.correction() => {
            let imported = read.saturating_sub(rejected + filtered);
            let now = if imported == 1 { "is" } else { "are" };
            Words::new(format!("{} in ", of(imported))).and(file(report)).text(format!(
                " {now} imported now. {} {are} still rejected, because something is wrong with {them} yet.",
                number(rejected)
            ))
        }
        _ => {
            let rest = if read.saturating_sub(rejected) == 1 { "The other one is" } else { "The others are" };
            Words::new(format!("{} in ", of(rejected)))
                .and(file(report))
                .text(format!(" {was} not imported, because something is wrong with {them}. {rest} done."))
        }
    };
    vec![Block::Notice(words)]
}

/// Nothing was imported.
fn failure(report: &RunReport) -> Vec<Block> {
    let words = match &report.file {
        Some(_) => Words::new("Nothing was imported from ").and(file(report)).text("."),
        None => Words::new("Nothing was imported."),
    };
    let (what, to_do) = (Words::new(&report.message), Words::new(report.reason.cure_for_senders()));
    if report.reason.of_file() {
        return vec![
            Block::Notice(words),
            Block::Heading("What is wrong"),
            Block::Para(what),
            Block::Heading("What to do"),
            Block::Para(to_do),
        ];
    }
    vec![
        Block::Notice(words.text(" The file is not to blame.")),
        Block::Heading("What to do"),
        Block::Para(to_do),
        Block::Heading("What is wrong"),
        Block::Para(Words::new("If it lasts, tell those who run UserSync. What they need to know:")),
        Block::Para(what),
    ]
}

/// The reasons by kind, each with one example.
fn kinds(blocks: &mut Vec<Block>, sample: &Sample) {
    if sample.kinds.is_empty() {
        return;
    }
    blocks.push(Block::Heading("What is wrong with the rows"));
    blocks.push(Block::List(sample.kinds.iter().take(KINDS).map(one_kind).collect()));
    let rest = sample.kinds.len().saturating_sub(KINDS);
    if rest > 0 {
        blocks.push(Block::Faint(Words::new(format!(
            "and {rest} more kinds of mistakes: each row has its own in the file"
        ))));
    }
}

fn one_kind(kind: &RejectKind) -> Words {
    let mut words = Words::strong(rows(kind.count));
    if let Some(column) = &kind.column {
        words = words.text(" in column ").value(column);
    }
    words = words.text(format!(": {}", lower(kind.code.meaning())));
    match kind.first.first() {
        Some(reject) => words.and(example(reject)),
        None => words,
    }
}

/// ` For example line 14: "ada@@example.com" is …`; of a sensitive cell only where it is.
fn example(reject: &Reject) -> Words {
    let words = Words::new(format!(" For example line {}", number(reject.line)));
    if reject.sensitive {
        return words.text(".");
    }
    let words = match reject.value.as_deref().filter(|value| !value.trim().is_empty()) {
        Some(value) => words.text(", where it says \"").value(value).text("\": "),
        None => words.text(": "),
    };
    let message = visible(&reject.message);
    let end = if message.ends_with(['.', '?', '!']) { "" } else { "." };
    words.text(format!("{message}{end}"))
}

/// How the rows are corrected and sent again.
fn correct(blocks: &mut Vec<Block>, report: &RunReport, sample: &Sample, about: &About, attachment: &Attachment) {
    blocks.push(Block::Heading("How to correct them"));
    if report.reason.verdict() == Verdict::Held {
        blocks.push(Block::Para(Words::new("The rejected rows are attached as ").value(&attachment.name).text(
            ", each with its reason in the last column. Correct them in the file that you sent, and send that again.",
        )));
    } else {
        let unreadable = sample.kinds.iter().any(|kind| kind.code.key_unreadable());
        let emptied = if unreadable {
            " Where a cell says that it is to be deleted once the row is right, empty it then."
        } else {
            ""
        };
        blocks.push(Block::Steps(vec![
            Words::new("Open the attached file ")
                .value(&attachment.name)
                .text(
                    " with a spreadsheet program, and let it take all columns as text, so that leading zeros and dates stay as they \
                     are (in Excel: Data, From Text/CSV, Do not detect data types). It has the rejected rows alone, each with \
                     its reason in the last column.",
                ),
            Words::new(format!(
                "Correct the cells, and delete rows that are not to be imported. The columns that begin with usersync_ may stay.{emptied}"
            )),
            Words::new("Save it as CSV, and put it where your files always go, under a name like ")
                .code(&about.files)
                .text(". Only these rows are imported then; all others stay as they are."),
        ]));
    }
    if attachment.cut {
        let mut words = Words::new("There are more than 5 MiB of them: the attachment has the first ones only.");
        words = match &report.reports.rejects {
            Some(place) => words.text(" All of them are in ").code(place).text(": ask those who run UserSync for it."),
            None => words.text(" Ask those who run UserSync for the rest."),
        };
        blocks.push(Block::Faint(words));
    }
}
