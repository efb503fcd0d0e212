//! Resident memory of the server per stream that waits for a change.

use super::figures::{aim, resident};
use super::servers::Vstreamd;
use super::streams::Streams;

/// Measures streams in the clear and under TLS, whose clients are other processes.
pub fn memory() {
    for (name, tls, kib_max) in [("in the clear", false, 40.0), ("under TLS", true, 48.0)] {
        let server = Vstreamd::start("");
        // The first streams make what all share.
        let mut first = Streams::open(&server, tls, FIRST, STATEMENT);
        let before = resident(server.pid);
        let mut streams = Streams::open(&server, tls, STREAMS, STATEMENT);
        let after = resident(server.pid);
        // They are alive: one row reaches them all.
        server.client().run("INSERT INTO corder (customer_id, price) VALUES (4, 99)");
        first.have_rows();
        streams.have_rows();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "  {STREAMS} streams {name}: resident before {:.1} MiB, after {:.1} MiB, after a row \
             to each {:.1} MiB",
            mib(before),
            mib(after),
            mib(resident(server.pid))
        );
        let each = after.saturating_sub(before) as f64 / STREAMS as f64 / 1024.0;
        let figure = format!("memory per idle stream {name}");
        aim(&figure, each, "KiB", each <= kib_max, &format!("at most {kib_max}"));
    }
}

const FIRST: usize = 10;
const STREAMS: usize = 5_000;
/// Columns, metadata and a predicate, as an application asks for them.
const STATEMENT: &str = "VSTREAM order_id, customer_id, price, _pos, _ts FROM corder WHERE \
    pos > 'current' AND (price BETWEEN 10 AND 5000 OR customer_id IN (1, 2, 3)) AND op <> '-'";
