//! Copying a file's content.

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    client::Client,
    errors::{Fault, Place, Tried, permission},
    incoming::Incoming,
    look::look,
};
use crate::{model::file::Stamp, source::patience::Patience};

/// Copies the file to `into`, in order, beginning at the offset `from`, and says how large it was.
pub async fn fetch(
    client: &mut Client,
    place: &Place,
    file: &Stamp,
    from: u64,
    into: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<u64, Fault> {
    let found = look(client, place, &file.name).await?.ok_or_else(|| place.missing(&file.name))?;
    place.same(file, &found)?;
    if from > 0 && from == file.size {
        return Ok(from);
    }
    let limits = client.limits;
    let line = client.line("RETR", &file.name);
    let mut patience = Patience::first_byte(&limits);
    let (channel, begins) = match client.transfer(&line, from, &patience).await {
        Ok(begun) => begun,
        Err(fault) => return Err(unread(client, place, file, fault).await?),
    };
    let mut incoming = Incoming::new(channel);
    // A server that can't begin elsewhere sends what is there already once more.
    let (mut done, mut skip) = (from, from - begins);
    patience = Patience::first_byte(&limits);
    let mut begun = false;
    loop {
        let part = incoming.next(&patience).await;
        let Some(mut part) = part.inspect_err(|_| client.spoil())? else { break };
        if !std::mem::replace(&mut begun, true) {
            patience = Patience::content(&limits, file.size - begins);
        }
        let skipped = skip.min(part.len() as u64);
        skip -= skipped;
        part = part.split_off(skipped as usize);
        if done + part.len() as u64 > file.size {
            client.spoil();
            return Err(place.changed(&file.name, "it grows").into());
        }
        into.write_all(&part).await.map_err(|error| {
            client.spoil();
            Fault::from(place.kept(&file.name, &error))
        })?;
        done += part.len() as u64;
        progress(done);
    }
    drop(incoming);
    if let Err(fault) = ended(client, place, file, done).await {
        return Err(unread(client, place, file, fault).await?);
    }
    Ok(done)
}

/// Reads the server's last word on a transfer of which so much came.
async fn ended(client: &mut Client, place: &Place, file: &Stamp, done: u64) -> Result<(), Fault> {
    let limit = client.limits.stall;
    match client.reply(limit).await {
        Ok(reply) if !reply.done() => Err(Fault::Refused(reply)),
        Ok(_) if done == file.size => Ok(()),
        // Whole by the server's word: either it shrank, or what is between here and there cut it off.
        Ok(_) => match look(client, place, &file.name).await? {
            Some(found) if (found.size, found.mtime) == (file.size, file.mtime) => {
                client.spoil();
                Err(Fault::cut(done, file.size))
            }
            _ => Err(place.changed(&file.name, "it shrank").into()),
        },
        // A firewall forgets a connection that is silent as long as a large file takes: the last word never comes.
        Err(Fault::Broken(_)) if done == file.size => {
            client.spoil();
            Ok(())
        }
        Err(_) => Err(Fault::cut(done, file.size)),
    }
}

/// Why the server gives the file not: 550 is said of a file that is gone, and of one that may not be read.
async fn unread(client: &mut Client, place: &Place, file: &Stamp, fault: Fault) -> Result<Fault, Fault> {
    let Fault::Refused(reply) = &fault else { return Ok(fault) };
    if !matches!(reply.code, 550 | 551 | 553) || permission(reply) || client.is_spoiled() {
        return Ok(fault);
    }
    Ok(match look(client, place, &file.name).await? {
        Some(_) => place.forbidden(&file.name, Tried::Read, reply).into(),
        None => place.missing(&file.name).into(),
    })
}
