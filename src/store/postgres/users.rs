//! The users' table: which one is meant, its columns as the catalogue has them.

use sqlx::Row as _;

use super::{
    name::Name,
    session::Session,
    sql::{literal, quote},
    types::{self, CatalogType},
};
use crate::{
    model::column::{Column, ColumnDefault},
    ports::StoreError,
    store::TableName,
};

/// The table of the users, found.
#[derive(Clone, Debug)]
pub struct Users {
    /// Its place in the catalogue.
    pub oid: sqlx::postgres::types::Oid,
    /// Its schema.
    pub schema: String,
    /// Its name in the schema.
    pub name: String,
    /// The schema that holds the ledger.
    pub ledger_schema: String,
}

impl Users {
    /// As SQL names it.
    pub fn sql(&self) -> String {
        in_schema(&self.schema, &self.name)
    }

    /// A table of the ledger, as SQL names it.
    pub fn ledger(&self, name: &str) -> String {
        in_schema(&self.ledger_schema, name)
    }

    /// As the ledger names it: by its name alone where it stands beside it.
    pub fn in_ledger(&self) -> String {
        if self.ledger_schema == self.schema { self.name.clone() } else { self.sql() }
    }

    /// The statement that allows to read.
    pub fn grant_read(&self, user: &str) -> String {
        format!("grant select on {} to {}", self.sql(), quote(user))
    }

    /// The statements that allow to write: the least that a run needs.
    pub fn grant_write(&self, user: &str, database: &str) -> String {
        format!(
            "grant select, insert, update, delete on {} to {user}; grant temporary on database {} to {user}",
            self.sql(),
            quote(database),
            user = quote(user),
        )
    }
}

/// A table of a schema, as SQL names it.
pub fn in_schema(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

const FIND: &str = "select c.oid, n.nspname::text, c.relname::text, c.relkind::text, \
    has_schema_privilege(n.oid, 'usage') and has_any_column_privilege(c.oid, 'select') as readable \
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f') \
    and case when $1::text is null then pg_catalog.pg_table_is_visible(c.oid) else n.nspname = $1 end";

/// Finds the table: `schema.name`, or a name along the search path; both exactly as written.
pub async fn find(session: &mut Session, table: &TableName) -> Result<Users, StoreError> {
    let TableName { table, ledger_schema } = table;
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, table.as_str()),
    };
    let Session { conn, line } = session;
    let found = sqlx::query(FIND).bind(schema).bind(name).fetch_optional(conn);
    let Some(row) = line.wait("look for the table", "", found).await? else {
        return Err(missing(session, table, schema, name).await);
    };
    let read = || -> Result<(Users, String, bool), sqlx::Error> {
        let schema: String = row.try_get(1)?;
        let ledger_schema = ledger_schema.clone().unwrap_or_else(|| schema.clone());
        let users = Users { oid: row.try_get(0)?, schema, name: row.try_get(2)?, ledger_schema };
        Ok((users, row.try_get(3)?, row.try_get(4)?))
    };
    let (users, kind, readable) = read().map_err(|e| line.error("look for the table", "", &e))?;
    let view = match kind.as_str() {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        _ if !readable => {
            let user = quote(&line.name.user);
            return Err(StoreError::Denied(format!(
                "{}: no right to read table {table}. Let the owner run: grant usage on schema {} to {user}; {}",
                line.name,
                quote(&users.schema),
                users.grant_read(&line.name.user)
            )));
        }
        _ => return Ok(users),
    };
    Err(StoreError::Invalid(format!(
        "{}: {table} is {view}: rows can't be locked and compared there. Give target.table the table behind it",
        line.name
    )))
}

/// The words for a table that is not there, with those that might be meant.
async fn missing(session: &mut Session, table: &str, schema: Option<&str>, name: &str) -> StoreError {
    let Session { conn, line } = session;
    let sql = "select case when pg_catalog.pg_table_is_visible(c.oid) then '' else n.nspname || '.' end || c.relname, \
        c.relname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') \
        and c.relname not like 'usersync\\_%' order by 1 limit 1000";
    let tables: Vec<(String, String)> =
        match line.wait("list the tables", "", sqlx::query_as(sql).fetch_all(conn)).await {
            Ok(tables) => tables,
            Err(e) => return e,
        };
    let wanted = name.to_lowercase();
    let similar: Vec<String> = tables
        .into_iter()
        .filter(|(_, other)| {
            let other = other.to_lowercase();
            other == wanted || strsim::jaro_winkler(&other, &wanted) > 0.85 || other.contains(&wanted)
        })
        .map(|(shown, _)| shown)
        .take(5)
        .collect();
    let hint = if similar.is_empty() { String::new() } else { format!(" There is {}.", similar.join(", ")) };
    let full = schema.map_or_else(|| quote(name), |schema| format!("{}.{}", quote(schema), quote(name)));
    StoreError::Invalid(format!(
        "{}: table {table} doesn't exist (names are used exactly as written, case included).{hint} Give its name in \
         target.table, or create it, for example: create table {full} (id text primary key, email text)",
        line.name
    ))
}

/// A column with what only PostgreSQL knows of it.
pub struct Described {
    /// The model's words; a constant default is still to be evaluated.
    pub column: Column,
    /// What text is cast to before it is assigned: the base type without modifier (a cast to `varchar(3)` would cut), and
    /// `text` for all kinds of text.
    pub base: String,
    /// The base type itself, as comparisons and unique indexes take it (`citext`, `bpchar`).
    pub own: String,
    /// The expression of the default.
    pub default: Option<String>,
}

// `to_jsonb` finds what older servers don't have: generated columns came with PostgreSQL 12, as did loose collations.
const COLUMNS: &str = "with recursive resolved(attnum, typ, modifier, fixed, preset) as ( \
        select a.attnum, a.atttypid, a.atttypmod, false, null::text from pg_catalog.pg_attribute a \
        where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped \
        union all \
        select r.attnum, t.typbasetype, case when r.modifier = -1 then t.typtypmod else r.modifier end, \
            r.fixed or t.typnotnull, coalesce(r.preset, t.typdefault collate \"default\") \
        from resolved r join pg_catalog.pg_type t on t.oid = r.typ where t.typtype = 'd') \
    select a.attname::text as name, pg_catalog.format_type(a.atttypid, a.atttypmod) as sql_type, \
        a.attnotnull or r.fixed as fixed, a.attidentity <> '' as identity, \
        a.attidentity = 'a' or coalesce(to_jsonb(a)->>'attgenerated', '') <> '' as generated, \
        coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), r.preset) as preset, \
        t.typname::text as typname, n.nspname = 'pg_catalog' as builtin, r.modifier, \
        pg_catalog.format_type(t.oid, -1) as own, \
        case when t.typtype = 'e' then array(select e.enumlabel::text from pg_catalog.pg_enum e \
            where e.enumtypid = t.oid order by e.enumsortorder) end as labels, \
        coalesce(to_jsonb(c)->>'collisdeterministic' = 'false', false) as loose \
    from resolved r join pg_catalog.pg_type t on t.oid = r.typ and t.typtype <> 'd' \
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace \
    join pg_catalog.pg_attribute a on a.attrelid = $1 and a.attnum = r.attnum \
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
    left join pg_catalog.pg_collation c on c.oid = a.attcollation \
    order by a.attnum";

/// The table's columns in its own order.
pub async fn columns(session: &mut Session, users: &Users) -> Result<Vec<Described>, StoreError> {
    let Session { conn, line } = session;
    let rows = line.wait("read the columns", "", sqlx::query(COLUMNS).bind(users.oid).fetch_all(conn)).await?;
    rows.iter().map(described).collect::<Result<_, _>>().map_err(|e| line.error("read the columns", "", &e))
}

fn described(row: &sqlx::postgres::PgRow) -> Result<Described, sqlx::Error> {
    let typname: String = row.try_get("typname")?;
    let kind = types::column_type(CatalogType {
        name: &typname,
        builtin: row.try_get("builtin")?,
        modifier: row.try_get("modifier")?,
        labels: row.try_get("labels")?,
        loose: row.try_get("loose")?,
    });
    let generated: bool = row.try_get("generated")?;
    let default: Option<String> = row.try_get("preset")?;
    let text = matches!(kind, crate::model::column::ColumnType::Text { .. });
    let own: String = row.try_get("own")?;
    let base = if text { "text".to_owned() } else { own.clone() };
    let expression = default.is_some() || row.try_get("identity")?;
    let column = Column {
        name: row.try_get("name")?,
        sql_type: row.try_get("sql_type")?,
        kind,
        nullable: !row.try_get::<bool, _>("fixed")?,
        default: if expression && !generated { ColumnDefault::Expression } else { ColumnDefault::None },
        generated,
    };
    Ok(Described { column, base, own, default })
}

/// The words for a column whose collation takes texts for equal that differ: the server doesn't say which.
pub fn loose(name: &Name, column: &str, what: &str) -> StoreError {
    StoreError::Invalid(format!(
        "{name}: column {column} can't be {what}: its collation is nondeterministic, and the server does not say which texts it takes \
         for equal. Give the column a deterministic collation, or the type citext where upper and lower case are to be the same"
    ))
}

/// The predicate of the scope on the table `alias`, or `true`. A bare literal takes the column's own type.
pub fn scope_sql(alias: &str, scope: &std::collections::BTreeMap<String, String>) -> String {
    let terms: Vec<String> =
        scope.iter().map(|(column, value)| format!("{alias}.{} = {}", quote(column), literal(value))).collect();
    if terms.is_empty() { "true".to_owned() } else { terms.join(" and ") }
}
