//! What a server may do to us, played by one that keeps to a script.

mod codes;
mod encrypted;

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use suppaftp::tokio_rustls::TlsAcceptor;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::{
    api::FtpTls,
    model::{
        file::ListedKind,
        job::{FtpLogin, SourceTimeouts},
        secret::Secret,
    },
};

/// What the server does when a command begins with certain letters.
#[derive(Clone)]
enum Act {
    /// Replies.
    Say(&'static str),
    /// Begins a transfer, sends this, ends it and says this.
    Send(Vec<u8>, &'static str),
    /// Begins a transfer and sends this for ever.
    Flood(&'static [u8]),
    /// Begins a transfer, sends this and is silent.
    Hang(&'static [u8]),
    /// Begins a transfer and sends this byte by byte.
    Drip(&'static [u8]),
    /// Replies, but late.
    Late(Duration, &'static str),
    /// Ends the control connection.
    Close,
}

use Act::{Close, Drip, Flood, Hang, Late, Say, Send};

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + std::marker::Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + std::marker::Send> Stream for S {}

/// How a server encrypts.
#[derive(Clone)]
struct Encrypts {
    acceptor: TlsAcceptor,
    /// What it sends where the n-th listing was to come, instead of all, and whether it says farewell then.
    listings: Arc<Mutex<Vec<(Vec<u8>, bool)>>>,
}

/// A server at work, and all commands that it got.
struct Scripted {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a plain server says, unless the script says otherwise. Its passive address is somebody else's.
const USUAL: &[(&str, &str)] = &[
    ("USER", "331 Password, please.\r\n"),
    ("PASS", "230-Welcome.\r\n230 Logged in.\r\n"),
    ("FEAT", "211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n"),
    ("TYPE", "200 Binary.\r\n"),
    ("CWD", "250 Done.\r\n"),
    ("PWD", "257 \"/outbox\"\r\n"),
    ("NOOP", "200 Here.\r\n"),
    ("REST", "350 Restarting.\r\n"),
    ("SIZE users.csv", "213 9\r\n"),
    ("MDTM users.csv", "213 20261122130207\r\n"),
    ("SIZE", "550 No such file.\r\n"),
    ("MDTM", "550 No such file.\r\n"),
    ("RETR", "550 Failed to open file.\r\n"),
    ("EPSV", "500 Unknown.\r\n"),
];

const LISTING: &[u8] =
    b"total 1\r\n-rw-r--r-- 1 0 0 9 Nov 22 13:02 users.csv\r\ndrwxr-xr-x 1 0 0 9 Nov 22 13:02 bak\r\n";
const CONTENT: &[u8] = b"id\n1\n2\n3\n";

impl Scripted {
    async fn start(greeting: Vec<u8>, script: &[(&'static str, Act)]) -> Self {
        Self::begin(greeting, script, None).await
    }

    async fn begin(greeting: Vec<u8>, script: &[(&'static str, Act)], encrypts: Option<Encrypts>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let (script, noted) = (script.to_vec(), heard.clone());
        let task = tokio::spawn(async move {
            loop {
                let (control, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(control, greeting.clone(), script.clone(), noted.clone(), encrypts.clone()));
            }
        });
        Self { port, heard, task }
    }

    /// A server that encrypts, and knows nothing else.
    async fn encrypted(script: &[(&'static str, Act)], encrypts: Encrypts) -> Self {
        Self::begin(b"220 Ready.\r\n".to_vec(), script, Some(encrypts)).await
    }

    async fn with(script: &[(&'static str, Act)]) -> Self {
        Self::start(b"220 Ready.\r\n".to_vec(), script).await
    }

    fn source(&self) -> Ftp {
        Ftp::new(self.job(), &Servers::default())
    }

    fn job(&self) -> FtpJob {
        let short = Duration::from_millis(300);
        FtpJob {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: "/outbox".to_owned(),
            tls: FtpTls::None,
            login: Some(FtpLogin { username: "hr".to_owned(), password: Secret::new("geheim") }),
            ca_bundle: None,
            server_name: "127.0.0.1".to_owned(),
            timeouts: SourceTimeouts {
                connect: Duration::from_secs(5),
                login: Duration::from_secs(10),
                first_byte: short,
                stall: short,
            },
        }
    }

    fn heard(&self, begins: &str) -> Vec<Vec<u8>> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|line| line.starts_with(begins.as_bytes())).cloned().collect()
    }
}

async fn serve(
    control: TcpStream,
    greeting: Vec<u8>,
    script: Vec<(&'static str, Act)>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    encrypts: Option<Encrypts>,
) -> Option<()> {
    let mut to: BufReader<Box<dyn Stream>> = BufReader::new(Box::new(control));
    to.write_all(&greeting).await.ok()?;
    let mut passive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if to.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let command = line.trim_ascii_end().to_vec();
        heard.lock().unwrap().push(command.clone());
        let scripted = script.iter().find(|(begins, _)| command.starts_with(begins.as_bytes()));
        let usual =
            || USUAL.iter().find(|(begins, _)| command.starts_with(begins.as_bytes())).map(|(_, text)| Say(text));
        let act = match scripted.map(|(_, act)| act.clone()).or_else(usual) {
            Some(act) => act,
            None if command == b"PASV" => {
                passive = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
                let [high, low] = passive.local_addr().ok()?.port().to_be_bytes();
                to.write_all(format!("227 Passive (192,0,2,1,{high},{low}).\r\n").as_bytes()).await.ok()?;
                continue;
            }
            None if command == b"LIST" => Send(LISTING.to_vec(), "226 Done.\r\n"),
            None => Say("502 Not here.\r\n"),
        };
        if let (Some(encrypts), b"AUTH TLS", Say(_)) = (&encrypts, &command[..], &act) {
            to.write_all(b"234 Encrypt.\r\n").await.ok()?;
            to = BufReader::new(Box::new(encrypts.acceptor.accept(to.into_inner()).await.ok()?));
            continue;
        }
        let mut begin = async || {
            let accepted = passive.accept().await.ok()?.0;
            to.write_all(b"150 Here it comes.\r\n").await.ok()?;
            Some(match &encrypts {
                Some(encrypts) => Box::new(encrypts.acceptor.accept(accepted).await.ok()?) as Box<dyn Stream>,
                None => Box::new(accepted),
            })
        };
        match act {
            Say(text) => to.write_all(text.as_bytes()).await.ok()?,
            Send(mut content, end) => {
                let mut data = begin().await?;
                let mut farewell = true;
                if let Some(encrypts) = encrypts.as_ref().filter(|_| command == b"LIST") {
                    let mut listings = encrypts.listings.lock().unwrap();
                    if !listings.is_empty() {
                        (content, farewell) = listings.remove(0);
                    }
                }
                data.write_all(&content).await.ok()?;
                data.flush().await.ok()?;
                if farewell {
                    data.shutdown().await.ok()?;
                }
                drop(data);
                to.write_all(end.as_bytes()).await.ok()?;
            }
            Flood(part) => {
                let mut data = begin().await?;
                while data.write_all(part).await.is_ok() {}
            }
            Hang(part) => {
                let mut data = begin().await?;
                data.write_all(part).await.ok()?;
                std::future::pending::<()>().await;
            }
            Drip(content) => {
                let mut data = begin().await?;
                for byte in content {
                    data.write_all(&[*byte]).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            Late(wait, text) => {
                tokio::time::sleep(wait).await;
                to.write_all(text.as_bytes()).await.ok()?;
            }
            Close => return None,
        }
    }
}

fn file() -> Stamp {
    Stamp { name: "users.csv".to_owned(), size: 9, mtime: "2026-11-22T13:02:07Z".parse().unwrap() }
}

async fn fetch(source: &Ftp, from: u64) -> Result<Vec<u8>, SourceError> {
    let mut into = Vec::new();
    source.fetch(&file(), from, &mut into, &|_| ()).await.map(|size| {
        assert_eq!(size, from + into.len() as u64);
        into
    })
}

#[tokio::test]
async fn a_plain_server_is_listed_and_read() {
    let server = Scripted::with(&[("RETR users.csv", Send(CONTENT.to_vec(), "226 Done.\r\n"))]).await;
    let source = server.source();
    let listed = source.list().await.unwrap();
    let kinds: Vec<_> = listed.iter().map(|listed| (listed.name.as_str(), listed.kind)).collect();
    assert_eq!(kinds, [("users.csv", ListedKind::File), ("bak", ListedKind::Folder)]);
    assert_eq!(Stamp::from(&listed[0]), file());
    assert_eq!(source.stat("users.csv").await.unwrap(), Some(file()));
    assert_eq!(source.stat("none.csv").await.unwrap(), None);
    // The passive address is another host's: the data came from this one all the same.
    assert_eq!(fetch(&source, 0).await.unwrap(), CONTENT);
    assert_eq!(server.heard("USER").len(), 1, "one login");
    assert_eq!(server.heard("EPSV").len(), 1, "refused once, not asked again");
}

#[tokio::test]
async fn logins_that_fail() {
    for (greeting, script, kind, words) in [
        ([b"220-".as_slice(), &vec![b'x'; 10 << 20]].concat(), vec![], "Unreachable", vec!["256 KiB"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), vec![], "Unreachable", vec!["source.sftp", "source.ftp.host"]),
        (b"421 Too many connections.\r\n".to_vec(), vec![], "Unreachable", vec!["Too many", "--max-logins-per-server"]),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("PASS", Say("530 Login incorrect.\r\n"))],
            "Denied",
            vec!["\"hr\"", "source.ftp.credentials"],
        ),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("USER", Say("530 Sorry, the maximum number of clients (3) is reached.\r\n"))],
            "Unreachable",
            vec!["maximum"],
        ),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("USER", Say("530 Non-anonymous sessions must use encryption.\r\n"))],
            "Denied",
            vec!["tls: Explicit"],
        ),
        (b"220 Hi\r\n".to_vec(), vec![("PASS", Say("332 Account?\r\n"))], "Denied", vec!["ACCT"]),
        (b"220 Hi\r\n".to_vec(), vec![("PASS", Close)], "Unreachable", vec!["broke off"]),
        (b"220 Hi\r\n".to_vec(), vec![("CWD", Say("550 No such folder.\r\n"))], "FolderMissing", vec!["source.path"]),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("CWD", Say("550 Failed.\r\n")), ("RNFR", Say("350 Ready.\r\n"))],
            "Denied",
            vec!["permission"],
        ),
        (b"220 Hi\r\n".to_vec(), vec![("PASV", Say("502 No.\r\n"))], "Denied", vec!["passive mode", "502"]),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("LIST", Flood(b"-rw-r--r-- 1 0 0 9 Nov 22 13:02 users.csv\r\n"))],
            "Unreachable",
            vec!["100,000"],
        ),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("LIST", Flood(b"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"))],
            "Unreachable",
            vec!["16 KiB"],
        ),
        (b"220 Hi\r\n".to_vec(), vec![("LIST", Hang(LISTING))], "Unreachable", vec!["source.timeouts.stall"]),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("LIST", Send(b"\x1b[2J what?\r\n".to_vec(), "226 Done.\r\n"))],
            "Unreachable",
            vec!["no form that is known"],
        ),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("LIST", Send(vec![], "226 Transfer done (but failed to open directory).\r\n"))],
            "Denied",
            vec!["failed to open"],
        ),
        (
            b"220 Hi\r\n".to_vec(),
            vec![("LIST", Send(vec![], "451 Disk broke.\r\n"))],
            "Unreachable",
            vec!["Disk broke"],
        ),
    ] {
        let server = Scripted::start(greeting, &script).await;
        let error = server.source().list().await.unwrap_err();
        let said = format!("{error:?}");
        assert!(said.starts_with(kind), "{kind}: {said}");
        assert!(error.to_string().starts_with("ftp://127.0.0.1:"), "{said}");
        for word in words {
            assert!(said.replace('\\', "").contains(word), "{word}: {said}");
        }
        assert!(!said.contains("geheim") && !said.contains('\x1b'), "{said}");
    }
}

#[tokio::test]
async fn without_an_encrypted_connection_no_password_is_sent() {
    let server = Scripted::with(&[("AUTH", Say("502 No TLS here.\r\n"))]).await;
    for (tls, words) in [(FtpTls::Explicit, "tls: None"), (FtpTls::Implicit, "tls: Explicit")] {
        let job = FtpJob { tls, ..server.job() };
        let error = Ftp::new(job, &Servers::default()).list().await.unwrap_err();
        assert!(matches!(&error, SourceError::Denied(why) if why.contains(words)), "{error:?}");
    }
    assert_eq!(server.heard("USER").len() + server.heard("PASS").len(), 0);
}

#[tokio::test]
async fn transfers_that_fail() {
    for (act, kind, words) in [
        (Send(CONTENT[..4].to_vec(), "426 Broken off.\r\n"), "Unreachable", "Broken off"),
        (Send(CONTENT[..4].to_vec(), "226 Done.\r\n"), "Unreachable", "after 4 of 9 bytes"),
        (Send(CONTENT.to_vec(), "451 Disk broke.\r\n"), "Unreachable", "Disk broke"),
        (Send([CONTENT, b"4\n"].concat(), "226 Done.\r\n"), "Changed", "it grows"),
        (Flood(b"endless\n"), "Changed", "it grows"),
        (Hang(b""), "Unreachable", "source.timeouts.firstByte"),
        (Hang(b"id\n"), "Unreachable", "source.timeouts.stall"),
        (Say("550 Failed to open file.\r\n"), "Denied", "permission"),
        (Say("450 In use.\r\n"), "Unreachable", "in use"),
        (Say("425 No data connection.\r\n"), "Unreachable", "passive ports"),
        (Say("421 Going down.\r\n"), "Unreachable", "Going down"),
        (Close, "Unreachable", "broke off"),
    ] {
        let server = Scripted::with(&[("RETR users.csv", act)]).await;
        let source = server.source();
        let error = fetch(&source, 0).await.unwrap_err();
        let said = format!("{error:?}");
        assert!(
            said.starts_with(kind) && said.contains(words) && said.contains("/outbox/users.csv"),
            "{words}: {said}"
        );
        // Whatever it was, the next call works.
        assert_eq!(source.stat("users.csv").await.unwrap(), Some(file()));
    }
}

#[tokio::test]
async fn a_last_word_that_never_comes_is_not_waited_for_long() {
    for end in ["", "22"] {
        let server = Scripted::with(&[("RETR users.csv", Send(CONTENT.to_vec(), end))]).await;
        let source = server.source();
        let began = Instant::now();
        assert_eq!(fetch(&source, 0).await.unwrap(), CONTENT);
        assert!(began.elapsed() >= Duration::from_millis(300), "it was waited for");
        assert_eq!(fetch(&source, 0).await.unwrap(), CONTENT);
        assert_eq!(server.heard("USER").len(), 2, "that login is not used again");
    }
}

#[tokio::test]
async fn a_transfer_goes_on_where_it_stopped() {
    let server = Scripted::with(&[("RETR users.csv", Send(CONTENT[5..].to_vec(), "226 Done.\r\n"))]).await;
    assert_eq!(fetch(&server.source(), 5).await.unwrap(), &CONTENT[5..]);
    assert_eq!(server.heard("REST"), [b"REST 5"]);
    // A server that begins anew each time.
    let script = [("REST", Say("502 What?\r\n")), ("RETR users.csv", Send(CONTENT.to_vec(), "226 Done.\r\n"))];
    let server = Scripted::with(&script).await;
    assert_eq!(fetch(&server.source(), 5).await.unwrap(), &CONTENT[5..]);
    // Another file by now.
    let server = Scripted::with(&[("MDTM users.csv", Say("213 20261122140000\r\n"))]).await;
    assert!(matches!(fetch(&server.source(), 5).await, Err(SourceError::Changed(_))));
    assert_eq!(server.heard("RETR").len(), 0);
}

#[tokio::test]
async fn without_exact_times_those_of_the_listing_count_everywhere() {
    let script = [("FEAT", Say("500 What?\r\n")), ("MDTM", Say("500 What?\r\n")), ("SIZE", Say("500 What?\r\n"))];
    let server = Scripted::with(&script).await;
    let source = server.source();
    let listed = source.list().await.unwrap();
    let stamp = Stamp::from(&listed[0]);
    assert_eq!(stamp.mtime.as_second() % 60, 0);
    assert_eq!(source.stat("users.csv").await.unwrap(), Some(stamp.clone()));
    assert_eq!(source.stat("bak").await.unwrap(), None);
    // A new login agrees, whatever it is asked first.
    assert_eq!(server.source().stat("users.csv").await.unwrap(), Some(stamp));
}

#[tokio::test]
async fn a_name_in_latin_1_is_asked_for_as_it_was_listed() {
    let line = b"-rw-r--r-- 1 0 0 9 Nov 22 13:02 gr\xfcn.csv\r\n".to_vec();
    let server = Scripted::with(&[("LIST", Send(line, "226 Done.\r\n"))]).await;
    let source = server.source();
    assert_eq!(source.list().await.unwrap(), [], "MDTM says that it is gone");
    assert_eq!(server.heard("MDTM"), [b"MDTM gr\xfcn.csv"]);
}

#[tokio::test]
async fn what_one_login_learnt_of_names_the_next_one_knows() {
    let facts = b"type=file;size=9;modify=20261122130207; gr\xfcn.csv\r\n".to_vec();
    let server = Scripted::with(&[
        ("FEAT", Say("211-Features:\r\n MLST type*;size*;modify*;\r\n211 End\r\n")),
        ("MLSD", Send(facts, "226 Done.\r\n")),
        ("MLST gr\u{fc}", Say("550 No such file.\r\n")),
        ("MLST gr", Say("250-Listing\r\n type=file;size=9;modify=20261122130207; f\r\n250 End\r\n")),
        ("MLST", Say("550 No such file.\r\n")),
        ("RNFR", Say("350 Ready.\r\n")),
        ("RNTO", Say("250 Done.\r\n")),
    ])
    .await;
    // Listed by a login that is given back, and never listed by this source.
    let listed = server.source();
    assert_eq!(listed.list().await.unwrap()[0].name, "gr\u{fc}n.csv");
    listed.rest().await;
    for source in [listed, server.source()] {
        assert!(source.stat("gr\u{fc}n.csv").await.unwrap().is_some(), "it has not vanished");
        source.rest().await;
        source.rename("gr\u{fc}n.csv", "bak/gr\u{fc}n.csv").await.unwrap();
    }
    assert_eq!(server.heard("RNFR"), [b"RNFR gr\xfcn.csv", b"RNFR gr\xfcn.csv"]);
    assert_eq!(server.heard("RNTO"), [b"RNTO bak/gr\xfcn.csv", b"RNTO bak/gr\xfcn.csv"]);
    assert_eq!(server.heard("MLSD").len(), 2);
}

#[tokio::test]
async fn who_answers_too_slowly_on_the_whole_is_not_waited_for() {
    let drips = vec![b'x'; 200].leak();
    let size = [("RETR users.csv", Drip(drips)), ("SIZE users.csv", Say("213 200\r\n"))];
    let server = Scripted::with(&size).await;
    let file = Stamp { size: 200, ..file() };
    let slow = async {
        let mut into = Vec::new();
        let error = server.source().fetch(&file, 0, &mut into, &|_| ()).await.unwrap_err();
        assert!(matches!(&error, SourceError::Unreachable(why) if why.contains("too slowly")), "{error:?}");
        assert!((10..150).contains(&into.len()), "{} bytes", into.len());
    };
    // Each of many questions is answered just in time.
    let lines = |name: usize| format!("-rw-r--r-- 1 0 0 9 Nov 22 13:02 users_{name}.csv\r\n");
    let listing: String = (0..150).map(lines).collect();
    let script = [
        ("LIST", Send(listing.into_bytes(), "226 Done.\r\n")),
        ("MDTM", Late(Duration::from_millis(120), "213 20261122130207\r\n")),
    ];
    let asked = Scripted::with(&script).await;
    let many = async {
        // A busy machine may be late by itself, and then it is silence.
        let mut errors = Vec::new();
        while !errors.last().is_some_and(|why: &String| why.contains("too slowly")) {
            assert!(errors.len() < 5, "{errors:?}");
            errors.push(asked.source().list().await.unwrap_err().to_string());
        }
        assert!((10..150 * errors.len()).contains(&asked.heard("MDTM").len()));
    };
    tokio::join!(slow, many);
}

#[tokio::test]
async fn a_server_that_knows_times_and_no_sizes_says_them_in_its_listing() {
    let server =
        Scripted::with(&[("SIZE", Say("502 What?\r\n")), ("LIST", Send(LISTING.to_vec(), "226 Done.\r\n"))]).await;
    let source = server.source();
    assert_eq!(Stamp::from(&source.list().await.unwrap()[0]), file());
    assert_eq!(source.stat("users.csv").await.unwrap(), Some(file()));
    assert_eq!(source.stat("none.csv").await.unwrap(), None);
}

#[tokio::test]
async fn facts_are_used_where_they_are_offered() {
    let facts = b"type=cdir;modify=20261122130000; .\r\ntype=file;size=9;modify=20261122130207; users.csv\r\n".to_vec();
    let server = Scripted::with(&[
        ("FEAT", Say("211-Features:\r\n MLST type*;size*;modify*;\r\n211 End\r\n")),
        ("MLSD", Send(facts, "226 Done.\r\n")),
        (
            "MLST users.csv",
            Say("250-Listing\r\n type=file;size=9;modify=20261122130207; /outbox/users.csv\r\n250 End\r\n"),
        ),
        ("MLST", Say("550 No such file.\r\n")),
    ])
    .await;
    let source = server.source();
    let listed: Vec<Stamp> = source.list().await.unwrap().iter().map(Stamp::from).collect();
    assert_eq!(listed, [file()]);
    assert_eq!(source.stat("users.csv").await.unwrap(), Some(file()));
    assert_eq!(source.stat("none.csv").await.unwrap(), None);
    assert_eq!(server.heard("MDTM").len(), 0);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused_before_anything_is_sent() {
    let server = Scripted::with(&[]).await;
    let source = server.source();
    for name in ["../users.csv", "a\r\nDELE users.csv", "a\nb", ""] {
        assert!(matches!(source.delete(name).await, Err(SourceError::Denied(_))), "{name:?}");
        assert!(matches!(source.rename("users.csv", name).await, Err(SourceError::Denied(_))), "{name:?}");
    }
    assert_eq!(server.heard("").len(), 0);
}
