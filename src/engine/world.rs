//! What the control path works with: the ports, and what this process remembers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::turns::Turns;
use crate::{
    control::decide::decide,
    model::{
        sync::Key,
        view::{Decision, Memory, View},
    },
    ports::{Host, Observer, Work},
};

/// What the control path works with.
pub(super) struct World {
    pub host: Arc<dyn Host>,
    pub work: Arc<dyn Work>,
    pub observer: Arc<dyn Observer>,
    /// Runs that may work at once.
    pub turns: Arc<Turns>,
    /// The tasks of runs.
    pub tasks: TaskTracker,
    /// No run starts any more.
    pub stopping: CancellationToken,
    /// Runs end now, wherever they are.
    pub killed: CancellationToken,
    /// Syncs to look at.
    pub wake: mpsc::UnboundedSender<Key>,
    known: Mutex<HashMap<Key, Known>>,
}

/// What is known of a sync.
#[derive(Default)]
struct Known {
    memory: Memory,
    at_work: Option<AtWork>,
}

/// How to reach the run at work.
#[derive(Clone, Default)]
pub(super) struct AtWork {
    /// Wakes it while it waits for a server.
    pub hurry: Arc<Notify>,
    /// Ends it before it writes anything.
    pub stop: CancellationToken,
}

impl World {
    pub fn new(
        host: Arc<dyn Host>,
        work: Arc<dyn Work>,
        observer: Arc<dyn Observer>,
        runs: usize,
        wake: mpsc::UnboundedSender<Key>,
    ) -> Self {
        Self {
            host,
            work,
            turns: Turns::new(runs, observer.clone()),
            observer,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
            wake,
            known: Mutex::default(),
        }
    }

    /// The next step for the sync as it is seen, now.
    pub fn decide(&self, key: &Key, view: &View) -> Decision {
        let now = Timestamp::now();
        let decision = self.with(key, |memory| decide(view, memory, now));
        if self.stopping.is_cancelled() && !ends_something(&decision) { Decision::Wait(None) } else { decision }
    }

    /// Reads or changes what is remembered of the sync.
    pub fn with<T>(&self, key: &Key, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.known().entry(key.clone()).or_default().memory)
    }

    /// Notes that a run of the sync is at work.
    pub fn begin(&self, key: &Key, run: &str) -> AtWork {
        let mut all = self.known();
        let known = all.entry(key.clone()).or_default();
        let at_work = AtWork::default();
        known.at_work = Some(at_work.clone());
        known.memory.at_work = Some(run.to_owned());
        (known.memory.ended, known.memory.trouble, known.memory.hurried) = (None, None, false);
        at_work
    }

    /// How to reach the sync's run at work.
    pub fn at_work(&self, key: &Key) -> Option<AtWork> {
        self.known().get(key)?.at_work.clone()
    }

    /// Forgets the sync: it is gone. Its run is stopped before it writes anything, if it has not yet.
    pub fn forget(&self, key: &Key) {
        if let Some(at_work) = self.known().remove(key).and_then(|known| known.at_work) {
            at_work.stop.cancel();
        }
        self.observer.gone(key);
    }

    /// Whether no run is at work, and the end of each is noted.
    pub fn quiet(&self) -> bool {
        self.known().values().all(|known| known.memory.at_work.is_none() && known.memory.ended.is_none())
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While the process stops, only what has ended is noted.
fn ends_something(decision: &Decision) -> bool {
    match decision {
        Decision::End(..) | Decision::Leave(_) => true,
        Decision::Note(status) => status.active_run.is_none(),
        _ => false,
    }
}
