//! What large rows and transactions of a server cost in memory.

use mysql_async::prelude::Queryable;

use super::served::{configure, url};
use crate::harness::real::{Kind, start};
use crate::harness::server_keyspace::connect;
use crate::harness::vstreamd::Vstreamd;

/// Rows of one transaction.
#[derive(Clone, Copy)]
struct Transaction {
    rows: usize,
    row_bytes: usize,
}

/// A tenth of a gigabyte, and of the row of 64 MiB that `scripts/bench large` measures.
const MANY: Transaction = Transaction { rows: 107_374, row_bytes: 1000 };
const ONE: Transaction = Transaction { rows: 1, row_bytes: 6_710_886 };
const COMPRESSED: Transaction = Transaction { rows: 3200, row_bytes: 64 << 10 };

const LOG_BYTES_MAX: usize = 1 << 20;
/// The tail, and the reader that catches up with it: its client is slower than it is.
const READERS: usize = 2;
/// Rows on their way to the client, what the allocator keeps.
const BESIDE_BYTES_MAX: usize = 48 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_read_in_pieces() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        check(kind, &[], MANY, BESIDE_BYTES_MAX).await;
    }
}

/// As an event of the log, as an event of ours, in the door's buffer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_is_in_memory_some_times_for_each_reader() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        check(kind, &[], ONE, READERS * 5 * ONE.row_bytes + BESIDE_BYTES_MAX).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_transaction_is_inflated_in_pieces() {
    check(Kind::MySql, &["--binlog-transaction-compression=ON"], COMPRESSED, BESIDE_BYTES_MAX)
        .await;
}

/// Streams a transaction as it is committed, and again from before it.
async fn check(kind: Kind, options: &[&str], transaction: Transaction, bytes_max: usize) {
    let Transaction { rows, row_bytes } = transaction;
    let server = start(kind, options);
    let create = "CREATE TABLE ks.t (id INT PRIMARY KEY, v LONGTEXT)";
    super::run(&server, &["CREATE DATABASE ks", create]).await;
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &[("ks", url(&server, "ks"))]);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}[limits]\nlog_bytes_max = {LOG_BYTES_MAX}\n")).unwrap();
    let vstreamd = Vstreamd::start_with(&directory.path().join("data"), &["--config", &config]);
    let mut writer = connect(&server, "ks").await;
    let position = match kind {
        Kind::MySql => "SELECT @@GLOBAL.gtid_executed",
        Kind::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    let begin: String = writer.query_first(position).await.unwrap().unwrap();
    let (mut live, mut again) = (vstreamd.connect_olap().await, vstreamd.connect_olap().await);
    let statement =
        |position: &str| format!("VSTREAM * FROM ks.t WHERE pos > '{position}' LIMIT {rows}");
    let mut live = live.query_iter(statement("current")).await.unwrap();
    let before = vstreamd.resident();
    let depth = match kind {
        Kind::MySql => "SET SESSION cte_max_recursion_depth = 1000000",
        Kind::MariaDb => "SET SESSION max_recursive_iterations = 1000000",
    };
    writer.query_drop(depth).await.unwrap();
    let insert = format!(
        "INSERT INTO t WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < \
         {rows}) SELECT i, REPEAT(CHAR(97 + i % 26), {row_bytes}) FROM c"
    );
    writer.query_drop(insert).await.unwrap();
    read(&mut live, transaction).await;
    let mut again = again.query_iter(statement(&begin)).await.unwrap();
    read(&mut again, transaction).await;
    let most = vstreamd.resident_max().saturating_sub(before);
    println!("{kind:?}: {most} bytes for {} of rows", rows * row_bytes);
    assert!(most < bytes_max, "{kind:?}: {most} bytes, not below {bytes_max}");
}

async fn read(
    rows: &mut mysql_async::QueryResult<'_, '_, mysql_async::TextProtocol>,
    transaction: Transaction,
) {
    let mut read = 0;
    while let Some(row) = rows.next().await.unwrap() {
        read += 1;
        let (_, id, text): (String, usize, Vec<u8>) = mysql_async::from_row(row);
        assert_eq!(id, read);
        let letter = 97 + u8::try_from(id % 26).unwrap();
        assert!(text.len() == transaction.row_bytes && text.iter().all(|byte| *byte == letter));
    }
    assert_eq!(read, transaction.rows);
}
