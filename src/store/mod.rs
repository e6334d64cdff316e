//! Adapters that hold users, with the ledger beside them.

pub mod bisect;
pub mod claims;
pub mod closed;
pub mod postgres;
pub mod sqlite;

use std::sync::Arc;

use crate::{
    model::job::{Database, Target},
    ports::{StoreError, UserStore},
};

/// The store of a target, connected. Fails with [`StoreError::Unreachable`], [`StoreError::Denied`] or
/// [`StoreError::Invalid`].
pub async fn open(target: &Target) -> Result<Arc<dyn UserStore>, StoreError> {
    match &target.database {
        Database::Postgres(_) => Ok(Arc::new(postgres::Postgres::connect(target).await?)),
        Database::Embedded | Database::Sqlite(_) => {
            Err(StoreError::Invalid("SQLite is not built into this version: give a postgres:// URL".to_owned()))
        }
    }
}
