//! Files as people and programs write them.

use std::io::{Seek, SeekFrom, Write};

use proptest::prelude::*;

use super::*;
use crate::model::reject::RejectCode;

fn options() -> CsvOptions {
    CsvOptions { delimiter: None, encoding: "UTF-8".to_owned(), trim: true }
}

fn open_with(bytes: &[u8], options: &CsvOptions) -> Result<Decoder, DecodeError> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    Decoder::open(file, options, tempfile::tempfile().unwrap())
}

fn open(file: impl AsRef<[u8]>) -> Decoder {
    open_with(file.as_ref(), &options()).unwrap()
}

/// What is wrong with the file.
fn wrong(file: impl AsRef<[u8]>) -> String {
    match open_with(file.as_ref(), &options()) {
        Ok(decoder) => panic!("taken with {:?}", decoder.header()),
        Err(error) => error.to_string(),
    }
}

type Got = (u64, Result<Vec<String>, RejectCode>);

/// Line by line: cells or the reason.
fn rows(decoder: &mut Decoder) -> Vec<Got> {
    let mut row = RawRow::default();
    let mut rows = Vec::new();
    while let Some(read) = decoder.next(&mut row).unwrap() {
        let cells = row.cells().map(str::to_owned).collect();
        rows.push((
            row.line,
            read.map(|()| cells).map_err(|reject| {
                assert_eq!(reject.line, row.line);
                reject.code
            }),
        ));
    }
    rows
}

fn read(file: impl AsRef<[u8]>) -> Vec<Got> {
    rows(&mut open(file))
}

fn ok(line: u64, cells: &[&str]) -> Got {
    (line, Ok(cells.iter().map(|c| (*c).to_owned()).collect()))
}

fn bad(line: u64, code: RejectCode) -> Got {
    (line, Err(code))
}

#[test]
fn lines_and_blanks() {
    for end in ["\n", "\r\n", "\r"] {
        let file = ["id,name", "1,Ada", "", "  \t", "2,\"Grace", "Hopper\"", "3, x "].join(end);
        let hopper = format!("Grace{end}Hopper");
        let expected = [ok(2, &["1", "Ada"]), ok(5, &["2", &hopper]), ok(7, &["3", " x "])];
        assert_eq!(read(&file), expected, "{end:?}");
        assert_eq!(read(file + end), expected, "{end:?}");
    }
    assert_eq!(read("\n\n id , name \n1,2\n"), [ok(4, &["1", "2"])]);
    assert_eq!(open("\n\n id , name \n1,2\n").header().names, ["id", "name"]);
    assert_eq!(read("id,name"), []);
}

#[test]
fn quotes() {
    assert_eq!(read("a,b\n\"x,\"\"y\"\"\",\"\"\n"), [ok(2, &["x,\"y\"", ""])]);
    assert_eq!(read("a,b\n5\" disk,it\"s\n"), [ok(2, &["5\" disk", "it\"s"])]);
    assert_eq!(read("a,b\n\"x\" ,\"y\"\t\n"), [ok(2, &["x", "y"])]);
    assert_eq!(read("\"a\",\"b\"\r\n\"1\",\"2\""), [ok(2, &["1", "2"])]);
}

#[test]
fn broken_quotes_cost_their_own_lines_alone() {
    use RejectCode::BrokenQuote;
    let file = "a,b\n1,2\n\"x\"y,2\n3,4\n";
    assert_eq!(read(file), [ok(2, &["1", "2"]), bad(3, BrokenQuote), ok(4, &["3", "4"])]);
    // A stray quote takes lines up to the next one, and all of them are accounted for.
    let file = "a,b\n1,\"open\n2,x\n3,\"closed\"\n4,y\n";
    assert_eq!(read(file), [bad(2, BrokenQuote), bad(3, BrokenQuote), bad(4, BrokenQuote), ok(5, &["4", "y"])]);
    // Open at the end: each physical line, a blank one as well.
    let lines = [ok(2, &["1", "2"]), bad(3, BrokenQuote), bad(4, BrokenQuote), bad(5, BrokenQuote)];
    assert_eq!(read("a,b\n1,2\n3,\"4\n\n5,6\n"), lines);
    let mut decoder = open("a,b\n1,\"open\n2,x\n");
    let mut row = RawRow::default();
    let reject = decoder.next(&mut row).unwrap().unwrap().unwrap_err();
    assert_eq!(row.cells().collect::<Vec<_>>(), ["1,\"open"]);
    assert!(reject.message.contains("quote is not closed"), "{}", reject.message);
    let reject = decoder.next(&mut row).unwrap().unwrap().unwrap_err();
    assert_eq!((row.cells().collect::<Vec<_>>(), reject.line), (vec!["2,x"], 3));
    assert!(decoder.next(&mut row).unwrap().is_none());
}

#[test]
fn a_quoted_cell_covers_a_hundred_lines_and_no_more() {
    let cell = |lines: usize| vec!["x"; lines].join("\n");
    let file = |lines: usize| format!("a,b\n1,\"{}\"\n2,y\n", cell(lines));
    assert_eq!(read(file(100)), [ok(2, &["1", &cell(100)]), ok(102, &["2", "y"])]);
    let got = read(file(101));
    assert_eq!(got.iter().filter(|row| row.1 == Err(RejectCode::BrokenQuote)).count(), 100);
    // Reading goes on behind the hundredth line, with what is left of the cell.
    assert_eq!(got[99..], [bad(101, RejectCode::BrokenQuote), bad(102, RejectCode::Ragged), ok(103, &["2", "y"])]);
}

#[test]
fn long_cells() {
    use RejectCode::*;
    let (fits, long) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
    assert_eq!(
        read(format!("a,b\n1,{fits}\n2,\"{fits}\"\n3,y\n")),
        [ok(2, &["1", &fits]), ok(3, &["2", &fits]), ok(4, &["3", "y"])]
    );
    let file = format!("a,b\n1,{long}\n2,y\n3,\"{long}\"\n4,z\n{long}");
    assert_eq!(
        read(file),
        [bad(2, CellTooLong), ok(3, &["2", "y"]), bad(4, BrokenQuote), ok(5, &["4", "z"]), bad(6, CellTooLong)]
    );
    // A cell too long does not hide those before it.
    let mut decoder = open(format!("a,b\n1,{long}\n"));
    let mut row = RawRow::default();
    assert!(decoder.next(&mut row).unwrap().unwrap().is_err());
    assert_eq!(row.cell(0), "1");
}

#[test]
fn a_line_without_end_is_skipped_in_bounded_memory() {
    let mut file = b"a,b\n1,2\n3,".to_vec();
    file.resize(64 << 20, b'x');
    file.extend_from_slice(b"\n4,5\n");
    let mut decoder = open(file);
    assert_eq!(rows(&mut decoder), [ok(2, &["1", "2"]), bad(3, RejectCode::CellTooLong), ok(4, &["4", "5"])]);
    // A cut line that closes a quoted cell is no whole row, though each of its cells fits.
    let cells = vec!["x".repeat(1 << 20); 4].join(",");
    let got = read(format!("a,b,c,d,e\n1,2,3,4,5\n\"1\n\",{cells}\n6,7,8,9,0\n"));
    let (before, after) = (ok(2, &["1", "2", "3", "4", "5"]), ok(5, &["6", "7", "8", "9", "0"]));
    assert_eq!(got, [before, bad(3, RejectCode::CellTooLong), after]);
    let mut many = b"a,b\n".to_vec();
    many.resize(32 << 20, b',');
    many.extend_from_slice(b"\n4,5\n");
    let got = read(many);
    assert_eq!((got[0].0, got[0].1.is_err(), &got[1]), (2, true, &ok(3, &["4", "5"])));
}

#[test]
fn rows_that_do_not_fit_the_header() {
    use RejectCode::*;
    assert_eq!(
        read("a,b\n1\n1,2\n1,2,3\n1,2,\n,\n"),
        [bad(2, Ragged), ok(3, &["1", "2"]), bad(4, Ragged), bad(5, Ragged), ok(6, &["", ""])]
    );
    assert_eq!(
        read(b"a,b\n1,\xE9\n1,2\n1,a\0b\n\xC3,\xA9\n"),
        [bad(2, Undecodable), ok(3, &["1", "2"]), bad(4, NulByte), bad(5, Undecodable)]
    );
    assert_eq!(read(b"a,b\n\"1\",\"\xC3\"\n\"\xC3\",\"\xA9\"\n"), [bad(2, Undecodable), bad(3, Undecodable)]);
}

#[test]
fn delimiters() {
    for delimiter in [',', ';', '\t', '|'] {
        let file = "id,name,mail\n1,\"a,b;c\",x\n2,y,z\n".replace(',', &delimiter.to_string());
        let mut decoder = open(&file);
        assert_eq!(decoder.header().delimiter, delimiter as u8, "{file}");
        assert_eq!(rows(&mut decoder).len(), 2);
    }
    assert_eq!(open("id;name, first;mail\n1;a;b\n").header().names, ["id", "name, first", "mail"]);
    assert_eq!(open("id;name\n1;a,b\n2;c,d\n").header().names, ["id", "name"]);
    assert_eq!(open("\"a;b;c\",d\n").header().names, ["a;b;c", "d"]);
    assert_eq!(open("id\n1\n").header().names, ["id"]);
    assert_eq!(open("\"a \"\"x;y\"\"\",b\n1,2\n").header().names, ["a \"x;y\"", "b"]);
    let given = CsvOptions { delimiter: Some(b'#'), ..options() };
    assert_eq!(open_with(b"a#b,c\n", &given).unwrap().header().names, ["a", "b,c"]);
}

#[test]
fn a_sep_line_is_obeyed_and_skipped() {
    for first in ["sep=;", "SEP=;", "\"sep=;\"", "\u{feff}sep=;"] {
        let mut decoder = open(format!("{first}\r\na,x;b\r\n1;2\r\n"));
        assert_eq!(decoder.header().names, ["a,x", "b"], "{first}");
        assert_eq!(rows(&mut decoder), [ok(3, &["1", "2"])]);
    }
    let mut decoder = open("sep=\t\na\tb\n1\t2");
    assert_eq!(rows(&mut decoder), [ok(3, &["1", "2"])]);
    assert_eq!(open("sep=,b\n1,2\n").header().names, ["sep=", "b"]);
}

#[test]
fn encodings() {
    let named = |encoding: &str| CsvOptions { encoding: encoding.to_owned(), ..options() };
    let text = "id,name\n1,Zoë €\n2,x\n";
    let expected = [ok(2, &["1", "Zoë €"]), ok(3, &["2", "x"])];
    let wide = |big: bool, bom: bool| -> Vec<u8> {
        let text = if bom { format!("\u{feff}{text}") } else { text.to_owned() };
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let files = [
        (text.as_bytes().to_vec(), "utf8", "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "windows-1252", "UTF-8"),
        (latin.to_vec(), "Windows-1252", "windows-1252"),
        (latin.to_vec(), "latin1", "windows-1252"),
        (wide(false, true), "UTF-8", "UTF-16LE"),
        (wide(true, true), "UTF-8", "UTF-16BE"),
        (wide(true, false), "UTF-16BE", "UTF-16BE"),
    ];
    for (file, label, name) in files {
        let mut decoder = open_with(&file, &named(label)).unwrap();
        assert_eq!(decoder.header().encoding, name);
        assert_eq!(rows(&mut decoder), expected, "{label} {name}");
        assert_eq!(decoder.position(), decoder.size());
    }
    assert!(wrong(wide(false, false)).contains("csv.encoding: UTF-16LE"));
    assert!(wrong(wide(true, false)).contains("csv.encoding: UTF-16BE"));
    assert!(
        open_with(text.as_bytes(), &named("klingon"))
            .err()
            .unwrap()
            .to_string()
            .contains("klingon` is no known encoding")
    );
    // Half a character costs its own row alone.
    let mut torn = wide(false, true);
    let at = torn.windows(2).position(|pair| pair == [b'Z', 0]).unwrap();
    torn[at..at + 2].copy_from_slice(&[0x00, 0xD8]);
    assert_eq!(rows(&mut open_with(&torn, &options()).unwrap()), [bad(2, RejectCode::Undecodable), ok(3, &["2", "x"])]);
    // Longer than the buffers, so that characters lie across their ends.
    let long = format!("id,name\n{}", "1,Zoë €\n".repeat(60_000));
    let wide: Vec<u8> = format!("\u{feff}{long}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(wide), read(long));
}

#[test]
fn undecodable_bytes_suggest_an_encoding() {
    let mut decoder = open(b"a,b\n1,\xE9\n");
    let reject = decoder.next(&mut RawRow::default()).unwrap().unwrap().unwrap_err();
    assert!(reject.message.contains("windows-1252"));
    assert!(wrong(b"a,\xE9\n1,2\n").contains("windows-1252"));
}

#[test]
fn files_of_other_kinds_are_named() {
    let cases: [(&[u8], &str); 17] = [
        (b"", "0 bytes"),
        (b"\n\r\n  \n", "no header line"),
        (b"\xEF\xBB\xBF", "no header line"),
        (b"PK\x03\x04\x14\0", "XLSX"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "XLS"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1F\x8B\x08", "gzip"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"\xEF\xBB\xBF \n<HTML lang=en>", "HTML"),
        (b"<?xml version=\"1.0\"?>", "XML"),
        (b"[\n {\"id\": 1}]", "JSON"),
        (b"{\"id\": 1}", "JSON"),
        (b"a,b,a\n", "\"a\" twice, as columns 1 and 3"),
        (b"a, a ,b,b\n", "\"a\" twice, as columns 1 and 2"),
        (b"a,\"b\n1,2\n", "never closed"),
        (b"a,b\0\n1,2\n", "NUL"),
        (b",,\n1,2,3\n", "names no column"),
    ];
    for (file, expected) in cases {
        let message = wrong(file);
        assert!(message.contains(expected), "{file:?}: {message}");
    }
    assert!(wrong(b"a,\"b\"c\n1,2\n").contains("text follows"));
    assert!(wrong(vec![b'a'; 5 << 20]).contains("longer than 1 MiB"));
    assert_eq!(open("[id],{name}\n").header().names, ["[id]", "{name}"]);
}

#[test]
fn corrections() {
    let file = "\u{feff}id,'=calc,usersync_line,usersync_reason_code,usersync_reason,,\r\n\
                1,'=1+1,7,Required,why,,\r\n\
                2,''quoted,8,Ragged,why, \r\n\
                3,'plain,9,x,y\r\n\
                4,y,9,x,y,delete this\r\n\
                5,y,9,x,y,,,,stray\r\n\
                6,'-5\r\n";
    let mut decoder = open(file);
    assert!(decoder.header().correction);
    assert_eq!(decoder.header().names[1], "=calc");
    let got = rows(&mut decoder);
    let first = |read: &Got| read.1.clone().map(|cells| cells[1].clone());
    assert_eq!(first(&got[0]), Ok("=1+1".to_owned()));
    assert_eq!(first(&got[1]), Ok("'quoted".to_owned()));
    assert_eq!(first(&got[2]), Ok("'plain".to_owned()));
    for row in &got[3..] {
        assert_eq!(row.1, Err(RejectCode::Ragged));
    }
    // In any other file a quote is a quote, and a column without name is nobody's.
    assert_eq!(read("id,\n1,'=x\n"), [ok(2, &["1", "'=x"])]);
}

#[test]
fn rows_are_read_again() {
    let file = "a,b\n1,2\n3,\"x\ny\"\n\n5,\"open\n6,7\n";
    let mut decoder = open(file);
    let (mut row, mut seen) = (RawRow::default(), Vec::new());
    while let Some(read) = decoder.next(&mut row).unwrap() {
        if read.is_ok() {
            seen.push(row.clone());
        }
    }
    assert_eq!(seen.len(), 2);
    let mut rereader = decoder.rereader().unwrap();
    for expected in seen.iter().rev().chain(&seen) {
        let mut again = RawRow::default();
        rereader.read(expected.offset, expected.line, &mut again).unwrap();
        assert_eq!(again.cells().collect::<Vec<_>>(), expected.cells().collect::<Vec<_>>());
        assert_eq!((again.line, again.offset), (expected.line, expected.offset));
    }
    // In the middle of the file it leaves reading where it is.
    let mut decoder = open(file);
    decoder.next(&mut row).unwrap();
    let mut again = RawRow::default();
    decoder.rereader().unwrap().read(row.offset, row.line, &mut again).unwrap();
    assert_eq!(again.cell(1), "2");
    decoder.next(&mut row).unwrap();
    assert_eq!(row.cell(1), "x\ny");
}

fn records() -> impl Strategy<Value = Vec<Vec<String>>> {
    let cell = prop_oneof![4 => "[ -~äß\\r\\n\"',;\\t|]{0,6}", 1 => "\\PC{0,8}"];
    (1_usize..5).prop_flat_map(move |width| prop::collection::vec(prop::collection::vec(cell.clone(), width), 0..12))
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        records in records(),
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'|', b'#']),
        always in any::<bool>(),
        crlf in any::<bool>(),
    ) {
        let width = records.first().map_or(1, Vec::len);
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).quote_style(style).terminator(end).from_writer(Vec::new());
        writer.write_record((0..width).map(|i| format!("c{i}"))).unwrap();
        for record in &records {
            writer.write_record(record).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let options = CsvOptions { delimiter: Some(delimiter), ..options() };
        let mut decoder = open_with(&file, &options).unwrap();
        let mut row = RawRow::default();
        let mut got: Vec<Vec<String>> = Vec::new();
        while let Some(read) = decoder.next(&mut row).unwrap() {
            prop_assert_eq!(read, Ok(()));
            got.push(row.cells().map(str::to_owned).collect());
        }
        // A row of one blank cell without quotes is a blank line.
        let blank = |record: &Vec<String>| width == 1 && !always && record[0].bytes().all(|b| matches!(b, b' ' | b'\t') && b != delimiter) && !record[0].is_empty();
        let expected: Vec<_> = records.into_iter().filter(|record| !blank(record)).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn nothing_panics_and_every_line_is_accounted_for(bytes in prop::collection::vec(prop_oneof![
        3 => prop::sample::select(b"ab,\"\n\r ;'=".to_vec()),
        1 => any::<u8>(),
    ], 0..200)) {
        let file = [b"id,b\n".as_slice(), &bytes].concat();
        let Ok(mut decoder) = open_with(&file, &options()) else { return Ok(()) };
        let (mut row, mut count, mut last) = (RawRow::default(), 0, 1);
        let mut seen = Vec::new();
        while let Some(read) = decoder.next(&mut row).unwrap() {
            prop_assert!(row.line > last, "line {} after {}", row.line, last);
            last = row.line;
            count += 1;
            if read.is_ok() {
                seen.push(row.clone());
            }
        }
        let mut rereader = decoder.rereader().unwrap();
        for row in &seen {
            let mut again = RawRow::default();
            rereader.read(row.offset, row.line, &mut again).unwrap();
            prop_assert_eq!(again.cells().collect::<Vec<_>>(), row.cells().collect::<Vec<_>>());
        }
        if !bytes.contains(&b'"') {
            let separator = |b: &u8| matches!(b, b'\n' | b'\r');
            let lines = bytes.split(separator).filter(|line| line.iter().any(|b| !matches!(b, b' ' | b'\t')));
            prop_assert_eq!(count, lines.count());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), encoding in prop::sample::select(vec!["UTF-8", "UTF-16LE", "shift_jis", "iso-2022-jp"])) {
        if let Ok(mut decoder) = open_with(&bytes, &CsvOptions { encoding: encoding.to_owned(), ..options() }) {
            rows(&mut decoder);
        }
    }
}
