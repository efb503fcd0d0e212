//! `vstreamd demo`: the whole thing in one terminal. A server on a temporary store, a client that
//! shops, and another that watches, both over the MySQL protocol like anybody's.

use std::net::SocketAddr;
use std::time::Duration;

use super::serve::Signals;
use super::tail::{Client, Printer};
use super::{CliError, DemoArgs};
use crate::app::{App, AppError};
use crate::config::{Config, DEFAULT_MYSQL_LISTEN, Overrides};
use crate::source::mysql::{Tls, TlsMode};
use crate::telemetry::LogFormat;

pub(super) async fn run(args: DemoArgs) -> Result<(), CliError> {
    crate::telemetry::init(LogFormat::Text, tracing::Level::WARN);
    let mut signals = Signals::listen()?;
    let directory = tempfile::Builder::new()
        .prefix("vstreamd-demo-")
        .tempdir()
        .map_err(|source| CliError::Io { context: "make a temporary store".to_owned(), source })?;
    let app = start(&args, directory.path()).await?;
    let address = app.mysql_address();
    println!("{}", introduction(address));
    let limit = args.seconds.map_or(Duration::MAX, Duration::from_secs);
    let ended = tokio::select! {
        ended = shop(address, Duration::from_millis(args.every)) => ended,
        ended = watch(address) => ended,
        () = signals.next() => Ok(()),
        () = tokio::time::sleep(limit) => Ok(()),
    };
    tokio::select! {
        () = app.stop() => {}
        () = signals.next() => {}
    }
    ended
}

/// On the port that people expect, unless somebody has it and nobody asked for a certain one.
async fn start(args: &DemoArgs, directory: &std::path::Path) -> Result<App, CliError> {
    let config = |listen: &str| {
        let overrides = Overrides {
            data_dir: Some(directory.to_owned()),
            mysql_listen: Some(listen.to_owned()),
        };
        Config::load(None, overrides)
    };
    if let Some(listen) = &args.mysql_listen {
        return Ok(App::start(&config(listen)?).await?);
    }
    match App::start(&config(DEFAULT_MYSQL_LISTEN)?).await {
        Err(AppError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(App::start(&config("127.0.0.1:0")?).await?)
        }
        started => Ok(started?),
    }
}

fn introduction(address: SocketAddr) -> String {
    format!(
        "vstreamd demo: a temporary store, gone when this ends (Ctrl-C).\n\
         Orders come, change and go in commerce.corder; this is what VSTREAM shows of them.\n\
         Try it beside this one, in another terminal:\n\n    \
         mysql --quick -h {} -P {} -u root -e \"SET WORKLOAD=OLAP; VSTREAM * FROM commerce.corder\"\n\n    \
         + inserted   * updated   - deleted\n",
        address.ip(),
        address.port()
    )
}

/// In the clear: nobody is between the two ends of this process.
async fn connect(address: SocketAddr) -> Result<Client, CliError> {
    let tls = Tls { mode: TlsMode::Disabled, ..Tls::default() };
    Client::connect(&address.to_string(), "root", None, &tls).await
}

/// Prints every change of the orders.
async fn watch(address: SocketAddr) -> Result<(), CliError> {
    let mut client = connect(address).await?;
    let statement = "VSTREAM *, _pos FROM commerce.corder";
    client.follow(statement, &mut Printer::new(false)).await
}

/// Orders, changes its mind, cancels: one statement per `every`.
async fn shop(address: SocketAddr, every: Duration) -> Result<(), CliError> {
    let mut client = connect(address).await?;
    client.execute("USE commerce").await?;
    loop {
        tokio::time::sleep(every).await;
        let open = client.numbers("SELECT order_id FROM corder ORDER BY order_id").await?;
        client.execute(&next_step(&open)).await?;
    }
}

/// The next statement of the workload; few enough orders stay open to be read on one screen.
fn next_step(open: &[u64]) -> String {
    let oldest = open.first().copied();
    match (fastrand::u8(..4), oldest) {
        (0, Some(order)) if open.len() > 2 => {
            format!("DELETE FROM corder WHERE order_id = {order}")
        }
        (1 | 2, Some(_)) => {
            let order = open.get(fastrand::usize(..open.len())).copied().unwrap_or_default();
            let price = fastrand::u32(5..200);
            format!("UPDATE corder SET price = {price} WHERE order_id = {order}")
        }
        (_, Some(order)) if open.len() >= OPEN_ORDERS_MAX => {
            format!("DELETE FROM corder WHERE order_id = {order}")
        }
        (_, _) => {
            let sku = ["SKU-1001", "SKU-1002"][fastrand::usize(..2)];
            let (customer, price) = (fastrand::u8(1..=5), fastrand::u32(5..200));
            format!(
                "INSERT INTO corder (customer_id, sku, price) VALUES ({customer}, '{sku}', {price})"
            )
        }
    }
}

/// As many orders as the workload leaves open.
const OPEN_ORDERS_MAX: usize = 8;
