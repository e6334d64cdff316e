//! Declared types: what SQLite does to a value on its way into a column, and what values the column is meant to hold.
//! Rules: <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>.

use crate::model::column::{Case, ColumnType};

/// What SQLite turns a value into when it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// Text stays, numbers become text.
    Text,
    /// Text that looks like a number becomes one: `007` is 7.
    Numeric,
    /// As numeric.
    Integer,
    /// As numeric, and whole numbers become floating-point ones.
    Real,
    /// Every value stays as it is.
    None,
}

impl Affinity {
    /// Whether text that looks like a number doesn't stay text.
    pub fn numeric(self) -> bool {
        matches!(self, Self::Numeric | Self::Integer | Self::Real)
    }
}

/// The affinity of a declared type; `strict` for a column of a STRICT table, where ANY keeps values as they are.
pub fn affinity(declared: &str, strict: bool) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if declared.is_empty() || has("BLOB") || (strict && declared == "ANY") {
        Affinity::None
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// What values a column of that declared type is meant to hold: by its affinity, and within the numeric one by the
/// names that are in use. Lengths and scales are not enforced by SQLite, so they are none.
pub fn kind(declared: &str, strict: bool) -> ColumnType {
    let text = ColumnType::Text { max: None, padded: false, case: Case::Exact };
    match affinity(declared, strict) {
        Affinity::Text => text,
        Affinity::Integer => ColumnType::Integer { min: i64::MIN, max: i64::MAX },
        Affinity::Real => ColumnType::Float { single: false },
        Affinity::None if declared.to_ascii_uppercase().contains("BLOB") => ColumnType::Bytes,
        Affinity::None => text,
        Affinity::Numeric => {
            let declared = declared.to_ascii_uppercase();
            let word: String = declared.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
            match word.as_str() {
                "BOOL" | "BOOLEAN" => ColumnType::Boolean,
                "DATE" => ColumnType::Date,
                "TIME" => ColumnType::Time,
                "DATETIME" | "DATETIME2" | "SMALLDATETIME" | "TIMESTAMP" => {
                    ColumnType::Timestamp { zoned: declared.contains("WITH TIME ZONE"), digits: 6 }
                }
                "TIMESTAMPTZ" | "DATETIMEOFFSET" => ColumnType::Timestamp { zoned: true, digits: 6 },
                "UUID" | "GUID" | "UNIQUEIDENTIFIER" => ColumnType::Uuid,
                "JSON" | "JSONB" => ColumnType::Json { text: true },
                "NUMERIC" | "DECIMAL" | "DEC" | "NUMBER" | "MONEY" => {
                    ColumnType::Decimal { precision: None, scale: None }
                }
                _ => text,
            }
        }
    }
}

/// A declared type as SQLite prints it: its own are in capitals, whatever was written.
pub fn printed(declared: &str) -> String {
    match declared {
        "text" | "integer" => declared.to_ascii_uppercase(),
        _ => declared.to_owned(),
    }
}

/// The value of a default that is a literal; `Ok(None)` is NULL, `Err` an expression.
pub fn literal(default: &str) -> Result<Option<String>, ()> {
    let text = default.trim();
    let quoted = |quote: char| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        let rest = inner.replace(&format!("{quote}{quote}"), "");
        (!rest.contains(quote)).then(|| inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
    };
    if text.len() >= 2
        && let Some(text) = quoted('\'').or_else(|| quoted('"'))
    {
        return Ok(Some(text));
    }
    match text.to_ascii_lowercase().as_str() {
        "null" => return Ok(None),
        // SQLite keeps truth as a number.
        "true" => return Ok(Some("1".to_owned())),
        "false" => return Ok(Some("0".to_owned())),
        _ => {}
    }
    let number = text.trim_start_matches('+');
    if number.starts_with(|c: char| c.is_ascii_digit() || "-.".contains(c)) && looks_numeric(number) {
        return Ok(Some(number.to_owned()));
    }
    Err(())
}

/// Whether SQLite takes the text for a number literal: sign, digits, point, exponent, blanks around.
pub fn looks_numeric(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_literals() {
        for text in ["7", "007", "-1.50", "+1", ".5", "5.", "1e3", "1E-3", " 7 ", "1.5e+10"] {
            assert!(looks_numeric(text), "{text:?}");
        }
        for text in ["", ".", "e3", "1e", "0x10", "1 2", "1_000", "2026-11-22", "inf", "nan", "1.2.3", "\u{a0}7"] {
            assert!(!looks_numeric(text), "{text:?}");
        }
    }

    #[test]
    fn declared_types() {
        let text = ColumnType::Text { max: None, padded: false, case: Case::Exact };
        let integer = ColumnType::Integer { min: i64::MIN, max: i64::MAX };
        let decimal = ColumnType::Decimal { precision: None, scale: None };
        for (declared, expected, numeric) in [
            ("text", text.clone(), false),
            ("VARCHAR(80)", text.clone(), false),
            ("", text.clone(), false),
            ("integer", integer.clone(), true),
            ("UNSIGNED BIG INT", integer, true),
            ("double precision", ColumnType::Float { single: false }, true),
            ("numeric(10,2)", decimal.clone(), true),
            ("decimal", decimal, true),
            ("boolean", ColumnType::Boolean, true),
            ("date", ColumnType::Date, true),
            ("time", ColumnType::Time, true),
            ("datetime", ColumnType::Timestamp { zoned: false, digits: 6 }, true),
            ("timestamp with time zone", ColumnType::Timestamp { zoned: true, digits: 6 }, true),
            ("timestamp without time zone", ColumnType::Timestamp { zoned: false, digits: 6 }, true),
            ("timestamptz", ColumnType::Timestamp { zoned: true, digits: 6 }, true),
            ("uuid", ColumnType::Uuid, true),
            ("json", ColumnType::Json { text: true }, true),
            ("blob", ColumnType::Bytes, false),
            ("string", text, true),
        ] {
            assert_eq!(kind(declared, false), expected, "{declared}");
            assert_eq!(affinity(declared, false).numeric(), numeric, "{declared}");
        }
        assert_eq!(affinity("ANY", true), Affinity::None);
        assert_eq!(affinity("ANY", false), Affinity::Numeric);
    }

    #[test]
    fn defaults() {
        for (text, expected) in [
            ("null", Ok(None)),
            ("'it''s'", Ok(Some("it's"))),
            ("\"quoted\"", Ok(Some("quoted"))),
            ("''", Ok(Some(""))),
            ("42", Ok(Some("42"))),
            ("-1.5", Ok(Some("-1.5"))),
            ("+7", Ok(Some("7"))),
            ("TRUE", Ok(Some("1"))),
            ("current_timestamp", Err(())),
            ("'a' || 'b'", Err(())),
            ("lower(hex(randomblob(16)))", Err(())),
            ("1 + 1", Err(())),
            ("x'00ff'", Err(())),
        ] {
            assert_eq!(literal(text), expected.map(|v: Option<&str>| v.map(str::to_owned)), "{text}");
        }
    }
}
