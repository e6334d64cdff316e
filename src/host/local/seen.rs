//! What a folder of manifests says, sync by sync: pure. A problem stays with the sync that has it; the others don't suffer.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::private::one_name;
use crate::{
    api::UserSyncSpec,
    control::validate::{ConfigMap, Document, Problem, SecretValues, check_each},
    model::sync::Key,
};

/// What the manifests say.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The syncs, also those with problems.
    pub syncs: BTreeMap<Key, Shown>,
    /// The Secrets.
    pub secrets: Vec<SecretValues>,
    /// The ConfigMaps.
    pub config_maps: Vec<ConfigMap>,
    /// Problems that belong to no sync of which the name is known.
    pub loose: Vec<String>,
    /// Files of which a part is no YAML, and why: what stood there isn't known.
    pub faulty: BTreeMap<String, String>,
}

/// A sync as its manifest has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    /// Its file.
    pub file: String,
    /// Name, namespace, labels and annotations.
    pub metadata: ObjectMeta,
    /// The spec, or every problem, a line each.
    pub spec: Result<UserSyncSpec, String>,
    /// What the manifest says of `suspend`, also when something else is wrong.
    pub suspend: bool,
}

impl Shown {
    /// What stands in for a sync whose part of the file can't be read.
    pub fn unreadable(key: &Key, file: &str, why: &str) -> Self {
        let metadata = ObjectMeta {
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()),
            ..ObjectMeta::default()
        };
        Self { file: file.to_owned(), metadata, spec: Err(why.to_owned()), suspend: false }
    }
}

/// Digest of a spec, or of what is wrong with it: a new one is a new generation.
pub(super) fn digest(spec: &Result<UserSyncSpec, String>) -> String {
    let mut hash = Sha256::new();
    match spec {
        // Serialised from types whose keys are texts: it always becomes JSON.
        Ok(spec) => hash.update(serde_json::to_vec(spec).unwrap_or_default()),
        Err(problems) => hash.update(format!("malformed {problems}")),
    }
    HEXLOWER.encode(&hash.finalize()[..16])
}

/// Reads the documents of all files. Of two syncs that stand in each other's way the later one has the problem.
pub(super) fn seen(documents: &[Document]) -> Seen {
    let checked = check_each(documents);
    let mut seen = Seen { secrets: checked.secrets, config_maps: checked.config_maps, ..Seen::default() };
    let mut problems: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for document in documents.iter().filter(|document| document.value.is_null()) {
        if let Some(problem) = document.problems.first() {
            seen.faulty.insert(document.file.clone(), problem.to_string());
        }
    }
    for problem in &checked.problems {
        let owner = documents.iter().rfind(|document| covers(document, problem));
        match owner.and_then(key) {
            Some(key) => problems.entry(key).or_default().push(problem.to_string()),
            None => seen.loose.push(problem.to_string()),
        }
    }
    for document in documents {
        let Some(key) = key(document) else { continue };
        // Of two with the same name neither counts: both have the problem.
        if seen.syncs.contains_key(&key) {
            continue;
        }
        let same = |is: &Document| is.file == document.file && is.positions.key("") == document.positions.key("");
        let read = checked.syncs.iter().find(|sync| same(&sync.document));
        let spec = match (problems.remove(&key), read) {
            (Some(problems), _) => Err(problems.join("\n")),
            (None, Some(read)) => Ok(read.sync.spec.clone()),
            (None, None) => Err(format!("{}: this is no valid UserSync", document.file)),
        };
        let suspend = document.value.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or_default();
        let metadata = metadata(document, &key);
        seen.syncs.insert(key, Shown { file: document.file.clone(), metadata, spec, suspend });
    }
    seen
}

/// The documents with those of syncs that were there before first, in the order in which these came: a new one that takes
/// another's files is the one that has to give way.
pub(super) fn in_order(mut documents: Vec<Document>, since: impl Fn(&Key) -> Option<Timestamp>) -> Vec<Document> {
    documents.sort_by_cached_key(|document| {
        let since = key(document).and_then(|key| since(&key));
        (since.is_none(), since)
    });
    documents
}

/// Whether the problem may lie in this document: the last one of the file that begins before it.
fn covers(document: &Document, problem: &Problem) -> bool {
    let own = document.problems.contains(problem);
    own || (!document.value.is_null()
        && document.file == problem.file
        && document.positions.key("") <= problem.position)
}

/// The sync that a document describes, if it is one and its name is known.
fn key(document: &Document) -> Option<Key> {
    if document.kind() != "UserSync" {
        return None;
    }
    let (namespace, name) = (one_name(document.namespace()).ok()?, one_name(document.name()).ok()?);
    Some(Key { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// What a manifest may say of its resource; everything else is the host's to say.
fn metadata(document: &Document, key: &Key) -> ObjectMeta {
    let texts = |path: &str| -> Option<BTreeMap<String, String>> {
        let map = document.value.pointer(path)?.as_object()?;
        Some(map.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
    };
    ObjectMeta {
        name: Some(key.name.clone()),
        namespace: Some(key.namespace.clone()),
        labels: texts("/metadata/labels"),
        annotations: texts("/metadata/annotations"),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::validate::documents;

    const SPEC: &str = "{source: {directory: {path: inbox}, files: X}, mapping: {userId: {column: id}}}";

    fn sync(name: &str, more: &str) -> String {
        let spec = SPEC.replace('X', &format!("{name}_*.csv")).replace("{source", &format!("{{{more}source"));
        format!("apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    }

    fn read(files: &[(&str, String)]) -> Seen {
        let all: Vec<Document> = files.iter().flat_map(|(file, text)| documents(file, text)).collect();
        seen(&all)
    }

    /// `name: valid`, or `name: problems`.
    fn verdicts(seen: &Seen) -> Vec<String> {
        let line = |(key, shown): (&Key, &Shown)| match &shown.spec {
            Ok(_) => format!("{key}: valid"),
            Err(problems) => format!("{key}: {problems}"),
        };
        seen.syncs.iter().map(line).collect()
    }

    #[test]
    fn a_problem_stays_with_its_sync() {
        let bad = format!("{}---\n{}---\n{}", sync("a", ""), sync("b", "color: red, suspend: true, "), sync("c", ""));
        let seen = read(&[("x.yaml", bad), ("y.yaml", sync("d", ""))]);
        let found = verdicts(&seen);
        assert_eq!(found[0], "default/a: valid");
        assert!(found[1].starts_with("default/b: x.yaml:9:8: spec.color: "), "{}", found[1]);
        assert_eq!(found[2..], ["default/c: valid", "default/d: valid"]);
        assert!(seen.loose.is_empty() && seen.faulty.is_empty(), "{seen:?}");
        assert!(seen.syncs.values().nth(1).unwrap().suspend);
    }

    #[test]
    fn a_new_sync_gives_way_to_one_that_was_there_and_a_bad_one_to_any() {
        let clash = |name: &str, more: &str| sync(name, more).replace(&format!("{name}_*.csv"), "same.csv");
        let read = |a: String, b: String| -> Vec<String> {
            let all = [documents("a.yaml", &a), documents("b.yaml", &b)].concat();
            let there = |key: &Key| (key.name == "b").then_some(Timestamp::UNIX_EPOCH);
            verdicts(&seen(&in_order(all, there)))
        };
        let found = read(clash("a", ""), clash("b", ""));
        assert!(found[0].contains("a.yaml:4:43: spec.source.files: takes files"), "{found:?}");
        assert_eq!(found[1], "default/b: valid");
        let found = read(clash("a", ""), clash("b", "color: red, "));
        assert_eq!(found[0], "default/a: valid");
        assert!(found[1].contains("spec.color"), "{found:?}");
    }

    #[test]
    fn several_problems_are_all_said() {
        let seen = read(&[("x.yaml", sync("a", "color: red, shape: round, "))]);
        let Err(problems) = &seen.syncs.values().next().unwrap().spec else { panic!() };
        assert_eq!(problems.lines().count(), 2, "{problems}");
    }

    #[test]
    fn the_same_name_twice_is_nobody_s() {
        let seen = read(&[("x.yaml", sync("a", "")), ("y.yaml", sync("a", "suspend: true, "))]);
        let found = verdicts(&seen);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("y.yaml:3:18: metadata.name: the UserSync `a`"), "{}", found[0]);
    }

    #[test]
    fn what_stands_before_a_fault_is_still_seen() {
        let seen = read(&[("x.yaml", format!("{}---\nkind: [\n", sync("a", "")))]);
        assert_eq!(verdicts(&seen), ["default/a: valid"]);
        assert!(seen.faulty["x.yaml"].starts_with("x.yaml:"), "{:?}", seen.faulty);
        assert_eq!(seen.loose.len(), 1, "{:?}", seen.loose);
    }

    #[test]
    fn what_has_no_usable_name_is_said_aloud() {
        for name in ["", "../x", "\"a b\""] {
            let text = sync("a", "").replace("{name: a}", &format!("{{name: {name}}}"));
            let seen = read(&[("x.yaml", text)]);
            assert!(seen.syncs.is_empty() && !seen.loose.is_empty(), "{name}: {seen:?}");
        }
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nsops: {}\n".to_owned();
        let seen = read(&[("x.yaml", sync("a", "")), ("y.yaml", secret)]);
        assert_eq!(verdicts(&seen), ["default/a: valid"]);
        assert!(seen.loose[0].contains("encrypted by SOPS"), "{:?}", seen.loose);
    }

    #[test]
    fn what_a_dump_of_a_resource_says_is_not_believed() {
        let text = sync("a", "")
            .replace("{name: a}", "{name: a, uid: u, generation: 9, resourceVersion: '7', annotations: {x: y}}");
        let seen = read(&[("x.yaml", text)]);
        let metadata = &seen.syncs.values().next().unwrap().metadata;
        assert_eq!(
            (metadata.uid.as_ref(), metadata.generation, metadata.resource_version.as_ref()),
            (None, None, None)
        );
        assert_eq!(metadata.annotations.as_ref().unwrap()["x"], "y");
    }

    #[test]
    fn a_digest_is_of_the_spec_alone() {
        let of = |text: String| digest(&read(&[("x.yaml", text)]).syncs.values().next().unwrap().spec);
        assert_eq!(of(sync("a", "")), of(format!("# a comment\n{}", sync("a", ""))));
        assert_ne!(of(sync("a", "")), of(sync("a", "suspend: true, ")));
        assert_ne!(of(sync("a", "")), of(sync("a", "color: red, ")));
    }
}
