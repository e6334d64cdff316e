//! What to do next: total, pure, and the only place that decides.
//!
//! | file | decides |
//! |---|---|
//! | `claim` | how a run is claimed: what the status says before the run is made |
//! | `active` | what becomes of the run that was claimed |
//! | `probes` | whether source and target are to be asked |
//! | `deliver` | whether to send what runs owe those who are to be told |
//! | `finish` | whether to finish what runs have left to do |
//! | `polls` | whether to look into the folder, and what a look means |

mod active;
mod claim;
mod deliver;
mod finish;
mod polls;
mod probes;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use self::{claim::claim, deliver::Post, polls::Poll, probes::Probe};
pub use self::{deliver::posted, finish::finished, polls::sight, probes::probed};
use super::{
    cause::ended,
    conditions::{says_invalid, status},
    history::expired,
    known::aside,
    overdue::overdue_at,
    requests,
    schedule::Due,
    told,
};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncStatus},
    model::{
        condition::READY,
        reason::Reason,
        sync::Cause,
        view::{Decision, Memory, Question, View},
    },
};

/// The next step for a sync. What the status lacks comes first, then the run that was claimed, then runs that nobody may
/// carry out or needs, then whether source and target can be used, then requests, then the schedule.
pub fn decide(view: &View, memory: &Memory, now: Timestamp) -> Decision {
    // Times of the Kubernetes API have whole seconds. An alarm has not: to wait for it goes by the time as it is.
    let written = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let status = status(view, memory, written);
    let said = match &view.sync {
        Ok(sync) => sync.status.as_ref(),
        Err(malformed) => Some(&malformed.status),
    };
    if said != Some(&status) {
        return first_answer(view, &status, memory, now).unwrap_or_else(|| Decision::Note(Box::new(status)));
    }
    let Ok(sync) = &view.sync else { return Decision::Wait(None) };
    if let Some(overtaken) = active::overtaken(view, memory) {
        return Decision::Leave(overtaken);
    }
    match deliver::due(view, sync, memory, now) {
        Post::Now(decision) => decision,
        Post::At(at) => {
            // From then on it is said that a file is overdue.
            let overdue = overdue_at(sync, &status).filter(|at| *at > now && !says_invalid(&status));
            sooner(on_its_way(view, sync, &status, memory, now), at.into_iter().chain(overdue).min())
        }
    }
}

/// The run that was claimed, and what comes after it.
fn on_its_way(view: &View, sync: &UserSync, status: &UserSyncStatus, memory: &Memory, now: Timestamp) -> Decision {
    let written = Timestamp::from_second(now.as_second()).unwrap_or(now);
    if status.active_run.is_some() {
        return active::work_on(view, sync, status, memory);
    }
    if memory.at_work.is_some() {
        // Its claim is gone, and so is the run: it is stopped, and nothing else starts before it has ended.
        return if view.live { Decision::Wait(None) } else { Decision::Refresh };
    }
    if let Some(stray) = stray(&view.runs) {
        return Decision::End(Box::new(stray.clone()), Box::new(told::refused(written)));
    }
    if view.live && memory.forgetting.is_none_or(|until| until <= now) {
        let expired = expired(sync, &view.runs);
        if !expired.is_empty() {
            return Decision::Forget(expired);
        }
    }
    if says_invalid(status) {
        return Decision::Wait(None);
    }
    match next(view, sync, status, memory, now) {
        Decision::Probe { .. } | Decision::Look { .. } | Decision::Finish { .. } if asks(sync, memory) => {
            Decision::Wait(None)
        }
        decision => decision,
    }
}

/// The same, but looked at again at that moment at the latest.
fn sooner(decision: Decision, at: Option<Timestamp>) -> Decision {
    match decision {
        Decision::Wait(until) => Decision::Wait(until.into_iter().chain(at).min()),
        other => other,
    }
}

/// Whether source and target can be used is found out before anything is said of a spec, if that doesn't take long: each of a
/// thousand new syncs would be written twice.
fn first_answer(view: &View, status: &UserSyncStatus, memory: &Memory, now: Timestamp) -> Option<Decision> {
    let sync = view.sync.as_ref().ok()?;
    let said = sync.status.as_ref();
    let new = said.is_none_or(|said| said.observed_generation != status.observed_generation);
    let idle = said.is_none_or(|said| said.active_run.is_none()) && memory.at_work.is_none() && memory.ended.is_none();
    if !new || !idle || memory.unasked || ready(status).is_some() || says_invalid(status) {
        return None;
    }
    if asks(sync, memory) {
        let until = memory.asking?.since.checked_add(SOON).ok()?;
        return (now < until).then_some(Decision::Wait(Some(until)));
    }
    match probes::due(sync, status, memory, now) {
        Probe::Now { login } => Some(Decision::Probe { login }),
        _ => None,
    }
}

/// What takes longer than this is said to be under way.
const SOON: SignedDuration = SignedDuration::from_secs(5);

/// Whether a question was put that has no answer yet: one at a time. One that was asked of an earlier spec does not count.
fn asks(sync: &UserSync, memory: &Memory) -> bool {
    memory.asking.is_some_and(|asking| Some(asking.generation) == sync.metadata.generation.or(Some(1)))
}

/// Whether what runs have left to do is being finished: no run works meanwhile.
fn finishes(memory: &Memory) -> bool {
    memory.asking.is_some_and(|asking| asking.what == Question::Finish)
}

/// What starts next, with a valid spec and no run at work.
fn next(view: &View, sync: &UserSync, status: &UserSyncStatus, memory: &Memory, now: Timestamp) -> Decision {
    if finishes(memory) {
        return Decision::Wait(None);
    }
    let probe = probes::due(sync, status, memory, now);
    let unknown = ready(status).is_none();
    if let (Probe::Now { login }, true) = (&probe, unknown) {
        return Decision::Probe { login: *login };
    }
    if let Some(cause) = requests::request(sync, status, &view.runs) {
        return start(view, sync, status, &cause);
    }
    if let Probe::Now { login } = probe {
        return Decision::Probe { login };
    }
    let finish = finish::due(sync, status, memory);
    if finish.is_some_and(|at| at <= now) {
        return Decision::Finish { aside: aside(&sync.spec, &view.runs) };
    }
    let mut until = vec![probe.at(), finish];
    if let Some(due) = Due::new(sync, status).filter(|_| !sync.spec.suspend) {
        if due.polls() {
            match polls::due(view, sync, status, memory, &due, now) {
                Poll::Look { slot, tried } => return Decision::Look { slot, tried },
                Poll::Start(slot) => return start(view, sync, status, &Cause::Slot(slot)),
                Poll::At(at) => until.push(at),
            }
        } else {
            match due.now(now).filter(|_| ready(status) != Some(Err(Reason::ReferenceMissing))) {
                Some(slot) => return start(view, sync, status, &Cause::Slot(slot)),
                None => until.push(due.next(now)),
            }
        }
    }
    Decision::Wait(until.into_iter().flatten().min())
}

/// Claims the run with this cause.
fn start(view: &View, sync: &UserSync, status: &UserSyncStatus, cause: &Cause) -> Decision {
    Decision::Note(Box::new(claim(view, sync, status, cause)))
}

/// What Ready says: Ok, or the reason why not; None while that is not known.
fn ready(status: &UserSyncStatus) -> Option<Result<(), Reason>> {
    let ready = status.conditions.iter().find(|said| said.type_ == READY)?;
    match ready.status.as_str() {
        "True" => Some(Ok(())),
        "False" => Reason::named(&ready.reason).map(Err),
        _ => None,
    }
}

/// A run that is not ended, and that nothing has claimed: UserSync did not make it.
fn stray(runs: &[UserSyncRun]) -> Option<&UserSyncRun> {
    runs.iter().find(|run| ended(run).is_none())
}
