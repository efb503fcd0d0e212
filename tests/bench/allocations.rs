//! Allocations per row where there must be none: from the shared log through the `*` plan and the
//! encoder to the socket.
//!
//! The whole program runs on one thread of this process, whose allocations are counted while a
//! client reads. A statement costs some and a transaction costs some; what transactions of many
//! rows cost more than those of few is the rows' share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use vstreamd::app::App;
use vstreamd::config::{Config, Overrides};

use super::figures::aim;
use super::servers::{LoggedRows, ready};
use super::wire::Query;

/// Counts them.
pub fn run() {
    let server = Server::start();
    let connect = || ready(&server.address.to_string());
    let logged =
        LoggedRows::new(connect, &[(TRANSACTIONS * FEW, FEW), (TRANSACTIONS * MANY, MANY)]);
    for (form, charset) in [("text", "utf8mb4"), ("binary", "utf8mb4"), ("text", "utf16")] {
        let mut client = connect();
        client.run(&format!("SET character_set_results = {charset}"));
        let mut reads = |rows: u64| {
            let statement = logged.statement(rows);
            let query = match form {
                "text" => Query::Text(statement),
                _ => client.prepare(&statement),
            };
            server.allocations(|| assert_eq!(client.count(&query), rows)) as f64
        };
        // The first reading warms buffers up.
        reads(TRANSACTIONS * (FEW + MANY));
        let half = reads(TRANSACTIONS / 2 * FEW);
        let few = reads(TRANSACTIONS * FEW);
        let all = reads(TRANSACTIONS * (FEW + MANY));
        let per_small = (few - half) / (TRANSACTIONS / 2) as f64;
        let per_large = (all - few) / TRANSACTIONS as f64;
        println!("  per transaction of {FEW} rows {per_small:.2}, of {MANY} rows {per_large:.2}");
        let each = (per_large - per_small) / (MANY - FEW) as f64;
        aim(&format!("allocations per row, {form} rows in {charset}"), each, "", each < 0.005, "0");
    }
}

/// vstreamd on a thread of its own.
struct Server {
    address: SocketAddr,
    windows: UnboundedSender<Window>,
    _dir: TempDir,
}

/// A time in which allocations are counted.
struct Window {
    begun: mpsc::Sender<()>,
    end: oneshot::Receiver<()>,
    count: mpsc::Sender<u64>,
}

impl Server {
    fn start() -> Server {
        let dir = TempDir::new().expect("make a directory");
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).to_string();
        let overrides =
            Overrides { data_dir: Some(dir.path().join("data")), mysql_listen: Some(any_port) };
        let config = Config::load(None, overrides).expect("the configuration is right");
        let (windows, mut asked) = unbounded_channel::<Window>();
        let (said, address) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("make a runtime");
            let app = runtime.block_on(App::start(&config)).expect("vstreamd starts");
            said.send(app.mysql_address()).expect("somebody asked");
            // Between two windows the program goes on; only nobody counts.
            while let Some(window) = runtime.block_on(asked.recv()) {
                let counted = allocation_counter::measure(|| {
                    let _ = window.begun.send(());
                    let _ = runtime.block_on(window.end);
                });
                let _ = window.count.send(counted.count_total);
            }
        });
        let address = address.recv().expect("vstreamd starts");
        Server { address, windows, _dir: dir }
    }

    fn allocations(&self, work: impl FnOnce()) -> u64 {
        let ((begun, started), (ended, end)) = (mpsc::channel(), oneshot::channel());
        let (count, counted) = mpsc::channel();
        self.windows.send(Window { begun, end, count }).expect("the server runs");
        started.recv().expect("the server runs");
        work();
        ended.send(()).expect("the server waits");
        counted.recv().expect("the server counts")
    }
}

const TRANSACTIONS: u64 = 100;
const FEW: u64 = 200;
const MANY: u64 = 1_000;
