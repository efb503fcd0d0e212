//! Every `_pos` that one process printed resumes in another one: in copy, in the middle of a
//! transaction, and behind the last row.

use std::collections::HashMap;
use std::time::Duration;

use mysql_async::Row;
use mysql_async::prelude::Queryable;
use vstreamd::telemetry;

use crate::harness::vstreamd::Vstreamd;

use super::text_cells;

/// One line of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    op: String,
    /// Seconds of the commit; none for a copied row.
    timestamp: Option<String>,
    cells: Vec<Option<String>>,
    position: String,
}

/// How often each row is there; a table without a key may hold a row twice.
type Bag = HashMap<Vec<Option<String>>, i64>;

struct Shape {
    definition: &'static str,
    /// The key's columns; none: the table has no key.
    key: &'static [usize],
}

const SHAPES: [Shape; 4] = [
    Shape { definition: "id BIGINT PRIMARY KEY, v VARCHAR(20), n INT", key: &[0] },
    Shape { definition: "id INT, v VARCHAR(20), n INT, PRIMARY KEY (v, id)", key: &[0] },
    Shape { definition: "id INT NOT NULL, v VARCHAR(20), n INT, UNIQUE (id)", key: &[0] },
    Shape { definition: "id INT, v VARCHAR(20), n INT", key: &[] },
];
/// The last row in every order.
const MARK: i64 = 1_000_000;
const DEADLINE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_position_resumes_in_another_process() {
    let (mut positions, mut in_copy) = (0, 0);
    for (seed, shape) in SHAPES.iter().enumerate() {
        let dir = tempfile::tempdir().expect("make a directory");
        let lines = record(dir.path(), shape, seed as u64).await;
        let server = Vstreamd::start_in(dir.path());
        let finally = apply(Bag::new(), &lines, shape);
        for (index, line) in lines.iter().enumerate() {
            let rest = read(&server, &line.position, index + 1 < lines.len()).await;
            if line.timestamp.is_some() {
                let ops = |lines: &[Line]| -> Vec<_> {
                    lines.iter().map(|line| (line.op.clone(), line.cells.clone())).collect()
                };
                let expected = ops(&lines[index + 1..]);
                assert_eq!(ops(&rest), expected, "seed {seed}, resumed after {index}: {line:?}");
            } else {
                let seen = apply(Bag::new(), &lines[..=index], shape);
                let all = apply(seen, &rest, shape);
                assert_eq!(
                    difference(&all, &finally),
                    [],
                    "seed {seed}, resumed after {index}: {line:?}, then {rest:#?}"
                );
                in_copy += 1;
            }
            positions += 1;
        }
    }
    println!("{positions} positions resumed, {in_copy} of them in mid-copy");
    assert!(in_copy > 20);
}

/// A copy with writers beside it, then changes, up to the mark.
async fn record(dir: &std::path::Path, shape: &Shape, seed: u64) -> Vec<Line> {
    let server = Vstreamd::start_in(dir);
    let mut conn = server.connect().await;
    let create = format!("CREATE TABLE commerce.t ({})", shape.definition);
    conn.query_drop(create).await.expect("CREATE TABLE");
    for id in 0..30 {
        let insert = format!("INSERT INTO commerce.t VALUES ({id}, 'v{}', 0)", id % 7);
        conn.query_drop(insert).await.expect("INSERT");
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let writer = telemetry::spawn("writer", async move {
        for step in 0..40 {
            for statement in transaction(&mut random, 30 + step) {
                conn.query_drop(statement).await.expect("write");
            }
        }
        let mark = format!("INSERT INTO commerce.t VALUES ({MARK}, 'zzz', 0)");
        conn.query_drop(mark).await.expect("write the mark");
    });
    let lines = read(&server, "", true).await;
    writer.await.expect("the writer ends");
    lines
}

/// A transaction of one to three statements on small keys and one new one.
fn transaction(random: &mut fastrand::Rng, new: i64) -> Vec<String> {
    let mut statements = vec!["BEGIN".to_owned()];
    for _ in 0..random.u8(1..4) {
        let id = random.i64(0..new);
        statements.push(match random.u8(..4) {
            0 => format!("DELETE FROM commerce.t WHERE id = {id}"),
            1 => format!("UPDATE commerce.t SET n = n + 1 WHERE id < {}", random.u8(1..9)),
            _ => format!("UPDATE commerce.t SET n = {}, v = 'w' WHERE id = {id}", random.u8(..)),
        });
    }
    statements.push(format!("INSERT INTO commerce.t VALUES ({new}, 'new', 1)"));
    statements.push("COMMIT".to_owned());
    statements
}

/// Reads from `position` up to the mark, or makes sure that nothing more comes for a moment.
async fn read(server: &Vstreamd, position: &str, to_mark: bool) -> Vec<Line> {
    let mut conn = server.connect_olap().await;
    let statement = format!("VSTREAM _ts, *, _pos FROM commerce.t WHERE pos > '{position}'");
    let mut stream = conn.query_iter(statement).await.expect("VSTREAM");
    let mut lines = Vec::new();
    if !to_mark {
        let more = tokio::time::timeout(Duration::from_millis(50), stream.next()).await;
        assert!(more.is_err(), "there is nothing behind the mark: {more:?}");
        return lines;
    }
    let reading = async {
        while let Some(row) = stream.next().await.expect("read the stream") {
            let line = line(row);
            let mark = line.cells.first().and_then(Option::as_deref) == Some("1000000");
            lines.push(line);
            if mark {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("the mark arrives");
    lines
}

fn line(row: Row) -> Line {
    let mut cells = text_cells(row);
    let position = cells.pop().flatten().expect("a position");
    let op = cells.remove(0).expect("an op");
    let timestamp = cells.remove(0);
    Line { op, timestamp, cells, position }
}

/// Applies a stream as upserts by key; without a key each line counts for itself.
fn apply(mut bag: Bag, lines: &[Line], shape: &Shape) -> Bag {
    for line in lines {
        if shape.key.is_empty() {
            apply_keyless(&mut bag, line);
        } else {
            let same = |cells: &[Option<String>]| {
                shape.key.iter().all(|&column| cells.get(column) == line.cells.get(column))
            };
            bag.retain(|cells, _| !same(cells));
            if line.op != "-" {
                bag.insert(line.cells.clone(), 1);
            }
        }
    }
    bag
}

/// An update shows its after image alone: what it replaced is the one row with the same id.
fn apply_keyless(bag: &mut Bag, line: &Line) {
    if line.op != "+" {
        bag.retain(|cells, _| cells.first() != line.cells.first());
    }
    if line.op != "-" {
        *bag.entry(line.cells.clone()).or_default() += 1;
    }
}

/// What only one of two bags holds, or holds more often.
fn difference(a: &Bag, b: &Bag) -> Vec<(Vec<Option<String>>, i64)> {
    let mut counts = a.clone();
    for (cells, count) in b {
        *counts.entry(cells.clone()).or_default() -= count;
    }
    counts.into_iter().filter(|&(_, count)| count != 0).collect()
}
