//! SQLite: users in a file that somebody else made, or in the embedded database that is made from the mapping.

mod apply;
mod cell;
mod connect;
mod errors;
mod ledger;
mod packed;
mod scan;
mod shape;
mod types;
mod wanted;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use sqlx::SqliteConnection;

pub use self::wanted::Wanted;
use self::{
    cell::Stored,
    connect::{Access, File},
    ledger::Runs,
    shape::{Shape, ShapeError, execute, quote},
};
use super::{claims, unique::still_there};
use crate::{
    model::{
        column::{Case, ColumnType, Table},
        file::Stamp,
        job::SyncId,
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::Layout,
        rows::Rows,
        secret::Secret,
    },
    ports::{Apply, StoreError, UserStore},
};

/// Users in an SQLite file. Each call has a connection of its own.
#[derive(Clone, Debug)]
pub struct Sqlite {
    file: File,
    wanted: Wanted,
    /// The table is made and widened here.
    embedded: bool,
    /// Whether anything may be written; not in a simulation.
    writable: bool,
}

impl Sqlite {
    /// The file of a `sqlite:` URL with an absolute path. It and its table must be there; `wanted` only says what to
    /// propose when they are not. `lock` is `target.timeouts.lock`.
    pub fn file(url: &Secret, wanted: Wanted, lock: Duration) -> Result<Self, StoreError> {
        Ok(Self { file: File::from_url(url.expose(), lock)?, wanted, embedded: false, writable: true })
    }

    /// The same, but only as long as the file lies directly in this folder and is no link.
    pub fn beneath(mut self, folder: Option<PathBuf>) -> Self {
        self.file.beneath = folder;
        self
    }

    /// The embedded database at `path`. Its table is made from `wanted`, and widened, by [`UserStore::open`]; with
    /// `writable: false` (a simulation) nothing is made, and a table that is not there looks as it would be.
    pub fn embedded(path: &Path, wanted: Wanted, lock: Duration, writable: bool) -> Self {
        Self { file: File::embedded(path, lock), wanted, embedded: true, writable }
    }

    /// A connection for reading; None where the embedded database is yet to be made.
    async fn reading(&self) -> Result<Option<SqliteConnection>, StoreError> {
        self.file.connect(Access::Read).await
    }

    async fn writing(&self) -> Result<SqliteConnection, StoreError> {
        let path = self.file.path.display();
        if !self.writable {
            return Err(StoreError::Denied(format!(
                "SQLite database {path} is opened for a simulation: nothing is written"
            )));
        }
        let connection = self.file.connect(Access::Write).await?;
        connection.ok_or_else(|| StoreError::Invalid(format!("there is no SQLite database {path}")))
    }

    /// What SQLite calls the table.
    fn name(&self) -> Result<&str, StoreError> {
        shape::local(&self.wanted.table).ok_or_else(|| {
            StoreError::Invalid(format!(
                "target.table {}: an SQLite database has no schema but `main`: write the table's name alone",
                self.wanted.table
            ))
        })
    }

    /// The table's name in the ledger: SQLite ignores case in names.
    fn users(&self) -> String {
        shape::local(&self.wanted.table).unwrap_or(&self.wanted.table).to_ascii_lowercase()
    }

    /// The table as it is; None if there is none of that name.
    async fn found(&self, connection: &mut SqliteConnection) -> Result<Option<Shape>, StoreError> {
        let path = self.file.path.display();
        let table = &self.wanted.table;
        match shape::read(connection, table, self.name()?).await {
            Ok(shape) => Ok(Some(shape)),
            Err(ShapeError::Missing(None)) => Ok(None),
            Err(ShapeError::Missing(Some(other))) => Err(StoreError::Invalid(format!(
                "target.table: SQLite database {path} has no table {table}, but {other}: write it exactly so"
            ))),
            Err(ShapeError::Kind(kind)) => Err(StoreError::Invalid(format!(
                "target.table: {table} in SQLite database {path} is a {kind}: only a table can be written"
            ))),
            Err(ShapeError::Database(error)) => Err(self.file.fatal(&error)),
        }
    }

    /// The table as it is. In a foreign file it must be there.
    async fn shape(&self, connection: &mut SqliteConnection) -> Result<Shape, StoreError> {
        self.found(connection).await?.ok_or_else(|| self.missing())
    }

    fn missing(&self) -> StoreError {
        let statements = self.wanted.statements(self.wanted.table.trim_start_matches("main."), None).join(";\n");
        StoreError::Invalid(format!(
            "SQLite database {} has no table {}. This would make it:\n{statements};",
            self.file.path.display(),
            self.wanted.table
        ))
    }

    /// Makes what the mapping asks for and the embedded database lacks.
    async fn make(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let found = self.found(connection).await?;
        for statement in self.wanted.statements(self.name()?, found.as_ref()) {
            let made = execute(connection, statement.clone(), &[]).await;
            made.map_err(|error| match self.file.fatal(&error) {
                StoreError::Failed(why) => StoreError::Invalid(format!(
                    "the embedded database can't be fitted to the mapping ({why}): {statement}"
                )),
                other => other,
            })?;
        }
        Ok(())
    }

    /// The claim with the table's name and the scope's values as they are compared.
    fn resolved(&self, claim: &Claim, shape: Option<&Shape>) -> Claim {
        let kind = |column: &str| shape.and_then(|s| s.table.column(column)).map(|c| c.kind.clone());
        let scope = claim.scope.iter().map(|(column, value)| {
            let value = match kind(column) {
                Some(kind) => cell::canonical(&kind, value.into()).into_owned(),
                None => value.clone(),
            };
            (column.clone(), value)
        });
        Claim { table: self.users(), scope: scope.collect(), ..claim.clone() }
    }

    /// Whether the claim could stand beside the others.
    async fn stands(&self, connection: &mut SqliteConnection, claim: &Claim) -> Result<(), StoreError> {
        if !ledger::exists(connection).await.map_err(|error| self.file.fatal(&error))? {
            return Ok(());
        }
        let standing = ledger::claims(connection).await.map_err(|error| self.file.fatal(&error))?;
        match claims::conflict(claim, &standing) {
            Some(other) => Err(StoreError::Shared(claims::message(claim, other, "usersync_syncs"))),
            None => Ok(()),
        }
    }

    async fn runs(&self, sync: &SyncId, which: Runs<'_>) -> Result<Vec<LedgerRow>, StoreError> {
        let Some(mut connection) = self.reading().await? else {
            return Ok(Vec::new());
        };
        let found = async {
            match ledger::exists(&mut connection).await? {
                true => ledger::runs(&mut connection, sync, which).await,
                false => Ok(Vec::new()),
            }
        };
        found.await.map_err(|error| self.file.fatal(&error))
    }
}

impl Sqlite {
    /// Where users in scope can be read. None: there can be nobody.
    async fn users_in(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
    ) -> Result<Option<(SqliteConnection, Shape)>, StoreError> {
        let Some(mut connection) = self.reading().await? else { return Ok(None) };
        let shape = match self.found(&mut connection).await? {
            Some(shape) => shape,
            None if self.embedded => return Ok(None),
            None => return Err(self.missing()),
        };
        let absent = std::iter::once(&layout.key().name).chain(scope.keys());
        if self.embedded && absent.into_iter().any(|column| shape.table.column(column).is_none()) {
            // Columns yet to be made are NULL: nobody has that key or is in that scope.
            return Ok(None);
        }
        Ok(Some((connection, shape)))
    }
}

#[async_trait]
impl UserStore for Sqlite {
    async fn inspect(&self) -> Result<Table, StoreError> {
        self.name()?;
        let found = match self.reading().await? {
            Some(mut connection) => self.found(&mut connection).await?,
            None => None,
        };
        match found {
            found if self.embedded => Ok(self.wanted.overlay(found)),
            Some(shape) => Ok(shape.table),
            None => Err(self.missing()),
        }
    }

    async fn check(&self, claim: &Claim) -> Result<(), StoreError> {
        let Some(mut connection) = self.reading().await? else {
            return Ok(());
        };
        let shape = self.found(&mut connection).await?;
        self.stands(&mut connection, &self.resolved(claim, shape.as_ref())).await
    }

    async fn open(&self, claim: &Claim) -> Result<Fence, StoreError> {
        let fatal = |error: sqlx::Error| self.file.fatal(&error);
        let mut connection = self.writing().await?;
        if self.embedded {
            // Readers and the writer don't wait for each other. If another process is at it now, it does the same.
            match sqlx::query("pragma journal_mode = wal").execute(&mut connection).await {
                Err(error) if !errors::is_busy(&error) => return Err(fatal(error)),
                _ => {}
            }
        }
        sqlx::query("begin immediate").execute(&mut connection).await.map_err(fatal)?;
        if self.embedded {
            self.make(&mut connection).await?;
        }
        let shape = self.shape(&mut connection).await?;
        ledger::migrate(&mut connection).await.map_err(fatal)?;
        ledger::forget_old(&mut connection).await.map_err(fatal)?;
        let claim = self.resolved(claim, Some(&shape));
        self.stands(&mut connection, &claim).await?;
        let attempt = ledger::claim(&mut connection, &claim).await.map_err(fatal)?;
        sqlx::query("commit").execute(&mut connection).await.map_err(fatal)?;
        Ok(Fence { sync: claim.sync, attempt })
    }

    async fn committed(&self, sync: &SyncId, run: &str) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.runs(sync, Runs::Named(run)).await?.pop())
    }

    async fn imported(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.runs(sync, Runs::Of(files)).await
    }

    async fn imported_on_day(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.runs(sync, Runs::OfDay(files)).await
    }

    async fn last(&self, sync: &SyncId) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.runs(sync, Runs::Last).await?.pop())
    }

    async fn unfinished(&self, sync: &SyncId) -> Result<Vec<LedgerRow>, StoreError> {
        self.runs(sync, Runs::Unfinished).await
    }

    async fn close(&self, sync: &SyncId, run: &str, step: OpenStep) -> Result<(), StoreError> {
        let fatal = |error: sqlx::Error| self.file.fatal(&error);
        let mut connection = self.writing().await?;
        sqlx::query("begin immediate").execute(&mut connection).await.map_err(fatal)?;
        let mut rows = ledger::runs(&mut connection, sync, Runs::Named(run)).await.map_err(fatal)?;
        if let Some(mut row) = rows.pop() {
            row.open.retain(|open| *open != step);
            ledger::set_open(&mut connection, sync, run, &row.open).await.map_err(fatal)?;
        }
        sqlx::query("commit").execute(&mut connection).await.map_err(fatal)?;
        Ok(())
    }

    async fn scan(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        only: Option<&Rows>,
    ) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        let Some((mut connection, shape)) = self.users_in(layout, scope).await? else {
            return Ok(stream::empty().boxed());
        };
        let columns: Vec<String> = layout.columns.iter().map(|c| shape.select(&c.column.name)).collect();
        let (condition, values) = scan::condition(&shape, layout, scope, only);
        let kinds: Vec<ColumnType> = layout.columns.iter().map(|c| c.column.kind.clone()).collect();
        let (columns, table) = (columns.join(", "), quote(&shape.name));
        let packed = packed::suits(&mut connection, &kinds).await.map_err(|error| self.file.fatal(&error))?;
        Ok(match shape.rowid {
            Some(rowid) if packed && only.is_none() => {
                let users = packed::Users { columns, table, rowid, condition, values };
                packed::batches(self.file.clone(), connection, users, kinds)
            }
            _ => {
                let sql = format!("select {columns} from {table} as u where {condition}");
                scan::batches(self.file.clone(), connection, sql, values, kinds)
            }
        })
    }

    async fn count(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        most: Option<u64>,
    ) -> Result<u64, StoreError> {
        let Some((mut connection, shape)) = self.users_in(layout, scope).await? else { return Ok(0) };
        scan::count(&mut connection, &shape, layout, scope, most).await.map_err(|error| self.file.fatal(&error))
    }

    async fn deactivated(&self, sync: &SyncId) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        let Some(mut connection) = self.reading().await? else {
            return Ok(stream::empty().boxed());
        };
        if !ledger::exists(&mut connection).await.map_err(|error| self.file.fatal(&error))? {
            return Ok(stream::empty().boxed());
        }
        let users = self.users();
        let values =
            [&sync.instance, &sync.namespace, &sync.name, &users].map(|text| Stored::Text(text.as_str().into()));
        let text = ColumnType::Text { max: None, padded: false, case: Case::Exact };
        let kinds = vec![text.clone(), text];
        Ok(scan::batches(self.file.clone(), connection, ledger::DEACTIVATED.to_owned(), values.to_vec(), kinds))
    }

    async fn outside(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        keys: &Rows,
    ) -> Result<Vec<usize>, StoreError> {
        let Some(mut connection) = self.reading().await? else {
            return Ok(Vec::new());
        };
        let Some(shape) = self.found(&mut connection).await? else {
            return Ok(Vec::new());
        };
        let key = layout.key();
        let alone = shape.table.unique.iter().any(|unique| unique.len() == 1 && unique[0] == key.name);
        if scope.is_empty() || !alone {
            return Ok(Vec::new());
        }
        scan::held_outside(&mut connection, &shape, layout, scope, keys).await.map_err(|error| self.file.fatal(&error))
    }

    async fn begin(
        &self,
        fence: &Fence,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Apply>, StoreError> {
        let fatal = |error: sqlx::Error| self.file.fatal(&error);
        let mut connection = self.writing().await?;
        sqlx::query("begin immediate").execute(&mut connection).await.map_err(fatal)?;
        let attempt = match ledger::exists(&mut connection).await.map_err(fatal)? {
            true => ledger::attempt(&mut connection, &fence.sync).await.map_err(fatal)?,
            false => None,
        };
        if attempt != Some(fence.attempt) {
            return Err(StoreError::Fenced(format!(
                "a later attempt of sync {} has taken over: this one writes nothing",
                fence.sync
            )));
        }
        let shape = self.shape(&mut connection).await?;
        let unique = shape.table.unique.clone();
        let (file, owner) = (self.file.clone(), (&fence.sync, self.users()));
        let transaction = apply::Transaction::new(file, connection, shape, layout, scope, owner)?;
        still_there(&unique, layout, scope, &self.wanted.table)?;
        Ok(Box::new(transaction))
    }
}
