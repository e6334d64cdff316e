//! Whole, decimal and floating-point numbers.

use std::borrow::Cow;

use super::ValueError;
use crate::model::reject::RejectCode;

/// Digits that PostgreSQL's `numeric` holds before and behind the point
/// (<https://www.postgresql.org/docs/current/datatype-numeric.html>).
const WHOLE: i64 = 131_072;
const FRACTION: i64 = 16_383;

/// A whole number within bounds.
pub(super) fn integer(text: &str, min: i64, max: i64) -> Result<Cow<'_, str>, ValueError> {
    let invalid = || ValueError::new(RejectCode::InvalidInteger, "not a whole number: digits only, such as 42 or -7");
    let range = || ValueError::new(RejectCode::OutOfRange, format!("outside what the column holds: {min} to {max}"));
    let (negative, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid());
    }
    let significant = digits.trim_start_matches('0');
    let value = match significant.len() {
        0 => 0,
        1..=19 => significant.parse::<i128>().map_err(|_| invalid())?,
        _ => return Err(range()),
    };
    let value = if negative { -value } else { value };
    if value < i128::from(min) || value > i128::from(max) {
        return Err(range());
    }
    let plain = text == "0"
        || (significant.len() == digits.len() && value != 0 && text.len() == digits.len() + usize::from(negative));
    Ok(if plain { Cow::Borrowed(text) } else { Cow::Owned(value.to_string()) })
}

/// A decimal number, rounded to `scale` digits behind the point and held against `precision`.
pub(super) fn decimal(text: &str, precision: Option<u32>, scale: Option<u32>) -> Result<Cow<'_, str>, ValueError> {
    if let Some(word) = special(text) {
        return match (word, precision) {
            ("NaN", _) | (_, None) => Ok(Cow::Borrowed(word)),
            _ => Err(ValueError::new(RejectCode::OutOfRange, "the column holds no infinity")),
        };
    }
    let mut number = Digits::parse(text).ok_or_else(not_a_number)?;
    if number.whole() > WHOLE {
        return Err(too_large(precision, scale));
    }
    // PostgreSQL reads no more digits than it can hold behind the point either.
    number.round(scale.map_or(FRACTION, i64::from));
    if let Some(precision) = precision {
        let whole = i64::from(precision) - i64::from(scale.unwrap_or(0));
        if !number.is_zero() && number.point > whole {
            return Err(too_large(Some(precision), scale));
        }
    }
    let out = number.plain();
    Ok(if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) })
}

/// A binary floating-point number as the shortest text that reads back to it.
pub(super) fn float(text: &str, single: bool) -> Result<Cow<'_, str>, ValueError> {
    if let Some(word) = special(text) {
        return Ok(Cow::Borrowed(word));
    }
    let digits = Digits::parse(text).ok_or_else(not_a_number)?;
    let (out, lost) = if single {
        let value: f32 = text.parse().map_err(|_| not_a_number())?;
        (format!("{value:?}"), value.is_infinite() || (value == 0.0 && !digits.is_zero()))
    } else {
        let value: f64 = text.parse().map_err(|_| not_a_number())?;
        (format!("{value:?}"), value.is_infinite() || (value == 0.0 && !digits.is_zero()))
    };
    if lost {
        return Err(ValueError::new(RejectCode::OutOfRange, "too large or too small for a floating-point column"));
    }
    let out = match out.strip_suffix(".0").unwrap_or(&out) {
        "-0" => "0",
        out => out,
    };
    Ok(if out == text { Cow::Borrowed(text) } else { Cow::Owned(out.to_owned()) })
}

/// A number of JSON by value: in full, or as digits and exponent where that would be long.
pub(super) fn json_number(text: &str) -> Option<String> {
    let number = Digits::parse(text)?;
    Some(if number.whole() > 40 || number.fraction() > 40 { number.scientific() } else { number.plain() })
}

fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// What PostgreSQL has besides numbers, in any case.
fn special(text: &str) -> Option<&'static str> {
    let (negative, word) = signed(text);
    if word.eq_ignore_ascii_case("infinity") || word.eq_ignore_ascii_case("inf") {
        return Some(if negative { "-Infinity" } else { "Infinity" });
    }
    text.eq_ignore_ascii_case("nan").then_some("NaN")
}

fn not_a_number() -> ValueError {
    ValueError::new(RejectCode::InvalidNumber, "not a number: digits with a point, such as 1234.5")
}

fn too_large(precision: Option<u32>, scale: Option<u32>) -> ValueError {
    let message = match (precision, scale.unwrap_or(0)) {
        (Some(precision), scale) if scale >= precision => "too large for the column".to_owned(),
        (Some(precision), scale) => format!("the column holds at most {} digits before the point", precision - scale),
        (None, _) => format!("the column holds at most {WHOLE} digits before the point"),
    };
    ValueError::new(RejectCode::OutOfRange, message)
}

/// A decimal number: 0.`digits` × 10^`point`, without zeros at either end of `digits`.
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    point: i64,
}

impl Digits {
    /// `[+-]digits[.digits][e[+-]digits]`, at least one digit around the point.
    fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = signed(text);
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let mut digits = Vec::with_capacity(whole.len() + fraction.len());
        digits.extend_from_slice(whole.as_bytes());
        digits.extend_from_slice(fraction.as_bytes());
        let mut number = Self { negative, digits, point: whole.len() as i64 + exponent };
        number.tidy();
        Some(number)
    }

    fn tidy(&mut self) {
        let leading = self.digits.iter().take_while(|d| **d == b'0').count();
        self.digits.drain(..leading);
        self.point -= leading as i64;
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            self.point = 0;
            self.negative = false;
        }
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Digits before the point.
    fn whole(&self) -> i64 {
        self.point.max(0)
    }

    /// Digits behind the point.
    fn fraction(&self) -> i64 {
        (self.digits.len() as i64 - self.point).max(0)
    }

    /// Half away from zero, to `scale` digits behind the point.
    fn round(&mut self, scale: i64) {
        let keep = self.point + scale;
        if keep >= self.digits.len() as i64 {
            return;
        }
        let Ok(keep) = usize::try_from(keep) else {
            self.digits.clear();
            self.tidy();
            return;
        };
        let up = self.digits[keep] >= b'5';
        self.digits.truncate(keep);
        if up {
            match self.digits.iter().rposition(|d| *d != b'9') {
                Some(at) => {
                    self.digits[at] += 1;
                    self.digits.truncate(at + 1);
                }
                None => {
                    self.digits = vec![b'1'];
                    self.point += 1;
                }
            }
        }
        self.tidy();
    }

    fn plain(&self) -> String {
        let mut out = String::with_capacity(self.digits.len() + 4);
        if self.negative {
            out.push('-');
        }
        let zeros = |out: &mut String, count: i64| (0..count).for_each(|_| out.push('0'));
        if self.point <= 0 {
            out.push('0');
        }
        for (i, digit) in self.digits.iter().enumerate() {
            if i as i64 == self.point.max(0) && (self.point > 0 || i == 0) {
                out.push('.');
                zeros(&mut out, -self.point);
            }
            out.push(*digit as char);
        }
        zeros(&mut out, self.point - self.digits.len() as i64);
        out
    }

    fn scientific(&self) -> String {
        let mut out = String::with_capacity(self.digits.len() + 12);
        if self.negative {
            out.push('-');
        }
        for (i, digit) in self.digits.iter().enumerate() {
            if i == 1 {
                out.push('.');
            }
            out.push(*digit as char);
        }
        out.push_str(&format!("e{}", self.point - 1));
        out
    }
}

/// An exponent; one beyond any column counts as just beyond.
fn exponent(text: &str) -> Option<i64> {
    let (negative, digits) = signed(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000_000);
    Some(if negative { -value } else { value })
}
