//! The engine's limits, by name.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use crate::event::Timestamp;

/// The engine's limits. Every queue, wait and retry of the engine is bounded by one of these.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Bytes of recent transactions that one tail keeps; older ones are read from the source again.
    pub log_bytes_max: usize,
    /// Bytes that one catch-up reader may be ahead of its fastest subscriber.
    pub catch_up_bytes_max: usize,
    /// Bytes of one part of a large transaction, and so about those of one batch.
    pub part_bytes: usize,
    /// Catch-up readers at once per server; who needs one more waits.
    pub catch_up_readers_max: usize,
    /// A catch-up reader whose subscribers do not read for so long gives its place to others.
    pub reader_idle_timeout: Duration,
    /// A tail without subscribers ends after so long.
    pub tail_linger: Duration,
    /// A copy's snapshot that is older is renewed.
    pub copy_snapshot_max_age: Duration,
    /// About how many bytes of rows one batch of a copy holds.
    pub copy_batch_bytes: usize,
    /// Rows that one copy reads per second at most; `None` for as many as come.
    pub copy_rows_per_second_max: Option<NonZeroU32>,
    /// Failures in a row after which one reading of a server is given up, so that its streams look
    /// for another server.
    pub failures_max: u32,
    /// Failures in a row without progress after which a stream gives up: with the pauses between
    /// them, about as long as a server takes to restart.
    pub stream_failures_max: u32,
    /// The wait before the second try; each further one doubles it.
    pub retry_delay_min: Duration,
    /// The longest wait between two tries.
    pub retry_delay_max: Duration,
    /// A shard that is so far behind another holds it up, where a request wants that.
    pub max_skew: Duration,
    /// How long a shard may be held up.
    pub skew_timeout: Duration,
    /// Open streams at once.
    pub streams_max: usize,
    /// Seeds the jitter of retries.
    pub seed: u64,
    /// Tells the time of day, for heartbeats and lag.
    pub now: fn() -> SystemTime,
}

impl EngineConfig {
    /// The time of day, in seconds since 1970.
    pub fn seconds(&self) -> Timestamp {
        let since = (self.now)().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            log_bytes_max: 64 << 20,
            catch_up_bytes_max: 4 << 20,
            part_bytes: 256 << 10,
            catch_up_readers_max: 4,
            reader_idle_timeout: Duration::from_secs(5),
            tail_linger: Duration::from_secs(10),
            copy_snapshot_max_age: Duration::from_secs(600),
            copy_batch_bytes: 256 << 10,
            copy_rows_per_second_max: None,
            failures_max: 3,
            stream_failures_max: 12,
            retry_delay_min: Duration::from_millis(100),
            retry_delay_max: Duration::from_secs(10),
            max_skew: Duration::from_secs(2),
            skew_timeout: Duration::from_secs(600),
            streams_max: 10_000,
            seed: 0,
            now: SystemTime::now,
        }
    }
}
