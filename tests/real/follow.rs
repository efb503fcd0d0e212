//! Following real servers through everything that happens to servers: what a client has rebuilt
//! from the changes is the table, or the stream ends with an error that says why not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::engine::{Engine, EngineConfig, ShardSources, Tablet};
use vstreamd::event::{GtidSet, ShardName};
use vstreamd::plan::TabletType;
use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};
use vstreamd::source::{Scope, Source, SourceError, Span};
use vstreamd::telemetry;

use crate::harness::real::{self, Kind, start};
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{self, Marks, Stream, rebuild};
use crate::harness::trace::Request;

pub(super) const KINDS: [Kind; 2] = [Kind::MySql, Kind::MariaDb];

/// What a server has committed is there after a `kill -9`, unlike with the options of other tests.
pub(super) const DURABLE: &[&str] = &["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"];

/// A server with an empty table `ks.t`, and a stream of it from now on.
pub(super) struct Followed {
    pub(super) server: real::Server,
    pub(super) source: Arc<MysqlSource>,
    engine: Engine,
    pub(super) stream: Stream,
    random: fastrand::Rng,
}

impl Followed {
    pub(super) async fn start(kind: Kind, options: &[&str]) -> Self {
        let server = start(kind, options);
        super::run(
            &server,
            &["CREATE DATABASE ks", "CREATE TABLE ks.t (id INT PRIMARY KEY, v VARCHAR(20))"],
        )
        .await;
        let source = Arc::new(source(&server, "ks"));
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&source) as _);
        let stream = open(&engine).await;
        Self { server, source, engine, stream, random: fastrand::Rng::with_seed(7) }
    }

    pub(super) async fn writer(&self) -> Conn {
        connect(&self.server, "ks").await
    }

    /// Changes the table at random, in so many transactions.
    async fn write(&mut self, transactions: usize) {
        let mut writer = self.writer().await;
        for _ in 0..transactions {
            write_one(&mut writer, &mut self.random).await.unwrap();
        }
        writer.disconnect().await.unwrap();
    }

    /// Reads on to the present, and compares.
    async fn check(&mut self) {
        let target = self.source.position().await.unwrap();
        self.stream.settle(&target).await.unwrap();
        let mut writer = self.writer().await;
        assert_eq!(rebuild(self.stream.rows()), table(&mut writer).await, "{:?}", self.server.kind);
        writer.disconnect().await.unwrap();
    }
}

pub(super) async fn open(engine: &Engine) -> Stream {
    let request = Request { start: "current".to_owned(), ..Request::default() };
    Stream::open(engine, &request, &Marks::new()).await.unwrap()
}

async fn write_one(writer: &mut Conn, random: &mut fastrand::Rng) -> mysql_async::Result<()> {
    writer.query_drop("BEGIN").await?;
    for _ in 0..random.usize(1..6) {
        let (id, v) = (random.u32(0..50), random.u32(..));
        let statement = match random.u8(0..4) {
            0 => format!("DELETE FROM t WHERE id = {id}"),
            1 => format!("UPDATE t SET v = 'u{v}' WHERE id BETWEEN {id} AND {id} + 3"),
            _ => format!("REPLACE INTO t VALUES ({id}, 'i{v}')"),
        };
        writer.query_drop(statement).await?;
    }
    writer.query_drop(if random.u8(0..8) == 0 { "ROLLBACK" } else { "COMMIT" }).await
}

/// The table in the words of a stream.
async fn table(conn: &mut Conn) -> BTreeMap<String, String> {
    let rows: Vec<(u32, String)> = conn.query("SELECT id, v FROM ks.t").await.unwrap();
    rows.into_iter().map(|(id, v)| (format!("t {id}"), format!("{id} {v}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_be_killed_and_restarted() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, DURABLE).await;
        for at_once in [false, true, true] {
            followed.write(30).await;
            // The stream has not read all of it yet, and goes on trying all the while.
            let Followed { mut server, source, engine, mut stream, random } = followed;
            let restarted = tokio::task::spawn_blocking(move || {
                server.restart(at_once);
                server
            });
            let never: GtidSet = NEVER.parse().unwrap();
            let server = tokio::select! {
                server = restarted => server.unwrap(),
                ended = stream.settle(&never) => panic!("{kind:?}: {ended:?}"),
            };
            followed = Followed { server, source, engine, stream, random };
            followed.write(30).await;
            followed.check().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_that_is_killed_on_the_server_is_made_again() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        followed.write(10).await;
        followed.check().await;
        let mut writer = followed.writer().await;
        for _ in 0..3 {
            let find = "SELECT ID FROM information_schema.PROCESSLIST \
                        WHERE COMMAND LIKE 'Binlog Dump%'";
            let dumps: Vec<u64> = writer.query(find).await.unwrap();
            assert!(!dumps.is_empty());
            for id in dumps {
                // One that ended meanwhile cannot be killed.
                let _ = writer.query_drop(format!("KILL {id}")).await;
            }
            followed.write(10).await;
            followed.check().await;
        }
    }
}

/// Lets go of all but the newest file of the log; a server keeps what it may still need itself.
pub(super) async fn purge(writer: &mut Conn) {
    loop {
        let logs: Vec<mysql_async::Row> = writer.query("SHOW BINARY LOGS").await.unwrap();
        let names: Vec<String> = logs.iter().map(|row| row.get(0).unwrap()).collect();
        let newest = names.last().unwrap();
        if names.len() == 1 {
            return;
        }
        writer.query_drop(format!("PURGE BINARY LOGS TO '{newest}'")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Old files keep theirs: read anew, the log says the same in all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checksums_of_a_log_may_change() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &["--binlog-checksum=NONE"]).await;
        let begin = followed.source.position().await.unwrap();
        for checksum in ["NONE", "CRC32", "NONE"] {
            let set = format!("SET GLOBAL binlog_checksum = '{checksum}'");
            super::run(&followed.server, &[&set, "FLUSH LOGS"]).await;
            followed.write(20).await;
            followed.check().await;
        }
        let seen = followed.stream.rows().len();
        let marks = Marks::from([("begin".to_owned(), begin)]);
        let request = Request { start: "begin".to_owned(), ..Request::default() };
        // Another process, whose log in memory does not go back so far.
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&followed.source) as _);
        followed.stream = Stream::open(&engine, &request, &marks).await.unwrap();
        followed.check().await;
        assert_eq!(followed.stream.rows().len(), seen);
    }
}

/// Emptying a table changes no column, and what is drawn from a sequence is no row of a table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_change_the_shape_does_not_end_a_late_stream() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        let begin = followed.source.position().await.unwrap();
        let mut writer = followed.writer().await;
        writer.query_drop("INSERT INTO t VALUES (1, 'a')").await.unwrap();
        // The live stream knows the tables before there is a sequence.
        let inserted = followed.source.position().await.unwrap();
        followed.stream.settle(&inserted).await.unwrap();
        writer.query_drop("TRUNCATE t").await.unwrap();
        writer.query_drop("CREATE DATABASE other").await.unwrap();
        if kind == Kind::MariaDb {
            writer.query_drop("CREATE SEQUENCE s").await.unwrap();
            writer.query_drop("SELECT NEXTVAL(s)").await.unwrap();
        }
        writer.query_drop("INSERT INTO t VALUES (2, 'b')").await.unwrap();
        let request = Request { start: "begin".to_owned(), ..Request::default() };
        let marks = Marks::from([("begin".to_owned(), begin)]);
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&followed.source) as _);
        let mut late = Stream::open(&engine, &request, &marks).await.unwrap();
        let target = followed.source.position().await.unwrap();
        late.settle(&target).await.unwrap();
        let rows: Vec<_> = late.rows().iter().map(|row| row.line.as_str()).collect();
        assert_eq!(rows, ["t + 1 a", "t + 2 b"], "{kind:?}");
        followed.stream.settle(&target).await.unwrap();
    }
}

/// Streams that end with an error of the source.
async fn changes_error(source: &MysqlSource, position: &str) -> SourceError {
    let span = Span { start: position.parse().unwrap(), until: None };
    let mut changes = match source.changes(span, Scope::all()).await {
        Err(error) => return error,
        Ok(changes) => changes,
    };
    let first = async {
        loop {
            if let Err(error) = changes.next().await {
                return error;
            }
        }
    };
    tokio::time::timeout(PATIENCE, first)
        .await
        .unwrap_or_else(|_| panic!("{} is not refused", position))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_that_cannot_be_served_say_why() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        let before = followed.source.position().await.unwrap();
        followed.write(5).await;
        let mut writer = followed.writer().await;
        writer.query_drop("FLUSH BINARY LOGS").await.unwrap();
        let purged = followed.source.position().await.unwrap();
        followed.write(5).await;
        purge(&mut writer).await;
        match changes_error(&followed.source, &before.to_string()).await {
            SourceError::Purged { position, oldest } => {
                assert_eq!((position, oldest), (before, purged));
            }
            error => panic!("{kind:?}: {error}"),
        }
        let (future, foreign) = match kind {
            Kind::MySql => ("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9", "0-1-3"),
            Kind::MariaDb => ("0-1-99999999", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9"),
        };
        for position in [future, foreign] {
            let error = changes_error(&followed.source, position).await;
            assert!(matches!(error, SourceError::Future { .. }), "{kind:?}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_named() {
    for kind in KINDS {
        let mut server = start(kind, &[]);
        let make = [
            "CREATE DATABASE ks",
            "CREATE USER poor@'127.0.0.1'",
            "GRANT SELECT ON ks.* TO poor@'127.0.0.1'",
        ];
        super::run(&server, &make).await;
        server.user = "poor".to_owned();
        let poor = source(&server, "ks");
        let error = changes_error(&poor, "").await;
        assert!(
            matches!(&error, SourceError::Privilege { privilege: "REPLICATION SLAVE", .. }),
            "{kind:?}: {error}"
        );
        assert!(error.to_string().contains("GRANT REPLICATION SLAVE ON *.* TO"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_in_place_of_rows_is_an_error_that_names_the_setting() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        let mut writer = followed.writer().await;
        writer.query_drop("SET SESSION binlog_format = 'STATEMENT'").await.unwrap();
        writer.query_drop("INSERT INTO t VALUES (1, 'a')").await.unwrap();
        let error = followed.stream.error().await;
        assert!(error.contains("SET GLOBAL binlog_format = 'ROW'"), "{kind:?}: {error}");
    }
}

/// Rows of an XA transaction come when it is committed, also if the dump breaks in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn xa_transactions_come_when_they_are_committed() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, DURABLE).await;
        let mut writer = followed.writer().await;
        let prepare = |id: u32| {
            [
                format!("XA START 'x{id}'"),
                format!("INSERT INTO t VALUES ({id}, 'xa')"),
                format!("XA END 'x{id}'"),
                format!("XA PREPARE 'x{id}'"),
            ]
        };
        // What the other writers lock ends here.
        writer.query_drop("INSERT INTO t VALUES (99, 'fence')").await.unwrap();
        for statement in prepare(100) {
            writer.query_drop(statement).await.unwrap();
        }
        drop(writer);
        followed.server.restart(true);
        let mut writer = followed.writer().await;
        for statement in prepare(101) {
            writer.query_drop(statement).await.unwrap();
        }
        writer.query_drop("XA ROLLBACK 'x101'").await.unwrap();
        followed.write(5).await;
        writer.query_drop("XA COMMIT 'x100'").await.unwrap();
        for statement in [
            "XA START 'x102'",
            "INSERT INTO t VALUES (102, 'xa')",
            "XA END 'x102'",
            "XA COMMIT 'x102' ONE PHASE",
        ] {
            writer.query_drop(statement).await.unwrap();
        }
        followed.check().await;
        let lines: Vec<_> = followed.stream.rows().iter().map(|row| row.line.as_str()).collect();
        assert!(lines.contains(&"t + 100 xa") && lines.contains(&"t + 102 xa"), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains(" 101 ")), "{lines:?}");
    }
}

/// A stream that lags behind a DDL is right if the log names the columns, and refuses otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ddl_that_a_stream_lags_behind_is_not_guessed_over() {
    for kind in KINDS {
        for metadata in ["FULL", if kind == Kind::MySql { "MINIMAL" } else { "NO_LOG" }] {
            let option = format!("--binlog-row-metadata={metadata}");
            let mut followed = Followed::start(kind, &[&option]).await;
            let begin = followed.source.position().await.unwrap();
            let mut writer = followed.writer().await;
            let mut target = begin.clone();
            for statement in [
                "INSERT INTO t VALUES (1, 'a')",
                "ALTER TABLE t CHANGE v w VARCHAR(20), ADD x VARCHAR(20) FIRST",
                "INSERT INTO t VALUES ('x', 2, 'b')",
            ] {
                writer.query_drop(statement).await.unwrap();
                // Whoever follows live meets each shape in its time.
                target = followed.source.position().await.unwrap();
                followed.stream.settle(&target).await.unwrap();
            }
            let request = Request { start: "begin".to_owned(), ..Request::default() };
            let marks = Marks::from([("begin".to_owned(), begin)]);
            // Another process, whose log in memory does not go back so far.
            let engine = stream::engine(EngineConfig::default(), Arc::clone(&followed.source) as _);
            let mut late = Stream::open(&engine, &request, &marks).await.unwrap();
            let shown = late.settle(&target).await;
            if metadata == "FULL" {
                let rows: Vec<_> = late.rows().iter().map(|row| row.line.clone()).collect();
                assert_eq!(rows, ["t + 1 a", "t + x 2 b"], "{kind:?}");
            } else {
                let error = shown.unwrap_err();
                assert!(error.contains("binlog_row_metadata = 'FULL'"), "{kind:?}: {error}");
            }
        }
    }
}

/// All streams of a server share one dump.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_are_one_dump() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        let mut streams = Vec::new();
        for _ in 0..100 {
            streams.push(open(&followed.engine).await);
        }
        followed.write(20).await;
        let target: GtidSet = followed.source.position().await.unwrap();
        for stream in &mut streams {
            stream.settle(&target).await.unwrap();
        }
        let mut writer = followed.writer().await;
        let count = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                     WHERE COMMAND LIKE 'Binlog Dump%'";
        // A server forgets a dump that ended at its next heartbeat.
        let one = async {
            while writer.query_first(count).await.unwrap() != Some(1) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, one).await.unwrap_or_else(|_| panic!("{kind:?}"));
    }
}

/// A proxy in front of a server, whose connections can be frozen: they stay, and nothing moves.
struct Proxy {
    address: std::net::SocketAddr,
    frozen: tokio::sync::watch::Sender<u64>,
}

impl Proxy {
    async fn start(server: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (frozen, freezes) = tokio::sync::watch::channel(0);
        telemetry::spawn("proxy", async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = tokio::net::TcpStream::connect(&server).await.unwrap();
                let mut freezes = freezes.clone();
                freezes.mark_unchanged();
                telemetry::spawn("proxied connection", async move {
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = freezes.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, frozen }
    }

    /// Freezes the connections that there are; new ones work.
    fn freeze(&self) {
        self.frozen.send_modify(|freezes| *freezes += 1);
    }
}

/// A network that swallows everything is noticed by the heartbeats that do not come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_network_is_noticed() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        let proxy = Proxy::start(followed.server.address()).await;
        let url = format!("mysql://root@{}/ks", proxy.address);
        let budget = Arc::new(Budget::new(9));
        let proxied = Server::new("proxied-1", ServerUrl::parse(&url).unwrap(), budget);
        let source = Arc::new(MysqlSource::new(proxied, "ks"));
        followed.engine = stream::engine(EngineConfig::default(), source);
        followed.stream = open(&followed.engine).await;
        followed.write(10).await;
        followed.check().await;
        proxy.freeze();
        followed.write(10).await;
        followed.check().await;
    }
}

/// Another server of the shard that commits in another order takes over where the first one was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_without_a_gap() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, DURABLE).await;
        let (options, replicate, start): (&[&str], _, _) = match kind {
            Kind::MySql => (
                &[
                    "--server-id=2",
                    "--replica-preserve-commit-order=OFF",
                    "--replica-parallel-workers=4",
                ],
                "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_USER = 'root', \
                 SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_PORT = ",
                "START REPLICA",
            ),
            Kind::MariaDb => (
                &["--server-id=2", "--log-slave-updates", "--slave-parallel-threads=4"],
                "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_USER = 'root', \
                 MASTER_USE_GTID = slave_pos, MASTER_PORT = ",
                "START SLAVE",
            ),
        };
        let replica = real::start(kind, options);
        let replicate = format!("{replicate}{}", followed.server.port);
        super::run(&replica, &[&replicate, start]).await;
        let second = Arc::new(source(&replica, "ks"));
        let tablet = |name: &str, source: Arc<MysqlSource>| Tablet {
            name: name.into(),
            tablet_type: TabletType::Primary,
            source,
        };
        let tablets = vec![
            tablet("first", Arc::clone(&followed.source)),
            tablet("second", Arc::clone(&second)),
        ];
        let shard = ShardSources { shard: ShardName::new("ks", "0"), tablets };
        followed.engine = Engine::new(EngineConfig::default(), vec![shard]);
        followed.stream = open(&followed.engine).await;
        let writers: Vec<_> = (0..4).map(|_| followed.writer()).collect();
        let mut running = Vec::new();
        for (seed, writer) in writers.into_iter().enumerate() {
            let mut writer = writer.await;
            running.push(telemetry::spawn("writer", async move {
                let mut random = fastrand::Rng::with_seed(seed as u64);
                for _ in 0..50 {
                    // Writers may deadlock; then one of them is rolled back.
                    if write_one(&mut writer, &mut random).await.is_err() {
                        writer.query_drop("ROLLBACK").await.unwrap();
                    }
                }
            }));
        }
        for writer in running {
            writer.await.unwrap();
        }
        let written = followed.source.position().await.unwrap();
        let caught_up = async {
            while !second.position().await.unwrap().contains_set(&written) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, caught_up).await.expect("the replica catches up");
        // The stream has read none of it, or all, or something in between.
        followed.server = replica;
        followed.source = second;
        followed.write(20).await;
        followed.check().await;
    }
}

/// The server's own program sees the same changes of rows in the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_own_program_sees_the_same_changes() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, &[]).await;
        followed.write(200).await;
        followed.check().await;
        let program = match kind {
            Kind::MySql => "mysqlbinlog",
            Kind::MariaDb => "mariadb-binlog",
        };
        let port = followed.server.port.to_string();
        let said = std::process::Command::new(real::client(kind).with_file_name(program))
            .args([
                "--no-defaults",
                "--read-from-remote-server",
                "-vv",
                "--base64-output=decode-rows",
            ])
            .args(["-h127.0.0.1", "-uroot", "-P", &port, "binlog.000001"])
            .output()
            .unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let text = String::from_utf8_lossy(&said.stdout);
        let table = "`ks`.`t`";
        let verbs = text.lines().filter_map(|line| line.strip_prefix("### "));
        let theirs: Vec<_> = verbs
            .filter_map(|line| match line.strip_suffix(table)? {
                "INSERT INTO " => Some("+"),
                "UPDATE " => Some("*"),
                "DELETE FROM " => Some("-"),
                _ => None,
            })
            .collect();
        let rows = followed.stream.rows();
        let ours: Vec<_> = rows.iter().map(|row| &row.line["t ".len()..][..1]).collect();
        assert!(theirs.len() > 200 && theirs == ours, "{kind:?}: {theirs:?} {ours:?}");
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
/// What no server has executed.
const NEVER: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1";
