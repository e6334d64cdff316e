//! The image's build: what `.dockerignore` lets through is enough for it.

use std::{fs, path::Path, process::Command};

#[test]
fn what_reaches_the_build_is_enough() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let context = tempfile::tempdir().unwrap();
    let ignored = fs::read_to_string(root.join(".dockerignore")).unwrap();
    for kept in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        let to = context.path().join(kept);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = Command::new("cp").arg("-r").args([&root.join(kept), &to]).status().unwrap();
        assert!(copied.success(), "{kept}");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"]).current_dir(context.path());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Files that the program takes in lie where it looks for them.
    let elsewhere = r#"include_(str|bytes)!\("(\.\./)+(docs|crds|charts|tests)"#;
    let found = Command::new("grep").args(["-rnE", elsewhere, "src"]).current_dir(root).output().unwrap();
    assert!(found.stdout.is_empty(), "not in the image's build: {}", String::from_utf8_lossy(&found.stdout));
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert!(dockerfile.contains("USER 65532:65532"), "the chart's pod is that user");
}
