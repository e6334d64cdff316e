//! Report: what a run says of itself, staged in its spool folder until it is published.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{
    compared::{Compared, LateReject},
    outcome::{Ended, Ending, Record, RunError, Told},
    read::FileRows,
    spool,
};
use crate::{
    api::Action,
    model::{
        job::{After, Job},
        ledger::{LedgerRow, OpenStep},
        plan::Layout,
        reason::Reason,
        report::RunReport,
    },
    ports::Ports,
    sync::{
        diff::FileSide,
        index::Place,
        render::{
            changes::ChangesWriter,
            records::RecordsWriter,
            report::report_json,
            sample::{SAMPLE, sample_added, sample_change},
        },
        spill::SpillWriter,
    },
};

/// The report itself; the other files are there when there is something to put into them.
pub(super) const REPORT: &str = "report.json";

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
    compared: Compared,
    reason: Reason,
    record: &mut Record,
) -> Result<Staged, RunError> {
    tokio::task::block_in_place(|| {
        changes(job, spool, layout, file, &compared, record)?;
        late_rejects(file, compared.late)?;
        record.sample.rejects = file.rejects.first().to_vec();
        record.reports = ports.reports.locate(&job.sync.sync, &job.run, &names(spool)?);
        let message = record.message(job, reason);
        write_json(&spool::report(spool), &record.report(job, reason, message))?;
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

/// `changes.csv.gz`, `records.jsonl.gz` and the sample: removals, changes, added users.
fn changes(
    job: &Job,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    compared: &Compared,
    record: &mut Record,
) -> Result<(), RunError> {
    let counts = compared.figures().counts;
    if counts.added + counts.updated + counts.removed == 0 {
        return Ok(());
    }
    let create = |name: &str| spool::create(&spool::report(spool).join(name));
    let mut changes = ChangesWriter::new(create("changes.csv.gz")?, layout)?;
    let mut records = RecordsWriter::new(create("records.jsonl.gz")?, layout);
    let sample = &mut record.sample.changes;
    sample.clear();
    for (kind, spill) in &compared.plan.changes {
        let mut planned = spill.read()?;
        while let (place, Some(change)) = (planned.place(), planned.next().transpose()?) {
            if compared.not_changed.contains(&(*kind, place)) {
                continue;
            }
            changes.change(&change)?;
            records.change(&change)?;
            if sample.len() < SAMPLE {
                sample.push(sample_change(&change, layout));
            }
        }
    }
    if job.sync.action != Action::Delete {
        let FileSide { index, users, .. } = &mut file.side;
        for (_, place) in index.unseen().filter(|(user, _)| !compared.not_added.contains(user)) {
            let (key, line) = (users.key(place)?, place.line.into());
            changes.added(key, line)?;
            records.added(key, line)?;
            if sample.len() < SAMPLE {
                sample.push(sample_added(key, line, layout));
            }
        }
    }
    for written in [changes.finish()?, records.finish()?] {
        written.sync_all()?;
    }
    Ok(())
}

fn write_json(folder: &Path, report: &RunReport) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = spool::create(&folder.join(REPORT))?;
    report_json(&mut file, report)?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}

/// The staged files' names, `report.json` among them whether it is there yet or not.
fn names(spool: &Path) -> io::Result<Vec<String>> {
    let mut names = vec![REPORT.to_owned()];
    if spool::report(spool).exists() {
        for entry in fs::read_dir(spool::report(spool))? {
            names.extend(entry?.file_name().into_string());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn digest(spool: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    for name in names(spool)? {
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
        Told::Staged => publish(job, ports, &spool::report(spool)).await,
        Told::Nothing => match prepare(job, ports, spool, &mut record, reason, &message) {
            Ok(()) => publish(job, ports, &spool::ending(spool)).await,
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

fn prepare(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    record: &mut Record,
    reason: Reason,
    message: &str,
) -> io::Result<()> {
    record.reports = ports.reports.locate(&job.sync.sync, &job.run, &[REPORT.to_owned()]);
    write_json(&spool::ending(spool), &record.report(job, reason, message.to_owned()))
}

/// Publishes this run's report out of the folder in which it is staged.
pub(super) async fn publish(job: &Job, ports: &Ports, staged: &Path) -> Result<(), String> {
    ports.reports.publish(&job.sync.sync, &job.run, staged).await.map(drop).map_err(|error| error.to_string())
}
