//! Tables as real servers describe them.

use std::sync::Arc;

use vstreamd::event::TableSchema;
use vstreamd::source::Source;
use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};

use super::run;
use crate::harness::real::{self, Kind, mariadb, mysql};

fn source(real: &real::Server, database: &str) -> MysqlSource {
    let url = format!("mysql://root@{}/{database}", real.address());
    let budget = Arc::new(Budget::new(9));
    let server = Server::new("zone1-100", ServerUrl::parse(&url).unwrap(), budget);
    MysqlSource::new(server, "commerce")
}

/// A table as `name(column type collation flags, ...) key` with the types in our own words.
fn written(schema: &TableSchema) -> String {
    let columns = schema.columns.iter().map(|column| {
        let flags = [
            (column.nullable, " null"),
            (column.auto_increment, " counted"),
            (column.has_default && !column.nullable, " default"),
        ];
        let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        format!("{} {:?} {}{flags}", column.name, column.column_type, column.collation.0)
    });
    let key: Vec<&str> = schema.key.iter().map(|&index| &*schema.columns[index].name).collect();
    let kind = if schema.key_is_primary { "primary" } else { "key" };
    let columns = columns.collect::<Vec<_>>().join("\n  ");
    format!("{}\n  {columns}\n  {kind} {}", schema.name, key.join(","))
}

/// The tables that the statements make in a database of their own.
async fn described(real: &real::Server, database: &str, statements: &[&str]) -> Vec<String> {
    let make = [
        &*format!("CREATE OR REPLACE DATABASE {database} CHARACTER SET utf8mb4"),
        &*format!("USE {database}"),
    ];
    let make = match real.kind {
        Kind::MariaDb => make.to_vec(),
        Kind::MySql => {
            let drop = format!("DROP DATABASE IF EXISTS {database}");
            run(real, &[&drop]).await;
            run(real, &[&format!("CREATE DATABASE {database} CHARACTER SET utf8mb4")]).await;
            vec![make[1]]
        }
    };
    run(real, &[&make, statements].concat()).await;
    let tables = source(real, database).tables().await.unwrap();
    tables.iter().map(|schema| written(schema)).collect()
}

/// Types that both servers have, in both servers' words.
const TYPES: &str = "CREATE TABLE types (
    t1 tinyint, t1u tinyint unsigned NOT NULL DEFAULT 3, t2 smallint, t3 mediumint, t4 int zerofill,
    t8 bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, de decimal(65,30), du decimal(9,2) unsigned,
    fl float, do double unsigned, bi bit(17), da date, ti time(3), dt datetime(6), ts timestamp(2) NULL,
    ye year, c char(9), cl char(3) CHARACTER SET latin1, cb char(3) COLLATE utf8mb4_bin, b binary(5),
    vc varchar(300), vb varbinary(16), tt tinytext, te text, mt mediumtext, lt longtext,
    tb tinyblob, bb blob, mb mediumblob, lb longblob,
    en enum('a','it''s','back\\\\slash',''), se set('x','y'), ge geometry, po point,
    gv int AS (t2 + 1) VIRTUAL, gs int AS (t2 + 2) STORED)";

fn types(default: u16, latin1: u16, bin: u16) -> String {
    let int = |bytes, unsigned| format!("Int {{ bytes: {bytes}, unsigned: {unsigned} }}");
    let text = |n| format!("Text {{ length_bytes: {n} }}");
    let lines = [
        format!("t1 {} 63 null", int(1, false)),
        format!("t1u {} 63 default", int(1, true)),
        format!("t2 {} 63 null", int(2, false)),
        format!("t3 {} 63 null", int(3, false)),
        format!("t4 {} 63 null", int(4, true)),
        format!("t8 {} 63 counted", int(8, true)),
        "de Decimal { precision: 65, scale: 30, unsigned: false } 63 null".to_owned(),
        "du Decimal { precision: 9, scale: 2, unsigned: true } 63 null".to_owned(),
        "fl Float { unsigned: false } 63 null".to_owned(),
        "do Double { unsigned: true } 63 null".to_owned(),
        "bi Bit { bits: 17 } 63 null".to_owned(),
        "da Date 63 null".to_owned(),
        "ti Time { fsp: 3 } 63 null".to_owned(),
        "dt DateTime { fsp: 6 } 63 null".to_owned(),
        "ts Timestamp { fsp: 2 } 63 null".to_owned(),
        "ye Year 63 null".to_owned(),
        format!("c Char {{ length: 9 }} {default} null"),
        format!("cl Char {{ length: 3 }} {latin1} null"),
        format!("cb Char {{ length: 3 }} {bin} null"),
        "b Char { length: 5 } 63 null".to_owned(),
        format!("vc VarChar {{ length: 300 }} {default} null"),
        "vb VarChar { length: 16 } 63 null".to_owned(),
        format!("tt {} {default} null", text(1)),
        format!("te {} {default} null", text(2)),
        format!("mt {} {default} null", text(3)),
        format!("lt {} {default} null", text(4)),
        format!("tb {} 63 null", text(1)),
        format!("bb {} 63 null", text(2)),
        format!("mb {} 63 null", text(3)),
        format!("lb {} 63 null", text(4)),
        format!(r#"en Enum {{ members: ["a", "it's", "back\\slash", ""] }} {default} null"#),
        format!(r#"se Set {{ members: ["x", "y"] }} {default} null"#),
        "ge Geometry 63 null".to_owned(),
        "po Geometry 63 null".to_owned(),
        format!("gv {} 63 null", int(4, false)),
        format!("gs {} 63 null", int(4, false)),
    ];
    format!("commerce.types\n  {}\n  primary t8", lines.join("\n  "))
}

#[tokio::test]
async fn tables_of_all_types_are_described() {
    let view = "CREATE VIEW seen AS SELECT t8 FROM types";
    let found = described(mysql(), "described", &[TYPES, view]).await;
    assert_eq!(found.join("\n"), types(255, 8, 46));
    let found = described(mariadb(), "described", &[TYPES, view]).await;
    assert_eq!(found.join("\n"), types(45, 8, 46));
}

#[tokio::test]
async fn what_only_one_server_has() {
    let own = "CREATE TABLE own (id int, j json, hidden int INVISIBLE, v vector(3),
        b varchar(9) COLLATE utf8mb4_ja_0900_as_cs, KEY expression ((id + 1)))";
    let found = described(mysql(), "own", &[own]).await;
    assert_eq!(
        found,
        ["commerce.own\n  id Int { bytes: 4, unsigned: false } 63 null\n  j Json 63 null\n  \
          hidden Int { bytes: 4, unsigned: false } 63 null\n  v Vector { dimensions: 3 } 63 null\n  \
          b VarChar { length: 9 } 303 null\n  key "]
    );
    let own = "CREATE TABLE own (id uuid, j json, hidden int INVISIBLE, a inet6, i inet4,
        c varchar(9) COMPRESSED, u varchar(9) COLLATE uca1400_ai_ci) WITH SYSTEM VERSIONING";
    let found = described(mariadb(), "own", &["SET NAMES utf8mb4", own, "CREATE SEQUENCE s"]).await;
    assert_eq!(
        found,
        ["commerce.own\n  id Uuid 63 null\n  \
          j Text { length_bytes: 4 } 46 null\n  hidden Int { bytes: 4, unsigned: false } 63 null\n  \
          a Inet6 63 null\n  i Inet4 63 null\n  c VarChar { length: 9 } 45 null\n  \
          u VarChar { length: 9 } 2304 null\n  key "]
    );
}

#[tokio::test]
async fn the_key_is_the_best_there_is() {
    let tables = [
        "CREATE TABLE a (n int, k varchar(9) NOT NULL, UNIQUE (n), UNIQUE (k(3)), UNIQUE w (k))",
        "CREATE TABLE B (x int NOT NULL, y int NOT NULL, UNIQUE (x, y), UNIQUE (y))",
        "CREATE TABLE c (s varchar(9) NOT NULL, n int NOT NULL, PRIMARY KEY (s(2), n), UNIQUE (n))",
        "CREATE TABLE d (n int)",
    ];
    for real in [mysql(), mariadb()] {
        let found = described(real, "keyed", &tables).await;
        let keys: Vec<_> = found
            .iter()
            .map(|table| (table.lines().next().unwrap(), table.lines().last().unwrap().trim()))
            .collect();
        let expected = [
            ("commerce.B", "key y"),
            ("commerce.a", "key k"),
            ("commerce.c", "primary s,n"),
            ("commerce.d", "key"),
        ];
        assert_eq!(keys, expected, "{:?}", real.kind);
    }
}

#[tokio::test]
async fn many_tables_take_seconds() {
    let tables = crate::harness::rounds(500, 2_000, 10_000);
    for kind in [Kind::MySql, Kind::MariaDb] {
        let real = real::start(kind, &["--skip-log-bin"]);
        run(&real, &["CREATE DATABASE many"]).await;
        let columns = "(id int PRIMARY KEY, a varchar(9), b text, c int)";
        let make: Vec<String> =
            (0..tables).map(|n| format!("CREATE TABLE many.t{n} {columns}")).collect();
        run(&real, &make.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let begun = tokio::time::Instant::now();
        let found = source(&real, "many").tables().await.unwrap();
        assert_eq!(found.len(), tables);
        let took = begun.elapsed();
        println!("{kind:?}: {tables} tables in {took:?}");
        // Ten times what 10,000 of them take on two cores.
        assert!(took < std::time::Duration::from_secs(30), "{kind:?}: {took:?}");
    }
}

#[tokio::test]
async fn the_position_is_what_the_log_holds() {
    for real in [mysql(), mariadb()] {
        described(real, "counted", &["CREATE TABLE t (n int)"]).await;
        let source = source(real, "counted");
        let before = source.position().await.unwrap();
        run(real, &["INSERT INTO counted.t VALUES (1)"]).await;
        let after = source.position().await.unwrap();
        assert!(!before.is_empty() && after.contains_set(&before) && after != before, "{after:?}");
    }
}
