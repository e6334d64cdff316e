//! Decode: bytes become a header and rows. A bad row is a reject with its line and never stops its neighbours; a file
//! that is no CSV at all is an error.

mod cells;
mod encoding;
mod header;
mod lines;
mod record;
mod sniff;

use std::{
    fs::File,
    io::{self, Read},
};

pub use self::{header::Header, record::RawRow};
use self::{lines::Lines, record::Records};
use crate::model::{job::CsvOptions, reject::Reject};

/// Why a file can't be read as CSV at all. The messages are for the file's sender.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There is not one byte.
    #[error("the file is empty (0 bytes): send it again, with a header line at least")]
    Empty,
    /// It is something else.
    #[error("{0}")]
    NotCsv(String),
    /// The header can't be used.
    #[error("{0}")]
    Header(String),
    /// The encoding is unknown, or not the file's.
    #[error("{0}")]
    Encoding(String),
    /// The spooled file can't be read.
    #[error("the spooled file can't be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a spooled file row by row, in bounded memory.
pub struct Decoder {
    text: File,
    header: Header,
    records: Records,
    size: u64,
}

/// Reads single rows of a file once more.
pub struct Rereader(Records);

/// How many bytes are read at once, row after row.
const STREAM: usize = 256 << 10;
/// The same where rows are read here and there.
const JUMP: usize = 16 << 10;
/// How much of the file's beginning is looked at to find out what it is.
const SAMPLE: usize = 64 << 10;

impl Decoder {
    /// Opens a file at its header. `scratch` is an empty temporary file, used only where the file isn't UTF-8: it is
    /// transcoded into it once.
    pub fn open(mut file: File, options: &CsvOptions, scratch: File) -> Result<Self, DecodeError> {
        let mut sample = Vec::with_capacity(SAMPLE);
        (&mut file).take(SAMPLE as u64).read_to_end(&mut sample)?;
        if sample.is_empty() {
            return Err(DecodeError::Empty);
        }
        sniff::is_text(&sample)?;
        let found = encoding::find(&sample, &options.encoding)?;
        let (text, start) = match encoding::transcode(&file, &found, &scratch)? {
            true => (scratch, 0),
            false => (file, found.bom as u64),
        };
        let size = text.metadata()?.len();
        let (header, start, line) = header::read(&text, start, options, found.encoding.name())?;
        let records = Records::new(Lines::new(text.try_clone()?, start, line, STREAM), &header);
        Ok(Self { text, header, records, size })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the next row into `row`. `Some(Err(…))`: the row is refused; `row` then has its cells as far as they are
    /// known, or the raw line of a broken quote. None: the file has ended.
    pub fn next(&mut self, row: &mut RawRow) -> Result<Option<Result<(), Reject>>, DecodeError> {
        Ok(self.records.next(row)?)
    }

    /// What reads rows of this file once more, whatever is read here meanwhile.
    pub fn rereader(&self) -> io::Result<Rereader> {
        Ok(Rereader(Records::new(Lines::new(self.text.try_clone()?, 0, 1, JUMP), &self.header)))
    }

    /// How many bytes of the text are read.
    pub fn position(&self) -> u64 {
        self.records.position()
    }

    /// How many bytes the text has.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Rereader {
    /// Reads the row that begins at `offset`, on that line. Only rows that were not refused are read as they were.
    pub fn read(&mut self, offset: u64, line: u64, row: &mut RawRow) -> io::Result<()> {
        self.0.seek(offset, line);
        self.0.next(row).map(drop)
    }
}

#[cfg(test)]
mod tests;
