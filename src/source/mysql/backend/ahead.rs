//! What was said of a transaction before it was known which server it would be on.

use crate::sql::Assignment;
use crate::sql::set::{Access, Isolation};

/// What a statement does to the session's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Begins one, in these words.
    Begin(String),
    /// Says how the next one is to be.
    Next { isolation: Option<Isolation>, access: Option<Access> },
    /// Ends it, and begins no other.
    End,
}

/// How the session's transaction was begun, and how its next one is to be, as far as it may be on a server
/// that does not know.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    isolation: Option<Isolation>,
    access: Option<Access>,
    begin: Option<String>,
}

impl Ahead {
    /// A statement was answered without a server.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Begin(text) => {
                // What was said of the one before is not for this one.
                if self.begin.is_some() {
                    *self = Self::default();
                }
                self.begin = Some(text.clone());
            }
            Step::Next { isolation, access } if self.begin.is_none() => {
                self.isolation = isolation.or(self.isolation);
                self.access = access.or(self.access);
            }
            Step::Next { .. } => {}
            Step::End => *self = Self::default(),
        }
    }

    /// The transaction was begun on a server.
    pub fn begun(&mut self) {
        self.begin = None;
    }

    /// A server has answered a statement: it knows how its next transaction is to be, but another
    /// one, on which that may be, does not.
    pub fn pass(&mut self, step: Option<&Step>) {
        match step {
            Some(next @ Step::Next { .. }) => self.take(next),
            Some(Step::Begin(_) | Step::End) | None => *self = Self::default(),
        }
    }

    /// What tells a server the same.
    pub fn statements(&self, in_transaction: bool) -> Vec<String> {
        let (isolation, access) = (self.isolation, self.access);
        let mut statements = Vec::new();
        if isolation.is_some() || access.is_some() {
            let next = Assignment::Transaction { scope: None, isolation, access };
            statements.push(format!("SET {next}"));
        }
        if in_transaction {
            statements.push(self.begin.clone().unwrap_or_else(|| "BEGIN".to_owned()));
        }
        statements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_what_was_said_before() {
        let mut ahead = Ahead::default();
        assert!(ahead.statements(false).is_empty());
        assert_eq!(ahead.statements(true), ["BEGIN"]);
        let next = |isolation, access| Step::Next { isolation, access };
        ahead.take(&next(Some(Isolation::ReadCommitted), None));
        ahead.take(&next(None, Some(Access::ReadOnly)));
        let set = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY";
        assert_eq!(ahead.statements(false), [set]);
        let snapshot = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
        ahead.take(&Step::Begin(snapshot.to_owned()));
        assert_eq!(ahead.statements(true), [set, snapshot]);
        ahead.take(&Step::Begin("BEGIN".to_owned()));
        assert_eq!(ahead.statements(true), ["BEGIN"], "the first one has ended");
        ahead.take(&next(None, Some(Access::ReadOnly)));
        ahead.take(&Step::End);
        assert!(ahead.statements(false).is_empty());
        ahead.pass(Some(&next(Some(Isolation::ReadCommitted), Some(Access::ReadOnly))));
        assert_eq!(ahead.statements(false), [set]);
        ahead.pass(None);
        assert!(ahead.statements(false).is_empty(), "a statement was the next transaction");
    }
}
