//! What a person sees: columns, explanations, defaults, and a status apart from the spec.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster;

const LEAST: &str = "
apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {name: hr}
spec:
  source: {directory: {path: inbox}}
  mapping: {userId: {column: id}}
  target: {}
  schedule: {daily: {at: '01:00'}}
";

/// The least that a person must write, in a new namespace, whose name it gives.
fn least() -> String {
    let namespace = cluster().create_namespace("view");
    let said = cluster().feed(&["apply", "--server-side", "-n", &namespace, "-f", "-"], LEAST);
    assert!(said.success, "{}", said.stderr);
    namespace
}

fn status(namespace: &str, status: Value) {
    let patch = json!({"status": status}).to_string();
    cluster().ok(&["patch", "usync", "hr", "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch]);
}

#[test]
fn defaults_are_filled_in() {
    let namespace = least();
    let made = cluster().get(&["usync", "hr", "-n", &namespace]).unwrap();
    let code: usersync::api::UserSync = serde_yaml::from_str(LEAST).unwrap();
    assert_eq!(made["spec"], serde_json::to_value(&code).unwrap()["spec"]);
    for (path, value) in [
        ("/spec/suspend", json!(false)),
        ("/spec/source/select", json!("Oldest")),
        ("/spec/source/maxSize", json!("200Mi")),
        ("/spec/source/afterImport/moveTo", json!("bak")),
        ("/spec/action", json!("Upsert")),
        ("/spec/conflictMode", json!("Update")),
        ("/spec/safeguards/maxRemovals", json!("10%")),
        ("/spec/schedule/timeZone", json!("Etc/UTC")),
        ("/spec/history", json!({"successful": 10, "failed": 10})),
    ] {
        assert_eq!(made.pointer(path), Some(&value), "{path}");
    }
    // A field that isn't there is said, not kept.
    let odd = LEAST.replace("source: {", "source: {colour: red, ");
    let said = cluster().feed(&["create", "-n", &namespace, "-f", "-"], &odd);
    assert!(!said.success && said.stderr.contains("unknown field \"spec.source.colour\""), "{said:?}");
}

#[test]
fn the_table_says_how_it_is() {
    let namespace = least();
    let table = |resource: &str| cluster().ok(&["get", resource, "-n", &namespace]);
    let heading = |text: &str| {
        text.lines()
            .next()
            .unwrap()
            .split("  ")
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let columns = ["NAME", "READY", "SYNCED", "STATUS", "SUSPENDED", "SCHEDULE", "LAST SYNC", "NEXT SYNC", "AGE"];
    assert_eq!(heading(&table("usync")), columns);
    let now = jiff::Timestamp::now();
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "Tried", "message": "",
        "observedGeneration": 1, "lastTransitionTime": now.to_string()})
    };
    let later = (now + Duration::from_secs(3600)).to_string();
    status(
        &namespace,
        json!({"conditions": [condition("Ready", "True"), condition("Synced", "False")], "connection": "Active",
            "lastSuccessfulTime": "2026-11-01T01:00:00Z", "nextScheduleTime": later, "lastScheduleTime": "2026-11-01T01:00:00Z",
            "schedule": "daily at 01:00"}),
    );
    let shown = table("usync");
    let row = shown.lines().nth(1).unwrap();
    for word in ["hr ", "True", "False", "Active", "false"] {
        assert!(row.contains(word), "{word}: {shown}");
    }
    assert!(!row.contains("<invalid>"), "a time to come is shown as it is: {shown}");

    let run = crate::with(crate::cases::run(), &[("/metadata", json!({"name": "hr-1"}))]);
    let said = cluster().feed(&["apply", "-n", &namespace, "-f", "-"], &run.to_string());
    assert!(said.success, "{}", said.stderr);
    assert_eq!(heading(&table("usrun")), ["NAME", "SYNC", "MODE", "TRIGGER", "SUCCEEDED", "REASON", "FILE", "AGE"]);
}

#[test]
fn fields_are_explained() {
    let explained = cluster().ok(&["explain", "usync.spec.source.sftp"]);
    let words = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    let sftp = &usersync::api::crds()[0].spec.versions[0].schema;
    let sftp = serde_json::to_value(sftp).unwrap();
    let sftp = &sftp["openAPIV3Schema"]["properties"]["spec"]["properties"]["source"]["properties"]["sftp"];
    for text in [&sftp["description"], &sftp["properties"]["hostKeys"]["description"]] {
        let text = text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&text), "{text}\nis not in\n{explained}");
    }
    assert!(explained.contains("-required-"), "{explained}");
}

#[test]
fn status_is_apart_from_spec() {
    let namespace = least();
    let get = || cluster().get(&["usync", "hr", "-n", &namespace]).unwrap();
    status(&namespace, json!({"observedGeneration": 1, "connection": "Active"}));
    let before = get();
    assert_eq!(before["status"]["connection"], "Active");
    assert_eq!(before["metadata"]["generation"], 1, "a status is no new generation");
    // A person's manifest can't say a status.
    let forged = LEAST.to_owned() + "status: {connection: Failing}\n";
    let arguments = ["apply", "--server-side", "-n", &namespace, "-f", "-"];
    assert!(cluster().feed(&arguments, &forged).success);
    assert_eq!(get()["status"], before["status"]);
    // Who writes the status can't change the spec.
    let patch = json!({"spec": {"suspend": true}, "status": {"connection": "Suspended"}}).to_string();
    cluster().ok(&["patch", "usync", "hr", "-n", &namespace, "--subresource=status", "--type=merge", "-p", &patch]);
    let after = get();
    assert_eq!((&after["spec"], &after["status"]["connection"]), (&before["spec"], &json!("Suspended")));
    // Suspending is a new generation.
    cluster().ok(&["patch", "usync", "hr", "-n", &namespace, "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]);
    assert_eq!(get()["metadata"]["generation"], 2);
}
