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
        Err(why) => {
            record.reports = Default::default();
            not_published(record, &job.run, &why);
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
        Err(why) => not_aside(record, &stamp.name, &why.to_string()),
    }
}

/// An imported file stays where it is.
pub(super) fn not_moved(record: &mut Record, run: &str, name: &str, why: &str) {
    record.leave(
        ConditionReason::FileNotMoved,
        format!(
            "{name} is imported (run {run}), but could not be put away: {why} It is tried again, and not imported twice"
        ),
    );
}

/// A file that can't be imported stays where it is.
pub(super) fn not_aside(record: &mut Record, name: &str, why: &str) {
    let message = format!("{name} can't be imported, and could not be moved aside: {why} That is tried again");
    record.leave(ConditionReason::FileNotSetAside, message);
}

/// The report of a committed run stays in the spool.
pub(super) fn not_published(record: &mut Record, run: &str, why: &str) {
    let message =
        format!("the import of run {run} is committed, but its report is not published yet: {why}. It is tried again");
    record.leave(ConditionReason::ReportNotPublished, message);
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
        None if *after == After::Delete => {
            return delete_aside(ports.source.as_ref(), stamp, sha256).await.map(|()| None);
        }
        None => return Ok(None),
    }
    let marker = job.sync.take.wait_for.as_ref().map(|pattern| pattern.replace("{name}", &stamp.name));
    match after {
        After::Keep => return Ok(None),
        After::Delete => {
            if let Some(note) = delete(ports.source.as_ref(), stamp, sha256).await? {
                return Ok(Some(note));
            }
        }
        After::MoveTo(to) => {
            let place = rename(ports, &stamp.name, to, sha256).await?;
            if let Some(note) = back_if_new(ports.source.as_ref(), stamp, &place).await? {
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
async fn back_if_new(source: &dyn Source, stamp: &Stamp, place: &str) -> Result<Option<String>, SourceError> {
    let moved = source.stat(place).await?;
    if moved.is_none_or(|moved| (moved.size, moved.mtime) == (stamp.size, stamp.mtime)) {
        return Ok(None);
    }
    source.rename(place, &stamp.name).await?;
    Ok(Some(format!(
        "{} was replaced by a new upload while it was moved: the new file is back in its place",
        stamp.name
    )))
}

/// Deletes a file out of a place of its own, so that no new upload takes the name between the look and the deletion.
async fn delete(source: &dyn Source, stamp: &Stamp, sha256: &str) -> Result<Option<String>, SourceError> {
    let place = aside(stamp, sha256);
    match source.rename(&stamp.name, &place).await {
        Err(SourceError::Exists(_)) => {
            delete_aside(source, stamp, sha256).await?;
            source.rename(&stamp.name, &place).await?;
        }
        moved => moved?,
    }
    if let Some(note) = back_if_new(source, stamp, &place).await? {
        return Ok(Some(note));
    }
    source.delete(&place).await.map(|()| None)
}

/// Deletes what an attempt left that was killed between moving the file aside and deleting it.
async fn delete_aside(source: &dyn Source, stamp: &Stamp, sha256: &str) -> Result<(), SourceError> {
    let place = aside(stamp, sha256);
    match source.stat(&place).await? {
        Some(left) if (left.size, left.mtime) == (stamp.size, stamp.mtime) => source.delete(&place).await,
        _ => Ok(()),
    }
}

/// A name that is never taken for an upload.
fn aside(stamp: &Stamp, sha256: &str) -> String {
    format!("{}.{}.tmp", stamp.name, &sha256[..sha256.len().min(16)])
}

/// Moves a file into a folder under its own name, or under one with time, digest and number if that is taken.
async fn rename(ports: &Ports, name: &str, folder: &str, sha256: &str) -> Result<String, SourceError> {
    let now = jiff::Timestamp::now();
    let mut place = format!("{folder}/{name}");
    for number in 1.. {
        match ports.source.rename(name, &place).await {
            Err(SourceError::Exists(_)) if number <= NUMBERS => {
                place = format!("{folder}/{}", suffixed(name, &now, sha256, number));
            }
            moved => return moved.map(|()| place),
        }
    }
    Ok(place)
}

/// How many files of one name and content may be put away within a second.
const NUMBERS: u32 = 100;

/// `users.csv` becomes `users_20261122T010203Z_ab12cd34.csv`, and from number 2 on `users_20261122T010203Z_ab12cd34_2.csv`.
fn suffixed(name: &str, now: &jiff::Timestamp, sha256: &str, number: u32) -> String {
    let (stem, end) = match name.rfind('.').filter(|at| *at > 0) {
        Some(at) => name.split_at(at),
        None => (name, ""),
    };
    let number = if number > 1 { format!("_{number}") } else { String::new() };
    format!("{stem}_{}_{}{number}{end}", now.strftime("%Y%m%dT%H%M%SZ"), &sha256[..sha256.len().min(8)])
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
            assert_eq!(suffixed(name, &now, "ab12cd34ef", 1), expected);
        }
        assert_eq!(suffixed("users.csv", &now, "ab12cd34ef", 2), "users_20261122T010203Z_ab12cd34_2.csv");
    }

    /// A folder into which a new upload comes as soon as somebody has looked.
    struct Raced(std::sync::Mutex<std::collections::BTreeMap<String, Stamp>>, Stamp);

    #[async_trait::async_trait]
    impl Source for Raced {
        fn location(&self) -> String {
            "raced".to_owned()
        }

        async fn list(&self) -> Result<Vec<crate::model::file::Listed>, SourceError> {
            Ok(Vec::new())
        }

        async fn stat(&self, name: &str) -> Result<Option<Stamp>, SourceError> {
            let mut files = self.0.lock().unwrap();
            let found = files.get(name).map(|stamp| Stamp { name: name.to_owned(), ..stamp.clone() });
            if name == self.1.name {
                files.insert(name.to_owned(), self.1.clone());
            }
            Ok(found)
        }

        async fn fetch(
            &self,
            _: &Stamp,
            _: u64,
            _: &mut (dyn tokio::io::AsyncWrite + Send + Unpin),
            _: &(dyn Fn(u64) + Send + Sync),
        ) -> Result<u64, SourceError> {
            Ok(0)
        }

        async fn rename(&self, from: &str, to: &str) -> Result<(), SourceError> {
            let mut files = self.0.lock().unwrap();
            if files.contains_key(to) {
                return Err(SourceError::Exists(to.to_owned()));
            }
            let file = files.remove(from).ok_or_else(|| SourceError::Missing(from.to_owned()))?;
            files.insert(to.to_owned(), file);
            Ok(())
        }

        async fn delete(&self, name: &str) -> Result<(), SourceError> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
    }

    #[tokio::test]
    async fn an_upload_between_the_look_and_the_deletion_is_not_deleted() {
        let stamp = |size| Stamp { name: "users.csv".to_owned(), size, mtime: jiff::Timestamp::UNIX_EPOCH };
        let left = || [("users.csv".to_owned(), stamp(1)), (aside(&stamp(1), "ab12"), stamp(1))].into();
        let raced = Raced(std::sync::Mutex::new(left()), stamp(2));
        assert_eq!(raced.stat("users.csv").await.unwrap(), Some(stamp(1)));
        let note = delete(&raced, &stamp(1), "ab12").await.unwrap();
        assert!(note.unwrap().contains("new upload"));
        let files = raced.0.lock().unwrap().clone();
        assert_eq!(files, [("users.csv".to_owned(), stamp(2))].into());

        let quiet = Raced(std::sync::Mutex::new(left()), Stamp { name: "other".to_owned(), ..stamp(2) });
        assert_eq!(delete(&quiet, &stamp(1), "ab12").await.unwrap(), None);
        assert!(quiet.0.lock().unwrap().is_empty());
    }
}
