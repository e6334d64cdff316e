//! The header that a mapping expects, with one example row.

use super::expression::Expression;
use crate::{
    api::PropertyType,
    model::job::{CsvOptions, From, Mapping, Property},
};

/// Two CSV lines: the header and an example row. Columns come in the mapping's order; of several possible names the
/// first.
pub fn template(mapping: &Mapping, csv: &CsvOptions) -> String {
    let mut columns: Vec<(String, String)> = Vec::new();
    let mut add = |name: String, example: String| {
        if !columns.iter().any(|(known, _)| *known == name) {
            columns.push((name, example));
        }
    };
    for (at, property) in std::iter::once(&mapping.user_id).chain(&mapping.properties).enumerate() {
        match &property.from {
            From::Column(names) => add(names[0].clone(), example(property, at == 0)),
            From::Expression(text) => named(text).into_iter().for_each(|name| add(name.clone(), name)),
        }
    }
    for name in mapping.filter.as_deref().map(named).unwrap_or_default() {
        add(name.clone(), name);
    }
    let delimiter = char::from(csv.delimiter.unwrap_or(b','));
    let line = |cells: Vec<&str>| {
        cells.into_iter().map(|cell| quoted(cell, delimiter)).collect::<Vec<_>>().join(&delimiter.to_string())
    };
    let header = line(columns.iter().map(|(name, _)| name.as_str()).collect());
    let row = line(columns.iter().map(|(_, example)| example.as_str()).collect());
    format!("{header}\n{row}\n")
}

/// The columns that an expression names. (Validation has compiled it before.)
fn named(expression: &str) -> Vec<String> {
    Expression::compile(expression).map(|compiled| compiled.columns()).unwrap_or_default()
}

fn example(property: &Property, key: bool) -> String {
    if key {
        return "E1001".to_owned();
    }
    if let Some(default) = &property.default {
        return default.clone();
    }
    match property.kind {
        None | Some(PropertyType::Text) => property.property.clone(),
        Some(PropertyType::Email) => "ada@example.com".to_owned(),
        Some(PropertyType::Integer) => "42".to_owned(),
        Some(PropertyType::Number) => "1.5".to_owned(),
        Some(PropertyType::Boolean) => "true".to_owned(),
        Some(PropertyType::Date) => dated(property, "2026-12-31"),
        Some(PropertyType::DateTime) => dated(property, "2026-12-31T23:59:00Z"),
        Some(PropertyType::Uuid) => "6f1c3b52-9a4e-4a53-8d2f-0c5d7e1b9a10".to_owned(),
    }
}

/// The last minute of 2026, as the property's format writes it.
fn dated(property: &Property, iso: &str) -> String {
    let moment = jiff::civil::date(2026, 12, 31).at(23, 59, 0, 0).in_tz("Etc/UTC");
    match (&property.format, moment) {
        (Some(format), Ok(moment)) => jiff::fmt::strtime::format(format, &moment).unwrap_or_else(|_| iso.to_owned()),
        _ => iso.to_owned(),
    }
}

/// RFC 4180: quotes where a cell has the delimiter, a quote or a line break.
fn quoted(cell: &str, delimiter: char) -> String {
    if cell.contains([delimiter, '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
