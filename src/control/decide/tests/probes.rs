//! What a sync needs before anything of it runs.

use super::DAILY;
use super::world::{World, at};
use crate::model::{reason::Reason, sync::Failure};

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
        "schedule: {every: 10m}\n  target: {table: a.b.c}\n  source: {directory: {path: in}, dropBox: {credentials: {name: x}}}",
        "2026-11-22T00:00:00Z",
    );
    world.annotate("usersync.dev/update-now", "a");
    assert_eq!(world.rest(), ["note", "wait"]);
    assert_eq!((world.said("Ready"), world.said("Stalled")), ("False InvalidSpec".into(), "True InvalidSpec".into()));
    let lines = world.status().conditions[0].message.lines().count();
    assert!(lines >= 2, "{:?}", world.status().conditions[0].message);
    world.edit(|sync| {
        sync.spec.source = serde_yaml::from_str("{directory: {path: in}}").unwrap();
        (sync.spec.schedule, sync.spec.target) = (None, None);
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
