//! The operator as the chart starts it, with the account and the rights that the chart gives it: enough for an import, and hardly
//! a right that it does not use.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

use serde_json::Value;
use sqlx::{Connection as _, Row as _};
use tempfile::TempDir;

use crate::{
    helm::{of_kind, rendered_in},
    support::cluster::Cluster,
};

const SOON: Duration = Duration::from_secs(60);

/// Rights that an import from a folder has no use for: a history to shorten, an authority's certificate, a run made elsewhere.
const SPARE: &[&str] = &["delete usersyncruns", "get configmaps", "get usersyncruns"];

#[tokio::test]
async fn with_the_rights_of_the_chart_the_operator_imports() {
    let cluster = Cluster::builder().audit_log().start();
    for (name, namespace, values) in [
        ("narrow", "people", &["namespaces={people}", "directories.existingClaim=inboxes"][..]),
        ("wide", "school", &["crds.install=false", "rbac.userRoles=false", "directories.existingClaim=inboxes"]),
    ] {
        cluster.ok(&["create", "namespace", namespace]);
        let home = cluster.create_namespace(name);
        let name = format!("fullnameOverride={name}");
        let rendered = rendered_in(&home, &[values, &[&name]].concat());
        cluster.apply(&rendered);
        cluster.ok(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);

        let place = Place::new(namespace).await;
        let operator = place.operator(&cluster, &home, &rendered);
        place.imports(&cluster, namespace).await;
        operator.stops();
        let lease = cluster.get(&["lease", "usersync", "-n", &home]).unwrap();
        assert!(lease["spec"]["holderIdentity"].as_str().unwrap_or_default().is_empty(), "given back: {lease}");
        asked_for_what_it_may(&cluster, &home, &rendered);
    }
}

/// No request was refused for want of a right, and each right was used.
fn asked_for_what_it_may(cluster: &Cluster, home: &str, rendered: &str) {
    let account = format!("system:serviceaccount:{home}:");
    let asked: Vec<_> = cluster.audit().into_iter().filter(|event| event.user.starts_with(&account)).collect();
    let refused: Vec<_> = asked.iter().filter(|event| event.code == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let named = |resource: &str, subresource: &str| match subresource {
        "" => resource.to_owned(),
        subresource => format!("{resource}/{subresource}"),
    };
    let used: BTreeSet<String> =
        asked.iter().map(|event| format!("{} {}", event.verb, named(&event.resource, &event.subresource))).collect();
    let rules = ["Role", "ClusterRole"].map(|kind| of_kind(rendered, kind)).concat();
    let ours = rules.iter().filter(|role| !role["metadata"]["labels"].to_string().contains("aggregate-to"));
    for rule in ours.flat_map(|role| role["rules"].as_array().unwrap()) {
        for (verb, resource) in texts(&rule["verbs"]).flat_map(|v| texts(&rule["resources"]).map(move |r| (v, r))) {
            let right = format!("{verb} {resource}");
            assert!(used.contains(&right) || SPARE.contains(&&*right), "nobody uses the right to {right}: {used:?}");
        }
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> + Clone {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap())
}

/// The process; a test that fails shows its log and ends it.
struct Operator {
    process: Child,
    log: PathBuf,
}

impl Operator {
    /// Tells it to stop, and waits until it has.
    fn stops(mut self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        let ended = self.process.wait().unwrap();
        assert!(told.success() && ended.success(), "{ended}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// What the pod's volumes hold, in a folder: state, and a namespace's inbox and database.
struct Place {
    folder: TempDir,
    namespace: String,
}

impl Place {
    async fn new(namespace: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = folder.path().join("directories").join(namespace).join("inbox");
        fs::create_dir_all(&inbox).unwrap();
        fs::write(inbox.join("visitors_1.csv"), "Pass,Name\nV-1,Amélie Duval\nV-2,Jan de Vries\n").unwrap();
        let place = Self { folder, namespace: namespace.to_owned() };
        let mut database = place.database("?mode=rwc").await;
        sqlx::query("create table users (pass_number text primary key, name text)")
            .execute(&mut database)
            .await
            .unwrap();
        database.close().await.unwrap();
        place
    }

    async fn database(&self, mode: &str) -> sqlx::SqliteConnection {
        let path = self.folder.path().join("directories").join(&self.namespace).join("users.db");
        sqlx::SqliteConnection::connect(&format!("sqlite://{}{mode}", path.display())).await.unwrap()
    }

    /// The program with the arguments of the chart's pod; its volumes are folders here, its token is the account's.
    fn operator(&self, cluster: &Cluster, home: &str, rendered: &str) -> Operator {
        let pod = &of_kind(rendered, "Deployment")[0]["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().unwrap();
        let here = |argument: &str| {
            let folder = self.folder.path().display();
            argument
                .replace("/var/lib/usersync", &format!("{folder}/state"))
                .replace("=/directories", &format!("={folder}/directories"))
                .replace("0.0.0.0:8080", "127.0.0.1:0")
        };
        let arguments = texts(&pod["containers"][0]["args"]).map(here);
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.args(arguments).env("KUBECONFIG", cluster.token_kubeconfig(home, account));
        command.env("USERSYNC_LOG", "info").stderr(fs::File::create(self.folder.path().join("log")).unwrap());
        Operator { process: command.spawn().unwrap(), log: self.folder.path().join("log") }
    }

    async fn imports(&self, cluster: &Cluster, namespace: &str) {
        let sync =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/watch/usersync.yaml")).unwrap();
        let mut sync: Value = serde_yaml::from_str(&sync).unwrap();
        sync["metadata"]["namespace"] = namespace.into();
        sync["spec"]["source"]["stableFor"] = "1s".into();
        sync["spec"]["mapping"]["properties"] = serde_json::json!([{"property": "name", "column": "Name"}]);
        sync["spec"]["target"] = serde_json::json!({"url": {"secretKeyRef": {"name": "users-db", "key": "url"}}});
        sync["spec"].as_object_mut().unwrap().remove("schedule");
        cluster.ok(&["create", "secret", "generic", "users-db", "--from-literal=url=sqlite:users.db", "-n", namespace]);
        cluster.apply(&sync.to_string());
        let visitors = || cluster.get(&["usersync", "visitors", "-n", namespace]).unwrap();
        let ready = || {
            let found = visitors()["status"]["conditions"].clone();
            found.as_array()?.iter().any(|said| said["type"] == "Ready" && said["status"] == "True").then_some(())
        };
        cluster.wait_some(ready, SOON, "Ready");
        cluster.ok(&["annotate", "usersync", "visitors", "usersync.dev/update-now=first", "-n", namespace]);
        let completed = || (visitors()["status"]["lastCompletedUpdateNow"] == "first").then_some(());
        cluster.wait_some(completed, SOON, "the import");

        let mut database = self.database("").await;
        let rows = sqlx::query("select name from users order by pass_number").fetch_all(&mut database).await.unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(names, ["Amélie Duval", "Jan de Vries"]);
        let told = cluster.ok(&["get", "events.events.k8s.io", "-n", namespace, "-o", "jsonpath={.items[*].reason}"]);
        assert!(told.contains("RunCompleted"), "{told}");
    }
}
