//! What is missing, odd, or written by somebody else.

use serde_json::json;

use crate::world::{World, own};

#[test]
fn a_missing_secret_is_said_and_found_when_it_comes() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"target": {"url": {"secretKeyRef": {"name": "users-db", "key": "url"}}}}));
    world.until_condition("Ready", "False ReferenceMissing");
    world.kubectl(&["create", "secret", "generic", "users-db", "--from-literal=url=sqlite:users.db"]);
    world.kubectl(&["wait", "--for=condition=Ready", "usync/hr", "--timeout=90s"]);
}

#[test]
fn a_sync_without_a_target_is_stalled_and_nothing_of_it_runs() {
    let world = World::new();
    let _operator = world.operator();
    world.apply(json!({"target": {}}));
    world.until_condition("Stalled", "True TargetRequired");
    assert_eq!(world.condition("Ready"), "False TargetRequired");
    world.annotate(&["usersync.dev/update-now=1"]);
    world.patch(json!({"target": {"url": {"value": "sqlite:users.db"}}}));
    world.until_condition("Ready", "True Ready");
    assert_eq!(world.condition("Stalled"), "");
    world.completed("lastCompletedUpdateNow", "1");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn an_annotation_of_200_kb_is_refused_and_the_next_one_obeyed() {
    let world = World::new();
    let _operator = world.operator();
    let mut sync = world.sync("hr", json!({}));
    sync["metadata"]["annotations"] = json!({"usersync.dev/update-now": "x".repeat(200_000)});
    world.cluster.apply(&sync.to_string());
    world.until_condition("RequestRefused", "True InvalidAnnotation");
    let refused = world.get(&["usync", "hr"])["status"]["conditions"].to_string();
    assert!(refused.contains("200000 characters") && refused.len() < 10_000, "{refused}");
    assert!(world.runs().is_empty());
    world.update("1");
    assert_eq!(world.condition("RequestRefused"), "");
}

#[test]
fn a_name_of_253_characters_works_like_any() {
    let world = World::new();
    let _operator = world.operator();
    let name = format!("{}.x", "n".repeat(251));
    world.drop_file("userdata_1.csv", 3);
    world.cluster.apply(&world.sync(&name, json!({})).to_string());
    world.kubectl(&["annotate", "usync", &name, "usersync.dev/update-now=1"]);
    world.until("no import", || world.get(&["usync", &name])["status"]["lastCompletedUpdateNow"] == json!("1"));
    assert_eq!((world.runs(), world.users()), (vec!["UpdateNow Import Completed".to_owned()], 3));
}

#[test]
fn a_status_that_somebody_else_wrote_comes_right() {
    let world = World::new();
    world.drop_file("userdata_1.csv", 3);
    let _operator = world.operator();
    world.apply(json!({}));
    world.update("1");
    let forged = json!({"status": {"activeRun": "hr-forged", "activeRunDigest": "0", "connection": "Failing",
        "conditions": [{"type": "Ready", "status": "False", "reason": "Odd", "message": "odd",
            "lastTransitionTime": "2020-01-01T00:00:00Z"}]}});
    world.kubectl(&["patch", "usync", "hr", "--subresource=status", "--type=merge", "-p", &forged.to_string()]);
    world.until_condition("Ready", "True Ready");
    world.until("the forged run stays", || world.status()["activeRun"].is_null());
    world.update("2");
    assert_eq!(world.status()["connection"], json!("Active"));
    assert_eq!(world.users(), 3);
}

#[test]
fn a_run_that_somebody_made_by_hand_is_refused_on_itself() {
    let world = World::new();
    world.drop_file("userdata_1.csv", 3);
    let _operator = world.operator();
    world.apply(json!({}));
    world.until_condition("Ready", "True Ready");
    let sync = world.get(&["usync", "hr"]);
    for (name, labelled) in [("by-hand", false), ("with-label", true)] {
        let labels = if labelled { json!({"usersync.dev/sync-uid": sync["metadata"]["uid"]}) } else { json!({}) };
        let run = json!({"apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun",
            "metadata": {"name": name, "namespace": world.namespace, "labels": labels},
            "spec": {"sync": "hr", "uid": sync["metadata"]["uid"], "generation": 1, "syncSpec": sync["spec"], "mode": "Import",
                "trigger": "UpdateNow", "token": "mine"}});
        world.cluster.apply(&run.to_string());
        world.until("it is not refused", || World::outcome(&world.get(&["usrun", name])) == "UpdateNow Import Refused");
    }
    assert_eq!(world.users(), 0);
}

#[test]
fn a_run_of_no_sync_is_refused_on_itself_once() {
    let world = World::new();
    let run = |name: &str, sync: &str| {
        json!({"apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun",
            "metadata": {"name": name, "namespace": world.namespace},
            "spec": {"sync": sync, "uid": "u", "generation": 1, "syncSpec": world.sync(sync, json!({}))["spec"],
                "mode": "Import", "trigger": "UpdateNow", "token": "mine"}})
        .to_string()
    };
    // One is there before the operator, one comes later.
    world.cluster.apply(&run("early", "nobody"));
    let operator = world.operator();
    let refused = |name: &str| World::outcome(&world.get(&["usrun", name])) == "UpdateNow Import Refused";
    world.until("the early one is not refused", || refused("early"));
    world.cluster.apply(&run("late", "nobody"));
    world.until("the late one is not refused", || refused("late"));
    let said = world.get(&["usrun", "late"])["status"]["conditions"][0]["message"].to_string();
    assert!(said.contains("there is no UserSync nobody in its namespace"), "{said}");
    // Whatever else happens.
    let versions = |name: &str| world.get(&["usrun", name])["metadata"]["resourceVersion"].clone();
    let before = (versions("early"), versions("late"));
    world.apply(json!({}));
    world.drop_file("userdata_1.csv", 3);
    world.update("1");
    assert_eq!((world.users(), before), (3, (versions("early"), versions("late"))), "nothing more is written");
    assert!(!operator.warned(), "{}", operator.log());
}

#[test]
fn a_sync_that_is_deleted_takes_its_series_along() {
    let world = World::new();
    let operator = world.operator();
    world.apply(json!({}));
    world.until_condition("Ready", "True Ready");
    world.until("no series", || operator.http("/metrics").1.contains("usersync_ready{namespace="));
    world.kubectl(&["delete", "usync", "hr"]);
    world.until("series stay", || !operator.http("/metrics").1.contains("name=\"hr\""));
}

#[test]
fn without_definitions_or_server_it_waits_and_says_so() {
    let cluster = own();
    let world = World::of(cluster);
    let operator = world.operator();
    world.until("it does not say why", || operator.http("/readyz").1.contains("install the definitions"));
    assert_eq!((operator.http("/readyz").0, operator.http("/healthz").0), (503, 200));
    cluster.install_crds();
    world.drop_file("userdata_1.csv", 3);
    world.apply(json!({}));
    world.update("1");
    assert_eq!(operator.http("/readyz").0, 200);

    cluster.stop_api();
    world.until("it does not notice", || operator.http("/readyz").0 == 503);
    assert_eq!(operator.http("/healthz").0, 200);
    cluster.start_api();
    // A leader that could not renew its Lease has ended by now; whoever starts it anew is not part of this test.
    drop(operator);
    let operator = world.operator();
    world.drop_file("userdata_2.csv", 5);
    world.update("2");
    world.until("it is not ready", || operator.http("/readyz").0 == 200);
    assert_eq!((world.users(), world.runs().len()), (5, 2));
}
