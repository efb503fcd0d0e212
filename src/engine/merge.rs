//! Many shards' streams as one subscription: their transactions one after the other.
//!
//! Each shard's stream runs inside a future that is kept until it is done, so that a caller may drop
//! [`Subscription::next`] at any time. While a transaction is open only its shard is asked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::event::{
    ClientOrder, Event, GtidSet, Position, ShardName, TableName, TableSchema, Timestamp,
};
use crate::plan::{Applied, Flags, Scratch};
use crate::source::SourceError;

use super::batch::{Batch, Place};
use super::config::EngineConfig;
use super::heartbeat::Heartbeat;
use super::registry::Registration;
use super::shard::{ShardBatch, ShardStream};
use super::skew::Skew;

/// An open stream. Dropping it frees everything that it uses.
pub struct Subscription {
    registration: Registration,
    lanes: Vec<Lane>,
    /// The shard whose transaction is open.
    open: Option<usize>,
    /// The shard to ask first.
    turn: usize,
    position: Arc<Position>,
    order: ClientOrder,
    copying: Vec<bool>,
    heartbeat: Option<Heartbeat>,
    limit: Option<Limit>,
    skew: Option<Skew>,
    config: Arc<EngineConfig>,
    schemas: Vec<(TableName, Arc<TableSchema>)>,
    rules_hash: u64,
    ended: bool,
}

type Step = (Box<ShardStream>, Result<Option<ShardBatch>, StreamError>);

/// One shard's stream and what it is doing.
struct Lane {
    shard: Arc<ShardName>,
    state: LaneState,
    /// A batch that has to wait for slower shards, and how long it may.
    held: Option<(ShardBatch, Pin<Box<Sleep>>)>,
    /// When to look again whether it still has to.
    recheck: Option<Pin<Box<Sleep>>>,
    status: Arc<std::sync::Mutex<super::shard::Status>>,
    /// What the shard's copy adds to the plan's hash.
    hash: u64,
}

enum LaneState {
    Idle(Box<ShardStream>),
    Running(Pin<Box<dyn Future<Output = Step> + Send>>),
    Done,
}

/// Rows that may still be handed out.
struct Limit {
    left: u64,
    scratch: Scratch,
}

/// Why a stream ends before its request says so.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// No server of the shard holds the changes after the position any more.
    #[error(
        "{shard}: the changes after {position} have been purged; copy again, or start at a \
         position that contains {oldest}"
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
        "{shard}: GTIDSet Mismatch: requested source position: {position}, current position: \
         {current}"
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
    #[error("{shard}: reading {tablet} failed{}", in_a_row(*.failures))]
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
    /// As many copies as there may be are being read, for longer than one more can wait.
    #[error("{shard}: too many copies are being read; try again later")]
    TooManyCopies {
        /// The shard.
        shard: ShardName,
        /// What its server said.
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

/// What a subscription is made of.
pub(super) struct Parts {
    pub registration: Registration,
    pub streams: Vec<ShardStream>,
    pub position: Position,
    pub flags: Arc<Flags>,
    pub limit: Option<u64>,
    pub config: Arc<EngineConfig>,
    pub schemas: Vec<(TableName, Arc<TableSchema>)>,
    pub rules_hash: u64,
}

impl Subscription {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { registration, streams, position, flags, limit, config, schemas, rules_hash } =
            parts;
        let lane = |stream: ShardStream| Lane {
            shard: Arc::clone(&stream.shard),
            status: stream.status(),
            hash: stream.copy.hash(),
            state: LaneState::Idle(Box::new(stream)),
            held: None,
            recheck: None,
        };
        let lanes: Vec<_> = streams.into_iter().map(lane).collect();
        let skew = flags.minimize_skew && lanes.len() > 1;
        Self {
            registration,
            open: None,
            turn: 0,
            order: ClientOrder::starting(&position),
            copying: position.shards.iter().map(|shard| shard.wants_copy()).collect(),
            position: Arc::new(position),
            heartbeat: Heartbeat::new(flags.heartbeat_interval),
            limit: limit.map(|left| Limit { left, scratch: Scratch::default() }),
            skew: skew.then(|| Skew::new(lanes.len(), config.max_skew.as_secs())),
            lanes,
            config,
            schemas,
            rules_hash,
            ended: limit == Some(0),
        }
    }

    /// The number of this stream, as SHOW VSTREAMS has it.
    pub const fn id(&self) -> u64 {
        self.registration.id()
    }

    /// The next events; `None` when the request's limit is met. Waits while there is nothing new.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<Batch>, StreamError> {
        let mut shutdown = self.registration.shutdown();
        tokio::select! {
            biased;
            () = shutdown.requested() => Err(StreamError::Shutdown),
            batch = std::future::poll_fn(|context| self.poll(context)) => batch,
        }
    }

    /// The next events if there are any without waiting. A door flushes on `Pending`, then waits
    /// with [`Subscription::next`].
    pub fn try_next(&mut self) -> Result<Poll<Option<Batch>>, StreamError> {
        if self.registration.is_shut_down() {
            return Err(StreamError::Shutdown);
        }
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(batch) => Ok(Poll::Ready(batch?)),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Where a client is that has read everything handed out so far, up to the last complete
    /// transaction. Before the first event it is the start, with `now` resolved.
    pub const fn position(&self) -> &Arc<Position> {
        &self.position
    }

    /// The shape in which the client sees this table, as of the stream's start.
    pub fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.schemas.iter().find(|(name, _)| name == table).map(|(_, schema)| Arc::clone(schema))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Batch>, StreamError>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        let polled = self.poll_lanes(context);
        match &polled {
            Poll::Ready(Ok(Some(_))) => {
                if let Some(heartbeat) = &mut self.heartbeat {
                    heartbeat.restart();
                }
            }
            Poll::Ready(_) => self.ended = true,
            Poll::Pending => {
                if let (None, Some(heartbeat)) = (self.open, &mut self.heartbeat)
                    && heartbeat.poll(context).is_ready()
                {
                    heartbeat.restart();
                    return Poll::Ready(Ok(Some(self.heartbeat())));
                }
            }
        }
        polled
    }

    fn poll_lanes(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Batch>, StreamError>> {
        let count = self.lanes.len();
        let mut done = 0;
        for offset in 0..count {
            let index = self.open.unwrap_or((self.turn + offset) % count);
            match self.poll_lane(index, context) {
                Poll::Ready(Ok(Some(batch))) => {
                    self.turn = (index + 1) % count;
                    return Poll::Ready(self.hand_out(index, batch).map(Some));
                }
                Poll::Ready(Ok(None)) => done += 1,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            if self.open.is_some() {
                break;
            }
        }
        if done == count { Poll::Ready(Ok(None)) } else { Poll::Pending }
    }

    fn poll_lane(
        &mut self,
        index: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<ShardBatch>, StreamError>> {
        let Some(lane) = self.lanes.get_mut(index) else { return Poll::Ready(Ok(None)) };
        if lane.held.is_none() {
            match lane.poll(context) {
                Poll::Ready(Ok(Some(batch))) => {
                    let Some(skew) = &mut self.skew else {
                        return Poll::Ready(Ok(Some(batch)));
                    };
                    skew.reached(index, batch.timestamp);
                    if self.open.is_some() || !skew.holds_up(index) {
                        return Poll::Ready(Ok(Some(batch)));
                    }
                    let timeout = Box::pin(tokio::time::sleep(self.config.skew_timeout));
                    lane.held = Some((batch, timeout));
                }
                other => return other,
            }
        }
        self.poll_held(index, context)
    }

    /// A batch that was held up by slower shards: whether it may go now.
    fn poll_held(
        &mut self,
        index: usize,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<ShardBatch>, StreamError>> {
        let Some(skew) = &mut self.skew else { return Poll::Pending };
        // Idle shards advance by what their sources say, which wakes nobody: look now and then.
        for (other, lane) in self.lanes.iter().enumerate() {
            skew.reached(other, lane.source_time());
        }
        let Some(lane) = self.lanes.get_mut(index) else { return Poll::Pending };
        if !skew.holds_up(index) {
            lane.recheck = None;
            return Poll::Ready(Ok(lane.held.take().map(|(batch, _)| batch)));
        }
        let timed_out = lane
            .held
            .as_mut()
            .is_some_and(|(_, timeout)| timeout.as_mut().poll(context).is_ready());
        if timed_out {
            return Poll::Ready(Err(StreamError::Skew((*lane.shard).clone())));
        }
        let timer = lane.recheck.get_or_insert_with(|| Box::pin(tokio::time::sleep(SKEW_RECHECK)));
        if timer.as_mut().poll(context).is_ready() {
            timer.as_mut().reset(Instant::now() + SKEW_RECHECK);
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn hand_out(&mut self, index: usize, batch: ShardBatch) -> Result<Batch, StreamError> {
        let shard = Arc::clone(&self.lanes.get(index).expect("the lane that was polled").shard);
        let ShardBatch { events, rows, timestamp, base, inside, open } = batch;
        let base = base.map_or_else(|| Arc::clone(&self.position), |base| self.whole(index, &base));
        let mut all_copied = false;
        let mut whole = Vec::with_capacity(events.len() + 1);
        for event in events {
            let event = match event {
                Event::Vgtid(own) => {
                    self.position = self.whole(index, &own);
                    if let Some(lane) = self.lanes.get_mut(index) {
                        lane.hash = own.plan_hash.unwrap_or(0) ^ self.rules_hash;
                    }
                    Event::Vgtid(Arc::clone(&self.position))
                }
                Event::CopyCompleted(shard) => {
                    if let Some(copying) = self.copying.get_mut(index) {
                        *copying = false;
                    }
                    all_copied = !self.copying.contains(&true);
                    Event::CopyCompleted(shard)
                }
                other => other,
            };
            whole.push(event);
        }
        if all_copied {
            whole.push(Event::CopyCompleted(None));
        }
        self.open = open.then_some(index);
        let mut batch = Batch::new(shard, whole, timestamp, rows, Place::new(base, index, inside));
        self.check_order(&batch)?;
        self.count(&mut batch)?;
        Ok(batch)
    }

    /// A shard's own position among those of all shards.
    fn whole(&self, index: usize, own: &Arc<Position>) -> Arc<Position> {
        if self.lanes.len() == 1 {
            return Arc::clone(own);
        }
        let mut whole = (*self.position).clone();
        let hashes = self.lanes.iter().enumerate().map(|(lane, state)| {
            if lane == index { own.plan_hash.unwrap_or(0) ^ self.rules_hash } else { state.hash }
        });
        whole.plan_hash = Some(hashes.fold(self.rules_hash, |hash, lane| hash ^ lane));
        if let (Some(place), Some(own)) = (whole.shards.get_mut(index), own.shards.first()) {
            *place = own.clone();
        }
        Arc::new(whole)
    }

    fn check_order(&mut self, batch: &Batch) -> Result<(), StreamError> {
        for event in &batch.events {
            self.order.push(&batch.shard, event).map_err(|error| StreamError::Order {
                shard: (*batch.shard).clone(),
                what: error.to_string(),
            })?;
        }
        Ok(())
    }

    /// Counts the rows that the client will see, and ends the stream behind the last one wanted.
    fn count(&mut self, batch: &mut Batch) -> Result<(), StreamError> {
        let Some(limit) = &mut self.limit else { return Ok(()) };
        let mut cut = None;
        'all: for (number, known) in batch.rows().iter().enumerate() {
            if known.plan.passes_all() {
                let rows = known.rows.range.len() as u64;
                if rows < limit.left {
                    limit.left -= rows;
                    continue;
                }
            }
            for (index, change) in known.rows.range.clone().zip(known.rows.changes()) {
                let applied = known.plan.apply(change, &mut limit.scratch);
                match applied.map_err(|error| StreamError::Plan {
                    shard: (*batch.shard).clone(),
                    table: known.rows.event.schema().name.clone(),
                    what: error.to_string(),
                })? {
                    Applied::Without => {}
                    Applied::Same | Applied::Changed(_) => limit.left -= 1,
                }
                if limit.left == 0 {
                    cut = Some((number, index + 1));
                    break 'all;
                }
            }
        }
        if let Some((number, end)) = cut {
            batch.cut(number, end);
            self.ended = true;
        }
        Ok(())
    }

    fn heartbeat(&self) -> Batch {
        let now = self.config.seconds();
        let shard = self.lanes.first().map(|lane| Arc::clone(&lane.shard));
        let shard = shard.expect("a stream has a shard at least");
        let place = Place::new(Arc::clone(&self.position), 0, super::batch::Inside::Nothing);
        Batch::new(shard, vec![Event::Heartbeat(now)], now, Vec::new(), place)
    }
}

impl Lane {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<ShardBatch>, StreamError>> {
        if let LaneState::Idle(_) = &self.state
            && let LaneState::Idle(mut stream) = std::mem::replace(&mut self.state, LaneState::Done)
        {
            self.state = LaneState::Running(Box::pin(async move {
                let step = stream.next().await;
                (stream, step)
            }));
        }
        let LaneState::Running(running) = &mut self.state else { return Poll::Ready(Ok(None)) };
        let Poll::Ready((stream, step)) = running.as_mut().poll(context) else {
            return Poll::Pending;
        };
        self.state = match &step {
            Ok(Some(_)) => LaneState::Idle(stream),
            Ok(None) | Err(_) => LaneState::Done,
        };
        Poll::Ready(step)
    }

    /// The source time that the shard has reached.
    fn source_time(&self) -> Timestamp {
        self.status.lock().expect("no one panics while holding a status").reached()
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// How often something failed, unless it was once.
fn in_a_row(failures: u32) -> String {
    if failures > 1 { format!(" {failures} times in a row") } else { String::new() }
}

/// How often a shard that is held up looks at the others' times.
const SKEW_RECHECK: Duration = Duration::from_millis(250);
