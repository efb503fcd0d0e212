//! The journey of one stream over a scripted server.

mod progress;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::event::row::push_cell;
use crate::event::{
    CollationId, Column, ColumnType, Ddl, Event, Gtid, Position, Rows, RowsEvent, ShardName, Start,
    TableLastPk, TableName, TableSchema, Unreadable,
};
use crate::plan::{Filter, Flags, Rule, StreamRequest, TabletType};
use crate::source::SourceError;
use crate::source::memory::{Faults, MemoryChange, MemorySource, MemoryWork};

use super::copy::CopyProgress;
use super::intake::{Intake, IntakeError};
use super::log::{Log, Part};
use super::rules::Rules;
use super::shard::{ShardRequest, ShardStream};
use super::tail::Tail;
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
        self.commit_at(1_001 + self.sequence, work);
    }

    fn commit_at(&mut self, time: u64, work: MemoryWork) {
        self.sequence += 1;
        let gtid = Gtid::Mysql { server: [7; 16], tag: None, sequence: self.sequence };
        self.source.commit(gtid, time, work);
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
        Engine::new(config, vec![self.shard("0")])
    }

    fn shard(&self, name: &str) -> ShardSources {
        let tablet = Tablet {
            name: "zone1-1".into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(self.source.clone()),
        };
        ShardSources { shard: ShardName::new("ks", name), tablets: vec![tablet] }
    }
}

/// A stream from now on over three shards, whose first events have been read.
async fn three_shards(
    table: &Arc<TableSchema>,
    config: EngineConfig,
    flags: Flags,
) -> ([Script; 3], Subscription) {
    let scripts = [(); 3].map(|()| Script::new(&[table]));
    let shards = ["-40", "40-80", "80-"];
    let sources = shards.iter().zip(&scripts).map(|(name, script)| script.shard(name));
    let config =
        EngineConfig { now: || SystemTime::UNIX_EPOCH + Duration::from_secs(900), ..config };
    let engine = Engine::new(config, sources.collect());
    let names = shards.map(|name| ShardName::new("ks", name));
    let position = Position::starting(&Start::Now, &names);
    let request = StreamRequest { position, flags, ..request(&Start::Now, vec![Rule::all("a")]) };
    let mut stream = engine.subscribe(request).await.unwrap();
    for name in names {
        let batch = stream.next().await.unwrap().unwrap();
        assert_eq!((&*batch.shard, batch.events.len()), (&name, 2));
    }
    (scripts, stream)
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
        Event::RowsQuery(query) => format!("Q:{query}"),
        Event::CopyCompleted(Some(_)) => "CC ks/0".to_owned(),
        Event::CopyCompleted(None) => "CC".to_owned(),
        other => other.name().to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_caught_up_follows_before_anything_happens() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    script.change(&[(&a, None, Some(row(1, 10)))]);
    let engine = script.engine(EngineConfig::default());
    let start = Start::After(crate::event::GtidSet::new());
    let mut stream = engine.subscribe(request(&start, vec![Rule::everything()])).await.unwrap();
    let phase = || engine.streams().first().map(|stream| stream.phase);
    assert_eq!(phase(), Some("catch-up"));
    assert_eq!(drain(&mut stream).await, ["B F:a +(1,10) V C"]);
    assert_eq!(phase(), Some("follow"));
    let start = stream.position().shards[0].start.clone();
    drop(stream);
    let mut stream = engine.subscribe(request(&start, vec![Rule::everything()])).await.unwrap();
    assert_eq!(phase(), Some("catch-up"));
    assert!(drain(&mut stream).await.is_empty());
    assert_eq!(phase(), Some("follow"));
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
async fn shows_all_that_is_committed_after_subscribing() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    let engine = script.engine(EngineConfig::default());
    let mut streams = Vec::new();
    // The first one finds no tail, the last one a tail that has read what was committed before.
    for id in 0..3 {
        let now = request(&Start::Now, vec![Rule::all("a")]);
        streams.push(engine.subscribe(now).await.unwrap());
        script.change(&[(&a, None, Some(row(id, 0)))]);
        tokio::time::sleep(Duration::from_secs(u64::from(id))).await;
    }
    let mut seen = Vec::new();
    for stream in &mut streams {
        seen.push(drain(stream).await.join(" "));
    }
    assert_eq!(
        seen,
        [
            "V O B F:a +(0,0) V C B +(1,0) V C B +(2,0) V C",
            "V O B F:a +(1,0) V C B +(2,0) V C",
            "V O B F:a +(2,0) V C"
        ]
    );
    assert_eq!(engine.usage().readers, 0, "who has caught up needs no reader");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_one_shard_holds_where_the_others_began() {
    let a = schema("a");
    let (mut one, mut other) = (Script::new(&[&a]), Script::new(&[&a]));
    let engine = Engine::new(EngineConfig::default(), vec![one.shard("-80"), other.shard("80-")]);
    let names = ["-80", "80-"].map(|name| ShardName::new("ks", name));
    let mut now = request(&Start::Now, vec![Rule::all("a")]);
    now.position = Position::starting(&Start::Now, &names);
    let mut stream = engine.subscribe(now.clone()).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(*first.shard, names[0]);
    let Some(Event::Vgtid(position)) = first.events.first() else { panic!("{first:?}") };
    now.position = (**position).clone();
    drop(stream);
    one.change(&[(&a, None, Some(row(1, 0)))]);
    other.change(&[(&a, None, Some(row(2, 0)))]);
    let mut stream = engine.subscribe(now).await.unwrap();
    let mut lines = drain(&mut stream).await;
    lines.sort();
    assert_eq!(lines, ["B F:a +(1,0) V C", "B F:a +(2,0) V C"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_knows_its_place_before_it_has_sent_anything() {
    let a = schema("a");
    let mut script = Script::new(&[&a]);
    script.change(&[(&a, None, Some(row(1, 0)))]);
    let engine = script.engine(EngineConfig::default());
    let now = || request(&Start::Now, vec![Rule::all("a")]);
    let mut stream = engine.subscribe(now()).await.unwrap();
    let mut token = Vec::new();
    stream.position().to_token(&mut token);
    script.change(&[(&a, None, Some(row(2, 0)))]);
    let mut resumed = now();
    resumed.position = Position::from_token(std::str::from_utf8(&token).unwrap()).unwrap();
    let mut resumed = engine.subscribe(resumed).await.unwrap();
    assert_eq!(drain(&mut resumed).await, ["B F:a +(2,0) V C"]);
    drain(&mut stream).await;
    assert_eq!(stream.position().shards, resumed.position().shards);
}

#[tokio::test(start_paused = true)]
async fn three_shards_take_turns_and_beat_only_between_transactions() {
    let a = schema("a");
    let config = EngineConfig { part_bytes: 1, ..EngineConfig::default() };
    let flags = Flags { heartbeat_interval: 5, ..Flags::default() };
    let (mut scripts, mut stream) = three_shards(&a, config, flags).await;
    let began = tokio::time::Instant::now();
    let beat = stream.next().await.unwrap().unwrap();
    assert!(matches!(*beat.events, [Event::Heartbeat(900)]), "{beat:?}");
    assert_eq!(began.elapsed().as_secs(), 5);
    // A transaction that takes minutes, and others meanwhile.
    let (delay_max, batch_max) = (Duration::from_secs(30), 1);
    scripts[1].source.set_faults(Faults { delay_max, batch_max, ..Faults::default() });
    let rows: Vec<_> = (0..20).map(|id| (&a, None, Some(row(id, 0)))).collect();
    scripts[1].change(&rows);
    let mut seen = Vec::new();
    while !seen.ends_with(&["V".to_owned(), "C".to_owned()]) {
        let batch = stream.next().await.unwrap().unwrap();
        assert!(seen.is_empty() || *batch.shard.shard == *"40-80", "{seen:?}");
        if !matches!(*batch.events, [Event::Heartbeat(_)]) {
            seen.extend(batch.events.iter().map(print));
            scripts[0].change(&[(&a, None, Some(row(seen.len() as u32, 0)))]);
            scripts[2].change(&[(&a, None, Some(row(seen.len() as u32, 0)))]);
        }
    }
    assert!(began.elapsed().as_secs() > 60, "{:?}", began.elapsed());
    let mut shards = Vec::new();
    while shards.len() < 6 {
        let batch = stream.next().await.unwrap().unwrap();
        if let Some(Event::Commit(_)) = batch.events.last() {
            shards.push(batch.shard.shard.to_string());
        }
    }
    assert_eq!(shards, ["80-", "-40", "80-", "-40", "80-", "-40"]);
}

#[tokio::test(start_paused = true)]
async fn of_three_shards_the_ones_ahead_wait() {
    let a = schema("a");
    let flags = Flags { minimize_skew: true, ..Flags::default() };
    let (mut scripts, mut stream) = three_shards(&a, EngineConfig::default(), flags).await;
    for (shard, time) in [(1, 2_000), (0, 1_000), (2, 1_500), (0, 1_998), (2, 1_999)] {
        scripts[shard].commit_at(time, MemoryWork::Other);
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(stream.next().await.unwrap().unwrap().timestamp());
    }
    times[2..].sort_unstable();
    assert_eq!(times, [1_000, 1_500, 1_998, 1_999, 2_000]);
    // The others say nothing any more.
    scripts[0].commit_at(9_000, MemoryWork::Other);
    let began = tokio::time::Instant::now();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(&error, StreamError::Skew(shard) if *shard.shard == *"-40"), "{error}");
    assert_eq!(began.elapsed(), EngineConfig::default().skew_timeout);
}

#[tokio::test(start_paused = true)]
async fn refuses_a_position_that_no_server_has_reached() {
    let a = schema("a");
    let script = Script::new(&[&a]);
    let engine = script.engine(EngineConfig::default());
    let mut ahead = request(&Start::Copy, vec![Rule::all("a")]);
    let set = "MySQL56/07070707-0707-0707-0707-070707070707:1-3".parse().unwrap();
    ahead.position.shards[0].start = Start::After(set);
    let mut stream = engine.subscribe(ahead.clone()).await.unwrap();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, StreamError::Future { .. }), "{error}");
    // Another server of the shard may have it.
    let mut newer = Script::new(&[&a]);
    for id in 0..4 {
        newer.change(&[(&a, None, Some(row(id, 0)))]);
    }
    let mut shard = script.shard("0");
    shard.tablets.extend(newer.shard("0").tablets);
    let engine = Engine::new(EngineConfig::default(), vec![shard]);
    let mut stream = engine.subscribe(ahead).await.unwrap();
    assert_eq!(drain(&mut stream).await, ["B F:a +(3,0) V C"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_its_log_is_passed_over() {
    let a = schema("a");
    let scripts = [(); 2].map(|()| Script::new(&[&a]));
    let scripts = scripts.map(|mut script| {
        script.change(&[(&a, None, Some(row(1, 0)))]);
        script.change(&[(&a, None, Some(row(2, 0)))]);
        script
    });
    let refusing = |refuses: [bool; 2]| {
        let mut shard = scripts[0].shard("0");
        shard.tablets.extend(scripts[1].shard("0").tablets);
        for (script, refuses_log) in scripts.iter().zip(refuses) {
            script.source.set_faults(Faults { refuses_log, ..Faults::default() });
        }
        Engine::new(EngineConfig::default(), vec![shard])
    };
    let mut first = request(&Start::Copy, vec![Rule::all("a")]);
    let set = "MySQL56/07070707-0707-0707-0707-070707070707:1".parse().unwrap();
    first.position.shards[0].start = Start::After(set);
    let mut stream = refusing([true, false]).subscribe(first.clone()).await.unwrap();
    assert_eq!(drain(&mut stream).await, ["B F:a +(2,0) V C"]);
    let mut stream = refusing([true, true]).subscribe(first).await.unwrap();
    let error = stream.next().await.unwrap_err();
    let StreamError::Source { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, SourceError::LogRefused { .. }), "{source}");
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

fn gtid(sequence: u64) -> Gtid {
    Gtid::Mysql { server: [7; 16], tag: None, sequence }
}

fn inserts(table: &Arc<TableSchema>, ids: std::ops::Range<u32>) -> Event {
    let mut event = RowsEvent::new(Arc::clone(table));
    for id in ids {
        event.push_encoded(None, Some(&row(id, 0)));
    }
    Event::Row(Rows::all(Arc::new(event)))
}

#[test]
fn a_transaction_that_broke_off_comes_again_or_nothing_does() {
    let a = schema("a");
    let mut intake = Intake::new(1);
    let begun = |sequence| {
        let field = Event::Field(Arc::clone(&a));
        vec![Event::Gtid(gtid(sequence)), Event::Begin(1), field, inserts(&a, 0..3)]
    };
    for _ in 0..2 {
        let parts = intake.take(begun(1)).unwrap().parts;
        assert!(matches!(&*parts, [Part { first: true, last: false, .. }]), "{parts:?}");
        intake.reconnect();
        // Nothing of it has come this time, but the log still holds its beginning.
        assert!(intake.take(vec![Event::Gtid(gtid(1))]).unwrap().parts.is_empty());
        intake.reconnect();
    }
    let replaced = IntakeError::Replaced { gtid: gtid(1), by: gtid(2) };
    assert_eq!(*intake.take(begun(2)).unwrap_err(), replaced);
}

/// A stream of table `a` that nothing feeds.
fn unfed(a: &Arc<TableSchema>) -> ShardStream {
    let config = Arc::new(EngineConfig::default());
    let ShardSources { shard, mut tablets } = Script::new(&[a]).shard("0");
    let StreamRequest { mut position, filter, flags, .. } =
        request(&Start::Now, vec![Rule::everything()]);
    let request = ShardRequest {
        shard: Arc::new(shard),
        position: position.shards.remove(0),
        tails: vec![Arc::new(Tail::new(tablets.remove(0), Arc::clone(&config)))],
        rules: Arc::new(Rules::new(&filter, &[]).unwrap()),
        flags: Arc::new(flags),
        copy: CopyProgress::default(),
        rules_hash: 0,
        id: 0,
    };
    ShardStream::new(request, &config)
}

/// What comes of a transaction's beginning, or all of it, that is read from its first event.
fn hand_out(stream: &mut ShardStream, last: bool, mut events: Vec<Event>) -> String {
    events.insert(0, Event::Begin(1));
    let part = Part { gtid: gtid(1), prepared: None, first: true, last, events, bytes: 0 };
    match stream.hand_out(&part) {
        Ok(batch) => batch
            .map(|batch| batch.events.iter().map(print).collect::<Vec<_>>().join(" "))
            .unwrap_or_default(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_transaction_that_comes_again_is_skipped_as_far_as_it_was_sent() {
    let a = schema("a");
    let mut stream = unfed(&a);
    let mut hand_out = |last, events| hand_out(&mut stream, last, events);
    let query = |text: &str| Event::RowsQuery(text.into());
    let first = vec![query("q"), inserts(&a, 0..2)];
    assert_eq!(hand_out(false, first.clone()), "B F:a Q:q +(0,0) +(1,0)");
    assert_eq!(hand_out(false, first), "");
    let more = vec![query("q"), inserts(&a, 0..3), query("r"), inserts(&a, 3..4)];
    assert_eq!(hand_out(false, more), "+(2,0) Q:r +(3,0)");
    let fewer = vec![query("q"), inserts(&a, 0..3), Event::Commit(1)];
    let error = hand_out(true, fewer);
    assert!(error.contains("row changes"), "{error}");
}

/// The statement that made the table is told before the rows that fill it, once.
#[test]
fn a_table_that_is_made_with_its_rows_is_told_first() {
    let a = schema("a");
    let ddl = |table: &str| {
        let tables = vec![TableName::new("ks", table)];
        Event::Ddl(Arc::new(Ddl { timestamp: 1, statement: "create".to_owned(), tables }))
    };
    let whole = vec![ddl("a"), inserts(&a, 0..2), Event::Commit(1)];
    assert_eq!(hand_out(&mut unfed(&a), true, whole.clone()), "V DDL B F:a +(0,0) +(1,0) V C");
    let mut stream = unfed(&a);
    assert_eq!(hand_out(&mut stream, false, whole[..2].to_vec()), "V DDL B F:a +(0,0) +(1,0)");
    assert_eq!(hand_out(&mut stream, true, whole), "V C", "what was sent does not come again");
    let mut order = crate::event::SourceOrder::new();
    let mut events = vec![Event::Gtid(gtid(1)), Event::Begin(1), ddl("a")];
    events.extend([Event::Field(Arc::clone(&a)), inserts(&a, 0..2), Event::Commit(1)]);
    assert!(events.iter().all(|event| order.push(event).is_ok()));
    let parts = Intake::new(1).take(events).unwrap().parts;
    assert!(matches!(&*parts, [Part { last: false, .. }, Part { last: true, .. }]), "{parts:?}");
    assert!(parts[0].events.len() == 3, "the statement comes with the first rows: {parts:?}");
}

fn unreadable(tables: &[&str]) -> MemoryWork {
    let tables = tables.iter().map(|table| TableName::new("ks", table)).collect();
    let (what, mend) = ("nobody knows".to_owned(), "mend it".to_owned());
    MemoryWork::Unreadable(Arc::new(Unreadable { tables, what, mend }))
}

/// What the source cannot show of one table ends the streams that want the table, and no others.
#[tokio::test(start_paused = true)]
async fn only_who_wants_a_table_is_refused_for_it() {
    let (a, b) = (schema("a"), schema("b"));
    let mut script = Script::new(&[&a, &b]);
    script.change(&[(&a, None, Some(row(1, 1)))]);
    let start = Start::After(script.source.executed());
    let engine = script.engine(EngineConfig::default());
    let open = async |rule: Rule| engine.subscribe(request(&start, vec![rule])).await.unwrap();
    let mut one = open(Rule::all("a")).await;
    let mut like = open(Rule::all("/^a/")).await;
    let mut every = open(Rule::everything()).await;
    script.commit(unreadable(&["b"]));
    script.commit(unreadable(&["_b_old"]));
    script.change(&[(&a, None, Some(row(2, 2)))]);
    for stream in [&mut one, &mut like] {
        assert_eq!(drain(stream).await, ["B V C", "B V C", "B F:a +(2,2) V C"]);
    }
    let error = every.next().await.unwrap_err();
    assert!(
        matches!(&error, StreamError::Source { source, .. }
        if source.to_string() == "nobody knows; mend it"),
        "{error}"
    );
    // A table that is still to be copied needs none of its changes.
    let mut copying = request(&start, vec![Rule::everything()]);
    let columns = vec!["id".into()];
    let mut cells = Vec::new();
    push_cell(&mut cells, b"1");
    let pk = TableLastPk { table: "a".into(), columns, cells, copies: 1 };
    copying.position.shards[0].table_pks.push(pk);
    let mut copying = engine.subscribe(copying).await.unwrap();
    let lines = drain(&mut copying).await;
    assert!(lines.last().is_some_and(|line| line == "CC ks/0 CC"), "{lines:?}");
    script.commit(unreadable(&[]));
    for mut stream in [one, like, copying] {
        assert!(matches!(stream.next().await, Err(StreamError::Source { .. })));
    }
}

/// What nobody wants any more is left out, and who comes back for it misses nothing.
#[tokio::test(start_paused = true)]
async fn a_table_that_was_left_out_meanwhile_is_caught_up_with() {
    let (a, b) = (schema("a"), schema("b"));
    let mut script = Script::new(&[&a, &b]);
    script.change(&[(&a, None, Some(row(1, 1)))]);
    let engine = script.engine(EngineConfig::default());
    let open = async |start: &Start, rule| {
        engine.subscribe(request(start, vec![Rule::all(rule)])).await.unwrap()
    };
    let mut first = open(&Start::Now, "/a/").await;
    drain(&mut first).await;
    script.change(&[(&a, None, Some(row(2, 2)))]);
    let place = first.position().shards[0].start.clone();
    drain(&mut first).await;
    drop(first);
    let mut other = open(&Start::Now, "/b/").await;
    drain(&mut other).await;
    script.change(&[(&a, None, Some(row(3, 3))), (&b, None, Some(row(3, 3)))]);
    assert_eq!(drain(&mut other).await, ["B F:b +(3,3) V C"]);
    let mut again = open(&place, "/a/").await;
    assert_eq!(drain(&mut again).await, ["B F:a +(2,2) V C", "B +(3,3) V C"]);
    script.change(&[(&a, None, Some(row(4, 4))), (&b, None, Some(row(4, 4)))]);
    assert_eq!(drain(&mut again).await.join(" ").replace("F:a ", ""), "B +(4,4) V C");
    assert_eq!(drain(&mut other).await, ["B +(4,4) V C"]);
    assert_eq!(engine.usage().tails, 1);
}

/// A transaction that was prepared is in a position once it has ended, under both of its names.
#[test]
fn a_prepared_transaction_is_executed_once_it_has_ended() {
    let (a, log) = (schema("a"), Log::of_tail(1 << 20));
    let mut intake = Intake::new(1 << 20);
    let transaction = |names: &[u64]| {
        let field = Event::Field(Arc::clone(&a));
        let mut events: Vec<_> = names.iter().map(|&name| Event::Gtid(gtid(name))).collect();
        events.extend([Event::Begin(1), field, inserts(&a, 0..1), Event::Commit(1)]);
        events
    };
    for (names, executed) in [(&[2][..], "2"), (&[1, 3], "1-3"), (&[4], "1-4")] {
        log.append(intake.take(transaction(names)).unwrap().parts);
        assert!(log.last().to_string().ends_with(&format!(":{executed}")), "{}", log.last());
    }
}
