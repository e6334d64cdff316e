//! Reading all users, a group of rows at a time: SQLite prints the group as JSON, for each value that it hands over by itself costs
//! several times what its bytes do.

use std::{borrow::Cow, fmt};

use futures::stream::BoxStream;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{
    cell::{Stored, canonical},
    connect::File,
    scan::{self, Out},
    shape::arguments,
};
use crate::{
    model::{column::ColumnType, rows::Rows},
    ports::StoreError,
};

/// Rows of a group, at most.
const MOST: usize = 256;
/// Rows of the first group, when nobody knows how large they are.
const FIRST: usize = 16;
/// Bytes of a group's text, about.
const SIZE: usize = 256 << 10;

/// Which users are read, and what of them.
pub struct Users {
    /// `u."name"` of each column, with commas.
    pub columns: String,
    /// The table, quoted.
    pub table: String,
    /// The name by which a row's number is reached.
    pub rowid: &'static str,
    /// Holds for them; and what is bound to it.
    pub condition: String,
    pub values: Vec<Stored>,
}

impl Users {
    /// A group of those from a row's number on: the last one's number, how many they are, and each as a JSON array, one behind
    /// the other.
    fn group(&self) -> String {
        let Self { columns, table, rowid, condition, .. } = self;
        format!(
            "select max(x.number), count(*), group_concat(x.cells, '') from (select u.{rowid} as number, \
             json_array({columns}) as cells from {table} as u where u.{rowid} >= ? and {condition} order by u.{rowid} \
             limit ?) as x"
        )
    }

    /// All those from a row's number on, value by value.
    fn rest(&self) -> String {
        let Self { columns, table, rowid, condition, .. } = self;
        format!("select {columns} from {table} as u where u.{rowid} >= ? and {condition}")
    }

    /// What is bound to either of them.
    fn values(&self, from: i64, limit: Option<usize>) -> Vec<Stored> {
        let limit = limit.map(|limit| Stored::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        [Stored::Integer(from)].into_iter().chain(self.values.iter().cloned()).chain(limit).collect()
    }
}

/// Whether users are read so: text must be kept in UTF-8, and JSON would cut digits of numbers with a point.
pub async fn suits(connection: &mut SqliteConnection, kinds: &[ColumnType]) -> Result<bool, sqlx::Error> {
    if kinds.iter().any(|kind| matches!(kind, ColumnType::Float { .. } | ColumnType::Decimal { .. })) {
        return Ok(false);
    }
    let encoding: String = sqlx::query_scalar("pragma encoding").fetch_one(connection).await?;
    Ok(encoding == "UTF-8")
}

/// All of them, as one snapshot. Cells become canonical text of `kinds`.
pub fn batches(
    file: File,
    mut connection: SqliteConnection,
    users: Users,
    kinds: Vec<ColumnType>,
) -> BoxStream<'static, Result<Rows, StoreError>> {
    scan::stream(file, kinds.len(), |out| async move { read(&mut connection, &users, &kinds, out).await })
}

async fn read(
    connection: &mut SqliteConnection,
    users: &Users,
    kinds: &[ColumnType],
    mut out: Out,
) -> Result<Out, sqlx::Error> {
    sqlx::query("begin").execute(&mut *connection).await?;
    let sql = users.group();
    let (mut from, mut limit) = (i64::MIN, FIRST);
    loop {
        let values = arguments(&users.values(from, Some(limit)))?;
        let group =
            sqlx::query_as_with::<_, (Option<i64>, u32, Option<String>), _>(AssertSqlSafe(sql.as_str()), values);
        // It is an error where a value is bytes, for one.
        let Ok((last, count, text)) = group.fetch_one(&mut *connection).await else { break };
        let (Some(last), Some(text)) = (last, text) else { return Ok(out) };
        let before = out.rows.len();
        if unpack(&text, count, kinds, &mut out.rows).is_err() {
            out.rows.truncate(before);
            break;
        }
        if !out.pass().await {
            return Ok(out);
        }
        let Some(next) = last.checked_add(1) else { return Ok(out) };
        from = next;
        limit = (limit * SIZE / text.len().max(1)).clamp(1, MOST);
    }
    // What JSON can't say as it is: then nothing is packed from there on.
    scan::read(connection, &users.rest(), &users.values(from, None), kinds, out).await
}

/// Takes over `count` rows, each a JSON array.
fn unpack(text: &str, count: u32, kinds: &[ColumnType], rows: &mut Rows) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    for _ in 0..count {
        json.deserialize_seq(Cells { kinds, rows })?;
    }
    json.end()
}

/// Takes over the cells of a row.
struct Cells<'a> {
    kinds: &'a [ColumnType],
    rows: &'a mut Rows,
}

impl<'de> Visitor<'de> for Cells<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} values", self.kinds.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<(), A::Error> {
        let Self { kinds, rows } = self;
        for (at, kind) in kinds.iter().enumerate() {
            cells.next_element_seed(Cell { kind, rows })?.ok_or_else(|| A::Error::invalid_length(at, &"a row"))?;
        }
        Ok(())
    }
}

/// Takes over a value: text, a whole number or nothing.
struct Cell<'a> {
    kind: &'a ColumnType,
    rows: &'a mut Rows,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("text, a whole number or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.rows.push(Some(&canonical(self.kind, Cow::Borrowed(text))));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.rows.push(Some(&canonical(self.kind, Cow::Owned(number.to_string()))));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_i64(i64::try_from(number).map_err(E::custom)?)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.rows.push(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::column::Case;

    const KINDS: [ColumnType; 2] =
        [ColumnType::Text { max: None, padded: false, case: Case::Exact }, ColumnType::Boolean];

    #[test]
    fn rows_come_out_as_they_were_printed() {
        let mut rows = Rows::new(2);
        unpack(r#"["a\"\u0000ü",1]["\t",0][null,null]"#, 3, &KINDS, &mut rows).unwrap();
        let found: Vec<Vec<_>> = rows.iter().map(|row| row.cells().collect()).collect();
        let expected = [vec![Some("a\"\0ü"), Some("true")], vec![Some("\t"), Some("false")], vec![None, None]];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_json_can_not_say_as_it_is_goes_another_way() {
        for text in [
            r#"["a",1.5]"#,
            r#"["a"]"#,
            r#"["a",1,2]"#,
            r#"["a",9e999]"#,
            r#"["a",1]["b",1]"#,
            "[]",
            "\"a\"",
            r#"["a",[1]]"#,
        ] {
            assert!(unpack(text, 1, &KINDS, &mut Rows::new(2)).is_err(), "{text}");
        }
    }
}
