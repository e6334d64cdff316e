//! What is told of a change of status.

use crate::{api::UserSyncStatus, model::event::Event};

/// What happened between two statuses.
pub fn events(_before: &UserSyncStatus, _after: &UserSyncStatus) -> Vec<Event> {
    Vec::new()
}
