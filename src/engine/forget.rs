//! Forget: runs that `spec.history` does not keep go, each with its report, as a task of this process. Nobody waits for it: a store
//! that can't be reached delays nothing.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use tracing::Instrument;

use super::world::World;
use crate::{api::UserSyncRun, control::history::expired, model::sync::Key, ports::HostError};

/// When it is tried again what could not be done; at the earliest, for it is tried when the sync's runs are looked at anyway.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Begins to forget runs. The report goes first: broken off in between, the run is still there, and is forgotten again.
pub(super) fn forget(world: &Arc<World>, key: &Key, runs: &[UserSyncRun]) {
    world.with(key, |memory| memory.forgetting = Some(Timestamp::MAX));
    let (task, key, runs) = (world.clone(), key.clone(), runs.to_vec());
    let forgotten = async move {
        let forgotten = AssertUnwindSafe(forgotten(&task, &key, &runs)).catch_unwind();
        let left = tokio::select! {
            forgotten = forgotten => match forgotten {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(_) => Some("a defect of this program; please report what it logged".to_owned()),
            },
            () = task.stopping.cancelled() => return,
        };
        if let Some(why) = &left {
            tracing::warn!("runs that are no longer kept can't be forgotten yet, which is tried again: {why}");
        }
        let again = left.map(|_| Timestamp::now().checked_add(AGAIN).unwrap_or(Timestamp::MAX));
        task.with(&key, |memory| memory.forgetting = again);
        let _ = task.wake.send(key);
    };
    world.tasks.spawn(forgotten.in_current_span());
}

async fn forgotten(world: &World, key: &Key, runs: &[UserSyncRun]) -> Result<(), String> {
    let mut bare = Vec::new();
    let mut left = Ok(());
    for run in runs {
        match world.work.forget(run).await {
            Ok(()) => bare.push(run),
            Err(why) => left = Err(why),
        }
    }
    let said = |error: HostError| error.to_string();
    // That took its time: somebody may have approved one of them meanwhile.
    let view = world.host.live(key).await.map_err(said)?;
    let Some(view) = view else { return Ok(()) };
    let Ok(sync) = &view.sync else { return left };
    let gone = expired(sync, &view.runs);
    let still = |run: &UserSyncRun| gone.iter().any(|gone| gone.metadata.uid == run.metadata.uid);
    for run in bare.into_iter().filter(|run| still(run)) {
        world.host.delete_run(&run.metadata).await.map_err(said)?;
    }
    left
}
