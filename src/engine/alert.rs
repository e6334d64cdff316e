//! Alert: what is sent when no file came, made of the sync alone.

use std::{path::Path, sync::Arc};

use jiff::tz::TimeZone;
use serde_json::json;

use crate::{
    api::{Delivery, DeliveryKind, UserSync, usersync::source::SourceSpec},
    model::{
        job::SyncId,
        post::{Heading, Parcel},
    },
    ports::Notifier,
    sync::render::letter::overdue,
};

/// What goes to each of these. The same outage gives the same mails. Fails with the reason in words.
pub fn alert_parcels(
    id: &SyncId,
    sync: &UserSync,
    to: &[Delivery],
    notifier: &dyn Notifier,
) -> Result<Vec<Parcel>, String> {
    let status = sync.status.clone().unwrap_or_default();
    let schedule = sync.spec.schedule.clone().unwrap_or_default();
    let every = schedule.expect_file_every.map(|every| every.get()).unwrap_or_default();
    let since = status.file_expected_since.map_or(jiff::Timestamp::UNIX_EPOCH, |since| since.0);
    let zone = TimeZone::get(&schedule.time_zone).unwrap_or(TimeZone::UTC);
    let files = sync.spec.files().unwrap_or("*");
    let last = status.recent_runs.iter().any(|run| run.file.is_some()).then_some(since);
    let letter = overdue(&id.to_string(), last, every, files, &place(&sync.spec.source), &zone);
    let date =
        jiff::SignedDuration::try_from(every).ok().and_then(|every| since.checked_add(every).ok()).unwrap_or(since);
    // Syncs of other namespaces may have the same name, and be as old to the second.
    let own = format!("{}.{}.no-file-{}", id.name, id.namespace, since.as_second());
    let heading = Heading { sync: id.clone(), id: own, date };
    let told = json!({
        "sync": id.to_string(), "reason": "FileOverdue", "message": letter.subject, "since": since,
        "expectedEverySeconds": every.as_secs(),
    });
    let posted: Arc<[u8]> = told.to_string().into_bytes().into();
    let mails = to.iter().any(|one| one.kind != DeliveryKind::Webhook);
    let mail: Arc<[u8]> =
        if mails { notifier.compose(&letter, &heading, Path::new(""))?.into() } else { Arc::from([]) };
    let one = |one: &Delivery| {
        let body = if one.kind == DeliveryKind::Webhook { posted.clone() } else { mail.clone() };
        Parcel { kind: one.kind, to: one.to.clone(), id: heading.id.clone(), body }
    };
    Ok(to.iter().map(one).collect())
}

/// Where files are looked for, without any secret.
fn place(source: &SourceSpec) -> String {
    let path = source.path.as_deref().unwrap_or(".");
    match (&source.sftp, &source.ftp, &source.directory) {
        (Some(server), ..) => format!("sftp://{}/{}", server.host, path.trim_start_matches('/')),
        (_, Some(server), _) => format!("ftp://{}/{}", server.host, path.trim_start_matches('/')),
        (.., Some(directory)) => directory.path.clone(),
        _ => "the drop box".to_owned(),
    }
}
