//! The definitions in a real API server: what it refuses and with which words, what it takes, fills in and shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "crds/bounds.rs"]
mod bounds;
#[path = "api/cases.rs"]
mod cases;
#[path = "crds/examples.rs"]
mod examples;
mod support;
#[path = "crds/view.rs"]
mod view;

use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

use cases::with;
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::cluster::Cluster;
use usersync::api::{UserSync, UserSyncRun, crds};

/// The cluster of this binary, with the definitions.
fn cluster() -> &'static Cluster {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = Cluster::shared();
    INSTALLED.get_or_init(|| cluster.install_crds());
    cluster
}

/// Objects of any content, as a person may write them, in a new namespace.
async fn objects<K: kube::Resource<DynamicType = ()>>() -> Api<DynamicObject> {
    let client = cluster().client().await;
    let namespace = cluster().create_namespace("crds");
    Api::namespaced_with(client, &namespace, &ApiResource::erase::<K>(&()))
}

/// An object of that content in the client's namespace.
fn object(content: Value) -> DynamicObject {
    let mut object: DynamicObject = serde_json::from_value(content).unwrap();
    object.metadata.namespace = None;
    object
}

/// Why the API server refuses an object: fields and messages. Nothing is made.
async fn refusal(api: &Api<DynamicObject>, content: Value) -> Vec<(String, String)> {
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    match api.create(&trial, &object(content)).await {
        Ok(_) => Vec::new(),
        Err(error) => causes(error),
    }
}

fn causes(error: kube::Error) -> Vec<(String, String)> {
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!(status.code, 422, "{status:?}");
    status.details.unwrap().causes.into_iter().map(|cause| (cause.field, cause.message)).collect()
}

#[tokio::test]
async fn each_rule_of_usersync_is_refused_with_its_message() {
    let api = objects::<UserSync>().await;
    assert_eq!(refusal(&api, cases::whole()).await, []);
    let mut said = BTreeSet::new();
    for cases::Broken { changes, field, message } in cases::broken_rules() {
        let found = refusal(&api, with(cases::whole(), &changes)).await;
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert_eq!(found[0].0, field, "{changes:?}");
        assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
        said.insert(found[0].1.clone());
    }
    let silent: Vec<_> = rules(0).into_iter().filter(|rule| !said.iter().any(|text| text.contains(rule))).collect();
    assert!(silent.is_empty(), "no case breaks these rules: {silent:#?}");
}

#[tokio::test]
async fn each_rule_of_usersyncrun_is_refused_with_its_message() {
    let api = objects::<UserSyncRun>().await;
    assert_eq!(refusal(&api, cases::run()).await, []);
    let mut said = BTreeSet::new();
    for (changes, message) in cases::broken_runs() {
        let found = refusal(&api, with(cases::run(), &changes)).await;
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert_eq!(found[0].0, "spec", "{changes:?}");
        assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
        said.insert(found[0].1.clone());
    }
    // The copy of the spec has the rules of the UserSync.
    for cases::Broken { changes, field, message } in cases::broken_rules() {
        let spec = with(cases::whole(), &changes)["spec"].clone();
        let found = refusal(&api, with(cases::run(), &[("/spec/syncSpec", spec)])).await;
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert_eq!(found[0].0, field.replacen("spec", "spec.syncSpec", 1), "{changes:?}");
        assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
        said.insert(found[0].1.clone());
    }
    for changes in cases::taken_runs() {
        assert_eq!(refusal(&api, with(cases::run(), &changes)).await, [], "{changes:?}");
    }
    let silent: Vec<_> = rules(1).into_iter().filter(|rule| !said.iter().any(|text| text.contains(rule))).collect();
    assert_eq!(
        silent,
        [
            "a run never changes: to run again, annotate the UserSync with usersync.dev/update-now or usersync.dev/simulate-now"
        ],
        "broken by another test"
    );
}

/// The messages of all rules of a definition.
fn rules(definition: usize) -> BTreeSet<String> {
    fn collect(schema: &Value, messages: &mut BTreeSet<String>) {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            messages.insert(rule["message"].as_str().unwrap().to_owned());
        }
        match schema {
            Value::Object(object) => object.values().for_each(|value| collect(value, messages)),
            Value::Array(array) => array.iter().for_each(|value| collect(value, messages)),
            _ => {}
        }
    }
    let mut messages = BTreeSet::new();
    collect(&serde_json::to_value(&crds()[definition].spec.versions[0].schema).unwrap(), &mut messages);
    assert!(!messages.is_empty());
    messages
}

#[tokio::test]
async fn a_run_never_changes() {
    let api = objects::<UserSyncRun>().await;
    let made = api.create(&PostParams::default(), &object(cases::run())).await.unwrap();
    let (name, parameters) = (made.name_any(), PatchParams::default());
    let change = Patch::Merge(json!({"spec": {"token": "b"}}));
    let found = causes(api.patch(&name, &parameters, &change).await.unwrap_err());
    assert!(found.len() == 1 && found[0].1.contains("a run never changes"), "{found:?}");
    let approve = Patch::Merge(json!({"metadata": {"annotations": {"usersync.dev/approve": "00"}}}));
    api.patch(&name, &parameters, &approve).await.unwrap();
    let started = Patch::Merge(json!({"status": {"startTime": "2026-12-01T01:00:00Z"}}));
    let started = api.patch_status(&name, &parameters, &started).await.unwrap();
    assert_eq!(started.data["status"]["startTime"], "2026-12-01T01:00:00Z");
}

#[tokio::test]
async fn other_ways_to_write_it_pass() {
    let api = objects::<UserSync>().await;
    for changes in cases::taken_resources() {
        assert_eq!(refusal(&api, with(cases::whole(), &changes)).await, [], "{changes:?}");
    }
    for (path, value) in cases::taken_values() {
        // What a value of the schedule needs besides: no other schedule.
        let mut changes = vec![(path, value.clone())];
        if path.starts_with("/spec/schedule/") {
            changes.push(("/spec/schedule/every", Value::Null));
        }
        assert_eq!(refusal(&api, with(cases::whole(), &changes)).await, [], "{path}: {value}");
    }
}

#[tokio::test]
async fn values_that_make_no_sense_are_refused_where_they_stand() {
    let api = objects::<UserSync>().await;
    for (path, value) in cases::refused_values() {
        let found = refusal(&api, with(cases::whole(), &[(path, value.clone())])).await;
        let field = bounds::field(path);
        assert!(found.iter().any(|(at, _)| at.starts_with(&field)), "{path}: {value}: {found:?}");
    }
}

/// Long, but what Kubernetes takes: names of 253 characters, and annotations of 200 kB.
#[tokio::test]
async fn long_names_and_annotations_are_kept() {
    let api = objects::<UserSync>().await;
    let mut long = object(cases::whole());
    long.metadata.name = Some("x".repeat(253));
    long.annotations_mut().insert("usersync.dev/update-now".to_owned(), "x".repeat(200_000));
    let made = api.create(&PostParams::default(), &long).await.unwrap();
    assert_eq!(made.annotations()["usersync.dev/update-now"].len(), 200_000);
    long.metadata.name = Some("x".repeat(254));
    assert_eq!(refusal(&api, serde_json::to_value(&long).unwrap()).await[0].0, "metadata.name");
}

/// The API server dies and comes back with what it had.
#[test]
fn state_outlives_an_outage() {
    let cluster = Cluster::builder().audit_log().start();
    cluster.install_crds();
    let namespace = cluster.create_namespace("outage");
    cluster.ok(&["create", "serviceaccount", "reader", "-n", &namespace]);
    let reader = cluster.token_kubeconfig(&namespace, "reader");
    cluster.stop_api();
    assert!(!cluster.kubectl(&["get", "--raw", "/readyz"]).success);
    cluster.start_api();
    assert!(cluster.get(&["namespace", &namespace]).is_some());
    let refused =
        cluster.command().args(["get", "usync", "-n", &namespace, "--kubeconfig"]).arg(reader).output().unwrap();
    let refused = String::from_utf8(refused.stderr).unwrap();
    let user = format!("system:serviceaccount:{namespace}:reader");
    assert!(refused.contains(&user) && refused.contains("forbidden"), "{refused}");
    // The log is written after the answer.
    let asked = cluster.wait_some(
        || cluster.audit().into_iter().find(|event| event.user == user && event.resource == "usersyncs"),
        Duration::from_secs(20),
        "the request in the audit log",
    );
    assert_eq!((asked.verb.as_str(), asked.namespace.as_str(), asked.code), ("list", namespace.as_str(), 403));
    assert!(asked.user_agent.starts_with("kubectl/") && !asked.writes(), "{asked:?}");
    let made = |event: &&support::audit::AuditEvent| {
        event.verb == "create" && event.resource == "namespaces" && event.writes()
    };
    assert!(cluster.audit().iter().any(|event| made(&event) && event.code == 201 && event.user == "admin"));
}
