//! The embedded store under the engine, with real connections and writers: a copy under load, and a
//! resume from the position of every row.

use std::sync::Arc;
use std::time::Duration;

use vstreamd::engine::{Engine, EngineConfig, ShardSources, Subscription, Tablet};
use vstreamd::event::{Event, Position, Row, ShardName, Start};
use vstreamd::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use vstreamd::source::sqlite::{Store, StoreConfig};
use vstreamd::source::{Backend, BackendReply, BackendSession, Source, Variables};
use vstreamd::sql::sqlite::Value;

use super::state::State;
use crate::harness::rounds;

struct NoVariables;

impl Variables for NoVariables {
    fn system(&self, _: &str) -> Option<Value> {
        None
    }

    fn user(&self, _: &str) -> Option<Value> {
        None
    }
}

async fn run(session: &mut Box<dyn BackendSession>, sql: &str) {
    match session.execute(sql, &NoVariables).await {
        Ok(BackendReply::Ok(_)) => {}
        Ok(BackendReply::Rows(_)) => panic!("{sql} has rows"),
        // Two writers may choose the same key.
        Err(error) if error.code == 1062 => {}
        Err(error) => panic!("{sql}: {error}"),
    }
}

fn statement(random: &mut fastrand::Rng) -> String {
    let (number, text) = (random.u32(..40), random.choice(["a", "b", "zz", "0"]).unwrap());
    let value = random.u32(..1_000);
    match (random.u32(..3), random.u32(..4)) {
        (0, 0..2) => format!("insert into pair values ('{text}', {number}, {value})"),
        (0, 2) => format!("update pair set v = {value} where b = {number}"),
        (0, _) => format!("delete from pair where a = '{text}' and b < {number}"),
        (1, 0..2) => format!("insert into word values ('{text}{number}', {value})"),
        (1, 2) => format!("update word set k = 'm{value}' where k = '{text}{number}'"),
        (1, _) => format!("delete from word where k = '{text}{number}'"),
        (_, 0..3) => format!("insert into free values ({}, '{text}')", number % 5),
        (_, _) => format!("delete from free where a = {}", number % 5),
    }
}

async fn write(store: Arc<Store>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut session = store.backend().session("writer").await.unwrap();
    for _ in 0..30 {
        let transaction = random.u32(..4) == 0;
        if transaction {
            run(&mut session, "begin").await;
        }
        for _ in 0..random.usize(1..4) {
            run(&mut session, &statement(&mut random)).await;
        }
        if transaction {
            run(&mut session, random.choice(["commit", "rollback"]).unwrap()).await;
        }
    }
}

fn request(position: Position) -> StreamRequest {
    StreamRequest {
        position,
        tablet_type: TabletType::Primary,
        filter: Filter { rules: vec![Rule::everything()] },
        flags: Flags::default(),
        limit: None,
    }
}

fn start() -> Position {
    Position::starting(&Start::Copy, &[ShardName::new("test", "0")])
}

/// Applies what comes until everything in the store was seen; notes each row's position.
async fn follow(
    store: &Arc<Store>,
    stream: &mut Subscription,
    mut state: State,
    mut note: Option<&mut Vec<(String, State)>>,
) -> State {
    let goal = store.source().position().await.unwrap();
    let (mut copied, mut reached) = (false, false);
    let mut open = false;
    while !copied || !reached || open {
        let next = tokio::time::timeout(Duration::from_secs(60), stream.next());
        let batch = next.await.expect("a stream goes on").unwrap().expect("it has no end");
        for event in &batch.events {
            match event {
                Event::Row(rows) => {
                    for (index, change) in rows.changes().enumerate() {
                        let (before, after) =
                            (change.before.map(Row::encoded), change.after.map(Row::encoded));
                        state.change(rows.event.schema(), before, after);
                        if let Some(note) = &mut note {
                            let mut token = Vec::new();
                            batch.write_pos(rows, index, &mut token);
                            note.push((String::from_utf8(token).unwrap(), state.clone()));
                        }
                    }
                }
                Event::Begin(_) => open = true,
                Event::Commit(_) => open = false,
                Event::Vgtid(position) => {
                    let own = &position.shards[0];
                    copied = !own.copying;
                    let Start::After(set) = &own.start else { continue };
                    reached = set.contains_set(&goal);
                }
                _ => {}
            }
        }
    }
    state
}

async fn copy_under_load(seed: u64) {
    let directory = tempfile::tempdir().unwrap();
    let config = StoreConfig { keyspace: "test".to_owned(), ..StoreConfig::default() };
    let store = Store::open(directory.path(), config).await.unwrap();
    let mut session = store.backend().session("owner").await.unwrap();
    for table in [
        "create table pair (a varchar(9), b int, v int, primary key (a, b))",
        "create table word (k varchar(20) primary key, v int)",
        "create table free (a int, b varchar(9))",
    ] {
        run(&mut session, table).await;
    }
    write(Arc::clone(&store), seed).await;
    let tablet = Tablet {
        name: "embedded".into(),
        tablet_type: TabletType::Primary,
        source: Arc::new(store.source()),
    };
    let shard = ShardName::new("test", "0");
    let config = EngineConfig {
        copy_batch_bytes: 200,
        part_bytes: 300,
        copy_snapshot_max_age: Duration::from_millis(seed % 5),
        ..EngineConfig::default()
    };
    let engine = Engine::new(config, vec![ShardSources { shard, tablets: vec![tablet] }]);
    let writers: Vec<_> = (1..3)
        .map(|n| vstreamd::telemetry::spawn("writer", write(Arc::clone(&store), seed * 10 + n)))
        .collect();
    let mut stream = engine.subscribe(request(start())).await.unwrap();
    let mut noted = Vec::new();
    let state = follow(&store, &mut stream, State::default(), Some(&mut noted)).await;
    for writer in writers {
        writer.await.unwrap();
    }
    let state = drain(&store, &mut stream, state, &mut noted).await;
    let mut fresh = engine.subscribe(request(start())).await.unwrap();
    let held = follow(&store, &mut fresh, State::default(), None).await;
    assert_same(&state, &held, seed, "followed");
    for (token, known) in noted {
        let position = Position::from_token(&token).unwrap();
        let mut resumed = engine.subscribe(request(position)).await.unwrap();
        let state = drain(&store, &mut resumed, known, &mut Vec::new()).await;
        assert_same(&state, &held, seed, &token);
    }
}

/// Reads on until nothing more is there.
async fn drain(
    store: &Arc<Store>,
    stream: &mut Subscription,
    state: State,
    note: &mut Vec<(String, State)>,
) -> State {
    let mut session = store.backend().session("marker").await.unwrap();
    // Something to wait for: a stream that has everything says nothing.
    run(&mut session, "update pair set v = 7 where a = 'nobody'").await;
    run(&mut session, "insert into free values (99, 'mark')").await;
    run(&mut session, "delete from free where a = 99").await;
    follow(store, stream, state, Some(note)).await
}

fn assert_same(state: &State, held: &State, seed: u64, what: &str) {
    let (more, less) = (state.without(held), held.without(state));
    assert!(more.is_empty() && less.is_empty(), "seed {seed}, {what}: {more:?} not {less:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_under_load_holds_what_the_store_holds() {
    for seed in 0..rounds(3, 100, 1_000) as u64 {
        copy_under_load(seed).await;
    }
}
