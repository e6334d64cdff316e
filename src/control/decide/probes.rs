//! Whether source and target are to be asked: after each change of the spec, and as long as they can't be used.

use jiff::{SignedDuration, Timestamp};

use super::ready;
use crate::{
    api::{UserSync, UserSyncStatus},
    control::{backoff::Backoff, cause::uid},
    model::{
        condition::READY,
        sync::Fitness,
        view::{Memory, Probed},
    },
};

/// How often a refused login is tried again, of a schedule `every`.
const LOGIN: SignedDuration = SignedDuration::from_hours(1);

/// Whether to ask.
pub(super) enum Probe {
    Now { login: bool },
    At(Timestamp),
    Never,
}

impl Probe {
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            _ => None,
        }
    }

    fn at_or_now(at: Timestamp, now: Timestamp, login: bool) -> Self {
        if at <= now { Self::Now { login } } else { Self::At(at) }
    }
}

/// Whether the sync's source and target are to be asked now, or when.
pub(super) fn due(sync: &UserSync, status: &UserSyncStatus, memory: &Memory, now: Timestamp) -> Probe {
    let generation = sync.metadata.generation.unwrap_or(1);
    let probed = memory.probed.as_ref().filter(|probed| probed.generation == generation);
    match (ready(status), probed) {
        // What was found usable stays so until a run says otherwise: a restart asks nobody.
        (Some(Ok(())), _) => Probe::Never,
        (None, None) => Probe::Now { login: true },
        (Some(Err(reason)), _) if reason.needs_a_person() => denied(sync, status, probed, now),
        (Some(Err(_)), None) => Probe::Now { login: true },
        (reason, Some(probed)) => {
            let reason = reason.and_then(Result::err);
            let wait = Backoff::for_reason(reason, &sync.spec.source).after(probed.failures, uid(sync));
            Probe::at_or_now(later(probed.at, wait), now, true)
        }
    }
}

/// A login was refused: tried again when a Secret has changed, else once an hour, and only where the schedule looks again and
/// again. (Of the others each slot is a try.)
fn denied(sync: &UserSync, status: &UserSyncStatus, probed: Option<&Probed>, now: Timestamp) -> Probe {
    let Some(probed) = probed else { return Probe::Now { login: false } };
    if probed.failures == 0 && probed.fitness.found.is_none() {
        return Probe::Now { login: true };
    }
    let references =
        Probe::at_or_now(later(probed.at, Backoff::REFERENCES.after(probed.failures, uid(sync))), now, false);
    let polls = sync.spec.schedule.as_ref().is_some_and(|schedule| schedule.every.is_some());
    // A new process doesn't know of the last login; the condition says when they began to fail.
    let since = status.conditions.iter().find(|said| said.type_ == READY).map(|said| said.last_transition_time.0);
    let last = probed.login.or(since.map(|since| hours_from(since, probed.at)));
    match last.filter(|_| polls && !sync.spec.suspend).map(|last| later(last, LOGIN)) {
        Some(login) if login <= now => Probe::Now { login: true },
        Some(login) => match references {
            Probe::At(at) => Probe::At(at.min(login)),
            other => other,
        },
        None => references,
    }
}

/// The last whole hour after `since` that is not after `at`.
fn hours_from(since: Timestamp, at: Timestamp) -> Timestamp {
    let hours = at.duration_since(since).as_hours().max(0);
    later(since, SignedDuration::from_hours(hours))
}

fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What is remembered of a probe, after the one before.
pub fn probed(before: Option<&Probed>, generation: i64, fitness: Fitness, login: bool, now: Timestamp) -> Probed {
    let before = before.filter(|before| before.generation == generation);
    let failures = before.map_or(0, |before| before.failures);
    let last_login = before.and_then(|before| before.login);
    if !login {
        let same = before.is_none_or(|before| before.fitness.references == fitness.references);
        let found = before.filter(|_| same).and_then(|before| before.fitness.found.clone());
        let fitness = Fitness { found, ..fitness };
        // Other references: a login is worth a try.
        let failures = if same { failures.saturating_add(1) } else { 0 };
        return Probed { generation, at: now, failures, login: last_login, fitness };
    }
    let good = fitness.found.as_ref().is_some_and(|found| found.source.is_ok() && found.target.is_ok());
    let failures = if good { 0 } else { failures.saturating_add(1) };
    Probed { generation, at: now, failures, login: Some(now), fitness }
}
