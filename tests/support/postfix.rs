//! A real mail server: Debian's Postfix, unpacked and never installed, with folders, accounts and ports of its own on loopback.
//!
//! ```ignore
//! let server = Postfix::start(Setup::default());
//! let mails = server.mails("it@example.com"); // whole messages, in order of arrival
//! ```
//!
//! It comes from `tests/mail/build`. It takes root: its master process wants that, and drops it for all the others.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Who may log in, and with what.
pub const USER: &str = "sync@mail.example.com";
pub const PASSWORD: &str = "s3cret ü";
/// The mailboxes that there are; any other recipient is refused.
pub const MAILBOXES: [&str; 5] =
    ["it@example.com", "hr@example.com", "boss@example.com", "audit@example.com", "jürgen@example.com"];
/// Accounts of Debian's that nothing runs as: whose queue it is, and who may drop mail into it.
const OWNER: &str = "uucp";
const DROP: &str = "irc";
const OWNER_UID: u32 = 10;
/// The setting for the largest mail, in bytes.
const LIMIT: &str = "message_size_limit = 40000000\n";
/// Whose mailboxes they are.
const VIRTUAL: u32 = 20_031;

/// What the server shows to be who it is.
#[derive(Clone, Debug)]
pub struct Shown {
    pub certificate: String,
    pub key: String,
}

/// Its ports: whoever asks, after STARTTLS and a login, and with TLS from the first byte and a login.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub plain: u16,
    pub submission: u16,
    pub smtps: u16,
}

/// A running server; ends with its drop, also when the test fails.
pub struct Postfix {
    pub ports: Ports,
    /// PEM: who vouches for its certificate.
    pub authority: String,
    folder: TempDir,
    child: Option<Child>,
}

impl Postfix {
    /// A server for `localhost`, with a certificate that its own authority vouches for.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("usersync-postfix").tempdir().unwrap();
        let (authority, shown) = vouched(folder.path(), "DNS:localhost", 2);
        Self::with(folder, authority, &shown)
    }

    /// A server with a certificate that was never right: for another name, or long expired.
    pub fn start_wrong(name: &str, days: i32) -> Self {
        let folder = tempfile::Builder::new().prefix("usersync-postfix").tempdir().unwrap();
        let (authority, shown) = vouched(folder.path(), name, days);
        Self::with(folder, authority, &shown)
    }

    fn with(folder: TempDir, authority: String, shown: &Shown) -> Self {
        let root = fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap();
        assert_eq!(
            root, 0,
            "Postfix drops root's rights, so it must be given them: run this test as root (`sudo tests/run`)"
        );
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("certificate.pem"), &shown.certificate).unwrap();
        fs::write(path.join("key.pem"), &shown.key).unwrap();
        furnish(path);
        let ports = free_ports();
        configure(path, &ports);
        let mut server = Self { ports, authority, folder, child: None };
        server.go();
        server
    }

    /// Starts it (again).
    pub fn go(&mut self) {
        let path = self.folder.path();
        let log = fs::File::options().append(true).create(true).open(path.join("out")).unwrap();
        let child = program("daemons/master")
            .args(["-c", path.join("conf").to_str().unwrap(), "-d"])
            .env("MAIL_CONFIG", path.join("conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        for port in [self.ports.plain, self.ports.submission, self.ports.smtps] {
            while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
                assert!(Instant::now() < until, "Postfix did not start; its last words: {}", self.log());
                assert!(self.child.as_mut().unwrap().try_wait().unwrap().is_none(), "Postfix ended: {}", self.log());
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// From now on it refuses larger mails.
    pub fn take_at_most(&mut self, bytes: u32) {
        self.stop();
        let path = self.folder.path().join("conf/main.cf");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(LIMIT));
        fs::write(path, text.replace(LIMIT, &format!("message_size_limit = {bytes}\n"))).unwrap();
        self.go();
    }

    /// Ends it; what it has is kept.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Asked, it ends its children first: nothing of it works on when it starts again.
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
        let until = Instant::now() + Duration::from_secs(10);
        while TcpListener::bind(("127.0.0.1", self.ports.plain)).is_err() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The mails of a mailbox, whole, in order of arrival.
    pub fn mails(&self, mailbox: &str) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("mail").join(folder_of(mailbox)).join("new");
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort_by_key(|path| (fs::metadata(path).unwrap().modified().unwrap(), path.clone()));
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// The mails of a mailbox, once there are so many.
    pub fn await_mails(&self, mailbox: &str, count: usize) -> Vec<Vec<u8>> {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let mails = self.mails(mailbox);
            if mails.len() >= count {
                return mails;
            }
            assert!(Instant::now() < until, "{} mails for {mailbox} instead of {count}: {}", mails.len(), self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether nothing is on its way any more, to any mailbox.
    pub fn rests(&self) {
        let until = Instant::now() + Duration::from_secs(120);
        let queue = self.folder.path().join("queue");
        let empty = |name: &str| fs::read_dir(queue.join(name)).unwrap().next().is_none();
        while !["incoming", "active", "deferred", "maildrop"].iter().all(|name| empty(name)) {
            assert!(Instant::now() < until, "a mail is stuck: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the server has said so far.
    pub fn log(&self) -> String {
        ["out", "log"].map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()).concat()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            eprintln!("Postfix's log:\n{}", self.log());
        }
    }
}

fn folder_of(mailbox: &str) -> String {
    mailbox.split('@').next().unwrap().replace('ü', "ue")
}

/// The folders that the package would make, and the account that may log in.
fn furnish(path: &Path) {
    for name in ["conf", "conf/sasl", "sasl", "data", "mail", "queue"] {
        fs::create_dir(path.join(name)).unwrap();
    }
    let queue = [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace",
        "public", "maildrop",
    ];
    for name in queue {
        fs::create_dir(path.join("queue").join(name)).unwrap();
        chown(path.join("queue").join(name), Some(OWNER_UID), None).unwrap();
    }
    fs::create_dir(path.join("queue/pid")).unwrap();
    chown(path.join("data"), Some(OWNER_UID), None).unwrap();
    chown(path.join("mail"), Some(VIRTUAL), Some(VIRTUAL)).unwrap();
    let database = path.join("sasl/sasldb2");
    fs::write(
        path.join("conf/sasl/smtpd.conf"),
        format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\nmech_list: PLAIN LOGIN\n",
            database.display()
        ),
    )
    .unwrap();
    let (user, domain) = USER.split_once('@').unwrap();
    let mut command = program("bin/saslpasswd2");
    command.args(["-p", "-c", "-f", database.to_str().unwrap(), "-u", domain, user]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success(), "saslpasswd2");
    chown(&database, Some(OWNER_UID), None).unwrap();
}

fn configure(path: &Path, ports: &Ports) {
    let (home, made) = (path.display(), programs().display());
    let boxes: Vec<_> = MAILBOXES.iter().map(|mailbox| format!("{mailbox}={}/", folder_of(mailbox))).collect();
    let boxes = boxes.join(", ");
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {home}/queue\ndata_directory = {home}/data\n\
         daemon_directory = {made}/daemons\ncommand_directory = {made}/bin\nshlib_directory = no\n\
         meta_directory = {home}/conf\nmail_owner = {OWNER}\nsetgid_group = {DROP}\ndefault_privs = nobody\n\
         import_environment = MAIL_CONFIG LD_LIBRARY_PATH={made}/lib SASL_PATH={made}/sasl2 MAIL_LOGTAG TZ\n\
         maillog_file = {home}/log\nmaillog_file_prefixes = {home}\nmyhostname = mail.example.com\nmydestination =\n\
         mynetworks =\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\nlocal_recipient_maps =\n\
         virtual_mailbox_domains = example.com\nvirtual_mailbox_maps = inline:{{ {boxes} }}\n\
         virtual_mailbox_base = {home}/mail\nvirtual_uid_maps = static:{VIRTUAL}\nvirtual_gid_maps = static:{VIRTUAL}\n\
         virtual_mailbox_limit = 0\n{LIMIT}smtputf8_enable = yes\n\
         smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination\n\
         smtpd_tls_cert_file = {home}/certificate.pem\nsmtpd_tls_key_file = {home}/key.pem\n\
         smtpd_tls_security_level = none\n"
    );
    fs::write(path.join("conf/main.cf"), main).unwrap();
    let login = "-o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject";
    let Ports { plain, submission, smtps } = ports;
    let master = format!(
        "127.0.0.1:{plain} inet n - n - - smtpd\n\
         127.0.0.1:{submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {login}\n\
         127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {login}\n\
         cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\n\
         rewrite unix - - n - - trivial-rewrite\nbounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\nflush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\n\
         anvil unix - - n - 1 anvil\nvirtual unix - n n - - virtual\nerror unix - - n - - error\n\
         retry unix - - n - - error\npostlog unix-dgram n - n - 1 postlogd\n"
    );
    fs::write(path.join("conf/master.cf"), master).unwrap();
}

/// An authority, and a certificate for that name (`DNS:…`) that it vouches for, good for so many days from now; none for a
/// negative number.
fn vouched(folder: &Path, name: &str, days: i32) -> (String, Shown) {
    let openssl = |args: &[&str]| {
        let done = Command::new("openssl").current_dir(folder).args(args).output().expect("openssl");
        assert!(done.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority = ["req", "-x509", "-days", "2", "-subj", "/CN=The tests' mail authority", "-addext"];
    let files = ["keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&authority[..], &files[..], &key[..]].concat());
    openssl(&[&["req", "-subj", "/CN=mail", "-keyout", "server.key", "-out", "server.csr"], &key[..]].concat());
    fs::write(folder.join("extensions"), format!("subjectAltName={name}\nextendedKeyUsage=serverAuth\n")).unwrap();
    let days = days.to_string();
    let sign =
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", &days];
    openssl(&[&sign[..], &["-extfile", "extensions", "-out", "server.pem"]].concat());
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    (read("ca.pem"), Shown { certificate: read("server.pem"), key: read("server.key") })
}

fn free_ports() -> Ports {
    let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [plain, submission, smtps] = free.each_ref().map(|listener| listener.local_addr().unwrap().port());
    Ports { plain, submission, smtps }
}

/// The folder with the server's programs.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/build");
        let output = Command::new(build).stderr(Stdio::inherit()).output().expect("tests/mail/build");
        assert!(output.status.success(), "tests/mail/build failed; what it said is above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.env("LD_LIBRARY_PATH", programs().join("lib")).env("SASL_PATH", programs().join("sasl2"));
    command
}
