//! Shutdown in order: stop accepting, let streams say goodbye, wait up to a deadline, abort.
//!
//! One [`Shutdown`] is made by the process and handed to everything that runs; each part waits for
//! [`Shutdown::requested`] and drops its [`Shutdown`] when it has finished.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

/// What a part of the process holds: hears the request, and by being dropped says that it is done.
#[derive(Debug, Clone)]
pub struct Shutdown {
    requested: watch::Receiver<bool>,
    _running: mpsc::Sender<()>,
}

/// What the process holds: asks all parts to end, and waits for them.
#[derive(Debug)]
pub struct ShutdownController {
    request: watch::Sender<bool>,
    running: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl Shutdown {
    /// Resolves once the process is asked to end. Cancel-safe.
    pub async fn requested(&mut self) {
        // A controller that is gone cannot ask any more: then, too, it is time to end.
        let _ = self.requested.wait_for(|requested| *requested).await;
    }

    /// Whether the process was asked to end.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }
}

impl Default for ShutdownController {
    fn default() -> Self {
        Self::new()
    }
}

impl ShutdownController {
    /// Nothing runs yet and nothing was asked.
    pub fn new() -> Self {
        let (running, ended) = mpsc::channel(1);
        Self { request: watch::Sender::new(false), running, ended }
    }

    /// A handle for one more part of the process.
    pub fn subscribe(&self) -> Shutdown {
        Shutdown { requested: self.request.subscribe(), _running: self.running.clone() }
    }

    /// Asks every part to end.
    pub fn request(&self) {
        self.request.send_replace(true);
    }

    /// Waits until every part has ended; `false` if some had not within `deadline`.
    pub async fn drained(self, deadline: Duration) -> bool {
        let Self { request: _request, running, mut ended } = self;
        drop(running);
        tokio::time::timeout(deadline, ended.recv()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_every_part() {
        let controller = ShutdownController::new();
        let mut part = controller.subscribe();
        let task = crate::telemetry::spawn("part", async move {
            part.requested().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        controller.request();
        assert!(controller.drained(Duration::from_secs(2)).await);
        assert!(task.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_for_ever() {
        let controller = ShutdownController::new();
        let part = controller.subscribe();
        controller.request();
        assert!(!controller.drained(Duration::from_secs(2)).await);
        assert!(part.is_requested());
    }
}
