//! Finish: the file moves to where imported files go, the report is published. Each is noted in the ledger as open until
//! it is done, and tried again by the next run: neither ever undoes an import.

use std::path::Path;

use super::{
    outcome::{Record, RunError},
    report::publish,
    spool,
};
use crate::{
    model::{
        file::{Fetched, Stamp},
        job::{After, Job},
        ledger::OpenStep,
    },
    ports::{Ports, SourceError},
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
            Err(why) => record.warnings.push(format!(
                "the import is committed, but {} could not be put away: {why}. The next run tries again; the file is not \
                 imported twice",
                fetched.stamp.name
            )),
        }
    }
    match publish(job, ports, &spool::report(spool)).await {
        Ok(()) => close(job, ports, &job.run, OpenStep::Publish, record).await,
        Err(why) => {
            record.reports = Default::default();
            record.warnings.push(format!("the import is committed, but its report is not published yet: {why}"));
        }
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
        Err(why) => record.warnings.push(format!("{} could not be moved aside: {why}", stamp.name)),
    }
}

/// Notes a step as done.
pub(super) async fn close(job: &Job, ports: &Ports, run: &str, step: OpenStep, record: &mut Record) {
    if let Err(error) = ports.store.close(&job.sync.sync, run, step).await {
        record.warnings.push(format!("{step:?} of run {run} is done, but could not be noted: {error}"));
    }
}

/// Puts a file away, with its marker. `Ok` may carry a note; what is not the file that was read is left alone.
pub(super) async fn put_away(
    job: &Job,
    ports: &Ports,
    stamp: &Stamp,
    sha256: &str,
    after: &After,
) -> Result<Option<String>, SourceError> {
    match ports.source.stat(&stamp.name).await? {
        Some(now) if now == *stamp => {}
        Some(_) => return Ok(Some(format!("{} was replaced by a new upload: the new file stays", stamp.name))),
        None => return Ok(None),
    }
    let marker = job.sync.take.wait_for.as_ref().map(|pattern| pattern.replace("{name}", &stamp.name));
    match after {
        After::Keep => return Ok(None),
        After::Delete => ports.source.delete(&stamp.name).await?,
        After::MoveTo(to) => {
            let place = rename(ports, &stamp.name, to, sha256).await?;
            if let Some(note) = back_if_new(ports, stamp, &place).await? {
                return Ok(Some(note));
            }
        }
    }
    if let Some(marker) = marker {
        let moved = match after {
            After::MoveTo(to) => rename(ports, &marker, to, sha256).await.map(drop),
            _ => ports.source.delete(&marker).await,
        };
        if let Err(error) = moved
            && !matches!(error, SourceError::Missing(_))
        {
            return Ok(Some(format!("the marker file stays: {error}")));
        }
    }
    Ok(None)
}

/// Between the look and the move a new upload may have taken the name: what was moved must be what was read.
async fn back_if_new(ports: &Ports, stamp: &Stamp, place: &str) -> Result<Option<String>, SourceError> {
    let moved = ports.source.stat(place).await?;
    if moved.is_none_or(|moved| (moved.size, moved.mtime) == (stamp.size, stamp.mtime)) {
        return Ok(None);
    }
    ports.source.rename(place, &stamp.name).await?;
    Ok(Some(format!(
        "{} was replaced by a new upload while it was moved: the new file is back in its place",
        stamp.name
    )))
}

/// Moves a file into a folder under its own name, or under one with time and digest if that is taken.
async fn rename(ports: &Ports, name: &str, folder: &str, sha256: &str) -> Result<String, SourceError> {
    let place = format!("{folder}/{name}");
    match ports.source.rename(name, &place).await {
        Err(SourceError::Exists(_)) => {
            let place = format!("{folder}/{}", suffixed(name, &jiff::Timestamp::now(), sha256));
            ports.source.rename(name, &place).await?;
            Ok(place)
        }
        moved => moved.map(|()| place),
    }
}

/// `users.csv` becomes `users_20261122T010203Z_ab12cd34.csv`.
fn suffixed(name: &str, now: &jiff::Timestamp, sha256: &str) -> String {
    let (stem, end) = match name.rfind('.').filter(|at| *at > 0) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    format!("{stem}_{}_{}{end}", now.strftime("%Y%m%dT%H%M%SZ"), &sha256[..sha256.len().min(8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_gets_time_and_digest() {
        let now = "2026-11-22T01:02:03.5Z".parse().unwrap();
        for (name, expected) in [
            ("users.csv", "users_20261122T010203Z_ab12cd34.csv"),
            ("users", "users_20261122T010203Z_ab12cd34"),
            (".users", ".users_20261122T010203Z_ab12cd34"),
            ("a.b.csv", "a.b_20261122T010203Z_ab12cd34.csv"),
        ] {
            assert_eq!(suffixed(name, &now, "ab12cd34ef"), expected);
        }
    }
}
