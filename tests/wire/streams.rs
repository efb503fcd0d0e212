//! VSTREAM through the door, over a scripted server.

use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use vstreamd::engine::{ShardSources, Tablet};
use vstreamd::event::row::push_cell;
use vstreamd::event::{
    CollationId, Column, ColumnType, Ddl, Gtid, ShardName, TableName, TableSchema,
};
use vstreamd::frontend::mysql::{Accounts, DoorConfig};
use vstreamd::plan::TabletType;
use vstreamd::source::memory::{MemoryChange, MemorySource, MemoryWork};

use super::{check_alive, is_ok, wait_for_connections, wait_for_info};
use crate::harness::door::OpenDoor;
use crate::harness::raw::{Answer, Login, Raw, code, texts};
use crate::harness::scripted::Scripted;

/// A door over one scripted server with table `commerce.corder (id int, sku varchar)`.
pub(super) struct Fixture {
    source: MemorySource,
    pub(super) schema: Arc<TableSchema>,
    sequence: u64,
    pub(super) door: OpenDoor,
}

fn schema(extra: &[&str]) -> Arc<TableSchema> {
    schema_with(extra, Vec::new())
}

fn schema_with(extra: &[&str], more: Vec<Column>) -> Arc<TableSchema> {
    let text = |name| {
        let text = ColumnType::VarChar { length: 64 };
        Column::plain(name, text, CollationId::UTF8MB4_0900_AI_CI)
    };
    let int = ColumnType::Int { bytes: 4, unsigned: false };
    let id = Column::plain("id", int, CollationId::BINARY);
    let mut columns = vec![id, text("sku")];
    columns.extend(extra.iter().map(|name| text(name)));
    columns.extend(more);
    let name = TableName::new("commerce", "corder");
    Arc::new(TableSchema { name, columns, key: vec![0], key_is_primary: true })
}

fn row(cells: &[&str]) -> Vec<u8> {
    let mut row = Vec::new();
    cells.iter().for_each(|cell| push_cell(&mut row, cell.as_bytes()));
    row
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::of(schema(&[])).await
    }

    /// The table has these columns behind its own.
    pub(super) async fn with(columns: Vec<Column>) -> Self {
        Self::of(schema_with(&[], columns)).await
    }

    async fn of(schema: Arc<TableSchema>) -> Self {
        let source = MemorySource::new("script");
        source.create_table(Arc::clone(&schema));
        let tablet = Tablet {
            name: "zone1-1".into(),
            tablet_type: TabletType::Primary,
            source: Arc::new(source.clone()),
        };
        let shard = ShardName::new("commerce", "0");
        let shards = vec![ShardSources { shard, tablets: vec![tablet] }];
        let config = DoorConfig::default();
        let door =
            OpenDoor::open(config, Accounts::Anybody, Arc::new(Scripted::default()), shards).await;
        Self { source, schema, sequence: 0, door }
    }

    pub(super) fn commit(&mut self, work: MemoryWork) {
        self.sequence += 1;
        let gtid = Gtid::Mysql { server: [7; 16], tag: None, sequence: self.sequence };
        self.source.commit(gtid, 1_000 + self.sequence, work);
    }

    pub(super) fn change(&mut self, before: Option<&[&str]>, after: Option<&[&str]>) {
        let schema = Arc::clone(&self.schema);
        let change = MemoryChange { schema, before: before.map(row), after: after.map(row) };
        self.commit(MemoryWork::Rows(vec![change]));
    }

    pub(super) fn insert(&mut self, ids: std::ops::Range<u32>) {
        let change = |id: u32| MemoryChange {
            schema: Arc::clone(&self.schema),
            before: None,
            after: Some(row(&[&id.to_string(), "sku"])),
        };
        let changes = ids.map(change).collect();
        self.commit(MemoryWork::Rows(changes));
    }

    /// Adds a column; the table then holds these rows.
    pub(super) fn add_column(&mut self, name: &str, rows: &[&[&str]]) {
        self.schema = schema(&[name]);
        let ddl = Ddl {
            timestamp: 1,
            statement: format!("alter table corder add {name} varchar(64)"),
            tables: vec![self.schema.name.clone()],
        };
        let rows = rows.iter().map(|cells| row(cells)).collect();
        let table = (self.schema.name.clone(), Some((Arc::clone(&self.schema), rows)));
        self.commit(MemoryWork::Ddl(Arc::new(ddl), vec![table]));
    }

    pub(super) async fn client(&self) -> Raw {
        let login = Login { database: "commerce", ..Login::default() };
        let mut raw = Raw::login(self.door.address, &login).await;
        assert!(is_ok(&raw.query("SET workload = OLAP").await));
        raw
    }
}

#[tokio::test]
async fn a_stream_that_shows_nothing_lets_others_go_on() {
    let mut fixture = Fixture::new().await;
    let mut stream = fixture.client().await;
    let mut other = fixture.client().await;
    stream.open("vstream * from corder where pos > 'current' and id = -1").await;
    // All of it is in the log before the stream looks at the first one.
    for first in 0..200 {
        fixture.insert(first * 1_000..(first + 1) * 1_000);
    }
    fixture.change(None, Some(&["-1", "last"]));
    let shown = std::cell::Cell::new(false);
    let row = async {
        let row = next(&mut stream).await;
        shown.set(true);
        row
    };
    let pings = async {
        let mut pings = 0;
        while !shown.get() {
            assert!(is_ok(&other.command(super::PING, b"").await));
            pings += 1;
        }
        pings
    };
    let (row, pings) = tokio::join!(row, pings);
    assert_eq!(row, "+ -1 last");
    println!("{pings} pings meanwhile");
    assert!(pings > 10, "{pings} pings meanwhile");
    fixture.door.close().await;
}

/// The next row's cells, joined by blanks.
async fn next(raw: &mut Raw) -> String {
    let row = raw.row().await.expect("a row");
    texts(&Answer::Rows { columns: Vec::new(), rows: vec![row], status: 0 }).remove(0)
}

/// How an open result ended.
async fn end(raw: &mut Raw) -> Answer {
    raw.row().await.expect_err("no further row")
}

#[tokio::test]
async fn changes_arrive_as_they_commit() {
    let mut fixture = Fixture::new().await;
    fixture.change(None, Some(&["1", "a"]));
    let mut raw = fixture.client().await;
    let columns = raw.open("vstream * from corder").await;
    assert_eq!(columns, ["op", "id", "sku"]);
    assert_eq!(next(&mut raw).await, "+ 1 a");
    fixture.change(Some(&["1", "a"]), Some(&["1", "b"]));
    assert_eq!(next(&mut raw).await, "* 1 b");
    fixture.change(Some(&["1", "b"]), None);
    assert_eq!(next(&mut raw).await, "- 1 b");
    fixture.door.close().await;
    assert_eq!(code(&end(&mut raw).await), 1053);
}

#[tokio::test]
async fn columns_come_at_once_and_in_the_order_written() {
    let mut fixture = Fixture::new().await;
    let mut raw = fixture.client().await;
    let text = "vstream _shard, sku as s, _ts, id, _pos from commerce.corder where pos > 'current'";
    let columns = raw.open(text).await;
    assert_eq!(columns, ["op", "_shard", "s", "_ts", "id", "_pos"], "before any change");
    fixture.change(None, Some(&["1", "a"]));
    let row = next(&mut raw).await;
    assert!(row.starts_with("+ 0 a 1001 1 "), "{row}");
    fixture.door.close().await;
}

#[tokio::test]
async fn limits_end_a_stream_in_order() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..10);
    let mut raw = fixture.client().await;
    let count = |answer: Answer| texts(&answer).len();
    assert_eq!(count(raw.query("vstream * from corder limit 3").await), 3);
    assert_eq!(count(raw.query("vstream * from corder limit 0").await), 0);
    assert!(is_ok(&raw.query("set sql_select_limit = 2").await));
    assert_eq!(count(raw.query("vstream * from corder limit 3").await), 2);
    assert_eq!(count(raw.query("vstream * from corder").await), 2);
    let answers = raw.queries("set workload = olap; vstream * from corder; select rows 1 1").await;
    assert_eq!(answers.len(), 3);
    assert!(is_ok(&raw.query("set sql_select_limit = default").await));
    let filtered = raw.query("vstream id from corder where id >= 4 and sku = 'SKU' limit 2").await;
    assert_eq!(texts(&filtered), ["+ 4", "+ 5"]);
    fixture.door.close().await;
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_an_error() {
    let fixture = Fixture::new().await;
    let mut raw = fixture.client().await;
    for (text, expected) in [
        ("vstream * from nowhere.corder", 1049),
        ("vstream * from missing", 1146),
        ("vstream missing from corder", 1054),
        ("vstream * from corder where pos > 'nonsense'", 1105),
        ("vstream * from corder where pos < ''", 1064),
    ] {
        let answer = raw.query(text).await;
        assert_eq!(code(&answer), expected, "{text}: {answer:?}");
    }
    assert!(is_ok(&raw.query("use `commerce@replica`").await));
    let Answer::Err { text, .. } = raw.query("vstream * from corder").await else { panic!() };
    assert_eq!(text, "vstream is supported only for primary tablet type, current type: REPLICA");
    assert!(is_ok(&raw.query("use commerce").await));
    assert!(is_ok(&raw.query("set workload = oltp").await));
    let Answer::Err { text, .. } = raw.query("vstream * from corder").await else { panic!() };
    assert_eq!(text, "VSTREAM needs WORKLOAD = OLAP; run SET WORKLOAD = 'OLAP' first");
    let mut homeless = Raw::login(fixture.door.address, &Login::default()).await;
    assert!(is_ok(&homeless.query("set workload = olap").await));
    assert_eq!(code(&homeless.query("vstream * from corder").await), 1046);
    fixture.door.close().await;
}

#[tokio::test]
async fn every_printed_position_resumes_behind_its_row() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..5);
    let mut raw = fixture.client().await;
    raw.open("vstream id, _pos from corder limit 12").await;
    let mut rows = Vec::new();
    for id in 0..12 {
        if id == 5 {
            fixture.insert(5..9);
            fixture.insert(9..12);
        }
        rows.push(next(&mut raw).await);
    }
    assert!(is_ok(&end(&mut raw).await));
    for (index, row) in rows.iter().enumerate() {
        let token = row.rsplit(' ').next().unwrap();
        let left = rows.len() - index - 1;
        let text = format!("vstream id, _pos from corder where pos > '{token}' limit {left}");
        let resumed = texts(&raw.query(&text).await);
        let ids = |rows: &[String]| -> Vec<String> {
            rows.iter().map(|row| row.split(' ').nth(1).unwrap().to_owned()).collect()
        };
        assert_eq!(ids(&resumed), ids(&rows[index + 1..]), "behind {row}");
    }
    fixture.door.close().await;
}

#[tokio::test]
async fn kill_query_ends_a_stream_and_the_session_goes_on() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let mut raw = fixture.client().await;
    let mut killer = fixture.client().await;
    for _ in 0..3 {
        raw.open("vstream * from corder").await;
        assert_eq!(next(&mut raw).await, "+ 0 sku");
        assert_eq!(texts(&killer.query("show vstreams").await).len(), 1);
        assert!(is_ok(&killer.query(&format!("kill query {}", raw.id)).await));
        assert_eq!(code(&end(&mut raw).await), 1317);
        check_alive(&mut raw).await;
        assert_eq!(texts(&killer.query("show vstreams").await).len(), 0);
    }
    raw.open("vstream * from corder").await;
    assert!(is_ok(&killer.query(&format!("kill {}", raw.id)).await));
    wait_for_connections(&mut killer, 1).await;
    fixture.door.close().await;
}

#[tokio::test]
async fn a_departed_client_frees_its_stream() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let mut watcher = fixture.client().await;
    let mut raw = fixture.client().await;
    raw.open("vstream * from corder").await;
    assert_eq!(next(&mut raw).await, "+ 0 sku");
    wait_for_info(&mut watcher, raw.id, "vstream * from corder").await;
    drop(raw);
    wait_for_connections(&mut watcher, 1).await;
    assert_eq!(texts(&watcher.query("show vstreams").await).len(), 0);
    fixture.door.close().await;
}

#[tokio::test]
async fn the_end_of_a_stream_waits_for_a_frozen_client_too() {
    let mut fixture = Fixture::new().await;
    let wide = "x".repeat(60_000);
    for id in 0..400 {
        fixture.change(None, Some(&[&id.to_string(), &wide]));
    }
    let mut frozen = fixture.client().await;
    assert!(is_ok(&frozen.query("set net_write_timeout = 1").await));
    frozen.open("vstream id, sku from corder limit 400").await;
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    for id in 0..400 {
        let row = frozen.row().await.expect("a row");
        assert_eq!(row[1].as_deref(), Some(id.to_string().as_bytes()));
    }
    assert!(is_ok(&end(&mut frozen).await));
    check_alive(&mut frozen).await;
    fixture.door.close().await;
}

#[tokio::test]
async fn changed_columns_end_the_result_and_say_where_to_resume() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let mut raw = fixture.client().await;
    raw.open("vstream * from corder").await;
    assert_eq!(next(&mut raw).await, "+ 0 sku");
    fixture.insert(1..2);
    assert_eq!(next(&mut raw).await, "+ 1 sku");
    fixture.add_column("note", &[&["0", "sku", "n"], &["1", "sku", "n"]]);
    fixture.change(None, Some(&["2", "sku", "new"]));
    let Answer::Err { code: 1412, text, .. } = end(&mut raw).await else { panic!() };
    let token = text.split('\'').nth(1).expect("the position to resume from");
    raw.open(&format!("vstream * from corder where pos > '{token}'")).await;
    assert_eq!(next(&mut raw).await, "+ 2 sku new");
    fixture.door.close().await;
}

/// Rows from before a column was added stand in today's columns; those of a column that is gone would
/// lose its cell there, and each shape gets a result set of its own.
#[tokio::test]
async fn rows_from_before_a_change_of_columns_are_shown() {
    let mut fixture = Fixture::new().await;
    fixture.insert(0..1);
    let mut raw = fixture.client().await;
    raw.open("vstream *, _pos from corder where pos > 'current'").await;
    fixture.insert(1..2);
    let first = raw.row().await.expect("a row");
    let token = String::from_utf8(first.last().cloned().flatten().unwrap()).unwrap();
    drop(raw);
    fixture.insert(2..3);
    fixture.add_column("note", &[]);
    fixture.change(None, Some(&["3", "sku", "new"]));
    let mut raw = fixture.client().await;
    let resume = format!("vstream * from corder where pos > '{token}'");
    raw.open(&resume).await;
    assert_eq!(next(&mut raw).await, "+ 2 sku NULL");
    assert_eq!(next(&mut raw).await, "+ 3 sku new");
    drop(raw);
    fixture.add_column("other", &[]);
    let mut raw = fixture.client().await;
    raw.open(&resume).await;
    assert_eq!(next(&mut raw).await, "+ 2 sku NULL");
    let Answer::Err { code: 1412, text, .. } = end(&mut raw).await else { panic!() };
    assert!(text.contains("SET vstream_result_sets = 'chain', then resume"), "{text}");
    assert!(is_ok(&raw.query("SET vstream_result_sets = 'chain'").await));
    let token = text.split('\'').nth(3).expect("the position to resume from");
    let columns = raw.open(&format!("vstream * from corder where pos > '{token}'")).await;
    assert_eq!(columns, ["op", "id", "sku", "note"]);
    assert_eq!(next(&mut raw).await, "+ 3 sku new");
    fixture.door.close().await;
}

#[tokio::test]
async fn a_purged_position_says_so() {
    let mut fixture = Fixture::new().await;
    for id in 0..10 {
        fixture.insert(id..id + 1);
    }
    let mut raw = fixture.client().await;
    let first = raw.query("vstream _pos from corder where pos > '07070707-0707-0707-0707-070707070707:1-2' limit 1").await;
    let token = texts(&first).remove(0);
    let token = token.split(' ').nth(1).unwrap();
    fixture.source.trim(2);
    let answer =
        raw.query(&format!("vstream _pos from corder where pos > '{token}' limit 1")).await;
    assert_eq!(code(&answer), 1236, "{answer:?}");
    let foreign = "vstream * from corder where pos > '09090909-0707-0707-0707-070707070707:1-2'";
    assert_eq!(code(&raw.query(foreign).await), 1236);
    check_alive(&mut raw).await;
    fixture.door.close().await;
}

#[tokio::test]
async fn a_frozen_client_delays_nobody() {
    let mut fixture = Fixture::new().await;
    let mut frozen = fixture.client().await;
    // It is not for streams, whose clients may sleep: below for longer than this.
    assert!(is_ok(&frozen.query("set net_write_timeout = 1").await));
    frozen.open("vstream * from corder").await;
    let mut live = Vec::new();
    for _ in 0..5 {
        let mut raw = fixture.client().await;
        raw.open("vstream * from corder").await;
        live.push(raw);
    }
    // More than all buffers between the two ends hold.
    let wide = "x".repeat(1_000);
    for id in 0..200_u32 {
        let schema = Arc::clone(&fixture.schema);
        let change = |part: u32| MemoryChange {
            schema: Arc::clone(&schema),
            before: None,
            after: Some(row(&[&(id * 100 + part).to_string(), &wide])),
        };
        fixture.commit(MemoryWork::Rows((0..100).map(change).collect()));
        if id % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for raw in &mut live {
        for _ in 0..20_000 {
            raw.row().await.expect("a row");
        }
    }
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    // The frozen one, awake again, has missed nothing; nobody waited for it.
    for id in 0..20_000_u32 {
        let row = frozen.row().await.expect("a row");
        assert_eq!(row[1].as_deref(), Some(id.to_string().as_bytes()));
    }
    fixture.door.close().await;
    let mut rest = Vec::new();
    let _ = frozen.socket.read_to_end(&mut rest).await;
}
