//! Who is told of runs: sent beside everything else, tried again with patience, noted when something changes and never without.

use jiff::SignedDuration;

use super::{DAILY, EVERY, world::World};
use crate::{
    api::{DeliveryState, Mode, SIMULATE_NOW, UPDATE_NOW},
    control::deliveries::{Origin, about, noted, origin, owed, reported, standing},
    model::{
        approving::Approving,
        condition::ConditionReason::{MailDenied, MailUnreachable, RecipientRefused, ReportNotPublished},
        post::Posted,
        reason::Reason,
        sync::Unfinished,
    },
};

const MAIL: &str = "report: {email: {smtp: {name: smtp}, from: a@x.de, to: [it@x.de], bcc: [IT@x.de, b@x.de], \
                    failedImportTo: [hr@x.de]}, webhook: {url: {secretKeyRef: {name: h, key: u}}, signingKey: \
                    {secretKeyRef: {name: h, key: k}}}}";
const TO: &str = "report: {email: {smtp: {name: smtp}, from: a@x.de, to: [it@x.de, b@x.de]}}";

/// A sync by that spec at rest, whose first run somebody asked for and that is ready to end like this.
fn asked(report: &str, schedule: &str) -> World {
    let mut world = World::new(&format!("{schedule}\n  {report}"), "2026-11-22T00:30:00Z");
    world.rest();
    world.folder = Ok(Some(World::file("a.csv", true)));
    world.annotate(UPDATE_NOW, "1");
    world
}

fn later(world: &mut World, seconds: i64) -> Vec<String> {
    world.now = world.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    world.rest()
}

fn waits(message: &str) -> Posted {
    Posted::Waiting(MailUnreachable, message.into())
}

#[test]
fn a_run_s_mails_are_sent_once_and_noted_at_once() {
    let mut world = asked(TO, DAILY);
    let steps = world.rest();
    assert_eq!(steps.iter().filter(|step| *step == "deliver").count(), 1, "{steps:?}");
    assert_eq!(steps.iter().filter(|step| *step == "tell").count(), 1, "{steps:?}");
    assert_eq!(world.mails.iter().map(|(_, to)| to.as_str()).collect::<Vec<_>>(), ["it@x.de", "b@x.de"]);
    assert!(world.all[0].status.as_ref().unwrap().deliveries.iter().all(|one| one.state == DeliveryState::Sent));
    assert_eq!(world.said("Notified"), "");
    world.restart();
    assert_eq!(world.rest().len(), 1, "a restart sends nothing again");
}

#[test]
fn without_anybody_to_tell_there_is_nothing_more_to_do() {
    let count = |report: &str| asked(report, DAILY).rest().len();
    assert_eq!(count(""), asked("", DAILY).rest().len());
    assert_eq!(count(TO) - count(""), 2, "deliver and tell");
}

#[test]
fn a_server_that_is_down_costs_two_writes_and_stops_no_run() {
    let mut world = asked(TO, "");
    for to in ["it@x.de", "b@x.de"] {
        world.post.insert(to.into(), waits("no answer"));
    }
    world.rest();
    assert_eq!(world.said("Notified"), "False MailUnreachable");
    let (mut tells, mut tries) = (0, 0);
    for second in 0..1_800 {
        world.post.insert("it@x.de".into(), waits(&format!("no answer after {second} s")));
        let steps = later(&mut world, 1);
        tells += steps.iter().filter(|step| *step == "tell").count();
        tries += steps.iter().filter(|step| *step == "deliver").count();
        assert!(!steps.iter().any(|step| step == "note"), "{second}: {steps:?}");
    }
    assert_eq!(tells, 0, "nothing new");
    assert!((5..=12).contains(&tries), "5 s, 10 s, … 10 min: {tries}");
    // Another run goes on, and its mails are tried with it.
    world.annotate(UPDATE_NOW, "2");
    assert!(later(&mut world, 1).contains(&"execute".to_owned()));
    world.post.clear();
    let steps = later(&mut world, 700);
    assert_eq!(steps.iter().filter(|step| *step == "deliver").count(), 1, "{steps:?}");
    assert_eq!(steps.iter().filter(|step| *step == "tell").count(), 2, "one for each run: {steps:?}");
    assert_eq!(world.said("Notified"), "");
}

#[test]
fn a_refused_recipient_stops_nobody_and_stays_said_until_the_next_run() {
    let mut world = asked(TO, "");
    world.post.insert("it@x.de".into(), Posted::Refused(RecipientRefused, "no such user".into()));
    world.rest();
    assert_eq!(world.said("Notified"), "False RecipientRefused");
    let states: Vec<_> = standing(&world.all[0]).into_iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Refused, DeliveryState::Sent]);
    assert_eq!(later(&mut world, 3_000).iter().filter(|step| *step == "deliver").count(), 0);
    world.post.clear();
    world.annotate(UPDATE_NOW, "2");
    later(&mut world, 1);
    assert_eq!(world.said("Notified"), "");
}

#[test]
fn a_refused_login_is_not_hammered_but_a_person_s_request_tries_it() {
    let mut world = asked(TO, DAILY);
    for to in ["it@x.de", "b@x.de"] {
        world.post.insert(to.into(), Posted::Waiting(MailDenied, "535".into()));
    }
    world.rest();
    let tries: usize = (0..3_590).map(|_| later(&mut world, 1).iter().filter(|step| *step == "deliver").count()).sum();
    // At 01:00 a scheduled run ends as well.
    assert_eq!((world.said("Notified").as_str(), tries), ("False MailDenied", 0));
    world.annotate(UPDATE_NOW, "2");
    assert!(later(&mut world, 1).contains(&"deliver".to_owned()));
    assert!(later(&mut world, 3_601).contains(&"deliver".to_owned()), "once an hour");
}

#[test]
fn after_three_days_it_is_given_up() {
    let mut world = asked(TO, "");
    for to in ["it@x.de", "b@x.de"] {
        world.post.insert(to.into(), waits("no answer"));
    }
    world.rest();
    later(&mut world, 71 * 3_600);
    assert_eq!(standing(&world.all[0])[0].state, DeliveryState::Waiting);
    later(&mut world, 2 * 3_600);
    let given_up = &standing(&world.all[0])[0];
    assert_eq!(given_up.state, DeliveryState::Refused);
    assert!(given_up.message.as_deref().unwrap().starts_with("given up after three days"), "{given_up:?}");
    world.restart();
    assert_eq!(later(&mut world, 3_600), ["wait"]);
}

#[test]
fn a_run_that_is_not_told_yet_outlives_its_history() {
    let mut world = asked(&format!("{TO}\n  history: {{successful: 1, failed: 1}}"), "");
    for to in ["it@x.de", "b@x.de"] {
        world.post.insert(to.into(), waits("no answer"));
    }
    world.rest();
    for token in ["2", "3"] {
        world.annotate(UPDATE_NOW, token);
        later(&mut world, 1);
    }
    assert_eq!(world.all.len(), 3);
    world.post.clear();
    later(&mut world, 700);
    assert_eq!((world.all.len(), world.said("Notified").as_str()), (1, ""));
}

#[test]
fn what_is_owed_follows_from_how_the_run_ended() {
    let cases: &[(Reason, &str, u64, &[&str])] = &[
        (Reason::Completed, "", 0, &["it@x.de", "b@x.de", "webhook"]),
        (Reason::CompletedWithRejects, "", 1, &["it@x.de", "b@x.de", "hr@x.de", "webhook"]),
        (Reason::AlreadyApplied, "", 1, &["it@x.de", "b@x.de", "hr@x.de", "webhook"]),
        (Reason::InvalidFile, "", 0, &["it@x.de", "b@x.de", "hr@x.de", "webhook"]),
        (Reason::ApprovalOutdated, "", 0, &["it@x.de", "b@x.de", "webhook"]),
        (Reason::Held, "", 0, &["it@x.de", "b@x.de", "webhook"]),
        (Reason::NoFile, "", 0, &["it@x.de", "b@x.de", "webhook"]),
        (Reason::Refused, "", 0, &[]),
        (Reason::Stopped, "", 0, &[]),
        (Reason::Completed, "when: OnChange, ", 0, &["webhook"]),
        (Reason::CompletedWithRejects, "when: OnFailure, ", 1, &["hr@x.de", "webhook"]),
        (Reason::Held, "when: OnFailure, ", 0, &["it@x.de", "b@x.de", "webhook"]),
    ];
    for (reason, when, rejected, wanted) in cases {
        let mut world = asked(&MAIL.replace("smtp: {name", &format!("{when}smtp: {{name")), DAILY);
        world.run_reason = *reason;
        world.rest();
        let run = world.all.first_mut().unwrap();
        let status = run.status.as_mut().unwrap();
        status.counts.get_or_insert_default().rejected = *rejected;
        status.reports.get_or_insert_default().report = Some("there".into());
        let found: Vec<_> = owed(run).into_iter().map(|(_, to)| to).collect();
        assert_eq!(found, *wanted, "{reason} {when}");
        assert_eq!(origin(run), Origin::Report, "{reason}");
        // The same is owed of what left no report.
        run.status.as_mut().unwrap().reports = None;
        assert_eq!(owed(run).len(), wanted.len(), "{reason}");
        run.status.as_mut().unwrap().conditions.clear();
        assert_eq!(owed(run), []);
    }
}

#[test]
fn what_is_sent_comes_from_the_report_if_there_will_be_one() {
    for (reason, left, found) in [
        (Reason::Completed, false, Origin::Report),
        (Reason::CompletedWithRejects, true, Origin::Report),
        (Reason::AlreadyApplied, true, Origin::Report),
        (Reason::AlreadyApplied, false, Origin::ReportIfAny),
        (Reason::ReferenceMissing, false, Origin::Status),
        (Reason::LocalFailed, false, Origin::Status),
        (Reason::Held, false, Origin::Status),
    ] {
        let mut world = asked(MAIL, DAILY);
        world.run_reason = reason;
        if left {
            let (about, message) = ("a.csv".to_owned(), "it stays".to_owned());
            world.left = Ok(Some(Unfinished { reason: ReportNotPublished, about, message }));
        }
        world.rest();
        assert_eq!(origin(&world.all[0]), found, "{reason} {left}");
    }
    let mut world = asked(MAIL, DAILY);
    world.annotate(SIMULATE_NOW, "1");
    world.rest();
    let simulation = world.all.iter().find(|run| run.spec.mode == Mode::Simulation).unwrap();
    assert_eq!(origin(simulation), Origin::Status, "no simulation publishes its report later");
}

#[test]
fn a_run_that_never_began_is_told_once_an_outage() {
    let mut world = World::new(&format!("{DAILY}\n  {MAIL}"), "2026-11-22T00:30:00Z");
    world.rest();
    world.run_reason = Reason::ReferenceMissing;
    later(&mut world, 1_800);
    assert_eq!(world.reasons(), ["ReferenceMissing"]);
    let told: Vec<_> = world.mails.iter().map(|(_, to)| to.as_str()).collect();
    assert_eq!(told, ["it@x.de", "b@x.de", "hr@x.de", "webhook"]);
    let told = reported(&world.all[0]).unwrap();
    assert_eq!((told.reason, told.message.as_str()), (Reason::ReferenceMissing, "as told"));
    let about = about(&world.all[0], "usersync", Approving::Cluster).unwrap();
    assert_eq!(about.next.map(|at| at.to_string()).as_deref(), Some("2026-11-23T01:00:00Z"));
    for _ in 0..3 {
        later(&mut world, 600);
    }
    assert_eq!(world.mails.len(), 4, "once");
}

#[test]
fn an_outage_that_each_slot_meets_again_is_told_once_a_day() {
    let mut world = World::new(&format!("{EVERY}\n  {TO}"), "2026-11-22T00:30:00Z");
    world.rest();
    world.folder = Ok(Some(World::file("a.csv", true)));
    world.run_reason = Reason::LocalFailed;
    let hours = |world: &mut World, hours: i64| (0..hours * 6).for_each(|_| drop(later(world, 600)));
    hours(&mut world, 3);
    assert!(world.reasons().len() >= 10, "a run for each slot: {:?}", world.reasons());
    assert_eq!(world.mails.len(), 2, "to two people");
    hours(&mut world, 20);
    assert_eq!(world.mails.len(), 2);
    hours(&mut world, 3);
    assert_eq!(world.mails.len(), 4, "it lasts");
    // Another one, somebody who asks, and the end of it are news.
    world.run_reason = Reason::TargetBusy;
    hours(&mut world, 1);
    assert_eq!(world.mails.len(), 6);
    world.annotate(UPDATE_NOW, "1");
    later(&mut world, 1);
    assert_eq!(world.mails.len(), 8);
    world.run_reason = Reason::Completed;
    later(&mut world, 600);
    let told = world.mails.len();
    assert!(told >= 10, "{told}");
    // Each file that can't be imported is news.
    world.run_reason = Reason::InvalidFile;
    for name in ["b.csv", "c.csv"] {
        world.folder = Ok(Some(World::file(name, true)));
        later(&mut world, 600);
    }
    assert_eq!(world.mails.len(), told + 4);
}

#[test]
fn nothing_is_noted_that_is_said_already() {
    let mut world = asked(TO, DAILY);
    world.post.insert("it@x.de".into(), waits("no answer"));
    world.rest();
    let run = &world.all[0];
    let again = [waits("no answer, in other words").delivery(crate::api::DeliveryKind::Summary, "it@x.de")];
    assert_eq!(noted(run, &again, world.now), None);
    let sent = [Posted::Sent.delivery(crate::api::DeliveryKind::Summary, "it@x.de")];
    let status = noted(run, &sent, world.now).unwrap();
    assert!(status.deliveries.iter().all(|one| one.state == DeliveryState::Sent && one.message.is_none()));
}
