//! The columns that a run reads, compares and writes.

use super::column::Column;

/// The columns of a scan, of a [`super::change::Change`] and of an added user's row, in one order: the match key first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Column 0 is the match key.
    pub columns: Vec<LayoutColumn>,
}

/// A column and its part in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutColumn {
    /// The column of the table.
    pub column: Column,
    /// What the run does with it.
    pub role: Role,
    /// Its values are never shown.
    pub sensitive: bool,
    /// No two users of the sync may have the same in it.
    pub unique: bool,
}

/// What a run does with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The match key: written on insert, never changed.
    Key,
    /// Mapped: written on insert, and on update when it differs.
    Mapped,
    /// Mapped with `policy: OnCreate`: written on insert only.
    OnCreate,
    /// Not mapped, and emptied by `conflictMode: Replace`: never written on insert.
    Cleared,
    /// A column of `removal.set` that is not mapped: written by deactivation and restoration, never on insert.
    Removal,
}

impl Role {
    /// Whether an added user's row has a value for it.
    pub const fn on_insert(self) -> bool {
        matches!(self, Self::Key | Self::Mapped | Self::OnCreate)
    }

    /// Whether a change of an existing user may write it.
    pub const fn on_update(self) -> bool {
        matches!(self, Self::Mapped | Self::Cleared | Self::Removal)
    }
}

impl Layout {
    /// The columns that an added user's row has, in order.
    pub fn insert_columns(&self) -> impl Iterator<Item = (usize, &LayoutColumn)> {
        self.columns.iter().enumerate().filter(|(_, c)| c.role.on_insert())
    }

    /// The columns that a change may write, in order.
    pub fn update_columns(&self) -> impl Iterator<Item = (usize, &LayoutColumn)> {
        self.columns.iter().enumerate().filter(|(_, c)| c.role.on_update())
    }

    /// The match key's column.
    pub fn key(&self) -> &Column {
        &self.columns[0].column
    }
}
