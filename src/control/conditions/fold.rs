//! A run that ended becomes part of its sync's status.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    api::{Mode, Trigger, UserSyncRun, UserSyncStatus, usersync::status::RunSummary},
    control::{
        cause::{ended, ended_at},
        overdue::came,
    },
    model::{
        condition::{ConditionReason, SYNCED, UNFINISHED},
        reason::{Reason, Verdict},
    },
};

/// How many runs a status names.
const RECENT: usize = 5;

/// Notes the run that was claimed: it has ended.
pub(super) fn fold(status: &mut UserSyncStatus, run: &UserSyncRun) {
    (status.active_run, status.active_run_digest) = (None, None);
    match (run.spec.trigger, &run.spec.token) {
        (Trigger::UpdateNow, Some(token)) => status.last_completed_update_now = Some(token.clone()),
        (Trigger::SimulateNow, Some(token)) => status.last_completed_simulate_now = Some(token.clone()),
        _ => {}
    }
    came(status, run);
    remember(status, run);
    unfinished(status, run);
    // Where there was nothing to import, or it was not this run's fault, the verdict before stays.
    let says_nothing = [Reason::NoFile, Reason::ApprovalOutdated, Reason::Stopped, Reason::Refused];
    let reason = ended(run).and_then(|(_, reason, _)| Reason::named(reason));
    if !reason.is_some_and(|reason| says_nothing.contains(&reason)) {
        synced(status, run);
    }
}

/// Notes what the run, or one before it, left to do. A run that got as far as to the file has tried to finish the imports before
/// it; a file that could not be set aside is none of its business.
fn unfinished(status: &mut UserSyncStatus, run: &UserSyncRun) {
    let left = run.status.iter().flat_map(|status| &status.conditions).find(|said| said.type_ == UNFINISHED);
    let tried = run.spec.mode == Mode::Import
        && ended(run).and_then(|(_, reason, _)| Reason::named(reason)).is_some_and(Reason::used_both);
    let aside = ConditionReason::FileNotSetAside.as_str();
    match left {
        Some(left) => {
            status.conditions.retain(|said| said.type_ != UNFINISHED);
            status.conditions.push(left.clone());
        }
        None if tried => status.conditions.retain(|said| said.type_ != UNFINISHED || said.reason == aside),
        None => {}
    }
}

/// Notes a run that has ended as the last one, and among the recent ones.
pub fn remember(status: &mut UserSyncStatus, run: &UserSyncRun) {
    let Some(summary) = summary(run) else { return };
    status.recent_runs.retain(|recent| recent.name != summary.name);
    status.recent_runs.insert(0, summary.clone());
    status.recent_runs.truncate(RECENT);
    status.last_run = Some(summary);
}

/// What the runs say, where the status says nothing of any: somebody emptied it.
pub(super) fn recover(status: &mut UserSyncStatus, runs: &[UserSyncRun]) {
    let synced = status.conditions.iter().any(|said| said.type_ == SYNCED);
    if status.last_run.is_some() && synced {
        return;
    }
    let ours = |run: &&UserSyncRun| ended(run).is_some_and(|(_, reason, _)| reason != Reason::Refused.as_str());
    let mut all: Vec<&UserSyncRun> = runs.iter().filter(ours).collect();
    all.sort_by_key(|run| (ended_at(run), run.metadata.name.clone()));
    let mut said = UserSyncStatus::default();
    all.into_iter().for_each(|run| fold(&mut said, run));
    if status.last_run.is_none() {
        (status.last_run, status.recent_runs) = (said.last_run, said.recent_runs);
        status.last_completed_update_now = status.last_completed_update_now.take().or(said.last_completed_update_now);
        let simulated = said.last_completed_simulate_now;
        status.last_completed_simulate_now = status.last_completed_simulate_now.take().or(simulated);
    }
    if !synced {
        status.conditions.extend(said.conditions);
        status.last_successful_time = status.last_successful_time.take().or(said.last_successful_time);
    }
}

fn summary(run: &UserSyncRun) -> Option<RunSummary> {
    let (_, reason, _) = ended(run)?;
    let status = run.status.clone().unwrap_or_default();
    Some(RunSummary {
        name: run.metadata.name.clone().unwrap_or_default(),
        mode: run.spec.mode,
        reason: reason.to_owned(),
        start_time: status.start_time,
        completion_time: status.completion_time,
        file: status.file,
        counts: status.counts.unwrap_or_default(),
        reports: status.reports.unwrap_or_default(),
    })
}

/// Notes the verdict of the last import; a simulation has none.
pub fn synced(status: &mut UserSyncStatus, run: &UserSyncRun) {
    let Some((_, name, message)) = ended(run).filter(|_| run.spec.mode == Mode::Import) else { return };
    let reason = Reason::named(name);
    let done = reason.is_some_and(|reason| matches!(reason.verdict(), Verdict::Completed | Verdict::Rejects));
    let at = run.status.as_ref().and_then(|status| status.completion_time.clone());
    let at = at.unwrap_or(Time(jiff::Timestamp::UNIX_EPOCH));
    if done {
        status.last_successful_time = Some(at.clone());
    }
    let word = if done { "True" } else { "False" };
    let before = status.conditions.iter().find(|said| said.type_ == SYNCED && said.status == word);
    let since = before.map_or(at, |said| said.last_transition_time.clone());
    let condition = Condition {
        type_: SYNCED.to_owned(),
        status: word.to_owned(),
        reason: name.to_owned(),
        message: message.to_owned(),
        last_transition_time: since,
        observed_generation: Some(run.spec.generation),
    };
    status.conditions.retain(|said| said.type_ != SYNCED);
    status.conditions.push(condition);
}
