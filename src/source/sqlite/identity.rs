//! The store's server UUID, and the GTIDs counted under it.

use crate::event::{Gtid, GtidSet};

/// A server UUID, made when the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ServerId([u8; 16]);

impl ServerId {
    /// A random (version 4) UUID.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(Self(bytes))
    }

    /// Reads what [`Self::bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 16 bytes.
    pub(super) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The transaction with this number.
    pub(super) const fn gtid(self, sequence: u64) -> Gtid {
        Gtid::Mysql { server: self.0, tag: None, sequence }
    }

    /// The transactions 1 to `last`.
    pub(super) fn up_to(self, last: u64) -> GtidSet {
        if last == 0 {
            return GtidSet::default();
        }
        format!("{self}:1-{last}").parse().expect("an interval of a UUID is a GTID set")
    }

    /// The first transaction that `set` lacks, counted from 1.
    pub(super) fn first_missing(self, set: &GtidSet) -> u64 {
        first(|last| !set.contains_set(&self.up_to(last))).unwrap_or(u64::MAX)
    }

    /// The smallest `last` so that `start` and the transactions up to it hold all of `set`; `None`
    /// if `set` names transactions of other servers that `start` lacks.
    pub(super) fn last_needed(self, start: &GtidSet, set: &GtidSet) -> Option<u64> {
        let lacking = set.subtract(start);
        if lacking.is_empty() {
            return Some(0);
        }
        first(|last| self.up_to(last).contains_set(&lacking))
    }
}

impl std::fmt::Display for ServerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// The smallest number from 1 that meets a condition which all greater ones meet too.
fn first(meets: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (1, SEQUENCE_MAX);
    if !meets(high) {
        return None;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if meets(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// The journal's ids leave this many numbers for transactions.
const SEQUENCE_MAX: u64 = (1 << 39) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> ServerId {
        ServerId([0x11; 16])
    }

    fn set(intervals: &str) -> GtidSet {
        format!("{}:{intervals}", server()).parse().unwrap()
    }

    #[test]
    fn the_first_missing_transaction() {
        assert_eq!(server().first_missing(&GtidSet::default()), 1);
        assert_eq!(server().first_missing(&set("1-5")), 6);
        assert_eq!(server().first_missing(&set("2-5")), 1);
        assert_eq!(server().first_missing(&set("1-5:7-9")), 6);
    }

    #[test]
    fn the_last_transaction_needed() {
        assert_eq!(server().last_needed(&set("1-5"), &set("1-3")), Some(0));
        assert_eq!(server().last_needed(&set("1-5"), &set("1-9")), Some(9));
        let foreign = "22222222-2222-2222-2222-222222222222:1".parse().unwrap();
        assert_eq!(server().last_needed(&set("1-5"), &foreign), None);
    }
}
