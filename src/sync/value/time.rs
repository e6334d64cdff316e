//! Dates, times of day and timestamps.

use std::{borrow::Cow, fmt::Write};

use jiff::civil::{self, DateTime};

use super::ValueError;
use crate::model::reject::RejectCode;

/// `2026-11-22`; a time behind it must be midnight.
pub(super) fn date(text: &str) -> Result<Cow<'_, str>, ValueError> {
    if is_date(text.as_bytes()) && read_date(text).is_some() {
        return Ok(Cow::Borrowed(text));
    }
    if beyond_iso(text) {
        return Ok(Cow::Borrowed(text));
    }
    match Moment::parse(text) {
        Some(Moment { date, micros: 0, offset: None | Some(0) }) => Ok(Cow::Owned(date.to_string())),
        Some(_) => {
            Err(ValueError::new(RejectCode::InvalidDate, "has a time of day, but the column holds a date alone"))
        }
        None => Err(ValueError::new(RejectCode::InvalidDate, "not a date: year-month-day, such as 2026-11-22")),
    }
}

/// `14:03:00`, with a fraction of at most six digits where there is one.
pub(super) fn time(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let micros = read_time(text).ok_or_else(|| {
        ValueError::new(RejectCode::InvalidTime, "not a time of day: hours:minutes:seconds, such as 14:03:00")
    })?;
    let mut out = String::with_capacity(15);
    push_time(&mut out, micros);
    Ok(if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) })
}

/// `2026-11-22T14:03:00.5`, with `Z` if `zoned`, rounded to `digits` of a second. An offset is applied; without one the text is
/// in UTC.
pub(super) fn timestamp(text: &str, zoned: bool, digits: u8) -> Result<Cow<'_, str>, ValueError> {
    if beyond_iso(text) {
        return Ok(Cow::Borrowed(text));
    }
    let moment = Moment::parse(text).ok_or_else(|| {
        ValueError::new(
            RejectCode::InvalidDateTime,
            "not a date with a time: ISO 8601, such as 2026-11-22T14:03:00 or 2026-11-22T14:03:00+01:00",
        )
    })?;
    let (date, micros) = moment.utc(digits).ok_or_else(out_of_range)?;
    let mut out = String::with_capacity(27);
    push_date(&mut out, date);
    out.push('T');
    push_time(&mut out, micros);
    if zoned {
        out.push('Z');
    }
    Ok(if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) })
}

pub(super) fn out_of_range() -> ValueError {
    ValueError::new(RejectCode::OutOfRange, "outside the years 1 to 9999")
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A date and a time as written.
pub(super) struct Moment {
    pub(super) date: civil::Date,
    /// Microseconds since midnight; a whole day for 24:00:00.
    pub(super) micros: i64,
    /// Seconds east of UTC, where the text says so.
    pub(super) offset: Option<i64>,
}

impl Moment {
    /// ISO 8601 with `T` or a blank, as PostgreSQL prints it as well; a date alone is its midnight.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let date = read_date(text.get(..10)?)?;
        let rest = &text[10..];
        if rest.is_empty() {
            return Some(Self { date, micros: 0, offset: None });
        }
        let rest = rest.strip_prefix(['T', 't', ' '])?;
        let end = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
        let micros = read_time(rest[..end].trim_end_matches(' '))?;
        let offset = match &rest[end..] {
            "" => None,
            zone => Some(read_offset(zone)?),
        };
        Some(Self { date, micros, offset })
    }

    /// The clock in UTC, rounded as PostgreSQL does: half away from 2000-01-01.
    fn utc(&self, digits: u8) -> Option<(civil::Date, i64)> {
        let unit = 10_i64.pow(6 - u32::from(digits.min(6)));
        let mut micros = self.micros - self.offset.unwrap_or(0) * SECOND;
        let rest = micros.rem_euclid(unit);
        if rest != 0 {
            let up = if self.date.year() >= 2000 { rest * 2 >= unit } else { rest * 2 > unit };
            micros += if up { unit - rest } else { -rest };
        }
        let days = micros.div_euclid(DAY);
        let date = match days {
            0 => self.date,
            days => self.date.checked_add(jiff::Span::new().days(days)).ok()?,
        };
        (date.year() >= 1).then_some((date, micros.rem_euclid(DAY)))
    }

    /// Date and clock as written, for a time zone to place.
    pub(super) fn civil(&self) -> Option<DateTime> {
        let midnight = self.date.to_datetime(civil::Time::midnight());
        midnight.checked_add(jiff::Span::new().microseconds(self.micros)).ok()
    }
}

fn is_date(bytes: &[u8]) -> bool {
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

fn read_date(text: &str) -> Option<civil::Date> {
    if !is_date(text.as_bytes()) {
        return None;
    }
    let (year, month, day) = (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
    civil::Date::new(year, month, day).ok().filter(|date| date.year() >= 1)
}

/// `14:03`, `14:03:00`, `14:03:00.5`, `14:03:00,5`; also `24:00:00`: microseconds since midnight.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let two = |at: usize, most: i64| -> Option<i64> {
        let (tens, ones) = (bytes.get(at)?, bytes.get(at + 1)?);
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
            .filter(|value| *value <= most)
    };
    let hours = two(0, 24)?;
    let minutes = (*bytes.get(2)? == b':').then(|| two(3, 59))??;
    let (seconds, fraction) = match bytes.get(5) {
        None => (0, ""),
        Some(b':') => (two(6, 59)?, text.get(8..)?),
        Some(_) => return None,
    };
    let fraction = match fraction.strip_prefix(['.', ',']) {
        None if fraction.is_empty() => 0,
        None => return None,
        Some(digits) => read_fraction(digits)?,
    };
    let micros = ((hours * 60 + minutes) * 60 + seconds) * SECOND + fraction;
    (micros <= DAY).then_some(micros)
}

/// Digits behind the point as microseconds; more than six are rounded as PostgreSQL does (`rint`).
fn read_fraction(digits: &str) -> Option<i64> {
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if digits.len() <= 6 {
        return Some(digits.parse::<i64>().ok()? * 10_i64.pow(6 - digits.len() as u32));
    }
    let fraction: f64 = format!("0.{digits}").parse().ok()?;
    Some((fraction * SECOND as f64).round_ties_even() as i64)
}

/// `Z`, `+00`, `+0000`, `+00:00`, `+00:00:00`: seconds east of UTC.
fn read_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text[1..].replace(':', "");
    let shape = matches!(text.len(), 3 | 5) && !text.contains(':')
        || text.len() == 6 && text.as_bytes()[3] == b':'
        || text.len() == 9 && text.as_bytes()[3] == b':' && text.as_bytes()[6] == b':';
    if !shape || !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |d| d.parse::<i64>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    (hours <= 15 && minutes <= 59 && seconds <= 59).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn push_date(out: &mut String, date: civil::Date) {
    // Writing to a String can't fail.
    let _ = write!(out, "{:04}-{:02}-{:02}", date.year(), date.month(), date.day());
}

fn push_time(out: &mut String, micros: i64) {
    let (seconds, fraction) = (micros / SECOND, micros % SECOND);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

/// What PostgreSQL prints and ISO 8601 with four digits can't say: `infinity`, `12026-11-22…`, `0044-03-15 BC`.
fn beyond_iso(text: &str) -> bool {
    if matches!(text, "infinity" | "-infinity") {
        return true;
    }
    let (text, bc) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(if bc { 4..=6 } else { 5..=6 }).contains(&year) {
        return false;
    }
    // The rest is that of a date in a year that ISO 8601 has, and a leap year so that each day exists.
    let rest = format!("2000{}", &text[year..]);
    Moment::parse(&rest).is_some()
}
