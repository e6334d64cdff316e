//! A folder of manifests as a host: what it says, what is kept beside it, and what people ask, merged into objects as a
//! cluster would have them.

mod host;
mod reload;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use tokio::sync::mpsc::UnboundedSender;

pub use self::reload::Reloaded;
use super::{
    ended::NO_UID,
    manifests::{ManifestError, Reading},
    private::StateError,
    records::{Record, version},
    runs::RunFiles,
    seen::{Seen, Shown, digest},
    state::State,
};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncStatus},
    control::cause::ended,
    model::{
        job::SyncId,
        sync::Key,
        view::{Malformed, View},
    },
};

/// A folder of manifests that this process alone works on.
#[derive(Clone)]
pub struct LocalHost(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    state: State,
    /// `--secrets`.
    secrets: Option<PathBuf>,
    world: Mutex<World>,
    /// Held as long as this lives.
    _lock: File,
}

/// What is known, apart from what is kept on disk.
#[derive(Default)]
struct World {
    /// The last reading of each file that could be read.
    files: Reading,
    /// What the manifests say.
    seen: Seen,
    /// UID and generation of each sync, also of one that is gone and not forgotten yet.
    records: BTreeMap<Key, Record>,
    /// Syncs that the last reading did not find.
    missing: BTreeSet<Key>,
    /// Syncs that two readings did not find: to be forgotten.
    gone: Vec<Key>,
    /// What was shown last.
    views: BTreeMap<Key, View>,
    runs: RunFiles,
    /// Who hears what this process wrote itself.
    echo: Option<UnboundedSender<Key>>,
    /// What was said already.
    said: BTreeSet<String>,
}

/// Why a folder can't be worked on.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The manifests' folder can't be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// The state can't be kept, or another process has it.
    #[error(transparent)]
    State(#[from] StateError),
}

impl LocalHost {
    /// Takes the folder for this process, with its state in `state`. Nothing is seen before the first [`Self::reload`].
    pub fn open(folder: &Path, state: State, secrets: Option<PathBuf>) -> Result<Self, LocalError> {
        // Read once to see that it can be: later a folder that can't be read keeps what was seen of it.
        super::manifests::read_folder(folder)?;
        let lock = state.hold(folder)?;
        let world = World { records: state.records()?.into_iter().collect(), ..World::default() };
        let folder = folder.to_owned();
        Ok(Self(Arc::new(Shared { folder, state, secrets, world: Mutex::new(world), _lock: lock })))
    }

    /// What this process writes itself is told there from here on.
    pub(super) fn echo_to(&self, keys: UnboundedSender<Key>) {
        self.0.world().echo = Some(keys);
    }

    /// The folder of manifests.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The state beside it.
    pub fn state(&self) -> &State {
        &self.0.state
    }
}

impl World {
    /// Tells of what this process wrote itself.
    fn wrote(&self, key: Key) {
        if let Some(echo) = &self.echo {
            // Nobody listens any more: the process is about to end.
            let _ = echo.send(key);
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        // Nothing in the world is half changed where a panic could come.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sync as it is right now, with its runs; also what is cached from here on. None: there is none of that name.
    fn look(&self, world: &mut World, key: &Key) -> Result<Option<View>, StateError> {
        let Some(shown) = world.seen.syncs.get(key) else {
            world.views.remove(key);
            return Ok(None);
        };
        let wanted = self.state.requests(key)?.applied(shown);
        let record = self.record(&mut world.records, key, &wanted)?;
        let status = self.state.status(&id(key))?;
        let runs = world.runs.of(&self.state, key)?.into_iter().filter_map(|run| its_own(run, &record.uid)).collect();
        let sync = object(wanted, &record, status);
        let view = View { sync, runs, live: true, target_required: false, bounds: None };
        world.views.insert(key.clone(), View { live: false, ..view.clone() });
        Ok(Some(view))
    }

    /// UID and generation of a sync: kept, made, or counted up.
    fn record(&self, records: &mut BTreeMap<Key, Record>, key: &Key, wanted: &Shown) -> Result<Record, StateError> {
        let digest = digest(&wanted.spec);
        let record = match records.get(key) {
            Some(record) if record.digest == digest && record.file == wanted.file => return Ok(record.clone()),
            Some(record) => {
                let changed = i64::from(record.digest != digest);
                let generation = record.generation + changed;
                Record { digest, file: wanted.file.clone(), generation, ..record.clone() }
            }
            None => Record::new(digest, &wanted.file),
        };
        self.state.write_record(key, &record)?;
        records.insert(key.clone(), record.clone());
        Ok(record)
    }
}

/// The run, if it is one of the sync with this UID. One that `usersync run` carried out is, and can be approved like any.
fn its_own(mut run: UserSyncRun, uid: &str) -> Option<UserSyncRun> {
    if run.spec.uid == NO_UID && ended(&run).is_some() {
        uid.clone_into(&mut run.spec.uid);
    }
    (run.spec.uid == uid).then_some(run)
}

/// The object as a cluster would show it.
#[expect(clippy::result_large_err, reason = "a view holds it like this")]
fn object(wanted: Shown, record: &Record, status: Option<UserSyncStatus>) -> Result<UserSync, Malformed> {
    let generation = record.generation.to_string();
    let metadata = ObjectMeta {
        uid: Some(record.uid.clone()),
        generation: Some(record.generation),
        creation_timestamp: Some(Time(record.creation_timestamp)),
        resource_version: Some(version(&[
            &record.uid,
            &generation,
            &json(&wanted.metadata.annotations),
            &json(&status),
        ])),
        ..wanted.metadata
    };
    match wanted.spec {
        Ok(spec) => Ok(UserSync { metadata, spec, status }),
        Err(message) => Err(Malformed { metadata, status: status.unwrap_or_default(), message }),
    }
}

/// Serialised from types whose keys are texts: it always becomes JSON.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The sync's name as the state folder has it.
pub(super) fn id(key: &Key) -> SyncId {
    SyncId { instance: String::new(), namespace: key.namespace.clone(), name: key.name.clone() }
}
