//! Files that are not what they should be are named as what they are; files that are still coming are left alone.

use std::{fs, io::Write, thread, time::Duration};

use flate2::{Compression, write::GzEncoder};

use super::world::{THREE, World};

#[test]
fn what_is_no_csv_is_named() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(THREE.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"\xef\xbb\xbf", "header"),
        (b"\n\n\n", "header"),
        (b"PK\x03\x04\x14\0\x06\0\x08\0[Content_Types].xml", "XLSX"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest of it", "XLS"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "HTML"),
        (b"\n  <html>\n<table>", "HTML"),
        (b"[{\"id\": \"E1\"}]", "JSON"),
        (b"{\"id\": \"E1\",\n \"name\": \"x\"}", "JSON"),
        (gzip.as_slice(), "gzip"),
        (b"id,name\nE1,Ann\n", "mail"),
        (b"id,name,mail,Id\nE1,Ann,a@example.com,x\n", ""),
        (b"id,name,name,mail\nE1,Ann,x,a@example.com\n", "name"),
    ];
    for (bytes, word) in cases {
        let world = World::new(&[]);
        world.drop_file(bytes);
        let one = world.run(&[]);
        let text = String::from_utf8_lossy(bytes);
        if word.is_empty() {
            assert_eq!(one.code, 0, "an exact name wins: {text:?}: {one:?}");
            continue;
        }
        assert_eq!((one.code, one.reason()), (1, "InvalidFile"), "{text:?}: {one:?}");
        assert!(one.message().to_lowercase().contains(&word.to_lowercase()), "{text:?}: {}", one.message());
        assert!(one.message().contains("userdata_1.csv"), "{}", one.message());
        assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
        assert_eq!(world.users("select count(*) || '' from users"), ["0"]);
    }
}

#[test]
fn encodings_and_delimiters_come_out_the_same() {
    let text = "id;name;mail\r\nE1;\"Jürgen\r\nMüller\";j@example.com\r\n\r\nE2;Łódź;l@example.com\r\n";
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let sep = format!("sep=;\r\n{text}");
    for bytes in [
        text.as_bytes(),
        format!("\u{feff}{text}").as_bytes(),
        &utf16,
        sep.as_bytes(),
        text.replace(';', "\t").as_bytes(),
        text.replace(';', "|").as_bytes(),
    ] {
        let world = World::new(&[]);
        world.drop_file(bytes);
        let one = world.run(&[]);
        assert_eq!(
            (one.code, one.counts().as_str()),
            (0, "read 2, added 2"),
            "{:?}: {one:?}",
            String::from_utf8_lossy(bytes)
        );
        assert_eq!(world.names_of_users(), ["E1 Jürgen\r\nMüller", "E2 Łódź"]);
    }
}

#[test]
fn a_file_too_large_is_never_opened() {
    let world = World::new(&["source: {directory: {path: inbox}, maxSize: 1Ki}"]);
    world.drop_file("x".repeat(2000));
    let path = world.path("inbox/userdata_1.csv");
    let sealed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(&path, sealed).unwrap();
    let accessed = |path| fs::metadata(path).unwrap().accessed().unwrap();
    let before = accessed(&path);
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (1, "FileTooLarge"), "{one:?}");
    assert!(one.message().contains("2000") && one.message().contains("maxSize"), "{}", one.message());
    assert!(one.report["file"]["sha256"].is_null() && accessed(&path) == before);
    // Another one is taken in its place.
    world.write("inbox/userdata_2.csv", THREE);
    assert_eq!(world.run(&[]).counts(), "read 3, added 3");
    assert_eq!(world.names("inbox"), ["bak", "userdata_1.csv"]);
}

#[test]
fn a_growing_file_is_left_for_the_next_run() {
    let world = World::new(&["source: {directory: {path: inbox}, stableFor: 3s}"]);
    let path = world.path("inbox/userdata_1.csv");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    fs::write(&path, THREE).unwrap();
    let growing = thread::spawn(move || {
        let mut file = fs::File::options().append(true).open(path).unwrap();
        while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
            file.write_all(b"E9,more,more@example.com\n").unwrap();
        }
    });
    let one = world.run(&[]);
    stop.send(()).unwrap();
    growing.join().unwrap();
    assert_eq!((one.code, one.reason()), (0, "NoFile"), "{one:?}");
    assert!(one.message().contains("userdata_1.csv"), "{}", one.message());
    assert_eq!(world.names("inbox"), ["userdata_1.csv"]);
}

#[test]
fn names_of_uploads_at_work_folders_and_links_are_no_candidates() {
    let world = World::new(&["source: {directory: {path: inbox}, files: '*'}"]);
    for name in ["a.csv.part", "b.csv.tmp", "c.csv.filepart", "d.csv.PART"] {
        world.write(&format!("inbox/{name}"), THREE);
    }
    fs::create_dir(world.path("inbox/folder.csv")).unwrap();
    world.write("elsewhere.csv", THREE);
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (0, "NoFile"), "{one:?}");
    assert_eq!(world.names("inbox").len(), 5);
}

#[test]
fn a_missing_folder_is_said() {
    let world = World::new(&["source: {directory: {path: nowhere}}"]);
    let one = world.run(&[]);
    assert_eq!((one.code, one.reason()), (1, "FolderMissing"), "{one:?}");
    assert!(one.message().contains("nowhere"), "{}", one.message());
    assert!(!world.exists("nowhere"));
}
