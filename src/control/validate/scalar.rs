//! What a plain YAML scalar is: text, a number, true or false, nothing; and which ones different readers take for
//! different things (YAML 1.1, which Kubernetes' own tools read, against YAML 1.2).

use serde_json::{Number, Value};

/// A scalar, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    /// Plain text that is no text to every reader: as written, and what else it may be.
    Doubtful(String, &'static str),
}

impl Scalar {
    /// The scalar as JSON; what is doubtful is text.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Bool(*value),
            Self::Number(value) => Value::Number(value.clone()),
            Self::Text(text) | Self::Doubtful(text, _) => Value::String(text.clone()),
        }
    }
}

/// Resolves a scalar; `plain` is one without quotes. YAML 1.2, core schema
/// (<https://yaml.org/spec/1.2.2/#103-core-schema>).
pub(super) fn resolve(text: &str, plain: bool) -> Scalar {
    if !plain {
        return Scalar::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Boolean(true),
        "false" | "False" | "FALSE" => return Scalar::Boolean(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN"
        | ".NAN" => return Scalar::Doubtful(text.to_owned(), "no finite number"),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Scalar::Doubtful(text.to_owned(), "true to Kubernetes' YAML reader and text to others");
        }
        "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Scalar::Doubtful(text.to_owned(), "false to Kubernetes' YAML reader and text to others");
        }
        _ => {}
    }
    number(text).unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

fn number(text: &str) -> Option<Scalar> {
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = bare.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'.') {
        return None;
    }
    let doubtful = |meaning| Some(Scalar::Doubtful(text.to_owned(), meaning));
    if bare.bytes().all(|byte| byte.is_ascii_digit()) {
        if bare.len() > 1 && first == b'0' {
            return doubtful("an octal number to some YAML readers and a decimal one to others");
        }
        return match text.trim_start_matches('+').parse::<i64>() {
            Ok(value) => Some(Scalar::Number(value.into())),
            Err(_) => doubtful("a number too large to be kept exactly"),
        };
    }
    let digits = |rest: Option<&str>, radix: u32| {
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    if digits(bare.strip_prefix("0x"), 16) || digits(bare.strip_prefix("0o"), 8) || digits(bare.strip_prefix("0b"), 2) {
        return doubtful("a number in another base to some YAML readers and text to others");
    }
    if bare.contains('_') && bare.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'.')) {
        return doubtful("a number to some YAML readers and text to others");
    }
    if !decimal(bare) {
        return None;
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    match number {
        // What would come out is not what was written (a hash like 12e34, a version like 1.10).
        Some(number) if number.to_string() == text => Some(Scalar::Number(number)),
        _ => doubtful("a number"),
    }
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, each with an optional exponent.
fn decimal(bare: &str) -> bool {
    let (mantissa, exponent) = match bare.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (bare, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_yaml_says() {
        let number = |value: i64| Scalar::Number(value.into());
        let float = |value: f64| Scalar::Number(Number::from_f64(value).unwrap());
        for (text, expected) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("true", Scalar::Boolean(true)),
            ("FALSE", Scalar::Boolean(false)),
            ("0", number(0)),
            ("-17", number(-17)),
            ("+5", number(5)),
            ("1.5", float(1.5)),
            ("-0.01", float(-0.01)),
        ] {
            assert_eq!(resolve(text, true), expected, "{text}");
            assert_eq!(resolve(text, false), Scalar::Text(text.to_owned()), "{text} in quotes");
        }
    }

    #[test]
    fn what_readers_disagree_on_is_doubtful() {
        for text in [
            "yes",
            ".5",
            "1.",
            "12e3",
            "-1E-2",
            "1.10",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "007",
            "-010",
            "0x1F",
            "0o17",
            "0b11",
            "1_000",
            ".inf",
            "1e999",
            "99999999999999999999",
        ] {
            assert!(matches!(resolve(text, true), Scalar::Doubtful(..)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for text in ["01:00", "2026-12-01T01:00:00", "1.2.3", "5m", "e5", "1e", "-", "+", ".", "0x", "inf", "nan", "_1"]
        {
            assert_eq!(resolve(text, true), Scalar::Text(text.to_owned()), "{text}");
        }
    }
}
