//! Read: the spooled file becomes users and rejects. Rows lie in temporary files, memory holds digests.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    compare::by_collation,
    outcome::{Record, RunError},
    rejects::RejectLog,
    spool::{self, scratch},
};
use crate::{
    api::Action,
    model::{
        change::FileUser,
        job::{Job, Mapping},
        plan::{Layout, Role},
        progress::{Progress, Step},
        reject::{Reject, RejectCode},
        rows::Rows,
    },
    ports::{Ports, Watch},
    sync::{
        decode::{Decoder, RawRow},
        diff::Rules,
        guard::Figures,
        index::{FileIndex, Found},
        map::{Mapped, Mapper, User},
        spill::{Spill, SpillWriter},
    },
};

/// Rows between two words about progress.
const PROGRESS_EVERY: u64 = 4_096;

/// Rows that wait for the store's word on their keys, at most; and about how many bytes of the file they are.
const WAITING: usize = 2_000;
const WAITING_SIZE: u64 = 1 << 20;

/// The file, read.
pub(super) struct FileRows {
    pub decoder: Decoder,
    pub index: FileIndex,
    pub users: Spill<FileUser>,
    pub rejects: RejectLog,
    pub figures: Figures,
    pub rules: Rules,
    pub spool: PathBuf,
}

/// Decodes, maps and checks every row.
pub(super) fn read(
    job: &Job,
    layout: &Layout,
    spool: &Path,
    ports: &Ports,
    record: &mut Record,
) -> Result<FileRows, RunError> {
    // The whole step is computation over local files: it may hold this thread, not the runtime.
    tokio::task::block_in_place(|| read_rows(job, layout, spool, ports, record))
}

fn read_rows(
    job: &Job,
    layout: &Layout,
    spool: &Path,
    ports: &Ports,
    record: &mut Record,
) -> Result<FileRows, RunError> {
    let sync = &job.sync;
    let decoder = Decoder::open(File::open(spool::input(spool))?, &sync.csv, scratch(spool)?)
        .map_err(|error| RunError::decoding(&file_name(record), error))?;
    let header = decoder.header();
    let correction = header.correction;
    let mapping = mapped_for(sync.action, &sync.mapping);
    let mapper = Mapper::new(&mapping, &sync.csv, header, layout, sync.conflict)
        .map_err(|problems| RunError::File(format!("{}: {}", file_name(record), problems.join("\n"))))?;
    let rules = Rules::new(sync, layout, correction).map_err(RunError::Table)?;
    let rejects = RejectLog::create(spool, &file_name(record), &header.names, header.delimiter)?;
    let seed = RandomState::new().build_hasher().finish();
    let mut reading = Reading {
        mapper,
        index: FileIndex::new(layout, seed),
        users: SpillWriter::new(scratch(spool)?),
        rejects,
        figures: Figures { correction, ..Figures::default() },
        mirror: sync.action == Action::Mirror,
    };
    let mut rows = FileReader { decoder, watch: &ports.watch };
    match by_collation(layout) {
        false => reading.all(&mut rows, layout)?,
        true => reading.all_by_form(&mut rows, layout, ports)?,
    }
    if let Some(file) = &mut record.file {
        file.rows = Some(reading.figures.counts.read);
    }
    record.counts = reading.figures.counts;
    let Reading { index, users, rejects, figures, .. } = reading;
    Ok(FileRows {
        decoder: rows.decoder,
        index,
        users: users.finish()?,
        rejects,
        figures,
        rules,
        spool: spool.to_owned(),
    })
}

fn file_name(record: &Record) -> String {
    record.file.as_ref().map_or_else(String::new, |file| file.name.clone())
}

/// A list of users to remove needs nothing but their ids.
pub(super) fn mapped_for(action: Action, mapping: &Mapping) -> Mapping {
    let mut mapping = mapping.clone();
    if action == Action::Delete {
        mapping.properties.clear();
    }
    mapping
}

struct FileReader<'a> {
    decoder: Decoder,
    watch: &'a Arc<dyn Watch>,
}

impl FileReader<'_> {
    /// Reads the next row, and says how far that is. None at the end of the file.
    fn next(&mut self, row: &mut RawRow, figures: &mut Figures) -> Result<Option<Result<(), Reject>>, RunError> {
        let size = self.decoder.size();
        let read = self.decoder.next(row).map_err(|error| RunError::decoding(&format!("line {}", row.line), error))?;
        if read.is_some() {
            figures.counts.read += 1;
            if figures.counts.read.is_multiple_of(PROGRESS_EVERY) {
                self.watch.at(Progress { step: Step::Read, done: self.decoder.position(), of: Some(size) });
            }
        }
        Ok(read)
    }
}

struct Reading {
    mapper: Mapper,
    index: FileIndex,
    users: SpillWriter<FileUser>,
    rejects: RejectLog,
    figures: Figures,
    mirror: bool,
}

impl Reading {
    fn all(&mut self, rows: &mut FileReader<'_>, layout: &Layout) -> Result<(), RunError> {
        let mut row = RawRow::default();
        let mut user = User::default();
        while let Some(read) = rows.next(&mut row, &mut self.figures)? {
            match read {
                Err(reject) => self.reject(&reject, &row, None)?,
                Ok(()) => match self.mapper.map(&row, &mut user) {
                    Mapped::Filtered => self.figures.counts.filtered += 1,
                    Mapped::Rejected(reject) => self.reject(&reject, &row, user.key.as_deref())?,
                    Mapped::User => self.user(&mut user, None, &row, layout)?,
                },
            }
        }
        Ok(())
    }

    /// The same where a collation compares keys: rows wait for the store's word on their keys, many at once.
    fn all_by_form(&mut self, rows: &mut FileReader<'_>, layout: &Layout, ports: &Ports) -> Result<(), RunError> {
        let mut waiting = Vec::new();
        let mut since = rows.decoder.position();
        loop {
            let (mut row, mut user) = (RawRow::default(), User::default());
            let read = rows.next(&mut row, &mut self.figures)?;
            let end = read.is_none();
            match read {
                None => {}
                Some(Err(reject)) => waiting.push((row, User::default(), Some(reject))),
                Some(Ok(())) => match self.mapper.map(&row, &mut user) {
                    Mapped::Filtered => self.figures.counts.filtered += 1,
                    Mapped::Rejected(reject) => waiting.push((row, user, Some(reject))),
                    Mapped::User => waiting.push((row, user, None)),
                },
            }
            if end || waiting.len() >= WAITING || rows.decoder.position() - since >= WAITING_SIZE {
                self.with_forms(std::mem::take(&mut waiting), layout, ports)?;
                since = rows.decoder.position();
            }
            if end {
                return Ok(());
            }
        }
    }

    fn with_forms(
        &mut self,
        waiting: Vec<(RawRow, User, Option<Reject>)>,
        layout: &Layout,
        ports: &Ports,
    ) -> Result<(), RunError> {
        let mut keys = Rows::new(1);
        waiting.iter().for_each(|(_, user, _)| keys.push(user.key.as_deref()));
        let forms = tokio::runtime::Handle::current().block_on(ports.store.key_forms(layout, &keys))?;
        for (at, (row, mut user, reject)) in waiting.into_iter().enumerate() {
            let form = forms.row(at).get(0);
            match reject {
                Some(reject) => self.reject(&reject, &row, form)?,
                None => self.user(&mut user, form, &row, layout)?,
            }
        }
        Ok(())
    }

    /// `form`: the key as the index has it, where that is another.
    fn user(&mut self, user: &mut User, form: Option<&str>, row: &RawRow, layout: &Layout) -> Result<(), RunError> {
        let key = user.key.as_deref().unwrap_or_default();
        let form = form.unwrap_or(key);
        if let Some(earlier) = self.index.find(form) {
            let first = match earlier {
                Found::Rejected { line, .. } => line,
                Found::User { place, .. } => self.users.at(place)?.line,
            };
            let reject = Reject {
                line: row.line,
                column: None,
                value: Some(key.chars().take(100).collect()),
                code: RejectCode::DuplicateKey,
                message: format!(
                    "the user id stands in line {first} already, and the first row counts: remove one of them"
                ),
                sensitive: layout.columns[0].sensitive,
            };
            return self.reject(&reject, row, Some(form));
        }
        // The key decides who is compared, it is not compared itself.
        for (at, column) in layout.columns.iter().enumerate() {
            user.specified[at] &= matches!(column.role, Role::Mapped | Role::Cleared);
        }
        let record = FileUser {
            line: row.line,
            offset: row.offset,
            values: user.values.clone(),
            specified: user.specified.clone(),
        };
        let place = self.users.push(&record)?;
        self.index.insert(form, &user.values, &user.specified, place);
        Ok(())
    }

    /// Refuses a row. Without a `key` anybody could be meant: one that is no value of the key's column is as unreadable as
    /// one that is cut off. The `key` is as the index has keys.
    fn reject(&mut self, reject: &Reject, row: &RawRow, key: Option<&str>) -> Result<(), RunError> {
        self.figures.counts.rejected += 1;
        self.figures.key_unreadable |= self.mirror && key.is_none();
        if let Some(key) = key
            && self.index.find(key).is_none()
        {
            self.index.insert_rejected(key, row.line);
        }
        self.rejects.write(reject, row)?;
        Ok(())
    }
}
