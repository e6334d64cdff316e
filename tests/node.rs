//! The tests' own Kubernetes with a node: pods run from images made here, and reach the API server and the test's servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    time::Duration,
};

use support::cluster::Cluster;

#[test]
fn a_pod_runs_to_completion() {
    let cluster = Cluster::builder().node().start();
    let namespace = cluster.create_namespace("node");
    let kubectl = cluster.programs().join("kubectl");
    cluster.load_image("localhost/kubectl:1", "/kubectl", &[(&kubectl, "/kubectl")]);
    let pod = |name: &str, arguments: &str| {
        cluster.apply(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{restartPolicy: Never,
            containers: [{{name: c, image: 'localhost/kubectl:1', imagePullPolicy: Never, args: {arguments}}}]}}}}"
        ));
        let phase = || {
            let found = cluster.get(&["pod", name, "-n", &namespace]).unwrap();
            found["status"]["phase"].as_str().filter(|phase| ["Succeeded", "Failed"].contains(phase)).map(str::to_owned)
        };
        let phase = cluster.wait_some(phase, Duration::from_secs(120), name);
        (phase, cluster.ok(&["logs", name, "-n", &namespace]))
    };
    cluster.wait_for(
        || cluster.get(&["serviceaccount", "default", "-n", &namespace]).is_some(),
        Duration::from_secs(60),
        "the namespace's service account",
    );

    // As a service account, with what RBAC gives it.
    let (phase, log) = pod("denied", "[get, configmaps]");
    assert_eq!(phase, "Failed", "{log}");
    assert!(log.contains(&format!("system:serviceaccount:{namespace}:default")) && log.contains("forbidden"), "{log}");
    let account = format!("{namespace}:default");
    cluster.ok(&[
        "create",
        "rolebinding",
        "view",
        "--clusterrole=view",
        "--serviceaccount",
        &account,
        "-n",
        &namespace,
    ]);
    let (phase, log) = pod("allowed", "[get, configmaps, -o, name]");
    assert_eq!((phase.as_str(), log.trim()), ("Succeeded", "configmap/kube-root-ca.crt"));

    // A server of the test.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = cluster.offer(server.local_addr().unwrap().port());
    let answer = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut request = [0; 1024];
        let length = client.read(&mut request).unwrap();
        client.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        String::from_utf8(request[..length].to_vec()).unwrap()
    });
    let (phase, _) = pod("guest", &format!("[get, --raw, /hello, --server, 'http://{}']", relay.address));
    assert_eq!(phase, "Failed");
    assert!(answer.join().unwrap().starts_with("GET /hello HTTP/1.1"));
}
