//! A run at work: its turn, its tries, its progress.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::world::{AtWork, World};
use crate::{
    api::{UserSyncRun, UserSyncRunStatus},
    control::{
        backoff::Backoff,
        cause::{ended, named, verdict},
        told::at_work,
    },
    model::{
        condition::ConditionReason,
        progress::Progress,
        reason::Reason,
        sync::{Failure, Key},
        view::Order,
    },
    ports::{HostError, Watch},
};

/// When progress is written first, and how often then.
const FIRST: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_secs(5);

/// Carries the run out, and says how it ended; None: somebody else does, or the process ends.
pub(super) async fn carry_out(world: &World, key: &Key, order: &Order, reach: &AtWork) -> Option<UserSyncRunStatus> {
    let seen = Arc::new(Seen { progress: Mutex::new(None), stop: reach.stop.clone() });
    let mut written = Written { run: order.run.clone(), begun: Timestamp::now(), progress: None };
    let mut failures = 0;
    let mut last = order.until.is_none();
    loop {
        let turn = tokio::select! {
            turn = world.turns.take(&key.namespace) => turn,
            () = world.stopping.cancelled() => return None,
            () = reach.stop.cancelled() => return None,
        };
        written.say(world, key, None).await;
        let watch: Arc<dyn Watch> = seen.clone();
        let done = tokio::select! {
            done = world.work.run(order, watch) => done,
            () = report(world, key, &seen, &mut written) => None?,
        };
        drop(turn);
        let wait = match done {
            Ok(status) => {
                let trouble = trouble(&status)
                    .filter(|_| !last && !reach.stop.is_cancelled())
                    .filter(|_| order.until.is_some_and(|until| Timestamp::now() < until));
                let Some(trouble) = trouble else { return Some(status) };
                failures += 1;
                let wait = pause(order, trouble.reason, failures);
                tracing::warn!(reason = %trouble.reason, %failures, "the run waits and tries again: {}", trouble.message);
                world.with(key, |memory| memory.trouble = Some(trouble));
                let _ = world.wake.send(key.clone());
                wait
            }
            Err(HostError::Unreachable(why)) => {
                failures += 1;
                tracing::warn!("the run waits and tries again: {why}");
                pause(order, Reason::ReferenceMissing, failures)
            }
            Err(other) => {
                // Another process works on this run: by the time it is looked at again that one should be through.
                tracing::warn!("the run is left to another: {other}");
                tokio::time::sleep(EVERY).await;
                return None;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = reach.hurry.notified() => last = true,
            () = world.stopping.cancelled() => return None,
            () = reach.stop.cancelled() => return None,
        }
    }
}

/// What the run should wait for to get better, if that may help.
fn trouble(status: &UserSyncRunStatus) -> Option<Failure> {
    let (_, reason, message) = verdict(status)?;
    let reason = Reason::named(reason).filter(|reason| reason.heals())?;
    Some(Failure { reason, message: message.to_owned() })
}

fn pause(order: &Order, reason: Reason, failures: u32) -> Duration {
    let backoff = Backoff::for_reason(Some(reason), &order.run.spec.sync_spec.source);
    let wait: SignedDuration = backoff.after(failures, order.run.metadata.name.as_deref().unwrap_or_default());
    Duration::try_from(wait).unwrap_or_default()
}

/// Writes the progress again and again; ends when the run is not ours any more.
async fn report(world: &World, key: &Key, seen: &Seen, written: &mut Written) {
    tokio::time::sleep(FIRST).await;
    loop {
        let progress = *seen.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress != written.progress && !written.say(world, key, progress).await {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// How far the run is, as it says it.
struct Seen {
    progress: Mutex<Option<Progress>>,
    stop: CancellationToken,
}

impl Watch for Seen {
    fn at(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// What was written of the run.
struct Written {
    run: UserSyncRun,
    begun: Timestamp,
    progress: Option<Progress>,
}

impl Written {
    /// Writes that the run is at work, and how far. False: it has ended already, or is gone. Whatever else goes wrong doesn't
    /// concern the run.
    async fn say(&mut self, world: &World, key: &Key, progress: Option<Progress>) -> bool {
        let mut status = at_work(ConditionReason::Running.as_str(), "the run is at work", self.begun);
        status.progress = progress;
        match world.host.write_run(&self.run.metadata, &status).await {
            Ok(version) => {
                self.run.metadata.resource_version = version;
                self.progress = progress;
            }
            Err(HostError::Gone(_)) => return false,
            // Somebody annotated it, or ended it.
            Err(HostError::Conflict(_)) => match world.host.live(key).await {
                Ok(Some(view)) => {
                    let name = self.run.metadata.name.as_deref().unwrap_or_default();
                    match named(&view.runs, name) {
                        Some(run) if ended(run).is_none() => self.run = run.clone(),
                        _ => return false,
                    }
                }
                Ok(None) => return false,
                Err(error) => tracing::warn!("how far the run is can't be written: {error}"),
            },
            Err(error) => tracing::warn!("how far the run is can't be written: {error}"),
        }
        true
    }
}
