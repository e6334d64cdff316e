//! Ask: source and target are asked, and what runs left to do is finished, as tasks of this process. Nobody waits for them: when
//! one has ended the sync is looked at again.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use jiff::Timestamp;
use tokio::time::timeout;
use tracing::Instrument;

use super::{patience::Patience, probe::PATIENCE, turns::Turn, world::World};
use crate::{
    api::UserSync,
    control::decide::{finished, probed, sight},
    model::{
        file::Fetched,
        progress::Progress,
        reason::Reason,
        sync::{Failure, Fitness, Key, Tried},
        view::{Asking, Decision, Looked, Memory, Question},
    },
    ports::{HostError, Watch},
};

/// What is asked longer than this waits for somebody else: it leaves its place to others.
const SHORT: Duration = Duration::from_secs(5);
/// How long a probe may take altogether. Each side has a limit of its own; this one is for what comes before.
const PROBE: Duration = Duration::from_secs(PATIENCE.as_secs() + 60);
/// How long it may take to finish what runs left to do. A run of the sync waits that long; what was moved by then stays moved.
const FINISH: Duration = Duration::from_secs(30 * 60);

/// What comes of a question: what to remember of it.
type Answer = Box<dyn FnOnce(&mut Memory) + Send>;

/// Begins what was decided, if that is a question; one that was asked of an earlier spec is dropped.
pub(super) fn ask(world: &Arc<World>, key: &Key, sync: &UserSync, decision: &Decision) {
    let what = match decision {
        Decision::Probe { .. } => Question::Probe,
        Decision::Look { .. } => Question::Look,
        Decision::Finish { .. } => Question::Finish,
        _ => return,
    };
    let dropped = world.ask(key, Asking { generation: generation(sync), what, since: Timestamp::now() });
    // What was begun on the source is ended if there is time; who only asks is not waited for.
    let stop = if what == Question::Finish { world.killed.clone() } else { world.stopping.clone() };
    let (task, key, sync, decision) = (world.clone(), key.clone(), sync.clone(), decision.clone());
    let asked = async move {
        let answer = AssertUnwindSafe(answer(&task, &key, sync, decision)).catch_unwind();
        let answer = tokio::select! {
            answer = answer => answer.unwrap_or_else(|_| Err(defect())),
            () = stop.cancelled() => Ok(nothing()),
            () = dropped.cancelled() => return,
        };
        task.answer(&key, &dropped, answer);
    };
    world.tasks.spawn(asked.in_current_span());
}

/// Waits for a place among those who ask, and asks.
async fn answer(world: &Arc<World>, key: &Key, sync: UserSync, decision: Decision) -> Result<Answer, HostError> {
    let place = Arc::new(Place(Mutex::new(Some(world.asks.take(&key.namespace).await))));
    let patience = Patience::new(place.clone());
    let mut asked = pin!(async {
        match decision {
            Decision::Probe { login } => probe(world, sync, login, &patience).await,
            Decision::Look { slot, tried } => Ok(look(world, sync, slot, tried.unwrap_or_default(), &patience).await),
            Decision::Finish { aside } => Ok(finish(world, sync, &aside, &patience).await),
            _ => Ok(nothing()),
        }
    });
    if let Ok(answer) = timeout(SHORT, &mut asked).await {
        return answer;
    }
    place.waits();
    asked.await
}

fn nothing() -> Answer {
    Box::new(|_| {})
}

async fn probe(world: &World, sync: UserSync, login: bool, patience: &Arc<Patience>) -> Result<Answer, HostError> {
    let asked = world.work.probe(&sync, login, patience.clone());
    let unread = || {
        let seconds = PROBE.as_secs();
        HostError::Unreachable(format!("source and target were asked and had not answered after {seconds} s"))
    };
    let fitness: Fitness = patience.over(PROBE, asked).await.ok_or_else(unread)??;
    let now = Timestamp::now();
    Ok(Box::new(move |memory| {
        memory.probed = Some(probed(memory.probed.as_ref(), generation(&sync), fitness, login, now));
    }))
}

async fn look(world: &World, sync: UserSync, slot: Timestamp, tried: Vec<Tried>, patience: &Arc<Patience>) -> Answer {
    let asked = patience.over(PATIENCE, world.work.look(&sync, &tried, patience.clone())).await;
    let seen = asked.unwrap_or_else(|| {
        let message = format!("the source was asked and had not answered after {} s", PATIENCE.as_secs());
        Err(Failure { reason: Reason::SourceUnreachable, message })
    });
    let now = Timestamp::now();
    Box::new(move |memory| {
        let found = sight(&sync, memory.looked.as_ref(), seen, now);
        memory.looked = Some(Looked { generation: generation(&sync), slot, at: now, found });
    })
}

async fn finish(world: &World, sync: UserSync, aside: &[Fetched], patience: &Arc<Patience>) -> Answer {
    let asked = patience.over(FINISH, world.work.finish(&sync, aside, patience.clone())).await;
    let left = asked.unwrap_or_else(|| {
        let minutes = FINISH.as_secs() / 60;
        let message = format!("it was not done within {minutes} minutes and was broken off; what is moved stays moved");
        Err(Failure { reason: Reason::SourceUnreachable, message })
    });
    if let Err(failure) = &left {
        tracing::warn!(reason = %failure.reason, "what runs left to do could not be tried: {}", failure.message);
    }
    let now = Timestamp::now();
    Box::new(move |memory| {
        memory.finished = Some(finished(memory.finished.as_ref(), generation(&sync), left, now));
    })
}

/// A place among those who ask, given back as soon as its holder waits for others.
struct Place(Mutex<Option<Turn>>);

impl Watch for Place {
    fn at(&self, _: Progress) {}

    fn waits(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn defect() -> HostError {
    HostError::Unreachable("a defect of this program; please report what it logged".to_owned())
}

fn generation(sync: &UserSync) -> i64 {
    sync.metadata.generation.unwrap_or(1)
}
