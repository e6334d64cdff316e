//! Reading and writing a piece of an open file, many requests at a time.

use bytes::Bytes;

use super::{
    client::{Client, refusal},
    fault::Fault,
    wire::{Kind, Reply, status},
};
use crate::source::patience::Patience;

/// Bytes of one request: what every server takes.
const PART: usize = 32 * 1024;
/// Requests under way at once: 1 MiB.
const PARTS: usize = 32;

/// What the file has from this offset on, up to a mebibyte; nothing at its end. `patience` is for the whole file.
pub async fn read(client: &mut Client, handle: &[u8], offset: u64, patience: &Patience) -> Result<Vec<u8>, Fault> {
    let mut asked = Vec::with_capacity(PARTS);
    for part in 0..PARTS {
        let at = offset + (part * PART) as u64;
        asked.push(client.request(Kind::Read, |read| read.bytes(handle).u64(at).u32(PART as u32))?);
    }
    let mut came: Vec<Bytes> = vec![Bytes::new(); PARTS];
    for (part, reply) in answers(client, &asked, patience).await? {
        came[part] = match reply {
            Reply::Data(content) if content.len() <= PART => content,
            Reply::Status(status::EOF, _) => Bytes::new(),
            other => return Err(refusal(other)),
        };
    }
    let mut content = Vec::with_capacity(PARTS * PART);
    for part in came {
        content.extend_from_slice(&part);
        // A server may send less than it was asked for: what follows is read again, from there.
        if part.len() < PART {
            break;
        }
    }
    Ok(content)
}

/// Writes at this offset. `patience` is for the whole file.
pub async fn write(
    client: &mut Client,
    handle: &[u8],
    offset: u64,
    content: &[u8],
    patience: &Patience,
) -> Result<(), Fault> {
    let mut asked = Vec::with_capacity(PARTS);
    for (part, bytes) in content.chunks(PART).enumerate() {
        let at = offset + (part * PART) as u64;
        asked.push(client.request(Kind::Write, |write| write.bytes(handle).u64(at).bytes(bytes))?);
    }
    for (_, reply) in answers(client, &asked, patience).await? {
        match reply {
            Reply::Status(status::OK, _) => {}
            other => return Err(refusal(other)),
        }
    }
    Ok(())
}

/// The answers to these requests, as they come: each with its place among the requests.
async fn answers(client: &mut Client, asked: &[u32], patience: &Patience) -> Result<Vec<(usize, Reply)>, Fault> {
    let mut answers = Vec::with_capacity(asked.len());
    while answers.len() < asked.len() {
        let (id, reply) = client.receive(patience).await?;
        match asked.iter().position(|&asked| asked == id) {
            Some(part) if !answers.iter().any(|(known, _)| *known == part) => answers.push((part, reply)),
            _ => client.stray()?,
        }
    }
    Ok(answers)
}
