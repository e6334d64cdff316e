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
    store::{
        TableName,
        bisect::{Attempt, Outcome, Refusal, bisect},
        referring::{self, References},
        refused,
        unique::still_there,
    },
};

/// How much text goes into one message to the server.
const CHUNK: usize = 1 << 18;

/// An open transaction. It has its connection to itself: dropping it closes the connection, and the server undoes all.
pub struct Transaction {
    session: Session,
    users: Users,
    fence: Fence,
    statements: Statements,
    layout: Layout,
    /// Columns of the layout that users may exchange: they can be empty for a moment.
    exchanged: Vec<usize>,
    /// Columns of the layout that hold other users' match keys.
    references: Vec<usize>,
    /// Whether the table has triggers: then it is looked at what they make of an update.
    triggers: bool,
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
    table: &TableName,
    fence: &Fence,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
) -> Result<Transaction, StoreError> {
    let users = users::find(&mut session, table).await?;
    let columns = users::columns(&mut session, &users).await?;
    let unique = inspect::unique(&mut session, &users).await?;
    let statements = Statements::new(&users, layout, scope, &columns, scan::key_alone(&unique, layout))?;
    still_there(&unique, layout, scope, &users.sql())?;
    let exchanged = inspect::exchanged(&mut session, &users).await?;
    let exchanged =
        layout.update_columns().filter(|(_, c)| exchanged.contains(&c.column.name)).map(|(i, _)| i).collect();
    let references = inspect::references(&mut session, &users, &layout.key().name).await?;
    let references =
        layout.insert_columns().filter(|(_, c)| references.contains(&c.column.name)).map(|(i, _)| i).collect();
    let triggers = inspect::triggers(&mut session, &users).await?;
    let begin = "begin isolation level read committed; set constraints all immediate";
    session.run("begin the transaction", "", begin).await?;
    ledger::hold(&mut session, &users, fence).await?;
    let grant = users.grant_write(&session.line.name.user, &session.line.name.database);
    let sensitive = layout.columns.iter().any(|c| c.sensitive);
    let (fence, layout) = (fence.clone(), layout.clone());
    let made = false;
    Ok(Transaction {
        session,
        users,
        fence,
        statements,
        layout,
        exchanged,
        references,
        triggers,
        sensitive,
        grant,
        made,
    })
}

impl Transaction {
    /// An empty temporary table.
    async fn clear(&mut self) -> Result<(), StoreError> {
        let sql = if self.made { self.statements.clear() } else { self.statements.make() };
        self.session.run("make a temporary table", &self.grant, &sql).await?;
        self.made = true;
        Ok(())
    }

    /// Fills the temporary table. The planner is told nothing of it: then it looks up row by row by the key, whatever it would
    /// make of a few thousand rows beside a million.
    async fn fill(&mut self, sql: &str, count: usize, row: impl FnMut(usize, &mut String)) -> Result<(), StoreError> {
        let filled = copy_in(&mut self.session, sql, count, row).await;
        filled.map_err(|e| self.session.line.error("fill a temporary table", &self.grant, &e)).map(drop)
    }

    /// Runs a statement on rows under a savepoint: how many it wrote, or why it was refused (then nothing of it stays).
    async fn guarded(&mut self, sql: &str) -> Result<Result<u64, Refusal>, StoreError> {
        self.session.run("set a savepoint", "", "savepoint usersync").await?;
        match self.session.run_plain(sql).await {
            Ok(count) => Ok(Ok(count)),
            Err(e) => self.undo(&e).await.map(Err),
        }
    }

    /// Goes back to the savepoint after the refusal of rows; any other error ends the transaction.
    async fn undo(&mut self, e: &sqlx::Error) -> Result<Refusal, StoreError> {
        let Some(refusal) = error::refusal(e, self.sensitive) else {
            return Err(self.session.line.error("write the users", &self.grant, e));
        };
        self.back().await?;
        Ok(refusal)
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
    /// Users whom a trigger put back, and the columns.
    put_back: Vec<(usize, String)>,
}

#[async_trait]
impl Attempt for Changing<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        if places.is_empty() {
            return Ok(Outcome::Applied);
        }
        let on = &mut *self.transaction;
        let sql = match self.kind {
            ChangeKind::Delete => Some(on.statements.delete(places)),
            ChangeKind::Update | ChangeKind::Deactivate | ChangeKind::Restore => on.statements.update(places, false),
        };
        let Some(sql) = sql else { return Ok(Outcome::Applied) };
        let written = match on.guarded(&sql).await? {
            Err(refusal) if refusal.unique && places.len() > 1 => on.exchange(places, refusal).await?,
            written => written,
        };
        match written {
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
            Ok(count) if count == places.len() as u64 => {}
            Ok(count) => {
                on.back().await?;
                return on.missed(places, count).await;
            }
        }
        if on.triggers && self.kind != ChangeKind::Delete {
            let put_back = on.put_back(places).await?;
            if !put_back.is_empty() {
                on.back().await?;
                let others: Vec<usize> =
                    places.iter().copied().filter(|place| put_back.iter().all(|(back, _)| back != place)).collect();
                let outcome = self.attempt(&others).await?;
                if outcome == Outcome::Applied {
                    self.put_back.extend(put_back);
                }
                return Ok(outcome);
            }
        }
        let on = &mut *self.transaction;
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
    /// Writes users who may exchange unique values: rows are checked one by one, so all give theirs up before they are taken.
    async fn exchange(&mut self, places: &[usize], refused: Refusal) -> Result<Result<u64, Refusal>, StoreError> {
        let Some(update) = self.statements.update(places, true).filter(|_| !self.exchanged.is_empty()) else {
            return Ok(Err(refused));
        };
        match self.guarded(&self.statements.vacate(&self.exchanged, places)).await? {
            // They can't be given up: what was said first stands.
            Err(_) => Ok(Err(refused)),
            Ok(count) if count == places.len() as u64 => match self.session.run_plain(&update).await {
                Ok(count) => Ok(Ok(count)),
                Err(e) => self.undo(&e).await.map(Err),
            },
            Ok(count) => Ok(Ok(count)),
        }
    }

    /// Those of the users just written whose rows are what they were, with the columns.
    async fn put_back(&mut self, places: &[usize]) -> Result<Vec<(usize, String)>, StoreError> {
        let Session { conn, line } = &mut self.session;
        let query =
            sqlx::query_as::<_, (i32, String)>(AssertSqlSafe(self.statements.put_back(places))).persistent(false);
        let found = line.wait("look at the users again", &self.grant, query.fetch_all(conn)).await?;
        Ok(found.into_iter().filter_map(|(place, columns)| Some((usize::try_from(place).ok()?, columns))).collect())
    }

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
    Refusal::for_good(message)
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
                Ok(Outcome::Refused(refused))
            }
            Ok(count) if count == places.len() as u64 => on.keep().await.map(|()| Outcome::Applied),
            Ok(_) => on.back().await.map(|()| Outcome::Refused(left_out())),
        }
    }

    async fn hopeless(&mut self, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
        let on = &mut *self.0;
        if !on.references.is_empty() {
            // Here the rows are looked for among themselves.
            on.session.run("look at a temporary table", &on.grant, &on.statements.analyze()).await?;
        }
        let mut references = References::default();
        for column in on.references.clone() {
            let sql = on.statements.referring(column, places);
            let Session { conn, line } = &mut on.session;
            let query = sqlx::query_as::<_, (i32, Option<i32>)>(AssertSqlSafe(sql)).persistent(false);
            for (row, above) in line.wait("look for users referred to", &on.grant, query.fetch_all(conn)).await? {
                if let Ok(row) = usize::try_from(row) {
                    references.refers(row, above.and_then(|above| usize::try_from(above).ok()), column);
                }
            }
        }
        let name = |column: usize| on.layout.columns[column].column.name.as_str();
        // A neighbour that comes with a later batch may be the one.
        let refusal = |column| Refusal { mendable: true, ..Refusal::for_good(referring::message(name(column))) };
        Ok(references.without_anybody().into_iter().map(|(place, column)| (place, refusal(column))).collect())
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
        let mut changing = Changing { transaction: self, kind, put_back: Vec::new() };
        let refused = bisect(&mut changing, changes.len()).await?;
        let put_back = changing.put_back;
        Ok(refused::changes(&self.layout, changes, refused, put_back))
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
        Ok(refused::adds(bisect(&mut Adding(self), users.len()).await?))
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
