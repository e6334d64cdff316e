//! The chart as Helm renders it, and the programs by which charts are made and GitOps tools judge.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use super::cluster::Said;

/// The folder of `helm` and `health`, which are built if they aren't there.
pub fn tools() -> PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/charts/tools/build");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect(script);
        assert!(output.status.success(), "tests/charts/tools/build failed; what it said is above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
    };
    TOOLS.get_or_init(build).clone()
}

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

/// What the chart makes of these values, as release `usersync` in that namespace.
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
