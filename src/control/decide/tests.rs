//! Tables: a world is driven decision by decision, each effect carried out as the engine would; what was decided is told in
//! words.

mod world;

use self::world::{World, at};
use crate::model::{
    reason::Reason,
    sync::{Candidate, Failure},
};

const DAILY: &str = "schedule: {daily: {at: '01:00'}}";
const EVERY: &str = "schedule: {every: 10m, startingDeadline: 10m}";

#[test]
fn a_new_sync_is_asked_once_and_then_waits_for_its_slot() {
    let mut world = World::new(DAILY, "2026-11-22T00:30:00Z");
    assert_eq!(world.rest(), ["note", "probe", "note", "wait 2026-11-22T01:00:00Z"]);
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
fn each_token_starts_one_run_whatever_happens() {
    let mut world = World::new("", "2026-11-22T00:30:00Z");
    world.rest();
    world.annotate("usersync.dev/update-now", "a");
    world.annotate("usersync.dev/simulate-now", "a");
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a", "SimulateNow a"]);
    let status = world.status();
    assert_eq!(status.last_handled_update_now.as_deref(), Some("a"));
    assert_eq!(status.last_completed_update_now.as_deref(), Some("a"));
    assert_eq!(status.last_completed_simulate_now.as_deref(), Some("a"));
    // A newer one, and then a revert to the older one.
    world.annotate("usersync.dev/update-now", "b");
    world.rest();
    world.annotate("usersync.dev/update-now", "a");
    world.rest();
    world.restart();
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a", "SimulateNow a", "UpdateNow b"]);
    // Somebody empties the status: the runs still say which tokens were used.
    world.sync.status = None;
    world.rest();
    assert_eq!(world.runs().len(), 3);
    assert_eq!(world.status().last_run.as_ref().map(|run| run.mode), Some(crate::api::Mode::Import));
    let verdict = world.said("Synced");
    world.sync.status.as_mut().unwrap().conditions.clear();
    world.rest();
    assert_eq!(world.said("Synced"), verdict, "of a status without conditions too");
}

#[test]
fn of_several_tokens_during_a_run_the_last_one_runs() {
    let mut world = World::new("", "2026-11-22T00:30:00Z");
    world.rest();
    world.runs_end = false;
    world.annotate("usersync.dev/update-now", "a");
    assert_eq!(world.rest().last().unwrap(), "wait");
    world.annotate("usersync.dev/update-now", "b");
    assert_eq!(world.rest(), ["wait"]);
    world.annotate("usersync.dev/update-now", "c");
    assert_eq!(world.rest(), ["wait"]);
    world.runs_end = true;
    world.finish();
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a", "UpdateNow c"]);
}

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
fn a_refused_login_is_tried_once_a_slot_and_when_a_secret_changes() {
    let mut world = World::new(DAILY, "2026-11-22T00:00:00Z");
    let denied = Failure { reason: Reason::SourceDenied, message: "wrong password".into() };
    world.source = Err(denied.clone());
    world.run_reason = Reason::SourceDenied;
    world.rest();
    assert_eq!((world.logins, world.said("Stalled").as_str()), (1, "True SourceDenied"));
    for minute in 1..50 {
        world.now = at(&format!("2026-11-22T00:{minute:02}:00Z"));
        world.rest();
    }
    assert_eq!(world.logins, 1, "the Secret is read again, nobody logs in");
    world.now = at("2026-11-22T01:00:00Z");
    world.rest();
    assert_eq!((world.reasons(), world.logins), (vec!["SourceDenied".to_owned()], 1));
    world.restart();
    world.now = at("2026-11-22T01:30:00Z");
    world.rest();
    assert_eq!(world.logins, 1, "not after a restart either");
    (world.source, world.references) = (Ok(()), "rotated".into());
    world.now = at("2026-11-22T01:40:00Z");
    world.rest();
    assert_eq!((world.logins, world.said("Ready").as_str()), (2, "True Ready"));

    let mut polling = World::new("schedule: {every: 1m}", "2026-11-22T00:00:00Z");
    polling.source = Err(denied.clone());
    polling.folder = Err(denied);
    polling.run_reason = Reason::SourceDenied;
    for minute in 0..180 {
        polling.now = at("2026-11-22T00:00:00Z") + jiff::SignedDuration::from_mins(minute);
        polling.rest();
    }
    assert_eq!((polling.logins, polling.runs().len()), (3, 0), "once an hour");
}

#[test]
fn a_bad_spec_stalls_and_lists_everything() {
    let mut world = World::new(
        "schedule: {every: 10m, expectFileEvery: 24h}\n  source: {directory: {path: in}, dropBox: {credentials: {name: x}}}",
        "2026-11-22T00:00:00Z",
    );
    world.annotate("usersync.dev/update-now", "a");
    assert_eq!(world.rest(), ["note", "wait"]);
    assert_eq!((world.said("Ready"), world.said("Stalled")), ("False InvalidSpec".into(), "True InvalidSpec".into()));
    let lines = world.status().conditions[0].message.lines().count();
    assert!(lines >= 2, "{:?}", world.status().conditions[0].message);
    world.edit(|sync| {
        sync.spec.source = serde_yaml::from_str("{directory: {path: in}}").unwrap();
        sync.spec.schedule = None;
    });
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a"], "the request waited");
    assert_eq!(world.said("Stalled"), "");
}

#[test]
fn a_cluster_wants_a_target() {
    let mut world = World::new("", "2026-11-22T00:00:00Z");
    world.target_required = true;
    world.rest();
    assert_eq!(world.said("Ready"), "False TargetRequired");
}

#[test]
fn a_folder_that_the_namespace_may_not_use_is_a_bad_spec() {
    let mut world = World::new("", "2026-11-22T00:00:00Z");
    world.sync.spec.source.sftp = None;
    let path = "/etc".to_owned();
    world.sync.spec.source.directory = Some(crate::api::usersync::server::Directory { path });
    world.bounds = Some(crate::model::job::Bounds::Below("/data".into()));
    world.rest();
    assert_eq!(world.said("Stalled"), "True InvalidSpec");
    assert_eq!(world.runs(), [""; 0]);
}

#[test]
fn annotations_that_are_no_tokens() {
    for value in ["", &"x".repeat(129), &"x".repeat(200_000)] {
        let mut world = World::new("", "2026-11-22T00:00:00Z");
        world.annotate("usersync.dev/update-now", value);
        world.rest();
        assert_eq!((world.runs().len(), world.said("RequestRefused").as_str()), (0, "True InvalidAnnotation"));
        assert_eq!(world.said("Ready"), "True Ready");
        world.annotate("usersync.dev/update-now", &"x".repeat(128));
        world.rest();
        assert_eq!((world.runs().len(), world.said("RequestRefused").as_str()), (1, ""));
    }
}

#[test]
fn an_approval_starts_one_run_with_the_spec_that_was_held() {
    let mut world = World::new("", "2026-11-22T00:00:00Z");
    world.rest();
    world.run_reason = Reason::Held;
    world.annotate("usersync.dev/update-now", "a");
    world.rest();
    assert_eq!(world.said("Synced"), "False Held");
    assert_eq!(world.status().connection, Some(crate::api::usersync::status::Connection::Active));
    world.edit(|sync| sync.spec.source.files = Some("other_*.csv".into()));
    world.rest();
    world.run_reason = Reason::Completed;
    world.approve(0, &"ab".repeat(32));
    world.rest();
    world.restart();
    world.rest();
    assert_eq!(world.runs(), ["UpdateNow a", "Approval"]);
    assert_eq!(world.all[1].spec.sync_spec.source.files, None, "the held run's spec");
    let approval = world.approvals[1].as_ref().unwrap();
    assert_eq!((approval.sha256.len(), approval.held.as_ref().unwrap().shown.removals), (64, 412));
    assert_eq!(world.said("Synced"), "True Completed");
}

#[test]
fn an_approval_of_another_file_covers_nothing() {
    let mut world = World::new("", "2026-11-22T00:00:00Z");
    world.run_reason = Reason::Held;
    world.annotate("usersync.dev/update-now", "a");
    world.rest();
    world.approve(0, &"cd".repeat(32));
    world.rest();
    let approval = world.approvals[1].as_ref().unwrap();
    assert_eq!(approval.held.as_ref().unwrap().shown.removals, 0);
    assert_eq!(approval.sha256, "cd".repeat(32));
}

#[test]
fn an_approval_that_is_replaced_before_its_run_begins_covers_nothing() {
    let mut world = World::new("", "2026-11-22T00:00:00Z");
    world.run_reason = Reason::Held;
    world.annotate("usersync.dev/update-now", "a");
    world.rest();
    world.approve(0, &"cd".repeat(32));
    while world.step() != "create" {}
    world.approve(0, &"ab".repeat(32));
    world.run_reason = Reason::ApprovalOutdated;
    while world.step() != "end" {}
    world.run_reason = Reason::Completed;
    world.rest();
    let approved: Vec<_> =
        world.approvals[1..].iter().map(|approval| approval.as_ref().unwrap().sha256.clone()).collect();
    assert_eq!(approved, [String::new(), "ab".repeat(32)], "the first one is not for what came later");
    assert_eq!(world.reasons(), ["Held", "ApprovalOutdated", "Completed"]);
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
