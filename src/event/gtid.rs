//! GTIDs and sets of them, of MySQL (tags included) and of MariaDB (several domains).

/// One transaction's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gtid;

/// A set of transactions: what has been executed, or what a client has seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct GtidSet;

impl std::fmt::Display for GtidSet {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
