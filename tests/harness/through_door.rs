//! Traces of SQL streams through the MySQL door: statements and streams are packets on a socket.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use vstreamd::access::Access;
use vstreamd::engine::EngineConfig;
use vstreamd::event::{Cell, ShardName};
use vstreamd::frontend::mysql::{Accounts, Behind, Door, DoorConfig, Keyspace as Named};
use vstreamd::shutdown::ShutdownController;
use vstreamd::sql;
use vstreamd::telemetry;

use super::keyspace::Keyspace;
use super::raw::{Answer, Login, Raw, texts};
use super::stream::{self, Marks};
use super::trace::{Request, Step, Trace, print_cell};

/// Whether all streams of a trace are SQL statements.
pub fn fits(trace: &Trace) -> bool {
    let is_sql = |step: &Step| match step {
        Step::Stream(request) => request.statement().is_some(),
        _ => true,
    };
    trace.steps().iter().all(is_sql)
}

/// Runs a trace; what is wrong with it.
pub async fn run(trace: &Trace) -> Vec<String> {
    let keyspace = Keyspace::open().await;
    let mut config = EngineConfig::default();
    for step in trace.steps() {
        if let Step::Config(name, number) = step {
            stream::configure(&mut config, &name, number);
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let behind = Behind {
        engine: stream::engine(config, keyspace.source()),
        backend: Arc::new(keyspace.store.backend()),
        keyspaces: vec![Named { name: "ks".to_owned(), shards: vec![ShardName::new("ks", "0")] }],
        accounts: Accounts::Anybody,
        identity: super::door::identity(),
        access: Access::default(),
    };
    let controller = ShutdownController::new();
    let door = Door::new(DoorConfig::default(), behind).unwrap();
    let task: JoinHandle<()> =
        telemetry::spawn("door", door.serve(listener, controller.subscribe()));
    let login = Login { database: "ks", ..Login::default() };
    let writer = Raw::login(address, &login).await;
    let reader = Raw::login(address, &login).await;
    let (marks, is_open, refused) = (Marks::new(), false, None);
    let mut run = Run { trace, keyspace, writer, reader, marks, is_open, refused };
    let mut wrong = Vec::new();
    for step in trace.steps() {
        if let Err(what) = run.step(step, &login, address).await {
            wrong.push(what);
            break;
        }
    }
    drop(run);
    controller.request();
    tokio::time::timeout(super::raw::PATIENCE, task).await.expect("the door closes").unwrap();
    wrong
}

struct Run<'a> {
    trace: &'a Trace,
    keyspace: Keyspace,
    writer: Raw,
    reader: Raw,
    marks: Marks,
    /// A result set is open; it can only be left by closing the connection.
    is_open: bool,
    /// The error that a stream was refused with.
    refused: Option<String>,
}

impl Run<'_> {
    async fn step(
        &mut self,
        step: Step,
        login: &Login<'_>,
        address: std::net::SocketAddr,
    ) -> Result<(), String> {
        match step {
            Step::Config(..) | Step::Until(_) => Ok(()),
            Step::Apply(texts) => self.apply(&texts).await,
            Step::Fails(text) => match self.apply(&text).await {
                Ok(()) => Err(format!("{text} did not fail")),
                Err(_) => Ok(()),
            },
            Step::Mark(name) => {
                self.marks.insert(name, self.keyspace.position().await);
                Ok(())
            }
            Step::Stream(request) => {
                if std::mem::replace(&mut self.is_open, true) {
                    self.reader = Raw::login(address, login).await;
                }
                self.open(&request).await
            }
            Step::Expect(block) => self.expect(self.trace.expected(block)).await,
            Step::Error(part) => self.error(&part).await,
        }
    }

    async fn apply(&mut self, texts: &str) -> Result<(), String> {
        for text in sql::split(texts).map(str::trim).filter(|text| !text.is_empty()) {
            if let Answer::Err { text: error, .. } = self.writer.query(text).await {
                return Err(format!("{text}: {error}"));
            }
        }
        Ok(())
    }

    async fn open(&mut self, request: &Request) -> Result<(), String> {
        let mut text = request.start.clone();
        for (name, set) in &self.marks {
            text = text.replace(&format!("{{{name}}}"), &set.bare().to_string());
        }
        let answer = self.reader.query("set workload = olap").await;
        assert!(matches!(answer, Answer::Ok { .. }), "{answer:?}");
        self.reader.send(3, text.as_bytes()).await;
        let first = self.reader.read().await.expect("a result");
        self.refused = None;
        if first[0] == 0xff {
            self.refused = Some(String::from_utf8_lossy(&first[9..]).into_owned());
            self.is_open = false;
            return Ok(());
        }
        for _ in 0..first[0] {
            self.reader.read().await.expect("a definition");
        }
        self.copied().await;
        Ok(())
    }

    /// Waits until no stream copies any more: a copy may show a row as it is by then, so that what
    /// the trace applies next would be there already.
    async fn copied(&mut self) {
        let copying = "show vstreams where phase = 'copy'";
        while !texts(&self.writer.query(copying).await).is_empty() {
            tokio::task::yield_now().await;
        }
    }

    async fn error(&mut self, part: &str) -> Result<(), String> {
        let text = match self.refused.take() {
            Some(text) => text,
            None => match self.reader.row().await {
                Err(Answer::Err { text, .. }) => text,
                other => return Err(format!("expected an error with {part:?}, got {other:?}")),
            },
        };
        if text.contains(part) { Ok(()) } else { Err(format!("expected {part:?}, got {text:?}")) }
    }

    async fn expect(&mut self, lines: Vec<String>) -> Result<(), String> {
        if let Some(error) = &self.refused {
            return Err(error.clone());
        }
        for line in lines {
            let shown = match self.reader.row().await {
                Ok(cells) => {
                    let cell = |cell: &Option<Vec<u8>>| match cell {
                        Some(bytes) => print_cell(Cell::Text(bytes)),
                        None => print_cell(Cell::Null),
                    };
                    cells.iter().map(cell).collect::<Vec<_>>().join(" ")
                }
                Err(Answer::Ok { .. }) => "END".to_owned(),
                Err(other) => return Err(format!("expected {line}, got {other:?}")),
            };
            if shown != line {
                return Err(format!("expected {line}, got {shown}"));
            }
        }
        Ok(())
    }
}
