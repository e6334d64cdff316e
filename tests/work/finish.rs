//! What a run left to do is done without another.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::json;
use usersync::{
    control::known::aside,
    model::condition::ConditionReason::{FileNotMoved, FileNotSetAside, ReportNotPublished},
};

use crate::world::{World, files};

const ONE: &str = "id,email,city\n1,a@x.de,Rom\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_moved_as_soon_as_that_can_be_done_and_never_imported_twice() {
    for after in [json!({"moveTo": "bak"}), json!({"moveTo": "bak/2026"})] {
        let world = World::new().await;
        let sync = world.sync(json!({"source": {"afterImport": after}}));
        fs::write(world.people("inbox/bak"), "a file where the folder should be").unwrap();
        world.upload("users1.csv", ONE, 60);
        let run = world.run(&world.scheduled(&sync, &[])).await;
        assert_eq!(run.reason(), "Completed", "{}", run.message());
        let told: Vec<_> = run.0.conditions.iter().map(|said| (said.type_.as_str(), said.reason.as_str())).collect();
        assert_eq!(told, [("Succeeded", "Completed"), ("Unfinished", "FileNotMoved")]);
        assert!(run.0.conditions[1].message.contains("users1.csv is imported"), "{:?}", run.0.conditions[1]);

        let left = world.finish(&sync, &[]).await.unwrap().unwrap();
        assert_eq!(
            (left.reason, &left.message),
            (FileNotMoved, &run.0.conditions[1].message),
            "the same is said of it"
        );
        // As after a restart: nothing is new, by the schedule or by a person's word.
        assert_eq!(world.look(&sync, &[]).await.unwrap(), None);
        let again = world.run(&world.scheduled(&sync, &[])).await;
        assert_eq!((again.reason().as_str(), again.0.conditions.len()), ("NoFile", 2), "{}", again.message());
        let there = files(&world.people("inbox"));
        assert!(there.len() == 2 && there[1].starts_with("users1.csv."), "set aside, in the folder: {there:?}");

        fs::remove_file(world.people("inbox/bak")).unwrap();
        assert_eq!(world.finish(&sync, &[]).await, Ok(None));
        let moved = files(&world.people("inbox"));
        assert!(moved.len() == 1 && moved[0].starts_with("bak/"), "{moved:?}");
        assert_eq!(world.finish(&sync, &[]).await, Ok(None), "there is nothing left");
        assert_eq!(files(&world.path("data/spool/people/hr")), [".lock"], "the spool is tidy");
        assert_eq!(world.users().await, ["1 a@x.de Rom"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_of_that_name_is_not_moved_unread() {
    let world = World::new().await;
    let sync = world.sync(json!({}));
    fs::write(world.people("inbox/bak"), "a file where the folder should be").unwrap();
    world.upload("users1.csv", ONE, 60);
    world.run(&world.scheduled(&sync, &[])).await;
    world.upload("users1.csv", "id,email,city\n2,b@x.de,Ulm\n", 30);
    fs::remove_file(world.people("inbox/bak")).unwrap();
    assert_eq!(world.finish(&sync, &[]).await, Ok(None), "what was imported was set aside before");
    assert_eq!(files(&world.people("inbox")), ["bak/users1.csv", "users1.csv"]);
    assert_eq!(world.run(&world.scheduled(&sync, &[])).await.reason(), "Completed");
    assert_eq!(world.users().await.len(), 2);
    let moved = files(&world.people("inbox"));
    assert!(moved.len() == 2 && moved.iter().all(|name| name.starts_with("bak/users1")), "{moved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_failed_is_set_aside_later() {
    let world = World::new().await;
    let sync = world.sync(json!({"source": {"afterFailure": {"moveTo": "failed"}}}));
    fs::write(world.people("inbox/failed"), "a file where the folder should be").unwrap();
    world.upload("users1.csv", "no,such,column\n1,2,3\n", 60);
    let order = world.scheduled(&sync, &[]);
    let run = world.run(&order).await;
    assert_eq!((run.reason().as_str(), run.0.conditions[1].reason.as_str()), ("InvalidFile", "FileNotSetAside"));
    let runs = [run.of(&order)];
    let aside = aside(&sync.spec, &runs);
    assert_eq!(aside.len(), 1);
    assert_eq!(world.finish(&sync, &aside).await.unwrap().unwrap().reason, FileNotSetAside);
    fs::remove_file(world.people("inbox/failed")).unwrap();
    assert_eq!(world.finish(&sync, &aside).await, Ok(None));
    assert_eq!(files(&world.people("inbox")), ["failed/users1.csv"]);
    assert_eq!(world.finish(&sync, &aside).await, Ok(None), "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_published_later() {
    let world = World::new().await;
    let sync = world.sync(json!({}));
    fs::write(world.path("reports"), "a file where the folder should be").unwrap();
    world.upload("users1.csv", ONE, 60);
    let order = world.scheduled(&sync, &[]);
    let run = world.run(&order).await;
    assert_eq!((run.reason().as_str(), run.0.conditions[1].reason.as_str()), ("Completed", "ReportNotPublished"));
    assert_eq!(world.finish(&sync, &[]).await.unwrap().unwrap().reason, ReportNotPublished);
    fs::remove_file(world.path("reports")).unwrap();
    assert_eq!(world.finish(&sync, &[]).await, Ok(None));
    let published = world.path("reports/people/hr").join(order.run.metadata.name.as_deref().unwrap());
    assert!(published.join("report.json").exists() && published.join("changes.csv.gz").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_gone_is_a_failure_and_leaves_all_as_it_is() {
    let world = World::new().await;
    let sync = world.sync(json!({}));
    fs::write(world.people("inbox/bak"), "a file where the folder should be").unwrap();
    world.upload("users1.csv", ONE, 60);
    world.run(&world.scheduled(&sync, &[])).await;
    fs::rename(world.people("inbox"), world.people("elsewhere")).unwrap();
    let failure = world.finish(&sync, &[]).await.unwrap_err();
    assert_eq!(failure.reason.as_str(), "FolderMissing", "{}", failure.message);
    fs::rename(world.people("elsewhere"), world.people("inbox")).unwrap();
    fs::remove_file(world.people("inbox/bak")).unwrap();
    fs::set_permissions(world.people("inbox"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(world.finish(&sync, &[]).await, Ok(None));
    assert_eq!(files(&world.people("inbox")), ["bak/users1.csv"]);
}
