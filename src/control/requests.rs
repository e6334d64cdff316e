//! Annotations that ask for a run.

use crate::{
    api::{APPROVE, SIMULATE_NOW, Trigger, UPDATE_NOW, UserSync, UserSyncRun, UserSyncStatus},
    control::cause::{ended_at, held, named, run_name, token_digest, uid},
    model::sync::Cause,
};

/// Characters of a token.
const TOKEN: usize = 128;

/// The run that an annotation asks for and that was not started before: an import first, then a simulation, then an approved
/// run.
pub fn request(sync: &UserSync, status: &UserSyncStatus, runs: &[UserSyncRun]) -> Option<Cause> {
    let update = token(sync, UPDATE_NOW).filter(|token| !handled(sync, status, runs, Trigger::UpdateNow, token));
    let simulate = token(sync, SIMULATE_NOW).filter(|token| !handled(sync, status, runs, Trigger::SimulateNow, token));
    let update = update.map(|token| Cause::UpdateNow(token.to_owned()));
    let simulate = simulate.map(|token| Cause::SimulateNow(token.to_owned()));
    update.or(simulate).or_else(|| {
        approvals(sync, runs).into_iter().find(|cause| {
            let name = run_name(sync, cause);
            named(runs, &name).is_none() && !status.handled_tokens.contains(&token_digest(Trigger::Approval, &name))
        })
    })
}

/// The approvals of held runs, those of the newest run first.
pub fn approvals(sync: &UserSync, runs: &[UserSyncRun]) -> Vec<Cause> {
    let mut held: Vec<_> = runs.iter().filter(|run| held(run) && run.spec.uid == uid(sync)).collect();
    held.sort_by_key(|run| std::cmp::Reverse(ended_at(run)));
    let approval = |run: &UserSyncRun| {
        let value = run.metadata.annotations.as_ref()?.get(APPROVE)?;
        let run = run.metadata.name.clone()?;
        valid(value).then(|| Cause::Approval { run, sha256: value.trim().to_ascii_lowercase() })
    };
    held.into_iter().filter_map(approval).collect()
}

/// What is wrong with the annotations; they are not obeyed, and nothing else is the worse for it.
pub fn annotation_problem(sync: &UserSync) -> Option<String> {
    let annotations = sync.metadata.annotations.as_ref()?;
    let wrong = [UPDATE_NOW, SIMULATE_NOW].into_iter().filter_map(|name| {
        let value = annotations.get(name).filter(|value| !valid(value))?;
        let has = match value.chars().count() {
            0 => "is empty".to_owned(),
            count => format!("has {count} characters"),
        };
        Some(format!("the annotation {name} {has} and is not obeyed: give it a new value of 1 to {TOKEN} characters"))
    });
    let wrong: Vec<_> = wrong.collect();
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// Whether an annotation waits that asks for another run than those that were started.
pub fn waits(sync: &UserSync, status: &UserSyncStatus, runs: &[UserSyncRun]) -> bool {
    request(sync, status, runs).is_some()
}

fn token<'a>(sync: &'a UserSync, annotation: &str) -> Option<&'a str> {
    let value = sync.metadata.annotations.as_ref()?.get(annotation)?;
    valid(value).then_some(value.as_str())
}

fn valid(value: &str) -> bool {
    (1..=TOKEN).contains(&value.chars().count())
}

fn handled(sync: &UserSync, status: &UserSyncStatus, runs: &[UserSyncRun], trigger: Trigger, token: &str) -> bool {
    let same = |run: &UserSyncRun| {
        run.spec.uid == uid(sync) && run.spec.trigger == trigger && run.spec.token.as_deref() == Some(token)
    };
    status.handled_tokens.contains(&token_digest(trigger, token)) || runs.iter().any(same)
}
