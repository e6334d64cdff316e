//! Rows that were refused.

use serde::{Deserialize, Serialize};

use super::reason::reasons;

reasons! {
    /// Why a row was refused: stable codes, in `usersync_reason_code` of the rejects file.
    RejectCode {
        /// The row has more or fewer cells than the header.
        Ragged,
        /// A quote is opened and never closed, or text follows a closing quote.
        BrokenQuote,
        /// The bytes are not text in the file's encoding.
        Undecodable,
        /// The row has a NUL byte, which no database keeps in text.
        NulByte,
        /// A cell is longer than 1 MiB.
        CellTooLong,
        /// The cell of the user id is empty.
        KeyMissing,
        /// The user id stands in an earlier row already.
        DuplicateKey,
        /// A user outside this sync's scope has this id.
        KeyOutsideScope,
        /// A required property is empty.
        Required,
        /// The text is not an e-mail address.
        InvalidEmail,
        /// The text is not a whole number.
        InvalidInteger,
        /// The text is not a number.
        InvalidNumber,
        /// The text is neither true nor false.
        InvalidBoolean,
        /// The text is not a date.
        InvalidDate,
        /// The text is not a time of day.
        InvalidTime,
        /// The text is not a date with a time.
        InvalidDateTime,
        /// The local time doesn't exist, or exists twice, in `mapping.timeZone`.
        AmbiguousLocalTime,
        /// The text is not a UUID.
        InvalidUuid,
        /// The text is not JSON.
        InvalidJson,
        /// The text is not bytes in hexadecimal.
        InvalidBytes,
        /// The text is not a list.
        InvalidArray,
        /// The text is not one of the values that the column allows.
        NotAllowed,
        /// The text is longer than the column.
        TooLong,
        /// The number is outside what the column holds.
        OutOfRange,
        /// An expression of the mapping failed on this row.
        ExpressionFailed,
        /// The filter failed on this row.
        FilterFailed,
        /// Users of the file exchange unique values, and the database can't do that.
        UniqueExchange,
        /// The database refused the row, for its own reason.
        DatabaseRefused,
    }
}

impl RejectCode {
    /// Whether the row's cells can't be trusted to stand under their own columns, its user id among them.
    pub const fn key_unreadable(self) -> bool {
        matches!(
            self,
            Self::Ragged | Self::BrokenQuote | Self::Undecodable | Self::NulByte | Self::CellTooLong | Self::KeyMissing
        )
    }
}

/// Why one row was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The physical line on which the row begins, from 1.
    pub line: u64,
    /// The column's name in the file, where one cell is to blame.
    pub column: Option<String>,
    /// The cell as it came, cut at 100 characters.
    pub value: Option<String>,
    /// The stable code.
    pub code: RejectCode,
    /// The reason in plain words, with what to do; it does not repeat the line.
    pub message: String,
    /// Whether `value` and `message` may show what the cell holds.
    pub sensitive: bool,
}
