//! Many shards' streams as one subscription: their transactions one after the other.

use std::sync::Arc;
use std::task::Poll;

use crate::event::{GtidSet, ShardName, TableName, TableSchema};
use crate::source::SourceError;

use super::batch::Batch;

/// An open stream. Dropping it frees everything that it uses.
#[derive(Debug)]
pub struct Subscription {
    id: u64,
}

/// Why a stream ends before its request says so.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// No server of the shard holds the changes after the position any more.
    #[error(
        "{shard}: the changes after {position} have been purged; copy again, or start at a position that contains {oldest}"
    )]
    Purged {
        /// The shard.
        shard: ShardName,
        /// Where the stream was.
        position: GtidSet,
        /// The smallest set that can still be resumed from.
        oldest: GtidSet,
    },
    /// The position names transactions that no server of the shard has executed.
    #[error(
        "{shard}: GTIDSet Mismatch: requested source position: {position}, current position: {current}"
    )]
    Future {
        /// The shard.
        shard: ShardName,
        /// Where the stream was to begin.
        position: GtidSet,
        /// What the server has executed.
        current: GtidSet,
    },
    /// Reading failed in a way that trying again does not mend, or too often in a row.
    #[error("{shard}: reading {tablet} failed {failures} times in a row; giving up")]
    Source {
        /// The shard.
        shard: ShardName,
        /// The server.
        tablet: Arc<str>,
        /// How often.
        failures: u32,
        /// The last failure.
        #[source]
        source: Arc<SourceError>,
    },
    /// A source or the engine broke the order of events.
    #[error("{shard}: events in an illegal order: {what}")]
    Order {
        /// The shard.
        shard: ShardName,
        /// What came where.
        what: String,
    },
    /// A transaction read again has fewer rows than were sent of it.
    #[error(
        "{shard}: transaction {gtid} has {found} row changes, but {sent} were sent; copy again"
    )]
    Recount {
        /// The shard.
        shard: ShardName,
        /// The transaction.
        gtid: String,
        /// As read now.
        found: u64,
        /// As sent before.
        sent: u64,
    },
    /// A table changed while it was copied, in a way that the copy cannot follow.
    #[error("{shard}: {table} changed while it was copied ({statement}); copy again")]
    TableChanged {
        /// The shard.
        shard: ShardName,
        /// The table.
        table: String,
        /// The statement.
        statement: String,
    },
    /// A rule no longer fits its table, or its predicate cannot judge a row.
    #[error("{shard}: {table}: {what}")]
    Plan {
        /// The shard.
        shard: ShardName,
        /// The table.
        table: TableName,
        /// Why.
        what: String,
    },
    /// The shards' times did not come together.
    #[error("timed out while waiting for skew to reduce for stream {0}")]
    Skew(ShardName),
    /// The process ends.
    #[error("server shutdown in progress")]
    Shutdown,
}

impl Subscription {
    /// The number of this stream, as SHOW VSTREAMS has it.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The next events; `None` when the request's limit is met. Waits while there is nothing new.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Batch>, StreamError> {
        std::future::pending().await
    }

    /// The next events if there are any without waiting. A door flushes on `Pending`, then waits
    /// with [`Subscription::next`].
    pub fn try_next(&mut self) -> Result<Poll<Option<Batch>>, StreamError> {
        Ok(Poll::Pending)
    }

    /// The shape in which the client sees this table, as of the stream's start.
    pub fn schema(&self, _table: &TableName) -> Option<Arc<TableSchema>> {
        None
    }
}
