//! From a server's log to a client, side by side with other readers of the same log.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::bare::{self, Seconds, Whose};
use super::compare::RUNS;
use super::figures::{Spread, aim, cpu};
use super::real::{self, Kind, Server, start};
use super::servers::{TABLE, Vstreamd, database, position, row};
use super::wire::Query;

/// Two million row changes of seven columns: rows inserted one by one, a hundred to a transaction,
/// half of them updated and deleted by statements of a hundred.
pub fn binlog() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let server = start(kind, &["--binlog-row-metadata=FULL"]);
        let begin = written(&server);
        println!("  {kind:?}: {CHANGES} row changes");
        let (mut peers, mut bares, mut ours) = (Vec::new(), Vec::new(), Vec::new());
        // In turns, so that what else the machine does hits all of them.
        for _ in 0..RUNS {
            peers.push(peer(&server, &begin));
            bares.push(bare::read(&server, &begin, CHANGES, Whose::Ours));
            ours.push(through_door(&server, &begin));
        }
        let peer = Figures::of("mysqlbinlog -v", &peers);
        let bare = Figures::of("bare decoder", &bares);
        let ours = Figures::of("vstreamd", &ours);
        let least = if kind == Kind::MySql { 4.0 } else { 5.0 };
        let faster = peer.wall.median / ours.wall.median;
        let figure = "our row changes per second over mysqlbinlog's";
        aim(figure, faster, "times", faster >= least, &format!("at least {least}"));
        println!("mysqlbinlog's CPU over ours: {:.2} times", peer.cpu.median / ours.cpu.median);
        let more = ours.cpu.median / bare.cpu.median;
        aim("our CPU over the bare decoder's", more, "times", more <= 1.25, "at most 1.25");
    }
}

/// A table of three hundred columns.
pub fn columns() {
    let server = start(Kind::MySql, &["--binlog-row-metadata=FULL"]);
    let mut client = database(&server);
    let names: Vec<String> = (0..WIDE_COLUMNS).map(|column| format!("c{column} INT")).collect();
    client.run(&format!("CREATE TABLE wide (id INT PRIMARY KEY, {})", names.join(",")));
    let begin = position(&server, &mut client);
    for first in (0..WIDE_ROWS).step_by(100) {
        let row = |id: u64| {
            let cells: Vec<String> = (0..WIDE_COLUMNS).map(|c| (id * 7 + c).to_string()).collect();
            format!("({id},{})", cells.join(","))
        };
        let rows: Vec<String> = (first..first + 100).map(row).collect();
        client.run(&format!("INSERT INTO wide VALUES {}", rows.join(",")));
    }
    let run = |whose| (0..RUNS).map(|_| bare::read(&server, &begin, WIDE_ROWS, whose)).collect();
    let (ours, theirs): (Vec<Seconds>, Vec<Seconds>) = (run(Whose::Ours), run(Whose::Theirs));
    let wall = |seconds: &[Seconds]| Spread::of(seconds.iter().map(|one| one.wall).collect());
    let (ours, theirs) = (wall(&ours), wall(&theirs));
    println!("  {WIDE_ROWS} rows of {} columns", WIDE_COLUMNS + 1);
    println!("  our decoder     wall s  {ours}");
    println!("  mysql_common's  wall s  {theirs}");
    let faster = theirs.median / ours.median;
    aim("our decoder over mysql_common's", faster, "times", faster >= 30.0, "at least 30");
}

/// Per million row changes.
struct Figures {
    cpu: Spread,
    wall: Spread,
}

impl Figures {
    fn of(name: &str, runs: &[Seconds]) -> Self {
        let spread = |part: fn(&Seconds) -> f64| {
            Spread::of(runs.iter().map(|run| part(run) / MILLIONS).collect())
        };
        let figures = Self { cpu: spread(|run| run.cpu), wall: spread(|run| run.wall) };
        println!("  {name:15} CPU s per M row changes   {}", figures.cpu);
        println!("  {name:15} wall s per M row changes  {}", figures.wall);
        figures
    }
}

/// Fills the log; the position before it.
fn written(server: &Server) -> String {
    let mut client = database(server);
    client.run(TABLE);
    let begin = position(server, &mut client);
    for first in (1..=INSERTS).step_by(100) {
        let inserts =
            (first..first + 100).map(|id| format!("INSERT INTO bench VALUES {}", row(id)));
        let begin = std::iter::once("BEGIN".to_owned());
        let all: Vec<String> = begin.chain(inserts).chain(["COMMIT".to_owned()]).collect();
        client.run_all(&all);
    }
    for first in (1..=INSERTS / 2).step_by(100) {
        let last = first + 99;
        client.run(&format!(
            "UPDATE bench SET state = 'delivered' WHERE id BETWEEN {first} AND {last}"
        ));
        client.run(&format!("DELETE FROM bench WHERE id BETWEEN {first} AND {last}"));
    }
    begin
}

/// The server's own program, which prints what it decodes to nobody.
fn peer(server: &Server, begin: &str) -> Seconds {
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
    let begun = Instant::now();
    let child = Command::new(real::client(server.kind).with_file_name(program))
        .args(&arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("run mysqlbinlog");
    let cpu = waited(child).as_secs_f64();
    Seconds { cpu, wall: begun.elapsed().as_secs_f64() }
}

/// A vstreamd with an empty log in memory: everything comes from the server.
fn through_door(server: &Server, begin: &str) -> Seconds {
    let vstreamd = Vstreamd::over(server);
    let mut client = vstreamd.bench_client();
    let statement = format!("VSTREAM * FROM bench WHERE pos > '{begin}' LIMIT {CHANGES}");
    let (before, begun) = (cpu(vstreamd.pid), Instant::now());
    assert_eq!(client.count(&Query::Text(statement)), CHANGES);
    let wall = begun.elapsed().as_secs_f64();
    Seconds { cpu: (cpu(vstreamd.pid) - before).as_secs_f64(), wall }
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
const WIDE_COLUMNS: u64 = 299;
const WIDE_ROWS: u64 = 20_000;
