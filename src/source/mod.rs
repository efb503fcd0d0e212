//! WHERE changes come from. THE seam: one server whose committed changes can be read in order.
//!
//! # Contract
//! Events leave a source in the order that [`crate::event::order::SourceOrder`] accepts:
//! `Gtid Begin Ddl? [Field? Row]* Commit`, `Gtid Ddl`, `Gtid Other`; heartbeats only between
//! transactions. What a source cannot show of a table is `Unreadable` in place of its rows, so that
//! only those who want the table are refused; an error is for what ends the reading of all tables.
//! A transaction that was prepared comes when it is committed, named by both GTIDs or by that of
//! the commit. A batch may end anywhere; a large transaction spans many. `Field` precedes the first
//! `Row` of a table in each run of [`Source::changes`] and whenever the shape changes. Sources know
//! nothing of rules, topology or clients, and never retry: that is the engine's.

mod backend;
mod connect_error;
pub mod memory;
pub mod mysql;
mod scope;
pub mod sqlite;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::backend::{
    Backend, BackendColumn, BackendError, BackendOk, BackendReply, BackendRows, BackendSession,
    BackendStatus, Introduction, KillHandle, Left, ResultColumn, RowBlock, ServedColumn, Variables,
    Warning,
};
pub use self::connect_error::{Cause, ConnectError};
pub use self::scope::Scope;
use crate::event::{Event, GtidSet, RowsEvent, TableLastPk, TableName, TableSchema, Timestamp};

/// A server whose committed changes can be read in order. The contract is the module's.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Names this source in logs, metrics and errors.
    fn name(&self) -> &str;

    /// What stands in the way of streaming, and the statement that mends it; empty if nothing.
    async fn preflight(&self) -> Result<Vec<Finding>, SourceError>;

    /// The tables as they are now, in bytewise order of their names, views left out.
    async fn tables(&self) -> Result<Vec<Arc<TableSchema>>, SourceError>;

    /// Whether tables may be named in any case, as of the last answer of [`Self::tables`], which
    /// names them in lower case then.
    fn folds_names(&self) -> bool {
        false
    }

    /// Whether anything asked of the server waits for this.
    fn waits_for(&self, _what: Scarce) -> bool {
        false
    }

    /// About how much these tables hold, as far as that is known without reading them, and for how
    /// long what happens to them can be read.
    async fn extent(&self, _tables: &[TableName]) -> Result<Extent, SourceError> {
        Ok(Extent::default())
    }

    /// Everything committed by now.
    async fn position(&self) -> Result<GtidSet, SourceError>;

    /// All changes that `span.start` does not contain, in commit order. Without `span.until` the
    /// reader never ends but by error; dropping it disconnects.
    async fn changes(&self, span: Span, scope: Scope) -> Result<Box<dyn Changes>, SourceError>;

    /// The named tables as of one position: all of them, or the first ones, as many as the source
    /// can show together.
    async fn snapshot(&self, tables: &[TableName]) -> Result<Box<dyn Snapshot>, SourceError>;
}

/// A run of changes being read.
#[async_trait]
pub trait Changes: Send {
    /// The next events, at least one; `None` once everything in `span.until` was emitted. Waits
    /// while there is nothing new; a source whose server tells the time says it about once a second,
    /// with a heartbeat. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Vec<Event>>, SourceError>;
}

/// Tables as of one position. Dropping it releases the view.
#[async_trait]
pub trait Snapshot: Send {
    /// The rows are those of a source that has executed exactly this.
    fn position(&self) -> &GtidSet;

    /// Whether the snapshot shows this table, or that there is no such table.
    fn covers(&self, _table: &TableName) -> bool {
        true
    }

    /// The schema that rows of this table have; `None` if there is no such table.
    fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>>;

    /// Starts reading one table in key order; a table without any key in the order of all columns.
    async fn scan(&mut self, scan: Scan) -> Result<(), SourceError>;

    /// The next rows of the scan as inserts, at most about `Scan::batch`; `None` at its end.
    /// A source may give up a view that was held for long: [`SourceError::SnapshotExpired`].
    /// Cancel-safe.
    async fn next(&mut self) -> Result<Option<RowsEvent>, SourceError>;
}

/// Which changes to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What the reader has seen.
    pub start: GtidSet,
    /// Where to end: once everything in here was emitted. `None` goes on for ever.
    pub until: Option<GtidSet>,
}

/// Which rows of a snapshot to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table.
    pub table: TableName,
    /// Begin behind this key.
    pub after: Option<TableLastPk>,
    /// A condition in MySQL's SQL that all rows wanted meet, pushed down from the plan. A source
    /// uses as much of it as it can trust itself with: the rows are judged again.
    pub where_sql: Option<String>,
    /// About how much one batch may hold.
    pub batch: BatchMax,
}

/// How much one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMax {
    /// Bytes of rows; the last one may go beyond.
    pub bytes: usize,
    /// Rows.
    pub rows: usize,
}

impl BatchMax {
    /// So many bytes, of however many rows.
    pub const fn bytes(bytes: usize) -> Self {
        Self { bytes, rows: usize::MAX }
    }

    /// Whether a batch is to be handed out.
    pub fn is_met(&self, batch: &RowsEvent) -> bool {
        !batch.is_empty() && (batch.bytes() >= self.bytes || batch.len() >= self.rows)
    }
}

/// What whoever reads a server may have to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scarce {
    /// One of the connections that there may be.
    Connection,
    /// One of the copies that there may be.
    Copy,
    /// A replica that is not too far behind.
    ReplicaLag,
    /// A server that does not keep too many old rows.
    HistoryList,
}

impl Scarce {
    /// What it is called.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Copy => "another copy",
            Self::ReplicaLag => "replica lag",
            Self::HistoryList => "history list",
        }
    }
}

impl std::fmt::Display for Scarce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much there is to be copied, and for how long there is time to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// The tables of which something is known.
    pub tables: HashMap<TableName, TableSize>,
    /// How long changes can be read at least; `None` if nothing says that they go.
    pub changes_kept: Option<Duration>,
}

/// About how large a table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableSize {
    /// Rows.
    pub rows: u64,
    /// Bytes as they are stored.
    pub bytes: u64,
}

/// Something about a server that stands in the way of streaming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Nothing can be streamed before it is mended.
    pub fatal: bool,
    /// What was found and what it means.
    pub what: String,
    /// The statement that mends it.
    pub mend: String,
}

/// Why reading a source failed.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The source no longer holds changes that the position lacks.
    #[error("the source has purged changes after {position}; oldest it can resume from: {oldest}")]
    Purged {
        /// What was asked for.
        position: GtidSet,
        /// The smallest set that can still be resumed from.
        oldest: GtidSet,
    },
    /// The position names transactions that the source has not executed.
    #[error("GTIDSet Mismatch: requested source position: {position}, current position: {current}")]
    Future {
        /// What was asked for.
        position: GtidSet,
        /// What the source has executed.
        current: GtidSet,
    },
    /// A table is not there.
    #[error("table {0} is not present in the database")]
    NoSuchTable(TableName),
    /// A snapshot was held for longer than its server can bear. Another one can be taken.
    #[error("the snapshot was given up after {0:?}, which is as long as one may be held")]
    SnapshotExpired(Duration),
    /// A snapshot was given up to spare its server. Another one comes once the server has recovered.
    #[error("the snapshot was given up to spare the server: {0}")]
    SnapshotYielded(Scarce),
    /// The definition of a table is another one than when the snapshot was taken. Another snapshot
    /// shows the table as it is now.
    #[error("{0} was changed after the snapshot was taken")]
    SnapshotOutdated(TableName),
    /// As many snapshots as there may be are being read.
    #[error(
        "{max} snapshots are being read, which is the most allowed, and none of them ended within \
         {waited:?}"
    )]
    TooManySnapshots {
        /// How many.
        max: usize,
        /// How long one more waited.
        waited: Duration,
    },
    /// There is no connection to the server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server's user may not do what is needed.
    #[error("{account} lacks the privilege {privilege}; {mend}")]
    Privilege {
        /// As whom the server knows us.
        account: String,
        /// What is missing.
        privilege: &'static str,
        /// The statement that grants it.
        mend: String,
    },
    /// The server's settings do not allow what is needed.
    #[error("{what}; {mend}")]
    Unfit {
        /// What is in the way.
        what: String,
        /// The statement that mends it.
        mend: String,
    },
    /// The server does not send its log from this position, for a reason of its own.
    #[error("{server} cannot send its log after {position}: {message}")]
    LogRefused {
        /// Who.
        server: String,
        /// What was asked for.
        position: GtidSet,
        /// What the server said.
        message: String,
    },
    /// The connection broke or the server is away; reading again may work.
    #[error("{context}")]
    Disconnected {
        /// What was being done.
        context: String,
        /// What the connection said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The source's data cannot be read as what it should be.
    #[error("{context}")]
    Corrupt {
        /// What was being read.
        context: String,
        /// What the reader said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl SourceError {
    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Disconnected { .. }
            | Self::SnapshotExpired(_)
            | Self::SnapshotYielded(_)
            | Self::SnapshotOutdated(_) => true,
            Self::Connect(error) => error.is_transient(),
            Self::Privilege { .. }
            | Self::Unfit { .. }
            | Self::LogRefused { .. }
            | Self::Purged { .. }
            | Self::Future { .. }
            | Self::NoSuchTable(_)
            | Self::TooManySnapshots { .. }
            | Self::Corrupt { .. } => false,
        }
    }
}

/// Seconds since 1970.
fn now_seconds() -> Timestamp {
    now_micros() / 1_000_000
}

/// Microseconds since 1970.
fn now_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
