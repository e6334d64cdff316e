//! The CEL rules, each broken once, on the object as it is written and with the schema's defaults filled in.

use kube::core::cel::Validator;
use serde_json::{Value, json};
use usersync::api::{UserSync, UserSyncRun, crd::schema};

use super::{cases, cases::with, fill};

fn broken(schema: &Value, object: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    match Validator::new().validate(schema, object, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|error| (error.field_path, error.message)).collect(),
    }
}

#[test]
fn each_rule_of_usersync_holds_its_ground() {
    let schema = schema::<UserSync>();
    assert_eq!(broken(&schema, &cases::whole(), None), []);
    for cases::Broken { changes, field, message } in cases::broken_rules() {
        let object = with(cases::whole(), &changes);
        let mut filled = object.clone();
        fill(&schema, &mut filled);
        for object in [object, filled] {
            let found = broken(&schema, &object, None);
            assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
            assert_eq!(found[0].0, field, "{changes:?}");
            assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
        }
    }
}

#[test]
fn other_ways_to_write_it_pass() {
    let schema = schema::<UserSync>();
    for changes in cases::taken_resources() {
        let object = with(cases::whole(), &changes);
        let mut filled = object.clone();
        fill(&schema, &mut filled);
        assert_eq!(broken(&schema, &object, None), [], "{changes:?}");
        assert_eq!(broken(&schema, &filled, None), [], "{changes:?}");
    }
}

#[test]
fn each_rule_of_usersyncrun_holds_its_ground() {
    let schema = schema::<UserSyncRun>();
    let run = cases::run();
    assert_eq!(broken(&schema, &run, None), []);
    assert_eq!(broken(&schema, &run, Some(&run)), []);
    for (changes, message) in cases::broken_runs() {
        let found = broken(&schema, &with(run.clone(), &changes), None);
        assert_eq!(found.len(), 1, "{changes:?}: {found:?}");
        assert_eq!(found[0].0, "spec");
        assert!(found[0].1.contains(message), "{changes:?}: {}", found[0].1);
    }
    for changes in cases::taken_runs() {
        assert_eq!(broken(&schema, &with(run.clone(), &changes), None), []);
    }
    let other = with(run.clone(), &[("/spec/token", json!("b"))]);
    let found = broken(&schema, &other, Some(&run));
    assert!(found.len() == 1 && found[0].1.contains("a run never changes"), "{found:?}");
    let started = with(run.clone(), &[("/status", json!({"startTime": "2026-12-01T01:00:00Z"}))]);
    assert_eq!(broken(&schema, &started, Some(&run)), []);
}
