//! OpenSSH's own server, on a free port of loopback.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use tempfile::TempDir;
use usersync::{
    api::Algorithms,
    model::{
        job::{SftpJob, SourceTimeouts},
        secret::Secret,
    },
};

const SSHD: &str = "/usr/sbin/sshd";

/// A running server; ends with its drop, also when the test fails.
pub struct Sshd {
    pub port: u16,
    process: Child,
    folder: TempDir,
}

impl Sshd {
    /// Starts a server that lets in whom [`Sshd::authorize`] names, by key; `config` may say more, and wins.
    pub fn start(config: &str) -> Self {
        assert!(Path::new(SSHD).exists(), "{SSHD} is missing: install it with `apt-get install openssh-server`");
        // Where the server looks for it; Debian makes it when the service starts.
        if is_root() && !Path::new("/run/sshd").exists() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        // A server's process of another user must get through.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(path.join("authorized")).unwrap();
        fs::create_dir(path.join("outbox")).unwrap();
        for kind in ["ed25519", "ecdsa"] {
            keygen(&["-t", kind, "-N", "", "-f", path.join(format!("host_{kind}")).to_str().unwrap()]);
        }
        // A port that was free may be taken by another test a moment later.
        for _ in 0..10 {
            let port = free_port();
            fs::write(path.join("config"), configuration(path, port, config)).unwrap();
            if let Some(process) = spawn(path) {
                return Self { port, process, folder };
            }
        }
        panic!("sshd did not start on ten free ports; its last words: {}", log(path));
    }

    /// The folder that is served as the source.
    pub fn outbox(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    /// A path beside it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The server's public key: `ssh-ed25519 AAAA…`.
    pub fn host_key(&self, kind: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("host_{kind}.pub"))).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Makes a key pair with `ssh-keygen` (`-t rsa -m PEM …`), lets its owner in, and gives the private key's text.
    pub fn new_key(&self, user: &str, options: &[&str], passphrase: &str) -> Secret {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file = self.path(&format!("key_{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let file = file.to_str().unwrap();
        keygen(&[options, &["-N", passphrase, "-C", "test", "-f", file]].concat());
        self.authorize(user, &fs::read_to_string(format!("{file}.pub")).unwrap());
        Secret::new(fs::read_to_string(file).unwrap())
    }

    /// Lets the owner of a public key in.
    pub fn authorize(&self, user: &str, public_key: &str) {
        let file = self.path("authorized").join(user);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{}", public_key.trim()).unwrap();
    }

    /// A job for the outbox, without anything to log in with.
    pub fn job(&self, user: &str) -> SftpJob {
        SftpJob {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: self.outbox().to_str().unwrap().to_owned(),
            username: user.to_owned(),
            password: None,
            private_key: None,
            passphrase: None,
            host_keys: vec![self.host_key("ed25519")],
            algorithms: Algorithms::Modern,
            timeouts: SourceTimeouts {
                connect: Duration::from_secs(15),
                login: Duration::from_secs(300),
                first_byte: Duration::from_secs(300),
                stall: Duration::from_secs(300),
            },
        }
    }

    /// A job for the outbox with a key of whoever runs the test.
    pub fn job_with_key(&self) -> SftpJob {
        let user = current_user();
        SftpJob { private_key: Some(self.new_key(&user, &["-t", "ed25519"], "")), ..self.job(&user) }
    }

    /// Ends every login, and serves on: what an idle limit does.
    pub fn end_logins(&mut self) {
        let mut family = children(self.process.id());
        kill_all(&mut family);
        let deadline = std::time::Instant::now() + Duration::from_secs(120);
        while !children(self.process.id()).is_empty() {
            assert!(std::time::Instant::now() < deadline, "the logins end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How often somebody has logged in.
    pub fn logins(&self) -> usize {
        log(self.folder.path()).lines().filter(|line| line.starts_with("Accepted ") && line.contains(" for ")).count()
    }

    /// Connections that it ended because nobody answered there.
    pub fn gave_up(&self) -> usize {
        log(self.folder.path()).lines().filter(|line| line.contains("client not responding")).count()
    }

    /// Passwords that were refused, by whichever way they came.
    pub fn wrong_passwords(&self) -> usize {
        let failed = ["Failed password for ", "Failed keyboard-interactive"];
        log(self.folder.path()).lines().filter(|line| failed.iter().any(|failed| line.starts_with(failed))).count()
    }

    /// Connections that it serves just now.
    pub fn sessions(&self) -> usize {
        children(self.process.id()).len()
    }

    /// Ends the server and everything it serves at once, as a crash would.
    pub fn kill(&mut self) {
        let mut family = vec![self.process.id()];
        kill_all(&mut family);
        let _ = self.process.wait();
    }
}

/// Ends these processes and all that they started.
fn kill_all(family: &mut Vec<u32>) {
    let mut next = 0;
    while next < family.len() {
        family.extend(children(family[next]));
        next += 1;
    }
    for process in family {
        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", log(self.folder.path()));
        }
    }
}

fn configuration(path: &Path, port: u16, more: &str) -> String {
    let path = path.display();
    // The one option of these of which the last line counts, not the first.
    let startups = if more.contains("MaxStartups") { "" } else { "MaxStartups 100\n" };
    format!(
        "{more}\nListenAddress 127.0.0.1\nPort {port}\nHostKey {path}/host_ed25519\nHostKey {path}/host_ecdsa\nPidFile none\n\
         AuthorizedKeysFile {path}/authorized/%u\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n{startups}LogLevel VERBOSE\n\
         Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
}

/// Starts the server and waits until it listens. None: it ended, as when the port is taken.
fn spawn(path: &Path) -> Option<Child> {
    let config = path.join("config");
    // Newer servers lock out who fails to log in, as tests do on purpose; older ones don't know the option.
    let mut test = Command::new(SSHD);
    test.args(["-t", "-o", "PerSourcePenalties=no", "-f"]).arg(&config).stderr(Stdio::null());
    let penalties: &[&str] = if test.status().unwrap().success() { &["-o", "PerSourcePenalties=no"] } else { &[] };
    // Killed with the test's thread, should the test itself be killed.
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", SSHD, "-D", "-e"])
        .args(penalties)
        .arg("-f")
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(process.stderr.take().unwrap());
    let mut log = fs::File::create(path.join("log")).unwrap();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = writeln!(log, "{line}");
            if line.contains("Server listening on") {
                let _ = ready.send(());
            }
        }
    });
    if is_ready.recv_timeout(Duration::from_secs(120)).is_ok() {
        return Some(process);
    }
    let _ = process.kill();
    let _ = process.wait();
    None
}

fn log(path: &Path) -> String {
    fs::read_to_string(path.join("log")).unwrap_or_default()
}

/// Runs `ssh-keygen`.
pub fn keygen(arguments: &[&str]) {
    let made = Command::new("ssh-keygen").arg("-q").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "ssh-keygen {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// The processes that a process started.
fn children(process: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Who runs the test.
pub fn current_user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// An account of this machine with a password, made for one test and removed with its drop. Passwords can't be tried
/// without one.
pub struct Account {
    pub name: String,
    pub password: String,
}

/// One at a time: the tools lock the list of accounts.
static ACCOUNTS: Mutex<u32> = Mutex::new(0);

impl Account {
    pub fn new() -> Self {
        assert!(is_root(), "this test makes a temporary account: run it as root (`sudo tests/run`)");
        let mut count = ACCOUNTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *count == 0 {
            sweep();
        }
        *count += 1;
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        let password = format!("pass phrase #{count} ü");
        let options = ["--no-create-home", "--home-dir", "/", "--no-user-group", "--gid", "nogroup"];
        retry(Command::new("useradd").args(options).args(["--shell", "/bin/sh", &name]));
        let account = Self { name, password };
        let mut chpasswd = Command::new("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
        writeln!(chpasswd.stdin.take().unwrap(), "{}:{}", account.name, account.password).unwrap();
        assert!(chpasswd.wait().unwrap().success(), "chpasswd failed");
        account
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _count = ACCOUNTS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = Command::new("userdel").args(["--force", &self.name]).stderr(Stdio::null()).status();
    }
}

const PREFIX: &str = "usync-test-";

/// Removes accounts of test processes that were killed.
fn sweep() {
    let accounts = fs::read_to_string("/etc/passwd").unwrap();
    for name in accounts.lines().filter_map(|line| line.split(':').next()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = Command::new("userdel").args(["--force", name]).stderr(Stdio::null()).status();
        }
    }
}

/// Another test process may hold the lock for a moment.
fn retry(command: &mut Command) {
    for _ in 0..50 {
        let output = command.output().unwrap();
        if output.status.success() {
            return;
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(why.contains("lock"), "{command:?}: {why}");
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{command:?}: the list of accounts stays locked");
}
