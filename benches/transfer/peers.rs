//! The programs that UserSync is compared with. They list the folder first, as UserSync does and as every script must that
//! doesn't know the file's name beforehand.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use usersync::{api::FtpTls, model::job::FtpJob};

/// OpenSSH's `sftp`.
pub fn sftp(user: &str, port: u16, key: &Path, from: &Path, to: &Path) {
    let mut sftp = Command::new("sftp")
        .args(["-q", "-b", "-", "-P", &port.to_string(), "-F", "none", "-i"])
        .arg(key)
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
        .arg(format!("{user}@127.0.0.1"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folder = from.parent().unwrap().display();
    writeln!(sftp.stdin.take().unwrap(), "ls -l {folder}\nget {} {}", from.display(), to.display()).unwrap();
    assert!(sftp.wait().unwrap().success(), "sftp failed");
}

/// `curl`, with the server's certificate verified where there is one.
pub fn curl(job: &FtpJob, name: &str, to: &Path) {
    let login = job.login.as_ref().unwrap();
    let (server, port) = (&job.server_name, job.port);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--user", &format!("{}:{}", login.username, login.password.expose())]);
    curl.args(["--connect-to", &format!("{server}:{port}:{}:{port}", job.host)]);
    if job.tls == FtpTls::Explicit {
        let authority = to.with_extension("ca");
        fs::write(&authority, job.ca_bundle.as_ref().unwrap()).unwrap();
        curl.arg("--ssl-reqd").arg("--cacert").arg(authority);
    }
    // Two slashes: the path begins at the server's root.
    let folder = format!("ftp://{server}:{port}/{}", job.path);
    curl.arg("--output").arg(to.with_extension("listing")).arg(format!("{folder}/"));
    curl.arg("--output").arg(to).arg(format!("{folder}/{name}"));
    assert!(curl.status().expect("curl is missing: apt-get install curl").success(), "curl failed");
}

/// A file that nobody else reads, or OpenSSH doesn't take it for a key.
pub fn private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
