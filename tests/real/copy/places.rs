//! The position of a view, where the servers' own words for it mislead.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use vstreamd::event::{GtidSet, TableName};
use vstreamd::source::Source;
use vstreamd::telemetry;

use super::{scan, scan_of, world};
use crate::harness::real::Kind;
use crate::harness::server_keyspace::{connect, source};

const T: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))";
const KEYLESS: &str = "CREATE TABLE w (id INT, v VARCHAR(20))";

/// MariaDB says that a view is at the beginning of a new file of its log while the last transactions
/// of the file before are in that file, and in no table yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_of_the_log_does_not_hide_what_is_being_committed() {
    for may_lock in [true, false] {
        let (mut server, _) = world(Kind::MariaDb, &["--max-binlog-size=4096"], &[T]).await;
        let make = [
            "CREATE USER poor@'127.0.0.1'",
            "GRANT REPLICATION SLAVE ON *.* TO poor@'127.0.0.1'",
            "GRANT SELECT ON ks.* TO poor@'127.0.0.1'",
            "SET GLOBAL rpl_semi_sync_master_timeout = 6000",
            "SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC",
            "SET GLOBAL rpl_semi_sync_master_enabled = ON",
        ];
        let mut admin = connect(&server, "ks").await;
        let mut writer = connect(&server, "ks").await;
        for statement in make {
            admin.query_drop(statement).await.unwrap();
        }
        if !may_lock {
            server.user = "poor".to_owned();
        }
        let rows: Vec<_> = (0..500).map(|id| format!("({id}, 'v{id}')")).collect();
        let insert = format!("INSERT INTO t VALUES {}", rows.join(","));
        let writing = telemetry::spawn("writer", async move {
            writer.query_drop(insert).await.unwrap();
        });
        let waiting = "SHOW STATUS LIKE 'Rpl_semi_sync_master_wait_sessions'";
        let waits = async {
            while admin.query_first::<(String, u64), _>(waiting).await.unwrap().unwrap().1 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), waits).await.expect("it waits for a replica");
        let name = TableName::new("ks", "t");
        let source = source(&server, "ks");
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let position: GtidSet = snapshot.position().clone();
        let found = scan(&mut *snapshot, &name).await.len();
        writing.await.unwrap();
        let whole: GtidSet = admin
            .query_first::<String, _>("SELECT @@GLOBAL.gtid_binlog_pos")
            .await
            .unwrap()
            .unwrap()
            .parse()
            .unwrap();
        let expected = if position.contains_set(&whole) { 500 } else { 0 };
        assert_eq!(found, expected, "at {position} of {whole}, may lock: {may_lock}");
    }
}

/// A table without a key is copied though others are written to all the time, and nobody who reads or
/// writes those waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_with_a_key_are_not_held_for_one_without() {
    let (server, source) = world(Kind::MySql, &[], &[T, KEYLESS]).await;
    let mut busy = connect(&server, "ks").await;
    for statement in
        ["INSERT INTO w VALUES (1, 'a'), (1, 'a')", "BEGIN", "INSERT INTO t VALUES (1, 'open')"]
    {
        busy.query_drop(statement).await.unwrap();
    }
    let names = ["t", "w"].map(|table| TableName::new("ks", table));
    let mut snapshot = source.snapshot(&names).await.unwrap();
    let [t, w] = &names;
    assert_eq!(scan(&mut *snapshot, w).await.len(), 2, "it was locked");
    assert_eq!(scan(&mut *snapshot, t).await.len(), 0);
    busy.query_drop("COMMIT").await.unwrap();
    let mut next = source.snapshot(&names).await.unwrap();
    next.scan(scan_of(t)).await.unwrap();
    let whole: String = busy.query_first("SELECT @@GLOBAL.gtid_executed").await.unwrap().unwrap();
    assert_eq!(*next.position(), whole.parse().unwrap());
}
