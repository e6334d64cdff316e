//! Files that are not CSV, known by how they begin.

use super::DecodeError;

/// What a file with such a beginning is, and what its sender can do.
const BEGINNINGS: [(&[u8], &str); 17] = [
    (b"PK\x03\x04", "a spreadsheet (XLSX, ODS) or a ZIP archive: open it and save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (XLS): open it and save it as CSV"),
    (b"%PDF", "a PDF: send the table itself, saved as CSV"),
    (b"\x1f\x8b", "compressed with gzip: name it ….gz, then it is unpacked here, or unpack it before it is sent"),
    (b"BZh91AY&SY", "compressed with bzip2: unpack it before it is sent"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it before it is sent"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it before it is sent"),
    (b"Rar!\x1a\x07", "a RAR archive: unpack it before it is sent"),
    (b"PAR1\x15", "a Parquet file: have it exported as CSV"),
    (b"\x89PNG", "a picture (PNG): send the table itself, saved as CSV"),
    (b"\xff\xd8\xff", "a picture (JPEG): send the table itself, saved as CSV"),
    (b"-----BEGIN PGP", "encrypted with PGP: decrypt it before it is sent"),
    (b"\xff\xfe\0\0", "text in UTF-32: save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32: save it as UTF-8"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it before it is sent"),
    (b"SQLite format 3\0", "an SQLite database: export its table as CSV"),
    (b"{\\rtf", "an RTF document: send the table itself, saved as CSV"),
];

/// Sees that the file is text, and no markup or JSON.
pub(super) fn is_text(sample: &[u8]) -> Result<(), DecodeError> {
    let found = BEGINNINGS.iter().find(|(beginning, _)| sample.starts_with(beginning)).map(|(_, what)| *what);
    match found.or_else(|| markup(sample)) {
        Some(what) => Err(DecodeError::NotCsv(format!("this is no CSV file, but {what}"))),
        None => Ok(()),
    }
}

fn markup(sample: &[u8]) -> Option<&'static str> {
    let text = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample).trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if begins("<!doctype html") || begins("<html") {
        return Some("an HTML page (a login page, perhaps?): look at what the exporting program sent");
    }
    if begins("<?xml") {
        return Some("XML: have it exported as CSV");
    }
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start().first();
    let object = text.first() == Some(&b'{') && matches!(inside, Some(b'"' | b'}'));
    let array = text.first() == Some(&b'[') && matches!(inside, Some(b'{' | b'[' | b']' | b'"'));
    (object || array).then_some("JSON: have it exported as CSV")
}
