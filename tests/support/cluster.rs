//! A real Kubernetes API server with its etcd, on loopback with keys of its own, ended with the test; with a node if it's wanted.
//!
//! ```ignore
//! let cluster = Cluster::shared();                                  // one for all tests of the binary
//! cluster.install_crds();
//! let namespace = cluster.create_namespace("mine");
//!
//! let cluster = Cluster::builder().audit_log().start();             // of one's own: to stop it, or to read its log
//! let cluster = Cluster::builder().node().start();                  // runs pods; needs root
//! cluster.load_image("localhost/usersync:1", "/usersync", &[(&binary, "/usersync")]);
//! let sshd = cluster.offer(sshd.port);                              // a server of the test, as pods reach it
//! ```

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::relay::Relay;

/// A control plane with clean state. Dropping it ends it; so does the end of the test process, however that comes.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    flags: String,
    supervisor: Mutex<Supervisor>,
    /// Carries the test's connections to a cluster that has a network of its own.
    inward: Option<Relay>,
    count: AtomicU32,
}

/// `tests/cluster/serve`: does what it is told, and ends everything when its input ends.
struct Supervisor {
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// What a cluster has besides.
#[derive(Default)]
pub struct Builder {
    audited: bool,
    node: bool,
}

/// What `kubectl` said.
#[derive(Debug)]
pub struct Said {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Cluster {
    /// The cluster that all tests of a binary share: each uses a namespace of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A cluster of one's own, for tests that stop it.
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// A folder that goes with the cluster.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the API server listens: `127.0.0.1:PORT`, with TLS by the authority in [`Cluster::authority`].
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate, in PEM, that vouches for the API server.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("keys/cluster.crt")
    }

    /// A command `kubectl` that speaks to this cluster, as the administrator.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.programs.join("kubectl"));
        command.env("KUBECONFIG", self.kubeconfig()).env("KUBECACHEDIR", self.folder.join("cache"));
        command.env("HOME", &self.folder).stdin(Stdio::null());
        command
    }

    /// Runs `kubectl`, whatever it says.
    pub fn kubectl(&self, arguments: &[&str]) -> Said {
        Said::from(self.command().args(arguments).output().unwrap())
    }

    /// Runs `kubectl`, which must succeed: what it printed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.kubectl(arguments);
        assert!(said.success, "kubectl {arguments:?}: {}", said.stderr);
        said.stdout
    }

    /// An object as it is (`["usync", "hr", "-n", "people"]`); None if there is none.
    pub fn get(&self, arguments: &[&str]) -> Option<Value> {
        let found = self.ok(&[&["get", "-o", "json", "--ignore-not-found"], arguments].concat());
        (!found.trim().is_empty()).then(|| serde_json::from_str(&found).unwrap())
    }

    /// All objects of a kind (`["pods", "-n", "people"]`); none if there is none yet.
    pub fn list(&self, arguments: &[&str]) -> Vec<Value> {
        let found = self.ok(&[&["get", "-o", "json"], arguments].concat());
        serde_json::from_str::<Value>(&found).unwrap()["items"].as_array().unwrap().clone()
    }

    /// Runs `kubectl` with this text as its input.
    pub fn feed(&self, arguments: &[&str], text: &str) -> Said {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may stop reading before the end, and says why.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        Said::from(child.wait_with_output().unwrap())
    }

    /// Applies manifests (server side, as GitOps tools do), which must be accepted.
    pub fn apply(&self, yaml: &str) {
        let said = self.feed(&["apply", "--server-side", "-f", "-"], yaml);
        assert!(said.success, "{}\n{yaml}", said.stderr);
    }

    /// Installs the definitions in `crds/`, once.
    pub fn install_crds(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        self.ok(&["apply", "--server-side", "-f", folder.to_str().unwrap()]);
        self.ok(&["wait", "--for=condition=Established", "--timeout=60s", "-f", folder.to_str().unwrap()]);
    }

    /// A new namespace. (Deleting it would take a controller manager to end.)
    pub fn create_namespace(&self, prefix: &str) -> String {
        let name = format!("{prefix}-{}", self.count.fetch_add(1, Ordering::Relaxed));
        self.ok(&["create", "namespace", &name]);
        name
    }

    /// A kubeconfig with a token for a service account that is there already: its rights are what RBAC gives it.
    pub fn token_kubeconfig(&self, namespace: &str, service_account: &str) -> PathBuf {
        let token = self.ok(&["create", "token", service_account, "-n", namespace, "--duration=24h"]);
        let (server, authority) = (self.address(), self.authority());
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster":
                {"server": format!("https://{server}"), "certificate-authority": authority}}],
            "contexts": [{"name": "tests", "context":
                {"cluster": "tests", "user": service_account, "namespace": namespace}}],
            "users": [{"name": service_account, "user": {"token": token.trim()}}],
        });
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{namespace}.{service_account}.{count}.kubeconfig"));
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// A client of the administrator.
    pub async fn client(&self) -> kube::Client {
        client(&self.kubeconfig()).await
    }

    /// Makes an image of these files (where each is, and its path in the image) and gives it to the node. Pods name it with
    /// `imagePullPolicy: Never`.
    pub fn load_image(&self, name: &str, entrypoint: &str, files: &[(&Path, &str)]) {
        let archive = self.folder.join(format!("image-{}.tar", self.count.fetch_add(1, Ordering::Relaxed)));
        let mut make = Command::new(scripts().join("image"));
        make.arg(&archive).args([name, entrypoint]);
        make.args(files.iter().map(|(file, path)| format!("{}={path}", file.display())));
        let made = make.output().unwrap();
        assert!(made.status.success(), "{name}: {}", String::from_utf8_lossy(&made.stderr));
        self.order(&format!("image {}", archive.display()));
        fs::remove_file(archive).unwrap();
    }

    /// Offers a server of the test's loopback to pods: the address and port at which they find it, while the relay is kept.
    pub fn offer(&self, port: u16) -> Relay {
        Relay::outward(self.supervisor.lock().unwrap().inside(), port)
    }

    /// The folder of Kubernetes' programs, which are static.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The API server dies at once; connections break. Its state stays.
    pub fn stop_api(&self) {
        self.order("stop api");
    }

    /// The API server again, at the same address with the same state; ready when this returns.
    pub fn start_api(&self) {
        // Meanwhile a connection of somebody else may have got the port, and gives it back.
        for _ in 0..60 {
            let said = self.log("api").len();
            self.order(&format!("api {} {}", self.api_port(), self.flags));
            if self.is_ready() {
                return;
            }
            let log = self.log("api");
            assert!(log[said..].contains("address already in use"), "no API server: {log}");
            thread::sleep(Duration::from_secs(1));
        }
        panic!("no API server: its port stays taken");
    }

    /// The audit log so far, oldest first: each request once, when its answer began. The cluster must be audited.
    pub fn audit(&self) -> Vec<super::audit::AuditEvent> {
        super::audit::read(&self.folder.join("audit.log"))
    }

    /// Waits until the condition holds; fails with `what` after `limit`.
    pub fn wait_for(&self, mut condition: impl FnMut() -> bool, limit: Duration, what: &str) {
        self.wait_some(|| condition().then_some(()), limit, what);
    }

    /// Waits until there is something, and gives it; fails with `what` after `limit`.
    pub fn wait_some<T>(&self, mut find: impl FnMut() -> Option<T>, limit: Duration, what: &str) -> T {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = find() {
                return found;
            }
            assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a program wrote to its log: `api`, `etcd`, `controller-manager`, `scheduler`, `containerd`, `kubelet`.
    pub fn log(&self, program: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{program}.log"))).unwrap_or_default()
    }

    /// Where the API server listens in its own network.
    fn api_port(&self) -> u16 {
        if self.inward.is_some() { 6443 } else { self.port }
    }

    fn order(&self, order: &str) {
        let answer = self.supervisor.lock().unwrap().ask(order);
        assert_eq!(answer, "ok", "{order}");
    }

    fn start_node(&self) {
        self.order("scheduler");
        self.order("node");
        let ready = r#"-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
        self.wait_for(
            || self.kubectl(&["get", "node", "localhost", ready]).stdout == "True",
            Duration::from_secs(120),
            "the node is ready",
        );
    }

    /// Waits until the API server says that it is ready. False: it ended.
    fn is_ready(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            let ready = listens && self.kubectl(&["get", "--raw", "/readyz"]).stdout == "ok";
            // First: without an etcd of its own it may have found that of somebody else, who took the port.
            let ended = |program| self.supervisor.lock().unwrap().ask(&format!("ended {program}")) == "ok";
            if ["etcd", "api"].into_iter().any(ended) {
                return false;
            }
            if ready {
                return true;
            }
            assert!(Instant::now() < deadline, "the API server does not get ready: {}", self.log("api"));
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Builder {
    /// Writes down every request: [`Cluster::audit`].
    pub fn audit_log(mut self) -> Self {
        self.audited = true;
        self
    }

    /// With a node, in namespaces of its own: pods run. Needs root.
    pub fn node(mut self) -> Self {
        self.node = true;
        self
    }

    pub fn start(self) -> Cluster {
        assert!(
            !self.node || super::sshd::is_root(),
            "a node needs namespaces of its own: run this test as root (`sudo tests/run`)"
        );
        let programs = build(self.node);
        // A port that was free may be taken by somebody else a moment later.
        for _ in 0..10 {
            let cluster = self.launch(programs.clone());
            if cluster.is_ready() {
                if self.node {
                    cluster.order("controller-manager");
                    cluster.start_node();
                }
                return cluster;
            }
            let (etcd, api) = (cluster.log("etcd"), cluster.log("api"));
            assert!((etcd + &api).contains("address already in use"), "no Kubernetes: {}", cluster.log("api"));
        }
        panic!("Kubernetes did not start on ten free ports");
    }

    fn launch(&self, programs: PathBuf) -> Cluster {
        let folder = tempfile::Builder::new().prefix("usersync-k8s").tempdir_in("/tmp").unwrap().keep();
        let mut flags = String::new();
        if self.audited {
            fs::write(folder.join("audit.yaml"), super::audit::POLICY).unwrap();
            let folder = folder.display();
            flags = format!("--audit-policy-file={folder}/audit.yaml --audit-log-path={folder}/audit.log");
        }
        let mut supervisor = Supervisor::start(&folder, &programs, self.node);
        let (ports, inward) = if self.node {
            assert_eq!(supervisor.ask("machine"), "ok");
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let relay = Relay::inward(listener, supervisor.inside(), 6443);
            ([relay.address.port(), 2379, 2380], Some(relay))
        } else {
            (free_ports(), None)
        };
        let ([port, etcd, peer], supervisor) = (ports, Mutex::new(supervisor));
        let cluster = Cluster { folder, programs, port, flags, supervisor, inward, count: AtomicU32::new(0) };
        cluster.order(&format!("etcd {etcd} {peer}"));
        cluster.order(&format!("api {} {}", cluster.api_port(), cluster.flags));
        cluster.order(&format!("kubeconfig admin {port}"));
        cluster
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log("api");
            let last: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("the API server's last words, latest first:\n{}", last.join("\n"));
        }
        let mut supervisor = self.supervisor.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        drop(supervisor.orders.take());
        let _ = supervisor.process.wait();
    }
}

impl Supervisor {
    fn start(folder: &Path, programs: &Path, own_machine: bool) -> Self {
        let serve = scripts().join("serve");
        let mut command = if own_machine {
            let mut command = Command::new("unshare");
            command.args(["--net", "--mount", "--cgroup", "--pid", "--fork", "--kill-child=TERM", "--mount-proc"]);
            command.arg(serve);
            command
        } else {
            Command::new(serve)
        };
        command.arg(folder).arg(programs).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own: an interrupt from the terminal must not end it before its work is done.
        let mut process = command.process_group(0).spawn().unwrap();
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut supervisor = Self { process, orders, answers };
        assert_eq!(supervisor.answer(), "ok", "tests/cluster/serve makes no keys");
        supervisor
    }

    /// A process in the namespaces of a cluster with a node.
    fn inside(&self) -> u32 {
        let unshare = self.process.id();
        let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
        children.trim().parse().expect("the cluster has a node")
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.orders.as_mut().unwrap(), "{order}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { success: output.status.success(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

/// A client with what a kubeconfig allows.
pub async fn client(kubeconfig: &Path) -> kube::Client {
    // Fails where it was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster")
}

/// The folder of the programs, which are built if they aren't there.
pub fn build(node: bool) -> PathBuf {
    let output = Command::new(scripts().join("build"))
        .args(node.then_some("node"))
        .stderr(Stdio::inherit())
        .output()
        .expect("tests/cluster/build");
    assert!(output.status.success(), "tests/cluster/build failed; what it said is above");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All at once, so that they differ.
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
