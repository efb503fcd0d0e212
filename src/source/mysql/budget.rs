//! How many connections to one server there may be at once, whoever needs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections that a server's tails, catch-ups, copies and questions share.
#[derive(Debug)]
pub struct Budget {
    permits: Arc<Semaphore>,
    max: usize,
    wait_timeout: Duration,
    waiting: AtomicUsize,
}

/// The right to one connection, for as long as it is held.
#[derive(Debug)]
pub struct Permit(OwnedSemaphorePermit);

/// All connections that there may be are in use, and none was given back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// How many there may be.
    pub max: usize,
    /// How long one more was waited for.
    pub waited: Duration,
}

impl Budget {
    /// A budget of `max` connections.
    pub fn new(max: usize) -> Self {
        Self::with_timeout(max, WAIT_TIMEOUT)
    }

    fn with_timeout(max: usize, wait_timeout: Duration) -> Self {
        let permits = Arc::new(Semaphore::new(max));
        Self { permits, max, wait_timeout, waiting: AtomicUsize::new(0) }
    }

    /// Waits a bounded time until there may be one more; first come, first served. Cancel-safe.
    pub async fn take(&self) -> Result<Permit, Exhausted> {
        self.take_many(1).await
    }

    /// The same for two at once: two that each hold one and wait for another would wait in vain.
    pub async fn take_two(&self) -> Result<(Permit, Permit), Exhausted> {
        let Permit(mut both) = self.take_many(2).await?;
        let second = both.split(1).expect("there are two");
        Ok((Permit(both), Permit(second)))
    }

    async fn take_many(&self, count: u32) -> Result<Permit, Exhausted> {
        let _waiting = Waiting::new(&self.waiting);
        let permit = Arc::clone(&self.permits).acquire_many_owned(count);
        match tokio::time::timeout(self.wait_timeout, permit).await {
            Ok(permit) => Ok(Permit(permit.expect("the semaphore is never closed"))),
            Err(_) => Err(Exhausted { max: self.max, waited: self.wait_timeout }),
        }
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

/// Counts one that waits, until it has what it wants or gives up.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
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
/// As long as a copy waits for the end of another.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

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
}
