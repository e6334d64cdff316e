//! What is said when a server can't be used: what, where, why, what to do, and no secret.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use usersync::{ports::ReportStore, reports::s3::S3};

use crate::{
    gateway::{Gateway, KEY, SECRET},
    scene::{RUN, hr, opened, staged, store, with},
};

/// What publishing says.
async fn said(store: &S3) -> String {
    let (_folder, path) = staged(&[("report.json", b"{}"), ("report.html", b"<html>")]);
    let why = store.publish(&hr(), RUN, &path).await.unwrap_err().0;
    assert!(why.contains(&format!("the report could not be put into s3://reports/kept/people/hr/{RUN}: ")), "{why}");
    assert!(!why.contains(SECRET) && !why.contains('\n') && why.len() < 600, "{why}");
    why
}

#[tokio::test]
async fn credentials_and_buckets_that_are_wrong() {
    let gateway = Gateway::start();
    let why = said(&store(&gateway)).await;
    assert!(why.contains(&format!("{} has no bucket reports. Make it, or correct --reports", gateway.url())), "{why}");
    let store = store(&gateway);
    for why in [
        store.read(&hr(), RUN, "report.json").await.unwrap_err(),
        store.remove(&hr(), RUN).await.unwrap_err(),
        store.older(jiff::Timestamp::now()).await.unwrap_err(),
    ] {
        assert!(why.0.contains("has no bucket reports"), "{why}");
    }
    gateway.make("reports");
    let why = said(&with(&gateway, &[("AWS_SECRET_ACCESS_KEY", "wr0ng")])).await;
    assert!(why.contains("the secret key is not the one of the access key. Check AWS_SECRET_ACCESS_KEY"), "{why}");
    assert!(!why.contains("wr0ng"), "{why}");
    let why = said(&with(&gateway, &[("AWS_ACCESS_KEY_ID", "AKIANOBODY")])).await;
    assert!(why.contains("does not know the access key. Check AWS_ACCESS_KEY_ID"), "{why}");
    let why = said(&with(&gateway, &[("AWS_REGION", "eu-central-1")])).await;
    assert!(why.contains("lies in another region than eu-central-1. Correct AWS_REGION"), "{why}");
    let (_folder, path) = staged(&[("report.json", b"{}")]);
    store.publish(&hr(), RUN, &path).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_down_and_comes_back() {
    let mut gateway = Gateway::start();
    gateway.make("reports");
    let store = store(&gateway);
    let (_folder, path) = staged(&[("report.json", b"{}")]);
    gateway.stop();
    let why = store.publish(&hr(), RUN, &path).await.unwrap_err();
    let url = gateway.url();
    assert!(why.0.contains(&format!("no connection to {url} (")) && why.0.contains("Check AWS_ENDPOINT_URL"), "{why}");
    gateway.go();
    store.publish(&hr(), RUN, &path).await.unwrap();
    // The connection that it had is gone.
    gateway.stop();
    gateway.go();
    assert!(store.read(&hr(), RUN, "report.json").await.unwrap().is_some());
}

#[tokio::test]
async fn who_the_server_is_must_be_believed() {
    let gateway = Gateway::start_tls();
    gateway.make("reports");
    let why = said(&store(&gateway)).await;
    assert!(why.contains("this machine does not trust the authority that signed it"), "{why}");
    assert!(why.contains("Name that authority's certificate in AWS_CA_BUNDLE"), "{why}");
    let bundle = gateway.authority().to_str().unwrap().to_owned();
    let (_folder, path) = staged(&[("report.json", b"{}")]);
    let trusting = with(&gateway, &[("AWS_CA_BUNDLE", &bundle)]);
    trusting.publish(&hr(), RUN, &path).await.unwrap();
    assert_eq!(gateway.keys("reports").len(), 1);
    let address = gateway.url().replace("localhost", "127.0.0.1");
    let why = said(&with(&gateway, &[("AWS_CA_BUNDLE", &bundle), ("AWS_ENDPOINT_URL", &address)])).await;
    assert!(why.contains("it is not for the name 127.0.0.1"), "{why}");
    let other = Gateway::start_tls();
    let bundle = other.authority().to_str().unwrap().to_owned();
    let why = said(&with(&gateway, &[("AWS_CA_BUNDLE", &bundle)])).await;
    assert!(why.contains("not signed by an authority in AWS_CA_BUNDLE"), "{why}");
    let plain = Gateway::start();
    let why = said(&with(&plain, &[("AWS_ENDPOINT_URL", &plain.url().replace("http:", "https:"))])).await;
    assert!(why.contains("does not speak TLS there"), "{why}");
}

/// Answers that real servers give in bad times.
#[tokio::test]
async fn answers_are_put_into_words() {
    let code = |status: &str, code: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{SECRET} of {KEY}</Message><StringToSign>{SECRET}</StringToSign></Error>"
        );
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let bare = |status: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    for (answer, words) in [
        (
            code("403 Forbidden", "AccessDenied"),
            "denies access. The credentials need s3:ListBucket on the bucket reports",
        ),
        (code("403 Forbidden", "RequestTimeTooSkewed"), "differ by minutes. Have both set by a time server"),
        (code("400 Bad Request", "ExpiredToken"), "Give a new AWS_SESSION_TOKEN"),
        (code("301 Moved Permanently", "PermanentRedirect"), "another region than us-east-1"),
        (bare("301 Moved Permanently"), "another region than us-east-1"),
        (code("507 Insufficient Storage", "XMinioStorageFull"), "has no room for it (XMinioStorageFull)"),
        (code("503 Slow Down", "SlowDown"), "answered SlowDown"),
        (code("418 I'm a teapot", "TeaPot"), "answered TeaPot"),
        (bare("403 Forbidden"), "denies access"),
        (bare("502 Bad Gateway"), "answered 502 Bad Gateway"),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n<html".to_owned(), "http://127.0.0.1:"),
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), "http://127.0.0.1:"),
        (String::new(), "http://127.0.0.1:"),
    ] {
        let address = scripted(answer.clone());
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        let why = said(&opened("reports/kept", &environment).unwrap()).await;
        assert!(why.contains(words), "{answer}: {why}");
    }
}

/// A server that gives every request this answer; its thread ends with the process.
fn scripted(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve(&stream, &answer);
        }
    });
    address
}

fn serve(mut stream: &TcpStream, answer: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(found) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = found.trim().parse().unwrap_or_default();
        }
    }
    lines.take(length).read_to_end(&mut Vec::new())?;
    stream.write_all(answer.as_bytes())
}
