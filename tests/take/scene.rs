//! A sync from a folder or an OpenSSH server into an SQLite database, and what is looked at afterwards.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use usersync::{
    engine::Ended,
    model::job::{SftpJob, SourceJob},
};

use crate::support::{
    bench::{Bench, Database},
    sshd::Sshd,
};

/// A sync with `patch` merged into its spec, from the folder `inbox`.
pub async fn bench(patch: Value) -> Bench {
    let mut spec = json!({
        "source": {"directory": {"path": "inbox"}, "files": "users*", "stableFor": "0s"},
        "mapping": {"userId": {"column": "id"}, "properties": [{"property": "email"}]},
        "target": {},
    });
    json_patch::merge(&mut spec, &patch);
    let bench = Bench::new(Database::Sqlite, spec).await;
    bench.execute("create table users (id text not null primary key, email text)").await;
    bench
}

/// The same from the server's outbox, by way of this port.
pub async fn over_sftp(sshd: &Sshd, port: u16, patch: Value) -> Bench {
    let mut bench = bench(patch).await;
    bench.sync.source = SourceJob::Sftp(Box::new(SftpJob { port, ..sshd.job_with_key() }));
    bench
}

/// A file of that many users, which no compression makes much smaller.
pub fn csv(users: u32) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut text = "id,email\n".to_owned();
    for user in 0..users {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("{user},{state:016x}{:016x}@example.com\n", state.rotate_left(17)));
    }
    text.into_bytes()
}

/// How many users there are.
pub async fn users(bench: &Bench) -> usize {
    bench.rows("select id from users").await.len()
}

/// SHA-256 of what was uploaded.
pub fn sha256(content: &[u8]) -> Option<String> {
    Some(HEXLOWER.encode(&Sha256::digest(content)))
}

/// The digest that the run says its file had.
pub fn said(ended: &Ended) -> Option<String> {
    ended.report.file.as_ref()?.sha256.clone()
}

/// Writes a file that nobody has written to for a minute.
pub fn upload(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    let written = SystemTime::now() - Duration::from_secs(60);
    fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
}

/// Every file below a folder, by its path there.
pub fn files(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path: PathBuf = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    found
}
