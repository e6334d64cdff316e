//! What goes along with a letter: the rejects or the changes, and of a file that is too large its first rows.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::model::letter::Attachment;

/// The most bytes of one attachment.
pub const LARGEST: u64 = 5 << 20;

/// Bytes that a compressor may hold back.
const HELD_BACK: usize = 256 << 10;

/// What goes along of a staged file: all of it, or of one that is cut as many whole rows from its beginning as [`LARGEST`]
/// holds. A file that ends in `.gz` is unpacked and packed again.
pub fn content(attachment: &Attachment, file: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match (attachment.cut, attachment.file.ends_with(".gz")) {
        (false, _) => {
            file.take(LARGEST).read_to_end(&mut bytes)?;
        }
        (true, false) => rows(BufReader::new(file), |row| {
            let fits = bytes.len() + row.len() <= LARGEST as usize;
            if fits {
                bytes.extend_from_slice(row);
            }
            Ok(fits)
        })?,
        (true, true) => {
            let mut packed = GzEncoder::new(bytes, Compression::fast());
            rows(BufReader::new(GzDecoder::new(file)), |row| {
                let fits = packed.get_ref().len() + HELD_BACK + row.len() <= LARGEST as usize;
                if fits {
                    packed.write_all(row)?;
                }
                Ok(fits)
            })?;
            bytes = packed.finish()?;
        }
    }
    Ok(bytes)
}

/// Hands over each row of a CSV file, with its line end, until `take` wants no more. A line break inside quotes ends no row.
fn rows(mut file: impl BufRead, mut take: impl FnMut(&[u8]) -> io::Result<bool>) -> io::Result<()> {
    let (mut row, mut quotes) = (Vec::new(), 0);
    loop {
        let before = row.len();
        if file.by_ref().take(LARGEST).read_until(b'\n', &mut row)? == 0 {
            return if row.is_empty() { Ok(()) } else { take(&row).map(drop) };
        }
        quotes += row[before..].iter().filter(|byte| **byte == b'"').count();
        if row.len() > LARGEST as usize {
            return Ok(());
        }
        if quotes % 2 == 0 && row.ends_with(b"\n") {
            if !take(&row)? {
                return Ok(());
            }
            row.clear();
            quotes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(file: &str, cut: bool) -> Attachment {
        Attachment { file: file.into(), name: file.into(), cut }
    }

    #[test]
    fn a_small_file_goes_along_as_it_is() {
        let bytes = content(&attachment("a_rejects.csv", false), &b"a,b\n1,2"[..]).unwrap();
        assert_eq!(bytes, b"a,b\n1,2");
    }

    #[test]
    fn a_large_file_is_cut_between_rows() {
        let row = format!("1,\"{}\n{}\"\r\n", "x".repeat(50_000), "y".repeat(50_000));
        let text = row.repeat(100);
        let cut = content(&attachment("a_rejects.csv", true), text.as_bytes()).unwrap();
        assert!(cut.len() as u64 <= LARGEST && cut.len() > 4 << 20, "{}", cut.len());
        assert!(cut.ends_with(b"y\"\r\n") && cut.len() % row.len() == 0);
    }

    #[test]
    fn what_is_packed_is_cut_and_packed_again() {
        // Digits that can hardly be packed.
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 8
        };
        let text: String = (0..1_000_000).map(|n| format!("updated,E{n},{:x}{:x}\n", next(), next())).collect();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        assert!(packed.len() as u64 > LARGEST);
        let cut = content(&attachment("changes.csv.gz", true), packed.as_slice()).unwrap();
        assert!(cut.len() as u64 <= LARGEST && cut.len() > 4 << 20, "{}", cut.len());
        let unpacked = io::read_to_string(GzDecoder::new(cut.as_slice())).unwrap();
        assert!(text.starts_with(&unpacked) && unpacked.ends_with('\n') && unpacked.len() > 1 << 20);
    }

    #[test]
    fn a_row_without_an_end_is_not_half_there() {
        let text = format!("a\n{}", "x".repeat(LARGEST as usize * 2));
        assert_eq!(content(&attachment("a.csv", true), text.as_bytes()).unwrap(), b"a\n");
    }
}
