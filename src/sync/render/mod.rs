//! From changes and rejects to reports: pure writers over [`std::io::Write`].
//!
//! | step | makes |
//! |---|---|
//! | [`changes`] | `changes.csv.gz`, for people |
//! | [`records`] | `records.jsonl.gz`, for programs |
//! | [`rejects`] | `<stem>_rejects.csv`, for the sender |
//! | [`report`] | `report.json` |
//! | [`html`] | `report.html` |
//! | [`letter`] | the mails |
//! | [`approve`] | the commands that approve a held run |
//! | [`summary`] | the text for the terminal |

use std::{borrow::Cow, io};

use crate::model::{
    change::Change,
    plan::{Layout, LayoutColumn},
};

pub mod approve;
pub mod attachment;
mod blocks;
pub mod changes;
pub mod html;
pub mod kinds;
pub mod lazy;
pub mod letter;
mod mail;
mod plain;
pub mod records;
pub mod rejects;
pub mod report;
pub mod sample;
mod shown;
pub mod summary;
pub mod text;

/// Stands for a value that is never shown.
pub const MASK: &str = "•••";

/// The value as a report may show it: [`MASK`] in a sensitive column. Empty stays empty.
pub fn masked(value: Option<&str>, sensitive: bool) -> Option<&str> {
    value.map(|text| if sensitive { MASK } else { text })
}

/// The cell with a `'` before it if a spreadsheet could take it for a formula. A cell that begins with `'` gets one
/// too, so that taking one away again always gives the cell as it was.
fn guarded(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\'', '\t', '\r']) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Bytes that are packed at once: a compressor that is fed line by line writes line by line, too.
const PORTION: usize = 64 << 10;

/// A list of users who changed, one after the other.
pub trait UserList {
    /// What it is written to.
    type Into;

    /// A user who was updated or removed.
    fn change(&mut self, change: &Change) -> io::Result<()>;

    /// A user who was added: the file holds the rest.
    fn added(&mut self, key: &str, line: u64) -> io::Result<()>;

    /// Ends the list and gives back where it went.
    fn finish(self) -> io::Result<Self::Into>;
}

/// What the writers must know of a layout's columns, in its order.
struct Columns(Vec<Shown>);

struct Shown {
    name: String,
    sensitive: bool,
    /// Part of what a removed user had: mapped, and not the key.
    mapped: bool,
}

impl Columns {
    fn new(layout: &Layout) -> Self {
        let shown = |(index, c): (usize, &LayoutColumn)| Shown {
            name: c.column.name.clone(),
            sensitive: c.sensitive,
            mapped: index > 0 && c.role.on_insert(),
        };
        Self(layout.columns.iter().enumerate().map(shown).collect())
    }

    /// The name of a column, and the value as it may be shown.
    fn show<'a>(&'a self, column: usize, value: Option<&'a str>) -> (&'a str, Option<&'a str>) {
        let Shown { name, sensitive, .. } = &self.0[column];
        (name, masked(value, *sensitive))
    }

    /// The match key as it may be shown.
    fn key<'a>(&self, key: &'a str) -> &'a str {
        if self.0[0].sensitive { MASK } else { key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        column::{Case, Column, ColumnDefault, ColumnType},
        plan::Role,
    };

    /// A layout of text columns: name, role, sensitive.
    pub(super) fn layout(columns: &[(&str, Role, bool)]) -> Layout {
        let column = |&(name, role, sensitive): &(&str, Role, bool)| LayoutColumn {
            column: Column {
                name: name.into(),
                sql_type: "text".into(),
                kind: ColumnType::Text { max: None, padded: false, case: Case::Exact },
                nullable: true,
                default: ColumnDefault::None,
                generated: false,
            },
            role,
            sensitive,
            unique: false,
        };
        Layout { columns: columns.iter().map(column).collect() }
    }

    /// Cells of a user's row.
    pub(super) fn cells(cells: &[&str]) -> Vec<Option<String>> {
        cells.iter().map(|c| (!c.is_empty()).then(|| (*c).to_owned())).collect()
    }

    /// What a gzip file holds.
    pub(super) fn gunzip(bytes: &[u8]) -> String {
        std::io::read_to_string(flate2::read::GzDecoder::new(bytes)).unwrap()
    }

    #[test]
    fn formulas_are_disarmed_and_one_quote_gives_them_back() {
        for (cell, want) in [
            ("Ann", "Ann"),
            ("", ""),
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "'-5"),
            ("@cmd", "'@cmd"),
            ("'=1", "''=1"),
            ("'", "''"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("a=1", "a=1"),
            (" =1", " =1"),
        ] {
            let guarded = guarded(cell);
            assert_eq!(guarded, want);
            assert_eq!(guarded.strip_prefix('\'').unwrap_or(&guarded), cell);
        }
    }
}
