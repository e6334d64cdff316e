//! Packing: the report's lists while they are written. Most of their time goes into packing, so that each has a thread of its own.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use tempfile::NamedTempFile;

use crate::{
    model::{change::Change, plan::Layout, report::SampleChange},
    sync::render::{
        UserList,
        changes::ChangesWriter,
        html::ChangeRows,
        records::RecordsWriter,
        sample::{SAMPLE, Sampler},
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

/// Both lists while they are written, under names of their own: dropped, they are gone.
pub(super) struct Lists {
    sampler: Sampler,
    sample: Vec<SampleChange>,
    first: ChangeRows,
    count: u64,
    batch: Vec<Entry>,
    size: usize,
    writers: [Writer; 2],
}

/// What packs one of them.
struct Writer {
    name: &'static str,
    file: NamedTempFile,
    entries: SyncSender<Arc<Vec<Entry>>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Lists {
    /// Begins both.
    pub fn begin(spool: &Path, layout: &Layout) -> io::Result<Self> {
        Ok(Self {
            sampler: Sampler::new(layout),
            sample: Vec::new(),
            first: ChangeRows::default(),
            count: 0,
            batch: Vec::with_capacity(BATCH),
            size: 0,
            writers: [
                Writer::begin("changes.csv.gz", spool, |file| ChangesWriter::new(file, layout))?,
                Writer::begin("records.jsonl.gz", spool, |file| Ok(RecordsWriter::new(file, layout)))?,
            ],
        })
    }

    /// How many users they have.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// A user who changes.
    pub fn changed(&mut self, change: Change) {
        self.push(Entry::Changed(change));
    }

    /// A user who is added.
    pub fn added(&mut self, key: &str, line: u64) {
        self.push(Entry::Added { key: key.to_owned(), line });
    }

    fn push(&mut self, entry: Entry) {
        self.show(&entry);
        self.count += 1;
        self.size += entry.size();
        self.batch.push(entry);
        if self.batch.len() >= BATCH || self.size >= BATCH_SIZE {
            self.flush();
        }
    }

    /// A change among the first ones is shown to people.
    fn show(&mut self, entry: &Entry) {
        if self.first.full() && self.sample.len() >= SAMPLE {
            return;
        }
        let change = match entry {
            Entry::Changed(change) => self.sampler.change(change),
            Entry::Added { key, line } => self.sampler.added(key, *line),
        };
        self.first.take(&change);
        if self.sample.len() < SAMPLE {
            self.sample.push(change);
        }
    }

    fn flush(&mut self) {
        self.size = 0;
        let batch = Arc::new(std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH)));
        for writer in &self.writers {
            // A writer that takes no more has failed, and says why at its end.
            let _ = writer.entries.send(batch.clone());
        }
    }

    /// Ends both, and puts them into this folder: the sample, and the first changes for the page.
    pub fn finish(mut self, folder: &Path) -> io::Result<(Vec<SampleChange>, ChangeRows)> {
        self.flush();
        for Writer { name, file, entries, thread } in self.writers {
            drop(entries);
            thread.join().map_err(|_| io::Error::other(format!("{name} could not be written: a defect")))??;
            file.persist(folder.join(name))?;
        }
        Ok((self.sample, self.first))
    }
}

impl Writer {
    /// Begins a list that only this account may read: what people's files say is in it.
    fn begin<L: UserList<Into = File> + Send + 'static>(
        name: &'static str,
        spool: &Path,
        list: impl FnOnce(File) -> io::Result<L>,
    ) -> io::Result<Self> {
        let file = NamedTempFile::new_in(spool)?;
        let list = list(file.as_file().try_clone()?)?;
        let (entries, waiting) = sync_channel(AHEAD);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || pack(list, waiting))?;
        Ok(Self { name, file, entries, thread })
    }
}

fn pack(mut list: impl UserList<Into = File>, entries: Receiver<Arc<Vec<Entry>>>) -> io::Result<()> {
    for batch in entries {
        for entry in &*batch {
            match entry {
                Entry::Changed(change) => list.change(change)?,
                Entry::Added { key, line } => list.added(key, *line)?,
            }
        }
    }
    list.finish()?.sync_all()
}
