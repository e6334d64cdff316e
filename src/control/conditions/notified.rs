//! Whether everybody was told who is to be told: of all runs that still owe something, and of the last one.

use crate::{
    api::{DeliveryState, UserSync, UserSyncRun, UserSyncStatus},
    control::{
        cause::{ended_at, named, uid},
        deliveries::{alert_standing, open, standing, trouble},
    },
};

/// What the condition says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Notified {
    /// Nothing: nobody waits.
    All,
    /// Why somebody was not told: reason and message.
    Not(String, String),
    /// What it said before: the last run's mails have not been tried yet.
    As,
}

/// Seen from the runs that owe something or were refused something: no others are needed.
pub(super) fn notified(sync: &UserSync, runs: &[UserSyncRun], status: &UserSyncStatus) -> Notified {
    let mut waiting: Vec<_> = runs
        .iter()
        .filter(|run| run.spec.uid == uid(sync))
        .map(|run| (ended_at(run), &run.metadata.name, standing(run)))
        .filter(|(.., standing)| standing.iter().any(|one| one.state == DeliveryState::Waiting && one.time.is_some()))
        .collect();
    waiting.sort_by_key(|(ended, name, _)| (*ended, (*name).clone()));
    if let Some((.., standing)) = waiting.last()
        && let Some((reason, message)) = trouble(standing.iter().filter(|one| one.state == DeliveryState::Waiting))
    {
        return Notified::Not(reason, message);
    }
    if let Some((reason, message)) = alert_standing(sync, status)
        .iter()
        .find_map(|one| trouble(std::iter::once(one).filter(|one| one.time.is_some())))
    {
        return Notified::Not(reason, message);
    }
    let last = status.last_run.as_ref().and_then(|last| named(runs, &last.name));
    match last.map(|last| (open(last), standing(last))) {
        Some((true, _)) => Notified::As,
        Some((false, standing)) => {
            trouble(&standing).map_or(Notified::All, |(reason, message)| Notified::Not(reason, message))
        }
        None => Notified::All,
    }
}
