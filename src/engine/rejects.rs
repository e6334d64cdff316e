//! The rejects file of a run, written while rows are read and once more when the database has refused some.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::spool;
use crate::{
    model::{reject::Reject, report::RejectKind},
    sync::{
        decode::RawRow,
        render::{
            kinds::Kinds,
            lazy::Lazy,
            rejects::{RejectsWriter, rejects_name},
            sample::SAMPLE,
        },
    },
};

type Open = Box<dyn FnOnce() -> io::Result<File> + Send + Sync>;

/// The rejects file of a run; no rejects, no file.
pub(super) struct RejectLog {
    writer: Option<RejectsWriter<Lazy<File, Open>>>,
    first: Vec<Reject>,
    kinds: Kinds,
}

impl RejectLog {
    /// For a file with this name, header and delimiter.
    pub fn create(spool: &Path, file: &str, header: &[String], delimiter: u8) -> io::Result<Self> {
        // What a killed attempt of this run left there without committing is not this one's.
        match fs::remove_dir_all(spool::report(spool)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(spool::report(spool))?,
        }
        let path = spool::report(spool).join(rejects_name(file));
        let open: Open = Box::new(move || spool::create(&path));
        Ok(Self {
            writer: Some(RejectsWriter::new(Lazy::new(open), header, delimiter)),
            first: Vec::new(),
            kinds: Kinds::default(),
        })
    }

    /// Adds a row as it came.
    pub fn write(&mut self, reject: &Reject, row: &RawRow) -> io::Result<()> {
        if self.first.len() < SAMPLE {
            self.first.push(reject.clone());
        }
        self.kinds.take(reject);
        self.writer.as_mut().map_or(Ok(()), |writer| writer.reject(reject, row.cells()))
    }

    /// The first of them, for people.
    pub fn first(&self) -> &[Reject] {
        &self.first
    }

    /// All of them by kind.
    pub fn kinds(&self) -> Vec<RejectKind> {
        self.kinds.sorted()
    }

    /// All are written: brings them to durable storage.
    pub fn finish(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        match writer.finish()?.into_inner() {
            Some(file) => file.sync_all(),
            None => Ok(()),
        }
    }
}
