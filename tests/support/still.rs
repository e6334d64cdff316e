//! A host in memory that is only looked at: whoever writes to it fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use usersync::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    model::{
        event::Event,
        secret::{References, Secret},
        sync::Key,
        view::View,
    },
    ports::{Host, HostError},
};

/// The namespace that may be read.
pub const NAMESPACE: &str = "people";
/// One whose Secrets may not be read.
pub const CLOSED: &str = "closed";

/// What there is.
#[derive(Default)]
pub struct Still {
    /// Syncs with their runs.
    pub syncs: BTreeMap<Key, (UserSync, Vec<UserSyncRun>)>,
    /// Syncs that can't be read.
    pub unreadable: BTreeSet<Key>,
    /// The Secrets of `NAMESPACE`, by name and key.
    pub secrets: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

#[async_trait]
impl Host for Still {
    async fn cached(&self, _: &Key) -> Result<Option<View>, HostError> {
        panic!("what may lag behind says nothing")
    }

    async fn live(&self, key: &Key) -> Result<Option<View>, HostError> {
        if self.unreadable.contains(key) {
            return Err(HostError::Refused("the right to read it is missing".into()));
        }
        let Some((sync, runs)) = self.syncs.get(key).cloned() else { return Ok(None) };
        Ok(Some(View { sync: Ok(sync), runs, live: true, target_required: false, bounds: None }))
    }

    async fn write_status(&self, _: &ObjectMeta, _: &UserSyncStatus) -> Result<Option<String>, HostError> {
        panic!("nothing is written")
    }

    async fn create_run(&self, _: &UserSyncRun) -> Result<(), HostError> {
        panic!("nothing is written")
    }

    async fn write_run(&self, _: &ObjectMeta, _: &UserSyncRunStatus) -> Result<Option<String>, HostError> {
        panic!("nothing is written")
    }

    async fn delete_run(&self, _: &ObjectMeta) -> Result<(), HostError> {
        panic!("nothing is written")
    }

    async fn references(&self, namespace: &str, _: &UserSyncSpec) -> Result<References, HostError> {
        match namespace {
            CLOSED => return Err(HostError::Refused("the right to read Secrets is missing".to_owned())),
            NAMESPACE => {}
            other => return Err(HostError::Unreachable(format!("asked for namespace {other}"))),
        }
        let mut references = References::default();
        for (name, keys) in &*self.secrets.lock().unwrap() {
            let keys = keys.iter().map(|(key, value)| (key.clone(), Secret::new(value.clone()))).collect();
            references.secrets.insert(name.clone(), keys);
        }
        Ok(references)
    }

    async fn tell(&self, _: &ObjectMeta, _: &Event) {
        panic!("nobody is told")
    }
}
