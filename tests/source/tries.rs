//! Servers that allow few tries for a login, need several ways in, greet at length, or end a login that rests.

use std::{
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use usersync::{
    model::{job::SftpJob, secret::Secret},
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{
    fetch, listed, says,
    support::{
        delay::Proxy,
        sshd::{Account, Sshd},
    },
};

/// A job with a password and a key, of which the server knows the key or not.
fn job_with_both(sshd: &Sshd, account: &Account, key_is_known: bool) -> SftpJob {
    let other = Sshd::start("");
    let key = if key_is_known { sshd } else { &other }.new_key(&account.name, &["-t", "ed25519"], "");
    SftpJob { private_key: Some(key), password: Some(Secret::new(&account.password)), ..sshd.job(&account.name) }
}

#[tokio::test]
async fn a_server_that_allows_one_try_is_tried_once_for_each_way_in() {
    let account = Account::new();
    for tries in [1, 2] {
        let sshd = Sshd::start(&format!("MaxAuthTries {tries}\nPasswordAuthentication yes"));
        for key_is_known in [true, false] {
            let job = job_with_both(&sshd, &account, key_is_known);
            let listed = Sftp::new(job.clone(), &Servers::default()).list().await;
            assert_eq!(listed, Ok(vec![]), "{tries} tries, key known: {key_is_known}");
            // Neither is good: both are named, and what the server said.
            let job = SftpJob { password: Some(Secret::new("wr0ng")), ..job };
            let result = Sftp::new(job, &Servers::default()).list().await;
            match result {
                Ok(_) => assert!(key_is_known),
                Err(error) => {
                    assert!(!key_is_known && matches!(error, SourceError::Denied(_)), "{error:?}");
                    says(&error, &["Tried: private key (ssh-ed25519", ", password."]);
                    // The password has a connection of its own, where it is the first try.
                    assert_eq!(error.to_string().contains("Too many authentication failures"), tries == 1, "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn two_ways_in_are_gone_in_the_order_that_the_server_wants() {
    let account = Account::new();
    for order in ["publickey,password", "password,publickey"] {
        let sshd = Sshd::start(&format!("PasswordAuthentication yes\nAuthenticationMethods {order}"));
        let job = job_with_both(&sshd, &account, true);
        assert_eq!(Sftp::new(job.clone(), &Servers::default()).list().await, Ok(vec![]), "{order}");
        let error = Sftp::new(SftpJob { password: None, ..job }, &Servers::default()).list().await.unwrap_err();
        assert!(matches!(error, SourceError::Denied(_)), "{error:?}");
        says(&error, &["password"]);
    }
}

#[tokio::test]
async fn a_banner_does_no_harm() {
    let sshd = Sshd::start("");
    let banner = sshd.path("banner");
    for (content, trouble) in [
        ("Authorised use only.\n".repeat(8000).into_bytes(), None),
        ("Nur für Befugte\u{1b}[2J\n".to_owned().into_bytes(), None),
        (b"Nur f\xfcr Befugte\n".to_vec(), Some("not UTF-8, most likely its banner")),
        // Longer than OpenSSH itself can send: it ends the connection.
        ("Authorised use only.\n".repeat(20_000).into_bytes(), Some("ask whoever runs it")),
    ] {
        fs::write(&banner, &content).unwrap();
        let greeting = Sshd::start(&format!("Banner {}", banner.display()));
        let result = Sftp::new(greeting.job_with_key(), &Servers::default()).list().await;
        match (result, trouble) {
            (Ok(_), None) => {}
            (Err(error), Some(trouble)) => {
                assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
                says(&error, &["during the login", trouble]);
            }
            (result, _) => panic!("{} bytes: {result:?}", content.len()),
        }
    }
}

#[tokio::test]
async fn a_server_that_turns_connections_away_is_quoted() {
    let sshd = Sshd::start("MaxStartups 1:100:1\nLoginGraceTime 30");
    let job = sshd.job_with_key();
    // Somebody who holds the one place without logging in.
    let place = tokio::net::TcpStream::connect(("127.0.0.1", sshd.port)).await.unwrap();
    place.readable().await.unwrap();
    let error = Sftp::new(job.clone(), &Servers::default()).list().await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["Exceeded MaxStartups", "limit connections"]);
    drop(place);
}

#[tokio::test]
async fn a_login_that_the_server_ended_is_made_anew() {
    let mut sshd = Sshd::start("");
    fs::write(sshd.outbox().join("users.csv"), "x").unwrap();
    let source = Sftp::new(sshd.job_with_key(), &Servers::new(1));
    for _ in 0..3 {
        let stamp = listed(&source, "users.csv").await;
        sshd.end_logins();
        assert_eq!(fetch(&source, &stamp).await, Ok(b"x".to_vec()));
        sshd.end_logins();
    }
    source.rename("users.csv", "bak/users.csv").await.unwrap();
}

#[tokio::test]
async fn a_login_outlives_the_servers_questions_and_its_idle_limit_is_no_error() {
    // The server asks each second whether the client is there, and gives up after some silences: enough of them for a client on
    // a busy machine, which answers late.
    let alive = Sshd::start("ClientAliveInterval 1\nClientAliveCountMax 6");
    // The server ends a login that rests for so long: longer than any rests that is in use.
    let strict = Sshd::start("ChannelTimeout session:*=4s session=4s\nUnusedConnectionTimeout 4s");
    // One that hears no question answers none.
    let deaf = Proxy::start(alive.port, Duration::ZERO).await;
    let kept = Sftp::new(alive.job_with_key(), &Servers::default());
    let lost = Sftp::new(SftpJob { port: deaf.port, ..alive.job_with_key() }, &Servers::default());
    let idle = Sftp::new(strict.job_with_key(), &Servers::default());
    for source in [&kept, &lost, &idle] {
        assert_eq!(source.list().await, Ok(vec![]));
    }
    deaf.hold_after(0);
    // What is tested is time that passes: until the server has given up the deaf one, and ended the idle one.
    until("the server gives up on silence", || alive.gave_up() == 1).await;
    until("the server ends what rests", || strict.sessions() == 0).await;
    for source in [&kept, &idle] {
        assert_eq!(source.list().await, Ok(vec![]));
    }
    assert_eq!((alive.gave_up(), alive.logins()), (1, 2), "the login was kept");
}

async fn until(what: &str, happens: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happens() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn lines_of_greeting_need_no_encoding() {
    let sshd = Sshd::start("");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let job = SftpJob { port: listener.local_addr().unwrap().port(), ..sshd.job_with_key() };
    let port = sshd.port;
    let relay = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(b"Nur f\xfcr Befugte \x1b[2J\r\n").await.unwrap();
        let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    });
    assert_eq!(Sftp::new(job, &Servers::default()).list().await, Ok(vec![]));
    relay.abort();
}
