//! A scripted server in memory: tests, simulation and examples say what it commits, and when it
//! fails.
//!
//! It keeps its tables, so that snapshots are exact, and its whole log until [`MemorySource::trim`].
//! Keys of integers and of texts that compare by bytes are put in order as a server would. A scan's
//! `where_sql` is not evaluated: more rows than asked for come out, and the plan judges them again.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::event::{
    Cell, ColumnType, Ddl, Event, Gtid, GtidSet, Row, Rows, RowsEvent, TableLastPk, TableName,
    TableSchema, Timestamp, Unreadable,
};

use super::{
    BatchMax, Changes, Extent, Finding, Scan, Scope, Snapshot, Source, SourceError, Span, TableSize,
};

/// One change of one row, as encoded images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryChange {
    /// The table's shape when the row changed.
    pub schema: Arc<TableSchema>,
    /// The image before; none for an insert.
    pub before: Option<Vec<u8>>,
    /// The image after; none for a delete.
    pub after: Option<Vec<u8>>,
}

/// What is committed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryWork {
    /// A transaction.
    Rows(Vec<MemoryChange>),
    /// A statement, and the tables as it leaves them with all their rows; without a shape a table
    /// is gone.
    Ddl(Arc<Ddl>, Vec<(TableName, Option<MemoryTable>)>),
    /// A transaction whose rows cannot be shown.
    Unreadable(Arc<Unreadable>),
    /// Anything else that has a GTID.
    Other,
}

/// A table's shape and all its rows.
pub type MemoryTable = (Arc<TableSchema>, Vec<Vec<u8>>);

/// When a source fails, stalls and cuts; the default never does.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Seeds all of it.
    pub seed: u64,
    /// Of 1,000 reads so many fail.
    pub disconnects: u32,
    /// Each read takes up to so long.
    pub delay_max: Duration,
    /// Events or rows that one read brings at least, unless there are no more.
    pub batch_min: usize,
    /// Events or rows that one read brings at most.
    pub batch_max: usize,
    /// Of 1,000 snapshots so many may lack a transaction that an independent later one was quicker
    /// than, as on a server that does not commit in the order of its log.
    pub overtakings: u32,
    /// The server does not send its log, wherever from.
    pub refuses_log: bool,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            seed: 0,
            disconnects: 0,
            delay_max: Duration::ZERO,
            batch_min: 1,
            batch_max: 100,
            overtakings: 0,
            refuses_log: false,
        }
    }
}

/// A scripted server.
#[derive(Debug, Clone)]
pub struct MemorySource {
    name: Arc<str>,
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    state: Mutex<State>,
    committed: Notify,
}

#[derive(Debug)]
struct State {
    tables: BTreeMap<TableName, Arc<Table>>,
    log: Vec<Arc<Entry>>,
    executed: GtidSet,
    /// What the log no longer holds.
    trimmed: GtidSet,
    faults: Faults,
    random: fastrand::Rng,
    reads: u64,
}

#[derive(Debug)]
struct Entry {
    gtid: Gtid,
    timestamp: Timestamp,
    work: MemoryWork,
}

#[derive(Debug, Clone)]
struct Table {
    schema: Arc<TableSchema>,
    /// By key; equal rows of a table without key follow each other.
    rows: BTreeMap<Vec<SortCell>, Vec<Vec<u8>>>,
}

/// A cell as a server sorts it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SortCell {
    Null,
    Number(i128),
    Text(Vec<u8>),
}

impl MemorySource {
    /// A server without tables.
    pub fn new(name: &str) -> Self {
        let state = State {
            tables: BTreeMap::new(),
            log: Vec::new(),
            executed: GtidSet::new(),
            trimmed: GtidSet::new(),
            faults: Faults::default(),
            random: fastrand::Rng::with_seed(0),
            reads: 0,
        };
        let server = Server { state: Mutex::new(state), committed: Notify::new() };
        Self { name: name.into(), server: Arc::new(server) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.server.state()
    }

    /// Makes a table without a trace in the log.
    pub fn create_table(&self, schema: Arc<TableSchema>) {
        let table = Table { schema: Arc::clone(&schema), rows: BTreeMap::new() };
        self.state().tables.insert(schema.name.clone(), Arc::new(table));
    }

    /// Commits; the images before must be those of the tables.
    pub fn commit(&self, gtid: Gtid, timestamp: Timestamp, work: MemoryWork) {
        let mut state = self.state();
        state.apply(&work);
        state.executed.add(gtid);
        state.log.push(Arc::new(Entry { gtid, timestamp, work }));
        drop(state);
        self.server.committed.notify_waiters();
    }

    /// Forgets the oldest transactions but for the newest `keep`.
    pub fn trim(&self, keep: usize) {
        let mut state = self.state();
        let end = state.log.len().saturating_sub(keep);
        let gone: Vec<_> = state.log.drain(..end).collect();
        for entry in gone {
            state.trimmed.add(entry.gtid);
        }
    }

    /// From now on reads fail like this.
    pub fn set_faults(&self, faults: Faults) {
        let mut state = self.state();
        state.random = fastrand::Rng::with_seed(faults.seed);
        state.faults = faults;
    }

    /// From now on nothing fails; reads take and bring what they did.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.disconnects = 0;
        state.faults.overtakings = 0;
    }

    /// The rows of a table in key order.
    pub fn rows(&self, table: &TableName) -> Vec<Vec<u8>> {
        let state = self.state();
        let table = state.tables.get(table);
        table.map(|table| table.rows.values().flatten().cloned().collect()).unwrap_or_default()
    }

    /// A table's shape.
    pub fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.state().tables.get(table).map(|table| Arc::clone(&table.schema))
    }

    /// Everything committed by now.
    pub fn executed(&self) -> GtidSet {
        self.state().executed.clone()
    }

    /// How often changes were asked for: the reads that this server has had to serve.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics while holding a scripted server")
    }

    /// What the faults do to one read: how much it may bring.
    async fn read(&self) -> Result<usize, SourceError> {
        let (fails, delay, batch) = {
            let state = &mut *self.state();
            let delay_max = state.faults.delay_max.as_micros();
            let delay = state.random.u64(..=u64::try_from(delay_max).unwrap_or(u64::MAX));
            let max = state.faults.batch_max.max(1);
            let batch = state.random.usize(state.faults.batch_min.clamp(1, max)..=max);
            (state.random.u32(..1_000) < state.faults.disconnects, delay, batch)
        };
        if delay > 0 {
            tokio::time::sleep(Duration::from_micros(delay)).await;
        }
        if fails {
            let context = "the script broke the connection".to_owned();
            return Err(SourceError::Disconnected { context, source: None });
        }
        Ok(batch)
    }
}

impl State {
    fn apply(&mut self, work: &MemoryWork) {
        match work {
            MemoryWork::Rows(changes) => {
                for change in changes {
                    let table = self.tables.get_mut(&change.schema.name);
                    let table = table.expect("a script changes rows of tables that it made");
                    Arc::make_mut(table).apply(change);
                }
            }
            MemoryWork::Ddl(_, effects) => {
                for (name, table) in effects {
                    match table {
                        None => drop(self.tables.remove(name)),
                        Some((schema, rows)) => {
                            let mut table =
                                Table { schema: Arc::clone(schema), rows: BTreeMap::new() };
                            for row in rows {
                                table.insert(row);
                            }
                            self.tables.insert(name.clone(), Arc::new(table));
                        }
                    }
                }
            }
            MemoryWork::Unreadable(_) | MemoryWork::Other => {}
        }
    }

    /// A recent transaction that nothing later depends on, if the script wants one to be late.
    fn overtaken(&mut self) -> Option<Arc<Entry>> {
        if self.random.u32(..1_000) >= self.faults.overtakings {
            return None;
        }
        let back = self.random.usize(..OVERTAKEN_MAX);
        let at = self.log.len().checked_sub(1 + back)?;
        let (entry, later) = self.log.get(at..)?.split_first()?;
        let rows = entry.touched()?;
        let independent =
            |later: &Arc<Entry>| later.touched().is_some_and(|touched| touched.is_disjoint(&rows));
        later.iter().all(independent).then(|| Arc::clone(entry))
    }
}

impl Entry {
    /// The rows that a transaction changes; none for anything else.
    fn touched(&self) -> Option<BTreeSet<(&TableName, Vec<SortCell>)>> {
        let MemoryWork::Rows(changes) = &self.work else { return None };
        let keys = changes.iter().flat_map(|change| {
            let images = [&change.before, &change.after].into_iter().flatten();
            images.map(|row| (&change.schema.name, sort_key(&change.schema, row)))
        });
        Some(keys.collect())
    }

    /// Makes the tables what they are without this transaction, on which nothing later depends.
    fn undo(&self, tables: &mut BTreeMap<TableName, Arc<Table>>) {
        let MemoryWork::Rows(changes) = &self.work else { return };
        for change in changes.iter().rev() {
            if let Some(table) = tables.get_mut(&change.schema.name) {
                Arc::make_mut(table).apply(&MemoryChange {
                    schema: Arc::clone(&change.schema),
                    before: change.after.clone(),
                    after: change.before.clone(),
                });
            }
        }
    }
}

impl Table {
    fn apply(&mut self, change: &MemoryChange) {
        if let Some(before) = &change.before {
            let key = sort_key(&self.schema, before);
            let rows = self.rows.get_mut(&key).expect("a script removes rows that are there");
            let at = rows.iter().position(|row| row == before);
            rows.swap_remove(at.expect("a script's images are those of the table"));
            if rows.is_empty() {
                self.rows.remove(&key);
            }
        }
        if let Some(after) = &change.after {
            self.insert(after);
        }
    }

    fn insert(&mut self, row: &[u8]) {
        self.rows.entry(sort_key(&self.schema, row)).or_default().push(row.to_vec());
    }
}

fn sort_cell(schema: &TableSchema, column: usize, cell: Cell<'_>) -> SortCell {
    let Some(bytes) = cell.bytes() else { return SortCell::Null };
    let number = matches!(
        schema.columns.get(column).map(|column| &column.column_type),
        Some(ColumnType::Int { .. })
    );
    let parsed = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    match parsed {
        Some(value) if number => SortCell::Number(value),
        _ => SortCell::Text(bytes.to_vec()),
    }
}

fn key_columns(schema: &TableSchema) -> Vec<usize> {
    if schema.key.is_empty() { (0..schema.columns.len()).collect() } else { schema.key.clone() }
}

fn sort_key(schema: &TableSchema, row: &[u8]) -> Vec<SortCell> {
    let cells: Vec<_> = Row::new(row, None).cells().collect();
    let cell = |column: usize| cells.get(column).copied().unwrap_or(Cell::Null);
    key_columns(schema).into_iter().map(|column| sort_cell(schema, column, cell(column))).collect()
}

#[async_trait]
impl Source for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn preflight(&self) -> Result<Vec<Finding>, SourceError> {
        Ok(Vec::new())
    }

    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError> {
        self.server.read().await?;
        Ok(self.state().tables.values().map(|table| Arc::clone(&table.schema)).collect())
    }

    async fn extent(&self, tables: &[TableName]) -> Result<Extent, SourceError> {
        let size = |name: &TableName| {
            let rows = self.rows(name);
            let bytes = rows.iter().map(Vec::len).sum::<usize>() as u64;
            (name.clone(), TableSize { rows: rows.len() as u64, bytes })
        };
        Ok(Extent { tables: tables.iter().map(size).collect(), changes_kept: None })
    }

    async fn position(&self) -> Result<GtidSet, SourceError> {
        self.server.read().await?;
        Ok(self.executed())
    }

    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError> {
        self.server.read().await?;
        let mut state = self.state();
        state.reads += 1;
        if !state.executed.contains_set(&span.start) {
            return Err(SourceError::Future {
                position: span.start,
                current: state.executed.clone(),
            });
        }
        if state.faults.refuses_log {
            return Err(SourceError::LogRefused {
                server: self.name.to_string(),
                position: span.start,
                message: "the script refuses its log".to_owned(),
            });
        }
        if !span.start.contains_set(&state.trimmed) {
            return Err(SourceError::Purged {
                position: span.start,
                oldest: state.trimmed.clone(),
            });
        }
        Ok(Box::new(MemoryChanges {
            server: Arc::clone(&self.server),
            seen: span.start,
            until: span.until,
            scope,
            told: BTreeMap::new(),
            pending: Vec::new(),
            place: None,
        }))
    }

    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError> {
        self.server.read().await?;
        let mut state = self.state();
        let mut position = state.executed.clone();
        let wanted: BTreeSet<_> = tables.iter().collect();
        let tables = state.tables.iter().filter(|(name, _)| wanted.contains(name));
        let mut tables: BTreeMap<_, _> =
            tables.map(|(name, table)| (name.clone(), Arc::clone(table))).collect();
        if let Some(late) = state.overtaken() {
            let mut gtid = GtidSet::new();
            gtid.add(late.gtid);
            position = position.subtract(&gtid);
            late.undo(&mut tables);
        }
        drop(state);
        let server = Arc::clone(&self.server);
        Ok(Box::new(MemorySnapshot { server, position, tables, scan: None }))
    }
}

/// A run of changes of a scripted server.
#[derive(Debug)]
struct MemoryChanges {
    server: Arc<Server>,
    seen: GtidSet,
    until: Option<GtidSet>,
    scope: Scope,
    told: BTreeMap<TableName, Arc<TableSchema>>,
    /// Events of a transaction that were not taken yet, newest first.
    pending: Vec<Event>,
    /// Where the log was left: the trimmed set's size may change, the last transaction does not.
    place: Option<Gtid>,
}

#[async_trait]
impl Changes for MemoryChanges {
    async fn next(&mut self) -> Result<Option<Vec<Event>>, SourceError> {
        loop {
            let server = Arc::clone(&self.server);
            let committed = server.committed.notified();
            tokio::pin!(committed);
            committed.as_mut().enable();
            if self.pending.is_empty() {
                if self.until.as_ref().is_some_and(|until| self.seen.contains_set(until)) {
                    return Ok(None);
                }
                self.load()?;
            }
            if self.pending.is_empty() {
                committed.await;
                continue;
            }
            let batch = self.server.read().await?;
            let keep = self.pending.len().saturating_sub(batch);
            let mut events = self.pending.split_off(keep);
            events.reverse();
            return Ok(Some(events));
        }
    }
}

impl MemoryChanges {
    /// Loads the next transactions that were not seen, if there are any.
    fn load(&mut self) -> Result<(), SourceError> {
        let server = Arc::clone(&self.server);
        let state = server.state();
        if !self.seen.contains_set(&state.trimmed) {
            let (position, oldest) = (self.seen.clone(), state.trimmed.clone());
            return Err(SourceError::Purged { position, oldest });
        }
        let place = self.place;
        let after = state.log.iter().rposition(|entry| Some(entry.gtid) == place);
        let unseen = state.log.iter().skip(after.map_or(0, |at| at + 1));
        let mut events = Vec::new();
        for entry in unseen {
            self.place = Some(entry.gtid);
            if !self.seen.contains(&entry.gtid) {
                self.seen.add(entry.gtid);
                self.write(entry, &mut events);
            }
            if events.len() > EVENTS_LOADED {
                break;
            }
        }
        events.reverse();
        self.pending = events;
        Ok(())
    }

    fn write(&mut self, entry: &Entry, events: &mut Vec<Event>) {
        events.push(Event::Gtid(entry.gtid));
        match &entry.work {
            MemoryWork::Other => events.push(Event::Other(entry.timestamp)),
            MemoryWork::Unreadable(unreadable) => events.extend([
                Event::Begin(entry.timestamp),
                Event::Unreadable(Arc::clone(unreadable)),
                Event::Commit(entry.timestamp),
            ]),
            MemoryWork::Ddl(ddl, _) => events.push(Event::Ddl(Arc::clone(ddl))),
            MemoryWork::Rows(changes) => {
                events.push(Event::Begin(entry.timestamp));
                for run in changes.chunk_by(|a, b| Arc::ptr_eq(&a.schema, &b.schema)) {
                    self.write_rows(run, events);
                }
                events.push(Event::Commit(entry.timestamp));
            }
        }
    }

    fn write_rows(&mut self, run: &[MemoryChange], events: &mut Vec<Event>) {
        let Some(schema) = run.first().map(|change| &change.schema) else { return };
        if !self.scope.has(&schema.name) {
            return;
        }
        let told = self.told.get(&schema.name).is_some_and(|told| Arc::ptr_eq(told, schema));
        if !told {
            self.told.insert(schema.name.clone(), Arc::clone(schema));
            events.push(Event::Field(Arc::clone(schema)));
        }
        for statement in run.chunks(ROWS_PER_EVENT) {
            let mut rows = RowsEvent::new(Arc::clone(schema));
            for change in statement {
                rows.push_encoded(change.before.as_deref(), change.after.as_deref());
            }
            events.push(Event::Row(Rows::all(Arc::new(rows))));
        }
    }
}

/// So many of the newest transactions may be the one that a snapshot lacks.
const OVERTAKEN_MAX: usize = 4;

/// Events after which loading pauses until they were taken.
const EVENTS_LOADED: usize = 100;

/// Row changes that one event holds at most.
const ROWS_PER_EVENT: usize = 3;

/// Tables of a scripted server as of one position.
#[derive(Debug)]
struct MemorySnapshot {
    server: Arc<Server>,
    position: GtidSet,
    tables: BTreeMap<TableName, Arc<Table>>,
    scan: Option<Scanning>,
}

#[derive(Debug)]
struct Scanning {
    table: Arc<Table>,
    /// The last key read, and how many rows that have it.
    after: Option<(Vec<SortCell>, usize)>,
    batch: BatchMax,
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    fn position(&self) -> &GtidSet {
        &self.position
    }

    fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.tables.get(table).map(|table| Arc::clone(&table.schema))
    }

    async fn scan(&mut self, scan: Scan) -> Result<(), SourceError> {
        self.server.read().await?;
        let table = self.tables.get(&scan.table).cloned();
        let table = table.ok_or(SourceError::NoSuchTable(scan.table))?;
        let after = scan.after.map(|pk| after_key(&table.schema, &pk));
        self.scan = Some(Scanning { table, after, batch: scan.batch });
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<RowsEvent>, SourceError> {
        let batch = self.server.read().await?;
        let Some(scan) = &mut self.scan else { return Ok(None) };
        let batch = batch.min(scan.batch.rows);
        let table = Arc::clone(&scan.table);
        let mut rows = RowsEvent::new(Arc::clone(&table.schema));
        let begin = match &scan.after {
            Some((key, _)) => Bound::Included(key.clone()),
            None => Bound::Unbounded,
        };
        for (key, equal) in table.rows.range((begin, Bound::Unbounded)) {
            let done = match &scan.after {
                Some((after, copies)) if after == key => *copies,
                _ => 0,
            };
            for (index, row) in equal.iter().enumerate().skip(done) {
                if rows.len() >= batch {
                    return Ok(Some(rows));
                }
                rows.push_encoded(None, Some(row));
                scan.after = Some((key.clone(), index + 1));
            }
        }
        Ok((!rows.is_empty()).then_some(rows))
    }
}

fn after_key(schema: &TableSchema, pk: &TableLastPk) -> (Vec<SortCell>, usize) {
    let cells = Row::new(&pk.cells, None).cells();
    let key = key_columns(schema)
        .into_iter()
        .zip(cells)
        .map(|(column, cell)| sort_cell(schema, column, cell))
        .collect();
    (key, usize::try_from(pk.copies).unwrap_or(usize::MAX))
}
