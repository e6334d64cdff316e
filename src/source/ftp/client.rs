//! Requests and replies on one login.
//!
//! suppaftp keeps the control connection: greeting, AUTH TLS, login, lines with their limit of 256 KiB, line breaks and Telnet
//! bytes in what is sent. Its own data connections are not used ([`super::channel`] says why), nor its parsers of replies: the
//! commands go through `custom_command`, which hands every reply over whole if none is expected.

use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

use suppaftp::{FtpError, FtpResult, ReplyTooLarge, tokio::AsyncRustlsFtpStream, types::Response};
use tokio::time::timeout;

use super::{
    errors::{Fault, said},
    names::{Names, Sent},
    reply::{Offers, Reply},
    silence,
    tls::Tls,
};
use crate::model::job::SourceTimeouts;

/// One login.
pub struct Client {
    ftp: AsyncRustlsFtpStream,
    /// How data connections are encrypted; None: not at all.
    pub(super) tls: Option<Tls>,
    /// Where data connections go to, whatever the server says.
    pub(super) peer: IpAddr,
    pub(super) limits: SourceTimeouts,
    /// What the server offers; less, once it has refused it.
    pub offers: Offers,
    /// How the server is asked for a data connection.
    pub(super) passive: Passive,
    /// Whether times are those of the listing alone, to the minute; None: the folder has not been listed in this login.
    pub coarse: Option<bool>,
    here: Option<String>,
    /// How the server knows the names in the folder.
    pub(super) names: Names,
    sent: Sent,
    spoiled: bool,
    /// The command that was sent last, without what it is about.
    asked: String,
    /// When the server answered last.
    used: Instant,
}

/// After so long without a request it is asked whether the login still stands: servers end idle ones.
const IDLE: Duration = Duration::from_secs(15);

/// How a server is asked for a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passive {
    /// EPSV (RFC 2428), not tried yet.
    Extended,
    /// EPSV, which has worked.
    ExtendedProven,
    /// PASV.
    Old,
}

impl Client {
    /// A login of which the library has read the greeting.
    pub async fn new(
        mut ftp: AsyncRustlsFtpStream,
        tls: Option<Tls>,
        limits: SourceTimeouts,
        names: Names,
    ) -> io::Result<Self> {
        let sent = Sent::default();
        ftp.set_encoding(sent.clone()).await;
        let peer = {
            let socket = ftp.get_ref().await;
            socket.set_nodelay(true)?;
            silence::keep_alive(&*socket)?;
            socket.peer_addr()?.ip()
        };
        Ok(Self {
            ftp,
            tls,
            // An IPv4 address in IPv6's clothes is IPv4: PASV can be asked for.
            peer: peer.to_canonical(),
            limits,
            offers: Offers { facts: false, size: true, mdtm: true, mfmt: false, utf8: false },
            passive: Passive::Extended,
            coarse: None,
            here: None,
            names,
            sent,
            spoiled: false,
            asked: String::new(),
            used: Instant::now(),
        })
    }

    /// The library's side of the connection, for the login.
    pub(super) fn ftp(&mut self) -> &mut AsyncRustlsFtpStream {
        &mut self.ftp
    }

    /// Makes sure that the login is not used again: something of an exchange may still be under way on it.
    pub fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// Whether the login is not to be used again.
    pub fn is_spoiled(&self) -> bool {
        self.spoiled
    }

    /// Whether the login still stands.
    pub async fn is_alive(&mut self) -> bool {
        // An idle server answers at once, or the connection is gone.
        let limit = self.limits.stall.min(self.limits.connect);
        self.used.elapsed() < IDLE || self.ask_within("NOOP", limit, Fault::stalled).await.is_ok()
    }

    /// Sends a command and waits for its reply, whatever that is.
    pub async fn ask(&mut self, command: &str) -> Result<Reply, Fault> {
        self.ask_within(command, self.limits.stall, Fault::stalled).await
    }

    /// Sends a command about a path below the folder and waits for its reply.
    pub async fn ask_about(&mut self, command: &str, path: &str) -> Result<Reply, Fault> {
        let line = self.line(command, path);
        self.ask(&line).await
    }

    /// [`Client::ask`] with a limit of its own.
    pub(super) async fn ask_within(
        &mut self,
        command: &str,
        limit: Duration,
        late: impl FnOnce(Duration) -> Fault,
    ) -> Result<Reply, Fault> {
        // None of the replies is expected: each comes back whole as an "error".
        let asked = timeout(limit, self.ftp.custom_command(command, &[])).await;
        self.used = Instant::now();
        command.split(' ').next().unwrap_or_default().clone_into(&mut self.asked);
        whole(asked.unwrap_or(Err(FtpError::DataConnectionAlreadyOpen)), &self.asked, || late(limit))
    }

    /// The next reply, to what was asked before.
    pub async fn reply(&mut self, limit: Duration) -> Result<Reply, Fault> {
        let read = timeout(limit, self.ftp.read_response_in(&[])).await;
        self.used = Instant::now();
        whole(read.unwrap_or(Err(FtpError::DataConnectionAlreadyOpen)), &self.asked, || Fault::stalled(limit))
    }

    /// Asks for something that is done or refused.
    pub async fn order(&mut self, command: &str, path: &str) -> Result<Reply, Fault> {
        let reply = self.ask_about(command, path).await?;
        if reply.done() { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }

    /// The path of the folder in which the login is: the source's. Whoever enters another one comes back to it.
    async fn here(&mut self) -> Result<String, Fault> {
        if self.here.is_none() {
            let reply = self.ask("PWD").await?;
            let Some(path) = reply.path().filter(|_| reply.done()) else { return Err(Fault::Refused(reply)) };
            self.here = Some(path);
        }
        Ok(self.here.clone().unwrap_or_default())
    }

    /// Enters a folder. False: the server refuses.
    pub async fn enter(&mut self, path: &str) -> Result<bool, Fault> {
        self.here().await?;
        Ok(self.ask_about("CWD", path).await?.done())
    }

    /// Comes back to the source's folder.
    pub async fn leave(&mut self) -> Result<(), Fault> {
        let here = self.here().await?;
        // A login that is elsewhere would take names for others.
        self.order("CWD", &here).await.map(drop).inspect_err(|_| self.spoil())
    }

    /// The line of a command about a path below the folder, in the encoding that the server knows the name in.
    pub(super) fn line(&mut self, command: &str, path: &str) -> String {
        self.sent.next_in_latin1(self.names.latin1(path));
        format!("{command} {}", plain(path))
    }
}

/// A path that no server takes for anything else: not for an option, not for a home folder, and its first blank stays.
fn plain(path: &str) -> String {
    if path.starts_with(['-', '~', ' ']) { format!("./{path}") } else { path.to_owned() }
}

/// The reply, whole; `late` if none came in time (which the callers say as [`FtpError::DataConnectionAlreadyOpen`]: the library
/// opens none here).
fn whole(read: FtpResult<Response>, asked: &str, late: impl FnOnce() -> Fault) -> Result<Reply, Fault> {
    let reply = match read {
        // The library takes the beginning of a line for a line when the connection ends: `213 4` of `213 40000`.
        Ok(Response { body, .. }) | Err(FtpError::UnexpectedResponse(Response { body, .. }))
            if !body.ends_with(b"\n") =>
        {
            return Err(Fault::broken());
        }
        Ok(response) | Err(FtpError::UnexpectedResponse(response)) => Reply::new(response.body).to(asked),
        Err(FtpError::DataConnectionAlreadyOpen) => return Err(late()),
        Err(error) => return Err(fault(&error)),
    };
    if reply.code == 421 {
        return Err(Fault::Broken(format!(
            "the server ended the connection{}. It is tried again; if it stays so, the server may be overloaded or limit \
             connections from here",
            said(&reply)
        )));
    }
    Ok(reply)
}

/// What a failure of the library means for the login.
pub fn fault(error: &FtpError) -> Fault {
    match error {
        FtpError::ConnectionError(error) if error.get_ref().is_some_and(|inner| inner.is::<ReplyTooLarge>()) => {
            Fault::endless()
        }
        FtpError::ConnectionError(_) | FtpError::SecureError(_) => Fault::broken(),
        _ => Fault::malformed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_no_options() {
        for (path, expected) in [
            ("users.csv", "users.csv"),
            ("-rf", "./-rf"),
            (" users.csv", "./ users.csv"),
            ("~hr", "./~hr"),
            ("bak/-rf", "bak/-rf"),
            ("a b [1].csv", "a b [1].csv"),
        ] {
            assert_eq!(plain(path), expected);
        }
    }

    #[test]
    fn a_421_ends_the_login() {
        let reply = |code: u32, text: &str| {
            Err(FtpError::UnexpectedResponse(Response::new(code.into(), text.as_bytes().to_vec())))
        };
        let late = || Fault::stalled(Duration::from_secs(1));
        assert!(
            matches!(whole(reply(421, "421 Timeout.\r\n"), "RETR", late), Err(Fault::Broken(why)) if why.contains("\"421 Timeout.\" to RETR"))
        );
        assert!(matches!(whole(reply(550, "550 No.\r\n"), "RETR", late), Ok(reply) if reply.code == 550));
        assert_eq!(whole(reply(213, "213 4"), "SIZE", late), Err(Fault::broken()));
        assert_eq!(whole(Err(FtpError::DataConnectionAlreadyOpen), "RETR", late), Err(late()));
        assert_eq!(whole(Err(ReplyTooLarge.into()), "RETR", late), Err(Fault::endless()));
    }
}
