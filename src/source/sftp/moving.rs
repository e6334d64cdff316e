//! Moving a file on the server, without ever overwriting one.
//!
//! The draft's own rename must fail if the new name is taken; not every server keeps to that, so it is looked at before.
//! OpenSSH's `posix-rename` overwrites and is not used.

use super::{
    client::Client,
    errors::{Fault, Place, Tried},
    wire::{Kind, status},
};
use crate::{ports::SourceError, source::name};

/// Moves `from` to `to`; the folder of `to` is made when it is missing. The outer error is about `from`.
pub async fn rename(
    client: &mut Client,
    place: &Place,
    from: &str,
    to: &str,
) -> Result<Result<(), SourceError>, Fault> {
    let (old, new) = (place.path(from), place.path(to));
    if client.look(Kind::Lstat, &old).await?.is_none() {
        return Ok(Err(place.missing(from)));
    }
    if let Some(below) = name::split(place.location(), to).ok().and_then(|(below, _)| below)
        && let Err(error) = make_folders(client, place, below).await?
    {
        return Ok(Err(error));
    }
    if client.look(Kind::Lstat, &new).await?.is_some() {
        return Ok(Err(place.exists(to)));
    }
    let moved = client.order(Kind::Rename, |rename| rename.bytes(old.as_bytes()).bytes(new.as_bytes())).await;
    match moved {
        Ok(()) => Ok(Ok(())),
        Err(Fault::Broken(why)) => Err(Fault::Broken(why)),
        // Somebody took the name, or the file, since it was looked at.
        Err(_) if client.look(Kind::Lstat, &new).await?.is_some() => Ok(Err(place.exists(to))),
        Err(_) if client.look(Kind::Lstat, &old).await?.is_none() => Ok(Err(place.missing(from))),
        Err(refused) => Ok(Err(place.error(to, Tried::Change, refused))),
    }
}

/// Makes those folders of the path that are missing, with the permissions of the source's folder.
async fn make_folders(client: &mut Client, place: &Place, below: &str) -> Result<Result<(), SourceError>, Fault> {
    let ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
    for folder in ends.map(|end| &below[..end]) {
        let path = place.path(folder);
        if client.look(Kind::Stat, &path).await?.is_some() {
            continue;
        }
        let Some(parent) = client.look(Kind::Stat, place.folder()).await? else { return Ok(Err(place.no_folder())) };
        let mode = parent.mode.map(|mode| mode & 0o7777);
        match client.order(Kind::MkDir, |make| make.bytes(path.as_bytes()).attributes(mode)).await {
            Ok(()) => {}
            Err(Fault::Broken(why)) => return Err(Fault::Broken(why)),
            Err(Fault::Refused { code: status::PERMISSION_DENIED, message }) => {
                let refused = Fault::Refused { code: status::PERMISSION_DENIED, message };
                return Ok(Err(place.error(folder, Tried::Change, refused)));
            }
            // Somebody else made it meanwhile.
            Err(_) if client.look(Kind::Stat, &path).await?.is_some() => {}
            Err(refused) => return Ok(Err(place.error(folder, Tried::Change, refused))),
        }
    }
    Ok(Ok(()))
}
