//! Reads all users in scope as one statement's snapshot, batch by batch.

use std::{
    collections::{BTreeMap, HashSet},
    pin::Pin,
    task::{Context, Poll},
};

use futures::{Stream, TryStreamExt};
use sqlx::{AssertSqlSafe, mysql::MySqlRow};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    columns::{Described, scope_sql},
    keys::Collation,
    session::{Line, Session, bytes, word},
    sql::{list, quote, value},
    types,
    users::Users,
};
use crate::{
    model::{column::ColumnType, plan::Layout, rows::Rows},
    ports::StoreError,
};

/// A batch is handed on as soon as it has this many bytes.
const BATCH: usize = 1 << 20;

/// Rows in a batch, at most.
const ROWS: usize = 16 * 1024;

/// Keys in one question, at most.
const KEYS: usize = 1_000;

/// The layout's columns of `u`, as they are selected.
pub fn selected(layout: &Layout) -> String {
    let columns = layout.columns.iter();
    let selected = columns.map(|c| types::selected(&c.column.kind, &format!("u.{}", quote(&c.column.name))));
    selected.collect::<Vec<_>>().join(", ")
}

/// The statement that prints the users in scope, or of them those with one of these keys.
pub fn users_sql(users: &Users, layout: &Layout, scope: &str, only: Option<&Rows>) -> String {
    let all = format!("select {} from {} as u where {scope}", selected(layout), users.sql());
    let Some(keys) = only else { return all };
    let kind = &layout.key().kind;
    let keys: Vec<&str> = keys.iter().filter_map(|row| row.get(0)).collect();
    // Longer lists become a join, which may read the whole table.
    let parts = keys.chunks(KEYS).map(|keys| {
        let keys = list(keys.iter().map(|key| value(kind, key)));
        format!("{all} and u.{} in {keys}", quote(&layout.key().name))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { format!("{all} and false") } else { parts.join(" union all ") }
}

/// How many users there are in scope, counted up to `most`.
pub async fn count(
    session: &mut Session,
    users: &Users,
    layout: &Layout,
    scope: &str,
    most: Option<u64>,
) -> Result<u64, StoreError> {
    let limit = most.map_or_else(String::new, |most| format!(" limit {most}"));
    let sql = format!(
        "select count(*) from (select 1 from {} as u where {scope} and u.{} is not null{limit}) as x",
        users.sql(),
        quote(&layout.key().name)
    );
    let grant = users.grant_read(&session.account);
    let row = session.row("count the users", &grant, &sql).await?;
    Ok(row.and_then(|row| word(&row, 0).parse().ok()).unwrap_or_default())
}

/// A row's cells in canonical form, one by one.
pub fn cells(row: &MySqlRow, kinds: &[ColumnType], mut each: impl FnMut(Option<&str>)) -> Result<(), StoreError> {
    for (at, kind) in kinds.iter().enumerate() {
        match bytes(row, at).map(|printed| types::canonical(kind, printed)).transpose() {
            Ok(cell) => each(cell.as_deref()),
            Err(_) => {
                return Err(StoreError::Failed(format!(
                    "column {} of a user is not UTF-8 as the server prints it",
                    at + 1
                )));
            }
        }
    }
    Ok(())
}

/// Runs a query in a task of its own, which keeps the session: whoever drops the stream ends both.
pub fn stream(session: Session, sql: String, kinds: Vec<ColumnType>, what: &'static str, grant: String) -> Batches {
    let (send, batches) = mpsc::channel(2);
    let task = tokio::spawn(async move {
        if let Err(e) = read(session, sql, &kinds, &send, what, &grant).await {
            // Nobody listens any more: then nobody asks why.
            let _ = send.send(Err(e)).await;
        }
    });
    Batches { batches, task: task.abort_handle() }
}

async fn read(
    mut session: Session,
    sql: String,
    kinds: &[ColumnType],
    send: &mpsc::Sender<Result<Rows, StoreError>>,
    what: &str,
    grant: &str,
) -> Result<(), StoreError> {
    let Session { conn, line, .. } = &mut session;
    let odd = |line: &Line, e: StoreError| StoreError::Failed(format!("{}: can't {what}: {e}", line.name));
    // Row by row off the line: nothing of the result is kept but the batch.
    let mut found = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(conn);
    let mut batch = Rows::new(kinds.len());
    while let Some(row) = line.wait(what, grant, found.try_next()).await? {
        cells(&row, kinds, |cell| batch.push(cell)).map_err(|e| odd(line, e))?;
        if batch.size() >= BATCH || batch.len() >= ROWS {
            let full = std::mem::replace(&mut batch, Rows::new(kinds.len()));
            if send.send(Ok(full)).await.is_err() {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        let _ = send.send(Ok(batch)).await;
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
    columns: &[Described],
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    keys: &Rows,
) -> Result<Vec<usize>, StoreError> {
    let key = format!("u.{}", quote(&layout.key().name));
    let kind = [layout.key().kind.clone()];
    let own = columns.iter().find(|c| c.column.name == layout.key().name);
    let collation = match own {
        Some(own) => Collation::learn(session, own).await?,
        None => None,
    };
    let grant = users.grant_read(&session.account);
    let scope = scope_sql("u", scope, columns);
    let what = "look for users outside target.scope";
    let mut places = Vec::new();
    for first in (0..keys.len()).step_by(KEYS) {
        let mut asked = Rows::new(1);
        (first..keys.len().min(first + KEYS)).for_each(|at| asked.push(keys.row(at).get(0)));
        let sql = format!(
            "select {} from {} as u where {key} in {} and ({scope}) is not true",
            types::selected(&kind[0], &key),
            users.sql(),
            list(asked.iter().map(|row| value(&kind[0], row.get(0).unwrap_or_default())))
        );
        let mut held = Rows::new(1);
        for row in session.rows(what, &grant, &sql).await? {
            cells(&row, &kind, |cell| held.push(cell))?;
        }
        if held.is_empty() {
            continue;
        }
        if let Some(collation) = &collation {
            (asked, held) = (collation.forms(session, &asked).await?, collation.forms(session, &held).await?);
        }
        let held: HashSet<Option<&str>> = held.iter().map(|row| row.get(0)).collect();
        places.extend((0..asked.len()).filter(|&at| held.contains(&asked.row(at).get(0))).map(|at| first + at));
    }
    Ok(places)
}
