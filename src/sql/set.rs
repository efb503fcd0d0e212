//! SET: session and user variables, character sets, transaction characteristics.

use std::fmt;

use sqlparser::tokenizer::Token;

use super::SqlError;
use super::convert::{self, Converter, Place};
use super::cursor::Cursor;
use super::expr::{Expr, Literal, Scope};
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

/// Reads what follows the word SET, to the end.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Vec<Assignment>, SqlError> {
    if let Some(transaction) = transaction(cursor)? {
        cursor.end()?;
        return Ok(vec![transaction]);
    }
    let assignments = list(cursor)?;
    cursor.end()?;
    Ok(assignments)
}

/// Reads what follows SET STATEMENT, up to and with the word FOR.
pub(super) fn parse_for(cursor: &mut Cursor<'_>) -> Result<Vec<Assignment>, SqlError> {
    let assignments = list(cursor)?;
    let variables = assignments.iter().all(|item| matches!(item, Assignment::Variable { .. }));
    cursor.expect("FOR")?;
    if variables { Ok(assignments) } else { cursor.unexpected() }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<Assignment>, SqlError> {
    let mut assignments = Vec::new();
    // MySQL: the scope of an item holds for those behind it that name none.
    let mut carried = None;
    loop {
        if assignments.len() == ASSIGNMENTS_MAX {
            return Err(SqlError::TooManyItems { max: ASSIGNMENTS_MAX });
        }
        assignments.push(assignment(cursor, &mut carried)?);
        if !cursor.accept_token(&Token::Comma) {
            return Ok(assignments);
        }
    }
}

fn assignment(
    cursor: &mut Cursor<'_>,
    carried: &mut Option<Scope>,
) -> Result<Assignment, SqlError> {
    if let Some(sign) =
        [Token::AtAt, Token::AtSign].into_iter().find(|sign| cursor.accept_token(sign))
    {
        return at_variable(cursor, sign == Token::AtAt);
    }
    let assigned = |cursor: &Cursor<'_>| {
        cursor.is_token(1, &Token::Eq)
            || cursor.is_token(1, &Token::Assignment)
            || cursor.is_token(1, &Token::Period)
    };
    if !assigned(cursor) {
        if cursor.accept("NAMES") {
            return names(cursor);
        }
        if cursor.accept_all(&["CHARACTER", "SET"]) || cursor.accept("CHARSET") {
            return Ok(Assignment::CharacterSet { charset: charset(cursor)? });
        }
        if let Some(statement) = UNSUPPORTED.into_iter().find(|word| cursor.is_word(0, word)) {
            return Err(SqlError::Unsupported { statement: format!("SET {statement}") });
        }
        if let Some(scope) = cursor.peek_word().and_then(|word| convert::scope(&word)) {
            cursor.skip();
            *carried = Some(scope);
        }
    } else if cursor.is_word(0, "PASSWORD") {
        return Err(SqlError::Unsupported { statement: "SET PASSWORD".to_owned() });
    }
    let name = dotted(cursor)?;
    equals(cursor)?;
    Ok(Assignment::Variable { scope: *carried, name, value: value(cursor)? })
}

/// What follows `@@` or `@`; its scope is its own.
fn at_variable(cursor: &mut Cursor<'_>, system: bool) -> Result<Assignment, SqlError> {
    if !system {
        let mut name = cursor.text_or_name()?.to_ascii_lowercase();
        while cursor.accept_token(&Token::Period) {
            name.push('.');
            name.push_str(&cursor.name()?.value.to_ascii_lowercase());
        }
        equals(cursor)?;
        let expr = cursor.expr()?;
        let value = Converter::new(Place::Set).convert(expr)?;
        return Ok(Assignment::UserVariable { name, value });
    }
    let scope = match cursor.peek_word().and_then(|word| convert::scope(&word)) {
        Some(scope) if cursor.is_token(1, &Token::Period) => {
            cursor.skip();
            cursor.skip();
            Some(scope)
        }
        _ => None,
    };
    let name = dotted(cursor)?;
    equals(cursor)?;
    Ok(Assignment::Variable { scope, name, value: value(cursor)? })
}

fn dotted(cursor: &mut Cursor<'_>) -> Result<String, SqlError> {
    let mut name = cursor.name()?.value;
    while cursor.accept_token(&Token::Period) {
        name.push('.');
        name.push_str(&cursor.name()?.value);
    }
    Ok(name.to_ascii_lowercase())
}

fn equals(cursor: &mut Cursor<'_>) -> Result<(), SqlError> {
    if cursor.accept_token(&Token::Assignment) {
        return Ok(());
    }
    cursor.expect_token(&Token::Eq)
}

fn value(cursor: &mut Cursor<'_>) -> Result<SetValue, SqlError> {
    let ends = [Token::Comma, Token::SemiColon, Token::EOF];
    if ends.iter().any(|end| cursor.is_token(1, end)) || cursor.is_word(1, "FOR") {
        match cursor.peek_word().as_deref() {
            Some("DEFAULT") => {
                cursor.skip();
                return Ok(SetValue::Default);
            }
            Some("NULL" | "TRUE" | "FALSE") => {}
            Some(_) | None => {
                if let Some(word) = cursor.accept_any_word() {
                    return Ok(SetValue::Expr(Expr::Literal(Literal::Text(word))));
                }
            }
        }
    }
    let expr = cursor.expr()?;
    Converter::new(Place::Set).convert(expr).map(SetValue::Expr)
}

fn names(cursor: &mut Cursor<'_>) -> Result<Assignment, SqlError> {
    let charset = charset(cursor)?;
    let collation = match charset.is_some() && cursor.accept("COLLATE") {
        true => Some(cursor.text_or_name()?.to_ascii_lowercase()),
        false => None,
    };
    Ok(Assignment::Names { charset, collation })
}

fn charset(cursor: &mut Cursor<'_>) -> Result<Option<String>, SqlError> {
    if cursor.accept("DEFAULT") {
        return Ok(None);
    }
    cursor.text_or_name().map(|charset| Some(charset.to_ascii_lowercase()))
}

/// `[scope] TRANSACTION characteristic, ...`.
fn transaction(cursor: &mut Cursor<'_>) -> Result<Option<Assignment>, SqlError> {
    let scope = cursor.peek_word().and_then(|word| convert::scope(&word));
    let at = usize::from(scope.is_some());
    if !cursor.is_word(at, "TRANSACTION") || cursor.is_token(at + 1, &Token::Eq) {
        return Ok(None);
    }
    for _ in 0..=at {
        cursor.skip();
    }
    let (mut isolation, mut access) = (None, None);
    loop {
        if isolation.is_none() && cursor.accept_all(&["ISOLATION", "LEVEL"]) {
            let level = Isolation::ALL.into_iter().find(|level| {
                let words: Vec<&str> = level.word().split(' ').collect();
                cursor.accept_all(&words)
            });
            match level {
                Some(level) => isolation = Some(level),
                None => return cursor.unexpected(),
            }
        } else if access.is_none() && cursor.accept_all(&["READ", "ONLY"]) {
            access = Some(Access::ReadOnly);
        } else if access.is_none() && cursor.accept_all(&["READ", "WRITE"]) {
            access = Some(Access::ReadWrite);
        } else {
            return cursor.unexpected();
        }
        if !cursor.accept_token(&Token::Comma) {
            return Ok(Some(Assignment::Transaction { scope, isolation, access }));
        }
    }
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
    const ALL: [Self; 4] =
        [Self::ReadUncommitted, Self::ReadCommitted, Self::RepeatableRead, Self::Serializable];

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

/// Kinds of SET that concern accounts and threads.
const UNSUPPORTED: [&str; 4] = ["PASSWORD", "ROLE", "DEFAULT", "RESOURCE"];

/// More than any driver sends.
const ASSIGNMENTS_MAX: usize = 256;
