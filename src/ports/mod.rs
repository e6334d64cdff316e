//! The traits between the engine and the world. Adapters implement them, [`crate::app`] plugs them in.

mod host;
mod work;

pub use self::{
    host::{Host, HostError},
    work::{Observer, Work},
};

use std::{collections::BTreeMap, path::Path, sync::Arc};

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWrite;

use crate::model::{
    change::{Change, ChangeKind},
    column::Table,
    file::{Listed, Stamp},
    job::SyncId,
    ledger::{Claim, Fence, LedgerRow, OpenStep},
    letter::Letter,
    plan::Layout,
    post::{Heading, Parcel, Posted},
    progress::Progress,
    reason::Reason,
    report::Reports,
    rows::Rows,
    sync::Key,
};

/// What a run touches the world through.
pub struct Ports {
    /// Where files come from.
    pub source: Arc<dyn Source>,
    /// Where users are.
    pub store: Arc<dyn UserStore>,
    /// Where reports are kept.
    pub reports: Arc<dyn ReportStore>,
    /// Who writes mails, and sends them.
    pub notifier: Arc<dyn Notifier>,
    /// Who is told how far the run is.
    pub watch: Arc<dyn Watch>,
}

/// Where files come from: one folder on one server. One login is reused as long as the source lives; a connection
/// that broke is made anew by the next call.
#[async_trait]
pub trait Source: Send + Sync {
    /// Where this is, for people: `sftp://files.example.com/outbox`, `/data/inbox`. No user name, no secret.
    fn location(&self) -> String;

    /// Everything in the folder, in no order. Bounded: a folder of more than 100,000 names is an error.
    async fn list(&self) -> Result<Vec<Listed>, SourceError>;

    /// What the file looks like now; None if there is none (or it is no regular file).
    async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError>;

    /// Copies the file's bytes to `into`, in order, beginning at the offset `from`, and says how large the whole file was:
    /// what lies before `from` counts, for `progress` too. Fails with [`SourceError::Changed`] if the file is not what was
    /// listed, as soon as there are more bytes than `file.size`, or fewer at the end. After any other error the bytes that
    /// came stand: the next call may go on behind them.
    async fn fetch(
        &self,
        file: &Stamp,
        from: u64,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<u64, SourceError>;

    /// Moves a file within the source; both names are relative to the folder (`users.csv`, `bak/users.csv`). The
    /// folder of `to` is made when it is missing. Never overwrites: [`SourceError::Exists`].
    async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError>;

    /// Deletes a file.
    async fn delete(&self, name: &str) -> Result<(), SourceError>;

    /// Gives the login back, because nothing is asked for a while: the next call logs in anew.
    async fn rest(&self) {}
}

/// Why a source failed. Each message is whole: what, where, why, what to do; no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The folder does not exist.
    #[error("{0}")]
    FolderMissing(String),
    /// The login or an access was refused, or the host key is not one of those expected.
    #[error("{0}")]
    Denied(String),
    /// No connection, no answer in time, or it broke off.
    #[error("{0}")]
    Unreachable(String),
    /// The file is not there any more.
    #[error("{0}")]
    Missing(String),
    /// The file is not what was listed: it grows, shrank or was replaced.
    #[error("{0}")]
    Changed(String),
    /// The name to move to is taken.
    #[error("{0}")]
    Exists(String),
    /// This machine failed to keep what was fetched.
    #[error("{0}")]
    Local(String),
}

impl SourceError {
    /// The run's reason, when it ends because of this.
    pub fn reason(&self) -> Reason {
        match self {
            Self::FolderMissing(_) => Reason::FolderMissing,
            Self::Denied(_) => Reason::SourceDenied,
            Self::Unreachable(_) | Self::Missing(_) | Self::Changed(_) | Self::Exists(_) => Reason::SourceUnreachable,
            Self::Local(_) => Reason::LocalFailed,
        }
    }
}

/// Where users are, with the ledger beside them.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Reads the table's description. Writes nothing.
    async fn inspect(&self) -> Result<Table, StoreError>;

    /// Whether the claim could be made: [`StoreError::Shared`] if not. Writes nothing, makes no ledger.
    async fn check(&self, claim: &Claim) -> Result<(), StoreError>;

    /// Makes the ledger if there is none, registers the claim ([`StoreError::Shared`] if another stands against it)
    /// and begins a new attempt: every earlier fence of the sync is void from here on. Forgets committed runs older than
    /// 400 days, but never a sync's newest run of a file name: a file that still lies in the folder stays imported.
    async fn open(&self, claim: &Claim) -> Result<Fence, StoreError>;

    /// The committed run of that name. None also where there is no ledger.
    async fn committed(&self, sync: &SyncId, run: &str) -> Result<Option<LedgerRow>, StoreError>;

    /// For each of these files the newest committed run of it (same name, size and modification time), newest first; a
    /// file that was never imported has none. At most as many rows as `files`, however often they were imported.
    async fn imported(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError>;

    /// The same for files of which no more than the day of their modification is known: the newest committed run of each name,
    /// size and day, whatever the time on that day (in UTC).
    async fn imported_on_day(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError>;

    /// The run committed last: last in the order of the commits, whatever the clock said.
    async fn last(&self, sync: &SyncId) -> Result<Option<LedgerRow>, StoreError>;

    /// The committed runs with steps still open, oldest first.
    async fn unfinished(&self, sync: &SyncId) -> Result<Vec<LedgerRow>, StoreError>;

    /// Notes that a step of a committed run is done.
    async fn close(&self, sync: &SyncId, run: &str, step: OpenStep) -> Result<(), StoreError>;

    /// All users in scope, or of them those with one of the match keys `only` (rows of one cell, 10,000 at most), which are looked
    /// up in the key's index: in batches of about 1 MiB, in no order: the layout's columns, canonical. One consistent snapshot;
    /// locks nothing.
    async fn scan(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        only: Option<&Rows>,
    ) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError>;

    /// How many users are in scope; counted up to `most`, if that is given.
    async fn count(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        most: Option<u64>,
    ) -> Result<u64, StoreError>;

    /// The users that this sync deactivated and nobody set back: match key, and whole seconds since, by the database's
    /// clock. Nothing where there is no ledger.
    async fn deactivated(&self, sync: &SyncId) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError>;

    /// The forms of match keys (rows of one cell, in their order) in which those that the database takes for equal are equal
    /// text. Asked where the key's column compares by [`Case::Ignored`](crate::model::column::Case::Ignored) or
    /// [`Case::Collation`](crate::model::column::Case::Collation).
    async fn key_forms(&self, layout: &Layout, keys: &Rows) -> Result<Rows, StoreError> {
        let _ = layout;
        Ok(keys.clone())
    }

    /// Which of these match keys (rows of one cell) a row outside the scope holds: their places in `keys`. Empty where the
    /// scope's columns are part of the unique key.
    async fn outside(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        keys: &Rows,
    ) -> Result<Vec<usize>, StoreError>;

    /// Begins the one transaction: locks the sync's ledger row and sees that the fence still stands
    /// ([`StoreError::Fenced`], or [`StoreError::Busy`] after `timeouts.lock`).
    async fn begin(
        &self,
        fence: &Fence,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Apply>, StoreError>;
}

/// The one transaction of a run. Dropped without [`Apply::commit`], it leaves nothing behind.
#[async_trait]
pub trait Apply: Send {
    /// Applies changes of one kind, each only if the user's row still is what was compared: else
    /// [`StoreError::Stale`]. Deactivations and restorations are noted beside the ledger. Says which users stay as they were.
    async fn change(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError>;

    /// Adds users: the layout's insert columns in order, and the scope. A match key that is there meanwhile is
    /// [`StoreError::Stale`].
    async fn add(&mut self, users: &Rows) -> Result<Vec<Refused>, StoreError>;

    /// Forgets that the sync deactivated these users (match keys): somebody has set them back since.
    async fn forget(&mut self, keys: &[String]) -> Result<(), StoreError>;

    /// Writes the ledger row and commits, both or neither.
    async fn commit(self: Box<Self>, row: &LedgerRow) -> Result<(), StoreError>;

    /// Undoes everything.
    async fn rollback(self: Box<Self>) -> Result<(), StoreError>;
}

/// A row that the database itself refused: it left no trace, its neighbours are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place in what was handed over.
    pub index: usize,
    /// The database's reason in plain words: constraint, column. No other user's values.
    pub message: String,
    /// Of what kind it is.
    pub why: Why,
}

/// Why a row is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// It breaks a rule of the database.
    Rule,
    /// It takes a unique value from a user who takes another one in the same run, and the database can't exchange them.
    Exchange,
    /// A trigger puts back what was there: nothing of the row would change. The message names the columns.
    PutBack,
}

/// Why a store failed. Each message is whole: what, where, why, what to do; no secret, no connection string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Missing table, column or key; a database that isn't there.
    #[error("{0}")]
    Invalid(String),
    /// Another sync's claim stands against this one.
    #[error("{0}")]
    Shared(String),
    /// The login or a right was refused.
    #[error("{0}")]
    Denied(String),
    /// No connection, or it was lost.
    #[error("{0}")]
    Unreachable(String),
    /// A lock was not to be had in time.
    #[error("{0}")]
    Busy(String),
    /// A user's row is not what was compared any more: compare again.
    #[error("{0}")]
    Stale(String),
    /// A later attempt of the same sync has taken over.
    #[error("{0}")]
    Fenced(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl StoreError {
    /// The run's reason, when it ends because of this.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Invalid(_) => Reason::TargetInvalid,
            Self::Shared(_) => Reason::TargetShared,
            Self::Denied(_) => Reason::TargetDenied,
            Self::Unreachable(_) => Reason::TargetUnreachable,
            Self::Busy(_) | Self::Stale(_) | Self::Fenced(_) => Reason::TargetBusy,
            Self::Failed(_) => Reason::TargetFailed,
        }
    }
}

/// Where reports are kept.
#[async_trait]
pub trait ReportStore: Send + Sync {
    /// Where a run's files of these names will be once they are published.
    fn locate(&self, sync: &SyncId, run: &str, names: &[String]) -> Reports;

    /// Publishes a run's staged files (all files in `staged`) and says where they are. Safe to repeat: what is there
    /// already with the same content stays. Leaves `staged` as it is.
    async fn publish(&self, sync: &SyncId, run: &str, staged: &Path) -> Result<Reports, ReportError>;

    /// Removes a run's report; that there is none is no error. Of what lies in its place, nothing goes but files with names that
    /// reports have. Broken off, the next call goes on.
    async fn remove(&self, sync: &SyncId, run: &str) -> Result<(), ReportError>;

    /// Reports that were last written to before that moment, by the store's own clock, whatever sync they are of: at most [`AGED`].
    async fn older(&self, than: Timestamp) -> Result<Vec<Aged>, ReportError>;

    /// One file of a run's published report; None: there is none of that name. At most [`READ`] bytes: a longer one is an error.
    async fn read(&self, sync: &SyncId, run: &str, name: &str) -> Result<Option<Vec<u8>>, ReportError>;
}

/// A report that is there for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// Whose it is.
    pub sync: Key,
    /// The run.
    pub run: String,
}

/// Reports that are named at once.
pub const AGED: usize = 10_000;

/// Bytes that are read of a report at once: a mail with two attachments of 5 MiB, and room for the rest.
pub const READ: u64 = 24 << 20;

/// Who tells people, as one sync's manifest says: by mail, by a webhook.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// The whole mail for a letter, as it goes over the wire but for its envelope: whoever gets an unseen copy is not in it.
    /// Attachments are files of `staged`. The same letter with the same heading is always the same mail. Fails with the reason
    /// in words.
    fn compose(&self, letter: &Letter, heading: &Heading, staged: &Path) -> Result<Vec<u8>, String>;

    /// Sends each parcel to its recipient alone, whatever becomes of the others, and says for each in their order what became of
    /// it. Messages are whole: what, where, why, what to do; no secret.
    async fn send(&self, parcels: &[Parcel]) -> Vec<Posted>;
}

/// Why a report could not be published, read or removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReportError(pub String);

/// Is told how far a run, or other work for a sync, is.
#[async_trait]
pub trait Watch: Send + Sync {
    /// The run is here now. Called often: must be cheap.
    fn at(&self, progress: Progress);

    /// Whether the run is to end before it writes anything: asked right before the commit.
    fn stopped(&self) -> bool {
        false
    }

    /// Whether no other process has carried the run on meanwhile, else who or why not: asked once, right before the commit.
    async fn ours(&self) -> Result<(), String> {
        Ok(())
    }

    /// The work waits for a place on its server, behind others: until then it needs nothing of this process.
    fn waits(&self) {}

    /// There is a place: the work goes on as soon as this returns, which is when this process has room for it again.
    async fn goes_on(&self) {}
}
