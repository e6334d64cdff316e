//! Writing a status: server-side apply with one field manager, and what that alone can't do.
//!
//! Apply removes the fields that UserSync wrote before and leaves out now, but not those that somebody else wrote. So the answer
//! is compared with what was to be there; if it says more, a second patch takes that away. And apply refuses an object of which
//! any part has the wrong type, the spec too: such a one gets a plain patch, or nothing could be said on it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::TypeMeta,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::errors::{PATIENCE, ask, untyped, within};
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

    let (found, precondition) = match apply(api, &doing, types, of, &wanted).await? {
        Some(written) if *status_of(&written) == wanted => return Ok(written.metadata.resource_version),
        Some(written) => {
            tracing::info!("somebody else has written into the status of {} {name}: it is put right", types.kind);
            let precondition = precondition(&written.metadata);
            (written, precondition)
        }
        None => (ask(&doing, api.get(name)).await?, precondition(of)),
    };
    let patch = json!({"metadata": precondition, "status": difference(status_of(&found), &wanted)});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let written = ask(&doing, api.patch_status(name, &params, &Patch::Merge(patch))).await?;
    if *status_of(&written) == wanted {
        return Ok(written.metadata.resource_version);
    }
    Err(HostError::Refused(format!(
        "could not {doing}: the API server keeps another one; see whether its definitions are those of this version (usersync crds)"
    )))
}

/// One patch: all of the status, whoever wrote it before. None: the object can't be applied to.
async fn apply(
    api: &Api<DynamicObject>,
    doing: &str,
    types: &TypeMeta,
    of: &ObjectMeta,
    status: &Value,
) -> Result<Option<DynamicObject>, HostError> {
    let patch =
        json!({"apiVersion": types.api_version, "kind": types.kind, "metadata": precondition(of), "status": status});
    let (params, patch) = (PatchParams::apply(MANAGER).force(), Patch::Apply(patch));
    let answer = async {
        match api.patch_status(of.name.as_deref().unwrap_or_default(), &params, &patch).await {
            Err(error) if untyped(&error) => Ok(None),
            answer => answer.map(Some),
        }
    };
    within(PATIENCE, doing, answer).await
}

/// What the object must still be.
fn precondition(of: &ObjectMeta) -> Value {
    without_nulls(json!({"name": of.name, "uid": of.uid, "resourceVersion": of.resource_version}))
}

fn status_of(object: &DynamicObject) -> &Value {
    static NONE: Value = Value::Null;
    object.data.get("status").unwrap_or(&NONE)
}

/// The merge patch (RFC 7386) that makes `wanted` of `found`.
fn difference(found: &Value, wanted: &Value) -> Value {
    let (Value::Object(found), Value::Object(wanted)) = (found, wanted) else { return wanted.clone() };
    let mut patch = Map::new();
    for name in found.keys().filter(|name| !wanted.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    for (name, value) in wanted {
        match found.get(name) {
            Some(same) if same == value => {}
            Some(other) => drop(patch.insert(name.clone(), difference(other, value))),
            None => drop(patch.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(patch)
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

    #[test]
    fn a_difference_is_what_must_change_and_no_more() {
        for (found, wanted, expected) in [
            (json!({"a": 1, "b": {"c": 1, "d": 2}}), json!({"a": 1, "b": {"c": 3}}), json!({"b": {"c": 3, "d": null}})),
            (json!({"a": [1, 2]}), json!({"a": [1], "b": {"c": 1}}), json!({"a": [1], "b": {"c": 1}})),
            (Value::Null, json!({"a": 1}), json!({"a": 1})),
            (json!({"a": 1}), json!({}), json!({"a": null})),
        ] {
            assert_eq!(difference(&found, &wanted), expected, "{found} → {wanted}");
        }
    }

    #[test]
    fn what_is_null_is_not_written() {
        assert_eq!(without_nulls(json!({"a": null, "b": [{"c": null}], "d": 0})), json!({"b": [{}], "d": 0}));
    }
}
