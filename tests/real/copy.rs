//! Copies of tables of real servers: in the order of every kind of key, resumed behind every row,
//! in the words of the changes that follow, and exactly as of their position.

mod exact;
mod keys;
mod many;
mod places;
mod rebuild;
mod trouble;

use std::sync::Arc;

use mysql_async::prelude::Queryable;
use vstreamd::engine::{Engine, EngineConfig};
use vstreamd::event::TableName;
use vstreamd::source::mysql::MysqlSource;
use vstreamd::source::{BatchMax, Scan, Snapshot, Source, SourceError};
use vstreamd::sql::filter::Select;

use super::decode::{self, cells, oracle, values};
use crate::harness::real::{self, Kind, Server, start};
use crate::harness::rounds;
use crate::harness::server_keyspace::{connect, source};
use crate::harness::stream;

const KINDS: [Kind; 2] = [Kind::MySql, Kind::MariaDb];

type Cells = Vec<Option<Vec<u8>>>;

/// A server of its own with tables in database `ks`.
async fn world(kind: Kind, options: &[&str], tables: &[&str]) -> (Server, Arc<MysqlSource>) {
    let server = start(kind, options);
    super::run(&server, &["CREATE DATABASE ks"]).await;
    let mut conn = connect(&server, "ks").await;
    for statement in tables {
        conn.query_drop(*statement).await.unwrap();
    }
    let source = Arc::new(source(&server, "ks"));
    (server, source)
}

/// An engine whose copies hand out a row at a time.
fn engine(source: &Arc<MysqlSource>) -> Engine {
    let config = EngineConfig { copy_batch_bytes: 1, ..EngineConfig::default() };
    stream::engine(config, Arc::clone(source) as _)
}

fn scan_of(table: &TableName) -> Scan {
    Scan { table: table.clone(), after: None, where_sql: None, batch: BatchMax::bytes(4096) }
}

/// All rows of a table of a snapshot.
async fn scan(snapshot: &mut dyn Snapshot, table: &TableName) -> Vec<Cells> {
    try_scan(snapshot, table).await.unwrap()
}

async fn try_scan(
    snapshot: &mut dyn Snapshot,
    table: &TableName,
) -> Result<Vec<Cells>, SourceError> {
    snapshot.scan(scan_of(table)).await?;
    let mut rows = Vec::new();
    while let Some(batch) = snapshot.next().await? {
        rows.extend(batch.changes(0..batch.len()).map(|change| cells(change.after.unwrap())));
    }
    Ok(rows)
}

/// Every value of every type reads the same whether it is copied or followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_are_in_the_words_of_the_changes() {
    for (seed, kind) in KINDS.into_iter().enumerate() {
        let server = real::start(kind, &[]);
        let mut conn = decode::session(&server).await;
        decode::run(&mut conn, "CREATE DATABASE oracle CHARACTER SET utf8mb4").await;
        decode::run(&mut conn, "USE oracle").await;
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let tables = values::tables(kind);
        for (name, samples) in &tables {
            oracle::create(&mut conn, name, samples).await;
            for id in 0..rounds(40, 400, 4_000) {
                let values = oracle::assignments(samples, &mut random);
                decode::run(&mut conn, &format!("INSERT INTO {name} SET id = {id}{values}")).await;
            }
        }
        let known = decode::tables(&server, "oracle").await;
        let followed = decode::rows(decode::decode(kind, &decode::log(&server), &known));
        let source = source(&server, "oracle");
        let names: Vec<_> = tables.iter().map(|(name, _)| TableName::new("oracle", name)).collect();
        let mut snapshot = source.snapshot(&names).await.unwrap();
        for name in &names {
            let events = followed.iter().filter(|event| event.schema().name.table == name.table);
            let changes = events.flat_map(|event| event.changes(0..event.len()));
            let mut expected: Vec<_> = changes.map(|change| cells(change.after.unwrap())).collect();
            expected.sort();
            let mut copied = scan(&mut *snapshot, name).await;
            copied.sort();
            assert_eq!(copied.len(), expected.len());
            let schema = snapshot.schema(name).unwrap();
            for (copied, expected) in copied.iter().zip(&expected) {
                for ((copied, expected), column) in copied.iter().zip(expected).zip(&schema.columns)
                {
                    let shown = |cell: &Option<Vec<u8>>| {
                        cell.as_deref().map(|cell| String::from_utf8_lossy(cell).into_owned())
                    };
                    assert_eq!(shown(copied), shown(expected), "{kind:?} {}", column.declared);
                    assert_eq!(copied, expected, "{kind:?} {}", column.declared);
                }
            }
        }
    }
}

/// Names of all words that are reserved stand in conditions that are pushed down.
#[tokio::test]
async fn reserved_words_may_be_names() {
    for server in [real::mysql(), real::mariadb()] {
        let mut conn = connect(server, "").await;
        for statement in ["DROP DATABASE IF EXISTS words", "CREATE DATABASE words", "USE words"] {
            conn.query_drop(statement).await.unwrap();
        }
        let words: Vec<String> =
            conn.query("SELECT DISTINCT WORD FROM information_schema.KEYWORDS").await.unwrap();
        let is_name = |word: &&String| word.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
        let words: Vec<_> = words.iter().filter(is_name).collect();
        assert!(words.len() > 200);
        let columns: Vec<_> =
            words.iter().map(|word| format!("`{word}` TINYINT NOT NULL DEFAULT 1")).collect();
        let create = format!("CREATE TABLE t (i INT PRIMARY KEY, {})", columns.join(", "));
        conn.query_drop(create).await.unwrap();
        conn.query_drop("INSERT INTO t (i) VALUES (1), (2)").await.unwrap();
        let name = TableName::new("words", "t");
        let source = source(server, "words");
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        for words in words.chunks(100) {
            let terms: Vec<_> = words.iter().map(|word| format!("`{word}` = 1")).collect();
            let select = format!("SELECT * FROM t WHERE i = 2 AND {}", terms.join(" AND "));
            let condition = Select::parse(&select).unwrap().condition.unwrap();
            let scan = Scan { where_sql: Some(condition.to_string()), ..scan_of(&name) };
            snapshot.scan(scan).await.unwrap();
            assert_eq!(snapshot.next().await.unwrap().unwrap().len(), 1);
            assert!(snapshot.next().await.unwrap().is_none());
        }
    }
}

/// How many connections of vstreamd the server has.
async fn connections(server: &Server) -> u64 {
    let count = "SELECT COUNT(*) FROM information_schema.PROCESSLIST \
                 WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Daemon' AND USER = 'root'";
    connect(server, "").await.query_first(count).await.unwrap().unwrap()
}
