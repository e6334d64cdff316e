//! The ledger: tables beside the users that say what was committed and who writes where. It is made by the first
//! import; everything that only reads takes its absence for an empty one.

use sqlx::{Row as _, postgres::PgRow};

use super::{session::Session, sql::quote, users::Users};
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

/// The statement that gives the right to read and write the ledger.
pub fn grant(users: &Users, user: &str) -> String {
    let tables: Vec<String> = [LEDGER, SYNCS, DEACTIVATED, MIGRATIONS].iter().map(|name| users.ledger(name)).collect();
    format!("grant select, insert, update, delete on {} to {}", tables.join(", "), quote(user))
}

/// Whether there is a ledger.
pub async fn exists(session: &mut Session, users: &Users) -> Result<bool, StoreError> {
    let Session { conn, line } = session;
    let sql = "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
        where n.nspname = $1 and c.relname = any($2)";
    let names = [LEDGER, SYNCS, DEACTIVATED];
    let query = sqlx::query_scalar::<_, i64>(sql).bind(&users.ledger_schema).bind(&names[..]).fetch_one(conn);
    Ok(line.wait("look for the ledger", "", query).await? == names.len() as i64)
}

const COLUMNS: &str = "run, file_name, file_size, file_mtime, sha256, spec, result, counts::text, report, open_steps, \
    to_char(committed at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

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
    let right = grant(users, &session.line.name.user);
    let of_sync = format!("from {} where instance = $1 and namespace = $2 and sync = $3", users.ledger(LEDGER));
    let (condition, value) = match which {
        Runs::Named(run) => ("and run = $4".to_owned(), run.to_owned()),
        Runs::Of(files) => newest(&of_sync, files, |time| time.to_owned()),
        Runs::OfDay(files) => newest(&of_sync, files, |time| format!("left({time}, 10)")),
        Runs::Last => ("and $4 = '' order by id desc limit 1".to_owned(), String::new()),
        Runs::Unfinished => ("and open_steps <> $4::text[] order by id".to_owned(), "{}".to_owned()),
    };
    let sql = format!("select {COLUMNS} {of_sync} {condition}");
    let Session { conn, line } = session;
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&sync.instance).bind(&sync.namespace).bind(&sync.name);
    let found = line.wait("read the ledger", &right, query.bind(value).fetch_all(conn)).await?;
    found.iter().map(ledger_row).collect::<Result<_, _>>().map_err(|e| line.error("read the ledger", &right, &e))
}

/// The condition for the newest run of each of these files, and its value. Times are compared by what `of` makes of them.
fn newest(of_sync: &str, files: &[Stamp], of: impl Fn(&str) -> String) -> (String, String) {
    let (theirs, asked) = (of("file_mtime"), of("(f->>'mtime')"));
    // `is true` has each list hashed. As joins, on a ledger without statistics, the planner loops over their product.
    let newest = format!(
        "and (id in (select max(id) {of_sync} and ((file_name, file_size, {theirs}) in \
         (select f->>'name', (f->>'size')::numeric, {asked} from json_array_elements($4::json) f)) is true \
         group by file_name, file_size, {theirs})) is true order by id desc"
    );
    (newest, serde_json::to_string(files).unwrap_or_else(|_| "[]".to_owned()))
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

/// The statement that forgets runs older than 400 days, except a sync's newest of each file name. Under one name there
/// lies one file: if it is there since it was imported, no other of that name was imported after it.
pub fn forget_old_sql(users: &Users) -> String {
    let ledger = users.ledger(LEDGER);
    format!(
        "delete from {ledger} where id in (select id from (select id, committed, row_number() over (partition by \
         instance, namespace, sync, file_name collate \"C\" order by id desc) as place from {ledger}) ranked \
         where place > 1 and committed < now() - interval '400 days')"
    )
}

/// Writes a run's row, in the transaction that the session is in.
pub async fn write(session: &mut Session, users: &Users, sync: &SyncId, row: &LedgerRow) -> Result<(), StoreError> {
    let right = grant(users, &session.line.name.user);
    let sql = format!(
        "insert into {} (instance, namespace, sync, run, file_name, file_size, file_mtime, sha256, spec, result, \
         counts, report, open_steps) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13)",
        users.ledger(LEDGER)
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
        users.ledger(LEDGER)
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
        users.ledger(SYNCS)
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
            users.ledger(SYNCS)
        ))),
    }
}

/// The statement that prints the deactivated users of a sync: key, and whole seconds since.
pub fn deactivated_sql(users: &Users, sync: &SyncId) -> String {
    let literal = super::sql::literal;
    format!(
        "copy (select key, floor(extract(epoch from now() - since))::bigint from {} where instance = {} and \
         namespace = {} and sync = {} and users = {}) to stdout",
        users.ledger(DEACTIVATED),
        literal(&sync.instance),
        literal(&sync.namespace),
        literal(&sync.name),
        literal(&users.in_ledger()),
    )
}

/// A value from JSON text.
pub fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(decode)
}

/// A variant by its name.
pub fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(decode)
}

fn decode(e: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(e))
}
