//! What one client does for too long: the store ends it, and nobody else waits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use vstreamd::engine::{Engine, EngineConfig, ShardSources, StreamError, Subscription, Tablet};
use vstreamd::event::{Event, Position, RowChange, ShardName, Start, TableSchema};
use vstreamd::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use vstreamd::source::sqlite::{Store, StoreConfig};
use vstreamd::source::{BackendReply, Source, SourceError};

use super::{Client, Defaults, print};

/// Far more than anything here takes, far less than what it waits for without its bound.
const DEADLINE: Duration = Duration::from_secs(20);

async fn open(directory: &Path, config: StoreConfig) -> Arc<Store> {
    let config = StoreConfig { keyspace: "test".to_owned(), ..config };
    Store::open(directory, config).await.unwrap()
}

/// A condition that takes SQLite years, without a row on the way.
fn forever() -> String {
    let tables: Vec<_> = (0..30).map(|alias| format!("digit t{alias}")).collect();
    format!("(SELECT count(*) FROM {} WHERE t0.id + t29.id < 0) > 0", tables.join(", "))
}

async fn ten(client: &mut Client) {
    client.ok("CREATE TABLE ten (id INT PRIMARY KEY, v VARCHAR(40))").await;
    client.ok("INSERT INTO ten VALUES (0,'a'), (1,'b'), (2,'c'), (3,'d'), (4,'e')").await;
    client.ok("INSERT INTO ten SELECT id + 5, v FROM ten").await;
    client.ok("CREATE TABLE digit AS SELECT id FROM ten").await;
}

/// Runs a statement that has no end, and kills it a moment after it began.
async fn killed(client: &mut Client, sql: &str) -> u16 {
    let kill = client.0.kill_handle();
    let running = async {
        let (outcome, ()) = tokio::join!(client.run(sql), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            kill.interrupt();
        });
        outcome
    };
    let outcome = timeout(DEADLINE, running).await.unwrap_or_else(|_| panic!("{sql} goes on"));
    outcome.map_err(|error| error.code).expect_err(sql)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_ends_a_search_and_leaves_the_transaction_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreConfig::default()).await;
    let (mut client, mut other) = (Client::new(&store).await, Client::new(&store).await);
    ten(&mut client).await;
    let never = forever();
    for sql in [
        format!("UPDATE ten SET v = 'lost' WHERE {never}"),
        format!("UPDATE ten SET v = IF({never}, 'x', 'lost')"),
        format!("DELETE FROM ten WHERE id < 5 AND {never}"),
        format!("INSERT INTO ten SELECT id + 100, 'lost' FROM ten WHERE {never}"),
        format!("INSERT INTO ten VALUES (100, 'lost'), (101, IF({never}, 'x', 'lost'))"),
    ] {
        client.ok("BEGIN").await;
        client.ok("INSERT INTO ten VALUES (50, 'kept')").await;
        assert_eq!(killed(&mut client, &sql).await, 1317, "{sql}");
        assert!(client.0.status().in_transaction, "{sql}");
        // A kill that comes too late meets nobody.
        client.0.kill_handle().interrupt();
        assert_eq!(client.ok("SELECT count(*) FROM ten").await, ["11"], "{sql}");
        client.ok("UPDATE ten SET v = 'too' WHERE id = 50").await;
        client.ok("COMMIT").await;
        assert_eq!(other.ok("SELECT v FROM ten WHERE id = 50").await, ["too"], "{sql}");
        assert_eq!(other.ok("SELECT count(*) FROM ten WHERE v = 'lost'").await, ["0"], "{sql}");
        other.ok("DELETE FROM ten WHERE id = 50").await;
        // Alone, too.
        assert_eq!(killed(&mut client, &sql).await, 1317, "{sql}");
        assert!(!client.0.status().in_transaction, "{sql}");
        assert_eq!(other.ok("SELECT count(*) FROM ten").await, ["10"], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_gone_gives_back_what_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { readers_max: 1, ..StoreConfig::default() };
    let store = open(directory.path(), config).await;
    let mut other = Client::new(&store).await;
    ten(&mut other).await;
    let never = forever();
    for sql in [format!("UPDATE ten SET v = 'lost' WHERE {never}"), format!("SELECT {never}")] {
        let mut client = Client::new(&store).await;
        client.ok("BEGIN").await;
        let begun = timeout(Duration::from_millis(100), client.run(&sql)).await;
        assert!(begun.is_err(), "{sql} ended");
        drop(client);
        let others = async {
            other.ok("UPDATE ten SET v = 'free' WHERE id = 1").await;
            assert_eq!(other.ok("SELECT v FROM ten WHERE id = 1").await, ["free"]);
        };
        timeout(DEADLINE, others).await.unwrap_or_else(|_| panic!("{sql} goes on"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_nobody_wants_end_their_statement() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { readers_max: 1, ..StoreConfig::default() };
    let store = open(directory.path(), config).await;
    let mut client = Client::new(&store).await;
    ten(&mut client).await;
    // The first block comes at once, the next one never.
    let sql = format!("SELECT REPEAT('x', 70000) FROM ten WHERE id = 0 OR {}", forever());
    for transaction in [false, true] {
        if transaction {
            client.ok("BEGIN").await;
            client.ok("UPDATE ten SET v = 'kept' WHERE id = 1").await;
        }
        let begun = timeout(DEADLINE, client.0.execute(&sql, &Defaults)).await.unwrap().unwrap();
        let BackendReply::Rows(rows) = begun else { panic!("{sql} has rows") };
        drop(rows);
        let next = timeout(DEADLINE, client.ok("SELECT count(*) FROM ten")).await;
        assert_eq!(next.expect("the rows before are gone"), ["10"]);
    }
    client.ok("COMMIT").await;
    assert_eq!(client.ok("SELECT v FROM ten WHERE id = 1").await, ["kept"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_statement_collects_counts() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { statement_bytes_max: 1 << 20, ..StoreConfig::default() };
    let store = open(directory.path(), config).await;
    let mut client = Client::new(&store).await;
    ten(&mut client).await;
    client.ok("CREATE TABLE copy (v VARCHAR(2000))").await;
    let crossed = |count: usize| {
        let tables: Vec<_> = (0..count).map(|alias| format!("ten t{alias}")).collect();
        tables.join(", ")
    };
    let fits = format!("INSERT INTO copy SELECT REPEAT('x', 1000) FROM {}", crossed(2));
    assert_eq!(client.ok(&fits).await, ["100"]);
    for sql in [
        format!("INSERT INTO copy SELECT REPEAT('x', 1000) FROM {}", crossed(12)),
        // Its changes are none: only what it found counts.
        "UPDATE many SET v = v".to_owned(),
        "INSERT INTO copy SELECT REPEAT('x', 2000) FROM many".to_owned(),
    ] {
        if sql.contains("many") && store.show_create("many").is_none() {
            client.ok("CREATE TABLE many (v INT)").await;
            for _ in 0..4 {
                let fill = format!("INSERT INTO many SELECT 1 FROM {}", crossed(4));
                client.ok(&fill).await;
            }
        }
        let outcome = timeout(DEADLINE, client.run(&sql)).await.expect("it is refused early");
        let error = outcome.expect_err(&sql);
        assert_eq!((error.code, error.state), (1705, *b"HY000"), "{sql}: {error}");
        assert_eq!(client.ok("SELECT count(*) FROM copy").await, ["100"]);
    }
    // What one statement held is not held against the next.
    assert_eq!(client.ok(&fits).await, ["100"]);
}

/// The tables as a client puts them together: by key, or as a multiset where there is none.
#[derive(Debug, Default)]
struct Rebuilt(BTreeMap<String, BTreeMap<String, (String, i64)>>);

impl Rebuilt {
    fn apply(&mut self, schema: &TableSchema, change: RowChange<'_>) {
        let rows = self.0.entry(schema.name.table.to_string()).or_default();
        let keyed = !schema.key.is_empty();
        let key = |row: &str| {
            let key = row.split(',').next().unwrap_or_default();
            if keyed { key.to_owned() } else { row.to_owned() }
        };
        let before = change.before.map(|row| print(row.encoded()));
        let after = change.after.map(|row| print(row.encoded()));
        if let Some(before) = before {
            let (_, count) = rows.entry(key(&before)).or_default();
            *count = if keyed { 0 } else { *count - 1 };
        }
        if let Some(after) = after {
            let (row, count) = rows.entry(key(&after)).or_default();
            *row = after;
            *count = if keyed { 1 } else { *count + 1 };
        }
        rows.retain(|_, (_, count)| *count != 0);
    }

    fn rows(&self, table: &str) -> Vec<String> {
        let rows = self.0.get(table).into_iter().flat_map(BTreeMap::values);
        let mut rows: Vec<_> = rows
            .flat_map(|(row, count)| {
                let count = usize::try_from(*count).expect("no row goes twice");
                std::iter::repeat_n(row.clone(), count)
            })
            .collect();
        rows.sort();
        rows
    }
}

fn engine(stores: &[(&str, &Arc<Store>)], config: EngineConfig) -> Engine {
    let shard = |(name, store): &(&str, &Arc<Store>)| {
        let tablet = Tablet {
            name: "embedded".into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(store.source()),
        };
        ShardSources { shard: ShardName::new("test", name), tablets: vec![tablet] }
    };
    Engine::new(config, stores.iter().map(shard).collect())
}

fn request(start: &Start, shards: &[&str]) -> StreamRequest {
    let shards: Vec<_> = shards.iter().map(|name| ShardName::new("test", name)).collect();
    StreamRequest {
        position: Position::starting(start, &shards),
        tablet_type: TabletType::Primary,
        filter: Filter { rules: vec![Rule::everything()] },
        flags: Flags::default(),
        limit: None,
    }
}

/// Applies one batch; whether the copy is complete and everything in `goal` was seen.
async fn read(stream: &mut Subscription, rebuilt: &mut Rebuilt, store: &Arc<Store>) -> bool {
    let goal = store.source().position().await.unwrap();
    let next = timeout(DEADLINE, stream.next()).await.expect("a stream goes on");
    let batch = next.unwrap().expect("it has no end");
    for event in &batch.events {
        if let Event::Row(rows) = event {
            for change in rows.changes() {
                rebuilt.apply(rows.event.schema(), change);
            }
        }
    }
    let own = &stream.position().shards[0];
    let reached = matches!(&own.start, Start::After(set) if set.contains_set(&goal));
    reached && !own.copying && !matches!(batch.events.last(), Some(Event::Begin(_) | Event::Row(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_copy_lets_go_of_its_view_and_goes_on_rightly() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        snapshots_max: 1,
        snapshot_age_max: Duration::from_millis(30),
        ..StoreConfig::default()
    };
    let store = open(directory.path(), config).await;
    let mut writer = Client::new(&store).await;
    writer.ok("CREATE TABLE free (x INT, y VARBINARY(20))").await;
    writer.ok("CREATE TABLE keyed (id INT PRIMARY KEY, y VARBINARY(20))").await;
    for id in 0..60 {
        writer.ok(&format!("INSERT INTO keyed VALUES ({id}, 'first')")).await;
        writer.ok(&format!("INSERT INTO free VALUES ({}, 'row')", id / 3)).await;
    }
    let config = EngineConfig { copy_batch_bytes: 40, ..EngineConfig::default() };
    let engine = engine(&[("0", &store)], config);
    let mut stream = engine.subscribe(request(&Start::Copy, &["0"])).await.unwrap();
    let mut rebuilt = Rebuilt::default();
    for stall in 0..12 {
        for _ in 0..4 {
            read(&mut stream, &mut rebuilt, &store).await;
        }
        // There may be one view, and the stalled copy has given it up: here is another.
        let tables = [vstreamd::event::TableName::new("test", "keyed")];
        let another = timeout(DEADLINE, store.source().snapshot(&tables)).await;
        drop(another.expect("a stalled copy holds no view").unwrap());
        for sql in [
            format!("UPDATE keyed SET y = 'stall {stall}' WHERE id % 5 = {}", stall % 5),
            format!("DELETE FROM keyed WHERE id % 13 = {stall}"),
            format!("INSERT INTO keyed VALUES ({}, 'late')", 100 + stall),
            format!("DELETE FROM free WHERE x = {stall} LIMIT 2"),
            format!("INSERT INTO free VALUES ({stall}, 'row'), ({stall}, 'another')"),
            format!("UPDATE free SET y = 'moved' WHERE x = {}", 19 - stall),
        ] {
            writer.ok(&sql).await;
        }
    }
    while !read(&mut stream, &mut rebuilt, &store).await {}
    for table in ["keyed", "free"] {
        let mut held = writer.ok(&format!("SELECT * FROM {table}")).await;
        held.sort();
        assert_eq!(rebuilt.rows(table), held, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_too_many_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        snapshots_max: 1,
        snapshot_wait_timeout: Duration::from_millis(20),
        ..StoreConfig::default()
    };
    let store = open(directory.path(), config).await;
    let mut writer = Client::new(&store).await;
    ten(&mut writer).await;
    let engine = engine(&[("0", &store)], EngineConfig::default());
    let held = store.source().snapshot(&[]).await.unwrap();
    let mut stream = engine.subscribe(request(&Start::Copy, &["0"])).await.unwrap();
    let next = timeout(DEADLINE, stream.next()).await.expect("it does not wait for ever");
    let StreamError::TooManyCopies { source, .. } = next.unwrap_err() else { panic!("another") };
    assert!(matches!(*source, SourceError::TooManySnapshots { max: 1, .. }), "{source}");
    drop(held);
    // The view ends on a thread of its own, which may take longer than a copy waits here.
    let copied = async {
        loop {
            let mut stream = engine.subscribe(request(&Start::Copy, &["0"])).await.unwrap();
            match stream.next().await {
                Ok(next) => return next,
                Err(StreamError::TooManyCopies { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    assert!(timeout(DEADLINE, copied).await.expect("there is room now").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_shard_holds_up_no_other() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let idle = open(one.path(), StoreConfig::default()).await;
    let busy = open(other.path(), StoreConfig::default()).await;
    let mut clients = [Client::new(&idle).await, Client::new(&busy).await];
    for client in &mut clients {
        client.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    }
    let config = EngineConfig { max_skew: Duration::ZERO, ..EngineConfig::default() };
    let engine = engine(&[("-80", &idle), ("80-", &busy)], config);
    let flags = Flags { minimize_skew: true, ..Flags::default() };
    let request = StreamRequest { flags, ..request(&Start::Now, &["-80", "80-"]) };
    let mut stream = engine.subscribe(request).await.unwrap();
    // One row a second: without heartbeats the second one waits for the idle shard for ever.
    for client in &mut clients {
        client.ok("INSERT INTO t VALUES (0)").await;
    }
    let mut rows = 0;
    for id in 1..4 {
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        clients[1].ok(&format!("INSERT INTO t VALUES ({id})")).await;
        while rows < id + 2 {
            let next = timeout(DEADLINE, stream.next()).await.expect("time goes on everywhere");
            let batch = next.unwrap().expect("it has no end");
            rows += batch.events.iter().filter(|event| matches!(event, Event::Row(_))).count();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_keeps_in_variables_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreConfig::default()).await;
    let mut client = Client::new(&store).await;
    ten(&mut client).await;
    let code = |outcome: Result<Vec<String>, vstreamd::source::BackendError>| {
        outcome.map_err(|error| error.code).err()
    };
    let long = "SET @a = (SELECT REPEAT('x', 65537) FROM ten WHERE id = 1)";
    assert_eq!(code(client.run(long).await), Some(1105));
    for number in 0..256 {
        client.ok(&format!("SET @v{number} = (SELECT id FROM ten WHERE id = 1)")).await;
    }
    let more = client.run("SET @more = (SELECT id FROM ten WHERE id = 1)").await;
    assert_eq!(code(more), Some(1105));
    client.ok("SET @v7 = (SELECT id FROM ten WHERE id = 2)").await;
    assert_eq!(client.ok("SELECT @v7").await, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_take_a_time_in_proportion() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), StoreConfig::default()).await;
    let mut client = Client::new(&store).await;
    // 40,000 items: with the square of their number it would take minutes.
    let sql = format!("SELECT 1 IN (0{}, 1), 'ä', 2", ", 7".repeat(40_000));
    let answer = timeout(DEADLINE, client.run(&sql)).await.expect("not in time").unwrap();
    assert_eq!(answer, ["1,ä,2"]);
}
