//! Adapters that fetch files.

pub mod directory;
pub mod folder;
pub mod ftp;
mod name;
mod patience;
pub mod servers;
pub mod sftp;
mod words;

use std::sync::Arc;

use self::servers::Servers;
use crate::{model::job::SourceJob, ports::Source};

/// The source that a job names, on one of these servers if it is on any. Nothing is connected or opened yet.
pub fn open(job: &SourceJob, servers: &Servers) -> Arc<dyn Source> {
    match job {
        SourceJob::Directory { path, beneath } => {
            Arc::new(directory::Directory::new(path.clone()).beneath(beneath.clone()))
        }
        SourceJob::Sftp(job) => Arc::new(sftp::Sftp::new(job.as_ref().clone(), servers)),
        SourceJob::Ftp(job) => Arc::new(ftp::Ftp::new(job.as_ref().clone(), servers)),
    }
}

/// A folder with more names than this is not listed: nothing may make a listing endless.
const MAX_NAMES: usize = 100_000;

/// What is said of a folder with more than [`MAX_NAMES`] names.
fn too_many_names(place: &str) -> crate::ports::SourceError {
    crate::ports::SourceError::Unreachable(format!(
        "{place}: the folder has more than 100,000 names and is not listed. Move old files elsewhere, or let afterImport \
         move them into a folder of their own."
    ))
}
