//! The control path's motor: a change, an alarm or the end of a run → a look at the sync.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{queue::Queue, reconcile::reconcile, world::World};
use crate::{
    control::backoff::Backoff,
    model::sync::Key,
    ports::{Host, HostError, Observer, Work},
};

/// Syncs that are looked at side by side.
const AT_ONCE: usize = 32;
/// How long a sync waits that could not be looked at.
const AFTER_ERROR: Backoff = Backoff::seconds(1, 60);

/// How the controller works.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Runs that work at once.
    pub max_concurrent_runs: usize,
    /// How long runs have to end once the process is to stop.
    pub grace: Duration,
}

/// The control path of all syncs of one host.
pub struct Controller {
    world: Arc<World>,
    woken: mpsc::UnboundedReceiver<Key>,
    grace: Duration,
}

type Looked = (Key, Result<Option<Timestamp>, HostError>);

impl Controller {
    /// A controller of what `host` has. `work` is done as tasks of this process.
    pub fn new(host: Arc<dyn Host>, work: Arc<dyn Work>, observer: Arc<dyn Observer>, options: Options) -> Self {
        let (wake, woken) = mpsc::unbounded_channel();
        let world = World::new(host, work, observer, options.max_concurrent_runs, wake);
        Self { world: Arc::new(world), woken, grace: options.grace }
    }

    /// Works until `stop`: then no run starts any more, and those at work have the grace time to end. What has not ended by
    /// then is dropped before its commit, or has committed: whoever is next finds out.
    ///
    /// `changes` names each sync that is new, gone or different, or has a run that is; also what this process wrote itself.
    pub async fn run(mut self, mut changes: impl Stream<Item = Key> + Send + Unpin, stop: CancellationToken) {
        let mut queue = Queue::default();
        let mut looks: JoinSet<Looked> = JoinSet::new();
        let mut failures: HashMap<Key, u32> = HashMap::new();
        let mut end: Option<Instant> = None;
        loop {
            while looks.len() < AT_ONCE
                && let Some(key) = queue.next()
            {
                looks.spawn(look(self.world.clone(), key));
            }
            if end.is_some() && looks.is_empty() && self.world.quiet() {
                return;
            }
            tokio::select! {
                Some(key) = changes.next(), if end.is_none() => {
                    // Which files the schedule passes over may be different now.
                    self.world.with(&key, |memory| memory.tried = None);
                    queue.soon(key);
                }
                Some(key) = self.woken.recv() => queue.soon(key),
                () = queue.alarm() => {}
                Some(looked) = looks.join_next(), if !looks.is_empty() => {
                    if let Ok((key, result)) = looked {
                        let after = self.after(&key, result, &mut failures);
                        queue.done(key, after);
                    }
                }
                () = stop.cancelled(), if end.is_none() => {
                    self.world.stopping.cancel();
                    end = Some(Instant::now() + self.grace);
                }
                () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    tracing::warn!("the grace time is over: runs at work are dropped, nothing of them is half done");
                    self.world.killed.cancel();
                    self.world.tasks.close();
                    self.world.tasks.wait().await;
                    return;
                }
            }
        }
    }

    /// When to look at the sync again.
    fn after(
        &self,
        key: &Key,
        result: Result<Option<Timestamp>, HostError>,
        failures: &mut HashMap<Key, u32>,
    ) -> Option<Duration> {
        let wait = match result {
            Ok(until) => {
                // What is being asked may fail once more.
                if !self.world.asks(key) {
                    failures.remove(key);
                }
                until?.duration_since(Timestamp::now())
            }
            Err(error) => {
                let count = failures.entry(key.clone()).or_default();
                *count = count.saturating_add(1);
                tracing::warn!(sync = %key, "can't be looked at, tried again later: {error}");
                self.world.observer.failed(key, &error);
                AFTER_ERROR.after(*count, &key.to_string())
            }
        };
        // An alarm a moment too early would find nothing due, and set itself again and again.
        Some(Duration::try_from(wait + SignedDuration::from_millis(5)).unwrap_or_default())
    }
}

/// A look that panics, by a defect of ours or of a library, is an error of this sync alone.
async fn look(world: Arc<World>, key: Key) -> Looked {
    let span = tracing::info_span!("sync", sync = %key);
    let looked = AssertUnwindSafe(reconcile(&world, &key)).catch_unwind().instrument(span).await;
    let defect = |_| Err(HostError::Unreachable("a defect of this program; please report what it logged".to_owned()));
    (key, looked.unwrap_or_else(defect))
}
