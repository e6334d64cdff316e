//! Reads all users in scope as one statement's snapshot, batch by batch.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, TryStreamExt};
use sqlx::AssertSqlSafe;
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    copy::CopyReader,
    session::Session,
    sql::quote,
    types,
    users::{self, Users},
};
use crate::{
    model::{column::ColumnType, plan::Layout, rows::Rows},
    ports::StoreError,
};

/// A batch is handed on as soon as it has this many bytes.
const BATCH: usize = 1 << 20;

/// The statement that prints the users in scope.
pub fn users_sql(users: &Users, layout: &Layout, scope: &BTreeMap<String, String>) -> String {
    let columns: Vec<String> = layout
        .columns
        .iter()
        .map(|c| {
            let cast = if types::cast(&c.column.kind) { "::text" } else { "" };
            format!("u.{}{cast}", quote(&c.column.name))
        })
        .collect();
    let scope = users::scope_sql("u", scope);
    format!("copy (select {} from {} as u where {scope}) to stdout", columns.join(", "), users.sql())
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
    let mut chunks = line.wait(what, grant, conn.copy_out_raw(&sql)).await?;
    let mut rows = reader.rows();
    while let Some(chunk) = line.wait(what, grant, chunks.try_next()).await? {
        reader.read(&chunk, &mut rows).map_err(|e| odd(line, e))?;
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
    let columns = users::columns(session, users).await?;
    let own = columns.iter().find(|c| c.column.name == layout.key().name).map_or("text", |c| c.own.as_str());
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
