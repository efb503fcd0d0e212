//! What a thread reads, handed to the task that wants it: a few items ahead, its end said.
//!
//! The end is a word of its own. A thread that panicked, or is gone for whatever reason, has not
//! said it: that is an error to its reader, never an end.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// The reader's side. Dropping it stops the thread at its next item.
#[derive(Debug)]
pub(super) struct Taker<T, E> {
    items: mpsc::Receiver<T>,
    /// How it ended; none once that was told.
    end: Option<oneshot::Receiver<Result<(), E>>>,
}

/// The thread's side.
#[derive(Debug)]
pub(super) struct Giver<T, E> {
    items: mpsc::Sender<T>,
    end: oneshot::Sender<Result<(), E>>,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// It waits for the reader, or was taken.
    Taken,
    /// Nobody wants more.
    Unwanted,
    /// The reader did not take what waits in time.
    Late,
}

/// The thread ended without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokeOff;

/// Both sides; so many items may wait for the reader.
pub(super) fn handover<T, E>(waiting: usize) -> (Giver<T, E>, Taker<T, E>) {
    let (items, taken) = mpsc::channel(waiting);
    let (end, ended) = oneshot::channel();
    (Giver { items, end }, Taker { items: taken, end: Some(ended) })
}

impl<T, E> Giver<T, E> {
    /// Waits for as long as the reader does not read on. Only for threads that may block.
    pub(super) fn give(&self, item: T) -> Given {
        if self.items.blocking_send(item).is_ok() { Given::Taken } else { Given::Unwanted }
    }

    /// The same until `deadline`. What there is room for is given even then.
    pub(super) fn give_until(&self, item: T, deadline: Instant) -> Given {
        match Handle::current().block_on(timeout_at(deadline, self.items.send(item))) {
            Ok(Ok(())) => Given::Taken,
            Ok(Err(_)) => Given::Unwanted,
            Err(_) => Given::Late,
        }
    }

    /// Says how it ended, behind all items.
    pub(super) fn end(self, outcome: Result<(), E>) {
        // Nobody is told if nobody listens.
        let _ = self.end.send(outcome);
    }
}

impl<T, E: From<BrokeOff>> Taker<T, E> {
    /// Whether the end was told.
    pub(super) const fn is_over(&self) -> bool {
        self.end.is_none()
    }

    /// The next item; `None` once the thread has said that there are no more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<T>, E> {
        if let Some(item) = self.items.recv().await {
            return Ok(Some(item));
        }
        let Some(end) = &mut self.end else { return Ok(None) };
        let outcome = end.await;
        self.end = None;
        outcome.unwrap_or_else(|_| Err(BrokeOff.into())).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Error {
        Said,
        Broken,
    }

    impl From<BrokeOff> for Error {
        fn from(_: BrokeOff) -> Self {
            Self::Broken
        }
    }

    async fn read(work: impl FnOnce(Giver<u8, Error>) + Send + 'static) -> Vec<Result<u8, Error>> {
        let (giver, mut taker) = handover(1);
        let thread = tokio::task::spawn_blocking(move || work(giver));
        let mut read = Vec::new();
        while let Some(next) = taker.next().await.transpose() {
            read.push(next);
        }
        let _ = thread.await;
        read
    }

    #[tokio::test]
    async fn only_what_was_said_is_an_end() {
        let whole = read(|giver| {
            assert_eq!((giver.give(1), giver.give(2)), (Given::Taken, Given::Taken));
            giver.end(Ok(()));
        });
        assert_eq!(whole.await, [Ok(1), Ok(2)]);
        let failed = read(|giver| {
            giver.give(1);
            giver.end(Err(Error::Said));
        });
        assert_eq!(failed.await, [Ok(1), Err(Error::Said)]);
        let panicked = read(|giver| {
            giver.give(1);
            panic!("a thread breaks down");
        });
        assert_eq!(panicked.await, [Ok(1), Err(Error::Broken)]);
    }

    #[tokio::test]
    async fn a_giver_waits_no_longer_than_it_may() {
        let (giver, taker) = handover::<u8, Error>(1);
        let thread = tokio::task::spawn_blocking(move || {
            let soon = Instant::now() + Duration::from_millis(20);
            let given = [giver.give_until(1, soon), giver.give_until(2, soon)];
            drop(taker);
            (given, giver.give_until(3, soon))
        });
        let (given, unwanted) = thread.await.unwrap();
        assert_eq!((given, unwanted), ([Given::Taken, Given::Late], Given::Unwanted));
    }
}
