//! HOW one change log serves many subscribers, and many shards one subscriber.
//!
//! [`Engine::subscribe`] turns a [`StreamRequest`] into a [`Subscription`]. Behind it each tablet in
//! use is read once, by one tail, into a bounded log; each shard's stream goes through copy,
//! catch-up and follow; the merge puts the shards' transactions one after the other. Nothing here
//! blocks a tail, drops a change or grows with a slow client: one that lags reads the source again.

mod batch;
mod config;
mod copy;
mod feed;
mod forecast;
mod heartbeat;
mod intake;
mod log;
mod merge;
mod progress;
mod reader;
mod registry;
mod retry;
mod rules;
mod shard;
mod skew;
mod snapshot;
mod subscribe;
mod tail;
mod throttle;
mod transaction;

use std::sync::Arc;

use crate::event::{ShardName, TableName, TableSchema};
use crate::plan::{PlanError, RuleError, StreamRequest, TabletType};
use crate::source::{Finding, Scarce, Source, SourceError};

use registry::Registry;
use tail::Tail;

pub use batch::Batch;
pub use config::EngineConfig;
pub use merge::{StreamError, Subscription};
pub use progress::CopyStatus;

/// All change streams of this process.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: Arc<EngineConfig>,
    shards: Vec<Shard>,
    registry: Arc<Registry>,
}

/// A shard and its servers.
struct Shard {
    name: Arc<ShardName>,
    tails: Vec<Arc<Tail>>,
}

/// The servers that hold one shard.
#[derive(Clone)]
pub struct ShardSources {
    /// The shard.
    pub shard: ShardName,
    /// Its servers, preferred ones first.
    pub tablets: Vec<Tablet>,
}

/// One server of a shard.
#[derive(Clone)]
pub struct Tablet {
    /// Its name in logs and SHOW VSTREAMS, such as `zone1-100`.
    pub name: Arc<str>,
    /// What it is for.
    pub tablet_type: TabletType,
    /// Its changes.
    pub source: Arc<dyn Source>,
}

/// What EXPLAIN VSTREAM shows of one table of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The shard.
    pub shard: ShardName,
    /// The tablet that would be read, and why this one.
    pub tablet: String,
    /// Where the stream would begin.
    pub start: String,
    /// The table.
    pub table: TableName,
    /// The rule that fits it, as `match: filter`.
    pub rule: String,
    /// The columns that come out.
    pub projection: String,
    /// The condition on rows; empty for all.
    pub predicate: String,
    /// About how much would be copied, and for how long; empty if nothing is, or unknown.
    pub copy: String,
    /// What stands in the way of streaming from that tablet, and what mends it.
    pub findings: Vec<Finding>,
}

/// What SHOW VSTREAMS shows of one shard of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// The subscription's number, see [`Subscription::id`].
    pub id: u64,
    /// The shard.
    pub shard: ShardName,
    /// The tablet that is read.
    pub tablet: Arc<str>,
    /// `copy`, `catch-up`, `follow` or `done`.
    pub phase: &'static str,
    /// What the client has been handed, as a bare GTID set.
    pub position: String,
    /// Seconds since what the client has was all that there was, by the clock on the wall; none
    /// while it has nothing.
    pub lag: Option<u64>,
    /// What the stream itself waits for.
    pub waiting: Option<Waiting>,
    /// How far its copy is; none if it began behind one.
    pub copy: Option<CopyStatus>,
}

/// What a stream waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// One of its server's readers that catch up.
    Reader,
    /// What its server has too little of.
    Scarce(Scarce),
    /// The time in which its copy may read on.
    Rate,
    /// Its server's answer.
    Server,
    /// The next change: all before it were handed out.
    Change,
}

/// Why a stream cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum SubscribeError {
    /// The request names no shard.
    #[error("vgtid must have at least one value with a starting position in ShardGtids")]
    NoShard,
    /// There is no such keyspace.
    #[error("unknown keyspace {0}")]
    NoSuchKeyspace(String),
    /// There is no such shard.
    #[error("shard provided in VGTID, {}, not found in the {} keyspace", .0.shard, .0.keyspace)]
    NoSuchShard(ShardName),
    /// A position without a shard.
    #[error("if shards are unspecified, the Gtid value must be 'current' or empty")]
    PositionWithoutShard,
    /// No server of the shard is of that type.
    #[error("failed to find a {tablet_type:?} tablet for VStream in {shard}")]
    NoTablet {
        /// The shard.
        shard: ShardName,
        /// What was asked for.
        tablet_type: TabletType,
    },
    /// A rule names a table that is not there.
    #[error("table {0} is not present in the database")]
    NoSuchTable(TableName),
    /// Servers of the request disagree on whether a name in other letters is another table.
    #[error(
        "{folding} takes names of tables in any case, and {exact} does not; name the tables in \
         lower case, or stream one of the two"
    )]
    LetterCase {
        /// A shard with `lower_case_table_names` other than 0.
        folding: ShardName,
        /// One with 0.
        exact: ShardName,
    },
    /// Neither a position nor a table that any rule fits.
    #[error("stream needs a position or a table to copy")]
    NothingToCopy,
    /// A rule is none.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A rule does not fit its table.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The token is of another stream.
    #[error(
        "the position was printed by a stream with another filter or table shape; start with the \
         filter it came from, or copy again"
    )]
    OtherPlan,
    /// As many streams as are allowed.
    #[error("too many streams: {0} are open, which is the most allowed")]
    TooManyStreams(usize),
    /// The process ends.
    #[error("server shutdown in progress")]
    Shutdown,
    /// The source could not be asked.
    #[error("cannot read {tablet}")]
    Source {
        /// The server.
        tablet: Arc<str>,
        /// What it said.
        #[source]
        source: SourceError,
    },
}

impl Engine {
    /// An engine over these shards. It reads nothing before the first subscription.
    pub fn new(config: EngineConfig, shards: Vec<ShardSources>) -> Self {
        let config = Arc::new(config);
        let shard = |sources: ShardSources| {
            let tail = |tablet| Arc::new(Tail::new(tablet, Arc::clone(&config)));
            let tails = sources.tablets.into_iter().map(tail).collect();
            Shard { name: Arc::new(sources.shard), tails }
        };
        let shards = shards.into_iter().map(shard).collect();
        let registry = Arc::new(Registry::new(config.streams_max));
        Self { inner: Arc::new(Inner { config, shards, registry }) }
    }

    /// Opens a stream. Errors that a look at rules, shards and schemas shows come from here, those
    /// of reading from [`Subscription::next`].
    pub async fn subscribe(&self, request: StreamRequest) -> Result<Subscription, SubscribeError> {
        self.inner.subscribe(request).await
    }

    /// The columns of the tables that this request reads, as they are now.
    pub async fn describe(
        &self,
        request: &StreamRequest,
    ) -> Result<Vec<Arc<TableSchema>>, SubscribeError> {
        self.inner.describe(request).await
    }

    /// What [`Engine::subscribe`] would do with this request.
    pub async fn explain(&self, request: &StreamRequest) -> Result<Vec<Explained>, SubscribeError> {
        self.inner.explain(request).await
    }

    /// All open streams, one entry per shard, in the order of their numbers.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.inner.registry.list(self.inner.config.seconds())
    }

    /// Ends all streams with [`StreamError::Shutdown`] and refuses new ones.
    pub fn shutdown(&self) {
        self.inner.registry.shut_down();
    }

    /// What the engine holds now, for tests of its bounds and for metrics.
    pub fn usage(&self) -> Usage {
        let tails = || self.inner.shards.iter().flat_map(|shard| &shard.tails);
        Usage {
            tails: tails().filter(|tail| tail.is_running()).count(),
            log_bytes: tails().map(|tail| tail.log.bytes()).sum(),
            readers: tails().map(|tail| tail.readers.active()).sum(),
            reader_bytes: tails().map(|tail| tail.readers.bytes()).sum(),
        }
    }
}

/// What an engine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tails that run.
    pub tails: usize,
    /// Bytes in their logs.
    pub log_bytes: usize,
    /// Catch-up readers that run.
    pub readers: usize,
    /// Bytes in their logs.
    pub reader_bytes: usize,
}

#[cfg(test)]
mod tests;
