//! `usersync operator` as a process of its own, ended with the test.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
};

/// A running operator. Dropping it kills it; so does the end of the thread that started it.
pub struct Operator {
    process: Child,
    log: PathBuf,
    /// Where its own words begin in the log.
    begin: usize,
    /// Where it answers `/metrics` and `/readyz`, once it has said so.
    address: OnceLock<SocketAddr>,
}

impl Operator {
    /// Starts `usersync operator`, which speaks to the API server of that kubeconfig and keeps what it must in `folder`: its log
    /// is `folder/operator.log`, also of those before.
    pub fn start(kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_usersync")), kubeconfig, folder, arguments)
    }

    /// The same with another `usersync`.
    pub fn start_program(program: &Path, kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> Self {
        let log = folder.join("operator.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let begin = usize::try_from(file.metadata().unwrap().len()).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).arg("operator");
        command.arg("--data").arg(folder.join("data")).arg("--metrics=127.0.0.1:0");
        command.args(arguments).env("KUBECONFIG", kubeconfig).env_remove("USERSYNC_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Self { process: command.spawn().unwrap(), log, begin, address: OnceLock::new() }
    }

    /// SIGKILL: it has no time for anything.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// The value of a metric, with its labels as they are shown: `usersync_ready{namespace="people",name="hr"}`.
    pub fn metric(&self, series: &str) -> Option<f64> {
        let prefix = format!("{series} ");
        self.page("/metrics")?.lines().find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok())
    }

    /// Whether it sees all there is.
    pub fn is_ready(&self) -> bool {
        self.page("/readyz").is_some()
    }

    /// A page of its own web server; None while there is none, or it says no.
    pub fn page(&self, path: &str) -> Option<String> {
        let mut connection = TcpStream::connect(self.address()?).ok()?;
        write!(connection, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.lines().next()?.contains(" 200 ").then(|| body.to_owned())
    }

    /// Where it answers; None: it has not said so yet.
    fn address(&self) -> Option<SocketAddr> {
        if self.address.get().is_none() {
            let log = self.log();
            let (_, said) = log.get(self.begin..)?.split_once(" metrics=")?;
            // A line that is whole: the port is not cut off.
            let _ = self.address.set(said.split_once('\n')?.0.split_whitespace().next()?.parse().unwrap());
        }
        self.address.get().copied()
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it, and those before it in the same folder, wrote to the log.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.log();
            let last: Vec<_> = log.lines().rev().take(60).collect();
            eprintln!("{}, latest first:\n{}", self.log.display(), last.join("\n"));
        }
    }
}
