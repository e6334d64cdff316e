//! Text, labels, booleans, UUIDs and bytes.

use std::borrow::Cow;

use super::ValueError;
use crate::model::reject::RejectCode;

/// At most `max` characters; blanks beyond that are cut as SQL does, and all blanks at the end if `padded`.
pub(super) fn text(text: &str, max: Option<u32>, padded: bool) -> Result<Cow<'_, str>, ValueError> {
    let text = if padded { text.trim_end_matches(' ') } else { text };
    let Some(max) = max.map(|max| max as usize) else { return Ok(Cow::Borrowed(text)) };
    if text.len() <= max {
        return Ok(Cow::Borrowed(text));
    }
    let Some((end, _)) = text.char_indices().nth(max) else { return Ok(Cow::Borrowed(text)) };
    if text[end..].bytes().all(|b| b == b' ') {
        return Ok(Cow::Borrowed(&text[..end]));
    }
    let length = text.chars().count();
    Err(ValueError::new(RejectCode::TooLong, format!("{length} characters, but the column holds at most {max}")))
}

/// One of the labels exactly.
pub(super) fn label<'a>(text: &'a str, labels: &[String]) -> Result<Cow<'a, str>, ValueError> {
    if labels.iter().any(|label| label == text) {
        return Ok(Cow::Borrowed(text));
    }
    let mut message =
        format!("not one of the values that the column allows: {}", labels[..labels.len().min(10)].join(", "));
    if labels.len() > 10 {
        message.push_str(&format!(" and {} more", labels.len() - 10));
    }
    if labels.iter().any(|label| label.eq_ignore_ascii_case(text.trim())) {
        message.push_str("; upper and lower case and blanks count");
    }
    Err(ValueError::new(RejectCode::NotAllowed, message))
}

/// true/false, yes/no, y/n, t/f, 1/0, on/off in any case.
pub(super) fn boolean(text: &str) -> Result<&'static str, ValueError> {
    const WORDS: [(&str, bool); 12] = [
        ("true", true),
        ("false", false),
        ("1", true),
        ("0", false),
        ("t", true),
        ("f", false),
        ("yes", true),
        ("no", false),
        ("y", true),
        ("n", false),
        ("on", true),
        ("off", false),
    ];
    match WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        Some((_, true)) => Ok("true"),
        Some((_, false)) => Ok("false"),
        None => Err(ValueError::new(
            RejectCode::InvalidBoolean,
            "neither true nor false: write true/false, yes/no, y/n, t/f, 1/0 or on/off",
        )),
    }
}

/// Any spelling of a UUID: braces, upper case, without hyphens.
pub(super) fn uuid(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let hyphen = |i: usize| matches!(i, 8 | 13 | 18 | 23);
    let canonical = text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match b {
            b'-' => hyphen(i),
            b'0'..=b'9' | b'a'..=b'f' => !hyphen(i),
            _ => false,
        });
    if canonical {
        return Ok(Cow::Borrowed(text));
    }
    let uuid = uuid::Uuid::try_parse(text).map_err(|_| {
        ValueError::new(
            RejectCode::InvalidUuid,
            "not a UUID: 32 hexadecimal digits such as 123e4567-e89b-12d3-a456-426614174000",
        )
    })?;
    Ok(Cow::Owned(uuid.hyphenated().to_string()))
}

/// `\x` and hexadecimal digits.
pub(super) fn bytes(text: &str) -> Result<Cow<'_, str>, ValueError> {
    let digits = text.strip_prefix("\\x").filter(|d| d.len() % 2 == 0 && d.bytes().all(|b| b.is_ascii_hexdigit()));
    match digits {
        Some(digits) if digits.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Cow::Owned(text.to_ascii_lowercase())),
        Some(_) => Ok(Cow::Borrowed(text)),
        None => Err(ValueError::new(
            RejectCode::InvalidBytes,
            "not bytes in hexadecimal: \\x and two digits for each byte, such as \\x00ff",
        )),
    }
}
