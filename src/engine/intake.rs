//! Intake: what a transfer writes to. It keeps the file in the spool, unpacked if it is named `….gz`, and hashes it as it
//! came.

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
    spool,
    unpack::{Fault, Unpacker, is_packed},
};
use crate::model::job::Unpack;

/// Packed bytes that are unpacked at once: they become 8 MiB at most.
const PORTION: usize = 8 << 10;

/// A file on its way into the spool.
pub(super) struct Intake {
    file: BufWriter<tokio::fs::File>,
    hash: Sha256,
    came: u64,
    unpacker: Option<Unpacker>,
    /// Unpacked and not written yet, from `written` on.
    pending: Vec<u8>,
    written: usize,
    fault: Option<Fault>,
}

/// A file that is in the spool.
pub(super) struct Taken {
    /// SHA-256 of the file as it is on the server, in hexadecimal.
    pub sha256: String,
    /// Why it could not be unpacked; the spool has nothing of use then.
    pub fault: Option<Fault>,
}

impl Intake {
    /// For the file of this name, at this path in the spool.
    pub fn create(name: &str, unpack: Unpack, path: &Path) -> io::Result<Self> {
        let file = tokio::fs::File::from_std(spool::create(path)?);
        Ok(Self {
            file: BufWriter::with_capacity(512 << 10, file),
            hash: Sha256::new(),
            came: 0,
            unpacker: is_packed(name).then(|| Unpacker::new(unpack)),
            pending: Vec::new(),
            written: 0,
            fault: None,
        })
    }

    /// Bytes of the file that came: a transfer that broke off goes on behind them.
    pub fn came(&self) -> u64 {
        self.came
    }

    /// The file is whole.
    pub async fn finish(mut self) -> io::Result<Taken> {
        if let (Some(unpacker), None) = (&mut self.unpacker, &self.fault) {
            self.fault = unpacker.end().err();
            self.pending.extend(unpacker.take());
        }
        self.shutdown().await?;
        Ok(Taken { sha256: HEXLOWER.encode(&self.hash.finalize()), fault: self.fault })
    }

    /// Unpacks some of the bytes; says how many. What can't be unpacked is still hashed to its end: it must be known which
    /// file it was, and whether it was whole.
    fn unpack(&mut self, bytes: &[u8]) -> usize {
        let Some(unpacker) = self.unpacker.as_mut().filter(|_| self.fault.is_none()) else { return bytes.len() };
        let portion = &bytes[..bytes.len().min(PORTION)];
        self.fault = unpacker.feed(portion).err();
        self.pending = unpacker.take();
        self.written = 0;
        portion.len()
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let rest = &self.pending[self.written..];
            match ready!(Pin::new(&mut self.file).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => self.written += more,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Intake {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = if self.unpacker.is_some() {
            ready!(self.poll_pending(cx))?;
            self.unpack(bytes)
        } else {
            ready!(Pin::new(&mut self.file).poll_write(cx, bytes))?
        };
        self.hash.update(&bytes[..taken]);
        self.came += taken as u64;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.file).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.file).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const UNPACK: Unpack = Unpack { max_size: 16 << 20, max_ratio: 100 };

    async fn taken(name: &str, bytes: &[u8]) -> (Taken, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        let mut intake = Intake::create(name, UNPACK, &path).unwrap();
        intake.write_all(bytes).await.unwrap();
        assert_eq!(intake.came(), bytes.len() as u64);
        let taken = intake.finish().await.unwrap();
        assert_eq!(taken.sha256, HEXLOWER.encode(&Sha256::digest(bytes)), "{name}: the file as it is on the server");
        (taken, std::fs::read(path).unwrap())
    }

    #[tokio::test]
    async fn the_spool_has_it_unpacked_and_the_digest_is_of_the_file() {
        let rows: Vec<u8> =
            (0..200_000).flat_map(|row| format!("{row},user{row}@example.com\n").into_bytes()).collect();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&rows).unwrap();
        let packed = encoder.finish().unwrap();
        for (name, bytes, content) in
            [("users.csv", &rows, &rows), ("users.csv.gz", &packed, &rows), ("users.csv", &packed, &packed)]
        {
            let (taken, spooled) = taken(name, bytes).await;
            assert!(taken.fault.is_none() && spooled == *content, "{name}: {:?}", taken.fault);
        }
        let (taken, _) = taken("users.csv.gz", &[&packed[..packed.len() / 2], &[0xaa; 100_000]].concat()).await;
        assert!(taken.fault.is_some(), "and of the whole file, whatever is wrong with it");
    }
}
