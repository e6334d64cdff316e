//! Who may write: the ledger made, a claim held against the others and registered, an attempt begun.

use std::borrow::Cow;

use sqlx::{Row as _, postgres::PgRow};

use super::{
    ledger::{MIGRATIONS, SYNCS, forget_old_sql, grant, json, word},
    scan,
    session::Session,
    sql::{literal, quote},
    users::{self, Users, in_schema},
};
use crate::{
    api::Action,
    model::{
        column::{Case, Column, ColumnType},
        job::SyncId,
        ledger::{Claim, Fence},
    },
    ports::StoreError,
    store::claims::{self, Place},
    sync::value,
};

/// What made the ledger as it is, in order; a released step never changes. `{schema}` is the ledger's schema, quoted.
const STEPS: &[&str] = &["\
    create table {schema}.usersync_ledger ( \
        id bigint generated always as identity primary key, \
        instance text not null, namespace text not null, sync text not null, run text not null, \
        file_name text not null, file_size bigint not null, file_mtime text not null, sha256 text not null, \
        spec text not null, result text not null, counts jsonb not null, report text not null, \
        open_steps text[] not null, committed timestamptz not null default clock_timestamp(), \
        unique (instance, namespace, sync, run)); \
    create table {schema}.usersync_syncs ( \
        instance text not null, namespace text not null, sync text not null, users text not null, \
        scope jsonb not null, action text not null, attempt bigint not null, \
        updated timestamptz not null default clock_timestamp(), \
        primary key (instance, namespace, sync)); \
    create table {schema}.usersync_deactivated ( \
        instance text not null, namespace text not null, sync text not null, users text not null, \
        key text not null, since timestamptz not null default clock_timestamp(), \
        primary key (instance, namespace, sync, users, key))"];

fn grant_create(users: &Users, user: &str) -> String {
    let schema = quote(&users.ledger_schema);
    format!("grant usage, create on schema {schema} to {}", quote(user))
}

/// Makes what is missing of the ledger. Runs in the transaction that holds the advisory lock.
async fn migrate(session: &mut Session, users: &Users) -> Result<(), StoreError> {
    let table = users.ledger(MIGRATIONS);
    let (create, write) = (grant_create(users, &session.line.name.user), grant(users, &session.line.name.user));
    let found = sqlx::query_scalar::<_, bool>(
        "select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = $1 and c.relname = $2)",
    );
    let Session { conn, line } = &mut *session;
    let found = found.bind(&users.ledger_schema).bind(MIGRATIONS).fetch_one(&mut *conn);
    if !line.wait("look for the ledger", "", found).await? {
        let sql = format!("create table {table} (step integer primary key, made timestamptz not null default now())");
        session.run("make the ledger", &create, &sql).await?;
    }
    let Session { conn, line } = &mut *session;
    let sql = sqlx::AssertSqlSafe(format!("select coalesce(max(step), 0) from {table}"));
    let made: i32 = line.wait("read the ledger", &write, sqlx::query_scalar(sql).fetch_one(conn)).await?;
    for (step, sql) in (1..).zip(STEPS).skip(made.max(0) as usize) {
        session.run("make the ledger", &create, &sql.replace("{schema}", &quote(&users.ledger_schema))).await?;
        session.run("make the ledger", &write, &format!("insert into {table} (step) values ({step})")).await?;
    }
    Ok(())
}

/// The schemas of the ledgers in this database, the sync's own first if it is there. Another one counts only when its owner's
/// rights are this user's as well: a stranger's table could run code by its policies, with this user's rights.
async fn ledgers(session: &mut Session, users: &Users) -> Result<Vec<String>, StoreError> {
    let sql = "select n.nspname::text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where c.relname = $1 and c.relkind = 'r' and (n.nspname = $2 or pg_catalog.pg_has_role(c.relowner, 'usage') \
        and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select')) \
        order by n.nspname <> $2, 1";
    let Session { conn, line } = session;
    let query = sqlx::query_scalar(sql).bind(SYNCS).bind(&users.ledger_schema).fetch_all(conn);
    line.wait("look for ledgers", "", query).await
}

/// Claims standing in the ledger of a schema, the sync's own among them.
async fn standing(session: &mut Session, users: &Users, schema: &str) -> Result<Vec<Claim>, StoreError> {
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "select instance, namespace, sync, users, scope::text, action from {} order by instance, namespace, sync",
        in_schema(schema, SYNCS)
    );
    let Session { conn, line } = session;
    let rows = line.wait("read the claims", &right, sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(conn)).await?;
    let claims = rows.iter().map(|row| claim(row, schema)).collect::<Result<_, _>>();
    claims.map_err(|e| line.error("read the claims", &right, &e))
}

/// The table is named with its schema.
fn claim(row: &PgRow, schema: &str) -> Result<Claim, sqlx::Error> {
    let table: String = row.try_get(3)?;
    Ok(Claim {
        sync: SyncId { instance: row.try_get(0)?, namespace: row.try_get(1)?, name: row.try_get(2)? },
        table: if table.starts_with('"') { table } else { in_schema(schema, &table) },
        scope: json(&row.try_get::<String, _>(4)?)?,
        action: word::<Action>(&row.try_get::<String, _>(5)?)?,
    })
}

/// Whether the claim could stand beside the others, and the sync's ledger is the one that it had.
pub async fn check(session: &mut Session, users: &Users, claim: &Claim) -> Result<(), StoreError> {
    let claim = resolved(session, users, claim).await?;
    stands(session, users, &claim).await
}

/// The same of a claim that is resolved.
async fn stands(session: &mut Session, users: &Users, claim: &Claim) -> Result<(), StoreError> {
    for schema in ledgers(session, users).await? {
        let standing = standing(session, users, &schema).await?;
        let syncs = in_schema(&schema, SYNCS);
        let place = Place {
            database: &session.line.name,
            table: &users.name,
            own: &users.ledger_schema,
            schema: &schema,
            syncs: &syncs,
        };
        claims::judge(claim, &standing, &standing, &place)?;
    }
    Ok(())
}

/// The claim with the table's full name and the scope's values in canonical form: `01` and `1` in a column of numbers
/// are one scope, and so are `ACME` and `acme` where the column ignores case.
async fn resolved(session: &mut Session, users: &Users, claim: &Claim) -> Result<Claim, StoreError> {
    let mut scope = claim.scope.clone();
    if !scope.is_empty() {
        for described in users::columns(session, users).await? {
            let Column { name, kind, .. } = &described.column;
            if let Some(value) = scope.get_mut(name) {
                if matches!(kind, ColumnType::Text { case: Case::Collation, .. }) {
                    return Err(users::loose(&session.line.name, name, "in target.scope"));
                }
                let canonical = value::canonical(kind, value).map(Cow::into_owned).unwrap_or_else(|_| value.clone());
                *value = match kind {
                    ColumnType::Text { case: Case::Ignored, .. } => {
                        let lower = scan::lower_case(session, &[Some(&canonical)]).await?;
                        lower.into_iter().flatten().next().unwrap_or(canonical)
                    }
                    _ => canonical,
                };
            }
        }
    }
    Ok(Claim { table: users.sql(), scope, ..claim.clone() })
}

/// One short transaction: the ledger made, the claim registered, old rows forgotten, a new attempt begun.
pub async fn open(session: &mut Session, users: &Users, claim: &Claim) -> Result<Fence, StoreError> {
    let right = grant(users, &session.line.name.user);
    session.run("open the ledger", "", "begin isolation level read committed").await?;
    // One at a time: two claims that stand against each other must not both find nothing.
    let lock = format!("select pg_advisory_xact_lock(hashtextextended({}, 0))", literal("usersync ledgers"));
    session.run("lock the ledger", "", &lock).await?;
    migrate(session, users).await?;
    let claim = resolved(session, users, claim).await?;
    stands(session, users, &claim).await?;
    session.run("forget old runs", &right, &forget_old_sql(users)).await?;
    let sql = format!(
        "insert into {} as s (instance, namespace, sync, users, scope, action, attempt) \
         values ($1, $2, $3, $4, $5::jsonb, $6, 1) on conflict (instance, namespace, sync) do update set \
         users = excluded.users, scope = excluded.scope, action = excluded.action, attempt = s.attempt + 1, \
         updated = clock_timestamp() returning attempt",
        users.ledger(SYNCS)
    );
    let scope = serde_json::to_string(&claim.scope).unwrap_or_else(|_| "{}".to_owned());
    let SyncId { instance, namespace, name } = &claim.sync;
    let Session { conn, line } = &mut *session;
    let query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql));
    let query = query.bind(instance).bind(namespace).bind(name);
    let query = query.bind(users.in_ledger()).bind(scope).bind(format!("{:?}", claim.action)).fetch_one(conn);
    let attempt = line.wait("register this sync", &right, query).await?;
    session.run("open the ledger", &right, "commit").await?;
    Ok(Fence { sync: claim.sync, attempt })
}
