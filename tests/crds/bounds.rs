//! Each bound of the schema, broken once: the cases are made from the schema, so that none is forgotten.

use regex::Regex;
use serde_json::{Map, Value, json};
use usersync::api::{UserSync, UserSyncRun, crd::schema};

use crate::{cases, objects, refusal};

/// A value that breaks one bound of the place where it stands, and what is said of it.
struct Breach {
    /// JSON pointer, with 0 for each element of a list and `a` for each key of a map.
    path: String,
    value: Value,
    says: &'static str,
}

/// The field in the API server's words: `/spec/list/0/name` is `spec.list[0].name`.
pub fn field(path: &str) -> String {
    let mut field = String::new();
    for part in path.split('/').skip(1) {
        match part.parse::<usize>() {
            Ok(index) => field += &format!("[{index}]"),
            Err(_) if field.is_empty() => field += part,
            Err(_) => field += &format!(".{part}"),
        }
    }
    field
}

/// Every breach of a schema and of what is below it.
fn breaches(path: &str, schema: &Value, found: &mut Vec<Breach>) {
    let mut add = |value: Value, says| found.push(Breach { path: path.to_owned(), value, says });
    let length = |keyword: &str| schema[keyword].as_u64().map(|length| usize::try_from(length).unwrap());
    let wrong_type = if schema["type"] == "object" { json!("x") } else { json!({"x": 1}) };
    // One name or a list of names: no structural schema can say that, so the code does.
    if schema["x-kubernetes-preserve-unknown-fields"] != true {
        add(wrong_type, "must be of type");
    }
    if schema.get("enum").is_some() {
        add(json!("No such value"), "Unsupported value");
    }
    if let Some(length) = length("maxLength") {
        add(json!("x".repeat(length + 1)), "Too long");
    }
    if let Some(length) = length("minLength").filter(|length| *length > 0) {
        add(json!("x".repeat(length - 1)), "at least");
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let shape = Regex::new(pattern).unwrap();
        let (least, most) = (length("minLength").unwrap_or(0), length("maxLength").unwrap());
        let fits = |text: &&str| (least..=most).contains(&text.len()) && !shape.is_match(text);
        let other = ["///", "x\n\n", "###", "/", "\n", "x", ""].into_iter().find(fits);
        add(json!(other.unwrap_or_else(|| panic!("{path}: what doesn't match {pattern}?"))), "should match");
    }
    if let Some(minimum) = schema["minimum"].as_f64() {
        add(json!(minimum as i64 - 1), "greater than or equal to");
    }
    if let Some(maximum) = schema["maximum"].as_f64() {
        add(json!(maximum as i64 + 1), "less than or equal to");
    }
    if let Some(length) = length("maxItems") {
        add(json!(vec![Value::Null; length + 1]), "Too many");
    }
    if let Some(length) = length("minItems").filter(|length| *length > 0) {
        add(json!(vec![Value::Null; length - 1]), "at least");
    }
    // An object without properties, `keep: {}`, loses what is in it before it is looked at.
    if let Some(length) = length("maxProperties").filter(|length| *length > 0) {
        let object: Map<String, Value> = (0..=length).map(|key| (format!("k{key}"), json!("x"))).collect();
        add(Value::Object(object), "Too many");
    }
    if let Some(length) = length("minProperties").filter(|length| *length > 0) {
        assert_eq!(length, 1, "{path}");
        add(json!({}), "at least");
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        found.push(Breach {
            path: format!("{path}/{}", name.as_str().unwrap()),
            value: Value::Null,
            says: "Required value",
        });
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        breaches(&format!("{path}/{name}"), property, found);
    }
    if schema["items"].is_object() {
        breaches(&format!("{path}/0"), &schema["items"], found);
    }
    if schema["additionalProperties"].is_object() {
        breaches(&format!("{path}/a"), &schema["additionalProperties"], found);
    }
}

/// Puts a value at a path; what is missing on the way is made. Null: the way to it alone.
fn put(place: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *place = value;
        return;
    };
    if *first == "0" {
        if !place.is_array() {
            *place = json!([null]);
        }
        put(&mut place[0], rest, value);
        return;
    }
    if !place.is_object() {
        *place = json!({});
    }
    if rest.is_empty() && value.is_null() {
        place.as_object_mut().unwrap().remove(*first);
    } else {
        put(&mut place[*first], rest, value);
    }
}

async fn each_is_refused<K>(schema: Value, object: Value, leave_out: &str, at_least: usize)
where
    K: kube::Resource<DynamicType = ()>,
{
    let api = objects::<K>().await;
    let mut all = Vec::new();
    breaches("/spec", &schema["properties"]["spec"], &mut all);
    all.retain(|breach| !breach.path.starts_with(leave_out));
    assert!(all.len() >= at_least, "{} bounds", all.len());
    let mut wrong = Vec::new();
    for Breach { path, value, says } in all {
        let mut object = object.clone();
        put(&mut object, &path.split('/').skip(1).collect::<Vec<_>>(), value.clone());
        let found = refusal(&api, object).await;
        let field = field(&path);
        if !found.iter().any(|(at, message)| *at == field && message.contains(says)) {
            let here: Vec<_> = found.iter().filter(|(at, _)| at.starts_with(&field)).collect();
            wrong.push(format!("{field} should say {says:?}: {here:?} of {}", found.len()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn each_bound_of_usersync_is_refused() {
    each_is_refused::<UserSync>(schema::<UserSync>(), cases::whole(), "/none", 300).await;
}

#[tokio::test]
async fn each_bound_of_usersyncrun_is_refused() {
    each_is_refused::<UserSyncRun>(schema::<UserSyncRun>(), cases::run(), "/spec/syncSpec/", 15).await;
}
