//! `spec.source.csv`: how the file is to be read.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the file is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CsvSpec {
    /// What separates cells: Auto (default; found by looking at the file), Comma, Semicolon, Tab, Pipe, or one character.
    /// A first line `sep=;` in the file is obeyed. Example: `Semicolon`.
    pub delimiter: Delimiter,
    /// Name of the file's encoding, as the web knows it. Default: `UTF-8`. A byte order mark in the file wins over it.
    /// Examples: `windows-1252`, `ISO-8859-15`, `UTF-16`.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[-_:.A-Za-z0-9]+$"))]
    pub encoding: String,
    /// Whether blanks around a cell mean nothing. Default: true.
    pub trim: bool,
}

impl Default for CsvSpec {
    fn default() -> Self {
        Self { delimiter: Delimiter::Auto, encoding: "UTF-8".to_owned(), trim: true }
    }
}

/// What separates cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// Found by looking at the file.
    #[default]
    Auto,
    /// This character: printable ASCII or a tab; no quote, letter or digit.
    Byte(u8),
}

const NAMES: [(&str, u8); 4] = [("Comma", b','), ("Semicolon", b';'), ("Tab", b'\t'), ("Pipe", b'|')];

/// What the schema demands of the text: a name, or one printable ASCII character that is no quote, letter or digit.
const PATTERN: &str = r"^(Auto|Comma|Semicolon|Tab|Pipe|[\t !#-/:-@\[-`{-~])$";

/// Why a text is no delimiter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "“{0}” is not a delimiter; write Auto, Comma, Semicolon, Tab, Pipe or one ASCII character that is no quote, letter or digit"
)]
pub struct DelimiterError(String);

impl FromStr for Delimiter {
    type Err = DelimiterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "Auto" {
            return Ok(Self::Auto);
        }
        if let Some((_, byte)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self::Byte(*byte));
        }
        match text.as_bytes() {
            [byte @ (b'\t' | b' '..=b'~')] if *byte != b'"' && !byte.is_ascii_alphanumeric() => Ok(Self::Byte(*byte)),
            _ => Err(DelimiterError(text.to_owned())),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("Auto"),
            Self::Byte(byte) => match NAMES.iter().find(|(_, named)| named == byte) {
                Some((name, _)) => f.write_str(name),
                None => write!(f, "{}", char::from(*byte)),
            },
        }
    }
}

impl Serialize for Delimiter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Delimiter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Delimiter {
    fn schema_name() -> Cow<'static, str> {
        "Delimiter".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": PATTERN, "maxLength": 9})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_characters() {
        for (text, delimiter, shown) in [
            ("Auto", Delimiter::Auto, "Auto"),
            ("Comma", Delimiter::Byte(b','), "Comma"),
            (";", Delimiter::Byte(b';'), "Semicolon"),
            ("\t", Delimiter::Byte(b'\t'), "Tab"),
            ("|", Delimiter::Byte(b'|'), "Pipe"),
            ("^", Delimiter::Byte(b'^'), "^"),
            ("~", Delimiter::Byte(b'~'), "~"),
            (" ", Delimiter::Byte(b' '), " "),
        ] {
            let read: Delimiter = text.parse().unwrap();
            assert_eq!((read, read.to_string().as_str()), (delimiter, shown), "{text:?}");
        }
        for text in ["", ",,", "a", "7", "\"", "\n", "é", "auto", "\u{1}"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
}
