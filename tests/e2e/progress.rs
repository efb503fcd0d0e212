//! How far a copy is: in SHOW VSTREAMS, in the log, and below the rows of `vstreamd tail`.

use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::harness::raw::{Login, Raw};
use crate::harness::terminal::Terminal;
use crate::harness::vstreamd::{PROGRAM, Vstreamd, argument};

/// A server with a table of so many rows of so many bytes, and no more than this bound on copies.
async fn world(
    dir: &Path,
    rows: usize,
    bytes: usize,
    rows_per_second_max: u32,
) -> (Vstreamd, Conn) {
    let config = dir.join("vstreamd.toml");
    let limits = format!("[limits]\nrows_per_second_max = {rows_per_second_max}\n");
    std::fs::write(&config, limits).expect("write the configuration");
    let server = Vstreamd::start_with(&dir.join("data"), &["--config", &argument(&config)]);
    let mut conn = server.connect().await;
    let create = "CREATE TABLE commerce.t (id INT PRIMARY KEY, v MEDIUMTEXT)";
    conn.query_drop(create).await.expect("CREATE TABLE");
    let (all, v): (Vec<_>, _) = ((0..rows).collect(), "x".repeat(bytes));
    for ids in all.chunks(200) {
        let values: Vec<_> = ids.iter().map(|id| format!("({id}, '{v}')")).collect();
        let insert = format!("INSERT INTO commerce.t VALUES {}", values.join(","));
        conn.query_drop(insert).await.expect("INSERT");
    }
    (server, conn)
}

/// The one stream that there is, once its row meets a condition.
async fn stream(conn: &mut Conn, is: impl Fn(&Row) -> bool) -> Row {
    let mut last = None;
    for _ in 0..900 {
        let row: Option<Row> = conn.query_first("SHOW VSTREAMS").await.expect("SHOW VSTREAMS");
        if let Some(row) = row {
            if is(&row) {
                return row;
            }
            last = Some(row);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("SHOW VSTREAMS still says {last:?}");
}

fn text(row: &Row, name: &str) -> Option<String> {
    row.get::<Option<String>, _>(name).expect("a column of this name")
}

/// Of a client that takes nothing it is said that it is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_seen_and_so_is_who_holds_it_up() {
    let dir = tempfile::tempdir().expect("make a directory");
    let (server, mut conn) = world(dir.path(), 2_000, 10_000, 0).await;
    let mut client = Raw::login(server.address, &Login::default()).await;
    client.query("SET WORKLOAD=OLAP").await;
    client.open("VSTREAM * FROM commerce.t").await;
    let held = |row: &Row| text(row, "Waiting").as_deref() == Some("client");
    let row = stream(&mut conn, held).await;
    let number = |name| text(&row, name).and_then(|number| number.parse::<u64>().ok());
    assert_eq!(text(&row, "Phase").as_deref(), Some("copy"));
    assert_eq!(text(&row, "Table").as_deref(), Some("t"));
    assert_eq!(text(&row, "User").as_deref(), Some("root"));
    assert!(text(&row, "Client").is_some_and(|client| client.starts_with("127.0.0.1:")));
    assert_eq!(text(&row, "Statement").as_deref(), Some("VSTREAM * FROM commerce.t"));
    assert!(number("Rows").is_some_and(|rows| (1..2_000).contains(&rows)), "{row:?}");
    assert!(number("Rate").is_some() && number("Lag").is_some(), "{row:?}");
    for _ in 0..2_000 {
        client.row().await.expect("a row");
    }
    let follows = |row: &Row| text(row, "Phase").as_deref() == Some("follow");
    let row = stream(&mut conn, follows).await;
    let done = ["Rows", "Percent", "ETA", "Table", "Rate", "Waiting"].map(|name| text(&row, name));
    let expected = [Some("2000"), Some("100"), None, None, None, Some("changes")];
    assert_eq!(done, expected.map(|cell| cell.map(str::to_owned)));
    let log = server.log();
    let line = log.lines().find(|line| line.contains("copied"));
    assert!(line.is_some_and(|line| line.contains("rows=2000")), "{log}");
}

/// What is copied slowly has a bar below it, and leaves no trace of it between the rows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_draws_a_bar_below_the_rows() {
    let dir = tempfile::tempdir().expect("make a directory");
    let (server, mut conn) = world(dir.path(), 600, 5, 200).await;
    let address = server.address;
    let tail = format!("{PROGRAM} tail commerce.t --server {address} --ssl-mode DISABLED");
    let terminal = Terminal::run(&format!("{tail}; sleep 1000"));
    terminal.shows("copy of t: ").await;
    let row = stream(&mut conn, |row| text(row, "Percent").is_some()).await;
    assert!(
        ["rows_per_second_max", "server", ""].contains(&text(&row, "Waiting").unwrap().as_str())
    );
    terminal.shows("% copy of t: ").await;
    terminal.shows("+ id=599 ").await;
    let follows = |row: &Row| text(row, "Phase").as_deref() == Some("follow");
    stream(&mut conn, follows).await;
    // The bar goes with the copy.
    while terminal.screen().contains("copy of") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    conn.query_drop("DELETE FROM commerce.t WHERE id = 0").await.expect("DELETE");
    terminal.shows("- id=0 ").await;
    let screen = terminal.screen();
    let expected = (0..600).map(|id| format!("+ id={id} v=xxxxx"));
    let expected: Vec<_> = expected.chain(["- id=0 v=xxxxx".to_owned()]).collect();
    assert_eq!(screen.lines().collect::<Vec<_>>(), expected);
}
