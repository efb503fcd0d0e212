//! The figures that the documents quote: `scripts/bench [encoder|copy|latency|memory|allocations]...`
//!
//! It talks to a `vstreamd serve` and a MariaDB that it starts, over loopback, through one counting
//! client, and prints what each needed: the server's CPU time first, since it does not depend on
//! what else the machine does, then wall time. Aims are printed beside the figures; a miss is
//! printed too and is no failure, since a machine may be busy.

#![allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]

mod allocations;
mod compare;
mod figures;
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../harness/real.rs"]
mod real;
mod servers;
mod wire;

use std::time::{Duration, Instant};

use compare::{Side, compare};
use figures::{aim, percentile, resident};
use servers::{LoggedRows, TABLE, Vstreamd, fill};
use wire::{Client, Step};

fn main() {
    // `cargo bench` adds `--bench` to the arguments.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let sections: [(&str, fn()); 5] = [
        ("encoder", encoder),
        ("copy", copy),
        ("latency", latency),
        ("memory", memory),
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

/// Rows that are already in the shared log, as every follower gets them, against a SELECT.
fn encoder() {
    let server = Vstreamd::start("log_bytes_max = 268435456");
    let logged = LoggedRows::new(|| server.client(), &[(ENCODER_ROWS, 1000)]);
    let theirs = Side::mariadb("encoder", ENCODER_ROWS, 5);
    let ours = Side::vstreamd(&server, logged.statement(ENCODER_ROWS), 10);
    let (ours, theirs) = compare(ours, theirs, ENCODER_ROWS);
    let cpu = theirs.cpu.median / ours.cpu.median;
    aim("mariadbd's CPU over ours", cpu, "times", cpu >= 4.0, "at least 4");
    println!("mariadbd's wall time over ours: {:.2} times", theirs.wall.median / ours.wall.median);
}

/// A copy of the whole table against a SELECT of it.
fn copy() {
    let server = Vstreamd::start("");
    let mut writer = server.client();
    writer.run(TABLE);
    fill(&mut writer, 1, COPY_ROWS, 1000);
    let theirs = Side::mariadb("copied", COPY_ROWS, 1);
    let statement = format!("VSTREAM * FROM bench WHERE pos > '' LIMIT {COPY_ROWS}");
    let ours = Side::vstreamd(&server, statement, 1);
    let (ours, theirs) = compare(ours, theirs, COPY_ROWS);
    let speed = theirs.wall.median / ours.wall.median;
    aim("our rows per second over mariadbd's", speed, "times", speed >= 0.8, "at least 0.8");
    println!("mariadbd's CPU over ours: {:.2} times", theirs.cpu.median / ours.cpu.median);
}

/// From sending an autocommitted INSERT, and from its OK, to its row in a client's hands.
fn latency() {
    let server = Vstreamd::start("");
    let mut writer = server.client();
    let mut reader = server.client();
    reader.open(&format!(
        "VSTREAM order_id FROM corder WHERE pos > 'current' LIMIT {LATENCY_WRITES}"
    ));
    let (arrived, arrivals) = std::sync::mpsc::channel();
    std::thread::spawn(
        move || {
            while reader.step() == Step::Row && arrived.send(Instant::now()).is_ok() {}
        },
    );
    let (mut from_send, mut from_ok) = (Vec::new(), Vec::new());
    for number in 0..LATENCY_WRITES {
        let sent = Instant::now();
        writer.run(&format!("INSERT INTO corder (customer_id, price) VALUES ({number}, 1)"));
        let ok = Instant::now();
        let seen = arrivals.recv_timeout(Duration::from_secs(10)).expect("the row arrives");
        from_send.push((seen - sent).as_secs_f64() * 1e3);
        // A row may overtake the writer's OK: then it took no time.
        from_ok.push(seen.saturating_duration_since(ok).as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_micros(u64::from(number % 7) * 300));
    }
    for (name, mut times) in [("INSERT sent", from_send), ("commit acknowledged", from_ok)] {
        times.sort_by(f64::total_cmp);
        let [p50, p99] = [0.5, 0.99].map(|share| percentile(&times, share));
        println!(
            "{name} to row received: p50 {p50:.3} ms, p99 {p99:.3} ms, {LATENCY_WRITES} writes"
        );
    }
}

/// Resident memory of the server per stream that waits for a change.
fn memory() {
    let server = Vstreamd::start("");
    let open = || {
        let mut client = server.client();
        client.open("VSTREAM * FROM corder WHERE pos > 'current'");
        client
    };
    let mut streams: Vec<Client> = (0..10).map(|_| open()).collect();
    let before = resident(server.pid);
    streams.extend((0..IDLE_STREAMS).map(|_| open()));
    let after = resident(server.pid);
    // They are alive: one row reaches them all.
    server.client().run("INSERT INTO corder (customer_id, price) VALUES (1, 1)");
    for stream in &mut streams {
        assert_eq!(stream.step(), Step::Row);
    }
    let each = after.saturating_sub(before) as f64 / IDLE_STREAMS as f64 / 1024.0;
    println!("  resident before {} MiB, after {} MiB", before >> 20, after >> 20);
    aim("memory per idle stream", each, "KiB", each <= 40.0, "at most 40");
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores, load {}", load.split(' ').next().unwrap_or_default())
}

const ENCODER_ROWS: u64 = 300_000;
const COPY_ROWS: u64 = 1_000_000;
const LATENCY_WRITES: u32 = 3_000;
const IDLE_STREAMS: usize = 1_000;
