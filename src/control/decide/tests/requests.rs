//! Annotations: tokens and approvals.

use super::world::World;
use crate::model::reason::Reason;

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
