//! Text of SQL: names and literals. Sessions have the SQL mode `NO_BACKSLASH_ESCAPES` and the character set `utf8mb4`, in which
//! no quote is part of another character: doubling it is all that a literal needs.

use std::fmt::Write as _;

use crate::{
    model::column::{ColumnType, Dialect},
    sync::names::quoted_as,
};

/// A name, used exactly as written.
pub fn quote(name: &str) -> String {
    quoted_as(Dialect::Mysql, name)
}

/// Text as a literal.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_literal(&mut out, text);
    out
}

/// Adds text as a literal.
pub fn push_literal(out: &mut String, text: &str) {
    out.push('\'');
    let mut rest = text;
    while let Some(at) = rest.find('\'') {
        out.push_str(&rest[..=at]);
        out.push('\'');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('\'');
}

/// A canonical value as a literal of its column's type. What is not canonical (a zero date, a boolean that is 2) goes as
/// the text that the server printed.
pub fn value(kind: &ColumnType, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_value(&mut out, kind, text);
    out
}

/// Adds a canonical value as a literal of its column's type.
pub fn push_value(out: &mut String, kind: &ColumnType, text: &str) {
    match kind {
        ColumnType::Boolean if text == "true" => out.push('1'),
        ColumnType::Boolean if text == "false" => out.push('0'),
        ColumnType::Integer { .. } | ColumnType::Decimal { .. } if plain_number(text) => out.push_str(text),
        ColumnType::Timestamp { .. } => push_literal(out, &clock(text)),
        ColumnType::Bytes if text.starts_with("\\x") => {
            // Writing to a String can't fail.
            let _ = write!(out, "x'{}'", text[2..].replace('\'', ""));
        }
        _ => push_literal(out, text),
    }
}

/// A canonical value as the temporary table keeps it, to be assigned by [`assigned`].
pub fn staged(kind: &ColumnType, text: &str) -> String {
    match kind {
        ColumnType::Boolean if text == "true" => "'1'".to_owned(),
        ColumnType::Boolean if text == "false" => "'0'".to_owned(),
        ColumnType::Timestamp { .. } => literal(&clock(text)),
        ColumnType::Bytes if text.starts_with("\\x") => literal(&text[2..]),
        _ => literal(text),
    }
}

/// What turns a staged text into what its column takes.
pub fn assigned(kind: &ColumnType, staged: &str) -> String {
    match kind {
        ColumnType::Boolean => format!("cast({staged} as unsigned)"),
        ColumnType::Bytes => format!("unhex({staged})"),
        // MariaDB copies one text column to a shorter one with the length cut and no word of it, strict or not: an
        // expression is checked.
        _ => format!("concat({staged})"),
    }
}

/// `2026-11-22T14:03:00.5Z` as the server reads it in a session in UTC.
fn clock(text: &str) -> String {
    let text = text.strip_suffix('Z').unwrap_or(text);
    match text.split_once('T') {
        Some((date, time)) => format!("{date} {time}"),
        None => text.to_owned(),
    }
}

fn plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// `(a, b, c)`, or a list that nothing is in.
pub fn list(literals: impl Iterator<Item = String>) -> String {
    let literals: Vec<String> = literals.collect();
    if literals.is_empty() { "(null)".to_owned() } else { format!("({})", literals.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_quoted() {
        assert_eq!(quote("we`ird Name"), "`we``ird Name`");
        assert_eq!(literal(r"o'neil\'"), r"'o''neil\'''");
        assert_eq!(literal(""), "''");
        assert_eq!(literal("'"), "''''");
    }

    #[test]
    fn values_are_literals_of_their_type() {
        let decimal = ColumnType::Decimal { precision: None, scale: None };
        let stamp = ColumnType::Timestamp { zoned: true, digits: 6 };
        for (kind, text, expected) in [
            (&ColumnType::Boolean, "true", "1"),
            (&ColumnType::Boolean, "false", "0"),
            (&ColumnType::Boolean, "2", "'2'"),
            (&decimal, "-1.50", "-1.50"),
            (&decimal, "1 or 1", "'1 or 1'"),
            (&decimal, "NaN", "'NaN'"),
            (&decimal, "-", "'-'"),
            (&stamp, "2026-11-22T14:03:00.5Z", "'2026-11-22 14:03:00.5'"),
            (&stamp, "0000-00-00 00:00:00", "'0000-00-00 00:00:00'"),
            (&ColumnType::Bytes, "\\x00ff", "x'00ff'"),
            (&ColumnType::Bytes, "\\x", "x''"),
            (&ColumnType::Date, "2026-11-22", "'2026-11-22'"),
        ] {
            assert_eq!(value(kind, text), expected);
        }
    }
}
