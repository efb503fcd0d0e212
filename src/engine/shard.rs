//! One shard's stream: Snapshot -> CatchUp -> Copy (again for each snapshot) -> Follow -> Done.
//!
//! The position is a cursor: the set of transactions handed out, and the transaction in progress
//! with the number of its row changes that were. Whatever breaks, the stream goes on from there,
//! maybe on another server, and what a client has seen of a transaction is skipped by count.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::{info, warn};

use crate::event::{
    Event, GtidSet, Partial, Position, ShardName, ShardPosition, Start, TableName, Timestamp,
};
use crate::plan::{Flags, PlanError};
use crate::source::{Scarce, Scope, Source, SourceError};

use super::batch::{BatchRows, Inside};
use super::config::EngineConfig;
use super::copy::CopyProgress;
use super::feed::{Feed, Wait};
use super::log::{End, Part};
use super::merge::StreamError;
use super::progress::{Progress, Sizes};
use super::retry::Retry;
use super::rules::{Rules, Tables};
use super::snapshot::View;
use super::tail::Tail;
use super::throttle::Throttle;
use super::transaction::Transaction;
use super::{SubscribeError, Waiting};

/// One shard's stream.
pub(super) struct ShardStream {
    pub(super) shard: Arc<ShardName>,
    pub(super) rules: Arc<Rules>,
    pub(super) flags: Arc<Flags>,
    pub(super) tables: Tables,
    pub(super) copy: CopyProgress,
    pub(super) seen: GtidSet,
    pub(super) partial: Option<Partial>,
    pub(super) transaction: Transaction,
    rules_hash: u64,
    tails: Vec<Arc<Tail>>,
    tablet: usize,
    scope: Arc<Scope>,
    pub(super) config: Arc<EngineConfig>,
    feed: Option<Feed>,
    retry: Retry,
    /// Servers in a row that cannot send what the stream needs.
    refusals: usize,
    pub(super) phase: Phase,
    start: Start,
    /// The stream began with a copy, or in one.
    copies: bool,
    pub(super) sizes: Sizes,
    pub(super) throttle: Option<Throttle>,
    status: Arc<Mutex<Status>>,
    /// The stream's number, for the log.
    id: u64,
}

/// What SHOW VSTREAMS is told.
#[derive(Clone)]
pub(super) struct Status {
    pub tail: Arc<Tail>,
    pub phase: &'static str,
    pub seen: GtidSet,
    /// When the last transaction handed out was committed.
    pub timestamp: Timestamp,
    /// The time of the view that is being copied.
    pub viewed: Timestamp,
    pub wait: Option<Wait>,
    pub copy: Option<Progress>,
}

impl Status {
    /// Of a stream that has asked its server for nothing yet.
    pub fn new(tail: &Arc<Tail>, position: &ShardPosition) -> Self {
        Self {
            tail: Arc::clone(tail),
            phase: if position.wants_copy() { "copy" } else { "catch-up" },
            seen: GtidSet::new(),
            timestamp: 0,
            viewed: 0,
            wait: Some(Wait::Server),
            copy: position.wants_copy().then(Progress::new),
        }
    }

    /// What the stream waits for.
    pub fn waiting(&self) -> Option<Waiting> {
        let scarce: &[Scarce] = match self.wait? {
            Wait::Reader => return Some(Waiting::Reader),
            Wait::Rate => return Some(Waiting::Rate),
            Wait::Change if self.tail.is_reading() => return Some(Waiting::Change),
            Wait::Rows => &[],
            Wait::Change | Wait::Server => &[Scarce::Connection],
            Wait::View => {
                &[Scarce::ReplicaLag, Scarce::HistoryList, Scarce::Copy, Scarce::Connection]
            }
        };
        let source = &self.tail.tablet.source;
        let scarce = scarce.iter().find(|&&what| source.waits_for(what));
        Some(scarce.map_or(Waiting::Server, |&scarce| Waiting::Scarce(scarce)))
    }

    /// Seconds since the client's data was all that there was; none while it has none.
    pub fn lag(&self, now: Timestamp) -> Option<u64> {
        let reached = self.reached().max(self.viewed);
        (reached > 0).then(|| now.saturating_sub(reached))
    }

    /// The source time that the stream has reached, which goes on while the source is idle.
    pub fn reached(&self) -> Timestamp {
        if self.seen.contains_set(&self.tail.log.last()) {
            return self.tail.log.timestamp().max(self.timestamp);
        }
        self.timestamp
    }
}

pub(super) enum Phase {
    /// Nothing was read yet.
    Begin,
    /// The tables that are left need a snapshot; `fresh` if no position came before.
    Snapshot {
        fresh: bool,
    },
    /// Reads changes exactly up to the snapshot's position.
    CatchUp(View),
    /// Reads rows out of the snapshot.
    Copy(View),
    Follow,
    Done,
}

/// Events of one transaction, or of a copy.
#[derive(Debug, Default)]
pub(super) struct ShardBatch {
    /// VGTIDs hold this shard alone.
    pub events: Vec<Event>,
    pub rows: Vec<BatchRows>,
    pub timestamp: Timestamp,
    /// Where rows are counted from, and how.
    pub base: Option<Arc<Position>>,
    pub inside: Inside,
    /// More of the same transaction will follow.
    pub open: bool,
}

/// Why a step failed.
pub(super) enum Failure {
    Source(Arc<SourceError>),
    Stream(StreamError),
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::Source(Arc::new(error))
    }
}

/// What a shard stream is made of.
pub(super) struct ShardRequest {
    pub shard: Arc<ShardName>,
    pub position: ShardPosition,
    pub tails: Vec<Arc<Tail>>,
    pub rules: Arc<Rules>,
    pub flags: Arc<Flags>,
    pub copy: CopyProgress,
    pub rules_hash: u64,
    /// The stream's number.
    pub id: u64,
}

impl ShardStream {
    pub fn new(request: ShardRequest, config: &Arc<EngineConfig>) -> Self {
        let ShardRequest { shard, position, tails, rules, flags, copy, rules_hash, id } = request;
        let first = tails.first().expect("a shard is subscribed to with a tablet at least");
        let status = Status { wait: None, ..Status::new(first, &position) };
        let copies = position.wants_copy();
        let seen = match &position.start {
            Start::After(set) => set.clone(),
            Start::Copy | Start::Now => GtidSet::new(),
        };
        Self {
            scope: Arc::new(rules.scope(&shard.keyspace)),
            retry: Retry::new(config, config.stream_failures_max, &format!("{shard} {id}")),
            config: Arc::clone(config),
            partial: position.partial.filter(|partial| !seen.contains(&partial.gtid)),
            copies,
            start: position.start,
            seen,
            shard,
            rules,
            flags,
            tables: Tables::default(),
            copy,
            transaction: Transaction::default(),
            rules_hash,
            tails,
            tablet: 0,
            feed: None,
            refusals: 0,
            phase: Phase::Begin,
            sizes: Sizes::default(),
            throttle: config.copy_rows_per_second_max.map(Throttle::new),
            status: Arc::new(Mutex::new(status)),
            id,
        }
    }

    pub fn status(&self) -> Arc<Mutex<Status>> {
        Arc::clone(&self.status)
    }

    /// Fixes where a stream from now on begins: it will hold whatever is committed after this.
    pub async fn fix_now(&mut self) -> Result<(), SubscribeError> {
        while self.start == Start::Now {
            // A tail that runs knows without asking its server.
            let position = match self.feed().known() {
                Some(position) => Ok(position),
                None => self.source().position().await,
            };
            match position {
                Ok(position) => {
                    self.seen = position;
                    return Ok(());
                }
                Err(_) if self.tablet + 1 < self.tails.len() => {
                    self.feed = None;
                    self.tablet += 1;
                }
                Err(source) => {
                    let tablet = self.tails.get(self.tablet).map(|tail| &tail.tablet.name);
                    let tablet = tablet.map(Arc::clone).unwrap_or_default();
                    return Err(SubscribeError::Source { tablet, source });
                }
            }
        }
        Ok(())
    }

    /// The next events; `None` at the stream's end. Waits while there is nothing new.
    pub async fn next(&mut self) -> Result<Option<ShardBatch>, StreamError> {
        loop {
            if matches!(self.phase, Phase::Done) {
                return Ok(None);
            }
            match self.step().await {
                Ok(Some(batch)) => {
                    self.retry.succeeded();
                    self.refusals = 0;
                    self.describe(batch.timestamp);
                    return Ok(Some(batch));
                }
                // What is not for this stream may go on and on: others want the thread, too.
                Ok(None) => tokio::task::coop::consume_budget().await,
                Err(failure) => self.recover(failure).await?,
            }
        }
    }

    async fn step(&mut self) -> Result<Option<ShardBatch>, Failure> {
        match self.phase {
            Phase::Begin => {
                self.tell(Some(Wait::Server));
                let begun = self.begin().await;
                self.tell(None);
                begun
            }
            // What was begun on another server is newer than its snapshot may be.
            Phase::Snapshot { .. } if self.partial.is_some() => self.read_changes().await,
            Phase::Snapshot { fresh } => {
                self.tell(Some(Wait::View));
                let taken = self.take_snapshot(fresh).await;
                self.tell(None);
                taken.map(|()| None)
            }
            Phase::CatchUp(_) => self.catch_up().await,
            Phase::Copy(_) => {
                self.keep_rate().await;
                self.tell(Some(Wait::Rows));
                self.copy_rows().await
            }
            Phase::Follow => self.read_changes().await,
            Phase::Done => Ok(None),
        }
    }

    pub(super) fn tell(&self, wait: Option<Wait>) {
        self.with_status(|status| status.wait = wait);
    }

    pub(super) fn with_status<T>(&self, change: impl FnOnce(&mut Status) -> T) -> T {
        change(&mut self.status.lock().expect("no one panics while holding a status"))
    }

    pub(super) fn feed(&mut self) -> &mut Feed {
        let (tails, tablet, scope) = (&self.tails, self.tablet, &self.scope);
        self.feed.get_or_insert_with(|| {
            let tail = tails.get(tablet).expect("the tablet is one of the shard's");
            Feed::new(tail, Arc::clone(scope))
        })
    }

    pub(super) fn source(&self) -> &Arc<dyn Source> {
        &self.tail().tablet.source
    }

    pub(super) fn tail(&self) -> &Tail {
        self.tails.get(self.tablet).expect("the tablet is one of the shard's")
    }

    async fn begin(&mut self) -> Result<Option<ShardBatch>, Failure> {
        match self.start.clone() {
            Start::Copy => self.phase = Phase::Snapshot { fresh: true },
            Start::Now => {
                self.phase = Phase::Follow;
                let now = self.config.seconds();
                let events = vec![self.vgtid(), Event::Other(now)];
                return Ok(Some(ShardBatch { events, timestamp: now, ..ShardBatch::default() }));
            }
            Start::After(position) => {
                let known = self.feed().now().await.map_err(|end| self.ended(end))?;
                if !known.contains_set(&position) {
                    let current = self.source().position().await?;
                    if !current.contains_set(&position) {
                        return Err(SourceError::Future { position, current }.into());
                    }
                }
                // Even if all that was left to copy has been dropped, the copy's end is told.
                self.phase =
                    if self.copies { Phase::Snapshot { fresh: false } } else { Phase::Follow };
            }
        }
        Ok(None)
    }

    /// The next part of the changes, as far as the client has to see it.
    pub(super) async fn read_changes(&mut self) -> Result<Option<ShardBatch>, Failure> {
        let between = self.transaction.is_between() && self.partial.is_none();
        if between && !matches!(self.phase, Phase::CatchUp(_)) {
            self.return_to_passed();
        }
        let seen = self.seen.clone();
        let (status, follows) = (Arc::clone(&self.status), matches!(self.phase, Phase::Follow));
        let tell = move |wait| {
            let mut status = status.lock().expect("no one panics while holding a status");
            status.wait = wait;
            if follows && wait == Some(Wait::Change) {
                status.phase = FOLLOW;
            }
        };
        let part = self.feed().next(&seen, between, tell).await;
        let part = part.map_err(|end| self.ended(end))?;
        Ok(self.take(&part)?)
    }

    /// Goes back to the transactions that were passed over, by the cursor rule.
    fn return_to_passed(&mut self) {
        if std::mem::take(&mut self.transaction.sought) {
            self.feed().leave();
        }
    }

    fn take(&mut self, part: &Part) -> Result<Option<ShardBatch>, StreamError> {
        let beyond = match &self.phase {
            Phase::CatchUp(view) => !view.snapshot.position().contains(&part.gtid),
            _ => false,
        };
        let other = self.partial.as_ref().is_some_and(|partial| partial.gtid != part.gtid);
        if self.seen.contains(&part.gtid) {
            return Ok(None);
        }
        if beyond || other {
            // It comes again when the cursor rule places the stream anew.
            self.transaction.sought = true;
            return Ok(None);
        }
        self.hand_out(part)
    }

    pub(super) fn vgtid(&self) -> Event {
        Event::Vgtid(self.position())
    }

    /// Where this shard is, between transactions.
    pub(super) fn position(&self) -> Arc<Position> {
        let start = Start::After(self.seen.clone());
        let mut position = ShardPosition::new((*self.shard).clone(), start);
        self.copy.describe(&mut position);
        // Tokens hold it: other rules, or other keys under a copy, make them mean something else.
        let plan_hash = Some(self.rules_hash ^ self.copy.hash());
        Arc::new(Position { shards: vec![position], plan_hash })
    }

    pub(super) fn ended(&self, end: End) -> Failure {
        match end {
            End::Failed(error) => Failure::Source(error),
            End::Retired => SourceError::Disconnected {
                context: "the catch-up reader was stopped".to_owned(),
                source: None,
            }
            .into(),
            End::Broken(error) => {
                StreamError::Order { shard: (*self.shard).clone(), what: error.to_string() }.into()
            }
        }
    }

    /// Prepares another try, here or on another server, or says why there is none.
    async fn recover(&mut self, failure: Failure) -> Result<(), StreamError> {
        let error = match failure {
            Failure::Stream(error) => return Err(error),
            Failure::Source(error) => error,
        };
        // Nothing is wrong: the client read so slowly that the view was let go of, the server needed a
        // rest, a table was changed before it was its turn, or others had their turn for long.
        let goes_on = match &*error {
            SourceError::SnapshotExpired(_)
            | SourceError::SnapshotYielded(_)
            | SourceError::SnapshotOutdated(_) => true,
            SourceError::TooManySnapshots { .. } => self.copy.has_begun(),
            _ => false,
        };
        if goes_on {
            self.phase = Phase::Snapshot { fresh: false };
            return Ok(());
        }
        let refused =
            matches!(&*error, SourceError::Purged { .. } | SourceError::LogRefused { .. });
        self.refusals = if refused { self.refusals + 1 } else { 0 };
        let delay = match &*error {
            _ if refused => (self.refusals < self.tails.len()).then_some(Duration::ZERO),
            // Another tablet may have executed what this one has not.
            SourceError::Future { .. } if self.tails.len() > 1 => self.retry.failed(),
            error if error.is_transient() => self.retry.failed(),
            _ => None,
        };
        let Some(mut delay) = delay else { return Err(self.give_up(error)) };
        if self.retry.failures() <= 1 && self.tails.len() > 1 {
            delay = Duration::ZERO;
        }
        warn!(
            shard = %self.shard, error = %error, delay_ms = delay.as_millis(),
            "stream of a shard broke; will go on"
        );
        self.feed = None;
        self.tablet = (self.tablet + 1) % self.tails.len();
        self.tables.forget_told();
        if let Phase::CatchUp(_) | Phase::Copy(_) = self.phase {
            self.phase = Phase::Snapshot { fresh: false };
        }
        self.tell(Some(Wait::Server));
        tokio::time::sleep(delay).await;
        self.tell(None);
        Ok(())
    }

    pub(super) fn give_up(&self, error: Arc<SourceError>) -> StreamError {
        let shard = (*self.shard).clone();
        if let SourceError::Future { position, current } = &*error {
            let (position, current) = (position.clone(), current.clone());
            return StreamError::Future { shard, position, current };
        }
        if let SourceError::Purged { oldest, .. } = &*error {
            let (position, oldest) = (self.seen.clone(), oldest.clone());
            return StreamError::Purged { shard, position, oldest };
        }
        if let SourceError::TooManySnapshots { .. } = &*error {
            return StreamError::TooManyCopies { shard, source: error };
        }
        let tablet = self.tails.get(self.tablet).map(|tail| Arc::clone(&tail.tablet.name));
        let failures = self.retry.failures().max(1);
        StreamError::Source { shard, tablet: tablet.unwrap_or_default(), failures, source: error }
    }

    /// Says in the log how far the copy is.
    pub(super) fn log_copy(&self) {
        let Some(copy) = self.with_status(|status| status.copy.as_ref().map(Progress::status))
        else {
            return;
        };
        info!(
            stream = self.id, shard = %self.shard, table = copy.table.as_deref(), rows = copy.rows,
            rows_estimate = copy.rows_estimate, percent = copy.percent(),
            rows_per_second = copy.rows_per_second,
            remaining_s = copy.remaining.map(|remaining| remaining.as_secs()), "copying"
        );
    }

    /// Says in the log that the copy is complete.
    pub(super) fn log_copied(&self) {
        let copied = self.with_status(|status| status.copy.as_mut().map(Progress::complete));
        let Some((time, rows)) = copied else { return };
        self.tail().note_copy(rows, time);
        info!(
            stream = self.id, shard = %self.shard, rows, time_ms = time.as_millis(), "copied"
        );
    }

    fn describe(&self, timestamp: Timestamp) {
        let phase = match &self.phase {
            Phase::Begin | Phase::Snapshot { .. } | Phase::Copy(_) => "copy",
            Phase::CatchUp(_) => "catch-up",
            Phase::Follow if self.feed.as_ref().is_some_and(Feed::is_live) => FOLLOW,
            Phase::Follow => "catch-up",
            Phase::Done => "done",
        };
        self.with_status(|status| {
            status.phase = phase;
            status.seen = self.seen.clone();
            status.timestamp = status.timestamp.max(timestamp);
            status.wait = None;
            if let Some(tail) = self.tails.get(self.tablet) {
                status.tail = Arc::clone(tail);
            }
        });
    }
}

/// The phase of a stream that has what its server had a moment ago.
const FOLLOW: &str = "follow";

pub(super) fn plan_error(shard: &ShardName, table: &TableName, error: &PlanError) -> StreamError {
    let (shard, table) = (shard.clone(), table.clone());
    StreamError::Plan { shard, table, what: error.to_string() }
}
