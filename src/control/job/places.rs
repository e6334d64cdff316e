//! What a spec names outside its bounds, whatever its Secrets hold.

use super::{
    JobProblem,
    bounds::{DIRECTORY, place},
    target::{URL_VALUE, sqlite_file},
};
use crate::{api::UserSync, model::job::Bounds};

/// The problems of places that the spec itself names, whatever its Secrets hold.
pub fn out_of_bounds(sync: &UserSync, bounds: &Bounds) -> Vec<JobProblem> {
    let namespace = sync.metadata.namespace.as_deref().unwrap_or(super::DEFAULT_NAMESPACE);
    let folder = sync.spec.source.directory.as_ref().map(|directory| (DIRECTORY, directory.path.clone()));
    let url = sync.spec.target.as_ref().and_then(|target| target.url.as_ref());
    let file = url.and_then(sqlite_file).map(|file| (URL_VALUE, file));
    [folder, file]
        .into_iter()
        .flatten()
        .filter_map(|(field, path)| Some(JobProblem::new(field, place(bounds, namespace, &path).err()?)))
        .collect()
}
