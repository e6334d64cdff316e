//! Fetches 200 MB by SFTP, FTP and FTPS over lines with round trips of 0, 20 and 100 ms, with UserSync and with the program that
//! people would use instead, in turns: OpenSSH's `sftp`, and `curl`. Prints the median seconds of each, login included, and
//! their ratio.
//!
//! ```text
//! cargo bench --bench transfer             5 rounds
//! cargo bench --bench transfer -- 3        another number
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod peers;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use support::{
    delay::Proxy,
    ftpd::{Brand, Ftpd, Protocol, Setup, open},
    sshd::Sshd,
};
use usersync::{
    model::{
        file::Stamp,
        job::{FtpJob, SftpJob, SourceJob},
    },
    ports::Source,
};

const BYTES: usize = 200_000_000;
const FILE: &str = "users.csv";
/// Where the delayed lines are reached, under the servers' own ports.
const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 200, 1);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench"); // from cargo
    let rounds = arguments.next().map_or(5, |number| number.parse().expect("a number of rounds"));
    let content: Vec<u8> =
        (0..BYTES as u32 / 4).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    println!("{:<10} {:<8} {:>6} {:>10} {:>10}   {:<14} {:>5}", "server", "", "line", "UserSync", "peer", "", "ratio");
    for round_trip in [0, 20, 100] {
        let one_way = Duration::from_millis(round_trip / 2);
        let line = format!("{round_trip} ms");
        let say = |server: &str, protocol: &str, peer: &str, (ours, theirs): (f64, f64)| {
            println!(
                "{server:<10} {protocol:<8} {line:>6} {ours:>8.2} s {theirs:>8.2} s   {peer:<14} {:>5.2}",
                ours / theirs
            );
        };
        say("OpenSSH", "SFTP", "OpenSSH sftp", by_sftp(&content, one_way, rounds).await);
        for (brand, name) in [(Brand::Vsftpd, "vsftpd"), (Brand::ProFtpd, "ProFTPD"), (Brand::PureFtpd, "Pure-FTPd")] {
            for (protocol, text) in [(Protocol::Ftp, "FTP"), (Protocol::Explicit, "FTPS")] {
                let server = Ftpd::start(brand, Setup { protocol, ..Setup::default() });
                say(name, text, "curl", by_ftp(&server, &content, one_way, rounds).await);
            }
        }
    }
}

async fn by_sftp(content: &[u8], one_way: Duration, rounds: usize) -> (f64, f64) {
    let sshd = Sshd::start("");
    let proxy = Proxy::start(sshd.port, one_way).await;
    let file = sshd.outbox().join(FILE);
    fs::write(&file, content).unwrap();
    let job = SftpJob { port: proxy.port, ..sshd.job_with_key() };
    let key = sshd.path("bench_key");
    peers::private(&key, job.private_key.as_ref().unwrap().expose());
    let (user, port) = (job.username.clone(), proxy.port);
    let peer = move |to: &Path| peers::sftp(&user, port, &key, &file, to);
    compare(&SourceJob::Sftp(Box::new(job)), peer, content, rounds).await
}

async fn by_ftp(server: &Ftpd, content: &[u8], one_way: Duration, rounds: usize) -> (f64, f64) {
    server.put(FILE, content);
    let mut line = Vec::new();
    for port in server.passive().chain([server.port()]) {
        line.push(Proxy::at(FAR, port, one_way).await);
    }
    let job = FtpJob { host: FAR.to_string(), ..server.job() };
    let theirs = job.clone();
    compare(&SourceJob::Ftp(Box::new(job)), move |to| peers::curl(&theirs, FILE, to), content, rounds).await
}

/// Median seconds of UserSync and of a peer that copies the file to where it is told.
async fn compare(
    job: &SourceJob,
    peer: impl Fn(&Path) + Send + Sync + 'static,
    content: &[u8],
    rounds: usize,
) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let peer = Arc::new(peer);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let started = Instant::now();
        fetch(&*open(job.clone()), &copy).await;
        ours.push(started.elapsed());
        assert!(fs::read(&copy).unwrap() == content, "UserSync's copy differs");
        fs::remove_file(&copy).unwrap();

        let (fetch, to) = (peer.clone(), copy.clone());
        let started = Instant::now();
        tokio::task::spawn_blocking(move || fetch(&to)).await.unwrap();
        theirs.push(started.elapsed());
        assert!(fs::read(&copy).unwrap() == content, "the peer's copy differs");
        fs::remove_file(&copy).unwrap();
    }
    (median(ours), median(theirs))
}

async fn fetch(source: &dyn Source, copy: &Path) {
    let listed = source.list().await.unwrap();
    let stamp = Stamp::from(listed.iter().find(|listed| listed.name == FILE).unwrap());
    let mut into = tokio::fs::File::create(copy).await.unwrap();
    source.fetch(&stamp, 0, &mut into, &|_| {}).await.unwrap();
    tokio::io::AsyncWriteExt::flush(&mut into).await.unwrap();
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}
