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
        view::{Asking, Decision, Memory, View},
    },
    ports::{Host, HostError, Observer, Work},
};

/// Questions that are put at once: see [`super::ask`] for those that take longer.
const ASKS: usize = 32;

/// What the control path works with.
pub(super) struct World {
    pub host: Arc<dyn Host>,
    pub work: Arc<dyn Work>,
    pub observer: Arc<dyn Observer>,
    /// Runs that may work at once.
    pub turns: Arc<Turns>,
    /// Syncs whose source and target may be asked at once.
    pub asks: Arc<Turns>,
    /// The tasks of runs and questions.
    pub tasks: TaskTracker,
    /// No run starts any more.
    pub stopping: CancellationToken,
    /// Runs end now, wherever they are, and what finishes them.
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
    /// Drops what is being asked.
    asked: Option<CancellationToken>,
    /// Why the last question has no answer.
    unanswered: Option<HostError>,
}

impl Known {
    fn drop_question(&mut self) {
        self.memory.asking = None;
        if let Some(asked) = self.asked.take() {
            asked.cancel();
        }
    }
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
            asks: Turns::new(ASKS, Arc::new(Unseen)),
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
        // What a run finds out is newer.
        known.drop_question();
        known.at_work = Some(at_work.clone());
        known.memory.at_work = Some(run.to_owned());
        (known.memory.ended, known.memory.trouble, known.memory.hurried) = (None, None, false);
        at_work
    }

    /// How to reach the sync's run at work.
    pub fn at_work(&self, key: &Key) -> Option<AtWork> {
        self.known().get(key)?.at_work.clone()
    }

    /// Notes that a question is put, in the place of any other one: to be dropped once the token is cancelled.
    pub fn ask(&self, key: &Key, asking: Asking) -> CancellationToken {
        let mut all = self.known();
        let known = all.entry(key.clone()).or_default();
        known.drop_question();
        let dropped = CancellationToken::new();
        (known.memory.asking, known.asked) = (Some(asking), Some(dropped.clone()));
        dropped
    }

    /// Notes what came of the question that has this token, unless it was dropped; the sync is looked at again.
    pub fn answer(&self, key: &Key, dropped: &CancellationToken, answer: Result<impl FnOnce(&mut Memory), HostError>) {
        let mut all = self.known();
        // Whoever drops a question does so under this lock.
        let Some(known) = all.get_mut(key).filter(|_| !dropped.is_cancelled()) else { return };
        (known.memory.asking, known.asked) = (None, None);
        known.memory.unasked = answer.is_err();
        match answer {
            Ok(remember) => remember(&mut known.memory),
            Err(error) => known.unanswered = Some(error),
        }
        let _ = self.wake.send(key.clone());
    }

    /// Why the last question has no answer; once.
    pub fn unanswered(&self, key: &Key) -> Option<HostError> {
        self.known().get_mut(key)?.unanswered.take()
    }

    /// Whether something of the sync is being asked.
    pub fn asks(&self, key: &Key) -> bool {
        self.known().get(key).is_some_and(|known| known.asked.is_some())
    }

    /// Forgets the sync: it is gone. Its run is stopped before it writes anything, if it has not yet.
    pub fn forget(&self, key: &Key) {
        if let Some(mut known) = self.known().remove(key) {
            known.drop_question();
            if let Some(at_work) = known.at_work {
                at_work.stop.cancel();
            }
        }
        self.observer.gone(key);
    }

    /// Whether no run is at work, the end of each is noted, nothing is asked, and nothing sent.
    pub fn quiet(&self) -> bool {
        let quiet = |memory: &Memory| {
            memory.at_work.is_none() && memory.ended.is_none() && memory.asking.is_none() && !memory.posting
        };
        self.known().values().all(|known| quiet(&known.memory))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody counts those who ask.
struct Unseen;
impl Observer for Unseen {}

/// While the process stops, only what has ended is noted.
fn ends_something(decision: &Decision) -> bool {
    match decision {
        Decision::End(..) | Decision::Leave(_) | Decision::Tell(..) => true,
        Decision::Note(status) => status.active_run.is_none(),
        _ => false,
    }
}
