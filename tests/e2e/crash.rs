//! kill -9 under writes: data and journal agree, and old positions resume.

use std::collections::BTreeMap;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use vstreamd::telemetry;

use crate::harness::rounds;
use crate::harness::vstreamd::Vstreamd;

use super::text_cells;

/// The table as rebuilt from the stream: key to the other cells.
type Table = BTreeMap<i64, Vec<Option<String>>>;

const WRITERS: i64 = 3;
const DEADLINE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_and_journal_agree_after_every_kill() {
    let dir = tempfile::tempdir().expect("make a directory");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let rounds = rounds(10, 50, 200);
    let mut table = Table::new();
    let mut first = None;
    let mut position: Option<String> = None;
    let (mut changes, mut old_positions) = (0, Vec::new());
    for round in 0..rounds {
        let server = Vstreamd::start_in(dir.path());
        let mark = i64::try_from(round).expect("few rounds") + MARKS;
        if round > 0 {
            changes += follow(&server, &mut position, &mut table, mark).await;
            assert_eq!(table, select(&mut server.connect().await).await, "round {round}");
            old_positions.extend(position.clone());
        } else {
            follow(&server, &mut position, &mut table, mark).await;
            first = Some((position.clone(), table.clone()));
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let seed = random.u64(..);
                telemetry::spawn("writer", write(server.address.port(), writer, seed))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(random.u64(20..250))).await;
        server.kill();
        for writer in writers {
            writer.abort();
        }
    }
    // From the very first position, all over again: the journal holds the whole history.
    let server = Vstreamd::start_in(dir.path());
    let (mut position, mut replayed) = first.expect("there was a first round");
    follow(&server, &mut position, &mut replayed, 2 * MARKS).await;
    assert_eq!(replayed, select(&mut server.connect().await).await);
    println!(
        "{rounds} kills, {changes} changes followed, {} positions resumed",
        old_positions.len()
    );
    assert!(changes > rounds, "the writers wrote");
}

/// Keys from here on mark the end of a round's changes; below are the writers' rows.
const MARKS: i64 = 1_000_000;

/// Follows from `position` (or copies) until `mark` arrives, which it writes itself.
async fn follow(
    server: &Vstreamd,
    position: &mut Option<String>,
    table: &mut Table,
    mark: i64,
) -> usize {
    let statement = format!(
        "VSTREAM *, _pos FROM commerce.corder WHERE pos > '{}'",
        position.clone().unwrap_or_default()
    );
    let mut reader = server.connect_olap().await;
    let mut result = reader.query_iter(statement).await.expect("VSTREAM");
    let insert = format!("INSERT INTO commerce.corder VALUES ({mark}, -1, NULL, NULL)");
    server.connect().await.query_drop(insert).await.expect("write the mark");
    let mut changes = 0;
    let reading = async {
        while let Some(row) = result.next().await.expect("read the stream") {
            let (op, key, cells, pos) = split(row);
            *position = Some(pos);
            changes += 1;
            match op.as_str() {
                "-" => assert!(table.remove(&key).is_some(), "deleted {key} was there"),
                "+" => assert!(table.insert(key, cells).is_none(), "inserted {key} is new"),
                _ => assert!(table.insert(key, cells).is_some(), "updated {key} was there"),
            }
            if key == mark {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("the mark arrives");
    changes
}

async fn write(port: u16, writer: i64, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(port)
        .user(Some("root"))
        .prefer_socket(false);
    let Ok(mut conn) = Conn::new(options).await else { return };
    loop {
        let key = (writer + 1) * 1000 + random.i64(0..40);
        let statements = match random.u8(..5) {
            0 => vec![format!("DELETE FROM commerce.corder WHERE order_id = {key}")],
            1 => vec![
                "BEGIN".to_owned(),
                format!("REPLACE INTO commerce.corder VALUES ({key}, 1, 'a', 1)"),
                format!(
                    "UPDATE commerce.corder SET price = price + 1 WHERE customer_id = {writer}"
                ),
                if random.bool() { "COMMIT" } else { "ROLLBACK" }.to_owned(),
            ],
            _ => vec![format!(
                "INSERT INTO commerce.corder VALUES ({key}, {writer}, 'sku', {}) \
                 ON DUPLICATE KEY UPDATE price = price + 1",
                random.u32(..1000)
            )],
        };
        for statement in statements {
            if conn.query_drop(statement).await.is_err() {
                return;
            }
        }
    }
}

async fn select(conn: &mut Conn) -> Table {
    let rows: Vec<Row> =
        conn.query("SELECT '+', c.*, '' FROM commerce.corder c").await.expect("SELECT");
    rows.into_iter().map(split).map(|(_, key, cells, _)| (key, cells)).collect()
}

fn split(row: Row) -> (String, i64, Vec<Option<String>>, String) {
    let mut cells = text_cells(row);
    let position = cells.pop().flatten().expect("a position");
    let op = cells.remove(0).expect("an op");
    let key = cells.remove(0).expect("a key").parse().expect("a number");
    (op, key, cells, position)
}
