//! How much memory the largest rows and transactions take.

use super::figures::{aim, peak};
use super::real::{Kind, Server, start};
use super::servers::{Vstreamd, database, position};
use super::wire::{Client, Query};

/// A row of 64 MiB, and a transaction of 1 GiB.
pub fn large() {
    for kind in [Kind::MySql, Kind::MariaDb] {
        let options = ["--binlog-row-metadata=FULL", "--max-allowed-packet=1073741824"];
        let server = start(kind, &options);
        let mut client = database(&server);
        client.run("CREATE TABLE one (id INT PRIMARY KEY, body LONGTEXT)");
        client.run("CREATE TABLE many (id INT PRIMARY KEY, body VARCHAR(1000))");
        let begin = position(&server, &mut client);
        client.run("INSERT INTO one VALUES (1, REPEAT('x', 64 * 1024 * 1024))");
        memory(&server, &begin, "one", 1, "a row of 64 MiB", ROW_MIB_MAX);
        let begin = position(&server, &mut client);
        thousand(&mut client);
        client.run(
            "INSERT INTO many SELECT a.id * 1000000 + b.id * 1000 + c.id, REPEAT('x', 1000) \
             FROM thousand a, thousand b, thousand c WHERE a.id < 2 AND a.id * 1000000 + b.id * \
             1000 + c.id < 1073742",
        );
        let what = "a transaction of 1 GiB";
        memory(&server, &begin, "many", 1_073_742, what, TRANSACTION_MIB_MAX);
    }
}

/// Prints the largest memory of a vstreamd that streams these rows.
fn memory(server: &Server, begin: &str, table: &str, rows: u64, what: &str, mib_max: f64) {
    let vstreamd = Vstreamd::over(server);
    let before = peak(vstreamd.pid);
    let statement = format!("VSTREAM id FROM {table} WHERE pos > '{begin}' LIMIT {rows}");
    let whole = format!("VSTREAM * FROM {table} WHERE pos > '{begin}' LIMIT {rows}");
    for statement in [statement, whole] {
        let mut client = vstreamd.bench_client();
        assert_eq!(client.count(&Query::Text(statement)), rows);
    }
    let mib = (peak(vstreamd.pid) - before) as f64 / f64::from(1 << 20);
    let figure = format!("{:?}: memory for {what}, beyond {} MiB", server.kind, before >> 20);
    aim(&figure, mib, "MiB", mib <= mib_max, &format!("at most {mib_max}"));
}

/// A table of the numbers from 0 to 999.
fn thousand(client: &mut Client) {
    client.run("CREATE TABLE thousand (id INT PRIMARY KEY)");
    let numbers: Vec<String> = (0..1000).map(|number| format!("({number})")).collect();
    client.run(&format!("INSERT INTO thousand VALUES {}", numbers.join(",")));
}

const ROW_MIB_MAX: f64 = 400.0;
const TRANSACTION_MIB_MAX: f64 = 64.0;
