//! A namespace with an inbox, a database and an operator that looks after it alone.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::support::cluster::Cluster;

/// Long enough for whatever should happen by itself; a Lease that must run out included.
pub const SOON: Duration = Duration::from_secs(90);

/// The cluster of this binary, with the definitions.
pub fn shared() -> &'static Cluster {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    let cluster = Cluster::shared();
    INSTALLED.get_or_init(|| cluster.install_crds());
    cluster
}

/// A cluster of one's own, for tests that do it harm; ended with the test process at the latest.
pub fn own() -> &'static Cluster {
    Box::leak(Box::new(Cluster::start()))
}

pub struct World {
    pub cluster: &'static Cluster,
    pub namespace: String,
    folder: TempDir,
}

/// An operator. Killed when dropped.
pub struct Operator {
    process: Child,
    log: PathBuf,
}

impl World {
    pub fn new() -> Self {
        Self::of(shared())
    }

    pub fn of(cluster: &'static Cluster) -> Self {
        let world = Self { cluster, namespace: cluster.create_namespace("op"), folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(world.path("inbox")).unwrap();
        world.sql("create table users (id text primary key, email text)");
        world
    }

    /// A path in the namespace's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(&self.namespace).join(name)
    }

    /// The operator's own folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Changes the database of users.
    pub fn sql(&self, sql: &str) {
        self.with_database(async |database| {
            sqlx::query(AssertSqlSafe(sql.to_owned())).execute(database).await.unwrap();
        });
    }

    /// How many users there are.
    pub fn users(&self) -> i64 {
        self.with_database(async |database| {
            sqlx::query_scalar("select count(*) from users").fetch_one(database).await.unwrap()
        })
    }

    fn with_database<T>(&self, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
        let options = SqliteConnectOptions::new().filename(self.path("users.db")).create_if_missing(true);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut database = SqliteConnection::connect_with(&options.busy_timeout(SOON)).await.unwrap();
            let done = work(&mut database).await;
            database.close().await.unwrap();
            done
        })
    }

    /// Puts a file with so many people into the inbox; it stands still.
    pub fn drop_file(&self, name: &str, people: usize) {
        let rows: String = (1..=people).map(|n| format!("E{n},e{n}@example.com\n")).collect();
        self.drop_text(name, &format!("id,email\n{rows}"));
    }

    /// Puts this file into the inbox; it stands still.
    pub fn drop_text(&self, name: &str, text: &str) {
        let path = self.path("inbox").join(name);
        fs::write(&path, text).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().append(true).open(&path).unwrap().set_modified(then).unwrap();
    }

    /// A sync of that name; `more` takes the place of the spec's fields.
    pub fn sync(&self, name: &str, more: Value) -> Value {
        let mut spec = json!({
            "source": {"directory": {"path": "inbox"}},
            "mapping": {"userId": {"column": "id"}, "properties": [{"property": "email"}]},
            "target": {"url": {"value": "sqlite:users.db"}},
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let metadata = json!({"name": name, "namespace": self.namespace});
        json!({"apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": metadata, "spec": spec})
    }

    /// Applies the sync `hr`, as a GitOps tool does.
    pub fn apply(&self, more: Value) {
        self.cluster.apply(&self.sync("hr", more).to_string());
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.ok(&[&["-n", &self.namespace], arguments].concat())
    }

    pub fn annotate(&self, annotations: &[&str]) {
        self.kubectl(&[&["annotate", "usync", "hr", "--overwrite"], annotations].concat());
    }

    pub fn patch(&self, spec: Value) {
        self.kubectl(&["patch", "usync", "hr", "--type=merge", "-p", &json!({"spec": spec}).to_string()]);
    }

    /// The object as it is; null if there is none.
    pub fn get(&self, what: &[&str]) -> Value {
        self.cluster.get(&[&["-n", &self.namespace], what].concat()).unwrap_or_default()
    }

    pub fn status(&self) -> Value {
        self.get(&["usync", "hr"])["status"].take()
    }

    /// Status and reason of a condition of `hr`: `True Ready`. Empty: there is none.
    pub fn condition(&self, name: &str) -> String {
        condition(&self.status(), name)
    }

    /// All runs, each with its trigger, mode and reason: `UpdateNow Import Completed`; sorted by these words, as several may be made
    /// within one second, which is all that the API server tells of their order.
    pub fn runs(&self) -> Vec<String> {
        let mut runs: Vec<_> = self.run_objects().iter().map(Self::outcome).collect();
        runs.sort();
        runs
    }

    pub fn run_objects(&self) -> Vec<Value> {
        self.cluster.list(&["usrun", "-n", &self.namespace])
    }

    pub fn outcome(run: &Value) -> String {
        let reason = condition(&run["status"], "Succeeded");
        let reason = reason.split(' ').next_back().unwrap_or_default();
        format!("{} {} {reason}", run["spec"]["trigger"].as_str().unwrap(), run["spec"]["mode"].as_str().unwrap())
    }

    pub fn until(&self, what: &str, so: impl FnMut() -> bool) {
        self.cluster.wait_for(so, SOON, what);
    }

    pub fn until_condition(&self, name: &str, expected: &str) {
        let mut last = String::new();
        let deadline = std::time::Instant::now() + SOON;
        while std::time::Instant::now() < deadline {
            last = self.condition(name);
            if last == expected {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{name} is “{last}”, not “{expected}”: {:#}", self.status());
    }

    /// Asks for an import and waits for its end.
    pub fn update(&self, token: &str) {
        self.annotate(&[&format!("usersync.dev/update-now={token}")]);
        self.completed("lastCompletedUpdateNow", token);
    }

    pub fn simulate(&self, token: &str) {
        self.annotate(&[&format!("usersync.dev/simulate-now={token}")]);
        self.completed("lastCompletedSimulateNow", token);
    }

    pub fn completed(&self, field: &str, token: &str) {
        self.until(&format!("{field} is not {token}"), || self.status()[field] == json!(token));
    }

    /// Starts an operator as the administrator.
    pub fn operator(&self) -> Operator {
        self.operator_as(self.cluster.kubeconfig(), &[])
    }

    pub fn operator_as(&self, kubeconfig: PathBuf, more: &[&str]) -> Operator {
        self.operator_with(kubeconfig, more, &BTreeMap::new())
    }

    /// The same, with these variables.
    pub fn operator_with(&self, kubeconfig: PathBuf, more: &[&str], variables: &BTreeMap<String, String>) -> Operator {
        let root = self.folder.path().join("root");
        let log = tempfile::Builder::new().suffix(".log").tempfile_in(self.folder.path()).unwrap().keep().unwrap().1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.args(["operator", "--metrics=127.0.0.1:0", "--namespace", &self.namespace]);
        if !more.iter().any(|option| option.starts_with("--lease-namespace")) {
            command.args(["--lease-namespace", &self.namespace]);
        }
        command.arg("--data").arg(self.data()).arg("--directory-root").arg(root).args(more);
        command.env("KUBECONFIG", kubeconfig).envs(variables).env_remove("USERSYNC_LOG").stdin(Stdio::null());
        let process = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let operator = Operator { process, log };
        self.until("the operator does not start", || operator.said("started"));
        operator
    }
}

/// Status and reason of a condition.
pub fn condition(status: &Value, name: &str) -> String {
    let found = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == name);
    found.map_or_else(String::new, |found| {
        format!("{} {}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
    })
}

impl Operator {
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn said(&self, text: &str) -> bool {
        self.log().contains(text)
    }

    /// Whether it has warned of anything but an API server that is still making room for resources it was just told of.
    pub fn warned(&self) -> bool {
        self.log().lines().any(|line| line.contains("WARN") && !line.contains("storage is (re)initializing"))
    }

    pub fn leads(&self) -> bool {
        self.http("/metrics").1.lines().any(|line| line == "usersync_leader 1")
    }

    /// Status code and body of what it answers.
    pub fn http(&self, path: &str) -> (u16, String) {
        let log = self.log();
        let (_, rest) = log.split_once("metrics=").unwrap();
        let address = rest.split_whitespace().next().unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Tells it to stop, and waits for its end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.process.wait().unwrap()
    }

    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the operator's log:\n{}", self.log());
        }
    }
}
