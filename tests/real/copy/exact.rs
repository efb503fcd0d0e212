//! Snapshots under load are exactly as of their position: what the log holds up to there, applied
//! in its order, is what they show, row by row. Where writers leave MySQL no moment in which all
//! tables can be locked, those with a key may show rows that are newer, and no others.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use vstreamd::event::{Gtid, GtidSet, TableName};
use vstreamd::source::mysql::decode::Decoded;
use vstreamd::source::{Snapshot, Source, SourceError};
use vstreamd::telemetry;

use super::{Cells, decode, try_scan};
use crate::harness::real::{self, Kind};
use crate::harness::rounds;
use crate::harness::server_keyspace::{connect, source};

const WRITERS: u64 = 8;
/// Servers log in another order than they commit in, by as many transactions as there are writers:
/// behind so many that a position does not hold, there is none that it does.
const LATER_MAX: usize = 1_000;
const TABLES: [&str; 3] = ["t", "u", "keyless"];

/// Rows with how often each is there, by table.
type Tables = BTreeMap<String, BTreeMap<Cells, u32>>;

/// Changes several tables in one transaction, keys too, and rolls some of it back.
async fn write_one(writer: &mut Conn, random: &mut fastrand::Rng) -> mysql_async::Result<()> {
    writer.query_drop("BEGIN").await?;
    for _ in 0..random.usize(1..5) {
        let (id, v) = (random.u32(0..60), random.u32(..));
        let table = ["t", "u"][random.usize(0..2)];
        let statement = match random.u8(0..8) {
            0 => format!("DELETE FROM {table} WHERE id = {id}"),
            1 => format!("UPDATE {table} SET v = {v} WHERE id BETWEEN {id} AND {id} + 3"),
            2 => format!("UPDATE IGNORE {table} SET id = {} WHERE id = {id}", random.u32(0..60)),
            3 => format!("INSERT INTO keyless VALUES ({}, NULL)", id % 5),
            4 => format!("UPDATE keyless SET v = {v} WHERE id = {} LIMIT 1", id % 5),
            5 => "DELETE FROM keyless LIMIT 1".to_owned(),
            _ => format!("REPLACE INTO {table} VALUES ({id}, {v})"),
        };
        writer.query_drop(statement).await?;
    }
    writer.query_drop(if random.u8(0..6) == 0 { "ROLLBACK" } else { "COMMIT" }).await
}

async fn write(server: &'static real::Server, seed: u64, stop: Arc<AtomicBool>) {
    let mut writer = connect(server, "exact").await;
    let mut random = fastrand::Rng::with_seed(seed);
    while !stop.load(Ordering::Relaxed) {
        // Writers may deadlock; then one of them is rolled back.
        if write_one(&mut writer, &mut random).await.is_err() {
            writer.query_drop("ROLLBACK").await.unwrap();
        }
        // Now and then nobody writes.
        if random.u8(0..4) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(0..30))).await;
        }
    }
}

/// What the log holds of the tables, transaction by transaction.
async fn transactions(
    server: &real::Server,
) -> Vec<(Gtid, Vec<(String, Option<Cells>, Option<Cells>)>)> {
    let known = decode::tables(server, "exact").await;
    let mut transactions: Vec<(Gtid, Vec<_>)> = Vec::new();
    for said in decode::decode(server.kind, &decode::log(server), &known) {
        match said {
            Decoded::Gtid { gtid, .. } => transactions.push((gtid, Vec::new())),
            Decoded::Rows(rows) => {
                let changes = &mut transactions.last_mut().unwrap().1;
                for change in rows.changes(0..rows.len()) {
                    let table = rows.schema().name.table.to_string();
                    changes.push((
                        table,
                        change.before.map(decode::cells),
                        change.after.map(decode::cells),
                    ));
                }
            }
            _ => {}
        }
    }
    transactions
}

fn apply(tables: &mut Tables, changes: &[(String, Option<Cells>, Option<Cells>)]) {
    for (table, before, after) in changes {
        let rows = tables.entry(table.clone()).or_default();
        if let Some(before) = before {
            let count = rows.get_mut(before).expect("what is changed is there");
            *count -= 1;
            if *count == 0 {
                rows.remove(before);
            }
        }
        if let Some(after) = after {
            *rows.entry(after.clone()).or_default() += 1;
        }
    }
    tables.retain(|_, rows| !rows.is_empty());
}

/// Whether what differs between the tables as of a position and those shown are rows with keys as the
/// changes behind the position leave them.
fn is_newer<'a>(
    at: &Tables,
    shown: &Tables,
    behind: impl Iterator<Item = &'a (String, Option<Cells>, Option<Cells>)>,
) -> bool {
    let mut left: HashSet<(&str, &Cells)> = HashSet::new();
    let mut gone: HashSet<(&str, &Option<Vec<u8>>)> = HashSet::new();
    for (table, before, after) in behind {
        left.extend(after.iter().map(|row| (&**table, row)));
        gone.extend(before.iter().map(|row| (&**table, &row[0])));
    }
    at.get("keyless") == shown.get("keyless")
        && ["t", "u"].into_iter().all(|table| {
            let none = BTreeMap::new();
            let (at, shown) = (at.get(table).unwrap_or(&none), shown.get(table).unwrap_or(&none));
            let comes = |row: &Cells| at.contains_key(row) || left.contains(&(table, row));
            let goes = |row: &Cells| shown.contains_key(row) || gone.contains(&(table, &row[0]));
            shown.keys().all(comes) && at.keys().all(goes)
        })
}

/// What a snapshot shows of the tables.
async fn shown(snapshot: &mut dyn Snapshot, names: &[TableName]) -> Result<Tables, SourceError> {
    let mut tables = Tables::new();
    for name in names {
        for row in try_scan(snapshot, name).await? {
            *tables.entry(name.table.to_string()).or_default().entry(row).or_default() += 1;
        }
    }
    Ok(tables)
}

/// Takes snapshots while others write; where each is, and what it shows. Where writers leave no
/// moment in which the tables can be locked, one is refused, and taken again.
async fn snapshots(server: &real::Server, count: usize) -> Vec<(GtidSet, Tables)> {
    let source = source(server, "exact");
    let names = TABLES.map(|table| TableName::new("exact", table));
    let mut admin = connect(server, "").await;
    let (mut taken, mut refused) = (Vec::new(), 0);
    while taken.len() < count {
        if server.kind == Kind::MySql {
            let order = if taken.len() % 2 == 0 { "OFF" } else { "ON" };
            admin.query_drop(format!("SET GLOBAL binlog_order_commits = {order}")).await.unwrap();
        }
        let flush = async {
            // A view may be opened while the log goes over to another file.
            if taken.len() % 4 == 3 {
                tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
                admin.query_drop("FLUSH BINARY LOGS").await.unwrap();
            }
        };
        let (snapshot, ()) = tokio::join!(source.snapshot(&names), flush);
        let mut snapshot = snapshot.unwrap();
        match shown(&mut *snapshot, &names).await {
            Ok(tables) => taken.push((snapshot.position().clone(), tables)),
            Err(SourceError::Unfit { what, .. }) if what.contains("could not be locked") => {
                refused += 1;
                assert!(refused <= 3 + count / 100, "{refused} refused, {} taken", taken.len());
            }
            Err(error) => panic!("{:?}: {error}", server.kind),
        }
    }
    println!("{:?}: {count} snapshots taken, {refused} refused", server.kind);
    taken
}

async fn check(server: &'static real::Server, count: usize) {
    let make = [
        "DROP DATABASE IF EXISTS exact",
        "CREATE DATABASE exact",
        "CREATE TABLE exact.t (id INT PRIMARY KEY, v BIGINT)",
        "CREATE TABLE exact.u (id INT PRIMARY KEY, v BIGINT)",
        "CREATE TABLE exact.keyless (id INT, v BIGINT)",
    ];
    super::super::run(server, &make).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|seed| telemetry::spawn("writer", write(server, seed, Arc::clone(&stop))))
        .collect();
    let taken = snapshots(server, count).await;
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let mut rest: VecDeque<_> = transactions(server).await.into();
    let mut tables = Tables::new();
    let (mut seen, mut newer) = (HashSet::new(), 0);
    for (index, (position, shown)) in taken.iter().enumerate() {
        let mut later = Vec::new();
        while later.len() < LATER_MAX
            && let Some((gtid, changes)) = rest.pop_front()
        {
            match position.contains(&gtid) {
                true => apply(&mut tables, &changes),
                false => later.push((gtid, changes)),
            }
        }
        later.into_iter().rev().for_each(|transaction| rest.push_front(transaction));
        if tables != *shown {
            let behind = rest.iter().take(LATER_MAX).flat_map(|(_, changes)| changes);
            let is_newer = server.kind == Kind::MySql && is_newer(&tables, shown, behind);
            assert!(is_newer, "{:?}: snapshot {index} at {position}", server.kind);
            newer += 1;
        }
        seen.insert(position.to_string());
    }
    println!("{:?}: {newer} of {count} snapshots show newer rows of keys", server.kind);
    assert!(newer <= 2 + count / 20, "{newer} of {count} snapshots are not exact");
    assert!(seen.len() > count / 2, "only {} positions in {count} snapshots", seen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_of_mysql_are_exact() {
    check(real::mysql(), rounds(20, 200, 5_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_of_mariadb_are_exact() {
    check(real::mariadb(), rounds(20, 200, 5_000)).await;
}
