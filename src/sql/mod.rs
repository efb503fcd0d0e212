//! TEXT to statement: what clients write, read into types that print back as the same.
//!
//! Pure. The only module that knows `sqlparser`: it splits the text into tokens and parses
//! predicates; none of its types leaves. Nothing is looked up here: a statement that parses may
//! name what does not exist. [`split`] a multi-statement first, then [`parse`] each.

mod compound;
mod convert;
mod cursor;
mod dialect;
pub mod expr;
pub mod filter;
mod lexer;
mod logged;
mod name;
mod passed;
pub mod placeholder;
pub mod set;
pub mod show;
pub mod sqlite;
pub mod statement;
pub mod target;
pub mod vstream;

use cursor::Cursor;
use lexer::Source;
use sqlparser::tokenizer::Token;

pub use expr::Expr;
pub use filter::{FilterError, Select};
pub use lexer::split;
pub use logged::{Logged, LoggedChange, LoggedTable};
pub use passed::{Databases, reaches_out, user_variables};
pub use placeholder::Template;
pub use set::{Assignment, SetValue};
pub use show::Show;
pub use statement::{Command, CommandKind, Kill, Statement};
pub use target::{Target, TargetError};
pub use vstream::Vstream;

/// Reads one statement. Comments are skipped, version comments executed, a `;` at the end allowed.
pub fn parse(text: &str) -> Result<Statement, SqlError> {
    parse_source(&Source::new(text), true)
}

fn parse_source(source: &Source<'_>, outermost: bool) -> Result<Statement, SqlError> {
    let (first, second) = lexer::first_words(source.body());
    let cursor = |statement| {
        let mut cursor = Cursor::new(source.lines(), statement)?;
        cursor.skip();
        Ok::<_, SqlError>(cursor)
    };
    match (first.as_str(), second.as_str()) {
        ("", _) if source.body().is_empty() => Err(SqlError::Empty),
        ("VSTREAM", _) => Vstream::parse(&mut cursor("VSTREAM")?).map(Statement::Vstream),
        ("STREAM", _) => Err(SqlError::Unsupported { statement: "STREAM".to_owned() }),
        ("EXPLAIN" | "DESCRIBE" | "DESC", "VSTREAM") => {
            let mut cursor = cursor("EXPLAIN")?;
            cursor.skip();
            Vstream::parse(&mut cursor).map(Statement::Explain)
        }
        ("EXPLAIN" | "DESCRIBE" | "DESC", second) if !EXPLAINED.contains(&second) => {
            show::parse_describe(&mut cursor("DESCRIBE")?).map(Statement::Show)
        }
        ("SET", "STATEMENT") if outermost => {
            let mut cursor = cursor("SET")?;
            cursor.skip();
            let assignments = set::parse_for(&mut cursor)?;
            let statement = Box::new(parse_source(&Source::new(cursor.rest()), false)?);
            Ok(Statement::SetFor { assignments, statement })
        }
        ("SET", _) => set::parse(&mut cursor("SET")?).map(Statement::Set),
        ("SHOW", _) => show::parse(&mut cursor("SHOW")?).map(Statement::Show),
        // mysql 9 probes for dollar quotes with this and takes any answer but an error amiss.
        ("SELECT", "$$") => Err(SqlError::Syntax { near: second, line: 1 }),
        ("USE", _) => use_target(source),
        ("KILL", _) => kill(&mut cursor("KILL")?).map(Statement::Kill),
        (first, second) => Ok(Statement::Backend(Command {
            kind: kind(first, second, source.body()),
            text: source.body().to_owned(),
        })),
    }
}

/// USE takes its target as it is written: `ks:-80@replica` is no sequence of SQL tokens.
fn use_target(source: &Source<'_>) -> Result<Statement, SqlError> {
    let (_, written) = source.body().split_at_checked("USE".len()).unwrap_or_default();
    let written = Source::new(written);
    let written = written.body();
    let quoted = written.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    let text = match quoted {
        Some(name) if !name.replace("``", "").contains('`') => name.replace("``", "`"),
        None if !written.is_empty()
            && !written.contains(|c: char| c.is_whitespace() || "`'\";".contains(c)) =>
        {
            written.to_owned()
        }
        _ => return Err(SqlError::Syntax { near: written.chars().take(80).collect(), line: 1 }),
    };
    Ok(Statement::Use(Target::parse(&text)?))
}

fn kill(cursor: &mut Cursor<'_>) -> Result<Kill, SqlError> {
    let query = cursor.accept_one(&["QUERY", "CONNECTION"]) == Some("QUERY");
    let Some(connection) = cursor.accept_integer() else {
        return cursor.unexpected();
    };
    while cursor.accept_token(&Token::SemiColon) {}
    cursor.end()?;
    Ok(Kill { query, connection })
}

fn kind(first: &str, second: &str, body: &str) -> CommandKind {
    match (first, second) {
        ("SELECT" | "WITH" | "TABLE" | "VALUES" | "(", _) => CommandKind::Select,
        ("INSERT", _) => CommandKind::Insert,
        ("UPDATE", _) => CommandKind::Update,
        ("DELETE", _) => CommandKind::Delete,
        ("REPLACE", _) => CommandKind::Replace,
        ("CREATE" | "ALTER" | "DROP" | "RENAME" | "TRUNCATE", _) => CommandKind::Ddl,
        ("BEGIN", _) | ("START", "TRANSACTION") => CommandKind::Begin,
        ("COMMIT", _) => CommandKind::Commit,
        ("ROLLBACK", _) if lexer::words(body).any(|word| word == "TO") => CommandKind::Savepoint,
        ("ROLLBACK", _) => CommandKind::Rollback,
        ("SAVEPOINT", _) | ("RELEASE", "SAVEPOINT") => CommandKind::Savepoint,
        ("EXPLAIN" | "DESCRIBE" | "DESC", _) => CommandKind::Explain,
        ("LOCK" | "UNLOCK", "TABLE" | "TABLES") => CommandKind::Lock,
        _ => CommandKind::Other,
    }
}

/// Why a text is no statement. The texts are what the user reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SqlError {
    /// Nothing but blanks and comments.
    #[error("Query was empty")]
    Empty,
    /// MySQL's own words.
    #[error(
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL \
         server version for the right syntax to use near '{near}' at line {line}"
    )]
    Syntax {
        /// What stands where reading failed.
        near: String,
        /// In which line of the statement, from 1.
        line: usize,
    },
    /// A statement of our own is longer than any sensible one.
    #[error("{statement} is longer than {bytes_max} bytes: shorten it")]
    TooLong {
        /// Its keyword.
        statement: &'static str,
        /// The bound.
        bytes_max: usize,
    },
    /// Too many operators.
    #[error("more than {max} operators in a statement: use IN instead of many ORs")]
    TooManyOperators {
        /// The bound.
        max: usize,
    },
    /// Too many parentheses, calls or operators inside each other.
    #[error("an expression is nested deeper than {max} levels: write it flatter")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// Too many items in a select list or a SET.
    #[error("more than {max} items in a list: split the statement")]
    TooManyItems {
        /// The bound.
        max: usize,
    },
    /// MySQL or Vitess has it, this server has not.
    #[error("This version of vstreamd doesn't yet support '{statement}'")]
    Unsupported {
        /// Its keywords.
        statement: String,
    },
    /// An expression that nobody here can judge.
    #[error("{what} cannot be used here: compare columns, literals and functions of one row")]
    Expression {
        /// What it is.
        what: &'static str,
    },
    /// A column in a SET.
    #[error("Unknown column '{name}' in 'field list'")]
    ColumnInSet {
        /// Its name.
        name: String,
    },
    /// `x.c`, where x is neither the table nor an image.
    #[error("Unknown table '{name}': write the table's own name, old or new before a column")]
    Qualifier {
        /// What stands before the dot.
        name: String,
    },
    /// CHANGED of what is no column.
    #[error("CHANGED takes names of columns: CHANGED(price, sku)")]
    Changed,
    /// `pos` where it is no start position.
    #[error(
        "where clause can only start a stream by one term pos > '<position>' joined by AND: \
         pos > '' copies first, pos > 'current' begins now; found {found}; \
         a column of that name is written `pos` in back quotes"
    )]
    Start {
        /// The term.
        found: String,
    },
    /// `pos > '...'` twice.
    #[error("a stream has one start: write pos > '<position>' only once")]
    TwoStarts,
    /// LIMIT with anything but a count.
    #[error("LIMIT of a VSTREAM is a number of rows without an offset: LIMIT 10")]
    Limit,
    /// A clause that a VSTREAM has not.
    #[error("VSTREAM has no {clause}: it takes a select list, one table, WHERE and LIMIT")]
    Clause {
        /// Its keywords.
        clause: &'static str,
    },
    /// An item that is no column.
    #[error("VSTREAM shows *, columns of the table, _pos, _shard and _ts; found {found}")]
    SelectItem {
        /// The item.
        found: String,
    },
    /// `*` twice or beside columns.
    #[error(
        "* stands for all columns: name columns or write *, not both (_pos, _shard, _ts may follow)"
    )]
    StarAndColumns,
    /// USE of what is no target.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// What EXPLAIN explains; before anything else it describes a table.
const EXPLAINED: [&str; 13] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "WITH",
    "TABLE",
    "VALUES",
    "FORMAT",
    "ANALYZE",
    "EXTENDED",
    "PARTITIONS",
    "(",
];
