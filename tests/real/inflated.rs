//! MySQL's compressed transactions: what reading a large one costs.

use mysql_async::prelude::Queryable;

use super::served::{configure, url};
use crate::harness::real::{Kind, start};
use crate::harness::server_keyspace::connect;
use crate::harness::vstreamd::Vstreamd;

const ROW_BYTES: usize = 64 << 10;
const ROWS: usize = 3200;
const LOG_BYTES_MAX: usize = 1 << 20;
/// The tail, and the reader that catches up with it: its client is slower than it is.
const READERS: usize = 2;
/// Beside the transaction: rows on their way to the client, what the allocator keeps.
const BESIDE_BYTES_MAX: usize = 192 << 20;

/// Today's answer, and not the one that is wanted: the library that reads the log inflates a
/// transaction whole before it hands out its first event. `docs/operating.md` says what that costs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_transaction_is_in_memory_once_for_each_reader() {
    let server = start(Kind::MySql, &["--binlog-transaction-compression=ON"]);
    super::run(
        &server,
        &["CREATE DATABASE ks", "CREATE TABLE ks.t (id INT PRIMARY KEY, v LONGTEXT)"],
    )
    .await;
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &[("ks", url(&server, "ks"))]);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[limits]\nlog_bytes_max = {LOG_BYTES_MAX}\n")).unwrap();
    let vstreamd = Vstreamd::start_with(&directory.path().join("data"), &["--config", &config]);
    let mut client = vstreamd.connect_olap().await;
    let statement = format!("VSTREAM * FROM ks.t WHERE pos > 'current' LIMIT {ROWS}");
    let mut rows = client.query_iter(statement).await.unwrap();
    let before = vstreamd.resident();
    let mut writer = connect(&server, "ks").await;
    writer.query_drop("SET SESSION cte_max_recursion_depth = 100000").await.unwrap();
    let insert = format!(
        "INSERT INTO t WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < \
         {ROWS}) SELECT i, REPEAT(CHAR(97 + i % 26), {ROW_BYTES}) FROM c"
    );
    writer.query_drop(insert).await.unwrap();
    let mut read = 0;
    while let Some(row) = rows.next().await.unwrap() {
        read += 1;
        let (_, id, text): (String, usize, Vec<u8>) = mysql_async::from_row(row);
        assert_eq!(id, read);
        let letter = 97 + u8::try_from(id % 26).unwrap();
        assert!(text.len() == ROW_BYTES && text.iter().all(|byte| *byte == letter));
    }
    assert_eq!(read, ROWS);
    let most = vstreamd.resident_max().saturating_sub(before);
    println!("{most} bytes for {} of rows", ROWS * ROW_BYTES);
    assert!(most < READERS * ROWS * ROW_BYTES + BESIDE_BYTES_MAX, "{most} bytes");
}
