//! Columns: getting in.

use std::{fs, net::Ipv6Addr};

use usersync::{
    model::{
        job::{FtpJob, SourceJob},
        secret::Secret,
    },
    ports::SourceError,
};

use crate::{
    fetch, listed, noise, says,
    support::{
        ftpd::{Authority, Brand, Ftpd, NAME, PASSWORD, Protocol, Setup, Version, open},
        sshd::keygen,
    },
};

const WRONG: &str = "not the password";

pub async fn wrong_password(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    server.put("users.csv", b"id\n");
    let (wrong, unknown) = if server.setup.protocol == Protocol::Sftp {
        let mut wrong = server.sftp_job();
        wrong.password = Some(Secret::new(WRONG));
        let mut unknown = server.sftp_job();
        unknown.username = "nobody-of-that-name".to_owned();
        (SourceJob::Sftp(Box::new(wrong)), SourceJob::Sftp(Box::new(unknown)))
    } else {
        let mut wrong = server.job();
        wrong.login.as_mut().unwrap().password = Secret::new(WRONG);
        let mut unknown = server.job();
        unknown.login.as_mut().unwrap().username = "nobody-of-that-name".to_owned();
        (SourceJob::Ftp(Box::new(wrong)), SourceJob::Ftp(Box::new(unknown)))
    };
    for job in [wrong, unknown] {
        let error = open(job).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &["127.0.0.1", "credentials", "Secret"]);
        let text = error.to_string();
        assert!(!text.contains(WRONG) && !text.contains(PASSWORD), "{text}");
    }
    // Nobody was locked out.
    listed(&*server.source(), "users.csv").await;
}

/// Where `/` is the machine's own, the manifest's path is one of the machine.
pub async fn without_chroot(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, Setup { chroot: false, ..setup });
    let source = server.source();
    server.put("users.csv", b"id\n1\n");
    let file = listed(&*source, "users.csv").await;
    assert_eq!(fetch(&*source, &file, 0).await.unwrap(), b"id\n1\n");
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(server.outbox().join("bak/users.csv").exists());
}

/// None of the pinned keys is the server's: the password is never sent.
pub async fn wrong_host_key(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, setup);
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other");
    keygen(&["-t", "ed25519", "-N", "", "-f", other.to_str().unwrap()]);
    let mut job = server.sftp_job();
    job.host_keys = vec![fs::read_to_string(other.with_extension("pub")).unwrap()];
    let error = open(SourceJob::Sftp(Box::new(job))).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    let shown = server.sftp_job().host_keys.remove(0);
    says(&error, &["hostKeys", &shown]);
    assert!(!server.log().contains("password"), "{}", server.log());
}

/// Nobody vouches for the server, or for another name, or no longer: the password is never sent.
pub async fn wrong_certificate(brand: Brand, setup: Setup) {
    let stranger = Authority::new("A stranger");
    let cases = [
        (stranger.vouch(&format!("DNS:{NAME}"), 2), "source.ftp.caBundle"),
        (Authority::usual().vouch("DNS:other.example.com", 2), "source.ftp.serverName"),
        (Authority::usual().vouch(&format!("DNS:{NAME}"), -1), "expired"),
    ];
    for (certificate, part) in cases {
        let server = Ftpd::start(brand, Setup { certificate: Some(certificate), ..setup.clone() });
        let error = server.source().list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &[part, "certificate"]);
        assert!(!server.log().contains(crate::support::ftpd::USER), "{}", server.log());
    }
}

/// An account for anybody: no login is named, and the folder is another one.
pub async fn anybody(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, Setup { anonymous: true, ..setup.clone() });
    fs::write(server.public().join("outbox/users.csv"), b"id\n1\n").unwrap();
    server.put("users.csv", b"not for anybody");
    let job = FtpJob { login: None, ..server.job() };
    let source = open(SourceJob::Ftp(Box::new(job)));
    let file = listed(&*source, "users.csv").await;
    assert_eq!(fetch(&*source, &file, 0).await.unwrap(), b"id\n1\n");
    assert!(matches!(source.rename("users.csv", "bak/users.csv").await, Err(SourceError::Denied(_))));
    assert!(server.public().join("outbox/users.csv").exists());

    let server = Ftpd::start(brand, setup);
    let job = FtpJob { login: None, ..server.job() };
    let error = open(SourceJob::Ftp(Box::new(job))).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["credentials"]);
}

pub async fn over_ipv6(brand: Brand, setup: Setup) {
    let server = Ftpd::start(brand, Setup { address: Ipv6Addr::LOCALHOST.into(), ..setup });
    fetches_often(&server).await;
}

pub async fn with_tls_1_2(brand: Brand, setup: Setup) {
    fetches_often(&Ftpd::start(brand, Setup { version: Version::Only12, ..setup })).await;
}

pub async fn with_tls_1_3(brand: Brand, setup: Setup) {
    fetches_often(&Ftpd::start(brand, Setup { version: Version::Only13, ..setup })).await;
}

pub async fn sessions_go_on_with_tls_1_2(brand: Brand, setup: Setup) {
    fetches_often(&Ftpd::start(brand, Setup { version: Version::Only12, session_reuse: true, ..setup })).await;
}

pub async fn sessions_go_on_with_tls_1_3(brand: Brand, setup: Setup) {
    fetches_often(&Ftpd::start(brand, Setup { version: Version::Only13, session_reuse: true, ..setup })).await;
}

/// Each data connection, the tenth too, is one that the server accepts.
async fn fetches_often(server: &Ftpd) {
    let content = noise(300_000);
    server.put("users.csv", &content);
    let source = server.source();
    for _ in 0..6 {
        let file = listed(&*source, "users.csv").await;
        assert!(fetch(&*source, &file, 0).await.unwrap() == content);
    }
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    assert!(server.outbox().join("bak/users.csv").exists());
}
