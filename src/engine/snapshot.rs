//! A shard's snapshots: taken at a position, caught up with, read table by table, and renewed.

use std::sync::Arc;

use tokio::time::Instant;

use crate::event::{Event, GtidSet, TableName, TableSchema};
use crate::source::{BatchMax, Scan, Snapshot, SourceError};

use super::batch::{BatchRows, Inside};
use super::copy::last_pk;
use super::feed::Wait;
use super::merge::StreamError;
use super::progress::{Progress, Sizes};
use super::shard::{Failure, Phase, ShardBatch, ShardStream, plan_error};
use super::throttle::Throttle;

/// A snapshot that is being read.
pub(super) struct View {
    pub(super) snapshot: Box<dyn Snapshot>,
    taken: Instant,
    /// The client has not been told the snapshot's position.
    moved: bool,
    /// Something was read of it: however old it is by then, the copy has come further.
    used: bool,
    table: Option<TableScan>,
}

struct TableScan {
    schema: Arc<TableSchema>,
    /// BEGIN and FIELD have not been sent.
    untold: bool,
}

impl ShardStream {
    pub(super) async fn take_snapshot(&mut self, fresh: bool) -> Result<(), Failure> {
        self.transaction.sought = false;
        // Whoever waits for a view needs no catch-up reader, which has a connection. The cursor rule
        // finds the place again.
        self.feed().leave();
        let seen = self.seen.clone();
        let limit = self.config.retry_delay_max;
        match tokio::time::timeout(limit, self.feed().reaches(&seen)).await {
            Ok(reached) => reached.map_err(|end| self.ended(end))?,
            Err(_) => return Err(behind(&seen)),
        }
        let keyspace = Arc::clone(&self.shard.keyspace);
        let name = |table: &Arc<str>| TableName {
            keyspace: Arc::clone(&keyspace),
            table: Arc::clone(table),
        };
        let names: Vec<_> = self.copy.unfinished().map(name).collect();
        let asked = self.config.seconds();
        let snapshot = self.source().snapshot(&names).await?;
        self.with_status(|status| status.viewed = asked);
        let source = Arc::clone(self.source());
        self.sizes.ask(&source, &names);
        if !snapshot.position().contains_set(&seen) {
            return Err(behind(&seen));
        }
        // A table made before the snapshot and after the list would be in neither. Those that are
        // named were on the list.
        if fresh && self.rules.match_more_than_named() && self.find_more_tables().await? {
            return Ok(());
        }
        let view = View { snapshot, taken: Instant::now(), moved: fresh, used: false, table: None };
        self.phase = if fresh { Phase::Copy(view) } else { Phase::CatchUp(view) };
        if let (true, Phase::Copy(view)) = (fresh, &self.phase) {
            self.seen = view.snapshot.position().clone();
        }
        Ok(())
    }

    async fn find_more_tables(&mut self) -> Result<bool, Failure> {
        let tables = self.source().tables().await?;
        let mut more = false;
        for schema in tables {
            let table = &schema.name.table;
            more |= self.rules.copies(table) && self.copy.add(table);
        }
        Ok(more)
    }

    pub(super) async fn catch_up(&mut self) -> Result<Option<ShardBatch>, Failure> {
        let Phase::CatchUp(view) = &self.phase else { return Ok(None) };
        if !self.seen.contains_set(view.snapshot.position()) {
            return self.read_changes().await;
        }
        self.tables.forget_told();
        let Phase::CatchUp(view) = std::mem::replace(&mut self.phase, Phase::Done) else {
            return Ok(None);
        };
        self.phase = Phase::Copy(view);
        Ok(None)
    }

    pub(super) async fn copy_rows(&mut self) -> Result<Option<ShardBatch>, Failure> {
        let max_age = self.config.copy_snapshot_max_age;
        let bytes = self.config.copy_batch_bytes;
        let rows = self.throttle.as_ref().map_or(usize::MAX, Throttle::batch_rows);
        let batch = BatchMax { bytes, rows };
        let Phase::Copy(view) = &mut self.phase else { return Ok(None) };
        if view.table.is_none() && self.copy.is_complete() {
            return Ok(Some(self.copy_completed()));
        }
        // Rows without a key cannot be placed as surely as others: they are read in one go.
        let may_renew = view.table.as_ref().is_none_or(|table| !table.schema.key.is_empty());
        if may_renew && view.used && view.taken.elapsed() >= max_age {
            self.phase = Phase::Snapshot { fresh: false };
            return Ok(None);
        }
        let Some(scan) = &mut view.table else {
            let Some(table) = self.copy.unfinished().next().cloned() else { return Ok(None) };
            let name = TableName { keyspace: Arc::clone(&self.shard.keyspace), table };
            if !view.snapshot.covers(&name) {
                self.phase = Phase::Snapshot { fresh: false };
                return Ok(None);
            }
            let Some(schema) = view.snapshot.schema(&name) else {
                // Dropped since the list was made; its DDL tells the client.
                self.copy.finish(&name.table);
                return Ok(None);
            };
            if !self.copy.fits(&schema) {
                return Err(StreamError::TableChanged {
                    shard: (*self.shard).clone(),
                    table: name.to_string(),
                    statement: "it has another key".to_owned(),
                }
                .into());
            }
            let after = self.copy.last_pk(&name.table).cloned();
            let bound = self.tables.bind(&self.rules, &schema);
            let bound = bound.map_err(|error| plan_error(&self.shard, &schema.name, &error))?;
            let condition = bound.plan.as_ref().and_then(|plan| plan.pushdown());
            let where_sql = condition.map(|condition| condition.to_string());
            let (table, is_whole) = (name.clone(), after.is_none() && where_sql.is_none());
            view.snapshot.scan(Scan { table: name, after, where_sql, batch }).await?;
            view.table = Some(TableScan { schema, untold: true });
            self.count_table(&table, is_whole);
            return Ok(None);
        };
        view.used = true;
        let rows = match view.snapshot.next().await? {
            Some(rows) if rows.is_empty() => return Ok(None),
            rows => rows,
        };
        let schema = rows.as_ref().map_or(&scan.schema, |rows| rows.schema());
        let schema = Arc::clone(schema);
        let untold = std::mem::take(&mut scan.untold);
        let moved = untold && std::mem::take(&mut view.moved);
        if rows.is_none() {
            view.table = None;
        }
        self.copy_batch(&schema, rows, untold, moved).map(Some).map_err(Failure::Stream)
    }

    /// `BEGIN FIELD [VGTID]` when a table begins, then rows or, at its end, none.
    fn copy_batch(
        &mut self,
        schema: &Arc<TableSchema>,
        rows: Option<crate::event::RowsEvent>,
        untold: bool,
        moved: bool,
    ) -> Result<ShardBatch, StreamError> {
        let bound = self.tables.bind(&self.rules, schema);
        let table = bound.map_err(|error| plan_error(&self.shard, &schema.name, &error))?;
        let plan = table.plan.clone().expect("only tables that a rule fits are copied");
        let mut batch = ShardBatch { events: vec![Event::Begin(0)], ..ShardBatch::default() };
        if untold {
            batch.events.push(Event::Field(Arc::clone(plan.output())));
            table.told = true;
            if moved {
                batch.events.push(self.vgtid());
            }
        }
        match rows {
            None => {
                if untold {
                    batch.events.push(Event::Begin(0));
                }
                self.copy.finish(&schema.name.table);
                self.with_status(|status| status.copy.as_mut().map(Progress::finish_table));
            }
            Some(rows) => {
                let previous = self.copy.last_pk(&schema.name.table).cloned();
                let count = rows.len();
                let row = |index| rows.change(index).and_then(|change| change.shown());
                let last = row(count - 1).expect("a scan's rows are inserts");
                let earlier = (0..count - 1).rev().filter_map(row);
                let pk = last_pk(schema, last, earlier, previous.as_ref());
                self.copy.advance(schema, pk);
                self.count_rows(count);
                batch.base = Some(self.position());
                let rows = crate::event::Rows::all(Arc::new(rows));
                batch.rows.push(BatchRows { rows: rows.clone(), plan, before: 0 });
                batch.inside = Inside::Copy { previous };
                batch.events.push(Event::Row(rows));
            }
        }
        batch.events.push(self.vgtid());
        batch.events.push(Event::Commit(0));
        Ok(batch)
    }

    /// A table's turn comes: what is known of its size.
    fn count_table(&mut self, table: &TableName, is_whole: bool) {
        self.count_sizes();
        let estimate = self.sizes.rows(table);
        self.with_status(|status| {
            if let Some(copy) = &mut status.copy {
                copy.begin(&table.table, estimate, is_whole);
            }
        });
    }

    /// Waits until the copy may read on.
    pub(super) async fn keep_rate(&mut self) {
        let due = self.throttle.as_ref().map(Throttle::due);
        if let Some(due) = due.filter(|due| *due > Instant::now()) {
            self.tell(Some(Wait::Rate));
            tokio::time::sleep_until(due).await;
        }
    }

    /// Rows were read.
    fn count_rows(&mut self, count: usize) {
        if let Some(throttle) = &mut self.throttle {
            throttle.spend(count);
        }
        self.count_sizes();
        if self.with_status(|status| status.copy.as_mut().is_some_and(|copy| copy.advance(count))) {
            self.log_copy();
        }
    }

    /// Takes what the source has told of the tables' sizes, if it just has.
    fn count_sizes(&mut self) {
        if !self.sizes.is_news() {
            return;
        }
        let size = |table: &Arc<str>| {
            let keyspace = Arc::clone(&self.shard.keyspace);
            let name = TableName { keyspace, table: Arc::clone(table) };
            self.sizes.rows(&name).unwrap_or(0)
        };
        let sizes: Vec<_> = self.copy.unfinished().map(|table| (table, size(table))).collect();
        self.with_status(|status| {
            let Some(copy) = &mut status.copy else { return };
            let table = copy.table().cloned();
            let is_current = |name: &Arc<str>| table.as_ref() == Some(name);
            let current = sizes.iter().find(|(name, _)| is_current(name)).map(|(_, rows)| *rows);
            let all: u64 = sizes.iter().map(|(_, rows)| rows).sum();
            copy.sized(all - current.unwrap_or(0), current);
        });
    }

    fn copy_completed(&mut self) -> ShardBatch {
        self.log_copied();
        self.sizes = Sizes::default();
        self.phase = Phase::Follow;
        self.tables.forget_told();
        let events = vec![Event::CopyCompleted(Some((*self.shard).clone()))];
        ShardBatch { events, ..ShardBatch::default() }
    }
}

/// A server that lacks what the client has seen cannot show its rows: they would be older.
fn behind(seen: &GtidSet) -> Failure {
    let context = format!("the server is behind {seen}, which the stream has seen");
    SourceError::Disconnected { context, source: None }.into()
}
