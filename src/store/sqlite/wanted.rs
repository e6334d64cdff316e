//! The table that a mapping asks for: made and widened in the embedded database, proposed elsewhere.

use super::{
    shape::{Shape, quote},
    types::{self, affinity},
};
use crate::{
    api::PropertyType,
    model::{
        column::{Column, ColumnDefault, Dialect, Table},
        job::{Removal, SyncJob},
    },
};

/// What a sync's manifest says of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As written in the manifest.
    pub table: String,
    /// The match key's column.
    pub key: String,
    /// The columns of `target.scope`.
    pub scope: Vec<String>,
    /// All columns, each once: the match key, the properties with their types, scope and `removal.set`.
    pub columns: Vec<(String, Option<PropertyType>)>,
}

impl Wanted {
    /// From a valid job.
    pub fn of(job: &SyncJob) -> Self {
        let mapping = &job.mapping;
        let mut columns: Vec<(String, Option<PropertyType>)> = Vec::new();
        let mapped = std::iter::once(&mapping.user_id).chain(&mapping.properties);
        let marks = match &job.removal {
            Removal::Delete => Vec::new(),
            Removal::Deactivate { set, .. } => set.keys().cloned().collect(),
        };
        let constants = job.target.scope.keys().cloned().chain(marks).map(|name| (name, None));
        for (name, kind) in mapped.map(|p| (p.property.clone(), p.kind)).chain(constants) {
            if !columns.iter().any(|(known, _)| *known == name) {
                columns.push((name, kind));
            }
        }
        Self {
            table: job.target.table.clone(),
            key: mapping.user_id.property.clone(),
            scope: job.target.scope.keys().cloned().collect(),
            columns,
        }
    }

    /// The statements that make the table, or widen the one that is there; none if nothing is missing.
    pub fn statements(&self, name: &str, found: Option<&Shape>) -> Vec<String> {
        let mut statements = Vec::new();
        match found {
            None => {
                let columns: Vec<String> = self.columns.iter().map(|column| self.define(column)).collect();
                statements.push(format!("create table {} (\n  {}\n)", quote(name), columns.join(",\n  ")));
            }
            Some(shape) => {
                for (column, kind) in self.missing(shape) {
                    statements.push(format!(
                        "alter table {} add column {} {}",
                        quote(name),
                        quote(column),
                        declared(*kind)
                    ));
                }
            }
        }
        if !found.is_some_and(|shape| self.has_key(&shape.table)) {
            let key: Vec<String> = self.unique().iter().map(|column| quote(column)).collect();
            let index = quote(&format!("usersync_{name}_{}", self.unique().join("_")));
            statements.push(format!("create unique index {index} on {} ({})", quote(name), key.join(", ")));
        }
        statements
    }

    /// The table as it will be once the statements ran.
    pub fn overlay(&self, found: Option<Shape>) -> Table {
        let mut table = match &found {
            Some(shape) => shape.table.clone(),
            None => {
                Table { name: self.table.clone(), columns: Vec::new(), unique: Vec::new(), dialect: Dialect::Standard }
            }
        };
        for (name, kind) in &self.columns {
            if table.column(name).is_none() {
                let declared = declared(*kind);
                table.columns.push(Column {
                    name: name.clone(),
                    kind: types::kind(declared, false),
                    sql_type: types::printed(declared),
                    nullable: *name != self.key || found.is_some(),
                    default: ColumnDefault::None,
                    generated: false,
                });
            }
        }
        if !self.has_key(&table) {
            table.unique.push(self.unique());
        }
        table
    }

    fn missing<'a>(&'a self, shape: &'a Shape) -> impl Iterator<Item = &'a (String, Option<PropertyType>)> {
        self.columns.iter().filter(|(name, _)| shape.table.column(name).is_none())
    }

    /// The match key, and the scope's columns.
    fn unique(&self) -> Vec<String> {
        std::iter::once(self.key.clone()).chain(self.scope.iter().cloned()).collect()
    }

    fn has_key(&self, table: &Table) -> bool {
        covers_key(table, &self.key, &self.scope).is_some()
    }

    fn define(&self, (name, kind): &(String, Option<PropertyType>)) -> String {
        let not_null = if *name == self.key { " not null" } else { "" };
        format!("{} {}{not_null}", quote(name), declared(*kind))
    }
}

/// The unique key on the match key alone, or on it and the scope's columns.
pub fn covers_key<'t>(table: &'t Table, key: &str, scope: &[String]) -> Option<&'t [String]> {
    let fits = |unique: &&Vec<String>| {
        unique.iter().any(|c| c == key)
            && (unique.len() == 1
                || unique.len() == scope.len() + 1 && unique.iter().all(|c| c == key || scope.contains(c)))
    };
    table.unique.iter().find(fits).map(Vec::as_slice)
}

/// A declared type under which SQLite keeps values of that type as they are.
fn declared(kind: Option<PropertyType>) -> &'static str {
    let declared = match kind {
        None | Some(PropertyType::Text | PropertyType::Email) => "text",
        Some(PropertyType::Integer) => "integer",
        Some(PropertyType::Number) => "numeric",
        Some(PropertyType::Boolean) => "boolean",
        Some(PropertyType::Date) => "date",
        Some(PropertyType::DateTime) => "datetime",
        Some(PropertyType::Uuid) => "uuid",
    };
    debug_assert_eq!(affinity(declared, false).numeric(), declared != "text");
    declared
}
