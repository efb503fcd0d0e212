//! How statements end before their time: by KILL, with their client, with their server.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use vstreamd::telemetry;

use super::super::served::configure;
use super::{Passed, USERS, code, direct};
use crate::harness::real::{Kind, Server, mariadb, mysql, start};
use crate::harness::vstreamd::Vstreamd;

/// Waits until the server runs so many statements that sleep.
async fn wait_for_sleepers(server: &Server, expected: usize) -> Duration {
    let mut watcher = Conn::from_url(server.url("mysql")).await.unwrap();
    let began = Instant::now();
    loop {
        let query = "SELECT COUNT(*) FROM information_schema.processlist \
                     WHERE info LIKE 'SELECT SLEEP(6%'";
        let found: Option<usize> = watcher.query_first(query).await.unwrap();
        if found == Some(expected) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{found:?} are asleep");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_kill_reaches_the_server() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = &start(kind, &[]);
        let passed = Passed::before(server, "passed_kills").await;
        let mut killer = passed.connect().await;
        let mut victim = passed.connect().await;
        victim.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        victim.query_drop("BEGIN").await.unwrap();
        victim.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        for round in 0..3 {
            let id = victim.id();
            let sleep = telemetry::spawn("a client", async move {
                let slept = victim.query_drop("SELECT SLEEP(60) FROM DUAL WHERE 1 = 1").await;
                (victim, slept)
            });
            wait_for_sleepers(server, 1).await;
            killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
            let ended = wait_for_sleepers(server, 0).await;
            assert!(ended < Duration::from_secs(1), "{kind:?} {round}: {ended:?}");
            let (back, slept) = sleep.await.unwrap();
            victim = back;
            // MySQL ends a SLEEP that is interrupted with 1, and the door says what happened.
            if let Err(error) = slept {
                assert_eq!(code(&error), 1317, "{kind:?}");
            }
            // Nothing of the kill is left for the next statement, nor is the transaction gone.
            let found: Option<u32> = victim.query_first("SELECT id FROM t").await.unwrap();
            assert_eq!(found, Some(1), "{kind:?}");
        }
        victim.query_drop("COMMIT").await.unwrap();
        // A client that is gone, and one that is killed.
        for killed in [true, false] {
            let mut gone = passed.connect().await;
            let id = gone.id();
            let asleep =
                telemetry::spawn(
                    "a client",
                    async move { gone.query_drop("SELECT SLEEP(61)").await },
                );
            wait_for_sleepers(server, 1).await;
            if killed {
                killer.query_drop(format!("KILL {id}")).await.unwrap();
            } else {
                asleep.abort();
            }
            let ended = wait_for_sleepers(server, 0).await;
            assert!(ended < Duration::from_secs(1), "{kind:?} {killed}: {ended:?}");
        }
        drop((killer, victim));
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn a_kill_ends_no_transaction() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_locks").await;
        let mut killer = passed.connect().await;
        let mut victim = passed.connect().await;
        victim.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        victim.query_drop("CREATE TABLE locked (id INT PRIMARY KEY)").await.unwrap();
        victim.query_drop("BEGIN").await.unwrap();
        victim.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        // An ALTER TABLE that waits lets nobody in, not even to look at the columns.
        let mut reader = direct(server, "passed_locks").await;
        reader.query_drop("BEGIN").await.unwrap();
        reader.query_drop("SELECT * FROM locked").await.unwrap();
        let mut alterer = direct(server, "passed_locks").await;
        let altering = telemetry::spawn("an ALTER", async move {
            alterer.query_drop("ALTER TABLE locked ADD COLUMN x INT, ALGORITHM = COPY").await
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let id = victim.id();
        let waiting = telemetry::spawn("a client", async move {
            let prepared = victim.prep("SELECT * FROM locked").await.map(drop);
            (victim, prepared)
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished(), "{:?}", server.kind);
        killer.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        let (mut victim, prepared) = waiting.await.unwrap();
        assert_eq!(code(&prepared.unwrap_err()), 1317, "{:?}", server.kind);
        let found: Option<u32> = victim.query_first("SELECT id FROM t").await.unwrap();
        assert_eq!(found, Some(1), "{:?}", server.kind);
        reader.query_drop("COMMIT").await.unwrap();
        altering.await.unwrap().unwrap();
        drop((killer, victim, reader));
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn who_waits_for_a_connection_can_be_killed() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::start(server, "passed_budget", USERS, "connections_max = 5\n").await;
        let mut first = passed.connect().await;
        // The look at the server at the start may still have one of them.
        first.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        let mut other = passed.connect().await;
        other.query_drop("SELECT * FROM t").await.unwrap();
        let mut second = passed.connect().await;
        let id = second.id();
        let waiting = telemetry::spawn("a client", async move {
            let read = second.query_drop("SELECT * FROM t").await;
            (second, read)
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished());
        let shown: Vec<Row> = first.query("SHOW PROCESSLIST").await.unwrap();
        let states: Vec<Option<String>> =
            shown.iter().map(|row| row.get("State").unwrap()).collect();
        let waits = Some("waiting for a connection to the server".to_owned());
        assert!(states.contains(&waits), "{states:?}");
        first.query_drop(format!("KILL QUERY {id}")).await.unwrap();
        let (mut second, read) = waiting.await.unwrap();
        assert_eq!(code(&read.unwrap_err()), 1317);
        // Needs no connection.
        second.query_drop("SELECT @@version, DATABASE()").await.unwrap();
        // A connection that is busy is ended over another one, whatever the budget.
        first.query_drop("BEGIN").await.unwrap();
        let id = first.id();
        let asleep =
            telemetry::spawn("a client", async move { first.query_drop("SELECT SLEEP(30)").await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        second.query_drop(format!("KILL {id}")).await.unwrap();
        second.query_drop("SELECT * FROM t").await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3));
        let _ = asleep.await;
        drop((second, other));
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_told_of_once() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let mut server = start(kind, &[]);
        let mut passed = Passed::before(&server, "passed_restart").await;
        passed.vstreamd.announce("a source");
        passed.vstreamd.announce("reading");
        let mut conn = passed.connect().await;
        let mut idle = passed.connect().await;
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        idle.query_drop("SELECT * FROM t").await.unwrap();
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        server.restart(true);
        let error = conn.query_drop("SELECT * FROM t").await.unwrap_err();
        assert_eq!(code(&error), 2013, "{kind:?}: {error}");
        assert!(error.to_string().contains("transaction"), "{error}");
        let ids: Vec<u32> = conn.query("SELECT id FROM t").await.unwrap();
        assert!(ids.is_empty());
        assert_eq!(code(&idle.query_drop("SELECT * FROM t").await.unwrap_err()), 2013);
        idle.query_drop("SELECT * FROM t").await.unwrap();
        // In the middle of a result, too.
        for id in 2..=64 {
            conn.exec_drop("INSERT INTO t VALUES (?)", (id,)).await.unwrap();
        }
        let large = "SELECT REPEAT('x', 1 << 20) FROM t";
        let mut result = conn.query_iter(large).await.unwrap();
        assert!(result.next().await.unwrap().is_some());
        server.restart(true);
        let error = loop {
            match result.next().await {
                Ok(row) => assert!(row.is_some(), "{kind:?}: no end is said to be one"),
                Err(error) => break error,
            }
        };
        assert_eq!(code(&error), 2013, "{kind:?}: {error}");
        drop(result);
        conn.query_drop("SELECT * FROM t").await.unwrap();
        drop((conn, idle));
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn a_server_that_stops_behind_the_login_is_not_waited_for() {
    let stuck_at = async |last: &'static str| {
        let directory = tempfile::tempdir().unwrap();
        let address = way_that_ends_at(mysql().address(), last).await;
        let url = format!("mysql://root@{address}/mysql?ssl-mode=DISABLED");
        let config = configure(directory.path(), &[("stuck", url)]);
        let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
        let mut conn = vstreamd.connect().await;
        conn.query_drop("SET @a = 1").await.unwrap();
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop("USE stuck").await.unwrap();
        let asked = conn.query_drop("SELECT @a FROM user");
        let asked = tokio::time::timeout(Duration::from_secs(30), asked).await;
        let error = asked.expect(last).unwrap_err();
        assert_eq!(code(&error), 1429, "{last}: {error}");
        conn.query_drop("SELECT @@version").await.unwrap();
        drop(conn);
        assert!(vstreamd.stop().success());
    };
    tokio::join!(
        stuck_at("character_set_client"),
        stuck_at("collation_connection"),
        stuck_at("SET @`a`"),
        stuck_at("BEGIN"),
    );
}

/// The way to a server, on which nothing moves once a client says this.
async fn way_that_ends_at(server: String, last: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    telemetry::spawn("a way to a server", async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&server).await.unwrap();
            telemetry::spawn("one connection", async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                let there = async {
                    let mut bytes = vec![0; 1 << 16];
                    loop {
                        let count = from_client.read(&mut bytes).await.unwrap_or(0);
                        let said = &bytes[..count];
                        if String::from_utf8_lossy(said).contains(last) {
                            std::future::pending::<()>().await;
                        }
                        if count == 0 || to_server.write_all(said).await.is_err() {
                            return;
                        }
                    }
                };
                let back = async {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                };
                tokio::join!(there, back);
            });
        }
    });
    address
}
