//! A real MariaDB in a private folder, reached by a Unix socket, ended when the test process ends. Its programs come from
//! `tests/databases/build`; or MySQL, whose folder `USERSYNC_MYSQL` names: `tests/databases/mysql`.

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

use super::postgres::{encoded, unprivileged};

/// The superuser's password.
pub const PASSWORD: &str = "s3cret pass/word";

/// A server. Dropping it ends it; so does the end of the test process, however that comes.
pub struct Server {
    folder: PathBuf,
    /// Waits for its input to end, then ends the server and removes the folder.
    guard: Mutex<Child>,
    databases: AtomicU32,
}

impl Server {
    /// The server that all tests of a binary share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of one's own, with these settings besides.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_with(|_| settings.iter().map(|s| (*s).to_owned()).collect()).expect("a server without a port")
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
                let port = format!("--port={port}");
                [
                    "--skip-networking=0",
                    "--bind-address=127.0.0.1",
                    &port,
                    "--ssl-cert=../cert.pem",
                    "--ssl-key=../key.pem",
                ]
                .map(str::to_owned)
                .to_vec()
            });
            if let Some(server) = server {
                return (server, port);
            }
        }
        panic!("MariaDB did not start on ten free ports");
    }

    /// The private folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `settings` may prepare the folder with programs, and says what the server is told besides. None: its port is taken.
    fn start_with(settings: impl FnOnce(&dyn Fn(&str) -> Command) -> Vec<String>) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("usersync-mdb").tempdir_in("/tmp").unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.join("data")).unwrap();
        fs::write(folder.join("cert.conf"), super::postgres::CERTIFICATE).unwrap();
        fs::write(folder.join("init.sql"), if is_mysql() { MYSQL_ACCOUNTS } else { ACCOUNTS }).unwrap();
        let user = unprivileged();
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
            chown(folder.join("data"), Some(uid), Some(gid)).unwrap();
        }
        // The account that the server runs as may not reach the cache folder.
        let copied = Command::new("cp").arg("-r").arg(programs()).arg(folder.join("programs")).status().unwrap();
        assert!(copied.success(), "the programs can't be copied");
        if let Some((uid, gid)) = user {
            // Theirs, so that the guard can remove them.
            let owner = format!("{uid}:{gid}");
            let given = Command::new("chown").arg("-R").arg(owner).arg(folder.join("programs")).status().unwrap();
            assert!(given.success(), "the programs can't be given away");
        }
        let run = |program: &str| {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&folder);
            command
        };
        let mut settings = settings(&run);
        settings.push(format!("--character-sets-dir={}", folder.join("programs/share/charsets").display()));
        settings.push(format!("--lc-messages-dir={}", folder.join("programs/share").display()));

        let mut guard = run("sh");
        guard.arg("-c").arg(GUARD).arg("sh").arg(&folder).args(&settings);
        // A group of its own: an interrupt from the terminal must not end the guard before its work is done.
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().unwrap();
        let server = Self { folder, guard: Mutex::new(guard), databases: AtomicU32::new(0) };
        let deadline = Instant::now() + Duration::from_secs(120);
        while !client(&server.url("mysql"), "select 1").0 {
            let log = fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            if log.contains("Address already in use") {
                return None;
            }
            assert!(Instant::now() < deadline, "no MariaDB: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// A new empty database; its URL, as superuser.
    pub fn create_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        sql(&self.url("mysql"), &format!("create database {name} character set utf8mb4"));
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        self.url_of("root", PASSWORD, database)
    }

    fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        let socket = self.folder.join("socket");
        format!("mysql://{user}:{}@localhost/{database}?socket={}", encoded(password), socket.display())
    }

    /// The URL of the same database for another user.
    pub fn url_for(&self, url: &str, user: &str, password: &str) -> String {
        self.url_of(user, password, url.split(['/', '?']).nth(3).unwrap())
    }

    /// Kills the server, as a machine does that loses its power.
    pub fn kill(&self) {
        self.order("kill");
        let deadline = Instant::now() + Duration::from_secs(60);
        while client(&self.url("mysql"), "select 1").0 {
            assert!(Instant::now() < deadline, "MariaDB outlives its end");
        }
    }

    /// Starts it again after [`Self::kill`].
    pub fn start_again(&self) {
        self.order("start");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !client(&self.url("mysql"), "select 1").0 {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "no MariaDB: {log}");
            std::thread::sleep(Duration::from_millis(50));
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

/// Makes the data folder, starts the server and waits for the end of its input: that comes with the end of the test process
/// at the latest.
const GUARD: &str = r#"
folder=$1
shift
cd "$folder"
export LD_LIBRARY_PATH=$folder/programs/lib
# A server that starts clears the temporary tables of all servers away that share the folder for them.
mkdir tmp
export TMPDIR=$folder/tmp
if [ -x programs/bin/mysqld ]; then
    # The plainest way to prove a password: the client that comes with MariaDB knows no other.
    program="mysqld --no-defaults --basedir=$folder/programs --default-authentication-plugin=mysql_native_password"
    programs/bin/$program --initialize-insecure --datadir="$folder/data" "$@" >"$folder/log" 2>&1
    # 8.0.15 knows no key exchange that is asked for today.
    program="$program --mysqlx=OFF --skip-ssl"
else
    program="mariadbd --no-defaults"
    {
        echo "create database mysql;"
        echo "use mysql;"
        echo "set @auth_root_socket=NULL;"
        cat programs/share/mysql_system_tables.sql programs/share/mysql_performance_tables.sql \
            programs/share/mysql_system_tables_data.sql
    } >system.sql
    programs/bin/$program --bootstrap --datadir="$folder/data" --innodb-log-file-size=10M \
        --innodb-buffer-pool-size=32M "$@" <system.sql >"$folder/log" 2>&1
fi
start() {
    programs/bin/$program --datadir="$folder/data" --socket="$folder/socket" --pid-file="$folder/pid" \
        --skip-networking --init-file="$folder/init.sql" --innodb-log-file-size=50M --innodb-flush-log-at-trx-commit=0 \
        --innodb-buffer-pool-size=128M --max-connections=200 "$@" >>"$folder/log" 2>&1 </dev/null &
    server=$!
}
start "$@"
while read -r order; do
    case $order in
        kill)
            kill -KILL "$server"
            wait "$server"
            ;;
        start) start "$@" ;;
        *) break ;;
    esac
done
kill -KILL "$server"
wait "$server"
rm -rf "$folder"/* 2>/dev/null
rmdir "$folder" 2>/dev/null
"#;

const ACCOUNTS: &str = "\
create or replace user 'root'@'localhost' identified by 's3cret pass/word';
grant all on *.* to 'root'@'localhost' with grant option;
create or replace user 'root'@'127.0.0.1' identified by 's3cret pass/word';
grant all on *.* to 'root'@'127.0.0.1' with grant option;
";

const MYSQL_ACCOUNTS: &str = "\
alter user 'root'@'localhost' identified by 's3cret pass/word';
create user if not exists 'root'@'127.0.0.1' identified by 's3cret pass/word';
grant all on *.* to 'root'@'127.0.0.1' with grant option;
";

/// Whether the server is MySQL.
pub fn is_mysql() -> bool {
    std::env::var_os("USERSYNC_MYSQL").is_some()
}

/// Runs SQL and returns what it prints: cells separated by `|`, rows by line breaks.
pub fn sql(url: &str, text: &str) -> String {
    let (done, output) = client(url, text);
    assert!(done, "{text}: {output}");
    output
}

/// The same where it may fail: whether it was done, and what was printed or the error.
pub fn try_sql(url: &str, text: &str) -> (bool, String) {
    client(url, text)
}

fn client(url: &str, text: &str) -> (bool, String) {
    let (place, socket) = url.split_once("?socket=").unwrap();
    let (login, database) = place.strip_prefix("mysql://").unwrap().split_once("@localhost/").unwrap();
    let user = login.split_once(':').unwrap().0;
    let password = if user == "root" { PASSWORD } else { user };
    let programs = programs();
    let mut client = Command::new(programs.join("bin/mariadb"));
    client.env("LD_LIBRARY_PATH", programs.join("lib"));
    client.args(["--no-defaults", "--batch", "--skip-column-names", "--raw", "--default-character-set=utf8mb4"]);
    client.arg(format!("--character-sets-dir={}", programs.join("share/charsets").display()));
    client
        .args([format!("--user={user}"), format!("--password={password}"), format!("--socket={socket}")])
        .arg(database);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = client.spawn().unwrap();
    // One that can't connect ends without reading.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8_lossy(&text).trim_end().replace('\t', "|"))
}

/// The folder with MariaDB's programs.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(folder) = std::env::var_os("USERSYNC_MYSQL") {
            return PathBuf::from(folder);
        }
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/databases/build");
        let output = Command::new(build).stderr(Stdio::inherit()).output().expect("tests/databases/build");
        assert!(output.status.success(), "tests/databases/build failed; what it said is above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}
