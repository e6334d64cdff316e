//! Apply: the plan becomes rows of the database, inside one transaction that is not committed yet.

use super::{
    compare::{BATCH, Compared, late},
    outcome::RunError,
    read::FileRows,
};
use crate::{
    model::{
        change::{Change, ChangeKind, FileUser},
        job::Job,
        ledger::Fence,
        plan::Layout,
        progress::{Progress, Step},
        reject::RejectCode,
        rows::Rows,
    },
    ports::{Apply, Ports, Refused, StoreError},
    sync::index::UserRef,
};

/// A plan whose changes are in the database but for the commit.
pub(super) struct Applied {
    pub transaction: Box<dyn Apply>,
    /// With the rows that the database refused among its rejects.
    pub compared: Compared,
}

/// Bytes of text after which a batch is full, however few its rows are.
const BATCH_SIZE: usize = 8 << 20;

/// Applies the plan: removals, updates, adds. Rows that the database refuses are tried once more when all others are
/// there (a manager may stand behind those who report to them), then they are rejects.
pub(super) async fn apply(
    job: &Job,
    ports: &Ports,
    fence: &Fence,
    layout: &Layout,
    file: &mut FileRows,
    compared: Compared,
) -> Result<Applied, RunError> {
    let counts = compared.figures().counts;
    let of = counts.removed + counts.updated + counts.added;
    ports.watch.at(Progress { step: Step::Apply, done: 0, of: Some(of) });
    let transaction = ports.store.begin(fence, layout, &job.sync.target.scope).await?;
    let mut applying =
        Applying { transaction, ports, layout, done: 0, of, refused_changes: Vec::new(), refused_users: Vec::new() };
    // First: who is deactivated again by this run must be remembered.
    applying.transaction.forget(&compared.plan.forget).await?;
    applying.changes(&compared).await?;
    applying.users(file, &compared).await?;
    applying.once_more(compared).await
}

struct Applying<'a> {
    transaction: Box<dyn Apply>,
    ports: &'a Ports,
    layout: &'a Layout,
    done: u64,
    of: u64,
    refused_changes: Vec<(u64, Change)>,
    refused_users: Vec<(UserRef, FileUser)>,
}

impl Applying<'_> {
    async fn changes(&mut self, compared: &Compared) -> Result<(), RunError> {
        for (kind, spill) in &compared.plan.changes {
            let mut changes = spill.read()?;
            let mut place = 0;
            loop {
                let mut batch = Vec::new();
                let mut size = 0;
                while batch.len() < BATCH && size < BATCH_SIZE {
                    let Some(change) = changes.next().transpose()? else { break };
                    size += weight(&change.old) + weight(&change.new);
                    batch.push(change);
                }
                if batch.is_empty() {
                    break;
                }
                let refused = self.transaction.change(*kind, &batch).await?;
                self.step(batch.len());
                for Refused { index, .. } in refused {
                    self.refused_changes.push((place + index as u64, batch[index].clone()));
                }
                place += batch.len() as u64;
            }
        }
        Ok(())
    }

    async fn users(&mut self, file: &mut FileRows, compared: &Compared) -> Result<(), RunError> {
        if compared.plan.figures.counts.added == 0 {
            return Ok(());
        }
        let mut users = file.users.read()?;
        let mut unseen = file.index.unseen().filter(|(user, _)| !compared.not_added.contains(user));
        loop {
            let mut batch = Vec::new();
            let mut rows = self.rows();
            while batch.len() < BATCH && rows.size() < BATCH_SIZE {
                let Some((user, place)) = unseen.next() else { break };
                let file_user = users.at(place)?;
                rows.push_row(inserted(self.layout, &file_user));
                batch.push((user, place));
            }
            if batch.is_empty() {
                return Ok(());
            }
            let refused = self.transaction.add(&rows).await?;
            self.step(batch.len());
            for Refused { index, .. } in refused {
                let (user, place) = batch[index];
                self.refused_users.push((user, users.at(place)?));
            }
        }
    }

    /// Tries the refused rows again, now that their neighbours are there.
    async fn once_more(mut self, mut compared: Compared) -> Result<Applied, RunError> {
        let users = std::mem::take(&mut self.refused_users);
        let hide = self.layout.columns[0].sensitive;
        if !users.is_empty() {
            let mut rows = self.rows();
            users.iter().for_each(|(_, user)| rows.push_row(inserted(self.layout, user)));
            for Refused { index, message } in self.transaction.add(&rows).await? {
                let (user, file_user) = &users[index];
                compared.refuse_added(*user, file_user, RejectCode::DatabaseRefused, message, hide);
            }
        }
        for again in self.refused_changes.chunk_by(|a, b| a.1.kind == b.1.kind) {
            let changes: Vec<_> = again.iter().map(|(_, change)| change.clone()).collect();
            for Refused { index, message } in self.transaction.change(changes[0].kind, &changes).await? {
                compared.refuse_changed(again[index].0, &changes[index], message, hide)?;
            }
        }
        Ok(Applied { transaction: self.transaction, compared })
    }

    fn rows(&self) -> Rows {
        Rows::new(self.layout.insert_columns().count())
    }

    fn step(&mut self, done: usize) {
        self.done += done as u64;
        self.ports.watch.at(Progress { step: Step::Apply, done: self.done, of: Some(self.of) });
    }
}

impl Compared {
    /// Refuses a change of an existing user.
    fn refuse_changed(&mut self, place: u64, change: &Change, message: String, hide: bool) -> Result<(), StoreError> {
        let (Some(line), Some(offset)) = (change.line, change.offset) else {
            return Err(StoreError::Failed(format!(
                "the database refuses to remove user {}: {message}. Nothing was written. Remove what refers to the user, or \
                 use `removal: {{policy: Deactivate, …}}`",
                if hide { "•••" } else { change.key() }
            )));
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
        self.late.push(late(line, offset, change.key(), RejectCode::DatabaseRefused, message, hide));
        Ok(())
    }
}

fn inserted<'a>(layout: &'a Layout, user: &'a FileUser) -> impl Iterator<Item = Option<&'a str>> {
    layout.insert_columns().map(|(at, _)| user.values[at].as_deref())
}

fn weight(cells: &[Option<String>]) -> usize {
    cells.iter().flatten().map(String::len).sum()
}
