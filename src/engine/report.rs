//! Report: what a run says of itself, staged in its spool folder until it is published.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    compared::{Compared, LateReject},
    letters, lists,
    outcome::{Ended, Ending, Record, RunError, Told},
    read::FileRows,
    spool, unpublished,
};
use crate::{
    model::{
        job::{After, Job},
        ledger::{LedgerRow, OpenStep},
        plan::Layout,
        reason::Reason,
    },
    ports::Ports,
    sync::{
        index::Place,
        render::{
            html::{ChangeRows, Page, page},
            report::report_json,
        },
        spill::SpillWriter,
    },
};

/// The report itself, for programs.
pub const REPORT: &str = "report.json";
/// The same for people; other files are there when there is something to put into them.
pub(super) const PAGE: &str = "report.html";

/// A run's report, complete and on durable storage.
pub(super) struct Staged {
    /// SHA-256 over the names and contents of its files.
    pub digest: String,
}

/// Writes every report of what was planned or applied, and brings it to durable storage.
#[allow(clippy::too_many_arguments, reason = "a report is about everything")]
pub(super) fn stage(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    mut compared: Compared,
    reason: Reason,
    record: &mut Record,
) -> Result<Staged, RunError> {
    tokio::task::block_in_place(|| {
        let first = lists::write(job, spool, layout, file, &mut compared, record)?;
        late_rejects(file, compared.late)?;
        record.sample.rejects = file.rejects.first().to_vec();
        record.sample.kinds = file.rejects.kinds();
        let message = record.message(job, reason);
        write_report(job, ports, &spool::report(spool), record, reason, &message, &first)?;
        Ok(Staged { digest: digest(spool)? })
    })
}

/// Adds the rows that the database refused: they are read again as they came.
fn late_rejects(file: &mut FileRows, late: SpillWriter<LateReject>) -> Result<(), RunError> {
    for late in late.finish()?.read()? {
        let late = late?;
        let line = u32::try_from(late.reject.line).unwrap_or(u32::MAX);
        file.rejects.write(&late.reject, file.side.users.row(Place { offset: late.offset, line })?)?;
    }
    Ok(file.rejects.finish()?)
}

/// `report.json`, `report.html` and the mails, beside what is in the folder already.
fn write_report(
    job: &Job,
    ports: &Ports,
    folder: &Path,
    record: &mut Record,
    reason: Reason,
    message: &str,
    changes: &ChangeRows,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let files = names(folder)?;
    record.reports = ports.reports.locate(&job.sync.sync, &job.run, &files);
    let report = record.report(job, reason, message.to_owned());
    let mut json = spool::create(&folder.join(REPORT))?;
    report_json(&mut json, &report)?;
    let mut html = spool::create(&folder.join(PAGE))?;
    let source = ports.source.location();
    let kinds = &record.sample.kinds;
    html.write_all(
        page(&Page {
            report: &report,
            sync: &job.sync,
            approving: &job.approving,
            source: &source,
            kinds,
            changes,
            files: &files,
        })
        .as_bytes(),
    )?;
    json.sync_all()?;
    html.sync_all()?;
    letters::stage(job, ports, folder, &report, &record.sample, &mut record.warnings)?;
    File::open(folder)?.sync_all()
}

/// The names of a folder's files, those that every report has among them whether they are there yet or not.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![REPORT.to_owned(), PAGE.to_owned()];
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn digest(spool: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    for name in names(&spool::report(spool))? {
        hash.update(name.as_bytes());
        hash.update([0]);
        let mut file = File::open(spool::report(spool).join(name))?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}

/// The ledger row of a run that is about to be committed.
pub(super) fn ledger_row(job: &Job, record: &Record, reason: Reason, staged: &Staged) -> LedgerRow {
    let file = record.file.as_ref();
    LedgerRow {
        run: job.run.clone(),
        file: record.stamp.clone().unwrap_or_else(|| crate::model::file::Stamp {
            name: String::new(),
            size: 0,
            mtime: jiff::Timestamp::UNIX_EPOCH,
        }),
        sha256: file.and_then(|file| file.sha256.clone()).unwrap_or_default(),
        spec: job.sync.spec_digest.clone(),
        result: reason.to_string(),
        counts: record.counts,
        report: staged.digest.clone(),
        open: match job.sync.take.after_import {
            After::Keep => vec![OpenStep::Publish],
            After::MoveTo(_) | After::Delete => vec![OpenStep::Archive, OpenStep::Publish],
        },
        committed: jiff::Timestamp::now(),
    }
}

/// The run has ended: publishes the report if that is not done yet, and says how it was.
pub(super) async fn conclude(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    mut record: Record,
    end: Result<Ending, RunError>,
) -> Ended {
    let (reason, message, told) = match &end {
        Ok(ending) => (ending.reason, record.message(job, ending.reason), ending.told),
        Err(error) => (error.reason(), error.to_string(), Told::Nothing),
    };
    let done = match told {
        Told::Settled => Ok(()),
        Told::Staged => publish_or_wait(job, ports, spool, &spool::report(spool), &mut record).await,
        Told::Nothing => match prepare(job, ports, spool, &mut record, reason, &message) {
            Ok(()) => publish_or_wait(job, ports, spool, &spool::ending(spool), &mut record).await,
            Err(error) => Err(error.to_string()),
        },
    };
    if let Err(why) = done {
        record.reports = Default::default();
        record.warnings.push(format!("the report could not be kept: {why}"));
    }
    let report = record.report(job, reason, message);
    Ended {
        report,
        sample: record.sample,
        shown: record.shown,
        file: record.stamp,
        more: record.more,
        last: record.last.map(|row| row.run),
        unfinished: record.unfinished,
    }
}

/// Publishes the report of a run that wrote nothing but it, or has it wait until that works.
async fn publish_or_wait(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    staged: &Path,
    record: &mut Record,
) -> Result<(), String> {
    let Err(why) = publish(job, ports, staged).await else { return Ok(()) };
    unpublished::wait(job, spool, staged, &why, record).map_err(|error| format!("{why}; nor can it wait: {error}"))
}

fn prepare(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    record: &mut Record,
    reason: Reason,
    message: &str,
) -> io::Result<()> {
    write_report(job, ports, &spool::ending(spool), record, reason, message, &ChangeRows::default())
}

/// Publishes this run's report out of the folder in which it is staged.
pub(super) async fn publish(job: &Job, ports: &Ports, staged: &Path) -> Result<(), String> {
    ports.reports.publish(&job.sync.sync, &job.run, staged).await.map(drop).map_err(|error| error.to_string())
}
