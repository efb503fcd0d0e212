//! Catch-up readers: separate reads of a server for cursors that its log no longer serves.
//!
//! There are at most `catch_up_readers_max` per server. A reader starts at the oldest position that
//! waits and serves every cursor behind it, each at its own pace: it reads ahead of the fastest one
//! by a bounded number of bytes, and who falls behind the ring asks for another reader. One whose
//! cursors do not read at all gives its place up when others wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, oneshot};

use crate::event::GtidSet;
use crate::source::{Changes, Scope, Source, SourceError, Span};
use crate::telemetry;

use super::config::EngineConfig;
use super::intake::Intake;
use super::log::{End, Log};
use super::tail::ended_early;

/// A server's readers and who waits for one.
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn Source>,
    config: Arc<EngineConfig>,
    pool: Mutex<Pool>,
}

#[derive(Default)]
struct Pool {
    active: Vec<Arc<Reader>>,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    seen: GtidSet,
    scope: Scope,
    grant: oneshot::Sender<ReaderLease>,
}

/// One running reader.
struct Reader {
    log: Log,
    scope: Scope,
    attached: AtomicUsize,
    detached: Notify,
}

/// A cursor's hold on a reader.
pub(super) struct ReaderLease {
    reader: Arc<Reader>,
}

impl ReaderLease {
    pub fn log(&self) -> &Log {
        &self.reader.log
    }
}

impl Drop for ReaderLease {
    fn drop(&mut self) {
        if self.reader.attached.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.reader.detached.notify_one();
        }
    }
}

impl Readers {
    pub fn new(source: Arc<dyn Source>, config: Arc<EngineConfig>) -> Self {
        Self { shared: Arc::new(Shared { source, config, pool: Mutex::default() }) }
    }

    /// A reader that will emit what `seen` lacks of the tables of `scope`; its log can be entered
    /// or will have ended once the wait is over. Waits while all readers are busy elsewhere.
    pub async fn request(&self, seen: &GtidSet, scope: &Scope) -> Option<ReaderLease> {
        let granted = self.shared.ask(seen, scope);
        match granted {
            Ok(lease) => Some(lease),
            Err(wait) => wait.await.ok(),
        }
    }

    /// Readers at work.
    pub fn active(&self) -> usize {
        self.shared.pool().active.len()
    }

    /// Bytes that readers hold.
    pub fn bytes(&self) -> usize {
        self.shared.pool().active.iter().map(|reader| reader.log.bytes()).sum()
    }
}

impl Shared {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().expect("no one panics while holding the readers")
    }

    fn ask(
        self: &Arc<Self>,
        seen: &GtidSet,
        scope: &Scope,
    ) -> Result<ReaderLease, oneshot::Receiver<ReaderLease>> {
        let mut pool = self.pool();
        let free = pool.active.len() < self.config.catch_up_readers_max;
        let fits = pool.active.iter().find(|reader| {
            reader.scope.covers(scope)
                && reader.log.ended().is_none()
                && reader.log.enter(seen, scope).is_some()
                // One that is far behind would be read through for nothing.
                && (!free || !is_ahead(seen, &reader.log.last()))
        });
        if let Some(reader) = fits {
            return Ok(attach(reader));
        }
        if free {
            let reader = self.start(&mut pool, seen.clone(), scope.clone());
            return Ok(attach(&reader));
        }
        let (grant, wait) = oneshot::channel();
        pool.waiting.push_back(Waiter { seen: seen.clone(), scope: scope.clone(), grant });
        Err(wait)
    }

    fn start(self: &Arc<Self>, pool: &mut Pool, start: GtidSet, scope: Scope) -> Arc<Reader> {
        let log = Log::of_reader(self.config.catch_up_bytes_max);
        log.reset(start.clone());
        log.open_segment(scope.clone());
        let reader =
            Arc::new(Reader { log, scope, attached: AtomicUsize::new(0), detached: Notify::new() });
        pool.active.push(Arc::clone(&reader));
        let task = run(Arc::clone(self), Arc::clone(&reader), start);
        telemetry::spawn("catch-up reader", task);
        reader
    }

    /// Gives a place that became free to whoever waits at the oldest position.
    fn ended(self: &Arc<Self>, reader: &Arc<Reader>) {
        let mut pool = self.pool();
        pool.active.retain(|active| !Arc::ptr_eq(active, reader));
        pool.waiting.retain(|waiter| !waiter.grant.is_closed());
        let Some(mut start) = pool.waiting.front().map(|waiter| waiter.seen.clone()) else {
            return;
        };
        for waiter in &pool.waiting {
            if start.contains_set(&waiter.seen) {
                start = waiter.seen.clone();
            }
        }
        let all = std::mem::take(&mut pool.waiting);
        let (served, rest): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|waiter| waiter.seen.contains_set(&start));
        pool.waiting = rest;
        if served.is_empty() {
            return;
        }
        let mut scope = Scope::default();
        served.iter().for_each(|waiter| scope.join(&waiter.scope));
        let reader = self.start(&mut pool, start, scope);
        let leases: Vec<_> = served.into_iter().map(|w| (w.grant, attach(&reader))).collect();
        drop(pool);
        for (grant, lease) in leases {
            // Who has left meanwhile drops the lease.
            let _ = grant.send(lease);
        }
    }
}

fn is_ahead(seen: &GtidSet, last: &GtidSet) -> bool {
    seen.contains_set(last) && seen != last
}

fn attach(reader: &Arc<Reader>) -> ReaderLease {
    reader.attached.fetch_add(1, Ordering::Relaxed);
    ReaderLease { reader: Arc::clone(reader) }
}

/// Frees the reader's place however its task ends.
struct Place {
    shared: Arc<Shared>,
    reader: Arc<Reader>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.reader.log.ended().is_none() {
            // Whoever is told of one that retired asks for another at once.
            self.reader.log.end(if std::thread::panicking() {
                broken_down()
            } else {
                End::Retired
            });
        }
        self.shared.ended(&self.reader);
    }
}

async fn run(shared: Arc<Shared>, reader: Arc<Reader>, start: GtidSet) {
    let place = Place { shared, reader };
    let (shared, reader) = (&place.shared, &place.reader);
    let end = match open(shared, reader, start).await {
        Ok(changes) => fill(shared, reader, changes).await,
        Err(error) => End::Failed(Arc::new(error)),
    };
    reader.log.end(end);
}

async fn open(
    shared: &Shared,
    reader: &Reader,
    start: GtidSet,
) -> Result<Box<dyn Changes>, SourceError> {
    let span = |start: &GtidSet| Span { start: start.clone(), until: None };
    let mut begin = start;
    let changes = match shared.source.changes(span(&begin), reader.scope.clone()).await {
        // Seen on another server, and not yet here: begin at what both have.
        Err(SourceError::Future { position, current }) => {
            begin = position.subtract(&position.subtract(&current));
            reader.log.reset(begin.clone());
            reader.log.open_segment(reader.scope.clone());
            shared.source.changes(span(&begin), reader.scope.clone()).await?
        }
        opened => opened?,
    };
    Ok(changes)
}

async fn fill(shared: &Shared, reader: &Reader, mut changes: Box<dyn Changes>) -> End {
    let mut intake = Intake::new(shared.config.part_bytes);
    loop {
        if reader.attached.load(Ordering::Relaxed) == 0 {
            return End::Retired;
        }
        if reader.log.unread_bytes() > shared.config.catch_up_bytes_max as u64 / 2 {
            if !wait_for_readers(shared, reader).await {
                return End::Retired;
            }
            continue;
        }
        tokio::select! {
            biased;
            () = reader.detached.notified() => {}
            read = changes.next() => match read {
                Ok(Some(events)) => match intake.take(events) {
                    Ok(taken) => reader.log.append(taken.parts),
                    Err(error) => return End::Broken(error.into()),
                },
                Ok(None) => return End::Failed(Arc::new(ended_early())),
                Err(error) => return End::Failed(Arc::new(error)),
            },
        }
    }
}

fn broken_down() -> End {
    let context = "the catch-up reader's task broke down".to_owned();
    End::Failed(Arc::new(SourceError::Corrupt { context, source: None }))
}

/// Waits until a cursor has read on; `false` if none does and others want the place.
async fn wait_for_readers(shared: &Shared, reader: &Reader) -> bool {
    let furthest = reader.log.furthest();
    let read_on = reader.log.read_on();
    tokio::pin!(read_on);
    read_on.as_mut().enable();
    if reader.log.furthest() != furthest {
        return true;
    }
    tokio::select! {
        biased;
        () = read_on => true,
        () = reader.detached.notified() => true,
        () = tokio::time::sleep(shared.config.reader_idle_timeout) => {
            reader.log.furthest() != furthest
                || shared.pool().waiting.iter().all(|waiter| waiter.grant.is_closed())
        }
    }
}
