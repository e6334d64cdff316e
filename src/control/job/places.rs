//! What a spec names outside its bounds, whatever its Secrets hold.

use super::{
    JobProblem,
    bounds::{DIRECTORY, file_place, place},
    target::{URL_VALUE, sqlite_file},
};
use crate::{api::UserSync, model::job::Bounds};

/// The problems of places that the spec itself names, whatever its Secrets hold.
pub fn out_of_bounds(sync: &UserSync, bounds: &Bounds) -> Vec<JobProblem> {
    let namespace = sync.metadata.namespace.as_deref().unwrap_or(super::DEFAULT_NAMESPACE);
    let folder = sync.spec.source.directory.as_ref().map(|directory| place(bounds, namespace, &directory.path));
    let url = sync.spec.target.as_ref().and_then(|target| target.url.as_ref());
    let file = url.and_then(sqlite_file).map(|path| file_place(bounds, namespace, &path));
    [(DIRECTORY, folder), (URL_VALUE, file)]
        .into_iter()
        .filter_map(|(field, place)| Some(JobProblem::new(field, place?.err()?)))
        .collect()
}
