//! What is read from the system, and how it is summed up.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

/// CPU time that a process and its threads have used so far, to 10 ms.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server is alive");
    // The name, in parentheses, may hold blanks: utime and stime are the 12th and 13th after it.
    let after = stat.rsplit_once(')').expect("stat names the process").1;
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:")
}

/// The most that was ever resident of a process, in bytes.
pub fn peak(pid: u32) -> u64 {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, what: &str) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server is alive");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("status has it");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB");
    kib * 1024
}

/// Counts a process's system calls by strace.
pub struct SystemCalls {
    strace: Child,
    table: NamedTempFile,
}

impl SystemCalls {
    /// Begins to count those of all threads that the process has now.
    pub fn of(pid: u32) -> SystemCalls {
        let table = NamedTempFile::new().expect("make a file");
        let strace = Command::new("strace")
            .args(["-f", "-c", "-U", "name,calls", "-p", &pid.to_string(), "-o"])
            .arg(table.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("run strace");
        let mut counter = SystemCalls { strace, table };
        let tasks = format!("/proc/{pid}/task");
        while !std::fs::read_dir(&tasks).expect("the server is alive").all(is_traced) {
            let ended = counter.strace.try_wait().expect("strace is a child");
            assert_eq!(ended, None, "strace may not trace the server");
            std::thread::sleep(Duration::from_millis(1));
        }
        counter
    }

    /// How many there were.
    pub fn finish(mut self) -> u64 {
        let strace = self.strace.id().to_string();
        let told = Command::new("kill").args(["-INT", &strace]).status().expect("run kill");
        assert!(told.success(), "strace is alive");
        let _ = self.strace.wait();
        let table = std::fs::read_to_string(self.table.path()).expect("strace's table");
        let calls = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["total", calls] => calls.parse().ok(),
            _ => None,
        };
        table.lines().find_map(calls).unwrap_or_else(|| panic!("strace counted nothing: {table}"))
    }
}

fn is_traced(task: std::io::Result<std::fs::DirEntry>) -> bool {
    let status = |path: &Path| std::fs::read_to_string(path.join("status")).ok();
    let status = task.ok().and_then(|task| status(&task.path()));
    // A thread that has just ended is no longer of interest.
    status.is_none_or(|status| !status.contains("TracerPid:\t0\n"))
}

/// Smallest, middle and largest of some runs.
#[derive(Clone, Copy)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        Spread { min: values[0], median: values[values.len() / 2], max: values[values.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:.3} / {:.3} / {:.3}", self.min, self.median, self.max)
    }
}

/// The values that half and 99 of 100 of these do not exceed.
pub fn percentiles(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [0.5, 0.99].map(|share| percentile(&values, share))
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Prints one figure with its aim.
pub fn aim(name: &str, value: f64, unit: &str, met: bool, aim: &str) {
    let verdict = if met { "met" } else { "NOT met" };
    println!("{name}: {value:.2} {unit} (aim {aim}: {verdict})");
}
