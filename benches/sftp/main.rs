//! Fetches 200 MB over a line with a round trip of 20 ms, with UserSync and with OpenSSH's own `sftp` in turns, and prints
//! the seconds of each and their ratio.
//!
//!     cargo bench --bench sftp
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use support::{delay::Proxy, sshd::Sshd};
use usersync::{
    model::{file::Stamp, job::SftpJob},
    ports::Source,
    source::{servers::Servers, sftp::Sftp},
};

const BYTES: usize = 200_000_000;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    for (line, one_way) in [("20 ms round trip", Duration::from_millis(10)), ("loopback", Duration::ZERO)] {
        let (ours, theirs) = compare(one_way).await;
        println!(
            "sftp {} MB, {line}: UserSync {ours:.2} s, OpenSSH sftp {theirs:.2} s, ratio {:.2}",
            BYTES / 1_000_000,
            ours / theirs
        );
    }
}

/// Median seconds of UserSync and of OpenSSH, login included.
async fn compare(one_way: Duration) -> (f64, f64) {
    let sshd = Sshd::start("");
    let proxy = Proxy::start(sshd.port, one_way).await;
    let content: Vec<u8> =
        (0..BYTES as u32 / 4).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let (file, copy) = (sshd.outbox().join("users.csv"), sshd.path("copy"));
    fs::write(&file, &content).unwrap();
    let job = SftpJob { port: proxy.port, ..sshd.job_with_key() };
    let key = sshd.path("bench_key");
    private(&key, job.private_key.as_ref().unwrap().expose());

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        fetch(&job, &copy).await;
        ours.push(started.elapsed());
        assert!(fs::read(&copy).unwrap() == content, "UserSync's copy differs");
        fs::remove_file(&copy).unwrap();

        let started = Instant::now();
        let (user, port, from, to, with) = (job.username.clone(), proxy.port, file.clone(), copy.clone(), key.clone());
        tokio::task::spawn_blocking(move || openssh(&user, port, &with, &from, &to)).await.unwrap();
        theirs.push(started.elapsed());
        assert!(fs::read(&copy).unwrap() == content, "sftp's copy differs");
        fs::remove_file(&copy).unwrap();
    }
    (median(ours), median(theirs))
}

async fn fetch(job: &SftpJob, copy: &Path) {
    let source = Sftp::new(job.clone(), &Servers::default());
    let listed = source.list().await.unwrap();
    let stamp = Stamp::from(listed.iter().find(|listed| listed.name == "users.csv").unwrap());
    let mut into = tokio::fs::File::create(copy).await.unwrap();
    source.fetch(&stamp, 0, &mut into, &|_| {}).await.unwrap();
    tokio::io::AsyncWriteExt::flush(&mut into).await.unwrap();
}

fn openssh(user: &str, port: u16, key: &Path, from: &Path, to: &Path) {
    let mut sftp = Command::new("sftp")
        .args(["-q", "-b", "-", "-P", &port.to_string(), "-F", "none", "-i"])
        .arg(key)
        .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"])
        .arg(format!("{user}@127.0.0.1"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(sftp.stdin.take().unwrap(), "get {} {}", from.display(), to.display()).unwrap();
    assert!(sftp.wait().unwrap().success(), "sftp failed");
}

/// A file that nobody else reads, or OpenSSH doesn't take it for a key.
fn private(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}
