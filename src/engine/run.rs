//! One run, step by step.

use std::path::Path;

use super::{
    adding::Begun,
    apply::{Applied, apply},
    archive,
    compare::compare,
    compared::Compared,
    fetch::fetch,
    look::look,
    outcome::{Ended, Ending, Record, RunError, TakenOver, Told},
    probe::{claim_of, table},
    read::{self, FileRows},
    report, settle,
};
use crate::{
    api::Mode,
    model::{
        job::{Approval, Job, Shown},
        ledger::{Fence, LedgerRow},
        plan::Layout,
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::{Apply, Ports, StoreError},
    sync::guard::judge,
};

/// How often a run compares again because others edited the same users meanwhile.
const TRIES: u32 = 3;

/// One run: from the file on the server to the report in somebody's hand. `spool` is a private folder that only this
/// run writes to; folders of earlier runs lie beside it. Never fails: what went wrong is in the report.
pub async fn run(job: &Job, ports: &Ports, spool: &Path) -> Ended {
    let mut record = Record::begin(job);
    let end = steps(job, ports, spool, &mut record).await;
    finish(job, ports, spool, record, end).await
}

/// One attempt of a run that another process may attempt as well: the same, but where that one has taken over, its verdict
/// and its report are the run's, and this attempt leaves none.
pub async fn attempt(job: &Job, ports: &Ports, spool: &Path) -> Result<Ended, TakenOver> {
    let mut record = Record::begin(job);
    match steps(job, ports, spool, &mut record).await {
        Err(RunError::Store(StoreError::Fenced(why))) => Err(TakenOver(why)),
        end => Ok(finish(job, ports, spool, record, end).await),
    }
}

async fn finish(job: &Job, ports: &Ports, spool: &Path, mut record: Record, end: Result<Ending, RunError>) -> Ended {
    if let Err(error) = &end {
        archive::after_failure(job, ports, &mut record, error).await; //     effect: the file may move aside
    }
    report::conclude(job, ports, spool, record, end).await //                effect: what is not published yet
}

async fn steps(job: &Job, ports: &Ports, spool: &Path, record: &mut Record) -> Result<Ending, RunError> {
    let fence = claim(job, ports).await?; //                                 effect: who writes where
    if settle::committed(job, ports, spool, record).await? {
        // effect: an earlier attempt did it all, and its report is the run's
        return Ok(Ending { reason: Reason::AlreadyApplied, told: Told::Settled });
    }
    settle::earlier_runs(job, ports, spool, record).await; //                effect: what a crash left open
    let layout = table(&job.sync, &*ports.store).await?; //                effect: what the table can hold
    let taken = look(job, ports, record).await?; //                          effect: list, choose
    record.lap(Step::Look);
    let Some(chosen) = taken else { return Ok(Ending::because(Reason::NoFile)) };
    let fetched = fetch(job, ports, chosen, spool, record).await?; //        effect: copy, hash
    record.lap(Step::Fetch);
    let Some(fetched) = fetched else { return Ok(Ending::because(Reason::NoFile)) };
    let approved = approved(job, record, &fetched.sha256)?; //               pure: is it still the one?
    let mut file = read::open(job, &layout, spool, record)?; //              header, mapping
    record.corrects(file.figures.correction);

    for _ in 0..TRIES {
        let written = written(job, ports, fence.as_ref(), spool, &layout, &mut file, approved.as_ref(), record).await;
        match written {
            Err(RunError::Store(StoreError::Stale(why))) => tracing::info!(%why, "comparing again"),
            Err(error) => return Err(error),
            Ok(Written::Not(ending)) => return Ok(ending),
            Ok(Written::Committed) => {
                archive::finish(job, ports, spool, &fetched, record).await; //   effect: move, publish
                record.lap(Step::Finish);
                return Ok(Ending { reason: record.completed(), told: Told::Settled });
            }
        }
    }
    Err(StoreError::Busy(format!(
        "others kept editing the same users of table {}: compared {TRIES} times, and each time a user had changed before \
         the changes could be written; nothing was written. Run it again at a quieter time",
        job.sync.target.table
    ))
    .into())
}

/// Registers what the sync writes. A simulation only looks whether it could.
async fn claim(job: &Job, ports: &Ports) -> Result<Option<Fence>, RunError> {
    let claim = claim_of(&job.sync);
    Ok(match job.mode {
        Mode::Import => Some(ports.store.open(&claim).await?),
        Mode::Simulation => {
            ports.store.check(&claim).await?;
            None
        }
    })
}

/// The approval, if there is one and it still is for what would happen.
fn approved(job: &Job, record: &Record, sha256: &str) -> Result<Option<Approval>, RunError> {
    let Some(approval) = job.approval.clone() else { return Ok(None) };
    if approval.sha256.is_empty() {
        return Err(RunError::Outdated(
            "what was approved is not known any more: the run that was held is gone, or its annotation usersync.dev/approve has \
             been changed since; nothing was written. Look at the held run, or at a simulation, and approve that"
                .to_owned(),
        ));
    }
    if approval.sha256 != sha256 {
        return Err(RunError::Outdated(format!(
            "the approval is for the file with SHA-256 {}, but the file is now {sha256}: look at a simulation of it and \
             approve that",
            approval.sha256
        )));
    }
    let last = record.last.as_ref().map(|row| &row.run);
    if approval.held.as_ref().is_some_and(|held| held.last.as_ref() != last) {
        let since =
            last.map_or_else(|| "the ledger was emptied".to_owned(), |run| format!("run {run} has imported a file"));
        return Err(RunError::Outdated(format!(
            "the approval is void: {since} since the run was held. Look at a simulation and approve that"
        )));
    }
    Ok(Some(approval))
}

/// Asks the safeguards. True: the run waits for a person.
fn hold(job: &Job, approval: Option<&Approval>, compared: &Compared, record: &mut Record) -> bool {
    let figures = compared.figures();
    let everything = Shown { removals: u64::MAX, emptied: u64::MAX, rejected: u64::MAX, updated: u64::MAX };
    let covers = approval.map(|approval| approval.held.as_ref().map_or(everything, |held| held.shown));
    record.counts = figures.counts;
    record.shown = figures.shown();
    record.guard = judge(&figures, &job.sync.safeguards, job.sync.action, covers.as_ref());
    record.guard.held
}

/// The end of a run that writes nothing: the report says what would have been.
fn planned(
    job: &Job,
    ports: &Ports,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    compared: Compared,
    record: &mut Record,
) -> Result<Ending, RunError> {
    let reason = if record.guard.held { Reason::Held } else { record.completed() };
    report::stage(job, ports, spool, layout, file, compared, reason, record)?;
    Ok(Ending { reason, told: Told::Staged })
}

enum Written {
    Committed,
    /// Nothing: it is a simulation, or the run is held.
    Not(Ending),
}

/// One try: compares, asks the safeguards, writes.
#[allow(clippy::too_many_arguments, reason = "the steps' results meet here")]
async fn written(
    job: &Job,
    ports: &Ports,
    fence: Option<&Fence>,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    approved: Option<&Approval>,
    record: &mut Record,
) -> Result<Written, RunError> {
    let (compared, begun) = compare(job, ports, fence, layout, file, record).await?; // effect: the rows, and what is there
    record.lap(Step::Compare);
    let held = hold(job, approved, &compared, record);
    match fence {
        Some(fence) if !held => write(job, ports, fence, spool, layout, file, compared, begun, approved, record).await,
        _ => {
            if let Some(begun) = begun {
                begun.transaction.rollback().await?;
            }
            planned(job, ports, spool, layout, file, compared, record).map(Written::Not)
        }
    }
}

/// The one transaction: changes, the report on durable storage, the guard on the final counts, the ledger row.
#[allow(clippy::too_many_arguments, reason = "the steps' results meet here")]
async fn write(
    job: &Job,
    ports: &Ports,
    fence: &Fence,
    spool: &Path,
    layout: &Layout,
    file: &mut FileRows,
    compared: Compared,
    begun: Option<Begun>,
    approval: Option<&Approval>,
    record: &mut Record,
) -> Result<Written, RunError> {
    let Applied { transaction, compared } = apply(job, ports, fence, layout, file, compared, begun).await?; // effect
    record.lap(Step::Apply); //                                              so far: the report says it
    if hold(job, approval, &compared, record) {
        transaction.rollback().await?;
        report::stage(job, ports, spool, layout, file, compared, Reason::Held, record)?;
        return Ok(Written::Not(Ending { reason: Reason::Held, told: Told::Staged }));
    }
    if let Some(columns) = &compared.put_back {
        record.warnings.push(format!(
            "a trigger of table {} puts back what was there when {columns} is written: such users count as unchanged and are \
             left alone. Let the file, or an expression of the mapping, say what the trigger makes of it",
            job.sync.target.table
        ));
    }
    let reason = record.completed();
    let staged = report::stage(job, ports, spool, layout, file, compared, reason, record)?; // effect: durable
    let row = report::ledger_row(job, record, reason, &staged);
    if ports.watch.stopped() {
        transaction.rollback().await?;
        return Err(RunError::Stopped);
    }
    if let Err(why) = ports.watch.ours().await {
        transaction.rollback().await?;
        return Err(StoreError::Fenced(why).into());
    }
    commit(job, ports, fence, layout, transaction, &row).await?; //          effect: from here on it has happened
    ports.watch.at(Progress { step: Step::Finish, done: 0, of: None });
    record.lap(Step::Apply);
    Ok(Written::Committed)
}

/// Commits. An answer that got lost on the way says nothing: then the ledger is asked, once its lock is to be had, which the
/// transaction holds as long as the server is at it.
async fn commit(
    job: &Job,
    ports: &Ports,
    fence: &Fence,
    layout: &Layout,
    transaction: Box<dyn Apply>,
    row: &LedgerRow,
) -> Result<(), StoreError> {
    let Err(error) = transaction.commit(row).await else { return Ok(()) };
    if let Ok(free) = ports.store.begin(fence, layout, &job.sync.target.scope).await {
        // It was for the lock alone.
        let _ = free.rollback().await;
    }
    match ports.store.committed(&job.sync.sync, &job.run).await {
        Ok(Some(_)) => Ok(()),
        _ => Err(error),
    }
}
