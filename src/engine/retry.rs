//! When to try again: capped backoff with seeded jitter, and an end to it.

use std::time::Duration;

use super::config::EngineConfig;

/// Counts failures in a row.
#[derive(Debug)]
pub(super) struct Retry {
    failures: u32,
    failures_max: u32,
    delay_min: Duration,
    delay_max: Duration,
    random: fastrand::Rng,
}

impl Retry {
    /// `name` tells the jitters of one engine apart.
    pub fn new(config: &EngineConfig, failures_max: u32, name: &str) -> Self {
        let salt = name
            .bytes()
            .fold(config.seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        Self {
            failures: 0,
            failures_max,
            delay_min: config.retry_delay_min,
            delay_max: config.retry_delay_max,
            random: fastrand::Rng::with_seed(salt),
        }
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait before the next try; `None` if there have been enough.
    pub fn failed(&mut self) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.failures_max {
            return None;
        }
        let doubled = self.delay_min.saturating_mul(1 << (self.failures - 1).min(16));
        // Half of it is fixed, so that even an unlucky draw leaves the server some peace.
        Some(doubled.min(self.delay_max).mul_f64(0.5 + self.random.f64() / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let config = EngineConfig::default();
        let mut retry = Retry::new(&config, 4, "test");
        for factor in [1_u32, 2, 4] {
            let delay = retry.failed().expect("not yet enough");
            let full = config.retry_delay_min * factor;
            assert!(delay >= full / 2 && delay <= full, "{delay:?} of {full:?}");
        }
        assert_eq!(retry.failed(), None);
        retry.succeeded();
        assert!(retry.failed().is_some());
    }
}
