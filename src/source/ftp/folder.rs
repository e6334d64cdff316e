//! Reading the folder: by MLSD where it is offered, else by LIST with the exact times from MDTM.

use std::collections::BTreeSet;

use bytes::BytesMut;
use jiff::Timestamp;
use tokio::time::timeout_at;

use super::{
    asking::{self, Gone},
    client::Client,
    errors::{Fault, Place, Tried},
    incoming::Incoming,
    listing::{self, Entry, List, Malformed},
};
use crate::{
    model::file::{Listed, ListedKind, Stamp},
    source::{MAX_NAMES, patience::Patience, too_many_names},
};

/// Of so many files at most the exact time is asked, one by one; of more, that of the listing counts in the whole login.
const ASKED: usize = 1_000;
/// A line is not longer: two paths of 4,096 bytes and what is said of them.
const LINE: usize = 16 << 10;
/// Lines that are no names: `total 12`, the folder itself, those above it.
const OTHER_LINES: usize = 100;
/// So often a folder is listed again at most, when it is in doubt whether a listing was whole.
const AGAIN: usize = 2;

/// Everything in the folder.
pub async fn list(client: &mut Client, place: &Place) -> Result<Vec<Listed>, Fault> {
    let entries = entries(client, place).await?;
    let files = entries.iter().filter(|entry| entry.listed.kind == ListedKind::File || entry.link).count();
    if !client.offers.facts && client.coarse.is_none() {
        client.coarse = Some(!client.offers.mdtm || files > ASKED);
    }
    client.names.note(&entries);
    let mut listed = Vec::with_capacity(entries.len());
    let mut asked = 0;
    let patience = Patience::answers(&client.limits, entries.len().min(ASKED));
    for entry in entries {
        let exact = client.offers.facts || client.coarse == Some(true);
        let ask = entry.link || entry.listed.kind == ListedKind::File && !exact;
        asked += usize::from(ask);
        if ask && asked <= ASKED {
            let completed = timeout_at(patience.end(), complete(client, entry)).await;
            listed.extend(completed.unwrap_or_else(|_| {
                client.spoil();
                Err(Fault::late(&patience))
            })?);
        } else {
            listed.push(entry.listed);
        }
    }
    Ok(listed)
}

/// What the listing of its folder says of one name. None: there is no such regular file.
pub async fn find(client: &mut Client, place: &Place, path: &str) -> Result<Option<Stamp>, Fault> {
    let (below, name) = path.rsplit_once('/').map_or((None, path), |(below, name)| (Some(below), name));
    let entries = match below {
        None => entries(client, place).await?,
        Some(below) => {
            if !client.enter(below).await? {
                return Ok(None);
            }
            // Not the login's folder any more, until it has left.
            let entries = entries(client, place).await.inspect_err(|_| client.spoil())?;
            client.leave().await.inspect_err(|_| client.spoil())?;
            entries
        }
    };
    let found = entries.into_iter().find(|entry| entry.listed.name == name && entry.listed.kind == ListedKind::File);
    Ok(found.map(|entry| Stamp { name: path.to_owned(), size: entry.listed.size, mtime: entry.listed.mtime }))
}

/// Completes what a line does not say: the time of a file, and what a link stands for. None: it is gone.
async fn complete(client: &mut Client, entry: Entry) -> Result<Option<Listed>, Fault> {
    let mut listed = entry.listed;
    if client.offers.facts {
        match asking::facts(client, &listed.name).await {
            Ok(Some(facts)) => {
                listed.kind = facts.kind.or(facts.size.map(|_| ListedKind::File)).unwrap_or(ListedKind::Other);
                listed.size = facts.size.unwrap_or_default();
                listed.mtime = facts.mtime.unwrap_or_default();
            }
            // A link that leads nowhere, or to where nobody may look, stays what it is.
            Ok(None) | Err(Fault::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
        return Ok(Some(listed));
    }
    match asking::modified(client, &listed.name).await {
        Ok(Some(Ok(mtime))) => listed.mtime = mtime,
        Ok(Some(Err(Gone))) if !entry.link => return Ok(None),
        Ok(_) | Err(Fault::Refused(_)) => return Ok(Some(listed)),
        Err(fault) => return Err(fault),
    }
    if entry.link {
        match asking::size(client, &listed.name).await {
            Ok(Some(size)) => {
                listed.size = size;
                listed.kind = ListedKind::File;
            }
            Ok(None) | Err(Fault::Refused(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(Some(listed))
}

/// The names in the folder in which the login is. A listing that was cut off at the end of a line looks like a whole one: where
/// the connection did not end in good form, another one must agree.
async fn entries(client: &mut Client, place: &Place) -> Result<Vec<Entry>, Fault> {
    let (mut entries, mut cut) = read(client, place).await?;
    for _ in 0..AGAIN {
        if !cut {
            return Ok(entries);
        }
        let (again, cut_again) = read(client, place).await?;
        // Sizes and times may change while somebody uploads.
        cut = cut_again && names(&again) != names(&entries);
        entries = again;
    }
    if !cut {
        return Ok(entries);
    }
    client.spoil();
    Err(Fault::unlike())
}

fn names(entries: &[Entry]) -> BTreeSet<&str> {
    entries.iter().map(|entry| entry.listed.name.as_str()).collect()
}

/// The names, and whether the connection that they came on ended without a word.
async fn read(client: &mut Client, place: &Place) -> Result<(Vec<Entry>, bool), Fault> {
    let stall = client.limits.stall;
    let patience = Patience::answer(&client.limits);
    let facts = client.offers.facts;
    let (channel, _) = match client.transfer(if facts { "MLSD" } else { "LIST" }, 0, &patience).await {
        Ok(begun) => begun,
        // Offered, and not known all the same.
        Err(Fault::Refused(reply)) if facts && reply.unknown() => {
            client.offers.facts = false;
            return Box::pin(read(client, place)).await;
        }
        // Some say that an empty folder has no files, and no more.
        Err(Fault::Refused(reply)) if reply.code == 550 && reply.speaks_of(&["no files"]) => {
            return Ok((Vec::new(), false));
        }
        Err(fault) => return Err(fault),
    };
    let mut incoming = Incoming::new(channel);
    let mut lines = Lines::new(facts);
    let mut buffer = BytesMut::new();
    while let Some(part) = incoming.next(&patience).await.inspect_err(|_| client.spoil())? {
        buffer.extend_from_slice(&part);
        while let Some(end) = memchr::memchr(b'\n', &buffer) {
            lines.take(place, &buffer.split_to(end + 1));
        }
        if buffer.len() > LINE || lines.seen > MAX_NAMES + OTHER_LINES {
            client.spoil();
            return Err(if buffer.len() > LINE { long_line() } else { too_many_names(place.location()).into() });
        }
    }
    let cut = incoming.is_cut();
    drop(incoming);
    let reply = client.reply(stall).await.inspect_err(|_| client.spoil())?;
    if !reply.done() {
        return Err(Fault::Refused(reply));
    }
    if !buffer.is_empty() {
        // Half a name is another name, half a size another size.
        client.spoil();
        return Err(Fault::Broken(
            "the listing broke off within a line. It is tried again; if it stays so, ask whoever runs the server"
                .to_owned(),
        ));
    }
    if lines.entries.is_empty() && reply.speaks_of(&["failed to open", "permission denied"]) {
        // vsftpd calls it done, and says besides that the folder could not be read.
        return Err(place.forbidden("", Tried::List, &reply).into());
    }
    lines.done(place).map(|entries| (entries, cut))
}

fn long_line() -> Fault {
    Fault::Broken(
        "the listing has a line longer than 16 KiB and was not read on. Ask whoever runs the server".to_owned(),
    )
}

/// The lines of one listing.
struct Lines {
    facts: bool,
    list: List,
    entries: Vec<Entry>,
    seen: usize,
    malformed: Option<Malformed>,
}

impl Lines {
    fn new(facts: bool) -> Self {
        Self { facts, list: List::new(Timestamp::now()), entries: Vec::new(), seen: 0, malformed: None }
    }

    fn take(&mut self, place: &Place, line: &[u8]) {
        self.seen += usize::from(!line.is_empty());
        match if self.facts { listing::mlsd(line) } else { self.list.line(line) } {
            Ok(entry) => self.entries.extend(entry),
            Err(error) => {
                tracing::warn!(folder = place.location(), %error, "a line of the listing is left out");
                self.malformed.get_or_insert(error);
            }
        }
    }

    /// The names. An error if there was something and nothing of it could be read: an empty folder would be a lie.
    fn done(self, place: &Place) -> Result<Vec<Entry>, Fault> {
        match self.malformed {
            Some(error) if self.entries.is_empty() => Err(crate::ports::SourceError::Unreachable(format!(
                "{}: the listing is in no form that is known: {error}. Have the server list like ls -l or dir, or offer MLSD.",
                place.location()
            ))
            .into()),
            _ => Ok(self.entries),
        }
    }
}
