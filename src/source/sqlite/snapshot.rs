//! Tables as of one position: a read transaction in which the journal's end is read too.
//!
//! SQLite's write-ahead log gives the view, so the position is exact for all tables and nobody is
//! locked out. A view keeps the log from being reset, so views are few, and none outlives
//! `snapshot_age_max`: a thread of its own has it, reads two batches ahead of who wants them, and
//! lets go of it when the time is over, whether anybody reads or not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::Value as Stored;
use rusqlite::{Connection, params_from_iter};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::Reader;
use super::functions::SessionState;
use super::handover::{BrokeOff, Given, Giver, Taker, handover};
use super::registry::Live;
use super::{Store, condition, convert, corrupt, journal};
use crate::event::{GtidSet, RowsEvent, TableLastPk, TableName, TableSchema, row};
use crate::source::{BatchMax, Scan, Snapshot, SourceError};
use crate::sql::sqlite::{Table, quote};

/// Tables of a store as of one position.
pub(super) struct StoreSnapshot {
    position: GtidSet,
    tables: HashMap<TableName, Live>,
    age_max: Duration,
    /// To the thread that has the view, for as long as it has it.
    scans: mpsc::Sender<Ordered>,
    batches: Option<Taker<RowsEvent, SourceError>>,
    /// What the thread's connection runs for.
    session: Arc<SessionState>,
}

/// A scan to be made, and where its batches go.
type Ordered = (Work, Giver<RowsEvent, SourceError>);

impl StoreSnapshot {
    /// Opens a view of these tables, once there may be another one.
    pub(super) async fn open(store: Arc<Store>, names: &[TableName]) -> Result<Self, SourceError> {
        let (max, waited) = (store.config.snapshots_max, store.config.snapshot_wait_timeout);
        let reader = timeout(waited, store.snapshot_readers.take())
            .await
            .map_err(|_| SourceError::TooManySnapshots { max, waited })?
            .map_err(|error| corrupt("open a connection to the store's file", error))?;
        let session = Arc::new(SessionState::default());
        reader.opened().current.set(&session, session.kill_switch());
        let age_max = store.config.snapshot_age_max;
        let view = View { store, reader, deadline: Instant::now() + age_max, age_max };
        let (scans, orders) = mpsc::channel(1);
        let (opened, opening) = oneshot::channel();
        let names = names.to_vec();
        tokio::task::spawn_blocking(move || view.keep(&names, opened, orders));
        let (position, tables) = opening.await.map_err(|error| SourceError::Corrupt {
            context: "opening a view panicked".to_owned(),
            source: Some(Box::new(error)),
        })??;
        Ok(Self { position, tables, age_max, scans, batches: None, session })
    }
}

impl Drop for StoreSnapshot {
    fn drop(&mut self) {
        // The thread may be looking for its first row for long.
        self.session.kill();
    }
}

impl From<BrokeOff> for SourceError {
    fn from(_: BrokeOff) -> Self {
        Self::Corrupt { context: "a scan broke off before its end".to_owned(), source: None }
    }
}

/// A view on its thread.
struct View {
    store: Arc<Store>,
    reader: Reader,
    deadline: Instant,
    age_max: Duration,
}

/// What a view shows: up to where, and which tables.
type Opened = (GtidSet, HashMap<TableName, Live>);

impl View {
    /// Opens the view and scans as ordered, until nobody has orders or the time is over.
    fn keep(
        self,
        names: &[TableName],
        opened: oneshot::Sender<Result<Opened, SourceError>>,
        mut orders: mpsc::Receiver<Ordered>,
    ) {
        let connection = &self.reader.opened().connection;
        let found = view(connection, &self.store, names)
            .map(|(last, tables)| (self.store.shared.server.up_to(last), tables));
        let is_open = found.is_ok();
        if opened.send(found).is_err() || !is_open {
            return;
        }
        let next = |orders: &mut mpsc::Receiver<Ordered>| {
            Handle::current().block_on(timeout_at(self.deadline, orders.recv()))
        };
        let mut late = None;
        while late.is_none()
            && let Ok(Some((work, giver))) = next(&mut orders)
        {
            match work.run(connection, &giver, self.deadline) {
                Ok(Given::Late) => late = Some(giver),
                Ok(Given::Taken | Given::Unwanted) => giver.end(Ok(())),
                Err(error) => giver.end(Err(error)),
            }
        }
        // First the view goes, then it is told.
        let Self { reader, age_max, .. } = self;
        drop(reader);
        orders.close();
        let ordered = std::iter::from_fn(|| orders.try_recv().ok()).map(|(_, giver)| giver);
        for giver in late.into_iter().chain(ordered) {
            giver.end(Err(SourceError::SnapshotExpired(age_max)));
        }
    }
}

fn view(
    connection: &Connection,
    store: &Store,
    names: &[TableName],
) -> Result<(u64, HashMap<TableName, Live>), SourceError> {
    let failed = |error| corrupt("open a view of the store", error);
    connection.execute_batch("BEGIN").map_err(failed)?;
    let last = journal::extent(connection).map_err(failed)?.last;
    let (registry, mut tables) = (store.shared.registry(), HashMap::new());
    for name in names {
        let ours = *name.keyspace == *store.config.keyspace;
        // A table that was dropped meanwhile has no schema here, which says so.
        if let Some(live) = registry.find(connection, &name.table).map_err(failed)?
            && ours
        {
            tables.insert(name.clone(), live);
        }
    }
    Ok((last, tables))
}

#[async_trait]
impl Snapshot for StoreSnapshot {
    fn position(&self) -> &GtidSet {
        &self.position
    }

    fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.tables.get(table).map(|live| Arc::clone(&live.schema))
    }

    async fn scan(&mut self, scan: Scan) -> Result<(), SourceError> {
        let table = self
            .tables
            .get(&scan.table)
            .ok_or_else(|| SourceError::NoSuchTable(scan.table.clone()))?;
        let work = Work::new(table.clone(), &scan)?;
        // The scan before, if any, ends at its next batch.
        self.batches = None;
        let (giver, batches) = handover(BATCHES_WAITING);
        let ordered = self.scans.send((work, giver)).await;
        ordered.map_err(|_| SourceError::SnapshotExpired(self.age_max))?;
        self.batches = Some(batches);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<RowsEvent>, SourceError> {
        match &mut self.batches {
            Some(batches) => batches.next().await,
            None => Ok(None),
        }
    }
}

/// One scan, on its thread.
struct Work {
    schema: Arc<TableSchema>,
    sql: String,
    parameters: Vec<Stored>,
    batch: BatchMax,
    /// Without a unique key: rows with exactly these cells that were copied before.
    skip: Option<(Vec<u8>, u64)>,
}

impl Work {
    fn new(live: Live, scan: &Scan) -> Result<Self, SourceError> {
        let order = Order::new(&live.table);
        let columns: Vec<String> =
            live.schema.columns.iter().map(|column| quote(&column.name)).collect();
        let mut sql =
            format!("SELECT {} FROM {}", columns.join(", "), quote(&live.schema.name.table));
        let mut work = Self {
            sql: String::new(),
            parameters: Vec::new(),
            batch: scan.batch,
            skip: None,
            schema: Arc::clone(&live.schema),
        };
        let condition = scan.where_sql.as_ref();
        let condition = condition.and_then(|text| condition::translate(text, &live.schema));
        let mut terms: Vec<String> = condition.into_iter().collect();
        if let Some(after) = &scan.after {
            work.parameters = key_values(&live.schema, &order, after)?;
            if live.schema.key.is_empty() {
                terms.push(order.from(&work.parameters));
                work.skip = Some((after.cells.clone(), after.copies.max(1)));
            } else {
                terms.push(order.behind());
            }
        }
        if !terms.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&terms.join(" AND "));
        }
        work.sql = format!("{sql} ORDER BY {}", order.terms().join(", "));
        Ok(work)
    }

    /// Reads to the end, or until the reader does not take what waits for it.
    fn run(
        mut self,
        connection: &Connection,
        giver: &Giver<RowsEvent, SourceError>,
        deadline: Instant,
    ) -> Result<Given, SourceError> {
        let failed = |error| corrupt(&format!("read rows of {}", self.schema.name), error);
        let mut statement = connection.prepare(&self.sql).map_err(failed)?;
        let mut rows = statement.query(params_from_iter(self.parameters.iter())).map_err(failed)?;
        let mut event = RowsEvent::new(Arc::clone(&self.schema));
        let mut image = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let mut outcome = Ok(());
            let mut write = |image: &mut Vec<u8>| {
                for (index, column) in self.schema.columns.iter().enumerate() {
                    match row.get_ref(index) {
                        Ok(value) => convert::cell(column, value, image),
                        Err(error) => outcome = Err(error),
                    }
                }
            };
            if self.skip.is_none() {
                event.push(None, Some(&mut write));
            } else {
                image.clear();
                write(&mut image);
                if !skipped(&mut self.skip, &image) {
                    event.push_encoded(None, Some(&image));
                }
            }
            outcome.map_err(failed)?;
            if self.batch.is_met(&event) {
                let next = RowsEvent::new(Arc::clone(&self.schema));
                let full = std::mem::replace(&mut event, next);
                let given = giver.give_until(full, deadline);
                if given != Given::Taken {
                    return Ok(given);
                }
            }
        }
        if event.is_empty() {
            return Ok(Given::Taken);
        }
        Ok(giver.give_until(event, deadline))
    }
}

fn skipped(skip: &mut Option<(Vec<u8>, u64)>, image: &[u8]) -> bool {
    match skip {
        Some((cells, copies)) if *copies > 0 && cells == image => {
            *copies -= 1;
            true
        }
        _ => false,
    }
}

/// The order of a scan: each term over a row, and over the last key's parameters.
struct Order {
    columns: Vec<usize>,
    terms: Vec<(String, String)>,
}

impl Order {
    /// The key's order; without a key that of all columns, where equal texts are told apart by
    /// their bytes, so that the order is the same in each scan.
    fn new(table: &Table) -> Self {
        let keys = table.key_terms();
        let columns = keys.iter().map(|key| key.column).collect();
        let parameter = |place: usize| format!("?{}", place + 1);
        let mut terms: Vec<(String, String)> = keys
            .iter()
            .enumerate()
            .map(|(place, key)| (key.sql(), key.over(&parameter(place))))
            .collect();
        if table.schema().key.is_empty() {
            for (place, key) in keys.iter().enumerate() {
                let raw = quote(&table.columns[key.column].column.name);
                if terms[place].0 != raw {
                    terms.push((raw, parameter(place)));
                }
            }
        }
        Self { columns, terms }
    }

    fn terms(&self) -> Vec<&str> {
        self.terms.iter().map(|(row, _)| row.as_str()).collect()
    }

    /// Rows behind the parameters; no term is NULL.
    fn behind(&self) -> String {
        let keys: Vec<&str> = self.terms.iter().map(|(_, key)| key.as_str()).collect();
        format!("({}) > ({})", self.terms().join(", "), keys.join(", "))
    }

    /// Rows at the parameters or behind them, where NULL comes before everything else.
    fn from(&self, parameters: &[Stored]) -> String {
        self.terms.iter().enumerate().rev().fold("1".to_owned(), |rest, (place, (row, key))| {
            // The raw terms behind the first ones are over texts, which are compared as they are.
            let null = match self.columns.get(place) {
                Some(_) => parameters.get(place) == Some(&Stored::Null),
                None => false,
            };
            let greater =
                if null { format!("{row} IS NOT NULL") } else { format!("{row} > {key}") };
            format!("({greater} OR ({row} IS {key} AND {rest}))")
        })
    }
}

/// The last key in stored form, one value per column of the order.
fn key_values(
    schema: &TableSchema,
    order: &Order,
    after: &TableLastPk,
) -> Result<Vec<Stored>, SourceError> {
    let unfit = || SourceError::Corrupt {
        context: format!("the last key copied does not fit the key of {}", schema.name),
        source: None,
    };
    if after.columns.len() != order.columns.len() {
        return Err(unfit());
    }
    let mut rest = after.cells.as_slice();
    let mut values = Vec::with_capacity(order.columns.len());
    for (&column, name) in order.columns.iter().zip(&after.columns) {
        let column = &schema.columns[column];
        if !column.name.eq_ignore_ascii_case(name) {
            return Err(unfit());
        }
        let (cell, behind) = row::split_cell(rest).ok_or_else(unfit)?;
        rest = behind;
        values.push(convert::stored(column, cell));
    }
    if rest.is_empty() { Ok(values) } else { Err(unfit()) }
}

/// Batches that wait for the reader.
const BATCHES_WAITING: usize = 2;
