//! Transactions between vstreamd and a server: who knows of one, and how it was begun.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use tempfile::TempDir;

use super::super::run;
use super::super::served::{configure, url};
use super::{Passed, USERS, code, direct};
use crate::harness::real::{Server, mariadb, mysql};
use crate::harness::vstreamd::Vstreamd;

#[tokio::test]
async fn what_is_begun_before_there_is_a_server_is_begun_there_the_same_way() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_early").await;
        let mut other = direct(server, "passed_early").await;
        other.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        let begin: [&[&str]; 4] = [
            &["START TRANSACTION READ ONLY"],
            &["SET TRANSACTION READ ONLY", "BEGIN"],
            &["SET TRANSACTION READ ONLY"],
            &["SET TRANSACTION READ ONLY", "SET @a = 1", "START TRANSACTION"],
        ];
        for statements in begin {
            let mut conn = passed.connect_without_database().await;
            for statement in statements {
                conn.query_drop(*statement).await.unwrap();
            }
            conn.query_drop("USE passed_early").await.unwrap();
            let refused = conn.query_drop("INSERT INTO t VALUES (1)").await.unwrap_err();
            assert_eq!(code(&refused), 1792, "{:?}: {statements:?}", server.kind);
            conn.query_drop("COMMIT").await.unwrap();
            conn.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
            conn.query_drop("DELETE FROM t").await.unwrap();
        }
        // What has ended is not begun again.
        let mut conn = passed.connect_without_database().await;
        for statement in ["SET TRANSACTION READ ONLY", "BEGIN", "ROLLBACK", "USE passed_early"] {
            conn.query_drop(statement).await.unwrap();
        }
        conn.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        let seen = async |begin: &str| -> Option<u32> {
            let mut conn = passed.connect_without_database().await;
            conn.query_drop(begin).await.unwrap();
            conn.query_drop("USE passed_early").await.unwrap();
            conn.query_drop("SELECT SLEEP(0)").await.unwrap();
            let mut other = direct(server, "passed_early").await;
            other.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
            let found = conn.query_first("SELECT COUNT(*) FROM t").await.unwrap();
            other.query_drop("DELETE FROM t WHERE id = 2").await.unwrap();
            found
        };
        assert_eq!(seen("START TRANSACTION WITH CONSISTENT SNAPSHOT").await, Some(1));
        assert_eq!(seen("BEGIN").await, Some(2));
        drop((conn, other));
        assert!(passed.vstreamd.stop().success());
    }
}

/// A vstreamd that serves two databases of a server, each with a table, and a client of the first.
async fn over_two(server: &Server, databases: [&str; 2]) -> (Vstreamd, TempDir, Conn) {
    for database in databases {
        let [drop, create, table] = [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
            format!("CREATE TABLE {database}.t (id INT PRIMARY KEY, v INT)"),
        ];
        let rows = format!("INSERT INTO {database}.t VALUES (1, 0), (2, 0), (3, 0), (4, 0)");
        run(server, &[&drop, &create, &table, &rows]).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let keyspaces = databases.map(|name| (name, url(server, name)));
    let config = configure(directory.path(), &keyspaces);
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}{USERS}")).unwrap();
    let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
    let options = OptsBuilder::default()
        .ip_or_hostname(vstreamd.address.ip().to_string())
        .tcp_port(vstreamd.address.port())
        .user(Some("app"))
        .pass(Some("secret"))
        .db_name(Some(databases[0]))
        .prefer_socket(false);
    let conn = Conn::new(options).await.unwrap();
    (vstreamd, directory, conn)
}

#[tokio::test]
async fn the_next_transaction_is_as_was_said_in_whatever_keyspace() {
    for server in [mysql(), mariadb()] {
        let databases = ["passed_next_a", "passed_next_b"];
        let (vstreamd, _directory, mut conn) = over_two(server, databases).await;
        let insert = "INSERT INTO t VALUES (9, 9)";
        for statement in ["SELECT * FROM t", "SET TRANSACTION READ ONLY", "USE passed_next_b"] {
            conn.query_drop(statement).await.unwrap();
        }
        let refused = conn.query_drop(insert).await.unwrap_err();
        assert_eq!(code(&refused), 1792, "{:?}", server.kind);
        conn.query_drop("COMMIT").await.unwrap();
        // It is one transaction that is so, and no other.
        for statement in ["SET TRANSACTION READ ONLY", "SELECT * FROM t", "USE passed_next_a"] {
            conn.query_drop(statement).await.unwrap();
        }
        conn.query_drop(insert).await.unwrap();
        drop(conn);
        assert!(vstreamd.stop().success());
    }
}

#[tokio::test]
async fn a_deadlock_ends_the_transaction() {
    for server in [mysql(), mariadb()] {
        let databases = ["passed_dead_a", "passed_dead_b"];
        let (vstreamd, _directory, mut conn) = over_two(server, databases).await;
        let mut other = direct(server, "passed_dead_a").await;
        conn.query_drop("BEGIN").await.unwrap();
        conn.query_drop("UPDATE t SET v = 1 WHERE id = 1").await.unwrap();
        other.query_drop("BEGIN").await.unwrap();
        // Who has changed less is the one to end.
        other.query_drop("UPDATE t SET v = 1 WHERE id > 1").await.unwrap();
        let (dead, survived) = tokio::join!(
            conn.query_drop("UPDATE t SET v = 2 WHERE id = 2"),
            other.query_drop("UPDATE t SET v = 2 WHERE id = 1"),
        );
        survived.unwrap();
        assert_eq!(code(&dead.unwrap_err()), 1213, "{:?}", server.kind);
        conn.query_drop("USE passed_dead_b").await.unwrap();
        conn.query_drop("SELECT * FROM t").await.unwrap();
        drop((conn, other));
        assert!(vstreamd.stop().success());
    }
}
