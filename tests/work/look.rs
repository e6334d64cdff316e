//! The file that a scheduled run would take.

use serde_json::{Value, json};
use usersync::{control::known::tried, model::reason::Reason};

use crate::world::World;

const ONE: &str = "id,email,city\n1,a@x.de,Rom\n";

async fn next(world: &World, patch: Value) -> Option<String> {
    let candidate = world.look(&world.sync(patch), &[]).await.unwrap();
    candidate.map(|candidate| candidate.file.name)
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_what_is_new_with_this_spec() {
    let world = World::new().await;
    let keep = json!({"source": {"afterImport": {"moveTo": null, "keep": {}}}});
    let sync = world.sync(keep.clone());
    assert_eq!(next(&world, keep.clone()).await, None);
    world.upload("users1.csv", ONE, 60);
    world.upload("users2.csv", ONE, 50);
    assert_eq!(next(&world, keep.clone()).await.as_deref(), Some("users1.csv"));
    assert_eq!(world.run(&world.scheduled(&sync, &[])).await.reason(), "Completed");
    assert_eq!(next(&world, keep.clone()).await.as_deref(), Some("users2.csv"));
    assert_eq!(world.run(&world.scheduled(&sync, &[])).await.reason(), "Completed");
    assert_eq!(next(&world, keep.clone()).await, None);
    let run = world.run(&world.scheduled(&sync, &[])).await;
    assert_eq!(run.reason(), "NoFile", "the schedule compares nothing again");
    assert!(run.message().contains("imported already"), "{}", run.message());
    assert_eq!(
        world.run(&world.asked(&sync)).await.file(),
        Some("users2.csv"),
        "somebody who asks gets the last again"
    );

    let mut other = keep;
    other["conflictMode"] = json!("Skip");
    assert_eq!(next(&world, other).await.as_deref(), Some("users1.csv"), "with another spec they are new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_settled_once_it_is_old_enough() {
    let world = World::new().await;
    let sync = world.sync(json!({"source": {"stableFor": "1h"}}));
    world.upload("users1.csv", ONE, 0);
    assert!(!world.look(&sync, &[]).await.unwrap().unwrap().settled);
    world.upload("users1.csv", ONE, 3_601);
    assert!(world.look(&sync, &[]).await.unwrap().unwrap().settled);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_files_are_waited_for_and_bad_ones_are_passed_over() {
    let world = World::new().await;
    let sync = world.sync(json!({"safeguards": {"minRows": 2}}));
    world.upload("users1.csv", "no,such,column\n1,2,3\n", 90);
    world.upload("users2.csv", ONE, 60);
    world.upload("users3.csv", "id,email,city\n1,a@x.de,Rom\n2,b@x.de,Ulm\n", 30);
    let mut runs = Vec::new();
    for (file, reason) in [("users1.csv", "InvalidFile"), ("users2.csv", "Held")] {
        let known = tried(&sync.spec, &runs);
        assert_eq!(world.look(&sync, &known).await.unwrap().unwrap().file.name, file);
        let order = world.scheduled(&sync, &known);
        let run = world.run(&order).await;
        assert_eq!((run.file(), run.reason().as_str()), (Some(file), reason));
        runs.push(run.of(&order));
    }
    let known = tried(&sync.spec, &runs);
    assert_eq!(world.look(&sync, &known).await.unwrap(), None, "later files wait behind a held one");
    let run = world.run(&world.scheduled(&sync, &known)).await;
    assert_eq!((run.reason().as_str(), run.file()), ("NoFile", None));
    assert!(run.message().starts_with("users2.csv in "), "{}", run.message());

    let newest = world.sync(json!({"safeguards": {"minRows": 2}, "source": {"select": "Newest"}}));
    assert_eq!(world.look(&newest, &known).await.unwrap().unwrap().file.name, "users3.csv");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_fails_with_the_reason_of_its_run() {
    let world = World::new().await;
    let reason = async |patch: Value| world.look(&world.sync(patch), &[]).await.unwrap_err().reason;
    assert_eq!(reason(json!({"source": {"directory": {"path": "gone"}}})).await, Reason::FolderMissing);
    let missing = json!({"target": {"url": {"secretKeyRef": {"name": "missing"}}}});
    assert_eq!(reason(missing).await, Reason::ReferenceMissing);
    world.secret("nowhere", "url", "postgres://sync:s3cret@127.0.0.1:1/users?sslmode=disable");
    let nowhere = json!({"target": {"url": {"secretKeyRef": {"name": "nowhere"}}}});
    let found = world.look(&world.sync(nowhere.clone()), &[]).await;
    assert_eq!(found, Ok(None), "an empty folder asks no database");
    world.upload("users1.csv", ONE, 60);
    assert_eq!(reason(nowhere).await, Reason::TargetUnreachable);
}
