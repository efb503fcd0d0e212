//! Which shard is too far ahead of which in source time.

use crate::event::Timestamp;

/// The source times that the shards of one stream have reached.
#[derive(Debug)]
pub(super) struct Skew {
    /// Seconds that a shard may be behind another before that one waits.
    max: u64,
    times: Vec<Option<Timestamp>>,
}

impl Skew {
    pub fn new(shards: usize, max_seconds: u64) -> Self {
        Self { max: max_seconds, times: vec![None; shards] }
    }

    /// A shard has reached this time; 0 says nothing.
    pub fn reached(&mut self, shard: usize, time: Timestamp) {
        if let Some(known) = self.times.get_mut(shard)
            && time > 0
        {
            *known = Some(known.unwrap_or(0).max(time));
        }
    }

    /// Whether a shard has to wait: the times are too far apart, and it is not the last one.
    pub fn holds_up(&self, shard: usize) -> bool {
        let known = || self.times.iter().flatten();
        let (Some(&first), Some(&last)) = (known().min(), known().max()) else { return false };
        let own = self.times.get(shard).copied().flatten();
        last - first > self.max && own.is_some_and(|own| own != first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shards_ahead_wait() {
        let mut skew = Skew::new(3, 2);
        skew.reached(0, 100);
        assert!(!skew.holds_up(0), "one shard alone");
        skew.reached(1, 103);
        assert!(skew.holds_up(1) && !skew.holds_up(0) && !skew.holds_up(2));
        skew.reached(0, 101);
        assert!(!skew.holds_up(1), "two seconds are allowed");
    }
}
