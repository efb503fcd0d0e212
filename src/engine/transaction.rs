//! A source's transaction as the client sees it: which rows, from where on, and in what order.

use std::ops::Range;
use std::sync::Arc;

use crate::event::{Ddl, Event, Partial, Rows, RowsEvent, TableName, Timestamp, Unreadable};
use crate::source::SourceError;

use super::batch::{BatchRows, Inside};
use super::copy::Visible;
use super::log::Part;
use super::merge::StreamError;
use super::shard::{ShardBatch, ShardStream, plan_error};

/// The transaction being handed out.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// BEGIN was sent and COMMIT was not.
    open: bool,
    /// When it was committed.
    timestamp: Timestamp,
    /// Row changes of the stream's tables read of it since its beginning.
    counted: u64,
    /// The statement of the rows that come next.
    query: Option<Arc<str>>,
    /// Another transaction was passed over, so the place in the log is beyond it.
    pub sought: bool,
}

impl Transaction {
    pub const fn is_between(&self) -> bool {
        !self.open
    }
}

impl ShardStream {
    /// Hands out a part of the transaction that is in progress, or of a new one.
    pub(super) fn hand_out(&mut self, part: &Part) -> Result<Option<ShardBatch>, StreamError> {
        if !self.copy.is_complete() {
            self.meet_tables(part);
        }
        let mut batch = ShardBatch {
            base: Some(self.position()),
            inside: Inside::Transaction { gtid: part.gtid },
            ..ShardBatch::default()
        };
        if part.first {
            self.transaction.counted = 0;
            self.transaction.query = None;
            self.copy.begin();
        }
        for event in &part.events {
            match event {
                Event::Begin(time) => self.transaction.timestamp = *time,
                Event::Row(rows) => self.rows(rows, part, &mut batch)?,
                Event::RowsQuery(query) => self.transaction.query = Some(Arc::clone(query)),
                Event::Unreadable(unreadable) => self.refuse_unreadable(unreadable)?,
                Event::Journal(_) => {
                    if self.flags.include_reshard_journal_events || self.flags.stop_on_reshard {
                        self.open(&mut batch);
                        batch.events.push(event.clone());
                    }
                }
                Event::Commit(time) => self.commit(*time, part, &mut batch)?,
                Event::Ddl(ddl) => self.ddl(ddl, part, &mut batch)?,
                Event::Other(time) => {
                    self.complete(part);
                    batch.timestamp = *time;
                    batch.events.extend([self.vgtid(), Event::Other(*time)]);
                }
                Event::Gtid(_)
                | Event::Field(_)
                | Event::Vgtid(_)
                | Event::Heartbeat(_)
                | Event::CopyCompleted(_) => {}
            }
        }
        if !part.last && self.transaction.open {
            let before = self.partial.as_ref().map_or(0, |partial| partial.changes);
            let changes = self.transaction.counted.max(before);
            self.partial = Some(Partial { gtid: part.gtid, changes });
            batch.open = true;
        }
        if batch.timestamp == 0 {
            batch.timestamp = self.transaction.timestamp;
        }
        Ok((!batch.events.is_empty()).then_some(batch))
    }

    fn meet_tables(&mut self, part: &Part) {
        for event in &part.events {
            if let Event::Row(rows) = event
                && let table = &rows.event.schema().name.table
                && self.rules.rule(table).is_some()
            {
                self.copy.meet(table);
            }
        }
    }

    fn open(&mut self, batch: &mut ShardBatch) {
        if !self.transaction.open {
            self.transaction.open = true;
            batch.events.push(Event::Begin(self.transaction.timestamp));
        }
    }

    fn rows(
        &mut self,
        rows: &Rows,
        part: &Part,
        batch: &mut ShardBatch,
    ) -> Result<(), StreamError> {
        let schema = rows.event.schema();
        let table = self
            .tables
            .bind(&self.rules, schema)
            .map_err(|error| plan_error(&self.shard, &schema.name, &error))?;
        let Some(plan) = table.plan.clone() else { return Ok(()) };
        let shape = table.key_shape;
        let before = self.transaction.counted;
        self.transaction.counted += rows.range.len() as u64;
        let sent = self.partial.as_ref().filter(|partial| partial.gtid == part.gtid);
        let sent = sent.map_or(0, |partial| partial.changes).saturating_sub(before);
        let sent = usize::try_from(sent).unwrap_or(usize::MAX).min(rows.range.len());
        let first_unsent = rows.range.start + sent;
        if sent > 0 {
            // Their statement was told before them.
            self.transaction.query = None;
        }
        let number = |index: usize| before + (index - rows.range.start) as u64;
        if self.copy.sees_all(&schema.name.table) {
            let unsent = first_unsent..rows.range.end;
            let number = number(first_unsent);
            let rows = Rows { event: Arc::clone(&rows.event), range: unsent };
            self.push_rows(BatchRows { rows, plan, before: number }, batch);
            return Ok(());
        }
        let mut run: Range<usize> = first_unsent..first_unsent;
        for index in rows.range.clone() {
            let Some(change) = rows.event.change(index) else { break };
            // What was sent before is judged all the same: it counts copies.
            let visible = self.copy.judge(schema, shape, change);
            if index < first_unsent {
                continue;
            }
            if visible == Visible::Yes {
                run.end = index + 1;
                continue;
            }
            let event = Arc::clone(&rows.event);
            let known = BatchRows {
                rows: Rows { event, range: run.clone() },
                plan: Arc::clone(&plan),
                before: number(run.start),
            };
            self.push_rows(known, batch);
            run = index + 1..index + 1;
            let (image_before, image_after) = match visible {
                Visible::Yes | Visible::No => continue,
                Visible::Before => (change.before, None),
                Visible::After => (None, change.after),
                Visible::Unknown => return Err(self.unplaceable(&schema.name.table)),
            };
            let mut half = RowsEvent::new(Arc::clone(schema));
            half.push_encoded(
                image_before.map(|row| row.encoded()),
                image_after.map(|row| row.encoded()),
            );
            let known = BatchRows {
                rows: Rows::all(Arc::new(half)),
                plan: Arc::clone(&plan),
                before: number(index),
            };
            self.push_rows(known, batch);
        }
        let number = number(run.start);
        let rows = Rows { event: Arc::clone(&rows.event), range: run };
        self.push_rows(BatchRows { rows, plan, before: number }, batch);
        Ok(())
    }

    fn push_rows(&mut self, known: BatchRows, batch: &mut ShardBatch) {
        if known.rows.range.is_empty() {
            return;
        }
        self.open(batch);
        let schema = known.rows.event.schema();
        if self.tables.tell(&schema.name.table) {
            batch.events.push(Event::Field(Arc::clone(known.plan.output())));
        }
        if let Some(query) = self.transaction.query.take() {
            batch.events.push(Event::RowsQuery(query));
        }
        batch.events.push(Event::Row(known.rows.clone()));
        batch.rows.push(known);
    }

    /// Ends the stream if it wants what the source cannot show.
    fn refuse_unreadable(&self, unreadable: &Unreadable) -> Result<(), StreamError> {
        let Unreadable { tables, what, mend } = unreadable;
        // A snapshot to come has what the rows would have told.
        let wanted = |table: &TableName| self.sees(table) && !self.copy.awaits(&table.table);
        if !tables.is_empty() && !tables.iter().any(wanted) {
            return Ok(());
        }
        let error = SourceError::Unfit { what: what.clone(), mend: mend.clone() };
        Err(self.give_up(Arc::new(error)))
    }

    fn sees(&self, table: &TableName) -> bool {
        table.keyspace == self.shard.keyspace && self.rules.rule(&table.table).is_some()
    }

    fn commit(
        &mut self,
        time: Timestamp,
        part: &Part,
        batch: &mut ShardBatch,
    ) -> Result<(), StreamError> {
        let sent = self.partial.as_ref().map_or(0, |partial| partial.changes);
        if self.transaction.counted < sent {
            return Err(StreamError::Recount {
                shard: (*self.shard).clone(),
                gtid: part.gtid.to_string(),
                found: self.transaction.counted,
                sent,
            });
        }
        self.open(batch);
        self.complete(part);
        batch.timestamp = time;
        batch.events.extend([self.vgtid(), Event::Commit(time)]);
        Ok(())
    }

    fn ddl(
        &mut self,
        ddl: &Arc<Ddl>,
        part: &Part,
        batch: &mut ShardBatch,
    ) -> Result<(), StreamError> {
        if let Some(table) = self.copy.loses_track(ddl) {
            return Err(StreamError::TableChanged {
                shard: (*self.shard).clone(),
                table: table.to_string(),
                statement: ddl.statement.clone(),
            });
        }
        let ours = ddl.tables.is_empty() || ddl.tables.iter().any(|table| self.sees(table));
        if ours {
            self.tables.forget(ddl);
        }
        let fills = matches!(part.events.first(), Some(Event::Begin(_)));
        if fills {
            // The client is still before the transaction whose rows follow: whoever resumes there
            // is told again, and whoever resumes behind one of the rows is not.
            let is_new = self.partial.as_ref().is_none_or(|partial| partial.gtid != part.gtid);
            if ours && is_new {
                batch.events.extend([self.vgtid(), Event::Ddl(Arc::clone(ddl))]);
            }
            return Ok(());
        }
        self.complete(part);
        batch.timestamp = ddl.timestamp;
        let event = if ours { Event::Ddl(Arc::clone(ddl)) } else { Event::Other(ddl.timestamp) };
        batch.events.extend([self.vgtid(), event]);
        Ok(())
    }

    fn complete(&mut self, part: &Part) {
        part.add_to(&mut self.seen);
        self.partial = None;
        self.transaction.open = false;
        self.copy.commit();
    }

    fn unplaceable(&self, table: &str) -> StreamError {
        StreamError::TableChanged {
            shard: (*self.shard).clone(),
            table: table.to_owned(),
            statement: "it has no key, and its rows cannot be put in order".to_owned(),
        }
    }
}
