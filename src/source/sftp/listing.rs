//! Reading the folder.

use super::{
    client::{Client, refusal},
    errors::{Place, time},
    fault::Fault,
    transfer::IN_FLIGHT,
    wire::{Attributes, Kind, Name, Reply, status},
};
use crate::{
    model::file::{Listed, ListedKind},
    source::{
        MAX_NAMES,
        name::{self, LeftOut},
        patience::Patience,
    },
};

/// Everything in the folder. None: more than [`MAX_NAMES`] names.
pub async fn list(client: &mut Client, place: &Place) -> Result<Option<Vec<Listed>>, Fault> {
    // For all of it: a folder without an end is not read for ever.
    let patience = Patience::answer(client.timeouts());
    let handle = client.open(Kind::OpenDir, |open| open.bytes(place.folder().as_bytes())).await?;
    let listed = read(client, place, &handle, &patience).await;
    client.close(&handle)?;
    let Some(mut listed) = listed? else { return Ok(None) };
    follow(client, place, &mut listed, &patience).await?;
    Ok(Some(listed.into_iter().map(|entry| entry.listed).collect()))
}

/// A name, and whether it is a link or the server did not say what it is.
struct Entry {
    listed: Listed,
    unknown: bool,
}

async fn read(
    client: &mut Client,
    place: &Place,
    handle: &[u8],
    patience: &Patience,
) -> Result<Option<Vec<Entry>>, Fault> {
    let (mut listed, mut seen, mut left_out) = (Vec::new(), 0, LeftOut::default());
    loop {
        let names = match client.ask_within(patience, Kind::ReadDir, |read| read.bytes(handle)).await? {
            Reply::Names(names) => names,
            Reply::Status(status::EOF, _) => {
                left_out.end(place.location());
                return Ok(Some(listed));
            }
            other => return Err(refusal(other)),
        };
        // An answer without a name counts too: a listing ends in any case.
        seen += names.len().max(1);
        listed.extend(names.iter().filter_map(|name| entry(place, name, &mut left_out)));
        // Besides the folder itself and the one above it.
        if seen > MAX_NAMES + 2 {
            left_out.end(place.location());
            return Ok(None);
        }
    }
}

fn entry(place: &Place, name: &Name, left_out: &mut LeftOut) -> Option<Entry> {
    if matches!(&name.name[..], b"." | b"..") {
        return None;
    }
    let text = match name::plain(&name.name) {
        Ok(text) => text,
        Err(why) => {
            left_out.add(place.location(), &name.name, why);
            return None;
        }
    };
    let letter = name.long.first().copied();
    let unknown = match name.attributes.mode.map(|mode| mode & TYPE) {
        Some(LINK) => true,
        None | Some(0) => !matches!(letter, Some(b'-' | b'd')),
        Some(_) => false,
    };
    Some(Entry { listed: described(text, &name.attributes, kind(&name.attributes, &name.long)), unknown })
}

/// Looks behind links, many at a time.
async fn follow(client: &mut Client, place: &Place, entries: &mut [Entry], patience: &Patience) -> Result<(), Fault> {
    let unknown: Vec<&mut Entry> = entries.iter_mut().filter(|entry| entry.unknown).collect();
    let mut waiting = std::collections::HashMap::new();
    let mut unknown = unknown.into_iter();
    loop {
        while waiting.len() < IN_FLIGHT {
            let Some(entry) = unknown.next() else { break };
            let path = place.path(&entry.listed.name);
            waiting.insert(client.request(Kind::Stat, |stat| stat.bytes(path.as_bytes()))?, entry);
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let (id, reply) = client.receive(patience).await?;
        let Some(entry) = waiting.remove(&id) else {
            client.stray()?;
            continue;
        };
        // A link that leads nowhere, or to where nobody may look, stays what it is.
        if let Reply::Attributes(attributes) = reply {
            entry.listed = described(&entry.listed.name, &attributes, kind(&attributes, b""));
        }
    }
}

const TYPE: u32 = 0o170_000;
const LINK: u32 = 0o120_000;

/// What it is, by its mode; by the first letter of its `ls -l` line where the server sends no kind in the mode. A server
/// that says neither means a file.
pub fn kind(attributes: &Attributes, long: &[u8]) -> ListedKind {
    match (attributes.mode.unwrap_or_default() & TYPE, long.first()) {
        (0o100_000, _) | (0, Some(b'-')) => ListedKind::File,
        (0o040_000, _) | (0, Some(b'd')) => ListedKind::Folder,
        (0, None) if attributes.size.is_some() => ListedKind::File,
        _ => ListedKind::Other,
    }
}

fn described(name: &str, attributes: &Attributes, kind: ListedKind) -> Listed {
    Listed { name: name.to_owned(), kind, size: attributes.size.unwrap_or_default(), mtime: time(attributes) }
}
