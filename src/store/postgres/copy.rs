//! Reads what `copy … to stdout` prints (PostgreSQL manual, `COPY`, text format).

use memchr::{memchr, memchr_iter};

use crate::model::{column::ColumnType, rows::Rows};

use super::types;

/// Text that `copy` printed can't be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CopyError {
    /// A database without an encoding (SQL_ASCII) may hold any bytes.
    #[error("a value is no UTF-8 text (the database's encoding is SQL_ASCII?): {0}")]
    NotText(String),
    /// Fewer or more cells than columns.
    #[error("a row has {0} cells")]
    Width(usize),
    /// The last row has no end.
    #[error("the last row breaks off")]
    Cut,
}

/// Reads chunks as they come, however they are cut, into rows of canonical cells.
pub struct CopyReader {
    /// A column's type where its printed text may not be canonical.
    kinds: Vec<Option<ColumnType>>,
    /// Whether all of them are printed canonical.
    plain: bool,
    /// The beginning of a row whose end is still to come.
    rest: Vec<u8>,
    /// Room for an unescaped cell.
    cell: Vec<u8>,
}

impl CopyReader {
    /// For columns of these types.
    pub fn new<'a>(kinds: impl Iterator<Item = &'a ColumnType>) -> Self {
        let kinds: Vec<_> = kinds.map(|kind| (!types::prints_canonical(kind)).then(|| kind.clone())).collect();
        Self { plain: kinds.iter().all(Option::is_none), kinds, rest: Vec::new(), cell: Vec::new() }
    }

    /// Rows of the width of what is read.
    pub fn rows(&self) -> Rows {
        Rows::new(self.kinds.len())
    }

    /// Adds the rows that end in this chunk.
    pub fn read(&mut self, mut chunk: &[u8], rows: &mut Rows) -> Result<(), CopyError> {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, after) = (&chunk[..end], &chunk[end + 1..]);
            if self.rest.is_empty() {
                self.row(line, rows)?;
            } else {
                self.rest.extend_from_slice(line);
                let whole = std::mem::take(&mut self.rest);
                self.row(&whole, rows)?;
                self.rest = whole;
                self.rest.clear();
            }
            chunk = after;
        }
        self.rest.extend_from_slice(chunk);
        Ok(())
    }

    /// Sees that nothing is left over.
    pub fn finish(&self) -> Result<(), CopyError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CopyError::Cut) }
    }

    fn row(&mut self, line: &[u8], rows: &mut Rows) -> Result<(), CopyError> {
        let line = std::str::from_utf8(line).map_err(|_| CopyError::NotText(String::from_utf8_lossy(line).into()))?;
        if self.plain && rows.push_line(line, plain_cells(line.as_bytes())) {
            return Ok(());
        }
        let mut count = 0;
        for raw in line.split('\t') {
            let Some(kind) = self.kinds.get(count) else { return Err(CopyError::Width(line.split('\t').count())) };
            count += 1;
            if raw == "\\N" {
                rows.push(None);
                continue;
            }
            let text = if raw.contains('\\') {
                unescape(raw, &mut self.cell);
                std::str::from_utf8(&self.cell).map_err(|_| CopyError::NotText(raw.to_owned()))?
            } else {
                raw
            };
            match kind {
                None => rows.push(Some(text)),
                Some(kind) => rows.push(Some(&types::canonical(kind, text))),
            }
        }
        if count == self.kinds.len() { Ok(()) } else { Err(CopyError::Width(count)) }
    }
}

/// Where each cell ends, and whether it is text rather than NULL. None for one that has an escape.
fn plain_cells(line: &[u8]) -> impl Iterator<Item = Option<(usize, bool)>> {
    let escapes = memchr(b'\\', line).is_some();
    let mut start = 0;
    memchr_iter(b'\t', line).chain([line.len()]).map(move |end| {
        let cell = &line[start..end];
        start = end + 1;
        match cell {
            b"\\N" => Some((end, false)),
            cell if escapes && memchr(b'\\', cell).is_some() => None,
            _ => Some((end, true)),
        }
    })
}

/// Undoes the escapes that `copy … to` writes.
fn unescape(raw: &str, into: &mut Vec<u8>) {
    into.clear();
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        into.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            other => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: ColumnType = ColumnType::Text { max: None, padded: false, case: crate::model::column::Case::Exact };
    const DECIMAL: ColumnType = ColumnType::Decimal { precision: None, scale: None };

    fn rows(printed: &[u8], cut: usize) -> Result<Vec<Vec<Option<String>>>, CopyError> {
        let mut reader = CopyReader::new([TEXT, DECIMAL].iter());
        let mut rows = reader.rows();
        for chunk in printed.chunks(cut) {
            reader.read(chunk, &mut rows)?;
        }
        reader.finish()?;
        Ok(rows.iter().map(|row| row.cells().map(|cell| cell.map(str::to_owned)).collect()).collect())
    }

    #[test]
    fn rows_come_out_however_the_chunks_are_cut() {
        let printed = "a\\tb\\\\N\\n\\r\\b\\f\\v\t1.50\n\\N\t\\N\n\t7\nü€\t0\n".as_bytes();
        let some = |text: &str| Some(text.to_owned());
        let expected = vec![
            vec![some("a\tb\\N\n\r\u{8}\u{c}\u{b}"), some("1.5")],
            vec![None, None],
            vec![some(""), some("7")],
            vec![some("ü€"), some("0")],
        ];
        for cut in [1, 2, 3, 7, 1000] {
            assert_eq!(rows(printed, cut).unwrap(), expected, "chunks of {cut}");
        }
    }

    #[test]
    fn what_is_no_copy_text_is_an_error() {
        assert_eq!(rows(b"a\t1\tb\n", 9), Err(CopyError::Width(3)));
        assert_eq!(rows(b"a\n", 9), Err(CopyError::Width(1)));
        assert_eq!(rows(b"a\t1", 9), Err(CopyError::Cut));
        assert!(matches!(rows(b"\xff\t1\n", 9), Err(CopyError::NotText(_))));
    }
}
