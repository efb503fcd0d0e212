//! What may be asked: by whom, and by which names.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::super::run;
use super::super::served::{configure, url};
use super::{Passed, code};
use crate::harness::real::{Kind, mariadb, mysql};
use crate::harness::vstreamd::Vstreamd;

/// Statements that may change something, or show what is nobody's data.
const REFUSED: &[&str] = &[
    "INSERT INTO t VALUES (2)",
    "UPDATE t SET id = 3",
    "DELETE FROM t",
    "REPLACE INTO t VALUES (1)",
    "CREATE TABLE u (id INT)",
    "DROP TABLE t",
    "TRUNCATE TABLE t",
    "CALL p()",
    "DO SLEEP(0)",
    "START TRANSACTION READ WRITE",
    "SELECT * FROM t INTO OUTFILE 'x'",
    "LOCK TABLES t WRITE",
    "GRANT ALL ON *.* TO root@localhost",
    "LOAD DATA INFILE 'x' INTO TABLE t",
    "HANDLER t OPEN",
    "SET STATEMENT tx_read_only = 0 FOR DELETE FROM t",
    "PREPARE a FROM 'DELETE FROM t'",
    "FLUSH TABLES",
    "SELECT LOAD_FILE('/etc/hostname')",
    "SET @a = LOAD_FILE('/etc/hostname')",
    "SHOW PLUGINS WHERE LOAD_FILE('/etc/hostname') > ''",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SELECT GET_LOCK('a', 0)",
    "SHOW CREATE USER CURRENT_USER()",
    "SHOW BINLOG EVENTS LIMIT 1",
];

#[tokio::test]
async fn without_users_nothing_can_be_changed() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::start(server, "passed_read_only", "", "").await;
        run(
            server,
            &[
                "CREATE TABLE passed_read_only.t (id INT PRIMARY KEY)",
                "INSERT INTO passed_read_only.t VALUES (1)",
                "CREATE PROCEDURE passed_read_only.p() DELETE FROM passed_read_only.t",
            ],
        )
        .await;
        if server.kind == Kind::MariaDb {
            run(server, &["CREATE SEQUENCE passed_read_only.s"]).await;
        }
        let mut conn = passed.connect().await;
        for &statement in REFUSED {
            let error = conn.query_drop(statement).await.unwrap_err();
            assert_eq!(code(&error), 1290, "{:?}: {statement}: {error}", server.kind);
            if !statement.starts_with("SET S") {
                let error = conn.exec_drop(statement, ()).await.unwrap_err();
                assert_eq!(code(&error), 1290, "{:?}: {statement}: {error}", server.kind);
            }
        }
        // The server does not let anything through either, whatever the session says.
        conn.query_drop("SET SESSION TRANSACTION READ WRITE").await.unwrap();
        let hidden: &[&str] = match server.kind {
            Kind::MySql => &[
                "WITH a AS (SELECT 1 AS id) DELETE t FROM t JOIN a USING (id)",
                "EXPLAIN ANALYZE DELETE t FROM t JOIN t u USING (id)",
            ],
            Kind::MariaDb => &["SELECT NEXTVAL(s)"],
        };
        for statement in hidden {
            let error = conn.query_drop(*statement).await.unwrap_err();
            assert_eq!(code(&error), 1792, "{statement}: {error}");
        }
        conn.query_drop("BEGIN").await.unwrap();
        let ids: Vec<u32> = conn.query("SELECT id FROM t").await.unwrap();
        assert_eq!(ids, [1]);
        conn.query_drop("COMMIT").await.unwrap();
        // Nor in a transaction that was begun before there was a server.
        let mut early = passed.vstreamd.connect().await;
        early.query_drop("BEGIN").await.unwrap();
        early.query_drop(format!("USE {}", passed.database)).await.unwrap();
        if server.kind == Kind::MySql {
            let hidden = "WITH a AS (SELECT 1 AS id) DELETE t FROM t JOIN a USING (id)";
            assert_eq!(code(&early.query_drop(hidden).await.unwrap_err()), 1792);
        }
        early.query_drop("SELECT id FROM t").await.unwrap();
        drop(early);
        let ids: Vec<u32> = conn.exec("SELECT id FROM t WHERE id = ?", (1,)).await.unwrap();
        assert_eq!(ids, [1]);
        let tables: Vec<String> = conn.query("SHOW TABLES LIKE 't'").await.unwrap();
        assert_eq!(tables, ["t"]);
        drop(conn);
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn names_of_keyspaces_are_those_of_databases_or_refused() {
    for server in [mysql(), mariadb()] {
        for database in ["names_a", "names_b", "names_c"] {
            let (drop, create) = (
                format!("DROP DATABASE IF EXISTS {database}"),
                format!("CREATE DATABASE {database}"),
            );
            let table = format!("CREATE TABLE {database}.t (id INT PRIMARY KEY)");
            run(server, &[&drop, &create, &table]).await;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let config = configure(
        directory.path(),
        &[
            ("names_a", url(mysql(), "names_a")),
            ("names_b", url(mysql(), "names_b")),
            ("other", url(mysql(), "names_c")),
            ("away", url(mariadb(), "names_a")),
        ],
    );
    let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
    let mut conn = vstreamd.connect().await;
    let refused = async |conn: &mut Conn, statement: &str, expected: u16| {
        let error = conn.query_drop(statement).await.unwrap_err();
        assert_eq!(code(&error), expected, "{statement}: {error}");
    };
    refused(&mut conn, "SELECT * FROM t", 1046).await;
    refused(&mut conn, "SELECT * FROM nowhere.t", 1049).await;
    conn.query_drop("SELECT * FROM names_a.t").await.unwrap();
    refused(&mut conn, "SELECT * FROM t", 1046).await;
    // What was set and begun before there was a server.
    conn.query_drop("SET @a = 1").await.unwrap();
    conn.query_drop("BEGIN").await.unwrap();
    conn.query_drop("USE names_a").await.unwrap();
    conn.query_drop("SET @a = @a + 1").await.unwrap();
    let a: Option<u32> = conn.query_first("SELECT @a FROM DUAL").await.unwrap();
    assert_eq!(a, Some(2));
    conn.query_drop("COMMIT").await.unwrap();
    conn.query_drop("SELECT a.id FROM t a JOIN names_b.t b USING (id)").await.unwrap();
    conn.query_drop("SELECT away.id FROM t away").await.unwrap();
    conn.query_drop("SELECT * FROM information_schema.tables LIMIT 1").await.unwrap();
    refused(&mut conn, "SELECT * FROM other.t", 1235).await;
    refused(&mut conn, "SELECT * FROM away.t", 1235).await;
    refused(&mut conn, "SELECT * FROM mysql.user", 1049).await;
    let tables: Vec<String> = conn.query("SHOW TABLES FROM other").await.unwrap();
    assert_eq!(tables, ["t"]);
    conn.query_drop("USE other").await.unwrap();
    let columns: Vec<Row> = conn.query("SHOW COLUMNS FROM t").await.unwrap();
    assert_eq!(columns.len(), 1);
    refused(&mut conn, "SHOW CREATE VIEW away.t", 1235).await;
    // Nobody who wants a replica burdens the primary.
    conn.query_drop("USE `other@replica`").await.unwrap();
    refused(&mut conn, "SELECT * FROM t", 1235).await;
    conn.query_drop("SELECT @@version").await.unwrap();
    conn.query_drop("USE `other@primary`").await.unwrap();
    // In a transaction the other keyspace waits.
    conn.query_drop("BEGIN").await.unwrap();
    conn.query_drop("SELECT * FROM t").await.unwrap();
    conn.query_drop("USE away").await.unwrap();
    refused(&mut conn, "SELECT * FROM t", 1235).await;
    conn.query_drop("ROLLBACK").await.unwrap();
    conn.query_drop("SELECT * FROM t").await.unwrap();
    // The CLI asks for the columns of each table.
    let version: String =
        conn.query_first("SELECT VERSION() FROM t UNION SELECT VERSION()").await.unwrap().unwrap();
    assert!(version.contains("MariaDB"), "{version}");
    drop(conn);
    assert!(vstreamd.stop().success());
}

#[tokio::test]
async fn a_name_alone_is_of_the_keyspace_that_was_chosen() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_bare").await;
        let mut conn = passed.connect_without_database().await;
        conn.query_drop("CREATE TABLE passed_bare.t (id INT PRIMARY KEY)").await.unwrap();
        conn.query_drop("CREATE TABLE passed_bare.u (id INT PRIMARY KEY)").await.unwrap();
        conn.query_drop("INSERT INTO passed_bare.t VALUES (1)").await.unwrap();
        for statement in [
            "INSERT INTO u SELECT * FROM passed_bare.t",
            "CREATE TABLE v LIKE passed_bare.t",
            "DROP TABLE passed_bare.t, u",
        ] {
            let error = conn.query_drop(statement).await.unwrap_err();
            assert_eq!(code(&error), 1046, "{:?}: {statement}: {error}", server.kind);
        }
        let named = "WITH c AS (SELECT * FROM passed_bare.t) SELECT c.id, DATABASE() FROM c";
        let found: Vec<(u32, Option<String>)> = conn.query(named).await.unwrap();
        assert_eq!(found, [(1, None)]);
        // The same connection, once the keyspace is chosen.
        conn.query_drop("SET @a = 7").await.unwrap();
        conn.query_drop("USE passed_bare").await.unwrap();
        conn.query_drop("INSERT INTO u SELECT @a FROM t").await.unwrap();
        let found: Vec<u32> = conn.query("SELECT id FROM u").await.unwrap();
        assert_eq!(found, [7]);
        drop(conn);
        assert!(passed.vstreamd.stop().success());
    }
}

/// What drivers say whether or not there is something to do, as when a connection is closed.
const WITHOUT_TABLES: &[&str] = &[
    "COMMIT",
    "ROLLBACK",
    "SET autocommit = 1",
    "DO 0",
    "SET @a = 1",
    "SET TRANSACTION READ ONLY",
    "BEGIN",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "ROLLBACK",
];

#[tokio::test]
async fn what_needs_no_table_needs_no_primary() {
    let server = mysql();
    for database in ["tableless_a", "tableless_b", "tableless_c"] {
        let (drop, create) =
            (format!("DROP DATABASE IF EXISTS {database}"), format!("CREATE DATABASE {database}"));
        let table = format!("CREATE TABLE {database}.t (id INT PRIMARY KEY)");
        run(server, &[&drop, &create, &table]).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let config = configure(directory.path(), &[("whole", url(server, "tableless_a"))]);
    let mut text = std::fs::read_to_string(&config).unwrap();
    text += "[[keyspace]]\nname = 'parted'\n";
    for (number, (shard, database)) in
        [("-80", "tableless_b"), ("80-", "tableless_c")].into_iter().enumerate()
    {
        text += &format!(
            "[[keyspace.shard]]\nname = '{shard}'\n[[keyspace.shard.tablet]]\n\
             alias = 'zone2-{number}'\ntype = 'primary'\nurl = '{}'\n",
            url(server, database)
        );
    }
    std::fs::write(&config, text).unwrap();
    let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
    for chosen in ["`whole@replica`", "parted"] {
        let mut conn = vstreamd.connect().await;
        for is_connected in [false, true] {
            if is_connected {
                conn.query_drop("USE `whole@primary`").await.unwrap();
                conn.query_drop("SELECT * FROM t").await.unwrap();
            }
            conn.query_drop(format!("USE {chosen}")).await.unwrap();
            for statement in WITHOUT_TABLES {
                let said = conn.query_drop(*statement).await;
                said.unwrap_or_else(|error| panic!("{chosen}: {statement}: {error}"));
            }
            let a: Option<u32> = conn.query_first("SELECT @a").await.unwrap();
            assert_eq!(a, Some(1), "{chosen}");
            let error = conn.query_drop("SELECT * FROM t").await.unwrap_err();
            assert_eq!(code(&error), 1235, "{chosen}: {error}");
        }
    }
    assert!(vstreamd.stop().success());
}
