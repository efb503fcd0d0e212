//! Statements passed on to real servers: what comes back is what a direct connection gets.

mod allowed;
mod ends;
mod transactions;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row};

use super::run;
use super::served::{configure, url};
use crate::harness::real::{Kind, Server, mariadb, mysql};
use crate::harness::vstreamd::Vstreamd;

/// Everybody knows the password: SHA1(SHA1('secret')).
const USERS: &str =
    "[[user]]\nname = 'app'\nnative = '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'\n";

/// vstreamd before a server's database of the same name.
struct Passed {
    vstreamd: Vstreamd,
    database: &'static str,
    has_users: bool,
    _directory: tempfile::TempDir,
}

impl Passed {
    /// With users, who may do everything.
    async fn before(server: &Server, database: &'static str) -> Self {
        Self::start(server, database, USERS, "").await
    }

    async fn start(server: &Server, database: &'static str, users: &str, tablet: &str) -> Self {
        run(
            server,
            &[
                &format!("DROP DATABASE IF EXISTS {database}"),
                &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"),
            ],
        )
        .await;
        let directory = tempfile::tempdir().unwrap();
        let config = configure(directory.path(), &[(database, url(server, database))]);
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}{tablet}{users}")).unwrap();
        let vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
        Self { vstreamd, database, has_users: !users.is_empty(), _directory: directory }
    }

    async fn connect(&self) -> Conn {
        Conn::new(self.options()).await.unwrap()
    }

    async fn connect_without_database(&self) -> Conn {
        Conn::new(self.options().db_name(None::<String>)).await.unwrap()
    }

    fn options(&self) -> OptsBuilder {
        let (user, password) =
            if self.has_users { ("app", Some("secret")) } else { ("root", None) };
        OptsBuilder::default()
            .ip_or_hostname(self.vstreamd.address.ip().to_string())
            .tcp_port(self.vstreamd.address.port())
            .user(Some(user))
            .pass(password)
            .db_name(Some(self.database))
            .prefer_socket(false)
    }
}

async fn direct(server: &Server, database: &str) -> Conn {
    let mut conn = Conn::from_url(server.url(database)).await.unwrap();
    // What a session of vstreamd's begins with.
    conn.query_drop(
        "SET time_zone = '+00:00', sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,\
         NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    )
    .await
    .unwrap();
    conn
}

fn code(error: &mysql_async::Error) -> u16 {
    match error {
        mysql_async::Error::Server(error) => error.code,
        other => panic!("{other:?}"),
    }
}

/// Everything that a client sees of a statement; of a SHOW, which the door writes anew, no more than
/// the rows.
async fn outcome(conn: &mut Conn, statement: &str) -> String {
    let mut columns = String::new();
    let rows: Vec<Row> = match conn.query_iter(statement).await {
        Ok(mut result) => {
            if !statement.starts_with("SHOW") {
                columns = format!("{:?}", result.columns_ref());
            }
            match result.collect().await {
                Ok(rows) => rows,
                Err(error) => return format!("{statement}: {error:?}"),
            }
        }
        Err(error) => return format!("{statement}: {error:?}"),
    };
    let printed =
        |row: Row| -> Vec<String> { row.unwrap().iter().map(|value| value.as_sql(true)).collect() };
    let rows: Vec<_> = rows.into_iter().map(printed).collect();
    format!(
        "{statement}: {columns} {rows:?} affected {} id {:?} info {:?} warnings {}",
        conn.affected_rows(),
        conn.last_insert_id(),
        conn.info(),
        conn.get_warnings()
    )
}

/// The same statements have the same outcomes, directly and passed through.
async fn compare(server: &Server, database: &'static str, statements: &[&str]) {
    let passed = Passed::before(server, database).await;
    let mut found = Vec::new();
    for is_direct in [true, false] {
        let recreate =
            ["DROP DATABASE", "CREATE DATABASE"].map(|verb| format!("{verb} {database}"));
        run(server, &[&recreate[0], &recreate[1]]).await;
        let mut conn = match is_direct {
            true => direct(server, database).await,
            false => passed.connect().await,
        };
        let mut outcomes = Vec::new();
        for statement in statements {
            outcomes.push(outcome(&mut conn, statement).await);
        }
        found.push(outcomes);
    }
    let [direct, through] = found.try_into().unwrap();
    for (direct, through) in direct.iter().zip(&through) {
        assert_eq!(direct, through, "{:?}", server.kind);
    }
    assert!(passed.vstreamd.stop().success());
}

const TYPES: &str = "CREATE TABLE types (
    id INT PRIMARY KEY AUTO_INCREMENT, ti TINYINT NOT NULL DEFAULT 1, tu TINYINT UNSIGNED,
    si SMALLINT, mi MEDIUMINT, i INT(9) UNSIGNED ZEROFILL, bi BIGINT, bu BIGINT UNSIGNED,
    de DECIMAL(20, 5), f FLOAT, d DOUBLE, bt BIT(9), da DATE, t TIME(3), dt DATETIME(6),
    ts TIMESTAMP(2) NULL, y YEAR, c CHAR(5), vc VARCHAR(20), l VARCHAR(20) CHARACTER SET latin1,
    vb VARBINARY(9), bn BINARY(4), tt TINYTEXT, tx TEXT CHARACTER SET latin1, mt MEDIUMTEXT,
    lt LONGTEXT, bl BLOB, lb LONGBLOB, e ENUM('a', 'ü'), s SET('x', 'y'), j JSON, g GEOMETRY,
    UNIQUE KEY (vc), KEY (l)) CHARACTER SET utf8mb4";

#[tokio::test]
async fn rows_are_those_of_a_direct_connection() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_types").await;
        let mut through = passed.connect().await;
        let mut direct = direct(server, "passed_types").await;
        through.query_drop(TYPES).await.unwrap();
        through
            .query_drop(
                "INSERT INTO types VALUES
                 (1, -128, 255, -32768, 8388607, 42, -9223372036854775808, 18446744073709551615,
                  -123456789012345.12345, 1.5, 2.2250738585072014e-308, b'100000001', '2026-11-22',
                  '-838:59:59.000', '2026-11-22 01:02:03.000004', '2026-11-22 01:02:03.45', 2026,
                  'ab', 'käse', 'größe', X'00ff', 'ab', 'ti', 'größe', 'mäd', 'lö', X'00ff', X'fe',
                  'ü', 'x,y', '{\"a\": [1, null]}', ST_GeomFromText('POINT(1 2)'))",
            )
            .await
            .unwrap();
        through.query_drop("INSERT INTO types (id) VALUES (7)").await.unwrap();
        for query in [
            "SELECT * FROM types ORDER BY id",
            "SELECT COUNT(*), SUM(bu), MAX(CONCAT(vc, l)), NULL, 1 + 1, 1.5, 'x', NOW() > 0 FROM types",
            "SELECT a.vc AS `An älias` FROM types a JOIN types b USING (id) WHERE a.id = 7",
            "SELECT * FROM types WHERE id = 0",
        ] {
            let (one, two): (Vec<Row>, Vec<Row>) =
                (direct.query(query).await.unwrap(), through.query(query).await.unwrap());
            assert_eq!(format!("{one:?}"), format!("{two:?}"), "{:?}: {query}", server.kind);
            let (one, two): (Vec<Row>, Vec<Row>) =
                (direct.exec(query, ()).await.unwrap(), through.exec(query, ()).await.unwrap());
            assert_eq!(format!("{one:?}"), format!("{two:?}"), "{:?}: {query}", server.kind);
        }
        let query = "SELECT vc, id FROM types WHERE id > ? AND vc LIKE ?";
        let found: Option<(String, i32)> = through.exec_first(query, (0, "k%")).await.unwrap();
        assert_eq!(found, Some(("käse".to_owned(), 1)));
        let columns = through.prep("SELECT id, l FROM types WHERE id = ?").await.unwrap();
        assert_eq!((columns.num_columns(), columns.num_params()), (2, 1));
        // Each client has its own character set.
        through.query_drop("SET NAMES latin1").await.unwrap();
        let bytes: Option<Vec<u8>> =
            through.query_first("SELECT vc FROM types WHERE id = 1").await.unwrap();
        assert_eq!(bytes.unwrap(), b"k\xe4se");
        drop((through, direct));
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn what_a_statement_says_is_said_on() {
    let statements = [
        "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(3), UNIQUE KEY (v))",
        "INSERT INTO t (v) VALUES ('a'), ('b')",
        "SELECT LAST_INSERT_ID()",
        "SELECT ROW_COUNT()",
        "INSERT INTO t (v) VALUES ('a')",
        "SHOW WARNINGS",
        "INSERT INTO t (v) VALUES ('long')",
        "INSERT IGNORE INTO t (v) VALUES ('a'), ('long')",
        "SHOW WARNINGS",
        "SHOW COUNT(*) WARNINGS",
        "SELECT 1 FROM t WHERE v = 1",
        "SHOW WARNINGS",
        "UPDATE t SET v = 'a' WHERE id = 1",
        "UPDATE t SET v = 'z' WHERE id < 3",
        "UPDATE t SET v = CONCAT('z', id) WHERE id < 3",
        "SELECT * FROM t ORDER BY id",
        "SELECT * FROM no_such_table",
        "SELECT no_such_column FROM t",
        "SELEC 1",
        "SELECT no_such_function()",
        "SELECT * FROM t WHERE",
        "DROP TABLE IF EXISTS no_such_table",
        "SHOW WARNINGS",
        "ALTER TABLE t ADD COLUMN w INT",
        "REPLACE INTO t (id, v) VALUES (1, 'r')",
        "INSERT INTO t (id, v) VALUES (1, 'r') ON DUPLICATE KEY UPDATE v = 'q'",
        "DELETE FROM t WHERE id = 2",
        "SET @a = 5, @b = CONCAT('x', 'y')",
        "SELECT @a + 1, @b",
        "SET @a = @a + 1",
        "SELECT @a := @a + 1 FROM t",
        "SELECT @a",
        "TRUNCATE TABLE t",
        "SIGNAL SQLSTATE '45123' SET MESSAGE_TEXT = 'as you like'",
        "CREATE PROCEDURE q() SET @z = 7",
        "SET @z = 5",
        "CALL q()",
        "SELECT @z",
        "CREATE PROCEDURE p() BEGIN DECLARE n INT; SET n = 1; IF n THEN INSERT INTO t (v) \
         VALUES (CASE n WHEN 1 THEN 'p' END); END IF; END",
        "CALL p()",
        "SHOW CREATE PROCEDURE p",
        "SHOW CREATE VIEW t",
        "SELECT COUNT(*) FROM t",
        "SELECT SQL_CALC_FOUND_ROWS v FROM t LIMIT 0",
        "SELECT FOUND_ROWS()",
        "DO SLEEP(0)",
        "SET TRANSACTION READ ONLY",
        "INSERT INTO t (v) VALUES ('ro')",
        "INSERT INTO t (v) VALUES ('rw')",
        "SHOW TABLES",
        "SHOW CREATE TABLE t",
        "SHOW COLUMNS FROM t",
        "CHECKSUM TABLE t",
        "LOCK TABLES t WRITE",
        "UNLOCK TABLES",
        "XA START 'x'",
        "INSERT INTO t (v) VALUES ('x')",
        "XA END 'x'",
        "XA ROLLBACK 'x'",
    ];
    for server in [mysql(), mariadb()] {
        compare(server, "passed_said", &statements).await;
    }
}

#[tokio::test]
async fn rows_are_counted_as_the_client_has_said() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_counts").await;
        let mut conn = passed.connect().await;
        conn.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        conn.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        conn.query_drop("UPDATE t SET id = 1").await.unwrap();
        assert_eq!(conn.affected_rows(), 0);
        let options = passed.options().client_found_rows(true);
        let mut conn = Conn::new(options).await.unwrap();
        conn.query_drop("UPDATE t SET id = 1").await.unwrap();
        assert_eq!(conn.affected_rows(), 1);
        // No file of a client's is asked for on a server's behalf.
        let load = "LOAD DATA LOCAL INFILE '/dev/null' INTO TABLE t";
        let refused = conn.query_drop(load).await.unwrap_err();
        assert!([1148, 3948, 4166].contains(&code(&refused)), "{refused}");
        drop(conn);
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn transactions_are_the_servers() {
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_transactions").await;
        let mut through = passed.connect().await;
        let mut other = direct(server, "passed_transactions").await;
        let mut count =
            async || -> u32 { other.query_first("SELECT COUNT(*) FROM t").await.unwrap().unwrap() };
        through.query_drop("CREATE TABLE t (id INT PRIMARY KEY)").await.unwrap();
        through.query_drop("BEGIN").await.unwrap();
        through.query_drop("INSERT INTO t VALUES (1)").await.unwrap();
        through.query_drop("SAVEPOINT a").await.unwrap();
        through.query_drop("INSERT INTO t VALUES (2)").await.unwrap();
        through.query_drop("ROLLBACK TO a").await.unwrap();
        assert_eq!(count().await, 0);
        through.query_drop("COMMIT").await.unwrap();
        assert_eq!(count().await, 1);
        through.query_drop("SET autocommit = 0").await.unwrap();
        through.query_drop("INSERT INTO t VALUES (3)").await.unwrap();
        assert_eq!(count().await, 1);
        through.query_drop("ROLLBACK").await.unwrap();
        through.query_drop("INSERT INTO t VALUES (4)").await.unwrap();
        assert_eq!(count().await, 1);
        through.query_drop("SET autocommit = 1").await.unwrap();
        assert_eq!(count().await, 2, "switched on it commits");
        let mut transaction = through.start_transaction(Default::default()).await.unwrap();
        transaction.exec_drop("INSERT INTO t VALUES (?)", (5,)).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(count().await, 2);
        // A transaction that is left open is rolled back, and its locks are free again.
        through.query_drop("BEGIN").await.unwrap();
        through.query_drop("UPDATE t SET id = 100 WHERE id = 1").await.unwrap();
        through.reset().await.unwrap();
        other.query_drop("UPDATE t SET id = 101 WHERE id = 1").await.unwrap();
        through.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE").await.unwrap();
        through
            .query_drop("SET innodb_lock_wait_timeout = 7, foreign_key_checks = 0")
            .await
            .unwrap();
        let name =
            if server.kind == Kind::MySql { "transaction_isolation" } else { "tx_isolation" };
        let query = format!(
            "SELECT @@{name}, @@innodb_lock_wait_timeout, @@foreign_key_checks, @@time_zone, \
             @@character_set_client FROM t LIMIT 1"
        );
        let held: (String, u32, u32, String, String) =
            through.query_first(query).await.unwrap().unwrap();
        let expected = ("SERIALIZABLE", 7, 0, "+00:00", "utf8mb4");
        assert_eq!((&*held.0, held.1, held.2, &*held.3, &*held.4), expected);
        // The server ends a result itself: nobody has to interrupt it.
        through.query_drop("SET sql_select_limit = 1").await.unwrap();
        let rows: Vec<u64> = through.query("SELECT @@sql_select_limit FROM t").await.unwrap();
        assert_eq!(rows, [1]);
        drop(through);
        assert!(passed.vstreamd.stop().success());
    }
}

#[tokio::test]
async fn a_large_result_passes_through() {
    const ROWS: usize = 100;
    const BYTES: usize = 1 << 20;
    for server in [mysql(), mariadb()] {
        let passed = Passed::before(server, "passed_large").await;
        let mut conn = passed.connect().await;
        conn.query_drop("CREATE TABLE n (id INT PRIMARY KEY)").await.unwrap();
        let values: Vec<String> = (0..ROWS).map(|n| format!("({n})")).collect();
        let insert = format!("INSERT INTO n VALUES {}", values.join(", "));
        conn.query_drop(insert).await.unwrap();
        conn.query_drop("SELECT 1 FROM n").await.unwrap();
        let before = passed.vstreamd.resident_max();
        let query = format!("SELECT REPEAT('x', {BYTES}) FROM n");
        let mut result = conn.query_iter(query).await.unwrap();
        let mut bytes = 0;
        while let Some(row) = result.next().await.unwrap() {
            bytes += row.get::<Vec<u8>, _>(0).unwrap().len();
        }
        assert_eq!(bytes, ROWS * BYTES);
        let grown = passed.vstreamd.resident_max() - before;
        assert!(grown < 32 << 20, "{:?}: {grown} bytes", server.kind);
        drop(conn);
        assert!(passed.vstreamd.stop().success());
    }
}
