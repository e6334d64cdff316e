//! The lines of MLSD and MLST (RFC 3659, section 7.2): facts, a blank, the name.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{Entry, Malformed, Said, entry, number, plain};
use crate::model::file::ListedKind;

/// What MLST says of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What it is. None: a link, or the server doesn't say.
    pub kind: Option<ListedKind>,
    /// Size in bytes, if said.
    pub size: Option<u64>,
    /// Modification time, if said.
    pub mtime: Option<Timestamp>,
}

/// One line of MLSD, with or without its end. None: a blank line, the folder itself or the one above it.
pub fn mlsd(line: &[u8]) -> Result<Option<Entry>, Malformed> {
    let line = plain(line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let (facts, name) = split(line)?;
    let (facts, itself) = read(facts);
    if itself {
        return Ok(None);
    }
    entry(line, Said { kind: facts.kind, size: facts.size, mtime: facts.mtime }, name)
}

/// The one line of MLST's answer that has the facts, with or without the blank that it begins with. The name in it is
/// what was asked for, in the server's words, and is not looked at.
pub fn mlst(line: &[u8]) -> Result<Facts, Malformed> {
    let line = plain(line)?;
    let (facts, _) = split(line.strip_prefix(b" ").unwrap_or(line))?;
    Ok(read(facts).0)
}

/// A time as MDTM and the fact `modify` have it: `20261122130207`, with any fraction (RFC 3659, section 2.3). UTC.
pub fn time(text: &[u8]) -> Option<Timestamp> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &b"0"[..]),
    };
    if whole.len() != 14 || fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let part = |from: usize| number::<i8>(&whole[from..from + 2], 2);
    // A leap second ends with the second before it.
    let second = part(12).map(|second| if second == 60 { 59 } else { second })?;
    let nanos =
        fraction.iter().chain(b"000000000").take(9).fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0'));
    let civil = DateTime::new(number(&whole[..4], 4)?, part(4)?, part(6)?, part(8)?, part(10)?, second, nanos).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// Facts and name. A name may have `; ` in it, facts have no blank.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let facts = line.windows(2).position(|pair| pair == b"; ").map(|end| end + 1);
    // A server with a blank in a fact's value is understood as well; one that forgets the last `;` too.
    let end = if line.first() == Some(&b' ') { Some(0) } else { facts.or(line.iter().position(|byte| *byte == b' ')) };
    let Some(end) = end else { return Err(Malformed::new(line, "it has no blank between facts and name")) };
    Ok((&line[..end], &line[end + 1..]))
}

/// The facts, and whether they are the folder's own or of the one above it. A size or time that is none counts as not said.
fn read(text: &[u8]) -> (Facts, bool) {
    let mut facts = Facts { kind: None, size: None, mtime: None };
    let mut itself = false;
    for fact in text.split(|byte| *byte == b';') {
        let Some(equals) = fact.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = (&fact[..equals], &fact[equals + 1..]);
        match name.to_ascii_lowercase().as_slice() {
            b"type" => {
                let value = value.to_ascii_lowercase();
                itself = matches!(value.as_slice(), b"cdir" | b"pdir");
                facts.kind = match value.as_slice() {
                    b"file" => Some(ListedKind::File),
                    b"dir" | b"cdir" | b"pdir" => Some(ListedKind::Folder),
                    // `OS.unix=slink:/target`, `OS.unix=symlink`
                    other if other.windows(4).any(|part| part == b"link") => None,
                    _ => Some(ListedKind::Other),
                };
            }
            b"size" => facts.size = number(value, 20),
            b"modify" => facts.mtime = time(value),
            _ => {}
        }
    }
    (facts, itself)
}
