//! A folder of this machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use tempfile::TempDir;
use usersync::{
    model::{
        file::{ListedKind, Stamp},
        job::SourceJob,
    },
    ports::{Source, SourceError},
    source::{self, directory::Directory, servers::Servers},
};

use crate::{fetch, listed, noise, says};

fn folder() -> (TempDir, Directory) {
    let folder = TempDir::new().unwrap();
    let source = Directory::new(folder.path().to_owned());
    (folder, source)
}

#[tokio::test]
async fn a_folder_is_listed_and_files_are_fetched() {
    let (folder, source) = folder();
    for name in ["users.csv", "Größe & Maß.csv", "two words.csv", "-rf.csv", ".hidden"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    fs::create_dir(folder.path().join("bak")).unwrap();
    symlink("users.csv", folder.path().join("link.csv")).unwrap();
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    fs::write(folder.path().join(OsStr::from_bytes(b"latin1_\xfc.csv")), "skipped").unwrap();

    let mut all = source.list().await.unwrap();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = all.iter().map(|listed| (listed.name.as_str(), listed.kind)).collect();
    use ListedKind::{File, Folder, Other};
    let expected = [
        ("-rf.csv", File),
        (".hidden", File),
        ("Größe & Maß.csv", File),
        ("bak", Folder),
        ("link.csv", Other),
        ("two words.csv", File),
        ("users.csv", File),
    ];
    assert_eq!(found, expected);
    for file in all.iter().filter(|listed| listed.kind == File) {
        let stamp = Stamp::from(file);
        assert_eq!(source.stat(&file.name).await, Ok(Some(stamp.clone())));
        assert_eq!(fetch(&source, &stamp).await.unwrap(), file.name.as_bytes());
    }
    for name in ["bak", "link.csv", "absent.csv", "absent/users.csv"] {
        assert_eq!(source.stat(name).await, Ok(None), "{name}");
    }
}

#[tokio::test]
async fn a_large_file_comes_unchanged() {
    let (folder, _) = folder();
    let source =
        source::open(&SourceJob::Directory { path: folder.path().to_owned(), beneath: None }, &Servers::default());
    for size in [0, 1, 524_288, 5_000_001] {
        let content = noise(size);
        fs::write(folder.path().join("users.csv"), &content).unwrap();
        let stamp = listed(source.as_ref(), "users.csv").await;
        assert!(fetch(source.as_ref(), &stamp).await.unwrap() == content, "{size} bytes");
    }
    assert_eq!(source.location(), folder.path().to_str().unwrap());
}

#[tokio::test]
async fn a_file_that_is_not_what_was_listed_is_not_taken() {
    let (folder, source) = folder();
    let path = folder.path().join("users.csv");
    fs::write(&path, "one").unwrap();
    let stamp = listed(&source, "users.csv").await;
    fs::write(&path, "three").unwrap();
    assert!(matches!(fetch(&source, &stamp).await, Err(SourceError::Changed(_))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(fetch(&source, &stamp).await, Err(SourceError::Missing(_))));
    // What takes its place must be a file: no link is followed, no pipe waited for.
    fs::write(folder.path().join("other"), "one").unwrap();
    symlink("other", &path).unwrap();
    assert!(matches!(fetch(&source, &stamp).await, Err(SourceError::Changed(_))));
    fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(fetch(&source, &stamp).await, Err(SourceError::Changed(_))));
}

/// Changes the file as soon as the first bytes of it arrive.
struct Changing<F: FnMut() + Unpin>(Option<F>);

impl<F: FnMut() + Unpin> tokio::io::AsyncWrite for Changing<F> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        if let Some(mut change) = self.0.take() {
            change();
        }
        std::task::Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_not_taken() {
    let (folder, source) = folder();
    let path = folder.path().join("users.csv");
    let content = noise(3 << 20);
    type Case<'a> = (&'a str, fn(&std::path::Path));
    let cases: [Case; 4] = [
        ("grows", |path| {
            use std::io::Write;
            fs::OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
        }),
        ("shrinks", |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(2 << 20).unwrap()),
        ("is replaced", |path| {
            // Same size and time: another file all the same.
            let (new, time) = (path.with_extension("new"), fs::metadata(path).unwrap().modified().unwrap());
            fs::write(&new, noise(3 << 20)).unwrap();
            fs::File::options().write(true).open(&new).unwrap().set_modified(time).unwrap();
            fs::rename(&new, path).unwrap();
        }),
        ("vanishes", |path| fs::remove_file(path).unwrap()),
    ];
    for (what, change) in cases {
        fs::write(&path, &content).unwrap();
        let stamp = listed(&source, "users.csv").await;
        let result = source.fetch(&stamp, 0, &mut Changing(Some(|| change(&path))), &|_| {}).await;
        match what {
            "vanishes" => assert!(matches!(result, Err(SourceError::Missing(_))), "{what}: {result:?}"),
            _ => assert!(matches!(result, Err(SourceError::Changed(_))), "{what}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn files_move_into_a_folder_that_is_made_and_never_over_another() {
    let (folder, source) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o2775)).unwrap();
    fs::write(at("users.csv"), "first").unwrap();
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert_eq!(fs::read(at("bak/users.csv")).unwrap(), b"first");
    assert_eq!(fs::metadata(at("bak")).unwrap().permissions().mode() & 0o7777, 0o2775);

    fs::write(at("users.csv"), "second").unwrap();
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert_eq!(fs::read(at("bak/users.csv")).unwrap(), b"first");
    assert_eq!(fs::read(at("users.csv")).unwrap(), b"second");
    symlink("nowhere", at("bak/dangling")).unwrap();
    let error = source.rename("users.csv", "bak/dangling").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");

    let error = source.rename("gone.csv", "bak/gone.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
    source.rename("users.csv", "deep/er/users.csv").await.unwrap();
    source.delete("deep/er/users.csv").await.unwrap();
    let error = source.delete("deep/er/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
}

#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let (folder, source) = folder();
    let outside = TempDir::new().unwrap();
    symlink(outside.path(), folder.path().join("out")).unwrap();
    fs::write(folder.path().join("users.csv"), "x").unwrap();
    for to in ["../users.csv", "/tmp/users.csv", "bak/../../users.csv", "out/users.csv", ""] {
        let error = source.rename("users.csv", to).await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{to}: {error:?}");
    }
    assert!(matches!(source.delete("../users.csv").await, Err(SourceError::Denied(_))));
    assert!(matches!(source.stat("../users.csv").await, Err(SourceError::Denied(_))));
    assert!(folder.path().join("users.csv").exists());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let (folder, _) = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    for name in ["nowhere", "file"] {
        let path = folder.path().join(name);
        let error = Directory::new(path.clone()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::FolderMissing(_)), "{error:?}");
        says(&error, &[path.to_str().unwrap(), "source.directory.path"]);
    }
}

#[tokio::test]
async fn a_folder_with_too_many_names_is_not_listed() {
    let (folder, source) = folder();
    for number in 0..100_001 {
        fs::File::create(folder.path().join(number.to_string())).unwrap();
    }
    says(&source.list().await.unwrap_err(), &["more than 100,000 names"]);
    fs::remove_file(folder.path().join("0")).unwrap();
    assert_eq!(source.list().await.unwrap().len(), 100_000);
}
