//! Real MariaDB and MySQL servers as child processes of the test process.
//!
//! [`mariadb`] and [`mysql`] start one server per test process at the first call and hand it to
//! every later caller; [`start`] starts one more, with options of its own. Each has its own data
//! directory on its own port and no password. A server that cannot start fails the test: there is
//! no skipping.
//!
//! `scripts/real-up --hold` ends the server when its standard input closes. The pipe's other end
//! lives in this process, so that the server goes with it, however it ends: return, panic or
//! `kill -9`.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// The two families of servers that the project compares itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    MariaDb,
    MySql,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::MariaDb => "mariadb",
            Kind::MySql => "mysql",
        }
    }
}

/// A running server: `user` has every right and an empty password.
#[derive(Debug)]
pub struct Server {
    pub kind: Kind,
    pub host: String,
    pub port: u16,
    pub user: String,
    /// The server's process, for reading its CPU time and memory.
    pub pid: u32,
    /// Its private directory; gone with the server.
    pub dir: PathBuf,
    hold: Option<ChildStdin>,
    script: Child,
    /// The process that took the place of the first one.
    again: Option<Child>,
}

impl Server {
    /// Ends the server, at once (`kill -9`) or in order, and starts it again on the same data and
    /// port. Returns when it takes connections.
    pub fn restart(&mut self, at_once: bool) {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.pid)).expect("it runs");
        let line = String::from_utf8(line).expect("its arguments are UTF-8");
        let mut arguments = line.split_terminator('\0');
        let program = arguments.next().expect("the program is its first argument");
        self.signal(if at_once { "-KILL" } else { "-TERM" });
        match self.again.take() {
            Some(mut child) => drop(child.wait()),
            // No child of ours, and so not ours to wait for.
            None => {
                let mut tail = Command::new("tail");
                tail.args([&format!("--pid={}", self.pid), "-f", "/dev/null"]);
                assert!(tail.status().expect("run tail").success());
            }
        }
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start the server again");
        let mut log = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let ready = |line: &std::io::Result<String>| {
            line.as_ref().is_ok_and(|line| line.contains("ready for connections"))
        };
        assert!(log.any(|line| ready(&line)), "the server ended while it started");
        // Whoever writes into a pipe that nobody reads would stop.
        std::thread::spawn(move || log.for_each(drop));
        self.pid = child.id();
        self.again = Some(child);
    }

    /// Sends the server's process a signal.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid.to_string()]).status();
        assert!(sent.expect("run kill").success());
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `mysql://user@host:port/DATABASE`, as mysql_async reads it; without the socket that it
    /// would otherwise switch to.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://{}@{}/{database}?prefer_socket=false", self.user, self.address())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut again) = self.again.take() {
            let _ = again.kill().and_then(|()| again.wait());
        }
        // Closing the pipe ends the server; waiting says that port and directory are free again.
        drop(self.hold.take());
        let _ = self.script.wait();
    }
}

/// The test process's own MariaDB 10.11.
pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(Kind::MariaDb, &[]))
}

/// The test process's own MySQL 9.7.
pub fn mysql() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start(Kind::MySql, &[]))
}

/// Starts a server of its own with further options (`--binlog-row-metadata=FULL`); it ends when
/// the value is dropped.
pub fn start(kind: Kind, options: &[&str]) -> Server {
    let name = kind.name();
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/real-up"))
        .arg("--hold")
        .arg(name)
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run scripts/real-up");
    let hold = script.stdin.take();
    let mut line = String::new();
    let stdout = script.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut line).expect("read from scripts/real-up");
    if line.is_empty() {
        let mut said = String::new();
        let _ = script.stderr.take().expect("stderr is piped").read_to_string(&mut said);
        panic!("{name} is missing, which is a failure and no reason to skip: {said}");
    }
    parse(kind, &line, hold, script)
        .unwrap_or_else(|| panic!("scripts/real-up printed something else: {line}"))
}

/// The stock command line client of that server, for tests that need a real one.
pub fn client(kind: Kind) -> PathBuf {
    let name = kind.name();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/real-get");
    let got = Command::new(script).arg(name).output().expect("run scripts/real-get");
    assert!(got.status.success(), "{name} is missing: {}", String::from_utf8_lossy(&got.stderr));
    let cache = std::env::var_os("VSTREAMD_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is set");
        PathBuf::from(home).join(".cache/vstreamd")
    });
    cache.join("bin").join(name)
}

/// Reads `NAME HOST:PORT pid PID user USER dir DIR`.
fn parse(kind: Kind, line: &str, hold: Option<ChildStdin>, script: Child) -> Option<Server> {
    let mut words = line.split_whitespace().skip(1);
    let (host, port) = words.next()?.split_once(':')?;
    let mut value = |name: &str| words.next().filter(|word| *word == name).and(words.next());
    Some(Server {
        kind,
        pid: value("pid")?.parse().ok()?,
        user: value("user")?.to_owned(),
        dir: value("dir")?.into(),
        host: host.to_owned(),
        port: port.parse().ok()?,
        hold,
        script,
        again: None,
    })
}
