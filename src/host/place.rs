//! Where the day-to-day verbs reach syncs: a cluster, or a folder of manifests with its state beside it.

use std::io;

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::{UserSyncRun, UserSyncStatus},
    model::condition::{ConditionReason::ReportNotPublished, UNFINISHED},
};

/// Where syncs are, for people who ask something of them. All of it is about one namespace.
#[async_trait]
pub trait Place: Send + Sync {
    /// The sync of that name.
    async fn sync(&self, name: &str) -> Result<Found, PlaceError>;

    /// The runs that are kept, of one sync or of all, in no order.
    async fn runs(&self, sync: Option<&str>) -> Result<Vec<UserSyncRun>, PlaceError>;

    /// The run of that name; None: there is none, or none any more.
    async fn run(&self, name: &str) -> Result<Option<UserSyncRun>, PlaceError>;

    /// Sets an annotation on a sync.
    async fn annotate(&self, sync: &str, annotation: &str, value: &str) -> Result<(), PlaceError>;

    /// Suspends a sync, or resumes it. Says what a person should know of how long that holds, if anything.
    async fn suspend(&self, sync: &str, suspend: bool) -> Result<Option<String>, PlaceError>;

    /// Approves the held run of this name and UID.
    async fn approve(&self, run: &ObjectMeta, sha256: &str) -> Result<(), PlaceError>;

    /// A file of a run's report as it is kept in a folder, packed if it is.
    async fn kept(&self, run: &UserSyncRun, kept: Kept) -> Result<Vec<u8>, PlaceError>;

    /// The command that has a file of a run's report printed by those who keep it; None: nobody else does.
    fn inside(&self, _run: &UserSyncRun, _kept: Kept) -> Option<String> {
        None
    }

    /// Why nobody does now what is asked; None: somebody does, or that can't be known.
    async fn asleep(&self) -> Option<String>;

    /// The arguments by which a command finds this place.
    fn arguments(&self) -> Vec<String>;
}

/// A file of a run's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// `report.json`
    Report,
    /// `report.html`
    Page,
    /// `changes.csv.gz`
    Changes,
    /// The rejects file.
    Rejects,
}

impl Kept {
    /// The option of `usersync report` that prints it.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Report => "-o json",
            Self::Page => "-o html",
            Self::Changes => "--changes",
            Self::Rejects => "--rejects",
        }
    }

    /// Where it is, by the run's status. An error says why there is none.
    pub fn address(self, run: &UserSyncRun) -> Result<String, PlaceError> {
        let reports = run.status.as_ref().and_then(|status| status.reports.clone()).unwrap_or_default();
        let (place, what) = match self {
            Self::Report => (reports.report, "no report: it has not ended, or its report could not be kept"),
            Self::Page => (reports.html, "no page: it has not ended, or its report could not be kept"),
            Self::Changes => (reports.changes, "no file of changes: it changed nothing, or has not ended"),
            Self::Rejects => (reports.rejects, "no rejects file: no row was rejected, or it has not ended"),
        };
        let name = run.metadata.name.clone().unwrap_or_default();
        place.ok_or_else(|| PlaceError::Missing(format!("{name} has {what}")))
    }
}

/// Whether this is where a run's report may have a file: `…/NAMESPACE/SYNC/RUN/FILE`, of this machine or of a bucket. Whoever can
/// write a status leads nobody to files of their own choice by it.
pub fn may_be_of(run: &UserSyncRun, place: &str) -> bool {
    let (namespace, name) = (run.metadata.namespace.as_deref(), run.metadata.name.as_deref());
    let (Some(namespace), Some(name)) = (namespace, name) else { return false };
    let place = match place.strip_prefix("s3://") {
        Some(in_bucket) => in_bucket.trim_start_matches(|letter| letter != '/'),
        None => place,
    };
    let mut parts = place.rsplit('/');
    let plain = ["report.json", "report.html", "changes.csv.gz"];
    let named = |file: &str| plain.contains(&file) || file.ends_with("_rejects.csv");
    place.starts_with('/')
        && parts.next().is_some_and(named)
        && [name, &run.spec.sync, namespace].into_iter().all(|expected| parts.next() == Some(expected))
        && parts.all(|part| part != "..")
}

/// Why a file of a run's report can't be read where reports are kept.
pub fn unread(run: &UserSyncRun, file: &str, error: &io::Error) -> PlaceError {
    match error.kind() {
        io::ErrorKind::NotFound => absent(run, file),
        _ => PlaceError::Failed(format!("{file} can't be read: {error}")),
    }
}

/// Why a file of a run's report is not where the status says.
pub fn absent(run: &UserSyncRun, file: &str) -> PlaceError {
    let said = run.status.iter().flat_map(|status| &status.conditions);
    let mut left = said.filter(|said| said.type_ == UNFINISHED && said.reason == ReportNotPublished.as_str());
    PlaceError::Missing(match left.next() {
        Some(left) => format!("{file} is not there. When the run ended: {}", left.message),
        None => format!(
            "{file} is not there any more: reports go with their runs, by spec.history, and when they are older than --report-ttl"
        ),
    })
}

/// A sync, as far as the verbs need it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Name, namespace, annotations; UID and generation, once somebody has seen it.
    pub metadata: ObjectMeta,
    /// How it is.
    pub status: UserSyncStatus,
    /// Whether its scheduled runs are suspended.
    pub suspend: bool,
}

/// Why a verb could not do what it should. The message is whole; no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// There is no sync, no run, no folder of that name.
    #[error("{0}")]
    Missing(String),
    /// It can't be reached, or refuses.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_leads_to_nothing_but_reports() {
        let run: UserSyncRun = serde_json::from_value(json!({
            "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSyncRun", "metadata": {"name": "hr-1", "namespace": "people"},
            "spec": {
                "sync": "hr", "uid": "u", "generation": 1, "mode": "Import", "trigger": "Schedule",
                "syncSpec": {"source": {"directory": {"path": "inbox"}}, "mapping": {"userId": {"column": "id"}}},
            },
        }))
        .unwrap();
        for (place, may) in [
            ("/data/reports/people/hr/hr-1/report.html", true),
            ("/data/reports/people/hr/hr-1/report.json", true),
            ("s3://bucket/people/hr/hr-1/report.html", true),
            ("s3://bucket/a/b/people/hr/hr-1/staff_rejects.csv", true),
            ("/data/reports/people/hr/hr-1/changes.csv.gz", true),
            ("/data/reports/people/hr/hr-1/staff_rejects.csv", true),
            ("/data/reports/people/hr/hr-1/summary.eml", false),
            ("/data/reports/people/hr/hr-2/report.html", false),
            ("/data/reports/school/hr/hr-1/report.html", false),
            ("/data/../reports/people/hr/hr-1/report.html", false),
            ("/var/run/secrets/kubernetes.io/serviceaccount/token", false),
            ("/etc/passwd_rejects.csv", false),
            ("s3://people/hr/hr-1/report.html", false),
            ("s3://bucket/people/hr/hr-2/report.html", false),
            ("s3://bucket/backups/users_rejects.csv", false),
            ("s3://", false),
            ("people/hr/hr-1/report.html", false),
        ] {
            assert_eq!(may_be_of(&run, place), may, "{place}");
        }
    }
}
