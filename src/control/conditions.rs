//! What the status says.

use jiff::Timestamp;

use crate::{
    api::UserSyncStatus,
    model::view::{Memory, View},
};

/// The status as it should be.
pub fn status(view: &View, _memory: &Memory, _now: Timestamp) -> UserSyncStatus {
    match &view.sync {
        Ok(sync) => sync.status.clone().unwrap_or_default(),
        Err(malformed) => malformed.status.clone(),
    }
}
