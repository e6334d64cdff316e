//! What runs leave to do is tried again, without a run and without a write at rest.

use super::{DAILY, EVERY, world::World};
use crate::{
    api::UserSyncStatus,
    control::conditions::status,
    model::{
        condition::ConditionReason::{self, FileNotMoved, FileNotSetAside, ReportNotPublished},
        reason::Reason,
        sync::{Failure, Unfinished},
        view::{Malformed, Memory, View},
    },
};

fn left(reason: ConditionReason, why: &str) -> Option<Unfinished> {
    of("a.csv", reason, why)
}

fn of(file: &str, reason: ConditionReason, why: &str) -> Option<Unfinished> {
    let about = format!("{file} is where it was");
    Some(Unfinished { reason, message: format!("{about}: {why}"), about })
}

fn failure(reason: Reason, message: &str) -> Failure {
    Failure { reason, message: message.to_owned() }
}

fn said(world: &World) -> String {
    let status = world.status();
    let said = status.conditions.iter().find(|said| said.type_ == "Unfinished");
    said.map(|said| said.message.clone()).unwrap_or_default()
}

/// The seconds of so long a time in which it was tried to finish what is left; what it comes to is said for each second.
fn tries(
    world: &mut World,
    seconds: i64,
    mut left: impl FnMut(i64) -> Result<Option<Unfinished>, Failure>,
) -> Vec<i64> {
    let mut tries = Vec::new();
    for second in 0..seconds {
        world.now = world.now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        world.left = left(second);
        tries.extend(world.rest().iter().any(|step| step.starts_with("finish")).then_some(second));
    }
    tries
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
}

#[test]
fn a_refused_login_is_tried_again_by_the_next_run_and_while_polling_once_an_hour() {
    let denied = |_| Err(failure(Reason::SourceDenied, "the login was refused"));
    for (schedule, wanted) in [(EVERY, vec![0, 3_600, 7_200]), ("schedule: {daily: {at: '09:00'}}", vec![0])] {
        let mut world = world(schedule, Reason::Completed, FileNotMoved);
        world.step();
        assert_eq!(tries(&mut world, 3 * 3_600, denied), wanted, "{schedule}");
        assert!(
            said(&world).ends_with("could not be tried again: the login was refused (SourceDenied)"),
            "{}",
            said(&world)
        );
        world.restart();
        let again = tries(&mut world, 100, denied).len();
        assert_eq!(again, usize::from(schedule == EVERY), "{schedule}: the condition remembers the refused login");
        world.edit(|sync| sync.spec.source.max_size = crate::api::size::Size::mebibytes(1));
        world.restart();
        (world.left, world.run_reason) = (Ok(left(FileNotMoved, "no right")), Reason::NoFile);
        world.annotate("usersync.dev/update-now", "b");
        assert!(world.rest().contains(&"finish".to_owned()), "{schedule}: after a run it is tried");
        assert_eq!(said(&world), "a.csv is where it was: no right");
    }
}

#[test]
fn why_it_can_t_be_tried_is_said_once() {
    let mut world = world("suspend: false", Reason::Completed, FileNotMoved);
    world.rest();
    let told = said(&world);
    let tried =
        tries(&mut world, 3_600, |second| Err(failure(Reason::SourceUnreachable, &format!("no answer at {second}"))));
    assert!(tried.len() > 3);
    assert_eq!(
        said(&world),
        format!("{told}\nIt could not be tried again: no answer at {} (SourceUnreachable)", tried[0])
    );
    assert_eq!(world.said("Ready"), "True Ready", "the next look or run says so");
    // Another reason is said, and so is that it could be tried.
    tries(&mut world, 700, |_| Err(failure(Reason::TargetUnreachable, "no database")));
    assert!(said(&world).ends_with("again: no database (TargetUnreachable)"), "{}", said(&world));
    tries(&mut world, 700, |_| Ok(left(FileNotMoved, "bak is a file, seen at 01:02:03")));
    assert_eq!(said(&world), told);
}

#[test]
fn a_file_that_is_gone_is_named_no_more() {
    let mut world = world("suspend: false", Reason::Completed, FileNotMoved);
    world.left = Ok(of("users1.csv", FileNotMoved, "no right"));
    world.rest();
    assert_eq!(said(&world), "users1.csv is where it was: no right");
    tries(&mut world, 700, |_| Ok(of("users2.csv", FileNotMoved, "no right")));
    assert_eq!(said(&world), "users2.csv is where it was: no right", "other digits are another file");
    let told = world.status();
    tries(&mut world, 700, |second| Ok(of("users2.csv", FileNotMoved, &format!("no right, try {second}"))));
    tries(&mut world, 700, |second| Ok(of("users2.csv", FileNotMoved, &format!("no right, try {second}"))));
    assert_ne!(world.status(), told);
    let told = world.status();
    tries(&mut world, 1_400, |second| Ok(of("users2.csv", FileNotMoved, &format!("no right, try 1{second}"))));
    assert_eq!(world.status(), told, "the same in other figures");
}

#[test]
fn a_resource_that_can_t_be_read_has_left_what_it_had() {
    let mut world = world("suspend: true", Reason::Completed, FileNotMoved);
    world.rest();
    let before = world.status();
    let malformed = Malformed {
        metadata: world.sync.metadata.clone(),
        status: before.clone(),
        message: "spec.schedule: no such field".into(),
    };
    let view = View { sync: Err(malformed), runs: Vec::new(), live: true, target_required: false, bounds: None };
    let after = status(&view, &Memory::default(), world.now);
    for kept in ["Synced", "Suspended", "Unfinished"] {
        let of = |status: &UserSyncStatus| status.conditions.iter().find(|said| said.type_ == kept).cloned();
        assert_eq!(of(&after).map(|said| said.reason), of(&before).map(|said| said.reason), "{kept}");
        assert!(of(&after).is_some(), "{kept}");
    }
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
