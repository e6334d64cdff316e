//! The ledger beside the users: claims with their fence, committed runs, and whom a sync deactivated.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    api::Action,
    model::{
        file::Stamp,
        job::SyncId,
        ledger::{Claim, LedgerRow, OpenStep},
    },
};

/// What made the ledger as it is, in order; a released step never changes. Times are ISO 8601 in UTC.
const STEPS: &[&str] = &["
    create table usersync_ledger (
        id integer primary key,
        instance text not null, namespace text not null, sync text not null, run text not null,
        file_name text not null, file_size integer not null, file_mtime text not null, sha256 text not null,
        spec text not null, result text not null, counts text not null, report text not null,
        open_steps text not null, committed text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        unique (instance, namespace, sync, run));
    create table usersync_syncs (
        instance text not null, namespace text not null, sync text not null, users text not null,
        scope text not null, action text not null, attempt integer not null,
        updated text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        primary key (instance, namespace, sync));
    create table usersync_deactivated (
        instance text not null, namespace text not null, sync text not null, users text not null,
        key text not null, since text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        primary key (instance, namespace, sync, users, key)) without rowid"];

/// Makes what is missing of the ledger. Runs in a transaction that holds the write lock.
pub async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let table = "create table if not exists usersync_migrations \
                 (step integer primary key, made text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))";
    sqlx::query(table).execute(&mut *connection).await?;
    let made: i64 = sqlx::query_scalar("select coalesce(max(step), 0) from usersync_migrations")
        .fetch_one(&mut *connection)
        .await?;
    for (step, sql) in (1_i64..).zip(STEPS.iter().copied()).filter(|(step, _)| *step > made) {
        sqlx::raw_sql(sql).execute(&mut *connection).await?;
        sqlx::query("insert into usersync_migrations (step) values (?)").bind(step).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Whether there is a ledger.
pub async fn exists(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "select count(*) from sqlite_schema where type = 'table' and \
         name in ('usersync_syncs', 'usersync_ledger', 'usersync_deactivated')",
    )
    .fetch_one(connection)
    .await?;
    Ok(found == 3)
}

/// All claims.
pub async fn claims(connection: &mut SqliteConnection) -> Result<Vec<Claim>, sqlx::Error> {
    let rows = sqlx::query("select instance, namespace, sync, users, scope, action from usersync_syncs")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Claim {
                sync: SyncId { instance: row.get(0), namespace: row.get(1), name: row.get(2) },
                table: row.get(3),
                scope: json::<BTreeMap<String, String>>(row.get(4))?,
                action: json::<Action>(&format!("\"{}\"", row.get::<&str, _>(5)))?,
            })
        })
        .collect()
}

/// Registers a claim and says which attempt this is.
pub async fn claim(connection: &mut SqliteConnection, claim: &Claim) -> Result<i64, sqlx::Error> {
    let rows = sqlx::query_scalar(
        "insert into usersync_syncs (instance, namespace, sync, users, scope, action, attempt)
         values (?, ?, ?, ?, ?, ?, 1)
         on conflict (instance, namespace, sync) do update set
           users = excluded.users, scope = excluded.scope, action = excluded.action,
           attempt = attempt + 1, updated = excluded.updated
         returning attempt",
    )
    .bind(&claim.sync.instance)
    .bind(&claim.sync.namespace)
    .bind(&claim.sync.name)
    .bind(&claim.table)
    .bind(text(&claim.scope)?)
    .bind(text(&claim.action)?.trim_matches('"').to_owned())
    // To the end: a statement that is left early writes nothing more.
    .fetch_all(connection)
    .await?;
    rows.first().copied().ok_or(sqlx::Error::RowNotFound)
}

/// The latest attempt of a sync; None if it never opened the ledger.
pub async fn attempt(connection: &mut SqliteConnection, sync: &SyncId) -> Result<Option<i64>, sqlx::Error> {
    let sql = "select attempt from usersync_syncs where instance = ? and namespace = ? and sync = ?";
    sqlx::query_scalar(sql).bind(&sync.instance).bind(&sync.namespace).bind(&sync.name).fetch_optional(connection).await
}

/// Which committed runs are asked for.
pub enum Runs<'a> {
    /// The one of that name.
    Named(&'a str),
    /// The newest of each of these files, newest first.
    Of(&'a [Stamp]),
    /// The newest of each of these names, sizes and days, newest first.
    OfDay(&'a [Stamp]),
    /// The newest.
    Last,
    /// Those with open steps, oldest first.
    Unfinished,
}

/// Committed runs of a sync.
pub async fn runs(
    connection: &mut SqliteConnection,
    sync: &SyncId,
    which: Runs<'_>,
) -> Result<Vec<LedgerRow>, sqlx::Error> {
    const RUNS: &str = "select run, file_name, file_size, file_mtime, sha256, spec, result, counts, report, open_steps, committed \
                        from usersync_ledger where instance = ?1 and namespace = ?2 and sync = ?3 and ";
    let (condition, value) = match which {
        Runs::Named(run) => ("run = ?4", run.to_owned()),
        Runs::Of(files) => (
            "id in (select max(id) from usersync_ledger where instance = ?1 and namespace = ?2 and sync = ?3 and \
             (file_name, file_size, file_mtime) in (select value->>'name', value->>'size', value->>'mtime' from json_each(?4)) \
             group by file_name, file_size, file_mtime) order by id desc",
            text(&files)?,
        ),
        Runs::OfDay(files) => (
            "id in (select max(id) from usersync_ledger where instance = ?1 and namespace = ?2 and sync = ?3 and \
             (file_name, file_size, substr(file_mtime, 1, 10)) in \
             (select value->>'name', value->>'size', substr(value->>'mtime', 1, 10) from json_each(?4)) \
             group by file_name, file_size, substr(file_mtime, 1, 10)) order by id desc",
            text(&files)?,
        ),
        Runs::Last => ("?4 = '' order by id desc limit 1", String::new()),
        Runs::Unfinished => ("open_steps <> ?4 order by id", "[]".to_owned()),
    };
    let sql = sqlx::AssertSqlSafe(format!("{RUNS}{condition}"));
    let rows = sqlx::query(sql)
        .bind(&sync.instance)
        .bind(&sync.namespace)
        .bind(&sync.name)
        .bind(value)
        .fetch_all(connection)
        .await?;
    rows.iter().map(run).collect()
}

fn run(row: &SqliteRow) -> Result<LedgerRow, sqlx::Error> {
    Ok(LedgerRow {
        run: row.get(0),
        file: Stamp { name: row.get(1), size: row.get::<i64, _>(2).unsigned_abs(), mtime: time(row.get(3))? },
        sha256: row.get(4),
        spec: row.get(5),
        result: row.get(6),
        counts: json(row.get(7))?,
        report: row.get(8),
        open: json(row.get(9))?,
        committed: time(row.get(10))?,
    })
}

/// Forgets runs older than 400 days, except a sync's newest of each file name. Under one name there lies one file: if it
/// is there since it was imported, no other of that name was imported after it.
pub async fn forget_old(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let old = "delete from usersync_ledger where committed < strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-400 days') and \
               id not in (select max(id) from usersync_ledger group by instance, namespace, sync, file_name)";
    sqlx::query(old).execute(connection).await?;
    Ok(())
}

/// Writes a committed run.
pub async fn record(connection: &mut SqliteConnection, sync: &SyncId, row: &LedgerRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into usersync_ledger (instance, namespace, sync, run, file_name, file_size, file_mtime, sha256, spec,
           result, counts, report, open_steps)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&sync.instance)
    .bind(&sync.namespace)
    .bind(&sync.name)
    .bind(&row.run)
    .bind(&row.file.name)
    .bind(i64::try_from(row.file.size).unwrap_or(i64::MAX))
    .bind(row.file.mtime.to_string())
    .bind(&row.sha256)
    .bind(&row.spec)
    .bind(&row.result)
    .bind(text(&row.counts)?)
    .bind(&row.report)
    .bind(text(&row.open)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces the open steps of a run.
pub async fn set_open(
    connection: &mut SqliteConnection,
    sync: &SyncId,
    run: &str,
    open: &[OpenStep],
) -> Result<(), sqlx::Error> {
    let sql = "update usersync_ledger set open_steps = ? where instance = ? and namespace = ? and sync = ? and run = ?";
    sqlx::query(sql)
        .bind(text(&open)?)
        .bind(&sync.instance)
        .bind(&sync.namespace)
        .bind(&sync.name)
        .bind(run)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes that the sync deactivated these users of a table, now.
pub async fn note(
    connection: &mut SqliteConnection,
    sync: &SyncId,
    users: &str,
    keys: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert or replace into usersync_deactivated (instance, namespace, sync, users, key)
         select ?, ?, ?, ?, value from json_each(?)",
    )
    .bind(&sync.instance)
    .bind(&sync.namespace)
    .bind(&sync.name)
    .bind(users)
    .bind(text(&keys)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets that the sync deactivated these users of a table.
pub async fn forget(
    connection: &mut SqliteConnection,
    sync: &SyncId,
    users: &str,
    keys: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from usersync_deactivated where instance = ? and namespace = ? and sync = ? and users = ?
         and key in (select value from json_each(?))",
    )
    .bind(&sync.instance)
    .bind(&sync.namespace)
    .bind(&sync.name)
    .bind(users)
    .bind(text(&keys)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// The users of a table that a sync deactivated: match key, and whole seconds since.
pub const DEACTIVATED: &str = "select key, cast(unixepoch() - unixepoch(since) as text) \
     from usersync_deactivated where instance = ? and namespace = ? and sync = ? and users = ?";

fn text<T: serde::Serialize>(value: &T) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn time(text: &str) -> Result<Timestamp, sqlx::Error> {
    text.parse().map_err(|error: jiff::Error| sqlx::Error::Decode(error.into()))
}
