//! Physical lines of a file, from any offset, in bounded memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::FileExt,
};

use memchr::memchr2;

/// A longer line is skipped, not kept: nothing may make a row endless.
const LONGEST: usize = 4 << 20;

/// A line as it was read into the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Where it begins in the file.
    pub offset: u64,
    /// Its number, from 1.
    pub number: u64,
    /// Whether it is longer than [`LONGEST`], and cut there.
    pub cut: bool,
    /// Its line break; empty for a last line without one.
    pub end: &'static [u8],
}

/// Reads lines that end in LF, CRLF, or CR.
pub(super) struct Lines {
    bytes: BufReader<At>,
    offset: u64,
    number: u64,
}

impl Lines {
    /// Lines from `offset` on, of which the first has this number; `buffer` bytes are read at once.
    pub fn new(file: File, offset: u64, number: u64, buffer: usize) -> Self {
        Self { bytes: BufReader::with_capacity(buffer, At { file, offset }), offset, number }
    }

    /// Goes on at another line.
    pub fn seek(&mut self, offset: u64, number: u64) {
        let ahead = offset.checked_sub(self.offset).filter(|ahead| *ahead <= self.bytes.buffer().len() as u64);
        match ahead {
            Some(ahead) => self.bytes.consume(ahead as usize),
            None => {
                self.bytes.consume(self.bytes.buffer().len());
                self.bytes.get_mut().offset = offset;
            }
        }
        (self.offset, self.number) = (offset, number);
    }

    /// Where the next line begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next line to `text`, without its end. None: there is no more.
    pub fn next(&mut self, text: &mut Vec<u8>) -> io::Result<Option<Line>> {
        let mut line = Line { offset: self.offset, number: self.number, cut: false, end: b"" };
        let before = text.len();
        loop {
            let bytes = self.bytes.fill_buf()?;
            if bytes.is_empty() {
                if self.offset == line.offset {
                    return Ok(None);
                }
                break;
            }
            let end = memchr2(b'\n', b'\r', bytes);
            let content = &bytes[..end.unwrap_or(bytes.len())];
            let room = LONGEST - (text.len() - before).min(LONGEST);
            line.cut |= content.len() > room;
            text.extend_from_slice(&content[..content.len().min(room)]);
            let used = content.len();
            let ended = end.map(|end| bytes[end]);
            self.consume(used);
            if let Some(ended) = ended {
                self.consume(1);
                line.end = if ended == b'\n' {
                    b"\n"
                } else if self.bytes.fill_buf()?.first() == Some(&b'\n') {
                    self.consume(1);
                    b"\r\n"
                } else {
                    b"\r"
                };
                break;
            }
        }
        self.number += 1;
        Ok(Some(line))
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
        self.offset += count as u64;
    }
}

/// Reads a file by offset: readers of one file don't share a cursor.
struct At {
    file: File,
    offset: u64,
}

impl Read for At {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
