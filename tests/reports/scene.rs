//! A bucket on a server, and reports to keep in it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use tempfile::TempDir;
use usersync::{
    model::job::SyncId,
    ports::ReportError,
    reports::s3::{Bucket, S3},
};

use crate::gateway::Gateway;

pub const RUN: &str = "hr-0123456789abcdef0123";
pub const OTHER: &str = "hr-ffffffffffffffffffff";

pub fn hr() -> SyncId {
    SyncId { instance: "usersync".into(), namespace: "people".into(), name: "hr".into() }
}

/// The store at `s3://PLACE`, with that environment.
pub fn opened(place: &str, environment: &BTreeMap<String, String>) -> Result<S3, ReportError> {
    S3::open(Bucket::parse(place).unwrap(), &|name: &str| environment.get(name).cloned())
}

/// The store at `s3://reports/kept` of this server.
pub fn store(gateway: &Gateway) -> S3 {
    opened("reports/kept", &gateway.environment()).unwrap()
}

/// The same with other variables.
pub fn with(gateway: &Gateway, changes: &[(&str, &str)]) -> S3 {
    let mut environment = gateway.environment();
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    opened("reports/kept", &environment).unwrap()
}

/// A folder with these files.
pub fn staged(files: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report");
    fs::create_dir(&path).unwrap();
    for (name, content) in files {
        fs::write(path.join(name), content).unwrap();
    }
    (folder, path)
}

/// Bytes that don't repeat.
pub fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}
