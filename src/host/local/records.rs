//! What the state folder keeps of each sync so that it stays the same one over restarts: UID, generation, age, and what
//! people ask of it.

use std::{
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    path::PathBuf,
};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    lock,
    private::{StateError, make_folder, one_name, read_yaml, remove, unreadable, write_yaml},
    requests::Requests,
    state::State,
};
use crate::model::sync::Key;

/// What a manifest doesn't say of its sync: `objects/NAMESPACE/NAME.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Another sync of the same name has another one.
    pub uid: String,
    /// Counts the changes of the spec, from 1.
    pub generation: i64,
    /// When it was seen first.
    pub creation_timestamp: Timestamp,
    /// Of the spec.
    pub digest: String,
    /// The manifest's file.
    pub file: String,
}

impl Record {
    /// Of a sync that was not seen before.
    pub fn new(digest: String, file: &str) -> Self {
        let now = Timestamp::now();
        let creation_timestamp = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self { uid: fresh_uid(), generation: 1, creation_timestamp, digest, file: file.to_owned() }
    }
}

/// A UID that no other object has.
pub(super) fn fresh_uid() -> String {
    let mut hash = Sha256::new();
    // RandomState is seeded by the system; time and process keep two apart even where that fails.
    for round in 0..4_u8 {
        hash.update(RandomState::new().hash_one(round).to_be_bytes());
    }
    hash.update(format!("{} {}", Timestamp::now(), std::process::id()));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A short digest of parts, each told from the next.
pub(super) fn version(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize()[..12])
}

impl State {
    fn of(&self, kind: &str, key: &Key) -> Result<PathBuf, StateError> {
        let folder = self.root().join(kind).join(one_name(&key.namespace)?);
        Ok(folder.join(format!("{}.yaml", one_name(&key.name)?)))
    }

    /// All syncs that were seen before. A damaged record is an error: as another sync it would run everything again.
    pub(super) fn records(&self) -> Result<Vec<(Key, Record)>, StateError> {
        let mut records = Vec::new();
        for namespace in self.folders("objects")? {
            for name in names(&self.root().join("objects").join(&namespace), ".yaml")? {
                let key = Key { namespace: namespace.clone(), name };
                if let Some(record) = self.record(&key)? {
                    records.push((key, record));
                }
            }
        }
        Ok(records)
    }

    /// What a manifest doesn't say; None: nobody has seen the sync.
    pub(super) fn record(&self, key: &Key) -> Result<Option<Record>, StateError> {
        read_yaml(&self.of("objects", key)?)
    }

    /// The folders in `runs`, `objects`, …: namespaces.
    pub(super) fn folders(&self, kind: &str) -> Result<Vec<String>, StateError> {
        names(&self.root().join(kind), "")
    }

    /// Keeps what a manifest doesn't say.
    pub(super) fn write_record(&self, key: &Key, record: &Record) -> Result<(), StateError> {
        // There before anybody asks: a folder is watched before it has files.
        make_folder(&self.root().join("requests").join(one_name(&key.namespace)?))?;
        write_yaml(&self.of("objects", key)?, record)
    }

    /// What is asked of a sync.
    pub(super) fn requests(&self, key: &Key) -> Result<Requests, StateError> {
        Ok(read_yaml(&self.of("requests", key)?)?.unwrap_or_default())
    }

    /// Changes what is asked of a sync, whoever else does so at the same time.
    pub(super) fn ask(&self, key: &Key, change: impl FnOnce(&mut Requests)) -> Result<(), StateError> {
        let _alone = self.writing()?;
        let before = self.requests(key)?;
        let mut requests = before.clone();
        change(&mut requests);
        let path = self.of("requests", key)?;
        match (requests == before, requests.is_empty()) {
            (true, _) => Ok(()),
            (false, true) => remove(&path),
            (false, false) => write_yaml(&path, &requests),
        }
    }

    /// Forgets a sync that is gone, and its runs; its reports stay.
    pub(super) fn forget(&self, key: &Key, runs: &[String]) -> Result<(), StateError> {
        let _alone = self.writing()?;
        for run in runs {
            remove(&self.run_path(&key.namespace, run)?)?;
        }
        for kind in ["status", "requests", "objects"] {
            remove(&self.of(kind, key)?)?;
        }
        Ok(())
    }

    /// The file of a run.
    pub(super) fn run_path(&self, namespace: &str, run: &str) -> Result<PathBuf, StateError> {
        Ok(self.root().join("runs").join(one_name(namespace)?).join(format!("{}.yaml", one_name(run)?)))
    }

    /// The right to change what other processes change as well; for as long as the result lives, which is short.
    pub(super) fn writing(&self) -> Result<File, StateError> {
        let path = self.root().join(".writing");
        lock::wait(&path).map_err(|source| StateError::Io { path, what: "locked", source })
    }

    /// Takes the whole folder for this process.
    pub(super) fn hold(&self, folder: &std::path::Path) -> Result<File, StateError> {
        let path = self.root().join(".lock");
        match lock::hold(&path) {
            Ok(lock) => Ok(lock),
            Err(lock::LockError::Held(holder)) => Err(StateError::Taken { folder: folder.to_owned(), holder, path }),
            Err(lock::LockError::Io(source)) => Err(StateError::Io { path, what: "locked", source }),
        }
    }

    /// Which process has the whole folder; None: nobody works on it.
    pub(super) fn holder(&self) -> Result<Option<String>, StateError> {
        let path = self.root().join(".lock");
        lock::held_by(&path).map_err(|source| StateError::Io { path, what: "read", source })
    }
}

/// The names in a folder that end like this and are Kubernetes names without it; none where there is no folder.
pub(super) fn names(folder: &std::path::Path, end: &str) -> Result<Vec<String>, StateError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(folder.to_owned(), error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder.to_owned(), error))?;
        let name = entry.file_name();
        // Hidden ones are half written by a process that was killed.
        let plain = name.to_str().and_then(|name| name.strip_suffix(end)).filter(|name| one_name(name).is_ok());
        found.extend(plain.map(str::to_owned));
    }
    found.sort();
    Ok(found)
}
