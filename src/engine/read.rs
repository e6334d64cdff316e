//! Read: the spooled file becomes users and rejects. Rows lie in temporary files, memory holds digests.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
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
    },
    ports::Watch,
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
    watch: &Arc<dyn Watch>,
    record: &mut Record,
) -> Result<FileRows, RunError> {
    // The whole step is computation over local files: it may hold this thread, not the runtime.
    tokio::task::block_in_place(|| read_rows(job, layout, spool, watch, record))
}

fn read_rows(
    job: &Job,
    layout: &Layout,
    spool: &Path,
    watch: &Arc<dyn Watch>,
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
    let mut rows = Rows { decoder, watch };
    reading.all(&mut rows, layout)?;
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

struct Rows<'a> {
    decoder: Decoder,
    watch: &'a Arc<dyn Watch>,
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
    fn all(&mut self, rows: &mut Rows<'_>, layout: &Layout) -> Result<(), RunError> {
        let mut row = RawRow::default();
        let mut user = User::default();
        let size = rows.decoder.size();
        while let Some(read) =
            rows.decoder.next(&mut row).map_err(|error| RunError::decoding(&format!("line {}", row.line), error))?
        {
            self.figures.counts.read += 1;
            if self.figures.counts.read.is_multiple_of(PROGRESS_EVERY) {
                rows.watch.at(Progress { step: Step::Read, done: rows.decoder.position(), of: Some(size) });
            }
            match read {
                Err(reject) => self.reject(&reject, &row, None)?,
                Ok(()) => match self.mapper.map(&row, &mut user) {
                    Mapped::Filtered => self.figures.counts.filtered += 1,
                    Mapped::Rejected(reject) => self.reject(&reject, &row, user.key.as_deref())?,
                    Mapped::User => self.user(&mut user, &row, layout)?,
                },
            }
        }
        Ok(())
    }

    fn user(&mut self, user: &mut User, row: &RawRow, layout: &Layout) -> Result<(), RunError> {
        let key = user.key.as_deref().unwrap_or_default();
        if let Some(earlier) = self.index.find(key) {
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
            return self.reject(&reject, row, Some(key));
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
        self.index.insert(key, &user.values, &user.specified, place);
        Ok(())
    }

    /// Refuses a row. Without a `key` anybody could be meant: one that is no value of the key's column is as unreadable as
    /// one that is cut off.
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
