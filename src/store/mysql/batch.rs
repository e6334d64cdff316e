//! The statements of the one transaction. Rows that are to be changed wait in a temporary table, as text: the key (`k`) and, of
//! each column of the layout that may change, what it becomes (`n0`, `n1`, …).

use std::collections::BTreeMap;

use super::{
    columns::{Described, assignment, scope_sql, scope_value},
    sql::{list, push_value, quote, staged, value},
    users::Users,
};
use crate::{
    model::{column::ColumnDefault, plan::Layout, rows::Row},
    ports::StoreError,
};

/// The temporary table.
const ROWS: &str = "usersync_rows";

/// Builds the statements for one table, layout and scope.
pub struct Statements {
    users: Users,
    layout: Layout,
    /// Holds for rows of `u` in scope.
    scope: String,
    /// Of each column of the layout.
    columns: Vec<Described>,
    /// Scope columns that the layout doesn't insert: name and the value as SQL.
    constants: Vec<(String, String)>,
    /// Whether the key is unique whatever the scope.
    key_alone: bool,
}

impl Statements {
    /// Fails with [`StoreError::Invalid`] where the table lacks a column.
    pub fn new(
        users: &Users,
        layout: &Layout,
        scope: &BTreeMap<String, String>,
        mut columns: Vec<Described>,
        key_alone: bool,
    ) -> Result<Self, StoreError> {
        let gone = |name: &str| {
            StoreError::Invalid(format!(
                "table {} has no column {} any more: it was changed while the run worked; nothing was written",
                users.sql(),
                quote(name)
            ))
        };
        let inserted = |name: &str| layout.insert_columns().any(|(_, c)| c.column.name == name);
        let condition = scope_sql("u", scope, &columns);
        let constants = scope
            .iter()
            .filter(|(name, _)| !inserted(name))
            .map(|(name, text)| {
                let column = columns.iter().find(|c| c.column.name == *name).ok_or_else(|| gone(name))?;
                Ok((name.clone(), scope_value(&column.column.kind, text)))
            })
            .collect::<Result<_, _>>()?;
        let mut of_layout = Vec::with_capacity(layout.columns.len());
        for wanted in &layout.columns {
            let name = &wanted.column.name;
            let at = columns.iter().position(|c| c.column.name == *name).ok_or_else(|| gone(name))?;
            of_layout.push(columns.swap_remove(at));
        }
        let (users, layout) = (users.clone(), layout.clone());
        Ok(Self { users, layout, scope: condition, columns: of_layout, constants, key_alone })
    }

    fn rows(&self) -> String {
        self.users.beside(ROWS)
    }

    fn key(&self) -> String {
        format!("u.{}", quote(&self.layout.key().name))
    }

    /// A match key as a literal of its column's type.
    pub fn key_value(&self, key: &str) -> String {
        value(&self.layout.key().kind, key)
    }

    /// Makes the temporary table. Its key is of the users' own kind, so that the index serves.
    pub fn make(&self) -> String {
        let cell = |i: usize| format!(", n{i} longtext character set utf8mb4 collate utf8mb4_bin");
        let cells: String = self.staged_columns().map(cell).collect();
        format!(
            "create temporary table {} (place integer unsigned not null primary key, k {} not null{cells}) engine = InnoDB",
            self.rows(),
            self.columns[0].declared
        )
    }

    /// The columns of the layout that the temporary table has.
    fn staged_columns(&self) -> impl Iterator<Item = usize> {
        (1..self.layout.columns.len()).filter(|&i| {
            let role = self.layout.columns[i].role;
            role.on_update() || role.on_insert()
        })
    }

    /// Empties it.
    pub fn clear(&self) -> String {
        format!("delete from {}", self.rows())
    }

    /// Fills it, up to the rows themselves.
    pub fn fill(&self) -> String {
        let names: String = self.staged_columns().map(|i| format!(", n{i}")).collect();
        format!("insert into {} (place, k{names}) values ", self.rows())
    }

    /// A row of [`Self::fill`]: `new` is asked for each column that it may change; None leaves the column out.
    pub fn fill_row<'t>(&self, place: usize, key: &str, new: impl Fn(usize) -> Option<&'t str>) -> String {
        let mut row = format!("({place}, {}", self.key_value(key));
        for i in self.staged_columns() {
            row.push_str(", ");
            match new(i) {
                Some(text) => row.push_str(&staged(&self.columns[i].column.kind, text)),
                None => row.push_str("null"),
            }
        }
        row.push(')');
        row
    }

    /// Writes these columns of the users in these places.
    pub fn update(&self, columns: &[usize], places: &[usize]) -> String {
        self.set(columns, places, |i| assignment(&self.columns[i], &format!("x.n{i}")))
    }

    /// Empties these columns of the users in these places, for a moment.
    pub fn vacate(&self, columns: &[usize], places: &[usize]) -> String {
        self.set(columns, places, |_| "null".to_owned())
    }

    fn set(&self, columns: &[usize], places: &[usize], value: impl Fn(usize) -> String) -> String {
        let sets = columns.iter().map(|&i| format!("u.{} = {}", quote(&self.layout.columns[i].column.name), value(i)));
        format!(
            "update {} as x straight_join {} as u on {} = x.k set {} where {} and {}",
            self.rows(),
            self.users.sql(),
            self.key(),
            sets.collect::<Vec<_>>().join(", "),
            among(places),
            self.scope
        )
    }

    /// Adds users, up to the rows themselves; `without` are columns of the layout that are left out.
    pub fn insert(&self, without: &[usize]) -> String {
        let names = self.layout.insert_columns().filter(|(i, _)| !without.contains(i));
        let names = names.map(|(_, c)| quote(&c.column.name));
        let names: Vec<String> = names.chain(self.constants.iter().map(|(name, _)| quote(name))).collect();
        format!("insert into {} ({}) values ", self.users.sql(), names.join(", "))
    }

    /// Adds a row of [`Self::insert`]. An empty cell of a column that can't be empty is the column's default.
    pub fn insert_row(&self, out: &mut String, row: Row<'_>, without: &[usize]) {
        let mut separator = '(';
        for (cell, (i, _)) in self.layout.insert_columns().enumerate() {
            if without.contains(&i) {
                continue;
            }
            out.push(separator);
            separator = ',';
            let column = &self.columns[i].column;
            match row.get(cell) {
                Some(text) => push_value(out, &column.kind, text),
                None if !column.nullable && column.default != ColumnDefault::None => out.push_str("default"),
                None => out.push_str("null"),
            }
        }
        for (_, value) in &self.constants {
            out.push(separator);
            separator = ',';
            out.push_str(value);
        }
        out.push(')');
    }

    /// Reads the users with these keys, and keeps others off them until the transaction ends.
    pub fn lock<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        format!(
            "select {} from {} as u where {} in {} and {} for update",
            super::scan::selected(&self.layout),
            self.users.sql(),
            self.key(),
            self.keys(keys),
            self.scope
        )
    }

    /// Whether one of these keys of users to be added is there already.
    pub fn taken<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        let scope = if self.key_alone { "true" } else { &self.scope };
        format!(
            "select 1 from {} as u where {} in {} and {scope} limit 1 lock in share mode",
            self.users.sql(),
            self.key(),
            self.keys(keys)
        )
    }

    /// The match keys of these that the table has, in whatever scope.
    pub fn present<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        let key = self.key();
        let selected = super::types::selected(&self.layout.key().kind, &key);
        format!("select {selected} from {} as u where {key} in {}", self.users.sql(), self.keys(keys))
    }

    /// Deletes the users with these keys.
    pub fn delete<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        let table = self.users.sql();
        format!("delete u from {table} as u where {} in {} and {}", self.key(), self.keys(keys), self.scope)
    }

    /// Whether one of the users with these keys is there.
    pub fn left<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        let table = self.users.sql();
        format!("select 1 from {table} as u where {} in {} and {} limit 1", self.key(), self.keys(keys), self.scope)
    }

    /// Empties these columns of the users with these keys.
    pub fn release<'k>(&self, columns: &[usize], keys: impl Iterator<Item = &'k str>) -> String {
        let sets = columns.iter().map(|&i| format!("u.{} = null", quote(&self.layout.columns[i].column.name)));
        format!(
            "update {} as u set {} where {} in {} and {}",
            self.users.sql(),
            sets.collect::<Vec<_>>().join(", "),
            self.key(),
            self.keys(keys),
            self.scope
        )
    }

    fn keys<'k>(&self, keys: impl Iterator<Item = &'k str>) -> String {
        list(keys.map(|key| self.key_value(key)))
    }
}

/// The rows of `x` in these places (ascending).
fn among(places: &[usize]) -> String {
    match places {
        [] => "false".to_owned(),
        [first, .., last] if last - first + 1 == places.len() => format!("x.place between {first} and {last}"),
        _ => format!("x.place in {}", list(places.iter().map(usize::to_string))),
    }
}

#[cfg(test)]
mod tests {
    use super::among;

    #[test]
    fn neighbours_are_a_range() {
        for (places, expected) in [
            (&[][..], "false"),
            (&[7], "x.place in (7)"),
            (&[7, 8, 9], "x.place between 7 and 9"),
            (&[7, 9], "x.place in (7, 9)"),
        ] {
            assert_eq!(among(places), expected);
        }
    }
}
