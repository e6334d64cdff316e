//! Expire: reports that are older than `--report-ttl` go, also those of syncs that are gone.

use jiff::Timestamp;

use crate::{
    api::UserSyncRun,
    control::{
        cause::{ended, named},
        deliveries::open,
    },
    model::{job::SyncId, sync::Key},
    ports::{AGED, Aged, Host, ReportError, ReportStore},
};

/// Removes the reports that were last written to before that moment, and says how many. Not of a run that is at work, or of which
/// somebody is still to be told, or that is `unfinished`. Of a sync that can't be looked at nothing goes. Writes nothing to the host.
pub async fn expire(
    host: &dyn Host,
    reports: &dyn ReportStore,
    before: Timestamp,
    unfinished: &(dyn Fn(&Key, &str) -> bool + Sync),
) -> Result<u64, ReportError> {
    let mut removed = 0;
    loop {
        let mut old = reports.older(before).await?;
        let (all, so_far) = (old.len() < AGED, removed);
        old.sort_by(|a, b| a.sync.cmp(&b.sync));
        for runs in old.chunk_by(|one, next| one.sync == next.sync) {
            removed += of_sync(host, reports, runs, unfinished).await?;
        }
        if all || removed == so_far {
            return Ok(removed);
        }
    }
}

/// The same, of runs of one sync.
async fn of_sync(
    host: &dyn Host,
    reports: &dyn ReportStore,
    runs: &[Aged],
    unfinished: &(dyn Fn(&Key, &str) -> bool + Sync),
) -> Result<u64, ReportError> {
    let Some(Aged { sync, .. }) = runs.first() else { return Ok(0) };
    let known = match host.live(sync).await {
        Ok(view) => view.map(|view| view.runs).unwrap_or_default(),
        Err(error) => {
            tracing::info!(%sync, "its old reports stay for now: {error}");
            return Ok(0);
        }
    };
    let id = SyncId { instance: String::new(), namespace: sync.namespace.clone(), name: sync.name.clone() };
    let mut removed = 0;
    for Aged { run, .. } in runs {
        if named(&known, run).is_some_and(needed) || unfinished(sync, run) {
            continue;
        }
        reports.remove(&id, run).await?;
        tracing::info!(%sync, run, "its report was old, and is removed");
        removed += 1;
    }
    Ok(removed)
}

/// Whether the run still works with its report.
fn needed(run: &UserSyncRun) -> bool {
    ended(run).is_none() || open(run)
}
