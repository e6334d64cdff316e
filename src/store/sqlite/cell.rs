//! One value on its way out of SQLite and in: storage classes here, canonical text outside.

use std::{borrow::Cow, sync::Arc};

use data_encoding::HEXLOWER;
use sqlx::{Decode, Sqlite, TypeInfo, ValueRef, sqlite::SqliteValueRef};

use super::types::{Affinity, looks_numeric};
use crate::{model::column::ColumnType, sync::value};

/// A value in one of SQLite's storage classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text. Shared, because what is bound is handed to another thread.
    Text(Arc<str>),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Stored {
    /// Takes a value as it is stored. Text that is not UTF-8 gets replacement characters.
    pub fn read(value: SqliteValueRef<'_>) -> Result<Self, sqlx::Error> {
        if value.is_null() {
            return Ok(Self::Null);
        }
        let class = class(&value);
        Ok(match class {
            Class::Integer => Self::Integer(decode(value)?),
            Class::Real => Self::Real(decode(value)?),
            Class::Text => Self::Text(String::from_utf8_lossy(decode::<&[u8]>(value)?).into()),
            Class::Blob => Self::Blob(decode(value)?),
        })
    }

    /// As canonical text of its column; None is NULL.
    pub fn canonical(&self, kind: &ColumnType) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Integer(value) => Some(canonical(kind, Cow::Owned(value.to_string()))),
            Self::Real(value) => Some(canonical(kind, Cow::Owned(value.to_string()))),
            Self::Text(value) => Some(canonical(kind, Cow::Borrowed(value))),
            Self::Blob(value) => Some(Cow::Owned(hexadecimal(value))),
        }
    }

    /// Whether SQLite's `=` finds one by the other.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            // Compared as floating-point numbers: beyond 2^53 neighbours would be the same, but no canonical text of
            // a whole number is bound as one.
            #[allow(clippy::cast_precision_loss)]
            (Self::Integer(i), Self::Real(r)) | (Self::Real(r), Self::Integer(i)) => *i as f64 == *r,
            _ => self == other,
        }
    }
}

enum Class {
    Integer,
    Real,
    Text,
    Blob,
}

fn class(value: &SqliteValueRef<'_>) -> Class {
    match value.type_info().name() {
        "INTEGER" => Class::Integer,
        "REAL" => Class::Real,
        "TEXT" => Class::Text,
        _ => Class::Blob,
    }
}

fn decode<'r, T: Decode<'r, Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, sqlx::Error> {
    T::decode(value).map_err(sqlx::Error::Decode)
}

/// A stored value as canonical text of its column; None is NULL. A value that is not of the column's type stays as it
/// prints.
pub fn text<'r>(value: SqliteValueRef<'r>, kind: &ColumnType) -> Result<Option<Cow<'r, str>>, sqlx::Error> {
    if value.is_null() {
        return Ok(None);
    }
    let printed = match class(&value) {
        Class::Integer => Cow::Owned(decode::<i64>(value)?.to_string()),
        // The shortest text that is this number, without an exponent.
        Class::Real => Cow::Owned(decode::<f64>(value)?.to_string()),
        Class::Text => String::from_utf8_lossy(decode(value)?),
        Class::Blob => return Ok(Some(Cow::Owned(hexadecimal(decode(value)?)))),
    };
    Ok(Some(canonical(kind, printed)))
}

/// Canonical text, where the text is of that type; else the text itself.
pub fn canonical<'t>(kind: &ColumnType, text: Cow<'t, str>) -> Cow<'t, str> {
    if let ColumnType::Text { max: None, padded: false, .. } = kind {
        return text;
    }
    let canonical = match value::canonical(kind, &text) {
        Ok(Cow::Owned(canonical)) => canonical,
        // A part of the text, without the blanks around it, or a word that means the same.
        Ok(Cow::Borrowed(other)) if other != text => other.to_owned(),
        _ => return text,
    };
    Cow::Owned(canonical)
}

/// Canonical text as it is bound to a column of that affinity; `Err` says why SQLite would keep another value.
pub fn bind(kind: &ColumnType, affinity: Affinity, text: &str) -> Result<Stored, String> {
    let number = |value: f64| {
        let kept = canonical(kind, Cow::Owned(value.to_string())) == text;
        kept.then_some(Stored::Real(value))
    };
    let stored = match kind {
        ColumnType::Boolean => match text {
            "true" => Some(Stored::Integer(1)),
            "false" => Some(Stored::Integer(0)),
            _ => None,
        },
        ColumnType::Integer { .. } => text.parse().ok().map(Stored::Integer),
        ColumnType::Float { .. } => text.parse().ok().filter(|n: &f64| n.is_finite()).map(Stored::Real),
        ColumnType::Decimal { .. } => {
            let whole = text.parse().ok().map(Stored::Integer);
            whole.or_else(|| text.parse().ok().filter(|n: &f64| n.is_finite()).and_then(number))
        }
        ColumnType::Bytes => bytes(text).map(Stored::Blob),
        _ => None,
    };
    match stored {
        Some(stored) => Ok(stored),
        None if !affinity.numeric() || stays(kind, text) => Ok(Stored::Text(text.into())),
        None => Err(format!(
            "SQLite would not keep {} as it is in a column of this type: declare the column as text",
            if matches!(kind, ColumnType::Decimal { .. }) {
                "all digits of the number"
            } else {
                "the number-like text"
            }
        )),
    }
}

/// Whether text comes out of a column of numeric affinity as it went in.
fn stays(kind: &ColumnType, text: &str) -> bool {
    if !looks_numeric(text) {
        return true;
    }
    let printed = match (text.trim().parse::<i64>(), text.trim().parse::<f64>()) {
        (Ok(whole), _) => whole.to_string(),
        // What has no fraction is kept as a whole number, which prints the same.
        (_, Ok(number)) => number.to_string(),
        _ => return false,
    };
    canonical(kind, Cow::Owned(printed)) == text
}

/// `\x` and lower-case hexadecimal.
fn hexadecimal(bytes: &[u8]) -> String {
    format!("\\x{}", HEXLOWER.encode(bytes))
}

/// The bytes behind `\x`; None if it is no such text.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_would_change_is_refused() {
        let text = ColumnType::Text { max: None, padded: false, case: crate::model::column::Case::Exact };
        let decimal = ColumnType::Decimal { precision: None, scale: None };
        for (kind, value, expected) in [
            (&text, "007", None),
            (&text, "1e3", None),
            (&text, "7", Some(Stored::Text("7".into()))),
            (&text, "Ann", Some(Stored::Text("Ann".into()))),
            (&decimal, "1.5", Some(Stored::Real(1.5))),
            (&decimal, "9007199254740993", Some(Stored::Integer(9_007_199_254_740_993))),
            (&decimal, "0.1234567890123456789", None),
            (&ColumnType::Boolean, "true", Some(Stored::Integer(1))),
            (&ColumnType::Bytes, "\\x00ff", Some(Stored::Blob(vec![0, 255]))),
            (&ColumnType::Float { single: false }, "0.1", Some(Stored::Real(0.1))),
            (&ColumnType::Date, "2026-11-22", Some(Stored::Text("2026-11-22".into()))),
        ] {
            assert_eq!(bind(kind, Affinity::Numeric, value).ok(), expected, "{value} as {kind:?}");
        }
        assert_eq!(bind(&text, Affinity::Text, "007"), Ok(Stored::Text("007".into())));
    }
}
