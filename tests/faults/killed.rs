//! A fault at each write of a whole story: a request, a simulation, a slot; two files to import, and one to hold.

use futures::{StreamExt, stream};
use kube::Client;
use serde_json::json;
use usersync::api::UserSyncStatus;

use crate::{
    cluster,
    proxy::Fault,
    scene::{LIMIT, Scene},
};

/// Stories that are told side by side.
const AT_ONCE: usize = 6;

#[tokio::test]
async fn killed_before_a_write() {
    at_each_write(Fault::KilledBefore).await;
}

#[tokio::test]
async fn killed_after_a_write() {
    at_each_write(Fault::KilledAfter).await;
}

#[tokio::test]
async fn killed_and_the_write_comes_late() {
    at_each_write(Fault::KilledAndLate).await;
}

#[tokio::test]
async fn a_write_is_lost() {
    at_each_write(Fault::Lost).await;
}

#[tokio::test]
async fn the_answer_to_a_write_is_lost() {
    at_each_write(Fault::AnswerLost).await;
}

#[tokio::test]
async fn a_write_is_repeated() {
    at_each_write(Fault::Repeated).await;
}

#[tokio::test]
async fn an_event_is_not_seen() {
    at_each_write(Fault::EventUnseen).await;
}

/// Tells the story with the fault at the first write, at the second, and so on until the story has no such write.
async fn at_each_write(fault: Fault) {
    let client = cluster().client().await;
    let stories = stream::iter(1..).map(|nth| story(client.clone(), fault, nth)).buffered(AT_ONCE);
    let told = stories.take_while(|reached| std::future::ready(*reached)).count().await;
    println!("{fault:?}: at each of {told}");
    assert!(told >= 10, "{fault:?}: {told} writes are too few for three runs");
}

/// Says whether the fault was met.
async fn story(client: Client, fault: Fault, nth: usize) -> bool {
    let namespace = format!("{fault:?}-{nth}").to_lowercase();
    let scene = Scene::new(client, &namespace).await;
    scene.put("hr", "userdata_1.csv", 20, &[("1", "Ada"), ("2", "Bob")]);
    scene.put("hr", "userdata_2.csv", 10, &[("2", "Bea"), ("3", "Cem")]);
    scene.put("guarded", "userdata_3.csv", 10, &[("4", "Dan")]);
    scene.proxy.arm(fault, nth);
    let mut operator = scene.operator();
    if fault == Fault::EventUnseen {
        // What is there before is in the first list.
        scene.proxy.watched().await;
    }
    let tokens = [("update-now", "u1"), ("simulate-now", "s1")];
    scene.sync("hr", &tokens, json!({"schedule": {"once": {"now": {}}}})).await;
    scene.sync("guarded", &[("update-now", "u2")], json!({"safeguards": {"minRows": 100}})).await;

    let mut reached = false;
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        tokio::select! {
            () = scene.proxy.reached() => {
                reached = true;
                match fault {
                    Fault::KilledBefore | Fault::KilledAfter | Fault::KilledAndLate => scene.restart(&mut operator).await,
                    Fault::EventUnseen => help_if_stuck(&scene).await,
                    Fault::Lost | Fault::AnswerLost | Fault::Repeated => {}
                }
            }
            () = told(&scene) => break,
            () = tokio::time::sleep_until(end) => {
                let (hr, guarded) = (scene.status("hr").await, scene.status("guarded").await);
                panic!("{namespace}: no end: {hr:#?}\n{guarded:#?}");
            }
        }
    }
    check(&scene).await;
    drop(operator);
    reached
}

/// What nobody has seen is seen with the next list.
async fn help_if_stuck(scene: &Scene) {
    let patience = std::time::Duration::from_secs(2);
    if tokio::time::timeout(patience, told(scene)).await.is_err() {
        scene.proxy.forget();
    }
}

/// Waits until the statuses say that all is done.
async fn told(scene: &Scene) {
    scene
        .until("hr", "done", |status| {
            let completed = [&status.last_completed_update_now, &status.last_completed_simulate_now];
            completed.iter().all(|token| token.is_some())
                && status.recent_runs.len() == 3
                && status.active_run.is_none()
        })
        .await;
    let held = |status: &UserSyncStatus| status.last_completed_update_now.is_some() && status.active_run.is_none();
    scene.until("guarded", "held", held).await;
}

/// What must be true, whatever happened on the way.
async fn check(scene: &Scene) {
    let at = &scene.namespace;
    let (hr, guarded) = (scene.status("hr").await, scene.status("guarded").await);

    // Each token and the slot has one run, which ended; each file was imported once. (Where the commit was all that was left to
    // see, the run says so.)
    let ends = scene.ends("hr").await.into_iter().map(|end| end.replace("AlreadyApplied", "Completed"));
    let expected = ["Schedule Completed", "SimulateNow:s1 Completed", "UpdateNow:u1 Completed"];
    assert_eq!(ends.collect::<Vec<_>>(), expected, "{at}");
    assert_eq!(scene.imported("hr").await, ["userdata_1.csv", "userdata_2.csv"], "{at}");
    assert_eq!(scene.users("hr").await, ["0 Somebody", "1 Ada", "2 Bea", "3 Cem"], "{at}");
    assert_eq!(scene.files("hr/bak"), ["userdata_1.csv", "userdata_2.csv"], "{at}");
    assert!(scene.files("hr").is_empty(), "{at}: {:?}", scene.files("hr"));

    // The status says what is.
    let says = |status, kind| Scene::condition(status, kind).unwrap_or_default();
    assert!(says(&hr, "Ready").starts_with("True"), "{at}: {hr:#?}");
    assert!(says(&hr, "SourceReady").starts_with("True"), "{at}: {hr:#?}");
    assert!(["True Completed", "True AlreadyApplied"].contains(&&*says(&hr, "Synced")), "{at}: {hr:#?}");
    assert_eq!(Scene::condition(&hr, "Reconciling"), None, "{at}");
    assert_eq!(Scene::condition(&hr, "Stalled"), None, "{at}");
    assert_eq!(
        (hr.last_handled_update_now.as_deref(), hr.last_completed_update_now.as_deref()),
        (Some("u1"), Some("u1"))
    );
    assert_eq!(
        (hr.last_handled_simulate_now.as_deref(), hr.last_completed_simulate_now.as_deref()),
        (Some("s1"), Some("s1"))
    );
    assert!(hr.last_schedule_time.is_some() && hr.last_successful_time.is_some(), "{at}: {hr:#?}");
    assert_eq!(
        (hr.active_run.as_deref(), hr.active_run_digest.as_deref(), hr.observed_generation),
        (None, None, Some(1))
    );
    let mut said: Vec<_> = hr.recent_runs.iter().map(|run| run.name.clone()).collect();
    let mut made: Vec<_> = scene.runs("hr").await.into_iter().filter_map(|run| run.metadata.name).collect();
    said.sort();
    made.sort();
    assert_eq!(said, made, "{at}");
    assert_eq!(hr.last_run.as_ref(), hr.recent_runs.first(), "{at}");

    // Nothing of what is held was written.
    assert_eq!(scene.ends("guarded").await, ["UpdateNow:u2 Held"], "{at}");
    assert_eq!(scene.users("guarded").await, ["0 Somebody"], "{at}");
    assert!(scene.imported("guarded").await.is_empty(), "{at}");
    assert_eq!(scene.files("guarded"), ["userdata_3.csv"], "{at}");
    assert_eq!(says(&guarded, "Synced"), "False Held", "{at}");

    for sync in ["hr", "guarded"] {
        scene.assert_at_rest(sync).await;
    }
}
