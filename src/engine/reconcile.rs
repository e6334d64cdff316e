//! One look at a sync: what it needs is done step by step, until there is nothing left to do.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use jiff::Timestamp;
use tracing::Instrument;

use super::{
    ask::ask,
    attempts,
    forget::forget,
    post::post,
    world::{AtWork, World},
};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus, UserSyncStatus},
    control::{
        events::events,
        known::tried,
        told::{failed, orphaned},
    },
    model::{
        event::EventKind,
        reason::Reason,
        sync::Key,
        view::{Attempted, Decision, Order, View},
    },
    ports::HostError,
};

/// More steps than this in a row lead nowhere.
const STEPS: u32 = 64;

/// Looks at the sync until there is nothing left to do; says when to look again.
///
/// What is done to runs is decided on what was read just before. How a sync is may be said on what a watch has shown, and any
/// status on what was read a while ago: it is written only if the resource is still the same.
/// Source and target are asked by tasks, as runs are carried out: nothing here waits for either.
pub(super) async fn reconcile(world: &Arc<World>, key: &Key) -> Result<Option<Timestamp>, HostError> {
    let begun = Instant::now();
    if let Some(error) = world.unanswered(key) {
        return Err(error);
    }
    let Some(mut view) = world.host.cached(key).await? else { return gone(world, key).await };
    let mut fresh = false;
    for _ in 0..STEPS {
        let mut decision = world.decide(key, &view); //                      pure
        let may = fresh || (view.live && matches!(decision, Decision::Note(_)));
        if !may && decision.needs_truth(&view) {
            let Some(live) = world.host.live(key).await? else { return gone(world, key).await };
            (view, fresh) = (live, true);
            remember_tried(world, key, &view);
            decision = world.decide(key, &view); //                          pure
        }
        if let Decision::Wait(until) = decision {
            if let Ok(sync) = &view.sync {
                world.observer.reconciled(sync, begun.elapsed().as_secs_f64());
            }
            return Ok(until);
        }
        let asks = match &decision {
            Decision::Probe { .. } | Decision::Look { .. } | Decision::Finish { .. } | Decision::Deliver(_) => true,
            Decision::Forget(runs) => !claims(&view, runs),
            _ => false,
        };
        let (version, overtaken) = match step(world, key, &view, &decision).await {
            Ok(version) => (version, false),
            // Somebody else wrote meanwhile: what is there now says what to do.
            Err(HostError::Conflict(_) | HostError::Exists(_) | HostError::Gone(_)) => (None, true),
            Err(error) => return Err(error),
        };
        match (decision, version, &mut view.sync) {
            // What was written is what is there now.
            (Decision::Note(status), Some(version), Ok(sync)) => {
                sync.metadata.resource_version = Some(version);
                sync.status = Some(*status);
            }
            // The question is put, and nothing is different.
            _ if asks => {}
            _ => {
                // What was overtaken says the same again.
                let truth = view.live || overtaken;
                let again = if truth { world.host.live(key).await? } else { world.host.cached(key).await? };
                let Some(again) = again else { return gone(world, key).await };
                (fresh, view) = (again.live, again);
            }
        }
    }
    Err(HostError::Unreachable(format!("{key}: {STEPS} steps led to no rest; looked at again later")))
}

/// One effect. Says the resource's new version, if it was written.
async fn step(world: &Arc<World>, key: &Key, view: &View, decision: &Decision) -> Result<Option<String>, HostError> {
    match decision {
        Decision::Note(status) => return note(world, view, status).await,
        Decision::Create(run) => world.host.create_run(run).await?,
        Decision::Execute(order) => execute(world, key, (**order).clone()),
        Decision::End(run, status) => end(world, key, run, status).await?,
        Decision::Leave(run) => leave(world, key, run),
        Decision::Deliver(runs) => {
            if let Ok(sync) = &view.sync {
                post(world, key, sync, runs);
            }
        }
        Decision::Tell(run, status) => tell(world, run, status).await?,
        Decision::Hurry(_) => {
            world.with(key, |memory| memory.hurried = true);
            if let Some(run) = world.at_work(key) {
                run.hurry.notify_one();
            }
        }
        // A run of somebody else that has the name of the one that is claimed.
        Decision::Forget(runs) if claims(view, runs) => {
            for run in runs {
                world.host.delete_run(&run.metadata).await?;
            }
        }
        Decision::Forget(runs) => forget(world, key, runs),
        Decision::Probe { .. } | Decision::Look { .. } | Decision::Finish { .. } => {
            if let Ok(sync) = &view.sync {
                ask(world, key, sync, decision);
            }
        }
        Decision::Wait(_) | Decision::Refresh => {}
    }
    Ok(None)
}

/// Whether one of these runs has the name of the run that the status has claimed.
fn claims(view: &View, runs: &[UserSyncRun]) -> bool {
    let claimed = view.sync.as_ref().ok().and_then(|sync| sync.status.as_ref()?.active_run.as_ref());
    claimed.is_some_and(|name| runs.iter().any(|run| run.metadata.name.as_ref() == Some(name)))
}

async fn note(world: &World, view: &View, status: &UserSyncStatus) -> Result<Option<String>, HostError> {
    let (metadata, before) = match &view.sync {
        Ok(sync) => (&sync.metadata, sync.status.clone().unwrap_or_default()),
        Err(malformed) => (&malformed.metadata, malformed.status.clone()),
    };
    let version = world.host.write_status(metadata, status).await?;
    for event in events(&before, status) {
        let last = status.last_run.as_ref().map(|run| run.name.as_str());
        let run = status.active_run.as_deref().filter(|_| event.kind == EventKind::RunStarted).or(last);
        tracing::info!(event = event.kind.as_str(), run, "{}", event.message);
        world.host.tell(metadata, &event).await;
    }
    Ok(version)
}

async fn end(world: &World, key: &Key, run: &UserSyncRun, status: &UserSyncRunStatus) -> Result<(), HostError> {
    world.host.write_run(&run.metadata, status).await?;
    world.observer.ended(run, status);
    world.with(key, |memory| memory.ended.take_if(|attempted| Some(&attempted.run) == run.metadata.name.as_ref()));
    Ok(())
}

/// Who was told of a run stands in its status from here on.
async fn tell(world: &World, run: &UserSyncRun, status: &UserSyncRunStatus) -> Result<(), HostError> {
    world.host.write_run(&run.metadata, status).await?;
    world.observer.told(run, status);
    Ok(())
}

/// Another process speaks for the run, and is given the time to do so before it is tried again here.
fn leave(world: &Arc<World>, key: &Key, name: &str) {
    tracing::warn!(run = name, "another process has carried the run on: what came of it here does not count");
    let reach = world.begin(key, name);
    let (task, key) = (world.clone(), key.clone());
    world.tasks.spawn(async move {
        attempts::leave(&task, &reach).await;
        through(&task, key, &reach, None);
    });
}

const DEFECT: &str =
    "a defect of this program; please report what it logged. Whether the run was committed, the next one says";

/// Starts the run as a task of this process. When it has ended the sync is looked at again.
fn execute(world: &Arc<World>, key: &Key, order: Order) {
    let name = order.run.metadata.name.clone().unwrap_or_default();
    let reach = world.begin(key, &name);
    let span = tracing::info_span!("run", run = %name);
    let (task, key) = (world.clone(), key.clone());
    world.tasks.spawn(
        async move {
            let word = attempts::word();
            let attempt = AssertUnwindSafe(attempts::carry_out(&task, &key, &order, &word, &reach)).catch_unwind();
            let ended = tokio::select! {
                ended = attempt => ended.unwrap_or_else(|_| Some(failed(Reason::LocalFailed, DEFECT, Timestamp::now()))),
                () = task.killed.cancelled() => None,
            };
            let ended = ended.map(|status| Attempted { run: name, attempt: word, status });
            through(&task, key, &reach, ended);
        }
        .instrument(span),
    );
}

/// No run of the sync is at work any more: unless it is gone, it is looked at again.
fn through(world: &World, key: Key, reach: &AtWork, ended: Option<Attempted>) {
    if reach.stop.is_cancelled() {
        return;
    }
    world.with(&key, |memory| {
        (memory.at_work, memory.trouble, memory.hurried) = (None, None, false);
        // What the run found out of source and target is newer.
        (memory.probed, memory.looked, memory.finished) = (None, None, None);
        memory.ended = ended;
    });
    let _ = world.wake.send(key);
}

/// Remembers which files the schedule passes over: so that a look asks nobody for the runs.
fn remember_tried(world: &World, key: &Key, view: &View) {
    if let Ok(sync) = &view.sync {
        let tried = tried(&sync.spec, &view.runs);
        world.with(key, |memory| memory.tried = Some((generation(sync), tried)));
    }
}

/// There is no such sync. A run that somebody made by hand may name it all the same: that is said on the run.
async fn gone(world: &World, key: &Key) -> Result<Option<Timestamp>, HostError> {
    world.forget(key);
    for run in world.host.orphans(key).await? {
        let refused = orphaned(&key.name, Timestamp::now());
        match world.host.write_run(&run.metadata, &refused).await {
            // Whoever changed it: the change is looked at.
            Ok(_) | Err(HostError::Conflict(_) | HostError::Gone(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn generation(sync: &UserSync) -> i64 {
    sync.metadata.generation.unwrap_or(1)
}
