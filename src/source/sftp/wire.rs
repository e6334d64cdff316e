//! The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02), as far as fetching, moving and deleting files needs them.
//!
//! Handles and names are bytes here, as the draft has it: a name that is not UTF-8 is left out of a listing instead of
//! breaking it, and a server may make its handles of any bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A packet longer than this is no SFTP: more is never asked for.
const MAX_PACKET: usize = 1 << 20;

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Init = 1,
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    Lstat = 7,
    Fstat = 8,
    SetStat = 9,
    OpenDir = 11,
    ReadDir = 12,
    Remove = 13,
    MkDir = 14,
    RealPath = 16,
    Stat = 17,
    Rename = 18,
    Extended = 200,
}

/// Flag of [`Kind::Open`]: for reading.
pub const OPEN_READ: u32 = 1;
/// For writing.
pub const OPEN_WRITE: u32 = 2;
/// A file that is missing is made.
pub const OPEN_CREATE: u32 = 8;
/// It must be missing.
pub const OPEN_NEW: u32 = 0x20;

/// Codes of [`Reply::Status`].
pub mod status {
    pub const OK: u32 = 0;
    pub const EOF: u32 = 1;
    pub const NO_SUCH_FILE: u32 = 2;
    pub const PERMISSION_DENIED: u32 = 3;
    /// Anything: most servers know no better for a full disk or another file system.
    pub const FAILURE: u32 = 4;
    pub const NOT_SUPPORTED: u32 = 8;
    /// Later versions of the protocol have it; some servers send it in this one.
    pub const FILE_ALREADY_EXISTS: u32 = 11;
    pub const WRITE_PROTECT: u32 = 12;
    pub const NO_SPACE: u32 = 14;
    pub const QUOTA_EXCEEDED: u32 = 15;
}

/// A request under construction.
pub struct Request(BytesMut);

impl Request {
    /// A request of that kind; `id` is the version for [`Kind::Init`].
    pub fn new(kind: Kind, id: u32) -> Self {
        let mut packet = BytesMut::with_capacity(64);
        packet.put_u32(0);
        packet.put_u8(kind as u8);
        packet.put_u32(id);
        Self(packet)
    }

    /// Adds a string.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.put_u32(bytes.len() as u32);
        self.0.put_slice(bytes);
        self
    }

    /// Adds a number.
    pub fn u32(mut self, number: u32) -> Self {
        self.0.put_u32(number);
        self
    }

    /// Adds a large number.
    pub fn u64(mut self, number: u64) -> Self {
        self.0.put_u64(number);
        self
    }

    /// Adds attributes: none, or permissions alone.
    pub fn attributes(self, permissions: Option<u32>) -> Self {
        match permissions {
            None => self.u32(0),
            Some(permissions) => self.u32(4).u32(permissions),
        }
    }

    /// Adds attributes: the times alone.
    pub fn times(self, times: Times) -> Self {
        self.u32(8).u32(times.accessed).u32(times.modified)
    }

    /// The packet with its length before it.
    pub fn packet(mut self) -> Bytes {
        let length = self.0.len() as u32 - 4;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }
}

/// When a file was read and written last, in whole seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Read.
    pub accessed: u32,
    /// Written.
    pub modified: u32,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To [`Kind::Init`]: the names of the server's extensions. The version stands in the place of the id.
    Version(Vec<Bytes>),
    /// Something went well or wrong; code and the server's own words.
    Status(u32, String),
    /// An open file or folder.
    Handle(Bytes),
    /// Content.
    Data(Bytes),
    /// Names in a folder.
    Names(Vec<Name>),
    /// What a file looks like.
    Attributes(Attributes),
    /// To [`Kind::Extended`].
    Extended(Bytes),
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without a path.
    pub name: Bytes,
    /// As `ls -l` prints it: the kind of file shows in its first letter.
    pub long: Bytes,
    /// What it looks like, links not followed.
    pub attributes: Attributes,
}

/// What a file looks like; a server may leave anything out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Bytes.
    pub size: Option<u64>,
    /// POSIX mode, mostly with the kind of file.
    pub mode: Option<u32>,
    /// Whole seconds since 1970.
    pub mtime: Option<u32>,
}

/// What came is no SFTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer is not SFTP")]
pub struct Malformed;

/// Takes the first whole packet from what was received: its id, and what it says. None: more must come.
pub fn take(received: &mut BytesMut) -> Result<Option<(u32, Reply)>, Malformed> {
    let Some(length) = received.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize) else {
        return Ok(None);
    };
    if !(5..=MAX_PACKET).contains(&length) {
        return Err(Malformed);
    }
    if received.len() < 4 + length {
        received.reserve(4 + length - received.len());
        return Ok(None);
    }
    received.advance(4);
    let mut packet = received.split_to(length).freeze();
    let kind = number8(&mut packet)?;
    let id = number(&mut packet)?;
    Ok(Some((id, reply(kind, &mut packet)?)))
}

fn reply(kind: u8, packet: &mut Bytes) -> Result<Reply, Malformed> {
    Ok(match kind {
        2 => {
            let mut extensions = Vec::new();
            while packet.has_remaining() {
                extensions.push(string(packet)?);
                string(packet)?;
            }
            Reply::Version(extensions)
        }
        101 => {
            let code = number(packet)?;
            // Early servers leave the text out.
            let text = string(packet).unwrap_or_default();
            Reply::Status(code, String::from_utf8_lossy(&text).into_owned())
        }
        102 => Reply::Handle(string(packet)?),
        103 => Reply::Data(string(packet)?),
        104 => {
            let count = number(packet)?;
            let mut names = Vec::new();
            for _ in 0..count {
                names.push(Name { name: string(packet)?, long: string(packet)?, attributes: attributes(packet)? });
            }
            Reply::Names(names)
        }
        105 => Reply::Attributes(attributes(packet)?),
        201 => Reply::Extended(packet.split_to(packet.len())),
        _ => return Err(Malformed),
    })
}

fn attributes(packet: &mut Bytes) -> Result<Attributes, Malformed> {
    let flags = number(packet)?;
    let mut attributes = Attributes::default();
    if flags & 1 != 0 {
        attributes.size = Some(number64(packet)?);
    }
    if flags & 2 != 0 {
        number64(packet)?;
    }
    if flags & 4 != 0 {
        attributes.mode = Some(number(packet)?);
    }
    if flags & 8 != 0 {
        number(packet)?;
        attributes.mtime = Some(number(packet)?);
    }
    if flags & (1 << 31) != 0 {
        for _ in 0..number(packet)? {
            string(packet)?;
            string(packet)?;
        }
    }
    Ok(attributes)
}

fn number8(packet: &mut Bytes) -> Result<u8, Malformed> {
    packet.try_get_u8().map_err(|_| Malformed)
}

/// The next number of a packet.
pub fn number(packet: &mut Bytes) -> Result<u32, Malformed> {
    packet.try_get_u32().map_err(|_| Malformed)
}

/// The next large number of a packet.
pub fn number64(packet: &mut Bytes) -> Result<u64, Malformed> {
    packet.try_get_u64().map_err(|_| Malformed)
}

fn string(packet: &mut Bytes) -> Result<Bytes, Malformed> {
    let length = number(packet)? as usize;
    if packet.len() < length {
        return Err(Malformed);
    }
    Ok(packet.split_to(length))
}

#[cfg(test)]
mod tests;
