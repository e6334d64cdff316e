//! Looking at one name. What it says must equal what the listing says of the same file.

use jiff::Timestamp;

use super::{
    asking::{facts, modified, size},
    client::Client,
    errors::{Fault, Place},
    folder,
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
        let Ok(mtime) = mtime else { return Ok(None) };
        if client.offers.size {
            let size = size(client, path).await?;
            if client.offers.size {
                return Ok(size.map(|size| stamp(path, size, mtime)));
            }
        }
        return Ok(folder::find(client, place, path).await?.map(|found| Stamp { mtime, ..found }));
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
        let size = size(client, path).await?;
        if client.offers.size {
            return Ok(size.is_some());
        }
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

fn stamp(path: &str, size: u64, mtime: Timestamp) -> Stamp {
    Stamp { name: path.to_owned(), size, mtime }
}
