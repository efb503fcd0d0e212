//! Plays one seed.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::LocalSet;
use tokio::time::Instant;
use vstreamd::engine::{Engine, EngineConfig, ShardSources, Tablet};
use vstreamd::event::Start;
use vstreamd::plan::TabletType;
use vstreamd::source::memory::Faults;

use super::client::{Client, Habits};
use super::world::{Shard, table};

/// Everything that the tasks of one seed share.
pub struct World {
    pub shards: Vec<Shard>,
    /// Nothing more will be committed, and no connection will break.
    pub done: bool,
    /// Logs are trimmed in this world.
    pub trims: bool,
    pub counts: Counts,
    pub log: Vec<String>,
    pub logging: Log,
    began: Instant,
}

/// What happens to what clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    Off,
    Keep,
    /// For a human who looks at one seed, as it happens.
    Print,
}

impl World {
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.began.elapsed().as_micros();
        match self.logging {
            Log::Off => {}
            Log::Keep => self.log.push(format!("{now:>8} {}", line())),
            Log::Print => eprintln!("{now:>8} {}", line()),
        }
    }
}

/// What one seed came to.
pub struct Played {
    pub outcome: Result<(), String>,
    pub log: Vec<String>,
    pub counts: Counts,
}

/// What was met on the way.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    pub transactions: u64,
    pub statements: u64,
    pub rows: u64,
    pub lives: u64,
    pub travels: u64,
    pub copies: u64,
    pub freezes: u64,
    pub given_up: u64,
    pub purged: u64,
    pub future: u64,
    pub fresh_starts: u64,
    pub catching_up: u64,
    pub waiting: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.statements += other.statements;
        self.rows += other.rows;
        self.lives += other.lives;
        self.travels += other.travels;
        self.copies += other.copies;
        self.freezes += other.freezes;
        self.given_up += other.given_up;
        self.purged += other.purged;
        self.future += other.future;
        self.fresh_starts += other.fresh_starts;
        self.catching_up += other.catching_up;
        self.waiting += other.waiting;
    }

    /// A simulation that never meets a fault proves nothing about it.
    pub fn assert_all_was_met(&self, seeds: u64) {
        let met = [
            self.statements,
            self.travels,
            self.copies,
            self.freezes,
            self.given_up,
            self.purged,
            self.future,
            self.fresh_starts,
            self.catching_up,
            self.waiting,
        ];
        assert!(seeds < 1_000 || met.iter().all(|&count| count > 0), "{self:?}");
    }
}

pub fn play(seed: u64, logging: Log) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can be made");
    LocalSet::new().block_on(&runtime, async move {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = Rc::new(RefCell::new(world(&mut random, logging)));
        let (clients, engines) = clients(&mut random, &world);
        let writer = tokio::task::spawn_local(write(Rc::clone(&world), engines.clone(), random));
        let run = |client: Client| tokio::task::spawn_local(client.run());
        let clients: Vec<_> = clients.into_iter().map(run).collect();
        let mut outcome = Ok(());
        for task in clients {
            let result = tokio::time::timeout(PATIENCE, task).await;
            outcome = outcome.and(match result {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => Err(format!("a client broke down: {panic}")),
                Err(_) => Err(format!("a client did not finish: {}", stuck(&engines))),
            });
        }
        let written = tokio::time::timeout(PATIENCE, writer).await;
        outcome = outcome.and(match written {
            Ok(Ok(result)) => result,
            other => Err(format!("the writer broke down: {other:?}")),
        });
        let mut world = world.borrow_mut();
        let (log, counts) = (std::mem::take(&mut world.log), world.counts.clone());
        Played { outcome, log, counts }
    })
}

/// How the streams are that do not go on.
fn stuck(engines: &Engines) -> String {
    let streams = engines.iter().map(|(engine, _)| (engine.usage(), engine.streams()));
    format!("{:?}", streams.collect::<Vec<_>>())
}

fn world(random: &mut fastrand::Rng, logging: Log) -> World {
    let names: &[&str] = if random.u32(..4) == 0 { &["-80", "80-"] } else { &["0"] };
    let tables: Vec<_> = ["k", "m", "p"][..random.usize(1..4)]
        .iter()
        .map(|name| table(name, random.u32(..4)))
        .collect();
    let replicas = random.usize(1..3);
    let mut shards: Vec<_> = (0..)
        .zip(names)
        .map(|(number, name)| Shard::new(number, name, replicas, &tables))
        .collect();
    for shard in &mut shards {
        for _ in 0..random.usize(0..8) {
            shard.commit(random, false, false);
        }
        shard.replicate(random, true);
        shard.eagerness = random.choice([67, 67, 10]).unwrap();
        for source in &shard.sources {
            let batch_max = random.usize(1..8);
            source.set_faults(Faults {
                seed: random.u64(..),
                disconnects: if random.bool() { 0 } else { random.u32(..150) },
                delay_max: Duration::from_micros(random.u64(1..3_000)),
                // Where each read brings as much, that must not be too much for a reader for ever.
                batch_min: random.choice([1, 1, batch_max]).unwrap(),
                batch_max,
                overtakings: random.choice([0, 300]).unwrap(),
                refuses_log: false,
            });
        }
    }
    let trims = random.u32(..5) == 0;
    let counts = Counts::default();
    World { shards, done: false, trims, counts, logging, log: Vec::new(), began: Instant::now() }
}

fn config(random: &mut fastrand::Rng) -> EngineConfig {
    let catch_up_bytes_max = random.choice([500, 4_000]).unwrap();
    EngineConfig {
        log_bytes_max: random.usize(500..20_000),
        catch_up_bytes_max: random.usize(..catch_up_bytes_max),
        part_bytes: random.usize(1..3_000),
        catch_up_readers_max: random.usize(1..4),
        reader_idle_timeout: Duration::from_millis(random.u64(10..2_000)),
        tail_linger: Duration::from_millis(random.u64(1..5_000)),
        copy_snapshot_max_age: Duration::from_millis(random.u64(1..200)),
        copy_batch_bytes: 1_000,
        failures_max: 3,
        stream_failures_max: 3,
        retry_delay_min: Duration::from_millis(1),
        retry_delay_max: Duration::from_millis(random.u64(10..1_000)),
        seed: random.u64(..),
        now: || SystemTime::UNIX_EPOCH + Duration::from_secs(5_000),
        ..EngineConfig::default()
    }
}

fn engine(random: &mut fastrand::Rng, world: &World) -> (Engine, EngineConfig) {
    let tablet = |source: &vstreamd::source::memory::MemorySource| Tablet {
        name: vstreamd::source::Source::name(source).into(),
        tablet_type: TabletType::Replica,
        source: Arc::new(source.clone()),
    };
    // Some know one replica only, and it may be behind the one that a client comes from.
    let replicas = world.shards.iter().map(|shard| shard.sources.len()).min().unwrap_or(0);
    let only = random.bool().then(|| random.usize(..replicas));
    let sources = world.shards.iter().map(|shard| {
        let known = shard.sources.iter().enumerate();
        let known = known.filter(|(replica, _)| only.is_none_or(|only| only == *replica));
        let tablets = known.map(|(_, source)| tablet(source)).collect();
        ShardSources { shard: shard.name.clone(), tablets }
    });
    let config = config(random);
    (Engine::new(config.clone(), sources.collect()), config)
}

type Engines = Vec<(Engine, EngineConfig)>;

fn clients(random: &mut fastrand::Rng, world: &Rc<RefCell<World>>) -> (Vec<Client>, Engines) {
    let engines: Engines =
        (0..random.usize(1..3)).map(|_| engine(random, &world.borrow())).collect();
    let count = random.usize(1..4);
    let client = |name| {
        let tables = (random.u32(..4) == 0).then(|| {
            let all: Vec<_> =
                world.borrow().shards[0].state.tables.keys().map(|t| t.table.to_string()).collect();
            let one = random.choice(&all).cloned().expect("a world begins with a table");
            vec![one]
        });
        let habits = Habits {
            start: if random.u32(..4) == 0 { Start::Now } else { Start::Copy },
            tables,
            pace: Duration::from_micros(random.choice([0, 1_000, 30_000]).unwrap()),
            freezes: random.choice([0, 0, 30]).unwrap(),
            restarts: random.choice([0, 20, 100]).unwrap(),
        };
        let known = engines.iter().map(|(engine, _)| engine.clone()).collect();
        Client::new(name, world, known, habits, random.u64(..))
    };
    ((0..count).map(client).collect(), engines)
}

/// Commits, replicates, trims, and watches the engines' bounds; at the end heals everything.
async fn write(
    world: Rc<RefCell<World>>,
    engines: Engines,
    mut random: fastrand::Rng,
) -> Result<(), String> {
    let ddl = random.bool();
    for _ in 0..random.usize(5..40) {
        tokio::time::sleep(Duration::from_micros(random.u64(..20_000))).await;
        {
            let world = &mut *world.borrow_mut();
            let index = random.usize(..world.shards.len());
            let shard = &mut world.shards[index];
            let large = random.u32(..12) == 0;
            shard.commit(&mut random, large, ddl);
            shard.replicate(&mut random, false);
            world.counts.transactions += 1;
            if let Some(super::world::Kind::Ddl(..)) = shard.history.last().map(|c| &c.kind) {
                world.counts.statements += 1;
            }
            if world.trims && random.u32(..8) == 0 {
                random.choice(&shard.sources).expect("there is one").trim(random.usize(..4));
            }
        }
        watch(&mut world.borrow_mut(), &engines)?;
    }
    let world = &mut *world.borrow_mut();
    for shard in &mut world.shards {
        shard.replicate(&mut random, true);
        for source in &shard.sources {
            source.heal();
        }
    }
    world.done = true;
    Ok(())
}

fn watch(world: &mut World, engines: &Engines) -> Result<(), String> {
    for (engine, config) in engines {
        let usage = engine.usage();
        let slack = config.part_bytes + PART_SLACK;
        if usage.log_bytes > usage.tails.max(1) * 4 * (config.log_bytes_max + slack)
            || usage.reader_bytes > usage.readers * (config.catch_up_bytes_max * 3 / 2 + slack)
        {
            return Err(format!("more than allowed: {usage:?} under {config:?}"));
        }
        let servers: usize = world.shards.iter().map(|shard| shard.sources.len()).sum();
        if usage.readers > servers * config.catch_up_readers_max {
            return Err(format!("{} readers", usage.readers));
        }
        for stream in engine.streams() {
            world.counts.catching_up += u64::from(stream.phase == "catch-up");
            world.counts.waiting += u64::from(stream.waiting.is_some());
        }
    }
    Ok(())
}

/// What the last event of a part may add to it.
const PART_SLACK: usize = 4_000;
/// Simulated time after which a client is stuck.
const PATIENCE: Duration = Duration::from_secs(300);
