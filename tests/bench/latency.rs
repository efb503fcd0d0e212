//! How long a committed row takes to a client.

use std::time::{Duration, Instant};

use super::figures::percentiles;
use super::servers::Vstreamd;
use super::wire::Step;

/// From sending an autocommitted INSERT, and from its OK, to its row in a client's hands.
pub fn latency() {
    let server = Vstreamd::start("");
    let mut writer = server.client();
    let mut reader = server.client();
    reader.open(&format!("VSTREAM order_id FROM corder WHERE pos > 'current' LIMIT {WRITES}"));
    let (arrived, arrivals) = std::sync::mpsc::channel();
    std::thread::spawn(
        move || {
            while reader.step() == Step::Row && arrived.send(Instant::now()).is_ok() {}
        },
    );
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
