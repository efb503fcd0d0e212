//! Predicates against real servers: random expressions over hard rows, judged by both.
//!
//! What we judge must be what the server says: TRUE, FALSE, NULL or an error. What we refuse, we
//! refuse before any row. MySQL 9.7 is the standard. MariaDB 10.11 judges the same expressions, less
//! the shapes in which it is known to differ from MySQL: see [`differ`].

mod collations;
mod differ;
mod random;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use vstreamd::event::row::{push_cell, push_null};
use vstreamd::event::{ColumnType, Row, RowChange, TableSchema};
use vstreamd::plan::{Applied, EvalError, PlanError, Rule, Scratch, TablePlan};
use vstreamd::sql::Expr;
use vstreamd::sql::expr::Test;
use vstreamd::sql::filter::{Item, Select};

use crate::harness::real::{self, Server};
use crate::harness::rounds;
use random::Expressions;
use table::Declared;

/// What becomes of a condition on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    True,
    False,
    Null,
    /// The row has no verdict, by the server's error code.
    Error(u16),
}

#[derive(Debug, Default)]
struct Counts {
    expressions: usize,
    refused: BTreeMap<String, usize>,
    skipped: usize,
    errors: usize,
    comparisons: usize,
}

const ROWS: usize = 48;

#[tokio::test]
async fn mysql_judges_alike() {
    judge(real::mysql(), true, 0xa11ce).await;
}

#[tokio::test]
async fn mariadb_judges_alike() {
    judge(real::mariadb(), false, 0xb0b).await;
}

async fn judge(server: &Server, mysql: bool, seed: u64) {
    let seed = std::env::var("PREDICATE_SEED").map_or(seed, |seed| seed.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    let columns = table::columns(mysql);
    let schema = table::schema(&columns);
    let mut connection = connect(server).await;
    let rows = fill(&mut connection, &columns, &mut random).await;
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    let mut expressions = Expressions { columns: &columns, random };
    for _ in 0..rounds(4_000, 20_000, 200_000) {
        let depth = expressions.random.u8(..4);
        let expression = expressions.condition(depth);
        if !mysql && differ::differs(&expression, &columns) {
            counts.skipped += 1;
            continue;
        }
        counts.expressions += 1;
        let ours = match ours(&expression, &schema, &rows) {
            Ok(ours) => ours,
            Err(PlanError::Unsupported(why)) => {
                *counts.refused.entry(shape(&why)).or_default() += 1;
                continue;
            }
            // A text that is no date is an error in MySQL and a warning in MariaDB.
            Err(PlanError::Incorrect { .. }) if !mysql => {
                counts.skipped += 1;
                continue;
            }
            Err(error) => vec![Verdict::Error(code(&error)); rows.len()],
        };
        let theirs = theirs(&mut connection, &expression, rows.len()).await;
        counts.comparisons += rows.len();
        counts.errors +=
            usize::from(ours.iter().any(|verdict| matches!(verdict, Verdict::Error(_))));
        if let Some(row) = (0..rows.len()).find(|&row| ours[row] != theirs[row]) {
            let (ours, theirs) = (ours[row], theirs[row]);
            wrong.push(format!("row {row}: {ours:?} but {theirs:?} for {expression}"));
            if std::env::var_os("PREDICATE_CELLS").is_some() {
                let columns = columns.iter().map(|column| column.name);
                let cells = Row::new(&rows[row], None).cells();
                let named = columns.zip(cells).filter(|(name, _)| {
                    expression.to_string().split(|c: char| !c.is_alphanumeric()).any(|w| w == *name)
                });
                wrong.push(
                    named
                        .map(|(name, cell)| {
                            format!("  {name}={:?}", cell.bytes().map(String::from_utf8_lossy))
                        })
                        .collect(),
                );
            }
        }
    }
    let refused: usize = counts.refused.values().sum();
    println!(
        "{:?}: {} expressions over {ROWS} rows, {} comparisons, {} with errors, {refused} refused, {} skipped",
        server.kind, counts.expressions, counts.comparisons, counts.errors, counts.skipped
    );
    if std::env::var_os("PREDICATE_REFUSALS").is_some() {
        let mut by_count: Vec<_> = counts.refused.into_iter().collect();
        by_count.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        by_count.iter().take(40).for_each(|(why, count)| println!("  {count:6} {why}"));
    }
    let shown: Vec<_> = wrong.iter().take(60).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), shown.join("\n"));
}

/// A refusal without its literals, for counting.
fn shape(why: &str) -> String {
    why.chars().take(40).collect()
}

async fn connect(server: &Server) -> Conn {
    let mut connection = Conn::from_url(server.url("mysql")).await.unwrap();
    for statement in [
        "CREATE DATABASE IF NOT EXISTS predicates",
        "USE predicates",
        "SET NAMES utf8mb4",
        "SET time_zone = '+00:00'",
        "SET character_set_results = NULL",
        "SET sql_mode = 'STRICT_TRANS_TABLES'",
    ] {
        connection.query_drop(statement).await.unwrap();
    }
    connection
}

/// Makes the table and reads its rows back as cells.
async fn fill(connection: &mut Conn, columns: &[Declared], random: &mut Rng) -> Vec<Vec<u8>> {
    let declared: Vec<String> =
        columns.iter().map(|column| format!("`{}` {}", column.name, column.sql)).collect();
    connection.query_drop("DROP TABLE IF EXISTS p").await.unwrap();
    let create = format!("CREATE TABLE p ({}, PRIMARY KEY (id))", declared.join(", "));
    connection.query_drop(create).await.unwrap();
    for id in 0..ROWS {
        let values = columns.iter().skip(1).map(|column| table::value(column, random));
        let values: Vec<String> = values.collect();
        let insert = format!("INSERT INTO p VALUES ({id}, {})", values.join(", "));
        connection.query_drop(&insert).await.unwrap_or_else(|error| panic!("{error}: {insert}"));
    }
    let shown: Vec<String> = columns
        .iter()
        .map(|column| match column.column_type {
            // The server prints six digits of a FLOAT: not the value.
            ColumnType::Float { .. } => format!("CAST(`{}` AS DOUBLE)", column.name),
            _ => format!("`{}`", column.name),
        })
        .collect();
    let select = format!("SELECT {} FROM p ORDER BY id", shown.join(", "));
    let rows: Vec<mysql_async::Row> = connection.query(select).await.unwrap();
    rows.into_iter().map(|row| cells(row.unwrap(), columns)).collect()
}

fn cells(values: Vec<Value>, columns: &[Declared]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (value, column) in values.into_iter().zip(columns) {
        match (value, &column.column_type) {
            (Value::NULL, _) => push_null(&mut encoded),
            (Value::Bytes(bytes), ColumnType::Float { .. }) => {
                let real: f64 = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
                push_cell(&mut encoded, (real as f32).to_string().as_bytes());
            }
            (Value::Bytes(bytes), _) => push_cell(&mut encoded, &bytes),
            (other, _) => panic!("{other:?} in a text row"),
        }
    }
    encoded
}

fn ours(
    expression: &Expr,
    schema: &Arc<TableSchema>,
    rows: &[Vec<u8>],
) -> Result<Vec<Verdict>, PlanError> {
    let plan = |test| {
        let operand = Box::new(expression.clone());
        let condition = Some(Expr::Is { operand, test, negated: false });
        let select = Select { items: vec![Item::All], table: "p".into(), condition };
        TablePlan::new(&Rule::select(select), schema)
    };
    let (is_true, is_null) = (plan(Test::True)?, plan(Test::Null)?);
    let mut scratch = Scratch::default();
    let mut holds = |plan: &TablePlan, row: &[u8]| {
        let change = RowChange { before: None, after: Some(Row::new(row, None)) };
        let seen = plan.apply(change, &mut scratch)?;
        Ok::<_, EvalError>(matches!(seen, Applied::Same))
    };
    let verdicts = rows.iter().map(|row| match (holds(&is_true, row), holds(&is_null, row)) {
        (Ok(true), Ok(_)) => Verdict::True,
        (Ok(false), Ok(true)) => Verdict::Null,
        (Ok(false), Ok(false)) => Verdict::False,
        (Err(EvalError::OutOfRange { .. }), _) | (_, Err(EvalError::OutOfRange { .. })) => {
            Verdict::Error(1690)
        }
        (Err(error), _) | (_, Err(error)) => panic!("{error} for {expression}"),
    });
    Ok(verdicts.collect())
}

fn code(error: &PlanError) -> u16 {
    match error {
        PlanError::NoColumn { .. } => 1054,
        PlanError::NoFunction(_) => 1305,
        PlanError::Arguments(_) => 1582,
        PlanError::CollationMix { .. } => 1267,
        PlanError::Incorrect { .. } => 1525,
        PlanError::Constant(EvalError::OutOfRange { .. }) => 1690,
        other => panic!("{other}"),
    }
}

async fn theirs(connection: &mut Conn, expression: &Expr, rows: usize) -> Vec<Verdict> {
    let query = format!("SELECT ({expression}) IS TRUE, ({expression}) IS NULL FROM p");
    match ask(connection, &format!("{query} ORDER BY id")).await {
        Ok(verdicts) => verdicts,
        Err(1690) => {
            // One row's error hides the others' verdicts.
            let mut verdicts = Vec::with_capacity(rows);
            for id in 0..rows {
                let one = ask(connection, &format!("{query} WHERE id = {id}")).await;
                verdicts.push(one.map_or_else(Verdict::Error, |verdicts| verdicts[0]));
            }
            verdicts
        }
        Err(code) => vec![Verdict::Error(code); rows],
    }
}

async fn ask(connection: &mut Conn, query: &str) -> Result<Vec<Verdict>, u16> {
    match connection.query::<(bool, bool), _>(query).await {
        Ok(rows) => Ok(rows
            .into_iter()
            .map(|row| match row {
                (true, _) => Verdict::True,
                (false, true) => Verdict::Null,
                (false, false) => Verdict::False,
            })
            .collect()),
        // Illegal mix of two, three or more collations, or a literal that has no place in one.
        Err(mysql_async::Error::Server(error)) if matches!(error.code, 1270 | 1271 | 3854) => {
            Err(1267)
        }
        Err(mysql_async::Error::Server(error)) => Err(error.code),
        Err(error) => panic!("{error}: {query}"),
    }
}
