//! Deliver: what a run owes those who are to be told is taken out of its published report, and sent.

use std::sync::Arc;

use crate::{
    api::{Delivery, DeliveryKind, DeliveryState, UserSyncRun},
    control::deliveries::standing,
    model::{
        condition::ConditionReason,
        job::SyncId,
        letter::LetterKind,
        post::{Parcel, Posted, Tidings},
    },
    ports::{Notifier, ReportStore},
};

use super::{letters::file_of, report::REPORT};

/// Sends what these runs of the sync still owe, and says for each how that stands now.
pub async fn deliver(
    sync: &SyncId,
    runs: &[UserSyncRun],
    reports: &dyn ReportStore,
    notifier: &dyn Notifier,
) -> Vec<Tidings> {
    let mut tidings = Vec::new();
    let mut parcels = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let (ready, deliveries) = prepared(sync, run, reports).await;
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

/// What can be sent of what the run owes, and what can't.
async fn prepared(sync: &SyncId, run: &UserSyncRun, reports: &dyn ReportStore) -> (Vec<Parcel>, Vec<Delivery>) {
    let (name, mut parcels, mut failed) = (name(run), Vec::new(), Vec::new());
    let mut bodies: Vec<(DeliveryKind, Result<Arc<[u8]>, String>)> = Vec::new();
    for owed in standing(run).into_iter().filter(|one| one.state == DeliveryState::Waiting) {
        let body = match bodies.iter().find(|(kind, _)| *kind == owed.kind) {
            Some((_, body)) => body.clone(),
            None => {
                let body = body(sync, &name, owed.kind, reports).await;
                bodies.push((owed.kind, body.clone()));
                body
            }
        };
        match body {
            Ok(body) => {
                let id = format!("{name}.{}", word(owed.kind));
                parcels.push(Parcel { kind: owed.kind, to: owed.to, id, body });
            }
            Err(why) => {
                failed.push(Posted::Waiting(ConditionReason::ReportNotPublished, why).delivery(owed.kind, &owed.to));
            }
        }
    }
    (parcels, failed)
}

fn name(run: &UserSyncRun) -> String {
    run.metadata.name.clone().unwrap_or_default()
}

/// What is sent, as it was written with the report.
async fn body(sync: &SyncId, run: &str, kind: DeliveryKind, reports: &dyn ReportStore) -> Result<Arc<[u8]>, String> {
    let file = match kind {
        DeliveryKind::Summary => file_of(LetterKind::Summary),
        DeliveryKind::FailedImport => file_of(LetterKind::FailedImport),
        DeliveryKind::Alert => file_of(LetterKind::Alert),
        DeliveryKind::Webhook => REPORT,
    };
    match reports.read(sync, run, file).await {
        Ok(Some(bytes)) => Ok(bytes.into()),
        Ok(None) => Err(format!("{file} is not among the published reports of run {run} (yet)")),
        Err(error) => Err(error.to_string()),
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
