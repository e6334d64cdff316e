//! The one transaction of a run. It holds SQLite's write lock from its beginning, so that what it reads stays true.

mod add;
mod change;
mod find;
mod write;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteRow};

use super::{
    super::{bisect::bisect, refused},
    cell::{self, Stored},
    connect::File,
    errors, ledger,
    shape::{CHUNK, Shape, arguments, execute},
    types::Affinity,
};
use crate::{
    model::{
        change::{Change, ChangeKind},
        column::ColumnType,
        job::SyncId,
        ledger::LedgerRow,
        plan::Layout,
        rows::Rows,
    },
    ports::{Apply, Refused, StoreError},
};

/// The transaction: dropped without commit, its connection closes, and SQLite rolls back.
pub struct Transaction {
    file: File,
    connection: SqliteConnection,
    shape: Shape,
    layout: Layout,
    /// Per column of the layout.
    affinities: Vec<Affinity>,
    /// Constant columns of added users, as they are stored.
    constants: Vec<(String, Stored)>,
    /// Holds for rows in scope.
    condition: String,
    /// What is bound to it.
    scope: Vec<Stored>,
    sync: SyncId,
    /// The table's name in the ledger.
    users: String,
    /// Rows whose stored match key is not what its canonical text is bound as: by that text, their address. Found once,
    /// when a user was not found otherwise.
    odd: Option<HashMap<String, Stored>>,
}

impl Transaction {
    /// Over a connection on which `begin immediate` was run. `users`: the table's name in the ledger.
    pub fn new(
        file: File,
        connection: SqliteConnection,
        shape: Shape,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        (sync, users): (&SyncId, String),
    ) -> Result<Self, StoreError> {
        let mut needed = layout.columns.iter().map(|c| &c.column.name).chain(scope.keys());
        if let Some(gone) = needed.find(|name| shape.table.column(name).is_none()) {
            return Err(StoreError::Invalid(format!(
                "table {} has no column {gone} any more: it was changed while the run worked. Start the run again",
                shape.table.name
            )));
        }
        let affinities = layout.columns.iter().map(|c| shape.affinity(&c.column.name)).collect();
        let constants = scope.iter().map(|(column, value)| (column.clone(), shape.constant(column, value))).collect();
        let (condition, values) = shape.scope(scope);
        Ok(Self {
            file,
            connection,
            layout: layout.clone(),
            affinities,
            constants,
            condition,
            scope: values,
            sync: sync.clone(),
            users,
            odd: None,
            shape,
        })
    }

    fn fatal(&self, error: &sqlx::Error) -> StoreError {
        self.file.fatal(error)
    }

    async fn execute(&mut self, sql: String, values: &[Stored]) -> Result<u64, sqlx::Error> {
        Ok(execute(&mut self.connection, sql, values).await?.rows_affected())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), StoreError> {
        let done = sqlx::query(sql).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(|error| self.fatal(&error))
    }

    async fn fetch(&mut self, sql: String, values: &[Stored]) -> Result<Vec<SqliteRow>, StoreError> {
        let arguments = arguments(values).map_err(|error| self.fatal(&error))?;
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut self.connection).await;
        rows.map_err(|error| self.fatal(&error))
    }

    /// Canonical text as the layout's column stores it.
    fn bind(&self, column: usize, text: Option<&str>) -> Result<Stored, String> {
        bind(&self.layout, &self.affinities, column, text)
    }

    /// What the match key may be stored as, most likely first.
    fn key_forms(&self, key: &str) -> Vec<Stored> {
        let bound = self.bind(0, Some(key)).unwrap_or_else(|_| Stored::Text(key.into()));
        match self.layout.key().kind {
            ColumnType::Uuid => vec![bound, Stored::Text(key.to_uppercase().into())],
            _ => vec![bound],
        }
    }

    /// Columns of the layout that users may exchange: no two may have the same, and they can be empty for a moment.
    fn exchanged(&self) -> Vec<usize> {
        let may = |name: &String| self.shape.exchanged.contains(name);
        self.layout
            .update_columns()
            .filter(|(_, c)| c.column.nullable && may(&c.column.name))
            .map(|(at, _)| at)
            .collect()
    }

    /// How many of so many changes are tried at once: all of them where one may need another. Until a savepoint is released SQLite
    /// keeps each page in memory that was written since, as it was.
    fn at_once(&self, changes: usize) -> usize {
        let apart = self.exchanged().is_empty() && self.shape.references.is_empty();
        if apart { CHUNK } else { changes.max(1) }
    }

    async fn change_part(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        let addresses = self.find(changes).await?;
        let mut writing = change::Changes { transaction: self, kind, changes, addresses, put_back: Vec::new() };
        let refused = bisect(&mut writing, changes.len()).await?;
        let put_back = writing.put_back;
        Ok(refused::changes(&self.layout, changes, refused, put_back))
    }

    fn kind(&self, column: usize) -> &ColumnType {
        &self.layout.columns[column].column.kind
    }

    fn stale(&self, key: &str, what: &str) -> StoreError {
        StoreError::Stale(format!("user {key} {what} while the run worked"))
    }
}

#[async_trait]
impl Apply for Transaction {
    async fn change(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        let mut refused = Vec::new();
        let mut from = 0;
        for part in changes.chunks(self.at_once(changes.len())) {
            let of_part = self.change_part(kind, part).await?;
            refused.extend(of_part.into_iter().map(|row| Refused { index: from + row.index, ..row }));
            from += part.len();
        }
        Ok(refused)
    }

    async fn add(&mut self, users: &Rows) -> Result<Vec<Refused>, StoreError> {
        Ok(refused::adds(bisect(&mut add::Adds { transaction: self, users }, users.len()).await?))
    }

    async fn forget(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        ledger::forget(&mut self.connection, &self.sync, &self.users, &keys).await.map_err(|error| self.fatal(&error))
    }

    async fn commit(mut self: Box<Self>, row: &LedgerRow) -> Result<(), StoreError> {
        let written = ledger::record(&mut self.connection, &self.sync, row).await;
        written.map_err(|error| match errors::broken_key(&error) {
            Some(_) => StoreError::Failed(format!("run {} is committed already: nothing was written", row.run)),
            None => self.fatal(&error),
        })?;
        self.run("commit").await?;
        // The commit stands, whatever becomes of the connection.
        let _ = self.connection.close().await;
        Ok(())
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StoreError> {
        self.run("rollback").await?;
        // Nothing is left to undo, whatever becomes of the connection.
        let _ = self.connection.close().await;
        Ok(())
    }
}

/// Canonical text as the layout's column stores it, whose columns have these affinities.
fn bind(layout: &Layout, affinities: &[Affinity], column: usize, text: Option<&str>) -> Result<Stored, String> {
    let Some(text) = text else {
        return Ok(Stored::Null);
    };
    let described = &layout.columns[column].column;
    cell::bind(&described.kind, affinities[column], text).map_err(|why| format!("{}: {why}", described.name))
}
