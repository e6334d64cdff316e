//! `records.jsonl.gz`: what changed, user by user, for programs.

use std::io::{self, BufWriter, Write};

use flate2::{Compression, write::GzEncoder};
use serde::{Serialize, Serializer};

use super::{Columns, PORTION, UserList};
use crate::model::{change::Change, plan::Layout, report::ChangeAction};

/// Writes one JSON object on a line for each user: `action`, `userId`, `line` (null for a user absent from the file);
/// of an updated user `old` and `new` with the properties that change, of a removed one `old` with the mapped
/// properties. Empty is null; sensitive values are masked. The match key is `userId` and nowhere else.
pub struct RecordsWriter<W: Write> {
    gzip: BufWriter<GzEncoder<W>>,
    columns: Columns,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    action: ChangeAction,
    user_id: &'a str,
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Properties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Properties<'a>>,
}

/// Properties of one user, by name.
struct Properties<'a>(Vec<(&'a str, Option<&'a str>)>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

impl<W: Write> RecordsWriter<W> {
    /// Begins the file. It has no header.
    pub fn new(write: W, layout: &Layout) -> Self {
        let gzip = GzEncoder::new(write, Compression::fast());
        Self { gzip: BufWriter::with_capacity(PORTION, gzip), columns: Columns::new(layout) }
    }
}

impl<W: Write> UserList for RecordsWriter<W> {
    type Into = W;

    fn change(&mut self, change: &Change) -> io::Result<()> {
        let columns = &self.columns;
        let action = ChangeAction::from(change.kind);
        let (old, new) = if action == ChangeAction::Removed {
            let mapped = columns.0.iter().zip(&change.old).enumerate().filter(|(_, (column, _))| column.mapped);
            (Properties(mapped.map(|(index, (_, value))| columns.show(index, value.as_deref())).collect()), None)
        } else {
            let old = change.properties().map(|(column, old, _)| columns.show(column, old)).collect();
            let new = change.properties().map(|(column, _, new)| columns.show(column, new)).collect();
            (Properties(old), Some(Properties(new)))
        };
        let record = Record { action, user_id: columns.key(change.key()), line: change.line, old: Some(old), new };
        write_line(&mut self.gzip, &record)
    }

    fn added(&mut self, key: &str, line: u64) -> io::Result<()> {
        let user_id = self.columns.key(key);
        let record = Record { action: ChangeAction::Added, user_id, line: Some(line), old: None, new: None };
        write_line(&mut self.gzip, &record)
    }

    fn finish(self) -> io::Result<W> {
        self.gzip.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }
}

fn write_line(write: &mut impl Write, record: &Record<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *write, record)?;
    write.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{cells, gunzip, layout},
        *,
    };
    use crate::model::{change::ChangeKind, plan::Role};

    #[test]
    fn a_line_for_each_user() {
        let layout = layout(&[
            ("id", Role::Key, false),
            ("email", Role::Mapped, false),
            ("band", Role::Mapped, true),
            ("locale", Role::OnCreate, false),
            ("notes", Role::Cleared, false),
            ("active", Role::Removal, false),
        ]);
        let mut writer = RecordsWriter::new(Vec::new(), &layout);
        let old = ["E\"1", "a@x", "7", "", "n", "t"];
        let change = |kind, line, new: &[&str]| Change { kind, line, offset: None, old: cells(&old), new: cells(new) };
        writer.added("E0", 2).unwrap();
        writer.change(&change(ChangeKind::Update, Some(14), &["E\"1", "ü@x", "8", "", "", "t"])).unwrap();
        writer.change(&change(ChangeKind::Restore, Some(15), &["E\"1", "a@x", "", "", "n", "f"])).unwrap();
        writer.change(&change(ChangeKind::Deactivate, None, &["E\"1", "a@x", "7", "", "n", "f"])).unwrap();
        writer.change(&change(ChangeKind::Delete, Some(16), &[])).unwrap();
        let want = [
            r#"{"action":"added","userId":"E0","line":2}"#,
            r#"{"action":"updated","userId":"E\"1","line":14,"old":{"email":"a@x","band":"•••","notes":"n"},"new":{"email":"ü@x","band":"•••","notes":null}}"#,
            r#"{"action":"updated","userId":"E\"1","line":15,"old":{"band":"•••","active":"t"},"new":{"band":null,"active":"f"}}"#,
            r#"{"action":"removed","userId":"E\"1","line":null,"old":{"email":"a@x","band":"•••","locale":null}}"#,
            r#"{"action":"removed","userId":"E\"1","line":16,"old":{"email":"a@x","band":"•••","locale":null}}"#,
            "",
        ];
        assert_eq!(gunzip(&writer.finish().unwrap()), want.join("\n"));
    }
}
