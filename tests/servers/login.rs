//! Columns: getting in.

use usersync::{
    model::{job::SourceJob, secret::Secret},
    ports::SourceError,
};

use crate::{
    fetch, listed, says,
    support::ftpd::{Brand, Ftpd, PASSWORD, Protocol, Setup, open},
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
        says(&error, &["127.0.0.1", "credentials"]);
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
