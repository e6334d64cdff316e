//! Apply: the plan becomes rows of the database, inside one transaction that is not committed yet.

use std::{collections::HashSet, io, sync::Arc};

use super::{
    adding::{Begun, next_users},
    again::Tries,
    compared::{BATCH_SIZE, Compared, late},
    outcome::RunError,
    read::FileRows,
};
use crate::{
    model::{
        change::{Change, ChangeKind},
        job::Job,
        ledger::Fence,
        plan::Layout,
        progress::{Progress, Step},
        reject::RejectCode,
    },
    ports::{Apply, Ports, StoreError, Watch, Why},
    sync::{
        diff::FileSide,
        handover::Handovers,
        index::{Place, UserRef},
        spill::SpillReader,
    },
};

/// A plan whose changes are in the database but for the commit.
pub(super) struct Applied {
    pub transaction: Box<dyn Apply>,
    /// With the rows that the database refused among its rejects.
    pub compared: Compared,
}

/// How many changes are handed over at once: each is a row twice, cell by cell, and the store holds it once more.
const CHANGES: usize = 5_000;

/// How many changes are handed over at once at most where users take over unique values from each other: as many as a store tries
/// in one go.
const TOGETHER: usize = 16 * 1024;

/// Applies the plan: removals, updates, adds. Rows that the database refuses are tried again when all others are
/// there (a manager may stand behind those who report to them), then they are rejects. `begun`: what the comparison began
/// already.
pub(super) async fn apply(
    job: &Job,
    ports: &Ports,
    fence: &Fence,
    layout: &Layout,
    file: &mut FileRows,
    compared: Compared,
    begun: Option<Begun>,
) -> Result<Applied, RunError> {
    let counts = compared.figures().counts;
    let of = counts.removed + counts.updated + counts.added;
    let done = begun.as_ref().map_or(0, |begun| begun.done);
    ports.watch.at(Progress { step: Step::Apply, done, of: Some(of) });
    let Begun { transaction, done, refused, upto, .. } = match begun {
        Some(begun) => begun,
        None => Begun::nothing(ports.store.begin(fence, layout, &job.sync.target.scope).await?),
    };
    let mut applying = Applying {
        transaction,
        watch: ports.watch.clone(),
        layout: layout.clone(),
        done,
        of,
        refused_changes: Vec::new(),
        refused_users: refused,
        upto,
    };
    // First: who is deactivated again by this run must be remembered.
    applying.transaction.forget(&compared.plan.forget).await?;
    applying.changes(&compared).await?;
    applying.users(file, &compared).await?;
    applying.once_more(file, compared).await
}

/// An open transaction.
struct Applying {
    transaction: Box<dyn Apply>,
    watch: Arc<dyn Watch>,
    layout: Layout,
    done: u64,
    of: u64,
    refused_changes: Vec<RefusedChanges>,
    /// With their places in the file: the database may refuse as many rows as the file has.
    refused_users: Vec<(UserRef, Place)>,
    /// The users of the file up to that number were added.
    upto: u32,
}

/// Changes of one kind that were refused at first: where they lie, and what reads them there.
struct RefusedChanges {
    kind: ChangeKind,
    changes: SpillReader<Change>,
    places: Vec<u64>,
}

impl Applying {
    async fn changes(&mut self, compared: &Compared) -> Result<(), RunError> {
        for (kind, spill) in &compared.plan.changes {
            let mut changes = spill.read()?;
            let mut refused = Vec::new();
            let together = compared.plan.handovers.get(kind).map(Handovers::groups).unwrap_or_default();
            let apart: HashSet<u64> = together.iter().flatten().copied().collect();
            loop {
                let batch = batch(|| {
                    loop {
                        let place = changes.place();
                        let Some(change) = changes.next().transpose()? else { return Ok(None) };
                        if !apart.contains(&place) {
                            return Ok(Some((place, change)));
                        }
                    }
                })?;
                if batch.rows.is_empty() {
                    break;
                }
                self.change(*kind, batch, &mut refused).await?;
            }
            for places in packed(together) {
                let rows = places.iter().map(|place| changes.at(*place)).collect::<io::Result<_>>()?;
                self.change(*kind, Batch { rows, places }, &mut refused).await?;
            }
            self.refused_changes.push(RefusedChanges { kind: *kind, changes, places: refused });
        }
        Ok(())
    }

    async fn change(&mut self, kind: ChangeKind, batch: Batch, refused: &mut Vec<u64>) -> Result<(), RunError> {
        let Batch { rows, places } = batch;
        refused.extend(self.transaction.change(kind, &rows).await?.iter().map(|row| places[row.index]));
        self.step(rows.len());
        Ok(())
    }

    /// Adds the users of the file who are not in the table, but for those who were added while it was read.
    async fn users(&mut self, file: &mut FileRows, compared: &Compared) -> Result<(), RunError> {
        if compared.plan.figures.counts.added == 0 {
            return Ok(());
        }
        let FileSide { index, users, .. } = &mut file.side;
        let (upto, but) = (self.upto, &compared.not_added);
        let mut unseen = index.unseen().filter(|(user, _)| user.number() >= upto && !but.contains(user));
        loop {
            let (batch, rows) = next_users(&self.layout, users, &mut unseen)?;
            if batch.is_empty() {
                return Ok(());
            }
            let refused = self.transaction.add(&rows).await?;
            self.refused_users.extend(refused.iter().map(|row| batch[row.index]));
            self.step(batch.len());
        }
    }

    /// Tries the refused rows again, now that their neighbours are there.
    async fn once_more(mut self, file: &mut FileRows, mut compared: Compared) -> Result<Applied, RunError> {
        self.users_again(file, &mut compared).await?;
        for refused in std::mem::take(&mut self.refused_changes) {
            self.changes_again(refused, file, &mut compared).await?;
        }
        Ok(Applied { transaction: self.transaction, compared })
    }

    async fn users_again(&mut self, file: &mut FileRows, compared: &mut Compared) -> Result<(), RunError> {
        let mut tries = Tries::of(std::mem::take(&mut self.refused_users));
        while let Some(mut refusals) = tries.next(file)? {
            let mut again = tries.rows.iter().copied();
            loop {
                let (batch, rows) = next_users(&self.layout, &mut file.side.users, &mut again)?;
                if batch.is_empty() {
                    break;
                }
                refusals.add(&batch, self.transaction.add(&rows).await?)?;
            }
            tries.done(refusals)?;
        }
        for ((user, place), reason) in tries.refused() {
            let (why, message) = reason?;
            let key = file.side.users.key(place)?;
            compared.refuse_added(user, place, key, code(why), message, self.hide())?;
        }
        Ok(())
    }

    async fn changes_again(
        &mut self,
        RefusedChanges { kind, mut changes, places }: RefusedChanges,
        file: &FileRows,
        compared: &mut Compared,
    ) -> Result<(), RunError> {
        let mut tries = Tries::of(places);
        while let Some(mut refusals) = tries.next(file)? {
            let mut again = tries.rows.iter();
            loop {
                let Batch { rows, places } =
                    batch(|| again.next().map(|place| Ok((*place, changes.at(*place)?))).transpose())?;
                if rows.is_empty() {
                    break;
                }
                refusals.add(&places, self.transaction.change(kind, &rows).await?)?;
            }
            tries.done(refusals)?;
        }
        for (place, reason) in tries.refused() {
            match reason? {
                (Why::PutBack, columns) => compared.put_back(kind, place, columns),
                (why, message) => {
                    compared.refuse_changed(place, &changes.at(place)?, code(why), message, self.hide())?;
                }
            }
        }
        Ok(())
    }

    /// Whether keys must not be shown.
    fn hide(&self) -> bool {
        self.layout.columns[0].sensitive
    }

    fn step(&mut self, done: usize) {
        self.done += done as u64;
        self.watch.at(Progress { step: Step::Apply, done: self.done, of: Some(self.of) });
    }
}

impl Compared {
    /// Refuses a change of an existing user.
    fn refuse_changed(
        &mut self,
        place: u64,
        change: &Change,
        code: RejectCode,
        message: String,
        hide: bool,
    ) -> Result<(), RunError> {
        let (Some(line), Some(offset)) = (change.line, change.offset) else {
            return Err(StoreError::Failed(format!(
                "the database refuses to remove user {}: {message}. Nothing was written. Remove what refers to the user, or \
                 use `removal: {{policy: Deactivate, …}}`",
                if hide { "•••" } else { change.key() }
            ))
            .into());
        };
        let figures = &mut self.plan.figures;
        let counts = &mut figures.counts;
        match change.kind {
            ChangeKind::Delete | ChangeKind::Deactivate => {
                counts.removed -= 1;
                figures.removals -= 1;
            }
            ChangeKind::Update | ChangeKind::Restore => counts.updated -= 1,
        }
        counts.rejected += 1;
        self.not_changed.insert((change.kind, place));
        self.late.push(&late(line, offset, change.key(), code, message, hide))?;
        Ok(())
    }
}

fn code(why: Why) -> RejectCode {
    match why {
        Why::Exchange => RejectCode::UniqueExchange,
        Why::Rule | Why::PutBack => RejectCode::DatabaseRefused,
    }
}

/// Changes that are written at once, with their places in the plan.
struct Batch {
    rows: Vec<Change>,
    places: Vec<u64>,
}

fn batch(mut next: impl FnMut() -> io::Result<Option<(u64, Change)>>) -> io::Result<Batch> {
    let mut batch = Batch { rows: Vec::new(), places: Vec::new() };
    let mut size = 0;
    while batch.rows.len() < CHANGES && size < BATCH_SIZE {
        let Some((place, change)) = next()? else { break };
        size += weight(&change.old) + weight(&change.new);
        batch.rows.push(change);
        batch.places.push(place);
    }
    Ok(batch)
}

/// The groups in batches of [`CHANGES`], each whole if it is no larger than [`TOGETHER`].
fn packed(groups: Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    let mut packed: Vec<Vec<u64>> = Vec::new();
    for group in groups.iter().flat_map(|group| group.chunks(TOGETHER)) {
        match packed.last_mut().filter(|last| last.len() + group.len() <= CHANGES) {
            Some(last) => last.extend(group),
            None => packed.push(group.to_vec()),
        }
    }
    packed
}

fn weight(cells: &[Option<String>]) -> usize {
    cells.iter().flatten().map(String::len).sum()
}
