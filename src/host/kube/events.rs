//! Events (`events.k8s.io/v1`) on a UserSync. Each is an object of its own: a run's end must not disappear in the count of the
//! one before.

use std::time::Duration;

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event as KubeEvent},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tracing::warn;

use super::errors::within;
use crate::{
    api::{API_VERSION, MANAGER},
    model::event::{Event, EventKind},
};

/// The longest note, in bytes (events.k8s.io/v1).
const NOTE: usize = 1024;
/// The longest name of an object, in bytes (RFC 1123 subdomain).
const NAME: usize = 253;
/// The longest reporting instance, in bytes.
const INSTANCE: usize = 128;
/// An event is a hint: nobody waits for it longer than this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells of it; if that fails, the log says so.
pub async fn tell(client: &Client, instance: &str, of: &ObjectMeta, event: &Event) {
    let namespace = of.namespace.as_deref().unwrap_or_default();
    let api: Api<KubeEvent> = Api::namespaced(client.clone(), namespace);
    let event = object(instance, of, event, Timestamp::now());
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let doing = format!("make an event in namespace {namespace}");
    if let Err(error) = within(PATIENCE, &doing, api.create(&params, &event)).await {
        warn!("{error}");
    }
}

fn object(instance: &str, of: &ObjectMeta, event: &Event, now: Timestamp) -> KubeEvent {
    let name = of.name.clone().unwrap_or_default();
    let unique = format!("{:x}", now.as_nanosecond());
    let prefix = cut(&name, NAME - 1 - unique.len()).trim_end_matches(['-', '.']);
    KubeEvent {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{unique}")),
            namespace: of.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(if event.kind.warns() { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(event.kind.as_str().to_owned()),
        action: Some(action(event.kind).to_owned()),
        note: Some(short(&event.message)),
        event_time: Some(MicroTime(now)),
        regarding: Some(ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some("UserSync".to_owned()),
            name: Some(name),
            namespace: of.namespace.clone(),
            uid: of.uid.clone(),
            ..ObjectReference::default()
        }),
        reporting_controller: Some("usersync.dev/operator".to_owned()),
        reporting_instance: Some(cut(instance, INSTANCE).to_owned()),
        ..KubeEvent::default()
    }
}

/// What UserSync was at.
fn action(kind: EventKind) -> &'static str {
    match kind {
        EventKind::RunStarted | EventKind::RunCompleted | EventKind::RunFailed | EventKind::RunHeld => "Run",
        EventKind::SourceFailed | EventKind::SourceRecovered => "Probe",
        EventKind::Unfinished | EventKind::Finished => "Finish",
        EventKind::NotNotified | EventKind::Notified => "Notify",
        EventKind::FileOverdue | EventKind::FileArrived => "Look",
        EventKind::RequestRefused => "Request",
    }
}

/// The message, as far as there is room.
fn short(message: &str) -> String {
    if message.len() <= NOTE { message.to_owned() } else { format!("{}…", cut(message, NOTE - '…'.len_utf8())) }
}

/// The beginning of a text, of whole characters and at most so many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_to_the_limits() {
        let of = ObjectMeta { name: Some(format!("{}.z", "n".repeat(251))), ..ObjectMeta::default() };
        let event = Event { kind: EventKind::RunHeld, message: "é".repeat(600) };
        let object = object(&"i".repeat(300), &of, &event, Timestamp::UNIX_EPOCH);
        let note = object.note.unwrap();
        assert!(note.len() <= NOTE && note.ends_with("é…"), "{} bytes", note.len());
        assert_eq!(object.metadata.name.unwrap().len(), NAME - ".z".len() + ".0".len());
        assert_eq!(object.reporting_instance.unwrap().len(), INSTANCE);
        assert_eq!(object.type_.as_deref(), Some("Warning"));
    }
}
