//! Writing a status: server-side apply with one field manager, and what that alone can't do.
//!
//! Apply removes the fields that UserSync wrote before and leaves out now, but not those that somebody else wrote. So the answer
//! is compared with what was to be there; if it says more, UserSync takes over every field of the status, whoever wrote it, and
//! applies again: what it leaves out goes. That is rare, and after it the status has one writer again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::TypeMeta,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::errors::ask;
use crate::{api::MANAGER, ports::HostError};

/// Writes the status of the object with this name, UID and resource version (if it has one); says its new resource version.
pub async fn write(
    api: &Api<DynamicObject>,
    types: &TypeMeta,
    of: &ObjectMeta,
    status: &impl Serialize,
) -> Result<Option<String>, HostError> {
    let name = of.name.as_deref().unwrap_or_default();
    let doing = format!("write the status of {} {}/{name}", types.kind, of.namespace.as_deref().unwrap_or_default());
    let wanted = serde_json::to_value(status)
        .map(without_nulls)
        .map_err(|error| HostError::Refused(format!("could not {doing}: it can't be written as JSON: {error}")))?;

    let written = apply(api, &doing, types, &precondition(of), &wanted).await?;
    if holds(&written, &wanted) {
        return Ok(written.metadata.resource_version);
    }
    tracing::info!("somebody else has written into the status of {} {name}: it is put right", types.kind);
    let taken = take_over(api, &doing, &written).await?;
    let written = apply(api, &doing, types, &precondition(&taken.metadata), &wanted).await?;
    if holds(&written, &wanted) {
        return Ok(written.metadata.resource_version);
    }
    Err(HostError::Refused(format!(
        "could not {doing}: the API server keeps another one; see whether its definitions are those of this version (usersync crds)"
    )))
}

/// One patch: all of the status, whoever wrote it before.
async fn apply(
    api: &Api<DynamicObject>,
    doing: &str,
    types: &TypeMeta,
    precondition: &Value,
    status: &Value,
) -> Result<DynamicObject, HostError> {
    let name = precondition["name"].as_str().unwrap_or_default();
    let patch =
        json!({"apiVersion": types.api_version, "kind": types.kind, "metadata": precondition, "status": status});
    let params = PatchParams::apply(MANAGER).force();
    ask(doing, api.patch_status(name, &params, &Patch::Apply(patch))).await
}

/// Makes UserSync the one that has applied every field of the status.
async fn take_over(api: &Api<DynamicObject>, doing: &str, object: &DynamicObject) -> Result<DynamicObject, HostError> {
    let mut metadata = precondition(&object.metadata);
    metadata["managedFields"] = json!(ours_alone(object.metadata.managed_fields.as_deref().unwrap_or_default()));
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    ask(doing, api.patch_status(name, &params, &Patch::Merge(json!({"metadata": metadata})))).await
}

/// What the object must still be.
fn precondition(of: &ObjectMeta) -> Value {
    without_nulls(json!({"name": of.name, "uid": of.uid, "resourceVersion": of.resource_version}))
}

/// The entries with one for the whole status: applied by UserSync.
fn ours_alone(entries: &[ManagedFieldsEntry]) -> Vec<ManagedFieldsEntry> {
    let (status, mut others): (Vec<_>, Vec<_>) =
        entries.iter().cloned().partition(|entry| entry.subresource.as_deref() == Some("status"));
    let mut all = Value::Object(Map::new());
    for entry in &status {
        if let Some(fields) = &entry.fields_v1 {
            merge(&mut all, &fields.0);
        }
    }
    if let Some(mut ours) = status.into_iter().next() {
        ours.manager = Some(MANAGER.to_owned());
        ours.operation = Some("Apply".to_owned());
        ours.fields_v1 = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::FieldsV1(all));
        others.push(ours);
    }
    others
}

/// The union of two sets of fields.
fn merge(into: &mut Value, more: &Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else { return };
    for (field, below) in more {
        merge(into.entry(field.clone()).or_insert_with(|| json!({})), below);
    }
}

fn holds(object: &DynamicObject, wanted: &Value) -> bool {
    let empty = json!({});
    let is = object.data.get("status").unwrap_or(&empty);
    is == wanted
}

/// The value without what is null: what isn't there isn't written.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, subresource: Option<&str>, fields: Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({
            "manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "usersync.dev/v1alpha1",
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        }))
        .unwrap()
    }

    #[test]
    fn every_field_of_the_status_becomes_ours_and_no_other() {
        let entries = [
            entry("kubectl", "Apply", None, json!({"f:spec": {"f:suspend": {}}})),
            entry(
                "usersync",
                "Apply",
                Some("status"),
                json!({"f:status": {"f:schedule": {}, "f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}}}}}),
            ),
            entry(
                "curl",
                "Update",
                Some("status"),
                json!({"f:status": {"f:activeRun": {}, "f:conditions": {"k:{\"type\":\"Odd\"}": {".": {}}}}}),
            ),
        ];
        let after = ours_alone(&entries);
        assert_eq!(after[0], entries[0]);
        let fields = json!({"f:status": {
            "f:schedule": {}, "f:activeRun": {},
            "f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}}, "k:{\"type\":\"Odd\"}": {".": {}}},
        }});
        assert_eq!(after[1..], [entry("usersync", "Apply", Some("status"), fields)]);
    }

    #[test]
    fn what_is_null_is_not_written() {
        assert_eq!(without_nulls(json!({"a": null, "b": [{"c": null}], "d": 0})), json!({"b": [{}], "d": 0}));
    }
}
