//! Reading users in batches, on a connection and a task of its own.

use std::{borrow::Cow, collections::BTreeMap};

use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::{AssertSqlSafe, Row, SqliteConnection};
use tokio::sync::mpsc;

use super::{
    cell::{self, Stored},
    connect::File,
    shape::{CHUNK, Shape, arguments, quote},
    types::Affinity,
};
use crate::{
    model::{column::ColumnType, plan::Layout, rows::Rows},
    ports::StoreError,
};

/// Bytes of text in a batch, about.
const BATCH: usize = 1 << 20;

/// Rows in a batch, at most.
const ROWS: usize = 16 * 1024;

/// Hands rows over, batch by batch.
pub struct Out {
    /// Those that wait.
    pub rows: Rows,
    send: mpsc::Sender<Result<Rows, StoreError>>,
}

impl Out {
    /// Hands them over if they are a batch. False: nobody listens any more.
    pub async fn pass(&mut self) -> bool {
        if self.rows.size() < BATCH && self.rows.len() < ROWS {
            return true;
        }
        let empty = Rows::new(self.rows.width());
        self.send.send(Ok(std::mem::replace(&mut self.rows, empty))).await.is_ok()
    }
}

/// What a task of its own reads, until the stream is dropped. `width`: of its rows.
pub fn stream<F>(file: File, width: usize, read: impl FnOnce(Out) -> F) -> BoxStream<'static, Result<Rows, StoreError>>
where
    F: Future<Output = Result<Out, sqlx::Error>> + Send + 'static,
{
    let (send, receive) = mpsc::channel(1);
    let reading = read(Out { rows: Rows::new(width), send: send.clone() });
    tokio::spawn(async move {
        let rest = match reading.await {
            Ok(out) if out.rows.is_empty() => return,
            Ok(out) => Ok(out.rows),
            Err(error) => Err(file.fatal(&error)),
        };
        // Nobody listens any more: then that doesn't matter either.
        let _ = send.send(rest).await;
    });
    let next = |mut receive: mpsc::Receiver<_>| async move { receive.recv().await.map(|batch| (batch, receive)) };
    futures::stream::unfold(receive, next).boxed()
}

/// The rows of one query, which sees one snapshot. Cells become canonical text of `kinds`.
pub fn batches(
    file: File,
    mut connection: SqliteConnection,
    sql: String,
    values: Vec<Stored>,
    kinds: Vec<ColumnType>,
) -> BoxStream<'static, Result<Rows, StoreError>> {
    stream(file, kinds.len(), |out| async move { read(&mut connection, &sql, &values, &kinds, out).await })
}

/// Reads what a query finds, value by value.
pub async fn read(
    connection: &mut SqliteConnection,
    sql: &str,
    values: &[Stored],
    kinds: &[ColumnType],
    mut out: Out,
) -> Result<Out, sqlx::Error> {
    let mut found = sqlx::query_with(AssertSqlSafe(sql), arguments(values)?).fetch(connection);
    while let Some(row) = found.try_next().await? {
        for (place, kind) in kinds.iter().enumerate() {
            let text: Option<Cow<'_, str>> = cell::text(row.try_get_raw(place)?, kind)?;
            out.rows.push(text.as_deref());
        }
        if !out.pass().await {
            break;
        }
    }
    Ok(out)
}

/// Holds for users in scope, and only for those with one of these keys, if there are any; and its values. Who has no key can't be in a
/// file: such rows are left alone.
pub fn condition(
    shape: &Shape,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    only: Option<&Rows>,
) -> (String, Vec<Stored>) {
    let key = layout.key();
    let (scope, mut values) = shape.scope(scope);
    let mut condition = format!("{} is not null and {scope}", shape.select(&key.name));
    if let Some(keys) = only {
        let affinity = shape.affinity(&key.name);
        let keys = keys.iter().filter_map(|row| row.get(0));
        let before = values.len();
        values.extend(keys.map(|key_text| bound(&key.kind, affinity, key_text)));
        let places = vec!["?"; values.len() - before].join(",");
        condition.push_str(&format!(" and {} in ({places})", shape.select(&key.name)));
    }
    (condition, values)
}

/// How many users there are in scope, counted up to `most`.
pub async fn count(
    connection: &mut SqliteConnection,
    shape: &Shape,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    most: Option<u64>,
) -> Result<u64, sqlx::Error> {
    let (condition, values) = condition(shape, layout, scope, None);
    let limit = most.map_or_else(String::new, |most| format!(" limit {most}"));
    let sql = format!("select count(*) from (select 1 from {} as u where {condition}{limit})", quote(&shape.name));
    let counted = sqlx::query_with(AssertSqlSafe(sql), arguments(&values)?).fetch_one(connection).await?;
    Ok(u64::try_from(counted.get::<i64, _>(0)).unwrap_or_default())
}

/// A match key as its column stores it.
fn bound(kind: &ColumnType, affinity: Affinity, text: &str) -> Stored {
    cell::bind(kind, affinity, text).unwrap_or_else(|_| Stored::Text(text.into()))
}

/// Which of these match keys a row outside the scope has: their places in `keys`, ascending.
pub async fn held_outside(
    connection: &mut SqliteConnection,
    shape: &Shape,
    layout: &Layout,
    scope: &BTreeMap<String, String>,
    keys: &Rows,
) -> Result<Vec<usize>, sqlx::Error> {
    let key = layout.key();
    let affinity = shape.affinity(&key.name);
    let (condition, constants) = shape.scope(scope);
    let mut found = Vec::new();
    for first in (0..keys.len()).step_by(CHUNK) {
        let mut values = Vec::new();
        for place in first..keys.len().min(first + CHUNK) {
            let text = keys.row(place).get(0).unwrap_or_default();
            values.push(Stored::Integer(i64::try_from(place).unwrap_or(i64::MAX)));
            values.push(bound(&key.kind, affinity, text));
        }
        let list = vec!["(?, ?)"; values.len() / 2].join(", ");
        values.extend(constants.iter().cloned());
        // The column's own collation and affinity: just what its unique index goes by.
        let sql = format!(
            "select v.column1 from (values {list}) as v where exists \
             (select 1 from {} as u where u.{} = v.column2 and ({condition}) is not true)",
            quote(&shape.name),
            quote(&key.name)
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments(&values)?).fetch_all(&mut *connection).await?;
        found.extend(rows.iter().filter_map(|row| usize::try_from(row.get::<i64, _>(0)).ok()));
    }
    found.sort_unstable();
    Ok(found)
}
