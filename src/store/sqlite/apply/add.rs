//! Users who are added, all or none of those chosen.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use async_trait::async_trait;
use sqlx::Row;

use super::{
    super::{
        super::{
            bisect::{Attempt, Outcome, Refusal},
            referring::{self, References},
        },
        cell::{self, Stored},
        errors,
        shape::{CHUNK, execute, quote},
        wanted::covers_key,
    },
    Transaction, bind,
    write::{Halt, rows_per_statement, tuples},
};
use crate::{
    model::{
        column::{Case, Column, ColumnDefault, ColumnType},
        rows::Rows,
    },
    ports::StoreError,
};

/// Users to add.
pub struct Adds<'t> {
    pub transaction: &'t mut Transaction,
    pub users: &'t Rows,
}

/// A cell in a row of users, and the layout's column that it is for.
type Given = (usize, usize);

#[async_trait]
impl Attempt for Adds<'_> {
    async fn attempt(&mut self, places: &[usize]) -> Result<Outcome, StoreError> {
        self.transaction.run("savepoint attempt").await?;
        let mut written = self.write(places, false).await;
        if places.len() > 1 && matches!(&written, Err(Halt::Database(error)) if errors::is_foreign_key(error)) {
            // Foreign keys are checked when a statement ends: users may refer to each other within one.
            self.transaction.run("rollback to attempt").await?;
            written = self.write(places, true).await;
        }
        if let (Err(Halt::Database(error)), &[place]) = (&written, places)
            && let Some(broken) = errors::broken_key(error)
        {
            let broken: Vec<String> = broken.into_iter().map(str::to_owned).collect();
            self.see_key(&broken, place).await?;
        }
        self.transaction.settle(written).await
    }

    async fn hopeless(&mut self, places: &[usize]) -> Result<Vec<(usize, Refusal)>, StoreError> {
        let on = &mut *self.transaction;
        let key = on.layout.key().name.clone();
        let columns: Vec<(usize, usize)> = on
            .layout
            .insert_columns()
            .enumerate()
            .filter(|(_, (_, c))| {
                let to_key = |to: &Option<String>| to.as_ref().is_none_or(|to| to.eq_ignore_ascii_case(&key));
                on.shape.references.iter().any(|(from, to)| *from == c.column.name && to_key(to))
            })
            .map(|(cell, (column, _))| (cell, column))
            .collect();
        let here: HashMap<String, usize> = places
            .iter()
            .map(|&place| (on.alike(self.users.row(place).get(0).unwrap_or_default()).into_owned(), place))
            .collect();
        let mut references = References::default();
        for (cell, column) in columns {
            let mut open = Vec::new();
            for &place in places {
                let Some(above) = self.users.row(place).get(cell) else { continue };
                match here.get(on.alike(above).as_ref()) {
                    Some(above) => references.refers(place, Some(*above), column),
                    None => open.push((place, above)),
                }
            }
            for chunk in open.chunks(CHUNK) {
                let there = on.there(chunk.iter().map(|(_, above)| *above)).await?;
                for (place, above) in chunk {
                    if !there.contains(on.alike(above).as_ref()) {
                        references.refers(*place, None, column);
                    }
                }
            }
        }
        let name = |column: usize| on.layout.columns[column].column.name.as_str();
        // A neighbour that comes with a later batch may be the one.
        let refusal = |column| Refusal { mendable: true, ..Refusal::for_good(referring::message(name(column))) };
        Ok(references.without_anybody().into_iter().map(|(place, column)| (place, refusal(column))).collect())
    }
}

impl Transaction {
    /// A match key in the form in which those that are equal to the unique index are equal text.
    fn alike<'k>(&self, key: &'k str) -> Cow<'k, str> {
        match self.layout.key().kind {
            ColumnType::Text { case: Case::AsciiIgnored, .. } => Cow::Owned(key.to_ascii_lowercase()),
            ColumnType::Text { padded: true, .. } => Cow::Borrowed(key.trim_end_matches(' ')),
            _ => Cow::Borrowed(key),
        }
    }

    /// Which of these users are in the table, in whatever scope: their keys as [`Self::alike`] has them.
    async fn there<'k>(&mut self, keys: impl Iterator<Item = &'k str>) -> Result<HashSet<String>, StoreError> {
        let forms: Vec<Stored> = keys.flat_map(|key| self.key_forms(key)).collect();
        let name = quote(&self.layout.key().name);
        let list = vec!["?"; forms.len()].join(", ");
        let sql = format!("select u.{name} from {} as u where u.{name} in ({list})", quote(&self.shape.name));
        let mut there = HashSet::new();
        for row in self.fetch(sql, &forms).await? {
            let key = row.try_get_raw(0).and_then(|value| cell::text(value, self.kind(0)));
            let key = key.map_err(|error| self.fatal(&error))?.unwrap_or_default();
            there.insert(self.alike(&key).into_owned());
        }
        Ok(there)
    }
}

impl Adds<'_> {
    /// Places whose rows give the same columns, with these. Where an empty cell means a default that only the database knows, the column is left out.
    fn alike(&self, places: &[usize]) -> Vec<(Vec<Given>, Vec<usize>)> {
        let Transaction { layout, constants, .. } = &*self.transaction;
        // A scope's column that is mapped as well has the scope's value.
        let constant = |name: &str| constants.iter().any(|(constant, _)| constant == name);
        let cells: Vec<(usize, &Column)> = layout.insert_columns().map(|(at, c)| (at, &c.column)).collect();
        let defaulted = |cell: usize| !cells[cell].1.nullable && cells[cell].1.default == ColumnDefault::Expression;
        let defaulted: Vec<usize> = (0..cells.len()).filter(|&cell| defaulted(cell)).collect();
        let mut alike: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for &place in places {
            let row = self.users.row(place);
            let left_out = defaulted.iter().copied().filter(|&cell| row.get(cell).is_none()).collect();
            alike.entry(left_out).or_default().push(place);
        }
        let given = |left_out: &[usize]| {
            let cells = cells.iter().enumerate().filter(|(at, (_, c))| !left_out.contains(at) && !constant(&c.name));
            cells.map(|(cell, (column, _))| (cell, *column)).collect()
        };
        alike.into_iter().map(|(left_out, places)| (given(&left_out), places)).collect()
    }

    /// `staged`: all rows by one statement, from a temporary table.
    async fn write(&mut self, places: &[usize], staged: bool) -> Result<(), Halt> {
        for (cells, places) in self.alike(places) {
            let names = self.columns(&cells);
            let table = quote(&self.transaction.shape.name);
            // `or abort`, whatever a constraint of the table says: `on conflict replace` would delete other users.
            let target = format!("insert or abort into main.{table} ({})", names.join(", "));
            if staged {
                let stage = format!("create temp table usersync_stage ({})", names.join(", "));
                self.transaction.execute(stage, &[]).await?;
                self.insert("insert into temp.usersync_stage", &cells, &places).await?;
                let sql = format!("{target} select * from temp.usersync_stage order by rowid");
                Transaction::expect(self.transaction.execute(sql, &[]).await?, places.len())?;
                self.transaction.execute("drop table temp.usersync_stage".to_owned(), &[]).await?;
            } else {
                self.insert(&target, &cells, &places).await?;
            }
        }
        Ok(())
    }

    /// The layout's columns among `cells`, then the scope's, quoted.
    fn columns(&self, cells: &[Given]) -> Vec<String> {
        let names = cells.iter().map(|(_, column)| &self.transaction.layout.columns[*column].column.name);
        names.chain(self.transaction.constants.iter().map(|(name, _)| name)).map(|name| quote(name)).collect()
    }

    /// `into`: the statement up to its values. While SQLite writes some users, the next ones are bound.
    async fn insert(&mut self, into: &str, cells: &[Given], places: &[usize]) -> Result<(), Halt> {
        let Transaction { connection, layout, affinities, constants, .. } = &mut *self.transaction;
        let width = cells.len() + constants.len();
        let bind = |chunk: &[usize]| {
            let mut values = Vec::with_capacity(chunk.len() * width);
            for &place in chunk {
                let row = self.users.row(place);
                for &(cell, column) in cells {
                    values.push(bind(layout, affinities, column, row.get(cell)).map_err(Halt::refused)?);
                }
                values.extend(constants.iter().map(|(_, value)| value.clone()));
            }
            Ok::<_, Halt>(values)
        };
        let mut chunks = places.chunks(rows_per_statement(width));
        let mut next = chunks.next().map(|chunk| (chunk.len(), bind(chunk)));
        while let Some((rows, values)) = next {
            let (sql, values) = (format!("{into} values {}", tuples(width, rows)), values?);
            let ahead = async { chunks.next().map(|chunk| (chunk.len(), bind(chunk))) };
            let (written, bound) = tokio::join!(execute(connection, sql, &values), ahead);
            Transaction::expect(written?.rows_affected(), rows)?;
            next = bound;
        }
        Ok(())
    }

    /// Fails with [`StoreError::Stale`] if it was the match key that the row broke, and the user is there meanwhile
    /// (not only one whose key the collation takes for the same).
    async fn see_key(&mut self, broken: &[String], place: usize) -> Result<(), StoreError> {
        let transaction = &mut *self.transaction;
        let scope: Vec<String> = transaction.constants.iter().map(|(name, _)| name.clone()).collect();
        let name = quote(&transaction.layout.key().name);
        let is_key = covers_key(&transaction.shape.table, &transaction.layout.key().name, &scope)
            .is_some_and(|key| key.len() == broken.len() && key.iter().all(|column| broken.contains(column)));
        if !is_key {
            return Ok(());
        }
        let key = self.users.row(place).get(0).unwrap_or_default();
        let select = format!("select u.{name} from {} as u where u.{name} = ?", quote(&transaction.shape.name));
        let forms = transaction.key_forms(key);
        for row in transaction.fetch(select, &forms[..1]).await? {
            let there = row.try_get_raw(0).and_then(|value| cell::text(value, transaction.kind(0)));
            if there.map_err(|error| transaction.fatal(&error))?.as_deref() == Some(key) {
                return Err(transaction.stale(key, "was added by somebody else"));
            }
        }
        Ok(())
    }
}
