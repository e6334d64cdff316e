//! One record's text becomes cells (RFC 4180).

use memchr::memchr;

/// A longer cell is refused; in quotes, it is a broken quote.
pub(super) const LONGEST_CELL: usize = 1 << 20;
/// Characters before which the rejects file puts a `'`.
const ARMED: [char; 7] = ['=', '+', '-', '@', '\'', '\t', '\r'];

/// Why a text is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quoted cell, which begins there, is open at the end: more lines may close it.
    Open(usize),
    /// There is text behind a closing quote, or so much within that one is likely to be missing.
    Behind,
}

/// Splits a record into cells (RFC 4180). A quote within an unquoted cell is a character like any other; blanks behind a
/// closing quote mean nothing.
pub(super) fn split(text: &[u8], delimiter: u8, cell: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let end = match rest.first() {
            Some(b'"') => quoted(rest, delimiter, cell)?.ok_or(Broken::Open(at))?,
            _ => {
                let end = memchr(delimiter, rest).unwrap_or(rest.len());
                cell(&rest[..end]);
                end
            }
        };
        at += end + 1;
        if at > text.len() {
            return Ok(());
        }
    }
}

/// A quoted cell; says where it ends, or None if it is open at the end of the text.
fn quoted(text: &[u8], delimiter: u8, cell: &mut impl FnMut(&[u8])) -> Result<Option<usize>, Broken> {
    // Only a cell with a quote in it is copied.
    let (mut content, mut at) = (Vec::new(), 1);
    let quote = loop {
        let Some(quote) = memchr(b'"', &text[at..]).map(|found| at + found) else { return Ok(None) };
        if content.len() + quote - at > LONGEST_CELL {
            return Err(Broken::Behind);
        }
        if text.get(quote + 1) != Some(&b'"') {
            break quote;
        }
        content.extend_from_slice(&text[at..=quote]);
        at = quote + 2;
    };
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t') && **byte != delimiter;
    let end = quote + 1 + text[quote + 1..].iter().take_while(blank).count();
    if text.get(end).is_some_and(|byte| *byte != delimiter) {
        return Err(Broken::Behind);
    }
    if content.is_empty() {
        cell(&text[at..quote]);
    } else {
        content.extend_from_slice(&text[at..quote]);
        cell(&content);
    }
    Ok(Some(end))
}

/// Takes away the one `'` that the rejects file put before a cell.
pub(super) fn disarm(cell: &mut String) {
    if cell.strip_prefix('\'').is_some_and(|rest| rest.starts_with(ARMED)) {
        cell.remove(0);
    }
}
