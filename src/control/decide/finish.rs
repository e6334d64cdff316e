//! Finishing what runs have left to do: moving a file, publishing a report. Tried again and again, without a run and without
//! writing anything as long as nothing changes.

use jiff::{SignedDuration, Timestamp};

use super::ready;
use crate::{
    api::{UserSync, UserSyncStatus},
    control::{backoff::Backoff, cause::uid, conditions::refused},
    model::{
        condition::UNFINISHED,
        sync::{Failure, Unfinished},
        view::{Finished, Memory},
    },
};

/// How long to wait for somebody to make room, or to give a right.
const AGAIN: Backoff = Backoff::seconds(30, 600);
/// How long, where the login was refused and the schedule looks again and again: trying it again may lock the account.
const DENIED: SignedDuration = SignedDuration::from_hours(1);

/// When to try; None: there is nothing to do, or it has to wait for something else. What has been tried is in memory: after a
/// restart, after each run and with another spec, it is tried at once. But a login that was refused is tried again by the next
/// run alone, whatever starts that, and of a schedule `every` once an hour.
pub(super) fn due(sync: &UserSync, status: &UserSyncStatus, memory: &Memory) -> Option<Timestamp> {
    let left = status.conditions.iter().any(|said| said.type_ == UNFINISHED);
    if !left || sync.spec.suspend || ready(status) != Some(Ok(())) {
        return None;
    }
    let generation = sync.metadata.generation.unwrap_or(1);
    let polls = sync.spec.schedule.as_ref().is_some_and(|schedule| schedule.every.is_some());
    let Some(last) = memory.finished.as_ref().filter(|last| last.generation == generation) else {
        let wait = memory.finished.is_none() && refused(status) && !polls;
        return (!wait).then_some(Timestamp::UNIX_EPOCH);
    };
    let wait = match &last.left {
        Err(failure) if failure.reason.needs_a_person() && polls => DENIED,
        Err(failure) if failure.reason.needs_a_person() => return None,
        _ => AGAIN.after(last.failures, uid(sync)),
    };
    Some(last.at.checked_add(wait).unwrap_or(Timestamp::MAX))
}

/// What is remembered of a try, after the one before.
pub fn finished(
    before: Option<&Finished>,
    generation: i64,
    left: Result<Option<Unfinished>, Failure>,
    now: Timestamp,
) -> Finished {
    let failures = before.filter(|before| before.generation == generation).map_or(0, |before| before.failures);
    let failures = if left == Ok(None) { 0 } else { failures.saturating_add(1) };
    Finished { generation, at: now, failures, left }
}
