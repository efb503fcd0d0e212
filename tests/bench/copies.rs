//! Copies of a server's tables through vstreamd, side by side with the same rows by SELECT.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vstreamd::engine::{Engine, EngineConfig, ShardSources, Subscription, Tablet};
use vstreamd::event::{Event, Position, ShardName, Start};
use vstreamd::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use vstreamd::source::mysql::{Budget, MysqlSource, Server as Upstream, ServerUrl};

use super::compare::{Side, compare};
use super::figures::{Spread, aim, cpu, peak};
use super::real::{self, Kind, Server, start};
use super::servers::{TABLE, Vstreamd, database, fill};
use super::wire::{Client, Query};

/// A million rows to a reader that counts, and to the server's own client.
pub fn copies() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = start(kind, &[]);
        let mut writer = database(&server);
        writer.run(TABLE);
        fill(&mut writer, 1, ROWS, 1000);
        println!("  {kind:?}: {ROWS} rows of seven columns");
        let vstreamd = Vstreamd::over(&server);
        let mut theirs = Side::new(server_name(kind), server.pid, writer, SELECT.to_owned(), 1);
        let mut ours = Side::new("vstreamd", vstreamd.pid, vstreamd.bench_client(), statement(), 1);
        let before = cpu(server.pid);
        let copied = ours.client.count(&ours.query);
        let used = (cpu(server.pid) - before).as_secs_f64();
        println!("  the server's CPU s for a copy of {copied} rows  {used:.3}");
        let speed = compare(&mut ours, &mut theirs, ROWS).speed;
        println!("  our rows per second over the server's, turn by turn  {speed}");
        let speed = speed.median;
        let figure = "our rows per second over the server's, to a reader that counts";
        aim(figure, speed, "times", speed >= 0.8, "at least 0.8");
        by_the_stock_client(&server, &vstreamd);
        println!("  the most memory so far: {:.1} MiB", mib(peak(vstreamd.pid)));
        narrow(&server);
    }
}

/// The server's own program, which prints the rows to nobody.
fn by_the_stock_client(server: &Server, vstreamd: &Vstreamd) {
    let (mut direct, mut through, mut used) = (Vec::new(), Vec::new(), Vec::new());
    let stream = format!("SET WORKLOAD = 'OLAP'; {}", statement());
    for _ in 0..TURNS {
        direct.push(printed(server.kind, &server.address(), SELECT));
        let before = cpu(vstreamd.pid);
        through.push(printed(server.kind, &vstreamd.address, &stream));
        used.push((cpu(vstreamd.pid) - before).as_secs_f64());
    }
    let more = Spread::of(through.iter().zip(&direct).map(|(a, b)| a / b).collect());
    let (direct, through) = (Spread::of(direct), Spread::of(through));
    println!("  SELECT by the stock client      wall s  {direct}");
    println!("  copy by the stock client        wall s  {through}");
    println!("  copy by the stock client, vstreamd's CPU s  {}", Spread::of(used));
    println!("  copy over SELECT, turn by turn  {more}");
    let more = more.median;
    let figure = "the stock client's time for a copy over its time for a SELECT";
    aim(figure, more, "times", more <= 1.1, "at most 1.1");
}

/// Seconds until the client has printed a statement's rows.
fn printed(kind: Kind, address: &str, statement: &str) -> f64 {
    let (_, port) = address.rsplit_once(':').expect("an address has a port");
    let no_tls = match kind {
        Kind::MySql => "--ssl-mode=DISABLED",
        Kind::MariaDb => "--skip-ssl",
    };
    let begun = Instant::now();
    let status = Command::new(real::client(kind))
        .args(["--no-defaults", "--quick", "--batch", "-h127.0.0.1", "-uroot", no_tls])
        .args(["-P", port, "-e", statement, "bench"])
        .stdout(Stdio::null())
        .status();
    assert!(status.expect("run the client").success());
    begun.elapsed().as_secs_f64()
}

/// What small rows cost in memory.
fn narrow(server: &Server) {
    let mut writer = Client::connect(&server.address());
    writer.run("USE bench");
    writer.run("CREATE TABLE narrow (id BIGINT PRIMARY KEY, v INT)");
    writer.run("INSERT INTO narrow SELECT id, customer FROM bench");
    let vstreamd = Vstreamd::over(server);
    let copy = format!("VSTREAM * FROM narrow WHERE pos > '' LIMIT {ROWS}");
    let begun = Instant::now();
    assert_eq!(vstreamd.bench_client().count(&Query::Text(copy)), ROWS);
    println!("  {ROWS} rows of two columns      wall s  {:.3}", begun.elapsed().as_secs_f64());
    let most = mib(peak(vstreamd.pid));
    aim("memory for a copy of narrow rows", most, "MiB", most < 64.0, "below 64");
}

/// The first row of a copy of everything, where everything is very many tables.
pub fn tables() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = start(kind, &[]);
        let mut writer = database(&server);
        let begun = Instant::now();
        for table in 0..TABLES {
            writer.run(&format!("CREATE TABLE t{table} (id INT PRIMARY KEY, v VARCHAR(20))"));
            writer.run(&format!("INSERT INTO t{table} VALUES ({table}, 'a')"));
        }
        println!("  {kind:?}: {TABLES} tables, made in {:.0} s", begun.elapsed().as_secs_f64());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (first, all) = runtime.expect("make a runtime").block_on(copy_everything(&server));
        println!("  all tables copied in {:.1} s", all.as_secs_f64());
        let first = first.as_secs_f64();
        aim("first row of a copy of all tables", first, "s", first < 10.0, "seconds");
        let vstreamd = Vstreamd::over(&server);
        let mut client = vstreamd.bench_client();
        let begun = Instant::now();
        client.open(&format!("VSTREAM * FROM t{}", TABLES / 2));
        assert!(client.row().is_some());
        let one = begun.elapsed().as_secs_f64();
        aim("first row of a copy of one of them", one, "s", one < 10.0, "seconds");
        println!("  the most memory: {:.1} MiB", mib(peak(vstreamd.pid)));
    }
}

/// How long the first row takes, and all.
async fn copy_everything(server: &Server) -> (Duration, Duration) {
    let url = ServerUrl::parse(&format!("mysql://root@{}/bench", server.address()));
    let upstream = Upstream::new("bench", url.expect("a URL"), Arc::new(Budget::new(10)));
    let source = Arc::new(MysqlSource::new(upstream, "bench"));
    let tablet_type = TabletType::Primary;
    let tablets = vec![Tablet { name: "zone1-100".into(), tablet_type, source }];
    let shard = ShardName::new("bench", "0");
    let shards = vec![ShardSources { shard: shard.clone(), tablets }];
    let engine = Engine::new(EngineConfig::default(), shards);
    let request = StreamRequest {
        position: Position::starting(&Start::Copy, &[shard]),
        tablet_type,
        filter: Filter { rules: vec![Rule::everything()] },
        flags: Flags::default(),
        limit: Some(TABLES),
    };
    let begun = Instant::now();
    let mut stream = engine.subscribe(request).await.expect("subscribe");
    assert_eq!(rows_of_next(&mut stream).await, Some(1));
    let first = begun.elapsed();
    let mut rows = 1;
    while let Some(more) = rows_of_next(&mut stream).await {
        rows += more;
    }
    assert_eq!(rows, TABLES);
    (first, begun.elapsed())
}

/// Reads up to the next rows; how many they are, `None` at the stream's end.
async fn rows_of_next(stream: &mut Subscription) -> Option<u64> {
    loop {
        let batch = stream.next().await.expect("the copy goes on")?;
        let rows = batch.events.iter().map(|event| match event {
            Event::Row(rows) => rows.changes().count() as u64,
            _ => 0,
        });
        let rows = rows.sum();
        if rows > 0 {
            return Some(rows);
        }
    }
}

fn statement() -> String {
    format!("VSTREAM * FROM bench WHERE pos > '' LIMIT {ROWS}")
}

const fn server_name(kind: Kind) -> &'static str {
    match kind {
        Kind::MySql => "mysqld",
        Kind::MariaDb => "mariadbd",
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Of the stock client's: three processes share the machine's cores in them, so that each is as much
/// a matter of luck as of work.
const TURNS: usize = 27;
const SELECT: &str = "SELECT * FROM bench";
const ROWS: u64 = 1_000_000;
const TABLES: u64 = 10_000;
