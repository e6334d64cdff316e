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
    world.memory.asking = Some(Asking { generation: 1, what });
    world
}

#[test]
fn one_question_at_a_time() {
    let mut polls = world(EVERY, Question::Look);
    assert_eq!(polls.rest(), ["wait"], "it is looked at again when the answer is there");
    polls.memory.asking = None;
    assert_eq!(polls.rest()[0], "look");

    let mut probes = World::new(DAILY, "2026-11-22T00:30:00Z");
    probes.memory.asking = Some(Asking { generation: 1, what: Question::Probe });
    assert_eq!(probes.rest(), ["note", "wait"]);
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
    world.memory.asking = Some(Asking { generation: 1, what: Question::Finish });
    assert_eq!(world.step(), "wait");
    world.memory.asking = None;
    assert_eq!(world.step(), "execute");
}
