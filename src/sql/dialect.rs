//! sqlparser's MySQL dialect with MySQL's own operator precedence, and `@` as an operator.

use std::any::TypeId;

use sqlparser::ast::{CastKind, DataType, Expr, Ident, UnaryOperator, Value};
use sqlparser::dialect::{Dialect, MySqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// The dialect that every statement is read in.
#[derive(Debug)]
pub(super) struct MySql;

impl Dialect for MySql {
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch != '@' && BASE.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch != '@' && BASE.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        BASE.is_delimited_identifier_start(ch)
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation(&self) -> bool {
        true
    }

    fn ignores_wildcard_escapes(&self) -> bool {
        true
    }

    fn supports_numeric_prefix(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn requires_single_line_comment_whitespace(&self) -> bool {
        true
    }

    fn supports_limit_comma(&self) -> bool {
        true
    }

    fn supports_insert_set(&self) -> bool {
        true
    }

    fn supports_double_ampersand_operator(&self) -> bool {
        true
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        Some(Ok(infix(parser)))
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Or => OR,
            Precedence::Xor => XOR,
            Precedence::And => AND,
            Precedence::UnaryNot => NOT,
            Precedence::Is | Precedence::Eq => COMPARISON,
            Precedence::Like | Precedence::Between => PREDICATE,
            Precedence::Pipe | Precedence::Colon | Precedence::PgOther => BIT_OR,
            Precedence::Ampersand => BIT_AND,
            Precedence::PlusMinus => SUM,
            Precedence::MulDivModOp => PRODUCT,
            Precedence::Caret => BIT_XOR,
            Precedence::AtTz | Precedence::DoubleColon | Precedence::Period => UNARY,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let op = match &parser.peek_token_ref().token {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            Token::Tilde => UnaryOperator::BitwiseNot,
            Token::ExclamationMark => UnaryOperator::BangNot,
            Token::AtSign | Token::AtAt => return Some(variable(parser)),
            Token::Word(Word { keyword: Keyword::BINARY, quote_style: None, .. }) => {
                parser.advance_token();
                return Some(parser.parse_subexpr(UNARY).map(|expr| Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(expr),
                    data_type: DataType::Binary(None),
                    format: None,
                }));
            }
            Token::CustomBinaryOperator(word) if word == NULL => {
                parser.advance_token();
                return Some(Ok(Expr::value(Value::Null)));
            }
            _ => return None,
        };
        parser.advance_token();
        let operand = parser.parse_subexpr(UNARY);
        Some(operand.map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }))
    }
}

/// Makes operators of the words DIV and MOD where they stand behind an operand: sqlparser knows
/// the one only by copying what stands before it, and the other not at all. And hides the NULL
/// behind REGEXP, which sqlparser would take for a part of the operator.
pub(super) fn rewrite_operators(tokens: &mut [TokenWithSpan]) {
    let mut after_operand = false;
    let mut after_regexp = false;
    for token in tokens {
        match &token.token {
            Token::Word(Word { keyword: Keyword::DIV, quote_style: None, .. }) if after_operand => {
                token.token = Token::CustomBinaryOperator(DIV.to_owned());
            }
            Token::Word(word) if is_mod(word) && after_operand => token.token = Token::Mod,
            Token::Word(Word { keyword: Keyword::NULL, quote_style: None, .. }) if after_regexp => {
                token.token = Token::CustomBinaryOperator(NULL.to_owned());
                (after_operand, after_regexp) = (true, false);
                continue;
            }
            _ => {}
        }
        after_regexp = matches!(
            &token.token,
            Token::Word(Word { keyword: Keyword::REGEXP | Keyword::RLIKE, quote_style: None, .. })
        );
        after_operand = match &token.token {
            Token::Word(word) => word.quote_style.is_some() || !is_operator(word.keyword),
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::HexStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::RParen => true,
            _ => false,
        };
    }
}

/// Whether the token makes an expression deeper.
pub(super) fn is_operator_token(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none() && is_operator(word.keyword),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::SemiColon
        | Token::AtSign
        | Token::AtAt
        | Token::EOF => false,
        _ => true,
    }
}

fn is_operator(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::OR
            | Keyword::XOR
            | Keyword::NOT
            | Keyword::IS
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::RLIKE
            | Keyword::REGEXP
            | Keyword::ESCAPE
            | Keyword::COLLATE
            | Keyword::BINARY
            | Keyword::DIV
            | Keyword::CASE
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::WHERE
            | Keyword::SELECT
    )
}

fn is_mod(word: &Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("MOD")
}

/// How tightly the next token binds as an operator between two operands; 0 if it is none.
fn infix(parser: &Parser) -> u8 {
    match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_some() => 0,
        Token::Word(word) => match word.keyword {
            Keyword::OR => OR,
            Keyword::XOR => XOR,
            Keyword::AND => AND,
            Keyword::IS => COMPARISON,
            Keyword::IN | Keyword::BETWEEN | Keyword::LIKE | Keyword::RLIKE | Keyword::REGEXP => {
                PREDICATE
            }
            Keyword::NOT => match &parser.peek_nth_token_ref(1).token {
                Token::Word(next) if next.quote_style.is_none() => match next.keyword {
                    Keyword::IN
                    | Keyword::BETWEEN
                    | Keyword::LIKE
                    | Keyword::RLIKE
                    | Keyword::REGEXP => PREDICATE,
                    _ => 0,
                },
                _ => 0,
            },
            _ => 0,
        },
        Token::StringConcat => OR,
        Token::Overlap => AND,
        Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::LtEq
        | Token::Gt
        | Token::GtEq
        | Token::Spaceship => COMPARISON,
        Token::Pipe => BIT_OR,
        Token::Ampersand => BIT_AND,
        Token::ShiftLeft | Token::ShiftRight => SHIFT,
        Token::Plus | Token::Minus => SUM,
        Token::Mul | Token::Div | Token::Mod | Token::CustomBinaryOperator(_) => PRODUCT,
        Token::Caret => BIT_XOR,
        Token::Arrow | Token::LongArrow => ARROW,
        _ => 0,
    }
}

/// `@name`, `@@name` or `@@scope.name`, as an [`Expr::Prefixed`].
fn variable(parser: &mut Parser) -> Result<Expr, ParserError> {
    let sign = if parser.next_token().token == Token::AtAt { "@@" } else { "@" };
    let mut parts = vec![variable_name(parser)?];
    while parser.consume_token(&Token::Period) {
        parts.push(variable_name(parser)?);
    }
    Ok(Expr::Prefixed {
        prefix: Ident { value: sign.to_owned(), quote_style: None, span: Span::empty() },
        value: Box::new(Expr::CompoundIdentifier(parts)),
    })
}

/// A name behind `@`, which may be quoted as a text too.
fn variable_name(parser: &mut Parser) -> Result<Ident, ParserError> {
    let token = parser.peek_token();
    match token.token {
        Token::Word(word) => {
            parser.advance_token();
            Ok(word.into_ident(token.span))
        }
        Token::SingleQuotedString(name) | Token::DoubleQuotedString(name) => {
            parser.advance_token();
            Ok(Ident { value: name, quote_style: Some('`'), span: token.span })
        }
        _ => parser.expected_ref("a variable's name", parser.peek_token_ref()),
    }
}

/// The operator that [`rewrite_operators`] makes of the word DIV.
pub(super) const DIV: &str = "DIV";

/// What [`rewrite_operators`] makes of the NULL behind REGEXP.
const NULL: &str = "NULL";

const BASE: MySqlDialect = MySqlDialect {};

// MySQL's grammar, loosest first. In it, LIKE and its like bind tighter than comparisons.
pub(super) const OR: u8 = 5;
const XOR: u8 = 7;
pub(super) const AND: u8 = 10;
const NOT: u8 = 15;
const COMPARISON: u8 = 20;
const PREDICATE: u8 = 21;
const BIT_OR: u8 = 22;
const BIT_AND: u8 = 23;
pub(super) const SHIFT: u8 = 24;
const SUM: u8 = 30;
const PRODUCT: u8 = 40;
const BIT_XOR: u8 = 42;
const UNARY: u8 = 45;
const ARROW: u8 = 50;
