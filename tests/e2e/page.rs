//! The example that everybody tries first, in a real client on a real terminal.

use mysql_async::prelude::Queryable;

use crate::harness::real::{self, Kind};
use crate::harness::terminal::Terminal;
use crate::harness::vstreamd::Vstreamd;

fn client(server: &Vstreamd) -> Terminal {
    Terminal::run(&format!(
        "{} --quick --host=127.0.0.1 --port={} --user=root",
        real::client(Kind::MariaDb).display(),
        server.address.port()
    ))
}

/// The lines of the three rows, as README shows them.
const EXPECTED: &str = "\
*************************** 1. row ***************************
         op: +
   order_id: 1
customer_id: 1
        sku: NULL
      price: 10
*************************** 2. row ***************************
         op: *
   order_id: 1
customer_id: 1
        sku: NULL
      price: 7
*************************** 3. row ***************************
         op: -
   order_id: 1
customer_id: 1
        sku: NULL
      price: 7";

#[tokio::test]
async fn three_changes_appear_live() {
    let server = Vstreamd::start();
    let terminal = client(&server);
    terminal.shows("MySQL [(none)]>").await;
    terminal.enter("SET WORKLOAD=OLAP;");
    terminal.shows("Query OK").await;
    terminal.enter(r"VSTREAM * FROM commerce.corder\G");
    let mut writer = server.connect().await;
    let changes = [
        ("INSERT INTO commerce.corder VALUES (1, 1, NULL, 10)", "1. row", "price: 10"),
        ("UPDATE commerce.corder SET price = 7 WHERE order_id = 1", "2. row", "price: 7"),
        ("DELETE FROM commerce.corder WHERE order_id = 1", "3. row", "op: -"),
    ];
    for (statement, row, cell) in changes {
        writer.query_drop(statement).await.expect(statement);
        terminal.shows(row).await;
        terminal.shows(cell).await;
    }
    let screen = terminal.shows(EXPECTED).await;
    println!("{screen}");
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    assert!(readme.contains(EXPECTED), "README shows what the client shows");
}

#[tokio::test]
async fn ctrl_c_ends_the_statement_and_not_the_session() {
    let server = Vstreamd::start();
    let terminal = client(&server);
    terminal.shows("MySQL [(none)]>").await;
    terminal.enter("SET WORKLOAD=OLAP; VSTREAM * FROM commerce.product;");
    terminal.shows("SKU-1001").await;
    terminal.press("C-c");
    terminal.shows("ERROR 1317 (70100)").await;
    terminal.enter("SELECT 42;");
    terminal.shows("42").await;
}
