//! A real S3 server: Versity's gateway over a folder of its own, on loopback, ended with the test.
//!
//! ```ignore
//! let gateway = Gateway::start();
//! gateway.make("reports");                                    // a bucket
//! let environment = gateway.environment();                    // what a client must know
//! assert_eq!(gateway.keys("reports"), ["people/hr/…"]);       // what lies in it
//! ```

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant, SystemTime},
};

use tempfile::TempDir;

/// Who may do everything.
pub const KEY: &str = "AKIAREPORTS";
pub const SECRET: &str = "s3cret/of+reports";

/// A running server. Each bucket is a folder, each object a file in it.
pub struct Gateway {
    folder: TempDir,
    port: u16,
    tls: bool,
    child: Option<Child>,
}

impl Gateway {
    /// A server without TLS.
    pub fn start() -> Self {
        Self::with(false)
    }

    /// A server with a certificate for `localhost`: see [`Gateway::authority`].
    pub fn start_tls() -> Self {
        Self::with(true)
    }

    fn with(tls: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("usersync-s3").tempdir().unwrap();
        fs::create_dir(folder.path().join("buckets")).unwrap();
        if tls {
            certificate(folder.path());
        }
        let mut gateway = Self { folder, port: 0, tls, child: None };
        // A port that was free may be taken by somebody else a moment later.
        for _ in 0..10 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            gateway.port = free.local_addr().unwrap().port();
            drop(free);
            if gateway.try_go() {
                return gateway;
            }
        }
        panic!("no S3 server: {}", gateway.log());
    }

    /// Starts it again, at the same address with what was there.
    pub fn go(&mut self) {
        for _ in 0..60 {
            if self.try_go() {
                return;
            }
            thread::sleep(Duration::from_secs(1));
        }
        panic!("no S3 server: {}", self.log());
    }

    fn try_go(&mut self) -> bool {
        let log = fs::File::options().append(true).create(true).open(self.folder.path().join("log")).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut command = Command::new(program());
        command.args(["--port", &address.to_string(), "--region", "us-east-1", "--quiet"]);
        if self.tls {
            command.arg("--cert").arg(self.folder.path().join("server.crt"));
            command.arg("--key").arg(self.folder.path().join("server.key"));
        }
        command.arg("posix").arg(self.buckets());
        command.env("ROOT_ACCESS_KEY", KEY).env("ROOT_SECRET_KEY", SECRET);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(address).is_ok() {
                self.child = Some(child);
                return true;
            }
            assert!(Instant::now() < until, "the S3 server does not listen: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it: nobody listens there any more.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Makes a bucket.
    pub fn make(&self, bucket: &str) {
        fs::create_dir(self.buckets().join(bucket)).unwrap();
    }

    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub fn url(&self) -> String {
        if self.tls { format!("https://localhost:{}", self.port) } else { format!("http://127.0.0.1:{}", self.port) }
    }

    /// What a client's environment must say.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The certificate, in PEM, of who vouches for a server with TLS.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.crt")
    }

    /// The keys of all objects in a bucket, sorted.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let root = self.buckets().join(bucket);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                match path.is_dir() {
                    // Its own, for uploads at work.
                    true if key.starts_with(".sgwtmp") => {}
                    true => folders.push(path),
                    false => found.push(key),
                }
            }
        }
        found.sort();
        found
    }

    /// What an object holds.
    pub fn read(&self, bucket: &str, key: &str) -> Vec<u8> {
        fs::read(self.buckets().join(bucket).join(key)).unwrap()
    }

    /// Puts an object into a bucket as of that many days ago, or has one be that old.
    pub fn age(&self, bucket: &str, key: &str, days: u64) {
        let path = self.buckets().join(bucket).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::File::options().create(true).append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).unwrap();
    }

    /// Parts of uploads that were never ended.
    pub fn unfinished(&self, bucket: &str) -> usize {
        let mut found = 0;
        let mut folders = vec![self.buckets().join(bucket).join(".sgwtmp")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found += 1 }
            }
        }
        found
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn buckets(&self) -> PathBuf {
        self.folder.path().join("buckets")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the S3 server's log:\n{}", self.log());
        }
        self.stop();
    }
}

/// The program, which is built if it isn't there.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/buckets/build");
        let output = Command::new(script).stderr(Stdio::inherit()).output().expect("tests/buckets/build");
        assert!(output.status.success(), "tests/buckets/build failed; what it said is above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end()).join("versitygw")
    })
}

/// An authority, and a certificate for `localhost` that it vouches for.
fn certificate(folder: &Path) {
    let openssl = |args: &str| {
        let said = Command::new("openssl").args(args.split(' ')).current_dir(folder).output().unwrap();
        assert!(said.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&said.stderr));
    };
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout authority.key -out authority.crt -days 2 -subj /CN=authority"));
    openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl(
        "x509 -req -in server.csr -CA authority.crt -CAkey authority.key -CAcreateserial -out server.crt -days 2 -extfile names",
    );
}
