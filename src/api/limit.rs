//! Limits of safeguards: a count, or a percentage.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the schema demands of the text.
pub const PATTERN: &str = r"^((100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%|[0-9]+)$";

/// A count (`250`), or a percentage from 0 to 100 (`"10%"`, `"0.5%"`). `"100%"` switches a safeguard off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// At most that many.
    Count(u64),
    /// At most that share, 0 to 100, rounded down to whole users or rows.
    Percent(f64),
}

/// Why a text is no limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a limit; write a count like 250, or a percentage from 0 to 100 like \"10%\"")]
pub struct LimitError(String);

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || LimitError(text.to_owned());
        match text.strip_suffix('%') {
            Some(number) => {
                let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
                let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
                if !digits(whole) || !digits(fraction) || whole.len() > 3 {
                    return Err(error());
                }
                let share = number.parse::<f64>().map_err(|_| error())?;
                if share <= 100.0 { Ok(Self::Percent(share)) } else { Err(error()) }
            }
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().map(Self::Count).map_err(|_| error()),
            None => Err(error()),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count like 250 or a percentage like \"10%\"")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Limit, E> {
                Ok(Limit::Count(count))
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<Limit, E> {
                u64::try_from(count)
                    .map(Limit::Count)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(count), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"x-kubernetes-int-or-string": true, "pattern": PATTERN, "maxLength": 18, "minimum": 0})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counts_and_percentages() {
        for (json, limit, shown) in [
            ("250", Limit::Count(250), "250"),
            ("\"250\"", Limit::Count(250), "250"),
            ("0", Limit::Count(0), "0"),
            ("\"10%\"", Limit::Percent(10.0), "\"10%\""),
            ("\"0.5%\"", Limit::Percent(0.5), "\"0.5%\""),
            ("\"100%\"", Limit::Percent(100.0), "\"100%\""),
            ("\"100.0%\"", Limit::Percent(100.0), "\"100%\""),
        ] {
            let read: Limit = serde_json::from_str(json).unwrap();
            assert_eq!(read, limit, "{json}");
            assert_eq!(serde_json::to_string(&read).unwrap(), shown, "{json}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for json in [
            "\"\"",
            "\"%\"",
            "\"101%\"",
            "\"100.1%\"",
            "\"-1%\"",
            "\"ten\"",
            "\"1e1%\"",
            "-1",
            "1.5",
            "\"+5%\"",
            "\".5%\"",
        ] {
            assert!(serde_json::from_str::<Limit>(json).is_err(), "{json}");
        }
    }
}
