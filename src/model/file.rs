//! Files on a source.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a listing says of one name in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name within the folder, without a path.
    pub name: String,
    /// What it is.
    pub kind: ListedKind,
    /// Size in bytes.
    pub size: u64,
    /// Modification time by the server's clock, as precise as the server says it.
    pub mtime: Timestamp,
}

/// What a name in a folder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedKind {
    /// A regular file: the only kind that is ever fetched. (A link to a regular file within the folder counts as one on
    /// an SFTP server; in a directory links are not followed.)
    File,
    /// A folder.
    Folder,
    /// Anything else: link, device, socket.
    Other,
}

/// One state of one file: the same name with another size or time is another file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The name within the folder.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// Modification time by the server's clock.
    pub mtime: Timestamp,
}

impl From<&Listed> for Stamp {
    fn from(listed: &Listed) -> Self {
        Self { name: listed.name.clone(), size: listed.size, mtime: listed.mtime }
    }
}

/// A file that was fetched: its content is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// As it was listed before and after the fetch.
    pub stamp: Stamp,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}
