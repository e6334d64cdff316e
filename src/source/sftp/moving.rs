//! Moving a file on the server, without ever overwriting one.
//!
//! The draft's own rename must fail if the new name is taken; not every server keeps to that, so it is looked at before.
//! OpenSSH's `posix-rename` overwrites and is not used.

use super::{
    client::Client,
    copying,
    errors::{Place, Tried},
    fault::Fault,
    listing,
    target::{Refusal, free, room},
    wire::{Attributes, Kind, OPEN_READ, Reply, status},
};
use crate::{model::file::ListedKind, source::name};

/// Moves `from` to `to`; the folder of `to` is made when it is missing. A fault is about `from`.
pub async fn rename(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<(), Refusal> {
    let (old, new) = (place.path(from), place.path(to));
    let before = client.look(Kind::Lstat, &old).await?.ok_or_else(|| place.missing(from))?;
    if let Some(below) = name::split(place.location(), to)?.0 {
        make_folders(client, place, below).await?;
    }
    free(client, place, to).await?;
    let refused = match client.rename(&old, &new).await {
        Ok(()) => return moved(client, place, (from, &before), to).await,
        Err(Fault::Broken(why)) => return Err(Fault::Broken(why).into()),
        Err(refused) => refused,
    };
    // Somebody took the name, or the file, since it was looked at.
    free(client, place, to).await?;
    if client.look(Kind::Lstat, &old).await?.is_none() {
        return Err(place.missing(from).into());
    }
    match refused {
        // All that a server says of a rename to another file system.
        Fault::Refused { code: status::FAILURE | status::NOT_SUPPORTED, .. } => {
            copying::move_over(client, place, from, to).await
        }
        // The file is there, so it is the folder that is not.
        Fault::Refused { code: status::NO_SUCH_FILE, .. } => Err(place.no_folder_for(to).into()),
        refused => Err(place.error(to, Tried::Change, refused).into()),
    }
}

/// Sees that a file that was moved is gone: ProFTPD copies where its rename does not reach, and says that all is well also where
/// it may not delete the file then. The copy goes, or each try would leave another one; the file was opened before, so it is there.
async fn moved(
    client: &mut Client,
    place: &Place,
    (from, before): (&str, &Attributes),
    to: &str,
) -> Result<(), Refusal> {
    let path = place.path(from);
    let Some(still) = client.look(Kind::Lstat, &path).await? else { return Ok(()) };
    if place.same(&super::stamp(from, before), &still).is_err() {
        // A new upload.
        return Ok(());
    }
    let opened = client.ask(Kind::Open, |open| open.bytes(path.as_bytes()).u32(OPEN_READ).attributes(None)).await?;
    let Reply::Handle(handle) = opened else { return Ok(()) };
    let found = client.ask(Kind::Fstat, |fstat| fstat.bytes(&handle)).await?;
    client.close(&handle)?;
    match found {
        Reply::Attributes(found) if place.same(&super::stamp(from, before), &found).is_ok() => {
            let copy = place.path(to);
            client.order(Kind::Remove, |remove| remove.bytes(copy.as_bytes())).await?;
            Err(place.stays(from).into())
        }
        _ => Ok(()),
    }
}

/// Makes those folders of the path that are missing, each with the permissions of the one it is made in.
async fn make_folders(client: &mut Client, place: &Place, below: &str) -> Result<(), Refusal> {
    let Some(mut parent) = client.look(Kind::Stat, place.folder()).await? else { return Err(place.no_folder().into()) };
    let ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
    for folder in ends.map(|end| &below[..end]) {
        parent = match client.look(Kind::Stat, &place.path(folder)).await? {
            Some(there) => there,
            None => make_folder(client, place, folder, &parent).await?,
        };
        if listing::kind(&parent, b"") == ListedKind::File {
            return Err(place.file_in_the_way(folder).into());
        }
    }
    Ok(())
}

async fn make_folder(
    client: &mut Client,
    place: &Place,
    folder: &str,
    parent: &Attributes,
) -> Result<Attributes, Refusal> {
    let path = place.path(folder);
    let rights = |attributes: &Attributes| attributes.mode.map(|mode| mode & 0o7777);
    let wanted = rights(parent);
    let refused = match client.order(Kind::MkDir, |make| make.bytes(path.as_bytes()).attributes(wanted)).await {
        Ok(()) => None,
        Err(Fault::Broken(why)) => return Err(Fault::Broken(why).into()),
        Err(refused) => Some(refused),
    };
    match (client.look(Kind::Stat, &path).await?, refused) {
        (Some(made), None) => {
            // The server's mask took away what the parent allows. Where the server doesn't let it be set, it stays so.
            if wanted.is_some() && rights(&made) != wanted {
                let set = client.order(Kind::SetStat, |set| set.bytes(path.as_bytes()).attributes(wanted)).await;
                match set {
                    Ok(()) => return Ok(Attributes { mode: parent.mode, ..made }),
                    Err(Fault::Broken(why)) => return Err(Fault::Broken(why).into()),
                    Err(_) => {}
                }
            }
            Ok(made)
        }
        // Somebody else made it meanwhile, or a link that leads nowhere has the name.
        (Some(there), Some(_)) => Ok(there),
        (None, None) => Err(place.no_folder_for(&format!("{folder}/")).into()),
        (None, Some(refused)) => match client.look(Kind::Lstat, &path).await? {
            Some(_) => Err(place.file_in_the_way(folder).into()),
            None => Err(room(client, place, folder, 1, refused).await?.into()),
        },
    }
}
