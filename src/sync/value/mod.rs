//! The one canonical text of a value: equal values of a column have equal text, so that comparing users is comparing text.

mod array;
mod json;
mod number;
mod text;
mod time;
mod typed;

use std::borrow::Cow;

pub use typed::{check_format, convert, parse_typed};

use crate::model::{column::ColumnType, reject::RejectCode};

/// Why a text is not a value of its column: never shows the text itself, which may be sensitive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// The stable code.
    pub code: RejectCode,
    /// What is wrong and which form is expected.
    pub message: String,
}

impl ValueError {
    pub(crate) fn new(code: RejectCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The canonical text of a column's value; borrowed when `text` is canonical already. Idempotent. Blanks around anything but
/// text mean nothing.
///
/// | type | canonical text |
/// |---|---|
/// | text | as it is; blanks beyond the length that the column allows (`varchar(n)`), or at the end (`char(n)`), are cut |
/// | integer | no sign but `-`, no leading zeros |
/// | decimal | the same; rounded to the scale (half away from zero), no zeros at the end; also `NaN`, `Infinity`, `-Infinity` |
/// | float | the shortest text that reads back to the same number |
/// | boolean | `true`, `false` |
/// | date, time | `2026-11-22`, `14:03:00`, `14:03:00.5` |
/// | timestamp | `2026-11-22T14:03:00.5`, with `Z` when zoned; a text without offset is taken as UTC |
/// | uuid | lower case with hyphens |
/// | json | no blanks, keys sorted, numbers by value and in full |
/// | bytes | `\x` and lower-case hexadecimal |
/// | enum | the label |
/// | list of texts | `{a,"b c",NULL}`, as PostgreSQL prints it; JSON is read too |
///
/// Dates that PostgreSQL prints and ISO 8601 can't (`infinity`, years beyond 9999 or before 1) are kept as they are.
pub fn canonical<'a>(kind: &ColumnType, text: &'a str) -> Result<Cow<'a, str>, ValueError> {
    match kind {
        ColumnType::Text { max, padded, .. } => text::text(text, *max, *padded),
        ColumnType::Integer { min, max } => number::integer(text.trim(), *min, *max),
        ColumnType::Decimal { precision, scale } => number::decimal(text.trim(), *precision, *scale),
        ColumnType::Float { single } => number::float(text.trim(), *single),
        ColumnType::Boolean => text::boolean(text.trim()).map(Cow::Borrowed),
        ColumnType::Date => time::date(text.trim()),
        ColumnType::Time => time::time(text.trim()),
        ColumnType::Timestamp { zoned, digits } => time::timestamp(text.trim(), *zoned, *digits),
        ColumnType::Uuid => text::uuid(text.trim()),
        ColumnType::Json { .. } => json::json(text),
        ColumnType::Bytes => text::bytes(text.trim()),
        ColumnType::Enum { labels } => text::label(text, labels),
        ColumnType::TextArray { max } => array::array(text.trim(), *max),
        ColumnType::Unsupported => Err(ValueError::new(
            RejectCode::NotAllowed,
            "the column has a type whose values can't be compared, so it can't be mapped",
        )),
    }
}

#[cfg(test)]
mod tests;
