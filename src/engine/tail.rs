//! One task per tablet in use: Source -> Log, whatever the number of streams.
//!
//! The first lease starts it at the source's present position, and it ends when there has been no
//! lease for a while. It mends broken connections itself; when it cannot, it ends its log, and each
//! stream decides for itself where to go on. It never waits for a stream.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::event::GtidSet;
use crate::source::{Scope, Source, SourceError, Span};
use crate::telemetry;

use super::config::EngineConfig;
use super::intake::{Intake, IntakeError};
use super::log::{End, Log};
use super::reader::Readers;
use super::retry::Retry;

/// One server, its log and its catch-up readers.
pub(super) struct Tail {
    pub tablet: super::Tablet,
    pub log: Log,
    pub readers: Readers,
    config: Arc<EngineConfig>,
    demand: Mutex<Demand>,
    changed: Notify,
    /// Its server sends changes, or would if there were any.
    reading: AtomicBool,
    /// Rows per second of the fastest copy so far: others had slow clients.
    copy_rate: AtomicU32,
}

/// What streams want of a tail.
#[derive(Debug, Default)]
struct Demand {
    /// What each lease wants.
    leases: Vec<Arc<Scope>>,
    /// All that the leases wanted when it was started, or one of them wanted more than was read.
    scope: Option<Scope>,
    running: bool,
}

/// Keeps a tail running.
pub(super) struct TailLease {
    tail: Arc<Tail>,
    scope: Arc<Scope>,
}

impl std::ops::Deref for TailLease {
    type Target = Arc<Tail>;

    fn deref(&self) -> &Self::Target {
        &self.tail
    }
}

impl Drop for TailLease {
    fn drop(&mut self) {
        let mut demand = self.tail.demand();
        let own = demand.leases.iter().position(|scope| Arc::ptr_eq(scope, &self.scope));
        demand.leases.swap_remove(own.expect("a lease is there until it is dropped"));
        let idle = demand.leases.is_empty();
        drop(demand);
        if idle {
            self.tail.changed.notify_one();
        }
    }
}

impl Tail {
    pub fn new(tablet: super::Tablet, config: Arc<EngineConfig>) -> Self {
        Self {
            log: Log::of_tail(config.log_bytes_max),
            readers: Readers::new(Arc::clone(&tablet.source), Arc::clone(&config)),
            tablet,
            config,
            demand: Mutex::default(),
            changed: Notify::new(),
            reading: AtomicBool::new(false),
            copy_rate: AtomicU32::new(0),
        }
    }

    /// A copy is complete. One that was over at once says nothing.
    pub fn note_copy(&self, rows: u64, time: Duration) {
        if time >= COPY_TIME_MIN {
            let rate = u128::from(rows) * 1_000 / time.as_millis();
            self.copy_rate.fetch_max(u32::try_from(rate).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    /// Rows per second that copies may come to; none known if 0.
    pub fn copy_rate(&self) -> u32 {
        self.copy_rate.load(Ordering::Relaxed)
    }

    /// Asks for the tables of `scope` to be read, which begins now or soon.
    pub fn lease(self: &Arc<Self>, scope: &Arc<Scope>) -> TailLease {
        let mut demand = self.demand();
        demand.leases.push(Arc::clone(scope));
        let start = !demand.running;
        let wider = demand.scope.as_ref().is_none_or(|have| !have.covers(scope));
        if wider || start {
            // What only streams wanted that have left is not read any longer.
            let mut all = Scope::default();
            demand.leases.iter().for_each(|scope| all.join(scope));
            demand.scope = Some(all);
        }
        if start {
            demand.running = true;
            // No cursor may take the end of an earlier run for the end of this one.
            self.log.reset(GtidSet::new());
        }
        drop(demand);
        if start {
            let tail = Arc::clone(self);
            telemetry::spawn("tail", tail.run());
        } else if wider {
            self.changed.notify_one();
        }
        TailLease { tail: Arc::clone(self), scope: Arc::clone(scope) }
    }

    fn demand(&self) -> MutexGuard<'_, Demand> {
        self.demand.lock().expect("no one panics while holding a tail's demand")
    }

    fn scope(&self) -> Scope {
        self.demand().scope.clone().expect("a tail runs because of a lease, which has a scope")
    }

    async fn run(self: Arc<Self>) {
        let guard = EndOnPanic(&self);
        let end = Run::new(&self).until_over().await;
        std::mem::forget(guard);
        if let Some(end) = end {
            debug!(source = self.tablet.source.name(), "tail ended");
            self.stop(end);
        }
    }

    /// The leases that are left stay: the next one to come starts it again for all of them.
    fn stop(&self, end: End) {
        let mut demand = self.demand();
        demand.running = false;
        self.reading.store(false, Ordering::Relaxed);
        self.log.end(end);
    }

    /// Ends it unless somebody came at the last moment.
    fn stop_if_idle(&self) -> bool {
        let mut demand = self.demand();
        let idle = demand.leases.is_empty();
        if idle {
            *demand = Demand::default();
            self.reading.store(false, Ordering::Relaxed);
            self.log.reset(GtidSet::new());
        }
        idle
    }

    /// Whether its server sends changes, or would if there were any.
    pub fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    /// Whether any stream or linger keeps it running.
    pub fn is_running(&self) -> bool {
        self.demand().running
    }
}

/// From which time on a copy says something about the rate of others.
const COPY_TIME_MIN: Duration = Duration::from_secs(1);

/// Ends the log of a tail that panics, so that its streams end with an error.
struct EndOnPanic<'a>(&'a Tail);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        let context = "the tail's task broke down or was stopped".to_owned();
        let error = SourceError::Corrupt { context, source: None };
        self.0.stop(End::Failed(Arc::new(error)));
    }
}

/// One life of a tail.
struct Run<'a> {
    tail: &'a Tail,
    source: &'a dyn Source,
    intake: Intake,
    retry: Retry,
    /// The tables that are being read.
    scope: Scope,
}

/// Why one connection of a tail is over.
enum Over {
    /// Somebody wants more tables.
    Widen,
    /// Nobody wants anything.
    Idle,
    Failed(SourceError),
    Broken(Box<IntakeError>),
}

impl<'a> Run<'a> {
    fn new(tail: &'a Tail) -> Self {
        Self {
            tail,
            source: &*tail.tablet.source,
            intake: Intake::new(tail.config.part_bytes),
            retry: Retry::new(&tail.config, tail.config.failures_max, tail.tablet.source.name()),
            scope: tail.scope(),
        }
    }

    /// Why it ended; `None` when nobody needs it.
    async fn until_over(mut self) -> Option<End> {
        let mut started = false;
        loop {
            match self.connection(&mut started).await {
                Over::Widen => {}
                Over::Idle => return None,
                Over::Broken(error) => return Some(End::Broken(error.into())),
                Over::Failed(error) => {
                    let delay = error.is_transient().then(|| self.retry.failed()).flatten();
                    let Some(delay) = delay else { return Some(End::Failed(Arc::new(error))) };
                    warn!(
                        source = self.source.name(),
                        error = %error,
                        delay_ms = delay.as_millis(),
                        "reading changes failed; will retry"
                    );
                    tokio::time::sleep(delay).await;
                }
            }
            self.intake.reconnect();
        }
    }

    async fn connection(&mut self, started: &mut bool) -> Over {
        self.tail.reading.store(false, Ordering::Relaxed);
        if !*started {
            match self.source.position().await {
                Ok(position) => self.tail.log.reset(position),
                Err(error) => return Over::Failed(error),
            }
            *started = true;
        }
        self.scope = self.tail.scope();
        let span = Span { start: self.tail.log.last(), until: None };
        let mut changes = match self.source.changes(span, self.scope.clone()).await {
            Ok(changes) => changes,
            Err(error) => return Over::Failed(error),
        };
        self.tail.reading.store(true, Ordering::Relaxed);
        self.tail.log.open_segment(self.scope.clone());
        let mut linger = None;
        loop {
            let idle = async {
                match linger {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.tail.changed.notified() => {}
                () = idle => {
                    if self.tail.stop_if_idle() {
                        return Over::Idle;
                    }
                }
                read = changes.next() => match read {
                    Ok(Some(events)) => {
                        if let Err(error) = self.take(events) {
                            return Over::Broken(error);
                        }
                    }
                    Ok(None) => return Over::Failed(ended_early()),
                    Err(error) => return Over::Failed(error),
                },
            }
            let demand = self.tail.demand();
            let idle = demand.leases.is_empty();
            let wider = demand.scope.as_ref().is_some_and(|want| !self.scope.covers(want));
            drop(demand);
            let idle_end = || tokio::time::Instant::now() + self.tail.config.tail_linger;
            linger = idle.then(|| linger.unwrap_or_else(idle_end));
            if wider && self.intake.is_between_transactions() {
                return Over::Widen;
            }
        }
    }

    fn take(&mut self, events: Vec<crate::event::Event>) -> Result<(), Box<IntakeError>> {
        let taken = self.intake.take(events)?;
        self.retry.succeeded();
        if let Some(time) = taken.heartbeat {
            self.tail.log.note_time(time);
        }
        if !taken.parts.is_empty() {
            self.tail.log.append(taken.parts);
        }
        Ok(())
    }
}

/// What a reader without end that ended is.
pub(super) fn ended_early() -> SourceError {
    let context = "the source ended the stream of changes".to_owned();
    SourceError::Disconnected { context, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TableName;
    use crate::plan::TabletType;
    use crate::source::memory::MemorySource;

    #[tokio::test]
    async fn a_tail_that_failed_begins_again_with_what_is_still_wanted() {
        let source: Arc<dyn Source> = Arc::new(MemorySource::new("s"));
        let tablet =
            crate::engine::Tablet { name: "t".into(), tablet_type: TabletType::Primary, source };
        let tail = Arc::new(Tail::new(tablet, Arc::new(EngineConfig::default())));
        let scope = |table: &str| Arc::new(Scope::tables([TableName::new("ks", table)]));
        let (gone, _stays) = (tail.lease(&Arc::new(Scope::all())), tail.lease(&scope("a")));
        tail.reading.store(true, Ordering::Relaxed);
        tail.stop(End::Failed(Arc::new(ended_early())));
        assert!(!tail.is_reading());
        drop(gone);
        let _comes = tail.lease(&scope("b"));
        let mut both = (*scope("a")).clone();
        both.join(&scope("b"));
        assert_eq!(tail.scope(), both);
    }
}
