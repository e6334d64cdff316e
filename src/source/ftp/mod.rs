//! A folder on an FTP server.

mod asking;
mod certificate;
mod channel;
mod client;
mod connect;
mod copying;
mod errors;
mod folder;
mod incoming;
pub mod listing;
mod look;
mod moving;
mod names;
mod pinned;
mod reply;
mod rights;
mod silence;
mod tls;
mod transfer;

use async_trait::async_trait;
use tokio::{
    io::AsyncWrite,
    sync::{Mutex, MutexGuard},
};

use self::{
    client::Client,
    errors::{Fault, Place, Tried},
    names::Names,
};
use super::{
    name,
    servers::{Door, Entry, Servers},
};
use crate::{
    model::{
        file::{Listed, Stamp},
        job::FtpJob,
    },
    ports::{Source, SourceError},
};

/// A folder on an FTP server. One thing is done at a time, over one login.
pub struct Ftp {
    job: FtpJob,
    place: Place,
    door: Door,
    /// How the server knows the names in the folder: what one login has learnt, the next one knows.
    names: Names,
    /// None: not connected, or in use by the call that holds the lock.
    client: Mutex<Option<(Client, Entry)>>,
}

impl Ftp {
    /// The folder of this job, on one of these servers. Nothing is connected yet.
    pub fn new(job: FtpJob, servers: &Servers) -> Self {
        let door = servers.door(&job.host, job.port);
        Self { place: Place::new(&job), door, job, names: Names::default(), client: Mutex::new(None) }
    }

    /// The login of the last call, or a new one.
    async fn lease(&self) -> Result<Lease<'_>, SourceError> {
        let mut slot = self.client.lock().await;
        if let Some((mut client, entry)) = slot.take() {
            if client.is_alive().await {
                return Ok(Lease { slot, client, entry });
            }
            // Its place on the server is taken again below, in the order of coming.
            drop((client, entry));
        }
        let entry = self.door.enter().await;
        let client = connect::connect(&self.place, &self.job, &self.names).await?;
        Ok(Lease { slot, client, entry })
    }

    /// A login for what is to be asked about these names: how the server knows them, it has learnt.
    async fn lease_for(&self, names: &[&str]) -> Result<Lease<'_>, SourceError> {
        let mut lease = self.lease().await?;
        if names.iter().any(|name| self.names.doubtful(name)) {
            // Where that fails, the login is not given back: the next call logs in anew.
            let listed = folder::list(&mut lease.client, &self.place).await;
            listed.map_err(|fault| self.place.error("", Tried::List, fault))?;
        }
        Ok(lease)
    }

    /// The path of a name below the folder: none leads out of it, and none has the end of a command in it.
    fn checked(&self, name: &str) -> Result<(), SourceError> {
        name::split(self.place.location(), name)?;
        if name.contains(['\r', '\n']) {
            return Err(SourceError::Denied(format!(
                "{}: the name {name:?} is refused: FTP can't send a line break. Rename the file on the server.",
                self.place.location()
            )));
        }
        Ok(())
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
        if !matches!(result, Err(Fault::Broken(_))) && !self.client.is_spoiled() {
            *self.slot = Some((self.client, self.entry));
        }
        result
    }
}

#[async_trait]
impl Source for Ftp {
    fn location(&self) -> String {
        self.place.location().to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        let mut lease = self.lease().await?;
        let listed = folder::list(&mut lease.client, &self.place).await;
        lease.settle(listed).map_err(|fault| self.place.error("", Tried::List, fault))
    }

    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
        self.checked(name)?;
        let mut lease = self.lease_for(&[name]).await?;
        let found = look::look(&mut lease.client, &self.place, name).await;
        lease.settle(found).map_err(|fault| self.place.error(name, Tried::Read, fault))
    }

    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        self.checked(&file.name)?;
        let mut lease = self.lease_for(&[&file.name]).await?;
        let fetched = transfer::fetch(&mut lease.client, &self.place, file, from, into, progress).await;
        lease.settle(fetched).map_err(|fault| self.place.error(&file.name, Tried::Read, fault))
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
        self.checked(from)?;
        self.checked(to)?;
        let mut lease = self.lease_for(&[from, to]).await?;
        let moved = moving::rename(&mut lease.client, &self.place, from, to).await;
        lease.settle(moved).map_err(|fault| self.place.error(from, Tried::Change, fault))
    }

    async fn delete(&self, name: &str) -> Result<(), SourceError> {
        self.checked(name)?;
        let mut lease = self.lease_for(&[name]).await?;
        let deleted = moving::delete(&mut lease.client, &self.place, name).await;
        lease.settle(deleted).map_err(|fault| self.place.error(name, Tried::Change, fault))
    }

    async fn rest(&self) {
        self.client.lock().await.take();
    }
}

#[cfg(test)]
mod tests;
