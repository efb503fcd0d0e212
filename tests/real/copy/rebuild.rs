//! Tables rebuilt by clients that are real programs, through everything that ends programs: they
//! leave and come back, vstreamd and the server are killed, and tables are altered meanwhile. What a
//! client has at the end is the server's table.

mod table;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;
use vstreamd::event::{GtidSet, Position, Start};
use vstreamd::source::Source;
use vstreamd::telemetry;

use self::table::{Table, value};
use super::super::served::{configure, url};
use crate::harness::real::{self, Kind, Server, start};
use crate::harness::rounds;
use crate::harness::server_keyspace::{connect, source};
use crate::harness::vstreamd::Vstreamd;

/// What a client was shown: what it did, columns by name, and where it was then.
#[derive(Debug, Clone)]
struct Shown {
    op: String,
    cells: BTreeMap<String, String>,
    position: String,
}

/// How one statement of a client ended.
enum Ended {
    /// It has what it wants.
    Done,
    /// It was ended in the middle.
    Left,
    Error(String),
}

/// What all parts of a round share.
struct Shared {
    kind: Kind,
    /// Where vstreamd is.
    door: Mutex<SocketAddr>,
    /// Rows that clients have read.
    read: AtomicUsize,
    /// Where the server is once nobody writes any more.
    target: OnceLock<GtidSet>,
    stop: AtomicBool,
}

/// A client that rebuilds a table.
struct Client {
    shared: Arc<Shared>,
    table: Arc<Table>,
    random: fastrand::Rng,
    rows: Vec<Shown>,
    history: Vec<String>,
    /// How often it came back in the middle of a copy.
    in_copy: usize,
}

impl Client {
    /// Reads until the table is as at the target.
    async fn run(mut self) -> Self {
        let mut start = String::new();
        loop {
            let leave_after = match self.random.u8(0..3) {
                0 => usize::MAX,
                _ => self.random.usize(1..ROWS as usize),
            };
            let begun = self.rows.len();
            let (client, ended) = {
                let start = start.clone();
                let session = move || {
                    let mut client = self;
                    let ended = client.session(&start, leave_after);
                    (client, ended)
                };
                tokio::task::spawn_blocking(session).await.unwrap()
            };
            self = client;
            let read = self.rows.len() - begun;
            let told = match &ended {
                Ended::Done => return self,
                Ended::Left => "left".to_owned(),
                Ended::Error(error) => error.clone(),
            };
            self.history.push(format!("{read} rows from {start:?}: {told}"));
            assert!(self.history.len() < SESSIONS_MAX, "{:#?}", self.history);
            start = self.next_start(&ended);
            if read == 0 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// Where to go on, by what a client may do: from where an error says, from any row that it has,
    /// or from a VGTID as Vitess's clients keep it.
    fn next_start(&mut self, ended: &Ended) -> String {
        if let Ended::Error(error) = ended {
            if let Some((_, rest)) = error.split_once("resume with pos > '") {
                return rest.split('\'').next().unwrap_or_default().to_owned();
            }
            let is_one_of = |texts: &[&str]| texts.iter().any(|text| error.contains(text));
            let is_over = self.table.is_keyless() && is_one_of(OVER);
            let is_too_long = error.contains("resume with the last row's _pos");
            assert!(is_one_of(PASSING) || is_over || is_too_long, "{error} {:#?}", self.history);
            if is_over {
                self.rows.clear();
            }
        }
        let earliest = self.rows.len().saturating_sub(200);
        let keep = self.random.usize(earliest..=self.rows.len());
        self.rows.truncate(keep);
        let Some(last) = self.rows.last() else { return String::new() };
        let position = Position::from_token(&last.position).unwrap();
        self.in_copy += usize::from(position.shards[0].wants_copy());
        // Without a key a row that comes twice is two rows.
        if self.random.u8(0..3) == 0 && !self.table.is_keyless() {
            return position.to_vgtid_json();
        }
        last.position.clone()
    }

    fn session(&mut self, start: &str, leave_after: usize) -> Ended {
        let door = *self.shared.door.lock().unwrap();
        let Table { name, items, .. } = &*self.table;
        let condition = self.table.where_(Some(start));
        let statement =
            format!("SET WORKLOAD = 'OLAP'; VSTREAM {items}, _pos FROM ks.{name}{condition}");
        let mut child =
            program(self.shared.kind, door, &statement).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = Lines(BufReader::new(child.stdout.take().unwrap()));
        let mut errors = child.stderr.take().unwrap();
        let mut read = 0;
        let mut names = Vec::new();
        let ended = loop {
            let Some(cells) = lines.next() else {
                let mut text = String::new();
                errors.read_to_string(&mut text).unwrap();
                break Ended::Error(text);
            };
            if names.is_empty() {
                names = cells;
                continue;
            }
            self.take(&names, cells);
            read += 1;
            self.shared.read.fetch_add(1, Ordering::Relaxed);
            if self.is_done() {
                break Ended::Done;
            }
            if read == leave_after {
                break Ended::Left;
            }
        };
        // As clients leave whose machine is switched off.
        child.kill().unwrap();
        child.wait().unwrap();
        ended
    }

    fn take(&mut self, names: &[String], mut cells: Vec<String>) {
        assert_eq!(names.len(), cells.len(), "{names:?}");
        let position = cells.pop().unwrap();
        let op = cells.remove(0);
        let cells = names[1..].iter().cloned().zip(cells).collect();
        self.rows.push(Shown { op, cells, position });
    }

    /// Whether the last row is the mark, behind the target and not in a copy.
    fn is_done(&self) -> bool {
        let last = self.rows.last().unwrap();
        let Some(target) = self.shared.target.get() else { return false };
        if !is_mark(&last.cells) {
            return false;
        }
        let position = Position::from_token(&last.position).unwrap();
        let shard = &position.shards[0];
        let is_behind = matches!(&shard.start, Start::After(set) if set.contains_set(target));
        is_behind && !shard.wants_copy()
    }

    /// What the client has in the end, each row with how often it is there.
    fn rebuilt(&self, columns: &[String]) -> BTreeMap<Vec<String>, i64> {
        let mut rows: BTreeMap<Vec<String>, BTreeMap<String, String>> = BTreeMap::new();
        let mut counts: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        // A column that came later is NULL in rows from before.
        let whole = |cells: &BTreeMap<String, String>| -> Vec<String> {
            let cell = |name| cells.get(name).cloned().unwrap_or_else(|| "NULL".to_owned());
            columns.iter().map(cell).collect()
        };
        for shown in self.rows.iter().filter(|shown| !is_mark(&shown.cells)) {
            if self.table.is_keyless() {
                let count = counts.entry(whole(&shown.cells)).or_default();
                *count += if shown.op == "-" { -1 } else { 1 };
                continue;
            }
            let key = self.table.keyed.names.iter().map(|name| shown.cells[*name].clone());
            let key: Vec<_> = key.collect();
            match shown.op.as_str() {
                "-" => rows.remove(&key),
                _ => rows.insert(key, shown.cells.clone()),
            };
        }
        for cells in rows.values() {
            *counts.entry(whole(cells)).or_default() += 1;
        }
        counts.retain(|_, count| *count != 0);
        counts
    }
}

fn is_mark(cells: &BTreeMap<String, String>) -> bool {
    cells["v"].starts_with("a-mark")
}

/// The stock client, which prints lines of cells as they come.
fn program(kind: Kind, address: SocketAddr, statement: &str) -> Command {
    let mut command = Command::new("stdbuf");
    command
        .arg("-oL")
        .arg(real::client(kind))
        .args(["--no-defaults", "--quick", "--batch", "--default-character-set=utf8mb4"])
        .args(["-h127.0.0.1", "-uroot", "-P", &address.port().to_string(), "-e", statement])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// Lines of cells, the first of which are the columns' names.
struct Lines<T>(BufReader<T>);

impl<T: Read> Iterator for Lines<T> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        // The rest of a line is not one.
        let line = line.strip_suffix(b"\n")?;
        // Bytes that are no text stand for themselves.
        let cell = |cell: &[u8]| cell.iter().map(|byte| char::from(*byte)).collect();
        Some(line.split(|byte| *byte == b'\t').map(cell).collect())
    }
}

/// The table as the server has it, by the same program: names, and rows with how often each is there.
fn stored(server: &Server, table: &Table) -> (Vec<String>, BTreeMap<Vec<String>, i64>) {
    let statement = format!("SELECT {} FROM ks.{}{}", table.items, table.name, table.where_(None));
    let mut child =
        program(server.kind, server.address().parse().unwrap(), &statement).spawn().unwrap();
    let mut lines = Lines(BufReader::new(child.stdout.take().unwrap()));
    let names = lines.next().unwrap();
    let v = names.iter().position(|name| name == "v").unwrap();
    let mut rows = BTreeMap::new();
    for cells in lines.filter(|cells| !cells[v].starts_with("a-mark")) {
        *rows.entry(cells).or_default() += 1;
    }
    assert!(child.wait().unwrap().success());
    (names, rows)
}

/// Changes tables until told to stop, also over the server's deaths.
async fn write(address: String, tables: Arc<Vec<Arc<Table>>>, shared: Arc<Shared>, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut writer: Option<Conn> = None;
    while !shared.stop.load(Ordering::Relaxed) {
        let pause = Duration::from_millis(random.u64(0..15));
        tokio::time::sleep(pause).await;
        let Some(conn) = &mut writer else {
            writer = Conn::from_url(&address).await.ok();
            continue;
        };
        if let Err(error) = write_one(conn, &tables, &mut random).await {
            // Writers may deadlock; then one of them is rolled back.
            let rolled_back = match error {
                mysql_async::Error::Server(_) => conn.query_drop("ROLLBACK").await.is_ok(),
                _ => false,
            };
            if !rolled_back {
                writer = None;
            }
        }
    }
}

async fn write_one(
    writer: &mut Conn,
    tables: &[Arc<Table>],
    random: &mut fastrand::Rng,
) -> mysql_async::Result<()> {
    writer.query_drop("BEGIN").await?;
    for _ in 0..random.usize(1..6) {
        let table = &tables[random.usize(0..tables.len())];
        let number = random.u32(0..ROWS * 6 / 5);
        let (name, place) = (&table.name, table.place(number));
        let insert = |verb: &str, random: &mut fastrand::Rng| {
            let (key, row) = (table.key(), table.row(number, random));
            format!("{verb} INTO {name} ({key}, grp, v, pad) VALUES {row}")
        };
        let statement = match random.u8(0..6) {
            0 => format!("DELETE FROM {name} WHERE {place}"),
            // Of a row without a key a client is not told which one it was.
            _ if table.is_keyless() => insert("INSERT", random),
            1 => format!("UPDATE {name} SET grp = {} WHERE {place}", random.u8(0..8)),
            2 => format!("UPDATE {name} SET v = {} WHERE {place}", value(random)),
            _ => insert("REPLACE", random),
        };
        writer.query_drop(statement).await?;
    }
    writer.query_drop(if random.u8(0..8) == 0 { "ROLLBACK" } else { "COMMIT" }).await
}

/// What happens to a round.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillVstreamd,
    StopServer,
    KillServer,
    Ddl(&'static str),
}

const FAULTS: &[Fault] = &[
    Fault::KillVstreamd,
    Fault::KillVstreamd,
    Fault::KillVstreamd,
    Fault::StopServer,
    Fault::KillServer,
    Fault::Ddl("ADD COLUMN x{n} INT"),
    Fault::Ddl("ADD COLUMN x{n} VARCHAR(20) FIRST"),
    Fault::Ddl("MODIFY v VARCHAR(60)"),
    Fault::Ddl("ADD KEY (grp)"),
    Fault::Ddl("COMMENT 'c{n}'"),
];

/// A server that is kept for all rounds, and a vstreamd over it.
struct World {
    server: Server,
    vstreamd: Option<Vstreamd>,
    directory: TempDir,
    /// How often clients came back in the middle of a copy.
    in_copy: usize,
}

impl World {
    async fn start(kind: Kind) -> Self {
        let options =
            ["--binlog-row-metadata=FULL", "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1"];
        let server = start(kind, &options);
        super::super::run(&server, &["CREATE DATABASE ks"]).await;
        let directory = tempfile::tempdir().unwrap();
        let mut world = Self { server, vstreamd: None, directory, in_copy: 0 };
        world.start_vstreamd();
        world
    }

    fn start_vstreamd(&mut self) -> SocketAddr {
        let path: PathBuf = self.directory.path().join("data");
        let config = configure(self.directory.path(), &[("ks", url(&self.server, "ks"))]);
        let mut vstreamd = Vstreamd::start_with(&path, &["--config", &config]);
        for text in ["will go on", "will retry", "a server cannot be asked"] {
            vstreamd.announce(text);
        }
        let address = vstreamd.address;
        self.vstreamd = Some(vstreamd);
        address
    }

    async fn suffer(mut self, fault: Fault, number: usize, tables: &[Arc<Table>]) -> Self {
        match fault {
            Fault::KillVstreamd => {
                self.vstreamd.take().unwrap().kill();
                self.start_vstreamd();
            }
            Fault::StopServer | Fault::KillServer => {
                let at_once = matches!(fault, Fault::KillServer);
                let restart = move || {
                    self.server.restart(at_once);
                    self
                };
                self = tokio::task::spawn_blocking(restart).await.unwrap();
            }
            Fault::Ddl(change) => {
                let change = change.replace("{n}", &number.to_string());
                let mut admin = connect(&self.server, "ks").await;
                for table in tables {
                    let alter = format!("ALTER TABLE {} {change}", table.name);
                    admin.query_drop(alter).await.unwrap();
                }
            }
        }
        self
    }
}

/// One round: tables of three kinds, each rebuilt by a client.
async fn round(mut world: World, seed: u64) -> World {
    let mut random = fastrand::Rng::with_seed(seed);
    let tables: Vec<_> = (0..3).map(|number| Arc::new(Table::new(number, &mut random))).collect();
    let tables = Arc::new(tables);
    let mut admin = connect(&world.server, "ks").await;
    for table in &*tables {
        admin.query_drop(format!("DROP TABLE IF EXISTS {}", table.name)).await.unwrap();
        admin.query_drop(table.create()).await.unwrap();
        let rows: Vec<_> = (0..ROWS).map(|number| table.row(number, &mut random)).collect();
        for rows in rows.chunks(500) {
            let insert = format!("INSERT INTO {} VALUES {}", table.name, rows.join(","));
            admin.query_drop(insert).await.unwrap();
        }
    }
    drop(admin);
    let shared = Arc::new(Shared {
        kind: world.server.kind,
        door: Mutex::new(world.vstreamd.as_ref().unwrap().address),
        read: AtomicUsize::new(0),
        target: OnceLock::new(),
        stop: AtomicBool::new(false),
    });
    let address = world.server.url("ks");
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let (tables, shared) = (Arc::clone(&tables), Arc::clone(&shared));
            let writing = write(address.clone(), tables, shared, random.u64(..) + writer);
            telemetry::spawn("writer", writing)
        })
        .collect();
    let clients: Vec<_> = tables
        .iter()
        .map(|table| {
            let client = Client {
                shared: Arc::clone(&shared),
                table: Arc::clone(table),
                random: fastrand::Rng::with_seed(random.u64(..)),
                rows: Vec::new(),
                history: Vec::new(),
                in_copy: 0,
            };
            telemetry::spawn("client", client.run())
        })
        .collect();
    for number in 0..random.usize(2..5) {
        let fault = FAULTS[random.usize(0..FAULTS.len())];
        wait_for(&shared.read, random.usize(0..ROWS as usize)).await;
        println!("{:?} seed {seed}: {fault:?} after {:?} rows", shared.kind, shared.read);
        world = world.suffer(fault, number, &tables).await;
        *shared.door.lock().unwrap() = world.vstreamd.as_ref().unwrap().address;
    }
    shared.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    world.in_copy += finish(&world.server, &tables, &shared, clients, seed).await;
    world
}

/// Marks the end until all clients have seen it, and compares. Says how often they came back in the
/// middle of a copy.
async fn finish(
    server: &Server,
    tables: &[Arc<Table>],
    shared: &Shared,
    clients: Vec<tokio::task::JoinHandle<Client>>,
    seed: u64,
) -> usize {
    let mut in_copy = 0;
    let mut admin = connect(server, "ks").await;
    let target = source(server, "ks").position().await.unwrap();
    shared.target.set(target).unwrap();
    let mut mark = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        for table in tables {
            mark += 1;
            let place = table.place(MARK);
            let (name, columns) = (&table.name, table.key());
            let key = (table.keyed.values)(MARK).join(", ");
            let statements = [
                format!("DELETE FROM {name} WHERE {place}"),
                format!("INSERT INTO {name} ({columns}, grp, v) VALUES ({key}, 1, 'a-mark{mark}')"),
            ];
            for statement in statements {
                admin.query_drop(statement).await.unwrap();
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (client, table) in clients.into_iter().zip(tables) {
        let client = client.await.unwrap();
        in_copy += client.in_copy;
        let (columns, expected) = stored(server, table);
        let found = client.rebuilt(&columns);
        let more: Vec<_> = found.iter().filter(|row| expected.get(row.0) != Some(row.1)).collect();
        let less: Vec<_> = expected.iter().filter(|row| found.get(row.0) != Some(row.1)).collect();
        assert!(
            more.is_empty() && less.is_empty(),
            "{:?} seed {seed}, {} {} {}: {} rows only here, such as {:.400}; {} only there, such as \
             {:.400}; {:#?}",
            server.kind,
            table.keyed.columns,
            table.items,
            table.condition,
            more.len(),
            format!("{:?}", more.first()),
            less.len(),
            format!("{:?}", less.first()),
            client.history
        );
    }
    in_copy
}

/// Until clients have read so many more rows, or read no more.
async fn wait_for(read: &AtomicUsize, more: usize) {
    let until = read.load(Ordering::Relaxed) + more;
    for _ in 0..100 {
        if read.load(Ordering::Relaxed) >= until {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn check(kind: Kind) {
    let mut world = World::start(kind).await;
    let rounds = rounds(1, 20, 200);
    for seed in 0..rounds as u64 {
        let done = tokio::time::timeout(PATIENCE, round(world, seed)).await;
        world = done.unwrap_or_else(|_| panic!("{kind:?} seed {seed} hangs"));
    }
    println!("{kind:?}: {} times on in the middle of a copy", world.in_copy);
    assert!(world.in_copy >= rounds, "{kind:?}: {}", world.in_copy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_mysql_are_rebuilt_through_faults() {
    check(Kind::MySql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_mariadb_are_rebuilt_through_faults() {
    check(Kind::MariaDb).await;
}

const ROWS: u32 = 1_500;
/// A number that no row of a writer has.
const MARK: u32 = 999_999;
const SESSIONS_MAX: usize = 100;
/// What passes by itself: nothing listens, the connection broke, the server behind is away.
const PASSING: &[&str] =
    &["ERROR 2002 ", "ERROR 2003 ", "ERROR 2006 ", "ERROR 2013 ", "ERROR 2026 ", "ERROR 1429 "];
/// Why a copy of a table without a key cannot go on: it has a new column or another type of one, or
/// columns that are too long to sort by.
const OVER: &[&str] =
    &["copy again", "another filter or table shape", "cannot go on in the middle"];
const PATIENCE: Duration = Duration::from_secs(120);
