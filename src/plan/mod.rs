//! WHICH rows and columns: a request for a stream, its filter rules, and rules bound to schemas.
//!
//! Pure. [`StreamRequest`] is the one thing that every door produces.

pub mod filter;
mod internal;
pub mod key;
mod predicate;
mod projection;
mod pushdown;
pub mod table;

use crate::event::Position;

pub use filter::{Filter, Matcher, Rule, RuleError, RuleFilter};
pub use internal::is_internal;
pub use key::{compare_cells, compare_keys};
pub use table::{Applied, EvalError, PlanError, Scratch, TablePlan};

/// A request for a change stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRequest {
    /// Where to begin, per shard. A shard name of `""` stands for every shard of the keyspace.
    pub position: Position,
    /// Which tablets may be read.
    pub tablet_type: TabletType,
    /// Which rows and columns.
    pub filter: Filter,
    /// Vitess's VStreamFlags.
    pub flags: Flags,
    /// Ends the stream after so many rows.
    pub limit: Option<u64>,
}

/// What a tablet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TabletType {
    /// The server that takes the writes.
    #[default]
    Primary,
    /// A server that may become primary.
    Replica,
    /// A server for long reads.
    Rdonly,
}

impl std::fmt::Display for TabletType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Rdonly => "rdonly",
        })
    }
}

/// Vitess's VStreamFlags, as far as they do not choose tablets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flags {
    /// Seconds of silence after which a heartbeat is sent; 0 for never.
    pub heartbeat_interval: u32,
    /// Align the shards' events by time.
    pub minimize_skew: bool,
    /// End the stream at a reshard.
    pub stop_on_reshard: bool,
    /// Show JOURNAL events.
    pub include_reshard_journal_events: bool,
    /// Copy only these tables; empty for all that the filter names.
    pub tables_to_copy: Vec<String>,
    /// Send a transaction in parts as soon as it exceeds so many bytes; 0 for never.
    pub transaction_chunk_size: u64,
}
