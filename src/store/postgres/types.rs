//! PostgreSQL's types in the model's words, and its printed values in canonical form.

use std::borrow::Cow;

use crate::{
    model::column::{Case, ColumnType},
    sync::value,
};

/// A column's type as the catalogue has it, domains resolved to their base.
pub struct CatalogType<'a> {
    /// `pg_type.typname` of the base type.
    pub name: &'a str,
    /// Whether the base type comes with PostgreSQL (schema `pg_catalog`).
    pub builtin: bool,
    /// The type modifier, -1 for none.
    pub modifier: i32,
    /// The labels of an enum.
    pub labels: Option<Vec<String>>,
    /// A collation under which texts that differ may be equal.
    pub loose: bool,
}

/// The model's word for a type.
pub fn column_type(kind: CatalogType<'_>) -> ColumnType {
    let CatalogType { name, builtin, modifier, labels, loose } = kind;
    if let Some(labels) = labels {
        return ColumnType::Enum { labels };
    }
    let case = if loose { Case::Collation } else { Case::Exact };
    let max = (modifier > 4).then(|| (modifier - 4) as u32);
    match (name, builtin) {
        ("citext", false) => ColumnType::Text { max: None, padded: false, case: Case::Ignored },
        ("text", true) => ColumnType::Text { max: None, padded: false, case },
        ("varchar", true) => ColumnType::Text { max, padded: false, case },
        ("bpchar", true) => ColumnType::Text { max, padded: true, case },
        ("int2", true) => ColumnType::Integer { min: i16::MIN.into(), max: i16::MAX.into() },
        ("int4", true) => ColumnType::Integer { min: i32::MIN.into(), max: i32::MAX.into() },
        ("int8", true) => ColumnType::Integer { min: i64::MIN, max: i64::MAX },
        ("numeric", true) => decimal(modifier),
        ("float4", true) => ColumnType::Float { single: true },
        ("float8", true) => ColumnType::Float { single: false },
        ("bool", true) => ColumnType::Boolean,
        ("date", true) => ColumnType::Date,
        ("time", true) => ColumnType::Time,
        ("timestamp", true) => ColumnType::Timestamp { zoned: false, digits: digits(modifier) },
        ("timestamptz", true) => ColumnType::Timestamp { zoned: true, digits: digits(modifier) },
        ("uuid", true) => ColumnType::Uuid,
        ("json", true) => ColumnType::Json { text: true },
        ("jsonb", true) => ColumnType::Json { text: false },
        ("bytea", true) => ColumnType::Bytes,
        ("_text", true) => ColumnType::TextArray { max: None },
        ("_varchar", true) => ColumnType::TextArray { max },
        _ => ColumnType::Unsupported,
    }
}

fn digits(modifier: i32) -> u8 {
    u8::try_from(modifier).map_or(6, |digits| digits.min(6))
}

/// `numeric(p,s)`: the modifier is `(p << 16 | s) + 4`, where s has 11 bits with sign since PostgreSQL 15.
fn decimal(modifier: i32) -> ColumnType {
    if modifier < 4 {
        return ColumnType::Decimal { precision: None, scale: None };
    }
    let (precision, scale) = ((modifier - 4) >> 16 & 0xffff, ((modifier - 4) & 0x7ff ^ 1024) - 1024);
    match u32::try_from(scale) {
        // Digits in front of the point can't be more than there are digits.
        Ok(scale) => ColumnType::Decimal { precision: Some(precision as u32), scale: Some(scale) },
        // Rounds to tens or hundreds: no word for it.
        Err(_) => ColumnType::Unsupported,
    }
}

/// Whether `copy` prints canonical text once the column is cast to `text` where [`cast`] says so.
pub fn prints_canonical(kind: &ColumnType) -> bool {
    !matches!(
        kind,
        ColumnType::Decimal { .. } | ColumnType::Float { .. } | ColumnType::Timestamp { .. } | ColumnType::Json { .. }
    )
}

/// Whether a scan casts the column to `text`: `t` becomes `true`, and `char(n)` loses its blanks.
pub fn cast(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Boolean | ColumnType::Text { padded: true, .. })
}

/// Printed text in canonical form; text that has none (`infinity`, a year before Christ) stays as it is.
pub fn canonical<'a>(kind: &ColumnType, printed: &'a str) -> Cow<'a, str> {
    match kind {
        ColumnType::Decimal { .. } => Cow::Borrowed(trim_zeros(printed)),
        ColumnType::Timestamp { zoned, .. } => timestamp(printed, *zoned).map_or(Cow::Borrowed(printed), Cow::Owned),
        ColumnType::Float { .. } | ColumnType::Json { .. } => {
            value::canonical(kind, printed).unwrap_or(Cow::Borrowed(printed))
        }
        _ => Cow::Borrowed(printed),
    }
}

/// `1.50` → `1.5`, `2.00` → `2`; PostgreSQL prints no exponent.
fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// `2026-11-22 14:03:00.5+00` → `2026-11-22T14:03:00.5Z`; PostgreSQL prints no zeros at the end of a fraction.
fn timestamp(printed: &str, zoned: bool) -> Option<String> {
    let local = if zoned { printed.strip_suffix("+00")? } else { printed };
    let (date, time) = local.split_once(' ')?;
    if date.len() != 10 || time.contains(' ') {
        return None;
    }
    Some(format!("{date}T{time}{}", if zoned { "Z" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, modifier: i32) -> ColumnType {
        column_type(CatalogType { name, builtin: name != "citext", modifier, labels: None, loose: false })
    }

    #[test]
    fn types_have_their_bounds() {
        for (name, modifier, expected) in [
            ("varchar", 84, ColumnType::Text { max: Some(80), padded: false, case: Case::Exact }),
            ("bpchar", 7, ColumnType::Text { max: Some(3), padded: true, case: Case::Exact }),
            ("citext", -1, ColumnType::Text { max: None, padded: false, case: Case::Ignored }),
            ("numeric", -1, ColumnType::Decimal { precision: None, scale: None }),
            ("numeric", (10 << 16 | 2) + 4, ColumnType::Decimal { precision: Some(10), scale: Some(2) }),
            ("numeric", (10 << 16 | 0x7fe) + 4, ColumnType::Unsupported),
            ("timestamptz", 0, ColumnType::Timestamp { zoned: true, digits: 0 }),
            ("timestamp", -1, ColumnType::Timestamp { zoned: false, digits: 6 }),
            ("_text", -1, ColumnType::TextArray { max: None }),
            ("_varchar", 13, ColumnType::TextArray { max: Some(9) }),
            ("_int4", -1, ColumnType::Unsupported),
            ("interval", -1, ColumnType::Unsupported),
        ] {
            assert_eq!(named(name, modifier), expected, "{name} {modifier}");
        }
    }

    #[test]
    fn printed_text_becomes_canonical() {
        for (kind, printed, expected) in [
            (named("numeric", -1), "1.50", "1.5"),
            (named("numeric", -1), "200", "200"),
            (named("numeric", -1), "-3.00", "-3"),
            (named("numeric", -1), "NaN", "NaN"),
            (named("timestamptz", -1), "2026-11-22 14:03:00+00", "2026-11-22T14:03:00Z"),
            (named("timestamptz", -1), "2026-11-22 14:03:00.25+00", "2026-11-22T14:03:00.25Z"),
            (named("timestamptz", -1), "infinity", "infinity"),
            (named("timestamp", -1), "2026-11-22 14:03:00", "2026-11-22T14:03:00"),
            (named("timestamp", -1), "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"),
            (named("timestamptz", -1), "12026-11-22 14:03:00+00", "12026-11-22 14:03:00+00"),
            (named("float8", -1), "1e+20", "1e20"),
            (named("float4", -1), "0.1", "0.1"),
            (named("jsonb", -1), r#"{"b": 1.0, "a": []}"#, r#"{"a":[],"b":1}"#),
            (named("text", -1), "1.50", "1.50"),
        ] {
            assert_eq!(canonical(&kind, printed), expected);
            assert_eq!(value::canonical(&kind, printed).unwrap(), expected, "there is one canonical text");
        }
    }
}
