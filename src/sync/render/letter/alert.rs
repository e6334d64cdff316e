//! The alert: an expected file did not come.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use super::{
    super::{
        blocks::{Block, Words},
        mail::{self, Mood},
        plain::plain,
        text::visible,
    },
    subject, when,
};
use crate::model::letter::{Letter, LetterKind};

/// No file has come for longer than `schedule.expectFileEvery`. `sync` as reports name it; `last`: since when, if one has come
/// before; `files`: the glob; `source`: where they are looked for.
pub fn overdue(
    sync: &str,
    last: Option<Timestamp>,
    expected: Duration,
    files: &str,
    source: &str,
    zone: &TimeZone,
) -> Letter {
    let since = last.map(|at| when::time(at, zone));
    let title = subject::line(&match &since {
        Some(since) => format!("{sync}: no file since {since}"),
        None => format!("{sync}: no file has come yet"),
    });
    let words = match since {
        Some(since) => Words::new(format!("No file has come since {since}. ")),
        None => Words::new("No file has come so far. "),
    };
    let blocks = [
        Block::Notice(words.text(format!("One is expected every {}.", every(expected)))),
        Block::Heading("What to do"),
        Block::Para(
            Words::new("Ask those who send the files whether something has stopped on their side. UserSync looks for ")
                .code(files)
                .text(" in ")
                .code(source)
                .text(". You are told once: the next mail comes when a file has come and then again none."),
        ),
    ];
    let end = format!("UserSync sent this by itself about {}.", visible(sync));
    Letter {
        kind: LetterKind::Alert,
        text: plain(&title, &blocks, &end),
        html: mail::document(&title, Mood::Bad, &blocks, &end),
        subject: title,
        attachments: Vec::new(),
    }
}

/// `24 hours`, `90 minutes`
fn every(time: Duration) -> String {
    let seconds = time.as_secs();
    let (n, unit) = match seconds {
        s if s % 86_400 == 0 && s > 86_400 => (s / 86_400, "day"),
        s if s % 3_600 == 0 => (s / 3_600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    if n == 1 { unit.to_owned() } else { format!("{n} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_since_when() {
        let hours = |n: u64| Duration::from_secs(n * 3_600);
        let last = "2026-11-22T01:00:00Z".parse().ok();
        let letter =
            overdue("hr", last, hours(24), "userdata_*.csv", "sftp://files.example.com/outbox", &TimeZone::UTC);
        assert_eq!(letter.subject, "hr: no file since Sun 22 Nov 2026, 01:00 UTC");
        assert!(letter.html.contains("One is expected every 24 hours."), "{}", letter.html);
        assert!(letter.html.contains("sftp://files.example.com/outbox"));
        assert_eq!(overdue("hr", None, hours(1), "*", "/in", &TimeZone::UTC).subject, "hr: no file has come yet");
        assert_eq!(
            [hours(48), hours(1), Duration::from_secs(90), Duration::from_secs(60)].map(every),
            ["2 days", "hour", "90 seconds", "minute"]
        );
    }
}
