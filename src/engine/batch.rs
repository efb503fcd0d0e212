//! What a subscription hands out: events of one transaction, shared with the log, and the plans that
//! say which of their rows and columns the client sees.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::event::{
    Event, Gtid, Partial, Position, Rows, RowsEvent, ShardName, TableLastPk, Timestamp,
};
use crate::plan::TablePlan;

use super::copy::{copies_before, write_key};
use super::rules::key_columns;

/// Events in client order, never of two transactions.
#[derive(Debug)]
pub struct Batch {
    /// The shard that they are from; a heartbeat names the stream's first one.
    pub shard: Arc<ShardName>,
    /// The events. Rows are the source's own: apply [`Batch::plan`] to each change.
    pub events: Vec<Event>,
    timestamp: Timestamp,
    rows: Vec<BatchRows>,
    place: Place,
    /// Where the last look-up in `rows` ended; doors ask in order.
    hint: AtomicUsize,
}

/// What is known about one ROW event of a batch.
#[derive(Debug)]
pub(super) struct BatchRows {
    /// The same as in the batch's events, in the same order.
    pub rows: Rows,
    pub plan: Arc<TablePlan>,
    /// Row changes of the transaction before the first of `rows.range`.
    pub before: u64,
}

/// From what the positions of the rows inside a batch are made.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Where the stream was before these rows.
    pub position: Arc<Position>,
    /// Which entry of `position` is this shard's.
    pub shard: usize,
    pub inside: Inside,
    /// `position`, and in it the row that was asked for last: saves allocating for each row.
    scratch: Mutex<Option<Position>>,
}

/// What rows are part of.
#[derive(Debug, Default)]
pub(super) enum Inside {
    #[default]
    Nothing,
    Transaction {
        gtid: Gtid,
    },
    Copy {
        /// The last key before the batch.
        previous: Option<TableLastPk>,
    },
}

impl Place {
    pub fn new(position: Arc<Position>, shard: usize, inside: Inside) -> Self {
        Self { position, shard, inside, scratch: Mutex::default() }
    }
}

impl Batch {
    pub(super) fn new(
        shard: Arc<ShardName>,
        events: Vec<Event>,
        timestamp: Timestamp,
        rows: Vec<BatchRows>,
        place: Place,
    ) -> Self {
        Self { shard, events, timestamp, rows, place, hint: AtomicUsize::new(0) }
    }

    /// The plan to apply to changes of this event, which must be one of `events`.
    pub fn plan(&self, rows: &Rows) -> &Arc<TablePlan> {
        &self.known(rows).plan
    }

    /// When the transaction was committed at its source, in seconds; 0 in a copy.
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// How many row changes of its transaction come before the first change of this event, counted
    /// as the `seq` of `(shard, gtid, seq)` is.
    pub fn changes_before(&self, rows: &Rows) -> u64 {
        self.known(rows).before
    }

    /// Appends the token that resumes right after a row change: the `change`-th, from 0, of
    /// `rows.changes()`.
    pub fn write_pos(&self, rows: &Rows, change: usize, out: &mut Vec<u8>) {
        let known = self.known(rows);
        let mut scratch = self.place.scratch.lock().expect("no one panics while holding it");
        let position = scratch.get_or_insert_with(|| (*self.place.position).clone());
        let Some(shard) = position.shards.get_mut(self.place.shard) else { return };
        match &self.place.inside {
            Inside::Nothing => {}
            Inside::Transaction { gtid } => {
                let changes = known.before + change as u64 + 1;
                shard.partial = Some(Partial { gtid: *gtid, changes });
            }
            Inside::Copy { previous } => {
                let event = &*rows.event;
                let table = &event.schema().name.table;
                let at = shard.table_pks.iter().position(|pk| pk.table == *table);
                let at = at.unwrap_or_else(|| {
                    shard.table_pks.push(no_pk(event));
                    shard.table_pks.len() - 1
                });
                if let Some(pk) = shard.table_pks.get_mut(at) {
                    write_pk(event, rows.range.start + change, previous.as_ref(), pk);
                }
            }
        }
        position.to_token(out);
    }

    /// Cuts the batch behind a row change of the `row`-th ROW event.
    pub(super) fn cut(&mut self, row: usize, end: usize) {
        let mut row_events = 0;
        let cut = self.events.iter_mut().position(|event| {
            let Event::Row(rows) = event else { return false };
            row_events += 1;
            if row_events == row + 1 {
                rows.range.end = end;
            }
            row_events == row + 1
        });
        if let Some(cut) = cut {
            self.events.truncate(cut + 1);
            self.rows.truncate(row + 1);
            if let Some(known) = self.rows.last_mut() {
                known.rows.range.end = end;
            }
        }
    }

    pub(super) fn rows(&self) -> &[BatchRows] {
        &self.rows
    }

    fn known(&self, rows: &Rows) -> &BatchRows {
        let is = |known: &&BatchRows| {
            Arc::ptr_eq(&known.rows.event, &rows.event)
                && known.rows.range.start == rows.range.start
        };
        let hint = self.hint.load(Ordering::Relaxed);
        let (early, late) = self.rows.split_at(hint.min(self.rows.len()));
        let (index, found) = late
            .iter()
            .chain(early)
            .enumerate()
            .find(|(_, known)| is(known))
            .expect("rows are asked of the batch that they came in");
        self.hint.store((hint + index) % self.rows.len(), Ordering::Relaxed);
        found
    }
}

fn no_pk(event: &RowsEvent) -> TableLastPk {
    let schema = event.schema();
    let columns = key_columns(schema).filter_map(|index| schema.columns.get(index));
    TableLastPk {
        table: Arc::clone(&schema.name.table),
        columns: columns.map(|column| Arc::clone(&column.name)).collect(),
        cells: Vec::new(),
        copies: 1,
    }
}

fn write_pk(event: &RowsEvent, index: usize, previous: Option<&TableLastPk>, pk: &mut TableLastPk) {
    let row = |index| event.change(index).and_then(|change| change.shown());
    let Some(shown) = row(index) else { return };
    write_key(event.schema(), shown, &mut pk.cells);
    if event.schema().key.is_empty() {
        let earlier = (0..index).rev().filter_map(row);
        pk.copies = 1 + copies_before(&pk.cells, earlier, previous);
    }
}
