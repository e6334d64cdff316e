//! Reports go: with the run that is forgotten, or when they are old.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Worker, key};
use crate::{
    api::UserSyncRun,
    engine::expire,
    host::local::state::Spool,
    model::{job::SyncId, sync::Key},
};

/// Old reports are looked for once an hour, but more often where they live for less than a day.
const LONGEST: Duration = Duration::from_secs(3600);
const SHORTEST: Duration = Duration::from_secs(1);

impl Worker {
    /// Removes a run's report, unless the run has something left to do.
    pub(super) async fn remove_report(&self, run: &UserSyncRun) -> Result<(), String> {
        let Key { namespace, .. } = key(&run.metadata);
        let id = SyncId { instance: self.instance.clone(), namespace, name: run.spec.sync.clone() };
        let name = run.metadata.name.as_deref().unwrap_or_default();
        if Spool::holds(&self.data, &id, name) {
            return Err(format!("run {name} has something left to do"));
        }
        self.reports.remove(&id, name).await.map_err(|error| error.to_string())
    }

    /// Removes the reports that are older than that, again and again.
    pub async fn expire(&self, ttl: Duration) {
        let pause = (ttl / 24).clamp(SHORTEST, LONGEST);
        loop {
            tokio::time::sleep(pause).await;
            let before = SignedDuration::try_from(ttl).ok().and_then(|ttl| Timestamp::now().checked_sub(ttl).ok());
            let Some(before) = before else { return };
            let unfinished = |sync: &Key, run: &str| {
                let (namespace, name) = (sync.namespace.clone(), sync.name.clone());
                Spool::holds(&self.data, &SyncId { instance: self.instance.clone(), namespace, name }, run)
            };
            match expire(&*self.host, &*self.reports, before, &unfinished).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "old reports are removed"),
                Err(error) => tracing::warn!("old reports can't be removed now, which is tried again: {error}"),
            }
        }
    }
}
