//! Pure-FTPd, with its own database of accounts.

use std::{fs, path::Path, process::Command};

use super::{Protocol, Setup, UID, USER, password_hash, program, room::Ports};

pub fn command(folder: &Path, ports: &Ports, setup: &Setup) -> Command {
    assert!(!matches!(setup.protocol, Protocol::Implicit | Protocol::Sftp), "Pure-FTPd has no {:?}", setup.protocol);
    let (accounts, database) = (folder.join("accounts"), folder.join("accounts.pdb"));
    let root = if setup.chroot { "/./" } else { "" };
    let home = format!("{}/home{root}", folder.display());
    fs::write(&accounts, format!("{USER}:{}:{UID}:{UID}::{home}::::::::::::\n", password_hash())).unwrap();
    let made = program("pure-pw").arg("mkdb").arg(&database).arg("-f").arg(&accounts).output().unwrap();
    assert!(made.status.success(), "pure-pw: {}", String::from_utf8_lossy(&made.stderr));

    let mut command = program("pure-ftpd");
    command.env("FTP_ANON_DIR", folder.join("public"));
    command.arg(format!("-S{},{}", setup.address, ports.control));
    command.arg(format!("-p{}:{}", ports.passive.start(), ports.passive.end()));
    command.arg(format!("-lpuredb:{}", database.display()));
    command.arg("-g").arg(folder.join("run/pid"));
    command.args(["-H", "-d", "-u1", "-C50", "-2"]);
    command.arg(format!("{0}/certificate.pem,{0}/key.pem", folder.display()));
    command.arg(if setup.protocol == Protocol::Explicit { "-Y3" } else { "-Y0" });
    if setup.address.is_ipv4() {
        command.arg("-4");
    }
    if !setup.anonymous {
        command.arg("-E");
    }
    command.args(&setup.more);
    command
}
