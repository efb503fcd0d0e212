//! A client that stops reading costs a bounded number of bytes, and nobody else notices.

use std::time::Duration;

use mysql_async::prelude::Queryable;

use crate::harness::raw::{Login, Raw};
use crate::harness::rounds;
use crate::harness::vstreamd::{Vstreamd, argument};

const LIVE: usize = 50;
const LOG_BYTES_MAX: usize = 1 << 20;
/// The log, what its readers hold, buffers of 51 sockets, SQLite's caches, and room for malloc.
const GROWTH_BYTES_MAX: usize = 64 << 20;
const CELL_BYTES: usize = 60_000;
const STATEMENT: &str = "VSTREAM * FROM commerce.note WHERE pos > 'current'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_frozen_client_and_fifty_live_ones() {
    let dir = tempfile::tempdir().expect("make a directory");
    let config = dir.path().join("vstreamd.toml");
    std::fs::write(&config, format!("[limits]\nlog_bytes_max = {LOG_BYTES_MAX}\n")).expect("write");
    let server = Vstreamd::start_with(&dir.path().join("data"), &["--config", &argument(&config)]);
    let mut writer = server.connect().await;
    writer
        .query_drop("CREATE TABLE commerce.note (id INT PRIMARY KEY, body MEDIUMTEXT)")
        .await
        .expect("CREATE TABLE");
    let mut frozen = open(&server).await;
    let mut live = Vec::new();
    for _ in 0..LIVE {
        live.push(open(&server).await);
    }
    let before = server.resident();
    // Far more than all buffers between the server and the frozen client hold.
    let changes = rounds(600, 1_200, 6_000);
    let reading = live.into_iter().map(|mut client| {
        vstreamd::telemetry::spawn("live client", async move {
            for expected in 0..changes {
                let row = client.row().await.expect("a live client's stream goes on");
                assert_eq!(row[1].as_deref(), Some(expected.to_string().as_bytes()));
            }
        })
    });
    let reading: Vec<_> = reading.collect();
    let body = "x".repeat(CELL_BYTES);
    for id in 0..changes {
        writer
            .query_drop(format!("INSERT INTO commerce.note VALUES ({id}, '{body}')"))
            .await
            .expect("INSERT");
    }
    for client in reading {
        let read = tokio::time::timeout(Duration::from_secs(300), client).await;
        read.expect("live clients get everything").expect("in order");
    }
    let growth = server.resident().saturating_sub(before);
    let written = changes * CELL_BYTES;
    println!("{written} bytes written, {LIVE} live clients read all, server grew by {growth}");
    assert!(growth < GROWTH_BYTES_MAX, "the server grew by {growth} bytes");
    // Thawed, it goes on where it was.
    for expected in 0..changes {
        let row = frozen.row().await.expect("the frozen client's stream goes on");
        assert_eq!(row[1].as_deref(), Some(expected.to_string().as_bytes()));
    }
}

async fn open(server: &Vstreamd) -> Raw {
    let mut client = Raw::login(server.address, &Login::default()).await;
    client.query("SET WORKLOAD=OLAP").await;
    assert_eq!(client.open(STATEMENT).await, ["op", "id", "body"]);
    client
}
