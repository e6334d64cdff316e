//! `<stem>_rejects.csv`: the refused rows as they came, with the reasons, to be corrected and dropped back.

use std::io::{self, Write};

use super::{guarded, text::harmless};
use crate::model::reject::{Reject, RejectCode};

/// The columns behind the file's own, in this order.
pub const REJECT_COLUMNS: [&str; 3] = ["usersync_line", "usersync_reason_code", "usersync_reason"];

/// Stands under no header name: as long as it is there, the row is refused when the file comes back.
pub const STOPPER: &str = "delete this cell once the row is right";

/// The name of a file's rejects: `users.csv` and `users.csv.gz` give `users_rejects.csv`. Never longer than a file
/// system allows (255 bytes), never a path.
pub fn rejects_name(file: &str) -> String {
    const END: &str = "_rejects.csv";
    let stem = strip_end(strip_end(file, ".gz"), ".csv");
    let stem = match stem.rsplit_once('.') {
        // Any other ending: `users.txt`. A name that is all ending (`.users`) is its own stem.
        Some((before, _)) if stem.len() == file.len() && !before.is_empty() => before,
        _ => stem,
    };
    let mut name = harmless(stem);
    name.truncate(name.floor_char_boundary(255 - END.len()));
    name + END
}

fn strip_end<'a>(name: &'a str, end: &str) -> &'a str {
    match name.len().checked_sub(end.len()).and_then(|at| name.split_at_checked(at)) {
        Some((stem, tail)) if !stem.is_empty() && tail.eq_ignore_ascii_case(end) => stem,
        _ => name,
    }
}

/// Writes the header as it came with [`REJECT_COLUMNS`] behind it, then the refused rows. UTF-8 with BOM, CRLF, quotes
/// where needed (RFC 4180: what spreadsheets read without asking), formulas disarmed in every cell. Sensitive cells are
/// there as they were sent.
///
/// Nothing is written before the first reject: over a [`super::lazy::Lazy`] writer no rejects make no file.
pub struct RejectsWriter<W: Write> {
    out: Out<W>,
    header: Vec<String>,
    /// What becomes of each of the header's columns.
    places: Vec<Place>,
    rows: u64,
}

enum Out<W: Write> {
    /// Waits for the first reject.
    Waiting(W, u8),
    Csv(Box<csv::Writer<W>>),
    /// The start failed.
    Broken,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A column of the sender.
    Own,
    /// One of [`REJECT_COLUMNS`] from the last time: replaced.
    Replaced,
    /// A correction file's column without a name: what stands there is no one's.
    Nameless,
}

impl<W: Write> RejectsWriter<W> {
    /// For a file with this header (as it came; its delimiter in one byte).
    pub fn new(write: W, header_names: &[String], delimiter: u8) -> Self {
        let is = |name: &str, column: &str| name.trim().eq_ignore_ascii_case(column);
        let correction = header_names.iter().any(|name| is(name, REJECT_COLUMNS[1]));
        let place = |name: &String| match name {
            name if REJECT_COLUMNS.iter().any(|column| is(name, column)) => Place::Replaced,
            name if correction && name.trim().is_empty() => Place::Nameless,
            _ => Place::Own,
        };
        let places = header_names.iter().map(place).collect();
        Self { out: Out::Waiting(write, delimiter), header: header_names.to_vec(), places, rows: 0 }
    }

    /// One refused row: its cells as they came, before trimming and defaults, the old [`REJECT_COLUMNS`] included. Of a
    /// broken quote the one cell is the raw line.
    pub fn reject<'a>(&mut self, reject: &Reject, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let structural = reject.code.key_unreadable() && reject.code != RejectCode::KeyMissing;
        let mut own = Vec::with_capacity(self.header.len());
        let mut extra = Vec::new();
        for (index, cell) in cells.enumerate() {
            match self.places.get(index) {
                _ if reject.code == RejectCode::BrokenQuote => extra.push(cell),
                Some(Place::Own) => own.push(cell),
                Some(Place::Replaced) => {}
                Some(Place::Nameless) | None => extra.push(cell),
            }
        }
        own.resize(self.places.iter().filter(|p| **p == Place::Own).count(), "");
        // Only content stops a row: blank cells at the end are what spreadsheets add by themselves.
        if extra.iter().all(|cell| cell.trim().is_empty()) {
            extra.clear();
            if structural {
                extra.push(STOPPER);
            }
        }
        let line = reject.line.to_string();
        let added = [line.as_str(), reject.code.as_str(), reject.message.as_str()];
        let csv = self.started()?;
        for cell in own.into_iter().chain(added).chain(extra) {
            csv.write_field(guarded(cell).as_bytes())?;
        }
        csv.write_record(None::<&[u8]>)?;
        self.rows += 1;
        Ok(())
    }

    /// How many rows were written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file and gives back where it went.
    pub fn finish(self) -> io::Result<W> {
        match self.out {
            Out::Waiting(write, _) => Ok(write),
            Out::Csv(csv) => csv.into_inner().map_err(csv::IntoInnerError::into_error),
            Out::Broken => Err(io::Error::other("the rejects file could not be begun before")),
        }
    }

    fn started(&mut self) -> io::Result<&mut csv::Writer<W>> {
        if let Out::Waiting(..) = &self.out
            && let Out::Waiting(mut write, delimiter) = std::mem::replace(&mut self.out, Out::Broken)
        {
            write.write_all("\u{feff}".as_bytes())?;
            let mut csv = csv::WriterBuilder::new()
                .delimiter(delimiter)
                .terminator(csv::Terminator::CRLF)
                .flexible(true)
                .has_headers(false)
                .from_writer(write);
            let own = self.header.iter().zip(&self.places).filter(|(_, place)| **place == Place::Own);
            for name in own.map(|(name, _)| name.as_str()).chain(REJECT_COLUMNS) {
                csv.write_field(guarded(name).as_bytes())?;
            }
            csv.write_record(None::<&[u8]>)?;
            self.out = Out::Csv(Box::new(csv));
        }
        match &mut self.out {
            Out::Csv(csv) => Ok(csv),
            _ => Err(io::Error::other("the rejects file could not be begun before")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reject(line: u64, code: RejectCode, message: &str) -> Reject {
        Reject { line, column: None, value: None, code, message: message.into(), sensitive: false }
    }

    fn written(header: &[&str], delimiter: u8, rows: &[(Reject, &[&str])]) -> String {
        let header: Vec<String> = header.iter().map(|h| (*h).to_owned()).collect();
        let mut writer = RejectsWriter::new(Vec::new(), &header, delimiter);
        for (reject, cells) in rows {
            writer.reject(reject, cells.iter().copied()).unwrap();
        }
        assert_eq!(writer.rows(), rows.len() as u64);
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn cells_stay_as_they_came() {
        let text = written(
            &["id", " E-mail ", "=Note"],
            b';',
            &[
                (reject(14, RejectCode::InvalidEmail, "not an e-mail; \"x\""), &["E1", " a ", "+1;\"q\"\n2"]),
                (reject(20, RejectCode::KeyMissing, "no id"), &["", "b", "'c"]),
            ],
        );
        let want = "\u{feff}id; E-mail ;'=Note;usersync_line;usersync_reason_code;usersync_reason\r\n\
            E1; a ;\"'+1;\"\"q\"\"\n2\";14;InvalidEmail;\"not an e-mail; \"\"x\"\"\"\r\n\
            ;b;''c;20;KeyMissing;no id\r\n";
        assert_eq!(text, want);
    }

    #[test]
    fn an_uncorrected_row_cannot_slip_in() {
        let ragged = || reject(2, RejectCode::Ragged, "r");
        let quote = || reject(3, RejectCode::BrokenQuote, "q");
        let cases: &[(Reject, &[&str], &str)] = &[
            (ragged(), &["1"], "1,,2,Ragged,r,delete this cell once the row is right"),
            (ragged(), &["1", "2", "3", "=4"], "1,2,2,Ragged,r,3,'=4"),
            (ragged(), &["1", "2", "", " "], "1,2,2,Ragged,r,delete this cell once the row is right"),
            (quote(), &["a,\"b"], ",,3,BrokenQuote,q,\"a,\"\"b\""),
            (quote(), &[""], ",,3,BrokenQuote,q,delete this cell once the row is right"),
            (
                reject(4, RejectCode::Undecodable, "u"),
                &["1", "\u{fffd}"],
                "1,\u{fffd},4,Undecodable,u,delete this cell once the row is right",
            ),
            (reject(5, RejectCode::Required, "m"), &["1"], "1,,5,Required,m"),
        ];
        for (reject, cells, want) in cases {
            let text = written(&["a", "b"], b',', &[(reject.clone(), cells)]);
            assert_eq!(text.split("\r\n").nth(1), Some(*want));
        }
    }

    #[test]
    fn a_correction_file_gets_its_columns_once() {
        let header = ["a", "usersync_line", "USERSYNC_reason_code ", "usersync_reason", "b", ""];
        let text = written(
            &header,
            b'\t',
            &[
                (reject(2, RejectCode::Required, "new"), &["1", "14", "Ragged", "old", "2", ""]),
                (reject(3, RejectCode::Ragged, "new"), &["1", "15", "Ragged", "old", "2", STOPPER]),
                (reject(4, RejectCode::Ragged, "new"), &["1", "15", "Ragged", "old", "2", "", "x"]),
            ],
        );
        let want = "\u{feff}a\tb\tusersync_line\tusersync_reason_code\tusersync_reason\r\n\
            1\t2\t2\tRequired\tnew\r\n\
            1\t2\t3\tRagged\tnew\tdelete this cell once the row is right\r\n\
            1\t2\t4\tRagged\tnew\t\tx\r\n";
        assert_eq!(text, want);
    }

    #[test]
    fn no_rejects_write_nothing() {
        assert_eq!(written(&["a"], b',', &[]), "");
        let opened = std::cell::Cell::new(false);
        let lazy = super::super::lazy::Lazy::new(|| {
            opened.set(true);
            Ok(Vec::new())
        });
        let writer = RejectsWriter::new(lazy, &["a".to_owned()], b',');
        assert!(writer.finish().unwrap().into_inner().is_none());
        assert!(!opened.get());
    }

    proptest! {
        /// A CSV reader that takes one `'` away gets every cell as it was sent.
        #[test]
        fn any_cell_comes_back(
            delimiter in prop::sample::select(b",;\t|".to_vec()),
            rows in prop::collection::vec(prop::array::uniform2("[ -~\\r\\n\\tä€=+@';,|\"-]{0,6}"), 1..5),
        ) {
            let sent: Vec<[&str; 2]> = rows.iter().map(|row| [row[0].as_str(), row[1].as_str()]).collect();
            let refused: Vec<(Reject, &[&str])> =
                sent.iter().map(|row| (reject(7, RejectCode::Required, "=why"), &row[..])).collect();
            let text = written(&["-a", "b"], delimiter, &refused);
            let text = text.strip_prefix('\u{feff}').unwrap();
            let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
            let read: Vec<Vec<String>> = reader
                .records()
                .map(|row| row.unwrap().iter().map(|cell| cell.strip_prefix('\'').unwrap_or(cell).to_owned()).collect())
                .collect();
            prop_assert_eq!(&read[0][..2], ["-a", "b"]);
            prop_assert_eq!(read.len(), rows.len() + 1);
            for (read, sent) in read[1..].iter().zip(&sent) {
                prop_assert_eq!(read, &[sent[0], sent[1], "7", "Required", "=why"]);
            }
        }
    }

    #[test]
    fn names_of_rejects_files() {
        let long = "ä".repeat(200) + ".csv";
        for (file, want) in [
            ("users.csv", "users_rejects.csv"),
            ("users.CSV", "users_rejects.csv"),
            ("users.csv.gz", "users_rejects.csv"),
            ("users.2026.csv", "users.2026_rejects.csv"),
            ("users.txt", "users_rejects.csv"),
            ("users", "users_rejects.csv"),
            (".users", ".users_rejects.csv"),
            (".csv", ".csv_rejects.csv"),
            ("a/../b\n.csv", "a_.._b__rejects.csv"),
            ("ü", "ü_rejects.csv"),
        ] {
            assert_eq!(rejects_name(file), want, "{file}");
        }
        let name = rejects_name(&long);
        assert!(name.len() <= 255 && name.ends_with("ä_rejects.csv"));
    }
}
