//! What a subscription hands out: events of one transaction, shared with the log, and the plans that
//! say which of their rows and columns the client sees.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::event::{Event, Position, Rows, ShardName, Timestamp};
use crate::plan::TablePlan;

/// Events in client order, never of two transactions.
#[derive(Debug)]
pub struct Batch {
    /// The shard that they are from; a heartbeat names the stream's first one.
    pub shard: Arc<ShardName>,
    /// The events. Rows are the source's own: apply [`Batch::plan`] to each change.
    pub events: Vec<Event>,
    pub(super) timestamp: Timestamp,
    pub(super) rows: Vec<BatchRows>,
    pub(super) place: Place,
    /// Where the last look-up in `rows` ended; doors ask in order.
    pub(super) hint: AtomicUsize,
}

/// What is known about one ROW event of a batch.
#[derive(Debug)]
pub(super) struct BatchRows {
    /// Tells the event apart: its buffer is shared, its place in the batch is not.
    pub(super) rows: Rows,
    pub(super) plan: Arc<TablePlan>,
    /// Changes of the transaction before the first of `rows.range`.
    pub(super) before: u64,
}

/// From what the positions of the rows inside a batch are made.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Where the stream was before this transaction.
    pub(super) position: Arc<Position>,
}

impl Batch {
    /// The plan to apply to changes of this event, which must be one of `events`.
    pub fn plan(&self, rows: &Rows) -> &Arc<TablePlan> {
        &self.known(rows).plan
    }

    /// When the transaction was committed at its source, in seconds; 0 in a copy.
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Appends the token that resumes right after a row change: the `change`-th, from 0, of
    /// `rows.changes()`.
    pub fn write_pos(&self, rows: &Rows, change: usize, out: &mut Vec<u8>) {
        let _ = (self.known(rows).before, change, &self.place.position, out);
    }

    fn known(&self, rows: &Rows) -> &BatchRows {
        let is = |known: &&BatchRows| {
            Arc::ptr_eq(&known.rows.event, &rows.event) && known.rows.range == rows.range
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
