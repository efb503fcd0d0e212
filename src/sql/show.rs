//! SHOW, and DESCRIBE of a table.

use std::fmt;

use sqlparser::tokenizer::Token;

use super::convert::{Converter, Place};
use super::cursor::{Cursor, Mark};
use super::expr::{Expr, Scope};
use super::name::{Identifier, Text};
use super::vstream::Table;
use super::{SqlError, lexer};

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
    /// What only a MySQL server has, its text behind SHOW: `CREATE VIEW v`, `ENGINE INNODB STATUS`.
    OfServer(String),
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

/// Reads what follows the word SHOW.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Show, SqlError> {
    let show = show(cursor)?;
    cursor.end()?;
    Ok(show)
}

/// Reads what follows DESCRIBE, DESC or EXPLAIN before a table's name.
pub(super) fn parse_describe(cursor: &mut Cursor<'_>) -> Result<Show, SqlError> {
    let table = cursor.table()?;
    let filter = match cursor.at_end() {
        true => None,
        false => Some(Filter::Like(cursor.text_or_name()?)),
    };
    cursor.end()?;
    Ok(Show::Columns { full: false, table, filter })
}

fn show(cursor: &mut Cursor<'_>) -> Result<Show, SqlError> {
    let mark = cursor.mark();
    if let Some(show) = scoped(cursor)? {
        return Ok(show);
    }
    if let Some(show) = of_tables(cursor)? {
        return Ok(show);
    }
    if cursor.accept("CREATE") {
        return create(cursor, mark);
    }
    if let Some(show) = diagnostics(cursor)? {
        return Ok(show);
    }
    if cursor.accept_one(&["DATABASES", "SCHEMAS"]).is_some() {
        return Ok(Show::Databases(filter(cursor)?));
    }
    if cursor.accept_one(&["KEYSPACES", "VITESS_KEYSPACES"]).is_some() {
        return Ok(Show::Keyspaces(filter(cursor)?));
    }
    if cursor.accept("GRANTS") {
        if !cursor.accept("FOR") {
            return Ok(Show::Grants(None));
        }
        let mark = cursor.mark();
        let account = to_end(cursor, mark);
        return if account.is_empty() {
            cursor.unexpected()
        } else {
            Ok(Show::Grants(Some(account.to_owned())))
        };
    }
    for (words, list) in LISTS {
        if cursor.accept_all(words) {
            return Ok(Show::List { list, filter: filter(cursor)? });
        }
    }
    for (words, list) in ROUTINES {
        if cursor.accept_all(words) {
            let keyspace = keyspace(cursor)?;
            return Ok(Show::Routines { list, keyspace, filter: filter(cursor)? });
        }
    }
    match cursor.peek_word() {
        Some(word) if OF_SERVER.contains(&word.as_str()) => {
            Ok(Show::OfServer(to_end(cursor, mark).to_owned()))
        }
        _ => unsupported(cursor),
    }
}

/// The text of what is left of the statement, from a mark on.
fn to_end<'a>(cursor: &mut Cursor<'a>, mark: Mark) -> &'a str {
    while !cursor.at_end() && !cursor.is_token(0, &Token::SemiColon) {
        cursor.skip();
    }
    cursor.since(mark)
}

/// What may stand behind GLOBAL or SESSION.
fn scoped(cursor: &mut Cursor<'_>) -> Result<Option<Show>, SqlError> {
    let word = cursor.accept_one(&["GLOBAL", "SESSION", "LOCAL"]);
    let scope = if word == Some("GLOBAL") { Scope::Global } else { Scope::Session };
    if cursor.accept("VARIABLES") {
        return Ok(Some(Show::Variables { scope, filter: filter(cursor)? }));
    }
    if cursor.accept("STATUS") {
        return Ok(Some(Show::Status { scope, filter: filter(cursor)? }));
    }
    if scope == Scope::Global && cursor.accept("VGTID_EXECUTED") {
        return Ok(Some(Show::VgtidExecuted { keyspace: keyspace(cursor)? }));
    }
    if scope == Scope::Global && cursor.accept("GTID_EXECUTED") {
        return Ok(Some(Show::GtidExecuted { keyspace: keyspace(cursor)? }));
    }
    if word.is_some() { cursor.unexpected() } else { Ok(None) }
}

/// What concerns tables, and what may stand behind FULL.
fn of_tables(cursor: &mut Cursor<'_>) -> Result<Option<Show>, SqlError> {
    let extended = cursor.accept("EXTENDED");
    let full = cursor.accept("FULL");
    if !extended && cursor.accept("PROCESSLIST") {
        return Ok(Some(Show::Processlist { full }));
    }
    if cursor.accept("TABLES") {
        let keyspace = keyspace(cursor)?;
        return Ok(Some(Show::Tables { full, keyspace, filter: filter(cursor)? }));
    }
    if cursor.accept_one(&["COLUMNS", "FIELDS"]).is_some() {
        let table = table_from(cursor)?;
        return Ok(Some(Show::Columns { full, table, filter: filter(cursor)? }));
    }
    if full {
        return cursor.unexpected();
    }
    if cursor.accept_one(&["INDEX", "INDEXES", "KEYS"]).is_some() {
        let table = table_from(cursor)?;
        if cursor.is_word(0, "LIKE") {
            return cursor.unexpected();
        }
        return Ok(Some(Show::Index { table, filter: filter(cursor)? }));
    }
    if extended {
        return cursor.unexpected();
    }
    if cursor.accept_all(&["TABLE", "STATUS"]) {
        let keyspace = keyspace(cursor)?;
        return Ok(Some(Show::TableStatus { keyspace, filter: filter(cursor)? }));
    }
    Ok(None)
}

fn create(cursor: &mut Cursor<'_>, mark: Mark) -> Result<Show, SqlError> {
    if cursor.accept("TABLE") {
        return cursor.table().map(Show::CreateTable);
    }
    if cursor.accept_one(&["DATABASE", "SCHEMA"]).is_some() {
        cursor.accept_all(&["IF", "NOT", "EXISTS"]);
        return cursor.name().map(|name| Show::CreateDatabase(name.value));
    }
    match cursor.peek_word() {
        Some(word) if CREATE_OF_SERVER.contains(&word.as_str()) => {
            Ok(Show::OfServer(to_end(cursor, mark).to_owned()))
        }
        _ => cursor.unexpected(),
    }
}

fn diagnostics(cursor: &mut Cursor<'_>) -> Result<Option<Show>, SqlError> {
    if cursor.accept("COUNT") {
        for token in [Token::LParen, Token::Mul, Token::RParen] {
            cursor.expect_token(&token)?;
        }
        return match cursor.accept_one(&["WARNINGS", "ERRORS"]) {
            Some(word) => Ok(Some(Show::DiagnosticsCount { errors: word == "ERRORS" })),
            None => cursor.unexpected(),
        };
    }
    let Some(word) = cursor.accept_one(&["WARNINGS", "ERRORS"]) else {
        return Ok(None);
    };
    let (mut offset, mut limit) = (0, None);
    if cursor.accept("LIMIT") {
        let Some(first) = cursor.accept_integer() else {
            return cursor.unexpected();
        };
        limit = Some(first);
        if cursor.accept_token(&Token::Comma) {
            offset = first;
            limit = cursor.accept_integer();
            if limit.is_none() {
                return cursor.unexpected();
            }
        }
    }
    Ok(Some(Show::Diagnostics { errors: word == "ERRORS", offset, limit }))
}

/// `[FROM keyspace]`.
fn keyspace(cursor: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    match cursor.accept_one(&["FROM", "IN"]) {
        Some(_) => cursor.name().map(|name| Some(name.value)),
        None => Ok(None),
    }
}

/// `FROM table [FROM keyspace]`.
fn table_from(cursor: &mut Cursor<'_>) -> Result<Table, SqlError> {
    if cursor.accept_one(&["FROM", "IN"]).is_none() {
        return cursor.unexpected();
    }
    let table = cursor.table()?;
    match keyspace(cursor)? {
        Some(keyspace) => Ok(Table { keyspace: Some(keyspace), ..table }),
        None => Ok(table),
    }
}

fn filter(cursor: &mut Cursor<'_>) -> Result<Option<Filter>, SqlError> {
    if cursor.accept("LIKE") {
        return match cursor.accept_text() {
            Some(pattern) => Ok(Some(Filter::Like(pattern))),
            None => cursor.unexpected(),
        };
    }
    if !cursor.accept("WHERE") {
        return Ok(None);
    }
    let expr = cursor.expr()?;
    Converter::new(Place::Show).convert(expr).map(|condition| Some(Filter::Where(condition)))
}

/// Names a SHOW of Vitess's that is not answered here; anything else is a mistake.
fn unsupported<T>(cursor: &mut Cursor<'_>) -> Result<T, SqlError> {
    match cursor.peek_word() {
        Some(word) if UNSUPPORTED.contains(&word.as_str()) => {}
        _ => return cursor.unexpected(),
    }
    let mut statement = "SHOW".to_owned();
    while let Some(word) = cursor.peek_word().filter(|word| !AFTER_NAME.contains(&word.as_str())) {
        statement.push(' ');
        statement.push_str(&word);
        cursor.skip();
    }
    Err(SqlError::Unsupported { statement })
}

impl Show {
    /// Whether it tells of accounts, or of what the log holds of all databases.
    pub fn tells_of_others(&self) -> bool {
        let Self::OfServer(text) = self else { return false };
        let (first, second) = lexer::first_words(text);
        match first.as_str() {
            "BINLOG" | "RELAYLOG" => true,
            first => (first, second.as_str()) == ("CREATE", "USER"),
        }
    }

    /// The keyspace that it names, if any.
    pub fn keyspace_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Tables { keyspace, .. }
            | Self::TableStatus { keyspace, .. }
            | Self::Routines { keyspace, .. } => keyspace.as_mut(),
            Self::Columns { table, .. } | Self::Index { table, .. } | Self::CreateTable(table) => {
                table.keyspace.as_mut()
            }
            Self::CreateDatabase(name) => Some(name),
            Self::Processlist { .. }
            | Self::Databases(_)
            | Self::Keyspaces(_)
            | Self::Variables { .. }
            | Self::Status { .. }
            | Self::Diagnostics { .. }
            | Self::DiagnosticsCount { .. }
            | Self::List { .. }
            | Self::OfServer(_)
            | Self::Grants(_)
            | Self::VgtidExecuted { .. }
            | Self::GtidExecuted { .. } => None,
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
            Self::OfServer(text) => f.write_str(text),
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

/// The words of each list; those that begin like others come first.
const LISTS: [(&[&str], List); 11] = [
    (&["VITESS_SHARDS"], List::VitessShards),
    (&["VITESS_TABLETS"], List::VitessTablets),
    (&["VITESS_TARGET"], List::VitessTarget),
    (&["VSTREAMS"], List::Vstreams),
    (&["COLLATION"], List::Collation),
    (&["CHARACTER", "SET"], List::CharacterSet),
    (&["CHARSET"], List::CharacterSet),
    (&["ENGINES"], List::Engines),
    (&["STORAGE", "ENGINES"], List::Engines),
    (&["PLUGINS"], List::Plugins),
    (&["PRIVILEGES"], List::Privileges),
];

const ROUTINES: [(&[&str], RoutineList); 5] = [
    (&["TRIGGERS"], RoutineList::Triggers),
    (&["EVENTS"], RoutineList::Events),
    (&["OPEN", "TABLES"], RoutineList::OpenTables),
    (&["PROCEDURE", "STATUS"], RoutineList::ProcedureStatus),
    (&["FUNCTION", "STATUS"], RoutineList::FunctionStatus),
];

/// How the SHOWs begin that a server alone can answer.
const OF_SERVER: [&str; 15] = [
    "BINARY",
    "BINLOG",
    "MASTER",
    "SLAVE",
    "REPLICA",
    "REPLICAS",
    "RELAYLOG",
    "ENGINE",
    "PROFILE",
    "PROFILES",
    "FUNCTION",
    "PROCEDURE",
    "PACKAGE",
    "LOGS",
    "SLAVES",
];

/// What stands behind CREATE in those.
const CREATE_OF_SERVER: [&str; 8] =
    ["VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "USER", "SEQUENCE", "PACKAGE"];

/// How the SHOWs begin that nobody here answers.
const UNSUPPORTED: [&str; 7] = [
    "VITESS_REPLICATION_STATUS",
    "VITESS_REPLICATION",
    "VITESS_METADATA",
    "VITESS_MIGRATIONS",
    "VITESS_THROTTLED_APPS",
    "VITESS_THROTTLER",
    "VSCHEMA",
];

/// Words that end the name of a SHOW.
const AFTER_NAME: [&str; 7] = ["FROM", "IN", "LIKE", "WHERE", "FOR", "LIMIT", "ON"];
