//! The operator in a cluster of its own, installed as `docs/operator.md` says.

use std::{
    fs::{self, File},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::{
    LIMIT,
    people::Run,
    support::{
        charts::rendered_in,
        cluster::{Cluster, Said},
    },
};

/// Where the manifests put it.
pub const NAMESPACE: &str = "usersync-system";
/// Whom its image and the manifests make it.
const NOBODY: u32 = 65532;

pub struct Installed {
    pub cluster: Cluster,
    binary: PathBuf,
}

/// What a pod logs, also when it is gone.
pub struct Log {
    file: PathBuf,
    following: Child,
}

impl Installed {
    /// A cluster with a node that has the image.
    pub fn start() -> Self {
        let binary = static_program();
        let cluster = Cluster::builder().node().audit_log().start();
        // What the Dockerfile puts into the image, but for the public authorities: the tests' servers have their own.
        let names = cluster.folder().join("nsswitch.conf");
        fs::write(&names, "hosts: files dns\n").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let files: &[(&Path, &str)] = &[(&binary, "/usersync"), (&names, "/etc/nsswitch.conf")];
        cluster.load_image(&format!("localhost/usersync:{version}"), "/usersync", files);
        Self { cluster, binary }
    }

    /// Applies definitions and manifests. Of its own a person brings the image's name, the number of replicas, a volume for
    /// them, and what `deployment` says: which servers have names that no name server knows.
    pub fn apply(&self, deployment: &Value) {
        let definitions = Command::new(&self.binary).arg("crds").output().unwrap();
        self.cluster.apply(&String::from_utf8(definitions.stdout).unwrap());

        let overlay = self.cluster.folder().join("overlay");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/manifests/cluster");
        fs::create_dir_all(overlay.join("base")).unwrap();
        for file in fs::read_dir(shipped).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), overlay.join("base").join(file.file_name())).unwrap();
        }
        let access = json!([{"op": "replace", "path": "/spec/accessModes", "value": ["ReadWriteMany"]}]);
        let strategy = json!([
            {"op": "replace", "path": "/spec/strategy",
             "value": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}},
        ]);
        let kustomization = json!({
            "resources": ["base"],
            "images": [{"name": "usersync", "newName": "localhost/usersync"}],
            "replicas": [{"name": "usersync", "count": 2}],
            "patches": [
                {"target": {"kind": "PersistentVolumeClaim", "name": "usersync"}, "patch": access.to_string()},
                {"target": {"kind": "Deployment", "name": "usersync"}, "patch": strategy.to_string()},
                {"target": {"kind": "Deployment", "name": "usersync"}, "patch": deployment.to_string()},
            ],
        });
        fs::write(overlay.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        fs::create_dir(self.state()).unwrap();
        chown(self.state(), Some(NOBODY), Some(NOBODY)).unwrap();
        self.cluster.apply(
            &json!({
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "usersync"},
                "spec": {
                    "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteMany"],
                    "claimRef": {"namespace": NAMESPACE, "name": "usersync"},
                    "hostPath": {"path": self.state(), "type": "Directory"},
                },
            })
            .to_string(),
        );
        self.cluster.ok(&["apply", "--server-side", "-k", overlay.to_str().unwrap()]);
    }

    /// Installs the chart with these values, and what `deployment` says besides: which servers have names that no name server knows.
    pub fn install_chart(&self, values: &[&str], deployment: &Value) {
        let image = ["image.repository=localhost/usersync", "image.pullPolicy=Never"];
        let rendered = rendered_in(NAMESPACE, &[&image, values].concat());
        let mut documents: Vec<Value> = serde_yaml::Deserializer::from_str(&rendered)
            .map(|document| Value::deserialize(document).unwrap())
            .filter(|document| !document.is_null())
            .collect();
        for document in documents.iter_mut().filter(|document| document["kind"] == "Deployment") {
            let patch =
                ["patch", "--local", "--type=strategic", "-o", "json", "-f", "-", "-p", &deployment.to_string()];
            let said = self.cluster.feed(&patch, &document.to_string());
            *document = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.stderr));
        }
        let documents: Vec<String> = documents.iter().map(Value::to_string).collect();
        self.cluster.apply(&documents.join("\n---\n"));
    }

    /// What the program in a pod says, as `docs/reports.md` has it.
    pub fn inside(&self, arguments: &[&str]) -> Said {
        self.inside_of("deploy/usersync", arguments)
    }

    /// The same in a certain pod.
    pub fn inside_of(&self, pod: &str, arguments: &[&str]) -> Said {
        self.cluster.kubectl(&[&["exec", "-n", NAMESPACE, pod, "--", "/usersync"], arguments].concat())
    }

    /// The volume that both pods mount.
    fn state(&self) -> PathBuf {
        self.cluster.folder().join("state")
    }

    /// Runs `kubectl` in the operator's namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.ok(&[&["-n", NAMESPACE], arguments].concat())
    }

    /// The pods' names, once there are two and no other, both ready.
    pub fn two_ready_pods(&self) -> Vec<String> {
        let find = || {
            let pods = self.cluster.list(&["pods", "-n", NAMESPACE]);
            let ready = pods.iter().filter(|pod| {
                let mut conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
                conditions.any(|said| said["type"] == "Ready" && said["status"] == "True")
                    && pod["metadata"]["deletionTimestamp"].is_null()
            });
            let names: Vec<_> = ready.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
            (pods.len() == 2 && names.len() == 2).then_some(names)
        };
        self.cluster.wait_some(find, LIMIT, "two ready pods")
    }

    /// The pod that holds the Lease; empty if none does.
    pub fn leader(&self) -> String {
        let lease = self.cluster.get(&["lease", "usersync", "-n", NAMESPACE]).unwrap();
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        holder.rsplit_once('_').map(|(pod, _)| pod.to_owned()).unwrap_or_default()
    }

    /// The pod that leads once that one doesn't.
    pub fn leader_but(&self, before: &str) -> String {
        let find = || Some(self.leader()).filter(|leader| !leader.is_empty() && leader != before);
        self.cluster.wait_some(find, LIMIT, "another pod leads")
    }

    /// Keeps what a pod logs from its start on.
    pub fn follow_log(&self, pod: &str) -> Log {
        let file = self.cluster.folder().join(format!("{pod}.log"));
        let output = File::create(&file).unwrap();
        let mut kubectl = self.cluster.command();
        kubectl.args(["-n", NAMESPACE, "logs", "--follow", pod]).stdout(output).stderr(Stdio::null());
        Log { following: kubectl.spawn().unwrap(), file }
    }

    /// The reports of these runs are where their status says, and no other.
    pub fn published(&self, runs: &[&Run]) {
        let mut expected: Vec<_> = runs.iter().map(|run| run.name.clone()).collect();
        expected.sort();
        let folder = self.state().join("reports/people/hr");
        let mut found: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|run| run.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        assert_eq!(found, expected);
        for run in runs {
            let path = run.status["reports"]["html"].as_str().unwrap_or_else(|| panic!("no report: {}", run.status));
            let page = fs::read_to_string(self.state().join(path.strip_prefix("/var/lib/usersync/").unwrap())).unwrap();
            // Nobody reaches the volume but the pods: they print it.
            let said = self.inside(&["report", &run.name, "--namespace", "people", "-o", "html"]);
            assert!(said.success && said.stdout == page, "{path}: {}", said.stderr);
            let said = self.inside(&["report", &run.name, "--namespace", "people", "--changes"]);
            assert!(said.stdout.starts_with("action,userId,line,property,old,new\n"), "{said:?}");
        }
    }

    /// The rights as shipped are enough, and what the pods may do as well: nothing was refused, no pod had to be restarted.
    pub fn did_nothing_forbidden(&self) {
        let account = format!("system:serviceaccount:{NAMESPACE}:usersync");
        let asked: Vec<_> = self.cluster.audit().into_iter().filter(|event| event.user == account).collect();
        assert!(!asked.is_empty());
        let refused: Vec<_> = asked.iter().filter(|event| [401, 403].contains(&event.code)).collect();
        assert!(refused.is_empty(), "{refused:?}");
        for pod in self.cluster.list(&["pods", "-n", NAMESPACE]) {
            let name = pod["metadata"]["name"].as_str().unwrap();
            assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0, "{name}");
            let log = self.kubectl(&["logs", name]);
            assert!(!log.to_lowercase().contains("forbidden"), "{log}");
            assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "not JSON: {log}");
        }
    }
}

impl Log {
    pub fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _ = self.following.kill();
        let _ = self.following.wait();
    }
}

/// The program as the image has it, built from what this test was built from.
fn static_program() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/static");
    let folder = Path::new(env!("CARGO_BIN_EXE_usersync")).parent().unwrap();
    let profile = folder.file_name().unwrap().to_str().unwrap().replace("debug", "dev");
    let output = Command::new(script)
        .arg(profile)
        .env("CARGO_TARGET_DIR", folder.parent().unwrap())
        .stderr(Stdio::inherit())
        .output()
        .expect(script);
    assert!(output.status.success(), ".ci/static failed; what it said is above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}
