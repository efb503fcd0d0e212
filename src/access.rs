//! WHO may: asked by every door before anything is read or changed.
//!
//! The first policy allows everything: a door listens on loopback only, and there are no grants yet.

use crate::event::TableName;

/// What somebody wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Read a table and its changes.
    Read,
    /// Run a statement on the server behind a keyspace.
    Execute,
    /// See or end what others do.
    Process,
}

/// Who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access;

/// The user may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{right:?} denied to user '{user}'")]
pub struct Denied {
    /// Who asked.
    pub user: String,
    /// For what.
    pub right: Right,
}

impl Access {
    /// Whether `user` has this right, on `table` if one is named.
    pub fn check(
        &self,
        _user: &str,
        _table: Option<&TableName>,
        _right: Right,
    ) -> Result<(), Denied> {
        Ok(())
    }
}
