//! Columns: looking into the folder.

use std::{
    collections::BTreeMap,
    fs::{self, File, FileTimes},
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use usersync::{
    model::file::{ListedKind, Stamp},
    ports::SourceError,
};

use crate::{
    listed, says,
    support::ftpd::{Brand, Ftpd, Setup},
};

/// What people call their files.
pub const NAMES: &[&str] = &[
    "userdata_1.csv",
    "two words.csv",
    "  three   blanks.csv",
    "Grüße aus Köln.csv",
    "名簿.csv",
    "[2026].csv",
    "{a,b}?.csv",
    "-rf.csv",
    "semi;colon=1; x.csv",
    "per%20cent.csv",
    "quo\"te's.csv",
    "a -> b.csv",
    "star*.csv",
    "~home.csv",
    "UPPER.csv",
    "upper.csv",
    "12:30.csv",
    "$(x)`y`.csv",
];

pub async fn lists_names_of_every_kind(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let mut expected = BTreeMap::new();
    for (number, name) in NAMES.iter().enumerate() {
        server.put(name, &vec![b'x'; number * 1_000]);
        expected.insert((*name).to_owned(), (ListedKind::File, number as u64 * 1_000));
    }
    server.make_folder("bak");
    server.make_folder("folder of 2026.csv");

    let mut found = BTreeMap::new();
    for listed in server.source().list().await.unwrap() {
        // What a folder's size is, nobody asks.
        let size = if listed.kind == ListedKind::Folder { 0 } else { listed.size };
        assert!(found.insert(listed.name, (listed.kind, size)).is_none());
    }
    expected.insert("bak".to_owned(), (ListedKind::Folder, 0));
    expected.insert("folder of 2026.csv".to_owned(), (ListedKind::Folder, 0));
    assert_eq!(found, expected);
}

/// A look at one file says what the listing says; a change of its time or its size shows in both.
pub async fn asks_for_one_file(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    server.make_folder("folder.csv");
    for name in NAMES {
        let path = server.put(name, b"id\n");
        touch(&path, Duration::from_secs(90 * 86_400));
    }
    let all = source.list().await.unwrap();
    for name in NAMES {
        let listed = Stamp::from(&crate::one(all.clone(), name));
        assert_eq!(source.stat(name).await.unwrap(), Some(listed), "{name}");
    }
    assert_eq!(source.stat("folder.csv").await.unwrap(), None);
    assert_eq!(source.stat("no such file.csv").await.unwrap(), None);

    let before = listed(&*source, "two words.csv").await;
    let path = server.put("two words.csv", b"id\n");
    touch(&path, Duration::from_secs(3_600));
    let after = listed(&*source, "two words.csv").await;
    assert_ne!(before.mtime, after.mtime);
    assert_eq!(source.stat("two words.csv").await.unwrap(), Some(after.clone()));
    // Two changes within a minute are two.
    touch(&path, Duration::from_secs(3_630));
    let again = listed(&*source, "two words.csv").await;
    assert_ne!(after.mtime, again.mtime);
    assert_eq!(source.stat("two words.csv").await.unwrap(), Some(again));
}

pub async fn lists_ten_thousand_files(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    for number in 0..9_990 {
        fs::write(server.outbox().join(format!("userdata_{number:05}.csv")), b"id\n").unwrap();
    }
    let mut names: Vec<_> = server.source().list().await.unwrap().into_iter().map(|listed| listed.name).collect();
    names.sort();
    let expected: Vec<_> = (0..9_990).map(|number| format!("userdata_{number:05}.csv")).collect();
    assert!(names == expected, "{} names: {:?}…", names.len(), &names[..names.len().min(3)]);
}

pub async fn folder_is_missing(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let source = server.source();
    fs::rename(server.outbox(), server.outbox().with_file_name("elsewhere")).unwrap();
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::FolderMissing(_)), "{error:?}");
    says(&error, &["/outbox", "source.path"]);
    // It is there again: the same source goes on.
    fs::rename(server.outbox().with_file_name("elsewhere"), server.outbox()).unwrap();
    assert_eq!(source.list().await.unwrap(), Vec::new());
}

pub async fn folder_is_closed(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    server.put("userdata_1.csv", b"id\n");
    std::os::unix::fs::chown(server.outbox(), Some(0), Some(0)).unwrap();
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = server.source().list().await.unwrap_err();
    // vsftpd says no more than that the folder was not entered: the source finds out why.
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["/outbox", "allow"]);
}

/// Changed so long ago.
fn touch(path: &std::path::Path, ago: Duration) {
    // Whole seconds: what a test compares must not fall between two.
    let now = SystemTime::from(Timestamp::from_second(Timestamp::now().as_second()).unwrap());
    File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(now - ago)).unwrap();
}
