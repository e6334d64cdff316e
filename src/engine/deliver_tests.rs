//! Where what is sent comes from: a report that is there, that is still to come, that is gone, and that never was.

use std::{path::Path, sync::Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::{
    api::UserSyncRun,
    control::told::{failed, leaves},
    model::{letter::Letter, post::Heading, reason::Reason, report::Reports, sync::Unfinished},
    ports::{Aged, ReportError},
};

/// Keeps this under each name.
struct Store(Result<Option<&'static str>, ReportError>);

#[async_trait]
impl ReportStore for Store {
    fn locate(&self, _: &SyncId, _: &str, _: &[String]) -> Reports {
        Reports::default()
    }

    async fn publish(&self, _: &SyncId, _: &str, _: &Path) -> Result<Reports, ReportError> {
        Err(ReportError("nothing is published here".into()))
    }

    async fn read(&self, _: &SyncId, _: &str, name: &str) -> Result<Option<Vec<u8>>, ReportError> {
        Ok(self.0.clone()?.map(|text| format!("{text} {name}").into_bytes()))
    }

    async fn remove(&self, _: &SyncId, _: &str) -> Result<(), ReportError> {
        unreachable!("nothing is removed")
    }

    async fn older(&self, _: Timestamp) -> Result<Vec<Aged>, ReportError> {
        unreachable!("nothing is removed")
    }
}

/// Takes whatever comes.
#[derive(Default)]
struct Taker(Mutex<Vec<String>>);

#[async_trait]
impl Notifier for Taker {
    fn compose(&self, letter: &Letter, heading: &Heading, _: &Path) -> Result<Vec<u8>, String> {
        Ok(format!("{:?} {} {}", letter.kind, heading.id, letter.subject).into_bytes())
    }

    async fn send(&self, parcels: &[Parcel]) -> Vec<Posted> {
        let mut taken = self.0.lock().unwrap();
        taken.extend(parcels.iter().map(|one| format!("{}: {}", one.to, String::from_utf8_lossy(&one.body))));
        parcels.iter().map(|_| Posted::Sent).collect()
    }
}

fn run(reason: Reason, left: bool) -> UserSyncRun {
    let key = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
    let mut run: UserSyncRun = serde_json::from_value(json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun",
        "metadata": {"name": "hr-1", "namespace": "people"},
        "spec": {
            "sync": "hr", "uid": "u", "generation": 1, "mode": "Import", "trigger": "Schedule",
            "syncSpec": {
                "source": {"directory": {"path": "inbox"}},
                "mapping": {"userId": {"column": "id"}},
                "report": {
                    "email": {"smtp": {"name": "smtp"}, "from": "a@x.de", "to": ["it@x.de"], "failedImportTo": ["hr@x.de"]},
                    "webhook": {"url": key("url"), "signingKey": key("key")},
                },
            },
        },
    }))
    .unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let mut status = failed(reason, "the Secret “smtp” is missing", now);
    if reason == Reason::AlreadyApplied {
        status.conditions[0].status = "True".into();
    }
    if left {
        let (about, message) = ("a.csv".to_owned(), "it stays".to_owned());
        leaves(&mut status, &Unfinished { reason: ConditionReason::ReportNotPublished, about, message }, now);
    }
    run.status = Some(status);
    run
}

/// What each recipient gets, or why nothing.
async fn told(run: UserSyncRun, kept: Result<Option<&'static str>, ReportError>) -> Vec<String> {
    let id = SyncId { instance: "usersync".into(), namespace: "people".into(), name: "hr".into() };
    let taker = Taker::default();
    let tidings = deliver(&id, &[run], &Store(kept), &Approving::Cluster, &taker).await;
    let mut all = taker.0.into_inner().unwrap();
    let waits = |one: &&Delivery| one.state != DeliveryState::Sent;
    let waiting = tidings[0].deliveries.iter().filter(waits);
    all.extend(waiting.map(|one| format!("{} waits: {}", one.to, one.reason.as_deref().unwrap_or_default())));
    all
}

#[tokio::test]
async fn a_run_without_a_report_is_told_by_its_status() {
    // What an earlier try of the same run left there says something else.
    let told = told(run(Reason::ReferenceMissing, false), Ok(Some("old"))).await;
    assert_eq!(told[0], "it@x.de: Summary hr-1 people/hr FAILED: the Secret “smtp” is missing");
    assert_eq!(told[1], "hr@x.de: FailedImport hr-1 people/hr FAILED: no file was imported");
    let posted: serde_json::Value = serde_json::from_str(told[2].strip_prefix("webhook: ").unwrap()).unwrap();
    assert_eq!((&posted["reason"], &posted["sync"]), (&"ReferenceMissing".into(), &"people/hr".into()));
}

#[tokio::test]
async fn a_report_that_is_still_to_come_is_waited_for() {
    let not_there = told(run(Reason::AlreadyApplied, true), Ok(None)).await;
    assert_eq!(not_there, ["it@x.de waits: ReportNotPublished", "webhook waits: ReportNotPublished"]);
    let there = told(run(Reason::AlreadyApplied, true), Ok(Some("kept"))).await;
    assert_eq!(there, ["it@x.de: kept summary.eml", "webhook: kept report.json"]);
    let unread = told(run(Reason::AlreadyApplied, false), Err(ReportError("no answer".into()))).await;
    assert_eq!(unread, ["it@x.de waits: ReportNotPublished", "webhook waits: ReportNotPublished"]);
}

#[tokio::test]
async fn what_is_gone_with_its_machine_is_told_by_the_status() {
    let there = told(run(Reason::AlreadyApplied, false), Ok(Some("kept"))).await;
    assert_eq!(there, ["it@x.de: kept summary.eml", "webhook: kept report.json"]);
    let gone = told(run(Reason::AlreadyApplied, false), Ok(None)).await;
    assert!(gone[0].starts_with("it@x.de: Summary hr-1 people/hr: "), "{gone:?}");
    assert!(gone[1].contains("\"Completed\""), "{gone:?}");
}
