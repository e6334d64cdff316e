//! `usersync browse` against OpenSSH: what people see.

use std::{
    fs,
    process::{Command, Output},
};

use crate::support::sshd::{Sshd, current_user};

/// The manifest with its Secret, of a server that shows one of `host_keys`.
fn browse(server: &Sshd, host_keys: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let key = server.new_key(&current_user(), &["-t", "ed25519"], "");
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hr-sftp"},
        "stringData": {"username": current_user(), "privateKey": key.expose()}});
    let manifest = format!(
        "apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {{name: hr}}
spec:
  source:
    sftp: {{host: 127.0.0.1, port: {}, credentials: {{name: hr-sftp}}{host_keys}}}
    path: {}
    timeouts: {{login: 5m, firstByte: 5m, stall: 5m}}
  mapping: {{userId: {{column: id}}, properties: [{{property: name}}]}}
  target: {{}}
---
{secret}
",
        server.port,
        server.outbox().display()
    );
    fs::write(folder.path().join("hr.yaml"), manifest).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
    let Output { status, stdout, stderr } =
        command.args(["browse", "-f", "hr.yaml"]).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(!folder.path().join(".usersync").exists(), "it writes nothing");
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn browse_shows_folders_and_files_of_a_server() {
    let server = Sshd::start("");
    fs::write(server.outbox().join("userdata_1.csv"), "id,name\n1,Ann\n").unwrap();
    fs::write(server.outbox().join("readme"), "").unwrap();
    fs::create_dir(server.outbox().join("bak")).unwrap();
    fs::write(server.outbox().join("bak/old.csv"), "id").unwrap();
    let keys = format!(", hostKeys: ['{}']", server.host_key("ed25519"));
    let (code, said, wrong) = browse(&server, &keys, &[]);
    assert_eq!((code, wrong.as_str()), (Some(0), ""), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    let [head, _, taken, readme, bak] = lines.as_slice() else { panic!("{said}") };
    assert_eq!(*head, format!("hr: sftp://127.0.0.1:{}{}, 2 files, 1 folder", server.port, server.outbox().display()));
    assert!(taken.starts_with("→ userdata_1.csv  14 bytes  2"), "{said}");
    assert!(taken.ends_with("taken next (will be looked at twice, 10s apart)"), "{said}");
    assert!(readme.ends_with("its name doesn't match `userdata_*.csv`"), "{said}");
    assert!(bak.starts_with("  bak/ ") && bak.ends_with("a folder"), "{said}");

    let absolute = server.outbox().join("bak");
    for folder in ["bak", "../outbox/./bak/", absolute.to_str().unwrap()] {
        let (code, said, wrong) = browse(&server, &keys, &[folder]);
        assert_eq!((code, wrong.as_str()), (Some(0), ""), "{folder}: {said}");
        assert!(said.contains("1 file, 0 folders") && said.contains("old.csv"), "{folder}: {said}");
    }
    let (code, said, wrong) = browse(&server, &keys, &["nowhere"]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(wrong.starts_with("usersync: hr: FolderMissing: ") && wrong.contains("nowhere"), "{wrong}");
}

#[test]
fn browse_shows_the_key_of_a_server_that_is_not_known() {
    let server = Sshd::start("");
    let key = server.host_key("ed25519");
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let (code, said, wrong) = browse(&server, &format!(", hostKeys: ['{other}']"), &[]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(wrong.starts_with("usersync: hr: SourceDenied: ") && wrong.contains(&format!("\n    {key}\n")), "{wrong}");
    for none in ["", ", hostKeys: []"] {
        let (code, said, wrong) = browse(&server, none, &[]);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{wrong}");
        assert!(wrong.contains("hr.yaml:6:") && wrong.contains("spec.source.sftp.hostKeys"), "{wrong}");
        assert!(wrong.contains("The server showed\n") && wrong.contains("No secret was sent"), "{wrong}");
        assert!(["ed25519", "ecdsa"].iter().any(|kind| wrong.contains(&server.host_key(kind))), "{wrong}");
    }
    assert_eq!(server.logins(), 0, "nobody has logged in");
}
