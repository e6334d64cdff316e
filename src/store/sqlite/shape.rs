//! The table as SQLite sees it: names, affinities, unique keys, and how one row is addressed.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::{
    cell::{self, Stored},
    types::{self, Affinity, affinity},
};
use crate::model::{
    column::{Case, Column, ColumnDefault, ColumnType, Dialect, Table},
    plan::Layout,
};

/// A table and what SQL about it needs besides its description.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Its description.
    pub table: Table,
    /// Its name in SQLite, unquoted.
    pub name: String,
    /// Per column of `table`: what it turns values into.
    pub affinities: Vec<Affinity>,
    /// The name by which the row's number is reached; None where it has none (WITHOUT ROWID, or all names taken).
    pub rowid: Option<&'static str>,
    /// The columns of its foreign keys, for messages.
    pub foreign_keys: String,
    /// Its columns that refer to its own rows, each with the column that it refers to (None: the primary key).
    pub references: Vec<(String, Option<String>)>,
    /// The columns of its unique indexes, also of those that cover some rows only.
    pub exchanged: Vec<String>,
    /// Whether it has triggers.
    pub triggers: bool,
}

impl Shape {
    /// The affinity of the column of that name.
    pub fn affinity(&self, column: &str) -> Affinity {
        let place = self.table.columns.iter().position(|c| c.name == column);
        place.and_then(|p| self.affinities.get(p).copied()).unwrap_or(Affinity::None)
    }

    /// `u."name"`, or `null` for a column that is yet to be made. Qualified, because SQLite takes a lone quoted name
    /// that is no column for text.
    pub fn select(&self, column: &str) -> String {
        match self.table.column(column) {
            Some(_) => format!("u.{}", quote(column)),
            None => "null".to_owned(),
        }
    }

    /// What addresses one row: its number, or its match key.
    pub fn address(&self, layout: &Layout) -> String {
        match self.rowid {
            Some(name) => format!("u.{name}"),
            None => format!("u.{}", quote(&layout.key().name)),
        }
    }

    /// A condition that holds for rows in scope, and what is bound to it. Compared exactly, whatever the column's
    /// collation is.
    pub fn scope(&self, scope: &BTreeMap<String, String>) -> (String, Vec<Stored>) {
        let mut condition = String::from("true");
        let mut values = Vec::new();
        for (column, value) in scope {
            condition.push_str(&format!(" and u.{} = ? collate binary", quote(column)));
            values.push(self.constant(column, value));
        }
        (condition, values)
    }

    /// A constant of the manifest as the column stores it.
    pub fn constant(&self, column: &str, value: &str) -> Stored {
        let text = || ColumnType::Text { max: None, padded: false, case: Case::Exact };
        let kind = self.table.column(column).map_or_else(text, |c| c.kind.clone());
        let canonical = cell::canonical(&kind, value.into());
        cell::bind(&kind, self.affinity(column), &canonical).unwrap_or_else(|_| Stored::Text(value.into()))
    }
}

/// Rows in one statement: its variables stay below SQLite's limit of 32,766.
pub const CHUNK: usize = 1000;

pub use crate::sync::names::quoted as quote;

/// Why a table can't be described.
#[derive(Debug)]
pub enum ShapeError {
    /// There is none of that name; perhaps one that differs in case.
    Missing(Option<String>),
    /// It is a view or a virtual table.
    Kind(String),
    /// The database failed.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for ShapeError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The table's name within the database: `main.users` is `users`. None for another schema.
pub fn local(name: &str) -> Option<&str> {
    match name.split_once('.') {
        Some(("main", table)) => Some(table),
        Some(_) => None,
        None => Some(name),
    }
}

/// Describes the table of that name as the manifest calls it.
pub async fn read(connection: &mut SqliteConnection, as_written: &str, name: &str) -> Result<Shape, ShapeError> {
    let (strict, without_rowid) = kind(connection, name).await?;
    let unique = unique(connection, name).await?;
    let rows = sqlx::query("select name, type, \"notnull\", dflt_value, pk, hidden from pragma_table_xinfo(?)")
        .bind(name)
        .fetch_all(&mut *connection)
        .await?;
    let keys = rows.iter().filter(|row| row.get::<i64, _>("pk") > 0).count();
    let mut shape = Shape {
        table: Table {
            name: as_written.to_owned(),
            columns: Vec::new(),
            unique: Vec::new(),
            dialect: Dialect::Standard,
        },
        name: name.to_owned(),
        affinities: Vec::new(),
        rowid: None,
        foreign_keys: foreign_keys(connection, name).await?,
        references: references(connection, name).await?,
        exchanged: exchanged(connection, name).await?,
        triggers: triggers(connection, name).await?,
    };
    for row in &rows {
        let column: String = row.get("name");
        let declared: String = row.get("type");
        // `integer primary key` is the row's number under another name, and has no index of its own.
        let number = row.get::<i64, _>("pk") == 1
            && keys == 1
            && declared.eq_ignore_ascii_case("integer")
            && !without_rowid
            && !unique.iter().any(|index| index.primary);
        if number {
            shape.table.unique.push(vec![column.clone()]);
        }
        let mut kind = types::kind(&declared, strict);
        if let ColumnType::Text { padded, case, .. } = &mut kind {
            let by = |collation: &str| unique.iter().any(|i| i.has(&column, collation));
            *case = if by("NOCASE") { Case::AsciiIgnored } else { Case::Exact };
            *padded = by("RTRIM");
        }
        shape.affinities.push(affinity(&declared, strict));
        shape.table.columns.push(Column {
            default: if number { ColumnDefault::Expression } else { default(row.get("dflt_value"), &kind) },
            name: column,
            sql_type: declared,
            kind,
            nullable: row.get::<i64, _>("notnull") == 0 && !number,
            generated: row.get::<i64, _>("hidden") != 0,
        });
    }
    shape.table.unique.extend(unique.into_iter().map(|i| i.columns.into_iter().map(|(name, _)| name).collect()));
    let taken = |name: &&str| !shape.table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    shape.rowid = ["rowid", "_rowid_", "oid"].into_iter().filter(|_| !without_rowid).find(taken);
    Ok(shape)
}

/// Whether the table is STRICT, and WITHOUT ROWID.
async fn kind(connection: &mut SqliteConnection, name: &str) -> Result<(bool, bool), ShapeError> {
    let rows = sqlx::query(
        "select name, type, wr, strict from pragma_table_list where schema = 'main' and name = ? collate nocase",
    )
    .bind(name)
    .fetch_all(&mut *connection)
    .await?;
    let Some(row) = rows.iter().find(|row| row.get::<&str, _>("name") == name) else {
        return Err(ShapeError::Missing(rows.first().map(|row| row.get("name"))));
    };
    match row.get("type") {
        "table" => Ok((row.get::<i64, _>("strict") != 0, row.get::<i64, _>("wr") != 0)),
        other => Err(ShapeError::Kind(other.to_owned())),
    }
}

/// A unique index that covers every row.
struct Unique {
    /// Made by `primary key`.
    primary: bool,
    /// With their collations.
    columns: Vec<(String, String)>,
}

impl Unique {
    fn has(&self, column: &str, collation: &str) -> bool {
        self.columns.iter().any(|(name, by)| name == column && by.eq_ignore_ascii_case(collation))
    }
}

async fn unique(connection: &mut SqliteConnection, name: &str) -> Result<Vec<Unique>, sqlx::Error> {
    let indexes = sqlx::query("select name, origin from pragma_index_list(?) where \"unique\" and not partial")
        .bind(name)
        .fetch_all(&mut *connection)
        .await?;
    let mut found = Vec::new();
    for index in indexes {
        let columns = sqlx::query("select name, coll from pragma_index_xinfo(?) where key order by seqno")
            .bind(index.get::<String, _>("name"))
            .fetch_all(&mut *connection)
            .await?;
        // An expression has no name.
        let columns: Option<Vec<(String, String)>> =
            columns.iter().map(|row| Some((row.get::<Option<String>, _>("name")?, row.get("coll")))).collect();
        if let Some(columns) = columns {
            found.push(Unique { primary: index.get::<&str, _>("origin") == "pk", columns });
        }
    }
    Ok(found)
}

async fn references(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Vec<(String, Option<String>)>, sqlx::Error> {
    let sql = "select \"from\", \"to\" from pragma_foreign_key_list(?) where \"table\" = ? collate nocase \
        group by id having count(*) = 1";
    sqlx::query_as(sql).bind(name).bind(name).fetch_all(connection).await
}

async fn exchanged(connection: &mut SqliteConnection, name: &str) -> Result<Vec<String>, sqlx::Error> {
    let sql = "select distinct c.name from pragma_index_list(?) as i, pragma_index_info(i.name) as c \
        where i.\"unique\" and c.name is not null";
    sqlx::query_scalar(sql).bind(name).fetch_all(connection).await
}

async fn triggers(connection: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    let sql = "select count(*) from sqlite_schema where type = 'trigger' and tbl_name = ? collate nocase";
    Ok(sqlx::query_scalar::<_, i64>(sql).bind(name).fetch_one(connection).await? > 0)
}

async fn foreign_keys(connection: &mut SqliteConnection, name: &str) -> Result<String, sqlx::Error> {
    let rows = sqlx::query("select \"from\" || ' → ' || \"table\" as key from pragma_foreign_key_list(?) order by id")
        .bind(name)
        .fetch_all(connection)
        .await?;
    let keys: Vec<String> = rows.iter().map(|row| row.get("key")).collect();
    Ok(if keys.is_empty() { "of a table that refers to this one".to_owned() } else { keys.join(", ") })
}

fn default(text: Option<String>, kind: &ColumnType) -> ColumnDefault {
    match text.as_deref().map(types::literal) {
        None | Some(Ok(None)) => ColumnDefault::None,
        Some(Ok(Some(value))) => ColumnDefault::Constant(cell::canonical(kind, value.into()).into_owned()),
        Some(Err(())) => ColumnDefault::Expression,
    }
}

/// Runs a statement that was put together here.
pub async fn execute(
    connection: &mut SqliteConnection,
    sql: String,
    values: &[Stored],
) -> Result<sqlx::sqlite::SqliteQueryResult, sqlx::Error> {
    sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).execute(connection).await
}

/// Values as the arguments of a statement.
pub fn arguments(values: &[Stored]) -> Result<sqlx::sqlite::SqliteArguments, sqlx::Error> {
    use sqlx::Arguments;
    let mut arguments = sqlx::sqlite::SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Stored::Null => arguments.add(None::<i64>),
            Stored::Integer(value) => arguments.add(*value),
            Stored::Real(value) => arguments.add(*value),
            Stored::Text(value) => arguments.add(value.clone()),
            Stored::Blob(value) => arguments.add(value.as_slice()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
