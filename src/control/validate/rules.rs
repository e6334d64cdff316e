//! The resource's CEL rules (`x-kubernetes-validations`), evaluated as the API server does: defaults first.

use kube::core::cel::{ErrorKind, Validator};
use serde_json::Value;

use super::problem::Finding;

/// Rules of which the code says more exactly which field is to blame, if it comes to that.
const SAID_BETTER: [&str; 6] = [
    "userId.property is mapped by userId already",
    "a property is both mapped and in target.protectedColumns",
    "a property is both mapped and in target.scope",
    "action: Delete removes the users that a file lists",
    "policy: Deactivate needs set",
    "restore sets back what set has set",
];

/// The rules that the document breaks. `wrong` are the fields with which the schema found fault: a rule that can't be
/// evaluated because of them, or speaks of them, is left out. `coded`: the code looks at the document as well.
pub(super) fn findings(schema: &Value, document: &Value, wrong: &[Finding], coded: bool) -> Vec<Finding> {
    let errors = match Validator::new().validate(schema, document, None) {
        Ok(()) => return Vec::new(),
        Err(errors) => errors.into_vec(),
    };
    let told = |path: &str| {
        wrong.iter().any(|finding| {
            let parent = finding.field.rfind(['.', '[']).map_or("", |end| &finding.field[..end]);
            parent == path || finding.field == path
        })
    };
    errors
        .into_iter()
        .filter(|error| match error.kind {
            ErrorKind::ValidationFailure => {
                let better = coded && SAID_BETTER.iter().any(|start| error.message.starts_with(start));
                !(better || told(&error.field_path))
            }
            // Only a document with another form than the schema's makes a rule fail.
            _ => wrong.is_empty(),
        })
        .map(|error| Finding::new(error.field_path, error.message))
        .collect()
}
