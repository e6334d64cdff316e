//! Reports in a bucket, by the chart: pods without a volume, with credentials from a Secret.

use std::{collections::BTreeMap, fs, process::Command};

use crate::{
    LIMIT, ONE_NODE,
    gateway::{Gateway, SECRET},
    installed::{Installed, NAMESPACE},
    people::People,
};

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_a_volume_keep_reports_in_a_bucket() {
    let _alone = ONE_NODE.lock().await;
    let gateway = Gateway::start();
    gateway.make("reports");
    let installed = Installed::start();
    let port = gateway.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let relay = installed.cluster.offer(port);
    let people = People::start(&installed.cluster);
    let deployment = people.servers();
    let mut variables = gateway.environment();
    variables.insert("AWS_ENDPOINT_URL".to_owned(), format!("http://{}", relay.address));
    secret(&installed, &variables);
    installed.install_chart(
        &[
            "replicas=2",
            "storage.ephemeral=true",
            "reports.url=s3://reports/usersync",
            "reports.existingSecret=reports-s3",
            "reports.ttl=90d",
        ],
        &deployment,
    );
    let pods = installed.two_ready_pods();
    people.apply_sync();

    people.upload_text("userdata_1.csv", "employee_id;Mail;Department\nE1;e1@example.com;IT\nE2;nowhere;IT\n");
    let run = people.update_now("first");
    let ended = people.ended(&run, LIMIT);
    assert_eq!((ended.added(), ended.status["counts"]["rejected"].as_u64()), (1, Some(1)));
    let key = |file: &str| format!("usersync/people/hr/{run}/{file}");
    for (field, file) in [("report", "report.json"), ("html", "report.html"), ("rejects", "userdata_1_rejects.csv")] {
        assert_eq!(ended.status["reports"][field], format!("s3://reports/{}", key(file)));
    }
    let kept = |file: &str| String::from_utf8(gateway.read("reports", &key(file))).unwrap();

    // Any pod prints it, also one that has not seen the run, and who has the credentials does so from outside.
    let report = ["report", &run, "--namespace", "people"];
    let pages = [(&["-o", "html"][..], "report.html"), (&["--rejects"], "userdata_1_rejects.csv")];
    for (arguments, file) in pages {
        for pod in &pods {
            let said = installed.inside_of(pod, &[&report, arguments].concat());
            assert!(said.stdout == kept(file), "{pod}: {}", said.stderr);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_usersync"));
        command.env("KUBECONFIG", installed.cluster.kubeconfig()).envs(gateway.environment());
        let printed = command.args(report).args(arguments).output().unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), kept(file));
    }
    for pod in &pods {
        let log = installed.kubectl(&["logs", pod]);
        assert!(!log.contains(SECRET), "{log}");
    }
    installed.did_nothing_forbidden();
}

/// What `docs/operator.md` says: a line for each variable.
fn secret(installed: &Installed, variables: &BTreeMap<String, String>) {
    let file = installed.cluster.folder().join("reports.env");
    let lines: String = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(&file, lines).unwrap();
    let from = format!("--from-env-file={}", file.display());
    installed.cluster.ok(&["create", "secret", "generic", "reports-s3", "--namespace", NAMESPACE, &from]);
}
