//! The custom resource definitions: up to date, structural, described; and what the types read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "api/cases.rs"]
mod cases;
#[path = "api/rules.rs"]
mod rules;
#[path = "api/shape.rs"]
mod shape;

use std::path::Path;

use cases::WHOLE;
use serde_json::Value;
use usersync::api::{UserSync, crd_files, crds};

/// `crds/` is generated: `cargo run -- crds --output crds`, or `UPDATE=1 cargo test --test api`.
#[test]
fn generated_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut names = Vec::new();
    for (name, content) in crd_files().unwrap() {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &content).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let line = found.lines().zip(content.lines()).position(|(a, b)| a != b).map_or(0, |line| line + 1);
        assert!(
            found == content,
            "crds/{name} differs from src/api (line {line}): run `cargo run -- crds --output crds` and commit"
        );
        names.push(name);
    }
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names, "crds/ holds the generated files and nothing else");
}

/// Calls `visit` with each schema below `schema` and its path.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if schema.get("items").is_some() {
        walk(&format!("{path}[]"), &schema["items"], visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}{{}}"), &schema["additionalProperties"], visit);
    }
}

fn each_schema(visit: &mut dyn FnMut(&str, &Value)) {
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        walk(&crd.spec.names.kind, &schema["openAPIV3Schema"], visit);
    }
}

/// Rules: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>
#[test]
fn schemas_are_structural() {
    let mut problems = Vec::new();
    each_schema(&mut |path, schema| {
        let int_or_string = schema["x-kubernetes-int-or-string"] == Value::Bool(true);
        let unknown = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
        if schema["type"].as_str().is_none() && !int_or_string && !unknown {
            problems.push(format!("{path}: no type"));
        }
        if schema.get("anyOf").is_some() != int_or_string {
            problems.push(format!("{path}: anyOf is for int-or-string"));
        }
        for keyword in ["$ref", "oneOf", "allOf", "not", "const", "nullable", "definitions", "uniqueItems", "title"] {
            if schema.get(keyword).is_some() {
                problems.push(format!("{path}: has {keyword}"));
            }
        }
        if schema["format"].as_str().is_some_and(|format| format.starts_with("uint")) {
            problems.push(format!("{path}: has the format {}", schema["format"]));
        }
    });
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_field_is_described() {
    let mut problems = Vec::new();
    each_schema(&mut |path, schema| {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let from_kubernetes = !path.contains('.') && ["apiVersion", "kind", "metadata"].contains(&name.as_str());
            let text = property["description"].as_str().unwrap_or_default();
            if !from_kubernetes && (text.len() < 15 || !text.ends_with(['.', '`', ')'])) {
                problems.push(format!("{path}.{name}: {text:?}"));
            }
        }
    });
    assert!(problems.is_empty(), "these fields need a sentence of their own: {problems:#?}");
}

/// Without bounds the API server estimates the cost of a rule too high and refuses the definition.
#[test]
fn what_people_write_is_bounded() {
    let mut problems = Vec::new();
    each_schema(&mut |path, schema| {
        if !path.starts_with("UserSync.spec") {
            return;
        }
        let bound = match schema["type"].as_str() {
            Some("string") if schema.get("enum").is_none() => "maxLength",
            Some("array") => "maxItems",
            Some("object") if schema["additionalProperties"].is_object() => "maxProperties",
            _ => return,
        };
        if schema.get(bound).is_none() {
            problems.push(format!("{path}: no {bound}"));
        }
    });
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_rule_says_what_to_do() {
    let mut rules = 0;
    each_schema(&mut |path, schema| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(message.len() > 20 && !message.contains('\n'), "{path}: {rule}");
            rules += 1;
        }
    });
    assert!(rules > 30, "only {rules} rules");
}

#[test]
fn the_whole_resource_comes_back_as_it_was_written() {
    let written: Value = serde_yaml::from_str(WHOLE).unwrap();
    let sync: UserSync = serde_yaml::from_str(WHOLE).unwrap();
    let again = serde_json::to_value(&sync).unwrap();
    let mut lost = Vec::new();
    contained("", &written, &again, &mut lost);
    // A minute may be written as seconds.
    lost.retain(|path| path != ".spec.source.timeouts.stall");
    assert!(lost.is_empty(), "{lost:?}");
}

/// Notes where `part` is not in `whole`.
fn contained(path: &str, part: &Value, whole: &Value, lost: &mut Vec<String>) {
    match (part, whole) {
        (Value::Object(part), Value::Object(_)) => {
            part.iter().for_each(|(key, value)| contained(&format!("{path}.{key}"), value, &whole[key], lost))
        }
        (Value::Array(part), Value::Array(whole)) if part.len() == whole.len() => part
            .iter()
            .zip(whole)
            .enumerate()
            .for_each(|(index, (a, b))| contained(&format!("{path}[{index}]"), a, b, lost)),
        _ if part == whole => {}
        _ => lost.push(path.to_owned()),
    }
}

/// The schema fills in for the API server what serde fills in for a file.
#[test]
fn defaults_of_schema_and_code_agree() {
    let least = "
        apiVersion: usersync.dev/v1alpha1
        kind: UserSync
        metadata: {name: hr}
        spec:
          source: {directory: {path: inbox}}
          mapping: {userId: {column: id}, properties: [{property: email}]}
          target: {}
          schedule: {}
    ";
    let sync: UserSync = serde_yaml::from_str(least).unwrap();
    let by_code = serde_json::to_value(&sync).unwrap()["spec"].clone();
    let schema = serde_json::to_value(&crds()[0].spec.versions[0].schema).unwrap();
    let mut by_schema: Value = serde_yaml::from_str::<Value>(least).unwrap()["spec"].clone();
    fill(&schema["openAPIV3Schema"]["properties"]["spec"], &mut by_schema);
    assert_eq!(by_schema, by_code);
    assert_eq!(by_code["source"]["maxSize"], "200Mi");
    assert_eq!(by_code["safeguards"]["maxRemovals"], "10%");
    assert_eq!(by_code["source"]["afterImport"], serde_json::json!({"moveTo": "bak"}));
    assert_eq!(by_code["source"].get("files"), None);
}

fn fill(schema: &Value, value: &mut Value) {
    if let Value::Array(elements) = value {
        elements.iter_mut().for_each(|element| fill(&schema["items"], element));
    }
    let Value::Object(object) = value else { return };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            object.entry(name).or_insert_with(|| default.clone());
        }
        if let Some(value) = object.get_mut(name) {
            fill(property, value);
        }
    }
}
