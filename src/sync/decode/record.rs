//! Records: one or more physical lines become cells, or rejects.

use std::{collections::VecDeque, io};

use memchr::memchr;

use super::{
    cells::{Broken, LONGEST_CELL, disarm, split},
    header::Header,
    lines::{Line, Lines},
};
use crate::model::reject::{Reject, RejectCode};

/// A quoted cell with more lines is a broken quote: what follows would be swallowed.
const MOST_LINES: usize = 100;
/// A record with line breaks that is longer is a broken quote.
const LONGEST_RECORD: usize = 8 << 20;

/// A row as it came. Kept between rows, so that its memory is used again.
#[derive(Clone, Debug, Default)]
pub struct RawRow {
    /// The physical line on which it begins, from 1.
    pub line: u64,
    /// Where it begins in the text that is read: see [`super::Decoder::rereader`].
    pub offset: u64,
    text: String,
    ends: Vec<usize>,
}

impl RawRow {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no cell.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A cell, untrimmed; empty where the row has no such cell.
    pub fn cell(&self, at: usize) -> &str {
        let Some(end) = self.ends.get(at) else { return "" };
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..*end]
    }

    /// All cells, untrimmed.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.cell(at))
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }
}

/// Reads records from lines.
pub(super) struct Records {
    lines: Lines,
    delimiter: u8,
    correction: bool,
    /// Whether each column has a name.
    named: Vec<bool>,
    /// Lines of a broken quote that are still to be told.
    broken: VecDeque<(Line, Vec<u8>)>,
    text: Vec<u8>,
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    pub fn new(lines: Lines, header: &Header) -> Self {
        Self {
            lines,
            delimiter: header.delimiter,
            correction: header.correction,
            named: header.names.iter().map(|name| !name.is_empty()).collect(),
            broken: VecDeque::new(),
            text: Vec::new(),
            cells: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Goes on at the record that begins there.
    pub fn seek(&mut self, offset: u64, line: u64) {
        self.broken.clear();
        self.lines.seek(offset, line);
    }

    pub fn position(&self) -> u64 {
        self.lines.offset()
    }

    pub fn next(&mut self, row: &mut RawRow) -> io::Result<Option<Result<(), Reject>>> {
        row.clear();
        if let Some((line, text)) = self.broken.pop_front() {
            return Ok(Some(Err(broken_line(line, &text, row))));
        }
        let first = loop {
            self.text.clear();
            match self.lines.next(&mut self.text)? {
                None => return Ok(None),
                Some(_) if self.is_blank() => {}
                Some(line) => break line,
            }
        };
        (row.line, row.offset) = (first.number, first.offset);
        self.cells.clear();
        self.ends.clear();
        let mut begin = 0;
        match self.split(&mut begin) {
            Ok(()) if first.cut => Ok(Some(Err(self.too_long(row)))),
            Ok(()) => Ok(Some(self.judge(row))),
            Err(broken) => self.lines_of_record(first, broken, begin, row),
        }
    }

    /// A record whose first line has a quote still open, or broken.
    fn lines_of_record(
        &mut self,
        first: Line,
        mut broken: Broken,
        mut begin: usize,
        row: &mut RawRow,
    ) -> io::Result<Option<Result<(), Reject>>> {
        let mut lines = vec![(first, self.text.len())];
        loop {
            let last = lines.last().map_or(first, |(line, _)| *line);
            let of_cell = lines.iter().filter(|(_, end)| *end >= begin).count();
            let full =
                of_cell >= MOST_LINES || self.text.len() - begin > LONGEST_CELL || self.text.len() > LONGEST_RECORD;
            if matches!(broken, Broken::Open(_)) && !full && !last.cut {
                self.text.extend_from_slice(last.end);
                if let Some(line) = self.lines.next(&mut self.text)? {
                    lines.push((line, self.text.len()));
                    match self.split(&mut begin) {
                        Ok(()) if line.cut => return Ok(Some(Err(self.too_long(row)))),
                        Ok(()) => return Ok(Some(self.judge(row))),
                        Err(again) => broken = again,
                    }
                    continue;
                }
            }
            self.tell_broken(&lines);
            let told = self.broken.pop_front();
            return Ok(told.map(|(line, text)| {
                row.clear();
                Err(broken_line(line, &text, row))
            }));
        }
    }

    /// A line without anything on it; one of delimiters alone is a row.
    fn is_blank(&self) -> bool {
        self.text.iter().all(|byte| matches!(byte, b' ' | b'\t') && *byte != self.delimiter)
    }

    /// Splits the text from `begin` on, where the cells known so far end; moves `begin` to the cell that is open.
    fn split(&mut self, begin: &mut usize) -> Result<(), Broken> {
        let (cells, ends) = (&mut self.cells, &mut self.ends);
        let split = split(&self.text[*begin..], self.delimiter, &mut |cell| {
            cells.extend_from_slice(cell);
            ends.push(cells.len());
        });
        if let Err(Broken::Open(at)) = split {
            *begin += at;
        }
        split
    }

    /// Each physical line of a broken record is told by itself.
    fn tell_broken(&mut self, lines: &[(Line, usize)]) {
        let mut start = 0;
        for (line, end) in lines {
            self.broken.push_back((*line, self.text[start..*end].to_vec()));
            start = end + line.end.len();
        }
    }

    /// The cells before the one that is too long are known.
    fn too_long(&mut self, row: &mut RawRow) -> Reject {
        let mut start = 0;
        for end in &self.ends {
            let cell = &self.cells[start..*end];
            row.push(&String::from_utf8_lossy(&cell[..cell.len().min(LONGEST_CELL)]));
            start = *end;
        }
        reject(row, RejectCode::CellTooLong, "the line is longer than 4 MiB: is a line break missing?".to_owned())
    }

    /// The cells become the row's; a row that can't be trusted is refused.
    fn judge(&self, row: &mut RawRow) -> Result<(), Reject> {
        let text = match std::str::from_utf8(&self.cells) {
            Ok(text) if self.ends.iter().all(|end| text.is_char_boundary(*end)) => text,
            _ => return Err(self.undecodable(row)),
        };
        row.text.push_str(text);
        row.ends.extend_from_slice(&self.ends);
        if memchr(0, &self.cells).is_some() {
            let message = "the row has a NUL byte, which no database keeps in text: remove it".to_owned();
            return Err(reject(row, RejectCode::NulByte, message));
        }
        if self.cells.len() > LONGEST_CELL && row.cells().any(|cell| cell.len() > LONGEST_CELL) {
            let message = "a cell is longer than 1 MiB: shorten it, or look for a missing line break".to_owned();
            return Err(reject(row, RejectCode::CellTooLong, message));
        }
        if self.correction {
            return self.corrected(row);
        }
        if row.len() != self.named.len() {
            return Err(ragged(row, self.named.len()));
        }
        Ok(())
    }

    fn undecodable(&self, row: &mut RawRow) -> Reject {
        let mut start = 0;
        for end in &self.ends {
            row.push(&String::from_utf8_lossy(&self.cells[start..*end]));
            start = *end;
        }
        let message = "the row has bytes that are not text in the file's encoding: save the file as UTF-8, or have \
                       `csv.encoding` set (spreadsheets often write windows-1252)";
        reject(row, RejectCode::Undecodable, message.to_owned())
    }

    /// A row of a rejects file that came back: what stands under no name says that it is not corrected yet.
    fn corrected(&self, row: &mut RawRow) -> Result<(), Reject> {
        let mut plain = RawRow { line: row.line, offset: row.offset, ..RawRow::default() };
        for cell in row.cells() {
            let mut cell = cell.to_owned();
            disarm(&mut cell);
            plain.push(&cell);
        }
        *row = plain;
        let stray = |at: &usize| !self.named.get(*at).copied().unwrap_or(false) && !row.cell(*at).trim().is_empty();
        // Columns without a name at the end are a spreadsheet's: a row needs no cell for them.
        let columns = self.named.iter().rposition(|named| *named).map_or(0, |last| last + 1);
        if row.len() < columns {
            return Err(ragged(row, columns));
        }
        if let Some(at) = (0..row.len()).find(stray) {
            let message = format!(
                "cell {} stands under no column name: once the row is right, delete what is behind its last named column",
                at + 1
            );
            return Err(reject(row, RejectCode::Ragged, message));
        }
        row.ends.truncate(self.named.len());
        Ok(())
    }
}

fn ragged(row: &RawRow, expected: usize) -> Reject {
    let (found, less) = (row.len(), row.len() < expected);
    let likely = if less {
        "is a cell missing, or a line break inside a cell?"
    } else {
        "is a cell with the delimiter in it not quoted?"
    };
    reject(row, RejectCode::Ragged, format!("the row has {found} cells, the header {expected}: {likely}"))
}

fn broken_line(line: Line, text: &[u8], row: &mut RawRow) -> Reject {
    (row.line, row.offset) = (line.number, line.offset);
    row.push(&String::from_utf8_lossy(text));
    let message =
        "a quote is not closed, or text follows a closing quote: a quote within a quoted cell is written twice";
    reject(row, RejectCode::BrokenQuote, message.to_owned())
}

fn reject(row: &RawRow, code: RejectCode, message: String) -> Reject {
    Reject { line: row.line, column: None, value: None, code, message, sensitive: false }
}
