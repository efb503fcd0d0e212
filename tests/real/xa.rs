//! XA transactions that were prepared before a stream began.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::engine::EngineConfig;
use vstreamd::event::Event;
use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};
use vstreamd::source::{Scope, Source, Span};

use super::follow::{Followed, KINDS, open, purge};
use crate::harness::stream::{self, Marks, Stream};
use crate::harness::trace::Request;

const PREPARE: &[&str] =
    &["XA START 'x'", "INSERT INTO t VALUES (1, 'prepared')", "XA END 'x'", "XA PREPARE 'x'"];

const STEPS: &str = "CREATE PROCEDURE steps(step INT) BEGIN \
     DECLARE i INT DEFAULT 0; \
     WHILE i < 250 DO INSERT INTO steps VALUES (1000 * step + i); SET i = i + 1; END WHILE; \
     END";

async fn run(conn: &mut Conn, statements: &[&str]) {
    for statement in statements {
        let done = conn.query_drop(*statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// The stream begins at `current`, which holds the GTID of what is prepared on both families.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_prepared_before_a_stream_comes_with_its_commit() {
    for kind in KINDS {
        let followed = Followed::start(kind, &[]).await;
        let mut writer = followed.writer().await;
        // The name is another transaction's first.
        run(
            &mut writer,
            &[
                "CREATE DATABASE other",
                "CREATE TABLE other.t (id INT PRIMARY KEY)",
                "XA START 'x'",
                "INSERT INTO t VALUES (1, 'earlier')",
                "XA END 'x'",
                "XA PREPARE 'x'",
                "XA COMMIT 'x'",
                "XA START 'x'",
                "INSERT INTO t VALUES (2, 'found')",
                "UPDATE t SET v = 'changed' WHERE id = 1",
                "XA END 'x'",
                "XA PREPARE 'x'",
            ],
        )
        .await;
        let mut second = followed.writer().await;
        run(
            &mut second,
            &["XA START 'y'", "INSERT INTO other.t VALUES (9)", "XA END 'y'", "XA PREPARE 'y'"],
        )
        .await;
        let mut third = followed.writer().await;
        let between = "INSERT INTO t VALUES (3, 'between')";
        run(&mut third, &["FLUSH BINARY LOGS", between]).await;
        // Farther back than the first steps of the search reach: transactions of MySQL, files of
        // MariaDB.
        run(&mut third, &["CREATE TABLE steps (id INT PRIMARY KEY)", STEPS]).await;
        for step in 0..5 {
            run(&mut third, &[&format!("CALL steps({step})"), "FLUSH BINARY LOGS"]).await;
        }
        let engine = stream::engine(EngineConfig::default(), followed.source.clone() as _);
        let mut begun = open(&engine).await;
        run(&mut third, &["INSERT INTO t VALUES (4, 'after')"]).await;
        run(&mut second, &["XA COMMIT 'y'"]).await;
        run(&mut writer, &["XA COMMIT 'x'"]).await;
        run(&mut third, &["INSERT INTO t VALUES (5, 'last')"]).await;
        let target = followed.source.position().await.unwrap();
        begun.settle(&target).await.unwrap();
        let rows: Vec<_> = begun.rows().iter().map(|row| row.line.as_str()).collect();
        let expected = ["t + 4 after", "t + 2 found", "t * 1 earlier -> 1 changed", "t + 5 last"];
        assert_eq!(rows, expected, "{kind:?}");
    }
}

/// The server has begun another file of its log since the commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_prepared_and_committed_in_older_files_is_found_at_once() {
    for kind in KINDS {
        let followed = Followed::start(kind, &[]).await;
        let mut writer = followed.writer().await;
        run(&mut writer, PREPARE).await;
        let marks = Marks::from([("P".to_owned(), followed.source.position().await.unwrap())]);
        run(
            &mut writer,
            &["XA COMMIT 'x'", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'last')"],
        )
        .await;
        let engine = stream::engine(EngineConfig::default(), followed.source.clone() as _);
        let request = Request { start: "P".to_owned(), ..Request::default() };
        let mut begun = Stream::open(&engine, &request, &marks).await.unwrap();
        let target = followed.source.position().await.unwrap();
        begun.settle(&target).await.unwrap();
        let rows: Vec<_> = begun.rows().iter().map(|row| row.line.as_str()).collect();
        assert_eq!(rows, ["t + 1 prepared", "t + 2 last"], "{kind:?}");
    }
}

/// The one connection that there may be reads the changes, so that a search waits for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_a_commit_does_not_wait_for_the_search() {
    for kind in KINDS {
        let followed = Followed::start(kind, &[]).await;
        let mut writer = followed.writer().await;
        run(&mut writer, PREPARE).await;
        let start = followed.source.position().await.unwrap();
        let mut second = followed.writer().await;
        run(&mut second, &["CREATE TABLE u (id INT PRIMARY KEY)"]).await;
        run(&mut writer, &["XA COMMIT 'x'"]).await;
        let url = format!("mysql://root@{}/ks", followed.server.address());
        let budget = Arc::new(Budget::new(1));
        let server = Server::new("narrow-1", ServerUrl::parse(&url).unwrap(), budget);
        let source = MysqlSource::new(server, "ks");
        let span = Span { start, until: None };
        let mut changes = source.changes(span, Scope::all()).await.unwrap();
        let read = async {
            loop {
                let events = changes.next().await.unwrap().unwrap();
                if events.iter().any(|event| matches!(event, Event::Ddl(_))) {
                    return;
                }
            }
        };
        let read = tokio::time::timeout(Duration::from_secs(30), read).await;
        assert!(read.is_ok(), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_prepare_was_purged_is_an_error() {
    for kind in KINDS {
        let followed = Followed::start(kind, &[]).await;
        let mut writer = followed.writer().await;
        run(
            &mut writer,
            &["XA START 'x'", "INSERT INTO t VALUES (1, 'lost')", "XA END 'x'", "XA PREPARE 'x'"],
        )
        .await;
        let mut second = followed.writer().await;
        run(&mut second, &["FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'kept')"]).await;
        purge(&mut second).await;
        let engine = stream::engine(EngineConfig::default(), followed.source.clone() as _);
        let mut begun = open(&engine).await;
        run(&mut writer, &["XA COMMIT 'x'"]).await;
        let error = begun.error().await;
        assert!(
            error.contains("commits XA transaction x'78',x'',1, which was"),
            "{kind:?}: {error}"
        );
    }
}
