//! One record's text becomes cells (RFC 4180).

use memchr::memchr;

/// Characters before which the rejects file puts a `'`.
const ARMED: [char; 7] = ['=', '+', '-', '@', '\'', '\t', '\r'];

/// Why a text is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quoted cell is open at the end: more lines may close it.
    Open,
    /// There is text behind a closing quote.
    Behind,
}

/// Splits a record into cells (RFC 4180). A quote within an unquoted cell is a character like any other.
pub(super) fn split(text: &[u8], delimiter: u8, cell: &mut impl FnMut(&[u8])) -> Result<(), Broken> {
    let mut rest = text;
    loop {
        let end = match rest.first() {
            Some(b'"') => quoted(rest, delimiter, cell)?,
            _ => {
                let end = memchr(delimiter, rest).unwrap_or(rest.len());
                cell(&rest[..end]);
                end
            }
        };
        match rest.get(end) {
            None => return Ok(()),
            Some(_) => rest = &rest[end + 1..],
        }
    }
}

/// A quoted cell; says where it ends.
fn quoted(text: &[u8], delimiter: u8, cell: &mut impl FnMut(&[u8])) -> Result<usize, Broken> {
    let mut content = Vec::new();
    let mut at = 1;
    loop {
        let quote = at + memchr(b'"', &text[at..]).ok_or(Broken::Open)?;
        content.extend_from_slice(&text[at..quote]);
        match text.get(quote + 1) {
            Some(b'"') => {
                content.push(b'"');
                at = quote + 2;
            }
            Some(byte) if *byte != delimiter => return Err(Broken::Behind),
            _ => {
                cell(&content);
                return Ok(quote + 1);
            }
        }
    }
}

/// Takes away the one `'` that the rejects file put before a cell.
pub(super) fn disarm(cell: &mut String) {
    if cell.strip_prefix('\'').is_some_and(|rest| rest.starts_with(ARMED)) {
        cell.remove(0);
    }
}
