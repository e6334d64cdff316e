//! Settle: what earlier runs committed and could not finish is finished first.

use std::path::Path;

use super::{
    archive::{close, not_aside, not_moved, not_published, put_away},
    outcome::{Record, RunError},
    report::{PAGE, REPORT, names},
    spool,
    unpublished::publish_earlier,
};
use crate::{
    api::Mode,
    model::{
        file::{Fetched, Stamp},
        job::Job,
        ledger::{LedgerRow, OpenStep},
        report::{FileReport, Reports, RunReport},
        sync::{Failure, Unfinished},
    },
    ports::Ports,
};

/// Whether an earlier attempt has committed this very run; then what it left open is finished.
pub(super) async fn committed(job: &Job, ports: &Ports, spool: &Path, record: &mut Record) -> Result<bool, RunError> {
    if job.mode == Mode::Simulation {
        return Ok(false);
    }
    let Some(row) = ports.store.committed(&job.sync.sync, &job.run).await? else { return Ok(false) };
    record.counts = row.counts;
    record.file = Some(FileReport {
        name: row.file.name.clone(),
        size: row.file.size,
        sha256: Some(row.sha256.clone()),
        rows: Some(row.counts.read),
        correction: false,
    });
    record.stamp = Some(row.file.clone());
    record.reports = match row.open.contains(&OpenStep::Publish) {
        // Where they will be, if they are not there in a moment.
        true => staged(job, ports, spool),
        false => published(job, ports).await,
    };
    open_steps(job, ports, spool, &row, record).await;
    Ok(true)
}

/// Where the files of the report are published that is staged; nowhere if there is none any more.
fn staged(job: &Job, ports: &Ports, spool: &Path) -> Reports {
    let names = names(&spool::report(spool)).unwrap_or_default();
    ports.reports.locate(&job.sync.sync, &job.run, &names)
}

/// Where the files of the run's published report are, as it says itself.
async fn published(job: &Job, ports: &Ports) -> Reports {
    let sync = &job.sync.sync;
    let kept = ports.reports.read(sync, &job.run, REPORT).await.ok().flatten();
    let kept: Option<RunReport> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let usual = || ports.reports.locate(sync, &job.run, &[REPORT.to_owned(), PAGE.to_owned()]);
    kept.map_or_else(usual, |report| report.reports)
}

/// Finishes earlier runs of this sync. What fails again is a warning: it stays open for the next run.
pub(super) async fn earlier_runs(job: &Job, ports: &Ports, spool: &Path, record: &mut Record) {
    if job.mode == Mode::Simulation {
        return;
    }
    publish_earlier(job, ports, spool, record).await;
    match ports.store.unfinished(&job.sync.sync).await {
        Ok(rows) => {
            for row in rows {
                let theirs = spool.parent().map_or_else(|| spool.join(&row.run), |beside| beside.join(&row.run));
                open_steps(job, ports, &theirs, &row, record).await;
            }
        }
        Err(error) => record.warnings.push(format!("whether earlier runs are finished can't be said: {error}")),
    }
}

/// Finishes what runs left to do, without a run: what earlier ones committed, and files that failed ones could not set aside.
/// Says what is still left. A source that can't be used at all is a failure: nothing was tried.
pub async fn finish(job: &Job, ports: &Ports, spool: &Path, aside: &[Fetched]) -> Result<Option<Unfinished>, Failure> {
    let mut record = Record::begin(job);
    record.warnings.clear();
    publish_earlier(job, ports, spool, &mut record).await;
    let rows = ports.store.unfinished(&job.sync.sync).await.map_err(|error| RunError::from(error).failure())?;
    let moves = rows.iter().filter(|row| row.open.contains(&OpenStep::Archive)).map(|row| &row.file);
    if let Some(first) = moves.chain(aside.iter().map(|file| &file.stamp)).next() {
        ports.source.stat(&first.name).await.map_err(|error| RunError::from(error).failure())?;
    }
    for row in rows {
        let theirs = spool.parent().map_or_else(|| spool.join(&row.run), |beside| beside.join(&row.run));
        open_steps(job, ports, &theirs, &row, &mut record).await;
    }
    let stamps: Vec<Stamp> = aside.iter().map(|file| file.stamp.clone()).collect();
    let imported = ports.store.imported(&job.sync.sync, &stamps).await;
    let imported = imported.map_err(|error| RunError::from(error).failure())?;
    // Whose file was imported after all has nothing to set aside any more.
    for Fetched { stamp, sha256 } in aside.iter().filter(|file| imported.iter().all(|row| row.file != file.stamp)) {
        match put_away(job, ports, stamp, sha256, &job.sync.take.after_failure).await {
            Ok(note) => record.warnings.extend(note),
            Err(why) => not_aside(&mut record, &stamp.name, &why.to_string()),
        }
    }
    for warning in &record.warnings {
        tracing::info!(sync = %job.sync.sync, "{warning}");
    }
    Ok(record.unfinished)
}

/// Finishes a committed run.
async fn open_steps(job: &Job, ports: &Ports, spool: &Path, row: &LedgerRow, record: &mut Record) {
    for step in &row.open {
        let done = match step {
            OpenStep::Archive => put_away(job, ports, &row.file, &row.sha256, &job.sync.take.after_import)
                .await
                .map(|note| record.warnings.extend(note))
                .map_err(|error| error.to_string()),
            OpenStep::Publish => republish(job, ports, spool, row).await,
        };
        match done {
            Ok(()) => close(job, ports, &row.run, *step, record).await,
            Err(why) => match step {
                OpenStep::Archive => not_moved(record, &row.run, &row.file.name, &why),
                OpenStep::Publish => not_published(record, &row.run, &why),
            },
        }
    }
}

/// Publishes what a crashed run staged; the host removes its spool folder once no step is open. A folder that is gone
/// (another machine, a cleaned disk) can't be brought back: the ledger row keeps the counts.
async fn republish(job: &Job, ports: &Ports, spool: &Path, row: &LedgerRow) -> Result<(), String> {
    let staged = spool::report(spool);
    if !staged.exists() {
        tracing::warn!(run = row.run, "the staged report is gone; the ledger keeps the counts");
        return Ok(());
    }
    ports.reports.publish(&job.sync.sync, &row.run, &staged).await.map(drop).map_err(|error| error.to_string())
}
