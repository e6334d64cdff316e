//! Files that don't come: said once, told once to everybody, and over when one comes.

use jiff::SignedDuration;

use super::world::World;
use crate::{
    api::UPDATE_NOW,
    model::{condition::ConditionReason::MailUnreachable, post::Posted},
};

const EXPECTS: &str = "schedule: {daily: {at: \"01:00\"}, expectFileEvery: 24h}";
const TO: &str =
    "report: {email: {smtp: {name: smtp}, from: a@x.de, to: [it@x.de, b@x.de], failedImportTo: [hr@x.de]}}";

fn world() -> World {
    let mut world = World::new(&format!("{EXPECTS}\n  {TO}"), "2026-11-22T00:30:00Z");
    world.folder = Ok(None);
    world.run_reason = crate::model::reason::Reason::NoFile;
    world.rest();
    world
}

/// So much later, a minute at a time.
fn later(world: &mut World, hours: i64) -> Vec<String> {
    let mut steps = Vec::new();
    for _ in 0..hours * 60 {
        world.now = world.now.checked_add(SignedDuration::from_mins(1)).unwrap();
        steps.extend(world.rest());
    }
    steps
}

fn alerts(world: &World) -> Vec<&str> {
    world.mails.iter().filter(|(run, _)| run.starts_with("no file since")).map(|(_, to)| to.as_str()).collect()
}

#[test]
fn a_file_that_does_not_come_is_told_once() {
    let mut world = world();
    assert!(world.rest().last().unwrap().contains("2026-11-22T01:00"), "the schedule comes first");
    later(&mut world, 23);
    assert_eq!((world.said("FileOverdue").as_str(), alerts(&world).len()), ("", 0));
    later(&mut world, 2);
    assert_eq!(world.said("FileOverdue"), "True NoFileInTime");
    assert_eq!(alerts(&world), ["it@x.de", "b@x.de"], "and not those who get rejects");
    world.restart();
    later(&mut world, 60);
    assert_eq!(alerts(&world).len(), 2, "days later, by another process");

    // One comes, and then none again.
    world.folder = Ok(Some(World::file("a.csv", true)));
    world.run_reason = crate::model::reason::Reason::Completed;
    world.annotate(UPDATE_NOW, "1");
    world.rest();
    assert_eq!(world.said("FileOverdue"), "");
    assert!(world.status().file_alert.is_none());
    (world.folder, world.run_reason) = (Ok(None), crate::model::reason::Reason::NoFile);
    later(&mut world, 30);
    assert_eq!(world.said("FileOverdue"), "True NoFileInTime");
    assert_eq!(alerts(&world).len(), 4);
}

#[test]
fn whoever_can_t_be_told_is_told_later() {
    let mut world = world();
    world.post.insert("b@x.de".into(), Posted::Waiting(MailUnreachable, "no answer".into()));
    later(&mut world, 25);
    assert_eq!(world.said("Notified"), "False MailUnreachable");
    world.post.clear();
    later(&mut world, 1);
    assert_eq!(world.said("Notified"), "");
    assert_eq!(alerts(&world).iter().filter(|to| **to == "it@x.de").count(), 1, "told at once, and not again");
}

#[test]
fn nobody_expects_files_of_a_suspended_sync() {
    let mut world = world();
    world.edit(|sync| sync.spec.suspend = true);
    later(&mut world, 40);
    assert_eq!((world.said("FileOverdue").as_str(), alerts(&world).len()), ("", 0));
    world.edit(|sync| sync.spec.suspend = false);
    later(&mut world, 20);
    assert_eq!(world.said("FileOverdue"), "", "it counts from then on");
    later(&mut world, 5);
    assert_eq!(world.said("FileOverdue"), "True NoFileInTime");
}
