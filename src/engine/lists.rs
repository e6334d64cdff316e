//! `changes.csv.gz` and `records.jsonl.gz`: what was planned or applied, user by user. Most of the time goes into packing them,
//! so that each has a thread of its own.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{compared::Compared, outcome::Record, read::FileRows, spool};
use crate::{
    api::Action,
    model::{change::Change, job::Job, plan::Layout, report::SampleChange},
    sync::{
        diff::FileSide,
        render::{
            changes::ChangesWriter,
            html::ChangeRows,
            records::RecordsWriter,
            sample::{SAMPLE, Sampler},
        },
    },
};

/// Entries that are handed over at once, at most.
const BATCH: usize = 1_000;
/// Bytes of text after which they are handed over, however few they are.
const BATCH_SIZE: usize = 1 << 20;
/// Batches that wait to be written.
const AHEAD: usize = 4;

/// One user of both lists.
enum Entry {
    Changed(Change),
    Added { key: String, line: u64 },
}

impl Entry {
    /// Bytes of text.
    fn size(&self) -> usize {
        match self {
            Self::Changed(change) => change.old.iter().chain(&change.new).flatten().map(String::len).sum(),
            Self::Added { key, .. } => key.len(),
        }
    }
}

/// Writes both lists, the sample and the first changes for the page: removals, changes, added users. Nothing where nobody changed.
pub(super) fn write(
    job: &Job,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    compared: &Compared,
    record: &mut Record,
) -> io::Result<ChangeRows> {
    let counts = compared.figures().counts;
    let mut first = ChangeRows::default();
    if counts.added + counts.updated + counts.removed == 0 {
        return Ok(first);
    }
    let create = |name: &str| spool::create(&spool::report(spool).join(name));
    let (changes, records) = (create("changes.csv.gz")?, create("records.jsonl.gz")?);
    record.sample.changes.clear();
    let (to_changes, of_changes) = sync_channel(AHEAD);
    let (to_records, of_records) = sync_channel(AHEAD);
    thread::scope(|scope| {
        let changes = scope.spawn(move || write_changes(changes, layout, of_changes));
        let records = scope.spawn(move || write_records(records, layout, of_records));
        let mut out = Out { to: [to_changes, to_records], batch: Vec::with_capacity(BATCH), size: 0 };
        let sampler = Sampler::new(layout);
        let mut take = |entry: Entry| {
            show(&mut record.sample.changes, &mut first, || match &entry {
                Entry::Changed(change) => sampler.change(change),
                Entry::Added { key, line } => sampler.added(key, *line),
            });
            out.push(entry);
        };
        let read = read(job, file, compared, &mut take);
        out.flush();
        drop(out);
        for written in [changes.join(), records.join()] {
            written.map_err(|_| io::Error::other("a list of the report could not be written: a defect"))??;
        }
        read
    })?;
    Ok(first)
}

/// Every user who changed, in the lists' order.
fn read(job: &Job, file: &mut FileRows, compared: &Compared, take: &mut dyn FnMut(Entry)) -> io::Result<()> {
    for (kind, spill) in &compared.plan.changes {
        let mut planned = spill.read()?;
        while let (place, Some(change)) = (planned.place(), planned.next().transpose()?) {
            if !compared.not_changed.contains(&(*kind, place)) {
                take(Entry::Changed(change));
            }
        }
    }
    if job.sync.action != Action::Delete {
        let FileSide { index, users, .. } = &mut file.side;
        for (_, place) in index.unseen().filter(|(user, _)| !compared.not_added.contains(user)) {
            take(Entry::Added { key: users.key(place)?.to_owned(), line: place.line.into() });
        }
    }
    Ok(())
}

/// A change among the first ones is shown to people.
fn show(sample: &mut Vec<SampleChange>, first: &mut ChangeRows, change: impl FnOnce() -> SampleChange) {
    if first.full() && sample.len() >= SAMPLE {
        return;
    }
    let change = change();
    first.take(&change);
    if sample.len() < SAMPLE {
        sample.push(change);
    }
}

/// Hands entries to both writers.
struct Out {
    to: [SyncSender<Arc<Vec<Entry>>>; 2],
    batch: Vec<Entry>,
    size: usize,
}

impl Out {
    fn push(&mut self, entry: Entry) {
        self.size += entry.size();
        self.batch.push(entry);
        if self.batch.len() >= BATCH || self.size >= BATCH_SIZE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.size = 0;
        let batch = Arc::new(std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH)));
        for to in &self.to {
            // A writer that takes no more has failed, and says why at its end.
            let _ = to.send(batch.clone());
        }
    }
}

fn write_changes(file: File, layout: &Layout, entries: Receiver<Arc<Vec<Entry>>>) -> io::Result<()> {
    let mut changes = ChangesWriter::new(file, layout)?;
    for batch in entries {
        for entry in &*batch {
            match entry {
                Entry::Changed(change) => changes.change(change)?,
                Entry::Added { key, line } => changes.added(key, *line)?,
            }
        }
    }
    changes.finish()?.sync_all()
}

fn write_records(file: File, layout: &Layout, entries: Receiver<Arc<Vec<Entry>>>) -> io::Result<()> {
    let mut records = RecordsWriter::new(file, layout);
    for batch in entries {
        for entry in &*batch {
            match entry {
                Entry::Changed(change) => records.change(change)?,
                Entry::Added { key, line } => records.added(key, *line)?,
            }
        }
    }
    records.finish()?.sync_all()
}
