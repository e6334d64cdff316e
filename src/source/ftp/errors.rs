//! What goes wrong with a server, in plain words: what, where, why, what to do.

use std::{io, time::Duration};

use super::reply::Reply;
use crate::{
    model::{file::Stamp, job::FtpJob},
    ports::SourceError,
    source::{
        patience::Patience,
        words::{self, harmless},
    },
};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The login is of no use any more; why.
    Broken(String),
    /// The server's own answer.
    Refused(Reply),
    /// The server is set up in a way that does not do; why. The login is as good as before.
    Unfit(String),
    /// A whole message already. The login is as good as before.
    Source(SourceError),
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl Fault {
    /// The connection broke off.
    pub fn broken() -> Self {
        Self::Broken(words::BROKEN.to_owned())
    }

    /// No answer in time.
    pub fn stalled(waited: Duration) -> Self {
        Self::Broken(words::stalled(waited))
    }

    /// Nothing came for as long as it was waited for.
    pub fn late(patience: &Patience) -> Self {
        Self::Broken(patience.over())
    }

    /// An encrypted listing without an end in good form, and another one that differs.
    pub fn unlike() -> Self {
        Self::Broken(
            "the connection of the listing ended without TLS's word of farewell, and a second listing had other names. It is \
             tried again; if it stays so, ask whoever runs the server"
                .to_owned(),
        )
    }

    /// What came is no FTP.
    pub fn malformed() -> Self {
        Self::Broken("the server's answer is not FTP. Check source.ftp.host and port".to_owned())
    }

    /// An answer without an end.
    pub fn endless() -> Self {
        Self::Broken(
            "the server's answer is longer than 256 KiB and was not read on. Ask whoever runs the server to shorten its \
             welcome text, if that is it"
                .to_owned(),
        )
    }

    /// A data connection between server and here does not come about.
    pub fn no_data_connection(port: u16, why: &str) -> Self {
        Self::Broken(format!(
            "the data connection to port {port} of the server did not come about ({why}). Have the server's range of passive \
             ports let through by every firewall between here and there"
        ))
    }

    /// The transfer's end came before the file's.
    pub fn cut(done: u64, size: u64) -> Self {
        Self::Broken(format!("the transfer broke off after {done} of {size} bytes. It goes on from there by itself"))
    }
}

/// What was tried, for the errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// To list the folder, or enter it.
    List,
    /// To read or look at a file.
    Read,
    /// To move, delete or make something.
    Change,
}

/// Where on which server, for paths and errors.
#[derive(Clone, Debug)]
pub struct Place {
    /// `ftps://host/folder`
    location: String,
    /// The folder as the manifest has it; None: the one in which a login starts.
    folder: Option<String>,
}

impl Place {
    /// The place of a job.
    pub fn new(job: &FtpJob) -> Self {
        use crate::api::FtpTls;
        let (scheme, usual) = match job.tls {
            FtpTls::Implicit => ("ftps", 990),
            // Both begin in the clear.
            FtpTls::Explicit | FtpTls::None => ("ftp", 21),
        };
        let (shown, folder) = words::folder(&job.path);
        let host = words::host(&job.host, job.port, usual);
        Self { location: format!("{scheme}://{host}{shown}"), folder }
    }

    /// `ftp://host/folder`
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The folder to enter after the login.
    pub fn folder(&self) -> Option<&str> {
        self.folder.as_deref()
    }

    /// What is shown of a file or folder below this one; the empty name is the folder itself.
    fn shown(&self, name: &str) -> String {
        words::shown(&self.location, name)
    }

    /// What a fault means; `name` is empty for the folder itself.
    pub fn error(&self, name: &str, tried: Tried, fault: Fault) -> SourceError {
        match fault {
            Fault::Broken(why) => SourceError::Unreachable(format!("{}: {why}.", self.shown(name))),
            Fault::Unfit(why) => SourceError::Denied(format!("{}: {why}.", self.location)),
            Fault::Source(error) => error,
            Fault::Refused(reply) => self.refused(name, tried, &reply),
        }
    }

    /// What a server's refusal means.
    fn refused(&self, name: &str, tried: Tried, reply: &Reply) -> SourceError {
        let shown = self.shown(name);
        let said = said(reply);
        match reply.code {
            // Pure-FTPd says 451 of a rename that the folder's rights forbid.
            450 | 451 if reply.speaks_of(&["permission denied", "not permitted", "read-only file system"]) => {
                self.forbidden(name, tried, reply)
            }
            code if code == 552 || code == 452 || reply.speaks_of(&["no space", "quota", "disk full"]) => {
                SourceError::Unreachable(format!(
                    "{shown}: the server has no room left, or the account's quota is used up{said}. Make room there; it is tried \
                 again."
                ))
            }
            425 | 522 if reply.speaks_of(&["reuse", "session", "ssl", "tls"]) => SourceError::Unreachable(format!(
                "{shown}: the server refused the encrypted data connection{said}. It is tried again with a new login; if it stays \
                 so, ask whoever runs the server whether it demands what only its own clients can do."
            )),
            425 => SourceError::Unreachable(format!(
                "{shown}: the server could not open the data connection{said}. It is tried again; if it stays so, have the \
                 server's range of passive ports let through by every firewall between here and there."
            )),
            426 => SourceError::Unreachable(format!(
                "{shown}: the server broke the transfer off{said}. It is tried again and goes on from there by itself."
            )),
            450 => SourceError::Unreachable(format!(
                "{shown}: the file or folder is in use on the server{said}. It is tried again; if it stays so, ask whoever runs the \
                 server."
            )),
            400..=499 => SourceError::Unreachable(format!(
                "{shown}: the server could not do it just now{said}. It is tried again; if it stays so, ask whoever runs the \
                 server."
            )),
            530 | 532 => SourceError::Denied(format!(
                "{shown}: the server does not allow this to the account{said}. Have it allowed there."
            )),
            521 | 533..=537 => SourceError::Denied(format!(
                "{shown}: the server demands another protection of the connection{said}. Write tls: Explicit or tls: Implicit, as \
                 the server has it."
            )),
            // Not about a folder or a file at all.
            550..=553 if reply.step() == Some("TYPE") => self.strange(name, reply),
            550 | 551 | 553 if permission(reply) || reply.code == 553 => self.forbidden(name, tried, reply),
            550 | 551 if name.is_empty() && tried == Tried::List => self.no_folder(reply),
            550 | 551 if tried == Tried::Read => self.missing(name),
            550 | 551 => self.forbidden(name, tried, reply),
            _ => self.strange(name, reply),
        }
    }

    /// A code that says nothing here.
    fn strange(&self, name: &str, reply: &Reply) -> SourceError {
        SourceError::Unreachable(format!(
            "{}: the server refused with code {}{}. Ask whoever runs the server why.",
            self.shown(name),
            reply.code,
            said(reply)
        ))
    }

    /// The account lacks a right.
    pub fn forbidden(&self, name: &str, tried: Tried, reply: &Reply) -> SourceError {
        let right = match tried {
            Tried::List => "enter and read the folder (permissions r and x)",
            Tried::Read => "read the file (permission r, and x on the folder)",
            Tried::Change => "change the folder (permission w), and to rename, delete and make folders",
        };
        SourceError::Denied(format!(
            "{}: the server denied permission{}. On the server, allow the account to {right}.",
            self.shown(name),
            said(reply)
        ))
    }

    /// There is no such folder.
    fn no_folder(&self, reply: &Reply) -> SourceError {
        SourceError::FolderMissing(format!(
            "{}: there is no such folder on the server, or the account may not enter it{}. Make it there, allow it, or correct \
             source.path.",
            self.location,
            said(reply)
        ))
    }

    /// Where a folder should be is a file.
    pub fn no_folder_but_file(&self, name: &str) -> SourceError {
        SourceError::Denied(format!(
            "{}: there is a file of this name, so there can be no folder to move files into. Move it away on the server, or name \
             another folder in afterImport.moveTo.",
            self.shown(name)
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
    pub fn same(&self, file: &Stamp, found: &Stamp) -> Result<(), SourceError> {
        words::same(&self.shown(&file.name), file, found.size, found.mtime)
    }
}

/// Whether a refusal speaks of a right that is missing. The code alone, 550, says nothing: servers use it for everything.
pub fn permission(reply: &Reply) -> bool {
    reply.speaks_of(&[
        "permission",
        "denied",
        "not permitted",
        "not allowed",
        "access",
        "read-only",
        "read only",
        "prohibited",
    ])
}

/// A server's code and own words in quotes, made harmless and short, and what they answer.
pub fn said(reply: &Reply) -> String {
    let to = reply.step().map(|step| format!(" to {step}")).unwrap_or_default();
    format!(" (\"{} {}\"{to})", reply.code, harmless(&reply.text()))
}
