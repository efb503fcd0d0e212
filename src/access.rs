//! WHO may: asked by every door before anything is read or changed.
//!
//! Everybody may everything unless it was denied to them. No configuration denies anything yet: a
//! door listens on loopback only, and there are no grants.

use crate::event::TableName;
use crate::event::collation::lower_name;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    denied: Vec<Denied>,
}

/// The user may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{right:?} denied to user '{user}'")]
pub struct Denied {
    /// Who asked.
    pub user: String,
    /// For what.
    pub right: Right,
    /// On what; none: whatever it is.
    pub table: Option<TableName>,
}

impl Access {
    /// Takes a right away, on one table or altogether. A table is denied in any case of its letters:
    /// a server may take them so.
    #[must_use]
    pub fn denying(mut self, user: &str, right: Right, table: Option<TableName>) -> Self {
        self.denied.push(Denied { user: user.to_owned(), right, table });
        self
    }

    /// Whether `user` has this right, on `table` if one is named.
    pub fn check(&self, user: &str, table: Option<&TableName>, right: Right) -> Result<(), Denied> {
        let is_denied = |denied: &&Denied| {
            denied.user == user
                && denied.right == right
                && denied.table.as_ref().is_none_or(|denied| table.is_some_and(|t| same(denied, t)))
        };
        match self.denied.iter().find(is_denied) {
            Some(_) => Err(Denied { user: user.to_owned(), right, table: table.cloned() }),
            None => Ok(()),
        }
    }
}

fn same(one: &TableName, other: &TableName) -> bool {
    one.keyspace == other.keyspace && lower_name(&one.table) == lower_name(&other.table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_denied_to_one_user() {
        let access = Access::default()
            .denying("ann", Right::Read, Some(TableName::new("commerce", "corder")))
            .denying("ann", Right::Process, None);
        let check = |user, name: Option<&str>, right, expected| {
            let table = name.map(|name| TableName::new("commerce", name));
            let found = access.check(user, table.as_ref(), right);
            assert_eq!(found.is_ok(), expected, "{user} {name:?} {right:?}");
        };
        check("ann", Some("corder"), Right::Read, false);
        check("ann", Some("COrder"), Right::Read, false);
        check("ann", Some("product"), Right::Read, true);
        check("ann", None, Right::Read, true);
        check("ann", None, Right::Process, false);
        check("ann", None, Right::Execute, true);
        check("bob", Some("corder"), Right::Read, true);
    }
}
