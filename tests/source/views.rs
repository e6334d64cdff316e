//! What a login sees of a server: a view of its own, links, names that differ in case, and files from an offset.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use tempfile::TempDir;
use usersync::{
    model::{
        file::{ListedKind, Stamp},
        job::SftpJob,
    },
    ports::{Source, SourceError},
    source::{directory::Directory, servers::Servers, sftp::Sftp},
};

use crate::{fetch, listed, noise, says, support::sshd::Sshd};

#[tokio::test]
async fn a_login_may_have_a_root_of_its_own() {
    // A root must lie in folders that only root can write to.
    let root = TempDir::new_in("/run").unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(root.path().join("outbox")).unwrap();
    fs::write(root.path().join("outbox/users.csv"), "in the outbox").unwrap();
    fs::write(root.path().join("users.csv"), "at the root").unwrap();
    let sshd = Sshd::start(&format!("ChrootDirectory {}", root.path().display()));
    let job = sshd.job_with_key();
    for (path, content) in
        [("/outbox", "in the outbox"), ("outbox/", "in the outbox"), ("/", "at the root"), ("", "at the root")]
    {
        let source = Sftp::new(SftpJob { path: path.to_owned(), ..job.clone() }, &Servers::default());
        let stamp = listed(&source, "users.csv").await;
        assert_eq!(fetch(&source, &stamp).await, Ok(content.into()), "{path:?}");
        source.rename("users.csv", "bak/users.csv").await.unwrap();
        source.rename("bak/users.csv", "users.csv").await.unwrap();
    }
    // The path as it is outside is none inside.
    let path = root.path().join("outbox").to_str().unwrap().to_owned();
    let error = Sftp::new(SftpJob { path, ..job }, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::FolderMissing(_)), "{error:?}");
    says(&error, &["source.path", "its own view, which starts in \"/\""]);
}

#[tokio::test]
async fn names_that_differ_in_case_links_and_folders_are_told_apart() {
    let sshd = Sshd::start("");
    let outbox = sshd.outbox();
    fs::write(outbox.join("users.csv"), "small").unwrap();
    fs::write(outbox.join("Users.csv"), "capital").unwrap();
    fs::write(outbox.join("empty.csv"), "").unwrap();
    fs::write(sshd.path("outside.csv"), "outside").unwrap();
    fs::create_dir(outbox.join("folder.csv")).unwrap();
    symlink("users.csv", outbox.join("within.csv")).unwrap();
    symlink(sshd.path("outside.csv"), outbox.join("outside.csv")).unwrap();
    symlink("nowhere", outbox.join("dangling.csv")).unwrap();
    symlink("loop.csv", outbox.join("loop.csv")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(outbox.join("pipe.csv")).status().unwrap().success());
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    let mut all = source.list().await.unwrap();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let found: Vec<_> = all.iter().map(|listed| (listed.name.as_str(), listed.kind, listed.size)).collect();
    use ListedKind::{File, Other};
    // Which links are followed is the server's to say: it serves what its links lead to.
    let files = [
        ("Users.csv", "capital"),
        ("empty.csv", ""),
        ("outside.csv", "outside"),
        ("users.csv", "small"),
        ("within.csv", "small"),
    ];
    for (name, content) in files {
        assert!(found.contains(&(name, File, content.len() as u64)), "{name}: {found:?}");
        let stamp = listed(&source, name).await;
        assert_eq!(source.stat(name).await, Ok(Some(stamp.clone())), "{name}");
        assert_eq!(fetch(&source, &stamp).await, Ok(content.into()), "{name}");
    }
    for (name, kind) in
        [("dangling.csv", Other), ("folder.csv", ListedKind::Folder), ("loop.csv", Other), ("pipe.csv", Other)]
    {
        assert!(found.iter().any(|found| (found.0, found.1) == (name, kind)), "{name}: {found:?}");
    }
    assert_eq!(found.len(), 9);
    for name in ["dangling.csv", "folder.csv", "pipe.csv", "USERS.CSV"] {
        assert_eq!(source.stat(name).await, Ok(None), "{name}");
    }
    // The link moves, what it leads to stays; each of two names that differ in case moves alone.
    source.rename("outside.csv", "bak/outside.csv").await.unwrap();
    assert_eq!(fs::read(sshd.path("outside.csv")).unwrap(), b"outside");
    assert!(fs::symlink_metadata(outbox.join("bak/outside.csv")).unwrap().is_symlink());
    source.rename("Users.csv", "bak/users.csv").await.unwrap();
    assert_eq!(fs::read(outbox.join("users.csv")).unwrap(), b"small");
    assert_eq!(fs::read(outbox.join("bak/users.csv")).unwrap(), b"capital");
}

/// From the beginning, from the middle, from the end, and from behind it.
async fn from_offsets(source: &dyn Source, name: &str, content: &[u8]) {
    let stamp = listed(source, name).await;
    let size = content.len() as u64;
    for from in [0, 1, 32 * 1024, 131_072, size / 2, size - 1, size] {
        let mut rest = Vec::new();
        let seen = std::sync::Mutex::new(Vec::new());
        let whole = source.fetch(&stamp, from, &mut rest, &|done| seen.lock().unwrap().push(done)).await;
        assert_eq!(whole, Ok(size), "from {from}");
        assert!(rest == content[from as usize..], "from {from}");
        let seen = seen.into_inner().unwrap();
        assert!(seen.iter().all(|done| *done > from) && (from == size || seen.last() == Some(&size)), "from {from}");
    }
    for from in [size + 1, size * 2, u64::MAX] {
        let mut rest = Vec::new();
        let error = source.fetch(&stamp, from, &mut rest, &|_| {}).await.unwrap_err();
        assert!(matches!(error, SourceError::Changed(_)), "from {from}: {error:?}");
        assert_eq!(rest, b"");
    }
    // What is another file by now is not gone on with.
    let other = Stamp { mtime: jiff::Timestamp::UNIX_EPOCH, ..stamp };
    let error = source.fetch(&other, 1, &mut Vec::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed(_)), "{error:?}");
}

#[tokio::test]
async fn a_fetch_goes_on_where_one_stopped() {
    let content = noise(1_000_001);
    let sshd = Sshd::start("");
    fs::write(sshd.outbox().join("users.csv"), &content).unwrap();
    from_offsets(&Sftp::new(sshd.job_with_key(), &Servers::default()), "users.csv", &content).await;
    from_offsets(&Directory::new(sshd.outbox()), "users.csv", &content).await;
}
