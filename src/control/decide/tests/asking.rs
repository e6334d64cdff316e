//! While something is asked nothing is asked besides; what a person asks for goes first.

use super::{DAILY, EVERY, world::World};
use crate::model::{
    reason::Reason,
    view::{Asking, Question},
};

/// A sync that has come to rest, and whatever is to be asked next is being asked.
fn world(schedule: &str, what: Question) -> World {
    let mut world = World::new(schedule, "2026-11-22T00:30:00Z");
    world.rest();
    world.now = world.now.checked_add(jiff::SignedDuration::from_mins(20)).unwrap();
    world.memory.asking = Some(Asking { generation: 1, what, since: world.now });
    world
}

#[test]
fn one_question_at_a_time() {
    let mut polls = world(EVERY, Question::Look);
    assert_eq!(polls.rest(), ["wait"], "it is looked at again when the answer is there");
    polls.memory.asking = None;
    assert_eq!(polls.rest()[0], "look");

    let mut probes = World::new(DAILY, "2026-11-22T00:30:00Z");
    let since = probes.now;
    probes.memory.asking = Some(Asking { generation: 1, what: Question::Probe, since });
    assert_eq!(probes.rest(), ["wait 2026-11-22T00:30:05Z"]);
    // What is asked of an earlier spec is no answer.
    probes.edit(|sync| sync.spec.source.files = Some("new_*.csv".into()));
    assert!(probes.rest().contains(&"probe".to_owned()));
}

#[test]
fn a_request_does_not_wait_for_an_answer_but_for_a_file_that_is_moved() {
    for (what, waits) in [(Question::Look, false), (Question::Probe, false), (Question::Finish, true)] {
        for schedule in [DAILY, EVERY, "suspend: true"] {
            let mut world = world(schedule, what);
            world.annotate("usersync.dev/update-now", "a");
            let steps = world.rest();
            assert_eq!(steps.contains(&"execute".to_owned()), !waits, "{schedule}, {what:?}: {steps:?}");
            world.memory.asking = None;
            world.rest();
            assert_eq!(world.runs(), ["UpdateNow a"], "{schedule}, {what:?}");
        }
    }
}

#[test]
fn a_run_that_was_claimed_elsewhere_waits_too() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    world.run_reason = Reason::NoFile;
    world.rest();
    world.annotate("usersync.dev/update-now", "a");
    while world.step() != "create" {}
    world.memory.asking = Some(Asking { generation: 1, what: Question::Finish, since: world.now });
    assert_eq!(world.step(), "wait");
    world.memory.asking = None;
    assert_eq!(world.step(), "execute");
}

#[test]
fn what_is_found_out_soon_is_said_in_one_word() {
    let made = "2026-11-22T00:30:00Z";
    let asking = |world: &World| Some(Asking { generation: 1, what: Question::Probe, since: world.now });
    let later = |world: &World, seconds| world.now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
    let ready = |world: &World| {
        let said = world.sync.status.as_ref()?.conditions.iter().find(|said| said.type_ == "Ready")?;
        Some(said.status.clone())
    };

    let mut quick = World::new(DAILY, made);
    assert_eq!(quick.rest()[..2], ["probe", "note"]);
    assert_eq!(ready(&quick).as_deref(), Some("True"));

    let mut slow = World::new(DAILY, made);
    slow.memory.asking = asking(&slow);
    assert_eq!((slow.rest(), ready(&slow)), (vec!["wait 2026-11-22T00:30:05Z".to_owned()], None));
    slow.now = later(&slow, 5);
    assert_eq!(slow.rest()[0], "note");
    assert_eq!(ready(&slow).as_deref(), Some("Unknown"));

    let mut unasked = World::new(DAILY, made);
    unasked.memory.unasked = true;
    assert_eq!(unasked.step(), "note");
    assert_eq!(ready(&unasked).as_deref(), Some("Unknown"));

    // Another spec, of which nothing is known, is as a new one; one that can't be obeyed is said to be so at once.
    let mut edited = World::new(DAILY, made);
    edited.rest();
    edited.edit(|sync| sync.spec.source.files = Some("new_*.csv".into()));
    assert_eq!(edited.step(), "probe");
    let mut invalid = World::new(DAILY, made);
    invalid.target_required = true;
    assert_eq!(invalid.step(), "note");
}
