//! Where syncs come from and where their status goes: a cluster or a folder.

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    api::{UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    model::{event::Event, secret::References, sync::Key, view::View},
};

/// Where syncs come from and where their status goes. It knows a cluster or a directory; what to do is decided elsewhere.
#[async_trait]
pub trait Host: Send + Sync {
    /// The sync as it was seen last; may lag behind. Cheap: asks nobody. None: there is none of that name.
    async fn cached(&self, key: &Key) -> Result<Option<View>, HostError>;

    /// The sync and all of its runs as they are right now.
    async fn live(&self, key: &Key) -> Result<Option<View>, HostError>;

    /// The runs that have not ended and name a sync that there is none of, as they are right now. (Those that belong to a sync
    /// go with it.)
    async fn orphans(&self, _key: &Key) -> Result<Vec<UserSyncRun>, HostError> {
        Ok(Vec::new())
    }

    /// Writes the status of the resource with this metadata (name, namespace, UID, resource version):
    /// [`HostError::Conflict`] if it has changed since it was read. Says its new resource version.
    async fn write_status(&self, of: &ObjectMeta, status: &UserSyncStatus) -> Result<Option<String>, HostError>;

    /// Makes a run. One of that name that is there already: [`HostError::Exists`].
    async fn create_run(&self, run: &UserSyncRun) -> Result<(), HostError>;

    /// Writes the status of a run: [`HostError::Conflict`] if the run has changed since it was read. Says its new resource
    /// version.
    async fn write_run(&self, of: &ObjectMeta, status: &UserSyncRunStatus) -> Result<Option<String>, HostError>;

    /// Deletes a run, if it still has this UID. One that is gone is no error.
    async fn delete_run(&self, of: &ObjectMeta) -> Result<(), HostError>;

    /// What the Secrets and ConfigMaps hold that a spec names, as they are right now. Missing ones are left out.
    async fn references(&self, namespace: &str, spec: &UserSyncSpec) -> Result<References, HostError>;

    /// Tells whoever reads events of the resource with this metadata. Never fails: an event is no more than a hint.
    async fn tell(&self, of: &ObjectMeta, event: &Event);
}

/// Why a host could not do something. The message is whole; no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Somebody else wrote meanwhile: look again.
    #[error("{0}")]
    Conflict(String),
    /// There is one of that name already.
    #[error("{0}")]
    Exists(String),
    /// It is gone.
    #[error("{0}")]
    Gone(String),
    /// It may not be done: a right is missing, the object is not valid.
    #[error("{0}")]
    Refused(String),
    /// No connection, or no answer: try again.
    #[error("{0}")]
    Unreachable(String),
}
