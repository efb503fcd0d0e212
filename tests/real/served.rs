//! `vstreamd serve` over real servers: what clients may ask, and what they are told.

use std::path::Path;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::run;
use crate::harness::real::{Kind, Server, mariadb, mysql, start};
use crate::harness::vstreamd::{self, Vstreamd, argument};

/// A configuration of one keyspace per server address.
pub(super) fn configure(directory: &Path, keyspaces: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (number, (name, url)) in keyspaces.iter().enumerate() {
        text += &format!(
            "[[keyspace]]\nname = '{name}'\n[[keyspace.shard]]\nname = '0'\n\
             [[keyspace.shard.tablet]]\nalias = 'zone1-{number}'\ntype = 'primary'\nurl = '{url}'\n"
        );
    }
    let path = directory.join("vstreamd.toml");
    std::fs::write(&path, text).unwrap();
    argument(&path)
}

pub(super) fn url(server: &Server, database: &str) -> String {
    format!("mysql://root@{}/{database}", server.address())
}

async fn code(conn: &mut Conn, statement: &str) -> (u16, String) {
    match conn.query_drop(statement).await {
        Err(mysql_async::Error::Server(error)) => (error.code, error.message),
        other => panic!("{statement}: {other:?}"),
    }
}

#[tokio::test]
async fn keyspaces_of_servers_are_served() {
    for server in [mysql(), mariadb()] {
        let make = [
            "DROP DATABASE IF EXISTS served",
            "CREATE DATABASE served",
            "CREATE TABLE served.t (id bigint PRIMARY KEY, v varchar(9))",
            "INSERT INTO served.t VALUES (7, 'a')",
        ];
        run(server, &make).await;
    }
    let directory = tempfile::tempdir().unwrap();
    let keyspaces = [("commerce", url(mysql(), "served")), ("other", url(mariadb(), "served"))];
    let config = configure(directory.path(), &keyspaces);
    // A directory that is not there yet is made, as for the embedded store.
    let data = directory.path().join("new/data");
    let vstreamd = Vstreamd::start_with(&data, &["--config", &config]);
    let mut conn = vstreamd.connect_olap().await;
    let names: Vec<String> = conn.query("SHOW KEYSPACES").await.unwrap();
    assert_eq!(names, ["commerce", "other"]);
    // What drivers ask at login.
    let version: (String, u8) = conn.query_first("SELECT @@version, 1").await.unwrap().unwrap();
    assert!(version.0.contains("Vitess"), "{version:?}");
    conn.query_drop("SET NAMES utf8mb4").await.unwrap();
    conn.query_drop("USE other").await.unwrap();
    let database: String = conn.query_first("SELECT DATABASE()").await.unwrap().unwrap();
    assert_eq!(database, "other");
    assert_eq!(code(&mut conn, "USE served").await.0, 1049);
    for keyspace in ["commerce", "other"] {
        let explain = format!("EXPLAIN VSTREAM * FROM {keyspace}.t WHERE pos > 'current'");
        let row: mysql_async::Row = conn.query_first(explain).await.unwrap().unwrap();
        assert_eq!(row.get::<String, _>("Projection").unwrap(), "id, v");
        let findings: String = row.get("Findings").unwrap();
        assert!(findings.contains("advice: binlog_row_metadata is"), "{findings}");
        let copy = format!("VSTREAM * FROM {keyspace}.t LIMIT 1");
        let row: (String, i64, String) = conn.query_first(copy).await.unwrap().unwrap();
        assert_eq!(row, ("+".to_owned(), 7, "a".to_owned()));
        let missing = format!("VSTREAM * FROM {keyspace}.missing");
        assert_eq!(code(&mut conn, &missing).await.0, 1146);
        let insert = format!("INSERT INTO {keyspace}.t VALUES (1, 'a')");
        assert_eq!(code(&mut conn, &insert).await.0, 1235);
    }
    drop(conn);
    assert!(vstreamd.stop().success());
}

#[tokio::test]
async fn a_server_that_is_away_harms_nobody_else() {
    let mortal = start(Kind::MariaDb, &[]);
    run(&mortal, &["CREATE DATABASE served", "CREATE TABLE served.t (id int PRIMARY KEY)"]).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let away = format!("mysql://root@{free}/served");
    let keyspaces = [("away", away), ("mortal", url(&mortal, "served"))];
    let config = configure(directory.path(), &keyspaces);
    let mut vstreamd = Vstreamd::start_with(directory.path(), &["--config", &config]);
    vstreamd.announce("a server cannot be asked");
    let mut conn = vstreamd.connect_olap().await;
    let (found, text) = code(&mut conn, "VSTREAM * FROM away.t").await;
    assert_eq!((found, text), (1429, format!("cannot read zone1-0: nothing listens at {free}")));
    conn.query_drop("EXPLAIN VSTREAM * FROM mortal.t").await.unwrap();
    drop(mortal);
    assert_eq!(code(&mut conn, "EXPLAIN VSTREAM * FROM mortal.t").await.0, 1429);
    conn.query_drop("SELECT 1").await.unwrap();
    let log = vstreamd.log();
    assert!(log.contains("tablet=\"zone1-0\"") && log.contains("nothing listens at"), "{log}");
    drop(conn);
    assert!(vstreamd.stop().success());
}

#[tokio::test]
async fn the_doctor_tells_of_each_server() {
    let make = ["CREATE DATABASE IF NOT EXISTS doctored"];
    run(mysql(), &make).await;
    run(mariadb(), &make).await;
    let directory = tempfile::tempdir().unwrap();
    let good = [("a", url(mysql(), "doctored")), ("b", url(mariadb(), "doctored"))];
    let config = configure(directory.path(), &good);
    let (status, said, errors) = vstreamd::run(&["doctor", "--config", &config]);
    assert!(status.success(), "{said}{errors}");
    let title = format!("zone1-0 primary of a/0, {}/doctored: 9.", mysql().address());
    assert!(said.contains(&title) && said.contains("-MariaDB"), "{said}");
    assert!(said.contains("advice binlog_row_metadata is"), "{said}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("mysql://root:geheim@{free}/d");
    let config = configure(directory.path(), &[good[0].clone(), ("away", away)]);
    let (status, said, errors) = vstreamd::run(&["doctor", "--config", &config]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains(&format!("FATAL nothing listens at {free}")), "{said}");
    assert!(said.contains(&title), "{said}");
    assert!(errors.contains("1 of 2 servers cannot be streamed from"), "{errors}");
    assert!(!format!("{said}{errors}").contains("geheim"));
}
