//! Looking at one name. What it says must equal what the listing says of the same file.

use jiff::Timestamp;

use super::{
    client::Client,
    errors::{Fault, Place, permission},
    folder, listing,
    reply::Reply,
};
use crate::model::file::{ListedKind, Stamp};

/// What the file looks like. None: there is none, or it is no regular file.
pub async fn look(client: &mut Client, place: &Place, path: &str) -> Result<Option<Stamp>, Fault> {
    if client.offers.facts {
        return Ok(facts(client, path).await?.and_then(|facts| {
            let size = facts.size.filter(|_| facts.kind.is_none_or(|kind| kind == ListedKind::File))?;
            Some(stamp(path, size, facts.mtime.unwrap_or_default()))
        }));
    }
    if client.coarse.is_none() {
        // How exact times are is decided by the folder, and must be the same in every login.
        folder::list(client, place).await?;
    }
    if client.coarse == Some(false)
        && let Some(mtime) = modified(client, path).await?
    {
        return Ok(match mtime {
            Ok(mtime) => size(client, path).await?.map(|size| stamp(path, size, mtime)),
            Err(Gone) => None,
        });
    }
    folder::find(client, place, path).await
}

/// Whether there is a file of this name, or anything else that a move would replace.
pub async fn exists(client: &mut Client, place: &Place, path: &str) -> Result<bool, Fault> {
    if client.offers.facts {
        return Ok(facts(client, path).await?.is_some());
    }
    if client.offers.size {
        // A folder has no size: moving a file onto one fails by itself.
        return Ok(size(client, path).await?.is_some());
    }
    Ok(folder::find(client, place, path).await?.is_some())
}

/// Whether there is such a folder, and it may be entered. Comes back to where it was.
pub async fn is_folder(client: &mut Client, path: &str) -> Result<bool, Fault> {
    let entered = client.enter(path).await?;
    if entered {
        client.leave().await?;
    }
    Ok(entered)
}

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

/// The size in bytes. None: there is no such file.
pub async fn size(client: &mut Client, path: &str) -> Result<Option<u64>, Fault> {
    let reply = client.ask_about("SIZE", path).await?;
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

fn stamp(path: &str, size: u64, mtime: Timestamp) -> Stamp {
    Stamp { name: path.to_owned(), size, mtime }
}
