//! VSTREAM: the rows of a table and every change of them.

use std::fmt;

use super::expr::Expr;
use super::filter;
use super::name::{Identifier, Text};

/// `VSTREAM <items> FROM <table> [WHERE ...] [LIMIT n]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vstream {
    /// What follows `op` in each row; never empty.
    pub items: Vec<Item>,
    /// Whose changes.
    pub table: Table,
    /// Where to begin: the WHERE's `pos > '...'`.
    pub start: Start,
    /// The rest of the WHERE.
    pub condition: Option<Expr>,
    /// How many rows end the statement.
    pub limit: Option<u64>,
}

/// A table as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Table {
    /// None: the session's.
    pub keyspace: Option<String>,
    /// The table's own name.
    pub name: String,
}

/// An item of the select list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// `*`: all columns. At most once, and then no `Column` beside it.
    All,
    /// A column of the table.
    Column {
        /// As written.
        name: String,
        /// What the client shall call it.
        alias: Option<String>,
    },
    /// A column that the stream makes.
    Metadata {
        /// Which.
        which: Metadata,
        /// What the client shall call it.
        alias: Option<String>,
    },
}

/// Columns that the stream makes. In back quotes these names are the table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metadata {
    /// `_pos`: the token that resumes exactly after this row.
    Position,
    /// `_shard`: the shard it comes from.
    Shard,
    /// `_ts`: when it was committed.
    Timestamp,
}

/// Where a VSTREAM begins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Start {
    /// `pos > ''`, or no `pos`: first a copy of the table.
    Copy,
    /// `pos > 'current'`: changes from now on.
    Now,
    /// `pos > '<text>'`: after this position or token, not yet parsed.
    After(String),
}

impl Vstream {
    /// Items and condition as a filter rule's SELECT; metadata columns are the front end's.
    pub fn select(&self) -> filter::Select {
        let items = self.items.iter().filter_map(|item| match item {
            Item::All => Some(filter::Item::All),
            Item::Column { name, alias } => {
                Some(filter::Item::Column { name: name.clone(), alias: alias.clone() })
            }
            Item::Metadata { .. } => None,
        });
        filter::Select {
            items: items.collect(),
            table: self.table.name.clone(),
            condition: self.condition.clone(),
        }
    }
}

impl fmt::Display for Vstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VSTREAM ")?;
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            item.fmt(f)?;
        }
        write!(f, " FROM {}", self.table)?;
        let start = match &self.start {
            Start::Copy => None,
            Start::Now => Some("current"),
            Start::After(text) => Some(text.as_str()),
        };
        match (start, &self.condition) {
            (None, None) => {}
            (Some(start), None) => write!(f, " WHERE pos > {}", Text(start))?,
            (None, Some(condition)) => write!(f, " WHERE {condition}")?,
            (Some(start), Some(condition @ Expr::And(_))) => {
                write!(f, " WHERE pos > {} AND {condition}", Text(start))?;
            }
            (Some(start), Some(condition)) => {
                write!(f, " WHERE pos > {} AND {}", Text(start), condition.as_term())?;
            }
        }
        match self.limit {
            Some(limit) => write!(f, " LIMIT {limit}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = match self {
            Self::All => {
                f.write_str("*")?;
                &None
            }
            Self::Column { name, alias } => {
                Identifier(name).fmt(f)?;
                alias
            }
            Self::Metadata { which, alias } => {
                f.write_str(which.name())?;
                alias
            }
        };
        match alias {
            Some(alias) => write!(f, " AS {}", Identifier(alias)),
            None => Ok(()),
        }
    }
}

impl Metadata {
    /// The name that a statement writes and a client reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Position => "_pos",
            Self::Shard => "_shard",
            Self::Timestamp => "_ts",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = &self.keyspace {
            write!(f, "{}.", Identifier(keyspace))?;
        }
        Identifier(&self.name).fmt(f)
    }
}
