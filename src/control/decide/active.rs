//! The run that was claimed: made, carried out, ended.

use jiff::{SignedDuration, Timestamp};

use super::finishes;
use crate::{
    api::{APPROVE, Trigger, UserSync, UserSyncRun, UserSyncStatus},
    control::{
        cause::{attempt, claimed, ended, named, run_digest, run_name, run_of},
        known::{file_of, tried},
        outage::noted,
        requests::{approvals, waits},
    },
    model::{
        file::Stamp,
        job::{Approval, Seen, Shown},
        sync::Cause,
        view::{Attempted, Decision, Memory, Order, Sight, View},
    },
};

/// What becomes of the claimed run. (One that has ended is part of the status already.)
pub(super) fn work_on(view: &View, sync: &UserSync, status: &UserSyncStatus, memory: &Memory) -> Decision {
    let name = status.active_run.as_deref().unwrap_or_default();
    let run = named(&view.runs, name);
    if let Some(attempted) = &memory.ended
        && attempted.run == name
        && let Some(run) = run
    {
        let status = noted(run, &attempted.status, &view.runs);
        return Decision::End(Box::new(run.clone()), Box::new(status));
    }
    if memory.at_work.as_deref() == Some(name) {
        let hurry = memory.trouble.is_some() && !memory.hurried && waits(sync, status, &view.runs);
        return if hurry { Decision::Hurry(name.to_owned()) } else { Decision::Wait(None) };
    }
    match run {
        Some(run) if status.active_run_digest.as_deref() != Some(&run_digest(run)) => {
            // Somebody took the name for a run of their own: ours is made in its place.
            Decision::Forget(vec![run.clone()])
        }
        Some(run) if ended(run).is_none() && finishes(memory) => Decision::Wait(None),
        Some(run) if ended(run).is_none() => Decision::Execute(Box::new(order(sync, run, &view.runs, memory))),
        Some(_) => Decision::Wait(None),
        None => match claimed(sync, status, &approvals(sync, &view.runs)) {
            Some(cause) => Decision::Create(Box::new(run_of(sync, &cause, &view.runs))),
            // A cache that lags behind: what is there now says more.
            None => Decision::Refresh,
        },
    }
}

/// The run whose end another process speaks for, although an attempt of this one has come to an end as well.
///
/// Each attempt writes its word into the run before it touches anything, takes the ledger's fence after that, and makes sure
/// that its word still stands right before it commits. So whoever's word stands when the run is ended has seen every commit of
/// the attempts before, and none of theirs can come later: it says what is, and they must not say anything.
pub(super) fn overtaken(view: &View, memory: &Memory) -> Option<String> {
    let Attempted { run: name, attempt: ours, .. } = memory.ended.as_ref()?;
    let speaks = |run: &UserSyncRun| ended(run).is_none() && attempt(run).is_none_or(|theirs| theirs == ours);
    (!named(&view.runs, name).is_some_and(speaks)).then(|| name.clone())
}

fn order(sync: &UserSync, run: &UserSyncRun, runs: &[UserSyncRun], memory: &Memory) -> Order {
    let scheduled = run.spec.trigger == Trigger::Schedule;
    let spec = &run.spec.sync_spec;
    let deadline = spec.schedule.as_ref().map(|schedule| schedule.starting_deadline.get());
    let until = run.spec.slot.as_ref().zip(deadline).and_then(|(slot, deadline)| {
        // `once: {now: {}}` stands for the moment at which the resource was made, however long ago.
        let begun = run.metadata.creation_timestamp.as_ref().map_or(slot.0, |created| created.0.max(slot.0));
        begun.checked_add(SignedDuration::try_from(deadline).unwrap_or(SignedDuration::MAX)).ok()
    });
    Order {
        run: run.clone(),
        approval: approval(sync, run, runs),
        tried: scheduled.then(|| tried(spec, runs)),
        settled: settled(run, memory),
        until: until.or(scheduled.then_some(Timestamp::UNIX_EPOCH)),
    }
}

/// The file that the poll of this slot saw standing still. What is in memory says it: after a restart it is looked at twice
/// again.
fn settled(run: &UserSyncRun, memory: &Memory) -> Option<Stamp> {
    let slot = run.spec.slot.as_ref()?.0;
    let looked =
        memory.looked.as_ref().filter(|looked| looked.slot == slot && looked.generation == run.spec.generation);
    match &looked?.found {
        Sight::File(stamp) => Some(stamp.clone()),
        _ => None,
    }
}

/// What was approved: the annotation's value, for at most what the held run showed. None of another run than an approved
/// one; a held run that is gone, or was damaged, covers nothing. Neither does a value that was written after this run was
/// claimed: that one has a run of its own.
fn approval(sync: &UserSync, run: &UserSyncRun, runs: &[UserSyncRun]) -> Option<Approval> {
    let held = run.spec.approves.as_deref()?;
    let nothing =
        Approval { sha256: String::new(), held: Some(Seen { shown: Shown::default(), last: None, file: None }) };
    let Some(held) = named(runs, held) else { return Some(nothing) };
    let sha256 = held.metadata.annotations.as_ref().and_then(|all| all.get(APPROVE)).cloned().unwrap_or_default();
    let Some(status) = &held.status else { return Some(nothing) };
    let (guard, counts) = (status.guard.clone().unwrap_or_default(), status.counts.unwrap_or_default());
    let last = status.basis.as_ref().and_then(|basis| basis.last_import.clone()).filter(|name| !name.is_empty());
    let theirs = status.file.as_ref().and_then(|file| file.sha256.clone()).unwrap_or_default();
    let sha256 = sha256.trim().to_ascii_lowercase();
    let cause = Cause::Approval { run: held.metadata.name.clone().unwrap_or_default(), sha256: sha256.clone() };
    if run.metadata.name.as_deref() != Some(&run_name(sync, &cause)) {
        return Some(nothing);
    }
    let shown = if sha256 == theirs {
        Shown { removals: guard.removals, emptied: guard.emptied, rejected: counts.rejected, updated: counts.updated }
    } else {
        Shown::default()
    };
    Some(Approval { sha256, held: Some(Seen { shown, last, file: file_of(held) }) })
}
