//! Servers that take the names of databases and tables in any case.

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use vstreamd::engine::{Engine, EngineConfig, ShardSources, SubscribeError, Tablet};
use vstreamd::event::{Position, ShardName, ShardPosition, Start};
use vstreamd::plan::{Filter, Flags, Rule, RuleFilter, StreamRequest, TabletType};
use vstreamd::source::Source;
use vstreamd::source::mysql::{Budget, MysqlSource, Server, ServerUrl};

use super::follow::KINDS;
use crate::harness::real::{Kind, mariadb, start};
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream::{self, Marks, Stream};
use crate::harness::trace::Request;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_taken_in_any_case_where_the_server_does() {
    for kind in KINDS {
        let real = start(kind, &["--lower-case-table-names=1"]);
        let make = [
            "CREATE DATABASE Ks",
            "CREATE TABLE KS.Tab (id INT PRIMARY KEY, v VARCHAR(20))",
            "CREATE TABLE ks.Other (id INT PRIMARY KEY)",
            "CREATE USER few@'127.0.0.1'",
            "GRANT REPLICATION SLAVE ON *.* TO few@'127.0.0.1'",
            "GRANT SELECT, LOCK TABLES ON KS.* TO few@'127.0.0.1'",
        ];
        super::run(&real, &make).await;
        // The configuration may write the database as it likes, too.
        let url = format!("mysql://few@{}/kS", real.address());
        let server =
            Server::new("test-1", ServerUrl::parse(&url).unwrap(), Arc::new(Budget::new(9)));
        let source = Arc::new(MysqlSource::new(server, "ks"));
        let findings = source.preflight().await.unwrap();
        assert!(findings.iter().all(|finding| !finding.fatal), "{findings:?}");
        let tables = source.tables().await.unwrap();
        let names: Vec<_> = tables.iter().map(|table| table.name.to_string()).collect();
        assert_eq!(names, ["ks.other", "ks.tab"], "{kind:?}");
        let begin = source.position().await.unwrap();
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&source) as _);
        let start = "vstream * from ks.TAB where pos > 'current'".to_owned();
        let request = Request { start, ..Request::default() };
        let mut live = Stream::open(&engine, &request, &Marks::new()).await.unwrap();
        let mut writer = connect(&real, "KS").await;
        for statement in [
            "INSERT INTO TAB VALUES (1, 'a')",
            "INSERT INTO OTHER VALUES (1)",
            "INSERT INTO kS.tAB VALUES (2, 'b')",
        ] {
            writer.query_drop(statement).await.unwrap();
        }
        let target = source.position().await.unwrap();
        live.settle(&target).await.unwrap();
        let rows: Vec<_> = live.rows().iter().map(|row| row.line.as_str()).collect();
        assert_eq!(rows, ["tab + 1 a", "tab + 2 b"], "{kind:?}");
        // A statement that changes the table is known for one in any case.
        writer.query_drop("ALTER TABLE TAB CHANGE v w VARCHAR(20)").await.unwrap();
        let rules = vec![("Tab".to_owned(), String::new())];
        let request = Request { start: "begin".to_owned(), rules, ..Request::default() };
        let engine = stream::engine(EngineConfig::default(), Arc::clone(&source) as _);
        let marks = Marks::from([("begin".to_owned(), begin)]);
        let mut late = Stream::open(&engine, &request, &marks).await.unwrap();
        let error = late.error().await;
        assert!(error.contains("changed the table later"), "{kind:?}: {error}");
    }
}

/// A request for a table of all shards of `ks`.
fn all_shards(table: &str) -> StreamRequest {
    let shards = vec![ShardPosition::new(ShardName::new("ks", ""), Start::Now)];
    let rules = vec![Rule { match_: table.to_owned(), filter: RuleFilter::All }];
    StreamRequest {
        position: Position { shards, plan_hash: None },
        tablet_type: TabletType::Primary,
        filter: Filter { rules },
        flags: Flags::default(),
        limit: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_disagree_about_letters_take_names_in_lower_case() {
    let folding = start(Kind::MariaDb, &["--lower-case-table-names=1"]);
    let make = [
        "CREATE OR REPLACE DATABASE letters",
        "CREATE TABLE letters.tab (id INT PRIMARY KEY)",
        "CREATE TABLE letters.other (id INT PRIMARY KEY)",
    ];
    super::run(&folding, &make).await;
    super::run(mariadb(), &make).await;
    let shard = |name: &str, server| {
        let (tablet_type, source) = (TabletType::Primary, Arc::new(source(server, "letters")));
        let tablets = vec![Tablet { name: name.into(), tablet_type, source }];
        ShardSources { shard: ShardName::new("ks", name), tablets }
    };
    for shards in [
        vec![shard("-80", &folding), shard("80-", mariadb())],
        vec![shard("-80", mariadb()), shard("80-", &folding)],
    ] {
        let engine = Engine::new(EngineConfig::default(), shards);
        assert_eq!(engine.describe(&all_shards("tab")).await.unwrap().len(), 2);
        let refused = engine.describe(&all_shards("Tab")).await;
        let Err(SubscribeError::LetterCase { folding, .. }) = refused else {
            panic!("{refused:?}")
        };
        assert!(["-80", "80-"].contains(&&*folding.shard));
    }
    let engine = Engine::new(EngineConfig::default(), vec![shard("0", &folding)]);
    assert_eq!(engine.describe(&all_shards("Tab")).await.unwrap().len(), 1);
}
