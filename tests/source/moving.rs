//! Moving files on a real server: to another file system, where there is no room, where something is in the way.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;
use usersync::{
    model::job::SftpJob,
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    listed, noise, says,
    support::{
        delay::Proxy,
        sshd::{Account, Sshd},
    },
};

/// A small file system of its own, gone with its drop.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, options: &str) -> Self {
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "this test mounts a file system: run it as root (`sudo tests/run`)");
        Self(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Another file system, in the outbox as `bak`.
fn elsewhere(sshd: &Sshd) -> TempDir {
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    symlink(elsewhere.path(), sshd.outbox().join("bak")).unwrap();
    let device = |path: &Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(elsewhere.path()), device(&sshd.outbox()), "the test needs two file systems");
    elsewhere
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
}

#[tokio::test]
async fn a_file_moves_to_another_file_system_and_never_over_another() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    let elsewhere = elsewhere(&sshd);
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    // Around a window of the copy, and none at all.
    for size in [0, 1, 32 * 1024, (1 << 20) - 1, 1 << 20, 3_000_001] {
        write(&outbox.join("users.csv"), &noise(size));
        fs::set_permissions(outbox.join("users.csv"), fs::Permissions::from_mode(0o640)).unwrap();
        let before = listed(&source, "users.csv").await;
        let to = format!("bak/users_{size}.csv");
        source.rename("users.csv", &to).await.unwrap();
        let moved = source.stat(&to).await.unwrap().unwrap();
        assert_eq!((moved.size, moved.mtime), (before.size, before.mtime));
        let copy = elsewhere.path().join(format!("users_{size}.csv"));
        assert!(fs::read(&copy).unwrap() == noise(size), "{size} bytes");
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(names(&outbox), ["bak"], "{size} bytes");
    }
    assert_eq!(names(elsewhere.path()).len(), 6, "nothing else stays");

    write(&outbox.join("users.csv"), b"second");
    let error = source.rename("users.csv", "bak/users_1.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert_eq!(fs::read(elsewhere.path().join("users_1.csv")).unwrap(), noise(1));
    assert_eq!(names(&outbox), ["bak", "users.csv"]);
    assert_eq!(names(elsewhere.path()).len(), 6);

    // A link moves within a file system, and is never taken for the file.
    symlink("users.csv", outbox.join("link.csv")).unwrap();
    let error = source.rename("link.csv", "bak/link.csv").await.unwrap_err();
    says(&error, &["link.csv", "no regular file", "moveTo"]);
    assert_eq!(names(&outbox), ["bak", "link.csv", "users.csv"]);
}

#[tokio::test]
async fn a_full_disk_leaves_the_file_and_no_half_copy() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    let small = Small::mount(outbox.join("bak"), "size=1m,mode=0755");
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    write(&outbox.join("users.csv"), &noise(3_000_000));
    let before = listed(&source, "users.csv").await;
    for _ in 0..2 {
        let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
        assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
        says(&error, &["/bak/users.csv", "disk or quota is full", "tried again"]);
        assert_eq!(names(&small.0), Vec::<String>::new());
        assert_eq!(listed(&source, "users.csv").await, before);
    }
    // What fits is moved.
    write(&outbox.join("small.csv"), &noise(500_000));
    source.rename("small.csv", "bak/small.csv").await.unwrap();
    assert_eq!(names(&small.0), ["small.csv"]);
}

#[tokio::test]
async fn what_is_in_the_way_of_the_folder_is_told() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    write(&outbox.join("users.csv"), b"x");
    fs::write(outbox.join("bak"), "a file").unwrap();
    symlink("nowhere", outbox.join("dangling")).unwrap();
    symlink("bak", outbox.join("linked")).unwrap();
    for folder in ["bak", "dangling", "linked", "bak/deeper"] {
        let error = source.rename("users.csv", &format!("{folder}/users.csv")).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{folder}: {error:?}");
        says(&error, &[folder.split('/').next().unwrap(), "there is a file", "moveTo"]);
    }
    assert_eq!(names(&outbox), ["bak", "dangling", "linked", "users.csv"]);
    assert_eq!(fs::read(outbox.join("bak")).unwrap(), b"a file");
}

#[tokio::test]
async fn a_folder_that_is_made_has_all_rights_of_the_one_around_it() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    fs::set_permissions(&outbox, fs::Permissions::from_mode(0o2775)).unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    write(&outbox.join("users.csv"), b"x");
    source.rename("users.csv", "bak/2026/users.csv").await.unwrap();
    for folder in ["bak", "bak/2026"] {
        let mode = fs::metadata(outbox.join(folder)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, 0o2775, "{folder}: {mode:o}");
    }
}

#[tokio::test]
async fn a_folder_elsewhere_without_permission_takes_nothing() {
    let account = Account::new();
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    fs::set_permissions(&outbox, fs::Permissions::from_mode(0o777)).unwrap();
    let elsewhere = elsewhere(&sshd);
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let key = sshd.new_key(&account.name, &["-t", "ed25519"], "");
    let source = Sftp::new(SftpJob { private_key: Some(key), ..sshd.job(&account.name) }, &Servers::default());
    write(&outbox.join("users.csv"), b"x");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["bak/users.csv", "denied permission"]);
    assert_eq!(names(&outbox), ["bak", "users.csv"]);
    assert_eq!(names(elsewhere.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_may_not_be_deleted_is_not_there_twice() {
    let account = Account::new();
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    // Readable, but nothing in it may be renamed or deleted.
    fs::set_permissions(&outbox, fs::Permissions::from_mode(0o755)).unwrap();
    let elsewhere = elsewhere(&sshd);
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let key = sshd.new_key(&account.name, &["-t", "ed25519"], "");
    let source = Sftp::new(SftpJob { private_key: Some(key), ..sshd.job(&account.name) }, &Servers::default());
    write(&outbox.join("users.csv"), b"x");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["users.csv", "change the folder"]);
    assert_eq!(names(&outbox), ["bak", "users.csv"]);
    assert_eq!(names(elsewhere.path()), Vec::<String>::new());
}

/// Holds the line in the middle of a copy and does something.
async fn moved_while(change: impl FnOnce(&mut Sshd)) -> (Result<(), SourceError>, Sftp, Sshd, TempDir, Proxy) {
    let mut sshd = Sshd::start("");
    let elsewhere = elsewhere(&sshd);
    let proxy = Proxy::start(sshd.port, Duration::ZERO).await;
    write(&sshd.outbox().join("users.csv"), &noise(8 << 20));
    let source = Sftp::new(SftpJob { port: proxy.port, ..sshd.job_with_key() }, &Servers::default());
    source.list().await.unwrap();
    proxy.hold_after(3 << 20);
    let result = {
        let rename = source.rename("users.csv", "bak/users.csv");
        let meanwhile = async {
            proxy.held().await;
            change(&mut sshd);
            proxy.release();
        };
        tokio::join!(rename, meanwhile).0
    };
    (result, source, sshd, elsewhere, proxy)
}

#[tokio::test]
async fn a_new_upload_during_the_copy_stays_and_the_copy_does_not() {
    let (result, source, sshd, elsewhere, _proxy) = moved_while(|sshd| {
        let (path, new) = (sshd.outbox().join("users.csv"), sshd.path("new"));
        fs::write(&new, "a new upload").unwrap();
        fs::rename(&new, &path).unwrap();
    })
    .await;
    let error = result.unwrap_err();
    assert!(matches!(error, SourceError::Changed(_)), "{error:?}");
    assert_eq!(fs::read(sshd.outbox().join("users.csv")).unwrap(), b"a new upload");
    assert_eq!(names(&sshd.outbox()), ["bak", "users.csv"]);
    assert_eq!(names(elsewhere.path()), Vec::<String>::new());
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert_eq!(fs::read(elsewhere.path().join("users.csv")).unwrap(), b"a new upload");
}

#[tokio::test]
async fn a_copy_that_broke_off_is_swept_by_the_next_try() {
    let (result, source, sshd, elsewhere, _proxy) = moved_while(Sshd::end_logins).await;
    let error = result.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    assert_eq!(names(elsewhere.path()), ["users.csv.usersync.part"], "under a name that no glob takes");
    assert!(fs::read(sshd.outbox().join("users.csv")).unwrap() == noise(8 << 20));
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert_eq!(names(elsewhere.path()), ["users.csv"]);
    assert!(fs::read(elsewhere.path().join("users.csv")).unwrap() == noise(8 << 20));
    assert_eq!(names(&sshd.outbox()), ["bak"]);
}
