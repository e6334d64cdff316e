//! The ledger: tables beside the users that say what was committed and who writes where. It is made by the first
//! import; everything that only reads takes its absence for an empty one.

use sha2::{Digest as _, Sha256};
use sqlx::mysql::MySqlRow;

use super::{
    error,
    session::{Session, text, word},
    sql::{list, literal},
    users::Users,
};
use crate::{
    model::{
        file::Stamp,
        job::SyncId,
        ledger::{Fence, LedgerRow, OpenStep},
    },
    ports::StoreError,
};

/// Committed runs.
pub const LEDGER: &str = "usersync_ledger";
/// Who writes where.
pub const SYNCS: &str = "usersync_syncs";
/// Users whom a sync deactivated.
pub const DEACTIVATED: &str = "usersync_deactivated";
/// Which of the ledger's steps were made.
pub const MIGRATIONS: &str = "usersync_migrations";

/// Files in one question, at most.
const FILES: usize = 1_000;
/// Keys in one statement, at most.
const KEYS: usize = 1_000;

/// The statements that give the right to make, read and write the ledger.
pub fn grant(users: &Users, account: &str) -> String {
    let rights = "create, select, insert, update, delete";
    let tables = [LEDGER, SYNCS, DEACTIVATED, MIGRATIONS].iter();
    let grants = tables.map(|name| format!("grant {rights} on {} to {account}", users.ledger(name)));
    grants.collect::<Vec<_>>().join("; ")
}

/// Whether there is a ledger.
pub async fn exists(session: &mut Session, users: &Users) -> Result<bool, StoreError> {
    let names = [LEDGER, SYNCS, DEACTIVATED];
    let sql = format!(
        "select count(*) from information_schema.tables where table_schema = {} and table_name in {}",
        literal(&users.ledger_schema),
        list(names.iter().map(|name| literal(name)))
    );
    let row = session.row("look for the ledger", "", &sql).await?;
    Ok(row.as_ref().and_then(|row| text(row, 0)) == Some("3"))
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
pub async fn rows(
    session: &mut Session,
    users: &Users,
    sync: &SyncId,
    which: Runs<'_>,
) -> Result<Vec<LedgerRow>, StoreError> {
    if !exists(session, users).await? {
        return Ok(Vec::new());
    }
    match which {
        Runs::Named(run) => some(session, users, sync, &format!("and run = {}", literal(run))).await,
        Runs::Last => some(session, users, sync, "order by id desc limit 1").await,
        Runs::Unfinished => some(session, users, sync, "and open_steps <> '[]' order by id").await,
        Runs::Of(files) => newest(session, users, sync, files, |time| time.to_owned()).await,
        Runs::OfDay(files) => newest(session, users, sync, files, |time| format!("left({time}, 10)")).await,
    }
    .map(|rows| rows.into_iter().map(|(_, row)| row).collect())
}

/// The newest run of each of these files. Times are compared by what `of` makes of them.
async fn newest(
    session: &mut Session,
    users: &Users,
    sync: &SyncId,
    files: &[Stamp],
    of: impl Fn(&str) -> String,
) -> Result<Vec<(i64, LedgerRow)>, StoreError> {
    let mut newest = Vec::new();
    let theirs = of("file_mtime");
    for files in files.chunks(FILES) {
        let files = list(files.iter().map(|file| {
            format!("({}, {}, {})", literal(&file.name), file.size, of(&literal(&file.mtime.to_string())))
        }));
        let ids = format!(
            "select max(id) as id {} and (file_name, file_size, {theirs}) in {files} group by file_name, file_size, {theirs}",
            of_sync(users, sync)
        );
        newest.extend(some(session, users, sync, &format!("and id in (select id from ({ids}) as newest)")).await?);
    }
    newest.sort_by_key(|(id, _)| std::cmp::Reverse(*id));
    Ok(newest)
}

fn of_sync(users: &Users, sync: &SyncId) -> String {
    format!("from {} where {}", users.ledger(LEDGER), owner(sync))
}

/// The condition that finds a sync's rows.
fn owner(sync: &SyncId) -> String {
    let SyncId { instance, namespace, name } = sync;
    format!("instance = {} and namespace = {} and sync = {}", literal(instance), literal(namespace), literal(name))
}

/// A sync's rows with a condition, each with its place in the order of the commits.
async fn some(
    session: &mut Session,
    users: &Users,
    sync: &SyncId,
    condition: &str,
) -> Result<Vec<(i64, LedgerRow)>, StoreError> {
    let sql = format!(
        "select id, run, file_name, file_size, file_mtime, sha256, spec, result, counts, report, open_steps, \
         date_format(committed, '%Y-%m-%dT%H:%i:%s.%fZ') {} {condition}",
        of_sync(users, sync)
    );
    let right = grant(users, &session.account);
    let found = session.rows("read the ledger", &right, &sql).await?;
    let rows: Result<_, sqlx::Error> = found.iter().map(ledger_row).collect();
    rows.map_err(|e| session.line.error("read the ledger", &right, &e))
}

fn ledger_row(row: &MySqlRow) -> Result<(i64, LedgerRow), sqlx::Error> {
    let name = word(row, 2);
    let stamp =
        Stamp { name, size: word(row, 3).parse().map_err(decode)?, mtime: word(row, 4).parse().map_err(decode)? };
    let ledger = LedgerRow {
        run: word(row, 1),
        file: stamp,
        sha256: word(row, 5),
        spec: word(row, 6),
        result: word(row, 7),
        counts: json(&word(row, 8))?,
        report: word(row, 9),
        open: json(&word(row, 10))?,
        committed: word(row, 11).parse().map_err(decode)?,
    };
    Ok((word(row, 0).parse().map_err(decode)?, ledger))
}

/// The statement that forgets runs older than 400 days, except a sync's newest of each file name. Under one name there
/// lies one file: if it is there since it was imported, no other of that name was imported after it.
pub fn forget_old_sql(users: &Users) -> String {
    let ledger = users.ledger(LEDGER);
    format!(
        "delete from {ledger} where committed < utc_timestamp(6) - interval 400 day and id not in (select id from \
         (select max(id) as id from {ledger} group by instance, namespace, sync, file_name) as newest)"
    )
}

/// Writes a run's row, in the transaction that the session is in.
pub async fn write(session: &mut Session, users: &Users, sync: &SyncId, row: &LedgerRow) -> Result<(), StoreError> {
    let right = grant(users, &session.account);
    let counts = serde_json::to_string(&row.counts).unwrap_or_else(|_| "{}".to_owned());
    let steps = serde_json::to_string(&row.open).unwrap_or_else(|_| "[]".to_owned());
    let (size, mtime) = (row.file.size.to_string(), row.file.mtime.to_string());
    let SyncId { instance, namespace, name } = sync;
    let values = [
        instance,
        namespace,
        name,
        &row.run,
        &row.file.name,
        &size,
        &mtime,
        &row.sha256,
        &row.spec,
        &row.result,
        &counts,
        &row.report,
        &steps,
    ];
    let sql = format!(
        "insert into {} (instance, namespace, sync, run, file_name, file_size, file_mtime, sha256, spec, result, counts, \
         report, open_steps, committed) values ({}, utc_timestamp(6))",
        users.ledger(LEDGER),
        values.map(|value| literal(value)).join(", ")
    );
    match session.run_plain(&sql).await {
        Ok(_) => Ok(()),
        Err(e) if error::is_duplicate(&e) => {
            Err(StoreError::Failed(format!("{}: run {} is committed already", session.line.name, row.run)))
        }
        Err(e) => Err(session.line.error("write the ledger", &right, &e)),
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
    let right = grant(users, &session.account);
    let of_run = format!("and run = {}", literal(run));
    session.run("write the ledger", "", "start transaction").await?;
    // Locked: two steps may be closed at once.
    if let Some((id, mut row)) = some(session, users, sync, &format!("{of_run} for update")).await?.pop() {
        row.open.retain(|open| *open != step);
        let steps = serde_json::to_string(&row.open).unwrap_or_else(|_| "[]".to_owned());
        let sql = format!("update {} set open_steps = {} where id = {id}", users.ledger(LEDGER), literal(&steps));
        session.run("write the ledger", &right, &sql).await?;
    }
    session.run("write the ledger", "", "commit").await.map(|_| ())
}

/// Sees, with the sync's row locked, that the fence still stands.
pub async fn hold(session: &mut Session, users: &Users, fence: &Fence) -> Result<(), StoreError> {
    let right = grant(users, &session.account);
    let syncs = users.ledger(SYNCS);
    let sql = format!("select attempt from {syncs} where {} for update", owner(&fence.sync));
    let row = session.row("lock the sync's row in the ledger", &right, &sql).await?;
    let name = &session.line.name;
    match row.as_ref().and_then(|row| text(row, 0)) {
        Some(attempt) if attempt == fence.attempt.to_string() => Ok(()),
        Some(_) => Err(StoreError::Fenced(format!(
            "{name}: another run of sync {} began after this one and has taken over; nothing was written",
            fence.sync
        ))),
        None => Err(StoreError::Fenced(format!(
            "{name}: sync {} was removed from {syncs} while it ran; nothing was written",
            fence.sync
        ))),
    }
}

/// The statement that prints the deactivated users of a sync: key, and whole seconds since.
pub fn deactivated_sql(users: &Users, sync: &SyncId) -> String {
    format!(
        "select user_key, timestampdiff(second, since, utc_timestamp(6)) from {} where {} and users = {}",
        users.ledger(DEACTIVATED),
        owner(sync),
        literal(&users.in_ledger())
    )
}

/// The statements that note that the sync deactivated these users, from now on.
pub fn note_sql(users: &Users, sync: &SyncId, keys: &[&str]) -> Vec<String> {
    let owner = [&sync.instance, &sync.namespace, &sync.name, &users.in_ledger()].map(|text| literal(text)).join(", ");
    let note = |keys: &[&str]| {
        let rows = keys
            .iter()
            .map(|key| format!("({owner}, {}, {}, utc_timestamp(6))", literal(key), digest(users, sync, key)));
        format!(
            "insert into {} (instance, namespace, sync, users, user_key, digest, since) values {} \
             on duplicate key update since = utc_timestamp(6)",
            users.ledger(DEACTIVATED),
            rows.collect::<Vec<_>>().join(", ")
        )
    };
    keys.chunks(KEYS).map(note).collect()
}

/// The statements that forget that the sync deactivated these users.
pub fn forget_sql(users: &Users, sync: &SyncId, keys: &[&str]) -> Vec<String> {
    let forget = |keys: &[&str]| {
        let digests = list(keys.iter().map(|key| digest(users, sync, key)));
        format!("delete from {} where digest in {digests}", users.ledger(DEACTIVATED))
    };
    keys.chunks(KEYS).map(forget).collect()
}

/// What a deactivated user is found by: a key may be longer than an index takes.
fn digest(users: &Users, sync: &SyncId, key: &str) -> String {
    let mut hash = Sha256::new();
    // Each part with its length: no two lists of parts read the same.
    for part in [&sync.instance, &sync.namespace, &sync.name, &users.in_ledger(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("x'{}'", data_encoding::HEXLOWER.encode(&hash.finalize()))
}

/// A value from JSON text.
pub fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(decode)
}

fn decode(e: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(e))
}
