//! The program itself as a child process, on a free port, with a store of its own or a shared one.
//!
//! A WARN or ERROR in its log that the test did not announce fails the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_vstreamd");

/// A running `vstreamd serve`; dropping it kills it.
pub struct Vstreamd {
    child: Child,
    /// Where MySQL clients connect.
    pub address: SocketAddr,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    announced: Vec<&'static str>,
    _own_dir: Option<tempfile::TempDir>,
}

impl Vstreamd {
    /// On a new store that goes with it.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("make a directory");
        let mut server = Self::start_in(dir.path());
        server._own_dir = Some(dir);
        server
    }

    /// On the store in `dir`, which stays.
    pub fn start_in(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// On the store in `dir`, with further arguments.
    pub fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        let mut child = serve(dir).args(arguments).spawn().expect("start vstreamd");
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                lines.lock().expect("nobody panics with the log").push_str(&line);
                line.clear();
            }
        });
        let mut ready = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut ready).expect("read the ready line");
        let address = ready
            .strip_prefix("ready mysql=")
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("{ready:?} is no ready line; log: {}", log.lock().unwrap()));
        Self { child, address, log, reader: Some(reader), announced: Vec::new(), _own_dir: None }
    }

    /// A WARN or ERROR with this text is part of the test.
    pub fn announce(&mut self, text: &'static str) {
        self.announced.push(text);
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes of memory that it has in use.
    pub fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most bytes of memory that it had in use so far.
    pub fn resident_max(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> usize {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("read its status");
        let line = status.lines().find(|line| line.starts_with(name)).expect("it has memory");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
        kib.expect("a number of KiB") * 1024
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("nobody panics with the log").clone()
    }

    /// A client that reads text rows.
    pub async fn connect(&self) -> Conn {
        let options = OptsBuilder::default()
            .ip_or_hostname(self.address.ip().to_string())
            .tcp_port(self.address.port())
            .user(Some("root"))
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 30))
            .wait_timeout(Some(28_800));
        Conn::new(options).await.expect("connect to vstreamd")
    }

    /// A client that may stream.
    pub async fn connect_olap(&self) -> Conn {
        let mut conn = self.connect().await;
        conn.query_drop("SET WORKLOAD=OLAP").await.expect("SET WORKLOAD");
        conn
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.pid().to_string()).status();
        assert!(sent.expect("run kill").success());
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("kill vstreamd");
        self.finish();
    }

    /// Ends it in good order and says how it ended.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.finish()
    }

    /// Waits until it has ended by itself.
    pub fn finish(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("wait for vstreamd");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("read the log");
        }
        if !std::thread::panicking() {
            self.check_log();
        }
        status
    }

    fn check_log(&self) {
        let log = self.log();
        let unannounced = log.lines().find(|line| {
            (line.contains(" WARN ") || line.contains("ERROR") || line.contains("panicked"))
                && !self.announced.iter().any(|text| line.contains(text))
        });
        assert_eq!(unannounced, None, "in the log of vstreamd");
    }
}

impl Drop for Vstreamd {
    fn drop(&mut self) {
        if self.reader.is_some() {
            let _ = self.child.kill();
            self.finish();
        }
    }
}

/// `vstreamd serve` on a free port, not started yet.
pub fn serve(dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["serve", "--mysql-listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs `vstreamd` to its end: exit status, stdout, stderr.
pub fn run(arguments: &[&str]) -> (ExitStatus, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().expect("run vstreamd");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("vstreamd prints UTF-8");
    (output.status, text(output.stdout), text(output.stderr))
}

/// Reads what a child has printed until it ends.
pub fn drain(mut from: impl Read) -> String {
    let mut text = String::new();
    from.read_to_string(&mut text).expect("read a child's output");
    text
}

/// A path as an argument.
pub fn argument(path: &Path) -> String {
    PathBuf::from(path).into_os_string().into_string().expect("paths in tests are UTF-8")
}
