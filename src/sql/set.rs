//! SET: session and user variables, character sets, transaction characteristics.

use std::fmt;

use super::expr::{Expr, Scope};
use super::name::{Identifier, Text};

/// One item of a SET.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Assignment {
    /// `[scope] name = value`.
    Variable {
        /// As written here or carried over from the item before; none: the session's.
        scope: Option<Scope>,
        /// In lower case.
        name: String,
        /// What it gets.
        value: SetValue,
    },
    /// `@name = value`.
    UserVariable {
        /// In lower case.
        name: String,
        /// What it gets.
        value: Expr,
    },
    /// `NAMES charset [COLLATE collation]`.
    Names {
        /// In lower case; none: DEFAULT.
        charset: Option<String>,
        /// In lower case.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`.
    CharacterSet {
        /// In lower case; none: DEFAULT.
        charset: Option<String>,
    },
    /// `[scope] TRANSACTION ...`; at least one of the two characteristics.
    Transaction {
        /// None: the next transaction only.
        scope: Option<Scope>,
        /// ISOLATION LEVEL.
        isolation: Option<Isolation>,
        /// READ ONLY or READ WRITE.
        access: Option<Access>,
    },
}

/// What a system variable gets. A bare word (`OLAP`, `ON`) is a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetValue {
    /// DEFAULT.
    Default,
    /// An expression over literals and variables.
    Expr(Expr),
}

/// A transaction's isolation level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// READ UNCOMMITTED.
    ReadUncommitted,
    /// READ COMMITTED.
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// READ ONLY.
    ReadOnly,
    /// READ WRITE.
    ReadWrite,
}

impl fmt::Display for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable { scope, name, value } => {
                f.write_str("@@")?;
                if let Some(scope) = scope {
                    write!(f, "{}.", scope.word().to_ascii_lowercase())?;
                }
                write!(f, "{} = {value}", Identifier(name))
            }
            Self::UserVariable { name, value } => write!(f, "@{} = {value}", Identifier(name)),
            Self::Names { charset: None, .. } => f.write_str("NAMES DEFAULT"),
            Self::Names { charset: Some(charset), collation } => {
                write!(f, "NAMES {}", Text(charset))?;
                match collation {
                    Some(collation) => write!(f, " COLLATE {}", Text(collation)),
                    None => Ok(()),
                }
            }
            Self::CharacterSet { charset: None } => f.write_str("CHARACTER SET DEFAULT"),
            Self::CharacterSet { charset: Some(charset) } => {
                write!(f, "CHARACTER SET {}", Text(charset))
            }
            Self::Transaction { scope, isolation, access } => {
                if let Some(scope) = scope {
                    write!(f, "{} ", scope.word())?;
                }
                f.write_str("TRANSACTION ")?;
                match (isolation, access) {
                    (Some(isolation), Some(access)) => {
                        write!(f, "ISOLATION LEVEL {}, {}", isolation.word(), access.word())
                    }
                    (Some(isolation), None) => write!(f, "ISOLATION LEVEL {}", isolation.word()),
                    (None, Some(access)) => f.write_str(access.word()),
                    (None, None) => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for SetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("DEFAULT"),
            Self::Expr(expr) => expr.fmt(f),
        }
    }
}

impl Isolation {
    /// The keywords.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadUncommitted => "READ UNCOMMITTED",
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

impl Access {
    /// The keywords.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "READ ONLY",
            Self::ReadWrite => "READ WRITE",
        }
    }
}
