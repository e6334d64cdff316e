//! The open transaction: what every step of it stands on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    batch::Statements,
    columns::{self, Described},
    error,
    keys::Collation,
    ledger, scan,
    session::{Session, text},
    users::{self, Users},
};
use crate::{
    model::{change::Change, column::ColumnType, ledger::Fence, plan::Layout},
    ports::StoreError,
    store::{TableName, bisect::Refusal, unique::still_there},
};

/// Keys in one statement, at most.
pub(super) const KEYS: usize = 1_000;

/// An open transaction. It has its connection to itself: dropping it closes the connection, and the server undoes all.
pub struct Transaction {
    pub(super) session: Session,
    pub(super) users: Users,
    pub(super) fence: Fence,
    pub(super) statements: Statements,
    pub(super) layout: Layout,
    /// The types of the layout's columns.
    kinds: Vec<ColumnType>,
    /// Columns of the layout that refer to other users of the table, and may be empty.
    pub(super) references: Vec<usize>,
    /// Columns of the layout that hold other users' match keys.
    pub(super) to_keys: Vec<usize>,
    /// How match keys compare, where there are such columns.
    pub(super) collation: Option<Collation>,
    /// Columns of the layout in which no two users have the same, and which may be empty.
    pub(super) exchanged: BTreeSet<usize>,
    pub(super) sensitive: bool,
    /// The statements that give the rights.
    pub(super) grant: String,
    /// Whether the temporary table is there.
    made: bool,
}

/// Begins: the sync's row locked, the fence seen. Without autocommit: were the server to end the transaction by itself (a
/// deadlock), nothing that followed would be kept.
pub async fn begin(
    mut session: Session,
    table: &TableName,
    fence: &Fence,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
) -> Result<Transaction, StoreError> {
    let users = users::find(&mut session, table).await?;
    let columns = columns::columns(&mut session, &users).await?;
    let unique = columns::unique(&mut session, &users).await?;
    let own = columns::references_itself(&mut session, &users).await?;
    let nullable = |name: &str| columns.iter().any(|c: &Described| c.column.name == name && c.column.nullable);
    let places = |found: &dyn Fn(&str) -> bool| -> Vec<usize> {
        let named = layout.columns.iter().map(|c| c.column.name.as_str()).enumerate().skip(1);
        named.filter(|(_, name)| nullable(name) && found(name)).map(|(place, _)| place).collect()
    };
    let references = places(&|name| own.contains_key(name));
    let key = &layout.key().name;
    let to_keys = layout.columns.iter().enumerate().filter(|(_, c)| own.get(&c.column.name) == Some(key));
    let to_keys: Vec<usize> = to_keys.map(|(place, _)| place).collect();
    let collation = match columns.iter().find(|c| c.column.name == *key) {
        Some(column) if !to_keys.is_empty() => Collation::learn(&mut session, column).await?,
        _ => None,
    };
    let exchanged = places(&|name| unique.iter().flatten().any(|column| column == name)).into_iter().collect();
    let key_alone = scan::key_alone(&unique, layout);
    let statements = Statements::new(&users, layout, scope, columns, key_alone)?;
    still_there(&unique, layout, scope, &users.sql())?;
    session.run("begin the transaction", "", "set autocommit = 0; start transaction").await?;
    ledger::hold(&mut session, &users, fence).await?;
    session.run("begin the transaction", "", "savepoint usersync_begin").await?;
    let grant = users.grant_write(&session.account);
    Ok(Transaction {
        session,
        users,
        fence: fence.clone(),
        statements,
        layout: layout.clone(),
        kinds: layout.columns.iter().map(|c| c.column.kind.clone()).collect(),
        references,
        to_keys,
        collation,
        exchanged,
        sensitive: layout.columns.iter().any(|c| c.sensitive),
        grant,
        made: false,
    })
}

/// Why an attempt went no further: the database's word on the rows, or our own.
pub(super) enum Halt {
    /// The rows are refused.
    Refused(Refusal),
    /// What the database said, not yet judged.
    Database(sqlx::Error),
    /// The transaction is at its end.
    Ended(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Ended(error)
    }
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl Transaction {
    /// An empty temporary table, filled by these rows: each a list of values in brackets.
    pub(super) async fn stage(&mut self, rows: impl Iterator<Item = String>) -> Result<(), StoreError> {
        let clear = if self.made { self.statements.clear() } else { self.statements.make() };
        self.session.run("make a temporary table", &self.grant, &clear).await?;
        self.made = true;
        let fill = self.statements.fill();
        for sql in self.session.statements(&fill, rows) {
            self.session.run("fill a temporary table", &self.grant, &sql).await?;
        }
        Ok(())
    }

    pub(super) async fn mark(&mut self) -> Result<(), StoreError> {
        self.session.run("set a savepoint", "", "savepoint usersync").await.map(|_| ())
    }

    pub(super) async fn back(&mut self) -> Result<(), StoreError> {
        self.session.run("go back to a savepoint", "", "rollback to savepoint usersync").await.map(|_| ())
    }

    /// The refusal of rows, with everything since the savepoint undone; any other error ends the transaction.
    pub(super) async fn undo(&mut self, halt: Halt) -> Result<Refusal, StoreError> {
        let refusal = match halt {
            Halt::Refused(refusal) => refusal,
            Halt::Ended(error) => return Err(error),
            Halt::Database(e) => match error::refusal(&e, self.sensitive) {
                Some(refusal) => refusal,
                None => return Err(self.session.line.error("write the users", &self.grant, &e)),
            },
        };
        self.back().await?;
        Ok(refusal)
    }

    /// Whether a query finds a row.
    pub(super) async fn finds(&mut self, sql: &str) -> Result<bool, StoreError> {
        let row = self.session.row("look at the users again", &self.grant, sql).await?;
        Ok(row.as_ref().is_some_and(|row| text(row, 0).is_some()))
    }

    pub(super) fn stale(&self, why: &str) -> StoreError {
        StoreError::Stale(format!("{}: {why} in {}", self.session.line.name, self.users.sql()))
    }

    /// The rows of these users as they are now.
    pub(super) async fn stored(
        &mut self,
        changes: &[Change],
        places: &[usize],
    ) -> Result<Vec<Vec<Option<String>>>, StoreError> {
        let sql = self.statements.lock(places.iter().map(|&place| changes[place].key()));
        let rows = self.session.rows("look at the users again", &self.grant, &sql).await?;
        rows.iter()
            .map(|row| {
                let mut cells = Vec::with_capacity(self.kinds.len());
                scan::cells(row, &self.kinds, |cell| cells.push(cell.map(str::to_owned)))?;
                Ok(cells)
            })
            .collect()
    }

    /// Locks the rows of these users, and sees that they are what was compared: read and brought to canonical text as by the
    /// scan, so that it doesn't matter how the server compares.
    pub(super) async fn lock(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut missing = changes.len();
        for chunk in changes.chunks(KEYS) {
            let sql = self.statements.lock(chunk.iter().map(Change::key));
            let rows = self.session.rows("lock the users", &self.grant, &sql).await?;
            let by_key: HashMap<&str, &Change> = chunk.iter().map(|change| (change.key(), change)).collect();
            let mut found = BTreeSet::new();
            for row in &rows {
                let mut cells = Vec::with_capacity(self.kinds.len());
                scan::cells(row, &self.kinds, |cell| cells.push(cell.map(str::to_owned)))?;
                let Some(change) = cells[0].as_deref().and_then(|key| by_key.get(key)) else { continue };
                if !found.insert(change.key()) {
                    return Err(StoreError::Invalid(format!(
                        "{}: several rows of {} have the same match key in scope: it needs a unique index",
                        self.session.line.name,
                        self.users.sql()
                    )));
                }
                missing -= usize::from(change.old == cells);
            }
        }
        if missing > 0 {
            return Err(self.stale(&format!("{missing} users were changed by somebody else meanwhile")));
        }
        Ok(())
    }
}
