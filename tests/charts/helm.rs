//! The chart as Helm renders it.

use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;

use crate::support::{charts::tools, cluster::Said};

/// A program that `tests/charts/tools/build` made.
pub fn tool(name: &str) -> Command {
    Command::new(tools().join(name))
}

/// The chart's folder.
pub fn chart() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/charts/usersync").to_owned()
}

/// Runs Helm, whatever it says. It knows nothing of the user's own configuration.
pub fn helm(arguments: &[&str]) -> Said {
    let nowhere = tempfile::tempdir().unwrap();
    let mut command = tool("helm");
    for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(folder, nowhere.path());
    }
    command.env("KUBECONFIG", nowhere.path().join("none"));
    Said::from(command.args(arguments).output().unwrap())
}

/// What the chart makes of these values, as release `usersync` in namespace `usersync-system`.
pub fn rendered(values: &[&str]) -> String {
    rendered_in("usersync-system", values)
}

/// The same in another namespace.
pub fn rendered_in(namespace: &str, values: &[&str]) -> String {
    let chart = chart();
    let mut arguments = vec!["template", "usersync", &chart, "--namespace", namespace];
    for value in values {
        arguments.extend(["--set", value]);
    }
    let said = helm(&arguments);
    assert!(said.success, "{values:?}: {}", said.stderr);
    said.stdout
}

/// The documents of a text, empty ones left out.
pub fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// The documents of one kind.
pub fn of_kind(text: &str, kind: &str) -> Vec<Value> {
    documents(text).into_iter().filter(|document| document["kind"] == kind).collect()
}
