//! The same rows from both servers to the same reader, in turns.

use std::time::Instant;

use super::figures::{Spread, cpu};
use super::real;
use super::servers::{TABLE, Vstreamd, fill};
use super::wire::{Client, Query};

/// One side: a server's process, a connection, and the statement that sends the rows.
pub struct Side {
    pub name: &'static str,
    pub pid: u32,
    pub client: Client,
    statement: String,
    pub query: Query,
    /// How often the statement is run in one run; enough for CPU times of 10 ms to mean something.
    pub repeats: u32,
    /// Bytes per row on the wire, as found.
    pub bytes: u64,
}

impl Side {
    /// What a vstreamd sends for a statement.
    pub fn vstreamd(server: &Vstreamd, statement: String, repeats: u32) -> Self {
        Self::new("vstreamd", server.pid, server.client(), statement, repeats)
    }

    /// A SELECT of as many rows from a MariaDB, in a database of their own.
    pub fn mariadb(database: &str, rows: u64, repeats: u32) -> Self {
        let server = real::mariadb();
        let mut client = Client::connect(&server.address());
        client.run(&format!("CREATE DATABASE {database}"));
        client.run(&format!("USE {database}"));
        client.run(TABLE);
        fill(&mut client, 1, rows, 1000);
        Self::new("mariadbd", server.pid, client, "SELECT * FROM bench".to_owned(), repeats)
    }

    /// What a server with this process sends a client for a statement.
    pub fn new(
        name: &'static str,
        pid: u32,
        client: Client,
        statement: String,
        repeats: u32,
    ) -> Self {
        let query = Query::Text(statement.clone());
        Self { name, pid, client, statement, query, repeats, bytes: 0 }
    }

    /// From now on the statement is a prepared one, whose rows are binary.
    pub fn prepare(&mut self) {
        self.query = self.client.prepare(&self.statement);
    }
}

/// What the runs of a side came to.
pub struct Outcome {
    /// Seconds of the server's CPU per million rows.
    pub cpu: Spread,
    /// Seconds per million rows.
    pub wall: Spread,
}

/// What both came to.
pub struct Comparison {
    pub ours: Outcome,
    pub theirs: Outcome,
    /// How many times as long as ours theirs took, turn by turn: a machine that is slow for a while
    /// is so for both.
    pub speed: Spread,
}

/// Runs both in turns, `rows` rows per statement, and prints a line for each.
pub fn compare(ours: &mut Side, theirs: &mut Side, rows: u64) -> Comparison {
    let mut sides = [ours, theirs];
    let mut times = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for _ in 0..RUNS {
        for (side, (cpus, walls)) in sides.iter_mut().zip(&mut times) {
            let received = side.client.received;
            let (cpu_before, start) = (cpu(side.pid), Instant::now());
            for _ in 0..side.repeats {
                assert_eq!(side.client.count(&side.query), rows, "{}", side.statement);
            }
            let millions = (rows * u64::from(side.repeats)) as f64 / 1e6;
            walls.push(start.elapsed().as_secs_f64() / millions);
            side.bytes = (side.client.received - received) / (rows * u64::from(side.repeats));
            cpus.push((cpu(side.pid) - cpu_before).as_secs_f64() / millions);
        }
    }
    let [(_, our_walls), (_, their_walls)] = &times;
    let speed = Spread::of(their_walls.iter().zip(our_walls).map(|(b, a)| b / a).collect());
    let outcomes =
        times.map(|(cpu, wall)| Outcome { cpu: Spread::of(cpu), wall: Spread::of(wall) });
    for (side, outcome) in sides.iter().zip(&outcomes) {
        println!("  {:9} server CPU s per M rows  {}", side.name, outcome.cpu);
        println!(
            "  {:9} wall s per M rows        {}  ({} bytes a row)",
            side.name, outcome.wall, side.bytes
        );
    }
    let [ours, theirs] = outcomes;
    Comparison { ours, theirs, speed }
}

/// Runs per side; the table shows the smallest, the middle and the largest.
pub const RUNS: usize = 9;
