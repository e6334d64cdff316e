//! `usersync browse` on FTP servers: what people see.

use std::{fs, process::Command};

use crate::support::ftpd::{Brand, Ftpd, Protocol, Setup};

/// What it prints of the server's folder, or of another one.
fn browse(server: &Ftpd, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let job = server.job();
    let login = job.login.as_ref().unwrap();
    let secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hr-ftp"},
        "stringData": {"username": login.username, "password": login.password.expose()}});
    let manifest = format!(
        "apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata: {{name: hr}}
spec:
  source:
    ftp: {{host: {}, port: {}, tls: None, credentials: {{name: hr-ftp}}}}
    path: {}
    timeouts: {{login: 5m, firstByte: 5m, stall: 5m}}
  mapping: {{userId: {{column: id}}, properties: [{{property: name}}]}}
  target: {{}}
---
{secret}
",
        job.host, job.port, job.path
    );
    fs::write(folder.path().join("hr.yaml"), manifest).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
    let output = command.args(["browse", "-f", "hr.yaml"]).args(arguments).current_dir(folder.path()).output().unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*wrong), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// One server lists with facts, the other one as `ls` does.
#[test]
fn browse_shows_what_lies_on_the_server() {
    for brand in [Brand::ProFtpd, Brand::Vsftpd] {
        let server = Ftpd::start(brand, Setup { protocol: Protocol::Ftp, ..Setup::default() });
        server.put("userdata_1.csv", b"id,name\n1,Ann\n");
        server.put("Grüße aus Köln.csv", b"");
        server.make_folder("bak");
        server.put("bak/old.csv", b"id\n");
        let said = browse(&server, &[]);
        let lines: Vec<&str> = said.lines().collect();
        let [head, _, taken, other, bak] = lines.as_slice() else { panic!("{said}") };
        assert!(head.starts_with("hr: ftp://") && head.ends_with(", 2 files, 1 folder"), "{said}");
        assert!(taken.starts_with("→ userdata_1.csv ") && taken.contains("  14 bytes  2"), "{said}");
        assert!(taken.ends_with("taken next (will be looked at twice, 10s apart)"), "{said}");
        assert!(
            other.starts_with("  Grüße aus Köln.csv ") && other.ends_with("doesn't match `userdata_*.csv`"),
            "{said}"
        );
        assert!(bak.starts_with("  bak/ ") && bak.ends_with("a folder"), "{said}");
        let said = browse(&server, &["bak"]);
        assert!(said.contains("1 file, 0 folders") && said.contains("\n  old.csv  3 bytes  2"), "{said}");
    }
}
