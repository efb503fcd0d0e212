//! The journey of one stream over a scripted server.

use std::sync::Arc;
use std::time::Duration;

use crate::event::row::push_cell;
use crate::event::{
    CollationId, Column, ColumnType, Ddl, Event, Gtid, Position, ShardName, Start, TableName,
    TableSchema,
};
use crate::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use crate::source::memory::{MemoryChange, MemorySource, MemoryWork};

use super::{Engine, EngineConfig, ShardSources, StreamError, Subscription, Tablet};

fn column(name: &str) -> Column {
    Column {
        name: name.into(),
        column_type: ColumnType::Int { bytes: 4, unsigned: false },
        collation: CollationId::BINARY,
        nullable: false,
        auto_increment: false,
        has_default: false,
        declared: "int".into(),
    }
}

fn schema(table: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        name: TableName::new("ks", table),
        columns: vec![column("id"), column("v")],
        key: vec![0],
        key_is_primary: true,
    })
}

fn row(id: u32, v: u32) -> Vec<u8> {
    let mut row = Vec::new();
    push_cell(&mut row, id.to_string().as_bytes());
    push_cell(&mut row, v.to_string().as_bytes());
    row
}

/// A change: whose, the image before, the image after.
type Images<'a> = (&'a Arc<TableSchema>, Option<Vec<u8>>, Option<Vec<u8>>);

struct Script {
    source: MemorySource,
    sequence: u64,
}

impl Script {
    fn new(tables: &[&Arc<TableSchema>]) -> Self {
        let source = MemorySource::new("script");
        for table in tables {
            source.create_table(Arc::clone(table));
        }
        Self { source, sequence: 0 }
    }

    fn commit(&mut self, work: MemoryWork) {
        self.sequence += 1;
        let gtid = Gtid::Mysql { server: [7; 16], tag: None, sequence: self.sequence };
        self.source.commit(gtid, 1_000 + self.sequence, work);
    }

    fn change(&mut self, changes: &[Images<'_>]) {
        let change = |(schema, before, after): &Images<'_>| MemoryChange {
            schema: Arc::clone(schema),
            before: Option::clone(before),
            after: Option::clone(after),
        };
        self.commit(MemoryWork::Rows(changes.iter().map(change).collect()));
    }

    fn engine(&self, config: EngineConfig) -> Engine {
        let tablet = Tablet {
            name: "zone1-1".into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(self.source.clone()),
        };
        let shard = ShardName::new("ks", "0");
        Engine::new(config, vec![ShardSources { shard, tablets: vec![tablet] }])
    }
}

fn request(start: &Start, rules: Vec<Rule>) -> StreamRequest {
    StreamRequest {
        position: Position::starting(start, &[ShardName::new("ks", "0")]),
        tablet_type: TabletType::Primary,
        filter: Filter { rules },
        flags: Flags::default(),
        limit: None,
    }
}

/// Everything that comes until nothing has come for a second, one batch per line.
async fn drain(subscription: &mut Subscription) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(batch) = tokio::time::timeout(Duration::from_secs(1), subscription.next()).await {
        match batch {
            Ok(Some(batch)) => {
                lines.push(batch.events.iter().map(print).collect::<Vec<_>>().join(" "));
            }
            Ok(None) => {
                lines.push("end".to_owned());
                break;
            }
            Err(error) => {
                lines.push(format!("error: {error}"));
                break;
            }
        }
    }
    lines
}

fn print(event: &Event) -> String {
    match event {
        Event::Row(rows) => {
            let cells = |row: crate::event::Row<'_>| {
                let cells = row.cells().map(|cell| {
                    String::from_utf8_lossy(cell.bytes().unwrap_or(b"NULL")).into_owned()
                });
                format!("({})", cells.collect::<Vec<_>>().join(","))
            };
            let change = |change: crate::event::RowChange<'_>| {
                format!("{}{}", change.op().symbol(), change.shown().map(cells).unwrap_or_default())
            };
            rows.changes().map(change).collect::<Vec<_>>().join(" ")
        }
        Event::Field(schema) => format!("F:{}", schema.name.table),
        Event::Begin(_) => "B".to_owned(),
        Event::Commit(_) => "C".to_owned(),
        Event::Vgtid(position) => {
            let pks = position.shards.iter().flat_map(|shard| &shard.table_pks);
            let pks: Vec<_> = pks.map(|pk| pk.table.to_string()).collect();
            if pks.is_empty() { "V".to_owned() } else { format!("V{{{}}}", pks.join(",")) }
        }
        Event::Ddl(_) => "DDL".to_owned(),
        Event::Other(_) => "O".to_owned(),
        Event::CopyCompleted(Some(_)) => "CC ks/0".to_owned(),
        Event::CopyCompleted(None) => "CC".to_owned(),
        other => other.name().to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn copies_then_follows() {
    let (a, b) = (schema("a"), schema("b"));
    let mut script = Script::new(&[&a, &b]);
    script.change(&[(&a, None, Some(row(1, 10))), (&a, None, Some(row(2, 20)))]);
    let engine = script.engine(EngineConfig::default());
    let mut stream =
        engine.subscribe(request(&Start::Copy, vec![Rule::everything()])).await.unwrap();
    assert_eq!(
        drain(&mut stream).await,
        ["B F:a V +(1,10) +(2,20) V{a} C", "B V C", "B F:b B V C", "CC ks/0 CC"]
    );
    script.change(&[(&b, None, Some(row(7, 70))), (&a, Some(row(1, 10)), Some(row(1, 11)))]);
    script.change(&[(&a, Some(row(1, 11)), None)]);
    let ddl = Ddl {
        timestamp: 5,
        statement: "alter table c add x int".into(),
        tables: vec![TableName::new("ks", "a")],
    };
    script.commit(MemoryWork::Ddl(Arc::new(ddl), vec![]));
    script.commit(MemoryWork::Other);
    script.change(&[(&a, Some(row(2, 20)), None)]);
    assert_eq!(
        drain(&mut stream).await,
        ["B F:b +(7,70) F:a *(1,11) V C", "B -(1,11) V C", "V DDL", "V O", "B F:a -(2,20) V C"]
    );
    assert_eq!(engine.usage().tails, 1);
    assert_eq!(engine.streams().first().map(|stream| stream.phase), Some("follow"));
    drop(stream);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(engine.usage().tails, 0, "a tail without streams ends");
}

#[tokio::test(start_paused = true)]
async fn starts_now_and_shows_only_what_rules_fit() {
    let (a, b) = (schema("a"), schema("b"));
    let mut script = Script::new(&[&a, &b]);
    script.change(&[(&a, None, Some(row(1, 10)))]);
    let engine = script.engine(EngineConfig::default());
    let mut stream = engine.subscribe(request(&Start::Now, vec![Rule::all("a")])).await.unwrap();
    assert_eq!(drain(&mut stream).await, ["V O"]);
    script.change(&[(&b, None, Some(row(7, 70)))]);
    script.change(&[(&b, None, Some(row(8, 70))), (&a, None, Some(row(2, 70)))]);
    assert_eq!(drain(&mut stream).await, ["B V C", "B F:a +(2,70) V C"]);
    engine.shutdown();
    assert!(matches!(stream.next().await, Err(StreamError::Shutdown)));
}

#[tokio::test(start_paused = true)]
async fn ends_at_the_limit() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    let rows: Vec<_> = (0..9).map(|id| (&a, None, Some(row(id, 0)))).collect();
    script.change(&rows);
    let engine = script.engine(EngineConfig::default());
    let mut limited = request(&Start::Copy, vec![Rule::all("a")]);
    limited.limit = Some(2);
    let mut stream = engine.subscribe(limited).await.unwrap();
    assert_eq!(drain(&mut stream).await, ["B F:a V +(0,0) +(1,0)", "end"]);
}

#[tokio::test(start_paused = true)]
async fn every_printed_position_resumes_behind_its_row() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    let rows: Vec<_> = (0..5).map(|id| (&a, None, Some(row(id, 0)))).collect();
    script.change(&rows);
    let config = EngineConfig { part_bytes: 1, ..EngineConfig::default() };
    let engine = script.engine(config);
    let request = || request(&Start::Copy, vec![Rule::all("a")]);
    let mut stream = engine.subscribe(request()).await.unwrap();
    drain(&mut stream).await;
    let rows: Vec<_> = (10..15).map(|id| (&a, None, Some(row(id, 0)))).collect();
    script.change(&rows);
    let mut tokens = Vec::new();
    while tokens.len() < 5 {
        let batch = stream.next().await.unwrap().unwrap();
        for event in &batch.events {
            let Event::Row(rows) = event else { continue };
            for change in 0..rows.range.len() {
                let mut token = Vec::new();
                batch.write_pos(rows, change, &mut token);
                tokens.push(String::from_utf8(token).unwrap());
            }
        }
    }
    for (index, token) in tokens.iter().enumerate() {
        let mut resumed = request();
        resumed.position = Position::from_token(token).unwrap();
        let mut stream = engine.subscribe(resumed).await.unwrap();
        let lines = drain(&mut stream).await.join(" ");
        let rows: Vec<_> = (10..15).skip(index + 1).map(|id| format!("+({id},0)")).collect();
        let seen: Vec<_> = lines.split(' ').filter(|word| word.starts_with('+')).collect();
        assert_eq!(seen, rows, "{lines}");
    }
}
