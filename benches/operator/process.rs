//! What a process takes, as Linux says it (proc(5)).

use std::fs;

/// What a process takes.
pub struct Usage {
    /// Bytes of memory.
    pub resident: u64,
    /// The most it ever was.
    pub highest: u64,
    /// Seconds of processor time, of user and system.
    pub processor: f64,
}

impl Usage {
    pub fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let kibibytes = |field: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
            line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().unwrap()
        };
        // The name, in parentheses, may have spaces in it; the times are the 14th and 15th field, in hundredths of a second.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        Self {
            resident: kibibytes("VmRSS") * 1024,
            highest: kibibytes("VmHWM") * 1024,
            processor: ticks as f64 / 100.0,
        }
    }
}
