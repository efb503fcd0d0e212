//! VSTREAM: the rows of a table and every change of them.

use std::fmt;

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::SqlError;
use super::convert::{Converter, Place};
use super::cursor::Cursor;
use super::expr::Expr;
use super::filter;
use super::name::{Alias, Identifier, Text, write_items};

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
    /// Reads what follows the word VSTREAM.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, SqlError> {
        let items = items(cursor)?;
        cursor.expect("FROM")?;
        let table = cursor.table()?;
        let (start, condition) = match cursor.accept("WHERE") {
            true => split_where(cursor.expr()?, &table.name)?,
            false => (Start::Copy, None),
        };
        let limit = match cursor.accept("LIMIT") {
            true => Some(limit(cursor)?),
            false => None,
        };
        if let Some((_, clause)) = CLAUSES.into_iter().find(|(word, _)| cursor.is_word(0, word)) {
            return Err(SqlError::Clause { clause });
        }
        if cursor.is_token(0, &Token::Comma) {
            return Err(SqlError::Clause { clause: "JOIN" });
        }
        cursor.end()?;
        Ok(Self { items, table, start, condition, limit })
    }

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

fn items(cursor: &mut Cursor<'_>) -> Result<Vec<Item>, SqlError> {
    let mut items = Vec::new();
    loop {
        if items.len() == ITEMS_MAX {
            return Err(SqlError::TooManyItems { max: ITEMS_MAX });
        }
        items.push(item(cursor)?);
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
    }
    let all = items.iter().filter(|item| matches!(item, Item::All)).count();
    let columns = items.iter().any(|item| matches!(item, Item::Column { .. }));
    if all > 1 || all == 1 && columns {
        return Err(SqlError::StarAndColumns);
    }
    Ok(items)
}

fn item(cursor: &mut Cursor<'_>) -> Result<Item, SqlError> {
    if cursor.accept_token(&Token::Mul) {
        return Ok(Item::All);
    }
    let mark = cursor.mark();
    let name = cursor.name()?;
    let metadata = Metadata::ALL
        .into_iter()
        .find(|which| !name.quoted && name.value.eq_ignore_ascii_case(which.name()));
    let alias = cursor.alias()?;
    let ends = [Token::Comma, Token::EOF, Token::SemiColon];
    if !cursor.is_word(0, "FROM") && !ends.iter().any(|token| cursor.is_token(0, token)) {
        // More than a name: if it is an expression, say what an item may be.
        while !cursor.is_word(0, "FROM") && !ends.iter().any(|token| cursor.is_token(0, token)) {
            cursor.skip();
        }
        return Err(SqlError::SelectItem { found: cursor.since(mark).to_owned() });
    }
    Ok(match metadata {
        Some(which) => Item::Metadata { which, alias },
        None => Item::Column { name: name.value, alias },
    })
}

/// Takes the start position out of a WHERE: a term of its topmost AND.
fn split_where(condition: ast::Expr, table: &str) -> Result<(Start, Option<Expr>), SqlError> {
    let mut start = None;
    let mut rest = Vec::new();
    // The AND's left spine may be long: no recursion.
    let mut left = vec![condition];
    while let Some(term) = left.pop() {
        match term {
            ast::Expr::BinaryOp { left: before, op: ast::BinaryOperator::And, right } => {
                left.push(*right);
                left.push(*before);
            }
            ast::Expr::Nested(inner) if is_and_or_start(&inner) => left.push(*inner),
            term => match start_text(&term) {
                Some(_) if start.is_some() => return Err(SqlError::TwoStarts),
                Some(text) => start = Some(text),
                None => rest.extend(predicate(term, table)?),
            },
        }
    }
    let start = match start {
        None => Start::Copy,
        Some(text) if text.is_empty() => Start::Copy,
        Some(text) if text.eq_ignore_ascii_case("current") => Start::Now,
        Some(text) => Start::After(text),
    };
    Ok((start, Expr::all(rest)))
}

fn is_and_or_start(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::BinaryOp { op: ast::BinaryOperator::And, .. } | ast::Expr::Nested(_))
        || start_text(expr).is_some()
}

/// The text of `pos > 'text'`.
fn start_text(term: &ast::Expr) -> Option<String> {
    let ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Gt, right } = term else {
        return None;
    };
    match (left.as_ref(), right.as_ref()) {
        (
            ast::Expr::Identifier(ast::Ident { value, quote_style: None, .. }),
            ast::Expr::Value(ast::ValueWithSpan {
                value: ast::Value::SingleQuotedString(text) | ast::Value::DoubleQuotedString(text),
                ..
            }),
        ) if value.eq_ignore_ascii_case("pos") => Some(text.clone()),
        _ => None,
    }
}

/// A term that is no start position; it may not look like one either.
fn predicate(term: ast::Expr, table: &str) -> Result<Vec<Expr>, SqlError> {
    let mut converter = Converter::new(Place::Vstream { table });
    let expr = converter.convert(term)?;
    if converter.mentions_pos {
        let found = expr.to_string().replace("`pos`", "pos");
        return Err(SqlError::Start { found });
    }
    Ok(match expr {
        Expr::And(terms) => terms,
        expr => vec![expr],
    })
}

fn limit(cursor: &mut Cursor<'_>) -> Result<u64, SqlError> {
    let limit = cursor.accept_integer().ok_or(SqlError::Limit)?;
    if cursor.is_token(0, &Token::Comma) || cursor.is_word(0, "OFFSET") {
        return Err(SqlError::Limit);
    }
    Ok(limit)
}

impl fmt::Display for Vstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VSTREAM ")?;
        write_items(f, &self.items)?;
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
        match self {
            Self::All => f.write_str("*"),
            Self::Column { name, alias } => {
                write!(f, "{}{}", Identifier(name), Alias("AS", alias))
            }
            Self::Metadata { which, alias } => {
                write!(f, "{}{}", which.name(), Alias("AS", alias))
            }
        }
    }
}

impl Metadata {
    const ALL: [Self; 3] = [Self::Position, Self::Shard, Self::Timestamp];

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

/// Clauses of a SELECT that a stream has no use for, by their first word.
const CLAUSES: [(&str, &str); 12] = [
    ("GROUP", "GROUP BY"),
    ("ORDER", "ORDER BY"),
    ("HAVING", "HAVING"),
    ("JOIN", "JOIN"),
    ("INNER", "JOIN"),
    ("LEFT", "JOIN"),
    ("RIGHT", "JOIN"),
    ("CROSS", "JOIN"),
    ("UNION", "UNION"),
    ("FOR", "FOR"),
    ("INTO", "INTO"),
    ("WINDOW", "WINDOW"),
];

/// More items than a table of MySQL can have columns.
const ITEMS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::super::{Statement, parse};
    use super::*;

    fn vstream(text: &str) -> Vstream {
        match parse(text) {
            Ok(Statement::Vstream(vstream)) => vstream,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn start_is_taken_out_of_the_condition() {
        let check = |text: &str, start: Start, condition: Option<&str>| {
            let found = vstream(&format!("VSTREAM * FROM t {text}"));
            assert_eq!(found.start, start, "{text}");
            assert_eq!(
                found.condition.map(|expr| expr.to_string()).as_deref(),
                condition,
                "{text}"
            );
        };
        check("", Start::Copy, None);
        check("WHERE pos > ''", Start::Copy, None);
        check("WHERE pos > 'current'", Start::Now, None);
        check("WHERE pos > 'x'", Start::After("x".to_owned()), None);
        check("WHERE a AND pos > 'x' AND b", Start::After("x".to_owned()), Some("a AND b"));
        check("WHERE `pos` > 'x'", Start::Copy, Some("`pos` > 'x'"));
    }

    #[test]
    fn metadata_is_not_the_rules_business() {
        let select =
            vstream("VSTREAM id AS x, _pos, `_ts` FROM ks.t WHERE op = '+' LIMIT 3").select();
        assert_eq!(select.to_string(), "select id as x, `_ts` from t where op = '+'");
    }
}
