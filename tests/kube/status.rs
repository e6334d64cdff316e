//! Writing a status, also over what somebody else wrote there.

use serde_json::{Value, json};
use usersync::{
    api::UserSyncStatus,
    ports::{Host, HostError},
};

use crate::world::World;

fn status(value: Value) -> UserSyncStatus {
    serde_json::from_value(value).unwrap()
}

fn condition(name: &str, status: &str) -> Value {
    json!({"type": name, "status": status, "reason": "Because", "message": "m", "lastTransitionTime": "2026-12-01T01:00:00Z"})
}

async fn write(world: &World, wanted: &UserSyncStatus) {
    let now = world.live("hr").await.sync.unwrap();
    world.host.write_status(&now.metadata, wanted).await.unwrap();
    let found = world.json(&["get", "usync", "hr", "-o", "json"]);
    assert_eq!(found["status"], serde_json::to_value(wanted).unwrap());
}

#[tokio::test]
async fn what_is_left_out_goes() {
    let world = World::new().await;
    world.sync("hr").await;
    let first = json!({"observedGeneration": 1, "activeRun": "hr-1", "activeRunDigest": "d", "handledTokens": ["a", "b"],
        "conditions": [condition("Ready", "True"), condition("Suspended", "True")]});
    write(&world, &status(first)).await;
    write(
        &world,
        &status(json!({"observedGeneration": 1, "handledTokens": ["b"], "conditions": [condition("Ready", "True")]})),
    )
    .await;
    write(&world, &status(json!({"observedGeneration": 1}))).await;
}

#[tokio::test]
async fn a_status_that_somebody_else_wrote_comes_right() {
    let world = World::new().await;
    world.sync("hr").await;
    let ours = json!({"observedGeneration": 1, "connection": "Active", "conditions": [condition("Ready", "True")]});
    write(&world, &status(ours)).await;

    let theirs = json!({"status": {"activeRun": "hr-forged", "connection": "Failing", "handledTokens": ["x"],
        "conditions": [condition("Ready", "False"), condition("Odd", "True")]}});
    world.kubectl(&["patch", "usync", "hr", "--subresource=status", "--type=merge", "-p", &theirs.to_string()]);
    write(
        &world,
        &status(json!({"observedGeneration": 1, "connection": "Active", "conditions": [condition("Ready", "True")]})),
    )
    .await;

    // Somebody who applies, and had fields that were never ours.
    let applied = json!({"apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": "hr"},
        "status": {"schedule": "never", "lastRun": {"name": "r", "mode": "Import", "reason": "Completed"}, "conditions": [condition("Odd", "True")]}});
    let arguments =
        ["apply", "--server-side", "--subresource=status", "--field-manager=odd", "-n", &world.namespace, "-f", "-"];
    let said = world.cluster.feed(&arguments, &applied.to_string());
    assert!(said.success, "{said:?}");
    write(&world, &status(json!({"observedGeneration": 1, "connection": "Active"}))).await;
    // From then on nothing is left of the others.
    write(&world, &status(json!({"observedGeneration": 1}))).await;
    // The spec is still whose it was.
    let spec = world.json(&["get", "usync", "hr", "-o", "json", "--show-managed-fields"]);
    let managers = spec["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        managers.iter().any(|entry| entry["manager"] == "kubectl" && entry.get("subresource").is_none()),
        "{managers:?}"
    );
}

#[tokio::test]
async fn nothing_is_written_over_what_was_not_seen() {
    let world = World::new().await;
    let before = world.sync("hr").await;
    world.kubectl(&["annotate", "usync", "hr", "usersync.dev/update-now=1"]);
    let stale = world.host.write_status(&before.metadata, &status(json!({"observedGeneration": 1}))).await;
    assert!(matches!(stale, Err(HostError::Conflict(_))), "{stale:?}");
    assert_eq!(world.json(&["get", "usync", "hr", "-o", "json"])["status"], Value::Null);
}

#[tokio::test]
async fn a_runs_status_is_written_once_and_not_over_another() {
    let world = World::new().await;
    let sync = world.sync("hr").await;
    world.host.create_run(&world.run(&sync, "1")).await.unwrap();
    let run = world.live("hr").await.runs.remove(0);
    let ended = json!({"conditions": [condition("Succeeded", "True")], "startTime": "2026-12-01T01:00:00Z",
        "basis": {"ended": "2026-12-01T01:00:00.123456789Z"}, "guard": {"held": false, "reasons": [], "emptied": 0, "removals": 0}});
    world.host.write_run(&run.metadata, &serde_json::from_value(ended.clone()).unwrap()).await.unwrap();
    let late = json!({"conditions": [condition("Succeeded", "Unknown")]});
    let late = world.host.write_run(&run.metadata, &serde_json::from_value(late).unwrap()).await;
    assert!(matches!(late, Err(HostError::Conflict(_))), "{late:?}");
    assert_eq!(world.json(&["get", "usrun", run.metadata.name.as_deref().unwrap(), "-o", "json"])["status"], ended);
}
