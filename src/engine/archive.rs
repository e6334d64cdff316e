//! Finish: the file moves to where imported files go, the report is published. Each is noted in the ledger as open until
//! it is done, and tried again by the next run: neither ever undoes an import.

use std::path::Path;

use super::{
    aside::{Aside, same_content, set_aside, set_back},
    outcome::{Record, RunError},
    report::publish,
    spool,
};
use crate::{
    model::{
        condition::ConditionReason,
        file::{Fetched, Stamp},
        job::{After, Job},
        ledger::OpenStep,
    },
    ports::{Ports, Source, SourceError},
};

/// Finishes a committed run. What fails stays open for the next one.
pub(super) async fn finish(job: &Job, ports: &Ports, spool: &Path, fetched: &Fetched, record: &mut Record) {
    let after = &job.sync.take.after_import;
    if *after != After::Keep {
        match put_away(job, ports, &fetched.stamp, &fetched.sha256, after).await {
            Ok(note) => {
                record.warnings.extend(note);
                close(job, ports, &job.run, OpenStep::Archive, record).await;
            }
            Err(why) => not_moved(record, &job.run, &fetched.stamp.name, &why.to_string()),
        }
    }
    match publish(job, ports, &spool::report(spool)).await {
        Ok(()) => close(job, ports, &job.run, OpenStep::Publish, record).await,
        Err(why) => not_published(record, &job.run, &why),
    }
}

/// Moves a file aside that made its run fail, if the manifest says so.
pub(super) async fn after_failure(job: &Job, ports: &Ports, record: &mut Record, error: &RunError) {
    let after = &job.sync.take.after_failure;
    let import = job.mode == crate::api::Mode::Import;
    let (Some(stamp), RunError::File(_), true) = (record.stamp.clone(), error, import && *after != After::Keep) else {
        return;
    };
    let sha256 = record.file.as_ref().and_then(|file| file.sha256.clone()).unwrap_or_default();
    match put_away(job, ports, &stamp, &sha256, after).await {
        Ok(note) => record.warnings.extend(note),
        Err(why) => not_aside(record, &stamp.name, &why.to_string()),
    }
}

/// An imported file stays where it is.
pub(super) fn not_moved(record: &mut Record, run: &str, name: &str, why: &str) {
    let about = format!("{name} is imported (run {run}), but could not be put away");
    record.leave(ConditionReason::FileNotMoved, about, &format!("{why} It is tried again, and not imported twice"));
}

/// A file that can't be imported stays where it is.
pub(super) fn not_aside(record: &mut Record, name: &str, why: &str) {
    let about = format!("{name} can't be imported, and could not be moved aside");
    record.leave(ConditionReason::FileNotSetAside, about, &format!("{why} That is tried again"));
}

/// The report of a committed run stays in the spool.
pub(super) fn not_published(record: &mut Record, run: &str, why: &str) {
    let about = format!("the import of run {run} is committed, but its report is not published yet");
    record.leave(ConditionReason::ReportNotPublished, about, &format!("{why}. It is tried again"));
}

/// Notes a step as done.
pub(super) async fn close(job: &Job, ports: &Ports, run: &str, step: OpenStep, record: &mut Record) {
    if let Err(error) = ports.store.close(&job.sync.sync, run, step).await {
        record.warnings.push(format!("{step:?} of run {run} is done, but could not be noted: {error}"));
    }
}

/// Puts a file away, with its marker. `Ok` may carry a note; what is not the file that was read is left alone. Whatever breaks
/// off at whatever point, the next call goes on there.
pub(super) async fn put_away(
    job: &Job,
    ports: &Ports,
    stamp: &Stamp,
    sha256: &str,
    after: &After,
) -> Result<Option<String>, SourceError> {
    let marker = job.sync.take.wait_for.as_ref().map(|pattern| pattern.replace("{name}", &stamp.name));
    away(ports.source.as_ref(), stamp, sha256, after, marker.as_deref()).await
}

async fn away(
    source: &dyn Source,
    stamp: &Stamp,
    sha256: &str,
    after: &After,
    marker: Option<&str>,
) -> Result<Option<String>, SourceError> {
    if *after == After::Keep {
        return set_back(source, stamp, sha256).await.map(|()| None);
    }
    match set_aside(source, stamp, sha256).await? {
        Aside::Ours(place) => match after {
            After::MoveTo(to) => move_to(source, &place, &stamp.name, to, stamp, sha256).await?,
            _ => gone(source.delete(&place).await)?,
        },
        Aside::Gone => {}
        Aside::Replaced(note) => return Ok(Some(note)),
    }
    let Some(marker) = marker else { return Ok(None) };
    // A new upload has come: the marker may be its own.
    if source.stat(&stamp.name).await?.is_some() {
        return Ok(None);
    }
    let moved = match after {
        After::MoveTo(to) => move_to(source, marker, marker, to, stamp, sha256).await,
        _ => source.delete(marker).await,
    };
    match gone(moved) {
        Err(error @ SourceError::Unreachable(_)) => Err(error),
        Err(error) => Ok(Some(format!("the marker file stays: {error}"))),
        Ok(()) => Ok(None),
    }
}

/// What was to be taken away is gone already: an earlier attempt did it, whose answer got lost.
fn gone(done: Result<(), SourceError>) -> Result<(), SourceError> {
    if matches!(done, Err(SourceError::Missing(_))) { Ok(()) } else { done }
}

/// Moves a file into a folder under the name `name`, or under one with time, digest and number if that is taken.
async fn move_to(
    source: &dyn Source,
    from: &str,
    name: &str,
    folder: &str,
    stamp: &Stamp,
    sha256: &str,
) -> Result<(), SourceError> {
    for number in 0.. {
        let to =
            format!("{folder}/{}", if number == 0 { name.to_owned() } else { suffixed(name, stamp, sha256, number) });
        match source.rename(from, &to).await {
            Err(SourceError::Exists(_)) if number < NUMBERS => {}
            moved => return moved,
        }
        if is_there(source, &to, stamp, sha256).await? {
            return source.delete(from).await;
        }
    }
    Ok(())
}

/// Whether this very file has the name already: a move by copying broke off when nothing was left to do but to delete the
/// file at its old place.
async fn is_there(source: &dyn Source, to: &str, stamp: &Stamp, sha256: &str) -> Result<bool, SourceError> {
    match source.stat(to).await? {
        Some(found) if (found.size, found.mtime) == (stamp.size, stamp.mtime) => {
            same_content(source, sha256, &found).await
        }
        _ => Ok(false),
    }
}

/// How many files of one name, time and content may be put away.
const NUMBERS: u32 = 100;

/// `users.csv` becomes `users_20261122T010203Z_ab12cd34.csv` by the file's own time, and from number 2 on
/// `users_20261122T010203Z_ab12cd34_2.csv`.
fn suffixed(name: &str, stamp: &Stamp, sha256: &str, number: u32) -> String {
    let (stem, end) = match name.rfind('.').filter(|at| *at > 0) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let number = if number > 1 { format!("_{number}") } else { String::new() };
    format!("{stem}_{}_{}{number}{end}", stamp.mtime.strftime("%Y%m%dT%H%M%SZ"), &sha256[..sha256.len().min(8)])
}

#[cfg(test)]
mod tests;
