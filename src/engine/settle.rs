//! Settle: what earlier runs committed and could not finish is finished first.

use std::path::Path;

use super::{
    archive::{close, not_aside, not_moved, not_published, put_away},
    outcome::{Record, RunError},
    report::{PAGE, REPORT},
    spool,
    unpublished::publish_earlier,
};
use crate::{
    api::Mode,
    model::{
        file::{Fetched, Stamp},
        job::Job,
        ledger::{LedgerRow, OpenStep},
        report::{FileReport, Reports},
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
    });
    record.stamp = Some(row.file.clone());
    if !row.open.contains(&OpenStep::Publish) {
        record.reports = ports.reports.locate(&job.sync.sync, &job.run, &[REPORT.to_owned(), PAGE.to_owned()]);
    }
    if let Some(reports) = open_steps(job, ports, spool, &row, record).await {
        record.reports = reports;
    }
    Ok(true)
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

/// Finishes a committed run. Says where its report is, if it was published just now.
async fn open_steps(job: &Job, ports: &Ports, spool: &Path, row: &LedgerRow, record: &mut Record) -> Option<Reports> {
    let mut reports = None;
    for step in &row.open {
        let done = match step {
            OpenStep::Archive => put_away(job, ports, &row.file, &row.sha256, &job.sync.take.after_import)
                .await
                .map(|note| record.warnings.extend(note))
                .map_err(|error| error.to_string()),
            OpenStep::Publish => republish(job, ports, spool, row).await.map(|published| reports = published),
        };
        match done {
            Ok(()) => close(job, ports, &row.run, *step, record).await,
            Err(why) => match step {
                OpenStep::Archive => not_moved(record, &row.run, &row.file.name, &why),
                OpenStep::Publish => not_published(record, &row.run, &why),
            },
        }
    }
    reports
}

/// Publishes what a crashed run staged; the host removes its spool folder once no step is open. A folder that is gone
/// (another machine, a cleaned disk) can't be brought back: the ledger row keeps the counts.
async fn republish(job: &Job, ports: &Ports, spool: &Path, row: &LedgerRow) -> Result<Option<Reports>, String> {
    let staged = spool::report(spool);
    if !staged.exists() {
        tracing::warn!(run = row.run, "the staged report is gone; the ledger keeps the counts");
        return Ok(None);
    }
    ports.reports.publish(&job.sync.sync, &row.run, &staged).await.map(Some).map_err(|error| error.to_string())
}
