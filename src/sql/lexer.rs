//! Where statements, quotes and comments begin and end, before anything is understood.

use std::borrow::Cow;
use std::ops::Range;

use super::compound::Compound;

/// One statement's text, ready to be read.
pub(super) struct Source<'a> {
    /// The text with the marks of executed version comments blanked, so that offsets hold.
    pub text: Cow<'a, str>,
    /// The part of it between leading and trailing blanks, comments and `;`.
    start: usize,
    end: usize,
}

impl<'a> Source<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut start = None;
        let mut end = 0;
        let mut marks = Vec::new();
        for piece in Lexer::new(text) {
            let after = piece.at + piece.text.len();
            match piece.kind {
                // A version comment that is not executed must not look like one to the next reader.
                Kind::Comment
                    if piece.text.starts_with("/*!") || piece.text.starts_with("/*M!") =>
                {
                    marks.push(piece.at..after);
                }
                Kind::Blank | Kind::Comment | Kind::Semicolon => {}
                Kind::VersionOpen | Kind::VersionClose => marks.push(piece.at..after),
                Kind::Word | Kind::Other => {
                    start = start.or(Some(piece.at));
                    end = after;
                }
            }
        }
        // In `1 --# two`, `--` are two signs; without the comment they would begin one themselves.
        if text.get(..end).is_some_and(|body| body.ends_with("--")) {
            end = text.len();
        }
        let text = if marks.is_empty() { Cow::Borrowed(text) } else { blank(text, marks).into() };
        Self { text, start: start.unwrap_or(0), end }
    }

    /// The statement itself; empty if there is none.
    pub fn body(&self) -> &str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    /// The statement with what stands before it, so that lines can be counted.
    pub fn lines(&self) -> &str {
        self.text.get(..self.end).unwrap_or_default()
    }
}

/// The text with blanks in place of `ranges`, which are in order.
fn blank(text: &str, ranges: Vec<Range<usize>>) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut copied = 0;
    for range in ranges {
        blanked.push_str(text.get(copied..range.start).unwrap_or_default());
        blanked.extend(std::iter::repeat_n(' ', range.len()));
        copied = range.end;
    }
    blanked.push_str(text.get(copied..).unwrap_or_default());
    blanked
}

/// The texts of a multi-statement, without those that hold nothing but blanks and comments.
///
/// A `;` in quotes, in a comment, in a version comment or in a compound statement separates nothing.
pub fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut lexer = Lexer::new(text);
    let mut start = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        while !done {
            let mut empty = true;
            let mut compound = Compound::default();
            let end = loop {
                let Some(piece) = lexer.next() else {
                    done = true;
                    break text.len();
                };
                match piece.kind {
                    Kind::Semicolon if lexer.versions == 0 && !compound.is_open() => {
                        break piece.at;
                    }
                    Kind::Semicolon | Kind::Word | Kind::Other => {
                        compound.read(piece.text);
                        empty = false;
                    }
                    Kind::Blank | Kind::Comment | Kind::VersionOpen | Kind::VersionClose => {}
                }
            };
            let statement = text.get(start..end).unwrap_or_default();
            start = end + 1;
            if !empty {
                return Some(statement);
            }
        }
        None
    })
}

/// The first two words or signs of a text.
pub(super) fn first_words(text: &str) -> (String, String) {
    let mut words = words(text);
    (words.next().unwrap_or_default(), words.next().unwrap_or_default())
}

/// The words and signs of a text, in upper case; quoted texts as they are.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    Words::new(text).map(|word| match word {
        Word::Bare(word) => word.to_ascii_uppercase(),
        Word::Quoted(text) | Word::Sign(text) => text.to_owned(),
    })
}

/// A word, a quoted text or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word<'a> {
    Bare(&'a str),
    /// With its quotes.
    Quoted(&'a str),
    Sign(&'a str),
}

impl<'a> Word<'a> {
    /// Whether it is this keyword, which is in upper case.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Bare(text) if text.eq_ignore_ascii_case(keyword))
    }

    pub fn text(self) -> &'a str {
        let (Self::Bare(text) | Self::Quoted(text) | Self::Sign(text)) = self;
        text
    }
}

/// The words, quoted texts and signs of a text, borrowed.
pub(super) struct Words<'a>(Lexer<'a>);

impl<'a> Words<'a> {
    pub fn new(text: &'a str) -> Self {
        Self(Lexer::new(text))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let piece = self.0.next()?;
            match piece.kind {
                Kind::Word => return Some(Word::Bare(piece.text)),
                Kind::Other if piece.text.starts_with(['\'', '"', '`']) => {
                    return Some(Word::Quoted(piece.text));
                }
                Kind::Other | Kind::Semicolon => return Some(Word::Sign(piece.text)),
                Kind::Blank | Kind::Comment | Kind::VersionOpen | Kind::VersionClose => {}
            }
        }
    }
}

/// A `?` in place of a value.
pub(super) struct Placeholder {
    /// Where it stands.
    pub at: usize,
    /// Whether it is the number of a LIMIT or OFFSET.
    pub counts: bool,
}

/// The placeholders of a text.
pub(super) fn placeholders(text: &str) -> impl Iterator<Item = Placeholder> {
    // Whether a number of rows comes next, or may come behind a comma.
    let (mut counts, mut in_limit) = (false, false);
    Lexer::new(text).filter_map(move |piece| match (piece.kind, piece.text) {
        (Kind::Blank | Kind::Comment | Kind::VersionOpen | Kind::VersionClose, _) => None,
        (Kind::Other, "?") => {
            let found = Placeholder { at: piece.at, counts };
            (in_limit, counts) = (counts, false);
            Some(found)
        }
        (Kind::Other, ",") => {
            counts = in_limit;
            None
        }
        (Kind::Word, word) if is_limit(word) => {
            (in_limit, counts) = (true, true);
            None
        }
        (Kind::Word, digits) if counts && digits.bytes().all(|b| b.is_ascii_digit()) => {
            counts = false;
            None
        }
        _ => {
            (in_limit, counts) = (false, false);
            None
        }
    })
}

fn is_limit(word: &str) -> bool {
    word.eq_ignore_ascii_case("limit") || word.eq_ignore_ascii_case("offset")
}

/// How many words, quoted texts and signs a text has, at least: it stops at `max`.
pub(super) fn count(text: &str, max: usize) -> usize {
    let counted =
        |piece: &Piece<'_>| matches!(piece.kind, Kind::Word | Kind::Other | Kind::Semicolon);
    Lexer::new(text).filter(counted).take(max).count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Comment,
    VersionOpen,
    VersionClose,
    Semicolon,
    Word,
    Other,
}

struct Piece<'a> {
    kind: Kind,
    at: usize,
    text: &'a str,
}

struct Lexer<'a> {
    rest: &'a str,
    at: usize,
    /// Executed version comments that are open.
    versions: usize,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text, at: 0, versions: 0 }
    }

    /// The kind and length of what comes next.
    fn measure(&self, first: char) -> (Kind, usize) {
        let rest = self.rest;
        match first {
            '\'' | '"' | '`' => (Kind::Other, quoted(rest, first)),
            '#' => (Kind::Comment, line(rest)),
            '-' if is_dash_comment(rest) => (Kind::Comment, line(rest)),
            '/' if rest.starts_with("/*") => self.comment(),
            '*' if self.versions > 0 && rest.starts_with("*/") => (Kind::VersionClose, 2),
            ';' => (Kind::Semicolon, 1),
            first if first.is_whitespace() => {
                (Kind::Blank, rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()))
            }
            first if is_word(first) => {
                (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
            }
            first => (Kind::Other, first.len_utf8()),
        }
    }

    fn comment(&self) -> (Kind, usize) {
        let (mark, newest) = if self.rest.starts_with("/*!") {
            (3, VERSION_MYSQL)
        } else if self.rest.starts_with("/*M!") {
            (4, VERSION_MARIADB)
        } else {
            (0, 0)
        };
        let digits: String =
            self.rest.chars().skip(mark).take(6).take_while(char::is_ascii_digit).collect();
        // Fewer than five digits are no version but part of the statement.
        let version: u32 = if digits.len() < 5 { 0 } else { digits.parse().unwrap_or(0) };
        if mark > 0 && version <= newest {
            return (Kind::VersionOpen, if version == 0 { mark } else { mark + digits.len() });
        }
        let inside = self.rest.get(2..).unwrap_or_default();
        match inside.find("*/") {
            Some(end) => (Kind::Comment, end + 4),
            // Never closed: not to be skipped, but to be complained about.
            None => (Kind::Other, self.rest.len()),
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let first = self.rest.chars().next()?;
        let (kind, length) = self.measure(first);
        match kind {
            Kind::VersionOpen => self.versions += 1,
            Kind::VersionClose => self.versions -= 1,
            Kind::Blank | Kind::Comment | Kind::Semicolon | Kind::Word | Kind::Other => {}
        }
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        let piece = Piece { kind, at: self.at, text };
        self.rest = rest;
        self.at += text.len();
        Some(piece)
    }
}

/// The length of a quoted text; to the end if the quote is never closed.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, char)) = chars.next() {
        if char == '\\' && quote != '`' {
            chars.next();
        } else if char == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// MySQL wants a blank behind `--`, so that `5--3` is 8.
fn is_dash_comment(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|rest| {
        rest.chars().next().is_none_or(|next| next.is_whitespace() || next.is_control())
    })
}

fn is_word(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || matches!(char, '_' | '$' | '@')
        || !char.is_ascii() && !char.is_whitespace()
}

/// Version comments up to this version are executed: what the greeting promises.
const VERSION_MYSQL: u32 = 80_030;

/// The same for MariaDB's `/*M!`: clients that write them mean to reach a MariaDB of this age.
const VERSION_MARIADB: u32 = 101_100;
