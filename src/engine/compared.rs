//! Compared: what a run would change, with those in it whom the database refuses.

use std::{collections::HashSet, fs::File, io};

use serde::{Deserialize, Serialize};

use super::packing::Lists;
use crate::{
    model::{
        change::ChangeKind,
        reject::{Reject, RejectCode},
    },
    sync::{
        diff::Plan,
        guard::Figures,
        index::{Place, UserRef},
        spill::SpillWriter,
    },
};

/// How many users are asked for, or written, at once.
pub(super) const BATCH: usize = 10_000;

/// Bytes of text after which a batch is full, however few its rows are.
pub(super) const BATCH_SIZE: usize = 4 << 20;

/// What a run would change, and who of the file can't be imported for reasons that only the database knows.
pub(super) struct Compared {
    pub plan: Plan,
    /// Rows refused since the file was read, set aside: there may be as many as the file has.
    pub late: SpillWriter<LateReject>,
    /// Users of the index who are not added because of that.
    pub not_added: HashSet<UserRef>,
    /// Changes that the database refused: kind and place in the plan's spill of it.
    pub not_changed: HashSet<(ChangeKind, u64)>,
    /// Columns in which a trigger puts back what was there, if one does.
    pub put_back: Option<String>,
    /// The report's lists, where all users added while the file was read are in them.
    pub packed: Option<Lists>,
}

/// A row that is refused after the file was read.
#[derive(Serialize, Deserialize)]
pub(super) struct LateReject {
    /// Where the row begins in the text that was read.
    pub offset: u64,
    pub reject: Reject,
}

impl Compared {
    /// This plan, with nobody refused. `late` is an empty temporary file.
    pub fn new(plan: Plan, late: File) -> Self {
        let late = SpillWriter::new(late);
        let (not_added, not_changed) = (HashSet::new(), HashSet::new());
        Self { plan, late, not_added, not_changed, put_back: None, packed: None }
    }

    /// The figures with the late rejects in them.
    pub fn figures(&self) -> Figures {
        self.plan.figures
    }

    /// Takes an update back that a trigger undoes in these columns: the user stays as it was.
    pub fn put_back(&mut self, kind: ChangeKind, place: u64, columns: String) {
        let counts = &mut self.plan.figures.counts;
        counts.updated -= 1;
        counts.unchanged += 1;
        self.not_changed.insert((kind, place));
        self.put_back.get_or_insert(columns);
    }

    /// Refuses a user who would have been added.
    pub fn refuse_added(
        &mut self,
        user: UserRef,
        place: Place,
        key: &str,
        code: RejectCode,
        message: String,
        hide: bool,
    ) -> io::Result<()> {
        if self.not_added.insert(user) {
            let counts = &mut self.plan.figures.counts;
            counts.added -= 1;
            counts.rejected += 1;
            self.late.push(&late(place.line.into(), place.offset, key, code, message, hide))?;
        }
        Ok(())
    }
}

/// A late reject of the row at `offset`.
pub(super) fn late(line: u64, offset: u64, key: &str, code: RejectCode, message: String, hide: bool) -> LateReject {
    let value = (!hide).then(|| key.chars().take(100).collect());
    LateReject { offset, reject: Reject { line, column: None, value, code, message, sensitive: hide } }
}
