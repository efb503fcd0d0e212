//! Keys of all kinds: copies in their order, and on behind every row.

use std::sync::Arc;

use mysql_async::prelude::Queryable;

use super::{KINDS, decode, engine};
use crate::harness::real::{self, Kind};
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{Marks, ShownRow, Stream};
use crate::harness::trace::Request;

/// A table's definition behind its name, its rows as VALUES, and the order that a copy has.
struct Keyed {
    definition: &'static str,
    rows: &'static str,
    order: &'static str,
}

const fn keyed(definition: &'static str, rows: &'static str, order: &'static str) -> Keyed {
    Keyed { definition, rows, order }
}

const TABLES: &[Keyed] = &[
    keyed("(a INT, b INT, v INT, PRIMARY KEY (b, a))", "(1,2,0),(2,1,0),(-3,2,0),(1,-1,1)", "b, a"),
    keyed(
        "(a INT, b VARCHAR(9), c INT, PRIMARY KEY (a, b, c)) COLLATE utf8mb4_general_ci",
        "(1,'b',1),(1,'B ',2),(1,'a',3),(2,'',1),(1,'b',-1)",
        "a, b, c",
    ),
    keyed(
        "(k VARCHAR(20) PRIMARY KEY) COLLATE utf8mb4_unicode_ci",
        "('b'),('A'),('ä1'),('Ü'),(''),('ß'),('st'),('a\\'b'),('日本')",
        "k",
    ),
    keyed("(k VARCHAR(9) PRIMARY KEY) CHARACTER SET latin1", "('b'),('A'),('ä'),('z'),('')", "k"),
    keyed("(k VARCHAR(9) PRIMARY KEY) CHARACTER SET utf16", "('b'),('A'),('€'),('z')", "k"),
    keyed("(k CHAR(9) PRIMARY KEY) CHARACTER SET gbk", "('b'),('A'),('文')", "k"),
    keyed("(k CHAR(3) COLLATE utf8mb4_bin PRIMARY KEY)", "('b'),('A'),('a'),('')", "k"),
    keyed("(k BINARY(3) PRIMARY KEY)", "(x'00ff00'),(x'00'),(x'ff'),(x'615c27')", "k"),
    keyed("(k VARBINARY(3) PRIMARY KEY)", "(x'00ff00'),(x'00'),(x''),(x'ff'),(x'0000')", "k"),
    keyed("(k TEXT, v INT, PRIMARY KEY (k(3)))", "('abc',1),('b',2),('ab',3),('',4)", "k"),
    keyed(
        "(k BIGINT UNSIGNED PRIMARY KEY)",
        "(0),(18446744073709551615),(9223372036854775808),(9223372036854775807),\
         (18446744073709551614),(9007199254740993)",
        "k",
    ),
    keyed("(k BIGINT PRIMARY KEY)", "(0),(-9223372036854775808),(9007199254740993),(-1)", "k"),
    keyed("(k MEDIUMINT(7) UNSIGNED ZEROFILL PRIMARY KEY)", "(0),(1),(16777215)", "k"),
    keyed(
        "(k DECIMAL(40,20) PRIMARY KEY)",
        "(0),(-1.5),(12345678901234567890.00000000000000000001),\
         (12345678901234567890.00000000000000000002),(12345678901234567890),(0.1)",
        "k",
    ),
    keyed("(k DOUBLE PRIMARY KEY)", "(0.1),(-1e300),(5e-324),(0.30000000000000004),(0.3)", "k"),
    keyed("(k FLOAT PRIMARY KEY)", "(0.1),(16777216),(-1.5),(0.3)", "k"),
    keyed(
        "(k DATE PRIMARY KEY)",
        "('2026-01-02'),('0000-00-00'),('2026-00-00'),('9999-12-31')",
        "k",
    ),
    keyed(
        "(k DATETIME(6) PRIMARY KEY)",
        "('2026-01-02 03:04:05.000001'),('2026-01-02 03:04:05'),('0000-00-00'),\
         ('2026-01-02 03:04:05.000002')",
        "k",
    ),
    keyed(
        "(k TIMESTAMP(3) PRIMARY KEY)",
        "('2026-01-02 03:04:05.001'),('2026-01-02 03:04:05'),('1970-01-01 00:00:01.5')",
        "k",
    ),
    keyed(
        "(k TIME(2) PRIMARY KEY)",
        "('-00:00:00.5'),('-838:59:59'),('838:59:59'),('00:00:00.25'),('-00:00:00.75')",
        "k",
    ),
    keyed("(k YEAR PRIMARY KEY)", "('0000'),(1901),(2000),(2155)", "k"),
    keyed("(k BIT(64) PRIMARY KEY)", "(0),(1),(18446744073709551615),(9223372036854775808)", "k"),
    keyed("(k BIT(9) PRIMARY KEY)", "(256),(255),(0),(39)", "k"),
    keyed("(k ENUM('z','a','it''s','ü') PRIMARY KEY)", "('a'),('z'),('ü'),('it''s'),(0)", "k"),
    keyed("(k ENUM('ü','a') CHARACTER SET latin1 PRIMARY KEY)", "('a'),('ü')", "k"),
    keyed("(k SET('z','a','c d') PRIMARY KEY)", "('a'),('z'),(''),('z,a'),('c d,a')", "k"),
    // The best unique key, and its index.
    keyed(
        "(v INT, b INT NOT NULL, a INT NOT NULL, n INT, UNIQUE (n), UNIQUE u (b, a))",
        "(1,1,2,NULL),(2,1,1,NULL),(3,0,5,1)",
        "b, a",
    ),
    // Without a key: NULLs, equal rows, texts that are equal and not the same.
    keyed(
        "(a INT, t VARCHAR(9), d DECIMAL(9,2), e ENUM('z','a')) COLLATE utf8mb4_general_ci",
        "(1,'a',1.5,'z'),(1,'A',1.5,'z'),(1,'a',1.5,'z'),(NULL,'a',1.5,'z'),(NULL,NULL,NULL,NULL),\
         (NULL,NULL,NULL,NULL),(1,NULL,0,'a'),(1,'a',1.5,'a'),(2,'',-1,NULL)",
        "a, t, d, e, CAST(t AS BINARY)",
    ),
];

const MARIADB_TABLES: &[Keyed] = &[
    keyed(
        "(k UUID PRIMARY KEY)",
        "('123e4567-e89b-12d3-a456-426655440000'),('00000000-0000-0000-0000-000000000001'),\
         ('fffe4567-e89b-42d3-a456-426655440000')",
        "k",
    ),
    keyed("(k INET6 PRIMARY KEY)", "('::1'),('::ffff:1.2.3.4'),('2001:db8::ff00:42:8329')", "k"),
    keyed("(k INET4 PRIMARY KEY)", "('1.2.3.4'),('10.0.0.1'),('9.0.0.1')", "k"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_go_on_behind_every_row() {
    for kind in KINDS {
        let server = match kind {
            Kind::MySql => real::mysql(),
            Kind::MariaDb => real::mariadb(),
        };
        let mut conn = connect(server, "").await;
        for statement in
            ["DROP DATABASE IF EXISTS ks", "CREATE DATABASE ks", "USE ks", "SET NAMES utf8mb4"]
        {
            conn.query_drop(statement).await.unwrap();
        }
        conn.query_drop("SET sql_mode = '', time_zone = '+00:00'").await.unwrap();
        let own: &[Keyed] = if kind == Kind::MariaDb { MARIADB_TABLES } else { &[] };
        let source = Arc::new(source(server, "ks"));
        for Keyed { definition, rows, order } in TABLES.iter().chain(own) {
            conn.query_drop("DROP TABLE IF EXISTS t").await.unwrap();
            for statement in
                [format!("CREATE TABLE t {definition}"), format!("INSERT INTO t VALUES {rows}")]
            {
                let done = conn.query_drop(&statement).await;
                done.unwrap_or_else(|error| panic!("{kind:?}: {statement}: {error}"));
            }
            let hex = format!("SELECT COUNT(*) FROM (SELECT 1 FROM t ORDER BY {order}) AS s");
            let count: usize = conn.query_first(hex).await.unwrap().unwrap();
            let engine = engine(&source);
            let request = Request { start: "copy".to_owned(), ..Request::default() };
            let place = |error: String| -> String { format!("{kind:?} {definition}: {error}") };
            let mut stream =
                Stream::open(&engine, &request, &Marks::new()).await.map_err(place).unwrap();
            let target = vstreamd::source::Source::position(&*source).await.unwrap();
            stream.settle(&target).await.map_err(place).unwrap();
            let all = stream.rows();
            assert_eq!(all.len(), count, "{kind:?} {definition}");
            check_order(&mut conn, all, order, definition).await;
            for (index, row) in all.iter().enumerate() {
                let mut again = stream.resume(&engine, row).await.map_err(place).unwrap();
                again.settle(&target).await.map_err(place).unwrap();
                let lines = |rows: &[ShownRow]| -> Vec<String> {
                    rows.iter().map(|row| row.line.clone()).collect()
                };
                assert_eq!(
                    lines(again.rows()),
                    lines(&all[index + 1..]),
                    "{kind:?} {definition} behind {}",
                    row.line
                );
            }
        }
    }
}

/// The server sorts the rows as they came.
async fn check_order(
    conn: &mut mysql_async::Conn,
    rows: &[ShownRow],
    order: &str,
    definition: &str,
) {
    // FLOATs print otherwise in a SELECT.
    if definition.contains("FLOAT") {
        return;
    }
    conn.query_drop("SET character_set_results = NULL").await.unwrap();
    let query = format!("SELECT * FROM t ORDER BY {order}");
    let stored = decode::select(conn, &query).await;
    let lines: Vec<_> = stored
        .iter()
        .map(|row| {
            let cells = row.iter().map(|cell| match cell {
                Some(cell) => crate::harness::trace::print_bytes(cell),
                None => "NULL".to_owned(),
            });
            format!("t + {}", cells.collect::<Vec<_>>().join(" "))
        })
        .collect();
    let shown: Vec<_> = rows.iter().map(|row| row.line.clone()).collect();
    assert_eq!(shown, lines, "{definition}");
}
