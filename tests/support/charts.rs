//! The programs by which charts are made and GitOps tools judge.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

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
