//! ProFTPD's mod_sftp, which does much as OpenSSH does not.

use std::{fs, os::unix::fs::PermissionsExt};

use usersync::{
    model::{job::SftpJob, secret::Secret},
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed, noise, says,
    support::{
        ftpd::{Brand, Ftpd, Protocol, Setup},
        sshd::Sshd,
    },
};

fn server(more: &[&str]) -> Ftpd {
    let more = more.iter().map(|line| (*line).to_owned()).collect();
    Ftpd::start(Brand::ProFtpd, Setup { protocol: Protocol::Sftp, more, ..Setup::default() })
}

#[tokio::test]
async fn a_server_without_extensions_serves_as_well() {
    let off = "SFTPExtensions -checkFile -copyFile -fsync -vendorID -versionSelect -posixRename -statvfs -hardlink";
    let server = server(&[off]);
    let source = Sftp::new(server.sftp_job(), &Servers::default());
    server.put("users.csv", &noise(3_000_000));
    let stamp = listed(&source, "users.csv").await;
    assert!(fetch(&source, &stamp).await.unwrap() == noise(3_000_000));
    source.rename("users.csv", "bak/users.csv").await.unwrap();
    server.put("users.csv", b"second");
    let error = source.rename("users.csv", "bak/users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Exists(_)), "{error:?}");
    assert!(fs::read(server.outbox().join("bak/users.csv")).unwrap() == noise(3_000_000));
}

#[tokio::test]
async fn a_folder_that_is_made_has_all_rights_of_the_one_around_it() {
    let server = server(&["Umask 077"]);
    fs::set_permissions(server.outbox(), fs::Permissions::from_mode(0o775)).unwrap();
    let source = Sftp::new(server.sftp_job(), &Servers::default());
    server.put("users.csv", b"x");
    source.rename("users.csv", "bak/2026/users.csv").await.unwrap();
    for folder in ["bak", "bak/2026"] {
        let mode = fs::metadata(server.outbox().join(folder)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o775, "{folder}: {mode:o}");
    }
}

#[tokio::test]
async fn one_try_for_each_connection_is_enough() {
    let server = server(&["MaxLoginAttempts 1", "SFTPAuthMethods publickey password"]);
    server.put("users.csv", b"x");
    let other = Sshd::start("");
    let key = other.new_key("somebody", &["-t", "ed25519"], "");
    let job = SftpJob { private_key: Some(key), ..server.sftp_job() };
    assert_eq!(Sftp::new(job.clone(), &Servers::default()).list().await.unwrap().len(), 1);
    let job = SftpJob { password: Some(Secret::new("wr0ng")), ..job };
    let error = Sftp::new(job, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["private key (ssh-ed25519", "password"]);
}

#[tokio::test]
async fn an_idle_limit_and_a_greeting_do_no_harm() {
    // The server counts whole seconds: one may be over at once.
    let server = server(&["TimeoutIdle 8", "SFTPDisplayBanner /etc/passwd"]);
    let source = Sftp::new(server.sftp_job(), &Servers::default());
    assert_eq!(source.list().await, Ok(vec![]));
    // What is tested is time that passes.
    tokio::time::sleep(std::time::Duration::from_secs(17)).await;
    assert_eq!(source.list().await, Ok(vec![]));
}

#[tokio::test]
async fn old_algorithms_work_where_allowed_and_are_named_where_not() {
    let server =
        server(&["SFTPKeyExchanges diffie-hellman-group14-sha1", "SFTPCiphers aes128-cbc", "SFTPDigests hmac-sha1"]);
    let job = server.sftp_job();
    let error = Sftp::new(job.clone(), &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["The server offers: diffie-hellman-group14-sha1", "algorithms: Legacy"]);
    let job = SftpJob { algorithms: usersync::api::Algorithms::Legacy, ..job };
    assert_eq!(Sftp::new(job, &Servers::default()).list().await, Ok(vec![]));
}
