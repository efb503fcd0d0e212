//! WHAT a change is: the vocabulary that sources write, the engine carries and front ends read.
//!
//! Pure: no clock, no I/O, no task. The events are those of Vitess's VStream. Two orders of them
//! are legal, one for sources and one for clients; both are written down once, in [`order`].

pub mod charset;
pub mod collation;
pub mod gtid;
pub mod order;
pub mod position;
pub mod print;
pub mod row;
pub mod schema;
mod token;
mod vgtid;

use std::sync::Arc;

pub use gtid::{Gtid, GtidError, GtidSet, Tag};
pub use order::{ClientOrder, OrderError, SourceOrder};
pub use position::{Partial, Position, PositionError, ShardPosition, Start, TableLastPk};
pub use row::{Cell, Op, Presence, Row, RowChange, Rows, RowsEvent};
pub use schema::{CollationId, Column, ColumnType, ShardName, TableName, TableSchema};
pub use token::TokenError;
pub use vgtid::VgtidError;

/// Seconds since 1970 at which the source committed; 0 where the source does not say.
pub type Timestamp = u64;

/// One event of a change stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Source only: names the transaction, DDL or other statement that follows.
    Gtid(Gtid),
    /// A transaction begins.
    Begin(Timestamp),
    /// The shape of a table, before the first ROW of it and after each change of it.
    Field(Arc<TableSchema>),
    /// Changes of one table.
    Row(Rows),
    /// The statement that caused the rows behind it.
    RowsQuery(Arc<str>),
    /// Client only: where the whole stream is once the transaction is complete.
    Vgtid(Arc<Position>),
    /// A transaction is complete.
    Commit(Timestamp),
    /// A statement that changed tables, outside of transactions; from a source also as the first of a
    /// transaction that fills the table.
    Ddl(Arc<Ddl>),
    /// Anything else that has a GTID.
    Other(Timestamp),
    /// Source only: changes that it cannot show, in place of their rows.
    Unreadable(Arc<Unreadable>),
    /// A row of `_vt.resharding_journal`, inside its transaction.
    Journal(Arc<Journal>),
    /// Nothing happened, up to this time.
    Heartbeat(Timestamp),
    /// Client only: this shard has copied all its tables; without a shard, all shards have.
    CopyCompleted(Option<ShardName>),
}

impl Event {
    /// The event's name as Vitess spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Gtid(_) => "GTID",
            Self::Begin(_) => "BEGIN",
            Self::Field(_) => "FIELD",
            Self::Row(_) => "ROW",
            Self::RowsQuery(_) => "ROWS_QUERY",
            Self::Vgtid(_) => "VGTID",
            Self::Commit(_) => "COMMIT",
            Self::Ddl(_) => "DDL",
            Self::Other(_) => "OTHER",
            Self::Unreadable(_) => "UNREADABLE",
            Self::Journal(_) => "JOURNAL",
            Self::Heartbeat(_) => "HEARTBEAT",
            Self::CopyCompleted(_) => "COPY_COMPLETED",
        }
    }
}

/// A DDL statement and what it touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ddl {
    /// When it was executed.
    pub timestamp: Timestamp,
    /// The text as executed, comments included.
    pub statement: String,
    /// Every table it names, old and new names alike; empty if it could not be read, and then it
    /// counts for every table.
    pub tables: Vec<TableName>,
}

/// Changes of which a source cannot say what they are: who wants one of the tables cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Whose rows they are; empty if that could not be read, and then it counts for every table.
    pub tables: Vec<TableName>,
    /// What is in the way.
    pub what: String,
    /// The statement that mends it.
    pub mend: String,
}

/// A traffic switch of a reshard, as one participant reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The same for all participants.
    pub id: i64,
    /// The shards that take part.
    pub participants: Vec<ShardName>,
    /// The shards that take over, and where each begins.
    pub shards: Vec<(ShardName, GtidSet)>,
    /// Where this participant ended.
    pub local_position: GtidSet,
}
