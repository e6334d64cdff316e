//! Adapters that hold users, with the ledger beside them.

pub mod bisect;
pub mod claims;
pub mod closed;
pub mod postgres;
pub mod sqlite;

use std::{path::Path, sync::Arc};

use crate::{
    api::Mode,
    model::job::{Database, SyncJob},
    ports::{StoreError, UserStore},
};

/// The store of a job's target. `embedded`: the embedded database's file, which a simulation does not make. Fails with
/// [`StoreError::Unreachable`], [`StoreError::Denied`] or [`StoreError::Invalid`].
pub async fn open(job: &SyncJob, embedded: &Path, mode: Mode) -> Result<Arc<dyn UserStore>, StoreError> {
    let target = &job.target;
    let (wanted, lock) = (sqlite::Wanted::of(job), target.timeouts.lock);
    match &target.database {
        Database::Postgres(_) => Ok(Arc::new(postgres::Postgres::connect(target).await?)),
        Database::Sqlite(url) => Ok(Arc::new(sqlite::Sqlite::file(url, wanted, lock)?)),
        Database::Embedded => Ok(Arc::new(sqlite::Sqlite::embedded(embedded, wanted, lock, mode == Mode::Import))),
    }
}
