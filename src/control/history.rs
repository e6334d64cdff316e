//! Which runs are kept: `spec.history`.

use super::{
    cause::{ended, ended_at, held},
    deliveries::open,
};
use crate::api::{Mode, UserSync, UserSyncRun};

/// Runs that are kept beyond `spec.history` because somebody is still to be told of them.
const UNTOLD: usize = 100;
/// Simulations that are kept.
const SIMULATIONS: usize = 10;

/// The runs that nobody needs any more: ended, and beyond what `spec.history` keeps of their kind. The latest held run
/// stays always, and so does an approval of a held run that stays: it says that the approval was used. So do the newest of those
/// of which somebody is still to be told.
pub fn expired(sync: &UserSync, runs: &[UserSyncRun]) -> Vec<UserSyncRun> {
    let mut newest: Vec<&UserSyncRun> = runs.iter().filter(|run| ended(run).is_some()).collect();
    newest.sort_by(|a, b| (ended_at(b), &b.metadata.name).cmp(&(ended_at(a), &a.metadata.name)));
    let history = &sync.spec.history;
    let room = |run: &UserSyncRun| match (run.spec.mode, ended(run)) {
        (Mode::Simulation, _) => (0, SIMULATIONS),
        (Mode::Import, Some((true, ..))) => (1, history.successful as usize),
        (Mode::Import, _) => (2, history.failed as usize),
    };
    let mut seen = [0; 3];
    let mut kept: Vec<&UserSyncRun> = Vec::new();
    let mut gone: Vec<&UserSyncRun> = Vec::new();
    let mut held_one = false;
    for run in newest {
        let (kind, room) = room(run);
        seen[kind] += 1;
        let latest_held = held(run) && !held_one;
        held_one |= latest_held;
        if seen[kind] <= room || latest_held { kept.push(run) } else { gone.push(run) }
    }
    let approved = |run: &&UserSyncRun| {
        let approves = run.spec.approves.as_ref();
        approves.is_some_and(|name| kept.iter().any(|run| run.metadata.name.as_ref() == Some(name)))
    };
    gone.retain(|run| !approved(run));
    let mut untold = 0;
    let mut stays = |run: &&UserSyncRun| {
        let stays = open(run) && untold < UNTOLD;
        untold += usize::from(stays);
        stays
    };
    gone.into_iter().filter(|run| !stays(run)).cloned().collect()
}
