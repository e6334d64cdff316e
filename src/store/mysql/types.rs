//! The types of MySQL and MariaDB in the model's words, and printed values in canonical form.

use std::{borrow::Cow, fmt::Write as _};

use crate::{
    model::column::{Case, ColumnType},
    sync::value,
};

/// A column's type as `information_schema.columns` has it.
pub struct CatalogType<'a> {
    /// `data_type`: `varchar`.
    pub name: &'a str,
    /// `column_type`: `varchar(80)`, `int(10) unsigned`, `enum('a','b')`.
    pub full: &'a str,
    /// `character_maximum_length`; of the `text` types these are bytes.
    pub length: Option<u32>,
    /// `datetime_precision`.
    pub digits: Option<u8>,
    /// `collation_name`, of text alone.
    pub collation: Option<&'a str>,
    /// Whether a check of MariaDB's says that the text is JSON.
    pub json: bool,
}

/// The model's word for a type.
pub fn column_type(kind: &CatalogType<'_>) -> ColumnType {
    let unsigned = kind.full.contains("unsigned");
    let integer = |bits: u32| {
        let (min, max) = if unsigned { (0, (1 << bits) - 1) } else { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) };
        ColumnType::Integer { min, max }
    };
    let digits = kind.digits.unwrap_or(0).min(6);
    match kind.name {
        "tinyint" if modifier(kind.full) == Some("1") => ColumnType::Boolean,
        "bit" if modifier(kind.full) == Some("1") => ColumnType::Boolean,
        "tinyint" => integer(8),
        "smallint" => integer(16),
        "mediumint" => integer(24),
        "int" => integer(32),
        // Half of its values are beyond 64 bits with a sign. What is beyond the column the server refuses.
        "bigint" if unsigned => ColumnType::Decimal { precision: Some(20), scale: Some(0) },
        "bigint" => ColumnType::Integer { min: i64::MIN, max: i64::MAX },
        "year" => ColumnType::Integer { min: 1901, max: 2155 },
        "decimal" => decimal(kind.full),
        // `float(7,2)` is rounded to its digits: a decimal number to the eye, and to a comparison.
        "float" | "double" if modifier(kind.full).is_some_and(|m| m.contains(',')) => decimal(kind.full),
        "float" => ColumnType::Float { single: true },
        "double" => ColumnType::Float { single: false },
        "date" => ColumnType::Date,
        "time" => ColumnType::Time,
        "datetime" => ColumnType::Timestamp { zoned: false, digits },
        "timestamp" => ColumnType::Timestamp { zoned: true, digits },
        "uuid" => ColumnType::Uuid,
        "json" => ColumnType::Json { text: false },
        "longtext" if kind.json => ColumnType::Json { text: true },
        "char" => ColumnType::Text { max: kind.length, padded: true, case: case(kind.collation) },
        "varchar" => ColumnType::Text { max: kind.length, padded: false, case: case(kind.collation) },
        "tinytext" | "text" | "mediumtext" | "longtext" => {
            ColumnType::Text { max: None, padded: false, case: case(kind.collation) }
        }
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnType::Bytes,
        "enum" => ColumnType::Enum { labels: labels(kind.full) },
        _ => ColumnType::Unsupported,
    }
}

/// What stands in the brackets behind a type.
fn modifier(full: &str) -> Option<&str> {
    full.split_once('(')?.1.split_once(')').map(|(modifier, _)| modifier)
}

fn decimal(full: &str) -> ColumnType {
    let (precision, scale) = modifier(full).and_then(|m| m.split_once(',')).unwrap_or(("10", "0"));
    ColumnType::Decimal { precision: precision.parse().ok(), scale: scale.parse().ok() }
}

/// The collations that compare text as it is, blanks at the end included; any other is asked ([`super::keys`]).
fn case(collation: Option<&str>) -> Case {
    match collation {
        None | Some("binary" | "utf8mb4_0900_bin") => Case::Exact,
        Some(name) if name.ends_with("_nopad_bin") => Case::Exact,
        Some(_) => Case::Collation,
    }
}

/// The labels of `enum('a','it''s')`.
fn labels(full: &str) -> Vec<String> {
    let mut labels = Vec::new();
    let mut rest = full;
    while let Some((_, quoted)) = rest.split_once('\'') {
        let mut label = String::new();
        rest = quoted;
        while let Some((text, after)) = rest.split_once('\'') {
            label.push_str(text);
            rest = after;
            match after.strip_prefix('\'') {
                Some(more) => {
                    label.push('\'');
                    rest = more;
                }
                None => break,
            }
        }
        labels.push(label);
    }
    labels
}

/// What a scan selects of a column (as SQL names it): bits and floating-point numbers don't print as they are.
pub fn selected(kind: &ColumnType, name: &str) -> String {
    match kind {
        // A bit prints as a byte.
        ColumnType::Boolean => format!("{name} + 0"),
        // A `float` prints with six digits, though it holds more.
        ColumnType::Float { single: true } => format!("{name} + 0e0"),
        _ => name.to_owned(),
    }
}

/// A printed cell in canonical form; a text that has none (a zero date, a boolean that is 2) stays as it is. `Err` for text
/// that is not UTF-8.
pub fn canonical<'a>(kind: &ColumnType, printed: &'a [u8]) -> Result<Cow<'a, str>, std::str::Utf8Error> {
    if *kind == ColumnType::Bytes {
        return Ok(Cow::Owned(hex(printed)));
    }
    let printed = std::str::from_utf8(printed)?;
    Ok(match kind {
        ColumnType::Text { .. } | ColumnType::Enum { .. } | ColumnType::Uuid | ColumnType::Unsupported => {
            Cow::Borrowed(printed)
        }
        ColumnType::Boolean => match printed {
            "1" => Cow::Borrowed("true"),
            "0" => Cow::Borrowed("false"),
            other => Cow::Borrowed(other),
        },
        _ => value::canonical(kind, printed).unwrap_or(Cow::Borrowed(printed)),
    })
}

/// `\x` and lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 + 2 * bytes.len());
    out.push_str("\\x");
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, full: &str) -> ColumnType {
        let (length, digits) = (Some(80), Some(3));
        column_type(&CatalogType { name, full, length, digits, collation: Some("utf8mb4_general_ci"), json: false })
    }

    #[test]
    fn types_have_their_bounds() {
        let text = |padded| ColumnType::Text { max: Some(80), padded, case: Case::Collation };
        let labels = |labels: &[&str]| ColumnType::Enum { labels: labels.iter().map(|l| (*l).to_owned()).collect() };
        for (name, full, expected) in [
            ("tinyint", "tinyint(1)", ColumnType::Boolean),
            ("tinyint", "tinyint(1) unsigned", ColumnType::Boolean),
            ("tinyint", "tinyint(4)", ColumnType::Integer { min: -128, max: 127 }),
            ("tinyint", "tinyint unsigned", ColumnType::Integer { min: 0, max: 255 }),
            ("int", "int(10) unsigned zerofill", ColumnType::Integer { min: 0, max: 4_294_967_295 }),
            ("mediumint", "mediumint(9)", ColumnType::Integer { min: -8_388_608, max: 8_388_607 }),
            ("bigint", "bigint(20)", ColumnType::Integer { min: i64::MIN, max: i64::MAX }),
            ("bigint", "bigint(20) unsigned", ColumnType::Decimal { precision: Some(20), scale: Some(0) }),
            ("decimal", "decimal(10,2)", ColumnType::Decimal { precision: Some(10), scale: Some(2) }),
            ("float", "float(7,2)", ColumnType::Decimal { precision: Some(7), scale: Some(2) }),
            ("float", "float", ColumnType::Float { single: true }),
            ("double", "double", ColumnType::Float { single: false }),
            ("bit", "bit(1)", ColumnType::Boolean),
            ("bit", "bit(8)", ColumnType::Unsupported),
            ("datetime", "datetime(3)", ColumnType::Timestamp { zoned: false, digits: 3 }),
            ("timestamp", "timestamp(3)", ColumnType::Timestamp { zoned: true, digits: 3 }),
            ("char", "char(80)", text(true)),
            ("varchar", "varchar(80)", text(false)),
            ("text", "text", ColumnType::Text { max: None, padded: false, case: Case::Collation }),
            ("enum", "enum('a','o''k','b,c','')", labels(&["a", "o'k", "b,c", ""])),
            ("enum", "enum('''')", labels(&["'"])),
            ("set", "set('a','b')", ColumnType::Unsupported),
            ("geometry", "geometry", ColumnType::Unsupported),
        ] {
            assert_eq!(named(name, full), expected, "{full}");
        }
    }

    #[test]
    fn printed_text_becomes_canonical() {
        for (kind, printed, expected) in [
            (named("decimal", "decimal(10,2)"), "1.50", "1.5"),
            (named("int", "int(5) unsigned zerofill"), "00042", "42"),
            (named("tinyint", "tinyint(1)"), "1", "true"),
            (named("tinyint", "tinyint(1)"), "2", "2"),
            (named("float", "float"), "0.10000000149011612", "0.1"),
            (named("datetime", "datetime(3)"), "2026-11-22 14:03:00.500", "2026-11-22T14:03:00.5"),
            (named("timestamp", "timestamp(3)"), "2026-11-22 14:03:00.000", "2026-11-22T14:03:00Z"),
            (named("timestamp", "timestamp(3)"), "0000-00-00 00:00:00.000", "0000-00-00 00:00:00.000"),
            (named("date", "date"), "0000-00-00", "0000-00-00"),
            (named("time", "time(3)"), "14:03:00.250", "14:03:00.25"),
            (named("time", "time"), "-838:59:59", "-838:59:59"),
            (named("blob", "blob"), "aÿ", "\\x61c3bf"),
            (named("text", "text"), "1.50 ", "1.50 "),
        ] {
            assert_eq!(canonical(&kind, printed.as_bytes()).unwrap(), expected);
        }
    }
}
