//! Copies of real servers while others write, change tables, end connections, or hold locks.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::event::{Position, RowsEvent, TableName};
use vstreamd::source::mysql::MysqlSource;
use vstreamd::source::{BatchMax, Scan, Snapshot, Source, SourceError};
use vstreamd::telemetry;

use super::{KINDS, cells, connections, engine, scan, scan_of, world};
use crate::harness::real::{Kind, Server};
use crate::harness::rounds;
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{Marks, Stream, rebuild};
use crate::harness::trace::Request;

/// So many rows.
async fn fill(conn: &mut Conn, table: &str, rows: u32) {
    fill_with(conn, table, rows, |id| format!("'v{id}'")).await;
}

/// So many rows of a value each, in the words of the server.
async fn fill_with(conn: &mut Conn, table: &str, rows: u32, value: impl Fn(u32) -> String) {
    let rows: Vec<_> = (0..rows).map(|id| format!("({id}, {})", value(id))).collect();
    for rows in rows.chunks(1_000) {
        conn.query_drop(format!("INSERT INTO {table} VALUES {}", rows.join(","))).await.unwrap();
    }
}

/// A server whose table `t` has so many rows of a kilobyte each, and a connection to it.
async fn wide_world(kind: Kind, rows: u32) -> (Server, Arc<MysqlSource>, Conn) {
    let (server, source) = world(kind, &[], &["CREATE TABLE t (id INT PRIMARY KEY, v TEXT)"]).await;
    let mut writer = connect(&server, "ks").await;
    fill_with(&mut writer, "t", rows, |_| "REPEAT('v', 1000)".to_owned()).await;
    (server, source, writer)
}

fn copy() -> Request {
    Request { start: "copy".to_owned(), ..Request::default() }
}

const T: &str = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))";
const U: &str = "CREATE TABLE u (id INT PRIMARY KEY, v VARCHAR(20))";
const FULL: &[&str] = &["--binlog-row-metadata=FULL"];

/// The tables in the words of a stream.
async fn tables(conn: &mut Conn, names: &[&str]) -> std::collections::BTreeMap<String, String> {
    let mut all = std::collections::BTreeMap::new();
    for name in names {
        let query = format!("SELECT id, v FROM ks.{name}");
        let rows: Vec<(u32, String)> = conn.query(query).await.unwrap();
        all.extend(rows.into_iter().map(|(id, v)| (format!("{name} {id}"), format!("{id} {v}"))));
    }
    all
}

async fn write_one(writer: &mut Conn, random: &mut fastrand::Rng) -> mysql_async::Result<()> {
    writer.query_drop("BEGIN").await?;
    for _ in 0..random.usize(1..6) {
        let (id, v, table) = (random.u32(0..400), random.u32(..), ["t", "u"][random.usize(0..2)]);
        let statement = match random.u8(0..5) {
            0 => format!("DELETE FROM {table} WHERE id = {id}"),
            1 => format!("UPDATE {table} SET v = 'u{v}' WHERE id BETWEEN {id} AND {id} + 3"),
            2 => format!("UPDATE IGNORE {table} SET id = {} WHERE id = {id}", random.u32(0..400)),
            _ => format!("REPLACE INTO {table} VALUES ({id}, 'i{v}')"),
        };
        writer.query_drop(statement).await?;
    }
    writer.query_drop(if random.u8(0..8) == 0 { "ROLLBACK" } else { "COMMIT" }).await
}

/// What a client has that copies and follows under load is the table at the end, also if it goes
/// on from any row that it has, or from the VGTID with the last key that it was at: with one table,
/// since between two of them that forgets the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_under_load_become_the_tables() {
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[T, U]).await;
        let mut admin = connect(&server, "ks").await;
        for seed in 0..rounds(2, 20, 200) {
            for table in ["t", "u"] {
                admin.query_drop(format!("DELETE FROM {table}")).await.unwrap();
                fill(&mut admin, table, 300).await;
            }
            let mut writers = Vec::new();
            for writer in 0..4_u64 {
                let mut conn = connect(&server, "ks").await;
                let mut random = fastrand::Rng::with_seed(seed as u64 * 10 + writer);
                writers.push(telemetry::spawn("writer", async move {
                    for _ in 0..40 {
                        // Writers may deadlock; then one of them is rolled back.
                        if write_one(&mut conn, &mut random).await.is_err() {
                            conn.query_drop("ROLLBACK").await.unwrap();
                        }
                    }
                }));
            }
            let engine = engine(&source);
            let names: &[&str] = if seed % 2 == 0 { &["t", "u"] } else { &["t"] };
            let rules = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
            let request = Request { rules, ..copy() };
            let mut stream = Stream::open(&engine, &request, &Marks::new()).await.unwrap();
            stream.complete_copy().await.unwrap();
            for writer in writers {
                writer.await.unwrap();
            }
            let target = source.position().await.unwrap();
            stream.settle(&target).await.unwrap();
            let expected = tables(&mut admin, names).await;
            assert_eq!(rebuild(stream.rows()), expected, "{kind:?} with seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed as u64);
            for _ in 0..4 {
                let at = random.usize(0..stream.rows().len());
                let exact = Position::from_token(&stream.rows()[at].token).unwrap();
                let vgtid = Position::from_vgtid_json(&exact.to_vgtid_json()).unwrap();
                for position in [exact, vgtid].into_iter().take(3 - names.len()) {
                    let mut again = stream.resume_at(&engine, position).await.unwrap();
                    again.settle(&target).await.unwrap();
                    let rows = stream.rows()[..=at].iter().chain(again.rows());
                    assert_eq!(rebuild(rows), expected, "{kind:?} seed {seed} behind row {at}");
                }
            }
        }
    }
}

/// A connection that is ended in the middle is made again, and the copy goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_connection_is_killed_goes_on() {
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[T]).await;
        let mut admin = connect(&server, "ks").await;
        fill(&mut admin, "t", 20_000).await;
        let engine = engine(&source);
        let mut stream = Stream::open(&engine, &copy(), &Marks::new()).await.unwrap();
        for row in [10, 100, 1_000] {
            stream.until(&format!("t + {row} v{row}")).await.unwrap();
            let find = "SELECT ID FROM information_schema.PROCESSLIST \
                        WHERE DB = 'ks' AND ID <> CONNECTION_ID() AND COMMAND NOT LIKE 'Binlog%'";
            let ids: Vec<u64> = admin.query(find).await.unwrap();
            for id in ids {
                // One that ended meanwhile cannot be killed.
                let _ = admin.query_drop(format!("KILL {id}")).await;
            }
        }
        let target = source.position().await.unwrap();
        stream.settle(&target).await.unwrap();
        let lines: Vec<_> = stream.rows().iter().map(|row| row.line.as_str()).collect();
        let expected: Vec<_> = (0..20_000).map(|id| format!("t + {id} v{id}")).collect();
        assert!(lines == expected, "{kind:?}: {} rows", lines.len());
    }
}

/// A server that hangs up on packets of 16 KiB is sent none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_small_packets_is_copied() {
    for kind in KINDS {
        let (server, source) = world(kind, &["--max-allowed-packet=16384"], &[T]).await;
        let mut writer = connect(&server, "ks").await;
        fill(&mut writer, "t", 300).await;
        let name = TableName::new("ks", "t");
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        assert_eq!(scan(&mut *snapshot, &name).await.len(), 300, "{kind:?}");
    }
}

/// Rows do not wait for those that a server has not found yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_silent_server_has_sent_is_handed_out() {
    for kind in KINDS {
        let (server, source, _writer) = wide_world(kind, 40_000).await;
        let name = TableName::new("ks", "t");
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let batch = BatchMax::bytes(3 << 20);
        snapshot.scan(Scan { batch, ..scan_of(&name) }).await.unwrap();
        let ids = |batch: &RowsEvent| -> Vec<_> {
            let rows = batch.changes(0..batch.len()).map(|change| cells(change.after.unwrap()));
            rows.map(|mut cells| cells.swap_remove(0).expect("an id")).collect()
        };
        let mut rows = ids(&snapshot.next().await.unwrap().expect("rows"));
        server.signal("-STOP");
        let silent = async {
            loop {
                let batch = snapshot.next().await.unwrap().expect("it has not sent all");
                rows.extend(ids(&batch));
                if batch.bytes() < 3 << 20 {
                    return;
                }
            }
        };
        let silent = tokio::time::timeout(Duration::from_secs(60), silent).await;
        server.signal("-CONT");
        assert!(silent.is_ok(), "{kind:?}: nothing behind {} rows", rows.len());
        while let Some(batch) = snapshot.next().await.unwrap() {
            rows.extend(ids(&batch));
        }
        let expected = (0..40_000).map(|id: u32| id.to_string().into_bytes());
        assert!(rows.iter().eq(&expected.collect::<Vec<_>>()), "{kind:?}: {} rows", rows.len());
    }
}

/// Rows that meet a condition are not collected by the server until they are many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_found_one_by_one_are_not_held_back() {
    for kind in KINDS {
        let (_server, source, mut writer) = wide_world(kind, 200).await;
        assert_eq!(writer.query_first::<u8, _>(LOCK).await.unwrap(), Some(1));
        let name = TableName::new("ks", "t");
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let where_sql = Some(format!("id < 100 OR {LOCKED}"));
        let batch = BatchMax::bytes(3 << 20);
        let first = async {
            snapshot.scan(Scan { batch, where_sql, ..scan_of(&name) }).await.unwrap();
            snapshot.next().await.unwrap().expect("rows").len()
        };
        let first = tokio::time::timeout(PATIENCE, first)
            .await
            .unwrap_or_else(|_| panic!("{kind:?}: no rows"));
        writer.query_drop("DO RELEASE_LOCK('l')").await.unwrap();
        let mut rows = first;
        while let Some(batch) = snapshot.next().await.unwrap() {
            rows += batch.len();
        }
        assert!((1..100).contains(&first), "{kind:?}: {first}");
        assert_eq!(rows, 200, "{kind:?}");
    }
}

/// A server that looks for the rows that a condition asks for is waited for; one that hangs is not.
#[tokio::test]
async fn a_server_that_looks_for_rows_is_waited_for() {
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[T]).await;
        let mut holder = connect(&server, "ks").await;
        fill(&mut holder, "t", 2).await;
        assert_eq!(holder.query_first::<u8, _>(LOCK).await.unwrap(), Some(1));
        let name = TableName::new("ks", "t");
        let found = async |snapshot: &mut dyn Snapshot| {
            let where_sql = Some(LOCKED.to_owned());
            snapshot.scan(Scan { where_sql, ..scan_of(&name) }).await?;
            snapshot.next().await
        };
        let held_up = async || {
            let find = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                        WHERE STATE LIKE 'User%lock'";
            let mut other = connect(&server, "ks").await;
            while other.query_first::<u8, _>(find).await.unwrap() != Some(1) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // The server's clock goes on as it did.
        let pass = async |time| {
            tokio::time::pause();
            tokio::time::advance(time).await;
            tokio::time::resume();
        };
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let free = async {
            held_up().await;
            for _ in 0..3 {
                pass(Duration::from_hours(2)).await;
                // Whoever took that for a silence has said so by now.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            holder.query_drop("DO RELEASE_LOCK('l')").await.unwrap();
        };
        let (rows, ()) = tokio::join!(found(&mut *snapshot), free);
        assert_eq!(rows.unwrap().map(|rows| rows.len()), Some(2), "{kind:?}");
        drop(snapshot);

        assert_eq!(holder.query_first::<u8, _>(LOCK).await.unwrap(), Some(1));
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let hang = async {
            held_up().await;
            server.signal("-STOP");
            pass(Duration::from_hours(2)).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            // It is not waited for until it answers the question either.
            pass(Duration::from_mins(1)).await;
        };
        let hung = async { tokio::join!(found(&mut *snapshot), hang).0 };
        let hung = tokio::time::timeout(Duration::from_mins(125), hung).await;
        server.signal("-CONT");
        assert!(matches!(hung.unwrap(), Err(SourceError::Connect(_))), "{kind:?}");
    }
}

/// The server lets go of a view that nobody wants at once: no rows are read to their end for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_snapshot_is_gone_from_the_server() {
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[T]).await;
        let mut admin = connect(&server, "ks").await;
        fill(&mut admin, "t", 50_000).await;
        let name = TableName::new("ks", "t");
        let before = connections(&server).await;
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        snapshot.scan(scan_of(&name)).await.unwrap();
        assert!(!snapshot.next().await.unwrap().unwrap().is_empty());
        assert_eq!(source.server().budget().in_use(), 1, "{kind:?}");
        drop(snapshot);
        let gone = async {
            while connections(&server).await > before || source.server().budget().in_use() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{kind:?}"));
    }
}

/// A table that is changed between the view and its turn is copied as it is then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_changed_before_its_turn_is_copied_anew() {
    let changes = [
        "ALTER TABLE u ADD w INT DEFAULT 7",
        "ALTER TABLE u RENAME COLUMN v TO x, RENAME COLUMN y TO v, RENAME COLUMN x TO y",
        "TRUNCATE TABLE u",
        "DROP TABLE u",
        "ALTER TABLE u MODIFY v VARCHAR(50)",
    ];
    for kind in KINDS {
        let (server, source) = world(kind, FULL, &[T]).await;
        let mut admin = connect(&server, "ks").await;
        fill(&mut admin, "t", 5).await;
        for change in changes {
            admin.query_drop("DROP TABLE IF EXISTS u").await.unwrap();
            admin.query_drop(U).await.unwrap();
            fill(&mut admin, "u", 5).await;
            admin.query_drop("ALTER TABLE u ADD y VARCHAR(20) DEFAULT 'y'").await.unwrap();
            let engine = engine(&source);
            let mut stream = Stream::open(&engine, &copy(), &Marks::new()).await.unwrap();
            stream.until("t + 1 v1").await.unwrap();
            let done = admin.query_drop(change).await;
            if let Err(error) = done {
                // Names cannot be swapped in one statement everywhere.
                assert!(change.contains("RENAME COLUMN"), "{kind:?} {change}: {error}");
                continue;
            }
            let target = source.position().await.unwrap();
            stream
                .settle(&target)
                .await
                .unwrap_or_else(|error| panic!("{kind:?} {change}: {error}"));
            let lines: Vec<_> = stream.rows().iter().map(|row| row.line.as_str()).collect();
            let first = lines.iter().find(|line| line.starts_with("u + 0"));
            let expected = match change.split(' ').next() {
                Some("TRUNCATE" | "DROP") => None,
                _ if change.contains("ADD") => Some("u + 0 v0 y 7"),
                _ => Some("u + 0 v0 y"),
            };
            assert_eq!(first.copied(), expected, "{kind:?} {change}");
        }
    }
}

/// Without the right to lock tables, those with a key are copied all the same; rows may come twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_may_not_be_locked() {
    let keyless = "CREATE TABLE w (id INT, v VARCHAR(20))";
    let (mut server, _) = world(Kind::MySql, &[], &[T, U, keyless]).await;
    let make = [
        "CREATE USER poor@'127.0.0.1'",
        "GRANT REPLICATION SLAVE ON *.* TO poor@'127.0.0.1'",
        "GRANT SELECT ON ks.* TO poor@'127.0.0.1'",
    ];
    super::super::run(&server, &make).await;
    let mut writer = connect(&server, "ks").await;
    let mut admin = connect(&server, "ks").await;
    fill(&mut writer, "t", 300).await;
    server.user = "poor".to_owned();
    let source = Arc::new(source(&server, "ks"));
    let writing = telemetry::spawn("writer", async move {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            write_one(&mut writer, &mut random).await.unwrap();
        }
    });
    let request = Request { only: vec!["t".to_owned(), "u".to_owned()], ..copy() };
    let engine = engine(&source);
    let mut stream = Stream::open(&engine, &request, &Marks::new()).await.unwrap();
    stream.complete_copy().await.unwrap();
    writing.await.unwrap();
    stream.settle(&source.position().await.unwrap()).await.unwrap();
    assert_eq!(rebuild(stream.rows()), tables(&mut admin, &["t", "u"]).await);
    let name = TableName::new("ks", "w");
    let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
    let error = snapshot.scan(scan_of(&name)).await.unwrap_err();
    assert!(matches!(error, SourceError::Privilege { privilege: "LOCK TABLES", .. }), "{error}");
    assert!(error.to_string().contains("GRANT LOCK TABLES ON `ks`.* TO"), "{error}");
}

/// Prepares an XA transaction and leaves it to others.
async fn prepare(server: &Server, xid: &str, statement: &str) {
    let mut writer = connect(server, "ks").await;
    for statement in [
        &format!("XA START '{xid}'"),
        statement,
        &format!("XA END '{xid}'"),
        &format!("XA PREPARE '{xid}'"),
    ] {
        writer.query_drop(statement).await.unwrap();
    }
    let left =
        format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = {}", writer.id());
    writer.disconnect().await.unwrap();
    // Until the server has ended the session, the transaction is nobody else's to commit.
    let mut admin = connect(server, "ks").await;
    while admin.query_first::<u64, _>(left.as_str()).await.unwrap() != Some(0) {}
}

/// What is prepared while tables are copied is in no view, and comes once with its commit: what was
/// prepared before the copy and what in the midst of it, also where another stream has read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prepared_transactions_come_with_their_commit() {
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[T, U]).await;
        let mut admin = connect(&server, "ks").await;
        fill(&mut admin, "t", 5).await;
        fill(&mut admin, "u", 5).await;
        let config = vstreamd::engine::EngineConfig {
            copy_batch_bytes: 1,
            // A view for every row.
            copy_snapshot_max_age: Duration::ZERO,
            ..vstreamd::engine::EngineConfig::default()
        };
        let engine = crate::harness::stream::engine(config, Arc::clone(&source) as _);
        let current = Request { start: "current".to_owned(), ..Request::default() };
        let mut other = Stream::open(&engine, &current, &Marks::new()).await.unwrap();
        prepare(&server, "before", "INSERT INTO t VALUES (100, 'xa')").await;
        let mut stream = Stream::open(&engine, &copy(), &Marks::new()).await.unwrap();
        stream.until("t + 1 v1").await.unwrap();
        prepare(&server, "amidst", "INSERT INTO u VALUES (100, 'xa')").await;
        stream.complete_copy().await.unwrap();
        assert!(!stream.rows().iter().any(|row| row.line.contains("100")), "{kind:?}");
        for xid in ["before", "amidst"] {
            admin.query_drop(format!("XA COMMIT '{xid}'")).await.unwrap();
        }
        let target = source.position().await.unwrap();
        for stream in [&mut stream, &mut other] {
            stream.settle(&target).await.unwrap();
            let lines: Vec<_> = stream.rows().iter().map(|row| row.line.as_str()).collect();
            let count = |line: &str| lines.iter().filter(|shown| **shown == line).count();
            let counts = (count("t + 100 xa"), count("u + 100 xa"));
            assert_eq!(counts, (1, 1), "{kind:?} {lines:?}");
        }
        assert_eq!(rebuild(stream.rows()), tables(&mut admin, &["t", "u"]).await, "{kind:?}");
    }
}

/// Who has changed a table and stays open holds a copy up for a bounded time only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_stays_open_does_not_stop_a_copy() {
    let keyless = "CREATE TABLE w (id INT, v VARCHAR(20))";
    let (server, source) = world(Kind::MySql, &[], &[T, keyless]).await;
    let mut writer = connect(&server, "ks").await;
    fill(&mut writer, "t", 3).await;
    for statement in ["BEGIN", "INSERT INTO t VALUES (9, 'x')", "INSERT INTO w VALUES (9, 'x')"] {
        writer.query_drop(statement).await.unwrap();
    }
    let names = ["t", "w"].map(|table| TableName::new("ks", table));
    let mut snapshot = source.snapshot(&names).await.unwrap();
    assert_eq!(scan(&mut *snapshot, &names[0]).await.len(), 3);
    let error = snapshot.scan(scan_of(&names[1])).await.unwrap_err();
    assert!(error.to_string().contains("w has no key, and the tables"), "{error}");
}

const LOCK: &str = "SELECT GET_LOCK('l', 30)";
/// True for each row as soon as nobody else has that lock; MySQL would ask but once whether it is if
/// it were the same for all.
const LOCKED: &str = "GET_LOCK(IF(id < 0, 'k', 'l'), 600) = 1";
const PATIENCE: Duration = Duration::from_secs(30);
