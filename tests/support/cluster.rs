//! A real Kubernetes API server with its etcd, on loopback with keys of its own, ended with the test.

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

/// A control plane with clean state. Dropping it ends it; so does the end of the test process, however that comes.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    flags: String,
    supervisor: Mutex<Supervisor>,
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
    controllers: bool,
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

    /// The API server dies at once; connections break. Its state stays.
    pub fn stop_api(&self) {
        self.order("stop api");
    }

    /// The API server again, at the same address with the same state; ready when this returns.
    pub fn start_api(&self) {
        self.order(&format!("api {} {}", self.port, self.flags));
        assert!(self.is_ready(), "no API server: {}", self.log("api"));
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

    /// What a program wrote to its log: `api`, `etcd`, `controller-manager`.
    pub fn log(&self, program: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{program}.log"))).unwrap_or_default()
    }

    fn order(&self, order: &str) {
        let answer = self.supervisor.lock().unwrap().ask(order);
        assert_eq!(answer, "ok", "{order}");
    }

    /// Waits until the API server says that it is ready. False: it ended.
    fn is_ready(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            if listens && self.kubectl(&["get", "--raw", "/readyz"]).stdout == "ok" {
                return true;
            }
            for program in ["etcd", "api"] {
                if self.supervisor.lock().unwrap().ask(&format!("ended {program}")) == "ok" {
                    return false;
                }
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

    /// With Kubernetes' own controllers, as for garbage collection and the end of namespaces. (The build of the node has them.)
    pub fn controllers(mut self) -> Self {
        self.controllers = true;
        self
    }

    pub fn start(self) -> Cluster {
        let programs = build(self.controllers);
        // A port that was free may be taken by somebody else a moment later.
        for _ in 0..10 {
            let cluster = self.launch(programs.clone());
            if cluster.is_ready() {
                if self.controllers {
                    cluster.order("controller-manager");
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
        let [port, etcd, peer] = free_ports();
        let supervisor = Mutex::new(Supervisor::start(&folder, &programs));
        let cluster = Cluster { folder, programs, port, flags, supervisor, count: AtomicU32::new(0) };
        cluster.order(&format!("etcd {etcd} {peer}"));
        cluster.order(&format!("api {port} {}", cluster.flags));
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
    fn start(folder: &Path, programs: &Path) -> Self {
        let mut command = Command::new(scripts().join("serve"));
        command.arg(folder).arg(programs).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own: an interrupt from the terminal must not end it before its work is done.
        let mut process = command.process_group(0).spawn().unwrap();
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut supervisor = Self { process, orders, answers };
        assert_eq!(supervisor.answer(), "ok", "tests/cluster/serve makes no keys");
        supervisor
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
