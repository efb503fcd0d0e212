//! The two servers that are measured side by side, and the rows that both hold.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::real::{Kind, Server};
use super::wire::{Client, Step};

/// A vstreamd on an empty store of its own; ends with the value.
pub struct Vstreamd {
    pub address: String,
    pub pid: u32,
    process: Child,
    dir: TempDir,
}

impl Vstreamd {
    /// Starts `vstreamd serve` with the given `[limits]`.
    pub fn start(limits: &str) -> Vstreamd {
        Self::configured(&format!("[limits]\n{limits}\n"))
    }

    /// Starts `vstreamd serve` with this configuration.
    pub fn configured(configuration: &str) -> Vstreamd {
        let dir = TempDir::new().expect("make a directory");
        let config = dir.path().join("vstreamd.toml");
        std::fs::write(&config, configuration).expect("write a configuration");
        let mut process = Command::new(env!("CARGO_BIN_EXE_vstreamd"))
            .args(["serve", "--mysql-listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run vstreamd");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("read from vstreamd");
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("mysql="));
        let address = address.unwrap_or_else(|| panic!("vstreamd is not ready: {line}")).to_owned();
        Vstreamd { address, pid: process.id(), process, dir }
    }

    /// The file of the certificate that it made.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("data/server-cert.pem")
    }

    /// Starts `vstreamd serve` over the database `bench` of a server.
    pub fn over(server: &Server) -> Vstreamd {
        Self::configured(&format!(
            "[[keyspace]]\nname = \"bench\"\n[[keyspace.shard]]\nname = \"0\"\n\
             [[keyspace.shard.tablet]]\nalias = \"zone1-100\"\ntype = \"primary\"\n\
             url = \"mysql://root@{}/bench?ssl-mode=DISABLED\"\n",
            server.address()
        ))
    }

    /// A connection that may stream.
    pub fn client(&self) -> Client {
        ready(&self.address)
    }

    /// The same, where the keyspace is `bench`.
    pub fn bench_client(&self) -> Client {
        let mut client = Client::connect(&self.address);
        prepare(&mut client, "bench");
        client
    }
}

/// A connection to the vstreamd at `address` that may stream.
pub fn ready(address: &str) -> Client {
    let mut client = Client::connect(address);
    prepare(&mut client, "commerce");
    client
}

/// Lets a connection to a vstreamd stream in a keyspace.
pub fn prepare(client: &mut Client, keyspace: &str) {
    client.run("SET WORKLOAD = 'OLAP'");
    client.run(&format!("USE {keyspace}"));
}

/// Rows in vstreamd's shared log: prepared batches, as every follower gets them.
pub struct LoggedRows {
    start: String,
    /// The server keeps its log as long as somebody follows.
    _follower: Client,
}

impl LoggedRows {
    /// Makes the table `bench` and writes rows while a first stream follows: so many, in
    /// transactions of so many each.
    pub fn new(connect: impl Fn() -> Client, parts: &[(u64, u64)]) -> LoggedRows {
        let (mut writer, mut follower) = (connect(), connect());
        writer.run(TABLE);
        follower.open("VSTREAM *, _pos FROM bench WHERE pos > 'current'");
        // The first row tells where the readings begin.
        fill(&mut writer, 0, 1, 1);
        let mut row = follower.row().expect("a stream goes on");
        let mut next = 1;
        for (rows, per_transaction) in parts {
            fill(&mut writer, next, *rows, *per_transaction);
            next += rows;
        }
        for _ in 1..next {
            assert_eq!(follower.step(), Step::Row);
        }
        let start = row.pop().flatten().expect("_pos is never NULL");
        LoggedRows { start, _follower: follower }
    }

    /// Reads so many of them.
    pub fn statement(&self, rows: u64) -> String {
        format!("VSTREAM * FROM bench WHERE pos > '{}' LIMIT {rows}", self.start)
    }
}

impl Drop for Vstreamd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Seven columns, about 105 bytes on the wire as a row of the text protocol.
pub const TABLE: &str = "CREATE TABLE bench (id BIGINT PRIMARY KEY, customer INT NOT NULL, price \
    DECIMAL(12,2), made DATETIME, state VARCHAR(16), email VARCHAR(64), note VARCHAR(64))";

/// Inserts `rows` rows from the number `first` on, in statements of `per_statement`.
pub fn fill(client: &mut Client, first: u64, rows: u64, per_statement: u64) {
    let mut next = first;
    while next < first + rows {
        let until = (next + per_statement).min(first + rows);
        let values: Vec<String> = (next..until).map(row).collect();
        client.run(&format!("INSERT INTO bench VALUES {}", values.join(",")));
        next = until;
    }
}

/// The values of one row.
pub fn row(id: u64) -> String {
    let (customer, cents, second) = (id % 9973, id % 100, id % 60);
    let price = id % 100_000;
    format!(
        "({id},{customer},{price}.{cents:02},'2026-01-02 03:04:{second:02}','shipped',\
         'customer{customer}@example.com','a note of ordinary length')"
    )
}

/// A connection to a real server, in its database `bench`, which it makes.
pub fn database(server: &Server) -> Client {
    let mut client = Client::connect(&server.address());
    client.run("CREATE DATABASE bench");
    client.run("USE bench");
    client
}

/// Up to where the server has logged.
pub fn position(server: &Server, client: &mut Client) -> String {
    let position = match server.kind {
        Kind::MySql => "SELECT @@GLOBAL.gtid_executed",
        Kind::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
    };
    let position = client.rows(position).pop().and_then(|mut row| row.pop().flatten());
    position.expect("it logs by GTID")
}
