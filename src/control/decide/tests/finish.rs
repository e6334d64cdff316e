//! What runs leave to do is tried again, without a run and without a write at rest.

use super::{
    DAILY, EVERY,
    world::{World, at},
};
use crate::model::{
    condition::ConditionReason::{self, FileNotMoved, FileNotSetAside, ReportNotPublished},
    reason::Reason,
    sync::{Failure, Unfinished},
};

fn left(reason: ConditionReason, message: &str) -> Option<Unfinished> {
    Some(Unfinished { reason, message: message.to_owned() })
}

/// A sync whose run has ended like this, and left that.
fn world(schedule: &str, reason: Reason, what: ConditionReason) -> World {
    let mut world = World::new(schedule, "2026-11-22T00:30:00Z");
    world.rest();
    (world.left, world.run_reason) = (Ok(left(what, "bak is a file, seen at 01:02:03")), reason);
    world.annotate("usersync.dev/update-now", "a");
    while world.step() != "end" {}
    world
}

#[test]
fn a_file_that_is_not_moved_is_tried_again_and_told_once() {
    let mut world = world(DAILY, Reason::Completed, FileNotMoved);
    assert_eq!(world.rest()[..2], ["note", "finish"], "it is told, and tried at once");
    assert_eq!(world.said("Unfinished"), "True FileNotMoved");
    assert_eq!((world.said("Synced").as_str(), world.said("Ready").as_str()), ("True Completed", "True Ready"));
    let told = world.status();
    let mut waits = Vec::new();
    for second in 0..1_700 {
        world.now = world.now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        // The same in other figures is the same.
        world.left = Ok(left(FileNotMoved, &format!("bak is a file, seen at 02:00:{second}")));
        let steps = world.rest();
        assert!(steps.len() == 1 || steps[0] == "finish" && steps.len() == 2, "nothing is written: {steps:?}");
        waits.extend((steps.len() == 2).then_some(second));
    }
    assert_eq!(world.status(), told);
    let gaps: Vec<_> = waits.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] <= 30 && gaps.iter().all(|gap| (24..=600).contains(gap)) && gaps.last() > Some(&350), "{gaps:?}");

    world.restart();
    assert_eq!(world.rest()[0], "finish", "a new process knows of no try");
    world.left = Ok(None);
    world.restart();
    assert_eq!(world.rest()[..2], ["finish", "note"]);
    assert_eq!(world.said("Unfinished"), "");
    assert_eq!(world.rest().len(), 1, "that was it");
}

#[test]
fn other_trouble_and_a_suspension_come_first() {
    for (schedule, reason) in [(DAILY, ReportNotPublished), (EVERY, FileNotMoved), ("suspend: false", FileNotMoved)] {
        let mut world = world(schedule, Reason::CompletedWithRejects, reason);
        world.edit(|sync| sync.spec.suspend = true);
        assert!(!world.rest().iter().any(|step| step.starts_with("finish")), "{schedule}");
        assert_eq!(world.said("Unfinished"), format!("True {reason}"));
        world.edit(|sync| sync.spec.suspend = false);
        assert!(world.rest().iter().any(|step| step.starts_with("finish")), "{schedule}");
    }
    let mut world = world(DAILY, Reason::Completed, FileNotMoved);
    world.left = Err(Failure { reason: Reason::SourceDenied, message: "the login was refused".into() });
    world.rest();
    assert_eq!(world.said("Unfinished"), "True FileNotMoved", "that can't be said just now");
    world.now = at("2026-11-22T00:59:00Z");
    assert!(!world.rest().contains(&"finish".to_owned()), "a refused login is tried once an hour");
    world.now = at("2026-11-22T01:31:00Z");
    assert!(world.rest().contains(&"finish".to_owned()));
}

#[test]
fn a_later_run_finishes_what_was_imported_but_sets_nothing_aside() {
    for (reason, what, after) in
        [(Reason::Completed, FileNotMoved, ""), (Reason::InvalidFile, FileNotSetAside, "True FileNotSetAside")]
    {
        let mut world = world(DAILY, reason, what);
        world.step();
        assert_eq!(world.said("Unfinished"), format!("True {what}"));
        (world.left, world.run_reason) = (Ok(None), Reason::NoFile);
        world.annotate("usersync.dev/update-now", "b");
        while world.step() != "end" {}
        world.step();
        assert_eq!(world.said("Unfinished"), after, "{what}");
    }
}

#[test]
fn a_file_that_failed_is_set_aside_as_long_as_the_spec_is_the_same() {
    let mut world = world(DAILY, Reason::InvalidFile, FileNotSetAside);
    assert!(world.rest().contains(&"finish a.csv".to_owned()));
    world.edit(|sync| sync.spec.conflict_mode = crate::api::ConflictMode::Skip);
    assert!(world.rest().contains(&"finish".to_owned()), "with another spec it is a file to take");
}
