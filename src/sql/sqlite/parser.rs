//! The reader of MySQL text: sqlparser's tokens, queries and expressions with MySQL's precedences.

use std::any::TypeId;

use sqlparser::ast::Ident;
use sqlparser::dialect::{Dialect, MySqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::Fault;
use crate::sql::dialect::{AND, MySql, OR, SHIFT};
use crate::sql::lexer;

/// Deeper expressions and queries are refused.
const DEPTH_MAX: usize = 60;
/// Longer statements are refused, in words, values and signs.
const TOKENS_MAX: usize = 2_000_000;

/// sqlparser's MySQL with the precedences that MySQL has.
#[derive(Debug)]
struct Mysql(MySqlDialect);

impl Dialect for Mysql {
    fn dialect(&self) -> TypeId {
        self.0.dialect()
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        self.0.is_identifier_start(ch)
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        self.0.is_identifier_part(ch)
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.0.is_delimited_identifier_start(ch)
    }
    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.0.identifier_quote_style(identifier)
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
    fn supports_multiline_comment_hints(&self) -> bool {
        true
    }
    fn supports_bang_not_operator(&self) -> bool {
        true
    }
    fn parse_infix(
        &self,
        parser: &mut Parser,
        expr: &sqlparser::ast::Expr,
        precedence: u8,
    ) -> Option<Result<sqlparser::ast::Expr, ParserError>> {
        self.0.parse_infix(parser, expr, precedence)
    }
    fn require_interval_qualifier(&self) -> bool {
        true
    }
    fn supports_limit_comma(&self) -> bool {
        true
    }
    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        self.0.is_table_factor_alias(explicit, kw, parser)
    }
    fn supports_table_hints(&self) -> bool {
        true
    }
    fn requires_single_line_comment_whitespace(&self) -> bool {
        true
    }
    fn supports_match_against(&self) -> bool {
        true
    }
    fn supports_select_modifiers(&self) -> bool {
        true
    }
    fn supports_data_type_signed_suffix(&self) -> bool {
        true
    }
    fn supports_cross_join_constraint(&self) -> bool {
        true
    }
    fn supports_double_ampersand_operator(&self) -> bool {
        true
    }
    fn supports_binary_kw_as_cast(&self) -> bool {
        true
    }
    fn supports_comment_optimizer_hint(&self) -> bool {
        true
    }
    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }
    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 100,
            Precedence::DoubleColon => 65,
            Precedence::PgOther | Precedence::Colon | Precedence::AtTz => 60,
            operator => MySql.prec_value(operator),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::StringConcat => Some(Ok(OR)),
            Token::Overlap => Some(Ok(AND)),
            Token::ShiftLeft | Token::ShiftRight => Some(Ok(SHIFT)),
            _ => None,
        }
    }
}

/// A statement being read.
pub struct Input<'a> {
    parser: Parser<'a>,
    text: &'a str,
    lines: Vec<usize>,
}

static DIALECT: Mysql = Mysql(MySqlDialect {});

impl<'a> Input<'a> {
    /// Splits `text` into tokens.
    pub fn new(text: &'a str) -> Result<Self, Fault> {
        // A token takes some 200 bytes, however short it is, and the tree made of it as many.
        if lexer::count(text, TOKENS_MAX + 1) > TOKENS_MAX {
            return Err(Fault::Unsupported(format!(
                "statements of more than {TOKENS_MAX} words, values and signs"
            )));
        }
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1));
        let tokens = Tokenizer::new(&DIALECT, text)
            .tokenize_with_location()
            .map_err(|error| near(text, &lines, error.location))?;
        let tokens = infix_mod(tokens);
        for pair in tokens.windows(2) {
            // `0b01` and `1abc` would read as a number and an alias.
            if let [number, word] = pair
                && matches!(number.token, Token::Number(..))
                && matches!(word.token, Token::Word(_))
            {
                return Err(near(text, &lines, number.span.start));
            }
        }
        let parser = Parser::new(&DIALECT)
            .with_recursion_limit(DEPTH_MAX)
            .with_tokens_with_locations(tokens);
        Ok(Self { parser, text, lines })
    }

    /// The parser, for what it knows itself; its errors go through [`Input::checked`].
    pub fn parser(&mut self) -> &mut Parser<'a> {
        &mut self.parser
    }

    /// What a parse by sqlparser gave, or the syntax error at the place it got to.
    pub fn checked<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>,
    ) -> Result<T, Fault> {
        match parse(&mut self.parser) {
            Ok(value) => Ok(value),
            Err(ParserError::RecursionLimitExceeded) => {
                Err(Fault::Unsupported("statements nested so deeply".to_owned()))
            }
            Err(_) => Err(self.here()),
        }
    }

    /// The syntax error at the next token.
    pub fn here(&self) -> Fault {
        near(self.text, &self.lines, self.parser.peek_token_ref().span.start)
    }

    /// Takes the word if it is next, whatever its case; a quoted name is no word.
    pub fn word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        if found {
            self.parser.advance_token();
        }
        found
    }

    /// Takes the words if all of them are next.
    pub fn words(&mut self, words: &[&str]) -> bool {
        let found = words
            .iter()
            .enumerate()
            .all(|(n, word)| is_word(&self.parser.peek_nth_token_ref(n).token, word));
        if found {
            for _ in words {
                self.parser.advance_token();
            }
        }
        found
    }

    /// Whether the word is next.
    pub fn peek_word(&self, word: &str) -> bool {
        is_word(&self.parser.peek_token_ref().token, word)
    }

    /// Whether the word comes after `n` other tokens.
    pub fn peek_word_at(&self, n: usize, word: &str) -> bool {
        is_word(&self.parser.peek_nth_token_ref(n).token, word)
    }

    /// Takes the word or fails.
    pub fn expect_word(&mut self, word: &str) -> Result<(), Fault> {
        if self.word(word) { Ok(()) } else { Err(self.here()) }
    }

    /// Takes the token if it is next.
    pub fn token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    /// Whether the token is next.
    pub fn peek(&self, token: &Token) -> bool {
        self.parser.peek_token_ref().token == *token
    }

    /// Takes the token or fails.
    pub fn expect(&mut self, token: &Token) -> Result<(), Fault> {
        if self.token(token) { Ok(()) } else { Err(self.here()) }
    }

    /// Fails unless the text ends here, but for a semicolon.
    pub fn end(&mut self) -> Result<(), Fault> {
        while self.token(&Token::SemiColon) {}
        if self.peek(&Token::EOF) { Ok(()) } else { Err(self.here()) }
    }

    /// An identifier, quoted or not.
    pub fn name(&mut self) -> Result<String, Fault> {
        match self.parser.peek_token_ref().token {
            Token::Word(_) => {
                let Ident { value, .. } = self.checked(Parser::parse_identifier)?;
                if value.is_empty() || value.starts_with('@') {
                    return Err(self.here());
                }
                Ok(value)
            }
            _ => Err(self.here()),
        }
    }

    /// A text literal.
    pub fn string(&mut self) -> Result<String, Fault> {
        match &self.parser.peek_token_ref().token {
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => {
                let text = text.clone();
                self.parser.advance_token();
                Ok(text)
            }
            _ => Err(self.here()),
        }
    }

    /// The first token, if it is a text literal not joined with the next.
    pub fn first_string(&mut self) -> Option<String> {
        self.string().ok()
    }

    /// A whole number without a sign.
    pub fn number(&mut self) -> Result<u64, Fault> {
        match &self.parser.peek_token_ref().token {
            Token::Number(text, false) => {
                let number = text.parse().map_err(|_| self.here())?;
                self.parser.advance_token();
                Ok(number)
            }
            _ => Err(self.here()),
        }
    }

    /// Items between commas.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let mut items = vec![item(self)?];
        while self.token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Where the next token begins in the text.
    pub fn offset(&self) -> usize {
        offset(self.text, &self.lines, self.parser.peek_token_ref().span.start)
    }

    /// The text from `start` up to the next token, trimmed.
    pub fn text_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.offset()).unwrap_or_default().trim_end()
    }

    /// The texts of the items of the first SELECT list from here, without aliases; sqlparser does
    /// not keep them, and MySQL names columns by them.
    pub fn select_texts(&self) -> Vec<&'a str> {
        let mut depth = 0_usize;
        let mut texts = Vec::new();
        let mut item: Option<Span> = None;
        let mut begun = false;
        for token in self.ahead() {
            let closes = match &token.token {
                Token::EOF | Token::SemiColon => true,
                Token::RParen => depth == 0,
                _ if depth > 0 => false,
                Token::Word(word) if word.quote_style.is_none() && begun => {
                    matches!(
                        word.keyword,
                        Keyword::FROM
                            | Keyword::WHERE
                            | Keyword::LIMIT
                            | Keyword::UNION
                            | Keyword::EXCEPT
                            | Keyword::INTERSECT
                            | Keyword::INTO
                            | Keyword::FOR
                            | Keyword::GROUP
                            | Keyword::HAVING
                    ) || (word.keyword == Keyword::ORDER && item.is_some())
                }
                _ => false,
            };
            if closes {
                break;
            }
            if !begun {
                begun = is_word(&token.token, "SELECT");
                continue;
            }
            match token.token {
                Token::Comma if depth == 0 => {
                    texts.extend(item.take().and_then(|item| self.text_of(item)));
                    continue;
                }
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            if item.is_none()
                && [
                    "DISTINCT",
                    "ALL",
                    "SQL_NO_CACHE",
                    "SQL_CALC_FOUND_ROWS",
                    "STRAIGHT_JOIN",
                    "DISTINCTROW",
                ]
                .iter()
                .any(|word| is_word(&token.token, word))
            {
                continue;
            }
            item.get_or_insert(token.span).end = token.span.end;
        }
        texts.extend(item.and_then(|item| self.text_of(item)));
        texts
    }

    /// The tokens that are not read yet. Asking the parser for the n-th one by one would take a time
    /// that grows with the square of their number.
    fn ahead(&self) -> impl Iterator<Item = &TokenWithSpan> {
        let next = self.parser.peek_token_ref();
        let first = (self.parser.get_current_index()..)
            .map(|index| self.parser.token_at(index))
            .take_while(|token| token.token != Token::EOF)
            .position(|token| std::ptr::eq(token, next));
        let from = first.map(|skipped| self.parser.get_current_index() + skipped);
        from.into_iter()
            .flat_map(|from| (from..).map(|index| self.parser.token_at(index)))
            .take_while(|token| token.token != Token::EOF)
            .filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    fn text_of(&self, item: Span) -> Option<&'a str> {
        let place = |at| offset(self.text, &self.lines, at);
        self.text.get(place(item.start)..place(item.end))
    }
}

/// `a MOD b` is `a % b`; MOD() stays a function.
fn infix_mod(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut operand = false;
    for token in &mut tokens {
        match &token.token {
            Token::Whitespace(_) => {}
            Token::Word(word) if word.keyword == Keyword::MOD && word.quote_style.is_none() => {
                if operand {
                    token.token = Token::Mod;
                }
                operand = false;
            }
            Token::Word(word) => {
                operand = word.quote_style.is_some()
                    || matches!(word.keyword, Keyword::NoKeyword | Keyword::NULL);
            }
            Token::Number(..) | Token::RParen | Token::SingleQuotedString(_) => operand = true,
            _ => operand = false,
        }
    }
    tokens
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

fn near(text: &str, lines: &[usize], at: Location) -> Fault {
    let near: String =
        text.get(offset(text, lines, at)..).unwrap_or_default().chars().take(80).collect();
    Fault::Syntax { near, line: at.line.max(1) }
}

/// The byte where a token begins; sqlparser counts characters within a line.
fn offset(text: &str, lines: &[usize], at: Location) -> usize {
    if at.line == 0 {
        return text.len();
    }
    let line = usize::try_from(at.line - 1).ok().and_then(|line| lines.get(line)).copied();
    let Some(start) = line else { return text.len() };
    let column = usize::try_from(at.column.saturating_sub(1)).unwrap_or(0);
    // A character is a byte as far as nothing but ASCII comes before it, which is quickly seen.
    if text.as_bytes().get(start..start + column).is_some_and(<[u8]>::is_ascii) {
        return start + column;
    }
    text.get(start..)
        .and_then(|rest| rest.char_indices().nth(column))
        .map_or(text.len(), |(byte, _)| start + byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_too_many_tokens_are_refused() {
        let text = format!("SELECT 1{}", ",1".repeat(TOKENS_MAX / 2));
        let Err(fault) = Input::new(&text) else { panic!("no bound") };
        assert!(fault.to_string().contains("2000000 words"), "{fault}");
        // What a comment or a quoted text holds is no token.
        let text = format!("SELECT '{0}' /* {0} */", ",1".repeat(TOKENS_MAX / 2));
        assert!(Input::new(&text).is_ok());
    }
}
