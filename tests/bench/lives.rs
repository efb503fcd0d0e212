//! How fast a stream ends: by Ctrl-C, and with its client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::figures::{aim, percentiles};
use super::servers::{LoggedRows, Vstreamd};
use super::streams::Streams;
use super::wire::{Client, Step};

/// From Ctrl-C in a client, which then logs in a second time and sends KILL QUERY, to error 1317.
pub fn cancel() {
    let (server, logged) = flooded();
    for (name, statement, first) in [
        ("idle", IDLE.to_owned(), 0),
        // Far behind the log's end: the server always has more.
        ("busy", logged.statement(FLOOD_ROWS), 1_000),
    ] {
        let mut times = Vec::new();
        for _ in 0..CANCELS {
            let mut client = server.client();
            client.open(&statement);
            (0..first).for_each(|_| assert_eq!(client.step(), Step::Row));
            times.push(cancel_one(&server, client).as_secs_f64() * 1e3);
        }
        let [p50, p99] = percentiles(times);
        println!("  {name} stream: p50 {p50:.2} ms, p99 {p99:.2} ms, {CANCELS} times");
        aim(&format!("Ctrl-C to error 1317, {name} stream, p99"), p99, "ms", p99 < 100.0, "< 100");
    }
}

fn cancel_one(server: &Vstreamd, mut client: Client) -> Duration {
    let id = client.id;
    let reader = std::thread::spawn(move || {
        loop {
            match client.step() {
                Step::Row => {}
                ended => return (ended, Instant::now()),
            }
        }
    });
    let start = Instant::now();
    Client::connect(&server.address).run(&format!("KILL QUERY {id}"));
    let (ended, when) = reader.join().expect("the reader ends");
    assert!(matches!(ended, Step::Failed(1317, _)), "{ended:?} in place of error 1317");
    when - start
}

/// From SIGKILL of a client's process to SHOW VSTREAMS without its stream.
pub fn death() {
    let (server, logged) = flooded();
    let mut observer = server.client();
    let mut streams = || observer.rows("SHOW VSTREAMS").len();
    let before = streams();
    let ticking = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| tick(&server, &ticking));
        for (name, statement, has_rows) in [
            ("idle", IDLE.to_owned(), false),
            ("ticking", "VSTREAM * FROM corder WHERE pos > 'current'".to_owned(), true),
            ("flooding", logged.statement(FLOOD_ROWS), true),
        ] {
            let mut times = Vec::new();
            for _ in 0..DEATHS {
                let mut client = Streams::open(&server, false, 1, &statement);
                if has_rows {
                    client.have_rows();
                }
                assert_eq!(streams(), before + 1, "{name}");
                let killed = client.kill();
                while streams() > before {
                    assert!(killed.elapsed() < Duration::from_secs(60), "{name}: it stays");
                }
                times.push(killed.elapsed().as_secs_f64() * 1e3);
            }
            let [p50, p99] = percentiles(times);
            println!("  {name} client: p50 {p50:.2} ms, p99 {p99:.2} ms, {DEATHS} times");
            let figure = format!("death of a client to its stream's end, {name}, p99");
            aim(&figure, p99, "ms", p99 < 1000.0, "< 1000");
        }
        ticking.store(false, Ordering::Relaxed);
    });
}

/// A server whose log holds enough to keep a stream busy.
fn flooded() -> (Vstreamd, LoggedRows) {
    let server = Vstreamd::start("log_bytes_max = 268435456");
    let logged = LoggedRows::new(|| server.client(), &[(FLOOD_ROWS, 1000)]);
    (server, logged)
}

/// Writes a row every 10 ms.
fn tick(server: &Vstreamd, ticking: &AtomicBool) {
    let mut writer = server.client();
    while ticking.load(Ordering::Relaxed) {
        writer.run("INSERT INTO corder (customer_id, price) VALUES (1, 1)");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Nobody writes to this table.
const IDLE: &str = "VSTREAM * FROM bench WHERE pos > 'current'";
const FLOOD_ROWS: u64 = 600_000;
const CANCELS: usize = 300;
const DEATHS: usize = 100;
