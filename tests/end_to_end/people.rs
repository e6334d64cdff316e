//! A team that uses the operator: a namespace with a sync, the server its files come from, and its database.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::{
    LIMIT,
    support::{
        cluster::Cluster,
        postgres::{self, Server, sql},
        relay::Relay,
        sshd::{Sshd, current_user},
    },
};

/// The sync's namespace.
const NAMESPACE: &str = "people";

pub struct People<'a> {
    cluster: &'a Cluster,
    files: Sshd,
    files_relay: Relay,
    database: Server,
    database_relay: Relay,
    /// The database, as superuser.
    admin: String,
}

/// A run that ended.
pub struct Run {
    pub name: String,
    pub status: Value,
}

/// Nobody can write the users while this is there.
pub struct Held(PgConnection);

impl<'a> People<'a> {
    /// Servers and namespace. The database has the user and the rights that `docs/safety.md` names.
    pub fn start(cluster: &'a Cluster) -> Self {
        let files = Sshd::start("");
        let (database, port) = Server::start_tls();
        let admin = database.create_database();
        sql(
            &admin,
            "create table users (org text not null, employee_id text not null, email text not null, department text, \
             unique (org, employee_id)); \
             create role usersync login password 'change me'; \
             grant usage, create on schema public to usersync; \
             grant select, insert, update, delete on users to usersync",
        );
        let (files_relay, database_relay) = (cluster.offer(files.port), cluster.offer(port));
        cluster.ok(&["create", "namespace", NAMESPACE]);
        Self { cluster, files, files_relay, database, database_relay, admin }
    }

    /// What the operator's pods must be told of the servers: their names, and who vouches for the database.
    pub fn servers(&self) -> Value {
        let certificate = fs::read_to_string(self.database.folder().join("cert.pem")).unwrap();
        let trusted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "authorities"}, "data": {"ca.crt": certificate}});
        self.cluster.kubectl(&["create", "namespace", crate::NAMESPACE]);
        let said =
            self.cluster.feed(&["apply", "-n", crate::NAMESPACE, "--server-side", "-f", "-"], &trusted.to_string());
        assert!(said.success, "{}", said.stderr);
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "usersync"},
            "spec": {"template": {"spec": {
                "hostAliases": [
                    {"ip": self.files_relay.address.ip(), "hostnames": ["files.example.com", "db.example.com"]},
                ],
                "containers": [{
                    "name": "usersync",
                    "env": [{"name": "SSL_CERT_FILE", "value": "/authorities/ca.crt"}],
                    "volumeMounts": [{"name": "authorities", "mountPath": "/authorities"}],
                }],
                "volumes": [{"name": "authorities", "configMap": {"name": "authorities"}}],
            }}},
        })
    }

    /// Applies Secrets and sync, and waits until the sync is ready.
    pub fn apply_sync(&self) {
        let user = current_user();
        let key = self.files.new_key(&user, &["-t", "ed25519"], "");
        let secret = |name: &str, values: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values});
        let database = self.admin.split(['/', '?']).nth(3).unwrap();
        let port = self.database_relay.address.port();
        let url = format!("postgres://usersync:{}@db.example.com:{port}/{database}", postgres::encoded("change me"));
        let documents = [
            secret("hr-sftp", json!({"username": user, "privateKey": key.expose()})).to_string(),
            secret("users-db", json!({"url": url})).to_string(),
            self.manifest(),
        ];
        let said =
            self.cluster.feed(&["apply", "-n", NAMESPACE, "--server-side", "-f", "-"], &documents.join("\n---\n"));
        assert!(said.success, "{}", said.stderr);
        let limit = format!("--timeout={}s", LIMIT.as_secs());
        let ready = self.cluster.kubectl(&["wait", "-n", NAMESPACE, "--for=condition=Ready", &limit, "usersync/hr"]);
        assert!(ready.success, "{}\n{}", ready.stderr, self.sync()["status"]);
    }

    fn manifest(&self) -> String {
        format!(
            "apiVersion: usersync.dev/v1alpha1
kind: UserSync
metadata:
  name: hr
spec:
  source:
    sftp:
      host: files.example.com
      port: {port}
      credentials: {{name: hr-sftp}}
      hostKeys: ['{key}']
    path: {path}
    files: 'userdata_*.csv'
    stableFor: 1s
    afterImport: {{moveTo: bak}}
  mapping:
    userId: {{column: employee_id}}
    properties:
      - {{property: email, column: Mail, type: Email}}
      - {{property: department, column: Department}}
  safeguards:
    maxUpdated: '100%'
  target:
    url: {{secretKeyRef: {{name: users-db, key: url}}}}
    table: users
    scope: {{org: acme}}
    timeouts: {{lock: 5m}}
  schedule:
    monthly: {{day: 1, at: '01:00'}}
    timeZone: Europe/Berlin
",
            port = self.files_relay.address.port(),
            key = self.files.host_key("ed25519"),
            path = self.files.outbox().display(),
        )
    }

    /// A file of so many people, all in that department, as if it had come an hour ago: what the table must hold after it.
    pub fn upload(&self, name: &str, people: usize, department: &str) -> String {
        let row = |n: usize| format!("E{n:04};e{n}@example.com;{department}\n");
        self.upload_text(
            name,
            &("employee_id;Mail;Department\n".to_owned() + &(1..=people).map(row).collect::<String>()),
        );
        let user = |n: usize| format!("acme|E{n:04}|e{n}@example.com|{department}\n");
        (1..=people).map(user).collect::<String>().trim_end().to_owned()
    }

    /// This file, as if it had come an hour ago.
    pub fn upload_text(&self, name: &str, content: &str) {
        let path = self.files.outbox().join(name);
        fs::write(&path, content).unwrap();
        let time = SystemTime::now() - Duration::from_secs(3600);
        File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    pub fn users(&self) -> String {
        sql(&self.admin, "select org, employee_id, email, department from users order by employee_id")
    }

    /// How many imports are committed.
    pub fn imported(&self) -> String {
        sql(&self.admin, "select count(*) from usersync_ledger")
    }

    /// A line for each committed import: run, file, users added, users updated.
    pub fn ledger(&self) -> String {
        let columns = "run || ' ' || file_name || ' ' || (counts->>'added') || ' ' || (counts->>'updated')";
        sql(&self.admin, &format!("select {columns} from usersync_ledger order by id"))
    }

    /// From now on nobody can write the users.
    pub async fn hold_the_table(&self) -> Held {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        sqlx::raw_sql("begin; lock table users in share row exclusive mode").execute(&mut connection).await.unwrap();
        Held(connection)
    }

    /// Waits until those who wait for the table are as they should be: the processes that serve them.
    pub fn writers_waiting(&self, limit: Duration, so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let waiting = "select pid from pg_locks where not granted and relation = 'users'::regclass";
        let find = || {
            let writers: Vec<_> = sql(&self.admin, waiting).lines().map(str::to_owned).collect();
            so(&writers).then_some(writers)
        };
        self.cluster.wait_some(find, limit, "a run waits for the table")
    }

    /// Asks for an import; the run's name.
    pub fn update_now(&self, token: &str) -> String {
        let annotation = format!("usersync.dev/update-now={token}");
        self.cluster.ok(&["annotate", "usync", "hr", "-n", NAMESPACE, "--overwrite", &annotation]);
        let find = || {
            let runs = self.runs().into_iter().filter(|run| run["spec"]["token"] == token);
            runs.map(|run| run["metadata"]["name"].as_str().unwrap().to_owned()).next()
        };
        self.cluster.wait_some(find, LIMIT, "a run")
    }

    fn runs(&self) -> Vec<Value> {
        self.cluster.list(&["usersyncruns", "-n", NAMESPACE])
    }

    fn sync(&self) -> Value {
        self.cluster.get(&["usync", "hr", "-n", NAMESPACE]).unwrap()
    }

    /// What a run's condition Succeeded says.
    pub fn verdict(&self, run: &str) -> String {
        let run = self.cluster.get(&["usersyncrun", run, "-n", NAMESPACE]).unwrap();
        condition(&run, "Succeeded")["status"].as_str().unwrap_or_default().to_owned()
    }

    /// The run once it has ended, which must be well.
    pub fn ended(&self, run: &str, limit: Duration) -> Run {
        let find = || Some(self.verdict(run)).filter(|verdict| verdict != "Unknown" && !verdict.is_empty());
        let verdict = self.cluster.wait_some(find, limit, "the run ends");
        let object = self.cluster.get(&["usersyncrun", run, "-n", NAMESPACE]).unwrap();
        assert_eq!(verdict, "True", "{object:#}");
        Run { name: run.to_owned(), status: object["status"].clone() }
    }

    /// Whether the sync's status says that this request is done.
    pub fn synced_by(&self, token: &str) -> bool {
        self.sync()["status"]["lastCompletedUpdateNow"] == token
    }

    /// These runs and no other were made; each was told once when it began and once when it ended; each file was put away, under
    /// its own name; the sync is ready for more.
    pub fn is_settled(&self, runs: &[&Run]) {
        let settled = || {
            let sync = self.sync();
            let last = &sync["status"]["lastRun"]["name"];
            (sync["status"]["activeRun"].is_null() && *last == runs.last().unwrap().name).then_some(sync)
        };
        let sync = self.cluster.wait_some(settled, LIMIT, "the run is noted at its sync");
        for kind in ["Ready", "SourceReady", "Synced"] {
            assert_eq!(condition(&sync, kind)["status"], "True", "{:#}", sync["status"]);
        }
        let mut names: Vec<_> = runs.iter().map(|run| run.name.clone()).collect();
        names.sort();
        let mut made: Vec<_> =
            self.runs().iter().map(|run| run["metadata"]["name"].as_str().unwrap().to_owned()).collect();
        made.sort();
        assert_eq!(made, names);

        let count = runs.len();
        self.cluster.wait_for(|| self.told("RunCompleted").len() >= count, LIMIT, "the end of the run is told");
        for kind in ["RunStarted", "RunCompleted"] {
            let told = self.told(kind);
            for name in &names {
                let of_this = told.iter().filter(|message| message.contains(name.as_str())).count();
                assert_eq!(of_this, 1, "{kind} of {name}: {told:?}");
            }
            assert_eq!(told.len(), count, "{told:?}");
        }
        let files: Vec<_> = (1..=count).map(|n| format!("userdata_{n}.csv")).collect();
        assert_eq!(listed(&self.files.outbox().join("bak")), files);
        assert_eq!(listed(&self.files.outbox()), ["bak"]);
    }

    /// The messages of events of that kind.
    fn told(&self, kind: &str) -> Vec<String> {
        let events = self.cluster.list(&["events.events.k8s.io", "-n", NAMESPACE]);
        events
            .iter()
            .filter(|event| event["reason"] == kind)
            .map(|event| event["note"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Run {
    pub fn added(&self) -> u64 {
        self.status["counts"]["added"].as_u64().unwrap()
    }

    pub fn updated(&self) -> u64 {
        self.status["counts"]["updated"].as_u64().unwrap()
    }
}

impl Held {
    pub async fn let_go(self) {
        self.0.close().await.unwrap();
    }
}

fn condition<'v>(object: &'v Value, kind: &str) -> &'v Value {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|said| said["type"] == kind).unwrap_or(&Value::Null)
}

fn listed(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
