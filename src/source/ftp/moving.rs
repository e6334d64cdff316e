//! Moving a file on the server, without ever overwriting one.
//!
//! RNTO overwrites on most servers: the new name is looked at before. The folder is made when the move fails for want of it.

use super::{
    client::Client,
    copying::{self, Copied},
    errors::{Fault, Place, Tried},
    look::{exists, is_folder, look},
    reply::Reply,
    rights,
};
use crate::source::name;

/// Moves `from` to `to`; the folder of `to` is made when it is missing.
pub async fn rename(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<(), Fault> {
    if exists(client, place, to).await? {
        return Err(place.exists(to).into());
    }
    let Some(mut refused) = attempt(client, place, from, to).await? else { return Ok(()) };
    let below = name::split(place.location(), to)?.0;
    if let Some(below) = below
        && !is_folder(client, below).await?
    {
        make_folders(client, place, below).await?;
        match attempt(client, place, from, to).await? {
            None => return Ok(()),
            Some(again) => refused = again,
        }
    }
    if let Some(why) = in_the_way(client, place, from, to).await? {
        return Err(why);
    }
    if below.is_none() {
        return Err(place.error(to, Tried::Change, Fault::Refused(refused)).into());
    }
    // From one disk to another, or for whatever reason: the same account may be allowed to copy and delete.
    match copying::copy(client, place, from, to).await? {
        Copied::Moved => Ok(()),
        Copied::Refused => Err(place.error(to, Tried::Change, Fault::Refused(refused)).into()),
    }
}

/// One try. Some: the server's refusal of the new name.
async fn attempt(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<Option<Reply>, Fault> {
    let begun = client.ask_about("RNFR", from).await?;
    if begun.code != 350 {
        return Err(match look(client, place, from).await? {
            None => place.missing(from).into(),
            Some(_) => Fault::Refused(begun),
        });
    }
    let ended = client.ask_about("RNTO", to).await?;
    Ok((!ended.done()).then_some(ended))
}

/// Why a file could not be moved, if it is because of one of the two names.
async fn in_the_way(client: &mut Client, place: &Place, from: &str, to: &str) -> Result<Option<Fault>, Fault> {
    if exists(client, place, to).await? || is_folder(client, to).await? {
        return Ok(Some(place.exists(to).into()));
    }
    if look(client, place, from).await?.is_none() {
        return Ok(Some(place.missing(from).into()));
    }
    Ok(None)
}

/// Makes those folders of the path that are missing.
async fn make_folders(client: &mut Client, place: &Place, below: &str) -> Result<(), Fault> {
    let ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
    for folder in ends.map(|end| &below[..end]) {
        let made = client.ask_about("MKD", folder).await?;
        if made.done() {
            rights::copy(client, place, folder).await?;
            continue;
        }
        // It was there, or somebody else made it meanwhile.
        if is_folder(client, folder).await? {
            continue;
        }
        if exists(client, place, folder).await? {
            return Err(place.no_folder_but_file(folder).into());
        }
        return Err(place.error(folder, Tried::Change, Fault::Refused(made)).into());
    }
    Ok(())
}

/// Deletes a file.
pub async fn delete(client: &mut Client, place: &Place, name: &str) -> Result<(), Fault> {
    match client.order("DELE", name).await {
        Err(Fault::Refused(reply)) if matches!(reply.code, 550 | 551 | 553) => {
            Err(match look(client, place, name).await? {
                Some(_) => place.forbidden(name, Tried::Change, &reply).into(),
                None => place.missing(name).into(),
            })
        }
        deleted => deleted.map(drop),
    }
}
