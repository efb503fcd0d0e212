//! Clients in a process of their own: this program starts itself as them, so that a server's memory
//! is measured alone, and so that there is somebody to kill.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::figures::aim;
use super::real::{Kind, start};
use super::servers::{Vstreamd, database, prepare};
use super::wire::{Client, Step, tls_config};

/// A process that has streams open; ends with the value.
pub struct Streams {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Streams {
    /// Opens so many streams, under TLS or in the clear.
    pub fn open(server: &Vstreamd, tls: bool, count: usize, statement: &str) -> Streams {
        Self::of(server, "commerce", tls, count, statement)
    }

    /// The same in another keyspace.
    fn of(server: &Vstreamd, keyspace: &str, tls: bool, count: usize, statement: &str) -> Streams {
        let own = std::env::current_exe().expect("this program has a path");
        let mut process = Command::new(own)
            .args([CHILD, &server.address])
            .arg(server.certificate())
            .args([if tls { "tls" } else { "plain" }, &count.to_string(), keyspace, statement])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run this program");
        let said = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut streams = Streams { process, said };
        streams.wait_for(OPEN);
        streams
    }

    /// Waits until each stream has a row.
    pub fn have_rows(&mut self) {
        self.wait_for(ROWS);
    }

    /// Ends the process by SIGKILL; when.
    pub fn kill(mut self) -> Instant {
        let now = Instant::now();
        self.process.kill().expect("kill a child");
        now
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("read from the child");
        assert_eq!(line.trim_end(), word, "the child failed");
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// However many streams there are, one connection reads the server's log.
pub fn dumps() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let upstream = start(kind, &["--binlog-row-metadata=FULL"]);
        let mut writer = database(&upstream);
        writer.run("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT)");
        let server = Vstreamd::over(&upstream);
        for count in [1, 100, 1000] {
            let mut streams = Streams::of(
                &server,
                "bench",
                false,
                count,
                "VSTREAM * FROM t WHERE pos > 'current'",
            );
            writer.run("INSERT INTO t VALUES ()");
            streams.have_rows();
            let (dumps, all) = connections(&mut writer);
            println!("  {kind:?}: {count} streams, {all} connections in all");
            aim("dump connections", dumps as f64, "of one server", dumps == 1, "1");
        }
    }
}

/// How many connections a server sends its log on, and how many it has. It ends one whose reader has
/// left when it next says that it is alive.
fn connections(client: &mut Client) -> (usize, usize) {
    let begun = Instant::now();
    loop {
        let processes = client.rows("SHOW PROCESSLIST");
        let dumps = processes.iter().filter(|process| {
            process[4].as_deref().is_some_and(|command| command.starts_with("Binlog Dump"))
        });
        let dumps = dumps.count();
        if dumps == 1 || begun.elapsed() > Duration::from_secs(5) {
            return (dumps, processes.len());
        }
    }
}

/// What the child does with the arguments that [`Streams::open`] gives it.
pub fn child(arguments: &[String]) {
    let [address, certificate, transport, count, keyspace, statement] = arguments else {
        panic!("the arguments are ADDRESS CERTIFICATE plain|tls COUNT KEYSPACE STATEMENT");
    };
    let tls = (transport == "tls").then(|| tls_config(certificate.as_ref()));
    let open = |_| {
        let mut client = Client::log_in(address, tls.as_ref(), BUFFER_BYTES);
        prepare(&mut client, keyspace);
        client.open(statement);
        client
    };
    let count: usize = count.parse().expect("a number");
    let mut clients: Vec<Client> = (0..count).map(open).collect();
    say(OPEN);
    for client in &mut clients {
        assert_eq!(client.step(), Step::Row);
    }
    say(ROWS);
    if let [only] = &mut clients[..] {
        while only.step() == Step::Row {}
    }
    // Idle until the parent kills this process, or is gone.
    let _ = std::io::stdin().read(&mut [0]);
}

fn say(word: &str) {
    let mut stdout = std::io::stdout();
    // Without a parent there is nobody to tell.
    let _ = writeln!(stdout, "{word}").and_then(|()| stdout.flush());
}

/// The first argument of a child.
pub const CHILD: &str = "--streams";
const OPEN: &str = "open";
const ROWS: &str = "rows";
/// Small: there are thousands of them.
const BUFFER_BYTES: usize = 1 << 14;
