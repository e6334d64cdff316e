//! Lines as servers send them. The ones named after a server have its format, blank for blank.

use proptest::prelude::*;

use super::*;

const FILE: Option<ListedKind> = Some(ListedKind::File);
const FOLDER: Option<ListedKind> = Some(ListedKind::Folder);
const OTHER: Option<ListedKind> = Some(ListedKind::Other);
/// What must be asked.
const ASK: Option<ListedKind> = None;

/// Line, kind, size, time, name.
type Case<'a> = (&'a str, Option<ListedKind>, u64, &'a str, &'a str);

fn shown(entry: Entry) -> (Option<ListedKind>, u64, String, String) {
    let kind = (!entry.link).then_some(entry.listed.kind);
    (kind, entry.listed.size, entry.listed.mtime.to_string(), entry.listed.name)
}

fn expected((_, kind, size, mtime, name): Case<'_>) -> (Option<ListedKind>, u64, String, String) {
    (kind, size, mtime.parse::<Timestamp>().unwrap().to_string(), name.to_owned())
}

fn now() -> Timestamp {
    "2026-11-23T05:00:00Z".parse().unwrap()
}

fn list(line: &str) -> Result<Option<Entry>, Malformed> {
    List::new(now()).line(line.as_bytes())
}

#[test]
fn lists_in_the_style_of_unix() {
    let cases: &[Case<'_>] = &[
        // vsftpd
        (
            "-rw-r--r--    1 1000     1000         1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        ("drwxr-xr-x    2 0        0            4096 Nov 22 13:02 bak", FOLDER, 4096, "2026-11-22T13:02Z", "bak"),
        ("-rw-------    1 ftp      ftp             0 Mar 01  2024 empty", FILE, 0, "2024-03-01T00:00Z", "empty"),
        (
            "-rw-r--r--    1 1000     1000     5368709120 Nov 22 13:02 5G",
            FILE,
            5_368_709_120,
            "2026-11-22T13:02Z",
            "5G",
        ),
        (
            "lrwxrwxrwx    1 1000     1000            9 Nov 22 13:02 last.csv -> users.csv",
            ASK,
            0,
            "2026-11-22T13:02Z",
            "last.csv",
        ),
        // ProFTPD
        (
            "-rw-r--r--   1 hr       staff        1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        ("drwxr-x---   3 hr       staff        4096 Jan  5  2019 bak", FOLDER, 4096, "2019-01-05T00:00Z", "bak"),
        (
            "lrwxrwxrwx   1 hr       staff          11 Nov 22 13:02 last -> /outbox/bak",
            ASK,
            0,
            "2026-11-22T13:02Z",
            "last",
        ),
        // Pure-FTPd
        (
            "-rw-r--r--    1 1000       hr               1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        ("drwxr-xr-x    2 1000       hr               4096 Nov 22 13:02 .", FOLDER, 0, "", ""),
        ("drwxr-xr-x    2 1000       hr               4096 Nov 22 13:02 ..", FOLDER, 0, "", ""),
        // FileZilla Server
        ("-rw-r--r-- 1 ftp ftp           1234 Nov 22 13:02 users.csv", FILE, 1234, "2026-11-22T13:02Z", "users.csv"),
        ("drwxr-xr-x 1 ftp ftp              0 Feb 07  2023 bak", FOLDER, 0, "2023-02-07T00:00Z", "bak"),
        // IIS in its Unix style
        (
            "-rwxrwxrwx   1 owner    group            1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        ("drwxrwxrwx   1 owner    group               0 Nov 22  2019 bak", FOLDER, 0, "2019-11-22T00:00Z", "bak"),
        // A NAS with ACL marks, macOS, cygwin with the number of links behind the mark
        (
            "-rw-rw-rw-+   1 admin    administrators  1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        ("drwxr-xr-x.   2 root root  6 Nov 22 13:02 bak", FOLDER, 6, "2026-11-22T13:02Z", "bak"),
        ("-rw-r--r--@   1 me  staff  12 Nov 22 13:02 a", FILE, 12, "2026-11-22T13:02Z", "a"),
        ("drwxr-xr-x+1 me None 0 Nov 22 13:02 bak", FOLDER, 0, "2026-11-22T13:02Z", "bak"),
        // No group, no owner, no links, blanks in the group
        ("-rw-r--r--   1 hr  1234 Nov 22 13:02 users.csv", FILE, 1234, "2026-11-22T13:02Z", "users.csv"),
        ("-rw-r--r--   1 1234 Nov 22 13:02 users.csv", FILE, 1234, "2026-11-22T13:02Z", "users.csv"),
        ("-rw-r--r-- hr staff 1234 Nov 22 13:02 users.csv", FILE, 1234, "2026-11-22T13:02Z", "users.csv"),
        (
            "-rw-r--r--   1 ACME\\hr  Domain Users  1234 Nov 22 13:02 users.csv",
            FILE,
            1234,
            "2026-11-22T13:02Z",
            "users.csv",
        ),
        // Owner and group that look like part of a date
        ("-rw-r--r--   1 1000 May 512 Nov 22 13:02 a", FILE, 512, "2026-11-22T13:02Z", "a"),
        // Names that look like something else
        (
            "-rw-r--r-- 1 a b 7 Nov 22 13:02 99 Nov 22 13:02 a.csv",
            FILE,
            7,
            "2026-11-22T13:02Z",
            "99 Nov 22 13:02 a.csv",
        ),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 2024-01-01 10:00 x", FILE, 7, "2026-11-22T13:02Z", "2024-01-01 10:00 x"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 -rf", FILE, 7, "2026-11-22T13:02Z", "-rf"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02   two before", FILE, 7, "2026-11-22T13:02Z", "  two before"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 two behind  ", FILE, 7, "2026-11-22T13:02Z", "two behind  "),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 a  b   c.csv", FILE, 7, "2026-11-22T13:02Z", "a  b   c.csv"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 [a]*?{b}.csv", FILE, 7, "2026-11-22T13:02Z", "[a]*?{b}.csv"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 Übersicht – März.csv", FILE, 7, "2026-11-22T13:02Z", "Übersicht – März.csv"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 a -> b", FILE, 7, "2026-11-22T13:02Z", "a -> b"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 \u{1b}[2J\u{7}", FILE, 7, "2026-11-22T13:02Z", "\u{1b}[2J\u{7}"),
        // A link's size is the length of what it leads to
        ("lrwxrwxrwx 1 a b 1 Nov 22 13:02 a -> b -> c", ASK, 0, "2026-11-22T13:02Z", "a -> b"),
        ("lrwxrwxrwx 1 a b 6 Nov 22 13:02 a -> b -> c", ASK, 0, "2026-11-22T13:02Z", "a"),
        ("lrwxrwxrwx 1 a b 0 Nov 22 13:02 a -> b -> c", ASK, 0, "2026-11-22T13:02Z", "a"),
        ("lrwxrwxrwx 1 a b 3 Nov 22 13:02 alone", ASK, 0, "2026-11-22T13:02Z", "alone"),
        // Devices, sockets, and a size that doesn't fit the server
        ("brw-rw----   1 root disk 8,   0 Nov 22 13:02 sda", OTHER, 0, "2026-11-22T13:02Z", "sda"),
        ("srwxr-xr-x   1 root root 0 Nov 22 13:02 socket", OTHER, 0, "2026-11-22T13:02Z", "socket"),
        ("-rw-r--r--   1 a b -1294967296 Nov 22 13:02 3G", ASK, 0, "2026-11-22T13:02Z", "3G"),
        // Years: within half a year either way; leap days; far away
        ("-rw-r--r-- 1 a b 7 Jun 30 13:02 a", FILE, 7, "2026-06-30T13:02Z", "a"),
        ("-rw-r--r-- 1 a b 7 May 10 13:02 a", FILE, 7, "2027-05-10T13:02Z", "a"),
        ("-rw-r--r-- 1 a b 7 Nov 23 05:01 a", FILE, 7, "2026-11-23T05:01Z", "a"),
        ("-rw-r--r-- 1 a b 7 Jan  1 00:00 a", FILE, 7, "2027-01-01T00:00Z", "a"),
        ("-rw-r--r-- 1 a b 7 Feb 29 13:02 a", FILE, 7, "2024-02-29T13:02Z", "a"),
        ("-rw-r--r-- 1 a b 7 Feb 29  2024 a", FILE, 7, "2024-02-29T00:00Z", "a"),
        ("-rw-r--r-- 1 a b 7 Dec 31  2106 a", FILE, 7, "2106-12-31T00:00Z", "a"),
        ("-rw-r--r-- 1 a b 7 Nov 22  1969 a", FILE, 7, "1969-11-22T00:00Z", "a"),
        // `ls` with ISO times
        ("-rw-r--r-- 1 a b 7 2026-11-22 13:02 a.csv", FILE, 7, "2026-11-22T13:02Z", "a.csv"),
        ("-rw-r--r-- 1 a b 7 2026-11-22 13:02:07.123456789 +0100 a.csv", FILE, 7, "2026-11-22T13:02Z", "a.csv"),
        ("-rw-r--r-- 1 a b 7 2026-11-22 13:02 +0100 a.csv", FILE, 7, "2026-11-22T13:02Z", "+0100 a.csv"),
    ];
    for case in cases {
        let want = (!case.4.is_empty()).then(|| expected(*case));
        assert_eq!(list(case.0).map(|entry| entry.map(shown)), Ok(want), "{:?}", case.0);
    }
}

#[test]
fn lists_in_the_style_of_dos() {
    let cases: &[Case<'_>] = &[
        // IIS
        ("11-22-26  01:02PM                 1234 users.csv", FILE, 1234, "2026-11-22T13:02Z", "users.csv"),
        ("11-22-26  12:00AM       <DIR>          bak", FOLDER, 0, "2026-11-22T00:00Z", "bak"),
        ("11-22-26  12:30PM                    0 noon", FILE, 0, "2026-11-22T12:30Z", "noon"),
        ("02-29-24  11:59PM           5368709120 5G.csv", FILE, 5_368_709_120, "2024-02-29T23:59Z", "5G.csv"),
        ("11-22-2026  01:02PM                 1234 four digits", FILE, 1234, "2026-11-22T13:02Z", "four digits"),
        ("11-22-99  01:02PM                 1234 old", FILE, 1234, "1999-11-22T13:02Z", "old"),
        ("11-22-26  01:02PM                 1234   blanks  ", FILE, 1234, "2026-11-22T13:02Z", "  blanks  "),
        ("11-22-26  01:02PM       <DIR>            blanks", FOLDER, 0, "2026-11-22T13:02Z", "  blanks"),
        ("11-22-26  01:02PM       <JUNCTION>     elsewhere", ASK, 0, "2026-11-22T13:02Z", "elsewhere"),
        // 24 hours, other signs, separated thousands
        ("11-22-26  13:02                 1234 a", FILE, 1234, "2026-11-22T13:02Z", "a"),
        ("2026-11-22  13:02       <DIR>          bak", FOLDER, 0, "2026-11-22T13:02Z", "bak"),
        ("11/22/2026  01:02 PM         1,234,567 a", FILE, 1_234_567, "2026-11-22T13:02Z", "a"),
        ("22.11.2026  13:02         7 a", FILE, 7, "2026-11-22T13:02Z", "a"),
        ("11-22-26  01:02PM <DIR> bak", FOLDER, 0, "2026-11-22T13:02Z", "bak"),
        // Names that look like a size
        ("11-22-26  01:02PM                 1234 5678 a", FILE, 1234, "2026-11-22T13:02Z", "5678 a"),
    ];
    for case in cases {
        assert_eq!(list(case.0).map(|entry| entry.map(shown)), Ok(Some(expected(*case))), "{:?}", case.0);
    }
}

#[test]
fn lists_have_lines_of_no_interest() {
    for line in ["total 12", "total 0", "insgesamt 12", "total: 12K", "", "   ", "\r\n", "total 12\r\n"] {
        assert_eq!(list(line), Ok(None), "{line:?}");
    }
    let ended = list("-rw-r--r-- 1 a b 7 Nov 22 13:02 a\r\n").unwrap().unwrap();
    assert_eq!(ended.listed.name, "a");
}

#[test]
fn lists_say_what_is_wrong_with_a_line() {
    let cases = [
        ("ls: cannot open directory", "it is in no style that is known"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 ", "it has no name"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02", "it has no name"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 a/b", "its name has a slash, a NUL or the end of a line in it"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 ../../etc", "its name has a slash, a NUL or the end of a line in it"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 a\0b", "its name has a slash, a NUL or the end of a line in it"),
        ("-rw-r--r-- 1 a b 7 Nov 22 13:02 a\rb", "its name has a slash, a NUL or the end of a line in it"),
        ("-rw-r--r-- 1 a b 7 Nov 31 13:02 a", "there is no such time"),
        ("-rw-r--r-- 1 a b 7 Feb 29  2023 a", "there is no such time"),
        ("-rw-r--r-- 1 a b 7 Nov 22  10000 a", "there is no such time"),
        ("-rw-r--r-- 1 a b 7 Nov 22 25:02 a", "it has no size and time"),
        ("-rw-r--r-- 1 a b 99999999999999999999 Nov 22 13:02 a", "it has no size and time"),
        ("-rw-r--r-- users.csv", "it has no size and time"),
        ("11-22-26  01:02PM", "it has no size and name"),
        ("11-22-26  01:02PM 12", "it has no name"),
        ("11-22-26  01:02PM many a", "its size is no number"),
        ("11-22-26  25:02PM 1 a", "it is in no style that is known"),
        ("22-11-26  01:02PM 1 a", "there is no such day (it must be MM-DD-YY)"),
        ("+i8388621.29609,m824255902,/,\tbak", "it is in no style that is known"),
    ];
    for (line, why) in cases {
        assert_eq!(list(line).map_err(|malformed| malformed.why), Err(why), "{line:?}");
    }
    let long = format!("-rw-r--r-- 1 a b 7 Nov 22 13:02 \u{1b}]0;{}", "x".repeat(20_000));
    let said = list(&long).unwrap_err().to_string();
    assert!(said.starts_with(r#"the line "-rw-r--r-- 1 a b 7 Nov 22 13:02 \u{1b}]0;xxx"#), "{said}");
    assert!(said.ends_with("longer than 10,000 bytes") && said.len() < 300, "{said}");
}

#[test]
fn names_are_utf8_or_latin1() {
    let list = List::new(now());
    let name = |line: &[u8]| list.line(line).unwrap().map(|entry| (entry.listed.name, entry.latin1)).unwrap();
    assert_eq!(name("-rw-r--r-- 1 a b 7 Nov 22 13:02 Köln.csv".as_bytes()), ("Köln.csv".to_owned(), false));
    assert_eq!(name(b"-rw-r--r-- 1 a b 7 Nov 22 13:02 K\xf6ln.csv"), ("Köln.csv".to_owned(), true));
    assert_eq!(name(b"-rw-r--r-- 1 K\xf6ln b 7 Nov 22 13:02 K.csv"), ("K.csv".to_owned(), false));
    let entry = mlsd(b"type=file;size=1;modify=20261122130207; K\xf6ln.csv").unwrap().unwrap();
    assert_eq!((entry.listed.name.as_str(), entry.latin1), ("Köln.csv", true));
}

#[test]
fn facts_of_mlsd() {
    let cases: &[Case<'_>] = &[
        // ProFTPD
        (
            "modify=20261122130207;perm=adfrw;size=1234;type=file;unique=801U2;UNIX.group=1000;UNIX.mode=0644;UNIX.owner=1000; users.csv",
            FILE,
            1234,
            "2026-11-22T13:02:07Z",
            "users.csv",
        ),
        (
            "modify=20261122130207;perm=flcdmpe;type=dir;unique=801U3;UNIX.mode=0755; bak",
            FOLDER,
            0,
            "2026-11-22T13:02:07Z",
            "bak",
        ),
        (
            "modify=20261122130207;perm=adfr;size=9;type=OS.unix=symlink;UNIX.mode=0777; last",
            ASK,
            9,
            "2026-11-22T13:02:07Z",
            "last",
        ),
        ("type=OS.unix=slink:/a;size=9;modify=20261122130207; last", ASK, 9, "2026-11-22T13:02:07Z", "last"),
        // Pure-FTPd
        (
            "type=file;siz=0;size=1234;modify=20261122130207;UNIX.mode=0644;unique=fd01g5a; a b.csv",
            FILE,
            1234,
            "2026-11-22T13:02:07Z",
            "a b.csv",
        ),
        (
            "type=dir;sizd=4096;modify=20261122130207;UNIX.mode=0755;unique=fd01g5b; bak",
            FOLDER,
            0,
            "2026-11-22T13:02:07Z",
            "bak",
        ),
        // FileZilla Server, IIS
        (
            "type=file;size=1234;modify=20261122130207.125;perms=awr; users.csv",
            FILE,
            1234,
            "2026-11-22T13:02:07.125Z",
            "users.csv",
        ),
        ("Type=File;Size=5368709120;Modify=20261122130207; 5G", FILE, 5_368_709_120, "2026-11-22T13:02:07Z", "5G"),
        // Names keep blanks, signs, and what looks like facts
        ("type=file;size=1;modify=20261122130207;  before", FILE, 1, "2026-11-22T13:02:07Z", " before"),
        ("type=file;size=1;modify=20261122130207; behind ", FILE, 1, "2026-11-22T13:02:07Z", "behind "),
        ("type=file;size=1;modify=20261122130207; a; b=c; d", FILE, 1, "2026-11-22T13:02:07Z", "a; b=c; d"),
        ("type=file;size=1;modify=20261122130207; a -> b", FILE, 1, "2026-11-22T13:02:07Z", "a -> b"),
        // Facts that are missing or none must be asked
        ("type=file;size=1; a", ASK, 1, "1970-01-01T00:00Z", "a"),
        ("type=file;modify=20261122130207; a", ASK, 0, "2026-11-22T13:02:07Z", "a"),
        ("type=file;size=-1;modify=20261322130207; a", ASK, 0, "1970-01-01T00:00Z", "a"),
        ("size=1;modify=20261122130207; a", ASK, 1, "2026-11-22T13:02:07Z", "a"),
        (" a b", ASK, 0, "1970-01-01T00:00Z", "a b"),
        ("type=dir; bak", FOLDER, 0, "1970-01-01T00:00Z", "bak"),
        ("type=OS.unix=chr-13/29;size=0;modify=20261122130207; tty", OTHER, 0, "2026-11-22T13:02:07Z", "tty"),
        // The end of a line, and a server that forgets the last sign
        ("type=file;size=1;modify=20261122130207; a\r\n", FILE, 1, "2026-11-22T13:02:07Z", "a"),
        ("type=file;size=1;modify=20261122130207 a", FILE, 1, "2026-11-22T13:02:07Z", "a"),
    ];
    for case in cases {
        assert_eq!(mlsd(case.0.as_bytes()).map(|entry| entry.map(shown)), Ok(Some(expected(*case))), "{:?}", case.0);
    }
    for line in ["", "\r\n", "type=cdir;modify=20261122130207; .", "type=pdir; ..", "type=cdir; /outbox", "type=dir; ."]
    {
        assert_eq!(mlsd(line.as_bytes()), Ok(None), "{line:?}");
    }
    for line in
        ["type=file;size=1;", "type=file;size=1; ", "type=file; a/b", "type=file; /a", "type=file; a\0", "users.csv"]
    {
        assert!(mlsd(line.as_bytes()).is_err(), "{line:?}");
    }
}

#[test]
fn facts_of_mlst() {
    let said = |line: &str| mlst(line.as_bytes()).unwrap();
    let whole = Facts { kind: FILE, size: Some(7), mtime: time(b"20261122130207") };
    assert_eq!(said(" type=file;size=7;modify=20261122130207; /outbox/a b.csv\r\n"), whole);
    assert_eq!(said("type=file;size=7;modify=20261122130207; a"), whole);
    assert_eq!(said(" type=cdir; /outbox").kind, FOLDER);
    assert_eq!(said(" type=OS.unix=slink:/x; a").kind, None);
    assert!(mlst(b"nothing").is_err());
}

#[test]
fn times_of_facts() {
    let cases = [
        ("20261122130207", Some("2026-11-22T13:02:07Z")),
        ("20261122130207.1", Some("2026-11-22T13:02:07.1Z")),
        ("20261122130207.1234567899", Some("2026-11-22T13:02:07.123456789Z")),
        ("20161231235960", Some("2016-12-31T23:59:59Z")),
        ("20240229000000", Some("2024-02-29T00:00:00Z")),
        ("19691231235959", Some("1969-12-31T23:59:59Z")),
        ("99981231235959", Some("9998-12-31T23:59:59Z")),
        ("99991231235959", None),
        ("20230229000000", None),
        ("20261122130261", None),
        ("20261122130207.", None),
        ("20261122130207Z", None),
        ("191261122130207", None),
        ("2026112213020", None),
        ("", None),
    ];
    for (text, want) in cases {
        assert_eq!(time(text.as_bytes()), want.map(|want| want.parse().unwrap()), "{text:?}");
    }
}

/// What holds for every line, whoever wrote it.
fn holds(line: &[u8]) {
    let list = List::new(now());
    for parsed in [list.line(line), mlsd(line)] {
        match parsed {
            Ok(Some(Entry { listed, .. })) => {
                assert!(crate::source::name::split("", &listed.name).is_ok_and(|(folder, _)| folder.is_none()));
                assert!(!listed.name.contains(['\r', '\n']) && listed.name.len() <= 2 * MAX_LINE);
            }
            Ok(None) => {}
            Err(malformed) => assert!(malformed.to_string().chars().all(|letter| !letter.is_control())),
        }
    }
    let _ = (mlst(line), time(line));
}

proptest! {
    #[test]
    fn any_bytes_are_an_entry_or_a_reason(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        holds(&line);
    }

    #[test]
    fn what_looks_like_a_line_is_an_entry_or_a_reason(
        line in "[-dlb+]?(rwxr-xr-x|type=file;|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4})? {0,3}[0-9]{0,21} (Nov|feb|<DIR>|modify=)? ?[0-9:AP]{0,20};? ?.{0,12}"
    ) {
        holds(line.as_bytes());
    }

    #[test]
    fn a_name_comes_out_as_it_went_in(name in "[^/\0\r\n]{1,40}", size: u64) {
        prop_assume!(name != "." && name != "..");
        let entry = |line: String| List::new(now()).line(line.as_bytes()).unwrap().unwrap().listed;
        let unix = entry(format!("-rw-r--r--   1 hr       staff {size:>12} Nov 22 13:02 {name}"));
        prop_assert_eq!((&unix.name, unix.size), (&name, size));
        let dos = entry(format!("11-22-26  01:02PM {size:>20} {name}"));
        prop_assert_eq!((&dos.name, dos.size), (&name, size));
        let facts = mlsd(format!("type=file;size={size};modify=20261122130207; {name}").as_bytes()).unwrap().unwrap().listed;
        prop_assert_eq!((&facts.name, facts.size), (&name, size));
    }
}

/// The lines that fuzzing found worth keeping.
#[test]
fn the_corpus_is_read_without_a_surprise() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/listing");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 20, "the corpus has only {} files", files.len());
    for file in files {
        for line in std::fs::read(&file).unwrap().split_inclusive(|byte| *byte == b'\n') {
            holds(line);
        }
    }
}
