//! The table's description, complete: with constant defaults evaluated and the unique keys.

use sqlx::AssertSqlSafe;

use super::{
    session::Session,
    sql::quote,
    types,
    users::{self, Described, Users},
};
use crate::{
    model::column::{ColumnDefault, Dialect, Table},
    ports::StoreError,
    store::TableName,
};

/// Describes the table.
pub async fn inspect(session: &mut Session, table: &TableName) -> Result<Table, StoreError> {
    let users = users::find(session, table).await?;
    let mut columns = users::columns(session, &users).await?;
    evaluate(session, &mut columns).await?;
    let unique = unique(session, &users).await?;
    let columns = columns.into_iter().map(|described| described.column).collect();
    Ok(Table { name: table.table.clone(), columns, unique, dialect: Dialect::Standard })
}

// `indnkeyatts` came with PostgreSQL 11. An index that is checked only at the end of a statement or later
// (deferrable) can't tell one row's conflict from another's.
const UNIQUE: &str = "select array(select a.attname::text from generate_series(0, k.n - 1) as p(i) \
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[p.i] order by p.i) \
    from pg_catalog.pg_index i, \
        lateral (select coalesce((to_jsonb(i)->>'indnkeyatts')::int, i.indnatts::int)) as k(n) \
    where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indisready and i.indimmediate \
        and i.indpred is null and i.indexprs is null \
    order by i.indisprimary desc, i.indexrelid";

/// The columns of each unique index that covers every row.
pub async fn unique(session: &mut Session, users: &Users) -> Result<Vec<Vec<String>>, StoreError> {
    let Session { conn, line } = session;
    line.wait("read the unique keys", "", sqlx::query_scalar(UNIQUE).bind(users.oid).fetch_all(conn)).await
}

// The index of a constraint depends on the constraint, and its columns are its keys; another one depends on all columns of its
// expressions and its condition.
const EXCHANGED: &str = "select distinct a.attname::text from pg_catalog.pg_index i \
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum > 0 and not a.attnotnull \
    where i.indrelid = $1 and (i.indisunique or i.indisexclusion) and (a.attnum = any(i.indkey) or exists (select from \
        pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = i.indexrelid \
        and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))";

/// The columns that may be empty, on which it depends whether two users have the same where no two may.
pub async fn exchanged(session: &mut Session, users: &Users) -> Result<Vec<String>, StoreError> {
    let Session { conn, line } = session;
    line.wait("read the unique keys", "", sqlx::query_scalar(EXCHANGED).bind(users.oid).fetch_all(conn)).await
}

const REFERENCES: &str = "select a.attname::text from pg_catalog.pg_constraint c \
    join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1] \
    join pg_catalog.pg_attribute k on k.attrelid = c.confrelid and k.attnum = c.confkey[1] \
    where c.contype = 'f' and c.conrelid = $1 and c.confrelid = $1 and cardinality(c.conkey) = 1 and k.attname = $2";

/// The columns that refer to this column of other rows of the table.
pub async fn references(session: &mut Session, users: &Users, key: &str) -> Result<Vec<String>, StoreError> {
    let Session { conn, line } = session;
    let query = sqlx::query_scalar(REFERENCES).bind(users.oid).bind(key).fetch_all(conn);
    line.wait("read the foreign keys", "", query).await
}

/// Whether the table has triggers of its own.
pub async fn triggers(session: &mut Session, users: &Users) -> Result<bool, StoreError> {
    let sql = "select exists (select from pg_catalog.pg_trigger where tgrelid = $1 and not tgisinternal and tgenabled <> 'D')";
    let Session { conn, line } = session;
    line.wait("look for triggers", "", sqlx::query_scalar(sql).bind(users.oid).fetch_one(conn)).await
}

/// Lets the server evaluate the defaults that are constants.
async fn evaluate(session: &mut Session, columns: &mut [Described]) -> Result<(), StoreError> {
    let constant = |c: &&mut Described| c.column.default == ColumnDefault::Expression;
    for described in columns.iter_mut().filter(constant) {
        let Some(expression) = described.default.as_deref().filter(|text| is_literal(text)) else { continue };
        let Session { conn, line } = &mut *session;
        // Through the column's own type, so that its rounding and padding count.
        let sql = format!("select (({expression})::{})::text", described.column.sql_type);
        let what = format!("evaluate the default of column {}", quote(&described.column.name));
        let query = sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(sql)).persistent(false);
        let value = line.wait(&what, "", query.fetch_one(conn)).await?;
        described.column.default = match value {
            None => ColumnDefault::None,
            Some(text) => ColumnDefault::Constant(types::canonical(&described.column.kind, &text).into_owned()),
        };
    }
    Ok(())
}

/// Whether an expression, as the catalogue prints it, is one literal, with casts at most.
fn is_literal(expression: &str) -> bool {
    let text = expression.trim();
    let rest = if let Some(quoted) = text.strip_prefix('\'') {
        let mut rest = quoted;
        loop {
            match rest.split_once('\'') {
                None => return false,
                Some((_, after)) => match after.strip_prefix('\'') {
                    Some(more) => rest = more,
                    None => break after,
                },
            }
        }
    } else if let Some(negative) = text.strip_prefix("(-").and_then(|t| t.split_once(')')) {
        if !is_number(negative.0) {
            return false;
        }
        negative.1
    } else {
        let (word, rest) = text.find("::").map_or((text, ""), |at| text.split_at(at));
        if !is_number(word.strip_prefix('-').unwrap_or(word))
            && !["true", "false", "null"].contains(&&*word.to_lowercase())
        {
            return false;
        }
        rest
    };
    // A type: words, dots, quotes, a modifier; no operator, no call with other arguments than numbers.
    let mut casts = rest.split("::");
    casts.next() == Some("")
        && casts.all(|cast| {
            !cast.is_empty()
                && cast.chars().all(|c| c.is_alphanumeric() || " _.\"(,)[]".contains(c))
                && cast.split_once('(').is_none_or(|(_, modifier)| {
                    modifier.split(')').next().is_some_and(|m| m.chars().all(|c| c.is_ascii_digit() || c == ','))
                })
        })
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 'e' || c == 'E')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_literal_is_a_constant() {
        for (expression, expected) in [
            ("'en'::character varying", true),
            ("'it''s'::text", true),
            ("''::text", true),
            ("0", true),
            ("1.5", true),
            ("(-1)", true),
            ("'-1'::integer", true),
            ("true", true),
            ("NULL::character varying", true),
            ("'2020-01-01 00:00:00+00'::timestamp with time zone", true),
            ("'{}'::jsonb", true),
            ("'a'::public.\"Kind\"", true),
            ("'1.5'::numeric(10,2)", true),
            ("'x'::character varying(3)", true),
            ("now()", false),
            ("CURRENT_TIMESTAMP", false),
            ("nextval('users_id_seq'::regclass)", false),
            ("('now'::text)::date", false),
            ("'a'::text || 'b'::text", false),
            ("'a' || now()", false),
            ("gen_random_uuid()", false),
            ("(1 + 2)", false),
            ("1 + 2", false),
            ("'a'::text || (now())::text", false),
            ("", false),
        ] {
            assert_eq!(is_literal(expression), expected, "{expression}");
        }
    }
}
