//! A folder on an FTP server.

pub mod listing;

use async_trait::async_trait;
use tokio::io::AsyncWrite;

use super::servers::{Door, Servers};
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
    door: Door,
}

impl Ftp {
    /// The folder of this job, on one of these servers. Nothing is connected yet.
    pub fn new(job: FtpJob, servers: &Servers) -> Self {
        Self { door: servers.door(&job.host, job.port), job }
    }

    async fn refused<T>(&self) -> Result<T, SourceError> {
        let _entry = self.door.enter().await;
        Err(SourceError::Unreachable(format!("{}: FTP is not available in this version.", self.location())))
    }
}

#[async_trait]
impl Source for Ftp {
    fn location(&self) -> String {
        format!("ftp://{}/{}", self.job.host, self.job.path)
    }

    async fn list(&self) -> Result<Vec<Listed>, SourceError> {
        self.refused().await
    }

    async fn stat(&self, _name: &str) -> Result<Option<Stamp>, SourceError> {
        self.refused().await
    }

    async fn fetch(
        &self,
        _file: &Stamp,
        _from: u64,
        _into: &mut (dyn AsyncWrite + Send + Unpin),
        _progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError> {
        self.refused().await
    }

    async fn rename(&self, _from: &str, _to: &str) -> Result<(), SourceError> {
        self.refused().await
    }

    async fn delete(&self, _name: &str) -> Result<(), SourceError> {
        self.refused().await
    }
}
