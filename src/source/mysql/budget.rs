//! How many connections to one server there may be at once, whoever needs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::copies::{Copies, CopyLimits};

/// The connections that a server's tails, catch-ups, copies and questions share with the sessions
/// whose statements it runs.
#[derive(Debug)]
pub struct Budget {
    permits: Arc<Semaphore>,
    /// How many of them clients' sessions may have, which keep theirs for as long as they like.
    sessions: Arc<Semaphore>,
    /// One connection more, for moments: who ends what runs must not wait until it has ended.
    spare: Semaphore,
    max: usize,
    wait_timeout: Duration,
    waiting: AtomicUsize,
    copies: Copies,
}

/// The right to one connection, for as long as it is held.
#[derive(Debug)]
pub struct Permit {
    _connection: OwnedSemaphorePermit,
    _session: Option<OwnedSemaphorePermit>,
}

/// All connections that there may be are in use, and none was given back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// How many there may be.
    pub max: usize,
    /// How long one more was waited for.
    pub waited: Duration,
}

impl Budget {
    /// A budget of `max` connections, and for copies what is usual.
    pub fn new(max: usize) -> Self {
        Self::with_copies(max, CopyLimits::default())
    }

    /// A budget of `max` connections, and of what copies may take.
    pub fn with_copies(max: usize, copies: CopyLimits) -> Self {
        let copies_max = Self::copies_of(max, copies.copies_max);
        Self {
            permits: Arc::new(Semaphore::new(max)),
            sessions: Arc::new(Semaphore::new(sessions(max))),
            spare: Semaphore::new(1),
            max,
            wait_timeout: WAIT_TIMEOUT,
            waiting: AtomicUsize::new(0),
            copies: Copies::new(CopyLimits { copies_max, ..copies }),
        }
    }

    /// How many copies of `copies_max` there may be at once under so many connections: each keeps one
    /// for as long as it lasts, as sessions do, and some are left to the log, by which all copies go
    /// on.
    pub fn copies_of(connections_max: usize, copies_max: usize) -> usize {
        let room = connections_max.saturating_sub(sessions(connections_max) + BESIDE_COPIES);
        copies_max.min(room).max(1)
    }

    /// The copies of the server.
    pub const fn copies(&self) -> &Copies {
        &self.copies
    }

    /// Waits a bounded time until there may be one more; first come, first served. Cancel-safe.
    pub async fn take(&self) -> Result<Permit, Exhausted> {
        let permit = self.in_time(take_many(&self.permits, 1)).await?;
        Ok(Permit { _connection: permit, _session: None })
    }

    /// The same for two at once: two that each hold one and wait for another would wait in vain.
    pub async fn take_two(&self) -> Result<(Permit, Permit), Exhausted> {
        let mut first = self.in_time(take_many(&self.permits, 2)).await?;
        let second = first.split(1).expect("there are two");
        let both = [first, second].map(|permit| Permit { _connection: permit, _session: None });
        Ok(both.into())
    }

    /// One for a client's session: half of all at least are left for streams. Who waits here is counted
    /// nowhere; the client's own list shows it.
    pub async fn take_for_session(&self) -> Result<Permit, Exhausted> {
        let taking = async {
            let session = take_many(&self.sessions, 1).await;
            let connection = take_many(&self.permits, 1).await;
            Permit { _connection: connection, _session: Some(session) }
        };
        let taken = tokio::time::timeout(self.wait_timeout, taking).await;
        taken.map_err(|_| Exhausted { max: sessions(self.max), waited: self.wait_timeout })
    }

    async fn in_time<T>(&self, taking: impl Future<Output = T>) -> Result<T, Exhausted> {
        let _waiting = Waiting::new(&self.waiting);
        let taken = tokio::time::timeout(self.wait_timeout, taking).await;
        taken.map_err(|_| Exhausted { max: self.max, waited: self.wait_timeout })
    }

    /// Waits for its turn at the one connection beyond the budget.
    pub async fn take_spare(&self) -> SemaphorePermit<'_> {
        self.spare.acquire().await.expect("the semaphore is never closed")
    }

    /// Connections that there may be at once.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Connections that there are.
    pub fn in_use(&self) -> usize {
        self.max - self.permits.available_permits()
    }

    /// How many wait for one.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

async fn take_many(permits: &Arc<Semaphore>, count: u32) -> OwnedSemaphorePermit {
    let permit = Arc::clone(permits).acquire_many_owned(count).await;
    permit.expect("the semaphore is never closed")
}

/// How many of so many connections clients' sessions may have.
fn sessions(max: usize) -> usize {
    max.div_ceil(2).min(max.saturating_sub(STREAMS_LEAST)).max(1)
}

/// Counts one that waits, until it has what it wants or gives up.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Servers allow 151 connections unless they are told otherwise: most of them are left to others.
pub const CONNECTIONS_MAX_DEFAULT: usize = 40;
/// The tail, four readers that catch up, the second one that a view is opened by, and two for the
/// questions of all these: whoever waits for two at once is first in line and lets nobody past.
const BESIDE_COPIES: usize = 8;
/// Longer than anybody but streams needs one.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// One to follow, and the two that a view is opened by.
const STREAMS_LEAST: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_counted_and_gives_up_in_time() {
        let budget = Arc::new(Budget::new(1));
        let held = budget.take().await.unwrap();
        assert_eq!((budget.in_use(), budget.waiting()), (1, 0));
        let mut second = Box::pin(budget.take());
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut second).await.is_err());
        assert_eq!(budget.waiting(), 1);
        let waited = second.await.unwrap_err();
        assert_eq!(waited, Exhausted { max: 1, waited: WAIT_TIMEOUT });
        assert_eq!(budget.waiting(), 0);
        let mut third = Box::pin(budget.take());
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut third).await.is_err());
        drop(held);
        third.await.unwrap();
        assert_eq!(budget.in_use(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_leave_half_to_others() {
        let budget = Budget::new(5);
        let sessions =
            (budget.take_for_session().await.unwrap(), budget.take_for_session().await.unwrap());
        let exhausted = budget.take_for_session().await.unwrap_err();
        assert_eq!(exhausted, Exhausted { max: 2, waited: WAIT_TIMEOUT });
        let (tail, view) = (budget.take().await.unwrap(), budget.take_two().await.unwrap());
        drop(sessions);
        assert_eq!(budget.in_use(), 3);
        drop((tail, view));
        let _one_more = budget.take_spare().await;
        assert_eq!(budget.in_use(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn two_are_taken_together_and_given_back_one_by_one() {
        let budget = Budget::new(2);
        let (first, second) = budget.take_two().await.unwrap();
        assert_eq!(budget.in_use(), 2);
        drop(first);
        assert_eq!(budget.in_use(), 1);
        assert!(budget.take_two().await.is_err());
        drop(second);
        budget.take_two().await.unwrap();
    }

    #[test]
    fn copies_leave_connections_to_others() {
        let check = |connections_max, copies_max, expected| {
            let copies = Budget::copies_of(connections_max, copies_max);
            assert_eq!(copies, expected, "{copies_max} over {connections_max}");
        };
        check(CONNECTIONS_MAX_DEFAULT, 8, 8);
        check(CONNECTIONS_MAX_DEFAULT, 13, 12);
        check(20, 8, 2);
        check(3, 8, 1);
    }
}
