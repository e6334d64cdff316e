//! The CEL rules, each broken once, on the object as it is written and with the schema's defaults filled in.

use kube::core::cel::Validator;
use serde_json::{Value, json};
use usersync::api::{UserSync, UserSyncRun, crd::schema};

use super::{WHOLE, fill};

/// What is put where.
pub type Changes<'a> = &'a [(&'a str, Value)];

/// A valid resource with `value` put at `path` (null takes away).
pub fn with(mut object: Value, changes: Changes<'_>) -> Value {
    for (path, value) in changes {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap();
        match (parent, value) {
            (Value::Object(parent), Value::Null) => drop(parent.remove(name)),
            (Value::Object(parent), value) => drop(parent.insert(name.to_owned(), value.clone())),
            (Value::Array(parent), value) => parent[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("nothing can be put at {path}"),
        }
    }
    object
}

fn broken(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    match Validator::new().validate(schema, object, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| (error.field_path, error.message)).collect(),
    }
}

/// The whole of the resource.
pub fn whole() -> Value {
    serde_yaml::from_str(WHOLE).unwrap()
}

#[test]
fn each_rule_of_usersync_holds_its_ground() {
    let schema = schema::<UserSync>();
    assert_eq!(broken(&schema, &whole(), None), []);
    let dir = json!({"path": "inbox"});
    let cases: &[(Changes<'_>, &str, &str)] = &[
        (
            &[("/spec/source/sftp", Value::Null), ("/spec/source/path", Value::Null)],
            "spec.source",
            "exactly one source",
        ),
        (&[("/spec/source/directory", dir.clone())], "spec.source", "exactly one source"),
        (
            &[("/spec/source/sftp", Value::Null), ("/spec/source/directory", dir)],
            "spec.source",
            "path is the folder on",
        ),
        (&[("/spec/source/afterImport", json!({}))], "spec.source.afterImport", "say exactly one"),
        (&[("/spec/source/afterImport/keep", json!({}))], "spec.source.afterImport", "say exactly one"),
        (&[("/spec/source/afterFailure/moveTo", json!("failed"))], "spec.source.afterFailure", "say exactly one"),
        (&[("/spec/schedule/daily", json!({"at": "01:00"}))], "spec.schedule", "keep only one of"),
        (
            &[("/spec/schedule/every", Value::Null), ("/spec/schedule/once", json!({}))],
            "spec.schedule.once",
            "say exactly one",
        ),
        (&[("/spec/mapping/properties/1/format", json!("%d"))], "spec.mapping.properties[1]", "format is for dates"),
        (&[("/spec/mapping/properties/0/format", json!("%d"))], "spec.mapping.properties[0]", "format is for dates"),
        (&[("/spec/mapping/userId", json!({"property": "email"}))], "spec.mapping", "mapped by userId already"),
        (
            &[("/spec/target/protectedColumns", json!(["x", "email"]))],
            "spec",
            "both mapped and in target.protectedColumns",
        ),
        (&[("/spec/target/scope", json!({"email": "x"}))], "spec", "both mapped and in target.scope"),
        (&[("/spec/target/url/value", json!("sqlite:a"))], "spec.target.url", "exactly one of secretKeyRef"),
        (&[("/spec/target/caBundle", json!({}))], "spec.target.caBundle", "exactly one of secretKeyRef"),
        (&[("/spec/removal/set", Value::Null), ("/spec/removal/restore", Value::Null)], "spec.removal", "needs set"),
        (
            &[("/spec/removal/policy", json!("Delete")), ("/spec/removal/gracePeriod", Value::Null)],
            "spec.removal",
            "go with policy: Deactivate",
        ),
        (&[("/spec/removal/restore/x", json!("y"))], "spec.removal", "name only columns of set"),
        (&[("/spec/action", json!("Upsert"))], "spec", "needs action: Mirror"),
        (
            &[
                ("/spec/action", json!("Delete")),
                ("/spec/removal/gracePeriod", Value::Null),
                ("/spec/source/files", Value::Null),
            ],
            "spec",
            "name its files in source.files",
        ),
        (
            &[("/spec/report/email/to", Value::Null), ("/spec/report/email/failedImportTo", Value::Null)],
            "spec.report.email",
            "nobody would get this mail",
        ),
    ];
    for (changes, field, message) in cases {
        let object = with(whole(), changes);
        let mut filled = object.clone();
        fill(&schema, &mut filled);
        for object in [object, filled] {
            let found = broken(&schema, &object, None);
            assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
            assert_eq!(found[0].0, *field, "{changes:?}");
            assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
        }
    }
}

#[test]
fn other_ways_to_write_it_pass() {
    let schema = schema::<UserSync>();
    let cases: &[Changes<'_>] = &[
        &[("/spec/schedule", json!({"once": {"now": {}}}))],
        &[("/spec/schedule", json!({}))],
        &[("/spec/schedule", Value::Null)],
        &[("/spec/target", Value::Null)],
        &[("/spec/mapping/properties", Value::Null)],
        &[("/spec/mapping/properties/0", json!({"property": "born", "type": "Date", "format": "%d.%m.%Y"}))],
        &[("/spec/mapping/userId", json!({"column": ["a", "b"], "property": "id"}))],
        &[("/spec/source/afterImport", json!({"delete": {}})), ("/spec/source/afterFailure", json!({"moveTo": "x"}))],
        &[("/spec/removal", Value::Null), ("/spec/action", Value::Null), ("/spec/source/files", Value::Null)],
        &[("/spec/removal", json!({"policy": "Delete"}))],
        &[("/spec/source", json!({"directory": {"path": "inbox"}}))],
    ];
    for changes in cases {
        let object = with(whole(), changes);
        let mut filled = object.clone();
        fill(&schema, &mut filled);
        assert_eq!(broken(&schema, &object, None), [], "{changes:?}");
        assert_eq!(broken(&schema, &filled, None), [], "{changes:?}");
    }
}

#[test]
fn each_rule_of_usersyncrun_holds_its_ground() {
    let schema = schema::<UserSyncRun>();
    let run = json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun", "metadata": {"name": "hr-1"},
        "spec": {
            "sync": "hr", "uid": "5c0d", "generation": 3, "syncSpec": whole()["spec"],
            "mode": "Import", "trigger": "UpdateNow", "token": "a",
        },
    });
    assert_eq!(broken(&schema, &run, None), []);
    assert_eq!(broken(&schema, &run, Some(&run)), []);
    let (slot, none) = (json!("2026-12-01T01:00:00Z"), Value::Null);
    let cases: &[(Changes<'_>, &str)] = &[
        (&[("/spec/token", none.clone())], "token goes with"),
        (&[("/spec/slot", slot.clone())], "slot goes with"),
        (&[("/spec/trigger", json!("Schedule")), ("/spec/token", none.clone())], "slot goes with"),
        (&[("/spec/trigger", json!("Approval")), ("/spec/token", none.clone())], "approves goes with"),
        (&[("/spec/approves", json!("hr-0"))], "approves goes with"),
        (&[("/spec/trigger", json!("SimulateNow"))], "mode: Simulation goes with"),
        (&[("/spec/mode", json!("Simulation"))], "mode: Simulation goes with"),
    ];
    for (changes, message) in cases {
        let found = broken(&schema, &with(run.clone(), changes), None);
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert_eq!(found[0].0, "spec");
        assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
    }
    for changes in [
        [("/spec/trigger", json!("Schedule")), ("/spec/token", none.clone()), ("/spec/slot", slot)].as_slice(),
        &[("/spec/trigger", json!("SimulateNow")), ("/spec/mode", json!("Simulation"))],
        &[("/spec/trigger", json!("Approval")), ("/spec/token", none), ("/spec/approves", json!("hr-0"))],
    ] {
        assert_eq!(broken(&schema, &with(run.clone(), changes), None), []);
    }
    let other = with(run.clone(), &[("/spec/token", json!("b"))]);
    let found = broken(&schema, &other, Some(&run));
    assert!(found.len() == 1 && found[0].1.contains("a run never changes"), "{found:?}");
    let started = with(run.clone(), &[("/status", json!({"startTime": "2026-12-01T01:00:00Z"}))]);
    assert_eq!(broken(&schema, &started, Some(&run)), []);
}
