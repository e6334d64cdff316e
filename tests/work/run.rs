//! Runs: once each, however often they are attempted.

use std::{
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::sync::Notify;
use usersync::{
    host::local::state::Spool,
    model::{
        job::{Approval, Seen, Shown, SyncId},
        progress::{Progress, Step},
        reason::Reason,
    },
    ports::{HostError, Watch, Work},
};

use crate::world::{Silent, World, files};

const TWO: &str = "id,email,city\n1,a@x.de,Rom\n2,b@x.de,Ulm\n";

/// Says that a run is at a step, once, and keeps it there until it is dropped.
struct Until {
    step: Step,
    there: Arc<Notify>,
    go: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Watch for Until {
    fn at(&self, progress: Progress) {
        if progress.step == self.step {
            self.there.notify_one();
            let _ = tokio::task::block_in_place(|| self.go.lock().unwrap().recv_timeout(Duration::from_secs(30)));
        }
    }
}

/// Stops before the commit.
struct Stop;

impl Watch for Stop {
    fn at(&self, _: Progress) {}

    fn stopped(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_has_the_spec_that_it_carries_and_is_done_once() {
    let world = World::new().await;
    world.upload("users1.csv", TWO, 60);
    let mut order = world.asked(&world.sync(json!({})));
    let first = world.run(&order).await;
    assert_eq!((first.reason().as_str(), first.file()), ("Completed", Some("users1.csv")));
    assert_eq!(world.users().await, ["1 a@x.de Rom", "2 b@x.de Ulm"]);
    assert_eq!(files(&world.people("inbox")), ["bak/users1.csv"]);
    let reports = first.0.reports.clone().unwrap();
    let report = reports.report.as_deref().unwrap();
    assert!(report.starts_with(world.path("reports/people/hr").to_str().unwrap()), "{report}");
    assert_eq!(files(&world.path("data/spool/people/hr")), [".lock"], "the spool is tidy");

    world.execute("delete from users").await;
    world.upload("users2.csv", TWO, 50);
    order.run.status = Some(first.0.clone());
    let again = world.run(&order).await;
    assert_eq!(again.reason(), "AlreadyApplied");
    assert_eq!(again.started(), first.started(), "the run began with its first attempt");
    assert_eq!((again.file(), again.0.counts), (Some("users1.csv"), first.0.counts));
    assert_eq!(again.0.reports, Some(reports));
    assert_eq!(world.users().await, Vec::<String>::new());
    assert_eq!(files(&world.people("inbox")), ["bak/users1.csv", "users2.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_broken_off_has_happened_or_not() {
    for (step, there, then) in
        [(Step::Fetch, 0, "Completed"), (Step::Apply, 0, "Completed"), (Step::Finish, 2, "AlreadyApplied")]
    {
        let world = World::new().await;
        world.upload("users1.csv", TWO, 60);
        let order = world.asked(&world.sync(json!({})));
        let notify = Arc::new(Notify::new());
        let (go, wait) = std::sync::mpsc::channel();
        let watch = Arc::new(Until { step, there: notify.clone(), go: Mutex::new(wait) });
        tokio::select! {
            ended = world.worker.run(&order, watch) => panic!("{step:?}: {ended:?}"),
            () = notify.notified() => {}
        }
        assert_eq!(world.users().await.len(), there, "{step:?}");
        // The attempt still holds the sync until its thread gets on; the next one waits for that.
        drop(go);
        assert_eq!(world.run(&order).await.reason(), then, "{step:?}");
        assert_eq!(world.users().await.len(), 2, "{step:?}");
        assert_eq!(files(&world.people("inbox")), ["bak/users1.csv"], "{step:?}");
        let run = order.run.metadata.name.as_deref().unwrap();
        assert!(world.path("reports/people/hr").join(run).join("report.json").exists(), "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_writes_nothing() {
    let world = World::new().await;
    world.upload("users1.csv", TWO, 60);
    let order = world.asked(&world.sync(json!({})));
    let status = world.worker.run(&order, Arc::new(Stop)).await.unwrap();
    assert_eq!((status.conditions[0].status.as_str(), status.conditions[0].reason.as_str()), ("False", "Stopped"));
    assert_eq!(world.users().await, Vec::<String>::new());
    assert_eq!(files(&world.people("inbox")), ["users1.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_takes_the_file_that_was_held() {
    let world = World::new().await;
    world.execute("insert into users values ('1', '', ''), ('2', '', ''), ('3', '', '')").await;
    let sync = world.sync(json!({"action": "Mirror", "source": {"select": "Oldest"}}));
    world.upload("users2.csv", TWO, 60);
    let order = world.scheduled(&sync, &[]);
    let held = world.run(&order).await;
    assert_eq!(held.reason(), "Held");
    // A file that fails lies before it now: whoever asks for a run would take that one.
    world.upload("users1.csv", "no,such,column\n1,2,3\n", 90);
    let file = usersync::control::known::file_of(&held.of(&order));
    assert!(file.is_some());
    let approve = async |sha256: String, removals| {
        let updated = held.0.counts.unwrap().updated;
        let shown = Shown { removals, updated, ..Shown::default() };
        let mut order = world.asked(&sync);
        order.approval = Some(Approval { sha256, held: Some(Seen { shown, last: None, file: file.clone() }) });
        let run = world.run(&order).await;
        (run.reason(), run.file().map(str::to_owned), run.message().to_owned())
    };
    let sha256 = held.0.file.clone().unwrap().sha256.unwrap();
    for (sha256, removals, expected) in
        [("0".repeat(64), 1, "ApprovalOutdated"), (sha256.clone(), 0, "Held"), (sha256, 1, "Completed")]
    {
        let (reason, file, message) = approve(sha256, removals).await;
        assert_eq!((reason.as_str(), file.as_deref()), (expected, Some("users2.csv")), "{message}");
    }
    assert_eq!(world.users().await, ["1 a@x.de Rom", "2 b@x.de Ulm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_reference_is_told_and_heals() {
    let world = World::new().await;
    world.upload("users1.csv", TWO, 60);
    let sync = world.sync(json!({"target": {"url": {"secretKeyRef": {"name": "later"}}}}));
    let order = world.asked(&sync);
    let run = world.run(&order).await;
    assert_eq!(run.reason(), "ReferenceMissing");
    assert!(Reason::ReferenceMissing.heals());
    assert!(run.message().contains("no Secret “later”"), "{}", run.message());
    world.secret("later", "url", "sqlite:users.db");
    assert_eq!(world.run(&order).await.reason(), "Completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_another_process_and_says_when_this_machine_fails() {
    let world = World::new().await;
    world.upload("users1.csv", TWO, 60);
    let sync = world.sync(json!({}));
    let id = SyncId { instance: "usersync".into(), namespace: "people".into(), name: "hr".into() };
    let other = Spool::of(&world.path("data"), &id).unwrap();
    let order = world.asked(&sync);
    let (run, ()) = tokio::join!(world.run(&order), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(other);
    });
    assert_eq!(run.reason(), "Completed");

    fs::remove_dir_all(world.path("data")).unwrap();
    fs::write(world.path("data"), "a file in its place").unwrap();
    let run = world.run(&world.asked(&sync)).await;
    assert_eq!(run.reason(), "LocalFailed");
    assert!(run.message().contains("data/spool/people/hr can't be made"), "{}", run.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_can_t_be_asked_is_no_verdict() {
    let world = World::new().await;
    let mut order = world.asked(&world.sync(json!({})));
    order.run.metadata.namespace = Some("others".to_owned());
    let error = world.worker.run(&order, Arc::new(Silent)).await.unwrap_err();
    assert_eq!(error, HostError::Unreachable("asked for namespace others".to_owned()));
}
