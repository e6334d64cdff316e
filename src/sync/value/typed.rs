//! A cell's text by the type that the mapping declares.

use std::borrow::Cow;

use email_address::{EmailAddress, Options};
use jiff::{
    civil::{DateTime, Time},
    fmt::strtime::{self, BrokenDownTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{ValueError, canonical, number, text, time};
use crate::{
    api::PropertyType,
    model::{column::ColumnType, reject::RejectCode},
};

/// Reads a file's text by the property's declared type, if it has one, and gives the canonical text of the column.
///
/// A DateTime is an instant: a column without time zone gets its clock in UTC, a text column its ISO 8601 with `Z`. A Boolean is
/// 1 or 0 in a number column. Without a declared type, the column's own type counts; a timestamp column with time zone then
/// takes a text without offset as local to `time_zone` too.
pub fn convert<'a>(
    kind: Option<PropertyType>,
    format: Option<&str>,
    time_zone: &TimeZone,
    column: &ColumnType,
    text: &'a str,
) -> Result<Cow<'a, str>, ValueError> {
    let kind = match (kind, column) {
        (None, ColumnType::Timestamp { zoned: true, .. }) => Some(PropertyType::DateTime),
        (kind, _) => kind,
    };
    let Some(kind) = kind else { return canonical(column, text) };
    let read = parse_typed(kind, format, time_zone, text)?;
    let number = matches!(column, ColumnType::Integer { .. } | ColumnType::Decimal { .. } | ColumnType::Float { .. });
    let read = match (kind, read.as_ref()) {
        (PropertyType::Boolean, "true") if number => Cow::Borrowed("1"),
        (PropertyType::Boolean, "false") if number => Cow::Borrowed("0"),
        _ => read,
    };
    match read {
        Cow::Borrowed(read) => canonical(column, read),
        Cow::Owned(read) => canonical(column, &read).map(|value| Cow::Owned(value.into_owned())),
    }
}

/// Reads a file's text by a declared type into one form for each value: Boolean `true`/`false`, Date `2026-11-22`, DateTime
/// `2026-11-22T13:03:00Z`, numbers and UUIDs canonical; Text and Email as they are. `format` is strftime's, for Date and
/// DateTime.
///
/// # Errors
/// Says which form is expected; [`RejectCode::AmbiguousLocalTime`] where `time_zone` skips or repeats the local time.
pub fn parse_typed<'a>(
    kind: PropertyType,
    format: Option<&str>,
    time_zone: &TimeZone,
    text: &'a str,
) -> Result<Cow<'a, str>, ValueError> {
    match kind {
        PropertyType::Text => Ok(Cow::Borrowed(text)),
        PropertyType::Email => email(text),
        PropertyType::Integer => number::integer(text.trim(), i64::MIN, i64::MAX),
        PropertyType::Number => number::decimal(text.trim(), None, None),
        PropertyType::Boolean => text::boolean(text.trim()).map(Cow::Borrowed),
        PropertyType::Uuid => text::uuid(text.trim()),
        PropertyType::Date => match format {
            Some(format) => formatted_date(format, text.trim()).map(Cow::Owned),
            None => time::date(text.trim()),
        },
        PropertyType::DateTime => instant(format, time_zone, text.trim()),
    }
}

/// Whether a strftime format can be read, and says enough: a date, and for DateTime a time or else midnight.
///
/// # Errors
/// Says in plain words what is wrong.
pub fn check_format(kind: PropertyType, format: &str) -> Result<(), String> {
    let example = jiff::civil::date(2026, 11, 22).at(14, 3, 0, 0).to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
    let printed = strtime::format(format, &example).map_err(|e| e.to_string())?;
    let parsed = BrokenDownTime::parse(format, &printed).map_err(|e| e.to_string())?;
    match kind {
        PropertyType::Date | PropertyType::DateTime => match parsed.to_date() {
            Ok(_) => Ok(()),
            Err(_) if parsed.timestamp().is_some() => Ok(()),
            Err(_) => Err("the format names no whole date: it needs year, month and day, such as %d.%m.%Y".to_owned()),
        },
        _ => Err("a format is for Date and DateTime alone".to_owned()),
    }
}

fn email(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    match EmailAddress::parse_with_options(text, options) {
        Ok(_) => Ok(Cow::Borrowed(text)),
        Err(_) => {
            let why = email_fault(text).map(|why| format!(": {why}")).unwrap_or_default();
            Err(ValueError::new(
                RejectCode::InvalidEmail,
                format!("not an e-mail address, such as anna@example.com{why}"),
            ))
        }
    }
}

/// What is wrong with a text that is no e-mail address, where that can be said in a few words without repeating it.
fn email_fault(text: &str) -> Option<String> {
    let (name, domain) = text.rsplit_once('@').unwrap_or((text, ""));
    Some(match text.matches('@').count() {
        0 => "it has no @".to_owned(),
        2 => "it has two @".to_owned(),
        n if n > 2 => format!("it has {n} @"),
        _ if text.contains(char::is_whitespace) => "it has a blank in it".to_owned(),
        _ if name.is_empty() => "nothing stands before the @".to_owned(),
        _ if domain.is_empty() => "nothing stands behind the @".to_owned(),
        _ if !domain.contains('.') => "its domain has no point".to_owned(),
        _ if text.contains([',', ';']) => "it has a comma or a semicolon in it".to_owned(),
        _ if text.contains("..") => "it has two points in a row".to_owned(),
        _ => return None,
    })
}

fn formatted_date(format: &str, text: &str) -> Result<String, ValueError> {
    let date = strtime::parse(format, text).and_then(|parsed| parsed.to_date());
    match date {
        Ok(date) if date.year() >= 1 => Ok(date.to_string()),
        Ok(_) => Err(time::out_of_range()),
        Err(_) => Err(ValueError::new(RejectCode::InvalidDate, format!("not a date in the form {format}"))),
    }
}

fn instant<'a>(format: Option<&str>, time_zone: &TimeZone, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
    let local = match format {
        Some(format) => match formatted_time(format, text)? {
            Placed::Instant(text) => return Ok(Cow::Owned(text)),
            Placed::Local(local) => local,
        },
        None => match time::Moment::parse(text) {
            Some(moment) if moment.offset.is_none() => moment.civil().ok_or_else(time::out_of_range)?,
            // With an offset, or not a date with a time: the column's own reading says which.
            _ => return time::timestamp(text, true, 6),
        },
    };
    let place = time_zone.to_ambiguous_timestamp(local);
    match place.offset() {
        AmbiguousOffset::Unambiguous { .. } => {
            let instant = place.compatible().map_err(|_| time::out_of_range())?;
            time::timestamp(&instant.to_string(), true, 6).map(|text| Cow::Owned(text.into_owned()))
        }
        AmbiguousOffset::Gap { .. } => Err(ambiguous(time_zone, "does not exist", "the clock is put forward then")),
        AmbiguousOffset::Fold { .. } => Err(ambiguous(time_zone, "exists twice", "the clock is put back then")),
    }
}

fn ambiguous(time_zone: &TimeZone, how: &str, why: &str) -> ValueError {
    let zone = time_zone.iana_name().unwrap_or("the mapping's time zone");
    ValueError::new(
        RejectCode::AmbiguousLocalTime,
        format!("this local time {how} in {zone} ({why}): write it with an offset, such as 2026-11-22T14:03:00+01:00"),
    )
}

enum Placed {
    /// Canonical already.
    Instant(String),
    Local(DateTime),
}

fn formatted_time(format: &str, text: &str) -> Result<Placed, ValueError> {
    let invalid =
        || ValueError::new(RejectCode::InvalidDateTime, format!("not a date with a time in the form {format}"));
    let parsed = strtime::parse(format, text).map_err(|_| invalid())?;
    if parsed.offset().is_some() || parsed.timestamp().is_some() {
        let instant = parsed.to_timestamp().map_err(|_| invalid())?;
        return time::timestamp(&instant.to_string(), true, 6).map(|text| Placed::Instant(text.into_owned()));
    }
    // A format without any time of day means midnight.
    let clock = parsed.to_time().unwrap_or(Time::midnight());
    Ok(Placed::Local(parsed.to_date().map_err(|_| invalid())?.to_datetime(clock)))
}
