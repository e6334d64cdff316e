//! What is installed: the chart and the plain manifests made from it, in a real API server; and what GitOps tools make of a sync.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "charts/health.rs"]
mod health;
#[path = "charts/helm.rs"]
mod helm;
#[path = "charts/image.rs"]
mod image;
#[path = "charts/plain.rs"]
mod plain;
#[path = "charts/rights.rs"]
mod rights;
mod support;
#[path = "charts/works.rs"]
mod works;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use helm::{chart, documents, helm, of_kind, rendered};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use support::cluster::Cluster;
use usersync::api::{crd_files, crds};

/// Values that people set together.
const COMBINATIONS: &[&[&str]] = &[
    &[],
    &["image.digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    &["replicas=2", "storage.accessMode=ReadWriteMany", "storage.storageClassName=shared"],
    &["replicas=3", "storage.existingClaim=reports", "podDisruptionBudget.enabled=false"],
    &["namespaces={people,school}", "directories.existingClaim=inboxes", "rbac.userRoles=false"],
    &["storage.ephemeral=true", "operator.maxConcurrentRuns=3", "operator.instance=east"],
    &[
        "fullnameOverride=sync",
        "serviceAccount.name=syncer",
        "metrics.port=9090",
        "operator.extraArgs={--max-concurrent-runs=1}",
    ],
    &["crds.install=false", "rbac.create=false", "serviceAccount.create=false", "serviceAccount.name=given"],
    &[
        "reports.url=s3://reports/usersync",
        "reports.existingSecret=reports-s3",
        "reports.ttl=90d",
        "storage.ephemeral=true",
    ],
    &["reports.url=s3://reports", "storage.ephemeral=true", "replicas=2"],
    &["imagePullSecrets[0].name=registry", "priorityClassName=system-cluster-critical", "nodeSelector.disk=fast"],
];

#[test]
fn the_chart_is_without_fault() {
    let linted = helm(&["lint", "--strict", &chart()]);
    assert!(linted.success, "{}{}", linted.stdout, linted.stderr);
}

/// `charts/usersync/files/crds/` is a copy: `UPDATE=1 cargo test --test charts`.
#[test]
fn generated_definitions_are_in_the_chart() {
    let folder = Path::new(&chart()).join("files/crds");
    for (name, content) in crd_files().unwrap() {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &content).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == content, "{name} in the chart is not what the code says: UPDATE=1 cargo test --test charts");
    }
    // They pass through Helm's own YAML: nothing in them may change but what says that Helm keeps them.
    let rendered = of_kind(&rendered(&[]), "CustomResourceDefinition");
    assert_eq!(rendered.len(), crds().len());
    for written in crds() {
        let found = rendered.iter().find(|found| found["metadata"]["name"] == json!(written.metadata.name)).unwrap();
        let found: CustomResourceDefinition = serde_json::from_value(found.clone()).unwrap();
        assert!(found.spec == written.spec, "{:?} is changed by the chart", written.metadata.name);
        let annotations = found.metadata.annotations.unwrap();
        assert_eq!(annotations.get("helm.sh/resource-policy").map(String::as_str), Some("keep"));
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart: Value =
        serde_yaml::from_str(&fs::read_to_string(Path::new(&chart()).join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (set, words) in [
        ("replicas=2", "more than one replica needs ReadWriteMany"),
        ("replicas=2,storage.ephemeral=true", "a second replica can't read the first one's reports"),
        ("storage.ephemeral=true,storage.existingClaim=reports", "either ephemeral or an existingClaim"),
        ("reports.existingSecret=s3", "reports.existingSecret is for reports.url"),
        ("reports.url=https://reports", "does not match pattern"),
        ("reports.ttl=90x", "does not match pattern"),
        ("serviceAccount.create=false", "serviceAccount.name must say which one is used"),
        ("replica=2", "'replica' not allowed"),
        ("namespaces={Not A Name}", "does not match pattern"),
        ("image.repository=", "minLength"),
        ("metrics.port=80", "minimum: got 80"),
        ("operator.graceSeconds=1m", "want integer"),
    ] {
        let said = helm(&["template", "usersync", &chart(), "--set", set]);
        assert!(!said.success && said.stderr.contains(words), "{set}: {}{}", said.stdout, said.stderr);
    }
}

/// Each combination is taken by the API server, and its pod by a namespace with Pod Security `restricted`.
#[test]
fn each_combination_is_taken() {
    let cluster = Cluster::shared();
    let namespace = restricted(cluster);
    for other in ["people", "school"] {
        cluster.kubectl(&["create", "namespace", other]);
    }
    // A pod names an account that must be there.
    for account in ["usersync", "sync", "syncer", "given"] {
        cluster.ok(&["create", "serviceaccount", account, "-n", &namespace]);
    }
    for values in COMBINATIONS {
        let rendered = helm::rendered_in(&namespace, values);
        let said =
            cluster.feed(&["apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-"], &rendered);
        assert!(said.success, "{values:?}: {}", said.stderr);
        let pod = pod(&rendered, &namespace);
        let said = cluster.feed(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
        assert!(said.success, "{values:?}: {}", said.stderr);
    }
}

/// The test above would see it: such a namespace refuses a pod that asks for more.
#[test]
fn a_pod_with_more_rights_is_refused() {
    let cluster = Cluster::shared();
    let namespace = restricted(cluster);
    cluster.ok(&["create", "serviceaccount", "usersync", "-n", &namespace]);
    let mut pod = pod(&helm::rendered_in(&namespace, &[]), &namespace);
    pod["spec"]["securityContext"]["runAsNonRoot"] = json!(false);
    let said = cluster.feed(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
    assert!(said.stderr.contains("violates PodSecurity \"restricted:latest\": runAsNonRoot"), "{}", said.stderr);
}

#[test]
fn values_reach_the_operator() {
    let arguments = |values: &[&str]| -> Vec<String> {
        let args = &of_kind(&rendered(values), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"];
        serde_json::from_value(args.clone()).unwrap()
    };
    let plain = arguments(&[]);
    assert_eq!(plain[0], "operator");
    assert!(
        !plain.iter().any(|argument| argument.starts_with("--namespace") || argument.starts_with("--directory-root"))
    );
    let set = arguments(&[
        "namespaces={people,school}",
        "directories.existingClaim=inboxes",
        "operator.instance=east",
        "operator.graceSeconds=5",
        "operator.maxConcurrentRuns=7",
        "reports.url=s3://reports/usersync",
        "reports.ttl=90d",
    ]);
    for expected in [
        "--namespace=people",
        "--namespace=school",
        "--directory-root=/directories",
        "--instance=east",
        "--grace=5s",
        "--max-concurrent-runs=7",
        "--reports=s3://reports/usersync",
        "--report-ttl=90d",
    ] {
        assert!(set.iter().any(|argument| argument == expected), "{expected} is not in {set:?}");
    }
}

#[test]
fn the_environment_comes_from_a_secret() {
    let container = |values: &[&str]| {
        of_kind(&rendered(values), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0].clone()
    };
    assert_eq!(container(&[])["envFrom"], Value::Null);
    let with = container(&["reports.url=s3://reports", "reports.existingSecret=reports-s3"]);
    assert_eq!(with["envFrom"], json!([{"secretRef": {"name": "reports-s3"}}]));
}

/// Whatever the values: the program knows each argument.
#[test]
fn the_operator_takes_what_the_chart_gives() {
    for values in COMBINATIONS {
        let args = &of_kind(&rendered(values), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["args"];
        let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
        // With --help nothing runs; an argument before it that is not known is an error all the same.
        let said = Command::new(env!("CARGO_BIN_EXE_usersync")).args(&args).arg("--help").output().unwrap();
        assert!(said.status.success(), "{args:?}: {}", String::from_utf8_lossy(&said.stderr));
    }
}

/// A kubelet that kills the process before its own grace has passed would cut runs off.
#[test]
fn the_pod_ends_after_the_grace_of_runs() {
    for grace in [0_i64, 60, 600] {
        let rendered = rendered(&[&format!("operator.graceSeconds={grace}")]);
        let pod = of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"].clone();
        assert!(pod["terminationGracePeriodSeconds"].as_i64().unwrap() >= grace + 10, "{pod}");
    }
}

#[test]
fn replicas_are_spread_and_one_stays() {
    let two = rendered(&["replicas=2", "storage.accessMode=ReadWriteMany"]);
    assert_eq!(of_kind(&two, "PodDisruptionBudget")[0]["spec"]["maxUnavailable"], 1);
    let deployment = &of_kind(&two, "Deployment")[0]["spec"];
    assert_eq!(deployment["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    assert_eq!(deployment["template"]["spec"]["topologySpreadConstraints"][0]["maxSkew"], 1);
    let one = rendered(&[]);
    assert!(of_kind(&one, "PodDisruptionBudget").is_empty());
    // A volume of one node: the next pod would wait for ever for it.
    assert_eq!(of_kind(&one, "Deployment")[0]["spec"]["strategy"]["type"], "Recreate");
}

#[test]
fn prometheus_is_told_where() {
    assert!(of_kind(&rendered(&[]), "ServiceMonitor").is_empty());
    let rendered =
        rendered(&["metrics.serviceMonitor.enabled=true", "metrics.serviceMonitor.labels.release=prometheus"]);
    let (monitor, service) = (&of_kind(&rendered, "ServiceMonitor")[0], &of_kind(&rendered, "Service")[0]);
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let labels = |value: &Value| serde_json::from_value::<BTreeMap<String, String>>(value.clone()).unwrap();
    let has = labels(&service["metadata"]["labels"]);
    assert!(
        labels(&monitor["spec"]["selector"]["matchLabels"]).iter().all(|(name, value)| has.get(name) == Some(value))
    );
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
}

/// A new namespace that takes pods with no more rights than Pod Security's `restricted` allows.
fn restricted(cluster: &Cluster) -> String {
    let namespace = cluster.create_namespace("restricted");
    cluster.ok(&["label", "namespace", &namespace, "pod-security.kubernetes.io/enforce=restricted"]);
    namespace
}

/// The pod that the Deployment would make.
fn pod(rendered: &str, namespace: &str) -> Value {
    let template = documents(rendered).into_iter().find(|document| document["kind"] == "Deployment").unwrap();
    let spec = template["spec"]["template"]["spec"].clone();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "usersync", "namespace": namespace}, "spec": spec})
}
