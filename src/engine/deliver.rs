//! Deliver: what a run owes those who are to be told is taken out of its published report, and sent. Of a run that has none, it is
//! written by its status.

use std::sync::Arc;

use crate::{
    api::{Delivery, DeliveryKind, DeliveryState, UserSyncRun},
    control::deliveries::{Origin, origin, standing},
    model::{
        approving::Approving,
        condition::ConditionReason,
        job::SyncId,
        letter::LetterKind,
        post::{Parcel, Posted, Tidings},
    },
    ports::{Notifier, ReportStore},
};

use super::{
    letters::{file_of, of_status},
    report::REPORT,
};

/// Sends what these runs of the sync still owe, and says for each how that stands now.
pub async fn deliver(
    sync: &SyncId,
    runs: &[UserSyncRun],
    reports: &dyn ReportStore,
    approving: &Approving,
    notifier: &dyn Notifier,
) -> Vec<Tidings> {
    let letters = Letters { sync, reports, approving, notifier };
    let mut tidings = Vec::new();
    let mut parcels = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let (ready, deliveries) = letters.prepared(run).await;
        parcels.extend(ready.into_iter().map(|parcel| (number, parcel)));
        tidings.push(Tidings { run: name(run), deliveries });
    }
    let (numbers, parcels): (Vec<usize>, Vec<Parcel>) = parcels.into_iter().unzip();
    let posted = if parcels.is_empty() { Vec::new() } else { notifier.send(&parcels).await };
    for ((number, parcel), posted) in numbers.into_iter().zip(&parcels).zip(posted) {
        tidings[number].deliveries.push(posted.delivery(parcel.kind, &parcel.to));
    }
    tidings
}

/// What is sent, or why it can't be.
type Body = Result<Arc<[u8]>, (ConditionReason, String)>;

/// Where what is sent comes from.
struct Letters<'a> {
    sync: &'a SyncId,
    reports: &'a dyn ReportStore,
    approving: &'a Approving,
    notifier: &'a dyn Notifier,
}

impl Letters<'_> {
    /// What can be sent of what the run owes, and what can't.
    async fn prepared(&self, run: &UserSyncRun) -> (Vec<Parcel>, Vec<Delivery>) {
        let (name, mut parcels, mut failed) = (name(run), Vec::new(), Vec::new());
        let mut bodies: Vec<(DeliveryKind, Body)> = Vec::new();
        for owed in standing(run).into_iter().filter(|one| one.state == DeliveryState::Waiting) {
            let body = match bodies.iter().find(|(kind, _)| *kind == owed.kind) {
                Some((_, body)) => body.clone(),
                None => {
                    let body = self.body(run, &name, owed.kind).await;
                    bodies.push((owed.kind, body.clone()));
                    body
                }
            };
            match body {
                Ok(body) => {
                    let id = format!("{name}.{}", word(owed.kind));
                    parcels.push(Parcel { kind: owed.kind, to: owed.to, id, body });
                }
                Err((reason, why)) => failed.push(Posted::Waiting(reason, why).delivery(owed.kind, &owed.to)),
            }
        }
        (parcels, failed)
    }

    /// What is sent: as it was written with the report, or by the status of a run that has none.
    async fn body(&self, run: &UserSyncRun, name: &str, kind: DeliveryKind) -> Body {
        let origin = origin(run);
        if origin != Origin::Status {
            let kept = self.kept(name, kind).await;
            if kept != Ok(None) || origin == Origin::Report {
                let missing = || format!("{} is not among the published reports of run {name} (yet)", file(kind));
                let kept = kept.and_then(|kept| kept.ok_or_else(missing));
                return kept.map_err(|why| (ConditionReason::ReportNotPublished, why));
            }
        }
        let written = of_status(self.sync, run, kind, self.approving, self.notifier);
        written.map(Arc::from).map_err(|why| (ConditionReason::MailUnreachable, why))
    }

    /// A file of the published report.
    async fn kept(&self, run: &str, kind: DeliveryKind) -> Result<Option<Arc<[u8]>>, String> {
        let read = self.reports.read(self.sync, run, file(kind)).await;
        read.map(|bytes| bytes.map(Arc::from)).map_err(|error| error.to_string())
    }
}

fn name(run: &UserSyncRun) -> String {
    run.metadata.name.clone().unwrap_or_default()
}

/// The file of the published report that is sent.
const fn file(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Summary => file_of(LetterKind::Summary),
        DeliveryKind::FailedImport => file_of(LetterKind::FailedImport),
        DeliveryKind::Alert => file_of(LetterKind::Alert),
        DeliveryKind::Webhook => REPORT,
    }
}

/// The kind in one word, for Message-IDs and the like.
fn word(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Summary => "summary",
        DeliveryKind::FailedImport => "failed-import",
        DeliveryKind::Webhook => "webhook",
        DeliveryKind::Alert => "alert",
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
