//! Finds the rows that changes are about, and sees that they are what was compared: read in the transaction, brought to
//! canonical text and compared here, because equal values may be stored in several forms (`1.50` and `1.5`).

use std::{borrow::Cow, collections::HashMap};

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

use super::{
    super::{
        cell::{self, Stored},
        shape::{CHUNK, arguments, quote},
    },
    Transaction,
};
use crate::{model::change::Change, ports::StoreError};

impl Transaction {
    /// The addresses of the changes' rows, in their order. Fails with [`StoreError::Stale`] if one is gone or differs.
    pub(super) async fn find(&mut self, changes: &[Change]) -> Result<Vec<Stored>, StoreError> {
        let mut addresses = Vec::with_capacity(changes.len());
        for chunk in changes.chunks(CHUNK) {
            let mut found = vec![Stored::Null; chunk.len()];
            let places: HashMap<&str, usize> = chunk.iter().enumerate().map(|(place, c)| (c.key(), place)).collect();
            let forms: Vec<Stored> = chunk.iter().flat_map(|change| self.key_forms(change.key())).collect();
            let key = format!("u.{}", quote(&self.layout.key().name));
            for row in self.rows(&key, forms).await? {
                self.compare(&row, &places, chunk, &mut found)?;
            }
            self.find_odd(chunk, &places, &mut found).await?;
            addresses.append(&mut found);
        }
        Ok(addresses)
    }

    /// The rows in scope whose `column` is one of the values: address first, then the layout's columns.
    async fn rows(&mut self, column: &str, mut values: Vec<Stored>) -> Result<Vec<SqliteRow>, StoreError> {
        let list = vec!["?"; values.len()].join(", ");
        let columns: Vec<String> = self.layout.columns.iter().map(|c| self.shape.select(&c.column.name)).collect();
        let sql = format!(
            "select {}, {} from {} as u where {column} in ({list}) and {}",
            self.shape.address(&self.layout),
            columns.join(", "),
            quote(&self.shape.name),
            self.condition
        );
        values.extend(self.scope.iter().cloned());
        self.fetch(sql, &values).await
    }

    /// The rows at these addresses as they are now.
    pub(super) async fn stored(
        &mut self,
        addresses: Vec<Stored>,
    ) -> Result<Vec<(Stored, Vec<Option<String>>)>, StoreError> {
        let address = self.shape.address(&self.layout);
        let rows = self.rows(&address, addresses).await?;
        let read = |row: &SqliteRow| {
            let cell = |at: usize| cell::text(row.try_get_raw(at + 1)?, self.kind(at));
            let cells = (0..self.layout.columns.len()).map(|at| Ok(cell(at)?.map(Cow::into_owned)));
            let cells = cells.collect::<Result<_, sqlx::Error>>()?;
            Ok((row.try_get_raw(0).and_then(Stored::read)?, cells))
        };
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>().map_err(|error| self.fatal(&error))
    }

    /// Notes the address of a row that is one of the chunk's users, as it was compared.
    fn compare(
        &self,
        row: &SqliteRow,
        places: &HashMap<&str, usize>,
        chunk: &[Change],
        found: &mut [Stored],
    ) -> Result<(), StoreError> {
        let cell = |column: usize| cell::text(row.try_get_raw(column + 1)?, self.kind(column));
        let key = cell(0).map_err(|error| self.fatal(&error))?.unwrap_or_default();
        // Another one, whose key the column's collation takes for the same.
        let Some(&place) = places.get(key.as_ref()) else {
            return Ok(());
        };
        for (column, old) in chunk[place].old.iter().enumerate().skip(1) {
            let now = cell(column).map_err(|error| self.fatal(&error))?;
            if now.as_deref() != old.as_deref() {
                return Err(self.stale(&key, "was edited"));
            }
        }
        found[place] = row.try_get_raw(0).and_then(Stored::read).map_err(|error| self.fatal(&error))?;
        Ok(())
    }

    /// Looks for those not found yet among rows whose match key is stored in another form than it is bound in.
    async fn find_odd(
        &mut self,
        chunk: &[Change],
        places: &HashMap<&str, usize>,
        found: &mut [Stored],
    ) -> Result<(), StoreError> {
        let missing: Vec<usize> = (0..chunk.len()).filter(|&place| found[place] == Stored::Null).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let odd = match self.odd.take() {
            Some(odd) => odd,
            None => self.odd_keys().await.map_err(|error| self.fatal(&error))?,
        };
        let addresses: Vec<Stored> = missing.iter().filter_map(|&place| odd.get(chunk[place].key()).cloned()).collect();
        self.odd = Some(odd);
        if !addresses.is_empty() {
            let address = self.shape.address(&self.layout);
            for row in self.rows(&address, addresses).await? {
                self.compare(&row, places, chunk, found)?;
            }
        }
        match missing.iter().find(|&&place| found[place] == Stored::Null) {
            Some(&place) => Err(self.stale(chunk[place].key(), "was removed")),
            None => Ok(()),
        }
    }

    /// Reads all match keys in scope and keeps those that are not stored as they are bound.
    async fn odd_keys(&mut self) -> Result<HashMap<String, Stored>, sqlx::Error> {
        let sql = format!(
            "select {}, u.{} from {} as u where {}",
            self.shape.address(&self.layout),
            quote(&self.layout.key().name),
            quote(&self.shape.name),
            self.condition
        );
        let kind = self.kind(0).clone();
        let affinity = self.affinities[0];
        let mut odd = HashMap::new();
        let mut rows = sqlx::query_with(AssertSqlSafe(sql), arguments(&self.scope)?).fetch(&mut self.connection);
        while let Some(row) = rows.try_next().await? {
            let stored = Stored::read(row.try_get_raw(1)?)?;
            let Some(text) = stored.canonical(&kind).map(Cow::into_owned) else {
                continue;
            };
            if !cell::bind(&kind, affinity, &text).is_ok_and(|bound| bound.same(&stored)) {
                odd.insert(text, Stored::read(row.try_get_raw(0)?)?);
            }
        }
        Ok(odd)
    }
}
