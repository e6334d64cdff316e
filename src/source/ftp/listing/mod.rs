//! What the lines of a folder's listing say: MLSD's facts, and what `ls -l` and `dir` print for LIST. Pure: bytes in, one
//! entry out.
//!
//! suppaftp has a parser of its own, which does not do here: it takes text alone (names in Latin-1 are lost), drops the
//! blanks a name begins with, refuses ACL marks, lines without a group, links among facts and a 29 February of another
//! year, reads 24-hour and four-digit years of `dir` not at all, gives out `cdir` and `pdir` as folders, cuts a link at the
//! first ` -> `, and asks the clock itself.

mod dos;
mod facts;
#[cfg(test)]
mod tests;
mod unix;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

pub use self::facts::{Facts, mlsd, mlst, time};
use crate::{
    model::file::{Listed, ListedKind},
    sync::render::text::visible_cut,
};

/// A line longer than this is not read: a path has at most 4,096 bytes on Linux, and a link shows two.
const MAX_LINE: usize = 10_000;

/// So much of a line is shown to people.
const SHOWN: usize = 120;

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As listed. Size and time are 0 and the epoch where the line doesn't say them.
    pub listed: Listed,
    /// The line doesn't say enough: it is a link, or says no kind, size or time. What it stands for must be asked.
    pub link: bool,
    /// The name was not UTF-8 and was read as Latin-1: the server knows it by one byte for each letter.
    pub latin1: bool,
}

/// A line that is none of a listing, or whose name could lead out of the folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line \"{line}\" of the listing is left out: {why}")]
pub struct Malformed {
    /// The line, shortened, with control characters made visible.
    pub line: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Malformed {
    fn new(line: &[u8], why: &'static str) -> Self {
        let (line, _) = text(line.get(..4 * SHOWN).unwrap_or(line));
        Self { line: visible_cut(&line, SHOWN), why }
    }
}

/// Reads the lines of one LIST. Their times have no zone (they are read as UTC), minutes at best, and often no year: they
/// can only be compared with each other.
#[derive(Clone, Copy, Debug)]
pub struct List {
    now: Timestamp,
}

impl List {
    /// A listing that came at this time: it gives years to times without one.
    pub fn new(now: Timestamp) -> Self {
        Self { now }
    }

    /// One line in the style of `ls -l` or of `dir`, with or without its end. None: a blank line, a total, the folder
    /// itself or the one above it.
    pub fn line(&self, line: &[u8]) -> Result<Option<Entry>, Malformed> {
        let line = plain(line)?;
        if line.iter().all(u8::is_ascii_whitespace) || total(line) {
            return Ok(None);
        }
        let parsed = match line.first() {
            Some(b'0'..=b'9') => dos::parse(line),
            _ => unix::parse(line, self.now),
        };
        let (said, name) = parsed.map_err(|why| Malformed::new(line, why))?;
        entry(line, said, name)
    }
}

/// What a line says, besides the name.
struct Said {
    /// None: not said, or a link.
    kind: Option<ListedKind>,
    size: Option<u64>,
    mtime: Option<Timestamp>,
}

/// `total 12`, also in other languages and with a unit.
fn total(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (Some(word), Some(number), None) = (words.next(), words.next(), words.next()) else { return false };
    word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b':') && number[0].is_ascii_digit()
}

/// The line without its end, if it is short enough to be read.
fn plain(line: &[u8]) -> Result<&[u8], Malformed> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > MAX_LINE {
        return Err(Malformed::new(line, "it is longer than 10,000 bytes"));
    }
    Ok(line)
}

/// The entry, if its name is one within the folder.
fn entry(line: &[u8], said: Said, name: &[u8]) -> Result<Option<Entry>, Malformed> {
    match name {
        b"" => return Err(Malformed::new(line, "it has no name")),
        b"." | b".." => return Ok(None),
        _ if name.iter().any(|byte| matches!(byte, b'/' | b'\0' | b'\r' | b'\n')) => {
            return Err(Malformed::new(line, "its name has a slash, a NUL or the end of a line in it"));
        }
        _ => {}
    }
    let (name, latin1) = text(name);
    let kind = said.kind.unwrap_or(ListedKind::Other);
    // Of a folder nothing else is of interest.
    let whole = kind == ListedKind::Folder || (said.size.is_some() && said.mtime.is_some());
    let listed = Listed { name, kind, size: said.size.unwrap_or(0), mtime: said.mtime.unwrap_or_default() };
    Ok(Some(Entry { listed, link: said.kind.is_none() || !whole, latin1 }))
}

/// Bytes as text: UTF-8, else Latin-1 (true).
fn text(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (bytes.iter().copied().map(char::from).collect(), true),
    }
}

/// The words of a line between blanks, each with the place behind it. At most 24: what follows is name.
fn words(line: &[u8]) -> Vec<(&[u8], usize)> {
    let mut words = Vec::new();
    let mut at = 0;
    while words.len() < 24 {
        at += line[at..].iter().take_while(|byte| blank(byte)).count();
        let word = &line[at..at + line[at..].iter().take_while(|byte| !blank(byte)).count()];
        if word.is_empty() {
            break;
        }
        at += word.len();
        words.push((word, at));
    }
    words
}

fn blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A number of at most this many digits.
fn number<T: std::str::FromStr>(word: &[u8], digits: usize) -> Option<T> {
    let fits = (1..=digits).contains(&word.len()) && word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| fits)?.parse().ok()
}

/// `13:02`, seconds and what follows them left out.
fn clock(word: &[u8]) -> Option<(i8, i8)> {
    let mut parts = word.split(|byte| *byte == b':');
    let (hour, minute): (i8, i8) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = parts.next().is_none_or(|rest| rest.first().is_some_and(u8::is_ascii_digit));
    (hour < 24 && minute < 60 && seconds && parts.next().is_none()).then_some((hour, minute))
}

/// Year, month, day, hour and minute, if there is such a time.
fn moment(year: i16, month: i8, day: i8, (hour, minute): (i8, i8)) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(DateTime::new(year, month, day, hour, minute, 0, 0).ok()?).ok()
}
