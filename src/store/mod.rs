//! Adapters that hold users, with the ledger beside them.

pub mod bisect;
pub mod claims;
pub mod closed;
pub mod mysql;
pub mod postgres;
mod referring;
mod refused;
pub mod sqlite;
mod unique;

use std::{path::Path, sync::Arc};

use self::{
    closed::Closed,
    mysql::Mysql,
    postgres::Postgres,
    sqlite::{Sqlite, Wanted},
};
use crate::{
    api::Mode,
    model::job::{Database, SyncJob, Target},
    ports::{StoreError, UserStore},
};

/// Which table, and where its ledger is.
#[derive(Clone, Debug)]
pub struct TableName {
    /// `users` or `schema.users`, exactly as written.
    pub table: String,
    /// The schema that holds the ledger; None: that of the table.
    pub ledger_schema: Option<String>,
}

impl TableName {
    /// The table of a target.
    pub fn of(target: &Target) -> Self {
        Self { table: target.table.clone(), ledger_schema: target.ledger_schema.clone() }
    }
}

/// The store of a sync, connected. One that can't be opened fails whatever is asked of it, with the reason. `embedded` is
/// the file of the embedded database, which an import makes and a simulation doesn't.
pub async fn open(job: &SyncJob, embedded: &Path, mode: Mode) -> Arc<dyn UserStore> {
    connect(job, embedded, mode).await.unwrap_or_else(|error| Arc::new(Closed(error)))
}

async fn connect(job: &SyncJob, embedded: &Path, mode: Mode) -> Result<Arc<dyn UserStore>, StoreError> {
    let lock = job.target.timeouts.lock;
    Ok(match &job.target.database {
        Database::Postgres(_) => Arc::new(Postgres::connect(&job.target).await?),
        Database::Mysql(_) => Arc::new(Mysql::connect(&job.target).await?),
        Database::Sqlite { url, beneath } => {
            Arc::new(Sqlite::file(url, Wanted::of(job), lock)?.beneath(beneath.clone()))
        }
        Database::Embedded => Arc::new(Sqlite::embedded(embedded, Wanted::of(job), lock, mode == Mode::Import)),
    })
}
