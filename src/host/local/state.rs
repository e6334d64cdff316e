//! The state folder beside the manifests (`.usersync/`, or `--data DIR`), for runs without a cluster:
//!
//! | path | holds |
//! |---|---|
//! | `users.db` | the embedded database, if there is one |
//! | `status/NAMESPACE/NAME.yaml` | the status of a sync |
//! | `runs/NAMESPACE/RUN.yaml` | a run that works, or that ended |
//! | `objects/NAMESPACE/NAME.yaml` | UID, generation and age of a sync, as `usersync local` gives them |
//! | `requests/NAMESPACE/NAME.yaml` | what people ask of a sync by `usersync update`, `suspend`, … |
//! | `.lock` | says which `usersync local` works on all of it |
//! | `reports/NAMESPACE/NAME/RUN/` | its reports |
//! | `spool/NAMESPACE/NAME/RUN/` | what a run at work keeps; `.lock` beside it says which process works |
//!
//! All of it is for its own account only (files 0600, folders 0700). What can't be read is reported and never deleted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    kept::Kept,
    private::{make_folder, one_name, read_yaml, unreadable, write, write_yaml},
};
use crate::{
    api::{UserSyncRun, UserSyncStatus},
    model::job::SyncId,
};

pub use super::{kept::Held, private::StateError, spool::Spool};

/// The state folder.
#[derive(Clone, Debug)]
pub struct State {
    root: PathBuf,
}

/// Where the state of these manifests is when nothing else is said: beside the first one.
pub fn beside(manifest: &Path) -> PathBuf {
    let folder = match manifest {
        stdin if stdin == Path::new("-") => Path::new(""),
        folder if folder.is_dir() => folder,
        file => file.parent().unwrap_or(Path::new("")),
    };
    folder.join(".usersync")
}

impl State {
    /// Opens the folder, and makes it and what belongs into it where that is missing.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        let state = Self { root: root.to_owned() };
        let fresh = !root.exists();
        for folder in ["status", "runs", "reports", "spool"] {
            make_folder(&root.join(folder))?;
        }
        // Nothing in here is for version control. A folder that was there before is its owner's affair.
        let ignore = root.join(".gitignore");
        if (fresh || root.file_name().is_some_and(|name| name == ".usersync")) && !ignore.exists() {
            write(&ignore, b"*\n")?;
        }
        Ok(state)
    }

    /// The folder as it is, to read from: nothing is made.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The embedded database.
    pub fn users_db(&self) -> PathBuf {
        self.root.join("users.db")
    }

    /// Where reports go, unless `--reports` says otherwise.
    pub fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }

    /// Takes the sync for this process: [`StateError::Busy`] if another one has it. Given back when the spool is dropped.
    pub fn spool(&self, sync: &SyncId) -> Result<Spool, StateError> {
        Spool::of(&self.root, sync)
    }

    /// Keeps a run of the sync, under the name that it has; [`super::ended::ended`] makes it of a report.
    pub fn write_run(&self, sync: &SyncId, run: &UserSyncRun) -> Result<(), StateError> {
        write_yaml(&self.run_path(&sync.namespace, run.metadata.name.as_deref().unwrap_or_default())?, run)
    }

    /// The runs of a sync that were kept, newest first. One damaged file in the namespace's folder is an error: whose
    /// run it is can't be known.
    pub fn runs(&self, sync: &SyncId) -> Result<Vec<UserSyncRun>, StateError> {
        self.kept(sync)?.into_iter().map(Kept::into_run).collect()
    }

    /// The newest held run of the sync for the file with this SHA-256: an approval covers what it showed.
    pub fn last_held(&self, sync: &SyncId, sha256: &str) -> Result<Option<Held>, StateError> {
        let held = self.kept(sync)?.into_iter().find(|kept| kept.held(sha256));
        held.map(|kept| kept.held_run()).transpose()
    }

    /// Keeps the status of a sync.
    pub fn write_status(&self, sync: &SyncId, status: &UserSyncStatus) -> Result<(), StateError> {
        write_yaml(&self.status_path(sync)?, status)
    }

    /// The status of a sync; none if none was written yet.
    pub fn status(&self, sync: &SyncId) -> Result<Option<UserSyncStatus>, StateError> {
        read_yaml(&self.status_path(sync)?)
    }

    fn status_path(&self, sync: &SyncId) -> Result<PathBuf, StateError> {
        let name = format!("{}.yaml", one_name(&sync.name)?);
        Ok(self.root.join("status").join(one_name(&sync.namespace)?).join(name))
    }

    fn kept(&self, sync: &SyncId) -> Result<Vec<Kept>, StateError> {
        let folder = self.root.join("runs").join(one_name(&sync.namespace)?);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(folder, error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| unreadable(folder.clone(), error))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Hidden ones are half written by a process that was killed.
            if name.starts_with('.') || !name.ends_with(".yaml") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|error| unreadable(path.clone(), error))?;
            let run = Kept::read(path, &text)?;
            if run.sync() == sync.name {
                runs.push(run);
            }
        }
        runs.sort_by(|a, b| (b.started(), b.ended(), b.path()).cmp(&(a.started(), a.ended(), a.path())));
        Ok(runs)
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
