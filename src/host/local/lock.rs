//! Locks that the system takes back when a process ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

/// Longer than [`held_by`] takes.
const GLANCE: Duration = Duration::from_millis(50);

/// Why a lock was not to be had.
#[derive(Debug)]
pub(super) enum LockError {
    /// Somebody has it: `process 1234`, or `another process` if that is not known.
    Held(String),
    /// The file system refused.
    Io(io::Error),
}

/// Takes the lock in this file for as long as the result lives, and signs it with this process's id.
pub(super) fn hold(path: &Path) -> Result<File, LockError> {
    let mut lock = open(path).map_err(LockError::Io)?;
    let mut tried = lock.try_lock();
    if matches!(tried, Err(TryLockError::WouldBlock)) {
        // Perhaps somebody only looks whether it is held.
        std::thread::sleep(GLANCE);
        tried = lock.try_lock();
    }
    match tried {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut lock))),
        Err(TryLockError::Error(source)) => return Err(LockError::Io(source)),
    }
    let sign = |lock: &mut File| {
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())
    };
    sign(&mut lock).map_err(LockError::Io)?;
    Ok(lock)
}

/// Who has the lock in this file; None: nobody.
pub(super) fn held_by(path: &Path) -> io::Result<Option<String>> {
    let mut lock = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(lock) => lock,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut lock))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Waits for the lock in this file: for what takes milliseconds.
pub(super) fn wait(path: &Path) -> io::Result<File> {
    let lock = open(path)?;
    lock.lock()?;
    Ok(lock)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Who has the lock, as far as the file says it.
fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.rewind().and_then(|()| lock.take(32).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!("process {pid}"),
        _ => "another process".into(),
    }
}
