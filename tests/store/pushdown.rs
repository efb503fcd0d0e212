//! Conditions that a copy pushes down: the same rows come out with and without.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use vstreamd::engine::{Engine, EngineConfig, ShardSources, Tablet};
use vstreamd::event::{
    Event, GtidSet, Position, RowsEvent, ShardName, Start, TableName, TableSchema,
};
use vstreamd::plan::{
    Applied, Filter, Flags, PlanError, Rule, RuleFilter, Scratch, StreamRequest, TablePlan,
    TabletType,
};
use vstreamd::source::sqlite::Store;
use vstreamd::source::{
    BatchMax, Changes, Finding, Scan, Scope, Snapshot, Source, SourceError, Span,
};
use vstreamd::sql::Select;

use super::{Client, open, print};
use crate::harness::rounds;

const TABLES: [&str; 2] = ["keyed", "free"];
const COLUMNS: &str = "`Order` INT NOT NULL, s SMALLINT, b BIGINT, u BIGINT UNSIGNED, m MEDIUMINT UNSIGNED, \
     v VARCHAR(9), d DATE, n DATETIME NOT NULL, `x``y` TINYINT, e DECIMAL(8, 2)";

fn cell(random: &mut fastrand::Rng, column: &str) -> String {
    if random.u32(..4) == 0 && column != "Order" && column != "n" {
        return "NULL".to_owned();
    }
    match column {
        "v" => format!("'{}'", random.choice(["", "1", "1a", "A", "a", "7 "]).unwrap()),
        "d" => format!("'2024-01-0{}'", random.u32(1..9)),
        "n" => format!("'2024-01-0{} 00:00:00'", random.u32(1..9)),
        "u" => random
            .choice(["0", "1", "18446744073709551615", "9223372036854775808"])
            .unwrap()
            .to_owned(),
        "b" => random
            .choice(["0", "-1", "9223372036854775807", "-9223372036854775808"])
            .unwrap()
            .to_owned(),
        "m" | "Order" => random.u32(..12).to_string(),
        "e" => format!("{}.50", random.i32(-3..4)),
        _ => random.i32(-6..7).to_string(),
    }
}

fn number(random: &mut fastrand::Rng) -> String {
    let odd = ["18446744073709551615", "9223372036854775808", "9223372036854775807", "1.5", "'3'"];
    match random.u32(..6) {
        0 => random.choice(odd).unwrap().to_owned(),
        1 => "NULL".to_owned(),
        _ => random.i32(-6..12).to_string(),
    }
}

fn term(random: &mut fastrand::Rng) -> String {
    let columns = ["`order`", "S", "b", "u", "m", "v", "d", "n", "`x``y`", "e"];
    let column = random.choice(columns).unwrap();
    let not = random.choice(["", "NOT "]).unwrap();
    // Dates are compared with what is no date only by mistake, which is an error.
    let plain = if matches!(column, "d" | "n") { "s" } else { column };
    let (one, other) = (number(random), number(random));
    match random.u32(..6) {
        0 => format!("{column} IS {not}NULL"),
        1 => format!("{plain} {not}IN ({one}, {other})"),
        2 => format!("{plain} {not}BETWEEN {one} AND {other}"),
        3 => format!("({plain} = {one} OR {column} IS {not}NULL)"),
        _ => {
            let op = random.choice(["=", "<>", "<", "<=", ">", ">=", "<=>"]).unwrap();
            format!("{plain} {op} {one}")
        }
    }
}

/// The rows that a plan lets through of a copy, and how many were read for it.
async fn copy(
    store: &Arc<Store>,
    plan: &TablePlan,
    where_sql: Option<String>,
) -> (Vec<String>, usize) {
    let name = plan.schema().name.clone();
    let mut snapshot = store.source().snapshot(std::slice::from_ref(&name)).await.unwrap();
    let scan = Scan { table: name, after: None, where_sql, batch: BatchMax::bytes(1_000) };
    snapshot.scan(scan).await.unwrap();
    let (mut rows, mut read, mut scratch) = (Vec::new(), 0, Scratch::default());
    while let Some(event) = snapshot.next().await.unwrap() {
        for change in event.changes(0..event.len()) {
            read += 1;
            match plan.apply(change, &mut scratch).unwrap() {
                Applied::Without => {}
                Applied::Same => rows.push(print(change.shown().unwrap().encoded())),
                Applied::Changed(change) => rows.push(print(change.shown().unwrap().encoded())),
            }
        }
    }
    (rows, read)
}

/// None if the plan does not know how to compare these.
fn plan(schema: &Arc<TableSchema>, condition: &str) -> Option<TablePlan> {
    let table = schema.name.table.to_string();
    let select = Select::parse(&format!("select * from {table} where {condition}")).unwrap();
    let rule = Rule { match_: table, filter: RuleFilter::Select(select) };
    match TablePlan::new(&rule, schema) {
        Ok(plan) => Some(plan),
        Err(PlanError::Unsupported(_)) => None,
        Err(error) => panic!("{condition}: {error}"),
    }
}

/// A source that notes the conditions it is asked for.
struct Noting(Arc<dyn Source>, Arc<Mutex<Vec<String>>>);

struct NotingSnapshot(Box<dyn Snapshot>, Arc<Mutex<Vec<String>>>);

#[async_trait]
impl Source for Noting {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn preflight(&self) -> Result<Vec<Finding>, SourceError> {
        self.0.preflight().await
    }

    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        self.0.tables().await
    }

    async fn position(&self) -> Result<GtidSet, SourceError> {
        self.0.position().await
    }

    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError> {
        self.0.changes(span, scope).await
    }

    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError> {
        let snapshot = self.0.snapshot(tables).await?;
        Ok(Box::new(NotingSnapshot(snapshot, Arc::clone(&self.1))))
    }
}

#[async_trait]
impl Snapshot for NotingSnapshot {
    fn position(&self) -> &GtidSet {
        self.0.position()
    }

    fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.0.schema(table)
    }

    async fn scan(&mut self, scan: Scan) -> Result<(), SourceError> {
        self.1.lock().unwrap().push(scan.where_sql.clone().unwrap_or_default());
        self.0.scan(scan).await
    }

    async fn next(&mut self) -> Result<Option<RowsEvent>, SourceError> {
        self.0.next().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_pushes_its_condition_down() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut client = Client::new(&store).await;
    client.ok("CREATE TABLE keyed (id INT PRIMARY KEY, v VARCHAR(9))").await;
    client.ok("INSERT INTO keyed VALUES (1, 'a'), (2, 'b'), (3, 'B'), (4, 'c')").await;
    let noted = Arc::new(Mutex::new(Vec::new()));
    let source = Arc::new(Noting(Arc::new(store.source()), Arc::clone(&noted)));
    let (name, tablet_type) = ("embedded".into(), TabletType::Primary);
    let shard = ShardName::new("test", "0");
    let tablets = vec![Tablet { name, tablet_type, source }];
    let shards = vec![ShardSources { shard: shard.clone(), tablets }];
    let engine = Engine::new(EngineConfig::default(), shards);
    let select = Select::parse("select * from keyed where v = 'b' and id < 4 and id > 1").unwrap();
    let rule = Rule { match_: "keyed".to_owned(), filter: RuleFilter::Select(select) };
    let request = StreamRequest {
        position: Position::starting(&Start::Copy, &[shard]),
        tablet_type: TabletType::Primary,
        filter: Filter { rules: vec![rule] },
        flags: Flags::default(),
        limit: Some(2),
    };
    let mut stream = engine.subscribe(request).await.unwrap();
    let mut rows = 0;
    while let Some(batch) = stream.next().await.unwrap() {
        let shown = |event: &Event| if let Event::Row(rows) = event { rows.range.len() } else { 0 };
        rows += batch.events.iter().map(shown).sum::<usize>();
    }
    assert_eq!(rows, 2);
    assert_eq!(*noted.lock().unwrap(), ["id < 4 AND id > 1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_pushed_down_changes_no_copy() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).await;
    let mut client = Client::new(&store).await;
    client.ok(&format!("CREATE TABLE keyed (id INT PRIMARY KEY, {COLUMNS})")).await;
    client.ok(&format!("CREATE TABLE free (id INT, {COLUMNS})")).await;
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let columns = ["Order", "s", "b", "u", "m", "v", "d", "n", "x", "e"];
    for id in 0..120 {
        let cells: Vec<_> = columns.iter().map(|column| cell(&mut random, column)).collect();
        for table in TABLES {
            client.ok(&format!("INSERT INTO {table} VALUES ({id}, {})", cells.join(", "))).await;
        }
    }
    let schemas = store.source().tables().await.unwrap();
    let (mut pushed, mut spared) = (0, 0);
    for _ in 0..rounds(300, 3_000, 30_000) {
        let terms: Vec<_> = (0..random.usize(1..4)).map(|_| term(&mut random)).collect();
        let condition = terms.join(" AND ");
        for table in TABLES {
            let name = TableName::new("test", table);
            let schema = schemas.iter().find(|schema| schema.name == name).unwrap();
            let Some(plan) = plan(schema, &condition) else { continue };
            let Some(part) = plan.pushdown() else { continue };
            pushed += 1;
            let (with, read) = copy(&store, &plan, Some(part.to_string())).await;
            let (without, all) = copy(&store, &plan, None).await;
            assert_eq!(with, without, "seed {seed}: {table} where {condition}");
            assert_eq!(all, 120);
            spared += all - read;
        }
    }
    assert!(pushed > 50 && spared > 1_000, "{pushed} pushed down, {spared} rows spared");
}
