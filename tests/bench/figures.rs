//! What is read from the system, and how it is summed up.

use std::time::Duration;

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
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the server is alive");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("status has it");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of kB");
    kib * 1024
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

/// The value that this share of the sorted values does not exceed.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Prints one figure with its aim.
pub fn aim(name: &str, value: f64, unit: &str, met: bool, aim: &str) {
    let verdict = if met { "met" } else { "NOT met" };
    println!("{name}: {value:.2} {unit} (aim {aim}: {verdict})");
}
