//! Post: what runs owe those who are to be told is sent, as a task of this process. Nobody waits for it: neither a run nor a look
//! at the folder.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use jiff::Timestamp;
use tracing::Instrument;

use super::world::World;
use crate::{
    api::{UserSync, UserSyncRun},
    control::decide::posted,
    model::sync::Key,
};

/// Begins to send. What was begun is ended, if there is time: sent and not noted, it would be sent again.
pub(super) fn post(world: &Arc<World>, key: &Key, sync: &UserSync, runs: &[UserSyncRun]) {
    world.with(key, |memory| memory.posting = true);
    let (task, key, sync, runs) = (world.clone(), key.clone(), sync.clone(), runs.to_vec());
    let sent = async move {
        let sent = AssertUnwindSafe(task.work.deliver(&sync, &runs)).catch_unwind();
        let tidings = tokio::select! {
            sent = sent => sent.unwrap_or_default(),
            () = task.killed.cancelled() => return,
        };
        let now = Timestamp::now();
        task.with(&key, |memory| {
            memory.posting = false;
            memory.posted = Some(posted(memory.posted.as_ref(), tidings, now));
        });
        let _ = task.wake.send(key);
    };
    world.tasks.spawn(sent.in_current_span());
}
