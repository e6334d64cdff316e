//! The spool of one sync: folders of its runs at work, and the lock that keeps a second process out.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{
    lock::{LockError, hold},
    private::{StateError, make_folder, one_name},
};
use crate::model::job::SyncId;

/// The right to work on one sync, and the place for it. The system takes the lock back when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    _lock: File,
}

impl Spool {
    /// Takes the sync for this process, with its part of the spool in the folder `data`: [`StateError::Busy`] if another
    /// process has it. Given back when this is dropped.
    pub fn of(data: &Path, sync: &SyncId) -> Result<Self, StateError> {
        Self::take(&data.join("spool").join(one_name(&sync.namespace)?).join(one_name(&sync.name)?), sync)
    }

    fn take(folder: &Path, sync: &SyncId) -> Result<Self, StateError> {
        make_folder(folder)?;
        let path = folder.join(".lock");
        match hold(&path) {
            Ok(lock) => Ok(Self { folder: folder.to_owned(), _lock: lock }),
            Err(LockError::Held(holder)) => Err(StateError::Busy { sync: sync.clone(), holder, path }),
            Err(LockError::Io(source)) => Err(StateError::Io { path, what: "locked", source }),
        }
    }

    /// The private folder of a run (0700); made when missing, with what it holds when not.
    pub fn folder(&self, run: &str) -> Result<PathBuf, StateError> {
        let folder = self.folder.join(one_name(run)?);
        make_folder(&folder)?;
        Ok(folder)
    }

    /// Whether the run has a folder there: it is at work, was killed, or has steps open. Takes nothing.
    pub fn holds(data: &Path, sync: &SyncId, run: &str) -> bool {
        let place = data.join("spool").join(&sync.namespace).join(&sync.name);
        [&sync.namespace, &sync.name, run].into_iter().all(|name| one_name(name).is_ok()) && place.join(run).exists()
    }

    /// The runs that have a folder: the one at work, and those of killed processes.
    pub fn runs(&self) -> Result<Vec<String>, StateError> {
        let failed = |source| StateError::Io { path: self.folder.clone(), what: "read", source };
        let mut runs = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string()
                && one_name(&name).is_ok()
                && entry.file_type().map_err(failed)?.is_dir()
            {
                runs.push(name);
            }
        }
        runs.sort();
        Ok(runs)
    }

    /// Removes the folder of a run, with what it holds.
    pub fn remove(&self, run: &str) -> Result<(), StateError> {
        let folder = self.folder.join(one_name(run)?);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { path: folder, what: "removed", source: error })
            }
            _ => Ok(()),
        }
    }

    /// Removes what killed runs left, except of the runs named, which have steps open. Says which went.
    pub fn clean(&self, still_open: &[String]) -> Result<Vec<String>, StateError> {
        let mut left = self.runs()?;
        left.retain(|run| !still_open.contains(run));
        left.iter().try_for_each(|run| self.remove(run))?;
        Ok(left)
    }
}
