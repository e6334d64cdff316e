//! No path and no link leads out of the namespace's folder.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};
use usersync::model::reason::Reason::{self, FolderMissing, ReferenceMissing, SourceDenied, TargetDenied};

use crate::world::{World, files};

const ONE: &str = "id,email,city\n1,a@x.de,Rom\n";

/// A world with another namespace's folder beside ours, as full as it.
async fn world() -> World {
    let world = World::new().await;
    fs::create_dir_all(world.path("root/others/inbox")).unwrap();
    fs::write(world.path("root/others/inbox/users9.csv"), ONE).unwrap();
    fs::copy(world.people("users.db"), world.path("root/others/users.db")).unwrap();
    world
}

async fn found(world: &World, patch: Value) -> [Option<Reason>; 2] {
    let found = world.probe(&world.sync(patch), true).await.unwrap().found.unwrap();
    [found.source, found.target].map(|side| side.err().map(|failure| failure.reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn folders() {
    let world = world().await;
    symlink("../others/inbox", world.people("linked")).unwrap();
    symlink(world.path("root/others"), world.people("absolute")).unwrap();
    symlink("inbox", world.people("inner")).unwrap();
    let elsewhere = world.path("root/others/inbox");
    let directory = |path: &str| json!({"source": {"directory": {"path": path}}});
    for (path, source) in [
        ("inner", None),
        ("linked", Some(SourceDenied)),
        ("absolute/inbox", Some(SourceDenied)),
        ("gone", Some(FolderMissing)),
        ("../others/inbox", Some(ReferenceMissing)),
        (elsewhere.to_str().unwrap(), Some(ReferenceMissing)),
        ("/etc", Some(ReferenceMissing)),
    ] {
        assert_eq!(found(&world, directory(path)).await[0], source, "{path}");
        let run = world.run(&world.asked(&world.sync(directory(path)))).await;
        let expected = source.map_or("NoFile", |reason| reason.as_str());
        assert_eq!(run.reason(), expected, "{path}: {}", run.message());
    }
    assert!(elsewhere.join("users9.csv").exists(), "nothing was taken from there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_becomes_a_link_is_refused_from_then_on() {
    let world = world().await;
    let sync = world.sync(json!({}));
    world.upload("users1.csv", ONE, 60);
    assert!(world.look(&sync, &[]).await.unwrap().is_some());
    fs::rename(world.people("inbox"), world.people("aside")).unwrap();
    symlink("../others/inbox", world.people("inbox")).unwrap();
    assert_eq!(world.look(&sync, &[]).await.unwrap_err().reason, SourceDenied);
    assert_eq!(world.run(&world.asked(&sync)).await.reason(), "SourceDenied");

    fs::remove_file(world.people("inbox")).unwrap();
    fs::rename(world.people("aside"), world.people("inbox")).unwrap();
    symlink("../../others/inbox", world.people("inbox/bak")).unwrap();
    let run = world.run(&world.asked(&sync)).await;
    assert_eq!(run.reason(), "Completed", "{}", run.message());
    assert!(!world.path("root/others/inbox/users1.csv").exists(), "a link in place of bak is not followed");
    let there = files(&world.people("inbox"));
    assert!(there.iter().any(|name| name.starts_with("users1.csv.")), "set aside, in the folder: {there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_a_link_is_none() {
    let world = world().await;
    fs::rename(world.path("root/people"), world.path("root/aside")).unwrap();
    symlink("others", world.path("root/people")).unwrap();
    assert_eq!(found(&world, json!({})).await, [Some(SourceDenied), Some(TargetDenied)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_files() {
    let world = world().await;
    world.upload("users1.csv", ONE, 60);
    symlink("../others/users.db", world.people("linked.db")).unwrap();
    symlink("users.db", world.people("inner.db")).unwrap();
    symlink("../others", world.people("folder")).unwrap();
    let before = fs::read(world.path("root/others/users.db")).unwrap();
    let elsewhere = format!("sqlite:{}", world.path("root/others/users.db").display());
    for (url, target) in [
        ("sqlite:users.db", None),
        ("sqlite:linked.db", Some(TargetDenied)),
        ("sqlite:inner.db", Some(TargetDenied)),
        ("sqlite:folder/users.db", Some(ReferenceMissing)),
        ("sqlite:../others/users.db", Some(ReferenceMissing)),
        ("sqlite:%2e%2e/others/users.db", Some(ReferenceMissing)),
        ("sqlite:..%2fothers%2fusers.db?mode=rwc", Some(ReferenceMissing)),
        (&elsewhere, Some(ReferenceMissing)),
    ] {
        world.secret("users-db", "url", url);
        assert_eq!(found(&world, json!({})).await[1], target, "{url}");
        if let Some(reason) = target {
            let run = world.run(&world.asked(&world.sync(json!({})))).await;
            assert_eq!(run.reason(), reason.as_str(), "{url}: {}", run.message());
        }
    }
    assert!(fs::read(world.path("root/others/users.db")).unwrap() == before, "nothing was written there");
    world.secret("users-db", "url", "sqlite:users.db");
    for journal in ["users.db-journal", "users.db-wal"] {
        symlink("../others/users.db", world.people(journal)).unwrap();
        let run = world.run(&world.asked(&world.sync(json!({})))).await;
        assert_ne!(run.reason(), "Completed", "{journal} is a link: {}", run.message());
        fs::remove_file(world.people(journal)).unwrap();
    }
    assert!(fs::read(world.path("root/others/users.db")).unwrap() == before, "not as a journal either");
    assert_eq!(world.run(&world.asked(&world.sync(json!({})))).await.reason(), "Completed");
}
