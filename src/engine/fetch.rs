//! Fetch: copy the file into the spool, hashing on the way, and see that it stood still meanwhile.

use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};

use super::{
    look::{Chosen, old_enough},
    outcome::{Record, RunError},
    spool,
};
use crate::{
    model::{
        file::{Fetched, Stamp},
        job::Job,
        progress::{Progress, Step},
    },
    ports::{Ports, SourceError},
};

/// Copies the file. None: it did not stand still, so it is still being uploaded, and the record says so.
pub(super) async fn fetch(
    job: &Job,
    ports: &Ports,
    chosen: Chosen,
    spool: &Path,
    record: &mut Record,
) -> Result<Option<Fetched>, RunError> {
    let Chosen { stamp, seen } = chosen;
    let sha256 = match copy(ports, &stamp, &spool::input(spool)).await {
        Ok(sha256) => sha256,
        Err(RunError::Source(SourceError::Changed(why) | SourceError::Missing(why))) => {
            return Ok(moving(record, &why));
        }
        Err(error) => return Err(error),
    };
    let rest = job.sync.take.stable_for.saturating_sub(seen.elapsed());
    if !rest.is_zero() && !old_enough(&job.sync, &stamp) {
        tokio::time::sleep(rest).await;
    }
    match ports.source.stat(&stamp.name).await? {
        Some(now) if now == stamp => {}
        Some(_) => return Ok(moving(record, &format!("{} changed while it was read", stamp.name))),
        None => return Ok(moving(record, &format!("{} vanished while it was read", stamp.name))),
    }
    if let Some(file) = &mut record.file {
        file.sha256 = Some(sha256.clone());
    }
    Ok(Some(Fetched { stamp, sha256 }))
}

fn moving(record: &mut Record, why: &str) -> Option<Fetched> {
    // Later files wait behind it.
    record.more = false;
    record.nothing = Some(format!("{why}: is it still being uploaded? The next run looks again"));
    None
}

async fn copy(ports: &Ports, stamp: &Stamp, path: &Path) -> Result<String, RunError> {
    let file = tokio::fs::File::from_std(spool::create(path)?);
    let mut into = Hashing { file: BufWriter::with_capacity(512 << 10, file), hash: Sha256::new() };
    let at = |done| Progress { step: Step::Fetch, done, of: Some(stamp.size) };
    ports.watch.at(at(0));
    let size = ports.source.fetch(stamp, 0, &mut into, &|done| ports.watch.at(at(done))).await?;
    into.shutdown().await?;
    if size != stamp.size {
        return Err(SourceError::Changed(format!("{} has {size} bytes instead of {}", stamp.name, stamp.size)).into());
    }
    Ok(HEXLOWER.encode(&into.hash.finalize()))
}

/// A file that hashes what is written to it.
struct Hashing {
    file: BufWriter<tokio::fs::File>,
    hash: Sha256,
}

impl AsyncWrite for Hashing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.file).poll_write(cx, bytes))?;
        self.hash.update(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}
