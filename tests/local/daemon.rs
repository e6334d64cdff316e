//! `usersync local` at work on a world's folder.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::world::{Ran, World};

/// The longest that anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The process; ended when dropped.
pub struct Daemon<'a> {
    world: &'a World,
    child: Option<Child>,
}

impl<'a> Daemon<'a> {
    pub fn start(world: &'a World) -> Self {
        Self::with(world, &[])
    }

    pub fn with(world: &'a World, more: &[&str]) -> Self {
        Self::of(world, world.command(&[&["local", "."], more].concat()))
    }

    /// One that the system tells nothing of changes: it has used up what it is allowed of that.
    pub fn untold(world: &'a World) -> Self {
        let mut command = world.command(&[]);
        let program = command.get_program().to_owned();
        // The limit is that of a user namespace, and ends with it; the process stays the same all along.
        let script = r#"echo 0 >/proc/sys/user/max_inotify_instances && exec "$0" local ."#;
        let folder = command.get_current_dir().unwrap().to_owned();
        command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script]).arg(program).current_dir(folder);
        command.env_remove("USERSYNC_LOG").stdin(Stdio::null());
        Self::of(world, command)
    }

    pub fn of(world: &'a World, mut command: Command) -> Self {
        let log = fs::File::options().create(true).append(true).open(world.path("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let daemon = Self { world, child: Some(child) };
        wait(&format!("the process holds the folder: {}", world.read("log")), || {
            world
                .exists(".usersync/.lock")
                .then(|| world.read(".usersync/.lock"))
                .filter(|pid| pid.trim() == daemon.pid().to_string())
        });
        daemon
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Asks it to end, and says how it did.
    pub fn stop(mut self) -> i32 {
        self.signal("-TERM");
        self.child.take().unwrap().wait().unwrap().code().unwrap_or(-1)
    }

    /// Ends it without asking.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap().success());
    }

    /// Waits until a sync's status is so.
    pub fn until(&self, sync: &str, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let found = poll(|| status(self.world, sync).filter(|status| so(status)));
        found.unwrap_or_else(|| {
            let status = status(self.world, sync);
            panic!("{sync} never: {what}\n{status:#?}\n{}", self.world.read("log"))
        })
    }

    /// Waits until a condition of a sync is so.
    pub fn condition(&self, sync: &str, kind: &str, is: &str) -> Value {
        let what = format!("{kind}={is}");
        self.until(sync, &what, |status| condition(status, kind).is_some_and(|found| found["status"] == is))
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The status that the state folder has.
pub fn status(world: &World, sync: &str) -> Option<Value> {
    let text = fs::read_to_string(world.path(&format!(".usersync/status/default/{sync}.yaml"))).ok()?;
    Some(serde_yaml::from_str(&text).unwrap())
}

pub fn condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

/// The runs that are kept, as objects: one may be removed while they are read.
pub fn kept(world: &World) -> Vec<Value> {
    let folder = ".usersync/runs/default";
    let read = |name: &String| fs::read_to_string(world.path(&format!("{folder}/{name}"))).ok();
    world.names(folder).iter().filter_map(read).map(|text| serde_yaml::from_str(&text).unwrap()).collect()
}

/// What `usersync runs` lists, the newest first.
pub fn listed(world: &World, sync: &str) -> Vec<Value> {
    let ran = verb(world, &["runs", sync, "-o", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A verb on the world's folder.
pub fn verb(world: &World, args: &[&str]) -> Ran {
    world.usersync(&[args, &["--local", "."]].concat())
}

pub fn wait<T>(what: &str, so: impl FnMut() -> Option<T>) -> T {
    poll(so).unwrap_or_else(|| panic!("never: {what}"))
}

fn poll<T>(mut so: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = so() {
            return Some(found);
        }
        if Instant::now() > until {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
