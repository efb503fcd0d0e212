//! A filter rule's SELECT: Vitess's form, with any predicate.

use std::fmt;

use sqlparser::ast;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::convert::{Converter, Place};
use super::cursor::Cursor;
use super::dialect::MySql;
use super::expr::Expr;
use super::lexer::Source;
use super::name::{Alias, Identifier, write_items};
use super::{SqlError, lexer};

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

/// Why a filter is refused. Apart from the syntax, in Vitess's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FilterError {
    /// Not SQL, or beyond a bound.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// SQL, but more than one table's columns and a WHERE.
    #[error("unsupported: {found}")]
    Unsupported {
        /// The statement or the item.
        found: String,
    },
    /// A function that is not for select lists.
    #[error("unsupported function: {found}")]
    Function {
        /// The call.
        found: String,
    },
    /// `t.c` in the select list.
    #[error("unsupported qualifier for column: {found}")]
    Qualifier {
        /// The column.
        found: String,
    },
    /// A number other than 1.
    #[error("only the integer literal 1 is supported")]
    NotOne,
    /// A literal that is no integer.
    #[error("only integer literals are supported")]
    NotInteger,
}

impl Select {
    /// Reads a rule's filter that is neither empty nor a key range.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let source = Source::new(text);
        let mut cursor = Cursor::new(source.lines(), "a filter")?;
        match Self::read(&mut cursor) {
            Err(FilterError::Sql(SqlError::Syntax { .. })) if is_statement(&source) => {
                Err(FilterError::Unsupported { found: source.body().to_owned() })
            }
            result => result,
        }
    }

    fn read(cursor: &mut Cursor<'_>) -> Result<Self, FilterError> {
        cursor.expect("SELECT")?;
        let items = items(cursor)?;
        cursor.expect("FROM")?;
        let table = cursor.name()?.value;
        let condition = match cursor.accept("WHERE") {
            true => Some(Converter::new(Place::Filter).convert(cursor.expr()?)?),
            false => None,
        };
        cursor.end()?;
        Ok(Self { items, table, condition })
    }
}

/// Whether sqlparser knows a text as a statement, so that it is refused as such and not as a typo.
fn is_statement(source: &Source<'_>) -> bool {
    let (first, _) = lexer::first_words(source.body());
    let parsed = Parser::parse_sql(&MySql, source.body());
    STATEMENTS.contains(&first.as_str()) && parsed.is_ok_and(|statements| statements.len() == 1)
}

fn items(cursor: &mut Cursor<'_>) -> Result<Vec<Item>, FilterError> {
    let mark = cursor.mark();
    let mut items = Vec::new();
    let mut stars = 0;
    loop {
        if items.len() == ITEMS_MAX {
            return Err(SqlError::TooManyItems { max: ITEMS_MAX }.into());
        }
        if cursor.accept_token(&Token::Mul) {
            stars += 1;
            items.push(Item::All);
        } else {
            items.push(item(cursor)?);
        }
        if !cursor.accept_token(&Token::Comma) {
            break;
        }
    }
    if stars > 0 && items.len() > 1 {
        return Err(FilterError::Unsupported { found: cursor.since(mark).to_owned() });
    }
    Ok(items)
}

fn item(cursor: &mut Cursor<'_>) -> Result<Item, FilterError> {
    let mark = cursor.mark();
    let expr = cursor.expr()?;
    let end = cursor.mark();
    let found = |cursor: &Cursor<'_>| cursor.between(mark, end).to_owned();
    let alias = cursor.alias()?;
    match expr {
        ast::Expr::Identifier(name) => Ok(Item::Column { name: name.value, alias }),
        ast::Expr::CompoundIdentifier(_) => Err(FilterError::Qualifier { found: found(cursor) }),
        ast::Expr::Function(function) => {
            let none = match &function.args {
                ast::FunctionArguments::List(list) => list.args.is_empty(),
                ast::FunctionArguments::None | ast::FunctionArguments::Subquery(_) => false,
            };
            if none && function.name.to_string().eq_ignore_ascii_case("keyspace_id") {
                Ok(Item::KeyspaceId { alias })
            } else {
                Err(FilterError::Function { found: found(cursor) })
            }
        }
        ast::Expr::Value(value) => match value.value {
            ast::Value::Number(digits, _) if digits == "1" => Ok(Item::One { alias }),
            ast::Value::Number(digits, _) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                Err(FilterError::NotOne)
            }
            _ => Err(FilterError::NotInteger),
        },
        ast::Expr::Convert {
            is_try: false, expr, data_type: None, charset: Some(charset), ..
        } => match *expr {
            ast::Expr::Identifier(name) if charset.to_string().eq_ignore_ascii_case("utf8mb4") => {
                Ok(Item::Utf8mb4 { column: name.value, alias })
            }
            _ => Err(FilterError::Unsupported { found: found(cursor) }),
        },
        _ => Err(FilterError::Unsupported { found: found(cursor) }),
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("select ")?;
        write_items(f, &self.items)?;
        write!(f, " from {}", Identifier(&self.table))?;
        match &self.condition {
            Some(condition) => write!(f, " where {condition}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |alias| Alias("as", alias);
        match self {
            Self::All => f.write_str("*"),
            Self::Column { name, alias } => write!(f, "{}{}", Identifier(name), named(alias)),
            Self::KeyspaceId { alias } => write!(f, "keyspace_id(){}", named(alias)),
            Self::One { alias } => write!(f, "1{}", named(alias)),
            Self::Utf8mb4 { column, alias } => {
                write!(f, "convert({} using utf8mb4){}", Identifier(column), named(alias))
            }
        }
    }
}

/// More items than a table of MySQL can have columns.
const ITEMS_MAX: usize = 4096;

/// How statements begin that are refused as unsupported.
const STATEMENTS: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SET"];
