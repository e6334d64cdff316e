//! Documents → valid syncs, Secrets and ConfigMaps, or every problem there is.

use super::{
    across,
    config::{ConfigMap, SecretValues, config_map, secret},
    document::Document,
    problem::{Finding, Problem},
    rules,
    schema::Schema,
    semantic,
};
use crate::api::{API_VERSION, GROUP, UserSync};

/// A sync and the document that it comes from.
#[derive(Clone, Debug)]
pub struct CheckedSync {
    /// The sync.
    pub sync: UserSync,
    /// Its document: file, namespace and name, and where each field is.
    pub document: Document,
}

/// What the documents hold. With a problem in it, nothing of it may run.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The syncs, as far as they could be read.
    pub syncs: Vec<CheckedSync>,
    /// The Secrets.
    pub secrets: Vec<SecretValues>,
    /// The ConfigMaps.
    pub config_maps: Vec<ConfigMap>,
    /// Everything that is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
}

/// Checks the documents, each by itself and against each other. Pure, offline: no Secret is needed, no server asked.
pub fn check(documents: &[Document]) -> Checked {
    checked(documents, false)
}

/// As [`check`], for documents of which each valid sync is to run, whatever is wrong with others: a sync with problems of its
/// own stands in nobody's way.
pub fn check_each(documents: &[Document]) -> Checked {
    checked(documents, true)
}

fn checked(documents: &[Document], each: bool) -> Checked {
    let mut checked = Checked::default();
    let schema = match Schema::new() {
        Ok(schema) => schema,
        Err(error) => {
            let message = format!("the definition of UserSync in this program is broken: {error}; please report this");
            checked.problems.push(Problem {
                file: "usersync".to_owned(),
                position: Default::default(),
                field: String::new(),
                message,
            });
            return checked;
        }
    };
    let mut standing = Vec::new();
    for document in documents {
        let before = (checked.syncs.len(), checked.problems.len());
        one(document, &schema, &mut checked);
        let sound = checked.problems.len() == before.1;
        standing.extend(checked.syncs.get(before.0).filter(|_| sound || !each).cloned());
    }
    let taken = documents.iter().filter(|document| matches!(document.kind(), "UserSync" | "Secret" | "ConfigMap"));
    checked.problems.extend(across::duplicates(taken));
    checked.problems.extend(across::same_files(&standing));
    // Files stay in the order in which they were given.
    let order = |file: &str| documents.iter().position(|document| document.file == file);
    checked.problems.sort_by_cached_key(|problem| (order(&problem.file), problem.position, problem.field.clone()));
    checked.problems.dedup();
    checked
}

fn one(document: &Document, schema: &Schema, checked: &mut Checked) {
    if document.value.is_null() {
        checked.problems.extend(document.problems.iter().cloned());
        return;
    }
    if !document.value.is_object() {
        let message = "this is no manifest: a document has fields, first of all apiVersion, kind and metadata";
        checked.problems.push(document.problem(Finding::new("", message)));
        return;
    }
    let file = document.file.rsplit('/').next().unwrap_or_default();
    let kustomization = matches!(file, "kustomization.yaml" | "kustomization.yml" | "Kustomization");
    let findings = match (document.kind(), document.api_version()) {
        ("Kustomization", version) if !version.starts_with("kustomize.toolkit.fluxcd.io/") => kustomize(),
        ("" | "Kustomization", _) if kustomization => kustomize(),
        ("UserSync", _) => user_sync(document, schema, checked),
        ("Secret", "v1") => match secret(document) {
            Ok(secret) => {
                checked.secrets.push(secret);
                Vec::new()
            }
            Err(findings) => findings,
        },
        ("ConfigMap", "v1") => match config_map(document) {
            Ok(map) => {
                checked.config_maps.push(map);
                Vec::new()
            }
            Err(findings) => findings,
        },
        ("Secret" | "ConfigMap", version) if !version.contains('/') => {
            let has =
                if version.is_empty() { "is missing".to_owned() } else { format!("`{version}` is not known here") };
            vec![Finding::new("apiVersion", format!("{has}: write apiVersion: v1"))]
        }
        ("", version) if version.starts_with(GROUP) || looks_like_ours(document) => {
            vec![Finding::new("kind", format!("is missing: write apiVersion: {API_VERSION} and kind: UserSync"))]
        }
        (kind, version) if version.starts_with(GROUP) && kind != "UserSyncRun" => {
            vec![Finding::new("kind", format!("`{kind}` is no kind of {GROUP}: write kind: UserSync"))]
        }
        // Another program's.
        _ => return,
    };
    // What is wrong with the text says more than what follows from it.
    let textual =
        |field: &str| document.problems.iter().any(|problem| !problem.field.is_empty() && problem.field == field);
    let findings = findings.into_iter().filter(|finding| !textual(&finding.field));
    checked.problems.extend(findings.map(|finding| document.problem(finding)));
    checked.problems.extend(document.problems.iter().cloned());
}

fn looks_like_ours(document: &Document) -> bool {
    document.value.pointer("/spec/mapping/userId").is_some()
}

fn kustomize() -> Vec<Finding> {
    let message = "this is a kustomization, which says how to make manifests: render it first, with `kustomize build DIR | \
                   usersync run -f -`, or name the manifests' own files";
    vec![Finding::new("", message)]
}

fn user_sync(document: &Document, schema: &Schema, checked: &mut Checked) -> Vec<Finding> {
    let mut findings = Vec::new();
    let version = document.api_version();
    if version != API_VERSION {
        let has = if version.is_empty() { "is missing".to_owned() } else { format!("`{version}` is not known here") };
        findings.push(Finding::new("apiVersion", format!("{has}: write apiVersion: {API_VERSION}")));
    }
    let mut value = document.value.clone();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    let mut wrong = schema.findings(&value);
    wrong.extend(semantic::shapes(&value));
    let typed = serde_json::from_value::<UserSync>(value.clone());
    let broken = rules::findings(&schema.plain, &value, &wrong, typed.is_ok());
    if let Err(error) = &typed
        && wrong.is_empty()
    {
        // The schema is broader than the types: this says at least what is the matter.
        findings.push(Finding::new("spec", error.to_string()));
    }
    findings.extend(wrong);
    findings.extend(broken);
    if let Ok(sync) = typed {
        let said: Vec<String> = findings.iter().map(|finding| finding.field.clone()).collect();
        findings.extend(semantic::findings(&sync).into_iter().filter(|finding| !said.contains(&finding.field)));
        checked.syncs.push(CheckedSync { sync, document: document.clone() });
    }
    findings
}
