//! What the manifest may say and this version can't do: refused, never ignored.

use super::JobProblem;
use crate::api::UserSyncSpec;

/// Every field whose feature is not in this version.
pub fn unavailable(spec: &UserSyncSpec) -> Vec<JobProblem> {
    let drop_box = spec.source.drop_box.as_ref().map(|_| {
        let message = "the drop box: not available in this version; remove the field (use sftp or directory)";
        JobProblem::new("spec.source.dropBox", message)
    });
    drop_box.into_iter().collect()
}
