//! How long a committed row takes to a client.

use std::sync::mpsc::Receiver;

use std::time::{Duration, Instant};

use super::bare::Reader;
use super::figures::{aim, percentiles};
use super::real::{Kind, Server, start};
use super::servers::{Vstreamd, database, position};
use super::wire::{Client, Step};

/// Over the embedded store, and over servers beside a bare reader of the same log.
pub fn latency() {
    embedded();
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = start(kind, &["--binlog-row-metadata=FULL"]);
        let mut writer = database(&server);
        writer.run("CREATE TABLE t (id INT PRIMARY KEY, note VARCHAR(64))");
        let vstreamd = Vstreamd::over(&server);
        for (name, pause) in [("idle", Duration::from_millis(10)), ("1,000/s", Duration::ZERO)] {
            over(&server, &vstreamd, &mut writer, (name, pause));
        }
    }
}

/// From an autocommitted INSERT's OK to its row in the hands of both readers.
fn over(
    server: &Server,
    vstreamd: &Vstreamd,
    writer: &mut Client,
    (name, pause): (&str, Duration),
) {
    writer.run("DELETE FROM t");
    let begin = position(server, writer);
    let through = through(vstreamd, &begin);
    std::thread::scope(|scope| {
        let (bare, arrivals) = std::sync::mpsc::channel();
        let (opened, open) = std::sync::mpsc::channel();
        let address = begin.clone();
        scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("make a runtime").block_on(async {
                let mut reader = Reader::open(server, &address).await;
                opened.send(()).expect("the writer waits");
                let mut left = WRITES;
                while left > 0 {
                    let event = reader.next().await;
                    for _ in 0..reader.decode(&event) {
                        bare.send(Instant::now()).expect("the writer waits");
                        left -= 1;
                    }
                }
            });
        });
        open.recv().expect("the bare reader is there");
        let begun = Instant::now();
        let mut committed = Vec::new();
        for number in 0..WRITES {
            writer.run(&format!("INSERT INTO t VALUES ({number}, 'a note of ordinary length')"));
            committed.push(Instant::now());
            // A thousand a second, or with a pause in which everything comes to rest.
            let due = begun + (pause + Duration::from_millis(1)) * (number + 1);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let times = |arrivals: &Receiver<Instant>| {
            let one = |committed: &Instant| {
                let seen = arrivals.recv_timeout(Duration::from_secs(10)).expect("it arrives");
                seen.saturating_duration_since(*committed).as_secs_f64() * 1e3
            };
            percentiles(committed.iter().map(one).collect())
        };
        let (ours, bare) = (times(&through), times(&arrivals));
        println!(
            "  {:?}, {name}: bare reader p50 {:.3} ms, p99 {:.3} ms",
            server.kind, bare[0], bare[1]
        );
        println!(
            "  {:?}, {name}: vstreamd    p50 {:.3} ms, p99 {:.3} ms",
            server.kind, ours[0], ours[1]
        );
        let (added, times) = (ours[0] - bare[0], ours[1] / bare[1]);
        aim("added to the bare reader's p50", added, "ms", added <= 0.3, "at most 0.3");
        aim("p99 over the bare reader's", times, "times", times <= 2.0, "at most 2");
    });
}

/// When each row came through a vstreamd.
fn through(vstreamd: &Vstreamd, begin: &str) -> Receiver<Instant> {
    let mut reader = vstreamd.bench_client();
    reader.open(&format!("VSTREAM id FROM t WHERE pos > '{begin}' LIMIT {WRITES}"));
    arrivals(reader)
}

/// When each row of an open stream comes.
fn arrivals(mut reader: Client) -> Receiver<Instant> {
    let (arrived, arrivals) = std::sync::mpsc::channel();
    std::thread::spawn(
        move || {
            while reader.step() == Step::Row && arrived.send(Instant::now()).is_ok() {}
        },
    );
    arrivals
}

/// From sending an autocommitted INSERT, and from its OK, to its row in a client's hands.
fn embedded() {
    let server = Vstreamd::start("");
    let mut writer = server.client();
    let mut reader = server.client();
    reader.open(&format!("VSTREAM order_id FROM corder WHERE pos > 'current' LIMIT {WRITES}"));
    let arrivals = arrivals(reader);
    let (mut from_send, mut from_ok) = (Vec::new(), Vec::new());
    for number in 0..WRITES {
        let sent = Instant::now();
        writer.run(&format!("INSERT INTO corder (customer_id, price) VALUES ({number}, 1)"));
        let ok = Instant::now();
        let seen = arrivals.recv_timeout(Duration::from_secs(10)).expect("the row arrives");
        from_send.push((seen - sent).as_secs_f64() * 1e3);
        // A row may overtake the writer's OK: then it took no time.
        from_ok.push(seen.saturating_duration_since(ok).as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_micros(u64::from(number % 7) * 300));
    }
    for (name, times) in [("INSERT sent", from_send), ("commit acknowledged", from_ok)] {
        let [p50, p99] = percentiles(times);
        println!("{name} to row received: p50 {p50:.3} ms, p99 {p99:.3} ms, {WRITES} writes");
    }
}

const WRITES: u32 = 3_000;
