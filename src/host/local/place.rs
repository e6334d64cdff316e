//! A folder of manifests for the verbs: what they ask is kept beside the manifests, whether anybody works on them or not.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::{
    folder::id,
    manifests::{ManifestError, read_folder},
    private::{StateError, one_name},
    records::Record,
    runs::RunFiles,
    seen::{Shown, seen},
    state::{State, beside},
};
use crate::{
    api::{APPROVE, UserSyncRun},
    host::place::{Found, Kept, Place, PlaceError, unread},
    model::sync::Key,
};

/// A folder of manifests with its state.
pub struct Folder {
    folder: PathBuf,
    data: Option<PathBuf>,
    namespace: String,
}

impl Folder {
    /// The manifests in `folder`, with the state beside them or in `data`.
    pub fn new(folder: &Path, data: Option<&Path>, namespace: &str) -> Self {
        Self { folder: folder.to_owned(), data: data.map(Path::to_owned), namespace: namespace.to_owned() }
    }

    /// The state as it is; nothing is made.
    fn state(&self) -> State {
        State::at(&self.data.clone().unwrap_or_else(|| beside(&self.folder)))
    }

    /// The state, to write to.
    fn made(&self) -> Result<State, PlaceError> {
        Ok(State::open(self.state().root())?)
    }

    fn key(&self, name: &str) -> Result<Key, PlaceError> {
        let wrong = |_| PlaceError::Missing(format!("{name:?} is no name of a sync"));
        one_name(&self.namespace).map_err(wrong)?;
        one_name(name).map_err(wrong)?;
        Ok(Key { namespace: self.namespace.clone(), name: name.to_owned() })
    }

    /// What the manifests say of the sync. Of one whose file can't be read, only that it was there.
    fn shown(&self, name: &str) -> Result<(Key, Shown), PlaceError> {
        let key = self.key(name)?;
        let reading = read_folder(&self.folder)?;
        let broken: Vec<String> = reading.values().filter_map(|read| Some(read.as_ref().err()?.to_string())).collect();
        let documents: Vec<_> = reading.into_values().flatten().flatten().collect();
        let mut seen = seen(&documents);
        if let Some(shown) = seen.syncs.remove(&key) {
            return Ok((key, shown));
        }
        let record = self.state().record(&key)?;
        let known = |record: &Record| seen.faulty.contains_key(&record.file) || !broken.is_empty();
        if let Some(record) = record.filter(known) {
            let shown = Shown::unreadable(&key, &record.file, "");
            return Ok((key, shown));
        }
        Err(PlaceError::Missing(self.missing(name, seen.syncs.into_keys(), &broken)))
    }

    /// That there is no such sync, and which there are.
    fn missing(&self, name: &str, all: impl Iterator<Item = Key>, broken: &[String]) -> String {
        let (here, other): (Vec<Key>, Vec<Key>) = all.partition(|key| key.namespace == self.namespace);
        let names = |keys: &[Key]| keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(", ");
        let folder = self.folder.display();
        let there = match (here.is_empty(), other.iter().find(|key| key.name == name)) {
            (_, Some(key)) => format!("; there is one in namespace {0}: add -n {0}", key.namespace),
            (true, None) => String::new(),
            (false, None) => format!("; there is {}", names(&here)),
        };
        let broken: String = broken.iter().map(|why| format!("\n{why}")).collect();
        format!("{folder} has no UserSync {name} in namespace {}{there}{broken}", self.namespace)
    }

    fn run_file(&self, name: &str) -> Result<Option<UserSyncRun>, PlaceError> {
        self.key(name)?;
        Ok(RunFiles::default().one(&self.state(), &self.namespace, name)?)
    }
}

impl From<StateError> for PlaceError {
    fn from(error: StateError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<ManifestError> for PlaceError {
    fn from(error: ManifestError) -> Self {
        Self::Missing(error.to_string())
    }
}

#[async_trait]
impl Place for Folder {
    async fn sync(&self, name: &str) -> Result<Found, PlaceError> {
        let (key, shown) = self.shown(name)?;
        let state = self.state();
        let wanted = state.requests(&key)?.applied(&shown);
        let status = state.status(&id(&key))?.unwrap_or_default();
        let record = state.record(&key)?;
        let metadata = ObjectMeta {
            uid: record.as_ref().map(|record| record.uid.clone()),
            generation: record.as_ref().map(|record| record.generation),
            creation_timestamp: record.map(|record| Time(record.creation_timestamp)),
            ..wanted.metadata
        };
        Ok(Found { metadata, status, suspend: wanted.suspend })
    }

    async fn runs(&self, sync: Option<&str>) -> Result<Vec<UserSyncRun>, PlaceError> {
        if let Some(sync) = sync {
            let key = self.key(sync)?;
            let runs = RunFiles::default().of(&self.state(), &key)?;
            if runs.is_empty() {
                self.shown(sync)?;
            }
            return Ok(runs);
        }
        read_folder(&self.folder)?;
        Ok(RunFiles::default().all(&self.state(), &self.namespace)?)
    }

    async fn run(&self, name: &str) -> Result<Option<UserSyncRun>, PlaceError> {
        self.run_file(name)
    }

    async fn annotate(&self, sync: &str, annotation: &str, value: &str) -> Result<(), PlaceError> {
        let (key, shown) = self.shown(sync)?;
        Ok(self.made()?.ask(&key, |requests| requests.annotate(&shown, annotation, value))?)
    }

    async fn suspend(&self, sync: &str, suspend: bool) -> Result<Option<String>, PlaceError> {
        let (key, shown) = self.shown(sync)?;
        self.made()?.ask(&key, |requests| requests.suspend(&shown, suspend))?;
        Ok((shown.suspend != suspend).then(|| {
            let says = shown.suspend;
            format!("{} says suspend: {says}; this holds until the manifest says something else", shown.file)
        }))
    }

    async fn approve(&self, run: &ObjectMeta, sha256: &str) -> Result<(), PlaceError> {
        let state = self.made()?;
        let name = run.name.as_deref().unwrap_or_default();
        let _alone = state.writing()?;
        let is = self.run_file(name)?.filter(|is| is.metadata.uid == run.uid);
        let mut is = is.ok_or_else(|| PlaceError::Missing(format!("the run {name} is gone")))?;
        is.metadata.annotations.get_or_insert_default().insert(APPROVE.to_owned(), sha256.to_owned());
        Ok(state.put_run(&is)?)
    }

    async fn kept(&self, run: &UserSyncRun, kept: Kept) -> Result<Vec<u8>, PlaceError> {
        let place = PathBuf::from(kept.address(run)?);
        // A run noted its path as seen from the folder it was started in.
        let here = |name: &std::ffi::OsStr| {
            let run_name = run.metadata.name.as_deref().unwrap_or_default();
            self.state().reports().join(&self.namespace).join(&run.spec.sync).join(run_name).join(name)
        };
        let found = place.file_name().map(here).filter(|here| here.is_file()).unwrap_or(place);
        std::fs::read(&found).map_err(|error| unread(run, &found.display().to_string(), &error))
    }

    async fn asleep(&self) -> Option<String> {
        let folder = self.folder.display();
        match self.state().holder() {
            Ok(None) => Some(format!("`usersync local {folder}` is not running: it starts when that runs")),
            _ => None,
        }
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["--local".to_owned(), self.folder.display().to_string()];
        if let Some(data) = &self.data {
            arguments.extend(["--data".to_owned(), data.display().to_string()]);
        }
        if self.namespace != "default" {
            arguments.extend(["-n".to_owned(), self.namespace.clone()]);
        }
        arguments
    }
}
