//! Each example is taken by the API server as it is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize as _;
use serde_json::Value;

use crate::cluster;

#[test]
fn each_example_is_taken() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")];
    let mut taken = 0;
    while let Some(folder) = folders.pop() {
        folders.extend(entries(&folder).into_iter().filter(|path| path.is_dir()));
        for (place, text) in manifests(&folder) {
            let namespace = cluster().create_namespace("example");
            for mut resource in usersyncs(&place, &text) {
                resource["metadata"].as_object_mut().unwrap().remove("namespace");
                let arguments = ["apply", "--server-side", "-n", &namespace, "-f", "-"];
                let said = cluster().feed(&arguments, &resource.to_string());
                assert!(said.success, "{}: {}", place.display(), said.stderr);
                taken += 1;
            }
        }
    }
    assert!(taken >= 5, "only {taken} resources");
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The manifests of a folder, rendered where it is a kustomization.
fn manifests(folder: &Path) -> Vec<(PathBuf, String)> {
    if folder.join("kustomization.yaml").exists() {
        return vec![(folder.to_owned(), cluster().ok(&["kustomize", folder.to_str().unwrap()]))];
    }
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    entries(folder).into_iter().filter(is_yaml).map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn usersyncs(place: &Path, text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap_or_else(|error| panic!("{}: {error}", place.display())));
    documents.filter(|document| document["kind"] == "UserSync").collect()
}
