//! The embedded store through its statements: what it streams is what it holds, from any position.

mod bounds;
mod pushdown;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use vstreamd::event::order::SourceOrder;
use vstreamd::event::row::split_cell;
use vstreamd::event::{Event, Gtid, GtidSet, Row, TableName};
use vstreamd::source::sqlite::{OpenError, Store, StoreConfig};
use vstreamd::source::{
    Backend, BackendError, BackendReply, BackendSession, BatchMax, Scan, Scope, Source, Span,
    Variables,
};
use vstreamd::sql::sqlite::Value;

use crate::harness::rounds;

/// A client without any variables set.
struct Defaults;

impl Variables for Defaults {
    fn system(&self, _: &str) -> Option<Value> {
        None
    }

    fn user(&self, _: &str) -> Option<Value> {
        None
    }
}

struct Client(Box<dyn BackendSession>);

impl Client {
    async fn new(store: &Arc<Store>) -> Self {
        Self(store.backend().session("tester").await.unwrap())
    }

    /// The rows of a result, or the number of rows affected.
    async fn run(&mut self, sql: &str) -> Result<Vec<String>, BackendError> {
        match self.0.execute(sql, &Defaults).await? {
            BackendReply::Ok(ok) => Ok(vec![ok.affected_rows.to_string()]),
            BackendReply::Rows(mut rows) => {
                let mut lines = Vec::new();
                while let Some(block) = rows.next().await? {
                    lines.extend(block.rows().map(print));
                }
                Ok(lines)
            }
        }
    }

    async fn ok(&mut self, sql: &str) -> Vec<String> {
        self.run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

fn print(mut cells: &[u8]) -> String {
    let mut texts = Vec::new();
    while let Some((cell, rest)) = split_cell(cells) {
        texts.push(cell.map_or("NULL".into(), |cell| String::from_utf8_lossy(cell).into_owned()));
        cells = rest;
    }
    texts.join(",")
}

async fn open(directory: &Path) -> Arc<Store> {
    let config = StoreConfig { keyspace: "test".to_owned(), ..StoreConfig::default() };
    Store::open(directory, config).await.unwrap()
}

/// Tables as multisets of rows, rebuilt from changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Replica(BTreeMap<String, BTreeMap<String, i64>>);

impl Replica {
    fn add(&mut self, table: &str, row: Row<'_>, count: i64) {
        let rows = self.0.entry(table.to_owned()).or_default();
        let row = print(row.encoded());
        let now = rows.entry(row.clone()).or_default();
        *now += count;
        assert!(*now >= 0, "{table} has lost {row} twice");
        if *now == 0 {
            rows.remove(&row);
        }
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            let Event::Row(rows) = event else { continue };
            let table = rows.event.schema().name.table.to_string();
            for change in rows.changes() {
                if let Some(before) = change.before {
                    self.add(&table, before, -1);
                }
                if let Some(after) = change.after {
                    self.add(&table, after, 1);
                }
            }
        }
    }

    async fn check(&self, client: &mut Client, why: &str) {
        for table in TABLES {
            let mut held = client.ok(&format!("SELECT * FROM {table}")).await;
            held.sort();
            let rows = self.0.get(table).into_iter().flatten();
            let ours: Vec<String> = rows
                .flat_map(|(row, &count)| std::iter::repeat_n(row.clone(), count as usize))
                .collect();
            assert_eq!(ours, held, "{table}: {why}");
        }
    }
}

const TABLES: [&str; 3] = ["keyed", "pair", "free"];

async fn create(client: &mut Client) {
    for sql in [
        "CREATE TABLE keyed (id INT PRIMARY KEY AUTO_INCREMENT, u INT UNIQUE, v VARBINARY(20))",
        "CREATE TABLE pair (a INT NOT NULL, b VARBINARY(9) NOT NULL, c INT, PRIMARY KEY (b, a))",
        "CREATE TABLE free (x INT, y VARBINARY(9))",
    ] {
        client.ok(sql).await;
    }
}

fn statement(random: &mut fastrand::Rng) -> String {
    let mut n = || random.i32(0..12);
    let (a, b, c, d) = (n(), n(), n(), n());
    match random.u32(0..19) {
        0..3 => {
            format!("INSERT INTO keyed (u, v) VALUES ({a}, 'x{b}'), (NULL, 'y{c}'), ({d}, NULL)")
        }
        3 => format!("INSERT INTO keyed VALUES ({a}, {b}, 'z') ON DUPLICATE KEY UPDATE v = 'd{c}'"),
        4 => format!("REPLACE INTO keyed VALUES ({a}, {b}, 'r{c}')"),
        5 => format!("UPDATE keyed SET u = {a} WHERE id = {b}"),
        6 => format!("UPDATE keyed SET u = NULL, v = 'n{a}' WHERE u > {b}"),
        7 => format!("DELETE FROM keyed WHERE id < {a}"),
        8 => format!("INSERT IGNORE INTO pair VALUES ({a}, 'k{b}', {c}), ({a}, 'k{d}', {c})"),
        9 => format!("UPDATE pair SET c = {a}, a = {b} WHERE b = 'k{c}'"),
        10 => format!("DELETE FROM pair WHERE a >= {a} AND b <> 'k{b}'"),
        11 => format!("INSERT INTO free VALUES ({a}, 'f'), ({a}, 'f'), (NULL, NULL)"),
        12 => format!("UPDATE free SET x = {a} WHERE x = {b}"),
        13 => format!("DELETE FROM free WHERE x = {a}"),
        14 => "BEGIN".to_owned(),
        15 => "COMMIT".to_owned(),
        16 => "ROLLBACK".to_owned(),
        17 => format!("SAVEPOINT s{}", a % 3),
        _ => format!("ROLLBACK TO s{}", a % 3),
    }
}

async fn write(store: Arc<Store>, seed: u64, count: usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut client = Client::new(&store).await;
    for _ in 0..count {
        let sql = statement(&mut random);
        if let Err(error) = client.run(&sql).await {
            // Duplicate keys and unknown savepoints; anything else is a bug.
            assert!([1062, 1305].contains(&error.code), "{sql}: {error:?}");
        }
        tokio::task::yield_now().await;
    }
}

/// All events behind a position, up to now.
async fn events(store: &Arc<Store>, start: GtidSet) -> Vec<Event> {
    let source = store.source();
    let until = Some(source.position().await.unwrap());
    let mut changes = source.changes(Span { start, until }, Scope::all()).await.unwrap();
    let (mut events, mut order) = (Vec::new(), SourceOrder::new());
    while let Some(more) = changes.next().await.unwrap() {
        for event in &more {
            order.push(event).unwrap();
        }
        events.extend(more);
    }
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_streamed_is_what_is_held_from_every_position() {
    for seed in 0..rounds(4, 20, 200) as u64 {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        let mut client = Client::new(&store).await;
        create(&mut client).await;
        let mut writers = JoinSet::new();
        for writer in 0..3 {
            writers.spawn(write(Arc::clone(&store), seed * 10 + writer, 60));
        }
        let copy = copy(&store).await;
        writers.join_all().await;

        let all = events(&store, GtidSet::default()).await;
        let mut replica = Replica::default();
        replica.apply(&all);
        replica.check(&mut client, &format!("seed {seed}")).await;

        let (mut copied, position) = copy;
        copied.apply(&events(&store, position).await);
        copied.check(&mut client, &format!("copy under load, seed {seed}")).await;

        resume_everywhere(&store, &mut client, &all).await;
    }
}

/// Cuts the stream behind each transaction; what was before and the rest from there are the whole.
async fn resume_everywhere(store: &Arc<Store>, client: &mut Client, all: &[Event]) {
    let (mut seen, mut replica) = (GtidSet::default(), Replica::default());
    let (mut current, mut applied): (Option<Gtid>, usize) = (None, 0);
    for (place, event) in all.iter().enumerate() {
        match event {
            Event::Gtid(gtid) => current = Some(*gtid),
            Event::Commit(_) | Event::Ddl(_) => {
                seen.add(current.take().unwrap());
                replica.apply(&all[applied..=place]);
                applied = place + 1;
                let mut whole = replica.clone();
                whole.apply(&events(store, seen.clone()).await);
                whole.check(client, &format!("resumed at {seen}")).await;
            }
            _ => {}
        }
    }
}

async fn copy(store: &Arc<Store>) -> (Replica, GtidSet) {
    let names: Vec<_> = TABLES.iter().map(|table| TableName::new("test", table)).collect();
    let mut snapshot = store.source().snapshot(&names).await.unwrap();
    let mut replica = Replica::default();
    for table in names {
        let scan =
            Scan { table: table.clone(), after: None, where_sql: None, batch: BatchMax::bytes(64) };
        snapshot.scan(scan).await.unwrap();
        while let Some(rows) = snapshot.next().await.unwrap() {
            for change in rows.changes(0..rows.len()) {
                replica.add(&table.table, change.after.unwrap(), 1);
            }
        }
    }
    (replica, snapshot.position().clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abrupt_end_leaves_data_and_journal_in_agreement() {
    for seed in 0..rounds(4, 20, 200) as u64 {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        let mut client = Client::new(&store).await;
        create(&mut client).await;
        write(Arc::clone(&store), seed, 40).await;
        // A transaction stays open: the files are as a kill would leave them.
        client.ok("BEGIN").await;
        client.ok("INSERT INTO free VALUES (100, 'open')").await;
        let after = tempfile::tempdir().unwrap();
        for name in ["test.0.sqlite", "test.0.sqlite-wal"] {
            std::fs::copy(directory.path().join(name), after.path().join(name)).unwrap();
        }
        let position = store.source().position().await.unwrap();
        let revived = open(after.path()).await;
        assert_eq!(revived.source().position().await.unwrap(), position);
        let mut replica = Replica::default();
        replica.apply(&events(&revived, GtidSet::default()).await);
        let mut client = Client::new(&revived).await;
        replica.check(&mut client, &format!("seed {seed}")).await;
        client.ok("INSERT INTO free VALUES (1, 'goes on')").await;
        assert_ne!(revived.source().position().await.unwrap(), position);
    }
}

#[tokio::test]
async fn a_store_reopens_with_its_tables_and_counters() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut client = Client::new(&store).await;
    create(&mut client).await;
    client.ok("INSERT INTO keyed (v) VALUES ('a'), ('b')").await;
    client.ok("ALTER TABLE keyed ADD COLUMN w INT NOT NULL DEFAULT 7").await;
    client.ok("UPDATE keyed SET w = 8 WHERE id = 2").await;
    let before: Vec<_> = TABLES.iter().map(|table| store.show_create(table)).collect();
    drop((client, store));
    let store = open(directory.path()).await;
    let after: Vec<_> = TABLES.iter().map(|table| store.show_create(table)).collect();
    assert_eq!(before, after);
    let mut client = Client::new(&store).await;
    client.ok("INSERT INTO keyed (v) VALUES ('c')").await;
    assert_eq!(client.ok("SELECT * FROM keyed").await, ["1,NULL,a,7", "2,NULL,b,8", "3,NULL,c,7"]);
    // Rows from before the ALTER still have the shape they were written in.
    let mut rows = Vec::new();
    for event in events(&store, GtidSet::default()).await {
        if let Event::Row(event) = event {
            rows.extend(event.changes().map(|change| print(change.after.unwrap().encoded())));
        }
    }
    assert_eq!(rows, ["1,NULL,a", "2,NULL,b", "2,NULL,b,8", "3,NULL,c,7"]);
}

#[tokio::test]
async fn a_number_is_not_given_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let count = async |statements: &[&str]| {
        let store = open(directory.path()).await;
        let mut client = Client::new(&store).await;
        for sql in statements {
            client.ok(sql).await;
        }
        client.ok("INSERT INTO t VALUES (NULL)").await;
        client.ok("SELECT LAST_INSERT_ID()").await.remove(0)
    };
    let create = "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT)";
    assert_eq!(count(&[create, "INSERT INTO t VALUES (7)"]).await, "8");
    assert_eq!(count(&[]).await, "9");
    assert_eq!(count(&["DELETE FROM t"]).await, "10");
    assert_eq!(count(&["DELETE FROM t"]).await, "11");
    let rolled_back = ["BEGIN", "INSERT INTO t VALUES (NULL), (NULL)", "ROLLBACK"];
    assert_eq!(count(&rolled_back).await, "14");
    assert_eq!(count(&["INSERT INTO t VALUES (99)", "DELETE FROM t WHERE id = 99"]).await, "100");
    // A table that is made anew counts anew.
    assert_eq!(count(&["TRUNCATE t"]).await, "1");
    assert_eq!(count(&[]).await, "2");
    assert_eq!(count(&["DROP TABLE t", create]).await, "1");
    let made = ["BEGIN", "INSERT INTO t VALUES (50)", "ROLLBACK", "DROP TABLE t", create];
    assert_eq!(count(&made).await, "1");
    assert_eq!(count(&[]).await, "2");
}

#[tokio::test]
async fn an_idle_store_trims_what_has_become_too_old() {
    let directory = tempfile::tempdir().unwrap();
    let open = |journal_age_max| {
        let config = StoreConfig {
            keyspace: "test".to_owned(),
            journal_age_max,
            journal_trim_interval: Duration::from_millis(50),
            ..StoreConfig::default()
        };
        Store::open(directory.path(), config)
    };
    let purged = async |store: &Arc<Store>| {
        let span = Span { start: GtidSet::default(), until: None };
        store.source().changes(span, Scope::all()).await.is_err()
    };
    let generous = Duration::from_hours(1);
    let store = open(generous).await.unwrap();
    let mut client = Client::new(&store).await;
    create(&mut client).await;
    client.ok("INSERT INTO free VALUES (1, 'old')").await;
    assert!(!purged(&store).await);
    drop((client, store));
    let store = loop {
        // The trimmer may have it for another moment.
        match open(Duration::ZERO).await {
            Ok(store) => break store,
            Err(OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error}"),
        }
    };
    let trimmed = async {
        while !purged(&store).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), trimmed).await.expect("nobody commits");
    drop(store);
}

#[tokio::test]
async fn one_writer_at_a_time_and_1205_for_who_waits_too_long() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        keyspace: "test".to_owned(),
        lock_wait_timeout: Duration::from_millis(50),
        ..StoreConfig::default()
    };
    let store = Store::open(directory.path(), config).await.unwrap();
    let (mut first, mut second) = (Client::new(&store).await, Client::new(&store).await);
    create(&mut first).await;
    first.ok("BEGIN").await;
    first.ok("INSERT INTO free VALUES (1, 'a')").await;
    assert_eq!(first.ok("SELECT * FROM free").await, ["1,a"]);
    assert_eq!(second.ok("SELECT * FROM free").await, [""; 0]);
    let error = second.run("INSERT INTO free VALUES (2, 'b')").await.unwrap_err();
    assert_eq!((error.code, error.state), (1205, *b"HY000"));
    // A session that goes away takes its transaction with it.
    drop(first);
    second.ok("INSERT INTO free VALUES (2, 'b')").await;
    assert_eq!(second.ok("SELECT * FROM free").await, ["2,b"]);
}

#[tokio::test]
async fn a_kill_ends_who_waits_and_the_session_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let (mut first, mut second) = (Client::new(&store).await, Client::new(&store).await);
    create(&mut first).await;
    first.ok("BEGIN").await;
    first.ok("INSERT INTO free VALUES (1, 'a')").await;
    let kill = second.0.kill_handle();
    let (error, ()) = tokio::join!(second.run("INSERT INTO free VALUES (2, 'b')"), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        kill.interrupt();
    });
    assert_eq!(error.unwrap_err().code, 1317);
    first.ok("COMMIT").await;
    second.ok("INSERT INTO free VALUES (2, 'b')").await;
}

#[tokio::test]
async fn a_large_transaction_comes_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut client = Client::new(&store).await;
    client.ok("CREATE TABLE big (id INT PRIMARY KEY, v LONGBLOB)").await;
    let start = store.source().position().await.unwrap();
    client.ok("BEGIN").await;
    let cell = "x".repeat(1 << 20);
    for id in 0..5 {
        client.ok(&format!("INSERT INTO big VALUES ({id}, '{cell}')")).await;
    }
    client.ok("COMMIT").await;
    let until = Some(store.source().position().await.unwrap());
    let mut changes = store.source().changes(Span { start, until }, Scope::all()).await.unwrap();
    let (mut batches, mut rows, mut order) = (0, 0, SourceOrder::new());
    while let Some(events) = changes.next().await.unwrap() {
        batches += 1;
        for event in &events {
            order.push(event).unwrap();
            rows += if let Event::Row(event) = event { event.changes().count() } else { 0 };
        }
    }
    assert_eq!(rows, 5);
    assert!(batches > 1);
}
