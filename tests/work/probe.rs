//! Whether source and target can be used.

use serde_json::{Value, json};
use usersync::{
    model::{reason::Reason, sync::Failure},
    ports::HostError,
};

use crate::world::{World, files};

fn reason(side: &Result<(), Failure>) -> Option<Reason> {
    side.as_ref().err().map(|failure| failure.reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn says_what_is_wrong_with_either_side() {
    let world = World::new().await;
    world.secret("nowhere", "url", "postgres://sync:s3cret@127.0.0.1:1/users?sslmode=disable");
    world.secret("absent", "url", "sqlite:absent.db");
    world.secret("unfit", "url", "mongodb://sync:s3cret@db/users");
    std::fs::write(world.people("file"), "").unwrap();
    let url = |secret: &str| json!({"target": {"url": {"secretKeyRef": {"name": secret}}}});
    use Reason::{FolderMissing, ReferenceMissing, TargetInvalid, TargetUnreachable};
    type Case = (Value, Option<Reason>, Option<Reason>, &'static str);
    let cases: [Case; 9] = [
        (json!({}), None, None, ""),
        (json!({"source": {"directory": {"path": "gone"}}}), Some(FolderMissing), None, "people/gone"),
        (json!({"source": {"directory": {"path": "file"}}}), Some(FolderMissing), None, "people/file"),
        (json!({"target": {"table": "people"}}), None, Some(TargetInvalid), "no table people"),
        (json!({"mapping": {"userId": {"column": "nr"}}}), None, Some(TargetInvalid), "nr"),
        (url("absent"), None, Some(TargetInvalid), "absent.db"),
        (url("nowhere"), None, Some(TargetUnreachable), "127.0.0.1"),
        (url("missing"), Some(ReferenceMissing), Some(ReferenceMissing), "no Secret “missing” in namespace “people”"),
        (url("unfit"), Some(ReferenceMissing), Some(ReferenceMissing), "must begin with postgres://"),
    ];
    for (patch, source, target, part) in cases {
        let found = world.probe(&world.sync(patch), true).await.unwrap().found.unwrap();
        assert_eq!((reason(&found.source), reason(&found.target)), (source, target), "{found:?}");
        let said = format!("{found:?}");
        assert!(said.contains(part) && !said.contains("s3cret"), "{said}");
    }
    let both = json!({"source": {"directory": {"path": "gone"}}, "target": {"table": "people"}});
    let found = world.probe(&world.sync(both), true).await.unwrap().found.unwrap();
    assert_eq!((reason(&found.source), reason(&found.target)), (Some(FolderMissing), Some(TargetInvalid)));
    assert!(!world.path("data").exists(), "nothing is written");
    let tables = world.execute("create table usersync_ledger (probe)");
    tables.await; // There was none.
}

#[tokio::test(flavor = "multi_thread")]
async fn the_references_are_read_without_a_login_too() {
    let world = World::new().await;
    let sync = world.sync(json!({"source": {"directory": {"path": "gone"}}}));
    let before = world.probe(&sync, false).await.unwrap();
    assert_eq!(before.found, None);
    assert_eq!(world.probe(&sync, true).await.unwrap().references, before.references);
    world.secret("users-db", "url", "sqlite:other.db");
    assert_ne!(world.probe(&sync, false).await.unwrap().references, before.references);
    world.host.secrets.lock().unwrap().clear();
    let found = world.probe(&sync, false).await.unwrap().found.unwrap();
    assert_eq!(reason(&found.source), Some(Reason::ReferenceMissing), "that is found out without a login");
    let mut elsewhere = sync;
    elsewhere.metadata.namespace = Some("others".to_owned());
    let error = world.probe(&elsewhere, true).await.unwrap_err();
    assert_eq!(error, HostError::Unreachable("asked for namespace others".to_owned()));
    elsewhere.metadata.namespace = Some("closed".to_owned());
    let found = world.probe(&elsewhere, true).await.unwrap().found.unwrap();
    assert_eq!(reason(&found.source), Some(Reason::ReferenceMissing), "a right that is missing is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_database_is_not_made() {
    let world = World::new().await;
    let sync = world.sync(json!({"target": null}));
    let found = world.probe(&sync, true).await.unwrap().found.unwrap();
    assert_eq!((found.source, found.target), (Ok(()), Ok(())));
    world.upload("users.csv", "id,email,city\n1,a@x.de,Rom\n", 60);
    assert!(world.look(&sync, &[]).await.unwrap().is_some());
    assert_eq!(files(&world.path("data")), Vec::<String>::new());
}
