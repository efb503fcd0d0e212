//! What stands in a real server's log besides the rows of the tables that a stream wants: none of it
//! may end the stream, and what it wants is never passed over.

use mysql_async::prelude::Queryable;
use vstreamd::engine::{Engine, EngineConfig};
use vstreamd::event::GtidSet;
use vstreamd::source::Source;

use super::follow::{Followed, KINDS};
use crate::harness::real::Kind;
use crate::harness::stream::{self, Marks, Stream};
use crate::harness::trace::Request;

/// The rows' columns are not named in the log.
fn minimal(kind: Kind) -> &'static str {
    match kind {
        Kind::MySql => "--binlog-row-metadata=MINIMAL",
        Kind::MariaDb => "--binlog-row-metadata=NO_LOG",
    }
}

/// Streams by these rules from a place before some statements, by a reading of their own: what
/// each has shown behind them, or its error.
struct Late<'a> {
    followed: &'a Followed,
    begin: GtidSet,
    end: GtidSet,
}

impl<'a> Late<'a> {
    async fn after(followed: &'a Followed, statements: &[&str]) -> Self {
        let begin = followed.source.position().await.unwrap();
        let mut writer = followed.writer().await;
        for statement in statements {
            let done = writer.query_drop(*statement).await;
            done.unwrap_or_else(|error| panic!("{:?}: {statement}: {error}", followed.server.kind));
        }
        let end = followed.source.position().await.unwrap();
        Self { followed, begin, end }
    }

    async fn shows(&self, rule: &str) -> Result<Vec<String>, String> {
        let engine = stream::engine(EngineConfig::default(), self.followed.source.clone() as _);
        let rules = vec![(rule.to_owned(), String::new())];
        let request = Request { start: "begin".to_owned(), rules, ..Request::default() };
        let marks = Marks::from([("begin".to_owned(), self.begin.clone())]);
        let mut late = Stream::open(&engine, &request, &marks).await?;
        let lines = late.settle(&self.end).await?;
        let told = |line: &String| !["BEGIN", "VGTID", "COMMIT", "OTHER"].contains(&line.as_str());
        Ok(lines.into_iter().filter(|line| told(line) && !line.starts_with("FIELD")).collect())
    }

    async fn check(&self, rule: &str, expected: &[&str]) {
        let kind = self.followed.server.kind;
        assert_eq!(
            self.shows(rule).await,
            Ok(expected.iter().map(ToString::to_string).collect()),
            "{kind:?}: {rule}"
        );
    }

    async fn check_refused(&self, rule: &str, words: &[&str]) {
        let error = self.shows(rule).await.unwrap_err();
        let kind = self.followed.server.kind;
        assert!(words.iter().all(|word| error.contains(word)), "{kind:?}: {rule}: {error}");
    }
}

/// A table that is gone again, so that nobody can tell its columns, concerns only those who want it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_nobody_wants_is_not_looked_at() {
    for kind in KINDS {
        let followed = Followed::start(kind, &[minimal(kind)]).await;
        let late = Late::after(
            &followed,
            &[
                "CREATE TABLE gone (id INT PRIMARY KEY)",
                "INSERT INTO gone VALUES (1)",
                "DROP TABLE gone",
                "CREATE TABLE _t_old (id INT PRIMARY KEY)",
                "INSERT INTO _t_old VALUES (1)",
                "DROP TABLE _t_old",
                "INSERT INTO t VALUES (1, 'a')",
            ],
        )
        .await;
        late.check("t", &["t + 1 a"]).await;
        late.check("/^t/", &["t + 1 a"]).await;
        late.check("/t/", &["t + 1 a"]).await;
        late.check_refused("/.*/", &["ks.gone", "binlog_row_metadata = 'FULL'"]).await;
        let late = Late::after(
            &followed,
            &[
                "CREATE TABLE _t_old (id INT PRIMARY KEY)",
                "INSERT INTO _t_old VALUES (1)",
                "DROP TABLE _t_old",
                "INSERT INTO t VALUES (2, 'b')",
            ],
        )
        .await;
        late.check("/.*/", &["t + 2 b"]).await;
    }
}

/// A stream by one rule from now on.
async fn follow(engine: &Engine, rule: &str) -> Stream {
    let rules = vec![(rule.to_owned(), String::new())];
    let request = Request { start: "current".to_owned(), rules, ..Request::default() };
    Stream::open(engine, &request, &Marks::new()).await.unwrap()
}

/// Both streams and the one after them read one tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_be_decoded_end_the_streams_of_their_table_alone() {
    let mysql = (
        Kind::MySql,
        [
            "SET binlog_row_image = MINIMAL, binlog_row_value_options = PARTIAL_JSON",
            "CREATE TABLE bad (id INT PRIMARY KEY, v JSON)",
            r#"INSERT INTO bad VALUES (1, '{"a": "long enough to be changed in place"}')"#,
            "UPDATE bad SET v = JSON_SET(v, '$.a', 'x')",
        ],
        ["column v of ks.bad was logged as a change", "begin at a position with"],
        "INSERT INTO bad VALUES (2, '{}')",
        "bad + 2 {}",
    );
    let mariadb = (
        Kind::MariaDb,
        [
            "SET GLOBAL mysql56_temporal_format = OFF",
            "CREATE TABLE bad (id INT PRIMARY KEY, v TIME(3))",
            "INSERT INTO bad VALUES (1, '10:00:00.5')",
            "SET GLOBAL mysql56_temporal_format = ON",
        ],
        ["the rows of ks.bad", "ALTER TABLE `bad` FORCE"],
        "ALTER TABLE bad FORCE; INSERT INTO bad VALUES (2, '10:00:00.5')",
        "bad + 2 10:00:00.500",
    );
    for (kind, statements, words, mended, expected) in [mysql, mariadb] {
        let followed = Followed::start(kind, &[]).await;
        let engine = stream::engine(EngineConfig::default(), followed.source.clone() as _);
        let (mut other, mut bad) = (follow(&engine, "t").await, follow(&engine, "bad").await);
        let mut writer = followed.writer().await;
        for statement in statements {
            let done = writer.query_drop(statement).await;
            done.unwrap_or_else(|error| panic!("{kind:?}: {statement}: {error}"));
        }
        writer.query_drop("INSERT INTO t VALUES (1, 'a')").await.unwrap();
        let error = bad.error().await;
        assert!(words.iter().all(|word| error.contains(word)), "{kind:?}: {error}");
        let mut later = follow(&engine, "bad").await;
        for statement in mended.split("; ") {
            writer.query_drop(statement).await.unwrap();
        }
        let target = followed.source.position().await.unwrap();
        for (stream, expected) in [(&mut other, "t + 1 a"), (&mut later, expected)] {
            stream.settle(&target).await.unwrap();
            let rows: Vec<_> = stream.rows().iter().map(|row| row.line.as_str()).collect();
            assert_eq!(rows, [expected], "{kind:?}");
        }
    }
}

/// Each table that is made has all tables described anew; the log is not gone over anew with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_statements_about_tables_are_looked_for_once() {
    const TABLES: u64 = 30;
    for kind in KINDS {
        let followed = Followed::start(kind, &[minimal(kind)]).await;
        let mut statements = Vec::new();
        for n in 0..TABLES {
            statements.push(format!("CREATE TABLE t{n} (id INT PRIMARY KEY, v LONGTEXT)"));
            statements.push(format!("INSERT INTO t{n} VALUES (1, REPEAT('x', 100000))"));
        }
        let statements: Vec<_> = statements.iter().map(String::as_str).collect();
        let late = Late::after(&followed, &statements).await;
        let mut writer = followed.writer().await;
        let mut sent = async || {
            let query = "SHOW GLOBAL STATUS LIKE 'Bytes_sent'";
            let (_, sent): (String, u64) = writer.query_first(query).await.unwrap().unwrap();
            sent
        };
        let before = sent().await;
        let shown = late.shows("/^t[0-9]/").await.unwrap();
        assert_eq!(shown.len() as u64, 2 * TABLES, "{kind:?}");
        // The log goes out for the stream, and once more to look for statements.
        let times = (sent().await - before) / (TABLES * 100_000);
        assert!(times < 4, "{kind:?}: the log was sent {times} times");
    }
}

/// Without binlog_format = ROW the log holds statements in place of rows: those that cannot concern
/// the database are none of a stream's business, the others end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_in_place_of_rows_end_only_what_they_concern() {
    for kind in KINDS {
        let followed = Followed::start(kind, &["--log-bin-trust-function-creators=1"]).await;
        let mut set_up = vec![
            "CREATE DATABASE other",
            "CREATE TABLE other.x (id INT PRIMARY KEY)",
            "CREATE TABLE m (id INT PRIMARY KEY)",
            "CREATE FUNCTION other.f() RETURNS INT DETERMINISTIC \
             BEGIN INSERT INTO other.x VALUES (7); RETURN 1; END",
            "CREATE FUNCTION g() RETURNS INT DETERMINISTIC \
             BEGIN INSERT INTO t VALUES (7, 'g'); RETURN 1; END",
        ];
        Late::after(&followed, &set_up).await;
        set_up = vec![
            "SET SESSION binlog_format = 'STATEMENT'",
            "INSERT INTO other.x SELECT id FROM t",
            "INSERT INTO other.x VALUES (1), (2)",
            "USE other",
            "UPDATE x SET id = 3 WHERE id = 1",
            "DELETE FROM x ORDER BY id LIMIT 1",
            "DELETE FROM other.x",
            "SELECT f()",
            "CREATE TABLE y SELECT * FROM ks.t",
            "UPDATE x, y SET x.id = y.id",
            "USE ks",
            "INSERT INTO other.x VALUES (40)",
            "DELETE FROM `ks`.`m`",
            "SET SESSION binlog_format = 'ROW'",
            "INSERT INTO t VALUES (1, 'a')",
        ];
        let late = Late::after(&followed, &set_up).await;
        late.check("t", &["t + 1 a"]).await;
        late.check_refused("/.*/", &["logged as the statement DELETE"]).await;
        for statement in [
            "INSERT INTO m VALUES (5)",
            "SELECT g()",
            "UPDATE other.x, t SET t.v = 'x'",
            "CREATE TABLE t2 SELECT * FROM t",
        ] {
            let statements =
                ["SET SESSION binlog_format = 'STATEMENT'", statement, "DELETE FROM other.x"];
            let late = Late::after(&followed, &statements).await;
            let words = ["logged as the statement", "SET GLOBAL binlog_format = 'ROW'"];
            late.check_refused("/^t/", &words).await;
        }
    }
}

/// What a server writes when tables in memory are empty after it was restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_in_memory_are_emptied_by_a_restart() {
    for kind in KINDS {
        let mut followed = Followed::start(kind, super::follow::DURABLE).await;
        let made = "CREATE TABLE m (id INT PRIMARY KEY) ENGINE = MEMORY";
        Late::after(&followed, &[made, "INSERT INTO m VALUES (1)"]).await;
        followed.server.restart(false);
        let statements = ["INSERT INTO m VALUES (2)", "INSERT INTO t VALUES (1, 'a')"];
        let late = Late::after(&followed, &statements).await;
        late.check("t", &["t + 1 a"]).await;
        let shown = late.shows("/.*/").await.unwrap();
        let [emptied, rows @ ..] = shown.as_slice() else { panic!("{kind:?}: nothing") };
        assert!(emptied.starts_with("DDL TRUNCATE TABLE `ks`.`m`"), "{kind:?}: {emptied}");
        assert_eq!(rows, ["m + 2", "t + 1 a"], "{kind:?}");
    }
}

/// A table that is made from a query is told before its rows, and the one that it replaces is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_from_a_query_is_told_before_its_rows() {
    for kind in KINDS {
        for option in ["--binlog-row-metadata=FULL", minimal(kind)] {
            let mut followed = Followed::start(kind, &[option]).await;
            let replaces = kind == Kind::MariaDb;
            let again = match replaces {
                true => "CREATE OR REPLACE TABLE c SELECT id + 1 AS n FROM t",
                false => "UPDATE c SET id = 2",
            };
            let statements = [
                ("INSERT INTO t VALUES (1, 'a')", &["BEGIN", "t + 1 a", "VGTID", "COMMIT"][..]),
                (
                    "CREATE TABLE c SELECT * FROM t",
                    &["VGTID", "DDL CREATE TABLE `c`", "BEGIN", "c + 1 a", "VGTID", "COMMIT"],
                ),
                match replaces {
                    true => (
                        again,
                        &[
                            "VGTID",
                            "DDL CREATE OR REPLACE TABLE `c`",
                            "BEGIN",
                            "c + 2",
                            "VGTID",
                            "COMMIT",
                        ],
                    ),
                    false => (again, &["BEGIN", "c * 1 a -> 2 a", "VGTID", "COMMIT"]),
                },
                ("INSERT INTO t VALUES (2, 'b')", &["BEGIN", "t + 2 b", "VGTID", "COMMIT"]),
            ];
            let mut places = vec![followed.source.position().await.unwrap()];
            for (statement, expected) in statements {
                followed.writer().await.query_drop(statement).await.unwrap();
                let place = followed.source.position().await.unwrap();
                // Whoever follows live meets each shape in its time.
                let lines = followed.stream.settle(&place).await.unwrap();
                assert_eq!(told(lines), expected, "{kind:?}: {option}: {statement}");
                places.push(place);
            }
            if option == minimal(kind) {
                continue;
            }
            for (index, place) in places.iter().enumerate() {
                let request = Request { start: "place".to_owned(), ..Request::default() };
                let marks = Marks::from([("place".to_owned(), place.clone())]);
                let engine = stream::engine(EngineConfig::default(), followed.source.clone() as _);
                let mut late = Stream::open(&engine, &request, &marks).await.unwrap();
                let lines = late.settle(places.last().unwrap()).await.unwrap();
                let rest = statements.iter().skip(index).flat_map(|(_, lines)| *lines);
                assert!(told(lines).iter().eq(rest), "{kind:?}: from {index}");
            }
        }
    }
}

/// What a stream has shown but for the columns of tables.
fn told(lines: Vec<String>) -> Vec<String> {
    let lines = lines.iter().filter(|line| !line.starts_with("FIELD"));
    lines.map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}
