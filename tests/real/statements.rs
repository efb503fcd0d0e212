//! What stands in a real server's log besides the rows of the tables that a stream wants: none of it
//! may end the stream, and what it wants is never passed over.

use mysql_async::prelude::Queryable;
use vstreamd::engine::EngineConfig;
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
