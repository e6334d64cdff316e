//! A real API server as the host: what is seen, what is written over whom, who leads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kube/lease.rs"]
mod lease;
#[path = "kube/status.rs"]
mod status;
mod support;
#[path = "kube/watch.rs"]
mod watch;
#[path = "kube/world.rs"]
mod world;

use serde_json::json;
use usersync::{
    model::event::{Event, EventKind},
    ports::{Host, HostError},
};
use world::{World, manifest};

#[tokio::test]
async fn a_run_is_made_once_and_deleted_only_if_it_is_that_one() {
    let world = World::new().await;
    let sync = world.sync("hr").await;
    let run = world.run(&sync, "1");
    world.host.create_run(&run).await.unwrap();
    assert!(matches!(world.host.create_run(&run).await, Err(HostError::Exists(_))));

    let made = world.live("hr").await.runs.remove(0);
    let mut other = made.metadata.clone();
    other.uid = Some("00000000-0000-0000-0000-000000000000".to_owned());
    assert!(matches!(world.host.delete_run(&other).await, Err(HostError::Conflict(_))));
    world.host.delete_run(&made.metadata).await.unwrap();
    world.host.delete_run(&made.metadata).await.unwrap();
    assert!(world.live("hr").await.runs.is_empty());
}

#[tokio::test]
async fn a_run_without_the_label_is_seen_once_the_watch_saw_it() {
    let world = World::new().await;
    let sync = world.sync("hr").await;
    let mut forged = world.run(&sync, "forged");
    forged.metadata.labels = None;
    world.host.create_run(&forged).await.unwrap();
    assert!(world.live("hr").await.runs.is_empty());

    let _watching = world.watch().await;
    let names = |runs: &[usersync::api::UserSyncRun]| -> Vec<Option<String>> {
        runs.iter().map(|run| run.metadata.name.clone()).collect()
    };
    assert_eq!(names(&world.live("hr").await.runs), [forged.metadata.name.clone()]);
    let cached = world.host.cached(&world.key("hr")).await.unwrap().unwrap();
    assert!(!cached.live);
    assert_eq!(names(&cached.runs), [forged.metadata.name]);
}

#[tokio::test]
async fn references_are_fetched_by_name_and_what_is_missing_is_left_out() {
    let world = World::new().await;
    world.kubectl(&["create", "secret", "generic", "db", "--from-literal=url=postgres://u:p@h/d"]);
    let spec = json!({
        "source": {"sftp": {"host": "h", "credentials": {"name": "absent"}, "hostKeys": ["ssh-ed25519 AAAA"]}, "path": "/"},
        "mapping": {"userId": {"column": "id"}},
        "target": {"url": {"secretKeyRef": {"name": "db", "key": "url"}}},
    });
    let spec = serde_json::from_value(spec).unwrap();
    let references = world.host.references(&world.namespace, &spec).await.unwrap();
    assert_eq!(references.secrets.keys().collect::<Vec<_>>(), ["db"]);
    assert_eq!(references.secrets["db"]["url"].expose(), "postgres://u:p@h/d");

    // Without the right to, the error says which one is missing, and of nothing what it holds.
    world.kubectl(&["create", "serviceaccount", "nobody"]);
    let nobody = world.as_account("nobody").await;
    let Err(HostError::Refused(why)) = nobody.references(&world.namespace, &spec).await else { panic!("not refused") };
    assert!(why.contains("cannot get resource \"secrets\"") && why.contains("grant that right"), "{why}");
    assert!(matches!(nobody.live(&world.key("hr")).await, Err(HostError::Refused(_))));
}

#[tokio::test]
async fn events_of_any_length_are_told() {
    let world = World::new().await;
    let name = format!("{}.z", "n".repeat(251));
    let sync = world.sync(&name).await;
    let event = Event { kind: EventKind::RunHeld, message: "é".repeat(2000) };
    world.host.tell(&sync.metadata, &event).await;
    world.host.tell(&sync.metadata, &Event { kind: EventKind::RunHeld, message: "again".to_owned() }).await;
    let events = world.cluster.list(&["events.events.k8s.io", "-n", &world.namespace]);
    assert_eq!(events.len(), 2, "each is one of its own");
    for event in &events {
        assert_eq!((&event["reason"], &event["type"]), (&json!("RunHeld"), &json!("Warning")));
        assert_eq!(event["regarding"]["uid"], json!(sync.metadata.uid));
    }
    assert!(world.kubectl(&["describe", "usync", &name]).contains("RunHeld"));
}

#[tokio::test]
async fn a_sync_that_is_gone_is_none_and_can_not_be_written() {
    let world = World::new().await;
    let sync = world.sync("hr").await;
    world.host.create_run(&world.run(&sync, "1")).await.unwrap();
    let run = world.live("hr").await.runs.remove(0);
    world.kubectl(&["delete", "usync", "hr"]);
    world.kubectl(&["delete", "usrun", run.metadata.name.as_deref().unwrap()]);
    assert!(world.host.live(&world.key("hr")).await.unwrap().is_none());
    let gone = world.host.write_status(&sync.metadata, &Default::default()).await;
    assert!(matches!(gone, Err(HostError::Gone(_))), "{gone:?}");
    let gone = world.host.write_run(&run.metadata, &Default::default()).await;
    assert!(matches!(gone, Err(HostError::Gone(_))), "{gone:?}");

    // One of the same name is another one.
    world.apply(&manifest("hr"));
    let other = world.host.write_status(&sync.metadata, &Default::default()).await;
    assert!(matches!(other, Err(HostError::Conflict(_))), "{other:?}");
}
