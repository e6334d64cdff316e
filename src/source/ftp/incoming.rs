//! What comes over a data connection, read ahead by a task of its own: the network goes on while what came is hashed and
//! written.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt, sync::mpsc, task::JoinHandle, time::timeout_at};

use super::{channel::Channel, errors::Fault};
use crate::source::patience::Patience;

/// Room made for reading at once.
const READ: usize = 256 << 10;
/// With less room than this left, new room is made.
const LITTLE: usize = 32 << 10;
/// Parts that wait to be taken: 4 MiB at most.
const AHEAD: usize = 16;

/// What comes over a data connection, in order.
pub struct Incoming {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    task: JoinHandle<()>,
    cut: Arc<AtomicBool>,
}

impl Incoming {
    /// Reads until the other side ends the connection, and closes it then.
    pub fn new(channel: Channel) -> Self {
        let (sender, parts) = mpsc::channel(AHEAD);
        Self { parts, cut: channel.cut(), task: tokio::spawn(pump(channel, sender)) }
    }

    /// Whether it ended in a form in which anybody on the way could have ended it, too.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// The next part, for which it is waited so long. None: the end, and the connection is closed.
    pub async fn next(&mut self, patience: &Patience) -> Result<Option<Bytes>, Fault> {
        match timeout_at(patience.until(), self.parts.recv()).await {
            Ok(Some(Ok(part))) => Ok(Some(part)),
            Ok(None) => Ok(None),
            Ok(Some(Err(error))) => Err(Fault::Broken(format!(
                "the data connection broke off ({error}). It is tried again and goes on from there by itself; if it stays so, ask \
                 whoever runs the server"
            ))),
            Err(_) => Err(Fault::late(patience)),
        }
    }
}

impl Drop for Incoming {
    /// Nobody takes the rest: the connection ends.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(mut channel: Channel, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = BytesMut::new();
    loop {
        if buffer.capacity() < LITTLE {
            buffer.reserve(READ);
        }
        let part = match channel.read_buf(&mut buffer).await {
            Ok(0) => return channel.close().await,
            Ok(_) => Ok(buffer.split().freeze()),
            Err(error) => Err(error),
        };
        let last = part.is_err();
        if sender.send(part).await.is_err() || last {
            return;
        }
    }
}
