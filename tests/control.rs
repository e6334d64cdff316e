//! The control path, model-checked: the real decisions, conditions, causes, requests and events, with a model of the API server,
//! the folder and the database around them, and everything that may happen to two replicas in any order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "control/actions.rs"]
mod actions;
#[path = "control/database.rs"]
mod database;
#[path = "control/model.rs"]
mod model;
#[path = "control/planted.rs"]
mod planted;
#[path = "control/replica.rs"]
mod replica;
#[path = "control/rest.rs"]
mod rest;
#[path = "control/spec.rs"]
mod spec;
#[path = "control/state.rs"]
mod state;
#[path = "control/table.rs"]
mod table;

use std::{io::Write, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

use self::{
    model::Control,
    planted::Planted,
    state::{Kind, Left},
};

const POLLS: [&str; 2] = ["{every: 1h}", "{daily: {at: '02:00'}}"];
const DAILY: [&str; 2] = ["{daily: {at: '01:00'}}", "{every: 1h}"];

/// One of everything.
const ALL: Left = Left {
    clock: 1,
    edit: 1,
    suspend: 2,
    update: 2,
    revert: 1,
    simulate: 1,
    approve: 1,
    files: 2,
    outage: 2,
    block: 1,
    mute: 0,
    crash: 1,
    takeover: 1,
    stuck: 1,
    late: 1,
    repeat: 1,
};

/// Explores all that may happen in so many actions, or until something was found; says what was found, with the way there.
fn explore(title: &str, model: Control, actions: usize, until: HasDiscoveries) -> Vec<(&'static str, String)> {
    let begun = Instant::now();
    // The checker counts the states of a way, and doesn't judge the last one.
    let checker = model.checker().target_max_depth(actions + 2).finish_when(until).spawn_bfs().join();
    let line = format!(
        "{title}: {} states, {} transitions, {} actions deep, {} decisions, {} ways to rest, {:.1} s\n",
        checker.unique_state_count(),
        checker.state_count(),
        actions.min(checker.max_depth() - 1),
        checker.model().decisions(),
        checker.model().rested.len(),
        begun.elapsed().as_secs_f64()
    );
    // Past the test's own capture: the count is to be seen in every log.
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let found = checker.discoveries().into_iter().map(|(property, path)| {
        let state = path.last_state().clone();
        let rest = checker.model().rests(&state);
        (property, format!("{:?}\n{state:?}\n{rest:?}", path.into_actions()))
    });
    found.collect()
}

/// What the model is asked for at least: two slots, a token of each kind, two files, a crash, a stale read, two leaders.
const SMALL: Left = Left {
    clock: 1,
    edit: 0,
    suspend: 0,
    update: 1,
    revert: 0,
    simulate: 1,
    approve: 0,
    files: 2,
    outage: 0,
    block: 0,
    mute: 0,
    crash: 1,
    takeover: 1,
    stuck: 1,
    late: 0,
    repeat: 0,
};

/// How many actions: as said, or as the variable DEPTH says.
fn depth(otherwise: usize) -> usize {
    std::env::var("DEPTH").ok().and_then(|depth| depth.parse().ok()).unwrap_or(otherwise)
}

const KINDS: &[Kind] = &[Kind::Good, Kind::Held, Kind::Bad];

/// None of what may happen.
const NOTHING: Left = Left {
    clock: 0,
    edit: 0,
    suspend: 0,
    update: 0,
    revert: 0,
    simulate: 0,
    approve: 0,
    files: 0,
    outage: 0,
    block: 0,
    mute: 0,
    crash: 0,
    takeover: 0,
    stuck: 0,
    late: 0,
    repeat: 0,
};

#[test]
fn a_schedule_that_polls() {
    let found = explore("polls", Control::new(POLLS, &[Kind::Held], SMALL), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_schedule_of_slots() {
    let found = explore("daily", Control::new(DAILY, &[Kind::Bad], SMALL), depth(14), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn everything_that_may_happen() {
    let found = explore("everything", Control::new(POLLS, KINDS, ALL), depth(5), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

/// One thing after the other, each as deep as it takes to see all of its consequences, with another leader in between.
#[test]
fn approvals() {
    let left = Left { update: 1, approve: 1, files: 2, crash: 1, takeover: 1, ..NOTHING };
    let found = explore("approvals", Control::new(DAILY, &[Kind::Held], left), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn suspensions() {
    let left = Left { clock: 1, suspend: 2, update: 1, files: 1, crash: 1, takeover: 1, ..NOTHING };
    let found =
        explore("suspensions", Control::new(POLLS, &[Kind::Good], left), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn edits() {
    let left = Left { clock: 1, edit: 1, update: 1, files: 1, crash: 1, takeover: 1, ..NOTHING };
    let found = explore("edits", Control::new(POLLS, &[Kind::Good], left), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn outages() {
    let left = Left { clock: 1, outage: 2, update: 1, files: 1, crash: 1, takeover: 1, ..NOTHING };
    let found = explore("outages", Control::new(DAILY, &[Kind::Good], left), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_that_can_t_be_moved() {
    let left = Left { block: 2, update: 1, files: 1, outage: 1, crash: 1, takeover: 1, ..NOTHING };
    let found = explore("unmoved", Control::new(DAILY, &[Kind::Good], left), depth(10), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_sync_that_was_just_made() {
    let left = Left { clock: 1, update: 1, files: 1, crash: 1, edit: 1, ..NOTHING };
    let found = explore("just made", Control::new(POLLS, KINDS, left).fresh(), depth(8), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

/// Mails, with a server that goes away, and with a process that dies at any moment: between sending and noting too.
#[test]
fn mails() {
    let left = Left { update: 1, files: 1, mute: 2, stuck: 1, late: 1, crash: 1, ..NOTHING };
    let model = Control::new(DAILY, &[Kind::Good], left).with_mail();
    let found = explore("mails", model, depth(14), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
    let left = Left { clock: 1, update: 1, files: 1, mute: 1, takeover: 1, ..NOTHING };
    let model = Control::new(DAILY, &[Kind::Good], left).with_mail();
    let found = explore("mails of two leaders", model, depth(12), HasDiscoveries::AnyFailures);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn planted_bugs_are_found() {
    let tokens = Left { update: 2, revert: 1, ..NOTHING };
    let leaders = Left { update: 1, simulate: 1, takeover: 1, stuck: 1, late: 1, ..NOTHING };
    let (twice, ended, still) = (
        "each token and each slot starts at most one run",
        "a run that ended stays so, as it ended",
        "once the world holds still, what is due has run and the status says what is",
    );
    let cases = [
        (Planted::RunsAgain, Left { update: 1, ..NOTHING }, twice),
        (Planted::ForgetsTokens, tokens, twice),
        (Planted::TrustsCaches, leaders, twice),
        (Planted::WritesBlindly, leaders, "the status never goes back"),
        (Planted::WritesBlindly, leaders, "one run at work at most, and a claimed one"),
        (Planted::IgnoresSuspend, Left { suspend: 1, clock: 1, ..NOTHING }, "no run of a suspended sync but by token"),
        (Planted::NeverFolds, Left { update: 1, ..NOTHING }, still),
        (Planted::SpeaksForOthers, Left { update: 1, files: 1, takeover: 1, ..NOTHING }, ended),
        (Planted::CommitsUnasked, Left { update: 1, files: 1, takeover: 1, ..NOTHING }, ended),
    ];
    let mailed = "a mail is sent once, unless somebody died who had sent it";
    let until = HasDiscoveries::AllOf([mailed].into());
    let model = Control::new(DAILY, KINDS, Left { update: 1, files: 1, ..NOTHING }).with_mail();
    let found = explore("TellsAgain", model.with(Planted::TellsAgain), 40, until);
    assert!(found.iter().any(|(found, _)| *found == mailed), "TellsAgain was not found: {found:#?}");
    for (planted, left, property) in cases {
        let until = HasDiscoveries::AllOf([property].into());
        let found = explore(&format!("{planted:?}"), Control::new(DAILY, KINDS, left).with(planted), 40, until);
        assert!(found.iter().any(|(found, _)| *found == property), "{planted:?} was not found: {found:#?}");
    }
}
