//! A folder on an SFTP server.

mod auth;
mod client;
mod connect;
mod errors;
mod host_key;
mod key;
mod listing;
mod moving;
mod pem;
mod transfer;
mod wire;

use async_trait::async_trait;
use tokio::{
    io::AsyncWrite,
    sync::{Mutex, MutexGuard},
};

use self::{
    client::Client,
    errors::{Fault, Place, Tried, time},
    transfer::Failed,
    wire::Kind,
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
    client: Mutex<Option<(Client, Entry)>>,
}

impl Sftp {
    /// The folder of this job, on one of these servers. Nothing is connected yet.
    pub fn new(job: SftpJob, servers: &Servers) -> Self {
        Self { place: Place::new(&job), door: servers.door(&job.host, job.port), job, client: Mutex::new(None) }
    }

    /// The login of the last call, or a new one.
    async fn lease(&self) -> Result<Lease<'_>, SourceError> {
        let mut slot = self.client.lock().await;
        let (client, entry) = match slot.take().filter(|(client, _)| !client.is_closed()) {
            Some(entered) => entered,
            None => {
                let entry = self.door.enter().await;
                (connect::connect(&self.place, &self.job).await?, entry)
            }
        };
        Ok(Lease { slot, client, entry })
    }
}

/// A login in use. It is out of its slot meanwhile: a call that breaks off, for whatever reason, leaves no half-done
/// exchange to the next one, which connects anew.
struct Lease<'a> {
    slot: MutexGuard<'a, Option<(Client, Entry)>>,
    client: Client,
    entry: Entry,
}

impl Lease<'_> {
    /// Gives the login back, unless it is broken.
    fn settle<T>(mut self, result: Result<T, Fault>) -> Result<T, Fault> {
        if !matches!(result, Err(Fault::Broken(_))) {
            *self.slot = Some((self.client, self.entry));
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
        let mut lease = self.lease().await?;
        let listed = listing::list(&mut lease.client, &self.place).await;
        let listed = lease.settle(listed).map_err(|fault| self.place.error("", Tried::List, fault))?;
        listed.ok_or_else(|| super::too_many_names(self.place.location()))
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        name::split(self.place.location(), name)?;
        let mut lease = self.lease().await?;
        let found = lease.client.look(Kind::Stat, &self.place.path(name)).await;
        let found = lease.settle(found).map_err(|fault| self.place.error(name, Tried::Read, fault))?;
        Ok(found.filter(|found| listing::kind(found, b"") == ListedKind::File).map(|found| Stamp {
            name: name.to_owned(),
            size: found.size.unwrap_or_default(),
            mtime: time(&found),
        }))
    }

    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        name::split(self.place.location(), &file.name)?;
        let mut lease = self.lease().await?;
        let fetched = match transfer::fetch(&mut lease.client, &self.place, file, from, into, progress).await {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(Failed::Source(error)) => Ok(Err(error)),
            Err(Failed::Fault(fault)) => Err(fault),
        };
        lease.settle(fetched).map_err(|fault| self.place.error(&file.name, Tried::Read, fault))?
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        name::split(self.place.location(), from)?;
        name::split(self.place.location(), to)?;
        let mut lease = self.lease().await?;
        let moved = moving::rename(&mut lease.client, &self.place, from, to).await;
        lease.settle(moved).map_err(|fault| self.place.error(from, Tried::Change, fault))?
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        name::split(self.place.location(), name)?;
        let mut lease = self.lease().await?;
        let path = self.place.path(name);
        let deleted = lease.client.order(Kind::Remove, |remove| remove.bytes(path.as_bytes())).await;
        lease.settle(deleted).map_err(|fault| self.place.error(name, Tried::Change, fault))
    }
    async fn rest(&self) {
        self.client.lock().await.take();
    }
}
