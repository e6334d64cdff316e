//! What neither schema nor rules can say: texts that have a meaning of their own, and fields that contradict each other.
//! Those that would also keep a job from being built are in [`crate::control::job`].

mod mapping;
mod schedule;
mod shape;
mod source;

use serde_json::Value;

use super::problem::Finding;
use crate::{api::UserSync, control::job};

/// Problems of the parts that a structural schema leaves open.
pub(super) fn shapes(document: &Value) -> Vec<Finding> {
    shape::findings(document)
}

/// Problems of one sync by itself.
pub(super) fn findings(sync: &UserSync) -> Vec<Finding> {
    let spec = &sync.spec;
    let mut findings = source::findings(&spec.source);
    findings.extend(mapping::findings(&spec.mapping));
    findings.extend(spec.schedule.iter().flat_map(schedule::findings));
    for problem in job::problems(spec) {
        if findings.iter().all(|finding| finding.field != problem.field) {
            findings.push(Finding::new(problem.field, problem.message));
        }
    }
    findings
}
