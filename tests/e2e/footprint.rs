//! What statements of many MiB cost the server: a multiple of their packet while they run, and next
//! to nothing once they are over.

use mysql_async::prelude::Queryable;

use crate::harness::rounds;
use crate::harness::vstreamd::{Vstreamd, argument};

const BLOB_BYTES: usize = 16 << 20;
/// The largest packet: a hexadecimal literal has two digits per byte.
const PACKET_BYTES: usize = 2 * BLOB_BYTES;
/// `docs/operating.md` says so.
const PACKETS_MAX: usize = 24;
/// What malloc keeps for each thread that worked on one of them, caches, and the log of recent
/// transactions; it is the same after three rounds and after sixty. A cache of the statements
/// themselves, which there was once, held a gigabyte.
const KEPT_BYTES_MAX: usize = 448 << 20;
const LOG_BYTES_MAX: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_statements_leave_little_behind() {
    let dir = tempfile::tempdir().expect("make a directory");
    let config = dir.path().join("vstreamd.toml");
    std::fs::write(&config, format!("[limits]\nlog_bytes_max = {LOG_BYTES_MAX}\n")).expect("write");
    let server = Vstreamd::start_with(&dir.path().join("data"), &["--config", &argument(&config)]);
    let mut client = server.connect().await;
    client
        .query_drop("CREATE TABLE commerce.large (id INT PRIMARY KEY, body LONGBLOB)")
        .await
        .expect("CREATE TABLE");
    let before = server.resident();
    for id in 0..rounds(3, 12, 60) {
        let byte = u8::try_from(id).expect("few rounds");
        let (key, hex) = (3 * id, format!("{byte:02x}").repeat(BLOB_BYTES));
        let text = format!("INSERT INTO commerce.large VALUES ({key}, x'{hex}')");
        client.query_drop(text).await.expect("INSERT of a hexadecimal literal");
        let text = "x".repeat(BLOB_BYTES);
        let text = format!("INSERT INTO commerce.large VALUES ({}, '{text}{id}')", key + 1);
        client.query_drop(text).await.expect("INSERT of a text");
        let insert = "INSERT INTO commerce.large VALUES (?, ?)";
        let body = vec![byte | 0x80; BLOB_BYTES];
        client.exec_drop(insert, (key + 2, body)).await.expect("INSERT of a parameter");
        let kept = server.resident().saturating_sub(before);
        println!("{kept} bytes kept, {} at most in use", server.resident_max());
        assert!(kept < KEPT_BYTES_MAX, "the server kept {kept} bytes");
    }
    let most = server.resident_max().saturating_sub(before);
    assert!(most < PACKETS_MAX * PACKET_BYTES, "the server needed {most} bytes at once");
}
