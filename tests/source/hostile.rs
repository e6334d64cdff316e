//! Servers that mean no good, or are in a bad way: bounded in time and memory, and told.

use std::{
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use usersync::{
    model::{
        job::{SftpJob, SourceTimeouts},
        secret::Secret,
    },
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed,
    odd::{Odd, Trick},
    says,
};

/// A source on a server with this trick, and a file of 100 bytes.
async fn tricked(trick: Trick, timeouts: impl FnOnce(SourceTimeouts) -> SourceTimeouts) -> Sftp {
    let job = Odd { trick, content: Arc::new(vec![b'x'; 100]), most: usize::MAX, ..Odd::default() }.job().await;
    Sftp::new(SftpJob { timeouts: timeouts(job.timeouts), ..job }, &Servers::default())
}

#[tokio::test]
async fn names_that_are_none_are_left_out() {
    let source = tricked(Trick::Names, |usual| usual).await;
    let names: Vec<_> = source.list().await.unwrap().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["users.csv", "Größe.csv"]);
}

#[tokio::test]
async fn a_file_without_an_end_is_read_as_far_as_its_size() {
    let source = tricked(Trick::EndlessFile, |usual| usual).await;
    let stamp = listed(&source, "users.csv").await;
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed(_)), "{error:?}");
    says(&error, &["it grows"]);
}

#[tokio::test]
async fn a_file_in_crumbs_is_not_kept_until_its_first_byte_comes() {
    let content = Arc::new(vec![b'x'; 4 << 20]);
    let job = Odd { trick: Trick::Crumbs, content, most: 1, ..Odd::default() }.job().await;
    let source = Sftp::new(job, &Servers::default());
    let stamp = listed(&source, "users.csv").await;
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["a few bytes at a time and in no order"]);
}

#[tokio::test]
async fn an_answer_in_drips_is_not_waited_for_without_an_end() {
    let source = tricked(Trick::Drips, |usual| SourceTimeouts { stall: Duration::from_secs(1), ..usual }).await;
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["too slowly", "a few bytes at a time"]);
}

#[tokio::test]
async fn answers_to_nothing_are_no_sftp() {
    let source = tricked(Trick::Strays, |usual| usual).await;
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["not SFTP"]);
}

#[tokio::test]
async fn the_first_byte_has_a_time_out_of_its_own() {
    let short = Duration::from_millis(300);
    let source = tricked(Trick::NoFirstByte, |usual| SourceTimeouts { first_byte: short, ..usual }).await;
    let stamp = listed(&source, "users.csv").await;
    let error = fetch(&source, &stamp).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["users.csv", "first byte", "0.3 s", "source.timeouts.firstByte"]);
    // A server that takes its time for it, but not for the rest.
    let source = tricked(Trick::LateFirstByte, |usual| SourceTimeouts { stall: Duration::from_secs(3), ..usual }).await;
    let stamp = listed(&source, "users.csv").await;
    assert_eq!(fetch(&source, &stamp).await, Ok(vec![b'x'; 100]));
}

#[tokio::test]
async fn a_banner_of_ten_megabytes_is_not_read() {
    let source = tricked(Trick::Banner, |usual| usual).await;
    let error = source.list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["during the login", "banner", "shortened"]);
}

#[tokio::test]
async fn nothing_is_said_to_a_server_with_another_key() {
    let odd = Odd { most: 1, ..Odd::default() };
    let (logins, other) = (odd.logins.clone(), Odd::default().job().await);
    let job = odd.job().await;
    let secret = Some(Secret::new("a secret"));
    let wrong = SftpJob { host_keys: other.host_keys, password: secret.clone(), ..job.clone() };
    let error = Sftp::new(wrong, &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
    says(&error, &["No secret was sent"]);
    assert_eq!(logins.load(Ordering::Relaxed), 0, "not even a name");
    Sftp::new(SftpJob { password: secret, ..job }, &Servers::default()).list().await.unwrap();
    assert_eq!(logins.load(Ordering::Relaxed), 1);
}

/// What comes of a server that greets so: the lines, over and over, and then the end of the connection.
async fn greeted(line: &'static str, times: usize) -> SourceError {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            for _ in 0..times {
                if stream.write_all(line.as_bytes()).await.is_err() {
                    break;
                }
            }
            let _ = stream.shutdown().await;
            // What the client sends is read, so that the connection ends well.
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
        }
    });
    let job = SftpJob { host: "127.0.0.1".to_owned(), port, ..Odd::default().job().await };
    Sftp::new(job, &Servers::default()).list().await.unwrap_err()
}

#[tokio::test]
async fn what_answers_instead_of_ssh_is_quoted() {
    let cases: [(&str, usize, &[&str]); 5] = [
        ("Not allowed at this time\r\n", 1, &["closed the connection", "(\"Not allowed at this time\")"]),
        ("", 0, &["closed the connection before the login. It is tried again"]),
        ("220 ProFTPD Server ready.\r\n", 1, &["no SSH server", "220 ProFTPD Server ready.", "source.sftp.host"]),
        ("Welcome to this server.\r\n", 1_000_000, &["more than 64 KiB of text before its SSH version"]),
        ("xxxxxxxxxxxxxxxx", 1_000_000, &["more than 64 KiB of text before its SSH version"]),
    ];
    for (line, times, parts) in cases {
        let error = greeted(line, times).await;
        assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
        says(&error, parts);
    }
}
