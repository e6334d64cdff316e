//! A cluster as the host: the only code that knows Kubernetes.
//!
//! | file | what it does |
//! |---|---|
//! | `connect` | a client, and who this process is |
//! | `watch`, `seen`, `cache`, `changes` | see what is there: list and follow, read guardedly, keep little, say what changed |
//! | `status` | write a status, also over what somebody else wrote there |
//! | `references` | fetch the Secrets and ConfigMaps that a spec names |
//! | `events` | tell people |
//! | `lease` | who of several replicas is at work |
//! | `verbs` | the day-to-day verbs of a person, by the own kubeconfig |
//! | `errors` | what goes wrong with the API server, sorted once |

mod cache;
mod changes;
pub mod connect;
mod errors;
mod events;
pub mod lease;
mod references;
mod seen;
mod status;
pub mod verbs;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use futures::{
    future::{join, join_all},
    stream::BoxStream,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams, Preconditions},
    core::TypeMeta,
};

use self::{
    cache::{Cache, Scope},
    changes::Changes,
    errors::{PATIENCE, ask, none_of_that_name, sorted, within},
    seen::{Readable, Seen},
    watch::{Health, watch},
};
use crate::{
    api::{MANAGER, SYNC_UID, UserSync, UserSyncRun, UserSyncRunStatus, UserSyncSpec, UserSyncStatus},
    control::cause::ended,
    model::{event::Event, job::Bounds, secret::References, sync::Key, view::View},
    ports::{Host, HostError},
};

/// Runs asked for at a time.
const PAGE: u32 = 200;

/// A cluster, or some of its namespaces.
pub struct KubeHost {
    client: Client,
    /// The process's name in events.
    name: String,
    scopes: Vec<Scope>,
    cache: Cache,
    changes: Arc<Changes>,
    health: Health,
    bounds: Option<Bounds>,
}

impl KubeHost {
    /// The cluster that `client` reaches: these namespaces, or all if there is none. `name` is the process's, for events.
    pub fn new(client: Client, namespaces: &[String], name: &str) -> Self {
        let mut scopes: Vec<Scope> = namespaces.iter().cloned().map(Some).collect();
        scopes.sort();
        scopes.dedup();
        if scopes.is_empty() {
            scopes.push(None);
        }
        let health = Health::default();
        for scope in &scopes {
            health.expect(&title("UserSyncs", scope));
            health.expect(&title("UserSyncRuns", scope));
        }
        let (cache, changes) = (Cache::default(), Arc::default());
        Self { client, name: name.to_owned(), scopes, cache, changes, health, bounds: None }
    }

    /// The same, with syncs that may name folders and SQLite files within these bounds only.
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// Watches for ever: what [`Host::cached`] says, and [`KubeHost::changes`], comes of it.
    pub async fn watch(&self) {
        join_all(self.scopes.iter().map(|scope| {
            let syncs = async {
                let see = |event| self.changes.add(self.cache.see_sync(scope, event));
                watch::<UserSync>(self.scoped(scope), &title("UserSyncs", scope), &self.health, see).await;
            };
            let runs = async {
                let see = |event| self.changes.add(self.cache.see_run(scope, event));
                watch::<UserSyncRun>(self.scoped(scope), &title("UserSyncRuns", scope), &self.health, see).await;
            };
            join(syncs, runs)
        }))
        .await;
    }

    /// The syncs to look at, as they change; each once, however often it changed meanwhile. For one reader.
    pub fn changes(&self) -> BoxStream<'static, Key> {
        self.changes.clone().stream()
    }

    /// Whether everything is seen; else why not.
    pub fn ready(&self) -> Result<(), String> {
        self.health.check()
    }

    /// How many syncs, and how many runs that may need something, are known.
    pub fn known(&self) -> (usize, usize) {
        self.cache.len()
    }

    fn view(&self, sync: cache::ReadSync, runs: Vec<UserSyncRun>, live: bool) -> View {
        let sync = sync.map(|sync| *sync).map_err(|malformed| *malformed);
        View { sync, runs, live, target_required: true, bounds: self.bounds.clone() }
    }

    fn scoped<K: Readable>(&self, scope: &Scope) -> Api<Seen<K>> {
        match scope {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    fn api<K: Readable>(&self, namespace: &str) -> Api<Seen<K>> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The object as it is right now.
    async fn get<K: Readable>(&self, namespace: &str, name: &str) -> Result<Option<Seen<K>>, HostError> {
        let doing = format!("read {} {namespace}/{name}", K::kind(&()));
        let api = self.api::<K>(namespace);
        let answer = async {
            match api.get(name).await {
                Err(error) if none_of_that_name(&error) => Ok(Ok(None)),
                Err(error) => Ok(Err(sorted(&doing, &error))),
                Ok(object) => Ok(Ok(Some(object))),
            }
        };
        within(PATIENCE, &doing, answer).await?
    }

    /// All runs with the label of a sync.
    async fn labelled(&self, namespace: &str, uid: &str) -> Result<Vec<UserSyncRun>, HostError> {
        let api = self.api::<UserSyncRun>(namespace);
        let doing = format!("list UserSyncRuns in namespace {namespace}");
        let mut runs = Vec::new();
        let mut params = ListParams::default().labels(&format!("{SYNC_UID}={uid}")).limit(PAGE);
        loop {
            let page = ask(&doing, api.list(&params)).await?;
            runs.extend(page.items.into_iter().filter_map(|seen| seen.read).map(|run| *run));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(runs);
            }
        }
    }

    /// The runs of a sync: those with its label, and those that only say that they are its.
    async fn runs(&self, key: &Key, uid: Option<&str>) -> Result<Vec<UserSyncRun>, HostError> {
        let mut runs = match uid {
            Some(uid) => self.labelled(&key.namespace, uid).await?,
            None => Vec::new(),
        };
        for name in self.cache.runs(key) {
            if runs.iter().any(|run| run.metadata.name.as_ref() == Some(&name)) {
                continue;
            }
            let run = self.get::<UserSyncRun>(&key.namespace, &name).await?.and_then(|seen| seen.read);
            runs.extend(run.map(|run| *run));
        }
        runs.retain(|run| run.spec.sync == key.name);
        Ok(runs)
    }

    /// An object's API and type, for writing its status.
    fn dynamic<K: Readable>(&self, of: &ObjectMeta) -> (Api<DynamicObject>, TypeMeta) {
        let namespace = of.namespace.as_deref().unwrap_or_default();
        let resource = ApiResource::erase::<K>(&());
        let types = TypeMeta { api_version: resource.api_version.clone(), kind: resource.kind.clone() };
        (Api::namespaced_with(self.client.clone(), namespace, &resource), types)
    }
}

#[async_trait]
impl Host for KubeHost {
    async fn cached(&self, key: &Key) -> Result<Option<View>, HostError> {
        Ok(self.cache.sync(key).map(|(sync, runs)| self.view(sync, runs, false)))
    }

    async fn live(&self, key: &Key) -> Result<Option<View>, HostError> {
        let Some(seen) = self.get::<UserSync>(&key.namespace, &key.name).await? else { return Ok(None) };
        let runs = self.runs(key, seen.metadata.uid.as_deref()).await?;
        Ok(Some(self.view(seen.read, runs, true)))
    }

    async fn orphans(&self, key: &Key) -> Result<Vec<UserSyncRun>, HostError> {
        let names = self.cache.runs(key);
        // A run may be seen before its sync is.
        if names.is_empty() || self.get::<UserSync>(&key.namespace, &key.name).await?.is_some() {
            return Ok(Vec::new());
        }
        let mut orphans = Vec::new();
        for name in names {
            let run = self.get::<UserSyncRun>(&key.namespace, &name).await?.and_then(|seen| seen.read);
            orphans.extend(run.map(|run| *run).filter(|run| run.spec.sync == key.name && ended(run).is_none()));
        }
        orphans.retain(|run| run.metadata.owner_references.as_ref().is_none_or(Vec::is_empty));
        Ok(orphans)
    }

    async fn write_status(&self, of: &ObjectMeta, status: &UserSyncStatus) -> Result<Option<String>, HostError> {
        let (api, types) = self.dynamic::<UserSync>(of);
        let version = status::write(&api, &types, of, status).await?;
        if let Some(version) = &version {
            self.cache.wrote(of, status, version);
        }
        Ok(version)
    }

    async fn create_run(&self, run: &UserSyncRun) -> Result<(), HostError> {
        let namespace = run.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<UserSyncRun> = Api::namespaced(self.client.clone(), namespace);
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let doing = format!("make UserSyncRun {namespace}/{}", run.metadata.name.as_deref().unwrap_or_default());
        ask(&doing, api.create(&params, run)).await.map(drop)
    }

    async fn write_run(&self, of: &ObjectMeta, status: &UserSyncRunStatus) -> Result<Option<String>, HostError> {
        let (api, types) = self.dynamic::<UserSyncRun>(of);
        status::write(&api, &types, of, status).await
    }

    async fn delete_run(&self, of: &ObjectMeta) -> Result<(), HostError> {
        let (namespace, name) = (of.namespace.as_deref().unwrap_or_default(), of.name.as_deref().unwrap_or_default());
        let api: Api<UserSyncRun> = Api::namespaced(self.client.clone(), namespace);
        let preconditions = Preconditions { uid: of.uid.clone(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match ask(&format!("delete UserSyncRun {namespace}/{name}"), api.delete(name, &params)).await {
            Ok(_) | Err(HostError::Gone(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn references(&self, namespace: &str, spec: &UserSyncSpec) -> Result<References, HostError> {
        references::fetch(&self.client, namespace, spec).await
    }

    async fn tell(&self, of: &ObjectMeta, event: &Event) {
        events::tell(&self.client, &self.name, of, event).await;
    }
}

/// What a watch is called.
fn title(what: &str, scope: &Scope) -> String {
    match scope {
        Some(namespace) => format!("{what} in namespace {namespace}"),
        None => what.to_owned(),
    }
}

/// A random fraction from 0 to 1.
fn random() -> f64 {
    connect::random() as f64 / u64::MAX as f64
}
