//! Who is told of runs, and that no file came.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Worker, key, missing, unread};
use crate::{
    api::{DeliveryState, UserSync, UserSyncRun, UserSyncSpec},
    control::{
        deliveries::{alert_name, alert_open, alert_standing},
        job::notice_job,
    },
    engine::{alert_parcels, deliver},
    model::{
        condition::ConditionReason,
        letter::Letter,
        notice::NoticeJob,
        post::{Heading, Parcel, Posted, Tidings},
        sync::Failure,
    },
    notify,
    ports::Notifier,
};

impl Worker {
    /// Sends what these runs owe those who are to be told, and what is said where no file came.
    pub(super) async fn tell(&self, sync: &UserSync, runs: &[UserSyncRun]) -> Vec<Tidings> {
        let id = self.sync_id(&sync.metadata);
        let mut tidings = Vec::new();
        // Runs that tell the same people share a login.
        for runs in runs.chunk_by(|one, next| one.spec.sync_spec.report == next.spec.sync_spec.report) {
            let Some(first) = runs.first() else { continue };
            let notifier: Arc<dyn Notifier> = match self.notice(&sync.metadata, first).await {
                Ok(notice) => notify::open(&notice),
                Err(failure) => Arc::new(Mute(failure.message)),
            };
            tidings.extend(deliver(&id, runs, &*self.reports, &self.approving, &*notifier).await);
        }
        if alert_open(sync) {
            tidings.push(self.alert(sync).await);
        }
        tidings.iter().for_each(log);
        tidings
    }

    /// Tells those who are to be told that no file came.
    async fn alert(&self, sync: &UserSync) -> Tidings {
        let run = sync.status.as_ref().and_then(alert_name).unwrap_or_default();
        let standing = sync.status.as_ref().map(|status| alert_standing(sync, status)).unwrap_or_default();
        let open: Vec<_> = standing.into_iter().filter(|one| one.state == DeliveryState::Waiting).collect();
        let notifier = match self.notice_of(&sync.metadata, &sync.spec).await {
            Ok(notice) => notify::open(&notice),
            Err(failure) => Arc::new(Mute(failure.message)),
        };
        let id = self.sync_id(&sync.metadata);
        let parcels = alert_parcels(&id, sync, &open, &*notifier);
        let posted = match &parcels {
            Ok(parcels) => notifier.send(parcels).await,
            Err(why) => open.iter().map(|_| Posted::Waiting(ConditionReason::MailUnreachable, why.clone())).collect(),
        };
        let deliveries = open.iter().zip(posted).map(|(one, posted)| posted.delivery(one.kind, &one.to)).collect();
        Tidings { run, deliveries }
    }

    /// Who is to be told of a run, with the references as they are now.
    async fn notice(&self, metadata: &ObjectMeta, run: &UserSyncRun) -> Result<NoticeJob, Failure> {
        self.notice_of(metadata, &run.spec.sync_spec).await
    }

    async fn notice_of(&self, metadata: &ObjectMeta, spec: &UserSyncSpec) -> Result<NoticeJob, Failure> {
        let (namespace, spec) = (key(metadata).namespace, told_only(spec));
        let references = self.host.references(&namespace, &spec).await.map_err(unread)?;
        notice_job(&spec, &namespace, &references).map_err(missing)
    }
}

/// The spec without what is not needed to tell people: the rest may be missing by now.
fn told_only(spec: &UserSyncSpec) -> UserSyncSpec {
    let mut spec = spec.clone();
    (spec.source.sftp, spec.source.ftp, spec.source.drop_box, spec.target) = (None, None, None, None);
    spec
}

/// What became of each mail, for whoever reads the log.
fn log(Tidings { run, deliveries }: &Tidings) {
    for one in deliveries {
        let (kind, to, why) = (one.kind, &one.to, one.message.as_deref().unwrap_or_default());
        match one.state {
            DeliveryState::Sent => tracing::info!(run, ?kind, to, "sent"),
            state => tracing::warn!(run, ?kind, to, ?state, "not sent: {why}"),
        }
    }
}

/// Nobody can be told, for this reason.
struct Mute(String);

#[async_trait]
impl Notifier for Mute {
    fn compose(&self, _: &Letter, _: &Heading, _: &Path) -> Result<Vec<u8>, String> {
        Err(self.0.clone())
    }

    async fn send(&self, parcels: &[Parcel]) -> Vec<Posted> {
        parcels.iter().map(|_| Posted::Waiting(ConditionReason::MailUnreachable, self.0.clone())).collect()
    }
}
