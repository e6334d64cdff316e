//! Schedules: slots, looks into the folder, a run that waits for a server.

use super::world::{World, at};
use super::{DAILY, EVERY};
use crate::model::{
    reason::Reason,
    sync::{Candidate, Failure},
};

#[test]
fn a_new_sync_is_asked_once_and_then_waits_for_its_slot() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    assert_eq!(world.rest(), ["probe", "note", "wait 2026-11-22T01:00:00Z"]);
    assert_eq!(world.said("Ready"), "True Ready");
    assert_eq!(world.said("SourceReady"), "True Ready");
    assert_eq!(world.said("Reconciling"), "");
    assert_eq!(world.status().schedule.as_deref(), Some("daily 01:00 Etc/UTC"));
    world.now = at("2026-11-22T01:00:00Z");
    assert_eq!(
        world.rest(),
        ["note", "claim Schedule", "create", "execute", "end", "note", "wait 2026-11-23T01:00:00Z"]
    );
    assert_eq!(world.said("Synced"), "True Completed");
    assert_eq!(world.rest(), ["wait 2026-11-23T01:00:00Z"], "at rest nothing is written");
}

#[test]
fn slots_that_were_missed() {
    for (schedule, down_until, runs) in [
        // Of several one is made up for, if it is not too old.
        (
            "schedule: {daily: {at: '01:00'}, startingDeadline: 1h}",
            "2026-11-25T01:59:59Z",
            &["2026-11-25T01:00:00Z"][..],
        ),
        ("schedule: {daily: {at: '01:00'}, startingDeadline: 1h}", "2026-11-25T02:00:01Z", &[]),
        ("schedule: {daily: {at: '01:00'}, startingDeadline: 72h}", "2026-11-25T12:00:00Z", &["2026-11-25T01:00:00Z"]),
        ("schedule: {cron: '*/5 * * * * ?', startingDeadline: 1h}", "2026-11-25T02:00:03Z", &["2026-11-25T02:00:00Z"]),
        ("schedule: {once: {at: '2026-11-23T07:00:00'}}", "2026-11-23T07:59:00Z", &["2026-11-23T07:00:00Z"]),
        ("schedule: {once: {at: '2026-11-23T07:00:00'}}", "2026-11-23T08:01:00Z", &[]),
        // `now` is never too late, and comes once.
        ("schedule: {once: {now: {}}}", "2026-12-24T00:00:00Z", &["2026-11-22T00:00:00Z"]),
        // A leap over 02:30: it runs right after the leap; a 02:30 that comes twice runs once.
        ("schedule: {daily: {at: '02:30'}, timeZone: Europe/Paris}", "2027-03-28T01:10:00Z", &["2027-03-28T01:00:00Z"]),
        (
            "schedule: {daily: {at: '02:30'}, timeZone: Europe/Paris, startingDeadline: 2h}",
            "2027-10-31T01:31:00Z",
            &["2027-10-31T00:30:00Z"],
        ),
        ("schedule: {monthly: {day: 31, at: '01:00'}}", "2027-02-28T01:30:00Z", &["2027-02-28T01:00:00Z"]),
        ("schedule: {weekly: {days: [Mon, Fri], at: '01:00'}}", "2026-11-27T01:30:00Z", &["2026-11-27T01:00:00Z"]),
    ] {
        let mut world = World::new(schedule, "2026-11-22T00:00:00Z");
        world.now = at(down_until);
        world.rest();
        assert_eq!(world.slots(), runs, "{schedule} at {down_until}");
        world.restart();
        world.rest();
        assert_eq!(world.slots(), runs, "{schedule} at {down_until}, again");
    }
}

#[test]
fn a_suspended_sync_runs_by_annotation_only_and_makes_up_for_nothing() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    world.rest();
    world.edit(|sync| sync.spec.suspend = true);
    assert_eq!(world.rest(), ["note", "wait"], "nobody is asked again");
    let (ready, suspended) = (world.said("Ready"), world.said("Suspended"));
    assert_eq!((ready.as_str(), suspended.as_str()), ("True Ready", "True Suspended"), "Ready doesn't flip");
    assert_eq!(world.status().next_schedule_time, None);
    world.now = at("2026-11-22T01:10:00Z");
    assert_eq!(world.rest(), ["wait"]);
    world.annotate("usersync.dev/update-now", "1");
    assert!(world.rest().contains(&"claim UpdateNow".to_owned()));
    world.now = at("2026-11-22T01:20:00Z");
    world.edit(|sync| sync.spec.suspend = false);
    let rest = world.rest();
    assert!(!rest.iter().any(|step| step.starts_with("claim")), "{rest:?}");
    assert_eq!(rest.last().unwrap(), "wait 2026-11-23T01:00:00Z");
}

#[test]
fn a_slot_that_was_claimed_runs_although_the_schedule_is_another_by_then() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    world.rest();
    world.now = at("2026-11-22T01:00:00Z");
    while world.step() != "claim Schedule" {}
    world.edit(|sync| sync.spec.schedule = serde_yaml::from_str("{cron: '30 * * * * ?'}").unwrap());
    world.now = at("2026-11-22T01:02:00Z");
    world.restart();
    world.rest();
    assert_eq!(world.slots(), ["2026-11-22T01:00:00Z"]);
    assert_eq!(world.status().active_run, None);
}

#[test]
fn polls_make_runs_only_of_files() {
    let mut world = World::new(EVERY, "2026-11-22T00:00:00Z");
    let rest = world.rest();
    assert!(rest.contains(&"look".to_owned()) && rest.last().unwrap().starts_with("wait 2026-11-22T00:"), "{rest:?}");
    world.now = at("2026-11-22T00:20:00Z");
    assert_eq!(world.rest().len(), 2, "a look, and a wait: no write");
    world.folder = Ok(Some(World::file("a.csv", false)));
    world.now = at("2026-11-22T00:30:00Z");
    let rest = world.rest();
    assert_eq!(rest[0], "look");
    assert!(rest[1].starts_with("wait"), "it may still be uploaded: {rest:?}");
    world.now = at("2026-11-22T00:30:05Z");
    world.rest();
    assert_eq!(world.runs(), ["Schedule"]);
    assert_eq!(world.status().next_schedule_time, None);
}

#[test]
fn a_look_that_fails_makes_one_run_for_the_outage() {
    let mut world = World::new(EVERY, "2026-11-22T00:00:00Z");
    world.rest();
    let down = Failure { reason: Reason::SourceUnreachable, message: "no answer".into() };
    world.folder = Err(down.clone());
    world.source = Err(down.clone());
    world.run_reason = Reason::SourceUnreachable;
    world.now = at("2026-11-22T00:20:00Z");
    world.rest();
    assert_eq!(world.reasons(), ["SourceUnreachable"]);
    assert_eq!(
        (world.said("Ready"), world.said("SourceReady")),
        ("False SourceUnreachable".into(), "False SourceUnreachable".into())
    );
    assert_eq!(world.said("Reconciling"), "True Retrying");
    for minute in 21..59 {
        world.now = at(&format!("2026-11-22T00:{minute}:30Z"));
        let rest = world.rest();
        assert!(rest.iter().all(|step| step == "probe" || step.starts_with("wait")), "{rest:?}");
    }
    (world.folder, world.source, world.run_reason) = (Ok(None), Ok(()), Reason::Completed);
    world.now = at("2026-11-22T01:05:00Z");
    world.rest();
    assert_eq!(world.said("Ready"), "True Ready");
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn a_retrying_run_hurries_when_somebody_else_waits() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    world.rest();
    world.runs_end = false;
    world.now = at("2026-11-22T01:00:00Z");
    world.rest();
    world.memory.trouble = Some(Failure { reason: Reason::TargetUnreachable, message: "no answer".into() });
    assert_eq!(world.rest(), ["note", "wait"]);
    assert_eq!(world.said("Ready"), "False TargetUnreachable");
    world.annotate("usersync.dev/update-now", "a");
    assert_eq!(world.rest(), ["hurry", "wait"]);
}

#[test]
fn the_folder_of_a_held_file_is_left_in_peace() {
    let mut world = World::new(EVERY, "2026-11-22T00:00:00Z");
    world.folder = Ok(Some(Candidate { settled: true, ..World::file("a.csv", true) }));
    world.run_reason = Reason::Held;
    world.rest();
    assert_eq!(world.reasons(), ["Held"]);
    for hour in 1..5 {
        world.now = at(&format!("2026-11-22T0{hour}:00:00Z"));
        world.rest();
    }
    assert_eq!(world.runs().len(), 1);
    world.folder = Ok(Some(World::file("b.csv", true)));
    world.now = at("2026-11-22T06:00:00Z");
    world.rest();
    assert_eq!(world.runs().len(), 2);
}
