//! A real PostgreSQL in a private folder, reached by a Unix socket, ended when the test process ends.

use std::{
    fs,
    io::Write as _,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

/// The superuser's password.
pub const PASSWORD: &str = "s3cret pass/word";

/// A server. Dropping it ends it; so does the end of the test process, however that comes.
pub struct Server {
    folder: PathBuf,
    /// Waits for its input to end, then ends the server and removes the folder.
    guard: Mutex<Child>,
    databases: AtomicU32,
    /// The socket's name has it too.
    port: u16,
}

impl Server {
    /// The server that all tests of a binary share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of one's own, for tests that stop it.
    pub fn start() -> Self {
        Self::start_set("")
    }

    /// The same with settings, `name=value` each.
    pub fn start_set(settings: &str) -> Self {
        Self::start_with(|_| settings.to_owned()).expect("a server without a port of its own")
    }

    /// A server that is reached by TLS on 127.0.0.1 as well: its port. Its certificate, `cert.pem` in the folder, is for
    /// `localhost` and `db.example.com` and signed by nobody.
    pub fn start_tls() -> (Self, u16) {
        // A port that was free may be taken by somebody else a moment later.
        for _ in 0..10 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let server = Self::start_with(|run| {
                let mut openssl = run("openssl");
                openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem"]);
                openssl.args(["-out", "cert.pem", "-config", "cert.conf"]);
                let made = openssl.output().unwrap();
                assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
                let tls = "ssl=on ssl_cert_file=../cert.pem ssl_key_file=../key.pem";
                format!("listen_addresses=127.0.0.1 port={port} {tls}")
            });
            if let Some(server) = server {
                return (server, port);
            }
        }
        panic!("PostgreSQL did not start on ten free ports");
    }

    /// The private folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `settings` may prepare the folder with programs, and says what the server is told besides. None: its port is taken.
    fn start_with(settings: impl FnOnce(&dyn Fn(&str) -> Command) -> String) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("usersync-pg").tempdir_in("/tmp").unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let password = folder.join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::write(folder.join("cert.conf"), CERTIFICATE).unwrap();
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
            chown(&password, Some(uid), Some(gid)).unwrap();
        }
        let chosen =
            std::env::var_os("USERSYNC_POSTGRES").map(|programs| reachable(Path::new(&programs), &folder, user));
        let path = |program: &str| match &chosen {
            Some(programs) if ["initdb", "postgres"].contains(&program) => programs.join("bin").join(program),
            _ => program_path(program),
        };
        let run = |program: &str| {
            let mut command = Command::new(path(program));
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&folder);
            command
        };
        let mut initdb = run("initdb");
        initdb.args(["-D", "data", "-U", "postgres", "-A", "scram-sha-256", "--pwfile", "password", "-E", "UTF8"]);
        initdb.args(["--locale", "C.UTF-8", "--no-sync"]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let settings = settings(&run);
        let port =
            settings.split("port=").nth(1).and_then(|rest| rest.split(' ').next()).map_or(5432, |p| p.parse().unwrap());
        let mut guard = run("sh");
        guard.arg("-c").arg(GUARD).arg("sh").arg(path("postgres")).arg(&folder);
        guard.args(settings.split_whitespace().map(|setting| format!("--{setting}")));
        // A group of its own: an interrupt from the terminal must not end the guard before its work is done.
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().unwrap();
        let server = Self { folder, guard: Mutex::new(guard), databases: AtomicU32::new(0), port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !psql(&server.url("postgres"), "select 1").0 {
            let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            if log.contains("Address already in use") {
                return None;
            }
            assert!(Instant::now() < deadline, "no PostgreSQL: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// A new empty database; its URL, as superuser.
    pub fn create_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        sql(&self.url("postgres"), &format!("create database {name}"));
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        url_as(&self.folder, self.port, "postgres", PASSWORD, database)
    }

    /// The URL of the same database for another user.
    pub fn url_for(&self, url: &str, user: &str, password: &str) -> String {
        let database = url.split(['/', '?']).nth(3).unwrap();
        url_as(&self.folder, self.port, user, password, database)
    }

    /// Kills the server with all its processes, as a machine does that loses its power.
    pub fn kill(&self) {
        self.order("kill");
        let deadline = Instant::now() + Duration::from_secs(60);
        while psql(&self.url("postgres"), "select 1").0 {
            assert!(Instant::now() < deadline, "PostgreSQL outlives its end");
        }
    }

    /// Starts it again after [`Self::kill`].
    pub fn start_again(&self) {
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        // The last of its killed processes may still be on its way out: then it gives up.
        let given_up = |log: &str| log.matches("pre-existing shared memory block").count();
        let mut before = given_up(&log());
        self.order("start");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !psql(&self.url("postgres"), "select 1").0 {
            assert!(Instant::now() < deadline, "no PostgreSQL: {}", log());
            std::thread::sleep(Duration::from_millis(50));
            let now = given_up(&log());
            if now > before {
                self.order("start");
            }
            before = now;
        }
    }

    fn order(&self, word: &str) {
        let mut guard = self.guard.lock().unwrap();
        guard.stdin.as_mut().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
    }

    /// Ends the server at once; connections break.
    pub fn stop(&self) {
        let mut guard = self.guard.lock().unwrap();
        if let Some(mut input) = guard.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = guard.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the server and waits for the end of its input: that comes with the end of the test process at the latest.
const GUARD: &str = r#"
program=$1 folder=$2
shift 2
start() {
    "$program" -D "$folder/data" -k "$folder" --listen_addresses= --fsync=off --full_page_writes=off --max_connections=200 "$@" \
        >>"$folder/log" 2>&1 </dev/null &
    server=$!
}
start "$@"
while read -r order; do
    case $order in
        kill)
            kill -KILL "$server" $(cat "/proc/$server/task/$server/children")
            wait "$server"
            ;;
        start) start "$@" ;;
        *) break ;;
    esac
done
kill -QUIT "$server"
wait "$server"
rm -rf "$folder"/* 2>/dev/null
rmdir "$folder" 2>/dev/null
"#;

/// For a certificate that is no authority.
pub const CERTIFICATE: &str = "\
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost, DNS:db.example.com
";

fn url_as(folder: &Path, port: u16, user: &str, password: &str, database: &str) -> String {
    let password = encoded(password);
    format!("postgres://{user}:{password}@localhost:{port}/{database}?host={}", folder.display())
}

/// Text as it may stand in a URL.
pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Runs SQL and returns what it prints: cells separated by `|`, rows by line breaks.
pub fn sql(url: &str, text: &str) -> String {
    let (done, output) = psql(url, text);
    assert!(done, "{text}: {output}");
    output
}

fn psql(url: &str, text: &str) -> (bool, String) {
    let mut psql = Command::new(program_path("psql"));
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"]);
    psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = psql.spawn().unwrap();
    // One that can't connect ends without reading.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap().trim_end().to_owned())
}

/// Programs of another version (`USERSYNC_POSTGRES`, a folder with `bin`), where the account that the server runs as reaches them.
fn reachable(programs: &Path, folder: &Path, user: Option<(u32, u32)>) -> PathBuf {
    let there = folder.join("programs");
    fs::create_dir(&there).unwrap();
    for part in ["bin", "lib", "share"] {
        let mut copy = Command::new("cp");
        // Links, where both are on one disk.
        let linked = copy.arg("-rl").arg(programs.join(part)).arg(&there).stderr(Stdio::null()).status().unwrap();
        let copied = || Command::new("cp").arg("-r").arg(programs.join(part)).arg(&there).status().unwrap();
        assert!(linked.success() || copied().success(), "the programs can't be copied");
    }
    if let Some((uid, gid)) = user {
        // The folders are theirs, so that the guard can remove them.
        let owner = format!("{uid}:{gid}");
        let given = Command::new("find").arg(&there).args(["-type", "d", "-exec", "chown", &owner, "{}", "+"]).status();
        assert!(given.unwrap().success(), "the programs can't be given away");
    }
    there
}

/// The newest installed one, else what the search path has.
fn program_path(name: &str) -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin").join(name)))
        })
        .filter(|(_, path)| path.exists())
        .collect();
    versions.sort();
    versions.pop().map_or_else(|| PathBuf::from(name), |(_, path)| path)
}

/// User and group for a server that refuses to run as root; None where we aren't root.
pub fn unprivileged() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"])? != 0 {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}
