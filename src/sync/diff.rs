//! Comparison: what the table has against what the file says, user by user.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
};

use super::{
    guard::Figures,
    handover::Handovers,
    index::{FileIndex, Found, Place, UserRef},
    layout::is_empty,
    spill::{Spill, SpillWriter},
    users::FileUsers,
    value::canonical,
};
use crate::{
    api::{Action, ConflictMode},
    model::{
        change::{Change, ChangeKind},
        counts::Counts,
        job::{Removal, SyncJob},
        plan::{Layout, Role},
        rows::Row,
    },
};

/// How users are compared: the spec's words, turned into columns of the layout.
#[derive(Clone, Debug)]
pub struct Rules {
    action: Action,
    conflict: ConflictMode,
    removal: Option<Marks>,
}

/// What marks a user as inactive, and what unmarks them.
#[derive(Clone, Debug)]
struct Marks {
    set: Vec<(usize, Option<String>)>,
    restore: Vec<(usize, Option<String>)>,
    grace: Option<u64>,
}

impl Rules {
    /// The rules of a sync on this layout. `Err` names values of `removal` that their columns can't hold.
    pub fn new(job: &SyncJob, layout: &Layout, correction: bool) -> Result<Self, Vec<String>> {
        let removal = match &job.removal {
            Removal::Delete => None,
            Removal::Deactivate { set, restore, grace } => {
                let set = marks(layout, "removal.set", set);
                let restore = marks(layout, "removal.restore", restore);
                match (set, restore) {
                    (Ok(set), Ok(restore)) => Some(Marks { set, restore, grace: grace.map(|grace| grace.as_secs()) }),
                    (set, restore) => return Err([set.err(), restore.err()].into_iter().flatten().flatten().collect()),
                }
            }
        };
        // In a correction absence means nothing: it is a part of a file that was complete.
        let action = if correction && job.action == Action::Mirror { Action::Upsert } else { job.action };
        Ok(Self { action, conflict: job.conflict, removal })
    }
}

fn marks(
    layout: &Layout,
    field: &str,
    values: &BTreeMap<String, String>,
) -> Result<Vec<(usize, Option<String>)>, Vec<String>> {
    let mut problems = Vec::new();
    let mut found = Vec::new();
    for (name, text) in values {
        let Some(at) = layout.columns.iter().position(|c| c.column.name == *name) else { continue };
        match canonical(&layout.columns[at].column.kind, text) {
            Ok(value) => found.push((at, Some(value.into_owned()))),
            Err(error) => {
                problems.push(format!("`{field}`: column \"{name}\" can't hold \"{text}\": {}", error.message))
            }
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

impl Marks {
    fn on<'a>(&self, cell: impl Fn(usize) -> Option<&'a str>) -> bool {
        self.set.iter().all(|(at, value)| cell(*at) == value.as_deref())
    }
}

/// Users whom the sync deactivated, by [`FileIndex::key_digest`], with the seconds since.
pub type Deactivated = HashMap<[u64; 2], u64>;

/// What a run would change, set aside by kind; users to add are those of the index that were not seen.
pub struct Plan {
    /// In the order in which they are applied.
    pub changes: BTreeMap<ChangeKind, Spill<Change>>,
    /// Which of them hand over unique values.
    pub handovers: BTreeMap<ChangeKind, Handovers>,
    /// Users whom the sync deactivated and somebody else set back.
    pub forget: Vec<String>,
    /// A match key that two rows of the table have: then nobody can say whose row is whose.
    pub twice: Option<String>,
    /// What the safeguards look at.
    pub figures: Figures,
}

/// The file's side of a comparison.
pub struct FileSide {
    /// What is known of its users by now.
    pub index: FileIndex,
    /// Whether that is all of them.
    pub whole: bool,
    /// Reads their rows once more.
    pub users: FileUsers,
}

/// A comparison at work: takes the table's rows in any order.
pub struct Comparison<'a> {
    rules: &'a Rules,
    layout: &'a Layout,
    deactivated: &'a Deactivated,
    scratch: &'a (dyn Fn() -> io::Result<File> + Sync),
    changes: BTreeMap<ChangeKind, SpillWriter<Change>>,
    handovers: BTreeMap<ChangeKind, Handovers>,
    forget: Vec<String>,
    twice: Option<String>,
    figures: Figures,
}

impl<'a> Comparison<'a> {
    /// Begins. `scratch` makes an empty temporary file.
    pub fn new(
        rules: &'a Rules,
        layout: &'a Layout,
        deactivated: &'a Deactivated,
        scratch: &'a (dyn Fn() -> io::Result<File> + Sync),
    ) -> Self {
        let (changes, handovers, forget, twice, figures) = Default::default();
        Self { rules, layout, deactivated, scratch, changes, handovers, forget, twice, figures }
    }

    /// Compares one row of the table (the layout's columns in order). `form` is its key in the form in which the index has keys:
    /// the key itself, unless a collation compares it. False: the file has said nothing of the user by now, and
    /// is not read to its end; the row must come again then.
    pub fn row(&mut self, file: &mut FileSide, row: Row<'_>, form: Option<&str>) -> io::Result<bool> {
        // A row without a key is nobody whom a file could name.
        let (Some(key), Some(form)) = (row.get(0), form) else { return Ok(true) };
        let found = file.index.find(form);
        if found.is_none() && !file.whole {
            return Ok(false);
        }
        let inactive = self.rules.removal.as_ref().is_some_and(|marks| marks.on(|at| row.get(at)));
        self.figures.active += u64::from(!inactive);
        let since = self.since(file, form);
        if !inactive && since.is_some() {
            self.forget.push(key.to_owned());
        }
        match found {
            None => self.absent(row, inactive, since)?,
            Some(Found::Rejected(user, _)) => drop(self.see(file, user, key)),
            Some(Found::User(user, _)) if self.see(file, user, key) => {}
            Some(Found::User(user, place)) => match self.rules.action {
                Action::Delete => self.listed_for_removal(row, inactive, place)?,
                _ => self.present(file, row, user, place, inactive, since.is_some())?,
            },
        }
        Ok(true)
    }

    /// Notes that the table has the user. True if another row of it was the same user already.
    fn see(&mut self, file: &mut FileSide, user: UserRef, key: &str) -> bool {
        let before = file.index.see(user);
        if before && self.twice.is_none() {
            self.twice = Some(key.to_owned());
        }
        before
    }

    /// The table is read, and so is the file, with these figures.
    pub fn finish(self, file: &FileSide, read: Figures) -> io::Result<Plan> {
        let Counts { read: rows, filtered, rejected, .. } = read.counts;
        let counts = Counts { read: rows, filtered, rejected, ..self.figures.counts };
        let Figures { key_unreadable, correction, .. } = read;
        let mut figures = Figures { counts, key_unreadable, correction, ..self.figures };
        let unseen = file.index.unseen().count() as u64;
        match self.rules.action {
            Action::Delete => figures.counts.unchanged += unseen,
            Action::Upsert | Action::Mirror => figures.counts.added += unseen,
        }
        let changes = self.changes.into_iter().map(|(kind, spill)| Ok((kind, spill.finish()?)));
        let changes = changes.collect::<io::Result<_>>()?;
        Ok(Plan { changes, handovers: self.handovers, forget: self.forget, twice: self.twice, figures })
    }

    fn since(&self, file: &FileSide, form: &str) -> Option<u64> {
        if self.deactivated.is_empty() {
            return None;
        }
        self.deactivated.get(&file.index.key_digest(form)).copied()
    }

    /// A user whom the file doesn't name.
    fn absent(&mut self, row: Row<'_>, inactive: bool, since: Option<u64>) -> io::Result<()> {
        if self.rules.action != Action::Mirror {
            return Ok(());
        }
        if !inactive {
            return self.remove(row, None);
        }
        let grace = self.rules.removal.as_ref().and_then(|marks| marks.grace);
        match (grace, since) {
            (Some(grace), Some(since)) if since >= grace => self.push_removal(ChangeKind::Delete, row, None),
            _ => Ok(()),
        }
    }

    fn listed_for_removal(&mut self, row: Row<'_>, inactive: bool, place: Place) -> io::Result<()> {
        if inactive {
            self.figures.counts.unchanged += 1;
            return Ok(());
        }
        self.remove(row, Some(place))
    }

    fn remove(&mut self, row: Row<'_>, from: Option<Place>) -> io::Result<()> {
        match self.rules.removal {
            None => self.push_removal(ChangeKind::Delete, row, from),
            Some(_) => self.push_removal(ChangeKind::Deactivate, row, from),
        }
    }

    fn push_removal(&mut self, kind: ChangeKind, row: Row<'_>, from: Option<Place>) -> io::Result<()> {
        let old = owned(row);
        let mut new = Vec::new();
        if let (ChangeKind::Deactivate, Some(marks)) = (kind, &self.rules.removal) {
            new.clone_from(&old);
            marks.set.iter().for_each(|(at, value)| new[*at].clone_from(value));
        }
        self.figures.counts.removed += 1;
        self.figures.removals += 1;
        let (line, offset) = from.map(|place| (u64::from(place.line), place.offset)).unzip();
        self.push(Change { kind, line, offset, old, new })
    }

    /// A user whom the file names.
    fn present(
        &mut self,
        file: &mut FileSide,
        row: Row<'_>,
        user: UserRef,
        place: Place,
        inactive: bool,
        ours: bool,
    ) -> io::Result<()> {
        let restore = match &self.rules.removal {
            Some(marks) if inactive && ours => marks.restore.as_slice(),
            _ => &[],
        };
        let skip = self.rules.conflict == ConflictMode::Skip;
        if skip && restore.is_empty() {
            self.figures.counts.skipped += 1;
            return Ok(());
        }
        if restore.is_empty() && file.index.equal(user, row.cells()) == Some(true) {
            self.figures.counts.unchanged += 1;
            return Ok(());
        }
        let user = file.users.user(place)?;
        let old = owned(row);
        let mut new = old.clone();
        if !skip {
            for (at, column) in self.layout.columns.iter().enumerate() {
                if user.specified[at] && matches!(column.role, Role::Mapped | Role::Cleared) {
                    new[at].clone_from(&user.values[at]);
                }
            }
        }
        restore.iter().for_each(|(at, value)| new[*at].clone_from(value));
        if new == old {
            self.figures.counts.unchanged += 1;
            return Ok(());
        }
        self.push_update(
            Change { kind: ChangeKind::Update, line: Some(place.line.into()), offset: Some(place.offset), old, new },
            ours,
        )
    }

    fn push_update(&mut self, mut change: Change, ours: bool) -> io::Result<()> {
        if let Some(marks) = &self.rules.removal {
            let inactive = |cells: &[Option<String>]| marks.on(|at| cells[at].as_deref());
            match (inactive(&change.old), inactive(&change.new)) {
                (false, true) => self.figures.removals += 1,
                (true, false) if ours => change.kind = ChangeKind::Restore,
                _ => {}
            }
        }
        self.figures.counts.updated += 1;
        // A column that `Replace` empties may be left with its default: the value that the user had is lost all the same.
        let cleared = |at: usize| self.layout.columns[at].role == Role::Cleared;
        let loses = |(at, old, new)| !is_empty(old) && (is_empty(new) || cleared(at));
        self.figures.emptied += u64::from(change.properties().any(loses));
        self.push(change)
    }

    fn push(&mut self, change: Change) -> io::Result<()> {
        let spill = match self.changes.entry(change.kind) {
            std::collections::btree_map::Entry::Occupied(spill) => spill.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => place.insert(SpillWriter::new((self.scratch)()?)),
        };
        let place = spill.push(&change)?;
        self.handovers.entry(change.kind).or_default().note(place, &change, self.layout);
        Ok(())
    }
}

fn owned(row: Row<'_>) -> Vec<Option<String>> {
    row.cells().map(|cell| cell.map(str::to_owned)).collect()
}
