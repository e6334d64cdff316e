//! Reads all users in scope as one statement's snapshot, batch by batch.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, TryFutureExt, TryStreamExt};
use sqlx::AssertSqlSafe;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    copy::CopyReader,
    session::Session,
    sql::{literal, quote},
    types,
    users::{self, Users},
};
use crate::{
    model::{column::ColumnType, plan::Layout, rows::Rows},
    ports::StoreError,
};

/// A batch is handed on as soon as it has this many bytes.
const BATCH: usize = 1 << 20;
/// Chunks that are taken at once, at most.
const CHUNKS: usize = 256;

/// The statement that prints the users for whom `condition` holds.
pub fn users_sql(users: &Users, layout: &Layout, condition: &str) -> String {
    let columns: Vec<String> = layout
        .columns
        .iter()
        .map(|c| {
            let cast = if types::cast(&c.column.kind) { "::text" } else { "" };
            format!("u.{}{cast}", quote(&c.column.name))
        })
        .collect();
    format!("copy (select {} from {} as u where {condition}) to stdout", columns.join(", "), users.sql())
}

/// Holds for users in scope, and only for those with one of these keys, if there are any.
pub async fn condition(
    session: &mut Session,
    users: &Users,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    only: Option<&Rows>,
) -> Result<String, StoreError> {
    let scope = users::scope_sql("u", scope);
    let Some(keys) = only else { return Ok(scope) };
    let own = key_type(session, users, layout).await?;
    let keys: Vec<String> = keys.iter().filter_map(|row| row.get(0).map(element)).collect();
    // One literal: of ten thousand, the server would read each by itself.
    let keys = literal(&format!("{{{}}}", keys.join(",")));
    Ok(format!("{scope} and u.{} = any ({keys}::{own}[])", quote(&layout.key().name)))
}

/// A text as it stands in an array's literal.
fn element(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// How many users there are in scope, counted up to `most`.
pub async fn count(
    session: &mut Session,
    users: &Users,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    most: Option<u64>,
) -> Result<u64, StoreError> {
    let limit = most.map_or_else(String::new, |most| format!(" limit {most}"));
    let sql = format!(
        "select count(*) from (select from {} as u where {} and u.{} is not null{limit}) as x",
        users.sql(),
        users::scope_sql("u", scope),
        quote(&layout.key().name)
    );
    let Session { conn, line } = session;
    let grant = users.grant_read(&line.name.user);
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(conn);
    let counted = line.wait("count the users", &grant, query).await?;
    Ok(u64::try_from(counted).unwrap_or_default())
}

/// The key's own type, as its index compares it.
async fn key_type(session: &mut Session, users: &Users, layout: &Layout) -> Result<String, StoreError> {
    let columns = users::columns(session, users).await?;
    let key = columns.into_iter().find(|c| c.column.name == layout.key().name);
    Ok(key.map_or_else(|| "text".to_owned(), |key| key.own))
}

/// Runs a `copy … to stdout` in a task of its own, which keeps the session: whoever drops the stream ends both.
pub fn stream(session: Session, sql: String, kinds: &[ColumnType], what: &'static str, grant: String) -> Batches {
    let (send, batches) = mpsc::channel(2);
    let reader = CopyReader::new(kinds.iter());
    let task = tokio::spawn(async move {
        if let Err(e) = copy(session, sql, reader, &send, what, &grant).await {
            // Nobody listens any more: then nobody asks why.
            let _ = send.send(Err(e)).await;
        }
    });
    Batches { batches, task: task.abort_handle() }
}

async fn copy(
    mut session: Session,
    sql: String,
    mut reader: CopyReader,
    send: &mpsc::Sender<Result<Rows, StoreError>>,
    what: &str,
    grant: &str,
) -> Result<(), StoreError> {
    let Session { conn, line } = &mut session;
    let odd = |line: &super::session::Line, e| StoreError::Failed(format!("{}: can't {what}: {e}", line.name));
    // A chunk is a row: as many are taken at once as have come.
    let mut chunks = line.wait(what, grant, conn.copy_out_raw(&sql)).await?.try_ready_chunks(CHUNKS);
    let mut rows = reader.rows();
    while let Some(ready) = line.wait(what, grant, chunks.try_next().map_err(|error| error.1)).await? {
        ready.iter().try_for_each(|chunk| reader.read(chunk, &mut rows)).map_err(|e| odd(line, e))?;
        if rows.size() >= BATCH {
            let empty = reader.rows();
            if send.send(Ok(std::mem::replace(&mut rows, empty))).await.is_err() {
                return Ok(());
            }
        }
    }
    reader.finish().map_err(|e| odd(line, e))?;
    if !rows.is_empty() {
        let _ = send.send(Ok(rows)).await;
    }
    Ok(())
}

/// Batches from the task that reads them.
pub struct Batches {
    batches: mpsc::Receiver<Result<Rows, StoreError>>,
    task: AbortHandle,
}

impl Stream for Batches {
    type Item = Result<Rows, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_recv(context)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// These words in the lower case by which `citext` compares them: that of the database's own collation.
pub async fn lower_case(session: &mut Session, words: &[Option<&str>]) -> Result<Vec<Option<String>>, StoreError> {
    let Session { conn, line } = session;
    let sql =
        "select lower(w collate \"default\") from unnest($1::text[]) with ordinality as x (w, place) order by place";
    let query = sqlx::query_scalar(sql).bind(words).fetch_all(conn);
    line.wait("compare the match keys", "", query).await
}

/// Whether the match key alone is unique in the table, whatever the scope.
pub fn key_alone(unique: &[Vec<String>], layout: &Layout) -> bool {
    unique.iter().any(|columns| columns.len() == 1 && columns[0] == layout.key().name)
}

/// Which of these keys a row outside the scope holds: their places.
pub async fn outside(
    session: &mut Session,
    users: &Users,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    keys: &Rows,
) -> Result<Vec<usize>, StoreError> {
    let own = key_type(session, users, layout).await?;
    let key = quote(&layout.key().name);
    let sql = format!(
        "select k.place from unnest($1::text[]) with ordinality as k(key, place) \
         join {} as u on u.{key} = k.key::{own} where ({}) is not true order by 1",
        users.sql(),
        users::scope_sql("u", scope),
    );
    let texts: Vec<Option<&str>> = keys.iter().map(|row| row.get(0)).collect();
    let Session { conn, line } = session;
    let grant = users.grant_read(&line.name.user);
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(texts).fetch_all(conn);
    let mut places: Vec<usize> = line
        .wait("look for users outside target.scope", &grant, query)
        .await?
        .into_iter()
        .filter_map(|place| usize::try_from(place - 1).ok())
        .collect();
    // Several rows may hold the key, when it is unique with another column only.
    places.dedup();
    Ok(places)
}
