//! Who is told of the runs of `usersync run`: for half a minute at its end. What could not be sent stays in the run's record, and
//! is sent by the next run of the sync.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::{App, Sync, spec_of};
use crate::{
    control::{
        backoff::Backoff,
        decide::posted,
        deliveries::{noted, open, trouble},
    },
    engine::{REPORT, deliver},
    host::local::ended::ended,
    model::{report::RunReport, view::PostedLast},
    notify,
    ports::ReportStore,
};

/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it waits between two tries.
const AGAIN: Backoff = Backoff::seconds(2, 10);

impl Sync {
    /// The same, as if the manifest named no mail server.
    pub fn without_mail(&mut self) {
        self.job.notice.mail = None;
        if let Some(report) = &mut self.object.spec.report {
            report.email = None;
        }
    }
}

impl App {
    /// Sends what runs of the sync owe those who are to be told, or what one run owes. Says what is left, a line each.
    pub async fn deliver(&self, sync: &Sync, only: Option<&str>) -> anyhow::Result<Vec<String>> {
        let id = &sync.job.sync;
        let told = &sync.job.notice;
        if (told.mail.is_none() && told.webhook.is_none()) || self.owing(sync, only)?.is_empty() {
            return Ok(Vec::new());
        }
        // Nobody else sends the same meanwhile.
        let _alone = self.state.spool(id)?;
        let (reports, notifier) = (self.reports.clone(), notify::open(&sync.job.notice));
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut last: Option<PostedLast> = None;
        loop {
            let mut runs = self.owing(sync, only)?;
            let tidings = deliver(id, &runs, &*reports, &self.approving, &*notifier).await;
            let now = Timestamp::now();
            let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
            for (run, tidings) in runs.iter_mut().zip(&tidings) {
                if let Some(status) = noted(run, &tidings.deliveries, now) {
                    run.status = Some(status);
                    self.state.write_run(id, run).context("who was told can't be kept in the state folder")?;
                }
            }
            let next = posted(last.as_ref(), tidings, now);
            let tried = last.insert(next);
            let wait = Duration::try_from(AGAIN.after(tried.failures, &id.to_string())).unwrap_or_default();
            if tried.failures == 0 || tried.denied || tokio::time::Instant::now() + wait > until {
                let left = tried.tidings.iter().filter_map(|one| Some((&one.run, trouble(&one.deliveries)?)));
                return Ok(left.map(|(run, (reason, why))| format!("run {run}: {reason}: {why}")).collect());
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// The runs of which somebody is still to be told, the oldest first.
    fn owing(&self, sync: &Sync, only: Option<&str>) -> anyhow::Result<Vec<crate::api::UserSyncRun>> {
        let mut runs = self.state.runs(&sync.job.sync)?;
        runs.retain(|run| open(run) && only.is_none_or(|only| run.metadata.name.as_deref() == Some(only)));
        runs.reverse();
        Ok(runs)
    }

    /// Keeps the record of a run whose process was killed after its end, before it could do so: what it owes is sent then.
    pub(super) async fn recover(&self, sync: &Sync, run: &str, reports: &dyn ReportStore) -> anyhow::Result<()> {
        let id = &sync.job.sync;
        let kept = self.state.runs(id)?;
        if kept.iter().any(|kept| kept.metadata.name.as_deref() == Some(run)) {
            return Ok(());
        }
        let report = reports.read(id, run, REPORT).await?;
        let report: Option<RunReport> = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // One without a report has not ended, and nothing of it has happened.
        let Some(report) = report else { return Ok(()) };
        let spec = spec_of(sync, run, report.mode, None);
        self.state.write_run(id, &ended(&id.namespace, spec, &report, None, None))?;
        Ok(())
    }
}
