//! A host in memory, a folder to upload to, an SQLite database to write to, and a worker for them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row, sqlite::SqlitePool};
use usersync::{
    api::{UserSync, UserSyncRun, UserSyncRunStatus},
    app::Worker,
    control::cause::{ended, run_of},
    model::{
        file::Fetched,
        job::Bounds,
        progress::Progress,
        sync::{Candidate, Cause, Failure, Fitness, Tried, Unfinished},
        view::Order,
    },
    ports::{HostError, Watch, Work},
    reports::folder::Folder,
};

use crate::still::Still;

/// Everything that a sync needs.
pub struct World {
    folder: tempfile::TempDir,
    pub host: Arc<Still>,
    pub worker: Worker,
    pool: SqlitePool,
    runs: Mutex<u32>,
}

impl World {
    /// With the table `users`, the folder `inbox` and the Secret `users-db`, all of them in the folder of namespace `people`.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("people/inbox")).unwrap();
        let url = format!("sqlite://{}?mode=rwc", root.join("people/users.db").display());
        let pool = SqlitePool::connect(&url).await.unwrap();
        let host = Arc::new(Still::default());
        let (data, reports) = (folder.path().join("data"), Arc::new(Folder::new(folder.path().join("reports"))));
        let below = Bounds::Below(root);
        let worker = Worker::new(host.clone(), "usersync".to_owned(), data, reports, move |_| below.clone());
        let world = Self { folder, host, worker, pool, runs: Mutex::new(0) };
        world.secret("users-db", "url", "sqlite:users.db");
        world.execute("create table users (id text not null primary key, email text, city text)").await;
        world
    }

    /// Asks the worker.
    pub async fn probe(&self, sync: &UserSync, login: bool) -> Result<Fitness, HostError> {
        self.worker.probe(sync, login, Arc::new(Silent)).await
    }

    /// Asks the worker.
    pub async fn look(&self, sync: &UserSync, tried: &[Tried]) -> Result<Option<Candidate>, Failure> {
        self.worker.look(sync, tried, Arc::new(Silent)).await
    }

    /// Asks the worker.
    pub async fn finish(&self, sync: &UserSync, aside: &[Fetched]) -> Result<Option<Unfinished>, Failure> {
        self.worker.finish(sync, aside, Arc::new(Silent)).await
    }

    /// A path in the world's folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A path in the namespace's folder.
    pub fn people(&self, path: &str) -> PathBuf {
        self.path("root/people").join(path)
    }

    /// Writes a Secret's key.
    pub fn secret(&self, name: &str, key: &str, value: &str) {
        self.host.secrets.lock().unwrap().entry(name.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    /// A sync with `patch` merged into its spec.
    pub fn sync(&self, patch: Value) -> UserSync {
        let mut spec = json!({
            "source": {"directory": {"path": "inbox"}, "files": "users*.csv", "stableFor": "0s"},
            "mapping": {"userId": {"column": "id"}, "properties": [{"property": "email"}, {"property": "city"}]},
            "target": {"url": {"secretKeyRef": {"name": "users-db", "key": "url"}}},
        });
        json_patch::merge(&mut spec, &patch);
        let object = json!({
            "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "spec": spec,
            "metadata": {"name": "hr", "namespace": "people", "uid": "0-1", "generation": 1},
        });
        serde_json::from_value(object).unwrap()
    }

    /// Uploads a file that was written that many seconds ago.
    pub fn upload(&self, name: &str, content: &str, age: u64) {
        let path = self.people("inbox").join(name);
        fs::write(&path, content).unwrap();
        let written = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        fs::File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
    }

    /// A run that somebody asked for.
    pub fn asked(&self, sync: &UserSync) -> Order {
        self.order(sync, |token| Cause::UpdateNow(token.to_string()), None)
    }

    /// A run of the schedule.
    pub fn scheduled(&self, sync: &UserSync, tried: &[Tried]) -> Order {
        let slot = |slot: u32| Cause::Slot(jiff::Timestamp::from_second(slot.into()).unwrap());
        self.order(sync, slot, Some(tried.to_vec()))
    }

    fn order(&self, sync: &UserSync, cause: impl Fn(u32) -> Cause, tried: Option<Vec<Tried>>) -> Order {
        let mut runs = self.runs.lock().unwrap();
        *runs += 1;
        Order { run: run_of(sync, &cause(*runs), &[]), approval: None, tried, settled: None, until: None }
    }

    /// Carries a run out.
    pub async fn run(&self, order: &Order) -> Outcome {
        Outcome(self.worker.run(order, Arc::new(Silent)).await.unwrap())
    }

    /// Runs a statement.
    pub async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// The users: `id email city`.
    pub async fn users(&self) -> Vec<String> {
        let rows =
            sqlx::query("select id || ' ' || coalesce(email, '') || ' ' || coalesce(city, '') from users order by id");
        rows.fetch_all(&self.pool).await.unwrap().iter().map(|row| row.get(0)).collect()
    }
}

/// The status of a run that ended.
pub struct Outcome(pub UserSyncRunStatus);

impl Outcome {
    pub fn reason(&self) -> String {
        self.0.conditions[0].reason.clone()
    }

    pub fn message(&self) -> &str {
        &self.0.conditions[0].message
    }

    pub fn file(&self) -> Option<&str> {
        self.0.file.as_ref().map(|file| file.name.as_str())
    }

    /// The run with this status.
    pub fn of(&self, order: &Order) -> UserSyncRun {
        let run = UserSyncRun { status: Some(self.0.clone()), ..order.run.clone() };
        assert!(ended(&run).is_some());
        run
    }

    pub fn started(&self) -> Time {
        self.0.start_time.clone().unwrap()
    }
}

/// Every file below a folder, by its path there.
pub fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() && !path.is_symlink() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found.sort();
    found
}

/// Watches, and does nothing.
pub struct Silent;

impl Watch for Silent {
    fn at(&self, _: Progress) {}
}
