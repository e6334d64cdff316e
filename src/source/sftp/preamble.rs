//! What a server says before the SSH version line: lines of greeting are skipped (RFC 4253, 4.2), and a server that is none,
//! or turns the connection away with a word, is shown by what it said.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::errors::said;

/// Bytes of greeting that are skipped at most.
const MOST: usize = 64 * 1024;
/// How long a server may be silent before it is spoken to first: some wait for that.
const SILENCE: Duration = Duration::from_secs(2);
/// How long to wait for the rest of a few bytes that may become a version.
const A_MOMENT: Duration = Duration::from_millis(10);
/// Bytes of the greeting that are kept for an error.
const KEPT: usize = 300;

/// Why there is no SSH behind the greeting; each with what was said, in quotes, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preamble {
    /// The connection was closed.
    Closed(String),
    /// Another protocol answers.
    Other(String),
    /// The greeting does not end.
    Endless,
}

/// Reads up to the version line and leaves that where it is.
pub async fn skip(stream: &mut TcpStream) -> Result<(), Preamble> {
    let mut window = [0; 4096];
    let mut greeting = Greeting::default();
    match timeout(SILENCE, stream.peek(&mut window)).await {
        Err(_) => return Ok(()),
        Ok(peeked) => peeked.map_err(|_| greeting.closed())?,
    };
    loop {
        let came = stream.peek(&mut window).await.map_err(|_| greeting.closed())?;
        match greeting.take(&window[..came]) {
            Step::Version => return Ok(()),
            Step::Wait => tokio::time::sleep(A_MOMENT).await,
            Step::Skip(bytes) => skip_bytes(stream, &mut window[..bytes]).await.map_err(|_| greeting.closed())?,
            Step::End(why) => return Err(why),
        }
    }
}

async fn skip_bytes(stream: &mut TcpStream, bytes: &mut [u8]) -> io::Result<()> {
    tokio::io::AsyncReadExt::read_exact(stream, bytes).await.map(drop)
}

/// What to do with what came.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The version line is next.
    Version,
    /// Too little to tell.
    Wait,
    /// So many bytes are greeting.
    Skip(usize),
    /// There will be no version.
    End(Preamble),
}

/// The greeting so far.
#[derive(Default)]
struct Greeting {
    kept: Vec<u8>,
    seen: usize,
    in_line: bool,
}

impl Greeting {
    fn take(&mut self, came: &[u8]) -> Step {
        if came.is_empty() {
            return Step::End(self.closed());
        }
        if !self.in_line {
            if came.starts_with(b"SSH-") {
                return Step::Version;
            }
            if b"SSH-".starts_with(came) {
                return Step::Wait;
            }
        }
        let end = came.iter().position(|&byte| byte == b'\n').map_or(came.len(), |at| at + 1);
        self.in_line = came[end - 1] != b'\n';
        self.seen += end;
        self.kept.extend_from_slice(&came[..end.min(KEPT.saturating_sub(self.kept.len()))]);
        if is_other(&self.kept) {
            return Step::End(Preamble::Other(self.words()));
        }
        if self.seen > MOST {
            return Step::End(Preamble::Endless);
        }
        Step::Skip(end)
    }

    fn words(&self) -> String {
        said(&String::from_utf8_lossy(&self.kept))
    }

    fn closed(&self) -> Preamble {
        Preamble::Closed(self.words())
    }
}

/// Whether a greeting is one of FTP, SMTP, IMAP or HTTP: such servers wait for an answer now.
fn is_other(greeting: &[u8]) -> bool {
    let code = greeting.len() > 3 && greeting[..3].iter().all(u8::is_ascii_digit) && matches!(greeting[3], b' ' | b'-');
    code || greeting.starts_with(b"* OK") || greeting.starts_with(b"HTTP/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What all these pieces together lead to.
    fn taken(pieces: &[&[u8]]) -> Option<Step> {
        let mut greeting = Greeting::default();
        let mut waiting = Vec::new();
        for piece in pieces {
            waiting.extend_from_slice(piece);
            loop {
                match greeting.take(&waiting) {
                    Step::Skip(bytes) => drop(waiting.drain(..bytes)),
                    Step::Wait => break,
                    last => return Some(last),
                }
                if waiting.is_empty() {
                    break;
                }
            }
        }
        None
    }

    #[test]
    fn a_greeting_is_skipped_and_what_is_no_ssh_is_told() {
        let long = [b'x'; 5000];
        let other = |text: &str| Some(Step::End(Preamble::Other(format!(" (\"{text}\")"))));
        let closed = |text: &str| Some(Step::End(Preamble::Closed(text.to_owned())));
        let cases: &[(&[&[u8]], Option<Step>)] = &[
            (&[b"SSH-2.0-x\r\n"], Some(Step::Version)),
            (&[b"S", b"SH-2.0-x\r\n"], Some(Step::Version)),
            (&[b"Welcome\r\nto SSH-2.0\nSSH-2.0-x\r\n"], Some(Step::Version)),
            (&[&long, &long, b"\nSSH-1.99-x\n"], Some(Step::Version)),
            (&[b"Sorry, ", b"closed\n"], None),
            (&[b"Exceeded MaxStartups\r\n", b""], closed(" (\"Exceeded MaxStartups\")")),
            (&[b""], closed("")),
            (&[b"220 ProFTPD ready\r\n"], other("220 ProFTPD ready")),
            (&[b"HTTP/1.1 400 Bad Request\r\n"], other("HTTP/1.1 400 Bad Request")),
        ];
        for (pieces, expected) in cases {
            assert_eq!(taken(pieces), *expected, "{pieces:?}");
        }
        let mut endless = Greeting::default();
        let lines = "more and more\n".repeat(10_000);
        let mut left = lines.as_bytes();
        let end = loop {
            match endless.take(left) {
                Step::Skip(bytes) => left = &left[bytes..],
                end => break end,
            }
        };
        assert_eq!(end, Step::End(Preamble::Endless));
        assert!(endless.kept.len() <= KEPT);
    }
}
