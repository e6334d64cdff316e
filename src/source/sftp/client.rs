//! Requests and answers on one SFTP connection.

use bytes::{Bytes, BytesMut};
use russh::{
    ChannelMsg, ChannelReadHalf, ChannelWriteHalf,
    client::{Handle, Msg},
};
use tokio::sync::mpsc;

use super::{
    fault::Fault,
    host_key::Verifier,
    wire::{self, Attributes, Kind, Reply, Request, status},
};
use crate::{model::job::SourceTimeouts, source::patience::Patience};

/// Bytes asked for at once where the server does not say that it gives more: what every server gives.
const SMALL_READ: u32 = 32 * 1024;
/// Bytes asked for at once at most. With [`super::transfer::IN_FLIGHT`] requests under way that is 8 MiB.
const LARGE_READ: u64 = 128 * 1024;
/// Answers to nothing that are dropped at most; a transfer that was given up leaves fewer behind.
const MAX_STRAYS: usize = 1000;
/// OpenSSH's extensions: an open file is on the disk once this is answered; how much room there is.
pub const FSYNC: &[u8] = b"fsync@openssh.com";
pub const STATVFS: &[u8] = b"statvfs@openssh.com";
const LIMITS: &[u8] = b"limits@openssh.com";

/// One login with SFTP on it.
pub struct Client {
    ssh: Handle<Verifier>,
    answers: ChannelReadHalf,
    requests: mpsc::UnboundedSender<Bytes>,
    received: BytesMut,
    last_id: u32,
    timeouts: SourceTimeouts,
    read_size: u32,
    extensions: Vec<Bytes>,
    /// Answers to nothing since something was asked.
    strays: usize,
}

impl Client {
    /// Agrees on the protocol's version over a channel on which SFTP runs.
    pub async fn start(
        ssh: Handle<Verifier>,
        answers: ChannelReadHalf,
        requests: ChannelWriteHalf<Msg>,
        timeouts: SourceTimeouts,
    ) -> Result<Self, Fault> {
        let mut client = Self {
            ssh,
            answers,
            requests: writer(requests),
            received: BytesMut::new(),
            last_id: 0,
            timeouts,
            read_size: SMALL_READ,
            extensions: Vec::new(),
            strays: 0,
        };
        client.send(Request::new(Kind::Init, 3))?;
        let (_, Reply::Version(extensions)) = client.receive(&Patience::answer(&timeouts)).await? else {
            return Err(Fault::malformed());
        };
        client.extensions = extensions;
        if client.can(LIMITS) {
            client.ask_limits().await?;
        }
        Ok(client)
    }

    /// How many bytes to ask for at once.
    pub fn read_size(&self) -> u32 {
        self.read_size
    }

    /// Whether the server has this extension.
    pub fn can(&self, extension: &[u8]) -> bool {
        self.extensions.iter().any(|name| name == extension)
    }

    /// The manifest's time-outs.
    pub fn timeouts(&self) -> &SourceTimeouts {
        &self.timeouts
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.ssh.is_closed() || self.requests.is_closed()
    }

    /// Sends a request and says under which id its answer will come.
    pub fn request(&mut self, kind: Kind, fill: impl FnOnce(Request) -> Request) -> Result<u32, Fault> {
        self.last_id = self.last_id.wrapping_add(1);
        self.strays = 0;
        self.send(fill(Request::new(kind, self.last_id)))?;
        Ok(self.last_id)
    }

    /// The next answer, whichever request it belongs to.
    pub async fn receive(&mut self, patience: &Patience) -> Result<(u32, Reply), Fault> {
        loop {
            if let Some(answer) = wire::take(&mut self.received)? {
                return Ok(answer);
            }
            let message = tokio::time::timeout_at(patience.until(), self.answers.wait()).await;
            match message.map_err(|_| Fault::Broken(patience.over()))? {
                Some(ChannelMsg::Data { data }) => self.received.extend_from_slice(&data),
                None | Some(ChannelMsg::Eof | ChannelMsg::Close) => return Err(Fault::broken()),
                Some(_) => {}
            }
        }
    }

    /// An answer came that nobody waits for: as after a transfer that was given up, but not without an end.
    pub fn stray(&mut self) -> Result<(), Fault> {
        self.strays += 1;
        if self.strays > MAX_STRAYS { Err(Fault::malformed()) } else { Ok(()) }
    }

    /// Sends a request and waits for its answer. Answers to requests that nobody waits for any more are dropped.
    pub async fn ask(&mut self, kind: Kind, fill: impl FnOnce(Request) -> Request) -> Result<Reply, Fault> {
        let patience = Patience::answer(&self.timeouts);
        self.ask_within(&patience, kind, fill).await
    }

    /// The same, for so long.
    pub async fn ask_within(
        &mut self,
        patience: &Patience,
        kind: Kind,
        fill: impl FnOnce(Request) -> Request,
    ) -> Result<Reply, Fault> {
        let asked = self.request(kind, fill)?;
        loop {
            let (id, reply) = self.receive(patience).await?;
            if id == asked {
                return Ok(reply);
            }
            self.stray()?;
        }
    }

    /// Asks for something that is done or refused.
    pub async fn order(&mut self, kind: Kind, fill: impl FnOnce(Request) -> Request) -> Result<(), Fault> {
        match self.ask(kind, fill).await? {
            Reply::Status(status::OK, _) => Ok(()),
            other => Err(refusal(other)),
        }
    }

    /// Asks for a handle.
    pub async fn open(&mut self, kind: Kind, fill: impl FnOnce(Request) -> Request) -> Result<Bytes, Fault> {
        match self.ask(kind, fill).await? {
            Reply::Handle(handle) => Ok(handle),
            other => Err(refusal(other)),
        }
    }

    /// Gives a handle back. Nobody waits for the answer.
    pub fn close(&mut self, handle: &[u8]) -> Result<(), Fault> {
        self.request(Kind::Close, |close| close.bytes(handle)).map(drop)
    }

    /// Asks what a path looks like ([`Kind::Stat`] follows links, [`Kind::Lstat`] doesn't). None: there is nothing.
    pub async fn look(&mut self, kind: Kind, path: &str) -> Result<Option<Attributes>, Fault> {
        match self.ask(kind, |stat| stat.bytes(path.as_bytes())).await? {
            Reply::Attributes(attributes) => Ok(Some(attributes)),
            Reply::Status(status::NO_SUCH_FILE, _) => Ok(None),
            other => Err(refusal(other)),
        }
    }

    /// Renames; the draft has it fail if the new name is taken.
    pub async fn rename(&mut self, old: &str, new: &str) -> Result<(), Fault> {
        self.order(Kind::Rename, |rename| rename.bytes(old.as_bytes()).bytes(new.as_bytes())).await
    }

    /// The folder in which the login starts, as the server names it.
    pub async fn home(&mut self) -> Result<Option<String>, Fault> {
        match self.ask(Kind::RealPath, |path| path.bytes(b".")).await? {
            Reply::Names(names) => Ok(names.first().map(|name| String::from_utf8_lossy(&name.name).into_owned())),
            _ => Ok(None),
        }
    }

    fn send(&self, request: Request) -> Result<(), Fault> {
        self.requests.send(request.packet()).map_err(|_| Fault::broken())
    }

    /// OpenSSH's extension: packet, read, write and handle limits; 0 is "unlimited".
    async fn ask_limits(&mut self) -> Result<(), Fault> {
        if let Reply::Extended(mut limits) = self.ask(Kind::Extended, |limits| limits.bytes(LIMITS)).await? {
            let _packet = wire::number64(&mut limits)?;
            let read = wire::number64(&mut limits)?;
            self.read_size = if read == 0 { LARGE_READ } else { read.min(LARGE_READ) } as u32;
        }
        Ok(())
    }
}

/// What an answer says that is not the one hoped for.
pub fn refusal(reply: Reply) -> Fault {
    match reply {
        Reply::Status(code, message) => Fault::Refused { code, message },
        _ => Fault::malformed(),
    }
}

/// Sends requests from a task of its own, so that sending never waits for answers to be taken. Bounded by what the
/// client has under way.
fn writer(channel: ChannelWriteHalf<Msg>) -> mpsc::UnboundedSender<Bytes> {
    let (sender, mut requests) = mpsc::unbounded_channel::<Bytes>();
    tokio::spawn(async move {
        while let Some(request) = requests.recv().await {
            if channel.data_bytes(request).await.is_err() {
                return;
            }
        }
        // The client was dropped: the server may end its side. The connection ends with it in any case.
        let _ = channel.close().await;
    });
    sender
}
