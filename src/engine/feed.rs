//! A cursor's way through a server's changes: its tail's log where that still holds them, else a
//! catch-up reader until it meets the log again.

use std::sync::Arc;

use crate::event::GtidSet;
use crate::source::Scope;

use super::log::{End, Log, Part, Read};
use super::reader::ReaderLease;
use super::tail::{Tail, TailLease};

/// Where a cursor reads one server.
pub(super) struct Feed {
    tail: TailLease,
    scope: Arc<Scope>,
    place: Place,
}

/// What a feed waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The server's first answer.
    Server,
    /// One of the server's catch-up readers.
    Reader,
    /// A view of the server's tables.
    View,
    /// The rows of a view.
    Rows,
    /// The time in which a copy may read on.
    Rate,
    /// The server's next change: all before it were handed out.
    Change,
}

enum Place {
    /// To be found by the cursor rule.
    Outside,
    Tail(u64),
    Reader(ReaderLease, u64),
}

impl Feed {
    pub fn new(tail: &Arc<Tail>, scope: Arc<Scope>) -> Self {
        Self { tail: tail.lease(&scope), scope, place: Place::Outside }
    }

    /// Forgets the place; the cursor rule finds it again.
    pub fn leave(&mut self) {
        self.place = Place::Outside;
    }

    /// Whether changes come out of the tail's log, live.
    pub const fn is_live(&self) -> bool {
        matches!(self.place, Place::Tail(_))
    }

    /// What the tail has read completely; none if it does not read yet.
    pub fn known(&self) -> Option<GtidSet> {
        self.tail.log.known()
    }

    /// Everything committed when the tail, reading all that is wanted, was last heard of.
    pub async fn now(&self) -> Result<GtidSet, End> {
        let log = &self.tail.log;
        until(log, || log.now(&self.scope)).await
    }

    /// Waits until the server has everything that `seen` has.
    pub async fn reaches(&self, seen: &GtidSet) -> Result<(), End> {
        let log = &self.tail.log;
        let reached = || {
            let now = log.now(&self.scope)?;
            now.contains_set(seen).then_some(())
        };
        until(log, reached).await
    }

    /// The next part that may be new to a cursor that has seen `seen`; the same transaction may come
    /// again from its first part. `between` says that the cursor is in no transaction; `tell` hears
    /// what is waited for, and that it has come.
    pub async fn next(
        &mut self,
        seen: &GtidSet,
        between: bool,
        tell: impl Fn(Option<Wait>),
    ) -> Result<Arc<Part>, End> {
        loop {
            if let Place::Reader(..) = self.place
                && between
                && let Some(index) = self.tail.log.enter(seen, &self.scope)
            {
                self.place = Place::Tail(index);
            }
            let is_live = self.is_live();
            let (log, index) = match &mut self.place {
                Place::Outside => {
                    self.enter(seen, &tell).await?;
                    continue;
                }
                Place::Tail(index) => (&self.tail.log, index),
                Place::Reader(lease, index) => (lease.log(), index),
            };
            match log.read(*index) {
                Read::Part(part) => {
                    *index += 1;
                    return Ok(part);
                }
                Read::Empty => {
                    if is_live {
                        tell(Some(Wait::Change));
                    }
                    until(log, || is_there(log, *index)).await?;
                }
                Read::Lagged | Read::Ended(End::Retired) => self.place = Place::Outside,
                Read::Ended(end) => return Err(end),
            }
        }
    }

    async fn enter(&mut self, seen: &GtidSet, tell: impl Fn(Option<Wait>)) -> Result<(), End> {
        tell(Some(Wait::Server));
        self.now().await?;
        tell(None);
        if let Some(index) = self.tail.log.enter(seen, &self.scope) {
            self.place = Place::Tail(index);
            return Ok(());
        }
        tell(Some(Wait::Reader));
        let lease = self.tail.readers.request(seen, &self.scope).await;
        tell(Some(Wait::Server));
        let Some(lease) = lease else { return Ok(()) };
        let log = lease.log();
        let entered =
            until(log, || log.now(&self.scope).map(|_| log.enter(seen, &self.scope))).await;
        tell(None);
        match entered {
            // What the reader had when it was granted it may have let go since: ask again.
            Ok(None) | Err(End::Retired) => Ok(()),
            Ok(Some(index)) => {
                self.place = Place::Reader(lease, index);
                Ok(())
            }
            Err(end) => Err(end),
        }
    }
}

/// Waits for the log to say something, or to end.
async fn until<T>(log: &Log, mut look: impl FnMut() -> Option<T>) -> Result<T, End> {
    loop {
        let changed = log.changed();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if let Some(found) = look() {
            return Ok(found);
        }
        if let Some(end) = log.ended() {
            return Err(end);
        }
        changed.await;
    }
}

fn is_there(log: &Log, index: u64) -> Option<()> {
    (!matches!(log.read(index), Read::Empty)).then_some(())
}
