//! Everything logged that can be, and no password in it.

use std::{fs, process::Command};

use crate::support::ftpd::{Brand, Ftpd, PASSWORD, Protocol, Setup, USER};

const WRONG: &str = "not the password";

/// How `usersync run` ends, and what it prints with all log lines on.
fn run(server: &Ftpd, source: &str, password: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"},
        "stringData": {"username": USER, "password": password}});
    let authority = serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authority"},
        "data": {"ca.crt": server.job().ca_bundle}});
    let manifest = format!(
        "apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {{name: hr}}
spec:
  source:
    {source}
    path: {}
    stableFor: 1s
    timeouts: {{login: 5m, firstByte: 5m, stall: 5m}}
  mapping: {{userId: {{column: id}}, properties: [{{property: name}}]}}
  target: {{}}
---
{secret}
---
{authority}
",
        server.path()
    );
    fs::write(folder.path().join("hr.yaml"), manifest).unwrap();
    let mut usersync = Command::new(env!("CARGO_BIN_EXE_usersync"));
    usersync.args(["run", "-f", "hr.yaml"]).env("USERSYNC_LOG", "trace").current_dir(folder.path());
    let output = usersync.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn nothing_that_is_logged_has_a_password_in_it() {
    let base64 = data_encoding::BASE64.encode(PASSWORD.as_bytes());
    for (brand, protocol) in [
        (Brand::Vsftpd, Protocol::Ftp),
        (Brand::ProFtpd, Protocol::Explicit),
        (Brand::PureFtpd, Protocol::Explicit),
        (Brand::OpenSsh, Protocol::Sftp),
    ] {
        let server = Ftpd::start(brand, Setup { protocol, ..Setup::default() });
        server.put("userdata_1.csv", b"id,name\n1,Ann\n");
        // Of which a log line speaks by SFTP; others are shown a harmless name.
        server.put("odd_\u{1b}.csv", b"id,name\n");
        let address = format!("host: {}, port: {}, credentials: {{name: login}}", server.setup.address, server.port());
        let source = match protocol {
            Protocol::Sftp => format!("sftp: {{{address}, hostKeys: [\"{}\"]}}", server.sftp_job().host_keys[0]),
            Protocol::Ftp => format!("ftp: {{{address}, tls: None}}"),
            _ => format!(
                "ftp: {{{address}, serverName: {}, caBundle: {{configMapKeyRef: {{name: authority, key: ca.crt}}}}}}",
                crate::support::ftpd::NAME
            ),
        };
        let (code, said) = run(&server, &source, PASSWORD);
        assert_eq!(code, Some(0), "{brand:?}: {said}");
        assert!(server.outbox().join("bak/userdata_1.csv").exists(), "{brand:?}: {said}");
        // It is not because nothing is logged.
        assert!(said.contains("left out") || protocol != Protocol::Sftp, "{brand:?}: {said}");
        let (code, refused) = run(&server, &source, WRONG);
        assert_eq!(code, Some(1), "{brand:?}: {refused}");
        for secret in [PASSWORD, "pass phrase", &base64, USER] {
            assert!(!said.contains(secret), "{brand:?}: {secret:?} in {said}");
        }
        for secret in [WRONG, "not the", &data_encoding::BASE64.encode(WRONG.as_bytes())] {
            assert!(!refused.contains(secret), "{brand:?}: {secret:?} in {refused}");
        }
    }
}
