//! Changes of users who are there, all or none of those chosen.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    super::{
        super::bisect::{Attempt, Outcome},
        cell::Stored,
        errors, ledger,
        shape::{CHUNK, quote},
    },
    Transaction,
    write::{Halt, rows_per_statement, tuples},
};
use crate::{
    model::change::{Change, ChangeKind},
    ports::StoreError,
};

/// Changes of one kind, with the addresses of their rows.
pub struct Changes<'t> {
    pub transaction: &'t mut Transaction,
    pub kind: ChangeKind,
    pub changes: &'t [Change],
    pub addresses: Vec<Stored>,
    /// Users whom a trigger put back, and the columns.
    pub put_back: Vec<(usize, String)>,
}

#[async_trait]
impl Attempt for Changes<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        self.transaction.run("savepoint attempt").await?;
        let mut written = self.write(places).await;
        if places.len() > 1 && matches!(&written, Err(Halt::Database(error)) if errors::broken_key(error).is_some()) {
            // Unique values are checked row by row: those that users exchange are given up by all before they are taken.
            self.transaction.run("rollback to attempt").await?;
            // If they can't be given up, what was said first stands.
            if self.vacate(places).await.is_ok() {
                written = self.write(places).await;
            }
        }
        if written.is_ok() {
            let put_back = self.put_back(places).await?;
            if !put_back.is_empty() {
                self.transaction.run("rollback to attempt").await?;
                let others = places.iter().copied().filter(|place| put_back.iter().all(|(back, _)| back != place));
                let others: Vec<usize> = others.collect();
                written = self.write(&others).await;
                if written.is_ok() {
                    self.put_back.extend(put_back);
                }
            }
        }
        self.transaction.settle(written).await
    }
}

impl Transaction {
    /// Holds for the row `u` whose address is `other`.
    fn at(&self, other: &str) -> String {
        let address = self.shape.address(&self.layout);
        match self.shape.rowid {
            Some(_) => format!("{address} = {other}"),
            // The index goes by the column's collation, the match by the exact key.
            None => format!("{address} = {other} and {address} = {other} collate binary and {}", self.condition),
        }
    }

    /// What [`Self::at`] needs bound behind it.
    fn at_values(&self) -> &[Stored] {
        if self.shape.rowid.is_some() { &[] } else { &self.scope }
    }
}

impl Changes<'_> {
    /// Empties what these users may exchange, for a moment.
    async fn vacate(&mut self, places: &[usize]) -> Result<(), Halt> {
        let exchanged = self.transaction.exchanged();
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for &place in places {
            let columns = self.changes[place].properties().map(|(column, ..)| column);
            alike.entry(columns.filter(|column| exchanged.contains(column)).collect()).or_default().push(place);
        }
        for (columns, places) in alike.iter().filter(|(columns, _)| !columns.is_empty()) {
            for chunk in places.chunks(CHUNK) {
                let transaction = &mut *self.transaction;
                let mut values: Vec<Stored> = chunk.iter().map(|&place| self.addresses[place].clone()).collect();
                values.extend_from_slice(transaction.at_values());
                let names = columns.iter().map(|&c| quote(&transaction.layout.columns[c].column.name));
                let set: Vec<String> = names.map(|name| format!("{name} = null")).collect();
                let sql = format!(
                    "update or abort {} as u set {} from (values {}) as v where {}",
                    quote(&transaction.shape.name),
                    set.join(", "),
                    tuples(1, chunk.len()),
                    transaction.at("v.column1")
                );
                transaction.execute(sql, &values).await?;
            }
        }
        Ok(())
    }

    /// Those of the users just written whose rows are what they were, with the columns: a trigger undid it.
    async fn put_back(&mut self, places: &[usize]) -> Result<Vec<(usize, String)>, StoreError> {
        if !self.transaction.shape.triggers || self.kind == ChangeKind::Delete {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for chunk in places.chunks(CHUNK) {
            let addresses: Vec<Stored> = chunk.iter().map(|&place| self.addresses[place].clone()).collect();
            for (address, cells) in self.transaction.stored(addresses).await? {
                let Some(&place) = chunk.iter().find(|place| self.addresses[**place].same(&address)) else { continue };
                let change = &self.changes[place];
                let on_update = |column: &usize| self.transaction.layout.columns[*column].role.on_update();
                let written: Vec<usize> = change.properties().map(|(column, ..)| column).filter(on_update).collect();
                if !written.is_empty() && written.iter().all(|&column| cells[column] == change.old[column]) {
                    let names = written.iter().map(|&c| self.transaction.layout.columns[c].column.name.as_str());
                    found.push((place, names.collect::<Vec<_>>().join(", ")));
                }
            }
        }
        Ok(found)
    }

    async fn write(&mut self, places: &[usize]) -> Result<(), Halt> {
        match self.kind {
            ChangeKind::Delete => self.delete(places).await?,
            ChangeKind::Deactivate | ChangeKind::Update | ChangeKind::Restore => self.update(places).await?,
        }
        let keys: Vec<&str> = places.iter().map(|&place| self.changes[place].key()).collect();
        let transaction = &mut *self.transaction;
        match self.kind {
            ChangeKind::Deactivate => {
                ledger::note(&mut transaction.connection, &transaction.sync, &transaction.users, &keys).await?
            }
            ChangeKind::Delete | ChangeKind::Restore => {
                ledger::forget(&mut transaction.connection, &transaction.sync, &transaction.users, &keys).await?;
            }
            ChangeKind::Update => {}
        }
        Ok(())
    }

    async fn delete(&mut self, places: &[usize]) -> Result<(), Halt> {
        let transaction = &mut *self.transaction;
        let table = quote(&transaction.shape.name);
        for chunk in places.chunks(CHUNK) {
            let mut values: Vec<Stored> = chunk.iter().map(|&place| self.addresses[place].clone()).collect();
            let list = tuples(1, chunk.len());
            let key = quote(&transaction.layout.key().name);
            let sql = match transaction.shape.rowid {
                Some(rowid) => format!("delete from {table} as u where u.{rowid} in (values {list})"),
                None => {
                    // First by the index, which goes by the column's collation, then by the exact key.
                    values.extend_from_within(..);
                    values.extend(transaction.scope.iter().cloned());
                    format!(
                        "delete from {table} as u where u.{key} in (values {list}) \
                         and u.{key} collate binary in (values {list}) and {}",
                        transaction.condition
                    )
                }
            };
            Transaction::expect(transaction.execute(sql, &values).await?, chunk.len())?;
        }
        Ok(())
    }

    /// One statement writes the rows in which the same columns change: other columns are not touched.
    async fn update(&mut self, places: &[usize]) -> Result<(), Halt> {
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for &place in places {
            let columns = self.changes[place].properties().map(|(column, ..)| column);
            let columns = columns.filter(|&column| self.transaction.layout.columns[column].role.on_update());
            alike.entry(columns.collect()).or_default().push(place);
        }
        for (columns, places) in alike.iter().filter(|(columns, _)| !columns.is_empty()) {
            for chunk in places.chunks(rows_per_statement(columns.len() + 1)) {
                self.update_alike(columns, chunk).await?;
            }
        }
        Ok(())
    }

    async fn update_alike(&mut self, columns: &[usize], places: &[usize]) -> Result<(), Halt> {
        let transaction = &mut *self.transaction;
        let mut values = Vec::with_capacity(places.len() * (columns.len() + 1));
        for &place in places {
            values.push(self.addresses[place].clone());
            for &column in columns {
                let new = self.changes[place].new[column].as_deref();
                values.push(transaction.bind(column, new).map_err(Halt::refused)?);
            }
        }
        values.extend_from_slice(transaction.at_values());
        let set: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(at, &c)| format!("{} = v.column{}", quote(&transaction.layout.columns[c].column.name), at + 2))
            .collect();
        let sql = format!(
            "update or abort {} as u set {} from (values {}) as v where {}",
            quote(&transaction.shape.name),
            set.join(", "),
            tuples(columns.len() + 1, places.len()),
            transaction.at("v.column1")
        );
        Transaction::expect(transaction.execute(sql, &values).await?, places.len())
    }
}
