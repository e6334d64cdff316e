//! Where a file is moved to: whether the name is free and there is room, and why not.

use super::{
    client::{Client, STATVFS},
    errors::{Place, Tried},
    fault::Fault,
    wire::{self, Kind, Reply, status},
};
use crate::ports::SourceError;

/// Why a file was not moved.
#[derive(Debug)]
pub enum Refusal {
    /// The server or the connection.
    Fault(Fault),
    /// Said already, of the right file.
    Source(SourceError),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl Refusal {
    /// A fault as the end of a move: the end of the connection stays what it is.
    pub fn of(place: &Place, name: &str, tried: Tried, fault: Fault) -> Self {
        match fault {
            Fault::Broken(why) => Fault::Broken(why).into(),
            refused => place.error(name, tried, refused).into(),
        }
    }
}

/// Sees that no file has this name.
pub async fn free(client: &mut Client, place: &Place, name: &str) -> Result<(), Refusal> {
    match client.look(Kind::Lstat, &place.path(name)).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(place.exists(name).into()),
        Err(fault) => Err(Refusal::of(place, name, Tried::Change, fault)),
    }
}

/// Why something could not be written. The protocol has no code for a full disk; some servers say how much room there is.
pub async fn room(
    client: &mut Client,
    place: &Place,
    name: &str,
    size: u64,
    fault: Fault,
) -> Result<SourceError, Fault> {
    let Fault::Refused { code: status::FAILURE, .. } = &fault else {
        return match fault {
            Fault::Broken(why) => Err(Fault::Broken(why)),
            refused => Ok(place.error(name, Tried::Change, refused)),
        };
    };
    let folder = match name.rsplit_once('/') {
        Some((folder, _)) => place.path(folder),
        None => place.folder().to_owned(),
    };
    if client.can(STATVFS)
        && let Reply::Extended(mut said) =
            client.ask(Kind::Extended, |ask| ask.bytes(STATVFS).bytes(folder.as_bytes())).await?
    {
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = wire::number64(&mut said)?;
        }
        // Block size, fragment size, all, free, free for this account.
        let [_, fragment, _, _, available] = numbers;
        if available.saturating_mul(fragment) <= size {
            return Ok(place.full(name));
        }
    }
    Ok(place.error(name, Tried::Change, fault))
}
