//! What the status says: one function says all of it, from what is and what was said before.
//!
//! It is written only when it changes: nothing in it depends on the time but what has happened and the next slot.

mod fold;
mod left;
mod notified;
mod set;
mod standing;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sha2::{Digest, Sha256};

pub use self::{
    fold::{remember, synced},
    left::refused,
};
use self::{
    left::unfinished,
    notified::{Notified, notified},
    set::Said,
    standing::Standing,
};
use super::{
    cause::{claimed, ended, named, run_digest, run_of},
    deliveries::alert_noted,
    job::{out_of_bounds, problems},
    overdue,
    requests::{annotation_problem, approvals},
    schedule::{Due, words},
};
use crate::{
    api::{UserSync, UserSyncRun, UserSyncStatus, usersync::status::Connection},
    model::{
        condition::{
            ConditionReason, FILE_OVERDUE, NOTIFIED, READY, RECONCILING, REQUEST_REFUSED, SOURCE_READY, STALLED,
            SUSPENDED, SYNCED, UNFINISHED,
        },
        reason::Reason,
        view::{Malformed, Memory, View},
    },
};

/// The status as it should be.
pub fn status(view: &View, memory: &Memory, now: Timestamp) -> UserSyncStatus {
    match &view.sync {
        Ok(sync) => of_sync(view, sync, memory, now),
        Err(malformed) => unreadable(malformed, now),
    }
}

fn of_sync(view: &View, sync: &UserSync, memory: &Memory, now: Timestamp) -> UserSyncStatus {
    let mut status = sync.status.clone().unwrap_or_default();
    if let Some(digest) = claim_to_make(view, sync, &status) {
        // Before anything else is said: what the run is for follows from the status as it was claimed.
        return UserSyncStatus { active_run_digest: Some(digest), ..status };
    }
    let before = status.clone();
    let generation = sync.metadata.generation.unwrap_or(1);
    let problems = spec_problems(view, sync);
    let checked = checked_spec(sync);
    let mut standing = Standing::said(&status, generation, &checked);

    pass_over_missed(sync, &mut status, now);
    own_run(view, memory, &mut status);
    if let Some(run) = run_that_ended(&view.runs, &status).cloned() {
        standing.learn(&run, generation);
        fold::fold(&mut status, &run);
    } else if view.live {
        fold::recover(&mut status, &view.runs);
    }
    standing.probed(memory, generation);
    overdue::expect(sync, &mut status, now);

    status.observed_generation = Some(generation);
    status.checked_spec = Some(checked);
    status.schedule = Some(words(sync.spec.schedule.as_ref()));
    status.next_schedule_time = next_slot(sync, &status, problems.is_empty(), now);
    let mut said = Said::new(&before, generation, now);
    if problems.is_empty() {
        said.of(READY, standing.ready());
        said.kept(SYNCED, &status);
        said.of(SOURCE_READY, standing.source_ready());
        said.while_true(RECONCILING, standing.reconciling());
        said.while_true(STALLED, standing.stalled());
    } else {
        let (reason, message) = invalid(sync, view, &problems);
        said.of(READY, ("False", reason.as_str(), message.clone()));
        said.kept(SYNCED, &status);
        said.of(SOURCE_READY, ("Unknown", reason.as_str(), "the spec must be mended first".to_owned()));
        said.while_true(STALLED, Some((reason.as_str(), message)));
    }
    let suspended = "scheduled runs are suspended (spec.suspend); the annotations still work";
    said.while_true(SUSPENDED, sync.spec.suspend.then(|| (ConditionReason::Suspended.as_str(), suspended.to_owned())));
    let refused = annotation_problem(sync).map(|message| (ConditionReason::InvalidAnnotation.as_str(), message));
    said.while_true(REQUEST_REFUSED, refused);
    let left = unfinished(&status, memory);
    said.while_true(UNFINISHED, left.as_ref().map(|(reason, message)| (reason.as_str(), message.clone())));
    if problems.is_empty() {
        said.while_true(FILE_OVERDUE, overdue::overdue(sync, &status, now));
    } else {
        said.kept(FILE_OVERDUE, &before);
    }
    if let Some(alert) = alert_noted(sync, &status, memory, now) {
        status.file_alert = Some(alert);
    }
    match notified(sync, &view.runs, &status) {
        Notified::As => said.kept(NOTIFIED, &before),
        Notified::Not(reason, message) => said.of(NOTIFIED, ("False", &reason, message)),
        Notified::All => {}
    }
    status.conditions = said.conditions;
    status.connection = Some(connection(sync, &status));
    status
}

/// Everything that code finds wrong with the spec.
fn spec_problems(view: &View, sync: &UserSync) -> Vec<String> {
    let mut found: Vec<String> = problems(&sync.spec).iter().map(ToString::to_string).collect();
    if target_missing(view, sync) {
        found.push(
            "spec.target: say which database the users are in (url, from a Secret, and table): there is no embedded one in a \
             cluster"
                .to_owned(),
        );
    }
    found.extend(view.bounds.iter().flat_map(|bounds| out_of_bounds(sync, bounds)).map(|problem| problem.to_string()));
    found
}

/// Digest of the parts of the spec that Ready speaks of. Not of those that say when, with whose word and who is told: a
/// suspended sync is as ready as before.
fn checked_spec(sync: &UserSync) -> String {
    let mut spec = sync.spec.clone();
    (spec.suspend, spec.schedule, spec.report) = (false, None, None);
    (spec.safeguards, spec.history) = Default::default();
    // Types whose keys are texts: they always become JSON.
    HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&spec).unwrap_or_default()))
}

fn target_missing(view: &View, sync: &UserSync) -> bool {
    view.target_required && sync.spec.target.as_ref().is_none_or(|target| target.url.is_none())
}

/// Whether the status says that the spec can't be obeyed.
pub fn says_invalid(status: &UserSyncStatus) -> bool {
    let reasons = [ConditionReason::InvalidSpec, ConditionReason::TargetRequired];
    let invalid = |reason: &str| reasons.iter().any(|invalid| invalid.as_str() == reason);
    status.conditions.iter().any(|said| said.type_ == STALLED && invalid(&said.reason))
}

fn invalid(sync: &UserSync, view: &View, problems: &[String]) -> (ConditionReason, String) {
    let only_target = problems.len() == 1 && target_missing(view, sync);
    let reason = if only_target { ConditionReason::TargetRequired } else { ConditionReason::InvalidSpec };
    (reason, problems.join("\n"))
}

/// A resource that can't be read: said on itself; what was said of its runs stays.
fn unreadable(malformed: &Malformed, now: Timestamp) -> UserSyncStatus {
    let mut status = malformed.status.clone();
    let generation = malformed.metadata.generation.unwrap_or(1);
    let mut said = Said::new(&malformed.status, generation, now);
    let reason = ConditionReason::InvalidSpec.as_str();
    said.of(READY, ("False", reason, malformed.message.clone()));
    said.kept(SYNCED, &malformed.status);
    said.while_true(STALLED, Some((reason, malformed.message.clone())));
    // Still so: what was missed meanwhile is passed over once it can be read, and what is left is finished.
    said.kept(SUSPENDED, &malformed.status);
    said.kept(UNFINISHED, &malformed.status);
    said.kept(NOTIFIED, &malformed.status);
    said.kept(FILE_OVERDUE, &malformed.status);
    status.conditions = said.conditions;
    status.observed_generation = Some(generation);
    status.next_schedule_time = None;
    status.connection = Some(Connection::Failing);
    status
}

/// After a resume, and with another schedule, what was missed is not made up for: the slot that would be due counts as
/// handled.
fn pass_over_missed(sync: &UserSync, status: &mut UserSyncStatus, now: Timestamp) {
    let resumed = !sync.spec.suspend && status.conditions.iter().any(|said| said.type_ == SUSPENDED);
    let seen = status.observed_generation.is_some();
    let once = sync.spec.schedule.as_ref().is_some_and(|schedule| schedule.once.is_some());
    let other = seen && !once && status.schedule.as_deref() != Some(&words(sync.spec.schedule.as_ref()));
    if (resumed || other)
        && let Some(due) = Due::new(sync, status)
        && let Some(slot) = due.now(now)
    {
        status.last_schedule_time = Some(Time(slot));
    }
}

/// A claim of a run that is not there, and that nothing says how to make, is void. A claim that
/// somebody else removed while the run works is made again.
fn own_run(view: &View, memory: &Memory, status: &mut UserSyncStatus) {
    let Some(name) = &status.active_run else {
        let ours = memory.at_work.as_ref().or(memory.ended.as_ref().map(|attempted| &attempted.run));
        let run = ours.and_then(|name| named(&view.runs, name)).filter(|_| view.live);
        // One that has ended was part of the status before its claim went.
        if let Some(run) = run.filter(|run| ended(run).is_none()) {
            status.active_run = run.metadata.name.clone();
            status.active_run_digest = Some(run_digest(run));
        }
        return;
    };
    if view.live && named(&view.runs, name).is_none() {
        (status.active_run, status.active_run_digest) = (None, None);
    }
}

/// The digest of the run that was claimed and is not there yet: it is made with the spec as it is by now.
fn claim_to_make(view: &View, sync: &UserSync, status: &UserSyncStatus) -> Option<String> {
    let name = status.active_run.as_deref().filter(|_| view.live)?;
    if named(&view.runs, name).is_some() {
        return None;
    }
    let cause = claimed(sync, status, &approvals(sync, &view.runs))?;
    Some(run_digest(&run_of(sync, &cause, &view.runs)))
}

/// The claimed run, if it has ended.
fn run_that_ended<'a>(runs: &'a [UserSyncRun], status: &UserSyncStatus) -> Option<&'a UserSyncRun> {
    let run = named(runs, status.active_run.as_deref()?)?;
    let ours = status.active_run_digest.as_deref() == Some(&run_digest(run));
    (ours && ended(run).is_some()).then_some(run)
}

fn next_slot(sync: &UserSync, status: &UserSyncStatus, valid: bool, now: Timestamp) -> Option<Time> {
    if sync.spec.suspend || !valid {
        return None;
    }
    let due = Due::new(sync, status).filter(|due| !due.polls())?;
    due.next(now).map(Time)
}

/// The connection in one word.
fn connection(sync: &UserSync, status: &UserSyncStatus) -> Connection {
    let failing = status.conditions.iter().any(|said| match said.type_.as_str() {
        READY => said.status == "False",
        SYNCED => said.status == "False" && said.reason != Reason::Held.as_str(),
        _ => false,
    });
    match (failing, sync.spec.suspend) {
        (true, _) => Connection::Failing,
        (false, true) => Connection::Suspended,
        (false, false) => Connection::Active,
    }
}
