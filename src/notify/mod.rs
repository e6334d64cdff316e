//! Adapters that tell people of a run.
//!
//! | folder | does |
//! |---|---|
//! | `email/` | writes mails, and hands them to a mail server |
//! | `webhook` | posts a signed summary to a URL |

mod email;
mod webhook;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;

use crate::{
    api::DeliveryKind,
    model::{
        condition::ConditionReason,
        letter::Letter,
        notice::NoticeJob,
        post::{Heading, Parcel, Posted},
    },
    ports::Notifier,
};

/// Whoever tells people as this job says.
pub fn open(job: &NoticeJob) -> Arc<dyn Notifier> {
    Arc::new(Notice(job.clone()))
}

/// By mail, and by the webhook.
struct Notice(NoticeJob);

#[async_trait]
impl Notifier for Notice {
    fn compose(&self, letter: &Letter, heading: &Heading, staged: &Path) -> Result<Vec<u8>, String> {
        let mail = self.0.mail.as_ref().ok_or("the manifest names no mail server")?;
        email::compose(mail, letter, heading, staged)
    }

    async fn send(&self, parcels: &[Parcel]) -> Vec<Posted> {
        let (hook, mails): (Vec<_>, Vec<_>) = parcels.iter().partition(|parcel| parcel.kind == DeliveryKind::Webhook);
        let sent = match &self.0.mail {
            Some(mail) if !mails.is_empty() => email::send(mail, &mails).await,
            _ => mails.iter().map(|_| gone("report.email")).collect(),
        };
        let posted = match &self.0.webhook {
            Some(webhook) if !hook.is_empty() => webhook::post(webhook, &hook).await,
            _ => hook.iter().map(|_| gone("report.webhook")).collect(),
        };
        let (mut sent, mut posted) = (sent.into_iter(), posted.into_iter());
        let one = |parcel: &Parcel| match parcel.kind {
            DeliveryKind::Webhook => posted.next(),
            _ => sent.next(),
        };
        parcels.iter().filter_map(one).collect()
    }
}

fn gone(field: &str) -> Posted {
    Posted::Refused(ConditionReason::RecipientRefused, format!("{field} is not in the manifest any more"))
}
