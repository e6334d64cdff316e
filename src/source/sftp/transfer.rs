//! Copying a file's content with many reads under way.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    client::{Client, refusal},
    errors::{Fault, Place},
    wire::{Kind, OPEN_READ, Reply, status},
};
use crate::{model::file::Stamp, ports::SourceError};

/// Reads under way at once: a line with a long way is kept full.
pub const IN_FLIGHT: usize = 64;

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

/// Copies the file to `into`, in order, beginning at the offset `from`.
pub async fn fetch(
    client: &mut Client,
    place: &Place,
    file: &Stamp,
    from: u64,
    into: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, Failed> {
    let path = place.path(&file.name);
    let open = client.open(Kind::Open, |open| open.bytes(path.as_bytes()).u32(OPEN_READ).attributes(None));
    let handle = open.await?;
    let copied = copy(client, place, file, from, &handle, into, progress).await;
    client.close(&handle)?;
    let copied = copied?;
    // By its name: who replaced the file while it was read left the open one as it was.
    let attributes = client.look(Kind::Stat, &path).await?.ok_or_else(|| place.missing(&file.name))?;
    place.same(file, &attributes)?;
    Ok(copied)
}

async fn copy(
    client: &mut Client,
    place: &Place,
    file: &Stamp,
    from: u64,
    handle: &[u8],
    into: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, Failed> {
    match client.ask(Kind::Fstat, |fstat| fstat.bytes(handle)).await? {
        Reply::Attributes(attributes) => place.same(file, &attributes)?,
        other => return Err(refusal(other).into()),
    }
    let mut parts = VecDeque::with_capacity(IN_FLIGHT + 1);
    let (mut asked, mut done) = (from, from);
    loop {
        // One part more than the size says: it must be the end.
        while parts.len() < IN_FLIGHT && asked <= file.size {
            let length = client.read_size();
            parts.push_back(ask_part(client, handle, asked, length)?);
            asked += u64::from(length);
        }
        while parts.front().is_some_and(|part| part.content.is_some()) {
            let content = parts.pop_front().and_then(|part| part.content).unwrap_or_default();
            if content.is_empty() {
                return if done == file.size { Ok(done) } else { Err(place.changed(&file.name, "it shrank").into()) };
            }
            done += content.len() as u64;
            if done > file.size {
                return Err(place.changed(&file.name, "it grows").into());
            }
            into.write_all(&content).await.map_err(|error| place.kept(&file.name, &error))?;
            progress(done);
        }
        let (id, reply) = client.receive().await?;
        let Some(index) = parts.iter().position(|part| part.id == id) else {
            continue;
        };
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
        }
    }
}

fn ask_part(client: &mut Client, handle: &[u8], offset: u64, length: u32) -> Result<Part, Fault> {
    let id = client.request(Kind::Read, |read| read.bytes(handle).u64(offset).u32(length))?;
    Ok(Part { id, offset, length, content: None })
}
