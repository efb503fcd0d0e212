//! What copies ask of a server, and what they know of it beforehand.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::engine::{EngineConfig, Waiting};
use vstreamd::event::TableName;
use vstreamd::source::mysql::{self, Budget, CopyLimits, MysqlSource, ServerUrl};
use vstreamd::source::{Scarce, Source};

use super::served::{configure, url};
use crate::harness::raw::{Login, Raw};
use crate::harness::real::{Kind, Server, start};
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{self, Marks, Stream};
use crate::harness::trace::Request;
use crate::harness::vstreamd::Vstreamd;

const KINDS: [Kind; 2] = [Kind::MySql, Kind::MariaDb];

/// A server of its own with table `t` of so many rows in database `ks`.
async fn world(kind: Kind, options: &[&str], rows: usize) -> (Server, Conn) {
    let server = start(kind, options);
    super::run(&server, &["CREATE DATABASE ks"]).await;
    let mut conn = connect(&server, "ks").await;
    conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200))").await.unwrap();
    let ids: Vec<_> = (0..rows).collect();
    for ids in ids.chunks(1_000) {
        let values: Vec<_> = ids.iter().map(|id| format!("({id}, REPEAT('v', 100))")).collect();
        conn.query_drop(format!("INSERT INTO t VALUES {}", values.join(","))).await.unwrap();
    }
    (server, conn)
}

/// Also what has come since the server last counted; and for how long its log is kept.
#[tokio::test]
async fn the_size_of_tables_is_known_about() {
    for kind in KINDS {
        let (server, mut conn) = world(kind, &["--binlog-expire-logs-seconds=3600"], 1_000).await;
        let source = source(&server, "ks");
        let t = TableName::new("ks", "t");
        let names = [t.clone(), TableName::new("ks", "none")];
        let rows = async || {
            let extent = source.extent(&names).await.unwrap();
            assert_eq!(extent.changes_kept, Some(Duration::from_hours(1)), "{kind:?}");
            assert_eq!(extent.tables.len(), 1, "{kind:?}");
            let size = extent.tables[&t];
            assert!(size.bytes >= 16_384, "{kind:?} {size:?}");
            size.rows
        };
        let before = rows().await;
        assert!((500..2_000).contains(&before), "{kind:?}: {before}");
        let more = "INSERT INTO t SELECT id + 1000 * n, v FROM t, \
                    (SELECT 1 n UNION SELECT 2 UNION SELECT 3) m";
        conn.query_drop(more).await.unwrap();
        let after = rows().await;
        assert!((2_000..8_000).contains(&after), "{kind:?}: {after}");
    }
}

/// A server of the test as a source whose copies have these limits.
fn limited(server: &Server, limits: CopyLimits) -> Arc<MysqlSource> {
    let url = format!("mysql://{}@{}/ks", server.user, server.address());
    let budget = Arc::new(Budget::with_copies(20, limits));
    Arc::new(MysqlSource::new(
        mysql::Server::new("one", ServerUrl::parse(&url).unwrap(), budget),
        "ks",
    ))
}

async fn until(mut is: impl FnMut() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes in time");
}

/// One copy more than there may be waits for the end of another, also if that was not its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_a_server_are_few() {
    for kind in KINDS {
        let (server, _conn) = world(kind, &[], 10).await;
        let source = limited(&server, CopyLimits { copies_max: 1, ..CopyLimits::default() });
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&source) as _);
        let held = source.snapshot(&[TableName::new("ks", "t")]).await.unwrap();
        let mut stream = Stream::open(&engine, &copy(), &Marks::new()).await.unwrap();
        let copying = stream.complete_copy();
        let freeing = async {
            let waiting = Some(Waiting::Scarce(Scarce::Copy));
            until(|| engine.streams()[0].waiting == waiting).await;
            // The view and the log.
            until(|| source.server().budget().in_use() <= 2).await;
            drop(held);
        };
        let (copied, ()) = tokio::join!(copying, freeing);
        copied.unwrap();
        assert_eq!(stream.rows().len(), 10, "{kind:?}");
    }
}

/// Who waits for a turn is seen to, and gives it up by leaving.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_of_clients_that_leave_go_to_others() {
    for kind in KINDS {
        let (server, _conn) = world(kind, &[], 1_000).await;
        let directory = tempfile::tempdir().unwrap();
        let config = configure(directory.path(), &[("ks", url(&server, "ks"))]);
        let mut text = std::fs::read_to_string(&config).unwrap();
        text += "[limits]\ncopies_max = 1\nrows_per_second_max = 20\n";
        std::fs::write(&config, text).unwrap();
        let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
        let copying = async || {
            let mut client = Raw::login(vstreamd.address, &Login::default()).await;
            client.query("SET WORKLOAD=OLAP").await;
            client.open("VSTREAM * FROM ks.t").await;
            client
        };
        let mut watch = vstreamd.connect().await;
        let mut shown = async |streams: usize, waiting: usize| {
            let seen = async {
                loop {
                    let rows: Vec<mysql_async::Row> = watch.query("SHOW VSTREAMS").await.unwrap();
                    let waits = |row: &&mysql_async::Row| {
                        row.get::<String, _>("Waiting").as_deref() == Some("another copy")
                    };
                    if (rows.len(), rows.iter().filter(waits).count()) == (streams, waiting) {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(PATIENCE, seen).await.expect("it is shown in time");
        };
        let mut first = copying().await;
        first.row().await.unwrap();
        let second = copying().await;
        shown(2, 1).await;
        let mut third = copying().await;
        shown(3, 2).await;
        drop(second);
        shown(2, 1).await;
        drop(first);
        third.row().await.unwrap();
        let log = vstreamd.log();
        assert_eq!(log.matches("waits_for=another copy").count(), 2, "{kind:?}: {log}");
    }
}

/// A copy whose view makes its server keep too many old rows gives it up, waits, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_lets_its_server_forget_old_rows() {
    tokio::join!(spares(Kind::MySql), spares(Kind::MariaDb));
}

async fn spares(kind: Kind) {
    let (server, mut conn) = world(kind, &[], 2_100).await;
    conn.query_drop("CREATE TABLE u (id INT PRIMARY KEY, n INT)").await.unwrap();
    conn.query_drop("INSERT INTO u VALUES (1, 0)").await.unwrap();
    let limits = CopyLimits { history_list_max: 300, ..CopyLimits::default() };
    let source = limited(&server, limits);
    let config =
        EngineConfig { copy_rows_per_second_max: NonZeroU32::new(300), ..EngineConfig::default() };
    // Another view, so that giving up one is not enough; and so many old rows for it that a slow
    // machine writes the rest before the copy is over.
    let mut other = connect(&server, "ks").await;
    other.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await.unwrap();
    for _ in 0..280 {
        conn.query_drop("UPDATE u SET n = n + 1").await.unwrap();
    }
    let engine = stream::engine(config, Arc::clone(&source) as _);
    let request = Request { only: vec!["t".to_owned()], ..copy() };
    let mut stream = Stream::open(&engine, &request, &Marks::new()).await.unwrap();
    let status = || engine.streams().remove(0);
    let waited = AtomicBool::new(false);
    let writing = async {
        until(|| status().copy.is_some_and(|copy| copy.rows > 0)).await;
        let mut pause = Duration::from_millis(2);
        loop {
            conn.query_drop("UPDATE u SET n = n + 1").await.unwrap();
            tokio::time::sleep(pause).await;
            // What follows the log keeps its connection, and maybe somebody looks.
            let waits = status().waiting == Some(Waiting::Scarce(Scarce::HistoryList));
            if waits && source.server().budget().in_use() <= 2 {
                other.query_drop("ROLLBACK").await.unwrap();
                waited.store(true, Ordering::Relaxed);
                pause = Duration::from_millis(500);
            }
        }
    };
    tokio::select! {
        copied = stream.complete_copy() => copied.unwrap_or_else(|_| panic!("{kind:?} stands still")),
        () = writing => {}
    }
    let copied = stream.rows().iter().filter(|row| row.line.starts_with("t + ")).count();
    assert_eq!(copied, 2_100, "{kind:?}");
    assert!(waited.load(Ordering::Relaxed), "{kind:?} was not spared");
}

/// No copy reads from a replica that is too far behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_waits_for_a_replica_that_is_behind() {
    for kind in KINDS {
        let (primary, mut conn) = world(kind, &[], 10).await;
        let (options, replicate, start_it, stop): (&[&str], _, _, _) = match kind {
            Kind::MySql => (
                &["--server-id=2"],
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_USER = 'root', \
                 SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_DELAY = 1000, \
                 SOURCE_PORT = ",
                "START REPLICA",
                "STOP REPLICA",
            ),
            Kind::MariaDb => (
                &["--server-id=2", "--log-slave-updates"],
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'root', \
                 MASTER_USE_GTID = slave_pos, MASTER_DELAY = 1000, MASTER_PORT = ",
                "START SLAVE",
                "STOP SLAVE",
            ),
        };
        let replica = start(kind, options);
        let replicate = format!("{replicate}{}", primary.port);
        super::run(&replica, &["CREATE DATABASE IF NOT EXISTS ks", &replicate, start_it]).await;
        conn.query_drop("INSERT INTO t VALUES (10, 'v')").await.unwrap();
        let replica_lag_max = Duration::from_secs(1);
        let source = limited(&replica, CopyLimits { replica_lag_max, ..CopyLimits::default() });
        let behind = async || {
            let mut conn = connect(&replica, "").await;
            let row: Option<mysql_async::Row> =
                conn.query_first("SHOW REPLICA STATUS").await.unwrap();
            let row = row.unwrap();
            let name = ["Seconds_Behind_Source", "Seconds_Behind_Master"]
                .into_iter()
                .find(|name| row.columns_ref().iter().any(|column| column.name_str() == *name));
            row.get::<Option<u64>, _>(name.unwrap()).flatten()
        };
        while behind().await.is_none_or(|behind| behind < 2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let t = [TableName::new("ks", "t")];
        let opening = source.snapshot(&t);
        let caught_up = async {
            until(|| source.waits_for(Scarce::ReplicaLag)).await;
            // One that does not replicate is behind nobody.
            super::run(&replica, &[stop]).await;
        };
        let (opened, ()) = tokio::join!(opening, caught_up);
        opened.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert!(!source.waits_for(Scarce::ReplicaLag), "{kind:?}");
    }
}

/// Without the right to look at it, a server's load holds nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_see_the_load_copies_all_the_same() {
    for kind in KINDS {
        let (mut server, _conn) = world(kind, &[], 10).await;
        let make = [
            "CREATE USER poor@'127.0.0.1'",
            "GRANT REPLICATION SLAVE ON *.* TO poor@'127.0.0.1'",
            "GRANT SELECT, LOCK TABLES ON ks.* TO poor@'127.0.0.1'",
        ];
        super::run(&server, &make).await;
        server.user = "poor".to_owned();
        let limits = CopyLimits { history_list_max: 0, ..CopyLimits::default() };
        let source = limited(&server, limits);
        source.snapshot(&[TableName::new("ks", "t")]).await.unwrap();
    }
}

/// A log that is gone before a copy has come to an end is told of beforehand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_kept_too_shortly_is_seen_beforehand() {
    for kind in KINDS {
        let (server, _conn) = world(kind, &["--binlog-expire-logs-seconds=60"], 1_000).await;
        for (rows_per_second_max, warned) in [(1, true), (1_000, false)] {
            let config = EngineConfig {
                copy_rows_per_second_max: NonZeroU32::new(rows_per_second_max),
                ..EngineConfig::default()
            };
            let engine = stream::engine(config, Arc::new(source(&server, "ks")));
            let request = stream::convert(&copy(), &Marks::new()).unwrap();
            let explained = engine.explain(&request).await.unwrap().remove(0);
            assert!(explained.copy.starts_with("about "), "{}", explained.copy);
            let finding =
                explained.findings.iter().find(|found| found.what.contains("the copy will"));
            assert_eq!(finding.is_some(), warned, "{kind:?}: {:#?}", explained.findings);
        }
    }
}

fn copy() -> Request {
    Request { start: "copy".to_owned(), ..Request::default() }
}

/// Ten times what any of it takes.
const PATIENCE: Duration = Duration::from_secs(90);
