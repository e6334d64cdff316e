//! The runs of the state folder, read again only where a file has changed.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
};

use super::{
    kept::Kept,
    private::{StateError, read_text, remove, write_yaml},
    records::{fresh_uid, names, version},
    state::State,
};
use crate::{api::UserSyncRun, control::cause::may_be_of, model::sync::Key};

/// Hexadecimal digits at the end of a run's name.
const DIGEST: usize = 20;

/// A sync's name that is longer is cut in its runs' names.
const CUT: usize = 200;

/// What was read before.
#[derive(Debug, Default)]
pub(super) struct RunFiles {
    /// By namespace and name.
    read: BTreeMap<(String, String), (Look, UserSyncRun)>,
    /// While many syncs are looked at: the names in each namespace's folder.
    listed: Option<BTreeMap<String, Vec<String>>>,
}

/// How a file looks from outside: another one when it was replaced.
type Look = (u64, u64, i64, i64);

fn look(metadata: &Metadata) -> Look {
    (metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

impl RunFiles {
    /// The runs of a sync, each with its resource version, in order of name. A damaged file of it is an error.
    pub fn of(&mut self, state: &State, key: &Key) -> Result<Vec<UserSyncRun>, StateError> {
        let names = self.names(state, key)?;
        self.read.retain(|(namespace, name), _| {
            *namespace != key.namespace || !may_be_of(name, &key.name) || names.binary_search(name).is_ok()
        });
        let mut runs = Vec::new();
        for name in names {
            if let Some(run) = self.one(state, &key.namespace, &name)?
                && run.spec.sync == key.name
            {
                runs.push(run);
            }
        }
        Ok(runs)
    }

    /// All runs of a namespace, in order of name. A damaged file is an error.
    pub fn all(&mut self, state: &State, namespace: &str) -> Result<Vec<UserSyncRun>, StateError> {
        let names = names(&state.root().join("runs").join(namespace), ".yaml")?;
        names.iter().filter_map(|name| self.one(state, namespace, name).transpose()).collect()
    }

    /// From here on each folder is listed once, until [`Self::finish`].
    pub fn begin(&mut self) {
        self.listed = Some(BTreeMap::new());
    }

    /// See [`Self::begin`].
    pub fn finish(&mut self) {
        self.listed = None;
    }

    /// The runs that may be the sync's, sorted.
    fn names(&mut self, state: &State, key: &Key) -> Result<Vec<String>, StateError> {
        let folder = state.root().join("runs").join(&key.namespace);
        let all = match &mut self.listed {
            None => names(&folder, ".yaml")?,
            Some(listed) => {
                if !listed.contains_key(&key.namespace) {
                    listed.insert(key.namespace.clone(), names(&folder, ".yaml")?);
                }
                let all = listed.get(&key.namespace).map_or(&[][..], Vec::as_slice);
                // A cut name begins the sync's; any other is begun by it.
                let begin: String = key.name.chars().take(CUT).collect();
                let from = all.partition_point(|name| *name < begin);
                all[from..].iter().take_while(|name| name.starts_with(&begin)).cloned().collect()
            }
        };
        Ok(all.into_iter().filter(|name| may_be_of(name, &key.name)).collect())
    }

    /// One run; None if there is none of that name.
    pub fn one(&mut self, state: &State, namespace: &str, name: &str) -> Result<Option<UserSyncRun>, StateError> {
        let path = state.run_path(namespace, name)?;
        let place = (namespace.to_owned(), name.to_owned());
        let Ok(metadata) = fs::metadata(&path) else {
            self.read.remove(&place);
            return Ok(None);
        };
        if let Some((seen, run)) = self.read.get(&place)
            && *seen == look(&metadata)
        {
            return Ok(Some(run.clone()));
        }
        let Some(text) = read_text(&path)? else { return Ok(None) };
        let mut run = Kept::read(path, &text)?.into_run()?;
        run.metadata.name = Some(name.to_owned());
        run.metadata.namespace = Some(namespace.to_owned());
        run.metadata.resource_version = Some(version(&[&text]));
        self.read.insert(place, (look(&metadata), run.clone()));
        Ok(Some(run))
    }
}

impl State {
    /// Keeps a run as it is now; its resource version is not part of it.
    pub(super) fn put_run(&self, run: &UserSyncRun) -> Result<(), StateError> {
        let mut run = run.clone();
        run.metadata.resource_version = None;
        run.metadata.uid.get_or_insert_with(fresh_uid);
        let metadata = &run.metadata;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        write_yaml(&self.run_path(namespace, metadata.name.as_deref().unwrap_or_default())?, &run)
    }

    /// Deletes a run.
    pub(super) fn delete_run(&self, namespace: &str, name: &str) -> Result<(), StateError> {
        remove(&self.run_path(namespace, name)?)
    }
}

/// The sync that a run of this name belongs to; None where the name was cut, and can't say it.
pub(super) fn sync_of(run: &str) -> Option<&str> {
    let (prefix, digest) = run.split_at_checked(run.len().checked_sub(DIGEST + 1)?)?;
    (digest.starts_with('-') && !prefix.is_empty() && prefix.len() < CUT).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_s_name_says_whose_it_may_be() {
        let digest = "0123456789abcdef0123";
        let long = "x".repeat(253);
        for (run, sync, expected) in [
            (format!("hr-{digest}"), "hr", true),
            (format!("hr-x-{digest}"), "hr", false),
            (format!("hr-x-{digest}"), "hr-x", true),
            (format!("hr-{}", &digest[1..]), "hr", false),
            (format!("hr{digest}-"), "hr", false),
            ("hr".into(), "hr", false),
            (digest.into(), "", false),
            (format!("{}-{digest}", &long[..232]), &long, true),
            (format!("{}-{digest}", &long[..100]), &long, false),
        ] {
            assert_eq!(may_be_of(&run, sync), expected, "{run} {sync}");
        }
        assert_eq!(sync_of(&format!("hr-x-{digest}")), Some("hr-x"));
        assert_eq!(sync_of("ü"), None);
    }
}
