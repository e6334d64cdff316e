//! Aside: a file that is put away first gets a name of its own in the same folder, where no upload comes between the look at it
//! and what is done with it. The name follows from the file alone: whoever goes on after a crash or a broken line finds it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;

use crate::{
    model::file::Stamp,
    ports::{Source, SourceError},
};

/// What a file's name stands for now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Aside {
    /// The file that was read has this name now, which is its own.
    Ours(String),
    /// It is gone: put away already, or by somebody else.
    Gone,
    /// A new upload has its place, and is there; the words say so.
    Replaced(String),
}

/// Sets the file aside that was read, or finds it there. What turns out to be a new upload is in its place again.
pub(super) async fn set_aside(source: &dyn Source, stamp: &Stamp, sha256: &str) -> Result<Aside, SourceError> {
    let place = aside(stamp, sha256);
    let there = source.stat(&stamp.name).await?;
    if there.as_ref() == Some(stamp) {
        match source.rename(&stamp.name, &place).await {
            Err(SourceError::Exists(_)) => {
                // Where renaming is copying, a copy was left behind. What else has this name is not ours to touch.
                if !left_behind(source, stamp, sha256, &place).await? {
                    return Err(in_the_way(source, stamp, &place));
                }
                source.delete(&place).await?;
                source.rename(&stamp.name, &place).await?;
            }
            // Somebody was faster: an earlier attempt of ours, whose answer got lost, or another.
            Err(SourceError::Missing(_)) => {}
            moved => moved?,
        }
    }
    match source.stat(&place).await? {
        Some(found) if same(source, stamp, sha256, &found).await? => Ok(Aside::Ours(place)),
        Some(_) => back(source, stamp, &place).await.map(Aside::Replaced),
        None if there.is_some_and(|now| now != *stamp) => {
            Ok(Aside::Replaced(format!("{} was replaced by a new upload: the new file stays", stamp.name)))
        }
        None => Ok(Aside::Gone),
    }
}

/// Undoes what an earlier attempt began, now that the file is to stay.
pub(super) async fn set_back(source: &dyn Source, stamp: &Stamp, sha256: &str) -> Result<(), SourceError> {
    let place = aside(stamp, sha256);
    match source.stat(&place).await? {
        Some(_) if source.stat(&stamp.name).await?.is_none() => back(source, stamp, &place).await.map(drop),
        _ => Ok(()),
    }
}

/// A name that is never taken for an upload: `users.csv.8f434346648f6b96.tmp`.
pub(super) fn aside(stamp: &Stamp, sha256: &str) -> String {
    let digest = &sha256[..sha256.len().min(16)];
    match stamp.name.floor_char_boundary(LONGEST) {
        all if all == stamp.name.len() => format!("{}.{digest}.tmp", stamp.name),
        // Two long names that begin alike are told apart by their digests.
        some => {
            let name = HEXLOWER.encode(&Sha256::digest(&stamp.name)[..8]);
            format!("{}.{name}.{digest}.tmp", &stamp.name[..some])
        }
    }
}

/// Bytes of a file's name that its name aside keeps: servers take 255.
const LONGEST: usize = 200;

/// Whether a file is the one that was read. Its name says nothing, nor does its time: some servers give a file that they move
/// the time of the move.
pub(super) async fn same(source: &dyn Source, stamp: &Stamp, sha256: &str, found: &Stamp) -> Result<bool, SourceError> {
    match found.size == stamp.size {
        true if found.mtime == stamp.mtime => Ok(true),
        true => same_content(source, sha256, found).await,
        false => Ok(false),
    }
}

/// Whether the file has this very content. Reads it, and keeps nothing.
pub(super) async fn same_content(source: &dyn Source, sha256: &str, found: &Stamp) -> Result<bool, SourceError> {
    let mut digest = Hashing(Sha256::new());
    match source.fetch(found, 0, &mut digest, &|_| ()).await {
        Ok(size) => Ok(size == found.size && HEXLOWER.encode(&digest.0.finalize()) == sha256),
        // Whoever writes it was not done: it is an upload.
        Err(SourceError::Changed(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether what is in the way is a copy of the file that is still in its place.
async fn left_behind(source: &dyn Source, stamp: &Stamp, sha256: &str, place: &str) -> Result<bool, SourceError> {
    match source.stat(place).await? {
        Some(found) if found.size == stamp.size => same_content(source, sha256, &found).await,
        Some(_) => Ok(false),
        None => Err(in_the_way(source, stamp, place)),
    }
}

/// Gives a new upload its name again.
async fn back(source: &dyn Source, stamp: &Stamp, place: &str) -> Result<String, SourceError> {
    let (at, name) = (source.location(), &stamp.name);
    match source.rename(place, name).await {
        Err(SourceError::Exists(_)) => Err(SourceError::Exists(format!(
            "{at}/{place}: this is an upload that nobody has read, and {name} is another one by now. Look which of them is wanted, \
             and move or delete the one with the long name."
        ))),
        moved => moved.map(|()| {
            format!("{name} was replaced by a new upload while it was moved: the new file is back in its place")
        }),
    }
}

/// A file has the name that the one to put away would get for a moment.
fn in_the_way(source: &dyn Source, stamp: &Stamp, place: &str) -> SourceError {
    SourceError::Exists(format!(
        "{}/{place}: there is a file of this name, which {} takes for a moment when it is put away; it is neither overwritten nor \
         deleted. Look whose it is, and move or delete it.",
        source.location(),
        stamp.name
    ))
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
