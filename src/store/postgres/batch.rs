//! The statements of the one transaction. Rows that are to be changed or added wait in a temporary table, as text: for
//! each column of the layout what was compared (`o0`, `o1`, …) and what it becomes (`n0`, `n1`, …).

use std::collections::BTreeMap;

use super::{
    ledger,
    sql::{literal, quote},
    users::{self, Described, Users},
};
use crate::{
    model::{column::ColumnType, job::SyncId, plan::Layout},
    ports::StoreError,
};

/// The temporary table.
const ROWS: &str = "pg_temp.usersync_rows";

/// Builds the statements for one table, layout and scope.
pub struct Statements {
    users: Users,
    layout: Layout,
    scope: BTreeMap<String, String>,
    /// Of each column of the layout: what text is cast to before it is assigned.
    bases: Vec<String>,
    /// The key's own type.
    key_type: String,
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
        columns: &[Described],
        key_alone: bool,
    ) -> Result<Self, StoreError> {
        let find = |name: &str| {
            columns.iter().find(|c| c.column.name == name).ok_or_else(|| {
                StoreError::Invalid(format!(
                    "table {} has no column {} any more: it was changed while the run worked; nothing was written",
                    users.sql(),
                    quote(name)
                ))
            })
        };
        let bases = layout.columns.iter().map(|c| Ok(find(&c.column.name)?.base.clone())).collect::<Result<_, _>>()?;
        let inserted = |name: &str| layout.insert_columns().any(|(_, c)| c.column.name == name);
        let constants = scope
            .iter()
            .filter(|(name, _)| !inserted(name))
            .map(|(name, value)| Ok((name.clone(), format!("{}::{}", literal(value), find(name)?.own))))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            users: users.clone(),
            layout: layout.clone(),
            scope: scope.clone(),
            bases,
            key_type: find(&layout.key().name)?.own.clone(),
            constants,
            key_alone,
        })
    }

    /// Makes the temporary table.
    pub fn make(&self) -> String {
        let cells: String = (0..self.layout.columns.len()).map(|i| format!(", o{i} text, n{i} text")).collect();
        format!("create temporary table usersync_rows (place integer primary key{cells}) on commit drop")
    }

    /// Empties it.
    pub fn clear(&self) -> String {
        format!("truncate {ROWS}")
    }

    /// Tells the planner how much is in it; nothing else of it is searched for.
    pub fn analyze(&self) -> String {
        format!("analyze {ROWS} (place, o0, n0)")
    }

    /// Fills it with changes: place, every old value, every new one.
    pub fn fill_changes(&self) -> String {
        let width = self.layout.columns.len();
        let columns = |kind: char| (0..width).map(move |i| format!(", {kind}{i}")).collect::<String>();
        format!("copy {ROWS} (place{}{}) from stdin", columns('o'), columns('n'))
    }

    /// Fills it with added users: place, and the new value of each column that is inserted.
    pub fn fill_adds(&self) -> String {
        let columns: String = self.layout.insert_columns().map(|(i, _)| format!(", n{i}")).collect();
        format!("copy {ROWS} (place{columns}) from stdin")
    }

    /// Adds users straight from the line: the inserted columns, then the scope's.
    pub fn copy_users(&self) -> String {
        format!("copy {} ({}) from stdin", self.users.sql(), self.insert_names())
    }

    /// The scope's values as they follow the inserted columns in [`Self::copy_users`].
    pub fn constants(&self) -> impl Iterator<Item = &str> {
        self.constants.iter().filter_map(|(name, _)| self.scope.get(name)).map(String::as_str)
    }

    fn insert_names(&self) -> String {
        let names = self.layout.insert_columns().map(|(_, c)| quote(&c.column.name));
        names.chain(self.constants.iter().map(|(name, _)| quote(name))).collect::<Vec<_>>().join(", ")
    }

    /// Adds the users in these places.
    pub fn insert(&self, places: &[usize]) -> String {
        let values = self.layout.insert_columns().map(|(i, _)| format!("x.n{i}::{}", self.bases[i]));
        let values: Vec<String> = values.chain(self.constants.iter().map(|(_, value)| value.clone())).collect();
        format!(
            "insert into {} ({}) select {} from {ROWS} as x where {} order by x.place",
            self.users.sql(),
            self.insert_names(),
            values.join(", "),
            among(places)
        )
    }

    /// Who of the users in these places refers in this column to somebody who is not in the table: the place, and the place of
    /// that one if it is among them.
    pub fn referring(&self, column: usize, places: &[usize]) -> String {
        let key = &self.key_type;
        format!(
            "with y as (select x.place, x.n0::{key} as key from {ROWS} as x where {among}) \
             select x.place, y.place from {ROWS} as x left join y on y.key = x.n{column}::{key} \
             where {among} and x.n{column} is not null and not exists (select from {} as u where u.{} = x.n{column}::{key})",
            self.users.sql(),
            quote(&self.layout.key().name),
            among = among(places)
        )
    }

    /// Whether the key of a user to be added is there already.
    pub fn taken(&self, places: &[usize]) -> String {
        let scope = if self.key_alone { "true".to_owned() } else { users::scope_sql("u", &self.scope) };
        format!(
            "select exists (select from {ROWS} as x join {} as u on u.{} = x.n0::{} where {} and {scope})",
            self.users.sql(),
            quote(&self.layout.key().name),
            self.key_type,
            among(places)
        )
    }

    /// Empties what differs in these columns of the users in these places, for a moment.
    pub fn vacate(&self, columns: &[usize], places: &[usize]) -> String {
        let sets = columns.iter().map(|i| {
            let name = quote(&self.layout.columns[*i].column.name);
            format!("{name} = case when x.n{i} is distinct from x.o{i} then null else u.{name} end")
        });
        format!(
            "update {} as u set {} from {ROWS} as x where {} and {}",
            self.users.sql(),
            sets.collect::<Vec<_>>().join(", "),
            among(places),
            self.same()
        )
    }

    /// Deletes the users in these places.
    pub fn delete(&self, places: &[usize]) -> String {
        format!("delete from {} as u using {ROWS} as x where {} and {}", self.users.sql(), among(places), self.same())
    }

    /// Writes what differs of the users in these places; None where the layout has nothing to write. `vacated`: their rows are
    /// locked, and not what was compared any more.
    pub fn update(&self, places: &[usize], vacated: bool) -> Option<String> {
        let sets: Vec<String> = self
            .layout
            .update_columns()
            .map(|(i, c)| {
                let (name, base) = (quote(&c.column.name), &self.bases[i]);
                format!("{name} = case when x.n{i} is distinct from x.o{i} then x.n{i}::{base} else u.{name} end")
            })
            .collect();
        let rows = if vacated { self.who() } else { self.same() };
        (!sets.is_empty()).then(|| {
            format!(
                "update {} as u set {} from {ROWS} as x where {} and {rows}",
                self.users.sql(),
                sets.join(", "),
                among(places),
            )
        })
    }

    /// Of the users in these places those whose rows are what they were, although something was written: place, and the columns
    /// in which that would have differed.
    pub fn put_back(&self, places: &[usize]) -> String {
        let written: Vec<usize> = self.layout.update_columns().map(|(i, _)| i).collect();
        let names = written.iter().map(|i| {
            let name = literal(&self.layout.columns[*i].column.name);
            format!("case when x.n{i} is distinct from x.o{i} then {name} end")
        });
        let as_before = written.iter().map(|i| self.holds(*i, 'o'));
        let otherwise: Vec<String> = written.iter().map(|i| self.holds(*i, 'n')).collect();
        format!(
            "select x.place, concat_ws(', ', {}) from {ROWS} as x join {} as u on {} where {} and {} and not ({}) order by 1",
            names.collect::<Vec<_>>().join(", "),
            self.users.sql(),
            self.who(),
            among(places),
            as_before.collect::<Vec<_>>().join(" and "),
            otherwise.join(" and ")
        )
    }

    /// How many of the users in these places are not as they were compared.
    pub fn stale(&self, places: &[usize]) -> String {
        format!(
            "select count(*) from {ROWS} as x where {} and not exists (select from {} as u where {})",
            among(places),
            self.users.sql(),
            self.same()
        )
    }

    /// The row of `u` is that of `x`, as it was compared, and in scope.
    fn same(&self) -> String {
        let cells = (0..self.layout.columns.len()).map(|i| self.holds(i, 'o'));
        let terms: Vec<String> = std::iter::once(self.who()).chain(cells).collect();
        terms.join(" and ")
    }

    /// The row of `u` is of the user of `x`, and in scope.
    fn who(&self) -> String {
        let key = format!("u.{} = x.o0::{}", quote(&self.layout.key().name), self.key_type);
        format!("{key} and {}", users::scope_sql("u", &self.scope))
    }

    /// A column of `u` has the old (`o`) or the new (`n`) value of `x`.
    fn holds(&self, i: usize, which: char) -> String {
        let (c, base) = (&self.layout.columns[i].column, &self.bases[i]);
        let name = quote(&c.name);
        match c.kind {
            // Exactly, whatever the column's collation takes for equal.
            ColumnType::Text { .. } | ColumnType::Unsupported => {
                format!("u.{name}::text collate \"C\" is not distinct from x.{which}{i} collate \"C\"")
            }
            ColumnType::Json { .. } => format!("u.{name}::jsonb is not distinct from x.{which}{i}::jsonb"),
            _ => format!("u.{name} is not distinct from x.{which}{i}::{base}"),
        }
    }

    /// Notes that the sync deactivated the users in these places, from now on.
    pub fn note(&self, sync: &SyncId, places: &[usize]) -> String {
        format!(
            "insert into {} (instance, namespace, sync, users, key) select {}, x.o0 from {ROWS} as x where {} \
             on conflict (instance, namespace, sync, users, key) do update set since = excluded.since",
            self.users.ledger(ledger::DEACTIVATED),
            self.owner(sync).join(", "),
            among(places)
        )
    }

    /// Forgets that the sync deactivated the users in these places.
    pub fn forget(&self, sync: &SyncId, places: &[usize]) -> String {
        format!("{} and d.key in (select x.o0 from {ROWS} as x where {})", self.forget_where(sync), among(places))
    }

    /// The same without saying which users.
    pub fn forget_where(&self, sync: &SyncId) -> String {
        let [instance, namespace, name, users] = self.owner(sync);
        format!(
            "delete from {} as d where d.instance = {instance} and d.namespace = {namespace} and d.sync = {name} \
             and d.users = {users}",
            self.users.ledger(ledger::DEACTIVATED)
        )
    }

    fn owner(&self, sync: &SyncId) -> [String; 4] {
        [&sync.instance, &sync.namespace, &sync.name, &self.users.in_ledger()].map(|text| literal(text))
    }
}

/// The rows of `x` in these places (ascending).
fn among(places: &[usize]) -> String {
    match places {
        [] => "false".to_owned(),
        [first, .., last] if last - first + 1 == places.len() => format!("x.place between {first} and {last}"),
        _ => {
            let list: Vec<String> = places.iter().map(usize::to_string).collect();
            format!("x.place in ({})", list.join(", "))
        }
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
