//! What is to be known of a statement before it is passed on to a server, as it is.
//!
//! The server understands the statement; here is only found which databases and user variables it
//! names, whether it is about the session alone, and whether it can do no more than read.

use std::ops::ControlFlow;

use sqlparser::ast::{ObjectName, visit_relations};
use sqlparser::parser::Parser;

use super::dialect::MySql;
use super::lexer::{self, Word};
use super::{Command, CommandKind};

/// The databases that a statement names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Databases {
    /// Their names, each once.
    pub names: Vec<String>,
    /// They are those of its tables. Otherwise some may be names of tables, before their columns.
    pub certain: bool,
}

impl Command {
    /// The databases that it names.
    pub fn databases(&self) -> Databases {
        let qualifiers = qualifiers(&self.text);
        if qualifiers.is_empty() {
            return Databases { names: Vec::new(), certain: true };
        }
        match self.relations() {
            Some(names) => Databases { names, certain: true },
            None => Databases { names: qualifiers, certain: false },
        }
    }

    /// The databases before names of tables; nothing if the statement cannot be read.
    fn relations(&self) -> Option<Vec<String>> {
        let reads_rows = matches!(
            self.kind,
            CommandKind::Select
                | CommandKind::Insert
                | CommandKind::Update
                | CommandKind::Delete
                | CommandKind::Replace
        );
        if !reads_rows || self.text.len() > PARSED_BYTES_MAX {
            return None;
        }
        let parsed = Parser::parse_sql(&MySql, &self.text).ok()?;
        let mut names = Vec::new();
        let _: ControlFlow<()> = visit_relations(&parsed, |relation: &ObjectName| {
            if let [database, _, ..] = relation.0.as_slice()
                && let Some(name) = database.as_ident().map(|name| name.value.clone())
                && !names.contains(&name)
            {
                names.push(name);
            }
            ControlFlow::Continue(())
        });
        Some(names)
    }

    /// Whether it asks for nothing but what concerns the session itself: system variables, numbers,
    /// and functions such as `DATABASE()`.
    pub fn is_of_session(&self) -> bool {
        let words: Vec<Word<'_>> = lexer::Words::new(&self.text).take(WORDS_MAX + 1).collect();
        let Some((first, rest)) = words.split_first() else { return false };
        let begins = first.is("SELECT") || first.is("DO");
        begins && words.len() <= WORDS_MAX && (1..=rest.len()).all(|at| is_of_session(&words, at))
    }

    /// Whether it cannot change anything, as far as its kind tells: what functions do and locks are
    /// the server's to judge, and [`reaches_out`] knows what else it may not name.
    pub fn reads_only(&self) -> bool {
        match self.kind {
            CommandKind::Select | CommandKind::Explain => true,
            CommandKind::Begin => {
                lexer::words(&self.text).all(|word| BEGIN_WORDS.contains(&word.as_str()))
            }
            CommandKind::Commit | CommandKind::Rollback | CommandKind::Savepoint => true,
            CommandKind::Other => self.is_of_session(),
            CommandKind::Insert
            | CommandKind::Update
            | CommandKind::Delete
            | CommandKind::Replace
            | CommandKind::Ddl
            | CommandKind::Lock => false,
        }
    }

    /// Whether it is COMMIT or ROLLBACK and begins another transaction.
    pub fn chains(&self) -> bool {
        lexer::words(&self.text).any(|word| word == "CHAIN")
    }

    /// Whether it is a SELECT without tables, or begins a transaction.
    pub fn needs_no_table(&self) -> bool {
        let mut words = lexer::Words::new(&self.text);
        match self.kind {
            CommandKind::Begin => true,
            CommandKind::Select => {
                words.next().is_some_and(|word| word.is("SELECT"))
                    && !words.any(|word| word.is("FROM"))
            }
            CommandKind::Insert
            | CommandKind::Update
            | CommandKind::Delete
            | CommandKind::Replace
            | CommandKind::Ddl
            | CommandKind::Commit
            | CommandKind::Rollback
            | CommandKind::Savepoint
            | CommandKind::Explain
            | CommandKind::Lock
            | CommandKind::Other => false,
        }
    }

    /// Whether it is DO, which has no result.
    pub fn is_do(&self) -> bool {
        lexer::Words::new(&self.text).next().is_some_and(|word| word.is("DO"))
    }
}

/// Whether one of the words of a statement that may be about the session alone can stand there.
fn is_of_session(words: &[Word<'_>], at: usize) -> bool {
    let before = |steps: usize| at.checked_sub(steps).and_then(|at| words.get(at));
    let text = |word: Option<&Word<'_>>| word.map_or("", |word| word.text()).to_owned();
    let (previous, next) = (before(1), words.get(at + 1));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let ends_item = matches!(text(next).as_str(), "" | "," | ";");
    match words.get(at) {
        Some(Word::Sign("," | "(" | ")" | ";")) => true,
        Some(Word::Sign(".")) => text(previous).starts_with("@@"),
        Some(Word::Bare(word)) if word.starts_with("@@") || is_number(word) => true,
        Some(Word::Bare(_)) if text(previous) == "." => text(before(2)).starts_with("@@"),
        Some(Word::Bare(_)) if previous.is_some_and(|word| word.is("AS")) => true,
        Some(word @ Word::Bare(_)) if SESSION_WORDS.iter().any(|known| word.is(known)) => true,
        Some(word @ Word::Bare(_)) if SESSION_FUNCTIONS.iter().any(|known| word.is(known)) => {
            text(next) == "(" || word.is("CURRENT_USER")
        }
        // An alias without AS.
        Some(Word::Bare(_) | Word::Quoted(_)) => {
            let item = text(previous);
            let has_item = item == ")" || item.starts_with("@@") || is_number(&item);
            let is_named = previous.is_some_and(|word| word.is("AS"));
            ends_item && (is_named || has_item && !item.is_empty())
        }
        Some(Word::Sign(_)) | None => false,
    }
}

/// The user variables that a statement names, in lower case.
pub fn user_variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut words = lexer::Words::new(text).peekable();
    while let Some(word) = words.next() {
        let name = match (word, words.peek()) {
            (Word::Bare("@"), Some(Word::Quoted(quoted))) => unquoted(quoted),
            (Word::Bare(word), _) => match word.strip_prefix('@') {
                Some(name) if !name.is_empty() && !name.starts_with('@') => name.to_owned(),
                Some(_) | None => continue,
            },
            (Word::Quoted(_) | Word::Sign(_), _) => continue,
        };
        let name = name.to_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// All names that have a dot behind them, but variables and numbers.
fn qualifiers(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut words = lexer::Words::new(text).peekable();
    while let Some(word) = words.next() {
        let name = match word {
            Word::Bare(word) if word.starts_with(|c: char| c == '@' || c.is_ascii_digit()) => {
                continue;
            }
            Word::Bare(word) => word.to_owned(),
            Word::Quoted(quoted) if !quoted.starts_with('\'') => unquoted(quoted),
            Word::Quoted(_) | Word::Sign(_) => continue,
        };
        if matches!(words.peek(), Some(Word::Sign("."))) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn unquoted(text: &str) -> String {
    let Some(quote) = text.chars().next() else { return String::new() };
    let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let doubled = String::from_iter([quote, quote]);
    inner.unwrap_or_default().replace(&doubled, &quote.to_string())
}

/// Whether a statement of any kind may reach what is beyond the rows that it reads: files of the
/// server's, and locks that others wait for. Words in quotes count, too: where those end depends on
/// the mode.
pub fn reaches_out(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    if ["OUTFILE", "DUMPFILE", "LOAD_FILE", "GET_LOCK"].iter().any(|word| upper.contains(word)) {
        return true;
    }
    // FOR SHARE, LOCK IN SHARE MODE.
    let mut before = String::new();
    upper.contains("SHARE")
        && lexer::words(text).any(|word| {
            let shares = word == "SHARE" && matches!(before.as_str(), "FOR" | "IN");
            before = word;
            shares
        })
}

/// Longer statements are not read for the databases of their tables.
const PARSED_BYTES_MAX: usize = 64 << 10;
/// Longer statements are about more than the session.
const WORDS_MAX: usize = 400;
/// Words that begin a transaction which can only read where others can not either.
const BEGIN_WORDS: [&str; 10] = [
    "BEGIN",
    "WORK",
    "START",
    "TRANSACTION",
    "WITH",
    "CONSISTENT",
    "SNAPSHOT",
    ",",
    "READ",
    "ONLY",
];
const SESSION_WORDS: [&str; 5] = ["AS", "LIMIT", "NULL", "TRUE", "FALSE"];
const SESSION_FUNCTIONS: [&str; 8] = [
    "DATABASE",
    "SCHEMA",
    "VERSION",
    "CONNECTION_ID",
    "USER",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
];

#[cfg(test)]
mod tests {
    use super::super::{Statement, parse};
    use super::*;

    fn command(text: &str) -> Command {
        match parse(text) {
            Ok(Statement::Backend(command)) => command,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn databases_are_those_of_tables() {
        let check = |text: &str, names: &[&str], certain: bool| {
            let found = command(text).databases();
            assert_eq!(found.names, names, "{text}");
            assert_eq!(found.certain, certain, "{text}");
        };
        check("SELECT * FROM t", &[], true);
        check("SELECT 1.5, 'a.b', @@session.x FROM t", &[], true);
        check("SELECT a.id FROM a", &[], true);
        check("SELECT a.id FROM ks.a JOIN `o``r`.b ON a.id = b.id", &["ks", "o`r"], true);
        check(
            "INSERT INTO ks.t SELECT * FROM u WHERE x IN (SELECT 1 FROM v.w)",
            &["ks", "v"],
            true,
        );
        check("UPDATE ks.t SET a = 1", &["ks"], true);
        check("DELETE FROM ks.t WHERE t.a = 1", &["ks"], true);
        check("ALTER TABLE ks.t ADD x int", &["ks"], false);
        check("CREATE VIEW v AS SELECT a.x FROM a", &["a"], false);
        check("CALL `ks` . p(1)", &["ks"], false);
        check("SELECT a.x FROM a WHERE ???", &["a"], false);
    }

    #[test]
    fn what_is_about_the_session_alone() {
        for text in [
            "SELECT 1",
            "SELECT @@version_comment LIMIT 1",
            "select @@session.tx_isolation, @@max_allowed_packet as `a b`",
            "SELECT @@version v, DATABASE() d",
            "SELECT DATABASE(), USER(), CONNECTION_ID() AS id, VERSION()",
            "SELECT CURRENT_USER",
            "SELECT NULL",
            "DO 0",
        ] {
            assert!(command(text).is_of_session(), "{text}");
        }
        for text in [
            "SELECT * FROM t",
            "SELECT 1 FROM t",
            "SELECT 1 + 1",
            "SELECT 'a'",
            "SELECT 'a' 'b'",
            "SELECT a",
            "SELECT @a",
            "SELECT SLEEP(1)",
            "SELECT DATABASE() FROM t",
            "SELECT LAST_INSERT_ID()",
            "SELECT @@version INTO @a",
            "SELECT (SELECT 1)",
            "SELECT DATABASE",
            "DO SLEEP(1)",
            "INSERT INTO t VALUES (1)",
            "(SELECT 1)",
        ] {
            assert!(!command(text).is_of_session(), "{text}");
        }
    }

    #[test]
    fn what_can_only_read() {
        for text in [
            "SELECT * FROM t FOR UPDATE",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "TABLE t",
            "BEGIN",
            "START TRANSACTION READ ONLY",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT",
            "COMMIT",
            "ROLLBACK TO a",
            "EXPLAIN SELECT * FROM t",
            "DO 0",
        ] {
            assert!(command(text).reads_only(), "{text}");
        }
        for text in [
            "START TRANSACTION READ WRITE",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "INSERT INTO t VALUES (1)",
            "CREATE TABLE t (a int)",
            "LOCK TABLES t READ",
            "CALL p()",
            "DO SLEEP(1)",
            "GRANT ALL ON *.* TO a",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "HANDLER t OPEN",
            "XA START 'a'",
            "ANALYZE TABLE t",
            "PREPARE a FROM 'DELETE FROM t'",
            "FLUSH TABLES",
        ] {
            assert!(!command(text).reads_only(), "{text}");
        }
    }

    #[test]
    fn what_is_beyond_rows() {
        for text in [
            "SELECT * FROM t INTO OUTFILE 'x'",
            "SELECT * INTO dumpfile 'x' FROM t",
            "SELECT '\\' INTO OUTFILE 'x'",
            "SELECT 1 /*! INTO OUTFILE 'x' */",
            "SELECT Load_File('/etc/passwd')",
            "SET @a = LOAD_FILE('/etc/passwd')",
            "SHOW TABLES WHERE LOAD_FILE('x') > ''",
            "SELECT * FROM t FOR SHARE",
            "SELECT * FROM t LOCK in\nshare MODE",
            "SELECT get_lock('a', 1)",
        ] {
            assert!(reaches_out(text), "{text}");
        }
        for text in ["SELECT share FROM t", "SELECT * FROM t FOR UPDATE", "SELECT 'share'"] {
            assert!(!reaches_out(text), "{text}");
        }
    }

    #[test]
    fn user_variables_are_found() {
        let check = |text: &str, expected: &[&str]| assert_eq!(user_variables(text), expected);
        check(
            "SELECT @a, @@b, @A + @`c d`, '@e', @'f''g' FROM t WHERE x = @h",
            &["a", "c d", "f'g", "h"],
        );
        check("SELECT @a:=@a+1", &["a"]);
        check("SELECT 1 /* @b */", &[]);
    }
}
