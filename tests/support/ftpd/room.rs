//! A room for a server: namespaces in which it finds accounts, a log and devices of its own, and in which it ends with all
//! that it started. Nothing of the machine around it changes.

use std::{
    fs,
    io::Write,
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    ops::RangeInclusive,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::{PermissionsExt, chown},
            net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener},
        },
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::super::sshd::is_root;
use super::{UID, USER, password_hash};

/// Ports of a server: one to be reached at, and a few for data. No other test has them meanwhile.
pub struct Ports {
    pub control: u16,
    pub passive: RangeInclusive<u16>,
    _lock: UnixListener,
}

/// Ports in a block.
const BLOCK: u16 = 24;
/// Where blocks begin and end: below those that a system gives out by itself.
const BLOCKS: RangeInclusive<u16> = 1_000..=1_330;

impl Ports {
    /// The next block that nobody holds and of which no port is in use.
    pub fn take(address: IpAddr) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let blocks = BLOCKS.end() - BLOCKS.start();
        // Tests that run at once begin at different places.
        let first = (std::process::id() % 330) as u16;
        for _ in 0..blocks {
            let block = BLOCKS.start() + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % blocks;
            // A name that goes with the process, unlike a file.
            let name = UnixAddr::from_abstract_name(format!("usersync-test-ports-{block}")).unwrap();
            let Ok(lock) = UnixListener::bind_addr(&name) else { continue };
            let control = block * BLOCK;
            let passive = control + 1..=control + BLOCK - 1;
            let mut all = passive.clone().chain([control]);
            if all.all(|port| TcpListener::bind((address, port)).is_ok()) {
                return Self { control, passive, _lock: lock };
            }
        }
        panic!("no block of {BLOCK} ports is free between {} and {}", BLOCKS.start() * BLOCK, BLOCKS.end() * BLOCK);
    }
}

/// A server at work. It ends with its drop, and with the thread that started it.
pub struct Room(Child);

impl Room {
    /// Starts a server and waits until it listens. None: it ended, as when a port is taken.
    pub fn start(folder: &Path, server: Command, address: SocketAddr) -> Option<Self> {
        let log = fs::OpenOptions::new().append(true).create(true).open(folder.join("log")).unwrap();
        let mut command = Command::new("setpriv");
        // The first process of the room ends with `unshare`, and with it all others.
        command.args(["--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command
            .args(["sh", "-c", FURNISH, &UID.to_string()])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args());
        for (name, value) in server.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        // Whose limits vary by version.
        command.env("OPENSSL_CONF", folder.join("openssl.conf"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut room = Self(command.spawn().expect("setpriv"));
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if room.0.try_wait().unwrap().is_some() {
                return None;
            }
            if TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Some(room);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Room {
    /// Mounts a disk of memory within the room alone, on a folder by both of its names there.
    pub fn mount(&self, folder: &Path, also: &Path, options: &str) {
        // `unshare` itself stays outside; what it started is within.
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id())).unwrap();
        let inside = children.split_whitespace().next().expect("the room has somebody in it");
        let mut mount = Command::new("nsenter");
        mount.args(["--mount", "--target", inside, "sh", "-ec"]);
        mount.args([r#"mount -t tmpfs -o "$0" disk "$1"; mount --bind "$1" "$2""#, options]).arg(folder).arg(also);
        let output = mount.output().expect("nsenter");
        assert!(output.status.success(), "mount: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `sh -c … UID FOLDER PROGRAM ARGUMENT…`
const FURNISH: &str = r#"
set -e
folder=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755,size=64k dev "$folder/dev"
for device in null zero full random urandom tty; do
    : >"$folder/dev/$device"
    mount --bind /dev/$device "$folder/dev/$device"
done
ln -s "$folder/system-log" "$folder/dev/log"
mount --rbind "$folder/dev" /dev
mount -t tmpfs -o mode=755,size=64k run /run
mkdir /run/sshd /run/room /run/etc
mount --bind "$folder" /run/room
mount -t tmpfs -o mode=755,size=16m,uid=$0,gid=$0 disk "$folder/disk"
# The whole folder, not files in it: whoever replaces a file outside, as `useradd` does, takes away what lies over it here.
mount --bind /etc /run/etc
ln -s /run/etc/* "$folder/etc/" 2>/dev/null || true # What is there already is the room's own.
mount --bind "$folder/etc" /etc
# Not as the first process, which inherits others' children: vsftpd ends when it is told of one that it does not know.
"$@" &
wait $!
"#;

/// Says what is missing, if anything is.
pub fn needs() {
    assert!(
        is_root(),
        "the FTP servers of the tests run in namespaces of their own, and change to the account that logs in: run this test as \
         root (`sudo tests/run`)"
    );
}

/// Makes what a room has: accounts, folders, keys, and somebody who keeps what is said to the system's log.
pub fn furnish(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for path in ["etc/pam.d", "dev", "empty", "home/outbox", "public/outbox", "run", "disk"] {
        fs::create_dir_all(folder.join(path)).unwrap();
    }
    chown(folder.join("home/outbox"), Some(UID), Some(UID)).unwrap();
    let home = folder.display();
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    write(
        "etc/passwd",
        format!(
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n\
             sshd:x:20023:65534::/run/sshd:/usr/sbin/nologin\n\
             ftp:x:20022:20022::{home}/public:/usr/sbin/nologin\n{USER}:x:{UID}:{UID}::{home}/home:/bin/sh\n"
        ),
    );
    write("etc/group", format!("root:x:0:\nnogroup:x:65534:\nftp:x:20022:\n{USER}:x:{UID}:\n"));
    let hash = password_hash();
    write(
        "etc/shadow",
        format!(
            "root:*:19000::::::\nnobody:*:19000::::::\nsshd:*:19000::::::\nftp:*:19000::::::\n{USER}:{hash}:19000::::::\n"
        ),
    );
    fs::set_permissions(folder.join("etc/shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    write(
        "etc/pam.d/ftp",
        "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n".to_owned(),
    );
    let socket = UnixDatagram::bind(folder.join("system-log")).unwrap();
    fs::set_permissions(folder.join("system-log"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut log = fs::OpenOptions::new().append(true).create(true).open(folder.join("log")).unwrap();
    thread::spawn(move || {
        let mut line = vec![0; 16 * 1024];
        while let Ok(length) = socket.recv(&mut line) {
            let _ = log.write_all(line[..length].trim_ascii_end()).and_then(|()| log.write_all(b"\n"));
        }
    });
}

/// All that was logged, by the server and to the system's log.
pub fn log(folder: &Path) -> String {
    let mut text = String::new();
    for name in ["log", "server.log"] {
        text += &String::from_utf8_lossy(&fs::read(folder.join(name)).unwrap_or_default());
    }
    text
}
