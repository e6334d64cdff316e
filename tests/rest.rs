//! An operator at rest, watched by way of the API server's audit log: it writes nothing but its Lease, and asks for nothing that
//! hasn't changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{fs, path::Path, time::Duration};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};
use serde_json::json;
use support::{audit::AuditEvent, cluster::Cluster, operator::Operator};
use usersync::api::{UserSync, UserSyncRun};

/// So many syncs run once a day, and so many look into an empty folder every two seconds.
const SYNCS: usize = 100;
/// For so long nothing may happen.
const WINDOW: Duration = Duration::from_secs(60);

#[tokio::test]
async fn at_rest_nothing_is_written_and_nothing_asked() {
    let cluster = Cluster::builder().audit_log().start();
    cluster.install_crds();
    let namespace = cluster.create_namespace("rest");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let files = root.join(&namespace);
    fs::create_dir_all(&files).unwrap();
    database(&files.join("users.db")).await;
    let client = cluster.client().await;
    let syncs: Api<UserSync> = Api::namespaced(client.clone(), &namespace);
    stream::iter(0..SYNCS * 2).for_each_concurrent(8, |number| make(&syncs, &files, number)).await;

    // An account of its own, by which the log tells it from the test.
    cluster.ok(&["create", "serviceaccount", "operator", "-n", &namespace]);
    let account = format!("--serviceaccount={namespace}:operator");
    cluster.ok(&["create", "clusterrolebinding", "operator", "--clusterrole=cluster-admin", &account]);
    let kubeconfig = cluster.token_kubeconfig(&namespace, "operator");
    let operator = Operator::start(&kubeconfig, folder.path(), &["--directory-root", root.to_str().unwrap()]);
    until(|| async { all_ready(&syncs).await }).await;
    // Each change is looked at once more when it has been seen.
    until(|| async { asked(&cluster, Timestamp::now() - SignedDuration::from_secs(5)).is_empty() }).await;

    let begin = Timestamp::now();
    // Not a wait for something: this is the time in which nothing may happen.
    tokio::time::sleep(WINDOW).await;
    let others = asked(&cluster, begin);
    assert!(others.is_empty(), "{} requests at rest, such as {:#?}", others.len(), &others[..others.len().min(5)]);
    // It renews its Lease every five seconds, and begins its two watches anew every fifty.
    let regular = |is: fn(&AuditEvent) -> bool| {
        cluster.audit().iter().filter(|event| is_operator(event) && event.time >= begin && is(event)).count()
    };
    let (leases, watches) = (regular(|event| event.resource == "leases"), regular(|event| event.verb == "watch"));
    assert!((6..=16).contains(&leases) && watches <= 6, "{leases} requests for the Lease, {watches} watches");

    // It wasn't asleep.
    fs::write(files.join("sync-1/userdata_1.csv"), "id,name\n1,Ada\n").unwrap();
    until(|| async { syncs.get("sync-1").await.unwrap().status.unwrap().last_successful_time.is_some() }).await;
    assert_eq!(runs(&client, &namespace).await, 1);
    drop(operator);
}

/// Even numbers run once a day, half a day from now; odd ones look every two seconds.
async fn make(syncs: &Api<UserSync>, files: &Path, number: usize) {
    let name = format!("sync-{number}");
    fs::create_dir(files.join(&name)).unwrap();
    let later = (Timestamp::now() + SignedDuration::from_hours(12)).to_zoned(TimeZone::UTC);
    let schedule = match number % 2 {
        0 => json!({"daily": {"at": later.strftime("%H:%M").to_string()}}),
        _ => json!({"every": "2s"}),
    };
    let sync = json!({
        "apiVersion": "usersync.dev/v1alpha1", "kind": "UserSync", "metadata": {"name": name},
        "spec": {
            "source": {"directory": {"path": name}}, "schedule": schedule,
            "mapping": {"userId": {"column": "id"}, "properties": [{"property": "name"}]},
            "target": {"url": {"value": "sqlite:users.db"}},
        },
    });
    syncs.create(&PostParams::default(), &serde_json::from_value(sync).unwrap()).await.unwrap();
}

async fn database(path: &Path) {
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("create table users (id text primary key, name text)").execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

async fn all_ready(syncs: &Api<UserSync>) -> bool {
    let all = syncs.list(&ListParams::default()).await.unwrap();
    all.items.iter().all(|sync| {
        let conditions = sync.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}

/// What the operator has asked for since then, but for its Lease and the watches.
fn asked(cluster: &Cluster, since: Timestamp) -> Vec<AuditEvent> {
    let of_note = |event: &AuditEvent| event.resource != "leases" && event.verb != "watch";
    cluster.audit().into_iter().filter(|event| event.time >= since && is_operator(event) && of_note(event)).collect()
}

async fn runs(client: &Client, namespace: &str) -> usize {
    let runs: Api<UserSyncRun> = Api::namespaced(client.clone(), namespace);
    runs.list(&ListParams::default()).await.unwrap().items.len()
}

/// Whether the operator asked, rather than the test or the API server itself.
fn is_operator(event: &AuditEvent) -> bool {
    event.user.ends_with(":operator")
}

async fn until<F: Future<Output = bool>>(is: impl Fn() -> F) {
    let waiting = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("the syncs are not as they should be");
}
