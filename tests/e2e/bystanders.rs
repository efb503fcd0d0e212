//! What one client does that others must not feel.

use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use vstreamd::telemetry;

use crate::harness::raw::{Login, Raw};
use crate::harness::vstreamd::Vstreamd;

const DEADLINE: Duration = Duration::from_secs(120);
/// What is freed at once; the machine may be busy.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn stalled_selects_hold_up_no_stream() {
    let server = Vstreamd::start();
    let mut writer = server.connect().await;
    writer
        .query_drop("CREATE TABLE commerce.big (id INT PRIMARY KEY, body TEXT)")
        .await
        .expect("CREATE TABLE");
    let body = "x".repeat(10_000);
    for id in 0..60 {
        let insert = format!("INSERT INTO commerce.big VALUES ({id}, '{body}')");
        writer.query_drop(insert).await.expect("INSERT");
    }
    // More of them than may read at once, each with far more rows than all buffers hold.
    let mut stalled = Vec::new();
    for _ in 0..40 {
        let mut client = Raw::login(server.address, &Login::default()).await;
        client.send(3, b"SELECT a.body FROM commerce.big a, commerce.big b").await;
        stalled.push(client);
    }
    let watching = async {
        let mut reader = server.connect_olap().await;
        let statement = "VSTREAM * FROM commerce.corder LIMIT 1";
        let mut rows = reader.query_iter(statement).await.expect("VSTREAM");
        writer
            .query_drop("INSERT INTO commerce.corder VALUES (1, 1, NULL, 10)")
            .await
            .expect("INSERT");
        rows.next().await.expect("a row").expect("a row")
    };
    let row: Row = tokio::time::timeout(DEADLINE, watching).await.expect("nobody waits");
    assert_eq!(row.get::<String, _>("op").as_deref(), Some("+"));
}

#[tokio::test]
async fn a_killed_select_gives_the_transaction_back() {
    let server = Vstreamd::start();
    let mut conn = server.connect().await;
    let id = conn.id();
    let long = format!("SELECT COUNT(*) FROM {}", joined("commerce.customer", 14));
    let running = telemetry::spawn("long select", async move {
        conn.query_drop("BEGIN").await.expect("BEGIN");
        let insert = "INSERT INTO commerce.corder VALUES (1, 1, NULL, 10)";
        conn.query_drop(insert).await.expect("INSERT");
        let ended = conn.query_drop(long).await;
        conn.query_drop("COMMIT").await.expect("COMMIT");
        ended
    });
    let mut other = server.connect().await;
    loop {
        let processes: Vec<Row> = other.query("SHOW PROCESSLIST").await.expect("SHOW PROCESSLIST");
        let info = |row: &Row| row.get::<Option<String>, _>("Info").flatten().unwrap_or_default();
        if processes.iter().any(|row| info(row).starts_with("SELECT COUNT")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    other.query_drop(format!("KILL QUERY {id}")).await.expect("KILL QUERY");
    let ended = tokio::time::timeout(DEADLINE, running).await.expect("it ends").expect("no panic");
    assert!(ended.is_err_and(|error| error.to_string().contains("1317")));
    // The transaction survived its statement, as in MySQL.
    let kept: Option<u64> =
        other.query_first("SELECT order_id FROM commerce.corder").await.expect("SELECT");
    assert_eq!(kept, Some(1));
}

#[tokio::test]
async fn departed_clients_leave_no_select_behind() {
    let server = Vstreamd::start();
    let mut conn = server.connect().await;
    // Rows at once, more than one block of them, and then nothing for hours.
    let body = "x".repeat(60_000);
    conn.query_drop("CREATE TABLE commerce.big (id INT PRIMARY KEY, body TEXT)")
        .await
        .expect("CREATE TABLE");
    for id in 0..4 {
        let insert = format!("INSERT INTO commerce.big VALUES ({id}, '{body}')");
        conn.query_drop(insert).await.expect("INSERT");
    }
    let long = joined("commerce.customer", 14);
    let text = format!("SELECT body FROM commerce.big UNION ALL SELECT t0.email FROM {long}");
    // More of them than may read at once.
    let mut departing = Vec::new();
    for _ in 0..40 {
        let mut client = Raw::login(server.address, &Login::default()).await;
        client.send(3, text.as_bytes()).await;
        departing.push(client);
    }
    // Those that read have the first rows; the others wait for a connection.
    let reading = departing.iter_mut().take(8).map(|client| client.read());
    for first in reading {
        assert_eq!(first.await.map(|packet| packet[0]), Some(1), "one column");
    }
    drop(departing);
    let select = conn.query_first("SELECT COUNT(*) FROM commerce.big");
    let counted: Option<u64> =
        tokio::time::timeout(SOON, select).await.expect("a reader is free").expect("SELECT");
    assert_eq!(counted, Some(4));
}

fn joined(table: &str, times: usize) -> String {
    let tables: Vec<String> = (0..times).map(|time| format!("{table} t{time}")).collect();
    format!("{} WHERE t0.email = 'nobody' OR t{}.email = 'nobody'", tables.join(", "), times - 1)
}

#[tokio::test]
async fn an_empty_create_select_is_a_statement_like_others() {
    let server = Vstreamd::start();
    let mut conn = server.connect().await;
    let statements = [
        "CREATE TABLE commerce.e AS SELECT * FROM commerce.customer WHERE 1 = 0",
        "INSERT INTO commerce.corder VALUES (1, 1, NULL, 10)",
        "INSERT INTO commerce.e VALUES (9, 'a@b.c')",
    ];
    for statement in statements {
        conn.query_drop(statement).await.expect(statement);
    }
    let mut reader = server.connect_olap().await;
    let rows: Vec<(String, u64)> =
        reader.query("VSTREAM customer_id FROM commerce.e LIMIT 1").await.expect("VSTREAM");
    assert_eq!(rows, [("+".to_owned(), 9)]);
}

#[tokio::test]
async fn ignore_keeps_no_half_of_a_cascade() {
    let server = Vstreamd::start();
    let mut conn = server.connect().await;
    let statements = [
        "USE commerce",
        "CREATE TABLE p (id INT PRIMARY KEY)",
        "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)",
        "CREATE TABLE g (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES c (id))",
        "INSERT INTO p VALUES (1)",
        "INSERT INTO c VALUES (1, 1)",
        "INSERT INTO g VALUES (1, 1)",
    ];
    for statement in statements {
        conn.query_drop(statement).await.expect(statement);
    }
    let refused = conn.query_drop("DELETE IGNORE FROM p").await;
    assert!(refused.is_err_and(|error| error.to_string().contains("1451")));
    let left: Option<u64> = conn.query_first("SELECT COUNT(*) FROM p").await.expect("SELECT");
    assert_eq!(left, Some(1));
}
