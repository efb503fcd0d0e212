//! Large numbers: clients that come back all at once, tables, and rows.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;
use vstreamd::source::Source;
use vstreamd::source::mysql::{Budget, MysqlSource, Server as Upstream, ServerUrl};
use vstreamd::telemetry;

use super::super::served::{configure, url};
use super::{KINDS, world};
use crate::harness::real::{Kind, Server};
use crate::harness::rounds;
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{Marks, Stream};
use crate::harness::trace::Request;
use crate::harness::vstreamd::Vstreamd;

fn serve(server: &Server) -> (Vstreamd, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &[("ks", url(server, "ks"))]);
    (Vstreamd::start_with(&directory.path().join("data"), &["--config", &config]), directory)
}

/// A global counter of the server.
async fn status(server: &Server, name: &str) -> u64 {
    let statement = format!("SHOW GLOBAL STATUS LIKE '{name}'");
    let mut conn = connect(server, "").await;
    let (_, value): (String, u64) = conn.query_first(statement).await.unwrap().unwrap();
    value
}

/// Where a client comes back, and the ids that it has not seen.
#[derive(Debug, Clone)]
struct Place {
    table: &'static str,
    position: String,
    missing: std::ops::Range<u64>,
}

/// After each of so many commits, and behind each of so many rows of a copy.
async fn places(server: &Server, vstreamd: &Vstreamd) -> Vec<Place> {
    let mut writer = connect(server, "ks").await;
    let source = source(server, "ks");
    let mut places = Vec::new();
    for id in 0..COMMITS {
        // A client may have the log's end, too, and sees what comes then.
        writer.query_drop(format!("INSERT INTO t VALUES ({id}, 'v')")).await.unwrap();
        if id % 10 == 0 {
            let position = source.position().await.unwrap().bare().to_string();
            places.push(Place { table: "t", position, missing: id + 1..COMMITS + LIVE });
        }
    }
    let rows: Vec<_> = (0..COPIED).map(|id| format!("({id}, 'v')")).collect();
    writer.query_drop(format!("INSERT INTO u VALUES {}", rows.join(","))).await.unwrap();
    let copy = format!("VSTREAM id, _pos FROM ks.u LIMIT {}", COPIED - 1);
    let shown: Vec<(String, u64, String)> =
        vstreamd.connect_olap().await.query(copy).await.unwrap();
    for (_, id, position) in shown.into_iter().step_by(10) {
        places.push(Place { table: "u", position, missing: id + 1..COPIED });
    }
    places
}

async fn come_back(mut client: Conn, place: Place) {
    let Place { table, position, missing } = place;
    let limit = missing.end - missing.start;
    let statement = format!("VSTREAM id FROM ks.{table} WHERE pos > '{position}' LIMIT {limit}");
    let rows: Vec<(String, u64)> = client.query(statement).await.unwrap();
    assert!(rows.iter().map(|(_, id)| *id).eq(missing), "{table} behind {position}");
}

/// No client is refused, and the server has no more readers than it was told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_clients_come_back_at_once() {
    for kind in KINDS {
        let tables = ["t", "u"].map(|t| format!("CREATE TABLE {t} (id INT PRIMARY KEY, v TEXT)"));
        let tables = tables.each_ref().map(String::as_str);
        let (server, _) = world(kind, &["--max-connections=151"], &tables).await;
        let (vstreamd, _directory) = serve(&server);
        let places = places(&server, &vstreamd).await;
        let mut clients = Vec::new();
        for number in 0..rounds(100, 500, 500) {
            let client = vstreamd.connect_olap().await;
            clients.push((client, places[number % places.len()].clone()));
        }
        let running: Vec<_> = clients
            .into_iter()
            .map(|(client, place)| telemetry::spawn("client", come_back(client, place)))
            .collect();
        let mut writer = connect(&server, "ks").await;
        for id in COMMITS..COMMITS + LIVE {
            writer.query_drop(format!("INSERT INTO t VALUES ({id}, 'v')")).await.unwrap();
        }
        for client in running {
            let done = tokio::time::timeout(PATIENCE, client).await;
            done.unwrap_or_else(|_| panic!("{kind:?}: a client waits")).unwrap();
        }
        let refused = status(&server, "Connection_errors_max_connections").await;
        let most = status(&server, "Max_used_connections").await;
        println!("{kind:?}: {most} connections at once");
        assert!(refused == 0 && most <= CONNECTIONS_MAX, "{kind:?}: {most}, {refused} refused");
    }
}

/// However many copies there are, there is a connection for the log that they go on by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_leave_connections_for_the_log() {
    for kind in KINDS {
        let table = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))";
        let (server, source) = world(kind, &[], &[table]).await;
        let mut writer = connect(&server, "ks").await;
        for id in 0..20 {
            writer.query_drop(format!("INSERT INTO t VALUES ({id}, 'v')")).await.unwrap();
        }
        let request = Request { start: "copy".to_owned(), ..Request::default() };
        let before = super::engine(&source);
        let mut stream = Stream::open(&before, &request, &Marks::new()).await.unwrap();
        stream.complete_copy().await.unwrap();
        writer.query_drop("UPDATE t SET v = 'w'").await.unwrap();
        let target = source.position().await.unwrap();
        // Another process, whose log does not go back so far.
        let url = format!("mysql://root@{}/ks", server.address());
        let upstream = Upstream::new("few-1", ServerUrl::parse(&url).unwrap(), few());
        let after = super::engine(&Arc::new(MysqlSource::new(upstream, "ks")));
        let mut streams = Vec::new();
        for row in stream.rows() {
            streams.push(stream.resume(&after, row).await.unwrap());
        }
        let settling: Vec<_> = streams
            .into_iter()
            .map(|mut stream| {
                let target = target.clone();
                telemetry::spawn("stream", async move { stream.settle(&target).await })
            })
            .collect();
        for settled in settling {
            settled.await.unwrap().unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        }
    }
}

/// As few connections as copies can do with beside a tail, its readers and questions.
fn few() -> Arc<Budget> {
    Arc::new(Budget::new(4))
}

/// A copy of very many tables locks them in groups, and does not look at all before it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tables_are_locked_in_groups() {
    let count = rounds(120, 500, 1_000);
    for kind in KINDS {
        let (server, source) = world(kind, &[], &[]).await;
        let mut writer = connect(&server, "ks").await;
        for table in 0..count {
            for statement in [
                format!("CREATE TABLE t{table:04} (id INT PRIMARY KEY)"),
                format!("INSERT INTO t{table:04} VALUES ({table})"),
            ] {
                writer.query_drop(statement).await.unwrap();
            }
        }
        let engine = super::engine(&source);
        let request = Request { start: "copy".to_owned(), ..Request::default() };
        let mut stream = Stream::open(&engine, &request, &Marks::new()).await.unwrap();
        stream.until("t0000 + 0").await.unwrap();
        let locks = status(&server, "Com_lock_tables").await;
        assert_eq!(locks, u64::from(kind == Kind::MySql), "{kind:?}");
        stream.settle(&source.position().await.unwrap()).await.unwrap();
        let lines: Vec<_> = stream.rows().iter().map(|row| row.line.clone()).collect();
        let expected: Vec<_> = (0..count).map(|table| format!("t{table:04} + {table}")).collect();
        assert_eq!(lines, expected, "{kind:?}");
        let groups = if kind == Kind::MySql { count.div_ceil(100) as u64 } else { 0 };
        assert_eq!(status(&server, "Com_lock_tables").await, groups, "{kind:?}");
    }
}

/// What a copy holds does not grow with the table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_are_not_much_memory() {
    let count = rounds(200_000, 1_000_000, 50_000_000) as u64;
    for kind in KINDS {
        let table = "CREATE TABLE narrow (id BIGINT PRIMARY KEY, v INT)";
        let (server, _) = world(kind, &[], &[table]).await;
        let mut writer = connect(&server, "ks").await;
        writer.query_drop("SET sql_log_bin = 0").await.unwrap();
        writer.query_drop("INSERT INTO narrow VALUES (0, 7)").await.unwrap();
        let mut made = 1;
        while made < count {
            let more = made.min(count - made).min(1 << 20);
            let insert =
                format!("INSERT INTO narrow SELECT id + {made}, v FROM narrow WHERE id < {more}");
            writer.query_drop(insert).await.unwrap();
            made += more;
        }
        let (vstreamd, _directory) = serve(&server);
        let mut client = vstreamd.connect_olap().await;
        let copy = format!("VSTREAM * FROM ks.narrow LIMIT {count}");
        let mut rows = client.query_iter(copy).await.unwrap();
        let mut next = 0;
        while let Some(row) = rows.next().await.unwrap() {
            assert_eq!(row.get::<u64, _>(1), Some(next));
            next += 1;
        }
        assert_eq!(next, count);
        let most = vstreamd.resident_max();
        println!("{kind:?}: {most} bytes for {count} rows");
        assert!(most < MEMORY_MAX, "{kind:?}: {most} bytes");
    }
}

const COMMITS: u64 = 400;
/// Commits while the clients come back.
const LIVE: u64 = 100;
const COPIED: u64 = 200;
/// Those of vstreamd, of this test, and some that the server has not noticed the end of.
const CONNECTIONS_MAX: u64 = 100;
const MEMORY_MAX: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(120);
