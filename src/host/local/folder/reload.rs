//! Reading the folder anew: a file that can't be read keeps what was seen of it, a sync must be gone twice before it is
//! forgotten.

use std::collections::BTreeSet;

use super::{LocalHost, Shared, World};
use crate::{
    control::validate::Document,
    host::local::{
        manifests::{Reading, read_folder},
        private::StateError,
        seen::{Shown, in_order, seen},
    },
    model::{sync::Key, view::View},
};

/// What reading the folder has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The syncs that are new, other than before, or gone.
    pub changed: BTreeSet<Key>,
    /// Something may be gone: read again in a moment.
    pub again: bool,
}

impl LocalHost {
    /// Reads the manifests' folder and what is kept beside it. What is wrong is logged, once.
    pub fn reload(&self) -> Reloaded {
        let shared = &self.0;
        let mut world = shared.world();
        let mut said = BTreeSet::new();
        match read_folder(&shared.folder) {
            Ok(reading) => {
                let before: Vec<Key> = world.seen.syncs.keys().cloned().collect();
                for (file, error) in take(&mut world, reading) {
                    said.insert(format!("{error}; what was seen of it before ({file}) still counts"));
                }
                let fresh = settle(&mut world, &before);
                said.extend(fresh);
                shared.tidy(&world);
            }
            Err(error) => {
                said.insert(format!("{error}; what was seen before still counts"));
            }
        }
        for problem in said.difference(&world.said) {
            tracing::error!("{problem}");
        }
        world.said = said;
        let changed = shared.refresh(&mut world, None);
        Reloaded { changed, again: !world.missing.is_empty() }
    }

    /// Looks again at what is kept beside the manifests: of one sync, or of all.
    pub fn refresh(&self, key: Option<&Key>) -> BTreeSet<Key> {
        let mut world = self.0.world();
        self.0.refresh(&mut world, key)
    }
}

/// Takes over a reading. Says which files can't be read: of those the last good reading stays.
fn take(world: &mut World, reading: Reading) -> Vec<(String, String)> {
    let mut unreadable = Vec::new();
    let mut files = Reading::new();
    for (file, read) in reading {
        match read {
            Ok(documents) => {
                files.insert(file, Ok(documents));
            }
            Err(error) => {
                unreadable.push((file.to_string_lossy().into_owned(), error.to_string()));
                // None was read yet: noted, so that its syncs are not taken for gone.
                let last = world.files.remove(&file).unwrap_or(Err(error));
                files.insert(file, last);
            }
        }
    }
    world.files = files;
    unreadable
}

/// What the files say now, with stand-ins for what can't be known. Says the problems that belong to no sync.
fn settle(world: &mut World, before: &[Key]) -> Vec<String> {
    let documents: Vec<Document> = world.files.values().flatten().flatten().cloned().collect();
    let since = |key: &Key| world.records.get(key).map(|record| record.creation_timestamp);
    let mut seen = seen(&in_order(documents, since));
    let unread: BTreeSet<String> = (world.files.iter())
        .filter(|(_, read)| read.is_err())
        .map(|(file, _)| file.to_string_lossy().into_owned())
        .collect();
    let mut missing = BTreeSet::new();
    for (key, record) in &world.records {
        if seen.syncs.contains_key(key) {
            continue;
        }
        if let Some(why) = seen.faulty.get(&record.file) {
            let stand_in = Shown::unreadable(key, &record.file, why);
            seen.syncs.insert(key.clone(), stand_in);
        } else if unread.contains(&record.file) {
            // Of a process before this one. It stays as it is kept, but can't be shown.
        } else {
            missing.insert(key.clone());
        }
    }
    // What is missing for the first time is shown as it was: perhaps somebody is moving files.
    for key in before.iter().filter(|key| missing.contains(key) && !world.missing.contains(key)) {
        if let Some(shown) = world.seen.syncs.get(key) {
            seen.syncs.insert(key.clone(), shown.clone());
        }
    }
    let loose = std::mem::take(&mut seen.loose);
    let second = |key: &&Key| world.missing.contains(key) && !seen.syncs.contains_key(key);
    let gone: Vec<Key> = missing.iter().filter(second).cloned().collect();
    world.missing = missing;
    world.gone = gone;
    world.seen = seen;
    loose
}

impl Shared {
    /// Takes out what was asked and the manifests have overtaken since: they were read after it was asked.
    fn tidy(&self, world: &World) {
        for (key, shown) in &world.seen.syncs {
            let overtaken = self.state.requests(key).is_ok_and(|mut requests| requests.tidy(shown));
            let tidied = if overtaken { self.state.ask(key, |requests| _ = requests.tidy(shown)) } else { Ok(()) };
            if let Err(error) = tidied {
                tracing::warn!(sync = %key, "{error}");
            }
        }
    }

    /// Looks at syncs again and says which are other than they were shown; forgets those that are gone.
    fn refresh(&self, world: &mut World, only: Option<&Key>) -> BTreeSet<Key> {
        let mut changed = BTreeSet::new();
        let keys: BTreeSet<Key> = match only {
            Some(key) => [key.clone()].into(),
            None => world.seen.syncs.keys().chain(world.views.keys()).cloned().collect(),
        };
        // Nothing of it is written meanwhile: this process alone works here.
        world.runs.begin();
        for key in keys {
            let before = world.views.get(&key).map(fingerprint);
            match self.look(world, &key) {
                Ok(now) => {
                    if now.as_ref().map(fingerprint) != before {
                        changed.insert(key);
                    }
                }
                // Whoever looks closer gets the error; it must not be overlooked.
                Err(_) => {
                    changed.insert(key);
                }
            }
        }
        world.runs.finish();
        for key in std::mem::take(&mut world.gone) {
            if let Err(error) = self.forget(world, &key) {
                tracing::error!(sync = %key, "{error}");
            }
            changed.insert(key);
        }
        changed
    }

    /// Removes what is kept of a sync that is gone.
    fn forget(&self, world: &mut World, key: &Key) -> Result<(), StateError> {
        let runs = world.runs.of(&self.state, key)?;
        let names: Vec<String> = runs.into_iter().filter_map(|run| run.metadata.name).collect();
        self.state.forget(key, &names)?;
        world.records.remove(key);
        world.missing.remove(key);
        Ok(())
    }
}

/// What tells two looks at a sync apart: its resource version and those of its runs.
fn fingerprint(view: &View) -> Vec<Option<String>> {
    let sync = match &view.sync {
        Ok(sync) => &sync.metadata,
        Err(malformed) => &malformed.metadata,
    };
    let runs = view.runs.iter().flat_map(|run| [run.metadata.name.clone(), run.metadata.resource_version.clone()]);
    std::iter::once(sync.resource_version.clone()).chain(runs).collect()
}
