//! Looking into the folder again and again, of a schedule `every`: a look that finds nothing makes no run and writes nothing.

use jiff::{SignedDuration, Timestamp};

use super::ready;
use crate::{
    api::{UserSync, UserSyncStatus},
    control::{known::tried, schedule::Due},
    model::{
        sync::{Candidate, Failure, Tried},
        view::{Looked, Memory, Sight, View},
    },
};

/// What is due.
pub(super) enum Poll {
    Look { slot: Timestamp, tried: Option<Vec<Tried>> },
    Start(Timestamp),
    At(Option<Timestamp>),
}

/// Whether to look, to start a run for what was seen, or to wait.
pub(super) fn due(
    view: &View,
    sync: &UserSync,
    status: &UserSyncStatus,
    memory: &Memory,
    due: &Due<'_>,
    now: Timestamp,
) -> Poll {
    // As long as source or target can't be used, they are asked by themselves: no run for each try.
    if ready(status) != Some(Ok(())) {
        return Poll::At(None);
    }
    let Some(slot) = due.now(now) else { return Poll::At(due.next(now)) };
    let generation = sync.metadata.generation.unwrap_or(1);
    let tried = || match &memory.tried {
        _ if view.live => Some(tried(&sync.spec, &view.runs)),
        Some((known, tried)) if *known == generation => Some(tried.clone()),
        _ => None,
    };
    let looked = memory.looked.as_ref().filter(|looked| looked.generation == generation && looked.slot == slot);
    match looked.map(|looked| &looked.found) {
        None => Poll::Look { slot, tried: tried() },
        Some(Sight::Nothing) => Poll::At(due.next(now)),
        Some(Sight::Growing(_, since)) => match since.checked_add(stable_for(sync)) {
            Ok(settled) if settled > now => Poll::At(Some(settled)),
            _ => Poll::Look { slot, tried: tried() },
        },
        Some(Sight::File(_) | Sight::Failed(_)) => Poll::Start(slot),
    }
}

/// What a look means, after the one before: a file is taken once it has not changed for `stableFor`.
pub fn sight(
    sync: &UserSync,
    before: Option<&Looked>,
    seen: Result<Option<Candidate>, Failure>,
    now: Timestamp,
) -> Sight {
    let candidate = match seen {
        Err(failure) => return Sight::Failed(failure),
        Ok(None) => return Sight::Nothing,
        Ok(Some(candidate)) => candidate,
    };
    let since = match before.map(|before| &before.found) {
        Some(Sight::Growing(file, since)) if *file == candidate.file => *since,
        _ => now,
    };
    let settled = since.checked_add(stable_for(sync)).is_ok_and(|settled| settled <= now);
    if candidate.settled || settled { Sight::File(candidate.file) } else { Sight::Growing(candidate.file, since) }
}

fn stable_for(sync: &UserSync) -> SignedDuration {
    SignedDuration::try_from(sync.spec.source.stable_for().get()).unwrap_or(SignedDuration::MAX)
}
