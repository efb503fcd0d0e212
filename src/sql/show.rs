//! SHOW, and DESCRIBE of a table.

use std::fmt;

use super::expr::{Expr, Scope};
use super::name::{Identifier, Text};
use super::vstream::Table;

/// What SHOW shows. `keyspace: None` is the session's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Show {
    /// `[FULL] PROCESSLIST`.
    Processlist {
        /// The whole text of each statement.
        full: bool,
    },
    /// DATABASES or SCHEMAS: the keyspaces, and `information_schema` and its like.
    Databases(Option<Filter>),
    /// `[VITESS_]KEYSPACES`: the keyspaces alone.
    Keyspaces(Option<Filter>),
    /// `[FULL] TABLES [FROM keyspace]`.
    Tables {
        /// With `Table_type`.
        full: bool,
        /// Whose.
        keyspace: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// `[FULL] COLUMNS FROM table`, also FIELDS and DESCRIBE.
    Columns {
        /// With collation, privileges and comment.
        full: bool,
        /// Whose.
        table: Table,
        /// Which.
        filter: Option<Filter>,
    },
    /// INDEX, INDEXES or KEYS FROM table.
    Index {
        /// Whose.
        table: Table,
        /// Which; LIKE is not allowed here.
        filter: Option<Filter>,
    },
    /// `TABLE STATUS [FROM keyspace]`.
    TableStatus {
        /// Whose.
        keyspace: Option<String>,
        /// Which.
        filter: Option<Filter>,
    },
    /// CREATE TABLE.
    CreateTable(Table),
    /// CREATE DATABASE or SCHEMA.
    CreateDatabase(String),
    /// `[GLOBAL | SESSION] VARIABLES`.
    Variables {
        /// Session unless GLOBAL.
        scope: Scope,
        /// Which.
        filter: Option<Filter>,
    },
    /// `[GLOBAL | SESSION] STATUS`.
    Status {
        /// Session unless GLOBAL.
        scope: Scope,
        /// Which.
        filter: Option<Filter>,
    },
    /// WARNINGS or ERRORS.
    Diagnostics {
        /// Only errors.
        errors: bool,
        /// Skip so many.
        offset: u64,
        /// Show so many.
        limit: Option<u64>,
    },
    /// `COUNT(*) WARNINGS` or `COUNT(*) ERRORS`.
    DiagnosticsCount {
        /// Only errors.
        errors: bool,
    },
    /// One of the lists that need no more than their name.
    List {
        /// Which.
        list: List,
        /// Which rows of it.
        filter: Option<Filter>,
    },
    /// A list of things that belong to a keyspace and that no keyspace has.
    Routines {
        /// Which.
        list: RoutineList,
        /// Whose.
        keyspace: Option<String>,
        /// Which rows of it.
        filter: Option<Filter>,
    },
    /// `GRANTS [FOR ...]`: of another account by its text.
    Grants(Option<String>),
    /// `GLOBAL VGTID_EXECUTED [FROM keyspace]`.
    VgtidExecuted {
        /// Whose.
        keyspace: Option<String>,
    },
    /// `GLOBAL GTID_EXECUTED [FROM keyspace]`.
    GtidExecuted {
        /// Whose.
        keyspace: Option<String>,
    },
}

/// Lists that need no more than their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// `VITESS_SHARDS`.
    VitessShards,
    /// `VITESS_TABLETS`.
    VitessTablets,
    /// `VITESS_TARGET`.
    VitessTarget,
    /// VSTREAMS: who streams what, and where each stands.
    Vstreams,
    /// COLLATION.
    Collation,
    /// CHARACTER SET or CHARSET.
    CharacterSet,
    /// `[STORAGE] ENGINES`.
    Engines,
    /// PLUGINS.
    Plugins,
    /// PRIVILEGES.
    Privileges,
}

/// Things that MySQL lists per database and that are not kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoutineList {
    /// TRIGGERS.
    Triggers,
    /// EVENTS.
    Events,
    /// OPEN TABLES.
    OpenTables,
    /// PROCEDURE STATUS.
    ProcedureStatus,
    /// FUNCTION STATUS.
    FunctionStatus,
}

/// Which rows a SHOW shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// LIKE.
    Like(String),
    /// WHERE, over the SHOW's own columns.
    Where(Expr),
}

impl List {
    /// The keywords.
    pub fn word(self) -> &'static str {
        match self {
            Self::VitessShards => "VITESS_SHARDS",
            Self::VitessTablets => "VITESS_TABLETS",
            Self::VitessTarget => "VITESS_TARGET",
            Self::Vstreams => "VSTREAMS",
            Self::Collation => "COLLATION",
            Self::CharacterSet => "CHARACTER SET",
            Self::Engines => "ENGINES",
            Self::Plugins => "PLUGINS",
            Self::Privileges => "PRIVILEGES",
        }
    }
}

impl RoutineList {
    /// The keywords.
    pub fn word(self) -> &'static str {
        match self {
            Self::Triggers => "TRIGGERS",
            Self::Events => "EVENTS",
            Self::OpenTables => "OPEN TABLES",
            Self::ProcedureStatus => "PROCEDURE STATUS",
            Self::FunctionStatus => "FUNCTION STATUS",
        }
    }
}

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHOW ")?;
        match self {
            Self::Processlist { full } => write!(f, "{}PROCESSLIST", full_word(*full)),
            Self::Databases(filter) => write!(f, "DATABASES{}", Rest(&None, filter)),
            Self::Keyspaces(filter) => write!(f, "KEYSPACES{}", Rest(&None, filter)),
            Self::Tables { full, keyspace, filter } => {
                write!(f, "{}TABLES{}", full_word(*full), Rest(keyspace, filter))
            }
            Self::Columns { full, table, filter } => {
                write!(f, "{}COLUMNS FROM {table}{}", full_word(*full), Rest(&None, filter))
            }
            Self::Index { table, filter } => {
                write!(f, "INDEX FROM {table}{}", Rest(&None, filter))
            }
            Self::TableStatus { keyspace, filter } => {
                write!(f, "TABLE STATUS{}", Rest(keyspace, filter))
            }
            Self::CreateTable(table) => write!(f, "CREATE TABLE {table}"),
            Self::CreateDatabase(keyspace) => {
                write!(f, "CREATE DATABASE {}", Identifier(keyspace))
            }
            Self::Variables { scope, filter } => {
                write!(f, "{} VARIABLES{}", scope.word(), Rest(&None, filter))
            }
            Self::Status { scope, filter } => {
                write!(f, "{} STATUS{}", scope.word(), Rest(&None, filter))
            }
            Self::Diagnostics { errors, offset, limit } => {
                f.write_str(diagnostics_word(*errors))?;
                match limit {
                    Some(limit) if *offset > 0 => write!(f, " LIMIT {offset}, {limit}"),
                    Some(limit) => write!(f, " LIMIT {limit}"),
                    None => Ok(()),
                }
            }
            Self::DiagnosticsCount { errors } => {
                write!(f, "COUNT(*) {}", diagnostics_word(*errors))
            }
            Self::List { list, filter } => write!(f, "{}{}", list.word(), Rest(&None, filter)),
            Self::Routines { list, keyspace, filter } => {
                write!(f, "{}{}", list.word(), Rest(keyspace, filter))
            }
            Self::Grants(None) => f.write_str("GRANTS"),
            Self::Grants(Some(account)) => write!(f, "GRANTS FOR {account}"),
            Self::VgtidExecuted { keyspace } => {
                write!(f, "GLOBAL VGTID_EXECUTED{}", Rest(keyspace, &None))
            }
            Self::GtidExecuted { keyspace } => {
                write!(f, "GLOBAL GTID_EXECUTED{}", Rest(keyspace, &None))
            }
        }
    }
}

/// `[FROM keyspace] [LIKE ... | WHERE ...]`.
struct Rest<'a>(&'a Option<String>, &'a Option<Filter>);

impl fmt::Display for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = self.0 {
            write!(f, " FROM {}", Identifier(keyspace))?;
        }
        match self.1 {
            Some(Filter::Like(pattern)) => write!(f, " LIKE {}", Text(pattern)),
            Some(Filter::Where(condition)) => write!(f, " WHERE {condition}"),
            None => Ok(()),
        }
    }
}

fn full_word(full: bool) -> &'static str {
    if full { "FULL " } else { "" }
}

fn diagnostics_word(errors: bool) -> &'static str {
    if errors { "ERRORS" } else { "WARNINGS" }
}
