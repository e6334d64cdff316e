//! Moving a file to another file system of a server, where its rename does not lead: copy, verify, delete.
//!
//! The copy is made over the same login, under a name that no glob takes, and gets its own name only once it was read back
//! and is the same. The file is deleted last, out of a name of its own, so that a new upload is never taken for it.

use sha2::{Digest, Sha256, digest::Output};

use super::{
    client::{Client, FSYNC},
    errors::{Place, Tried},
    fault::Fault,
    target::{Refusal, free, room},
    window::{read, write},
    wire::{Attributes, Kind, OPEN_CREATE, OPEN_NEW, OPEN_READ, OPEN_WRITE, Reply, Times, status},
};
use crate::{
    model::file::Stamp,
    source::{patience::Patience, sftp::listing},
};

/// The end of the names of copies that are not whole yet.
const PARTIAL: &str = ".usersync.part";
/// What a file's kind leaves of its mode.
const RIGHTS: u32 = 0o7777;

/// Moves the file `from` to `to`, whose folder is there; `to` must be free.
pub async fn move_over(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<(), Refusal> {
    let (old, partial) = (place.path(from), partial(to));
    let before = client.look(Kind::Lstat, &old).await?.ok_or_else(|| place.missing(from))?;
    if listing::kind(&before, b"") != crate::model::file::ListedKind::File {
        return Err(place.cannot_copy(from).into());
    }
    let copied = copy(client, place, from, &partial, &before).await;
    let placed = match copied {
        Ok(()) => put(client, place, &partial, to).await,
        failed => failed,
    };
    if let Err(Refusal::Source(_)) = &placed {
        remove(client, place, &partial).await?;
    }
    placed?;
    match take_away(client, place, from, &before).await? {
        Original::Gone => Ok(()),
        Original::Stays(why) => {
            // So its copy must not: it would be taken for a second one.
            remove(client, place, to).await?;
            Err(why)
        }
    }
}

/// What became of the file once its copy was in its place.
enum Original {
    /// It is deleted; what has its name now is a new upload.
    Gone,
    /// It could not be deleted, and is where it was.
    Stays(Refusal),
}

/// `bak/users.csv.usersync.part`: always the same, so that a later try finds what an earlier one left.
fn partial(to: &str) -> String {
    let start = to.rfind('/').map_or(0, |at| at + 1);
    let (folder, name) = to.split_at(start);
    format!("{folder}{}{PARTIAL}", &name[..name.floor_char_boundary(200)])
}

/// Makes the copy and sees that it is whole, and the file still the same.
async fn copy(
    client: &mut Client,
    place: &Place,
    from: &str,
    partial: &str,
    before: &Attributes,
) -> Result<(), Refusal> {
    let stamp = stamp(from, before);
    remove(client, place, partial).await?;
    let source = open(client, place, from, OPEN_READ, None).await?;
    let written = match open(client, place, partial, OPEN_WRITE | OPEN_CREATE | OPEN_NEW, Some(0o600)).await {
        Ok(target) => {
            let poured = pour(client, place, (from, &source), (partial, &target), stamp.size).await;
            let closed = client.order(Kind::Close, |close| close.bytes(&target)).await;
            match (poured, closed) {
                (Ok(digest), Ok(())) => Ok(digest),
                (Ok(_), Err(fault)) => Err(change(client, place, partial, stamp.size, fault).await),
                (failed, _) => failed,
            }
        }
        Err(refused) => Err(refused),
    };
    client.close(&source)?;
    let digest = written?;
    dress(client, place, partial, before).await?;
    verify(client, place, partial, &stamp, &digest).await?;
    let now = client.look(Kind::Lstat, &place.path(from)).await?.ok_or_else(|| place.missing(from))?;
    Ok(place.same(&stamp, &now)?)
}

/// Copies from one open file to the other, and says the digest of what was copied.
async fn pour(
    client: &mut Client,
    place: &Place,
    (from, source): (&str, &[u8]),
    (partial, target): (&str, &[u8]),
    size: u64,
) -> Result<Output<Sha256>, Refusal> {
    let (mut digest, mut done) = (Sha256::new(), 0);
    // The file comes and goes back.
    let patience = Patience::content(client.timeouts(), size.saturating_mul(2));
    loop {
        let content = read(client, source, done, &patience).await;
        let content = content.map_err(|fault| Refusal::of(place, from, Tried::Read, fault))?;
        if content.is_empty() {
            break;
        }
        if let Err(fault) = write(client, target, done, &content, &patience).await {
            return Err(change(client, place, partial, size, fault).await);
        }
        digest.update(&content);
        done += content.len() as u64;
        if done > size {
            break;
        }
    }
    if done != size {
        return Err(place.changed(from, "its size is another").into());
    }
    if client.can(FSYNC)
        && let Err(fault) = client.order(Kind::Extended, |sync| sync.bytes(FSYNC).bytes(target)).await
    {
        return Err(change(client, place, partial, size, fault).await);
    }
    Ok(digest.finalize())
}

/// Gives the copy the file's rights and time. What the server refuses of it shows when the copy is verified.
async fn dress(client: &mut Client, place: &Place, partial: &str, before: &Attributes) -> Result<(), Refusal> {
    let path = place.path(partial);
    let path = path.as_bytes();
    if let Some(mode) = before.mode {
        let set = client.order(Kind::SetStat, |set| set.bytes(path).attributes(Some(mode & RIGHTS)));
        bear(set.await)?;
    }
    let mtime = before.mtime.unwrap_or_default();
    let times = Times { accessed: mtime, modified: mtime };
    bear(client.order(Kind::SetStat, |set| set.bytes(path).times(times)).await)?;
    Ok(())
}

/// A refusal is borne, and then there is nothing; the end of the connection is not.
fn bear(result: Result<(), Fault>) -> Result<Option<()>, Fault> {
    match result {
        Ok(()) => Ok(Some(())),
        Err(Fault::Refused { .. }) => Ok(None),
        Err(broken) => Err(broken),
    }
}

/// Reads the copy back.
async fn verify(
    client: &mut Client,
    place: &Place,
    partial: &str,
    stamp: &Stamp,
    expected: &Output<Sha256>,
) -> Result<(), Refusal> {
    let copy = open(client, place, partial, OPEN_READ, None).await?;
    let (mut digest, mut done) = (Sha256::new(), 0);
    let patience = Patience::content(client.timeouts(), stamp.size);
    let read = loop {
        match read(client, &copy, done, &patience).await {
            Ok(content) if content.is_empty() => break Ok(()),
            Ok(content) => {
                digest.update(&content);
                done += content.len() as u64;
                if done > stamp.size {
                    break Ok(());
                }
            }
            Err(fault) => break Err(Refusal::of(place, partial, Tried::Read, fault)),
        }
    };
    client.close(&copy)?;
    read?;
    if done != stamp.size || digest.finalize() != *expected {
        return Err(place.bad_copy(partial, "it has other content than the file").into());
    }
    let made = client.look(Kind::Lstat, &place.path(partial)).await?.ok_or_else(|| place.missing(partial))?;
    match place.same(stamp, &made) {
        Ok(()) => Ok(()),
        Err(_) => Err(place.bad_copy(partial, "the server does not let it keep the file's modification time").into()),
    }
}

/// Gives the whole copy its name, if that still is free.
async fn put(client: &mut Client, place: &Place, partial: &str, to: &str) -> Result<(), Refusal> {
    free(client, place, to).await?;
    match client.rename(&place.path(partial), &place.path(to)).await {
        Ok(()) => Ok(()),
        Err(Fault::Broken(why)) => Err(Fault::Broken(why).into()),
        Err(refused) => {
            free(client, place, to).await?;
            Err(place.error(to, Tried::Change, refused).into())
        }
    }
}

/// Deletes the file, but no new upload that has taken its name: out of a name of its own, where it can be looked at.
async fn take_away(client: &mut Client, place: &Place, from: &str, before: &Attributes) -> Result<Original, Refusal> {
    let nanos = jiff::Timestamp::now().as_nanosecond();
    let aside = format!("{}.{nanos}{PARTIAL}", &from[..from.floor_char_boundary(180)]);
    match client.rename(&place.path(from), &place.path(&aside)).await {
        Ok(()) => {}
        // Somebody took it away: that is what was wanted.
        Err(Fault::Refused { code: status::NO_SUCH_FILE, .. }) => return Ok(Original::Gone),
        Err(Fault::Broken(why)) => return Err(Fault::Broken(why).into()),
        Err(refused) => return Ok(Original::Stays(Refusal::of(place, from, Tried::Change, refused))),
    }
    let moved = client.look(Kind::Lstat, &place.path(&aside)).await?;
    let is_new = moved.is_some_and(|moved| place.same(&stamp(from, before), &moved).is_err());
    let mut end = Original::Gone;
    if !is_new {
        let path = place.path(&aside);
        match client.order(Kind::Remove, |remove| remove.bytes(path.as_bytes())).await {
            Ok(()) | Err(Fault::Refused { code: status::NO_SUCH_FILE, .. }) => return Ok(Original::Gone),
            Err(Fault::Broken(why)) => return Err(Fault::Broken(why).into()),
            Err(refused) => end = Original::Stays(Refusal::of(place, from, Tried::Change, refused)),
        }
    }
    // Back under its name, unless yet another one has that.
    let taken = client.look(Kind::Lstat, &place.path(from)).await?.is_some();
    if taken || bear(client.rename(&place.path(&aside), &place.path(from)).await)?.is_none() {
        return Err(place.left_aside(from, &aside).into());
    }
    Ok(end)
}

async fn open(
    client: &mut Client,
    place: &Place,
    name: &str,
    flags: u32,
    rights: Option<u32>,
) -> Result<bytes::Bytes, Refusal> {
    let path = place.path(name);
    let opened = client.ask(Kind::Open, |open| open.bytes(path.as_bytes()).u32(flags).attributes(rights)).await?;
    match opened {
        Reply::Handle(handle) => Ok(handle),
        other if flags == OPEN_READ => Err(Refusal::of(place, name, Tried::Read, super::client::refusal(other))),
        other => Err(change(client, place, name, 0, super::client::refusal(other)).await),
    }
}

/// Removes what this move has made; what is not there, or may not be removed, stays as it is.
async fn remove(client: &mut Client, place: &Place, name: &str) -> Result<(), Fault> {
    let path = place.path(name);
    bear(client.order(Kind::Remove, |remove| remove.bytes(path.as_bytes())).await).map(drop)
}

/// Why something could not be written: a server has no code for a full disk, but may say how much room there is.
async fn change(client: &mut Client, place: &Place, name: &str, size: u64, fault: Fault) -> Refusal {
    match room(client, place, name, size, fault).await {
        Ok(error) => error.into(),
        Err(broken) => broken.into(),
    }
}

fn stamp(name: &str, attributes: &Attributes) -> Stamp {
    super::stamp(name, attributes)
}
