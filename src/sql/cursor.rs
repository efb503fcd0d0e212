//! A place in a statement's tokens: what the parsers of single statements read with.

use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, Tokenizer, Word};

use super::SqlError;
use super::dialect::{self, MySql};
use super::vstream::Table;

/// Reads tokens, and says where reading failed.
pub(super) struct Cursor<'a> {
    text: &'a str,
    parser: Parser<'static>,
}

/// A name, and whether it was quoted: then it never means anything but itself.
#[derive(Debug)]
pub(super) struct Name {
    pub value: String,
    pub quoted: bool,
}

/// A place between two tokens; none: the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(Option<Location>);

impl<'a> Cursor<'a> {
    /// At the beginning of `text`, which is one `statement`.
    pub fn new(text: &'a str, statement: &'static str) -> Result<Self, SqlError> {
        if text.len() > STATEMENT_BYTES_MAX {
            return Err(SqlError::TooLong { statement, bytes_max: STATEMENT_BYTES_MAX });
        }
        let mut tokens = Tokenizer::new(&MySql, text)
            .tokenize_with_location()
            .map_err(|error| syntax(text, Some(error.location)))?;
        let operators = tokens.iter().filter(|token| dialect::is_operator_token(&token.token));
        if operators.count() > OPERATORS_MAX {
            return Err(SqlError::TooManyOperators { max: OPERATORS_MAX });
        }
        // The parser looks ahead often, and over each blank anew.
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        dialect::rewrite_operators(&mut tokens);
        let parser = Parser::new(&MySql)
            .with_recursion_limit(NESTING_MAX)
            .with_tokens_with_locations(tokens);
        Ok(Self { text, parser })
    }

    /// Steps over the keyword `word`, if it comes next.
    pub fn accept(&mut self, word: &str) -> bool {
        self.accept_all(&[word])
    }

    /// Steps over all of `words`, or over nothing.
    pub fn accept_all(&mut self, words: &[&str]) -> bool {
        let all = words.iter().enumerate().all(|(index, word)| self.is_word(index, word));
        if all {
            for _ in words {
                self.parser.advance_token();
            }
        }
        all
    }

    /// Steps over one of `words` and says which.
    pub fn accept_one<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.accept(word))
    }

    /// Steps over the keyword `word`, which must come next.
    pub fn expect(&mut self, word: &str) -> Result<(), SqlError> {
        if self.accept(word) { Ok(()) } else { self.unexpected() }
    }

    /// Whether the keyword `word` comes `ahead` tokens behind the next.
    pub fn is_word(&self, ahead: usize, word: &str) -> bool {
        match &self.parser.peek_nth_token_ref(ahead).token {
            Token::Word(Word { value, quote_style: None, .. }) => value.eq_ignore_ascii_case(word),
            _ => false,
        }
    }

    /// Whether `token` comes `ahead` tokens behind the next.
    pub fn is_token(&self, ahead: usize, token: &Token) -> bool {
        self.parser.peek_nth_token_ref(ahead).token == *token
    }

    /// Steps over `token`, if it comes next.
    pub fn accept_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Steps over `token`, which must come next.
    pub fn expect_token(&mut self, token: &Token) -> Result<(), SqlError> {
        if self.accept_token(token) { Ok(()) } else { self.unexpected() }
    }

    /// Steps over the next token, whatever it is.
    pub fn skip(&mut self) {
        self.parser.advance_token();
    }

    /// The next token if it is a bare word, in upper case.
    pub fn peek_word(&self) -> Option<String> {
        match &self.parser.peek_token_ref().token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_ascii_uppercase()),
            _ => None,
        }
    }

    /// Steps over any word, bare or in back quotes, and gives it as written.
    pub fn accept_any_word(&mut self) -> Option<String> {
        let Token::Word(Word { value, .. }) = &self.parser.peek_token_ref().token else {
            return None;
        };
        let word = value.clone();
        self.parser.advance_token();
        Some(word)
    }

    /// A name, in back quotes or bare; a bare one may be no keyword that would end a list.
    pub fn name(&mut self) -> Result<Name, SqlError> {
        match &self.parser.peek_token_ref().token {
            Token::Word(Word { value, quote_style: Some('`'), .. }) => {
                let name = Name { value: value.clone(), quoted: true };
                self.parser.advance_token();
                Ok(name)
            }
            Token::Word(Word { value, quote_style: None, .. }) if !is_reserved(value) => {
                let name = Name { value: value.clone(), quoted: false };
                self.parser.advance_token();
                Ok(name)
            }
            _ => self.unexpected(),
        }
    }

    /// `[AS] name`, where there is one.
    pub fn alias(&mut self) -> Result<Option<String>, SqlError> {
        if self.accept("AS") {
            if let Some(text) = self.accept_text() {
                return Ok(Some(text));
            }
            return self.name().map(|name| Some(name.value));
        }
        match &self.parser.peek_token_ref().token {
            Token::Word(word) if word.quote_style.is_some() || !is_reserved(&word.value) => {
                self.name().map(|name| Some(name.value))
            }
            _ => Ok(None),
        }
    }

    /// `[keyspace.]table`.
    pub fn table(&mut self) -> Result<Table, SqlError> {
        let first = self.name()?.value;
        if !self.accept_token(&Token::Period) {
            return Ok(Table { keyspace: None, name: first });
        }
        Ok(Table { keyspace: Some(first), name: self.name()?.value })
    }

    /// Steps over a text in single or double quotes.
    pub fn accept_text(&mut self) -> Option<String> {
        match &self.parser.peek_token_ref().token {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                let text = text.clone();
                self.parser.advance_token();
                Some(text)
            }
            _ => None,
        }
    }

    /// A text, or a bare or quoted name, as charsets and collations are written.
    pub fn text_or_name(&mut self) -> Result<String, SqlError> {
        match self.accept_text() {
            Some(text) => Ok(text),
            None if self.accept("BINARY") => Ok("binary".to_owned()),
            None => self.name().map(|name| name.value),
        }
    }

    /// Steps over a number without a sign, a point or an exponent.
    pub fn accept_integer(&mut self) -> Option<u64> {
        match &self.parser.peek_token_ref().token {
            Token::Number(digits, false) => {
                let number = digits.parse().ok()?;
                self.parser.advance_token();
                Some(number)
            }
            _ => None,
        }
    }

    /// An expression, as sqlparser sees it.
    pub fn expr(&mut self) -> Result<ast::Expr, SqlError> {
        if self.peek_word().is_some_and(|word| STARTS_NO_EXPR.contains(&word.as_str())) {
            return self.unexpected();
        }
        self.parser.parse_expr().map_err(|error| match error {
            ParserError::RecursionLimitExceeded => SqlError::TooDeep { max: NESTING_MAX },
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
                syntax(self.text, location(&message))
            }
        })
    }

    /// Requires that nothing but a `;` is left.
    pub fn end(&mut self) -> Result<(), SqlError> {
        while self.accept_token(&Token::SemiColon) {}
        if self.at_end() { Ok(()) } else { self.unexpected() }
    }

    /// Whether nothing is left.
    pub fn at_end(&self) -> bool {
        self.parser.peek_token_ref().token == Token::EOF
    }

    /// Where the next token begins.
    pub fn mark(&self) -> Mark {
        let next = self.parser.peek_token_ref();
        Mark(if next.token == Token::EOF { None } else { Some(next.span.start) })
    }

    /// What stands between two marks. Costs a look at all the text before.
    pub fn between(&self, start: Mark, end: Mark) -> &'a str {
        let at = |mark: Mark| mark.0.map_or(self.text.len(), |place| offset(self.text, place));
        self.text.get(at(start)..at(end)).unwrap_or_default().trim()
    }

    /// What has been read since `start`.
    pub fn since(&self, start: Mark) -> &'a str {
        self.between(start, self.mark())
    }

    /// All that is left.
    pub fn rest(&self) -> &'a str {
        self.between(self.mark(), Mark(None))
    }

    /// Fails at the next token.
    pub fn unexpected<T>(&self) -> Result<T, SqlError> {
        let next = self.parser.peek_token_ref();
        let place = if next.token == Token::EOF { None } else { Some(next.span.start) };
        Err(syntax(self.text, place))
    }
}

/// A syntax error at `place`; none: at the end.
fn syntax(text: &str, place: Option<Location>) -> SqlError {
    let at = place.map_or(text.len(), |place| offset(text, place));
    let before = text.get(..at).unwrap_or(text);
    let near = text.get(at..).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    SqlError::Syntax { near: near.chars().take(NEAR_CHARS_MAX).collect(), line }
}

/// Where a line and column of sqlparser's are; both count from 1, columns in characters.
fn offset(text: &str, place: Location) -> usize {
    let lines_before = usize::try_from(place.line.saturating_sub(1)).unwrap_or(usize::MAX);
    let columns_before = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
    let line = match lines_before.checked_sub(1) {
        None => 0,
        Some(last) => text.match_indices('\n').nth(last).map_or(text.len(), |(at, _)| at + 1),
    };
    let rest = text.get(line..).unwrap_or_default();
    rest.char_indices().nth(columns_before).map_or(text.len(), |(at, _)| line + at)
}

/// The place that sqlparser appends to its messages; none: the text ended too early.
fn location(message: &str) -> Option<Location> {
    let (_, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some(Location { line: line.parse().ok()?, column: column.trim().parse().ok()? })
}

/// Words that cannot be a name without quotes, as far as our statements would be read wrongly.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

const RESERVED: [&str; 56] = [
    "ALL", "AND", "AS", "ASC", "BETWEEN", "BINARY", "BY", "CASE", "COLLATE", "CREATE", "CROSS",
    "DEFAULT", "DELETE", "DESC", "DISTINCT", "DIV", "DROP", "ELSE", "EXISTS", "EXPLAIN", "FALSE",
    "FOR", "FROM", "GROUP", "HAVING", "IN", "INNER", "INSERT", "INTERVAL", "INTO", "IS", "JOIN",
    "KILL", "LEFT", "LIKE", "LIMIT", "MOD", "NOT", "NULL", "ON", "OR", "ORDER", "REGEXP",
    "REPLACE", "RIGHT", "RLIKE", "SELECT", "SET", "SHOW", "THEN", "TRUE", "UNION", "UPDATE", "USE",
    "USING", "WHERE",
];

/// Keywords that sqlparser would take for a column where an expression is missing.
const STARTS_NO_EXPR: [&str; 9] =
    ["FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "FOR", "DISTINCT", "ALL", "AS"];

/// The longest statement of our own. What a backend gets is bounded by the packet.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// Keeps sqlparser's trees shallow enough to be dropped on a small stack.
const OPERATORS_MAX: usize = 1000;

/// Parentheses, functions and CASEs inside each other.
pub(super) const NESTING_MAX: usize = 50;

/// As much as MySQL quotes.
const NEAR_CHARS_MAX: usize = 80;
