//! The header: which delimiter separates it, and which columns it names.

use std::{fs::File, io};

use super::{
    DecodeError,
    cells::{Broken, disarm, split},
    lines::{Line, Lines},
};
use crate::model::job::CsvOptions;

/// The first record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The columns' names, trimmed, in order; empty where a column has none.
    pub names: Vec<String>,
    /// What separates cells.
    pub delimiter: u8,
    /// The encoding that was found or given.
    pub encoding: &'static str,
    /// Whether this is a rejects file that came back: it has `usersync_reason_code`.
    pub correction: bool,
}

/// Delimiters that are looked for, the likelier first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The longest header, in bytes.
const LONGEST: usize = 1 << 20;
/// How many bytes are read at once.
const AT_ONCE: usize = 64 << 10;
/// How many rows behind the header say which delimiter it is.
const LOOKED_AT: usize = 20;

/// Reads the header of the text that begins at `start`. Says where the rows begin, and on which line.
pub(super) fn read(
    text: &File,
    start: u64,
    options: &CsvOptions,
    encoding: &'static str,
) -> Result<(Header, u64, u64), DecodeError> {
    let mut lines = Lines::new(text.try_clone()?, start, 1, AT_ONCE);
    let mut first = Vec::new();
    let mut line = next_line(&mut lines, &mut first)?;
    let mut said = options.delimiter;
    if let Some(delimiter) = sep(&first) {
        said = Some(delimiter);
        line = next_line(&mut lines, &mut first)?;
    }
    let (Some(mut number), mut begins) = (line.map(|line| line.number), line.map_or(start, |line| line.offset)) else {
        return Err(DecodeError::Header(
            "the file has no header line: its first line must name the columns".to_owned(),
        ));
    };
    let delimiter = match said {
        Some(delimiter) => delimiter,
        None => likely(text, begins, number)?,
    };
    // A header cell may have a line break in quotes.
    let (mut names, mut last) = (Vec::new(), line);
    loop {
        names.clear();
        let whole = split(&first, delimiter, &mut |cell| names.push(cell.to_vec()));
        let cut = last.is_none_or(|line| line.cut) || first.len() > LONGEST;
        match whole {
            Ok(()) if !cut => break,
            Ok(()) => return Err(DecodeError::Header(format!("the header line is longer than {} MiB", LONGEST >> 20))),
            Err(Broken::Open(_)) if !cut => {
                first.extend_from_slice(last.map_or(b"".as_slice(), |line| line.end));
                last = lines.next(&mut first)?;
                number += 1;
                if last.is_some() {
                    continue;
                }
            }
            Err(_) => {}
        }
        return Err(DecodeError::Header(
            "a quote in the header is never closed, or text follows a closing quote: correct the header".to_owned(),
        ));
    }
    begins = lines.offset();
    let names = named(names, delimiter)?;
    let correction = names.iter().any(|name| name.eq_ignore_ascii_case("usersync_reason_code"));
    Ok((Header { names, delimiter, encoding, correction }, begins, number + 1))
}

/// The next line that isn't blank.
fn next_line(lines: &mut Lines, text: &mut Vec<u8>) -> io::Result<Option<Line>> {
    loop {
        text.clear();
        match lines.next(text)? {
            Some(_) if text.trim_ascii().is_empty() => {}
            found => return Ok(found),
        }
    }
}

/// `sep=;`, in quotes or not: how spreadsheets write the delimiter down.
fn sep(line: &[u8]) -> Option<u8> {
    let plain = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match plain {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => Some(*delimiter),
        _ => None,
    }
}

/// The delimiter with which the most rows have as many cells as the header, and the header the most.
fn likely(text: &File, start: u64, number: u64) -> io::Result<u8> {
    let mut lines = Lines::new(text.try_clone()?, start, number, AT_ONCE);
    let mut sample = Vec::new();
    while sample.len() <= LOOKED_AT {
        let mut line = Vec::new();
        match lines.next(&mut line)? {
            Some(_) if line.trim_ascii().is_empty() => {}
            Some(_) => sample.push(line),
            None => break,
        }
    }
    let score = |delimiter: u8| {
        let cells = |line: &Vec<u8>| {
            let mut count = 0;
            split(line, delimiter, &mut |_| count += 1).map_or(0, |()| count)
        };
        let header = sample.first().map_or(0, cells);
        let alike = sample.iter().skip(1).filter(|line| cells(line) == header).count();
        (header > 1, alike, header)
    };
    let mut best = (DELIMITERS[0], (false, 0, 0));
    for delimiter in DELIMITERS {
        let score = score(delimiter);
        if score.0 && score > best.1 {
            best = (delimiter, score);
        }
    }
    Ok(best.0)
}

fn named(cells: Vec<Vec<u8>>, delimiter: u8) -> Result<Vec<String>, DecodeError> {
    let mut names = Vec::with_capacity(cells.len());
    for (at, cell) in cells.into_iter().enumerate() {
        let name = String::from_utf8(cell).map_err(|_| {
            DecodeError::Encoding(format!(
                "the name of column {} is not text in the file's encoding: set `csv.encoding` (spreadsheets often write \
                 windows-1252), or save the file as UTF-8",
                at + 1
            ))
        })?;
        if name.contains('\0') {
            return Err(DecodeError::NotCsv("the header has NUL bytes: this is no text file".to_owned()));
        }
        names.push(name.trim().to_owned());
    }
    let correction = names.iter().any(|name| name.eq_ignore_ascii_case("usersync_reason_code"));
    if correction {
        names.iter_mut().for_each(disarm);
    }
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(before) = names[..at].iter().position(|other| other == name) {
            return Err(DecodeError::Header(format!(
                "the header has \"{name}\" twice, as columns {} and {}: which one counts can't be known; rename one of them",
                before + 1,
                at + 1
            )));
        }
    }
    if names.iter().all(String::is_empty) {
        let delimiter = char::from(delimiter);
        return Err(DecodeError::Header(format!(
            "the first line names no column (cells are separated by `{delimiter}`)"
        )));
    }
    Ok(names)
}
