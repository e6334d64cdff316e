//! One run's input, validated: a job that exists can't be wrong in itself.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{approving::Approving, file::Stamp, notice::NoticeJob, secret::Secret, sync::Tried};
use crate::api::{Action, Algorithms, ConflictMode, EmptyCell, FtpTls, Mode, PropertyPolicy, PropertyType, Select};

/// Which sync, of which installation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SyncId {
    /// `--instance`: tells two installations that write to one database apart.
    pub instance: String,
    /// The resource's namespace.
    pub namespace: String,
    /// The resource's name.
    pub name: String,
}

impl fmt::Display for SyncId {
    /// `NAMESPACE/NAME`, or the name alone in namespace `default`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != "default" {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// One sync as a run needs it: from a valid `UserSync` and its Secrets.
#[derive(Clone, Debug)]
pub struct SyncJob {
    /// Who.
    pub sync: SyncId,
    /// Where files come from.
    pub source: SourceJob,
    /// Which file is taken, and what becomes of it.
    pub take: Take,
    /// How the file is read.
    pub csv: CsvOptions,
    /// What becomes of a row.
    pub mapping: Mapping,
    /// What happens to existing users.
    pub conflict: ConflictMode,
    /// What the rows mean.
    pub action: Action,
    /// How users are removed.
    pub removal: Removal,
    /// What holds a run.
    pub safeguards: Safeguards,
    /// Where users are.
    pub target: Target,
    /// Who is told.
    pub notice: NoticeJob,
    /// Digest of everything above that decides what a file does to the table, in hexadecimal.
    pub spec_digest: String,
    /// What the manifest weakens, in plain words: shown in status and report.
    pub warnings: Vec<String>,
}

/// One run of a sync.
#[derive(Clone, Debug)]
pub struct Job {
    /// The sync.
    pub sync: SyncJob,
    /// The run's name, unique for ever: what makes a retry the same run.
    pub run: String,
    /// Import or simulation.
    pub mode: Mode,
    /// What a person approved.
    pub approval: Option<Approval>,
    /// With `select: All`, the file of the run before: only later ones are looked at.
    pub after: Option<Stamp>,
    /// Of a run that the schedule started: the files that it passes over, besides those imported with the same spec. None:
    /// somebody asked for this run, and it takes the next file or else the last one again.
    pub tried: Option<Vec<Tried>>,
    /// A file that was seen twice already, `stableFor` apart: if it still is the same, it needs no second look.
    pub settled: Option<Stamp>,
    /// Whether somebody asked for it who waits for an answer, also when there is no file.
    pub requested: bool,
    /// When the next run starts, if that is known.
    pub next: Option<Timestamp>,
    /// What a person types to approve it if it is held.
    pub approving: Approving,
}

impl Job {
    /// A run of which nothing more is known.
    pub fn new(sync: SyncJob, run: String, mode: Mode) -> Self {
        let (approval, after, tried, settled, requested, next, approving) = Default::default();
        Self { sync, run, mode, approval, after, tried, settled, requested, next, approving }
    }
}

/// A person's word that one file may be imported although a safeguard was breached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The file's SHA-256, in hexadecimal.
    pub sha256: String,
    /// The held run as the person saw it. None: there is none, and the approval covers whatever this run finds.
    pub held: Option<Seen>,
}

/// A held run as a person saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it showed: more than that holds again.
    pub shown: Shown,
    /// The committed run that was the last one then; none if there was none. An approval is void once there is another:
    /// names are compared, since the database's clock is not ours.
    pub last: Option<String>,
    /// Its file, as it was listed then: that one is taken, whatever lies before it. None: it is not known.
    pub file: Option<Stamp>,
}

/// What a held run showed to the person who approved it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Removals, mapped deactivations included.
    pub removals: u64,
    /// Users who lose a value.
    pub emptied: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Users changed.
    pub updated: u64,
}

/// Where files come from.
#[derive(Clone, Debug)]
pub enum SourceJob {
    /// A folder of this machine.
    Directory {
        /// Its absolute path.
        path: PathBuf,
        /// The folder below which it must lie, wherever links lead; None: anywhere.
        beneath: Option<PathBuf>,
    },
    /// A folder on an SFTP server.
    Sftp(Box<SftpJob>),
    /// A folder on an FTP server.
    Ftp(Box<FtpJob>),
}

/// Where the folders and SQLite files that a sync names may lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// Anywhere. Relative paths are relative to this folder: that of the manifest.
    Anywhere(PathBuf),
    /// Below `DIR/NAMESPACE` of this absolute DIR alone, and relative paths are relative to that.
    Below(PathBuf),
    /// Nowhere: nobody has said which folders may be used.
    Nowhere,
}

/// An SFTP server and how to get in.
#[derive(Clone, Debug)]
pub struct SftpJob {
    /// Host name or address.
    pub host: String,
    /// 22, unless said otherwise.
    pub port: u16,
    /// The folder on the server.
    pub path: String,
    /// Who logs in.
    pub username: String,
    /// For password and keyboard-interactive.
    pub password: Option<Secret>,
    /// OpenSSH or PEM.
    pub private_key: Option<Secret>,
    /// Opens the private key.
    pub passphrase: Option<Secret>,
    /// The server must show one of these: `ssh-ed25519 AAAA…`, or a `known_hosts` line.
    pub host_keys: Vec<String>,
    /// Which algorithms are offered.
    pub algorithms: Algorithms,
    /// How long to wait.
    pub timeouts: SourceTimeouts,
}

/// An FTP server and how to get in.
#[derive(Clone, Debug)]
pub struct FtpJob {
    /// Host name or address.
    pub host: String,
    /// 21, or 990 with implicit TLS, unless said otherwise.
    pub port: u16,
    /// The folder on the server.
    pub path: String,
    /// How the connection is protected.
    pub tls: FtpTls,
    /// Who logs in; None: anybody, as the manifest says.
    pub login: Option<FtpLogin>,
    /// PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<String>,
    /// The name that the server's certificate must have.
    pub server_name: String,
    /// How long to wait.
    pub timeouts: SourceTimeouts,
}

/// Who logs in to an FTP server.
#[derive(Clone, Debug)]
pub struct FtpLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceTimeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the login is answered.
    pub login: Duration,
    /// From the request for a file to its first byte.
    pub first_byte: Duration,
    /// Without a byte during a transfer, or an answer to a request.
    pub stall: Duration,
}

/// Which file is taken, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Take {
    /// A glob over names.
    pub files: String,
    /// Which of several.
    pub select: Select,
    /// Bytes; a larger file is refused before it is fetched.
    pub max_size: u64,
    /// Size and time unchanged this long.
    pub stable_for: Duration,
    /// A marker file's name with `{name}` in it.
    pub wait_for: Option<String>,
    /// How far a compressed file may unfold.
    pub unpack: Unpack,
    /// After the commit.
    pub after_import: After,
    /// After a run that failed because of the file.
    pub after_failure: After,
}

/// How far a compressed file may unfold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpack {
    /// Bytes once unpacked, at most.
    pub max_size: u64,
    /// Times the compressed size, at most.
    pub max_ratio: u32,
}

/// What becomes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// It stays.
    Keep,
    /// It is moved into this folder, relative to the source's.
    MoveTo(String),
    /// It is deleted.
    Delete,
}

/// How the file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// None: found by looking at the file.
    pub delimiter: Option<u8>,
    /// A WHATWG encoding label; any BOM in the file wins over it.
    pub encoding: String,
    /// Blanks around a cell mean nothing.
    pub trim: bool,
}

/// What becomes of a row.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The match key; its `property` is the column of the table.
    pub user_id: Property,
    /// The other properties.
    pub properties: Vec<Property>,
    /// CEL over the raw row; false leaves the row out.
    pub filter: Option<String>,
    /// Where a date with a time has no offset.
    pub time_zone: TimeZone,
}

/// One property of a user: a column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The column of the table.
    pub property: String,
    /// Where its text comes from.
    pub from: From,
    /// An empty cell is a reject.
    pub required: bool,
    /// Fills an empty cell.
    pub default: Option<String>,
    /// What the text must be; None: as the column's own SQL type says.
    pub kind: Option<PropertyType>,
    /// strftime, for Date and DateTime.
    pub format: Option<String>,
    /// When it is written.
    pub policy: PropertyPolicy,
    /// What an empty cell means; None: as the conflict mode says.
    pub empty: Option<EmptyCell>,
    /// Its values are never shown.
    pub sensitive: bool,
}

/// Where a property's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A column of the file: the first of these names that the header has.
    Column(Vec<String>),
    /// A CEL expression over the row.
    Expression(String),
}

/// How users are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The row goes.
    Delete,
    /// The row stays and is marked.
    Deactivate {
        /// What marks it.
        set: BTreeMap<String, String>,
        /// What unmarks it; empty when the columns of `set` are mapped.
        restore: BTreeMap<String, String>,
        /// Mirror: deleted when absent for this long.
        grace: Option<Duration>,
    },
}

/// What holds a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Safeguards {
    /// Of the active users in scope.
    pub max_removals: Limit,
    /// Users who lose a value that they have, of the active users in scope.
    pub max_emptied: Limit,
    /// Of rows read less filtered.
    pub max_rejected: Limit,
    /// Of the active users in scope; None: no limit.
    pub max_updated: Option<Limit>,
    /// Rows that must pass.
    pub min_rows: u64,
}

/// A count, or a percentage rounded down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// That many.
    Count(u64),
    /// 0 to 100; 100 switches the guard off.
    Percent(f64),
}

/// Where users are.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which database.
    pub database: Database,
    /// `users` or `schema.users`.
    pub table: String,
    /// The schema that holds the ledger; None: that of the table.
    pub ledger_schema: Option<String>,
    /// Constant columns: set on insert; rows outside are never touched.
    pub scope: BTreeMap<String, String>,
    /// Never written.
    pub protected: Vec<String>,
    /// Certificates to trust besides the system's, in PEM form.
    pub ca_bundle: Option<String>,
    /// How long to wait.
    pub timeouts: TargetTimeouts,
}

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// `users.db` in the data folder; its table is made from the mapping.
    Embedded,
    /// `sqlite:`; a relative path is absolute already.
    Sqlite {
        /// The URL.
        url: Secret,
        /// The folder below which the file must lie, wherever links lead; None: anywhere.
        beneath: Option<PathBuf>,
    },
    /// `postgres://`
    Postgres(Secret),
    /// `mysql://`, `mariadb://`
    Mysql(Secret),
}

/// How long to wait for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetTimeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// For one statement.
    pub statement: Duration,
    /// For a lock.
    pub lock: Duration,
}
