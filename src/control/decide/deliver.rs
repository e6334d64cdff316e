//! Sending what runs owe those who are to be told: beside everything else, since neither a run nor a schedule waits for it.
//! Nothing is written as long as nothing changes.

use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{DeliveryState, Trigger, UserSync, UserSyncRun},
    control::{
        backoff::Backoff,
        cause::{ended_at, named, uid},
        deliveries::{alert_name, alert_open, noted, open},
    },
    model::{
        condition::ConditionReason,
        post::Tidings,
        view::{Decision, Memory, PostedLast, View},
    },
};

/// How long to wait for a server that does not answer, or asks to come back later.
const AGAIN: Backoff = Backoff::seconds(5, 600);
/// How long, where only a person can mend it.
const DENIED: SignedDuration = SignedDuration::from_hours(1);

/// What there is to send, or when to try again.
pub(super) enum Post {
    Now(Decision),
    At(Option<Timestamp>),
}

/// What is to be done about those who are to be told. What has been tried is in memory: after a restart it is tried at once.
pub(super) fn due(view: &View, sync: &UserSync, memory: &Memory, now: Timestamp) -> Post {
    let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let last = memory.posted.as_ref();
    for tidings in last.iter().flat_map(|last| &last.tidings) {
        let told =
            named(&view.runs, &tidings.run).and_then(|run| Some((run, noted(run, &tidings.deliveries, second)?)));
        if let Some((run, status)) = told {
            return Post::Now(Decision::Tell(Box::new(run.clone()), Box::new(status)));
        }
    }
    if memory.posting {
        return Post::At(None);
    }
    let mut runs: Vec<&UserSyncRun> = view.runs.iter().filter(|run| run.spec.uid == uid(sync) && open(run)).collect();
    let alert = sync.status.as_ref().filter(|_| alert_open(sync)).and_then(alert_name);
    if runs.is_empty() && alert.is_none() {
        return Post::At(None);
    }
    runs.sort_by_key(|run| (ended_at(run), run.metadata.name.clone()));
    let tried = |name: &String| last.is_some_and(|last| last.tidings.iter().any(|tidings| tidings.run == *name));
    let fresh = alert.is_some_and(|name| !tried(&name));
    let again = last.filter(|_| !fresh).and_then(|last| again(last, &runs, uid(sync)));
    match again.filter(|at| *at > now) {
        Some(at) => Post::At(Some(at)),
        None => Post::Now(Decision::Deliver(runs.into_iter().cloned().collect())),
    }
}

/// When to try again; None: at once. What has ended since the last try is news; but where a person has to mend something, only
/// what a person asked for is.
fn again(last: &PostedLast, runs: &[&UserSyncRun], uid: &str) -> Option<Timestamp> {
    let news = |run: &&UserSyncRun| {
        ended_at(run).is_some_and(|ended| ended > last.at) && (!last.denied || run.spec.trigger != Trigger::Schedule)
    };
    if runs.iter().any(news) {
        return None;
    }
    let wait = if last.denied { DENIED } else { AGAIN.after(last.failures, uid) };
    Some(last.at.checked_add(wait).unwrap_or(Timestamp::MAX))
}

/// What is remembered of a try, after the one before.
pub fn posted(before: Option<&PostedLast>, tidings: Vec<Tidings>, now: Timestamp) -> PostedLast {
    let waits = |state: DeliveryState| state == DeliveryState::Waiting;
    let mut waiting = tidings.iter().flat_map(|one| &one.deliveries).filter(|one| waits(one.state)).peekable();
    let failures = match waiting.peek() {
        Some(_) => before.map_or(0, |before| before.failures).saturating_add(1),
        None => 0,
    };
    let denied = ConditionReason::MailDenied.as_str();
    let denied = failures > 0 && waiting.all(|one| one.reason.as_deref() == Some(denied));
    PostedLast { at: now, failures, denied, tidings }
}
