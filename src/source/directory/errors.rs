//! The system's error numbers in plain words.

use std::{io, path::Path};

use rustix::io::Errno;

use super::Directory;
use crate::{
    ports::{Source, SourceError},
    source::words,
};

/// What was worked on when an error came up.
pub struct At<'a> {
    directory: &'a Directory,
    /// None: the folder itself.
    name: Option<&'a str>,
}

impl<'a> At<'a> {
    /// The folder itself.
    pub fn folder(directory: &'a Directory) -> Self {
        Self { directory, name: None }
    }

    /// A file or folder in it.
    pub fn file(directory: &'a Directory, name: &'a str) -> Self {
        Self { directory, name: Some(name) }
    }

    fn path(&self) -> String {
        match self.name {
            Some(name) => self.directory.path.join(name).display().to_string(),
            None => self.directory.location(),
        }
    }

    /// What an error number means here.
    pub fn error(&self, errno: Errno) -> SourceError {
        let path = self.path();
        let text = plain(errno);
        match (errno, self.name) {
            (Errno::XDEV, None) => SourceError::Denied(format!(
                "{path}: a link on the way leads out of {}, the only folder that this namespace may use, or that folder is a \
                 link itself. Use real folders.",
                self.directory.beneath.as_deref().unwrap_or(Path::new("/")).display()
            )),
            (Errno::NOENT | Errno::NOTDIR, None) => SourceError::FolderMissing(format!(
                "{path}: there is no such folder. Make it, or correct source.directory.path."
            )),
            (Errno::NOENT, Some(_)) => words::missing(&path.to_string()),
            (Errno::LOOP | Errno::NOTDIR, Some(_)) => SourceError::Denied(format!(
                "{path}: a part of this path is a link or no folder, and links are not followed. Use a real folder in its \
                 place."
            )),
            (Errno::ACCESS | Errno::PERM | Errno::ROFS, _) => SourceError::Denied(format!(
                "{path}: {text}. Allow the user under whom UserSync runs to read and write this folder and its files."
            )),
            _ => SourceError::Unreachable(format!("{path}: {text}. Check the disk or volume that holds it.")),
        }
    }

    /// The same for an error of the standard library.
    pub fn io(&self, error: &io::Error) -> SourceError {
        match Errno::from_io_error(error) {
            Some(errno) => self.error(errno),
            None => {
                SourceError::Unreachable(format!("{}: {error}. Check the disk or volume that holds it.", self.path()))
            }
        }
    }

    /// The copy could not be written.
    pub fn kept(&self, error: &io::Error) -> SourceError {
        words::kept(&self.path().to_string(), error)
    }

    /// There is something of that name, but no regular file.
    pub fn no_file(&self) -> SourceError {
        SourceError::Changed(format!(
            "{}: it is no regular file any more, but a link, folder or device; such are not read.",
            self.path()
        ))
    }

    /// The file is not what was listed.
    pub fn changed(&self, how: &str) -> SourceError {
        words::changed(&self.path().to_string(), how)
    }

    /// The name to move to is taken.
    pub fn exists(&self) -> SourceError {
        words::exists(&self.path().to_string())
    }
}

/// An error number as a sentence's part.
fn plain(errno: Errno) -> String {
    match errno {
        Errno::ACCESS | Errno::PERM => "permission denied".to_owned(),
        Errno::ROFS => "the file system is read-only".to_owned(),
        Errno::NOSPC | Errno::DQUOT => "the disk or the quota is full".to_owned(),
        Errno::NAMETOOLONG => "the name is too long".to_owned(),
        errno => io::Error::from(errno).to_string(),
    }
}

/// Runs what blocks on the disk where it holds up nobody.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => {
            Err(SourceError::Local("the work on the folder was broken off by a defect or at shutdown".to_owned()))
        }
    }
}
