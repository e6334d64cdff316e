//! One question about one name: its facts, its time, its size.

use jiff::Timestamp;

use super::{
    client::Client,
    errors::{Fault, permission},
    listing,
    reply::Reply,
};

/// There is no such file.
pub struct Gone;

/// What MLST says. None: there is nothing of this name.
pub async fn facts(client: &mut Client, path: &str) -> Result<Option<listing::Facts>, Fault> {
    let reply = client.ask_about("MLST", path).await?;
    if !reply.done() {
        return nothing(reply);
    }
    // Between the first line and the last one. (A server may leave out the blank that the line begins with.)
    let lines: Vec<&[u8]> = reply.lines().filter(|line| !line.is_empty()).collect();
    let line = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default().iter().find(|line| line.contains(&b'='));
    line.and_then(|line| listing::mlst(line).ok()).map(Some).ok_or_else(Fault::malformed)
}

/// The modification time. None: the server does not say it of any file.
pub async fn modified(client: &mut Client, path: &str) -> Result<Option<Result<Timestamp, Gone>>, Fault> {
    if !client.offers.mdtm {
        return Ok(None);
    }
    let reply = client.ask_about("MDTM", path).await?;
    if reply.unknown() {
        client.offers.mdtm = false;
        client.coarse = Some(true);
        return Ok(None);
    }
    match reply.time() {
        Some(mtime) if reply.code == 213 => Ok(Some(Ok(mtime))),
        _ if reply.done() => Err(Fault::malformed()),
        _ => Ok(Some(nothing::<()>(reply)?.map_or_else(|| Err(Gone), |()| Err(Gone)))),
    }
}

/// The size in bytes. None: there is no such file, or the server does not say it of any, which its offers say then.
pub async fn size(client: &mut Client, path: &str) -> Result<Option<u64>, Fault> {
    let reply = client.ask_about("SIZE", path).await?;
    if reply.unknown() {
        client.offers.size = false;
        return Ok(None);
    }
    match reply.size() {
        Some(size) if reply.code == 213 => Ok(Some(size)),
        _ if reply.done() => Err(Fault::malformed()),
        _ => nothing(reply),
    }
}

/// What a refusal to say anything of a name means: there is nothing, unless it speaks of something else.
fn nothing<T>(reply: Reply) -> Result<Option<T>, Fault> {
    if matches!(reply.code, 550 | 551 | 553) && !permission(&reply) { Ok(None) } else { Err(Fault::Refused(reply)) }
}
