//! A run from its claim to its end, and what is kept of it.

use super::DAILY;
use super::world::{World, at};
use crate::{
    control::told::{at_work, failed},
    model::reason::Reason,
};

#[test]
fn a_crash_between_any_two_effects_repeats_nothing() {
    let whole = {
        let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
        world.now = at("2026-11-22T01:00:00Z");
        world.annotate("usersync.dev/update-now", "a");
        world.rest().len()
    };
    for crash in 0..whole {
        let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
        world.now = at("2026-11-22T01:00:00Z");
        world.annotate("usersync.dev/update-now", "a");
        for _ in 0..crash {
            world.step();
        }
        world.restart();
        world.rest();
        let mut runs = world.runs();
        runs.sort();
        assert_eq!(runs, ["Schedule", "UpdateNow a"], "crash after {crash} steps");
        assert_eq!(world.status().active_run, None);
        assert_eq!(world.status().recent_runs.len(), 2, "crash after {crash} steps");
    }
}

#[test]
fn a_spec_edited_after_the_claim_is_the_one_that_runs() {
    let mut world = World::new("", "2026-11-22T00:30:00Z");
    world.rest();
    world.annotate("usersync.dev/update-now", "a");
    while world.step() != "claim UpdateNow" {}
    world.edit(|sync| sync.spec.source.files = Some("other_*.csv".into()));
    world.restart();
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a"]);
    assert_eq!(world.all[0].spec.sync_spec.source.files.as_deref(), Some("other_*.csv"));
}

#[test]
fn a_run_made_by_hand_is_refused_on_itself() {
    let mut world = World::new("", "2026-11-22T00:30:00Z");
    world.rest();
    world.plant("hr-by-hand");
    assert_eq!(world.rest(), ["end", "wait"]);
    assert_eq!(world.reasons(), ["Refused"]);
    assert_eq!(world.said("Synced"), "", "it says nothing of the sync");
}

#[test]
fn a_run_that_took_the_name_of_ours_is_replaced() {
    let mut world = World::new("", "2026-11-22T00:30:00Z");
    world.rest();
    world.annotate("usersync.dev/update-now", "a");
    let name = crate::control::cause::run_name(&world.sync, &crate::model::sync::Cause::UpdateNow("a".into()));
    world.plant(&name);
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a"]);
    assert_eq!(world.reasons(), ["Completed"]);
}

#[test]
fn history_keeps_what_the_spec_says() {
    let mut world = World::new("history: {successful: 2, failed: 1}", "2026-11-22T00:00:00Z");
    for (token, reason) in
        ["Held", "Completed", "Completed", "InvalidFile", "Completed", "InvalidFile"].iter().enumerate()
    {
        world.run_reason = Reason::named(reason).unwrap();
        world.now += jiff::SignedDuration::from_mins(1);
        world.annotate("usersync.dev/update-now", &token.to_string());
        world.rest();
    }
    assert_eq!(world.reasons(), ["Held", "Completed", "Completed", "InvalidFile"]);
    assert_eq!(world.status().recent_runs.len(), 5);
}

#[test]
fn of_several_attempts_the_one_that_the_run_names_speaks_for_it() {
    for (named, steps) in
        [(Some("one"), &["end", "note", "wait"][..]), (None, &["end", "note", "wait"]), (Some("two"), &["leave"])]
    {
        let mut world = World::new("", "2026-11-22T00:30:00Z");
        world.rest();
        world.annotate("usersync.dev/update-now", "a");
        while world.step() != "execute" {}
        world.all[0].status = named.map(|word| at_work("Running", "it works", world.now, word));
        let told: Vec<String> = steps.iter().map(|_| world.step()).collect();
        assert_eq!(told, steps, "{named:?}");
        assert!(world.memory.ended.is_none(), "{named:?}");
        assert_eq!(world.reasons().len(), usize::from(named != Some("two")), "{named:?}");
    }
}

#[test]
fn an_attempt_says_nothing_of_a_run_that_has_ended_or_is_gone() {
    for gone in [false, true] {
        let mut world = World::new("", "2026-11-22T00:30:00Z");
        world.rest();
        world.annotate("usersync.dev/update-now", "a");
        while world.step() != "execute" {}
        if gone {
            world.all.clear();
        } else {
            world.all[0].status = Some(failed(Reason::NoFile, "by another", world.now));
        }
        let steps = world.rest();
        assert!(steps.contains(&"leave".to_owned()) && !steps.contains(&"end".to_owned()) || gone, "{steps:?}");
        assert_eq!(world.status().active_run, None);
        assert_eq!(world.reasons(), [if gone { "Completed" } else { "NoFile" }]);
    }
}
