//! Writes chosen rows, all or none.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    error, ledger, referring,
    transaction::{Halt, KEYS, Transaction},
};
use crate::{
    model::{
        change::{Change, ChangeKind},
        rows::Rows,
    },
    ports::StoreError,
    store::bisect::{Attempt, Outcome, Refusal},
};

/// Writes changes of one kind; their rows are locked.
pub struct Changing<'t> {
    transaction: &'t mut Transaction,
    kind: ChangeKind,
    changes: &'t [Change],
    /// Rows that are larger than the server takes: they are not in the temporary table.
    large: Vec<usize>,
    /// Users whom a trigger put back, and the columns.
    pub put_back: Vec<(usize, String)>,
}

impl<'t> Changing<'t> {
    /// Puts what the users become into the temporary table.
    pub async fn new(
        transaction: &'t mut Transaction,
        kind: ChangeKind,
        changes: &'t [Change],
    ) -> Result<Self, StoreError> {
        let mut large = Vec::new();
        if kind != ChangeKind::Delete {
            let limit = transaction.session.row_limit();
            let mut rows = Vec::with_capacity(changes.len());
            for (place, change) in changes.iter().enumerate() {
                let changed = |i: usize| change.new[i].as_deref().filter(|new| change.old[i].as_deref() != Some(*new));
                let row = transaction.statements.fill_row(place, change.key(), changed);
                if row.len() > limit { large.push(place) } else { rows.push(row) }
            }
            transaction.stage(rows.into_iter()).await?;
        }
        Ok(Self { transaction, kind, changes, large, put_back: Vec::new() })
    }

    /// Those of the users just written whose rows are what they were, with the columns: a trigger undid it. (Who may see the
    /// table's triggers is another matter: they are looked for by what they do.)
    async fn put_back(&mut self, places: &[usize]) -> Result<Vec<(usize, String)>, StoreError> {
        if self.kind != ChangeKind::Update {
            return Ok(Vec::new());
        }
        let by_key: BTreeMap<&str, usize> = places.iter().map(|&place| (self.changes[place].key(), place)).collect();
        let mut found = Vec::new();
        for chunk in places.chunks(KEYS) {
            for cells in self.transaction.stored(self.changes, chunk).await? {
                let Some(&place) = cells[0].as_deref().and_then(|key| by_key.get(key)) else { continue };
                let change = &self.changes[place];
                let on_update = |column: &usize| self.transaction.layout.columns[*column].role.on_update();
                let written: Vec<usize> = change.properties().map(|(column, ..)| column).filter(on_update).collect();
                if !written.is_empty() && written.iter().all(|&column| cells[column] == change.old[column]) {
                    let names = written.iter().map(|&c| self.transaction.layout.columns[c].column.name.as_str());
                    found.push((place, names.collect::<Vec<_>>().join(", ")));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn keys<'c>(&self, places: &'c [usize]) -> impl Iterator<Item = &'t str> + 'c
    where
        't: 'c,
    {
        let changes = self.changes;
        places.iter().map(move |&place| changes[place].key())
    }

    async fn write(&mut self, places: &[usize]) -> Result<(), Halt> {
        match self.kind {
            ChangeKind::Delete => self.delete(places).await?,
            ChangeKind::Update | ChangeKind::Deactivate | ChangeKind::Restore => self.update(places).await?,
        }
        let keys: Vec<&str> = self.keys(places).collect();
        let on = &mut *self.transaction;
        let notes = match self.kind {
            ChangeKind::Update => Vec::new(),
            ChangeKind::Deactivate => ledger::note_sql(&on.users, &on.fence.sync, &keys),
            ChangeKind::Delete | ChangeKind::Restore => ledger::forget_sql(&on.users, &on.fence.sync, &keys),
        };
        let right = ledger::grant(&on.users, &on.session.account);
        for sql in notes {
            on.session.run("note who is deactivated", &right, &sql).await?;
        }
        Ok(())
    }

    async fn delete(&mut self, places: &[usize]) -> Result<(), Halt> {
        match self.delete_once(places).await {
            Err(Halt::Database(e)) if error::is_foreign_key(&e) && places.len() > 1 && self.refer() => {
                // The server checks row by row: those who go must not refer to each other any more.
                self.transaction.back().await?;
                for chunk in places.chunks(KEYS) {
                    let release = self.transaction.statements.release(&self.transaction.references, self.keys(chunk));
                    self.transaction.session.run_plain(&release).await?;
                }
                self.delete_once(places).await
            }
            done => done,
        }
    }

    fn refer(&self) -> bool {
        !self.transaction.references.is_empty()
    }

    async fn delete_once(&mut self, places: &[usize]) -> Result<(), Halt> {
        let mut count = 0;
        for chunk in places.chunks(KEYS) {
            let sql = self.transaction.statements.delete(self.keys(chunk));
            count += self.transaction.session.run_plain(&sql).await?;
        }
        if count == places.len() as u64 {
            return Ok(());
        }
        // Some may have gone with others, by a foreign key that cascades.
        for chunk in places.chunks(KEYS) {
            let sql = self.transaction.statements.left(self.keys(chunk));
            if self.transaction.finds(&sql).await? {
                return Err(left_out());
            }
        }
        Ok(())
    }

    /// One statement writes the rows in which the same columns change: other columns are not touched.
    async fn update(&mut self, places: &[usize]) -> Result<(), Halt> {
        if places.iter().any(|place| self.large.contains(place)) {
            return Err(too_large());
        }
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for &place in places {
            let columns = self.changes[place].properties().map(|(column, ..)| column);
            let columns = columns.filter(|&column| self.transaction.layout.columns[column].role.on_update());
            alike.entry(columns.collect()).or_default().push(place);
        }
        alike.retain(|columns, _| !columns.is_empty());
        match self.update_once(&alike).await {
            Err(Halt::Database(e)) if error::is_duplicate(&e) && places.len() > 1 => {
                // The server checks row by row: values that users exchange are given up by all before they are taken.
                self.transaction.back().await?;
                for (columns, places) in &alike {
                    let exchanged = |column: &usize| self.transaction.exchanged.contains(column);
                    let vacated: Vec<usize> = columns.iter().copied().filter(exchanged).collect();
                    if !vacated.is_empty() {
                        let sql = self.transaction.statements.vacate(&vacated, places);
                        self.transaction.session.run_plain(&sql).await?;
                    }
                }
                self.update_once(&alike).await
            }
            done => done,
        }
    }

    async fn update_once(&mut self, alike: &BTreeMap<Vec<usize>, Vec<usize>>) -> Result<(), Halt> {
        for (columns, places) in alike {
            let sql = self.transaction.statements.update(columns, places);
            if self.transaction.session.run_plain(&sql).await? != places.len() as u64 {
                return Err(left_out());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Attempt for Changing<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        self.transaction.mark().await?;
        if let Err(halt) = self.write(places).await {
            return self.transaction.undo(halt).await.map(Outcome::Refused);
        }
        let put_back = self.put_back(places).await?;
        if put_back.is_empty() {
            return Ok(Outcome::Applied);
        }
        self.transaction.back().await?;
        let others = places.iter().copied().filter(|place| put_back.iter().all(|(back, _)| back != place));
        let others: Vec<usize> = others.collect();
        if !others.is_empty() {
            let outcome = self.attempt(&others).await?;
            if outcome != Outcome::Applied {
                return Ok(outcome);
            }
        }
        self.put_back.extend(put_back);
        Ok(Outcome::Applied)
    }
}

/// Adds users.
pub struct Adding<'t> {
    pub transaction: &'t mut Transaction,
    pub users: &'t Rows,
    /// Those of them to add.
    pub places: &'t [usize],
}

impl Adding<'_> {
    fn key(&self, place: usize) -> &str {
        self.users.row(place).get(0).unwrap_or_default()
    }

    /// Adds these users; `without` are columns that stay empty.
    async fn insert(&mut self, places: &[usize], without: &[usize]) -> Result<(), Halt> {
        let on = &mut *self.transaction;
        let limit = on.session.row_limit();
        let head = on.statements.insert(without);
        let mut sql = head.clone();
        for &place in places {
            let before = sql.len();
            if before > head.len() {
                sql.push(',');
            }
            on.statements.insert_row(&mut sql, self.users.row(place), without);
            if sql.len() - before > limit {
                return Err(too_large());
            }
            if sql.len() > on.session.statement_size() {
                on.session.run_plain(&sql).await?;
                sql.truncate(head.len());
            }
        }
        if sql.len() > head.len() {
            on.session.run_plain(&sql).await?;
        }
        Ok(())
    }

    /// Adds users who refer to each other, in whatever order: first without, then with what they refer to.
    async fn in_two_steps(&mut self, places: &[usize]) -> Result<(), Halt> {
        let references = self.transaction.references.clone();
        self.insert(places, &references).await?;
        let cells: BTreeMap<usize, usize> =
            self.transaction.layout.insert_columns().enumerate().map(|(cell, (column, _))| (column, cell)).collect();
        let given = |place: usize, column: usize| {
            let cell = cells.get(&column).filter(|_| references.contains(&column))?;
            self.users.row(place).get(*cell)
        };
        let referring = |place: &usize| references.iter().any(|&column| given(*place, column).is_some());
        let places: Vec<usize> = places.iter().copied().filter(referring).collect();
        let statements = &self.transaction.statements;
        let rows = places.iter().map(|&place| statements.fill_row(place, self.key(place), |i| given(place, i)));
        let rows: Vec<String> = rows.collect();
        self.transaction.stage(rows.into_iter()).await?;
        let columns: Vec<usize> = references.iter().copied().filter(|column| cells.contains_key(column)).collect();
        let sql = self.transaction.statements.update(&columns, &places);
        self.transaction.session.run_plain(&sql).await?;
        Ok(())
    }

    async fn write(&mut self, places: &[usize]) -> Result<(), Halt> {
        match self.insert(places, &[]).await {
            Err(Halt::Database(e)) if error::is_foreign_key(&e) && places.len() > 1 && self.refer() => {
                self.transaction.back().await?;
                self.in_two_steps(places).await
            }
            done => done,
        }
    }

    fn refer(&self) -> bool {
        let on = &self.transaction;
        on.references.iter().any(|column| on.layout.columns[*column].role.on_insert())
    }

    /// Whether one of these keys is there already.
    async fn taken(&mut self, places: &[usize]) -> Result<bool, StoreError> {
        for chunk in places.chunks(KEYS) {
            let sql = self.transaction.statements.taken(chunk.iter().map(|&place| self.key(place)));
            if self.transaction.finds(&sql).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Attempt for Adding<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        let places: Vec<usize> = places.iter().map(|&place| self.places[place]).collect();
        let places = places.as_slice();
        self.transaction.mark().await?;
        let halt = match self.write(places).await {
            Ok(()) => return Ok(Outcome::Applied),
            Err(halt) => halt,
        };
        let duplicate = matches!(&halt, Halt::Database(e) if error::is_duplicate(e));
        let refusal = self.transaction.undo(halt).await?;
        if duplicate && self.taken(places).await? {
            return Err(self.transaction.stale("users were added by somebody else meanwhile"));
        }
        Ok(Outcome::Refused(refusal))
    }

    async fn hopeless(&mut self, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
        let mut users = Rows::new(self.transaction.layout.insert_columns().count());
        places.iter().for_each(|&place| users.push_row(self.users.row(self.places[place]).cells()));
        let found = referring::to_nobody(self.transaction, &users).await?;
        // A neighbour that comes with a later batch may be the one.
        let refusal = |message| Refusal { mendable: true, ..Refusal::for_good(message) };
        Ok(found.into_iter().map(|refused| (places[refused.index], refusal(refused.message))).collect())
    }
}

/// The words for a row that stayed as it was without an error.
fn left_out() -> Halt {
    let message = "the database left the row as it was, without saying why: is there a trigger on the table?";
    Halt::Refused(Refusal::for_good(message))
}

fn too_large() -> Halt {
    let message = "the row is larger than the server takes in one statement (max_allowed_packet)";
    Halt::Refused(Refusal::for_good(message))
}
