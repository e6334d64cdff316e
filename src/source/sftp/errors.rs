//! What goes wrong with a server, in plain words: what, where, why, what to do.

use std::{io, time::Duration};

use jiff::Timestamp;

use super::{
    fault::Fault,
    moving::Refusal,
    wire::{Attributes, status},
};
use crate::{
    model::{file::Stamp, job::SftpJob},
    ports::SourceError,
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
        let host = if job.host.contains(':') { format!("[{}]", job.host) } else { job.host.clone() };
        let port = if job.port == 22 { String::new() } else { format!(":{}", job.port) };
        let trimmed = job.path.trim_end_matches('/');
        let (shown, folder) = match trimmed {
            "" if job.path.is_empty() => ("/~".to_owned(), String::new()),
            "" => ("/".to_owned(), "/".to_owned()),
            "." => ("/~".to_owned(), String::new()),
            path if path.starts_with('/') => (path.to_owned(), path.to_owned()),
            path => (format!("/~/{path}"), path.to_owned()),
        };
        Self { location: format!("sftp://{host}{port}{shown}"), folder }
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
        match name {
            "" => self.location.clone(),
            name => format!("{}/{name}", self.location.trim_end_matches('/')),
        }
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

    /// A fault as the end of a move: the end of the connection stays what it is.
    pub fn refusal(&self, name: &str, tried: Tried, fault: Fault) -> Refusal {
        match fault {
            Fault::Broken(why) => Fault::Broken(why).into(),
            refused => self.error(name, tried, refused).into(),
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
        SourceError::Missing(format!(
            "{}: the file is not there any more. Somebody moved or deleted it.",
            self.shown(name)
        ))
    }

    /// The name to move to is taken.
    pub fn exists(&self, name: &str) -> SourceError {
        SourceError::Exists(format!(
            "{}: there is a file of this name already; it is not overwritten.",
            self.shown(name)
        ))
    }

    /// The file is not what was listed.
    pub fn changed(&self, name: &str, how: &str) -> SourceError {
        SourceError::Changed(format!(
            "{}: the file changed since it was listed: {how}. It is taken once it stays the same for stableFor.",
            self.shown(name)
        ))
    }

    /// The copy could not be written.
    pub fn kept(&self, name: &str, error: &io::Error) -> SourceError {
        SourceError::Local(format!(
            "{}: its copy could not be written on this machine: {error}. See that the data folder has room and can be written.",
            self.shown(name)
        ))
    }

    /// Whether a file still is what was listed.
    pub fn same(&self, file: &Stamp, found: &Attributes) -> Result<(), SourceError> {
        let (size, mtime) = (found.size.unwrap_or_default(), time(found));
        if (size, mtime) == (file.size, file.mtime) {
            return Ok(());
        }
        let how = format!("it had {} bytes from {}, now {size} bytes from {mtime}", file.size, file.mtime);
        Err(self.changed(&file.name, &how))
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

/// `15 s`
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// A server's own words in quotes, made harmless and short; nothing if it said nothing.
pub fn said(text: &str) -> String {
    match harmless(text) {
        nothing if nothing.is_empty() => nothing,
        words => format!(" (\"{words}\")"),
    }
}

/// What a server says, short and without anything that does something to a terminal.
fn harmless(text: &str) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).take(200).collect()
}
