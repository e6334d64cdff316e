//! What the watches have shown: every sync, and of the runs only those that may need something. A cluster may hold thirty runs
//! of each of a thousand syncs; at rest none of them is kept here.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::Event;

use super::seen::{Readable, Seen};
use crate::{
    api::{APPROVE, UserSync, UserSyncRun, UserSyncStatus},
    control::{
        cause::{ended, held},
        deliveries::unsettled,
    },
    model::sync::Key,
};

/// A sync as it was read.
pub type ReadSync = <UserSync as Readable>::Read;

/// The part of the cluster that one watch sees: a namespace, or all of them.
pub type Scope = Option<String>;

/// What is known of the cluster.
#[derive(Default)]
pub struct Cache {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    syncs: HashMap<Key, ReadSync>,
    /// By sync, then by name.
    runs: HashMap<Key, BTreeMap<String, UserSyncRun>>,
    /// What a list that isn't at its end has shown so far.
    listed_syncs: HashMap<Scope, BTreeSet<Key>>,
    listed_runs: HashMap<Scope, BTreeSet<Key>>,
}

impl Cache {
    /// The sync, and those of its runs that may need something.
    pub fn sync(&self, key: &Key) -> Option<(ReadSync, Vec<UserSyncRun>)> {
        let known = self.known();
        let runs = known.runs.get(key).map(|runs| runs.values().cloned().collect()).unwrap_or_default();
        Some((known.syncs.get(key)?.clone(), runs))
    }

    /// The names of those runs of a sync that may need something.
    pub fn runs(&self, key: &Key) -> Vec<String> {
        self.known().runs.get(key).map(|runs| runs.keys().cloned().collect()).unwrap_or_default()
    }

    /// How many syncs and runs are kept.
    pub fn len(&self) -> (usize, usize) {
        let known = self.known();
        (known.syncs.len(), known.runs.values().map(BTreeMap::len).sum())
    }

    /// Takes in what a watch for syncs saw; the syncs to look at because of it.
    pub fn see_sync(&self, scope: &Scope, event: Event<Seen<UserSync>>) -> Vec<Key> {
        let known = &mut *self.known();
        match event {
            Event::Init => {
                known.listed_syncs.insert(scope.clone(), BTreeSet::new());
            }
            Event::InitApply(seen) => {
                let key = key(&seen.metadata);
                known.listed_syncs.entry(scope.clone()).or_default().insert(key.clone());
                return known.put(key, seen.read);
            }
            Event::Apply(seen) => {
                let key = key(&seen.metadata);
                // What this process wrote is known before the watch shows it, and what was before.
                let late = known.syncs.get(&key).is_some_and(|known| older(&seen.metadata, metadata(known)));
                return if late { Vec::new() } else { known.put(key, seen.read) };
            }
            Event::Delete(seen) => {
                let key = key(&seen.metadata);
                known.syncs.remove(&key);
                return vec![key];
            }
            Event::InitDone => {
                let listed = known.listed_syncs.remove(scope).unwrap_or_default();
                let gone: Vec<Key> =
                    known.syncs.keys().filter(|key| within(scope, key) && !listed.contains(key)).cloned().collect();
                known.syncs.retain(|key, _| !gone.contains(key));
                return gone;
            }
        }
        Vec::new()
    }

    /// Takes in a status that this process wrote over what `of` says. Nobody is told: who wrote it knows.
    pub fn wrote(&self, of: &ObjectMeta, status: &UserSyncStatus, version: &str) {
        if let Some(read) = self.known().syncs.get_mut(&key(of))
            && metadata(read).uid == of.uid
            && metadata(read).resource_version == of.resource_version
        {
            match read {
                Ok(sync) => sync.status = Some(status.clone()),
                Err(malformed) => malformed.status = status.clone(),
            }
            metadata_mut(read).resource_version = Some(version.to_owned());
        }
    }

    /// Takes in what a watch for runs saw; the syncs to look at because of it.
    pub fn see_run(&self, scope: &Scope, event: Event<Seen<UserSyncRun>>) -> Vec<Key> {
        let known = &mut *self.known();
        match event {
            Event::Init => {
                known.listed_runs.insert(scope.clone(), BTreeSet::new());
            }
            Event::InitApply(seen) => {
                known.listed_runs.entry(scope.clone()).or_default().insert(key(&seen.metadata));
                let Some(run) = seen.read else { return Vec::new() };
                // Nothing is to be done for a run that ended long ago: it isn't news that it is there.
                let sync = of(&run);
                return if known.keep(*run) { vec![sync] } else { Vec::new() };
            }
            Event::Apply(seen) => {
                let Some(run) = seen.read else { return Vec::new() };
                let sync = of(&run);
                known.keep(*run);
                return vec![sync];
            }
            Event::Delete(seen) => {
                let Some(run) = seen.read else { return Vec::new() };
                known.drop_run(&of(&run), run.metadata.name.as_deref().unwrap_or_default());
                return vec![of(&run)];
            }
            Event::InitDone => {
                let listed = known.listed_runs.remove(scope).unwrap_or_default();
                let mut changed = Vec::new();
                known.runs.retain(|sync, runs| {
                    let before = runs.len();
                    let is_listed =
                        |name: &String| listed.contains(&Key { namespace: sync.namespace.clone(), name: name.clone() });
                    runs.retain(|name, _| !within(scope, sync) || is_listed(name));
                    if runs.len() < before {
                        changed.push(sync.clone());
                    }
                    !runs.is_empty()
                });
                return changed;
            }
        }
        Vec::new()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Keeps a sync; says so unless it is known already as it is.
    fn put(&mut self, key: Key, read: ReadSync) -> Vec<Key> {
        let version = |read: &ReadSync| metadata(read).resource_version.clone();
        let news = self.syncs.get(&key).is_none_or(|known| version(known) != version(&read));
        self.syncs.insert(key.clone(), read);
        if news { vec![key] } else { Vec::new() }
    }

    /// Keeps the run if it may need something, else forgets it; whether it was kept.
    fn keep(&mut self, run: UserSyncRun) -> bool {
        let (sync, name) = (of(&run), run.metadata.name.clone().unwrap_or_default());
        if needs_something(&run) {
            self.runs.entry(sync).or_default().insert(name, run);
            true
        } else {
            self.drop_run(&sync, &name);
            false
        }
    }

    fn drop_run(&mut self, sync: &Key, name: &str) {
        if let Some(runs) = self.runs.get_mut(sync) {
            runs.remove(name);
            if runs.is_empty() {
                self.runs.remove(sync);
            }
        }
    }
}

/// Whether a run hasn't ended, is held and somebody approved it, or somebody is still to be told of it (or can't be).
fn needs_something(run: &UserSyncRun) -> bool {
    let approved = run.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(APPROVE));
    ended(run).is_none() || (approved && held(run)) || unsettled(run)
}

fn metadata(read: &ReadSync) -> &ObjectMeta {
    match read {
        Ok(sync) => &sync.metadata,
        Err(malformed) => &malformed.metadata,
    }
}

fn metadata_mut(read: &mut ReadSync) -> &mut ObjectMeta {
    match read {
        Ok(sync) => &mut sync.metadata,
        Err(malformed) => &mut malformed.metadata,
    }
}

/// Whether the one is an earlier state than the other: resource versions are numbers that grow (Kubernetes API concepts,
/// "Resource versions"). Only a list may go back, where the API server's own data were restored.
fn older(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    let number = |of: &ObjectMeta| of.resource_version.as_deref().and_then(|version| version.parse::<u128>().ok());
    number(one).zip(number(other)).is_some_and(|(one, other)| one < other)
}

/// An object's namespace and name.
fn key(metadata: &ObjectMeta) -> Key {
    Key { namespace: metadata.namespace.clone().unwrap_or_default(), name: metadata.name.clone().unwrap_or_default() }
}

/// The sync that a run names.
pub fn of(run: &UserSyncRun) -> Key {
    Key { namespace: run.metadata.namespace.clone().unwrap_or_default(), name: run.spec.sync.clone() }
}

fn within(scope: &Scope, key: &Key) -> bool {
    scope.as_ref().is_none_or(|namespace| *namespace == key.namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ALL: Scope = None;

    fn sync(namespace: &str, name: &str, version: &str) -> Seen<UserSync> {
        let spec = json!({"source": {"directory": {"path": "/data"}}, "mapping": {"userId": {"column": "id"}}});
        let metadata = json!({"namespace": namespace, "name": name, "resourceVersion": version});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn run(name: &str, sync: &str, ended: Option<(&str, &str)>, annotations: Value) -> Seen<UserSyncRun> {
        let conditions = ended.map(|(status, reason)| {
            json!([{"type": "Succeeded", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}])
        });
        serde_json::from_value(json!({
            "metadata": {"namespace": "people", "name": name, "annotations": annotations},
            "spec": {"sync": sync}, "status": {"conditions": conditions.unwrap_or(json!([]))},
        }))
        .unwrap()
    }

    fn key(name: &str) -> Key {
        Key { namespace: "people".to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_list_that_shows_nothing_new_wakes_nobody_and_what_it_lacks_is_gone() {
        let cache = Cache::default();
        for name in ["hr", "it"] {
            assert_eq!(cache.see_sync(&ALL, Event::Apply(sync("people", name, "1"))), [key(name)]);
        }
        assert!(cache.see_sync(&ALL, Event::Init).is_empty());
        assert!(cache.see_sync(&ALL, Event::InitApply(sync("people", "hr", "1"))).is_empty());
        assert_eq!(cache.see_sync(&ALL, Event::InitDone), [key("it")]);
        assert!(cache.sync(&key("it")).is_none() && cache.sync(&key("hr")).is_some());
        assert_eq!(cache.see_sync(&ALL, Event::Apply(sync("people", "hr", "2"))), [key("hr")]);
    }

    #[test]
    fn what_was_written_here_is_known_before_a_watch_shows_it() {
        let cache = Cache::default();
        cache.see_sync(&ALL, Event::Apply(sync("people", "hr", "9")));
        let written = UserSyncStatus { observed_generation: Some(3), ..UserSyncStatus::default() };
        let known = || {
            let sync = cache.sync(&key("hr")).unwrap().0.unwrap();
            (sync.metadata.resource_version.unwrap(), sync.status.and_then(|status| status.observed_generation))
        };
        // Over a state that is not known here it says nothing.
        cache.wrote(&sync("people", "hr", "8").metadata, &written, "10");
        assert_eq!(known(), ("9".to_owned(), None));
        cache.wrote(&sync("people", "hr", "9").metadata, &written, "10");
        assert_eq!(known(), ("10".to_owned(), Some(3)));

        for late in ["9", "10"] {
            assert!(cache.see_sync(&ALL, Event::Apply(sync("people", "hr", late))).is_empty(), "{late} is no news");
        }
        assert_eq!(known().0, "10");
        assert_eq!(cache.see_sync(&ALL, Event::Apply(sync("people", "hr", "11"))), [key("hr")]);
        // A list shows what is, whatever its number.
        cache.see_sync(&ALL, Event::Init);
        assert_eq!(cache.see_sync(&ALL, Event::InitApply(sync("people", "hr", "7"))), [key("hr")]);
        assert_eq!(known().0, "7");
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_of_others() {
        let cache = Cache::default();
        cache.see_sync(&Some("people".to_owned()), Event::Apply(sync("people", "hr", "1")));
        let other = Some("school".to_owned());
        cache.see_sync(&other, Event::Init);
        assert!(cache.see_sync(&other, Event::InitDone).is_empty());
        assert!(cache.sync(&key("hr")).is_some());
    }

    #[test]
    fn only_runs_that_may_need_something_are_kept() {
        let cache = Cache::default();
        let approve = json!({"usersync.dev/approve": "0"});
        for (name, ended, annotations, kept) in [
            ("at-work", Some(("Unknown", "Running")), json!({}), true),
            ("new", None, json!({}), true),
            ("approved", Some(("False", "Held")), approve.clone(), true),
            ("held", Some(("False", "Held")), json!({}), false),
            ("done", Some(("True", "Completed")), approve, false),
        ] {
            let told = cache.see_run(&ALL, Event::InitApply(run(name, "hr", ended, annotations)));
            assert_eq!(told, if kept { vec![key("hr")] } else { vec![] }, "{name}");
        }
        assert_eq!(cache.runs(&key("hr")), ["approved", "at-work", "new"]);

        let ended = run("at-work", "hr", Some(("True", "Completed")), json!({}));
        assert_eq!(cache.see_run(&ALL, Event::Apply(ended)), [key("hr")]);
        assert_eq!(cache.runs(&key("hr")), ["approved", "new"]);

        cache.see_run(&ALL, Event::Init);
        cache.see_run(&ALL, Event::InitApply(run("new", "hr", None, json!({}))));
        assert_eq!(cache.see_run(&ALL, Event::InitDone), [key("hr")]);
        assert_eq!(cache.runs(&key("hr")), ["new"]);
        assert_eq!(cache.see_run(&ALL, Event::Delete(run("new", "hr", None, json!({})))), [key("hr")]);
        assert_eq!(cache.len(), (0, 0));
    }
}
