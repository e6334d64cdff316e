//! One import as a process of its own: how long it took and the most memory that it held.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// One import.
pub struct Measured {
    /// From start to exit of the process.
    pub seconds: f64,
    /// The most resident memory, in KiB.
    pub peak_kib: u64,
    /// What `run -o json` printed.
    pub report: serde_json::Value,
}

/// Runs the manifest once.
pub fn run(manifest: &Path, state: &Path, simulate: bool) -> Measured {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_usersync"))
        .args(["run", "-o", "json", "-f"])
        .arg(manifest)
        .arg("--data")
        .arg(state)
        .args(simulate.then_some("--simulate"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    // The kernel keeps the peak (VmHWM), so that looking now and then misses only what is reached right before the end.
    while child.try_wait().unwrap().is_none() {
        peak_kib = resident_peak(child.id()).unwrap_or(0).max(peak_kib);
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = began.elapsed().as_secs_f64();
    let output = child.wait_with_output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{} {line}", output.status);
    Measured { seconds, peak_kib, report: serde_json::from_str(&line).unwrap() }
}

/// See `man 5 proc`, VmHWM: the peak resident set size in KiB.
fn resident_peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB").parse().ok()
}
