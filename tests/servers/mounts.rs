//! Columns: a folder within the account's own that is another disk. Rename does not lead there: `EXDEV`, of which SFTP has no code.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

use usersync::ports::SourceError;

use crate::{
    fetch, listed, noise, says,
    support::ftpd::{Brand, Ftpd, Setup},
};

/// The names in the folder `bak`.
async fn in_bak(server: &Ftpd) -> Vec<String> {
    let mut job = server.sftp_job();
    job.path += "/bak";
    let source = crate::support::ftpd::open(usersync::model::job::SourceJob::Sftp(Box::new(job)));
    source.list().await.unwrap().into_iter().map(|listed| listed.name).collect()
}

/// Copied, read back, and only then deleted; it is the same file to whoever looks.
pub async fn moves_to_a_mounted_disk(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    server.mount("bak", "8m");
    let content = noise(3_000_001);
    let path = server.put("users.csv", &content);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3_600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    let source = server.source();
    let before = listed(&*source, "users.csv").await;
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(!path.exists());
    let after = source.stat("bak/users.csv").await.unwrap().unwrap();
    // ProFTPD copies by itself where its rename does not reach, and gives the copy the time of the move.
    let same = (after.size, after.mtime) == (before.size, before.mtime);
    assert!(same || brand == Brand::ProFtpd && after.size == before.size, "{before:?} became {after:?}");
    assert!(fetch(&*source, &after, 0).await.unwrap() == content);
    assert_eq!(in_bak(&server).await, ["users.csv"], "nothing else is left");
    assert_eq!(fs::read_dir(server.outbox()).unwrap().count(), 1, "nothing but the folder is left");
    assert!(!server.outbox().join("bak/users.csv").exists(), "it is on a disk that the server alone sees");

    // A name that is taken there stays what it is.
    server.put("users.csv", b"new");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert_eq!(source.stat("bak/users.csv").await.unwrap().unwrap().size, before.size);
    // Back again, from disk to disk.
    source.rename("bak/users.csv", "users_back.csv").await.unwrap();
    assert!(fs::read(server.outbox().join("users_back.csv")).unwrap() == content);
    assert!(in_bak(&server).await.is_empty());
}

/// Neither half a copy nor half a file: what has no room stays where it is, and so does what may not be deleted.
pub async fn loses_nothing_where_a_disk_is_full(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    server.mount("bak", "1m");
    let content = noise(3_000_000);
    let path = server.put("users.csv", &content);
    let source = server.source();
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert!(fs::read(&path).unwrap() == content);
    assert!(in_bak(&server).await.is_empty(), "no partial copy stays");
    // A file with room, in a folder from which nothing may be taken away.
    let small = server.put("small.csv", b"id\n");
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o555)).unwrap();
    let error = source.rename("small.csv", "bak/small.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["small.csv", "change the folder"]);
    assert_eq!(fs::read(&small).unwrap(), b"id\n");
    assert!(in_bak(&server).await.is_empty(), "no second copy stays");
    // The same source goes on.
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o755)).unwrap();
    source.rename("small.csv", "bak/small.csv").await.unwrap();
    assert_eq!(in_bak(&server).await, ["small.csv"]);
}
