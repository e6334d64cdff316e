//! The one transaction of a run.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::{
    batch::Statements,
    error, inspect, ledger, scan,
    session::Session,
    sql::copy_row,
    users::{self, Users},
};
use crate::{
    model::{
        change::{Change, ChangeKind},
        ledger::{Fence, LedgerRow},
        plan::Layout,
        rows::Rows,
    },
    ports::{Apply, Refused, StoreError},
    store::bisect::{Attempt, Outcome, Refusal, bisect},
};

/// How much text goes into one message to the server.
const CHUNK: usize = 1 << 18;

/// An open transaction. It has its connection to itself: dropping it closes the connection, and the server undoes all.
pub struct Transaction {
    session: Session,
    users: Users,
    fence: Fence,
    statements: Statements,
    sensitive: bool,
    /// The statement that gives the rights.
    grant: String,
    /// Whether the temporary table is there.
    made: bool,
}

/// Begins: the sync's row locked, the fence seen. Deferrable constraints are checked at once, so that each refusal is
/// known to be some row's and none comes as late as the commit.
pub async fn begin(
    mut session: Session,
    table: &str,
    fence: &Fence,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
) -> Result<Transaction, StoreError> {
    let users = users::find(&mut session, table).await?;
    let columns = users::columns(&mut session, &users).await?;
    let unique = inspect::unique(&mut session, &users).await?;
    let statements = Statements::new(&users, layout, scope, &columns, scan::key_alone(&unique, layout))?;
    let begin = "begin isolation level read committed; set constraints all immediate";
    session.run("begin the transaction", "", begin).await?;
    ledger::hold(&mut session, &users, fence).await?;
    let grant = users.grant_write(&session.line.name.user, &session.line.name.database);
    let sensitive = layout.columns.iter().any(|c| c.sensitive);
    Ok(Transaction { session, users, fence: fence.clone(), statements, sensitive, grant, made: false })
}

impl Transaction {
    /// An empty temporary table.
    async fn clear(&mut self) -> Result<(), StoreError> {
        let sql = if self.made { self.statements.clear() } else { self.statements.make() };
        self.session.run("make a temporary table", &self.grant, &sql).await?;
        self.made = true;
        Ok(())
    }

    /// Fills the temporary table.
    async fn fill(&mut self, sql: &str, count: usize, row: impl FnMut(usize, &mut String)) -> Result<(), StoreError> {
        let filled = copy_in(&mut self.session, sql, count, row).await;
        filled.map_err(|e| self.session.line.error("fill a temporary table", &self.grant, &e))?;
        if count > 256 {
            self.session.run("look at a temporary table", &self.grant, &self.statements.analyze()).await?;
        }
        Ok(())
    }

    /// Runs a statement on rows under a savepoint: how many it wrote, or why it was refused (then nothing of it stays).
    async fn guarded(&mut self, sql: &str) -> Result<Result<u64, Refusing>, StoreError> {
        self.session.run("set a savepoint", "", "savepoint usersync").await?;
        match self.session.run_plain(sql).await {
            Ok(count) => Ok(Ok(count)),
            Err(e) => self.undo(&e).await.map(Err),
        }
    }

    /// Goes back to the savepoint after the refusal of rows; any other error ends the transaction.
    async fn undo(&mut self, e: &sqlx::Error) -> Result<Refusing, StoreError> {
        let Some(refusal) = error::refusal(e, self.sensitive) else {
            return Err(self.session.line.error("write the users", &self.grant, e));
        };
        self.back().await?;
        Ok(Refusing { refusal, unique: error::code(e) == "23505" })
    }

    async fn back(&mut self) -> Result<(), StoreError> {
        let sql = "rollback to savepoint usersync; release savepoint usersync";
        self.session.run("go back to a savepoint", "", sql).await.map(|_| ())
    }

    async fn keep(&mut self) -> Result<(), StoreError> {
        self.session.run("release a savepoint", "", "release savepoint usersync").await.map(|_| ())
    }

    /// One value of a query without parameters.
    async fn ask<T>(&mut self, sql: String) -> Result<T, StoreError>
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        let Session { conn, line } = &mut self.session;
        let query = sqlx::query_scalar::<_, T>(AssertSqlSafe(sql)).persistent(false);
        line.wait("look at the users again", &self.grant, query.fetch_one(conn)).await
    }

    fn stale(&self, why: &str) -> StoreError {
        StoreError::Stale(format!("{}: {} in {}", self.session.line.name, why, self.users.sql()))
    }

    /// Adds users in one go, straight into the table. None where it refuses some of them, or rows sent that way.
    async fn add_straight(&mut self, users: &Rows) -> Result<Option<u64>, StoreError> {
        self.session.run("set a savepoint", "", "savepoint usersync").await?;
        let sql = self.statements.copy_users();
        let constants: Vec<&str> = self.statements.constants().collect();
        let row = |place: usize, out: &mut String| {
            let cells = users.row(place);
            copy_row(out, None, cells.cells().chain(constants.iter().map(|value| Some(*value))));
        };
        match copy_in(&mut self.session, &sql, users.len(), row).await {
            Ok(count) if count == users.len() as u64 => self.keep().await.map(|()| Some(count)),
            Ok(_) => self.back().await.map(|()| None),
            // Row-level security takes no copy (0A000).
            Err(e) if error::code(&e) == "0A000" => self.back().await.map(|()| None),
            Err(e) => self.undo(&e).await.map(|_| None),
        }
    }
}

/// Why rows were refused, and whether it was for a unique value.
struct Refusing {
    refusal: Refusal,
    unique: bool,
}

/// Sends rows by `copy … from stdin`: how many the server took.
async fn copy_in(
    session: &mut Session,
    sql: &str,
    count: usize,
    mut row: impl FnMut(usize, &mut String),
) -> Result<u64, sqlx::Error> {
    let Session { conn, line } = session;
    let mut copy = line.plain(conn.copy_in_raw(sql)).await?;
    let mut text = String::with_capacity(CHUNK + 4096);
    for place in 0..count {
        row(place, &mut text);
        if text.len() >= CHUNK {
            line.plain(copy.send(text.as_bytes())).await?;
            text.clear();
        }
    }
    line.plain(copy.send(text.as_bytes())).await?;
    line.plain(copy.finish()).await
}

/// Writes changes of one kind that wait in the temporary table.
struct Changing<'a> {
    transaction: &'a mut Transaction,
    kind: ChangeKind,
}

#[async_trait]
impl Attempt for Changing<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        let on = &mut *self.transaction;
        let sql = match self.kind {
            ChangeKind::Delete => Some(on.statements.delete(places)),
            ChangeKind::Update | ChangeKind::Deactivate | ChangeKind::Restore => on.statements.update(places),
        };
        let Some(sql) = sql else { return Ok(Outcome::Applied) };
        match on.guarded(&sql).await? {
            Err(refused) => return Ok(Outcome::Refused(refused.refusal)),
            Ok(count) if count == places.len() as u64 => {}
            Ok(count) => {
                on.back().await?;
                return on.missed(places, count).await;
            }
        }
        let note = match self.kind {
            ChangeKind::Update => None,
            ChangeKind::Deactivate => Some(on.statements.note(&on.fence.sync, places)),
            ChangeKind::Delete | ChangeKind::Restore => Some(on.statements.forget(&on.fence.sync, places)),
        };
        if let Some(note) = note {
            let right = ledger::grant(&on.users, &on.session.line.name.user);
            on.session.run("note who is deactivated", &right, &note).await?;
        }
        on.keep().await?;
        Ok(Outcome::Applied)
    }
}

impl Transaction {
    /// Finds out why a statement wrote another number of rows than were given.
    async fn missed(&mut self, places: &[usize], count: u64) -> Result<Outcome, StoreError> {
        if count > places.len() as u64 {
            return Err(StoreError::Invalid(format!(
                "{}: several rows of {} have the same match key in scope: it needs a unique index",
                self.session.line.name,
                self.users.sql()
            )));
        }
        let stale: i64 = self.ask(self.statements.stale(places)).await?;
        if stale > 0 {
            return Err(self.stale(&format!("{stale} users were changed by somebody else meanwhile")));
        }
        Ok(Outcome::Refused(left_out()))
    }
}

/// The words for a row that vanished without an error.
fn left_out() -> Refusal {
    let message = "a trigger or a row security policy of the table left the row as it was, without saying why";
    Refusal { message: message.to_owned(), mendable: false }
}

/// Adds users that wait in the temporary table.
struct Adding<'a>(&'a mut Transaction);

#[async_trait]
impl Attempt for Adding<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        let on = &mut *self.0;
        let sql = on.statements.insert(places);
        match on.guarded(&sql).await? {
            Err(refused) => {
                let alone = refused.unique && places.len() == 1;
                if alone && on.ask::<bool>(on.statements.taken(places)).await? {
                    return Err(on.stale("a user was added by somebody else meanwhile"));
                }
                Ok(Outcome::Refused(refused.refusal))
            }
            Ok(count) if count == places.len() as u64 => on.keep().await.map(|()| Outcome::Applied),
            Ok(_) => on.back().await.map(|()| Outcome::Refused(left_out())),
        }
    }
}

#[async_trait]
impl Apply for Transaction {
    async fn change(&mut self, kind: ChangeKind, changes: &[Change]) -> Result<Vec<Refused>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.clear().await?;
        let nothing = vec![None; changes[0].old.len()];
        let row = |place: usize, out: &mut String| {
            let change = &changes[place];
            let new = if change.new.is_empty() { &nothing } else { &change.new };
            copy_row(out, Some(place), change.old.iter().chain(new).map(Option::as_deref));
        };
        self.fill(&self.statements.fill_changes(), changes.len(), row).await?;
        bisect(&mut Changing { transaction: self, kind }, changes.len()).await
    }

    async fn add(&mut self, users: &Rows) -> Result<Vec<Refused>, StoreError> {
        if users.is_empty() || self.add_straight(users).await?.is_some() {
            return Ok(Vec::new());
        }
        self.clear().await?;
        let row = |place: usize, out: &mut String| copy_row(out, Some(place), users.row(place).cells());
        self.fill(&self.statements.fill_adds(), users.len(), row).await?;
        let all: Vec<usize> = (0..users.len()).collect();
        if self.ask::<bool>(self.statements.taken(&all)).await? {
            return Err(self.stale("users were added by somebody else meanwhile"));
        }
        bisect(&mut Adding(self), users.len()).await
    }

    async fn forget(&mut self, keys: &[String]) -> Result<(), StoreError> {
        let sql = format!("{} and d.key = any($1)", self.statements.forget_where(&self.fence.sync));
        let right = ledger::grant(&self.users, &self.session.line.name.user);
        let Session { conn, line } = &mut self.session;
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(keys).execute(conn);
        line.wait("forget who is deactivated", &right, query).await.map(|_| ())
    }

    async fn commit(mut self: Box<Self>, row: &LedgerRow) -> Result<(), StoreError> {
        ledger::write(&mut self.session, &self.users, &self.fence.sync, row).await?;
        self.session.run("commit", "", "commit").await.map(|_| ())
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StoreError> {
        self.session.run("roll back", "", "rollback").await.map(|_| ())
    }
}
