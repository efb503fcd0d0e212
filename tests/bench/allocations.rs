//! Allocations per row where there must be none: from the shared log through the `*` plan and the
//! encoder to the socket.
//!
//! The whole program runs on one thread of this process, whose allocations are counted while a
//! client reads N rows and then 2 N: what the second reading needs more is the rows' share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use vstreamd::app::App;
use vstreamd::config::{Config, Overrides};

use super::figures::aim;
use super::servers::{LoggedRows, ready};

/// Counts them.
pub fn run() {
    let server = Server::start();
    let connect = || ready(&server.address.to_string());
    let logged = LoggedRows::new(connect, ROWS * 2);
    let mut client = connect();
    let mut reads = |rows: u64| {
        let statement = logged.statement(rows);
        server.allocations(|| assert_eq!(client.count(&statement), rows))
    };
    // The first reading warms buffers up.
    reads(ROWS * 2);
    let (once, twice) = (reads(ROWS), reads(ROWS * 2));
    println!("  {once} allocations for {ROWS} rows, {twice} for {}", ROWS * 2);
    let each = twice.saturating_sub(once) as f64 / ROWS as f64;
    aim("allocations per row", each, "", each < 0.005, "0");
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

const ROWS: u64 = 100_000;
