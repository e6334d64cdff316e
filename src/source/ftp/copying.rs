//! Moving a file where the server's own rename does not reach, as from one disk to another: copy, verify, delete. The copy is
//! made under a name of its own beside the new one, so that nothing half done ever has that name.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest, Sha256};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{
    client::Client,
    errors::{Fault, Place},
    look::{exists, look},
    reply::Reply,
    transfer::fetch,
};
use crate::{model::file::Stamp, source::patience::Patience};

/// What is sent at once.
const PART: usize = 256 << 10;

/// What became of an attempt to copy.
pub enum Copied {
    /// The file is at its new place, and nowhere else.
    Moved,
    /// The server takes no copy: everything is as before.
    Refused,
}

/// Moves `from` to `to`, which does not exist, in a folder that does.
pub async fn copy(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<Copied, Fault> {
    let Some(stamp) = look(client, place, from).await? else { return Err(place.missing(from).into()) };
    let part = format!("{to}.usersync.part");
    let kept = |error: &io::Error| Fault::from(place.kept(from, error));
    // Whether it may be made and deleted is found out before anything large is moved; one left by a crash goes, too.
    client.ask_about("DELE", &part).await?;
    let nothing = send(client, &mut tokio::io::empty(), &part, |error| kept(&error)).await?;
    if nothing.is_none() || !client.ask_about("DELE", &part).await?.done() {
        return Ok(Copied::Refused);
    }
    // The control connection serves one transfer at a time, so the file passes through this machine.
    let mut here = tempfile::tempfile().map(File::from_std).map_err(|error| kept(&error))?;
    fetch(client, place, &stamp, 0, &mut here, &|_| ()).await?;
    here.rewind().await.map_err(|error| kept(&error))?;
    let Some(sent) = send(client, &mut here, &part, |error| kept(&error)).await? else { return Ok(Copied::Refused) };
    match settle(client, place, &stamp, &part, to, &sent).await {
        Ok(()) => Ok(Copied::Moved),
        Err(fault) => {
            if !client.is_spoiled() && !matches!(fault, Fault::Broken(_)) {
                client.ask_about("DELE", &part).await?;
            }
            Err(fault)
        }
    }
}

/// Sends what is here and gives its digest. None: the server takes nothing there.
async fn send(
    client: &mut Client,
    here: &mut (impl AsyncRead + Unpin),
    part: &str,
    kept: impl Fn(io::Error) -> Fault,
) -> Result<Option<Vec<u8>>, Fault> {
    let stall = client.limits.stall;
    let line = client.line("STOR", part);
    let mut channel = match client.transfer(&line, 0, &Patience::answer(&client.limits)).await {
        Ok((channel, _)) => channel,
        Err(Fault::Refused(_)) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut digest = Sha256::new();
    let mut buffer = vec![0; PART];
    loop {
        let length = here.read(&mut buffer).await.map_err(&kept).inspect_err(|_| client.spoil())?;
        if length == 0 {
            break;
        }
        digest.update(&buffer[..length]);
        match timeout(stall, channel.write_all(&buffer[..length])).await {
            Ok(Ok(())) => {}
            // The disk may be full: the server's last word says so.
            Ok(Err(_)) => break,
            Err(_) => {
                client.spoil();
                return Err(Fault::stalled(stall));
            }
        }
    }
    channel.finish().await;
    let reply = client.reply(stall).await.inspect_err(|_| client.spoil())?;
    if !reply.done() {
        client.ask_about("DELE", part).await?;
        return Err(Fault::Refused(reply));
    }
    Ok(Some(digest.finalize().to_vec()))
}

/// Verifies the copy, gives it the file's time and name, and deletes the file.
async fn settle(
    client: &mut Client,
    place: &Place,
    stamp: &Stamp,
    part: &str,
    to: &str,
    sent: &[u8],
) -> Result<(), Fault> {
    let time = stamp.mtime.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string();
    let set = if client.offers.mfmt { "MFMT" } else { "MDTM" };
    client.ask_about(&format!("{set} {time}"), part).await?;
    let unlike = || {
        Fault::Unfit(format!(
            "the server can't move {} into another folder, and a copy there does not keep its time. Name a folder on the same disk \
             in afterImport.moveTo, or have MFMT allowed there",
            stamp.name
        ))
    };
    let copy = look(client, place, part).await?.ok_or_else(unlike)?;
    if (copy.size, copy.mtime) != (stamp.size, stamp.mtime) {
        return Err(unlike());
    }
    let mut came = Hashing(Sha256::new());
    fetch(client, place, &copy, 0, &mut came, &|_| ()).await?;
    if came.0.finalize().as_slice() != sent {
        return Err(Fault::Unfit(format!(
            "the copy of {} on the server is not what was sent. The file stays",
            stamp.name
        )));
    }
    // A new upload of the same name stays where it is.
    match look(client, place, &stamp.name).await? {
        Some(now) => place.same(stamp, &now)?,
        None => return Err(place.missing(&stamp.name).into()),
    }
    // The look before the copy is long ago, and RNTO overwrites.
    if exists(client, place, to).await? {
        return Err(place.exists(to).into());
    }
    if let Some(refused) = renamed(client, part, to).await? {
        return Err(Fault::Refused(refused));
    }
    take_away(client, place, stamp, to).await
}

/// Deletes the file that is at its new place too: out of a name of its own, so that no new upload is deleted unread. Where it
/// can't be deleted the new one goes, or the file would be there twice.
async fn take_away(client: &mut Client, place: &Place, stamp: &Stamp, to: &str) -> Result<(), Fault> {
    let aside = format!("{}.{}.usersync.part", stamp.name, Timestamp::now().as_nanosecond());
    if let Some(refused) = renamed(client, &stamp.name, &aside).await? {
        return match look(client, place, &stamp.name).await? {
            // Somebody else took it away.
            None => Ok(()),
            Some(_) => {
                client.ask_about("DELE", to).await?;
                Err(Fault::Refused(refused))
            }
        };
    }
    let same = look(client, place, &aside).await?.is_none_or(|now| (now.size, now.mtime) == (stamp.size, stamp.mtime));
    let deleted = if same { client.order("DELE", &aside).await.map(drop) } else { Ok(()) };
    if same && !matches!(deleted, Err(Fault::Refused(_))) {
        return deleted;
    }
    // Back to where it was: a new upload, or what may not be deleted.
    if !exists(client, place, &stamp.name).await?
        && let Some(refused) = renamed(client, &aside, &stamp.name).await?
    {
        return Err(Fault::Refused(refused));
    }
    if deleted.is_err() {
        client.ask_about("DELE", to).await?;
    }
    deleted
}

/// Renames. Some: the server's refusal.
async fn renamed(client: &mut Client, from: &str, to: &str) -> Result<Option<Reply>, Fault> {
    let begun = client.ask_about("RNFR", from).await?;
    if begun.code != 350 {
        return Ok(Some(begun));
    }
    let ended = client.ask_about("RNTO", to).await?;
    Ok((!ended.done()).then_some(ended))
}

/// Keeps nothing of what is written but its digest.
struct Hashing(Sha256);

impl AsyncWrite for Hashing {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.update(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
