//! What the manifest may say and this version can't do: refused, never ignored.

use super::JobProblem;
use crate::api::UserSyncSpec;

/// Every field whose feature is not in this version.
pub fn unavailable(spec: &UserSyncSpec) -> Vec<JobProblem> {
    let source = &spec.source;
    let authorities = spec.target.as_ref().is_some_and(|target| target.ca_bundle.is_some());
    [
        (source.drop_box.is_some(), "spec.source.dropBox", "the drop box", "use sftp or directory"),
        (authorities, "spec.target.caBundle", "certificates for the database", "let the system trust the authority"),
    ]
    .into_iter()
    .filter(|(used, ..)| *used)
    .map(|(_, field, feature, instead)| {
        JobProblem::new(field, format!("{feature}: not available in this version; remove the field ({instead})"))
    })
    .collect()
}
