//! The ledger: tables beside the users that say what was committed and who writes where. It is made by the first
//! import; everything that only reads takes its absence for an empty one.

use sqlx::{Row as _, postgres::PgRow};

use super::{session::Session, sql::quote, users::Users};
use crate::{
    api::Action,
    model::{
        file::Stamp,
        job::SyncId,
        ledger::{Claim, Fence, LedgerRow, OpenStep},
    },
    ports::StoreError,
    store::claims,
};

/// Committed runs.
pub const LEDGER: &str = "usersync_ledger";
/// Who writes where.
pub const SYNCS: &str = "usersync_syncs";
/// Users whom a sync deactivated.
pub const DEACTIVATED: &str = "usersync_deactivated";
/// Which of [`STEPS`] were made.
const MIGRATIONS: &str = "usersync_migrations";

/// What made the ledger as it is, in order; a released step never changes. `{schema}` is the users' schema, quoted.
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

fn grant(users: &Users, user: &str) -> String {
    let tables: Vec<String> = [LEDGER, SYNCS, DEACTIVATED, MIGRATIONS].iter().map(|name| users.beside(name)).collect();
    format!("grant select, insert, update, delete on {} to {}", tables.join(", "), quote(user))
}

fn grant_create(users: &Users, user: &str) -> String {
    format!("grant create on schema {} to {}", quote(&users.schema), quote(user))
}

/// Whether there is a ledger.
pub async fn exists(session: &mut Session, users: &Users) -> Result<bool, StoreError> {
    let Session { conn, line } = session;
    let sql = "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where n.nspname = $1 and c.relname = any($2)";
    let names = [LEDGER, SYNCS, DEACTIVATED];
    let query = sqlx::query_scalar::<_, i64>(sql).bind(&users.schema).bind(&names[..]).fetch_one(conn);
    Ok(line.wait("look for the ledger", "", query).await? == names.len() as i64)
}

/// Makes what is missing of the ledger. Runs in the transaction that holds the advisory lock.
async fn migrate(session: &mut Session, users: &Users) -> Result<(), StoreError> {
    let table = users.beside(MIGRATIONS);
    let (create, write) = (grant_create(users, &session.line.name.user), grant(users, &session.line.name.user));
    let found = sqlx::query_scalar::<_, bool>(
        "select exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = $1 and c.relname = $2)",
    );
    let Session { conn, line } = &mut *session;
    let found = found.bind(&users.schema).bind(MIGRATIONS).fetch_one(&mut *conn);
    if !line.wait("look for the ledger", "", found).await? {
        let sql = format!("create table {table} (step integer primary key, made timestamptz not null default now())");
        session.run("make the ledger", &create, &sql).await?;
    }
    let Session { conn, line } = &mut *session;
    let sql = sqlx::AssertSqlSafe(format!("select coalesce(max(step), 0) from {table}"));
    let made: i32 = line.wait("read the ledger", &write, sqlx::query_scalar(sql).fetch_one(conn)).await?;
    for (step, sql) in (1..).zip(STEPS).skip(made.max(0) as usize) {
        session.run("make the ledger", &create, &sql.replace("{schema}", &quote(&users.schema))).await?;
        session.run("make the ledger", &write, &format!("insert into {table} (step) values ({step})")).await?;
    }
    Ok(())
}

/// Claims standing in this ledger, the sync's own among them.
async fn standing(session: &mut Session, users: &Users) -> Result<Vec<Claim>, StoreError> {
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "select instance, namespace, sync, users, scope::text, action from {} order by instance, namespace, sync",
        users.beside(SYNCS)
    );
    let Session { conn, line } = session;
    let rows = line.wait("read the claims", &right, sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(conn)).await?;
    rows.iter().map(claim).collect::<Result<_, _>>().map_err(|e| line.error("read the claims", &right, &e))
}

fn claim(row: &PgRow) -> Result<Claim, sqlx::Error> {
    Ok(Claim {
        sync: SyncId { instance: row.try_get(0)?, namespace: row.try_get(1)?, name: row.try_get(2)? },
        table: row.try_get(3)?,
        scope: json(&row.try_get::<String, _>(4)?)?,
        action: word::<Action>(&row.try_get::<String, _>(5)?)?,
    })
}

/// Whether the claim could stand beside the others.
pub async fn check(session: &mut Session, users: &Users, claim: &Claim) -> Result<(), StoreError> {
    let claim = Claim { table: users.name.clone(), ..claim.clone() };
    let standing = standing(session, users).await?;
    match claims::conflict(&claim, &standing) {
        Some(other) => Err(StoreError::Shared(claims::message(&claim, other, &users.beside(SYNCS)))),
        None => Ok(()),
    }
}

/// One short transaction: the ledger made, the claim registered, old rows forgotten, a new attempt begun.
pub async fn open(session: &mut Session, users: &Users, claim: &Claim) -> Result<Fence, StoreError> {
    let right = grant(users, &session.line.name.user);
    session.run("open the ledger", "", "begin isolation level read committed").await?;
    // One at a time: two claims that stand against each other must not both find nothing.
    let lock = format!(
        "select pg_advisory_xact_lock(hashtextextended({}, 0))",
        super::sql::literal(&format!("usersync ledger in {}", users.schema))
    );
    session.run("lock the ledger", "", &lock).await?;
    migrate(session, users).await?;
    check(session, users, claim).await?;
    let old = format!("delete from {} where committed < now() - interval '400 days'", users.beside(LEDGER));
    session.run("forget old runs", &right, &old).await?;
    let sql = format!(
        "insert into {} as s (instance, namespace, sync, users, scope, action, attempt) \
         values ($1, $2, $3, $4, $5::jsonb, $6, 1) on conflict (instance, namespace, sync) do update set \
         users = excluded.users, scope = excluded.scope, action = excluded.action, attempt = s.attempt + 1, \
         updated = clock_timestamp() returning attempt",
        users.beside(SYNCS)
    );
    let scope = serde_json::to_string(&claim.scope).unwrap_or_else(|_| "{}".to_owned());
    let SyncId { instance, namespace, name } = &claim.sync;
    let Session { conn, line } = &mut *session;
    let query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql));
    let query = query.bind(instance).bind(namespace).bind(name);
    let query = query.bind(&users.name).bind(scope).bind(format!("{:?}", claim.action)).fetch_one(conn);
    let attempt = line.wait("register this sync", &right, query).await?;
    session.run("open the ledger", &right, "commit").await?;
    Ok(Fence { sync: claim.sync.clone(), attempt })
}

const COLUMNS: &str = "run, file_name, file_size, file_mtime, sha256, spec, result, counts::text, report, open_steps, \
    to_char(committed at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

/// Rows of this sync that fulfil `condition` (which may use `$4`, an array of text), in that order.
pub async fn rows(
    session: &mut Session,
    users: &Users,
    sync: &SyncId,
    condition: &str,
    names: &[String],
) -> Result<Vec<LedgerRow>, StoreError> {
    if !exists(session, users).await? {
        return Ok(Vec::new());
    }
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "select {COLUMNS} from {} where instance = $1 and namespace = $2 and sync = $3 and {condition}",
        users.beside(LEDGER)
    );
    let Session { conn, line } = session;
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&sync.instance).bind(&sync.namespace).bind(&sync.name);
    let found = line.wait("read the ledger", &right, query.bind(names).fetch_all(conn)).await?;
    found.iter().map(ledger_row).collect::<Result<_, _>>().map_err(|e| line.error("read the ledger", &right, &e))
}

fn ledger_row(row: &PgRow) -> Result<LedgerRow, sqlx::Error> {
    let open: Vec<String> = row.try_get(9)?;
    Ok(LedgerRow {
        run: row.try_get(0)?,
        file: Stamp {
            name: row.try_get(1)?,
            size: row.try_get::<i64, _>(2)? as u64,
            mtime: row.try_get::<String, _>(3)?.parse().map_err(decode)?,
        },
        sha256: row.try_get(4)?,
        spec: row.try_get(5)?,
        result: row.try_get(6)?,
        counts: json(&row.try_get::<String, _>(7)?)?,
        report: row.try_get(8)?,
        open: open.iter().map(|step| word::<OpenStep>(step)).collect::<Result<_, _>>()?,
        committed: row.try_get::<String, _>(10)?.parse().map_err(decode)?,
    })
}

/// Writes a run's row, in the transaction that the session is in.
pub async fn write(session: &mut Session, users: &Users, sync: &SyncId, row: &LedgerRow) -> Result<(), StoreError> {
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "insert into {} (instance, namespace, sync, run, file_name, file_size, file_mtime, sha256, spec, result, \
         counts, report, open_steps) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13)",
        users.beside(LEDGER)
    );
    let steps: Vec<String> = row.open.iter().map(|step| format!("{step:?}")).collect();
    let counts = serde_json::to_string(&row.counts).unwrap_or_else(|_| "{}".to_owned());
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&sync.instance).bind(&sync.namespace).bind(&sync.name);
    let query = query.bind(&row.run).bind(&row.file.name).bind(row.file.size as i64).bind(row.file.mtime.to_string());
    let query = query.bind(&row.sha256).bind(&row.spec).bind(&row.result).bind(counts).bind(&row.report).bind(steps);
    let Session { conn, line } = session;
    match line.plain(query.execute(conn)).await {
        Ok(_) => Ok(()),
        Err(e) if super::error::code(&e) == "23505" => {
            Err(StoreError::Failed(format!("{}: run {} is committed already", line.name, row.run)))
        }
        Err(e) => Err(line.error("write the ledger", &right, &e)),
    }
}

/// Notes that a step is done.
pub async fn close(
    session: &mut Session,
    users: &Users,
    sync: &SyncId,
    run: &str,
    step: OpenStep,
) -> Result<(), StoreError> {
    if !exists(session, users).await? {
        return Ok(());
    }
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "update {} set open_steps = array_remove(open_steps, $5) \
         where instance = $1 and namespace = $2 and sync = $3 and run = $4",
        users.beside(LEDGER)
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&sync.instance).bind(&sync.namespace).bind(&sync.name);
    let query = query.bind(run).bind(format!("{step:?}"));
    let Session { conn, line } = session;
    line.wait("write the ledger", &right, query.execute(conn)).await.map(|_| ())
}

/// Sees, with the sync's row locked, that the fence still stands.
pub async fn hold(session: &mut Session, users: &Users, fence: &Fence) -> Result<(), StoreError> {
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "select attempt from {} where instance = $1 and namespace = $2 and sync = $3 for update",
        users.beside(SYNCS)
    );
    let SyncId { instance, namespace, name } = &fence.sync;
    let query = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(sql)).bind(instance).bind(namespace).bind(name);
    let Session { conn, line } = session;
    match line.wait("lock the sync's row in the ledger", &right, query.fetch_optional(conn)).await? {
        Some(attempt) if attempt == fence.attempt => Ok(()),
        Some(_) => Err(StoreError::Fenced(format!(
            "{}: another run of sync {} began after this one and has taken over; nothing was written",
            line.name, fence.sync
        ))),
        None => Err(StoreError::Fenced(format!(
            "{}: sync {} was removed from {} while it ran; nothing was written",
            line.name,
            fence.sync,
            users.beside(SYNCS)
        ))),
    }
}

/// The statement that prints the deactivated users of a sync: key, and whole seconds since.
pub fn deactivated_sql(users: &Users, sync: &SyncId) -> String {
    let literal = super::sql::literal;
    format!(
        "copy (select key, floor(extract(epoch from now() - since))::bigint from {} where instance = {} and \
         namespace = {} and sync = {} and users = {}) to stdout",
        users.beside(DEACTIVATED),
        literal(&sync.instance),
        literal(&sync.namespace),
        literal(&sync.name),
        literal(&users.name),
    )
}

/// The right to read and write the ledger.
pub fn right(users: &Users, user: &str) -> String {
    grant(users, user)
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(decode)
}

/// A variant by its name.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(decode)
}

fn decode(e: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(e))
}
