//! What a run changes.

use serde::{Deserialize, Serialize};

/// What happens to one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChangeKind {
    /// Deleted.
    Delete,
    /// Set inactive by `removal.set`.
    Deactivate,
    /// Some properties change.
    Update,
    /// Set active again by `removal.restore`, perhaps with other properties; counts as updated.
    Restore,
}

/// A change of a user who is in the database: everything but an added user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// The physical line of the file's row; none for a user absent from the file.
    pub line: Option<u64>,
    /// Where the row begins in the text that was read; none for a user absent from the file.
    pub offset: Option<u64>,
    /// The user's row as it was compared: [`crate::model::plan::Layout::columns`] in order, canonical.
    pub old: Vec<Option<String>>,
    /// The same columns afterwards; no cells at all for a deletion.
    pub new: Vec<Option<String>>,
}

impl Change {
    /// The match key.
    pub fn key(&self) -> &str {
        self.old[0].as_deref().unwrap_or_default()
    }

    /// The properties that differ, in the layout's order.
    pub fn properties(&self) -> impl Iterator<Item = (usize, Option<&str>, Option<&str>)> {
        self.old
            .iter()
            .zip(&self.new)
            .enumerate()
            .filter(|(_, (old, new))| old != new)
            .map(|(column, (old, new))| (column, old.as_deref(), new.as_deref()))
    }
}
