//! Lines of LIST in the style of `ls -l`:
//! `-rw-r--r--+  1 hr  staff  1234 Nov 22 13:02 users.csv`.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::{Said, blank, clock, moment, number, words};
use crate::model::file::ListedKind;

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// What the line says, and the name.
///
/// Owner and group may be missing, be numbers, or have blanks in them (`Domain Users`): what counts is the first place
/// where a size stands before a time. One blank behind the time, the name begins.
pub fn parse(line: &[u8], now: Timestamp) -> Result<(Said, &[u8]), &'static str> {
    let words = words(line);
    let kind = words.first().and_then(|(rights, _)| kind(rights)).ok_or("it is in no style that is known")?;
    let (size, mtime, end) = (2..words.len())
        .find_map(|at| {
            let size = size(words[at - 1].0)?;
            let (mtime, count) = long(&words[at..], now).or_else(|| iso(&words[at..]))?;
            Some((size, mtime, words[at + count - 1].1))
        })
        .ok_or("it has no size and time")?;
    let mtime = mtime.ok_or("there is no such time")?;
    let name = line.get(end..).filter(|rest| rest.first().is_some_and(blank)).map_or(&[][..], |rest| &rest[1..]);
    let link = kind == Kind::Link;
    let name = if link { &name[..arrow(name, size)] } else { name };
    let kind = match kind {
        Kind::Is(kind) => Some(kind),
        Kind::Link => None,
    };
    Ok((Said { kind, size: if link { None } else { size }, mtime: Some(mtime) }, name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Is(ListedKind),
    Link,
}

/// By the first letter of the rights. An ACL's mark may follow them (`+`, `.`, `@`), even the number of links.
fn kind(rights: &[u8]) -> Option<Kind> {
    let plain = |byte: &u8| b"-rwxsStTlL".contains(byte);
    if !rights.get(1..10)?.iter().all(plain) {
        return None;
    }
    Some(match rights[0] {
        b'-' => Kind::Is(ListedKind::File),
        b'd' => Kind::Is(ListedKind::Folder),
        b'l' => Kind::Link,
        b'a'..=b'z' | b'A'..=b'Z' => Kind::Is(ListedKind::Other),
        _ => return None,
    })
}

/// Some(None): a server that shows a large size as a negative number; it must be asked.
fn size(word: &[u8]) -> Option<Option<u64>> {
    match word.strip_prefix(b"-") {
        Some(negative) => number::<u64>(negative, 20).map(|_| None),
        None => number(word, 20).map(Some),
    }
}

/// `Nov 22 13:02` or `Nov 22  2019`, and how many words that is. Some(None): there is no such time.
fn long(words: &[(&[u8], usize)], now: Timestamp) -> Option<(Option<Timestamp>, usize)> {
    let [(month, _), (day, _), (rest, _), ..] = words else { return None };
    let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))? as i8 + 1;
    let day: i8 = number(day, 2)?;
    let mtime = match number::<i16>(rest, 4).filter(|_| rest.len() == 4) {
        Some(year) => moment(year, month, day, (0, 0)),
        // A year so far away is none that a file can have.
        None if number::<u32>(rest, 9).is_some_and(|year| year > 9999) => None,
        None => recent(month, day, clock(rest)?, now),
    };
    Some((mtime, 3))
}

/// `ls` leaves out the year within six months; some do so into the future too (BSD, FileZilla Server), where a clock that
/// is ahead would otherwise make a new file last year's. A 29 February is in a leap year.
fn recent(month: i8, day: i8, time: (i8, i8), now: Timestamp) -> Option<Timestamp> {
    let latest = now.checked_add((180 * 24).hours()).unwrap_or(Timestamp::MAX);
    let this = latest.to_zoned(TimeZone::UTC).year();
    (this.saturating_sub(8)..=this).rev().filter_map(|year| moment(year, month, day, time)).find(|time| *time <= latest)
}

/// `2026-11-22 13:02`, also `2026-11-22 13:02:07.000000000 +0100` (the zone is no matter: all lines have the same).
fn iso(words: &[(&[u8], usize)]) -> Option<(Option<Timestamp>, usize)> {
    let [(date, _), (time, _), ..] = words else { return None };
    let mut parts = date.split(|byte| *byte == b'-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let mtime = moment(year, month, day, clock(time)?);
    let zone =
        |word: &[u8]| word.len() == 5 && matches!(word[0], b'+' | b'-') && number::<u16>(&word[1..], 4).is_some();
    let zoned = time.contains(&b'.') && words.get(2).is_some_and(|(word, _)| zone(word));
    (parts.next().is_none() && date.len() == 10).then_some((mtime, if zoned { 3 } else { 2 }))
}

/// Where the name of a link ends: before the ` -> ` that what it leads to stands behind. A link's size is the length of
/// that; where it is not, the first ` -> ` counts.
fn arrow(name: &[u8], size: Option<u64>) -> usize {
    let places = || name.windows(4).enumerate().filter(|(_, part)| part == b" -> ").map(|(at, _)| at);
    let fits = |at: &usize| Some((name.len() - at - 4) as u64) == size;
    places().find(fits).or_else(|| places().next()).unwrap_or(name.len())
}
