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
    header: Header,
    records: Records,
    again: Records,
    size: u64,
}

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
        let records =
            |start, line| Ok::<_, io::Error>(Records::new(Lines::new(text.try_clone()?, start, line), &header));
        let (records, again) = (records(start, line)?, records(start, line)?);
        Ok(Self { header, records, again, size })
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

    /// Reads the row that begins at `offset` once more.
    pub fn reread(&mut self, offset: u64, line: u64, row: &mut RawRow) -> Result<(), DecodeError> {
        self.again.seek(offset, line);
        self.again.next(row)?;
        Ok(())
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

#[cfg(test)]
mod tests;
