//! The plain manifests in `charts/manifests/`, for those who don't use Helm: what the chart makes, without what Helm alone reads
//! and without the definitions, which are in `crds/`.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    helm::{documents, rendered},
    support::cluster::Cluster,
};

const NAMESPACE: &str = "usersync-system";

/// The folder of each, what it is for, and the values that make it.
const MANIFESTS: &[(&str, &str, &[&str])] = &[
    ("cluster", "UserSync for all namespaces.", &["crds.install=false"]),
    (
        "namespaced",
        "UserSync for the namespace `people` alone, which must be there: put yours in its place.",
        &["crds.install=false", "namespaces={people}"],
    ),
];

/// Made by `UPDATE=1 cargo test --test charts`.
#[test]
fn generated_manifests_are_up_to_date() {
    for (name, purpose, values) in MANIFESTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests").join(name).join("usersync.yaml");
        let content = plain(purpose, values);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &content).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == content, "{} is not what the chart makes: UPDATE=1 cargo test --test charts", path.display());
    }
}

fn plain(purpose: &str, values: &[&str]) -> String {
    let mut text = format!("# Generated from charts/usersync; not to be edited. {purpose}\n");
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    let made = documents(&rendered(values)).into_iter().map(without_helm);
    for document in std::iter::once(namespace).chain(made) {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&document).unwrap());
    }
    text
}

/// Labels and annotations that Helm alone reads are left out.
fn without_helm(mut document: Value) -> Value {
    for metadata in ["/metadata", "/spec/template/metadata"] {
        let Some(metadata) = document.pointer_mut(metadata).and_then(Value::as_object_mut) else { continue };
        for kind in ["labels", "annotations"] {
            let Some(texts) = metadata.get_mut(kind).and_then(Value::as_object_mut) else { continue };
            texts.retain(|name, _| !name.starts_with("helm.sh/") && name != "app.kubernetes.io/managed-by");
            if texts.is_empty() {
                metadata.remove(kind);
            }
        }
    }
    document
}

/// As a person applies them, with an image of their own.
#[test]
fn each_is_taken_with_another_image() {
    let cluster = Cluster::shared();
    cluster.kubectl(&["create", "namespace", "people"]);
    cluster.kubectl(&["create", "namespace", NAMESPACE]);
    for (name, ..) in MANIFESTS {
        let overlay = tempfile::tempdir().unwrap();
        let base = overlay.path().join("base");
        fs::create_dir(&base).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests").join(name);
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), base.join(file.file_name())).unwrap();
        }
        let image =
            "resources: [base]\nimages: [{name: usersync, newName: registry.example.com/usersync, newTag: v9}]\n";
        fs::write(overlay.path().join("kustomization.yaml"), image).unwrap();
        let built = cluster.ok(&["kustomize", overlay.path().to_str().unwrap()]);
        assert!(built.contains("image: registry.example.com/usersync:v9"), "{name}: the image can't be set");
        let said =
            cluster.feed(&["apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-"], &built);
        assert!(said.success, "{name}: {}", said.stderr);
    }
}
