//! The servers that people have: vsftpd, ProFTPD (its SFTP module too), Pure-FTPd and OpenSSH, each on ports of loopback, all
//! with one account that is none of this machine's.
//!
//! ```ignore
//! let server = Ftpd::start(Brand::Vsftpd, Setup { tls: Tls::Explicit, ..Setup::default() });
//! server.put("userdata_1.csv", b"id,name\n1,Ada\n");
//! let source = source::open(&SourceJob::Ftp(Box::new(server.job())), &Servers::default());
//! ```
//!
//! The FTP servers come from `tests/servers/build`. All run in a room of their own ([`room`]), which takes root.

mod keys;
mod openssh;
mod proftpd;
mod pureftpd;
mod room;
mod vsftpd;

use std::{
    fs,
    io::Write,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use tempfile::TempDir;
use usersync::{
    api::{Algorithms, FtpTls},
    model::{
        job::{FtpJob, FtpLogin, SftpJob, SourceJob, SourceTimeouts},
        secret::Secret,
    },
    ports::Source,
    source::{self, servers::Servers},
};

pub use self::keys::{Authority, Certificate};
use self::room::{Ports, Room};
use super::sshd::keygen;

/// Whose server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brand {
    Vsftpd,
    ProFtpd,
    PureFtpd,
    OpenSsh,
}

/// What is spoken to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Ftp,
    /// `AUTH TLS`, without which nobody gets in.
    Explicit,
    /// TLS from the first byte. Pure-FTPd has none.
    Implicit,
    /// OpenSSH, and ProFTPD's mod_sftp.
    Sftp,
}

/// Which TLS the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    Any,
    Only12,
    Only13,
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    pub protocol: Protocol,
    pub version: Version,
    /// Whether a data connection must go on with the control connection's TLS session. Pure-FTPd cannot ask for it.
    pub session_reuse: bool,
    /// Whether `/` is the account's home.
    pub chroot: bool,
    /// Whether anybody gets in besides, into a folder of its own.
    pub anonymous: bool,
    /// Where it listens.
    pub address: IpAddr,
    /// What it shows to be who it is; [`keys::Certificate::usual`], unless said otherwise.
    pub certificate: Option<Certificate>,
    /// More lines for its configuration (Pure-FTPd: arguments).
    pub more: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            protocol: Protocol::Ftp,
            version: Version::Any,
            session_reuse: false,
            chroot: true,
            anonymous: false,
            address: Ipv4Addr::LOCALHOST.into(),
            certificate: None,
            more: Vec::new(),
        }
    }
}

/// The name in each server's usual certificate.
pub const NAME: &str = "ftp.example.com";
/// The account that every server has; no account of the machine.
pub const USER: &str = "hr-sync";
pub const PASSWORD: &str = "pass phrase #1 ü";
/// Its number, and its group's.
pub const UID: u32 = 20_021;

/// A running server; ends with its drop, also when the test fails.
pub struct Ftpd {
    pub brand: Brand,
    pub setup: Setup,
    ports: Ports,
    room: Option<Room>,
    folder: TempDir,
}

impl Ftpd {
    pub fn start(brand: Brand, setup: Setup) -> Self {
        room::needs();
        let folder = tempfile::Builder::new().prefix("usersync-ftpd").tempdir().unwrap();
        let path = folder.path();
        room::furnish(path);
        let certificate = setup.certificate.clone().unwrap_or_else(Certificate::usual);
        fs::write(path.join("certificate.pem"), &certificate.chain).unwrap();
        fs::write(path.join("key.pem"), &certificate.key).unwrap();
        fs::write(path.join("openssl.conf"), keys::openssl_conf(setup.version)).unwrap();
        keygen(&["-t", "ed25519", "-N", "", "-f", path.join("host_ed25519").to_str().unwrap()]);
        // The ports of a block are ours among tests, but a stranger may take one at any time.
        for _ in 0..10 {
            let ports = Ports::take(setup.address);
            let command = match brand {
                Brand::Vsftpd => vsftpd::command(path, &ports, &setup),
                Brand::ProFtpd => proftpd::command(path, &ports, &setup),
                Brand::PureFtpd => pureftpd::command(path, &ports, &setup),
                Brand::OpenSsh => openssh::command(path, &ports, &setup),
            };
            if let Some(room) = Room::start(path, command, (setup.address, ports.control).into()) {
                return Self { brand, setup, ports, room: Some(room), folder };
            }
        }
        panic!("{brand:?} did not start on ten free ports; its last words: {}", room::log(path));
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.ports.control
    }

    /// The ports that it offers for data.
    pub fn passive(&self) -> std::ops::RangeInclusive<u16> {
        self.ports.passive.clone()
    }

    /// The folder that is served as the source, on this machine.
    pub fn outbox(&self) -> PathBuf {
        self.folder.path().join("home/outbox")
    }

    /// A folder of the account on a disk of its own (16 MiB), as a server without a chroot calls it. What is in it, the server
    /// alone sees.
    pub fn other_disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// The folder for anybody, on this machine.
    pub fn public(&self) -> PathBuf {
        self.folder.path().join("public")
    }

    /// The outbox as the server calls it.
    pub fn path(&self) -> String {
        if self.setup.chroot { "/outbox".to_owned() } else { self.outbox().to_str().unwrap().to_owned() }
    }

    /// Writes a file of the account into the outbox, or deeper (`sub/users.csv`).
    pub fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.outbox().join(name);
        fs::write(&path, content).unwrap();
        chown(&path, Some(UID), Some(UID)).unwrap();
        path
    }

    /// Makes a folder of the account in the outbox.
    pub fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.outbox().join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(UID), Some(UID)).unwrap();
        path
    }

    /// Makes a folder in the outbox that is a disk of its own, of this size (`8m`). What is in it, the server alone sees.
    pub fn mount(&self, name: &str, size: &str) {
        let folder = self.make_folder(name);
        let also = Path::new("/run/room/home/outbox").join(name);
        self.room.as_ref().unwrap().mount(&folder, &also, &format!("mode=755,uid={UID},gid={UID},size={size}"));
    }

    /// A job for the outbox by FTP, with the right login.
    pub fn job(&self) -> FtpJob {
        FtpJob {
            host: self.setup.address.to_string(),
            port: self.port(),
            path: self.path(),
            tls: match self.setup.protocol {
                Protocol::Explicit => FtpTls::Explicit,
                Protocol::Implicit => FtpTls::Implicit,
                Protocol::Ftp | Protocol::Sftp => FtpTls::None,
            },
            login: Some(FtpLogin { username: USER.to_owned(), password: Secret::new(PASSWORD) }),
            ca_bundle: Some(Authority::usual().certificate.clone()),
            server_name: NAME.to_owned(),
            timeouts: TIMEOUTS,
        }
    }

    /// A job for the outbox by SFTP, with the right password.
    pub fn sftp_job(&self) -> SftpJob {
        let host_key = fs::read_to_string(self.folder.path().join("host_ed25519.pub")).unwrap();
        SftpJob {
            host: self.setup.address.to_string(),
            port: self.port(),
            path: self.path(),
            username: USER.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            private_key: None,
            passphrase: None,
            host_keys: vec![host_key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")],
            algorithms: Algorithms::Modern,
            timeouts: TIMEOUTS,
        }
    }

    /// The outbox as a source, with the right login.
    pub fn source(&self) -> Arc<dyn Source> {
        match self.setup.protocol {
            Protocol::Sftp => open(SourceJob::Sftp(Box::new(self.sftp_job()))),
            _ => open(SourceJob::Ftp(Box::new(self.job()))),
        }
    }

    /// What the server and its libraries have said so far.
    pub fn log(&self) -> String {
        room::log(self.folder.path())
    }

    /// Ends the server and everything it serves at once, as a crash would.
    pub fn kill(&mut self) {
        self.room = None;
    }
}

impl Drop for Ftpd {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            // Its last words: why the test failed stands before them, and is to be found.
            let log = self.log();
            let before = log.lines().count().saturating_sub(LAST_WORDS);
            eprintln!("{:?}'s log ends with:", self.brand);
            log.lines().skip(before).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// How many lines of a server's log are shown when a test fails.
const LAST_WORDS: usize = 40;

/// The source of a job.
pub fn open(job: SourceJob) -> Arc<dyn Source> {
    source::open(&job, &Servers::default())
}

/// Long enough for a machine that is busy: where others compute, Linux may let a server's process in a session of its own
/// (one for each login) wait for more than 30 s. A test that waits for one of these limits takes shorter ones.
pub const TIMEOUTS: SourceTimeouts = SourceTimeouts {
    connect: Duration::from_secs(15),
    login: Duration::from_secs(300),
    first_byte: Duration::from_secs(300),
    stall: Duration::from_secs(300),
};

/// The folder with the servers' programs.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/build");
        let output = Command::new(build).stderr(Stdio::inherit()).output().expect("tests/servers/build");
        assert!(output.status.success(), "tests/servers/build failed; what it said is above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

/// A program of the servers, with the libraries that it needs.
fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join("bin").join(name));
    command.env("LD_LIBRARY_PATH", programs().join("lib"));
    command
}

/// The password's hash, as `/etc/shadow` keeps it.
fn password_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(hash)
}

fn hash() -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["passwd", "-6", "-stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.spawn().expect("openssl");
    writeln!(openssl.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl passwd failed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
