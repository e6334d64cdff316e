//! An API server with many syncs: each with a folder of its own, a hundred to a namespace and its database.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, pin_mut, stream};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use usersync::{
    api::{UserSync, UserSyncRun},
    control::cause::ended,
};

use crate::support::{cluster::Cluster, operator::Operator};

/// Syncs of a namespace.
const EACH: usize = 100;
/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(600);

pub struct World {
    cluster: Cluster,
    client: Client,
    folder: TempDir,
    namespaces: Vec<String>,
    number: usize,
    program: PathBuf,
}

impl World {
    pub async fn new(number: usize, program: PathBuf) -> Self {
        let cluster = Cluster::builder().audit_log().start();
        cluster.install_crds();
        let client = cluster.client().await;
        let folder = tempfile::tempdir().unwrap();
        let namespaces = (0..number.div_ceil(EACH)).map(|_| cluster.create_namespace("bench")).collect();
        let world = Self { cluster, client, folder, namespaces, number, program };
        for namespace in &world.namespaces {
            let files = world.files(namespace);
            fs::create_dir_all(&files).unwrap();
            database(&files.join("users.db")).await;
        }
        stream::iter(0..number).for_each_concurrent(16, |number| world.make(number)).await;
        world
    }

    pub fn operator(&self) -> Operator {
        let root = self.folder.path().join("root");
        let arguments = ["--directory-root", root.to_str().unwrap()];
        Operator::start_program(&self.program, &self.cluster.kubeconfig(), self.folder.path(), &arguments)
    }

    /// Every status says Ready. Watched: who lists a thousand syncs again and again measures that.
    pub async fn until_ready(&self) {
        let syncs: Api<UserSync> = Api::all(self.client.clone());
        let seen = watcher(syncs, watcher::Config::default()).applied_objects();
        pin_mut!(seen);
        let mut ready = HashSet::new();
        let all_ready = async {
            while ready.len() < self.number {
                let sync = seen.try_next().await.unwrap().unwrap();
                let conditions = sync.status.iter().flat_map(|status| &status.conditions);
                if conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True") {
                    ready.insert((sync.metadata.namespace, sync.metadata.name));
                }
            }
        };
        tokio::time::timeout(LIMIT, all_ready).await.expect("the syncs are not ready");
    }

    /// The operator says of every sync how it is.
    pub async fn until_looked_at(&self, operator: &Operator) {
        until(async || {
            let text = operator.page("/metrics").unwrap_or_default();
            text.lines().filter(|line| line.starts_with("usersync_ready{") && line.ends_with(" 1.0")).count()
                == self.number
        })
        .await;
    }

    /// Nothing was asked of the API server for some seconds, apart from the Lease.
    pub async fn until_still(&self, operator: &Operator) {
        until(async || {
            let since = Timestamp::now() - SignedDuration::from_secs(5);
            let seen = self.cluster.audit();
            operator.is_ready()
                && !seen.iter().any(|event| event.time >= since && event.resource.starts_with("usersync"))
        })
        .await;
    }

    /// As if the one before had given it back.
    pub async fn give_up_lease(&self) {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), "default");
        leases.delete("usersync", &DeleteParams::default()).await.unwrap();
    }

    /// Asks one of the syncs for a run: how long until the run was there, and until it was at work; waits for its end.
    pub async fn annotate(&self, number: usize) -> (Duration, Duration) {
        let number = number * (self.number / 20).max(1) % self.number;
        let (namespace, name) = (self.namespace(number), name(number));
        let runs: Api<UserSyncRun> = Api::namespaced(self.client.clone(), namespace);
        let syncs: Api<UserSync> = Api::namespaced(self.client.clone(), namespace);
        let version = runs.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
        let watch = runs.watch(&WatchParams::default(), &version).await.unwrap();
        pin_mut!(watch);
        let file = self.files(namespace).join(&name).join("userdata_1.csv");
        fs::write(&file, "id,name\n1,Ada\n").unwrap();
        fs::File::options()
            .append(true)
            .open(&file)
            .unwrap()
            .set_modified(std::time::SystemTime::now() - Duration::from_secs(600))
            .unwrap();

        let patch = json!({"metadata": {"annotations": {"usersync.dev/update-now": "bench"}}});
        let begun = Instant::now();
        syncs.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        let (mut made, mut at_work) = (None, None);
        while let Some(event) = watch.try_next().await.unwrap() {
            let (WatchEvent::Added(run) | WatchEvent::Modified(run)) = event else { continue };
            made.get_or_insert_with(|| begun.elapsed());
            if run.status.as_ref().is_some_and(|status| status.start_time.is_some()) {
                at_work.get_or_insert_with(|| begun.elapsed());
            }
            if let Some((succeeded, reason, message)) = ended(&run) {
                assert!(succeeded, "{reason}: {message}");
                break;
            }
        }
        (made.unwrap(), at_work.unwrap())
    }

    fn namespace(&self, number: usize) -> &str {
        &self.namespaces[number / EACH]
    }

    fn files(&self, namespace: &str) -> PathBuf {
        self.folder.path().join("root").join(namespace)
    }

    /// A sync that runs once a day, half a day from now.
    async fn make(&self, number: usize) {
        let (namespace, name) = (self.namespace(number), name(number));
        fs::create_dir(self.files(namespace).join(&name)).unwrap();
        let later = (Timestamp::now() + SignedDuration::from_hours(12)).to_zoned(TimeZone::UTC);
        let sync = json!({
            "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": name},
            "spec": {
                "source": {"directory": {"path": name}},
                "mapping": {
                    "userId": {"column": "id"},
                    "properties": [{"property": "name", "column": ["Name", "name", "Full name"], "required": true}],
                },
                "target": {"url": {"value": "sqlite:users.db"}},
                "schedule": {"daily": {"at": later.strftime("%H:%M").to_string()}, "timeZone": "Etc/UTC"},
            },
        });
        let syncs: Api<UserSync> = Api::namespaced(self.client.clone(), namespace);
        syncs.create(&PostParams::default(), &serde_json::from_value(sync).unwrap()).await.unwrap();
    }
}

fn name(number: usize) -> String {
    format!("sync-{number}")
}

async fn database(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("create table users (id text primary key, name text)").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn until(is: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.expect("the syncs are not as they should be");
}
