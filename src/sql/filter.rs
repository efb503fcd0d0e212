//! A filter rule's SELECT: Vitess's form, with any predicate.

use std::fmt;

use super::expr::Expr;
use super::name::Identifier;

/// `select <items> from <table> [where <condition>]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Select {
    /// What each row shows. Empty only in a VSTREAM that shows nothing but metadata columns.
    pub items: Vec<Item>,
    /// The table, without a keyspace: rules name the stream's own.
    pub table: String,
    /// Which rows.
    pub condition: Option<Expr>,
}

/// An item of the select list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// `*`: all columns; stands alone.
    All,
    /// A column.
    Column {
        /// As written.
        name: String,
        /// Its name in the output.
        alias: Option<String>,
    },
    /// `keyspace_id()`: what the table's primary vindex makes of the row.
    KeyspaceId {
        /// Its name in the output.
        alias: Option<String>,
    },
    /// The literal 1.
    One {
        /// Its name in the output.
        alias: Option<String>,
    },
    /// `convert(column using utf8mb4)`.
    Utf8mb4 {
        /// The column.
        column: String,
        /// Its name in the output.
        alias: Option<String>,
    },
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("select ")?;
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            item.fmt(f)?;
        }
        write!(f, " from {}", Identifier(&self.table))?;
        match &self.condition {
            Some(condition) => write!(f, " where {condition}"),
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
            Self::KeyspaceId { alias } => {
                f.write_str("keyspace_id()")?;
                alias
            }
            Self::One { alias } => {
                f.write_str("1")?;
                alias
            }
            Self::Utf8mb4 { column, alias } => {
                write!(f, "convert({} using utf8mb4)", Identifier(column))?;
                alias
            }
        };
        match alias {
            Some(alias) => write!(f, " as {}", Identifier(alias)),
            None => Ok(()),
        }
    }
}
