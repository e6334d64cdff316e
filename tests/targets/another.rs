//! A run in another process, which can be killed and paused: the test's own program, started once more.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use usersync::api::Mode;

use crate::{
    place::Place,
    steps::{At, Steps, stepped},
    support::bench::Silent,
};

/// How the order is handed over.
const ORDER: &str = "USERSYNC_TEST_RUN";

/// What the other process is to do: that run, and to stand still at a step.
#[derive(Serialize, Deserialize)]
pub struct Order {
    pub folder: PathBuf,
    pub database: (String, String),
    pub spec: Value,
    pub run: String,
    pub stands: Option<usize>,
    /// By its name instead.
    pub stands_at: Option<String>,
}

/// Does nothing in a run of all tests.
#[tokio::test(flavor = "multi_thread")]
async fn is_this_program() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let order: Order = serde_json::from_str(&order).unwrap();
    let bench = Place::from_words(order.database).bench(&order.folder, order.spec).await;
    let at = match (order.stands, order.stands_at) {
        (Some(number), _) => At::Number(number),
        (None, Some(name)) => At::Name(name.leak()),
        (None, None) => At::Never,
    };
    let steps = Steps::new(at, |step| {
        println!("\nSTANDS {step}");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    });
    println!("\nBEGINS");
    let ports = stepped(bench.ports(Mode::Import, Arc::new(Silent)).await, &steps);
    match bench.attempt_by(&order.run, &ports).await {
        Ok(ended) => println!("\nENDED {} {}", ended.report.reason, ended.report.message.replace('\n', " ")),
        Err(taken) => println!("\nTAKEN {taken}"),
    }
}

/// The other process. It ends with this.
pub struct Another {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Another {
    pub fn start(order: &Order) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "another::is_this_program", "--nocapture"]);
        command.env(ORDER, serde_json::to_string(order).unwrap());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let said = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// Waits for a line that begins so, or the last one: what stands behind. None: it ended without.
    pub fn says(&self, words: &[&str]) -> Option<String> {
        loop {
            match self.lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) if words.iter().any(|word| line.starts_with(word)) => return Some(line),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the other process says nothing of {words:?}"),
            }
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `kill -STOP`, `kill -CONT`.
    pub fn signal(&self, name: &str) {
        let done = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Lets it go on.
    pub fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
