//! Objects as the API server hands them over, read so that one that can't be understood is reported on itself and never stops
//! its neighbours.

use std::{borrow::Cow, fmt::Debug};

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    api::{API_VERSION, UserSync, UserSyncRun, UserSyncRunSpec, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    control::validate::{check, documents},
    model::view::Malformed,
};

/// The prefix of annotations and labels that mean something to UserSync; what others write there is not kept.
const OURS: &str = "usersync.dev/";

/// A kind of object that can always be read, somehow.
pub trait Readable: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + 'static {
    /// What comes of reading it.
    type Read: Clone + Debug + Send + Sync + 'static;

    /// Reads it: its metadata, already pruned, and the whole object.
    fn read(metadata: ObjectMeta, object: Value) -> Self::Read;
}

/// An object as it was seen.
#[derive(Clone, Debug)]
pub struct Seen<K: Readable> {
    /// Its metadata, as far as it matters here.
    pub metadata: ObjectMeta,
    /// What it says.
    pub read: K::Read,
}

impl<'de, K: Readable> Deserialize<'de> for Seen<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut object = Value::deserialize(deserializer)?;
        let metadata = pruned(object.get_mut("metadata").map(Value::take).unwrap_or_default());
        Ok(Self { read: K::read(metadata.clone(), object), metadata })
    }
}

impl<K: Readable> Resource for Seen<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind(dt: &()) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &()) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &()) -> Cow<'_, str> {
        K::version(dt)
    }

    fn plural(dt: &()) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Readable for UserSync {
    type Read = Result<Box<UserSync>, Box<Malformed>>;

    fn read(metadata: ObjectMeta, mut object: Value) -> Self::Read {
        let status: Option<UserSyncStatus> = object.get_mut("status").map(|status| lenient(status.take()));
        let spec = object.get_mut("spec").map(Value::take).unwrap_or_default();
        match UserSyncSpec::deserialize(&spec) {
            Ok(spec) => Ok(Box::new(UserSync { metadata, spec, status })),
            Err(error) => {
                let message = problems(&metadata, &spec).unwrap_or_else(|| format!("spec: {error}"));
                Err(Box::new(Malformed { metadata, status: status.unwrap_or_default(), message }))
            }
        }
    }
}

impl Readable for UserSyncRun {
    /// Of a run that can't be understood the spec is one that no run of ours has: it is never carried out.
    type Read = Option<Box<UserSyncRun>>;

    fn read(metadata: ObjectMeta, mut object: Value) -> Self::Read {
        let status: Option<UserSyncRunStatus> = object.get_mut("status").map(|status| lenient(status.take()));
        let spec = object.get_mut("spec").map(Value::take).unwrap_or_default();
        let spec = UserSyncRunSpec::deserialize(&spec).ok().or_else(|| foreign(spec.get("sync")?.as_str()?))?;
        Some(Box::new(UserSyncRun { metadata, spec, status }))
    }
}

/// The metadata without what only others use: it would be most of what is kept of an object.
fn pruned(metadata: Value) -> ObjectMeta {
    let mut metadata = ObjectMeta::deserialize(metadata).unwrap_or_default();
    metadata.managed_fields = None;
    for texts in [&mut metadata.annotations, &mut metadata.labels] {
        *texts = texts.take().map(|texts| texts.into_iter().filter(|(key, _)| key.starts_with(OURS)).collect());
        *texts = texts.take().filter(|texts: &std::collections::BTreeMap<_, _>| !texts.is_empty());
    }
    metadata
}

/// A status, as far as it can be read: a field that can't is left out.
fn lenient<S: DeserializeOwned + Default>(status: Value) -> S {
    if let Ok(status) = S::deserialize(&status) {
        return status;
    }
    let Value::Object(fields) = status else { return S::default() };
    let readable: Map<String, Value> =
        fields.into_iter().filter(|(name, value)| S::deserialize(json!({ (name): value })).is_ok()).collect();
    S::deserialize(Value::Object(readable)).unwrap_or_default()
}

/// Everything that is wrong with a spec, a line each.
fn problems(metadata: &ObjectMeta, spec: &Value) -> Option<String> {
    let manifest = json!({
        "apiVersion": API_VERSION,
        "kind": "UserSync",
        "metadata": {"name": metadata.name, "namespace": metadata.namespace},
        "spec": spec,
    });
    let found = check(&documents("", &manifest.to_string())).problems;
    let lines: Vec<String> =
        found
            .into_iter()
            .map(|problem| {
                if problem.field.is_empty() {
                    problem.message
                } else {
                    format!("{}: {}", problem.field, problem.message)
                }
            })
            .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The spec of a run that nobody can carry out.
fn foreign(sync: &str) -> Option<UserSyncRunSpec> {
    serde_json::from_value(json!({
        "sync": sync,
        "uid": "",
        "generation": 0,
        "syncSpec": {"source": {"directory": {"path": "/"}}, "mapping": {"userId": {"column": "?"}}},
        "mode": "Simulation",
        "trigger": "SimulateNow",
        "token": "",
    }))
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(spec: Value, status: Value) -> Seen<UserSync> {
        serde_json::from_value(json!({
            "apiVersion": API_VERSION, "kind": "UserSync",
            "metadata": {
                "name": "hr", "namespace": "people", "uid": "u", "generation": 3, "resourceVersion": "7",
                "annotations": {"usersync.dev/update-now": "1", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
                "labels": {"app": "x"},
                "managedFields": [{"manager": "kubectl", "operation": "Apply"}],
            },
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn what_only_others_use_is_not_kept() {
        let seen = sync(json!({}), json!({}));
        let annotations = seen.metadata.annotations.unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["usersync.dev/update-now"]);
        assert_eq!((seen.metadata.labels, seen.metadata.managed_fields), (None, None));
    }

    #[test]
    fn a_malformed_sync_says_every_problem_and_keeps_its_status() {
        let spec = json!({"source": {"directory": {"path": 3}}, "mapping": {}, "action": "Explode"});
        let seen = sync(spec, json!({"activeRun": "hr-1", "lastScheduleTime": "yesterday", "handledTokens": ["a"]}));
        let malformed = seen.read.unwrap_err();
        assert_eq!(malformed.metadata.generation, Some(3));
        assert_eq!(malformed.status.active_run.as_deref(), Some("hr-1"));
        assert_eq!(malformed.status.handled_tokens, ["a"]);
        assert_eq!(malformed.status.last_schedule_time, None);
        let fields: Vec<_> = malformed.message.lines().map(|line| line.split(':').next().unwrap()).collect();
        for field in ["spec.source.directory.path", "spec.action", "spec.mapping.userId"] {
            assert!(fields.contains(&field), "{field} is missing: {}", malformed.message);
        }
    }

    #[test]
    fn a_good_sync_with_an_unreadable_status_is_no_malformed_one() {
        let spec = json!({"source": {"directory": {"path": "/data"}}, "mapping": {"userId": {"column": "id"}}});
        let seen = sync(spec, json!({"connection": "Sleeping", "activeRun": "hr-1"}));
        assert_eq!(seen.read.unwrap().status.unwrap().active_run.as_deref(), Some("hr-1"));
    }

    #[test]
    fn a_run_that_nobody_understands_still_has_a_name_and_a_sync() {
        let run = |spec: Value| -> Seen<UserSyncRun> {
            serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": spec})).unwrap()
        };
        let read = run(json!({"sync": "hr", "mode": "Dance"})).read.unwrap();
        assert_eq!(
            (read.metadata.name.as_deref(), read.spec.sync.as_str(), read.spec.generation),
            (Some("r"), "hr", 0)
        );
        assert!(run(json!({"mode": "Dance"})).read.is_none());
    }
}
