//! What to do next: total, pure, and the only place that decides.

use jiff::Timestamp;

use crate::model::view::{Decision, Memory, View};

/// The next step for a sync.
pub fn decide(_view: &View, _memory: &Memory, _now: Timestamp) -> Decision {
    Decision::Wait(None)
}
