//! What goes wrong with a server, in plain words: what, where, why, what to do.

use std::io;

use jiff::Timestamp;

use super::{
    fault::Fault,
    wire::{Attributes, status},
};
use crate::{
    model::{file::Stamp, job::SftpJob},
    ports::SourceError,
    source::words::{self, harmless},
};

/// What was tried, for the errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// To list the folder, or look at it.
    List,
    /// To read or look at a file.
    Read,
    /// To move, delete or make something.
    Change,
}

/// Where on which server, for paths and errors.
#[derive(Clone, Debug)]
pub struct Place {
    /// `sftp://host/folder`
    location: String,
    /// The folder on the server, without a slash at its end; empty for the login's own folder.
    folder: String,
}

impl Place {
    /// The place of a job.
    pub fn new(job: &SftpJob) -> Self {
        let (shown, folder) = words::folder(&job.path);
        let host = words::host(&job.host, job.port, 22);
        Self { location: format!("sftp://{host}{shown}"), folder: folder.unwrap_or_default() }
    }

    /// `sftp://host/folder`
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The folder's path on the server.
    pub fn folder(&self) -> &str {
        if self.folder.is_empty() { "." } else { &self.folder }
    }

    /// A file's path on the server.
    pub fn path(&self, name: &str) -> String {
        match self.folder.as_str() {
            "" => format!("./{name}"),
            "/" => format!("/{name}"),
            folder => format!("{folder}/{name}"),
        }
    }

    /// What is shown of a file or folder below this one; the empty name is the folder itself.
    fn shown(&self, name: &str) -> String {
        words::shown(&self.location, name)
    }

    /// What a fault means; `name` is empty for the folder itself.
    pub fn error(&self, name: &str, tried: Tried, fault: Fault) -> SourceError {
        let shown = self.shown(name);
        match fault {
            Fault::Broken(why) => SourceError::Unreachable(format!("{shown}: {why}.")),
            Fault::Refused { code: status::NO_SUCH_FILE, .. } if name.is_empty() => self.no_folder(),
            Fault::Refused { code: status::NO_SUCH_FILE, .. } => self.missing(name),
            Fault::Refused { code: status::FILE_ALREADY_EXISTS, .. } => self.exists(name),
            Fault::Refused { code: status::NO_SPACE | status::QUOTA_EXCEEDED, .. } => self.full(name),
            Fault::Refused { code: status::FAILURE, message } if speaks_of_room(&message) => self.full(name),
            Fault::Refused { code: status::PERMISSION_DENIED | status::WRITE_PROTECT, .. } => {
                let right = match tried {
                    Tried::List => "read the folder (permissions r and x)",
                    Tried::Read => "read the file (permission r, and x on the folder)",
                    Tried::Change => "change the folder (permission w; on OpenSSH the account must not be read-only)",
                };
                SourceError::Denied(format!(
                    "{shown}: the server denied permission. On the server, allow the account to {right}."
                ))
            }
            Fault::Refused { code, message } => SourceError::Unreachable(format!(
                "{shown}: the server refused with code {code}{}. Ask whoever runs the server why.",
                said(&message)
            )),
        }
    }

    /// There is no such folder.
    pub fn no_folder(&self) -> SourceError {
        self.no_folder_from(None)
    }

    /// There is no such folder; said with the folder in which the login starts, because paths may count from there.
    pub fn no_folder_from(&self, home: Option<&str>) -> SourceError {
        let home = home.map(harmless).filter(|home| !home.is_empty());
        let home = home.map(|home| format!(" The server shows this login its own view, which starts in \"{home}\"."));
        SourceError::FolderMissing(format!(
            "{}: there is no such folder on the server. Make it there, or correct source.path.{}",
            self.location,
            home.unwrap_or_default()
        ))
    }

    /// The folder for a file that is to be moved vanished, or is none.
    pub fn no_folder_for(&self, name: &str) -> SourceError {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        SourceError::Unreachable(format!(
            "{}: the file can't be moved into this folder: the server says that it is not there, or no folder. Make it on the \
             server, or name another one in moveTo.",
            self.shown(folder)
        ))
    }

    /// There is a file where a folder is to be.
    pub fn file_in_the_way(&self, folder: &str) -> SourceError {
        SourceError::Denied(format!(
            "{}: there is a file, or a link that leads nowhere, where the folder for moved files is to be. Rename it on the \
             server, or name another folder in moveTo.",
            self.shown(folder)
        ))
    }

    /// No room at the server.
    pub fn full(&self, name: &str) -> SourceError {
        SourceError::Unreachable(format!(
            "{}: the server's disk or quota is full. Make room there; it is tried again.",
            self.shown(name)
        ))
    }

    /// A link or the like that the server can't rename.
    pub fn cannot_copy(&self, name: &str) -> SourceError {
        SourceError::Denied(format!(
            "{}: the server can't rename it to that folder, and it is no regular file that could be copied. Name a folder on the \
             same file system in moveTo.",
            self.shown(name)
        ))
    }

    /// The copy for another file system is not the file.
    pub fn bad_copy(&self, name: &str, why: &str) -> SourceError {
        SourceError::Unreachable(format!(
            "{}: the server can't rename the file to that folder, and a copy is not good: {why}. The file stays where it is. Name \
             a folder on the same file system in moveTo, or ask whoever runs the server.",
            self.shown(name)
        ))
    }

    /// The server moved it by copying, and did not delete it.
    pub fn stays(&self, name: &str) -> SourceError {
        SourceError::Denied(format!(
            "{}: the server copied the file instead of moving it, and could not delete it. On the server, allow the account to \
             change the folder (permission w), or name a folder on the same file system in moveTo.",
            self.shown(name)
        ))
    }

    /// Neither deleted nor back.
    pub fn left_aside(&self, name: &str, aside: &str) -> SourceError {
        SourceError::Unreachable(format!(
            "{}: another file took the name while this one was moved; the one before it is {} now. Look which of them is wanted.",
            self.shown(name),
            self.shown(aside)
        ))
    }

    /// The file is gone.
    pub fn missing(&self, name: &str) -> SourceError {
        words::missing(&self.shown(name))
    }

    /// The name to move to is taken.
    pub fn exists(&self, name: &str) -> SourceError {
        words::exists(&self.shown(name))
    }

    /// The file is not what was listed.
    pub fn changed(&self, name: &str, how: &str) -> SourceError {
        words::changed(&self.shown(name), how)
    }

    /// The copy could not be written.
    pub fn kept(&self, name: &str, error: &io::Error) -> SourceError {
        words::kept(&self.shown(name), error)
    }

    /// Whether a file still is what was listed.
    pub fn same(&self, file: &Stamp, found: &Attributes) -> Result<(), SourceError> {
        words::same(&self.shown(&file.name), file, found.size.unwrap_or_default(), time(found))
    }
}

/// A file's modification time; the epoch where the server doesn't say it.
pub fn time(attributes: &Attributes) -> Timestamp {
    Timestamp::from_second(attributes.mtime.unwrap_or_default().into()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Whether a server's own words are those of a full disk or quota.
fn speaks_of_room(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["no space", "quota", "disk full", "not enough space"].iter().any(|words| message.contains(words))
}

/// A server's own words in quotes, made harmless and short; nothing if it said nothing.
pub fn said(text: &str) -> String {
    match harmless(text) {
        nothing if nothing.is_empty() => nothing,
        words => format!(" (\"{words}\")"),
    }
}

#[cfg(test)]
impl Place {
    /// The place of a test that goes nowhere.
    pub fn anywhere() -> Self {
        Self { location: "sftp://files.example.com/outbox".to_owned(), folder: "/outbox".to_owned() }
    }
}
