//! The first few changes, as people see them.

use super::Columns;
use crate::model::{
    change::Change,
    plan::Layout,
    report::{ChangeAction, SampleChange},
};

/// How many changes, and how many rejects, a sample holds.
pub const SAMPLE: usize = 10;

/// Makes samples of a layout's changes.
pub struct Sampler(Columns);

impl Sampler {
    /// For changes of this layout.
    pub fn new(layout: &Layout) -> Self {
        Self(Columns::new(layout))
    }

    /// A changed user with sensitive values masked. Properties only of an updated one.
    pub fn change(&self, change: &Change) -> SampleChange {
        let columns = &self.0;
        let action = ChangeAction::from(change.kind);
        let shown = |(column, old, new)| {
            let (name, old) = columns.show(column, old);
            let (_, new) = columns.show(column, new);
            (name.to_owned(), old.map(str::to_owned), new.map(str::to_owned))
        };
        let properties = match action {
            ChangeAction::Updated => change.properties().map(shown).collect(),
            ChangeAction::Added | ChangeAction::Removed => Vec::new(),
        };
        SampleChange { action, user_id: columns.key(change.key()).to_owned(), line: change.line, properties }
    }

    /// An added user.
    pub fn added(&self, key: &str, line: u64) -> SampleChange {
        let user_id = self.0.key(key).to_owned();
        SampleChange { action: ChangeAction::Added, user_id, line: Some(line), properties: Vec::new() }
    }
}
