//! A server that keeps to the protocol and does none of it as OpenSSH does: handles that are no text, answers in another
//! order and shorter than asked for, no kinds of files in the mode, codes of later versions, a folder without an end.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use russh::{
    ChannelId,
    keys::{Algorithm, PrivateKey, key::safe_rng},
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream},
};
use tokio::net::TcpListener;
use usersync::{
    model::{
        file::ListedKind,
        job::{SftpJob, SourceTimeouts},
    },
    ports::{Source, SourceError},
    source::{servers::Servers, sftp::Sftp},
};

use crate::{fetch, listed, noise, says};

/// Two of them are names.
const NAMES: &[&[u8]] = &[
    b"users.csv",
    b"",
    b".",
    b"..",
    b"../users.csv",
    b"/etc/passwd",
    b"bak/users.csv",
    b"two\nlines.csv",
    b"carriage\r.csv",
    b"\x1b[2Jusers.csv",
    b"nul\0.csv",
    b"latin1_\xfc.csv",
    "Größe.csv".as_bytes(),
];
const HANDLE: &[u8] = &[0xff, 0x00, 0xfe];
/// What is asked for at once of a server that says nothing of its limits.
const PART: usize = 32 * 1024;

/// What it does besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trick {
    #[default]
    None,
    /// Lists names that are none.
    Names,
    /// Has always more of the file.
    EndlessFile,
    /// Gives a byte of whatever is asked for, but never the first.
    Crumbs,
    /// Answers a listing a byte at a time.
    Drips,
    /// Sends answers to nothing, without an end.
    Strays,
    /// Never gives the first byte of a file.
    NoFirstByte,
    /// Takes a second for it.
    LateFirstByte,
    /// Has a banner of 10 MB.
    Banner,
}

#[derive(Clone, Default)]
pub struct Odd {
    pub content: Arc<Vec<u8>>,
    pub trick: Trick,
    /// How often somebody tried to log in.
    pub logins: Arc<AtomicUsize>,
    pub endless: bool,
    /// Bytes given at most at once.
    pub most: usize,
    pub received: Vec<u8>,
    /// An answer that waits until the next part is asked for.
    pub held: Option<Vec<u8>>,
    pub listed: bool,
}

impl Odd {
    /// Serves on loopback until the test ends.
    async fn serve(self) -> Sftp {
        Sftp::new(self.job().await, &Servers::default())
    }

    /// Serves on loopback until the test ends, and gives the job to get there.
    pub async fn job(self) -> SftpJob {
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let host_keys = vec![key.public_key().to_openssh().unwrap()];
        let config = Arc::new(Config { keys: vec![key], ..Config::default() });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who leaves in the middle is no reason to end.
                if let Ok(running) = run_stream(config.clone(), stream, self.clone()).await {
                    tokio::spawn(running);
                }
            }
        });
        let limit = Duration::from_secs(30);
        SftpJob {
            host: "localhost".to_owned(),
            port,
            path: "/".to_owned(),
            username: "anybody".to_owned(),
            password: None,
            private_key: None,
            passphrase: None,
            host_keys,
            algorithms: usersync::api::Algorithms::Modern,
            timeouts: SourceTimeouts { connect: limit, login: limit, first_byte: limit, stall: limit },
        }
    }

    /// The answers to one request.
    fn answer(&mut self, request: &[u8]) -> Vec<Vec<u8>> {
        let (kind, id) = (request[0], &request[1..5]);
        let rest = &request[5..];
        let status = |code: u32| [&[101][..], id, &code.to_be_bytes(), &string(b"so it is"), &string(b"en")].concat();
        let answer = match kind {
            5 if self.trick == Trick::EndlessFile => {
                let length = u32::from_be_bytes(rest[rest.len() - 4..].try_into().unwrap());
                [&[103][..], id, &string(&vec![b'x'; length as usize])].concat()
            }
            12 if self.trick == Trick::Names && !self.listed => {
                self.listed = true;
                let mut names = [&[104][..], id, &(NAMES.len() as u32).to_be_bytes()].concat();
                for name in NAMES {
                    names.extend([string(name), string(b"-rw-r--r--"), self.attributes()].concat());
                }
                names
            }
            1 => [&[2][..], &3_u32.to_be_bytes()].concat(),
            3 | 11 => [&[102][..], id, &string(HANDLE)].concat(),
            4 => status(0),
            5 => return self.read(id, rest, status(1)),
            8 | 17 => [&[105][..], id, &self.attributes()].concat(),
            12 if self.listed && !self.endless => status(1),
            12 => {
                self.listed = true;
                let count = if self.endless { 500_u32 } else { 2 };
                let mut names = [&[104][..], id, &count.to_be_bytes()].concat();
                for (name, long) in
                    [("users.csv", "-rw-r--r--"), ("bak", "drwxr-xr-x")].iter().cycle().take(count as usize)
                {
                    names.extend([string(name.as_bytes()), string(long.as_bytes()), self.attributes()].concat());
                }
                names
            }
            // Of a later version: the file is open elsewhere.
            13 => status(27),
            _ => status(8),
        };
        vec![answer]
    }

    /// Does something else than answer a request of this kind. False: it is answered.
    fn play(&mut self, request: &[u8], channel: ChannelId, session: &mut Session) -> bool {
        let handle = session.handle();
        match (self.trick, request[0]) {
            (Trick::NoFirstByte, 5) => {}
            (Trick::Crumbs, 5) if request[request.len() - 12..request.len() - 4] == [0; 8] => {}
            (Trick::LateFirstByte, 5) => {
                self.trick = Trick::None;
                let (mut this, request) = (self.clone(), request.to_vec());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(4)).await;
                    for answer in this.answer(&request) {
                        let _ = handle.data(channel, string(&answer)).await;
                    }
                });
            }
            (Trick::Drips, 12) => drop(tokio::spawn(async move {
                let mut drip = 100_000_u32.to_be_bytes().to_vec();
                while handle.data(channel, drip).await.is_ok() {
                    drip = vec![104];
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })),
            (Trick::Strays, 12) => drop(tokio::spawn(async move {
                let stray = string(&[&[101][..], &[0xff; 4], &[0; 4], &string(b""), &string(b"")].concat());
                while handle.data(channel, stray.clone()).await.is_ok() {}
            })),
            _ => return false,
        }
        true
    }

    fn read(&mut self, id: &[u8], rest: &[u8], end: Vec<u8>) -> Vec<Vec<u8>> {
        let handle = string(HANDLE);
        assert_eq!(rest[..handle.len()], handle, "the handle comes back as it was given");
        let rest = &rest[handle.len()..];
        let offset = u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize;
        let length = u32::from_be_bytes(rest[8..12].try_into().unwrap()) as usize;
        let Some(content) = self.content.get(offset..).filter(|content| !content.is_empty()) else {
            return self.held.take().into_iter().chain([end]).collect();
        };
        let given = &content[..length.min(self.most).min(content.len())];
        let answer = [&[103][..], id, &string(given)].concat();
        // Every other part comes after its successor.
        if offset.is_multiple_of(2 * PART) && offset + PART <= self.content.len() && self.held.is_none() {
            self.held = Some(answer);
            return Vec::new();
        }
        std::iter::once(answer).chain(if offset.is_multiple_of(PART) { self.held.take() } else { None }).collect()
    }

    /// Size and time, and permissions without the kind.
    fn attributes(&self) -> Vec<u8> {
        let size = self.content.len() as u64;
        [&13_u32.to_be_bytes()[..], &size.to_be_bytes(), &0o644_u32.to_be_bytes(), &[0; 4], &[0, 0, 1, 0]].concat()
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

impl Handler for Odd {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok((self.trick == Trick::Banner).then(|| "Welcome! ".repeat(1 << 20)))
    }

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        self.logins.fetch_add(1, Ordering::Relaxed);
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: russh::Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        assert_eq!(name, "sftp");
        session.channel_success(channel)
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        self.received.extend_from_slice(data);
        while let Some(length) = self.received.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize) {
            if self.received.len() < 4 + length {
                break;
            }
            let request: Vec<u8> = self.received.drain(..4 + length).skip(4).collect();
            if self.play(&request, channel, session) {
                continue;
            }
            for answer in self.answer(&request) {
                session.data(channel, string(&answer))?;
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn answers_in_any_order_and_length_make_the_same_file() {
    for (size, most) in [(5 * PART, usize::MAX), (3 << 20, usize::MAX), (3 << 20, 1000), (PART, 7000), (0, 1)] {
        let content = Arc::new(noise(size));
        let source = Odd { content: content.clone(), most, ..Odd::default() }.serve().await;
        let stamp = listed(&source, "users.csv").await;
        let fetched = tokio::time::timeout(Duration::from_secs(60), fetch(&source, &stamp)).await;
        assert!(fetched.expect("the file comes").unwrap() == *content, "{size} bytes, {most} at once");
    }
}

#[tokio::test]
async fn kinds_are_told_by_the_first_letter_where_the_mode_does_not_say_them() {
    let source = Odd { most: 1, ..Odd::default() }.serve().await;
    let all = source.list().await.unwrap();
    let kinds: Vec<_> = all.iter().map(|listed| (listed.name.as_str(), listed.kind)).collect();
    assert_eq!(kinds, [("users.csv", ListedKind::File), ("bak", ListedKind::Folder)]);
    assert_eq!(all[0].mtime.as_second(), 256);
}

#[tokio::test]
async fn a_folder_without_an_end_is_not_read_for_ever() {
    let source = Odd { endless: true, ..Odd::default() }.serve().await;
    says(&source.list().await.unwrap_err(), &["more than 100,000 names"]);
}

#[tokio::test]
async fn a_code_of_a_later_version_is_shown_and_the_connection_stays() {
    let source = Odd { most: 1, ..Odd::default() }.serve().await;
    let error = source.delete("users.csv").await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error:?}");
    says(&error, &["code 27 (\"so it is\")"]);
    assert_eq!(source.list().await.unwrap().len(), 2);
}
