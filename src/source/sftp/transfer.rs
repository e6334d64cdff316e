//! Copying a file's content with many reads under way.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    client::{Client, refusal},
    errors::Place,
    fault::Fault,
    wire::{Kind, OPEN_READ, Reply, Request, status},
};
use crate::{model::file::Stamp, ports::SourceError, source::patience::Patience};

/// Reads under way at once: a line with a long way is kept full.
pub const IN_FLIGHT: usize = 64;

/// Parts of a file that are waited for, or kept until those before them have come: a server that gives a few bytes at once is
/// borne, but not with a file in crumbs.
const MOST_PARTS: usize = 64 * IN_FLIGHT;

/// Why a file was not fetched.
pub enum Failed {
    /// The server or the connection.
    Fault(Fault),
    /// The file or this machine; the connection is as good as before.
    Source(SourceError),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<SourceError> for Failed {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// A part of the file that was asked for.
struct Part {
    id: u32,
    offset: u64,
    length: u32,
    /// What came; empty at the file's end.
    content: Option<Bytes>,
}

/// One file on its way.
pub struct Transfer<'a> {
    /// Where it is.
    pub place: &'a Place,
    /// What was listed.
    pub file: &'a Stamp,
    /// The first byte that is wanted.
    pub from: u64,
    /// Set as soon as something of it came.
    pub begun: &'a mut bool,
}

impl Transfer<'_> {
    /// Copies the file to `into`, in order.
    pub async fn run(
        mut self,
        client: &mut Client,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, Failed> {
        if self.from > self.file.size {
            return Err(self.changed("it shrank"));
        }
        let path = self.place.path(&self.file.name);
        let patience = Patience::first_byte(client.timeouts());
        let open = |open: Request| open.bytes(path.as_bytes()).u32(OPEN_READ).attributes(None);
        let handle = match client.ask_within(&patience, Kind::Open, open).await? {
            Reply::Handle(handle) => handle,
            other => return Err(refusal(other).into()),
        };
        let copied = self.copy(client, &handle, patience, into, progress).await;
        client.close(&handle)?;
        let copied = copied?;
        // By its name: who replaced the file while it was read left the open one as it was.
        let attributes = client.look(Kind::Stat, &path).await?.ok_or_else(|| self.place.missing(&self.file.name))?;
        self.place.same(self.file, &attributes)?;
        Ok(copied)
    }

    async fn copy(
        &mut self,
        client: &mut Client,
        handle: &[u8],
        mut patience: Patience,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, Failed> {
        match client.ask_within(&patience, Kind::Fstat, |fstat| fstat.bytes(handle)).await? {
            Reply::Attributes(attributes) => self.place.same(self.file, &attributes)?,
            other => return Err(refusal(other).into()),
        }
        let size = self.file.size;
        let mut parts = VecDeque::with_capacity(IN_FLIGHT + 1);
        let (mut asked, mut done) = (self.from, self.from);
        loop {
            // One part more than the size says: it must be the end.
            while parts.len() < IN_FLIGHT && asked <= size {
                let length = client.read_size();
                parts.push_back(ask_part(client, handle, asked, length)?);
                asked += u64::from(length);
            }
            while parts.front().is_some_and(|part| part.content.is_some()) {
                let content = parts.pop_front().and_then(|part| part.content).unwrap_or_default();
                if content.is_empty() {
                    return if done == size { Ok(done) } else { Err(self.changed("it shrank")) };
                }
                done += content.len() as u64;
                if done > size {
                    return Err(self.changed("it grows"));
                }
                into.write_all(&content).await.map_err(|error| self.place.kept(&self.file.name, &error))?;
                progress(done);
            }
            let (id, reply) = client.receive(&patience).await?;
            let Some(index) = parts.iter().position(|part| part.id == id) else {
                client.stray()?;
                continue;
            };
            if !std::mem::replace(self.begun, true) {
                patience = Patience::content(client.timeouts(), size - self.from);
            }
            let content = match reply {
                Reply::Data(content) if content.len() <= parts[index].length as usize => content,
                Reply::Status(status::EOF, _) => Bytes::new(),
                other => return Err(refusal(other).into()),
            };
            let (offset, length) = (parts[index].offset, parts[index].length);
            let came = content.len() as u32;
            parts[index].content = Some(content);
            if came > 0 && came < length {
                // A server may send less than it was asked for: the rest is asked for again.
                let rest = ask_part(client, handle, offset + u64::from(came), length - came)?;
                parts.insert(index + 1, rest);
                if parts.len() > MOST_PARTS {
                    return Err(crumbs().into());
                }
            }
        }
    }

    fn changed(&self, how: &str) -> Failed {
        Failed::Source(self.place.changed(&self.file.name, how))
    }
}

fn crumbs() -> Fault {
    Fault::Broken(
        "the server gives the file a few bytes at a time and in no order, which is not taken. It is tried again; if it stays so, \
         ask whoever runs the server"
            .to_owned(),
    )
}

fn ask_part(client: &mut Client, handle: &[u8], offset: u64, length: u32) -> Result<Part, Fault> {
    let id = client.request(Kind::Read, |read| read.bytes(handle).u64(offset).u32(length))?;
    Ok(Part { id, offset, length, content: None })
}
