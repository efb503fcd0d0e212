//! Random values of all types, inserted, updated and deleted: the log's cells are the server's own
//! SELECT, whatever metadata it writes.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row as Answer, Value};
use vstreamd::event::{ColumnType, Op, RowsEvent, TableSchema};
use vstreamd::source::mysql::decode::{Binding, Decoded, Decoder};

use super::values::{self, Sample};
use super::{LogEvent, cells, decode, flavour, log, rows, run, select, session, tables};
use crate::harness::real::{self, Kind};
use crate::harness::rounds;

type Rows = HashMap<Vec<u8>, Vec<Option<Vec<u8>>>>;

async fn check(kind: Kind, options: &[&str], seed: u64) {
    let server = real::start(kind, options);
    let mut conn = session(&server).await;
    run(&mut conn, "CREATE DATABASE oracle CHARACTER SET utf8mb4").await;
    run(&mut conn, "USE oracle").await;
    let mut random = Rng::with_seed(seed);
    let mut expected = HashMap::new();
    for (name, samples) in values::tables(kind) {
        create(&mut conn, name, &samples).await;
        let count = rounds(20, 200, 2_000);
        for id in 0..count {
            let values = assignments(&samples, &mut random);
            run(&mut conn, &format!("INSERT INTO {name} SET id = {id}{values}")).await;
        }
        let inserted = stored(&mut conn, name, &samples).await;
        for id in 0..count {
            let values = assignments(&samples, &mut random);
            // The key changes too, so that every row is a change.
            run(&mut conn, &format!("UPDATE {name} SET again = again + 1{values} WHERE id = {id}"))
                .await;
        }
        let updated = stored(&mut conn, name, &samples).await;
        run(&mut conn, &format!("DELETE FROM {name}")).await;
        expected.insert(name, (inserted, updated));
    }
    let known = tables(&server, "oracle").await;
    let events = log(&server);
    if options.contains(&FULL) {
        check_alone(kind, &events, &known);
    }
    let mut changes = 0;
    for event in rows(decode(kind, &events, &known)) {
        let name = event.schema().name.table.to_string();
        assert_eq!(**event.schema(), *known[&name], "{kind:?} {options:?}");
        let (inserted, updated) = &expected[&*name];
        compare(&event, inserted, updated);
        changes += event.len();
    }
    let count: usize = expected.values().map(|(inserted, _)| inserted.len()).sum();
    assert_eq!(changes, count * 3, "{kind:?} {options:?} with seed {seed}");
}

pub async fn create(conn: &mut Conn, name: &str, samples: &[Sample]) {
    let columns: Vec<String> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| format!("c{index} {}", sample.definition))
        .collect();
    let statement = format!(
        "CREATE TABLE {name} (id varchar(9) PRIMARY KEY, again int NOT NULL DEFAULT 0, {}) \
         ROW_FORMAT = DYNAMIC",
        columns.join(", ")
    );
    run(conn, &statement).await;
}

pub fn assignments(samples: &[Sample], random: &mut Rng) -> String {
    let mut values = String::new();
    for (index, sample) in samples.iter().enumerate() {
        if let Some(literal) = sample.literal {
            let value = if random.u8(..10) == 0 { "NULL".to_owned() } else { literal(random) };
            values.push_str(&format!(", c{index} = {value}"));
        }
    }
    values
}

/// What is stored, by key, with all columns in table order. A FLOAT is what the binary protocol
/// says of it: its text in a SELECT has six digits.
async fn stored(conn: &mut Conn, name: &str, samples: &[Sample]) -> Rows {
    let names: Vec<String> = (0..samples.len()).map(|index| format!("c{index}")).collect();
    let mut rows = Rows::new();
    let all = format!("SELECT id, again, {} FROM {name}", names.join(", "));
    for row in select(conn, &all).await {
        rows.insert(row[0].clone().unwrap(), row);
    }
    for (index, sample) in samples.iter().enumerate() {
        if sample.definition.starts_with("float") {
            let floats: Vec<Answer> =
                conn.exec(format!("SELECT id, c{index} FROM {name}"), ()).await.unwrap();
            for row in floats {
                let (id, float): (Vec<u8>, Value) = mysql_async::from_row(row);
                let cell = match float {
                    Value::Float(float) => Some(float.to_string().into_bytes()),
                    _ => None,
                };
                rows.get_mut(&id).unwrap()[index + 2] = cell;
            }
        }
    }
    rows
}

fn compare(event: &RowsEvent, inserted: &Rows, updated: &Rows) {
    for change in event.changes(0..event.len()) {
        let key = |row| cells(row)[0].clone().unwrap();
        let check = |row, rows: &Rows| equal(event.schema(), &cells(row), &rows[&key(row)]);
        match change.op() {
            Op::Insert => check(change.after.unwrap(), inserted),
            Op::Update => {
                check(change.before.unwrap(), inserted);
                check(change.after.unwrap(), updated);
            }
            Op::Delete => check(change.before.unwrap(), updated),
        }
    }
}

fn equal(schema: &TableSchema, found: &[Option<Vec<u8>>], expected: &[Option<Vec<u8>>]) {
    assert_eq!(found.len(), expected.len());
    for ((found, expected), column) in found.iter().zip(expected).zip(&schema.columns) {
        let same = match (&column.column_type, found, expected) {
            (ColumnType::Float { .. }, Some(found), Some(expected)) => {
                bits(found) == bits(expected)
            }
            _ => found == expected,
        };
        let text = |cell: &Option<Vec<u8>>| {
            cell.as_ref().map(|cell| String::from_utf8_lossy(cell).into_owned())
        };
        assert!(
            same,
            "{}.{} ({}):\nlog    {:?}\nSELECT {:?}",
            schema.name.table,
            column.name,
            column.declared,
            text(found),
            text(expected)
        );
    }
}

fn bits(text: &[u8]) -> u32 {
    std::str::from_utf8(text).unwrap().parse::<f32>().unwrap().to_bits()
}

/// With names in the log, it alone says how to read the rows.
fn check_alone(kind: Kind, events: &[LogEvent], known: &HashMap<String, Arc<TableSchema>>) {
    let mut decoder = Decoder::new(flavour(kind));
    let mut met = 0;
    for event in events {
        if let Decoded::TableMap { id, bound: false } = decoder.push(event.raw()).unwrap() {
            let map = decoder.table_map(id).unwrap();
            if let Some(known) = known.get(&*map.table) {
                check_schema(&map.schema(None).unwrap(), known);
                met += 1;
            }
            decoder.bind(id, Binding::Skip).unwrap();
        }
    }
    assert!(met >= known.len());
}

fn check_schema(alone: &TableSchema, known: &TableSchema) {
    assert_eq!((&alone.name, &alone.key), (&known.name, &known.key));
    for (alone, known) in alone.columns.iter().zip(&known.columns) {
        let expected = match known.column_type {
            // MariaDB logs these as what they are stored as.
            ColumnType::Uuid | ColumnType::Inet6 => ColumnType::Char { length: 16 },
            ColumnType::Inet4 => ColumnType::Char { length: 4 },
            _ => known.column_type.clone(),
        };
        assert_eq!((&alone.name, alone.nullable), (&known.name, known.nullable));
        assert_eq!(alone.column_type, expected, "{}", known.name);
    }
}

#[tokio::test]
async fn values_of_mysql_without_names_in_the_log() {
    check(Kind::MySql, &[], 1).await;
}

#[tokio::test]
async fn values_of_mysql_with_names_in_the_log() {
    check(Kind::MySql, &[FULL], 2).await;
}

#[tokio::test]
async fn values_of_mariadb_without_any_metadata() {
    check(Kind::MariaDb, &[], 3).await;
}

#[tokio::test]
async fn values_of_mariadb_with_some_metadata() {
    check(Kind::MariaDb, &["--binlog-row-metadata=MINIMAL"], 4).await;
}

#[tokio::test]
async fn values_of_mariadb_with_names_in_the_log() {
    check(Kind::MariaDb, &[FULL, "--log-bin-compress=ON"], 5).await;
}

const FULL: &str = "--binlog-row-metadata=FULL";
