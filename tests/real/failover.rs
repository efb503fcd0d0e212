//! Servers of one shard that cannot all send what a stream needs.

use std::sync::Arc;

use vstreamd::engine::{Engine, EngineConfig, ShardSources, Tablet};
use vstreamd::event::ShardName;
use vstreamd::plan::TabletType;
use vstreamd::source::Source;

use super::follow::purge;
use crate::harness::real::{self, Kind, start};
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{Marks, Stream};
use crate::harness::trace::Request;

/// Without the right to see the log's files a server's refusal is all that is told of a purged one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_its_log_is_passed_over() {
    // Of the same number, they give the same statements the same GTIDs.
    let mut servers = [start(Kind::MariaDb, &[]), start(Kind::MariaDb, &[])];
    let before = [
        "CREATE USER few@'127.0.0.1'",
        "GRANT SELECT, REPLICATION SLAVE ON *.* TO few@'127.0.0.1'",
        "CREATE DATABASE ks",
        "CREATE TABLE ks.t (id INT PRIMARY KEY)",
    ];
    for server in &servers {
        super::run(server, &before).await;
    }
    let begin = source(&servers[0], "ks").position().await.unwrap();
    for server in &servers {
        let after =
            ["INSERT INTO ks.t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO ks.t VALUES (2)"];
        super::run(server, &after).await;
    }
    let streams = async |servers: &[real::Server; 2]| {
        let tablet = |server: &real::Server| Tablet {
            name: server.address().into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(source(server, "ks")),
        };
        let tablets = servers.iter().map(tablet).collect();
        let shard = ShardSources { shard: ShardName::new("ks", "0"), tablets };
        let engine = Engine::new(EngineConfig::default(), vec![shard]);
        let request = Request { start: "begin".to_owned(), ..Request::default() };
        let marks = Marks::from([("begin".to_owned(), begin.clone())]);
        Stream::open(&engine, &request, &marks).await.unwrap()
    };
    let [mut first, mut second] = [connect(&servers[0], "").await, connect(&servers[1], "").await];
    for server in &mut servers {
        "few".clone_into(&mut server.user);
    }
    purge(&mut first).await;
    let mut passed = streams(&servers).await;
    let target = source(&servers[1], "ks").position().await.unwrap();
    passed.settle(&target).await.unwrap();
    let rows: Vec<_> = passed.rows().iter().map(|row| row.line.as_str()).collect();
    assert_eq!(rows, ["t + 1", "t + 2"]);
    purge(&mut second).await;
    let error = streams(&servers).await.error().await;
    assert!(error.contains("cannot send its log after"), "{error}");
}
