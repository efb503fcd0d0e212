//! Holds a copy to a number of rows per second.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// A copy's rate. Each batch has to wait for as long as the rows before it were entitled to; time in
/// which a client does not read is not made up for.
#[derive(Debug)]
pub(super) struct Throttle {
    rows_per_second_max: NonZeroU32,
    due: Instant,
}

impl Throttle {
    pub fn new(rows_per_second_max: NonZeroU32) -> Self {
        Self { rows_per_second_max, due: Instant::now() }
    }

    /// When the next batch may be read.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// Rows were read.
    pub fn spend(&mut self, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let time = Duration::from_secs(1) * rows / self.rows_per_second_max.get();
        self.due = self.due.max(Instant::now()) + time;
    }

    /// Rows of a batch: few enough for the wait between two of them to be short. A source gives up a
    /// view that nobody reads for seconds.
    pub fn batch_rows(&self) -> usize {
        let rows = self.rows_per_second_max.get() / BATCHES_PER_SECOND;
        usize::try_from(rows).unwrap_or(usize::MAX).max(1)
    }
}

/// Batches of a copy that is held up.
const BATCHES_PER_SECOND: u32 = 10;
