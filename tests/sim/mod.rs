//! Simulation: scripted servers, a paused clock, seeded faults, and clients that keep score.
//!
//! Each seed is a world of its own: shards, replicas that commit in different orders, tables of all
//! kinds of keys, writers, statements that change tables, trimmed logs, broken connections, large
//! transactions and tiny logs; and clients that copy, follow, dawdle, freeze, vanish, and resume
//! from positions they kept. What a client has put together must equal the source's tables. A seed
//! that fails prints itself: `SIM_SEED=n cargo test --test tests sim::` runs it alone.

mod client;
mod run;
mod sqlite;
mod state;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use vstreamd::telemetry;

use crate::harness::rounds;
use run::Log;

#[test]
fn every_seed_keeps_its_promises() {
    if let Some(seed) = number("SIM_SEED") {
        telemetry::init(telemetry::LogFormat::Text, tracing::Level::DEBUG);
        let played = run::play(seed, Log::Print);
        assert_eq!(played.outcome, Ok(()), "seed {seed}");
        return;
    }
    let first = number("SIM_FIRST").unwrap_or(0);
    let end = first + number("SIM_SEEDS").unwrap_or(rounds(1_000, 10_000, 300_000) as u64);
    let next = AtomicU64::new(first);
    let play = || {
        let mut failures = Vec::new();
        let mut sum = run::Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || failures.len() > 3 {
                return (failures, sum);
            }
            let played = run::play(seed, Log::Off);
            sum.add(&played.counts);
            if let Err(failure) = played.outcome {
                failures.push(format!("SIM_SEED={seed}: {failure}"));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (failures, counts) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(play)).collect();
        let mut all = (Vec::new(), run::Counts::default());
        for thread in threads {
            let (failures, counts) = thread.join().expect("a seed's panic is that seed's failure");
            all.0.extend(failures);
            all.1.add(&counts);
        }
        all
    });
    println!("{counts:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    counts.assert_all_was_met(end - first);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let (one, other) = (run::play(seed, Log::Keep), run::play(seed, Log::Keep));
        assert_eq!(one.log, other.log, "seed {seed}");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
