//! Private files and folders of the state, and how they fail.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::model::job::SyncId;

/// Why state could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("{} can't be {what}: {source}. See that this account may write there and that the disk has room, or keep the state elsewhere with --data DIR", path.display())]
    Io {
        /// Of what.
        path: PathBuf,
        /// `made`, `read`, `written`, …
        what: &'static str,
        /// As the system says it.
        source: io::Error,
    },
    /// A file that UserSync wrote is not as it wrote it.
    #[error("{} is damaged: {why}. Mend it, or move it away if what it says is not needed any more; it is left as it is", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// Another process works on the same sync.
    #[error("{sync} is at work already in {holder} (lock {}). Wait until that has ended, or give this one a state folder of its own with --data DIR", path.display())]
    Busy {
        /// The sync.
        sync: SyncId,
        /// `process 1234`, or `another process` if that is not known.
        holder: String,
        /// The lock file.
        path: PathBuf,
    },
    /// Another process has the whole folder.
    #[error("{} is at work already in {holder} (lock {}): two on one folder would do everything twice. End that one first, or give this one a state folder of its own with --data DIR", folder.display(), path.display())]
    Taken {
        /// The folder of manifests.
        folder: PathBuf,
        /// `process 1234`, or `another process` if that is not known.
        holder: String,
        /// The lock file.
        path: PathBuf,
    },
    /// A name that is no Kubernetes name and could lead elsewhere.
    #[error("{0:?} can't be a file's name in the state folder: it is no Kubernetes name")]
    Name(String),
}

/// The error of a file or folder that can't be read.
pub(super) fn unreadable(path: PathBuf, error: io::Error) -> StateError {
    if error.kind() == io::ErrorKind::InvalidData {
        return StateError::Corrupt { path, why: "it is no UTF-8 text".into() };
    }
    StateError::Io { path, what: "read", source: error }
}

/// The name, if it can be no path.
pub(super) fn one_name(name: &str) -> Result<&str, StateError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || name.len() > 253 || name.starts_with('.') || !name.chars().all(fine) {
        return Err(StateError::Name(name.to_owned()));
    }
    Ok(name)
}

/// Makes a private folder, and those above it that are missing.
pub(super) fn make_folder(path: &Path) -> Result<(), StateError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| StateError::Io { path: path.to_owned(), what: "made", source })
}

/// Reads a text that may not be there.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path.to_owned(), error)),
    }
}

/// Reads YAML that may not be there.
pub(super) fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let read = serde_yaml::from_str(&text);
    read.map(Some).map_err(|why| StateError::Corrupt { path: path.to_owned(), why: why.to_string() })
}

/// Writes YAML so that after a crash it is the old one or the new one, and private; makes the folder. Leaves a file alone
/// that says the same already.
pub(super) fn write_yaml(path: &Path, object: &impl Serialize) -> Result<(), StateError> {
    let failed = |error: serde_yaml::Error| StateError::Io {
        path: path.to_owned(),
        what: "written",
        source: io::Error::other(error),
    };
    let text = serde_yaml::to_string(object).map_err(failed)?;
    if fs::read(path).is_ok_and(|is| is == text.as_bytes()) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), make_folder)?;
    write(path, text.as_bytes())
}

/// Removes a file; one that is gone is no error.
pub(super) fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StateError::Io { path: path.to_owned(), what: "removed", source: error })
        }
        _ => Ok(()),
    }
}

/// Writes a file so that after a crash it is the old one or the new one, and private.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let write = || {
        let mut fresh = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        fresh.write_all(content)?;
        fresh.as_file().sync_all()?;
        fresh.persist(path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| StateError::Io { path: path.to_owned(), what: "written", source })
}
