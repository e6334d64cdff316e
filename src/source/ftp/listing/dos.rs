//! Lines of LIST in the style of `dir`: `11-22-26  01:02PM       <DIR>          outbox`, `… 1234 users.csv`.

use super::{Said, blank, clock, moment, number, words};
use crate::model::file::ListedKind;

/// What the line says, and the name.
pub fn parse(line: &[u8]) -> Result<(Said, &[u8]), &'static str> {
    const NEITHER: &str = "it is in no style that is known";
    let words = words(line);
    let [(date, _), (time, _), rest @ ..] = words.as_slice() else { return Err(NEITHER) };
    let date = day(date).ok_or(NEITHER)?;
    // `01:02PM` or `01:02 PM`
    let (half, rest) = match rest {
        [(half @ (b"AM" | b"PM" | b"am" | b"pm"), _), rest @ ..] => (Some(*half), rest),
        rest => (None, rest),
    };
    let time = daytime(time, half).ok_or(NEITHER)?;
    let [(size, end), ..] = rest else { return Err("it has no size and name") };
    let mtime = moment(date.0, date.1, date.2, time).ok_or("there is no such day (it must be MM-DD-YY)")?;
    let said = |kind, size| Said { kind, size, mtime: Some(mtime) };
    if size.first() == Some(&b'<') {
        let kind = size.eq_ignore_ascii_case(b"<DIR>").then_some(ListedKind::Folder);
        return Ok((said(kind, None), name(line, *end, 10)));
    }
    let plain: Vec<u8> = size.iter().copied().filter(|byte| *byte != b',').collect();
    let size = number(&plain, 20).ok_or("its size is no number")?;
    Ok((said(Some(ListedKind::File), Some(size)), name(line, *end, 1)))
}

/// The name begins one blank behind the size; `<DIR>` has up to ten, for the sizes' column.
fn name(line: &[u8], end: usize, most: usize) -> &[u8] {
    let rest = &line[end..];
    &rest[rest.iter().take(most).take_while(|byte| blank(byte)).count()..]
}

/// Year, month, day of `11-22-26`, `11/22/2026`, `2026-11-22`, `22.11.2026`.
fn day(word: &[u8]) -> Option<(i16, i8, i8)> {
    let sign = *word.iter().find(|byte| b"-/.".contains(byte))?;
    let parts: Vec<&[u8]> = word.split(|byte| *byte == sign).collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let year = |digits: &[u8]| match digits.len() {
        4 => number(digits, 4),
        2 => number::<i16>(digits, 2).map(|year| if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    };
    Some(match (first.len(), sign) {
        (4, _) => (year(first)?, number(second, 2)?, number(third, 2)?),
        (_, b'.') => (year(third)?, number(second, 2)?, number(first, 2)?),
        _ => (year(third)?, number(first, 2)?, number(second, 2)?),
    })
}

/// `13:02`, `01:02PM`, `12:00AM` (midnight).
fn daytime(word: &[u8], half: Option<&[u8]>) -> Option<(i8, i8)> {
    let glued = word.iter().position(u8::is_ascii_alphabetic);
    let (digits, glued) = word.split_at(glued.unwrap_or(word.len()));
    let half = half.unwrap_or(glued).to_ascii_lowercase();
    let (hour, minute) = clock(digits)?;
    Some(match half.as_slice() {
        b"" => (hour, minute),
        b"am" | b"a" => (hour % 12, minute),
        b"pm" | b"p" => (hour % 12 + 12, minute),
        _ => return None,
    })
}
