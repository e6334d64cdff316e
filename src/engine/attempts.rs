//! A run at work: its turn, its tries, its progress.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    turns::{Turn, Turns},
    world::{AtWork, World},
};
use crate::{
    api::{UserSyncRun, UserSyncRunStatus},
    control::{
        backoff::Backoff,
        cause::{attempt, ended, named, verdict},
        told::at_work,
    },
    model::{
        condition::ConditionReason,
        progress::Progress,
        reason::Reason,
        sync::{Failure, Key},
        view::Order,
    },
    ports::{Host, HostError, Watch},
};

/// When progress is written first, and how often then.
const FIRST: Duration = Duration::from_secs(2);
const EVERY: Duration = Duration::from_secs(5);
/// How long a run has to end by itself whose sync is gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it is tried to find out, right before the commit, whether the run is still ours; and how often.
const ASKED: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// How often a write is repeated that finds the run changed by somebody who does not carry it out.
const WRITES: u32 = 5;

/// A word of its own for an attempt.
pub(super) fn word() -> String {
    // Each state is keyed anew from the system's randomness.
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// Carries the run out as the attempt of that word, and says how it ended; None: somebody else does, or the process ends.
pub(super) async fn carry_out(
    world: &World,
    key: &Key,
    order: &Order,
    word: &str,
    reach: &AtWork,
) -> Option<UserSyncRunStatus> {
    let seen = Arc::new(Seen {
        progress: Mutex::new(None),
        turns: world.turns.clone(),
        turn: Mutex::new(None),
        stop: reach.stop.clone(),
        host: world.host.clone(),
        key: key.clone(),
        run: order.run.metadata.name.clone().unwrap_or_default(),
        word: word.to_owned(),
    });
    let begun = order.run.status.as_ref().and_then(|status| status.start_time.as_ref());
    let begun = begun.map_or_else(Timestamp::now, |begun| begun.0);
    let mut written = Written { run: order.run.clone(), word: word.to_owned(), begun, progress: None };
    let mut failures = 0;
    let mut last = order.until.is_none();
    loop {
        let turn = tokio::select! {
            turn = world.turns.take(&key.namespace) => turn,
            () = world.stopping.cancelled() => return None,
            () = reach.stop.cancelled() => return None,
        };
        seen.hold(Some(turn));
        // Nothing is touched before the word stands in the run.
        let done = match written.say(world, key, None).await {
            Said::Yes => {
                let watch: Arc<dyn Watch> = seen.clone();
                tokio::select! {
                    done = world.work.run(order, watch) => done,
                    why = report(world, key, &seen, &mut written) => Err(HostError::Conflict(why)),
                    () = gone(reach) => return None,
                }
            }
            Said::NotOurs(why) => Err(HostError::Conflict(why)),
            Said::Unknown(error) => Err(HostError::Unreachable(error.to_string())),
        };
        seen.hold(None);
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
                tracing::warn!("the run is left to another: {other}");
                leave(world, reach).await;
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

/// The sync is gone, and the run had time to end by itself.
async fn gone(reach: &AtWork) {
    reach.stop.cancelled().await;
    tokio::time::sleep(PATIENCE).await;
}

/// Another process works on the run: by the time it is looked at again that one should be through.
pub(super) async fn leave(world: &World, reach: &AtWork) {
    tokio::select! {
        () = tokio::time::sleep(EVERY) => {}
        () = world.stopping.cancelled() => {}
        () = reach.stop.cancelled() => {}
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

/// Writes the progress again and again; ends when the run is not ours any more, and says why.
async fn report(world: &World, key: &Key, seen: &Seen, written: &mut Written) -> String {
    tokio::time::sleep(FIRST).await;
    loop {
        let progress = *seen.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if progress != written.progress {
            match written.say(world, key, progress).await {
                Said::Yes => {}
                Said::NotOurs(why) => return why,
                Said::Unknown(error) => tracing::warn!("how far the run is can't be written: {error}"),
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What the run says of itself, and who it is.
struct Seen {
    progress: Mutex<Option<Progress>>,
    turns: Arc<Turns>,
    /// Given back while the run waits for its server.
    turn: Mutex<Option<Turn>>,
    stop: CancellationToken,
    host: Arc<dyn Host>,
    key: Key,
    run: String,
    word: String,
}

impl Seen {
    fn hold(&self, turn: Option<Turn>) {
        let before = std::mem::replace(&mut *self.turn.lock().unwrap_or_else(PoisonError::into_inner), turn);
        drop(before);
    }
}

#[async_trait]
impl Watch for Seen {
    fn at(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    async fn ours(&self) -> Result<(), String> {
        let patience = Instant::now() + ASKED;
        loop {
            let why = match self.host.live(&self.key).await {
                Ok(view) => {
                    let run = view.as_ref().and_then(|view| named(&view.runs, &self.run));
                    return match run.filter(|run| ended(run).is_none()) {
                        Some(run) if attempt(run) == Some(&self.word) => Ok(()),
                        other => Err(taken(&self.run, other)),
                    };
                }
                Err(error) => error,
            };
            if Instant::now() >= patience {
                return Err(format!(
                    "whether run {} is carried on by another process can't be found out: {why}",
                    self.run
                ));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn waits(&self) {
        self.hold(None);
    }

    async fn goes_on(&self) {
        // Its place on the server is taken: nobody else is next.
        self.hold(Some(self.turns.take_again(&self.key.namespace).await));
    }
}

/// Why the run is not ours, which is this if it has not ended.
fn taken(name: &str, run: Option<&UserSyncRun>) -> String {
    match run {
        Some(_) => format!("another process carries run {name} on"),
        None => format!("run {name} has been ended by another process, or deleted"),
    }
}

/// Whether something could be written into a run.
enum Said {
    Yes,
    /// It has ended already, is gone, or somebody else carries it out.
    NotOurs(String),
    Unknown(HostError),
}

/// What was written of the run.
struct Written {
    run: UserSyncRun,
    word: String,
    begun: Timestamp,
    progress: Option<Progress>,
}

impl Written {
    /// Writes that the run is at work, who works on it, and how far it is.
    async fn say(&mut self, world: &World, key: &Key, progress: Option<Progress>) -> Said {
        let mut status = at_work(ConditionReason::Running.as_str(), "the run is at work", self.begun, &self.word);
        status.progress = progress;
        let mut unknown = HostError::Conflict("it changes again and again".to_owned());
        for _ in 0..WRITES {
            match world.host.write_run(&self.run.metadata, &status).await {
                Ok(version) => {
                    (self.run.metadata.resource_version, self.run.status) = (version, Some(status));
                    self.progress = progress;
                    return Said::Yes;
                }
                Err(error @ (HostError::Conflict(_) | HostError::Gone(_))) => unknown = error,
                Err(error) => return Said::Unknown(error),
            }
            let name = self.run.metadata.name.clone().unwrap_or_default();
            let view = match world.host.live(key).await {
                Ok(view) => view,
                Err(error) => return Said::Unknown(error),
            };
            let there = view.as_ref().and_then(|view| named(&view.runs, &name)).filter(|run| ended(run).is_none());
            // Somebody may have annotated it, and a write of our own may have been carried out without an answer.
            let known = |run: &&UserSyncRun| attempt(run) == attempt(&self.run) || attempt(run) == Some(&self.word);
            match there.filter(known) {
                Some(run) => self.run = run.clone(),
                None => return Said::NotOurs(taken(&name, there)),
            }
        }
        Said::Unknown(unknown)
    }
}
