//! A cluster for the verbs: with a person's own kubeconfig and rights.

use std::{collections::BTreeMap, path::Path};

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    config::KubeConfigOptions,
};
use serde_json::{Value, json};

use super::errors::{PATIENCE, ask, none_of_that_name, sorted};
use crate::{
    api::{APPROVE, UserSync, UserSyncRun},
    host::place::{Found, Kept, Place, PlaceError, may_be_of, unread},
    ports::HostError,
};

/// One namespace of a cluster.
pub struct Cluster {
    client: Client,
    namespace: String,
    arguments: Vec<String>,
}

impl Cluster {
    /// The cluster of the kubeconfig (`KUBECONFIG`, else `~/.kube/config`), or the one that this process runs in; the context
    /// and the namespace that are named, else those that are set there.
    pub async fn connect(context: Option<&str>, namespace: Option<&str>) -> Result<Self, PlaceError> {
        let config = match context {
            None => Config::infer().await.map_err(|error| error.to_string()),
            Some(name) => {
                let options = KubeConfigOptions { context: Some(name.to_owned()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(|error| error.to_string())
            }
        };
        let unusable = |error: String| {
            PlaceError::Failed(format!(
                "no cluster can be reached: {error}. See KUBECONFIG and --context, or name a folder of manifests with --local DIR"
            ))
        };
        let config = config.map_err(unusable)?;
        let own = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config).map_err(|error| unusable(error.to_string()))?;
        let options = [("-n", namespace), ("--context", context)];
        let typed = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?.to_owned()]));
        Ok(Self { client, namespace: own, arguments: typed.flatten().collect() })
    }

    /// Syncs as they are, whatever is in them.
    fn syncs(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<UserSync>(&()))
    }

    fn runs_api(&self) -> Api<UserSyncRun> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn patch(&self, sync: &str, patch: Value) -> Result<(), PlaceError> {
        let doing = format!("change UserSync {}/{sync}", self.namespace);
        let api = self.syncs();
        match ask(&doing, api.patch(sync, &PatchParams::default(), &Patch::Merge(patch))).await {
            Err(HostError::Gone(_)) => Err(self.missing(sync)),
            done => done.map(|_| ()).map_err(failed),
        }
    }

    fn missing(&self, sync: &str) -> PlaceError {
        PlaceError::Missing(format!("there is no UserSync {sync} in namespace {}: see -n", self.namespace))
    }
}

/// The folder that holds all reports, by the path of a file of one: `ROOT/NAMESPACE/SYNC/RUN/FILE`.
fn root_of(place: &str) -> &Path {
    Path::new(place).ancestors().nth(4).unwrap_or(Path::new(""))
}

fn failed(error: HostError) -> PlaceError {
    PlaceError::Failed(error.to_string())
}

#[async_trait]
impl Place for Cluster {
    async fn sync(&self, name: &str) -> Result<Found, PlaceError> {
        let doing = format!("read UserSync {}/{name}", self.namespace);
        let object = match ask(&doing, self.syncs().get(name)).await {
            Err(HostError::Gone(_)) => return Err(self.missing(name)),
            object => object.map_err(failed)?,
        };
        // A status that somebody else wrote says nothing here.
        let status = object.data.get("status").cloned().and_then(|status| serde_json::from_value(status).ok());
        let suspend = object.data.pointer("/spec/suspend").and_then(Value::as_bool).unwrap_or_default();
        Ok(Found { metadata: object.metadata, status: status.unwrap_or_default(), suspend })
    }

    async fn runs(&self, sync: Option<&str>) -> Result<Vec<UserSyncRun>, PlaceError> {
        if let Some(sync) = sync {
            self.sync(sync).await?;
        }
        let doing = format!("list UserSyncRuns in namespace {}", self.namespace);
        let runs = ask(&doing, self.runs_api().list(&ListParams::default())).await.map_err(failed)?.items;
        Ok(runs.into_iter().filter(|run| sync.is_none_or(|sync| run.spec.sync == sync)).collect())
    }

    async fn run(&self, name: &str) -> Result<Option<UserSyncRun>, PlaceError> {
        let doing = format!("read UserSyncRun {}/{name}", self.namespace);
        match tokio::time::timeout(PATIENCE, self.runs_api().get(name)).await {
            Ok(Ok(run)) => Ok(Some(run)),
            Ok(Err(error)) if none_of_that_name(&error) => Ok(None),
            Ok(Err(error)) => Err(failed(sorted(&doing, &error))),
            Err(_) => Err(PlaceError::Failed(format!("could not {doing}: the API server gave no answer"))),
        }
    }

    async fn annotate(&self, sync: &str, annotation: &str, value: &str) -> Result<(), PlaceError> {
        let annotations = BTreeMap::from([(annotation, value)]);
        self.patch(sync, json!({"metadata": {"annotations": annotations}})).await
    }

    async fn suspend(&self, sync: &str, suspend: bool) -> Result<Option<String>, PlaceError> {
        self.patch(sync, json!({"spec": {"suspend": suspend}})).await?;
        Ok(None)
    }

    async fn approve(&self, run: &ObjectMeta, sha256: &str) -> Result<(), PlaceError> {
        let name = run.name.as_deref().unwrap_or_default();
        let annotations = BTreeMap::from([(APPROVE, sha256)]);
        // With the UID: another run of the same name is not approved.
        let patch = json!({"metadata": {"uid": run.uid, "annotations": annotations}});
        let doing = format!("approve UserSyncRun {}/{name}", self.namespace);
        let api = self.runs_api();
        let done = ask(&doing, api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch))).await;
        done.map(|_| ()).map_err(failed)
    }

    async fn kept(&self, run: &UserSyncRun, kept: Kept) -> Result<Vec<u8>, PlaceError> {
        let place = kept.address(run)?;
        if !(place.starts_with('/') && may_be_of(run, &place)) {
            return Err(PlaceError::Failed(format!("the run's status names {place}, which is no file of its report")));
        }
        // In the operator's own pod, or where its volume is mounted, it is there.
        match std::fs::read(&place) {
            Ok(bytes) => Ok(bytes),
            Err(error) if !root_of(&place).is_dir() => {
                let how = self.inside(run, kept).unwrap_or_else(|| error.to_string());
                Err(PlaceError::Failed(format!("the file is {place} of the operator's volume: {how}")))
            }
            Err(error) => Err(unread(run, &place, &error)),
        }
    }

    fn inside(&self, run: &UserSyncRun, kept: Kept) -> Option<String> {
        let (name, namespace, option) = (run.metadata.name.as_deref()?, &self.namespace, kept.option());
        Some(format!(
            "`kubectl exec -n usersync-system deploy/usersync -- /usersync report {name} -n {namespace} {option}` prints it, where the \
             operator was installed under these names"
        ))
    }

    async fn asleep(&self) -> Option<String> {
        None
    }

    fn arguments(&self) -> Vec<String> {
        self.arguments.clone()
    }
}
