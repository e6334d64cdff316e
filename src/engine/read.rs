//! Read: the spooled file becomes users and rejects. The rows stay in the file, memory holds digests.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    outcome::{Record, RunError},
    rejects::RejectLog,
    spool::{self, scratch},
};
use crate::{
    api::Action,
    model::{
        job::{Job, Mapping},
        plan::Layout,
        progress::{Progress, Step},
        reject::{Reject, RejectCode},
        rows::Rows,
    },
    ports::Watch,
    sync::{
        batches::{Batch, Batches, FileRow, RefusedRow},
        decode::{DecodeError, Decoder},
        diff::{FileSide, Rules},
        digest::Digester,
        guard::Figures,
        index::{FileIndex, Found, Place, Taken, UserRef},
        map::Mapper,
        users::FileUsers,
    },
};

/// Batches that are read ahead of those that are taken in.
const AHEAD: usize = 8;

/// The file: what is known of it by now.
pub(super) struct FileRows {
    pub side: FileSide,
    pub rejects: RejectLog,
    pub figures: Figures,
    pub rules: Rules,
    pub spool: PathBuf,
    /// In bytes.
    pub size: u64,
    mirror: bool,
    hide: bool,
    /// Until it is being read.
    batches: Option<Batches>,
}

/// Opens the file: its header and what the mapping makes of it.
pub(super) fn open(job: &Job, layout: &Layout, spool: &Path, record: &Record) -> Result<FileRows, RunError> {
    // It may have to be transcoded first: that may hold this thread, not the runtime.
    tokio::task::block_in_place(|| open_file(job, layout, spool, record))
}

fn open_file(job: &Job, layout: &Layout, spool: &Path, record: &Record) -> Result<FileRows, RunError> {
    let sync = &job.sync;
    let name = record.file.as_ref().map_or_else(String::new, |file| file.name.clone());
    let decoder = Decoder::open(File::open(spool::input(spool))?, &sync.csv, scratch(spool)?)
        .map_err(|error| RunError::decoding(&name, error))?;
    let header = decoder.header();
    let correction = header.correction;
    let mapping = mapped_for(sync.action, &sync.mapping);
    let mapper = || {
        Mapper::new(&mapping, &sync.csv, header, layout, sync.conflict)
            .map_err(|problems| RunError::File(format!("{name}: {}", problems.join("\n"))))
    };
    let (mapper, again) = (mapper()?, mapper()?);
    let rules = Rules::new(sync, layout, correction).map_err(RunError::Table)?;
    let rejects = RejectLog::create(spool, &name, &header.names, header.delimiter)?;
    let digester = Digester::new(layout, RandomState::new().build_hasher().finish());
    let index = FileIndex::new(digester.clone());
    let users = FileUsers::new(decoder.rereader()?, again);
    let batches = Batches::new(decoder, mapper, digester, layout);
    Ok(FileRows {
        side: FileSide { index, whole: false, users },
        rejects,
        figures: Figures { correction, ..Figures::default() },
        rules,
        spool: spool.to_owned(),
        mirror: sync.action == Action::Mirror,
        hide: layout.columns[0].sensitive,
        size: batches.size(),
        batches: Some(batches),
    })
}

/// A list of users to remove needs nothing but their ids.
pub(super) fn mapped_for(action: Action, mapping: &Mapping) -> Mapping {
    let mut mapping = mapping.clone();
    if action == Action::Delete {
        mapping.properties.clear();
    }
    mapping
}

/// A user of a batch whom the file did not name before.
#[derive(Clone, Copy)]
pub(super) struct NewUser {
    pub user: UserRef,
    pub place: Place,
    /// Which of the batch's users it is, from 0.
    pub number: usize,
}

/// The file while it is read, on a thread of its own, up to the end or until this is dropped.
pub(super) struct Reading {
    batches: mpsc::Receiver<Result<Batch, (u64, DecodeError)>>,
    reader: JoinHandle<()>,
    size: u64,
    wanted: Arc<AtomicBool>,
}

impl Reading {
    /// The next rows. None: the file has ended.
    pub async fn next(&mut self) -> Result<Option<Batch>, RunError> {
        match self.batches.recv().await {
            Some(Ok(batch)) => Ok(Some(batch)),
            Some(Err((line, error))) => Err(RunError::decoding(&format!("line {line}"), error)),
            // A reader that ends without a word has met a defect of its own.
            None => match (&mut self.reader).await {
                Ok(()) => Ok(None),
                Err(error) => Err(std::io::Error::other(error).into()),
            },
        }
    }

    /// From now on, batches say what an added user's row would have.
    pub fn want_rows(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }
}

impl FileRows {
    /// Begins to read the rows. None: they are read.
    pub fn begin(&mut self) -> Option<Reading> {
        let mut rows = self.batches.take()?;
        let (send, batches) = mpsc::channel(AHEAD);
        let (size, wanted) = (rows.size(), Arc::<AtomicBool>::default());
        let want = wanted.clone();
        let reader = tokio::task::spawn_blocking(move || {
            while let Some(batch) = rows.next(want.load(Ordering::Relaxed)).transpose() {
                let failed = batch.is_err();
                if send.blocking_send(batch).is_err() || failed {
                    return;
                }
            }
        });
        Some(Reading { batches, reader, size, wanted })
    }

    /// Takes in what was read, and says who is new in the file. `forms` of its keys, where a collation compares them.
    pub fn take(
        &mut self,
        batch: &mut Batch,
        forms: Option<&Rows>,
        reading: &Reading,
        watch: &dyn Watch,
    ) -> Result<Vec<NewUser>, RunError> {
        if self.figures.counts.read == 0 && batch.position > 0 {
            // As many keys as it will likely have: it would be a pity to rehash a million.
            let rows = reading.size.saturating_mul(batch.read) / batch.position;
            self.side.index.expect(usize::try_from(rows).unwrap_or_default().min(MOST_EXPECTED));
        }
        let counts = &mut self.figures.counts;
        counts.read += batch.read;
        counts.filtered += batch.filtered;
        self.side.index.learn(std::mem::take(&mut batch.masks));
        let (mut new, mut number) = (Vec::new(), 0);
        for (at, row) in batch.rows.iter_mut().enumerate() {
            let form = forms.and_then(|forms| forms.row(at).get(0)).map(|form| self.side.index.key_digest(form));
            match row {
                FileRow::User(user) => {
                    user.key = form.unwrap_or(user.key);
                    match self.side.index.insert(user) {
                        Ok(known) => new.push(NewUser { user: known, place: user.at, number }),
                        Err(earlier) => self.twice(user, earlier)?,
                    }
                    number += 1;
                }
                FileRow::Refused(refused) => {
                    refused.key = form.or(refused.key);
                    self.refuse(refused)?;
                }
            }
        }
        watch.at(Progress { step: Step::Read, done: batch.position, of: Some(reading.size) });
        Ok(new)
    }

    /// The file is read to its end.
    pub fn ended(&mut self, record: &mut Record) {
        self.side.whole = true;
        if let Some(file) = &mut record.file {
            file.rows = Some(self.figures.counts.read);
        }
        record.counts = self.figures.counts;
    }

    /// The id stands in the file already: the first row counts.
    fn twice(&mut self, user: &Taken, earlier: Found) -> Result<(), RunError> {
        let (Found::User(_, Place { line, .. }) | Found::Rejected(_, Place { line, .. })) = earlier;
        let key = self.side.users.key(user.at)?.chars().take(100).collect();
        let message =
            format!("the user id stands in line {line} already, and the first row counts: remove one of them");
        let reject = Reject {
            line: user.at.line.into(),
            column: None,
            value: Some(key),
            code: RejectCode::DuplicateKey,
            message,
            sensitive: self.hide,
        };
        self.figures.counts.rejected += 1;
        Ok(self.rejects.write(&reject, self.side.users.row(user.at)?)?)
    }

    /// A row is refused. Without a key anybody could be meant: one that is no value of the key's column is as unreadable as
    /// one that is cut off.
    fn refuse(&mut self, RefusedRow { key, reject, row }: &RefusedRow) -> Result<(), RunError> {
        self.figures.counts.rejected += 1;
        self.figures.key_unreadable |= self.mirror && key.is_none();
        if let Some(key) = key {
            let line = u32::try_from(row.line).unwrap_or(u32::MAX);
            self.side.index.insert_rejected(*key, Place { offset: row.offset, line });
        }
        Ok(self.rejects.write(reject, row)?)
    }
}

/// Keys for which room is made at once, at most: nobody's first rows make this process take more.
const MOST_EXPECTED: usize = 4_000_000;
