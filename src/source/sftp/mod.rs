//! A folder on an SFTP server.

mod auth;
mod client;
mod connect;
mod copying;
mod cost;
mod credentials;
mod errors;
mod fault;
mod heard;
mod host_key;
mod key;
mod listing;
mod moving;
mod offers;
mod pem;
mod preamble;
mod questions;
mod refusal;
mod target;
mod transfer;
mod tries;
mod window;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use tokio::{
    io::AsyncWrite,
    sync::{Mutex, MutexGuard},
    time::{Instant, timeout},
};

use self::{
    client::Client,
    errors::{Place, Tried, time},
    fault::Fault,
    target::Refusal,
    transfer::{Failed, Transfer},
    wire::{Attributes, Kind, status},
};
use super::{
    name,
    servers::{Door, Entry, Servers},
};
use crate::{
    model::{
        file::{Listed, ListedKind, Stamp},
        job::SftpJob,
    },
    ports::{Source, SourceError},
};

/// A folder on an SFTP server. One thing is done at a time, over one login.
pub struct Sftp {
    job: SftpJob,
    place: Place,
    door: Door,
    /// None: not connected, or in use by the call that holds the lock.
    client: Mutex<Option<Kept>>,
}

/// A login between two calls.
struct Kept {
    client: Client,
    entry: Entry,
    since: Instant,
}

/// A login that was not used for longer is tried before it is relied on: servers close idle ones.
const IDLE: Duration = Duration::from_secs(1);
/// How long an idle login may take to answer before another one is made.
const AWAKE: Duration = Duration::from_secs(10);

impl Sftp {
    /// The folder of this job, on one of these servers. Nothing is connected yet.
    pub fn new(job: SftpJob, servers: &Servers) -> Self {
        Self { place: Place::new(&job), door: servers.door(&job.host, job.port), job, client: Mutex::new(None) }
    }

    /// The login of the last call if it still is good, or a new one.
    async fn lease(&self, idle: Duration) -> Result<Lease<'_>, SourceError> {
        let mut slot = self.client.lock().await;
        let entry = match slot.take() {
            Some(kept) => match self.awake(kept, idle).await {
                Ok((client, entry)) => return Ok(Lease { slot, client, entry, kept: true }),
                // The place on the server is still ours.
                Err(entry) => entry,
            },
            None => self.door.enter().await,
        };
        let client = connect::connect(&self.place, &self.job).await?;
        Ok(Lease { slot, client, entry, kept: false })
    }

    /// The login, unless the server has ended it meanwhile: asked if it was idle for so long.
    async fn awake(&self, kept: Kept, idle: Duration) -> Result<(Client, Entry), Entry> {
        let Kept { mut client, entry, since } = kept;
        if client.is_closed() {
            return Err(entry);
        }
        if since.elapsed() < idle {
            return Ok((client, entry));
        }
        // Whatever the answer is, there is one.
        match timeout(AWAKE, client.look(Kind::Lstat, self.place.folder())).await {
            Err(_) | Ok(Err(Fault::Broken(_))) => Err(entry),
            Ok(_) => Ok((client, entry)),
        }
    }
}

/// A login in use. It is out of its slot meanwhile: a call that breaks off, for whatever reason, leaves no half-done
/// exchange to the next one, which connects anew.
struct Lease<'a> {
    slot: MutexGuard<'a, Option<Kept>>,
    client: Client,
    entry: Entry,
    /// Whether an earlier call used it: its end may not have been noticed yet.
    kept: bool,
}

impl Lease<'_> {
    /// Gives the login back, unless it is broken.
    fn settle<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        if !matches!(result, Err(Fault::Broken(_))) {
            *self.slot = Some(Kept { client: self.client, entry: self.entry, since: Instant::now() });
        }
        result
    }
}

#[async_trait]
impl Source for Sftp {
    fn location(&self) -> String {
        self.place.location().to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        loop {
            let mut lease = self.lease(IDLE).await?;
            let kept = lease.kept;
            let mut listed = listing::list(&mut lease.client, &self.place).await;
            let mut home = None;
            if let Err(Fault::Refused { code: status::NO_SUCH_FILE, .. }) = &listed {
                match lease.client.home().await {
                    Ok(folder) => home = folder,
                    Err(fault) => listed = Err(fault),
                }
            }
            return match lease.settle(listed) {
                Err(Fault::Refused { code: status::NO_SUCH_FILE, .. }) => {
                    Err(self.place.no_folder_from(home.as_deref()))
                }
                Err(fault) if kept && fault.is_end() => continue,
                Err(fault) => Err(self.place.error("", Tried::List, fault)),
                Ok(listed) => listed.ok_or_else(|| super::too_many_names(self.place.location())),
            };
        }
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        name::split(self.place.location(), name)?;
        loop {
            let mut lease = self.lease(IDLE).await?;
            let kept = lease.kept;
            let found = lease.client.look(Kind::Stat, &self.place.path(name)).await;
            return match lease.settle(found) {
                Err(fault) if kept && fault.is_end() => continue,
                Err(fault) => Err(self.place.error(name, Tried::Read, fault)),
                Ok(found) => Ok(found.filter(is_file).map(|found| stamp(name, &found))),
            };
        }
    }

    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        name::split(self.place.location(), &file.name)?;
        loop {
            let mut lease = self.lease(IDLE).await?;
            let kept = lease.kept;
            let mut begun = false;
            let transfer = Transfer { place: &self.place, file, from, begun: &mut begun };
            let fetched = match transfer.run(&mut lease.client, into, progress).await {
                Ok(bytes) => Ok(Ok(bytes)),
                Err(Failed::Source(error)) => Ok(Err(error)),
                Err(Failed::Fault(fault)) => Err(fault),
            };
            return match lease.settle(fetched) {
                Err(fault) if kept && !begun && fault.is_end() => continue,
                Err(fault) => Err(self.place.error(&file.name, Tried::Read, fault)),
                Ok(fetched) => fetched,
            };
        }
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        name::split(self.place.location(), from)?;
        name::split(self.place.location(), to)?;
        let mut lease = self.lease(Duration::ZERO).await?;
        let moved = match moving::rename(&mut lease.client, &self.place, from, to).await {
            Ok(()) => Ok(Ok(())),
            Err(Refusal::Source(error)) => Ok(Err(error)),
            Err(Refusal::Fault(fault)) => Err(fault),
        };
        lease.settle(moved).map_err(|fault| self.place.error(from, Tried::Change, fault))?
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        name::split(self.place.location(), name)?;
        let mut lease = self.lease(Duration::ZERO).await?;
        let path = self.place.path(name);
        let deleted = lease.client.order(Kind::Remove, |remove| remove.bytes(path.as_bytes())).await;
        lease.settle(deleted).map_err(|fault| self.place.error(name, Tried::Change, fault))
    }

    async fn rest(&self) {
        self.client.lock().await.take();
    }
}

fn is_file(found: &Attributes) -> bool {
    listing::kind(found, b"") == ListedKind::File
}

fn stamp(name: &str, found: &Attributes) -> Stamp {
    Stamp { name: name.to_owned(), size: found.size.unwrap_or_default(), mtime: time(found) }
}
