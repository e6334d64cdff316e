//! A sync in a private folder with a database of its own: write a file, run the engine, look at the table.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{AssertSqlSafe, Connection as _, Row, mysql::MySqlPool, postgres::PgPool, sqlite::SqlitePool};
use usersync::{
    api::{Mode, UserSync},
    control::job::{Secrets, sync_job},
    engine::{Ended, TakenOver, attempt, run},
    model::{
        file::Stamp,
        job::{Approval, Job, SyncJob},
        progress::Progress,
        secret::Secret,
    },
    notify,
    ports::{Ports, Watch},
    reports::folder::Folder,
    source::{self, servers::Servers},
    store,
};

/// Which database the users are in.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file in the sync's folder.
    Sqlite,
    /// A database of that URL.
    Postgres(String),
    /// A database of that URL.
    Mariadb(String),
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    Mariadb(MySqlPool),
}

/// A sync and all that it needs.
pub struct Bench {
    folder: PathBuf,
    /// Is removed with this.
    own: Option<tempfile::TempDir>,
    pool: Pool,
    pub sync: SyncJob,
    /// A file that was seen standing still before its run.
    pub settled: Option<Stamp>,
    runs: AtomicU32,
}

impl Bench {
    /// A sync with this spec; `target.url` is filled in, `source.directory` is `inbox` in the sync's folder.
    pub async fn new(database: Database, spec: serde_json::Value) -> Self {
        let own = tempfile::tempdir().unwrap();
        let bench = Self::at(own.path(), database, None, spec).await;
        Self { own: Some(own), ..bench }
    }

    /// In that folder, which stays. Runs reach the database as the tests do, or by an URL of their own.
    pub async fn at(folder: &Path, database: Database, own_url: Option<&str>, mut spec: serde_json::Value) -> Self {
        std::fs::create_dir_all(folder.join("inbox")).unwrap();
        let (url, pool) = match database {
            Database::Sqlite => {
                let url = format!("sqlite://{}?mode=rwc", folder.join("target.db").display());
                let pool = Pool::Sqlite(SqlitePool::connect(&url).await.unwrap());
                (url, pool)
            }
            Database::Postgres(url) => {
                let pool = Pool::Postgres(PgPool::connect(&url).await.unwrap());
                (url, pool)
            }
            Database::Mariadb(url) => {
                let pool = Pool::Mariadb(MySqlPool::connect(&url).await.unwrap());
                (url, pool)
            }
        };
        spec["target"]["url"] = serde_json::json!({"secretKeyRef": {"name": "users-db", "key": "url"}});
        let object = serde_json::json!({
            "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": "hr"}, "spec": spec,
        });
        let object: UserSync = serde_json::from_value(object).unwrap();
        let url = own_url.map_or(url, str::to_owned);
        let sync = sync_job(&object, "usersync", &OneSecret(url), folder).unwrap();
        Self { folder: folder.to_owned(), own: None, pool, sync, settled: None, runs: AtomicU32::new(0) }
    }

    /// The sync's folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A file in the inbox.
    pub fn inbox(&self, name: &str) -> PathBuf {
        self.folder.join("inbox").join(name)
    }

    /// Writes a CSV file into the inbox.
    pub fn write_csv<const N: usize>(&self, name: &str, header: &[&str; N], rows: &[[String; N]]) {
        let mut csv = csv::Writer::from_path(self.inbox(name)).unwrap();
        csv.write_record(header).unwrap();
        rows.iter().for_each(|row| csv.write_record(row).unwrap());
        csv.flush().unwrap();
    }

    /// One run.
    pub async fn run(&self, mode: Mode) -> Ended {
        self.run_job(mode, None).await
    }

    /// One run with an approval.
    pub async fn run_job(&self, mode: Mode, approval: Option<Approval>) -> Ended {
        let name = format!("hr-{:020}", self.runs.fetch_add(1, Ordering::Relaxed));
        self.run_as(&name, mode, approval, Arc::new(Silent)).await
    }

    /// One import while somebody watches, and perhaps does something meanwhile.
    pub async fn watched(&self, watch: impl Watch + 'static) -> Ended {
        let name = format!("hr-{:020}", self.runs.fetch_add(1, Ordering::Relaxed));
        self.run_as(&name, Mode::Import, None, Arc::new(watch)).await
    }

    /// The run of that name. As a host does, it leaves the spool folders of runs with open steps.
    pub async fn run_as(&self, name: &str, mode: Mode, approval: Option<Approval>, watch: Arc<dyn Watch>) -> Ended {
        let spools = self.folder.join("spool");
        let spool = spools.join(name);
        std::fs::create_dir_all(&spool).unwrap();
        let job = Job {
            sync: self.sync.clone(),
            run: name.to_owned(),
            mode,
            approval,
            after: None,
            tried: None,
            settled: self.settled.clone(),
            requested: false,
            next: None,
            approving: Default::default(),
        };
        let ports = self.ports(mode, watch).await;
        let ended = run(&job, &ports, &spool).await;
        if let Ok(open) = ports.store.unfinished(&job.sync.sync).await {
            for entry in std::fs::read_dir(&spools).unwrap() {
                let entry = entry.unwrap();
                if !open.iter().any(|row| *row.run == *entry.file_name()) {
                    std::fs::remove_dir_all(entry.path()).unwrap();
                }
            }
        }
        ended
    }

    /// An import that another process may have begun as well.
    pub async fn attempt(&self, name: &str, watch: impl Watch + 'static) -> Result<Ended, TakenOver> {
        self.attempt_by(name, &self.ports(Mode::Import, Arc::new(watch)).await).await
    }

    /// The same by these ports.
    pub async fn attempt_by(&self, name: &str, ports: &Ports) -> Result<Ended, TakenOver> {
        let spool = self.folder.join("spool").join(name);
        std::fs::create_dir_all(&spool).unwrap();
        let (run, mode) = (name.to_owned(), Mode::Import);
        let job = Job {
            sync: self.sync.clone(),
            run,
            mode,
            approval: None,
            after: None,
            tried: None,
            settled: None,
            requested: false,
            next: None,
            approving: Default::default(),
        };
        attempt(&job, ports, &spool).await
    }

    /// What a run touches the world through.
    pub async fn ports(&self, mode: Mode, watch: Arc<dyn Watch>) -> Ports {
        Ports {
            source: source::open(&self.sync.source, &Servers::default()),
            store: store::open(&self.sync, &self.folder.join("users.db"), mode).await,
            reports: Arc::new(Folder::new(self.folder.join("reports"))),
            notifier: notify::open(&self.sync.notice),
            watch,
        }
    }

    /// What a value is cast to, to be text.
    pub fn text(&self) -> &'static str {
        if matches!(self.pool, Pool::Mariadb(_)) { "char" } else { "text" }
    }

    /// A type for text of any length.
    pub fn long_text(&self) -> &'static str {
        if matches!(self.pool, Pool::Mariadb(_)) { "longtext" } else { "text" }
    }

    /// Runs a statement.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => {
                // A connection of the pool may know the table only as it was before another one changed it.
                let mut fresh = sqlx::SqliteConnection::connect_with(&pool.connect_options()).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut fresh).await.unwrap();
                fresh.close().await.unwrap();
            }
            Pool::Postgres(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
            Pool::Mariadb(pool) => drop(sqlx::raw_sql(sql).execute(pool).await.unwrap()),
        }
    }

    /// Rows of a query whose columns are all text.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.pool {
            Pool::Sqlite(pool) => {
                let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
            Pool::Postgres(pool) => {
                let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
            Pool::Mariadb(pool) => {
                let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
            }
        }
    }

    /// The lines of a run's `records.jsonl.gz`, sorted.
    pub fn records(&self, ended: &Ended) -> Vec<String> {
        let Some(path) = &ended.report.reports.records else { return Vec::new() };
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

struct OneSecret(String);

impl Secrets for OneSecret {
    fn secret(&self, _: &str, _: &str, key: &str) -> Option<Secret> {
        (key == "url").then(|| Secret::new(self.0.clone()))
    }

    fn secret_exists(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// Watches, and does nothing.
pub struct Silent;

impl Watch for Silent {
    fn at(&self, _: Progress) {}
}
