//! From a server's log to a client, side by side with the server's own program for reading it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::compare::RUNS;
use super::figures::{Spread, aim, resident};
use super::real::{self, Kind, Server, start};
use super::servers::{TABLE, Vstreamd, fill};
use super::wire::{Client, Query};

/// Two million row changes of seven columns, as transactions and statements of 100 rows.
pub fn binlog() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = start(kind, &["--binlog-row-metadata=FULL"]);
        let begin = written(&server);
        println!("  {kind:?}: {CHANGES} row changes");
        let peer = peer(&server, &begin);
        let ours = ours(&server, &begin);
        for (name, figures) in [("mysqlbinlog -v", &peer), ("vstreamd", &ours)] {
            println!("  {name:15} CPU s per M row changes   {}", figures.cpu);
            println!("  {name:15} wall s per M row changes  {}", figures.wall);
        }
        let faster = peer.wall.median / ours.wall.median;
        let least = if kind == Kind::MySql { 4.0 } else { 5.0 };
        let goal = format!("at least {least}");
        aim(
            "our row changes per second over mysqlbinlog's",
            faster,
            "times",
            faster >= least,
            &goal,
        );
        println!("mysqlbinlog's CPU over ours: {:.2} times", peer.cpu.median / ours.cpu.median);
    }
}

/// Per million row changes.
struct Figures {
    cpu: Spread,
    wall: Spread,
}

/// Fills the log; the position before it.
fn written(server: &Server) -> String {
    let mut client = Client::connect(&server.address());
    client.run("CREATE DATABASE bench");
    client.run("USE bench");
    client.run(TABLE);
    let position = match server.kind {
        Kind::MySql => "SELECT @@GLOBAL.gtid_executed",
        Kind::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    let begin = client.rows(position).pop().and_then(|mut row| row.pop().flatten());
    let begin = begin.expect("it logs by GTID");
    fill(&mut client, 1, INSERTS, ROWS_PER_STATEMENT);
    for first in (1..=INSERTS / 2).step_by(ROWS_PER_STATEMENT as usize) {
        let last = first + ROWS_PER_STATEMENT - 1;
        client.run(&format!(
            "UPDATE bench SET state = 'delivered' WHERE id BETWEEN {first} AND {last}"
        ));
        client.run(&format!("DELETE FROM bench WHERE id BETWEEN {first} AND {last}"));
    }
    begin
}

/// The server's own program, which prints what it decodes to nobody.
fn peer(server: &Server, begin: &str) -> Figures {
    let program = match server.kind {
        Kind::MySql => "mysqlbinlog",
        Kind::MariaDb => "mariadb-binlog",
    };
    let port = server.port.to_string();
    let mut arguments = vec!["--no-defaults", "--read-from-remote-server", "--to-last-log"];
    arguments.extend(["--base64-output=decode-rows", "-v", "-h127.0.0.1", "-uroot", "-P", &port]);
    let exclude = format!("--exclude-gtids={begin}");
    if server.kind == Kind::MySql {
        arguments.push(&exclude);
    }
    arguments.push("binlog.000001");
    let (mut cpus, mut walls) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let child = Command::new(real::client(server.kind).with_file_name(program))
            .args(&arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("run mysqlbinlog");
        let cpu = waited(child);
        walls.push(begun.elapsed().as_secs_f64() / MILLIONS);
        cpus.push(cpu.as_secs_f64() / MILLIONS);
    }
    Figures { cpu: Spread::of(cpus), wall: Spread::of(walls) }
}

/// A vstreamd with an empty log in memory each time: everything comes from the server.
fn ours(server: &Server, begin: &str) -> Figures {
    let (mut cpus, mut walls, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        let vstreamd = Vstreamd::configured(&format!(
            "[[keyspace]]\nname = \"bench\"\n[[keyspace.shard]]\nname = \"0\"\n\
             [[keyspace.shard.tablet]]\nalias = \"zone1-100\"\ntype = \"primary\"\n\
             url = \"mysql://root@{}/bench?ssl-mode=DISABLED\"\n",
            server.address()
        ));
        let mut client = Client::connect(&vstreamd.address);
        client.run("SET WORKLOAD = 'OLAP'");
        client.run("USE bench");
        let statement = format!("VSTREAM * FROM bench WHERE pos > '{begin}' LIMIT {CHANGES}");
        let (cpu, begun) = (super::figures::cpu(vstreamd.pid), Instant::now());
        assert_eq!(client.count(&Query::Text(statement)), CHANGES);
        walls.push(begun.elapsed().as_secs_f64() / MILLIONS);
        cpus.push((super::figures::cpu(vstreamd.pid) - cpu).as_secs_f64() / MILLIONS);
        memory = memory.max(resident(vstreamd.pid));
    }
    println!("  vstreamd held at most {} MiB behind a run", memory >> 20);
    Figures { cpu: Spread::of(cpus), wall: Spread::of(walls) }
}

/// The CPU time of a child and its children, once it has ended well.
fn waited(mut child: Child) -> Duration {
    let before = children();
    assert!(child.wait().expect("it is a child").success());
    children() - before
}

/// CPU time of all children that were waited for, to 10 ms.
fn children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("we are alive");
    let after = stat.rsplit_once(')').expect("stat names the process").1;
    let fields = after.split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

const INSERTS: u64 = 1_000_000;
/// Half of the rows are updated, and deleted.
const CHANGES: u64 = 2 * INSERTS;
const MILLIONS: f64 = CHANGES as f64 / 1e6;
const ROWS_PER_STATEMENT: u64 = 100;
