//! A sign of life after a silence, between transactions only.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Rings when nothing was sent for a while.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Heartbeat {
    /// None for an interval of no seconds.
    pub fn new(seconds: u32) -> Option<Self> {
        let interval = Duration::from_secs(u64::from(seconds));
        let timer = || Box::pin(tokio::time::sleep(interval));
        (seconds > 0).then(|| Self { interval, timer: timer() })
    }

    /// Something was sent: the silence begins anew.
    pub fn restart(&mut self) {
        self.timer.as_mut().reset(Instant::now() + self.interval);
    }

    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(context)
    }
}
