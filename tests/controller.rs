//! The control path with its queue, turns and tries, over a host in memory: what happens between effects, which no pure test
//! sees.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use usersync::{
    api::{SIMULATE_NOW, UPDATE_NOW},
    control::told::{at_work, failed},
    model::{condition::ConditionReason, reason::Reason, sync::Unfinished},
};

#[path = "controller/world.rs"]
mod world;
use world::{End, World};

const GRACE: Duration = Duration::from_secs(20);

const POLLS: &str = "{every: 1s}";

/// A slot that is due as soon as the sync is there.
const ONCE: &str = "{once: {now: {}}}";

fn scheduled(world: &World, name: &str) {
    world.put("a", name, |sync| sync.spec.schedule = Some(serde_yaml::from_str(ONCE).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_deleted_stops_its_run_before_it_writes() {
    let world = World::new();
    let running = world.start(4, GRACE);
    world.ends.lock().unwrap().push(End::WhenStopped);
    world.put("a", "hr", |_| {});
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("the run is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
    world.delete("a", "hr");
    world.until("the run has stopped", |world| world.at_work.load(Ordering::SeqCst) == 0).await;
    // One of the same name is another one: the token counts anew.
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("the new one has run", |world| world.reasons() == ["Completed"]).await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_that_is_edited_meanwhile_is_the_next_run_s() {
    let world = World::new();
    let running = world.start(4, GRACE);
    world.ends.lock().unwrap().push(End::After(300));
    world.put("a", "hr", |_| {});
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("the run is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
    world.put("a", "hr", |sync| sync.spec.source.files = Some("new_*.csv".into()));
    world.until("the new spec was seen", |world| world.status("a", "hr").observed_generation == Some(2)).await;
    assert!(world.status("a", "hr").active_run.is_some(), "the run goes on");
    world.annotate("a", "hr", UPDATE_NOW, "2");
    world.until("both have run", |world| world.reasons() == ["Completed", "Completed"]).await;
    world.until("it is noted", |world| world.status("a", "hr").last_completed_update_now.as_deref() == Some("2")).await;
    let files: Vec<_> = world.carried_out.lock().unwrap().iter().map(|(_, files)| files.clone()).collect();
    assert_eq!(files, [None, Some("new_*.csv".to_owned())]);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_namespace_waits_behind_the_many_of_another() {
    let world = World::new();
    // Something is at work while the others come.
    world.put("z", "first", |_| {});
    world.annotate("z", "first", UPDATE_NOW, "1");
    world.ends.lock().unwrap().push(End::After(1500));
    let running = world.start(1, GRACE);
    world.until("the first is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
    for name in ["1", "2", "3", "4"] {
        world.annotate("a", name, UPDATE_NOW, "1");
    }
    world.until("four wait", |world| world.reasons().len() == 5).await;
    for name in ["1", "2"] {
        world.annotate("b", &format!("b{name}"), UPDATE_NOW, "1");
    }
    world
        .until("all have run", |world| world.reasons().iter().filter(|reason| *reason == "Completed").count() == 7)
        .await;
    assert_eq!(world.most_at_work.load(Ordering::SeqCst), 1);
    let order: Vec<_> = world.carried_out.lock().unwrap().iter().map(|(sync, _)| sync[..1].to_owned()).collect();
    let last_of_b = order.iter().rposition(|namespace| namespace == "b").unwrap();
    assert!(last_of_b <= 5, "{order:?}");
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_run_waits_for_a_server_and_is_one_run() {
    let world = World::new();
    world.ends.lock().unwrap().extend([End::With(Reason::SourceUnreachable), End::With(Reason::SourceUnreachable)]);
    let running = world.start(4, GRACE);
    scheduled(&world, "hr");
    let down = |world: &World| world.status("a", "hr").conditions.iter().any(|said| said.reason == "SourceUnreachable");
    world.until("the status says so", down).await;
    assert_eq!(world.reasons(), ["-"]);
    world.until("it has run", |world| world.reasons() == ["Completed"]).await;
    world.until("all is well", |world| world.status("a", "hr").last_successful_time.is_some()).await;
    assert_eq!(world.carried_out.lock().unwrap().len(), 3);
    world.until("its end is told", |world| world.events.lock().unwrap().contains(&"RunCompleted".to_owned())).await;
    let mut events = world.events.lock().unwrap().clone();
    events.sort();
    assert_eq!(events, ["RunCompleted", "RunStarted", "SourceFailed", "SourceRecovered"]);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_run_hurries_when_somebody_asks() {
    let world = World::new();
    world.ends.lock().unwrap().extend([End::With(Reason::TargetUnreachable); 6]);
    let running = world.start(4, GRACE);
    scheduled(&world, "hr");
    world.until("it waits", |world| world.carried_out.lock().unwrap().len() >= 3).await;
    world.annotate("a", "hr", SIMULATE_NOW, "1");
    world
        .until("both have ended", |world| {
            let reasons = world.reasons();
            reasons.len() == 2 && !reasons.contains(&"-".to_owned())
        })
        .await;
    assert!(world.reasons().contains(&"TargetUnreachable".to_owned()), "{:?}", world.reasons());
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_in_time_is_dropped_and_carried_out_by_the_next() {
    let world = World::new();
    world.put("a", "hr", |_| {});
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.ends.lock().unwrap().push(End::Never);
    let running = world.start(4, Duration::from_millis(200));
    world.until("the run is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!((world.at_work.load(Ordering::SeqCst), world.reasons()), (0, vec!["-".to_owned()]));
    let next = world.start(4, GRACE);
    world.until("the next one ends it", |world| world.reasons() == ["Completed"]).await;
    assert_eq!(world.objects.lock().unwrap().runs.len(), 1);
    next.stop.cancel();
    next.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_run_that_another_process_carries_on_does_not_count() {
    for end in [End::After(300), End::Asking(300)] {
        let world = World::new();
        world.put("a", "hr", |_| {});
        world.annotate("a", "hr", UPDATE_NOW, "1");
        world.ends.lock().unwrap().push(end);
        let running = world.start(4, GRACE);
        world.until("the run is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
        world.elsewhere(at_work("Running", "elsewhere", Timestamp::now(), "another"));
        world.until("the run has come to its end here", |world| world.at_work.load(Ordering::SeqCst) == 0).await;
        // It would be carried out here once more if the other one did not end it by and by.
        world.elsewhere(failed(Reason::NoFile, "elsewhere", Timestamp::now()));
        world.until("it is noted", |world| world.status("a", "hr").last_run.is_some()).await;
        assert_eq!(world.reasons(), ["NoFile"], "{end:?}");
        assert_eq!(world.carried_out.lock().unwrap().len(), 1, "{end:?}");
        assert_eq!(*world.events.lock().unwrap(), ["RunStarted", "RunCompleted"], "{end:?}");
        running.stop.cancel();
        running.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_notes_what_ends_and_starts_nothing() {
    let world = World::new();
    world.put("a", "hr", |_| {});
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.annotate("a", "hr", SIMULATE_NOW, "1");
    world.ends.lock().unwrap().push(End::After(300));
    let running = world.start(4, GRACE);
    world.until("the run is at work", |world| world.at_work.load(Ordering::SeqCst) == 1).await;
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(world.reasons(), ["Completed"], "the simulation is the next one's");
    assert_eq!(world.carried_out.lock().unwrap().len(), 1);
    let next = world.start(4, GRACE);
    world.until("the next one goes on", |world| world.reasons() == ["Completed", "Completed"]).await;
    next.stop.cancel();
    next.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_harms_one_run_and_nothing_else() {
    let world = World::new();
    world.ends.lock().unwrap().push(End::ByPanic);
    let running = world.start(1, GRACE);
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("it has ended", |world| world.reasons() == ["LocalFailed"]).await;
    world.annotate("a", "hr", UPDATE_NOW, "2");
    world.annotate("a", "other", UPDATE_NOW, "1");
    world
        .until("others run", |world| world.reasons().iter().filter(|reason| *reason == "Completed").count() == 2)
        .await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_slower_looks_again() {
    let world = World::new();
    world.conflicts.store(12, Ordering::SeqCst);
    let running = world.start(4, GRACE);
    for name in ["1", "2", "3"] {
        world.annotate("a", name, UPDATE_NOW, "1");
    }
    world.until("all have run", |world| world.reasons() == ["Completed"; 3]).await;
    assert_eq!(world.carried_out.lock().unwrap().len(), 3);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_keeps_nobody_else_waiting() {
    // In front of its door, and behind it.
    for full in [true, false] {
        let world = World::new();
        world.full.store(full, Ordering::SeqCst);
        let polls = |name: &str| {
            world.put("a", name, |sync| sync.spec.schedule = Some(serde_yaml::from_str(POLLS).unwrap()));
        };
        let running = world.start(4, GRACE);
        for number in 0..40 {
            let name = format!("slow-{number}");
            world.slow.lock().unwrap().insert(name.clone());
            polls(&name);
        }
        world.until("many ask", |world| world.unanswered.load(Ordering::SeqCst) >= 32).await;
        polls("quick");
        world.until("the other one is looked at", |world| world.count("look quick") >= 2).await;
        world.annotate("a", "quick", UPDATE_NOW, "1");
        world.until("and has run", |world| world.reasons() == ["Completed"]).await;
        assert!((0..40).all(|number| world.count(&format!("look slow-{number}")) <= 1), "one question at a time");
        // A run comes first, and another spec is another question.
        world.annotate("a", "slow-0", UPDATE_NOW, "1");
        world.until("it has run", |world| world.reasons().len() == 2).await;
        world.until("it is looked at again", |world| world.count("look slow-0") == 2).await;
        world.put("a", "slow-1", |sync| sync.spec.source.files = Some("new_*.csv".into()));
        world.until("that one too", |world| world.count("look slow-1") == 2).await;
        world.open.cancel();
        world.until("all are looked at again", |world| world.count("look slow-39") > 1).await;
        running.stop.cancel();
        running.task.await.unwrap();
    }
}

/// A sync that has run, and left something that can't be finished as long as its server is not open.
async fn unfinished(world: &World) {
    world.slow.lock().unwrap().insert("hr".into());
    let about = "a.csv is imported, but could not be put away".to_owned();
    let message = format!("{about}: no room");
    *world.left.lock().unwrap() = Some(Unfinished { reason: ConditionReason::FileNotMoved, about, message });
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("it is tried to finish that", |world| world.unanswered.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_run_works_while_what_is_left_is_finished() {
    let world = World::new();
    let running = world.start(4, GRACE);
    unfinished(&world).await;
    world.annotate("a", "hr", UPDATE_NOW, "2");
    world.annotate("a", "other", UPDATE_NOW, "1");
    world.until("another sync has run", |world| world.reasons().len() == 2).await;
    assert_eq!((world.count("finish hr"), world.reasons()), (1, vec!["Completed".to_owned(); 2]));
    *world.left.lock().unwrap() = None;
    world.open.cancel();
    world.until("then it runs", |world| world.reasons() == ["Completed"; 3]).await;
    let done = |world: &World| !world.status("a", "hr").conditions.iter().any(|said| said.type_ == "Unfinished");
    world.until("nothing is left", done).await;
    let told = |what: &str| world.events.lock().unwrap().iter().filter(|told| *told == what).count();
    world.until("that is told", |_| told("Finished") == 1).await;
    assert_eq!(told("Unfinished"), 1);
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_finished_ends_with_its_sync_and_with_the_process() {
    let world = World::new();
    let running = world.start(4, Duration::from_millis(200));
    unfinished(&world).await;
    world.delete("a", "hr");
    world.until("it is dropped", |world| world.unanswered.load(Ordering::SeqCst) == 0).await;
    unfinished(&world).await;
    running.stop.cancel();
    running.task.await.unwrap();
    assert_eq!(world.unanswered.load(Ordering::SeqCst), 0, "it had its time");

    // In time it is waited for.
    let running = world.start(4, GRACE);
    world.until("it is tried again", |world| world.unanswered.load(Ordering::SeqCst) == 1).await;
    running.stop.cancel();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!running.task.is_finished());
    world.open.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_for_their_server_keep_no_turn() {
    let world = World::new();
    let running = world.start(2, GRACE);
    world.ends.lock().unwrap().extend([End::AtTheDoor; 8]);
    for name in 0..8 {
        world.annotate("a", &format!("{name}"), UPDATE_NOW, "1");
    }
    world.until("all wait for their server", |world| world.carried_out.lock().unwrap().len() == 8).await;
    world.annotate("a", "other", UPDATE_NOW, "1");
    world.until("another run has ended", |world| world.reasons().contains(&"Completed".to_owned())).await;
    assert_eq!(world.at_work.load(Ordering::SeqCst), 0);
    world.open.cancel();
    world.until("all have", |world| world.reasons() == ["Completed"; 9]).await;
    assert!(world.most_at_work.load(Ordering::SeqCst) <= 2, "no more than have a turn");
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_run_goes_first_and_delays_nothing_where_it_can_not() {
    let world = World::new();
    let running = world.start(4, GRACE);
    world.put("a", "hr", |sync| sync.spec.history.successful = 1);
    let names = |world: &World| world.objects.lock().unwrap().runs.keys().cloned().collect::<Vec<_>>();
    world.annotate("a", "hr", UPDATE_NOW, "1");
    world.until("the first run", |world| world.reasons() == ["Completed"]).await;
    let first = names(&world);
    world.annotate("a", "hr", UPDATE_NOW, "2");
    world.until("the first is forgotten", |world| names(world).len() == 1 && names(world) != first).await;
    assert!(world.forgotten.lock().unwrap().iter().all(|name| *name == first[0]));
    world.keeps.store(true, Ordering::SeqCst);
    for token in ["3", "4"] {
        world.annotate("a", "hr", UPDATE_NOW, token);
        world
            .until("a run ends all the same", |world| {
                world.status("a", "hr").last_completed_update_now.as_deref() == Some(token)
            })
            .await;
    }
    let tried = |world: &World| world.forgotten.lock().unwrap().iter().any(|name| *name != first[0]);
    world.until("it was tried", tried).await;
    assert_eq!(names(&world).len(), 3, "they stay until it works");
    running.stop.cancel();
    running.task.await.unwrap();
}
