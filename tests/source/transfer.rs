//! Fetching from a server: whole files, files that change meanwhile, servers that go away.

use std::{fs, io::Write, time::Duration};

use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;
use usersync::{
    model::job::SftpJob,
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed, noise,
    support::{delay::Proxy, sshd::Sshd},
};

/// Keeps nothing but the digest.
#[derive(Default)]
struct Digested(Sha256);

impl AsyncWrite for Digested {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.0.update(bytes);
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
async fn two_hundred_megabytes_come_unchanged() {
    let sshd = Sshd::start("");
    let content = noise(200_000_000);
    fs::write(sshd.outbox().join("users.csv"), &content).unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    let mut digested = Digested::default();
    let seen = std::sync::Mutex::new(Vec::new());
    let fetched = source.fetch(&stamp, 0, &mut digested, &|bytes| seen.lock().unwrap().push(bytes)).await;
    assert_eq!(fetched, Ok(200_000_000));
    assert_eq!(digested.0.finalize(), Sha256::digest(&content));
    let seen = seen.into_inner().unwrap();
    assert!(seen.is_sorted() && seen.last() == Some(&200_000_000) && seen.len() > 100);
}

#[tokio::test]
async fn files_of_any_size_come_whole() {
    let sshd = Sshd::start("");
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    // Around what is asked for at once.
    for size in [0, 1, 131_071, 131_072, 131_073, 262_144, 8_388_608] {
        let content = noise(size);
        fs::write(sshd.outbox().join("users.csv"), &content).unwrap();
        let stamp = listed(&source, "users.csv").await;
        assert!(fetch(&source, &stamp).await.unwrap() == content, "{size} bytes");
    }
}

/// What happens to the file, or its server, while the line is held.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Grows,
    Shrinks,
    Vanishes,
    IsReplaced,
    ServerDies,
}

async fn fetched_while(meanwhile: Meanwhile) -> (Result<Vec<u8>, SourceError>, Sftp, Sshd, Proxy) {
    let mut sshd = Sshd::start("");
    let proxy = Proxy::start(sshd.port, Duration::ZERO).await;
    let path = sshd.outbox().join("users.csv");
    fs::write(&path, noise(32 << 20)).unwrap();
    let source = Sftp::new(SftpJob { port: proxy.port, ..sshd.job_with_key() }, &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    proxy.hold_after(1 << 20);
    let result = {
        let fetch = fetch(&source, &stamp);
        let change = async {
            proxy.held().await;
            match meanwhile {
                Meanwhile::Grows => {
                    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
                }
                Meanwhile::Shrinks => {
                    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(20 << 20).unwrap()
                }
                Meanwhile::Vanishes => fs::remove_file(&path).unwrap(),
                Meanwhile::IsReplaced => {
                    let new = path.with_extension("new");
                    fs::write(&new, noise((32 << 20) + 1)).unwrap();
                    fs::rename(&new, &path).unwrap();
                }
                Meanwhile::ServerDies => sshd.kill(),
            }
            proxy.release();
        };
        tokio::join!(fetch, change).0
    };
    (result, source, sshd, proxy)
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_not_taken() {
    for meanwhile in [Meanwhile::Grows, Meanwhile::Shrinks, Meanwhile::IsReplaced] {
        let (result, source, _sshd, _proxy) = fetched_while(meanwhile).await;
        assert!(matches!(result, Err(SourceError::Changed(_))), "{meanwhile:?}: {result:?}");
        // As it is now, it can be had.
        let stamp = listed(&source, "users.csv").await;
        assert_eq!(fetch(&source, &stamp).await.unwrap().len() as u64, stamp.size);
    }
}

#[tokio::test]
async fn a_file_that_vanishes_is_missing() {
    let (result, source, _sshd, _proxy) = fetched_while(Meanwhile::Vanishes).await;
    assert!(matches!(result, Err(SourceError::Missing(_))), "{result:?}");
    assert_eq!(source.list().await, Ok(vec![]));
}

#[tokio::test]
async fn a_server_that_dies_is_unreachable_until_it_is_back() {
    let (result, source, sshd, proxy) = fetched_while(Meanwhile::ServerDies).await;
    assert!(matches!(result, Err(SourceError::Unreachable(_))), "{result:?}");
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    drop((sshd, proxy));
}

#[tokio::test]
async fn a_file_that_changed_or_went_before_the_fetch_is_not_taken() {
    let sshd = Sshd::start("");
    let path = sshd.outbox().join("users.csv");
    fs::write(&path, "one").unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    fs::write(&path, "three").unwrap();
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed(_)), "{error:?}");
    fs::remove_file(&path).unwrap();
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Missing(_)), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_is_no_fault_of_the_server() {
    struct Full;
    impl AsyncWrite for Full {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::StorageFull.into()))
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
    let sshd = Sshd::start("");
    fs::write(sshd.outbox().join("users.csv"), noise(1 << 20)).unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    let error = source.fetch(&stamp, 0, &mut Full, &|_| {}).await.unwrap_err();
    assert!(matches!(error, SourceError::Local(_)), "{error:?}");
    // Answers that are still under way don't confuse what comes next.
    assert_eq!(listed(&source, "users.csv").await, stamp);
}
