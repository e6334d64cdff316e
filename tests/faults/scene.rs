//! A namespace with syncs that have work to do, and what must be true once it is done.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Namespace};
use kube::{
    Api, Client,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use usersync::{
    api::{Trigger, UserSync, UserSyncRun, UserSyncStatus},
    control::{cause::ended, decide::decide},
    host::kube::KubeHost,
    model::{
        sync::Key,
        view::{Decision, Memory},
    },
    ports::Host as _,
};

use crate::{proxy::Proxy, support::operator::Operator};

/// A namespace, its folder, its databases.
pub struct Scene {
    pub namespace: String,
    pub client: Client,
    pub proxy: Proxy,
    folder: TempDir,
}

/// How long anything may take that must happen.
pub const LIMIT: Duration = Duration::from_secs(90);

impl Scene {
    pub async fn new(client: Client, namespace: &str) -> Self {
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}})).unwrap();
        let params = PostParams::default();
        Api::<Namespace>::all(client.clone()).create(&params, &object).await.unwrap();
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("root").join(namespace)).unwrap();
        let proxy = Proxy::start(client.clone(), folder.path()).await;
        Self { namespace: namespace.to_owned(), client, proxy, folder }
    }

    /// An operator of this namespace alone, behind the proxy.
    pub fn operator(&self) -> Operator {
        let root = self.folder.path().join("root");
        let arguments = ["--namespace", &self.namespace, "--lease-namespace", &self.namespace];
        let arguments = [&arguments[..], &["--directory-root", root.to_str().unwrap()]].concat();
        Operator::start(&self.proxy.kubeconfig, self.folder.path(), &arguments)
    }

    /// Kills it and starts another; the Lease is taken away, so that nobody waits until it runs out.
    pub async fn restart(&self, operator: &mut Operator) {
        operator.kill();
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        leases.delete_collection(&Default::default(), &ListParams::default()).await.unwrap();
        *operator = self.operator();
    }

    /// The namespace's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(&self.namespace).join(name)
    }

    /// Puts a file there that nobody has written to for a while; `age` says how long, in minutes.
    pub fn put(&self, sync: &str, name: &str, age: u64, rows: &[(&str, &str)]) {
        let folder = self.path(sync);
        fs::create_dir_all(&folder).unwrap();
        let lines: String = rows.iter().map(|(id, name)| format!("{id},{name}\n")).collect();
        let path = folder.join(name);
        fs::write(&path, format!("id,name\n{lines}")).unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
    }

    /// A sync that reads the folder of its name and writes into a database of its name; `more` is added to its spec.
    pub async fn sync(&self, name: &str, annotations: &[(&str, &str)], more: Value) -> UserSync {
        fs::create_dir_all(self.path(name)).unwrap();
        let mut database = self.database(name).await;
        let sql = "create table if not exists users (id text primary key, name text); \
                   insert or ignore into users values ('0', 'Somebody');";
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
        let mut spec = json!({
            "source": {"directory": {"path": name}},
            "mapping": {"userId": {"column": "id"}, "properties": [{"property": "name"}]},
            "target": {"url": {"value": format!("sqlite:{name}.db")}},
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let annotations: BTreeMap<String, &str> =
            annotations.iter().map(|(name, value)| (format!("usersync.dev/{name}"), *value)).collect();
        let object = json!({
            "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations}, "spec": spec,
        });
        let object = serde_json::from_value(object).unwrap();
        self.syncs().create(&PostParams::default(), &object).await.unwrap()
    }

    pub fn syncs(&self) -> Api<UserSync> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Sets an annotation of UserSync's.
    pub async fn annotate(&self, sync: &str, annotation: &str, value: &str) {
        self.merge(sync, json!({"metadata": {"annotations": {format!("usersync.dev/{annotation}"): value}}})).await;
    }

    /// Changes a sync.
    pub async fn merge(&self, sync: &str, patch: Value) {
        self.syncs().patch(sync, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn status(&self, sync: &str) -> UserSyncStatus {
        self.syncs().get(sync).await.unwrap().status.unwrap_or_default()
    }

    /// All runs of a sync.
    pub async fn runs(&self, sync: &str) -> Vec<UserSyncRun> {
        let api: Api<UserSyncRun> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut runs = api.list(&ListParams::default()).await.unwrap().items;
        runs.retain(|run| run.spec.sync == sync);
        runs
    }

    /// What started each run, and how it ended, in order.
    pub async fn ends(&self, sync: &str) -> Vec<String> {
        let mut ends: Vec<String> =
            self.runs(sync).await.iter().map(|run| format!("{} {}", cause(run), end(run))).collect();
        ends.sort();
        ends
    }

    /// What started each run, in order; all of them must have ended.
    pub async fn causes(&self, sync: &str) -> Vec<String> {
        let ends = self.ends(sync).await;
        assert!(ends.iter().all(|end| !end.ends_with("at work")), "{ends:?}");
        ends.iter().filter_map(|end| Some(end.split_once(' ')?.0.to_owned())).collect()
    }

    /// The imports that the ledger knows: the file's name, in order.
    pub async fn imported(&self, sync: &str) -> Vec<String> {
        let sql = "select file_name from usersync_ledger order by file_name";
        let made = self.query(sync, "select name from sqlite_schema where name = 'usersync_ledger'").await;
        if made.is_empty() { Vec::new() } else { self.query(sync, sql).await }
    }

    /// The users: `id name`.
    pub async fn users(&self, sync: &str) -> Vec<String> {
        self.query(sync, "select id || ' ' || name from users order by id").await
    }

    async fn query(&self, sync: &str, sql: &str) -> Vec<String> {
        let mut database = self.database(sync).await;
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut database).await.unwrap();
        database.close().await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn database(&self, sync: &str) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path(&format!("{sync}.db"))).create_if_missing(true);
        SqliteConnection::connect_with(&options.busy_timeout(Duration::from_secs(20))).await.unwrap()
    }

    /// Names of the files in a folder below the namespace's, in order.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let files = entries.map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What the status says of a condition.
    pub fn condition(status: &UserSyncStatus, kind: &str) -> Option<String> {
        let found = status.conditions.iter().find(|condition| condition.type_ == kind)?;
        Some(format!("{} {}", found.status, found.reason))
    }

    /// Asserts that a process that knows nothing yet would find nothing to do for the sync as it is.
    pub async fn assert_at_rest(&self, sync: &str) {
        let host = KubeHost::new(self.client.clone(), std::slice::from_ref(&self.namespace), "tests");
        let key = Key { namespace: self.namespace.clone(), name: sync.to_owned() };
        let view = host.live(&key).await.unwrap().unwrap();
        let decision = decide(&view, &Memory::default(), Timestamp::now());
        assert!(matches!(decision, Decision::Wait(_) | Decision::Look { .. }), "{key}: {decision:?}");
    }

    /// Waits until the status is such.
    pub async fn until(&self, sync: &str, what: &str, is: impl Fn(&UserSyncStatus) -> bool) -> UserSyncStatus {
        let waiting = async {
            loop {
                let status = self.status(sync).await;
                if is(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        };
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("{}/{sync}: not {what}: {:#?}", self.namespace, self.status(sync).await),
        }
    }
}

/// What a run is for.
fn cause(run: &UserSyncRun) -> String {
    match run.spec.trigger {
        Trigger::Schedule => "Schedule".to_owned(),
        trigger => {
            format!("{trigger:?}:{}", run.spec.token.as_deref().or(run.spec.approves.as_deref()).unwrap_or_default())
        }
    }
}

fn end(run: &UserSyncRun) -> &str {
    ended(run).map_or("at work", |(_, reason, _)| reason)
}
