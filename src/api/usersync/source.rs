//! `spec.source`: where files come from, which is taken, and what becomes of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    csv::CsvSpec,
    server::{Directory, DropBox, FtpServer, SftpServer},
};
use crate::api::{duration::Duration, reference::Empty, size::Size};

/// The files that are taken when none are named.
pub const DEFAULT_FILES: &str = "userdata_*.csv";

/// Where files come from, which of them is taken, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.sftp), has(self.ftp), has(self.directory), has(self.dropBox)].exists_one(kind, kind)")
        .message("name exactly one source: sftp, ftp, directory or dropBox"),
    validation = Rule::new("!has(self.path) || has(self.sftp) || has(self.ftp)")
        .message("path is the folder on an sftp or ftp server; for a folder of this machine write directory: {path: …}, and remove path with dropBox")
)]
pub struct SourceSpec {
    /// An SFTP server. Exactly one of sftp, ftp, directory and dropBox is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpServer>,
    /// An FTP server, with TLS unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ftp: Option<FtpServer>,
    /// A folder of this machine: a mounted volume or a local folder. Example: `{path: /data/inbox}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// UserSync's own SFTP server, for people who have none: they upload to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_box: Option<DropBox>,
    /// Folder on the server, for sftp and ftp. Default: the folder in which a login starts. Example: `/outbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
    /// Which file names are taken: a glob, matched with the whole name, where `*` stands for any characters, `?` for
    /// one, and `[…]` and `{a,b}` for alternatives. Default: `userdata_*.csv`; with `action: Delete` there is none and the
    /// files must be named. Example: `"staff_*.csv"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^/]+$"))]
    pub files: Option<String>,
    /// Which of several files a run takes: Oldest (default; by modification time, then name), Newest, or All, oldest
    /// first, a run each.
    #[serde(default)]
    pub select: Select,
    /// A larger file is refused before it is fetched. Default: `200Mi`. Example: `2Gi`.
    #[serde(default = "default_max_size")]
    pub max_size: Size,
    /// A file whose size or modification time changed within this time is still being uploaded, and waits. Default: `10s`,
    /// for a directory `2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_for: Option<Duration>,
    /// Name of a marker file that must be there, not older than the file, before the file is taken; `{name}` stands for the
    /// file's name. It moves with the file. Default: none. Example: `"{name}.done"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = r"^[^/]+$"))]
    pub wait_for: Option<String>,
    /// What becomes of a file once its import is committed: `{moveTo: FOLDER}`, `{keep: {}}` or `{delete: {}}`.
    /// Default: `{moveTo: bak}`; the folder is made when it is missing, and nothing in it is overwritten.
    #[serde(default)]
    pub after_import: AfterImport,
    /// What becomes of a file whose import failed because of the file itself: `{keep: {}}` (default) or `{moveTo: FOLDER}`.
    #[serde(default)]
    pub after_failure: AfterFailure,
    /// How the file is to be read. Default: delimiter found by looking, UTF-8, blanks around cells ignored.
    #[serde(default)]
    pub csv: CsvSpec,
    /// How long to wait for the server. Default: `{connect: 15s, login: 15s, firstByte: 60s, stall: 60s}`.
    #[serde(default)]
    pub timeouts: SourceTimeouts,
    /// Limits for compressed files (gzip, named `….gz`), which are unpacked while they are fetched. Default:
    /// `{maxSize: 2Gi, maxRatio: 100}`.
    #[serde(default)]
    pub unpack: Unpack,
}

impl SourceSpec {
    /// How long size and time must stay: as written, else 2 s for a directory and 10 s for a server.
    pub fn stable_for(&self) -> Duration {
        let default = if self.directory.is_some() { Duration::seconds(2) } else { Duration::seconds(10) };
        self.stable_for.unwrap_or(default)
    }
}

fn default_max_size() -> Size {
    Size::mebibytes(200)
}

/// Which of several files a run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// The oldest by modification time, then name.
    #[default]
    Oldest,
    /// The newest by modification time, then name.
    Newest,
    /// All of them, oldest first, a run each.
    All,
}

/// What becomes of a file once its import is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.moveTo), has(self.keep), has(self.delete)].exists_one(kind, kind)")
    .message("say exactly one: moveTo: FOLDER, keep: {} or delete: {}"))]
pub struct AfterImport {
    /// Moves the file into this folder, relative to the source's. The folder is made when it is missing. Example: `bak`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[^/]"))]
    pub move_to: Option<String>,
    /// Leaves the file where it is; it is not imported again until it changes. Written `keep: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Empty>,
    /// Deletes the file. Written `delete: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Empty>,
}

impl Default for AfterImport {
    fn default() -> Self {
        Self { move_to: Some("bak".to_owned()), keep: None, delete: None }
    }
}

/// What becomes of a file whose import failed because of the file itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.moveTo) != has(self.keep)")
    .message("say exactly one: moveTo: FOLDER or keep: {}"))]
pub struct AfterFailure {
    /// Moves the file into this folder, relative to the source's. The folder is made when it is missing. Example: `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[^/]"))]
    pub move_to: Option<String>,
    /// Leaves the file where it is; it is not tried again until it or this resource changes. Written `keep: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Empty>,
}

impl Default for AfterFailure {
    fn default() -> Self {
        Self { move_to: None, keep: Some(Empty {}) }
    }
}

/// How long to wait for a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceTimeouts {
    /// Until the connection stands. Default: `15s`.
    pub connect: Duration,
    /// Until the login is answered. Default: `15s`.
    pub login: Duration,
    /// From the request for a file to its first byte: a server may fetch it from a slow archive. Default: `60s`.
    pub first_byte: Duration,
    /// Without a byte during a transfer, or without an answer to a request. Default: `60s`.
    pub stall: Duration,
}

impl Default for SourceTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::seconds(15),
            login: Duration::seconds(15),
            first_byte: Duration::seconds(60),
            stall: Duration::seconds(60),
        }
    }
}

/// Limits for compressed files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Unpack {
    /// The most that a file may hold once unpacked. Default: `2Gi`.
    pub max_size: Size,
    /// How many times larger than the compressed file it may become. Default: 100.
    #[schemars(range(min = 1, max = 10000))]
    pub max_ratio: u32,
}

impl Default for Unpack {
    fn default() -> Self {
        Self { max_size: Size::mebibytes(2048), max_ratio: 100 }
    }
}
