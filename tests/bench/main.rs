//! The figures that the documents quote: `scripts/bench [SECTION]...`, see `sections` below.
//!
//! It talks to a `vstreamd serve` and a MariaDB that it starts, over loopback, through one counting
//! client, and prints what each needed: the server's CPU time first, since it does not depend on
//! what else the machine does, then wall time. Aims are printed beside the figures; a miss is
//! printed too and is no failure, since a machine may be busy.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod allocations;
mod bare;
mod binlog;
mod compare;
mod copies;
mod figures;
mod large;
mod latency;
mod lives;
mod memory;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../harness/real.rs"]
mod real;
mod servers;
mod speed;
mod streams;
mod wire;

fn main() {
    // `cargo bench` adds `--bench` to the arguments.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some((streams::CHILD, arguments)) =
        wanted.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return streams::child(arguments);
    }
    let sections: [(&str, fn()); 13] = [
        ("encoder", speed::encoder),
        ("copy", speed::copy),
        ("copies", copies::copies),
        ("tables", copies::tables),
        ("binlog", binlog::binlog),
        ("columns", binlog::columns),
        ("large", large::large),
        ("dumps", streams::dumps),
        ("latency", latency::latency),
        ("cancel", lives::cancel),
        ("death", lives::death),
        ("memory", memory::memory),
        ("allocations", allocations::run),
    ];
    let unknown = wanted.iter().find(|word| !sections.iter().any(|(name, _)| name == word));
    assert_eq!(unknown, None, "no section is called that");
    println!("min / median / max of {} runs; {}", compare::RUNS, machine());
    for (name, run) in sections {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            println!("\n{name}");
            run();
        }
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores, load {}", load.split(' ').next().unwrap_or_default())
}
