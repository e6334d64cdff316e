//! The folder as a host, on a real file system.

use std::{fs, path::PathBuf};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;
use crate::{
    api::{SYNC_UID, UPDATE_NOW, UserSyncRunStatus},
    control::cause::run_of,
    model::sync::Cause,
    ports::{Host, HostError},
};

struct Temp {
    folder: tempfile::TempDir,
}

fn hr(more: &str) -> String {
    named("hr", more)
}

fn named(name: &str, more: &str) -> String {
    format!(
        "apiVersion: usersync.dev/v1alpha1\nkind: UserSync\nmetadata: {{name: {name}}}\nspec: {{{more}source: {{directory: \
         {{path: inbox}}, files: '{name}_*.csv'}}, mapping: {{userId: {{column: id}}}}}}\n"
    )
}

fn key(name: &str) -> Key {
    Key { namespace: "default".into(), name: name.into() }
}

impl Temp {
    fn new(files: &[(&str, &str)]) -> (Self, LocalHost) {
        let temp = Self { folder: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| temp.write(name, text));
        let host = temp.open();
        host.reload();
        (temp, host)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    fn open(&self) -> LocalHost {
        let state = State::open(&self.path(".usersync")).unwrap();
        LocalHost::open(self.folder.path(), state, None).unwrap()
    }

    /// Every file of the state and when it was written.
    fn written(&self) -> Vec<String> {
        fn walk(folder: PathBuf, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                match metadata.is_dir() {
                    true => walk(entry.path(), found),
                    false => found.push(format!("{:?} {:?}", entry.path(), metadata.modified().unwrap())),
                }
            }
        }
        let mut found = Vec::new();
        walk(self.path(".usersync"), &mut found);
        found.sort();
        found
    }
}

async fn live(host: &LocalHost, name: &str) -> View {
    host.live(&key(name)).await.unwrap().unwrap()
}

fn metadata(view: &View) -> &ObjectMeta {
    match &view.sync {
        Ok(sync) => &sync.metadata,
        Err(malformed) => &malformed.metadata,
    }
}

fn generation(view: &View) -> i64 {
    metadata(view).generation.unwrap()
}

#[tokio::test]
async fn a_sync_stays_the_same_one_over_restarts_and_counts_its_changes() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr(""))]);
    let first = live(&host, "hr").await;
    assert_eq!((generation(&first), first.live, first.target_required), (1, true, false));
    assert!(!host.cached(&key("hr")).await.unwrap().unwrap().live);
    temp.write("hr.yaml", format!("# a comment\n{}", hr("")));
    assert_eq!(host.reload(), Reloaded::default(), "the same spec");
    temp.write("hr.yaml", hr("suspend: true, "));
    assert_eq!(host.reload().changed, [key("hr")].into());
    let second = live(&host, "hr").await;
    assert_eq!(generation(&second), 2);
    drop(host);
    let again = temp.open();
    again.reload();
    let third = live(&again, "hr").await;
    assert_eq!(metadata(&third), metadata(&second));
    assert_eq!(metadata(&third).uid, metadata(&first).uid);
}

#[tokio::test]
async fn nothing_is_written_when_nothing_changes() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("bad.yaml", &named("bad", "color: red, "))]);
    let status = UserSyncStatus { schedule: Some("never".into()), ..UserSyncStatus::default() };
    let of = metadata(&live(&host, "hr").await).clone();
    host.write_status(&of, &status).await.unwrap();
    let before = temp.written();
    let of = metadata(&live(&host, "hr").await).clone();
    host.write_status(&of, &status).await.unwrap();
    host.reload();
    host.refresh(None);
    assert_eq!(temp.written(), before);
}

#[tokio::test]
async fn a_write_after_somebody_else_s_is_a_conflict() {
    let (_temp, host) = Temp::new(&[("hr.yaml", &hr(""))]);
    let read = metadata(&live(&host, "hr").await).clone();
    let status = |schedule: &str| UserSyncStatus { schedule: Some(schedule.into()), ..UserSyncStatus::default() };
    host.write_status(&read, &status("a")).await.unwrap();
    assert!(matches!(host.write_status(&read, &status("b")).await, Err(HostError::Conflict(_))));
    let read = metadata(&live(&host, "hr").await).clone();
    host.state().ask(&key("hr"), |requests| requests.annotate(&shown(&host), UPDATE_NOW, "t")).unwrap();
    assert!(matches!(host.write_status(&read, &status("b")).await, Err(HostError::Conflict(_))), "an annotation");
    let other = ObjectMeta { uid: Some("another".into()), ..read };
    assert!(matches!(host.write_status(&other, &status("b")).await, Err(HostError::Gone(_))));
}

fn shown(host: &LocalHost) -> Shown {
    host.0.world().seen.syncs[&key("hr")].clone()
}

#[tokio::test]
async fn requests_are_seen_until_the_manifest_says_otherwise() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr(""))]);
    host.state().ask(&key("hr"), |requests| requests.suspend(&shown(&host), true)).unwrap();
    assert_eq!(host.refresh(Some(&key("hr"))), [key("hr")].into());
    let view = live(&host, "hr").await;
    assert_eq!((view.sync.as_ref().unwrap().spec.suspend, generation(&view)), (true, 2));
    temp.write("hr.yaml", hr("suspend: true, "));
    assert!(host.reload().changed.is_empty(), "the manifest says the same by now");
    assert!(!temp.path(".usersync/requests/default/hr.yaml").exists());
    temp.write("hr.yaml", hr(""));
    host.reload();
    assert_eq!(generation(&live(&host, "hr").await), 3);
}

#[tokio::test]
async fn a_run_is_kept_by_name_and_version() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr(""))]);
    let view = live(&host, "hr").await;
    let sync = view.sync.unwrap();
    let run = run_of(&sync, &Cause::UpdateNow("t".into()), &[]);
    let name = run.metadata.name.clone().unwrap();
    host.create_run(&run).await.unwrap();
    assert!(matches!(host.create_run(&run).await, Err(HostError::Exists(_))));
    let made = live(&host, "hr").await.runs.remove(0);
    assert_eq!((&made.spec, &made.metadata.labels), (&run.spec, &run.metadata.labels));
    assert_eq!(made.metadata.labels.as_ref().unwrap()[SYNC_UID], sync.metadata.uid.unwrap());
    assert!(made.metadata.uid.is_some() && made.metadata.creation_timestamp.is_some());
    let status = |row| UserSyncRunStatus {
        counts: Some(crate::api::Counts { read: row, ..Default::default() }),
        ..UserSyncRunStatus::default()
    };
    host.write_run(&made.metadata, &status(1)).await.unwrap();
    assert!(matches!(host.write_run(&made.metadata, &status(2)).await, Err(HostError::Conflict(_))));
    let any = ObjectMeta { resource_version: None, ..made.metadata.clone() };
    host.write_run(&any, &status(3)).await.unwrap();
    let path = temp.path(&format!(".usersync/runs/default/{name}.yaml"));
    assert!(!fs::read_to_string(&path).unwrap().contains("resourceVersion"));
    host.delete_run(&ObjectMeta { uid: Some("another".into()), ..any.clone() }).await.unwrap();
    assert!(path.exists());
    host.delete_run(&any).await.unwrap();
    host.delete_run(&any).await.unwrap();
    assert!(live(&host, "hr").await.runs.is_empty());
    assert!(matches!(host.write_run(&any, &status(4)).await, Err(HostError::Gone(_))));
}

#[tokio::test]
async fn what_is_wrong_with_one_sync_is_said_on_it_alone() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("bad.yaml", &named("bad", "color: red, "))]);
    assert!(live(&host, "hr").await.sync.is_ok());
    let malformed = live(&host, "bad").await.sync.unwrap_err();
    assert!(malformed.message.contains("bad.yaml:4:8: spec.color: "), "{}", malformed.message);
    assert_eq!(malformed.metadata.generation, Some(1));
    temp.write("bad.yaml", named("bad", ""));
    host.reload();
    assert_eq!(generation(&live(&host, "bad").await), 2, "mended");
    temp.write("bad.yaml", "apiVersion: [\n");
    assert!(!host.reload().again, "it is not gone");
    let malformed = live(&host, "bad").await.sync.unwrap_err();
    assert!(malformed.message.contains("bad.yaml:"), "{}", malformed.message);
    assert!(live(&host, "hr").await.sync.is_ok());
}

#[tokio::test]
async fn a_file_that_can_t_be_read_keeps_what_was_seen() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("b.yaml", &named("b", ""))]);
    let before = live(&host, "hr").await;
    temp.write("hr.yaml", b"\xff\xfe\0");
    assert_eq!(host.reload(), Reloaded::default());
    assert_eq!(metadata(&live(&host, "hr").await), metadata(&before));
    drop(host);
    let next = temp.open();
    for _ in 0..3 {
        next.reload();
    }
    assert!(next.live(&key("hr")).await.unwrap().is_none(), "what it says can't be known");
    temp.write("hr.yaml", hr(""));
    next.reload();
    assert_eq!(metadata(&live(&next, "hr").await), metadata(&before), "but it is the same one");
}

#[tokio::test]
async fn a_sync_must_be_gone_twice_to_be_forgotten() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("b.yaml", &named("b", ""))]);
    let sync = live(&host, "hr").await.sync.unwrap();
    host.create_run(&run_of(&sync, &Cause::UpdateNow("t".into()), &[])).await.unwrap();
    host.write_status(&metadata(&live(&host, "hr").await).clone(), &UserSyncStatus::default()).await.unwrap();
    fs::rename(temp.path("hr.yaml"), temp.path("elsewhere")).unwrap();
    assert_eq!(host.reload(), Reloaded { changed: [].into(), again: true });
    assert!(live(&host, "hr").await.sync.is_ok());
    fs::rename(temp.path("elsewhere"), temp.path("other.yaml")).unwrap();
    assert_eq!(host.reload(), Reloaded::default(), "only moved");
    assert_eq!(metadata(&live(&host, "hr").await).uid, sync.metadata.uid);
    fs::remove_file(temp.path("other.yaml")).unwrap();
    assert!(host.reload().again);
    assert_eq!(host.reload(), Reloaded { changed: [key("hr")].into(), again: false });
    assert!(host.live(&key("hr")).await.unwrap().is_none() && host.cached(&key("hr")).await.unwrap().is_none());
    for folder in ["status", "objects", "runs"] {
        let left = fs::read_dir(temp.path(&format!(".usersync/{folder}/default"))).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != "b.yaml").collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
    temp.write("hr.yaml", hr(""));
    host.reload();
    assert_ne!(metadata(&live(&host, "hr").await).uid, sync.metadata.uid, "another one of the same name");
}

#[tokio::test]
async fn what_went_while_nobody_looked_is_forgotten() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("b.yaml", &named("b", ""))]);
    drop(host);
    fs::remove_file(temp.path("hr.yaml")).unwrap();
    let host = temp.open();
    assert!(host.reload().again);
    assert!(!host.reload().again);
    assert!(!temp.path(".usersync/objects/default/hr.yaml").exists());
    fs::remove_file(temp.path("b.yaml")).unwrap();
    fs::rename(temp.folder.path(), temp.folder.path().with_extension("away")).unwrap();
    assert_eq!(host.reload(), Reloaded::default(), "a folder that can't be read says nothing");
    fs::rename(temp.folder.path().with_extension("away"), temp.folder.path()).unwrap();
}

#[tokio::test]
async fn secrets_come_from_documents_and_a_folder_which_wins() {
    let spec = "target: {url: {secretKeyRef: {name: db, key: url}}}, ";
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {url: document, other: x}\n";
    let temp = Temp { folder: tempfile::tempdir().unwrap() };
    temp.write("hr.yaml", hr(spec) + secret);
    let mounted = tempfile::tempdir().unwrap();
    let state = State::open(&temp.path(".usersync")).unwrap();
    let host = LocalHost::open(temp.folder.path(), state, Some(mounted.path().to_owned())).unwrap();
    host.reload();
    let sync = live(&host, "hr").await.sync.unwrap();
    let url = async || {
        let found = host.references("default", &sync.spec).await.unwrap();
        found.secrets.get("db").map(|db| (db["url"].expose().to_owned(), db.len()))
    };
    assert_eq!(url().await, Some(("document".into(), 2)));
    fs::create_dir(mounted.path().join("db")).unwrap();
    fs::write(mounted.path().join("db/url"), "mounted").unwrap();
    assert_eq!(url().await, Some(("mounted".into(), 2)));
    assert!(
        host.references("other", &sync.spec).await.unwrap().secrets["db"].contains_key("url"),
        "no namespaces there"
    );
}

#[tokio::test]
async fn a_second_process_hears_who_has_the_folder() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr(""))]);
    let state = State::open(&temp.path(".usersync")).unwrap();
    let Err(error) = LocalHost::open(temp.folder.path(), state.clone(), None) else { panic!() };
    let error = error.to_string();
    let me = format!("process {}", std::process::id());
    assert!(error.contains(&me) && error.contains(".usersync/.lock"), "{error}");
    assert_eq!(state.holder().unwrap(), Some(me));
    drop(host);
    assert_eq!(state.holder().unwrap(), None);
}

#[tokio::test]
async fn damage_stays_with_its_sync() {
    let (temp, host) = Temp::new(&[("hr.yaml", &hr("")), ("b.yaml", &named("b", ""))]);
    fs::create_dir_all(temp.path(".usersync/status/default")).unwrap();
    temp.write(".usersync/status/default/hr.yaml", "[");
    fs::create_dir_all(temp.path(".usersync/runs/default")).unwrap();
    temp.write(".usersync/runs/default/c-0123456789abcdef0123.yaml", "[");
    assert_eq!(host.refresh(None), [key("hr")].into());
    let error = host.live(&key("hr")).await.unwrap_err();
    assert!(matches!(&error, HostError::Refused(why) if why.contains("hr.yaml is damaged")), "{error}");
    assert!(live(&host, "b").await.sync.is_ok());
}
