//! Unpublished: the report of a run that wrote nothing but it (held, failed, a simulation) waits in the spool, if it can't be published,
//! until that works. No ledger knows of such a run: the folder itself says that something is left to do.

use std::{fs, io, path::Path};

use super::{outcome::Record, spool};
use crate::{
    model::{condition::ConditionReason, job::Job},
    ports::Ports,
};

/// Whether the report of the run with this spool folder waits.
pub fn unpublished(spool: &Path) -> bool {
    spool::unpublished(spool).is_dir()
}

/// Has the staged report of this run wait, and says why it must.
pub(super) fn wait(job: &Job, spool: &Path, staged: &Path, why: &str, record: &mut Record) -> io::Result<()> {
    let place = spool::unpublished(spool);
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::rename(staged, &place)?,
    }
    fs::File::open(spool)?.sync_all()?;
    not_published(record, &job.run, why);
    Ok(())
}

/// Publishes what waits of earlier runs of this sync, whose folders lie beside this one.
pub(super) async fn publish_earlier(job: &Job, ports: &Ports, spool: &Path, record: &mut Record) {
    for run in waiting(spool).unwrap_or_default() {
        let Some(theirs) = spool.parent().map(|beside| beside.join(&run)).filter(|theirs| unpublished(theirs)) else {
            continue;
        };
        let place = spool::unpublished(&theirs);
        match ports.reports.publish(&job.sync.sync, &run, &place).await {
            Ok(_) => {
                if let Err(error) = fs::remove_dir_all(&place) {
                    record
                        .warnings
                        .push(format!("the report of run {run} is published, but stays in the spool: {error}"));
                }
            }
            Err(why) => not_published(record, &run, &why.to_string()),
        }
    }
}

/// The runs beside this one, the oldest first as far as their folders say.
fn waiting(spool: &Path) -> io::Result<Vec<String>> {
    let Some(beside) = spool.parent() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(beside)? {
        let entry = entry?;
        if unpublished(&entry.path()) {
            found.push((entry.metadata()?.modified()?, entry.file_name()));
        }
    }
    found.sort();
    Ok(found.into_iter().filter_map(|(_, name)| name.into_string().ok()).collect())
}

fn not_published(record: &mut Record, run: &str, why: &str) {
    let about = format!("run {run} has ended, but its report is not published yet");
    record.leave(ConditionReason::ReportNotPublished, about, &format!("{why}. It is tried again"));
}
