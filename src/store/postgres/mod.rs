//! Users in a PostgreSQL table (version 10 or later).
//!
//! The least rights: to simulate, `usage` on the schema and `select` on the table; to import, `insert`, `update`,
//! `delete` on it as well, `temporary` on the database, and once `create` on the schema, for the ledger. An error for a
//! missing right names the statement that grants it.

mod apply;
mod batch;
mod copy;
mod error;
mod inspect;
mod ledger;
mod name;
mod open;
mod scan;
mod session;
mod sql;
mod types;
mod users;

use std::{collections::BTreeMap, sync::Mutex};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};

use self::{
    ledger::Runs,
    session::{Server, Session},
    users::Users,
};
use crate::{
    model::{
        column::{Case, ColumnType, Table},
        file::Stamp,
        job::{Database, SyncId, Target},
        ledger::{Claim, Fence, LedgerRow, OpenStep},
        plan::Layout,
        rows::Rows,
    },
    ports::{Apply, StoreError, UserStore},
    store::TableName,
};

/// Users in a PostgreSQL table. A scan and a transaction have a connection each; short statements share one, which is
/// made anew when it broke.
pub struct Postgres {
    server: Server,
    table: TableName,
    idle: Mutex<Option<Session>>,
}

impl Postgres {
    /// Connects. Fails with [`StoreError::Invalid`] (URL, database), [`StoreError::Denied`] or
    /// [`StoreError::Unreachable`].
    pub async fn connect(target: &Target) -> Result<Self, StoreError> {
        let Database::Postgres(url) = &target.database else {
            return Err(StoreError::Invalid("target.url is no postgres:// URL".to_owned()));
        };
        let server = Server::new(url, target.ca_bundle.as_deref(), target.timeouts)?;
        let session = server.connect().await?;
        Ok(Self { server, table: TableName::of(target), idle: Mutex::new(Some(session)) })
    }

    /// The idle session, if it still stands, or a new one.
    async fn session(&self) -> Result<Session, StoreError> {
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.take());
        if let Some(mut session) = idle
            && session.alive().await
        {
            return Ok(session);
        }
        self.server.connect().await
    }

    /// A session, and the users' table as it is by now.
    async fn found(&self) -> Result<(Session, Users), StoreError> {
        let mut session = self.session().await?;
        let users = users::find(&mut session, &self.table).await?;
        Ok((session, users))
    }

    /// Keeps a session for the next statement. One that met an error is dropped instead: nobody knows its state.
    fn keep(&self, session: Session) {
        if let Ok(mut idle) = self.idle.lock() {
            *idle = Some(session);
        }
    }

    /// The rows of the ledger that are asked for.
    async fn ledger_rows(&self, sync: &SyncId, which: Runs<'_>) -> Result<Vec<LedgerRow>, StoreError> {
        let (mut session, users) = self.found().await?;
        let rows = ledger::rows(&mut session, &users, sync, which).await?;
        self.keep(session);
        Ok(rows)
    }
}

#[async_trait]
impl UserStore for Postgres {
    async fn inspect(&self) -> Result<Table, StoreError> {
        let mut session = self.session().await?;
        let table = inspect::inspect(&mut session, &self.table).await?;
        self.keep(session);
        Ok(table)
    }

    async fn check(&self, claim: &Claim) -> Result<(), StoreError> {
        let (mut session, users) = self.found().await?;
        open::check(&mut session, &users, claim).await?;
        self.keep(session);
        Ok(())
    }

    async fn open(&self, claim: &Claim) -> Result<Fence, StoreError> {
        let (mut session, users) = self.found().await?;
        let fence = open::open(&mut session, &users, claim).await?;
        self.keep(session);
        Ok(fence)
    }

    async fn committed(&self, sync: &SyncId, run: &str) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.ledger_rows(sync, Runs::Named(run)).await?.pop())
    }

    async fn imported(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.ledger_rows(sync, Runs::Of(files)).await
    }

    async fn imported_on_day(&self, sync: &SyncId, files: &[Stamp]) -> Result<Vec<LedgerRow>, StoreError> {
        self.ledger_rows(sync, Runs::OfDay(files)).await
    }

    async fn last(&self, sync: &SyncId) -> Result<Option<LedgerRow>, StoreError> {
        Ok(self.ledger_rows(sync, Runs::Last).await?.pop())
    }

    async fn unfinished(&self, sync: &SyncId) -> Result<Vec<LedgerRow>, StoreError> {
        self.ledger_rows(sync, Runs::Unfinished).await
    }

    async fn close(&self, sync: &SyncId, run: &str, step: OpenStep) -> Result<(), StoreError> {
        let (mut session, users) = self.found().await?;
        ledger::close(&mut session, &users, sync, run, step).await?;
        self.keep(session);
        Ok(())
    }

    async fn scan(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        only: Option<&Rows>,
    ) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        let (mut session, users) = self.found().await?;
        let kinds: Vec<ColumnType> = layout.columns.iter().map(|c| c.column.kind.clone()).collect();
        let grant = users.grant_read(&session.line.name.user);
        let condition = scan::condition(&mut session, &users, layout, scope, only).await?;
        let sql = scan::users_sql(&users, layout, &condition);
        Ok(scan::stream(session, sql, &kinds, "read the users", grant).boxed())
    }

    async fn count(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        most: Option<u64>,
    ) -> Result<u64, StoreError> {
        let (mut session, users) = self.found().await?;
        let counted = scan::count(&mut session, &users, layout, scope, most).await?;
        self.keep(session);
        Ok(counted)
    }

    async fn deactivated(&self, sync: &SyncId) -> Result<BoxStream<'_, Result<Rows, StoreError>>, StoreError> {
        let (mut session, users) = self.found().await?;
        if !ledger::exists(&mut session, &users).await? {
            self.keep(session);
            return Ok(futures::stream::empty().boxed());
        }
        let kinds = [
            ColumnType::Text { max: None, padded: false, case: Case::Exact },
            ColumnType::Integer { min: i64::MIN, max: i64::MAX },
        ];
        let right = ledger::grant(&users, &session.line.name.user);
        let sql = ledger::deactivated_sql(&users, sync);
        Ok(scan::stream(session, sql, &kinds, "read who is deactivated", right).boxed())
    }

    async fn key_forms(&self, layout: &Layout, keys: &Rows) -> Result<Rows, StoreError> {
        if !matches!(layout.key().kind, ColumnType::Text { case: Case::Ignored, .. }) {
            return Err(users::loose(&self.server.name, &layout.key().name, "the match key"));
        }
        let mut session = self.session().await?;
        let keys: Vec<Option<&str>> = keys.iter().map(|row| row.get(0)).collect();
        let lower = scan::lower_case(&mut session, &keys).await?;
        self.keep(session);
        let mut forms = Rows::new(1);
        lower.iter().for_each(|form| forms.push(form.as_deref()));
        Ok(forms)
    }

    async fn outside(
        &self,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        keys: &Rows,
    ) -> Result<Vec<usize>, StoreError> {
        if scope.is_empty() || keys.is_empty() {
            return Ok(Vec::new());
        }
        let (mut session, users) = self.found().await?;
        let unique = inspect::unique(&mut session, &users).await?;
        let places = if scan::key_alone(&unique, layout) {
            scan::outside(&mut session, &users, layout, scope, keys).await?
        } else {
            Vec::new()
        };
        self.keep(session);
        Ok(places)
    }

    async fn begin(
        &self,
        fence: &Fence,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
    ) -> Result<Box<dyn Apply>, StoreError> {
        let session = self.session().await?;
        Ok(Box::new(apply::begin(session, &self.table, fence, layout, scope).await?))
    }
}
