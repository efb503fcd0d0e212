//! The store below its statements: raw writes, as the writer's triggers see them.

use super::functions::SessionState;
use super::*;
use crate::event::{CollationId, Column, ColumnType, Event, Op};
use crate::source::{BatchMax, Scan};
use crate::sql::sqlite::{self, ColumnDefinition, Fault, Index, IndexPart, Translated};

fn column(name: &str, column_type: ColumnType) -> ColumnDefinition {
    let declared = "bigint".into();
    let column = Column { declared, ..Column::plain(name, column_type, CollationId::BINARY) };
    ColumnDefinition {
        column,
        default: sqlite::Default::Null,
        on_update_now: false,
        generated: None,
        comment: String::new(),
    }
}

fn table(name: &str, keyed: bool) -> Arc<Table> {
    let bigint = ColumnType::Int { bytes: 8, unsigned: false };
    let part = IndexPart { column: 0, prefix: None, descending: false };
    let primary = Index { name: "PRIMARY".to_owned(), unique: true, parts: vec![part] };
    Arc::new(Table {
        name: TableName::new("test", name),
        columns: vec![column("id", bigint.clone()), column("v", bigint)],
        indexes: if keyed { vec![primary] } else { Vec::new() },
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        comment: String::new(),
        collation: CollationId::UTF8MB4_0900_AI_CI,
        auto_increment: 1,
    })
}

struct Fixture {
    store: Arc<Store>,
    session: Arc<SessionState>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new(tables: &[Arc<Table>]) -> Self {
        Self::with(tables, StoreConfig::default()).await
    }

    async fn with(tables: &[Arc<Table>], config: StoreConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = StoreConfig { keyspace: "test".to_owned(), ..config };
        let store = Store::open(directory.path(), config).await.unwrap();
        let session = Arc::new(SessionState::default());
        for table in tables {
            let statement = Translated::CreateTable {
                table: Arc::clone(table),
                if_not_exists: false,
                fill: None,
            };
            let mut writer = store.writer.lock().await;
            ddl::run(&mut writer, &statement, "CREATE", &session).unwrap();
        }
        Self { store, session, _directory: directory }
    }

    /// One transaction; each statement may fail without ending it.
    async fn transaction(&self, statements: &[&str]) -> Vec<Result<(), Fault>> {
        let mut writer = self.store.writer.lock().await;
        writer.begin().unwrap();
        let outcomes = statements
            .iter()
            .map(|sql| {
                if sql.contains("SAVEPOINT") {
                    return writer.execute(sql);
                }
                writer.atomically(&self.session, |writer| writer.execute(sql))
            })
            .collect();
        writer.commit().unwrap();
        outcomes
    }

    async fn after(&self, start: GtidSet) -> Vec<Event> {
        let source = self.store.source();
        let until = Some(source.position().await.unwrap());
        let mut changes = source.changes(Span { start, until }, Scope::all()).await.unwrap();
        let mut events = Vec::new();
        while let Some(more) = changes.next().await.unwrap() {
            events.extend(more);
        }
        events
    }
}

fn cells(row: crate::event::Row<'_>) -> String {
    let cells: Vec<_> = row
        .cells()
        .map(|cell| cell.bytes().map_or("NULL".into(), String::from_utf8_lossy))
        .collect();
    cells.join(",")
}

fn print(events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        match event {
            Event::Row(rows) => lines.extend(rows.changes().map(|change| {
                let before = change.before.filter(|_| change.op() == Op::Update);
                let before = before.map_or(String::new(), |row| format!("{} -> ", cells(row)));
                format!("{} {before}{}", change.op().symbol(), cells(change.shown().unwrap()))
            })),
            Event::Begin(_) => lines.push("begin".to_owned()),
            Event::Commit(_) => lines.push("commit".to_owned()),
            Event::Ddl(ddl) => lines.push(format!("ddl {}", ddl.statement)),
            Event::Field(schema) => lines.push(format!("field {}", schema.name)),
            _ => {}
        }
    }
    lines
}

#[tokio::test]
async fn a_transaction_is_what_its_statements_changed() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    let outcomes = fixture
        .transaction(&[
            "INSERT INTO t VALUES (1, 10), (2, 20)",
            "UPDATE t SET v = v + (id = 1)",
            "INSERT INTO t VALUES (3, 30), (1, 1)",
            "SAVEPOINT a",
            "DELETE FROM t",
            "ROLLBACK TO SAVEPOINT a",
            "REPLACE INTO t VALUES (2, 21)",
        ])
        .await;
    assert!(outcomes[2].is_err());
    let events = fixture.after(GtidSet::default()).await;
    assert_eq!(
        print(&events),
        [
            "ddl CREATE",
            "begin",
            "field test.t",
            "+ 1,10",
            "+ 2,20",
            "* 1,10 -> 1,11",
            "- 2,20",
            "+ 2,21",
            "commit",
        ]
    );
}

#[tokio::test]
async fn nothing_written_is_no_transaction() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    let before = fixture.store.position();
    fixture.transaction(&["UPDATE t SET v = 1", "DELETE FROM t"]).await;
    assert_eq!(fixture.store.position(), before);
}

#[tokio::test]
async fn every_position_resumes() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    for id in 0..9 {
        fixture.transaction(&[&format!("INSERT INTO t VALUES ({id}, 0)")]).await;
    }
    for seen in 1..=10 {
        let start = fixture.store.shared.server.up_to(seen);
        let inserts = print(&fixture.after(start).await);
        let rows = inserts.iter().filter(|line| line.starts_with('+')).count();
        assert_eq!(rows as u64, 10 - seen);
    }
}

#[tokio::test]
async fn a_reader_waits_for_the_next_commit() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    let span = Span { start: fixture.store.position(), until: None };
    let scope = Scope::tables([TableName::new("test", "t")]);
    let mut changes = fixture.store.source().changes(span, scope).await.unwrap();
    let (next, _) =
        tokio::join!(changes.next(), fixture.transaction(&["INSERT INTO t VALUES (1, 1)"]));
    assert_eq!(print(&next.unwrap().unwrap()), ["begin", "field test.t", "+ 1,1", "commit"]);
}

#[tokio::test]
async fn a_trimmed_position_is_purged_and_an_unknown_one_is_in_the_future() {
    let config = StoreConfig { journal_bytes_max: 200, ..StoreConfig::default() };
    let fixture = Fixture::with(&[table("t", true)], config).await;
    for id in 0..50 {
        fixture.transaction(&[&format!("INSERT INTO t VALUES ({id}, 0)")]).await;
    }
    let source = fixture.store.source();
    let span = |start| Span { start, until: None };
    let purged = source.changes(span(GtidSet::default()), Scope::all()).await.err().unwrap();
    let SourceError::Purged { oldest, .. } = purged else { panic!("{purged}") };
    let until = Some(fixture.store.position());
    let mut changes = source.changes(Span { start: oldest, until }, Scope::all()).await.unwrap();
    assert!(changes.next().await.unwrap().is_some());
    let future = fixture.store.shared.server.up_to(1000);
    let error = source.changes(span(future), Scope::all()).await.err().unwrap();
    assert!(matches!(error, SourceError::Future { .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_opens_trims_what_is_too_much() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    for id in 0..20 {
        fixture.transaction(&[&format!("INSERT INTO t VALUES ({id}, 0)")]).await;
    }
    let Fixture { store, session, _directory: directory } = fixture;
    drop((store, session));
    let config = StoreConfig {
        keyspace: "test".to_owned(),
        journal_bytes_max: 200,
        ..StoreConfig::default()
    };
    let store = Store::open(directory.path(), config).await.unwrap();
    let span = Span { start: GtidSet::default(), until: None };
    let purged = store.source().changes(span, Scope::all()).await.err().unwrap();
    assert!(matches!(purged, SourceError::Purged { .. }), "{purged}");
}

#[tokio::test]
async fn a_scan_resumes_behind_every_row() {
    let fixture = Fixture::new(&[table("t", true), table("free", false)]).await;
    fixture
        .transaction(&[
            "INSERT INTO t VALUES (5, 0), (1, NULL), (-3, 2), (10, 10)",
            "INSERT INTO free VALUES (5, 0), (1, NULL), (1, NULL), (NULL, 1), (1, 7), (5, 0)",
        ])
        .await;
    for (name, columns, expected) in [("t", &["id"][..], &["-3,2", "1,NULL", "5,0", "10,10"][..])] {
        let name = TableName::new("test", name);
        let mut snapshot =
            fixture.store.source().snapshot(std::slice::from_ref(&name)).await.unwrap();
        assert_eq!(*snapshot.position(), fixture.store.position());
        let mut after = None;
        for place in 0..=expected.len() {
            let scan = Scan {
                table: name.clone(),
                after: after.clone(),
                where_sql: None,
                batch: BatchMax::bytes(1),
            };
            snapshot.scan(scan).await.unwrap();
            let mut rows = Vec::new();
            while let Some(event) = snapshot.next().await.unwrap() {
                rows.extend(
                    event.changes(0..event.len()).map(|change| cells(change.after.unwrap())),
                );
            }
            assert_eq!(rows, expected[place..], "{name} after {place}");
            let Some(row) = expected.get(place) else { break };
            after = Some(last_pk(&name, columns, row, &expected[..=place]));
        }
    }
}

fn last_pk(
    name: &TableName,
    columns: &[&str],
    row: &str,
    seen: &[&str],
) -> crate::event::TableLastPk {
    let mut cells = Vec::new();
    for (cell, _) in row.split(',').zip(columns) {
        match cell {
            "NULL" => crate::event::row::push_null(&mut cells),
            text => crate::event::row::push_cell(&mut cells, text.as_bytes()),
        }
    }
    crate::event::TableLastPk {
        table: Arc::clone(&name.table),
        columns: columns.iter().map(|&column| column.into()).collect(),
        cells,
        copies: seen.iter().filter(|other| **other == row).count() as u64,
    }
}

/// Whether the write-ahead log can be emptied: no view holds its pages.
async fn is_log_free(store: &Store) -> bool {
    let writer = store.writer.lock().await;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    writer.connection().busy_timeout(std::time::Duration::ZERO).unwrap();
    let busy: i64 = writer.connection().query_row(checkpoint, [], |row| row.get(0)).unwrap();
    busy == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_is_held_for_too_long_is_given_up() {
    let age_max = Duration::from_millis(300);
    let config = StoreConfig { snapshot_age_max: age_max, ..StoreConfig::default() };
    let fixture = Fixture::with(&[table("t", true)], config).await;
    for id in 0..50 {
        fixture.transaction(&[&format!("INSERT INTO t VALUES ({id}, 0)")]).await;
    }
    let name = TableName::new("test", "t");
    for scans in [false, true] {
        let source = fixture.store.source();
        let mut snapshot = source.snapshot(std::slice::from_ref(&name)).await.unwrap();
        let scan = || Scan {
            table: name.clone(),
            after: None,
            where_sql: None,
            batch: BatchMax::bytes(1),
        };
        if scans {
            snapshot.scan(scan()).await.unwrap();
            assert_eq!(snapshot.next().await.unwrap().unwrap().len(), 1);
        }
        fixture.transaction(&["UPDATE t SET v = v + 1"]).await;
        assert!(!is_log_free(&fixture.store).await, "the view is held");
        // Nobody reads from it.
        let free = async {
            while !is_log_free(&fixture.store).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), free).await.expect("the view is given up");
        let error = if scans {
            loop {
                match snapshot.next().await {
                    Ok(rows) => assert!(rows.is_some(), "not the table's end"),
                    Err(error) => break error,
                }
            }
        } else {
            snapshot.scan(scan()).await.unwrap_err()
        };
        assert!(matches!(error, SourceError::SnapshotExpired(age) if age == age_max), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_store_tells_the_time() {
    let fixture = Fixture::new(&[table("t", true)]).await;
    let span = Span { start: fixture.store.position(), until: None };
    let mut changes = fixture.store.source().changes(span, Scope::all()).await.unwrap();
    let before = crate::source::now_seconds();
    let beat = tokio::time::timeout(Duration::from_secs(20), changes.next()).await;
    let beat = beat.expect("it does not stay silent").unwrap().unwrap();
    assert!(matches!(*beat, [Event::Heartbeat(time)] if time >= before), "{beat:?}");
    fixture.transaction(&["INSERT INTO t VALUES (1, 1)"]).await;
    let next = changes.next().await.unwrap().unwrap();
    assert_eq!(print(&next), ["begin", "field test.t", "+ 1,1", "commit"]);
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let fixture = Fixture::new(&[]).await;
    let config = StoreConfig { keyspace: "test".to_owned(), ..StoreConfig::default() };
    let error = Store::open(fixture._directory.path(), config).await.err().unwrap();
    let OpenError::InUse { pid, .. } = &error else { panic!("{error}") };
    assert_eq!(*pid, Some(std::process::id()));
}
