//! `spec.mapping`: expressions, date formats, the time zone.

use jiff::{
    Zoned, civil,
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};

use super::super::problem::Finding;
use crate::{
    api::{PropertyType, usersync::mapping::MappingSpec},
    control::schedule,
    sync::expression::Expression,
};

pub(super) fn findings(mapping: &MappingSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, property) in mapping.properties.iter().enumerate() {
        let path = format!("spec.mapping.properties[{index}]");
        findings.extend(property.expression.as_ref().and_then(|text| expression(&format!("{path}.expression"), text)));
        let dates = matches!(property.kind, Some(PropertyType::Date | PropertyType::DateTime));
        if let Some(text) = property.format.as_ref().filter(|_| dates)
            && let Err(message) = format(text, property.kind == Some(PropertyType::DateTime))
        {
            findings.push(Finding::new(format!("{path}.format"), message));
        }
    }
    findings.extend(mapping.filter.as_ref().and_then(|filter| expression("spec.mapping.filter", filter)));
    if let Err(message) = schedule::zone(&mapping.time_zone) {
        findings.push(Finding::new("spec.mapping.timeZone", message));
    }
    findings
}

/// A CEL expression that can't be evaluated, or could stall a run.
fn expression(path: &str, text: &str) -> Option<Finding> {
    Expression::compile(text).err().map(|error| Finding::new(path, error.to_string()))
}

/// Whether dates can be read by that strftime format: a sample is written and read back.
fn format(format: &str, with_time: bool) -> Result<(), String> {
    let kind = if with_time { "DateTime" } else { "Date" };
    let how = if with_time { "%d.%m.%Y %H:%M" } else { "%d.%m.%Y" };
    let wrong = |reason: &str| format!("`{format}` is not a format for a {kind}: {reason}; write it like \"{how}\"");
    let sample: Zoned =
        civil::date(2026, 11, 23).at(21, 58, 47, 0).to_zoned(TimeZone::UTC).map_err(|_| wrong("no sample"))?;
    let written = strtime::format(format, &sample).map_err(|error| wrong(&error.to_string()))?;
    let read = BrokenDownTime::parse(format, &written).map_err(|error| wrong(&error.to_string()))?;
    let date = read.to_date().map_err(|_| wrong("it has no whole date, with day, month and year"))?;
    if date != sample.date() {
        return Err(wrong("it has no whole date, with day, month and year"));
    }
    if with_time && read.hour().is_some() && read.to_time().ok().is_none_or(|time| time.hour() != 21) {
        return Err(wrong("its hour can be one of two: write %H, or %I with %p"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_read_a_date() {
        for (text, with_time) in [
            ("%d.%m.%Y", false),
            ("%Y%m%d", false),
            ("%m/%d/%y", false),
            ("%-d %B %Y", false),
            ("%F", false),
            ("%d.%m.%Y %H:%M", true),
            ("%FT%T%z", true),
            ("%d.%m.%Y", true),
            ("%m/%d/%Y %I:%M %p", true),
            ("%d.%m.%Y %H:%M", false),
        ] {
            assert_eq!(format(text, with_time), Ok(()), "{text}");
        }
    }

    #[test]
    fn formats_that_read_none() {
        for (text, with_time, reason) in [
            ("dd.mm.yyyy", false, "no whole date"),
            ("%Y-%m", false, "no whole date"),
            ("%d.%m.", false, "no whole date"),
            ("%q1", false, ""),
            ("%", false, ""),
            ("%d.%m.%Y %I:%M", true, "one of two"),
        ] {
            let error = format(text, with_time).unwrap_err();
            assert!(error.contains(reason) && error.contains("write it like"), "{text}: {error}");
        }
    }
}
