//! A statement as a server's own log holds it: what it did, and to which tables.
//!
//! Nothing more is understood than that, so that no dialect is too new: a statement about tables
//! whose names cannot be read is told as such, and counts for every table.

use super::lexer::{self, Word};

/// What a logged statement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// `BEGIN`
    Begin,
    /// `COMMIT`
    Commit,
    /// `ROLLBACK` of the whole transaction.
    Rollback,
    /// `SAVEPOINT`, `ROLLBACK TO`, `RELEASE SAVEPOINT`: rows that were rolled back are not in a log.
    Savepoint,
    /// `XA START`: rows of a transaction that becomes real at its `XA COMMIT`.
    XaStart,
    /// `XA END`
    XaEnd,
    /// `XA PREPARE`
    XaPrepare,
    /// `XA COMMIT` with the transaction's identity as written.
    XaCommit(String),
    /// `XA ROLLBACK` with the transaction's identity as written.
    XaRollback(String),
    /// Tables were created, changed, renamed or dropped.
    Tables(Vec<LoggedTable>),
    /// A table was emptied: it is as it was, without its rows.
    Truncate(LoggedTable),
    /// `CREATE TABLE ... START TRANSACTION`: its rows and its commit follow.
    TableWithRows(LoggedTable),
    /// Tables may have changed, and which ones cannot be read.
    Unreadable,
    /// A whole database was created, changed or dropped; its name, if it could be read.
    Database(Option<String>),
    /// `CREATE TABLE ... SELECT` itself: the log does not hold the rows that it made.
    TableFromQuery(LoggedTable),
    /// Rows were changed by a statement that the log holds in place of them.
    Change(LoggedChange),
    /// Anything else: users, grants, views, routines, maintenance.
    Other,
}

/// Whose rows a statement changed that the log holds in place of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoggedChange {
    /// This table's, and those that its triggers changed, or functions of these databases.
    Of(LoggedTable, Vec<String>),
    /// All rows of this table are gone, and nothing else happened: a server writes this about a
    /// table in memory after it was restarted.
    Emptied(LoggedTable),
    /// The statement does not say: several tables, or what a function did. These are all names in
    /// it that may be a database's.
    Unknown(Vec<String>),
}

/// A table that a logged statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTable {
    /// The database it names; `None` for the statement's own.
    pub database: Option<String>,
    /// The table.
    pub table: String,
}

impl Logged {
    /// Whether nothing of the same transaction follows.
    pub const fn ends_transaction(&self) -> bool {
        match self {
            Self::Begin
            | Self::Savepoint
            | Self::XaStart
            | Self::XaEnd
            | Self::XaPrepare
            | Self::Change(_)
            | Self::TableWithRows(_) => false,
            Self::Commit
            | Self::Rollback
            | Self::XaCommit(_)
            | Self::XaRollback(_)
            | Self::Tables(_)
            | Self::Truncate(_)
            | Self::TableFromQuery(_)
            | Self::Unreadable
            | Self::Database(_)
            | Self::Other => true,
        }
    }

    /// The word that a statement begins with, in upper case. Nothing else of the text: that may be
    /// somebody's data.
    pub fn verb(text: &str) -> String {
        let Some(Word::Bare(first)) = lexer::Words::new(text).next() else { return String::new() };
        let letters = first.chars().take_while(char::is_ascii_alphabetic);
        letters.map(|letter| letter.to_ascii_uppercase()).collect()
    }

    /// Reads a statement's text; every text is something.
    pub fn read(text: &str) -> Self {
        match Words(lexer::Words::new(text).peekable()).statement() {
            Self::Change(LoggedChange::Unknown(_)) => {
                Self::Change(LoggedChange::Unknown(qualifiers(text)))
            }
            Self::Change(LoggedChange::Of(table, _)) => {
                Self::Change(LoggedChange::Of(table, called(text)))
            }
            logged => logged,
        }
    }
}

/// All names of a text that have a dot behind them.
fn qualifiers(text: &str) -> Vec<String> {
    let mut words = Words(lexer::Words::new(text).peekable());
    let mut qualifiers = Vec::new();
    while words.0.peek().is_some() {
        let Some(name) = words.any_identifier() else { continue };
        if matches!(words.0.peek(), Some(Word::Sign("."))) {
            qualifiers.push(name);
        }
    }
    qualifiers
}

/// The databases of functions that are called with theirs, and of a table with its columns behind it.
fn called(text: &str) -> Vec<String> {
    let mut words = Words(lexer::Words::new(text).peekable());
    let mut called = Vec::new();
    while words.0.peek().is_some() {
        let Some(name) = words.any_identifier() else { continue };
        let is_qualified = words.accept_sign(".") && words.any_identifier().is_some();
        if is_qualified && matches!(words.0.peek(), Some(Word::Sign("("))) {
            called.push(name);
        }
    }
    called
}

/// Reads a statement word by word.
struct Words<'a>(std::iter::Peekable<lexer::Words<'a>>);

impl Words<'_> {
    /// Steps over the bare word, if it comes next.
    fn accept(&mut self, word: &str) -> bool {
        self.0.next_if(|next| next.is(word)).is_some()
    }

    fn accept_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.accept(word))
    }

    fn accept_sign(&mut self, sign: &str) -> bool {
        self.0.next_if(|next| matches!(next, Word::Sign(text) if *text == sign)).is_some()
    }

    fn statement(&mut self) -> Logged {
        let Some(Word::Bare(first)) = self.0.next() else { return Logged::Other };
        match first.to_ascii_uppercase().as_str() {
            "BEGIN" => Logged::Begin,
            "COMMIT" => Logged::Commit,
            "ROLLBACK" if self.accept("WORK") && !self.accept("TO") => Logged::Rollback,
            "ROLLBACK" if self.0.peek().is_none() => Logged::Rollback,
            "ROLLBACK" | "SAVEPOINT" | "RELEASE" => Logged::Savepoint,
            "XA" => self.xa(),
            "INSERT" | "REPLACE" => self.inserted(),
            "UPDATE" => self.updated(),
            "DELETE" => self.deleted(),
            "LOAD" => self.loaded(),
            // A function that changes rows, or a change that begins with its subqueries.
            "SELECT" | "DO" | "CALL" | "WITH" | "VALUES" | "TABLE" => unknown_change(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "RENAME" if self.accept_any(&["TABLE", "TABLES"]) => tables(self.renamed()),
            "TRUNCATE" => {
                self.accept("TABLE");
                self.name().map_or(Logged::Unreadable, Logged::Truncate)
            }
            "SET" if self.accept("STATEMENT") => {
                while self.0.next_if(|word| !word.is("FOR")).is_some() {}
                self.accept("FOR");
                self.statement()
            }
            _ => Logged::Other,
        }
    }

    fn xa(&mut self) -> Logged {
        let Some(Word::Bare(verb)) = self.0.next() else { return Logged::Other };
        let rest = |words: &mut Self| words.0.by_ref().map(Word::text).collect::<String>();
        match verb.to_ascii_uppercase().as_str() {
            "START" | "BEGIN" => Logged::XaStart,
            "END" => Logged::XaEnd,
            "PREPARE" => Logged::XaPrepare,
            "COMMIT" => Logged::XaCommit(rest(self)),
            "ROLLBACK" => Logged::XaRollback(rest(self)),
            _ => Logged::Other,
        }
    }

    fn create(&mut self) -> Logged {
        if self.accept("OR") {
            self.accept("REPLACE");
        }
        if self.accept_any(&["DATABASE", "SCHEMA"]) {
            return self.database();
        }
        if self.accept("TABLE") {
            if self.accept("IF") {
                let _ = self.accept("NOT") && self.accept("EXISTS");
            }
            return self.table();
        }
        self.accept_any(&["ONLINE", "OFFLINE"]);
        self.accept_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
        if self.accept("INDEX") { tables(self.indexed()) } else { Logged::Other }
    }

    /// A new table, which may come with rows.
    fn table(&mut self) -> Logged {
        let Some(table) = self.name() else { return Logged::Unreadable };
        let (mut before, mut last) = (Word::Sign(""), Word::Sign(""));
        let mut depth = 0_usize;
        for word in self.0.by_ref() {
            match word {
                Word::Sign("(") => depth += 1,
                Word::Sign(")") => depth = depth.saturating_sub(1),
                // A column of such a name stands in quotes.
                word if word.is("SELECT") => return Logged::TableFromQuery(table),
                word if depth == 0 && (word.is("VALUES") || word.is("TABLE")) => {
                    return Logged::TableFromQuery(table);
                }
                _ => {}
            }
            (before, last) = (last, word);
        }
        // MySQL writes this for `CREATE TABLE ... SELECT` and lets the rows follow.
        if before.is("START") && last.is("TRANSACTION") {
            return Logged::TableWithRows(table);
        }
        Logged::Tables(vec![table])
    }

    fn inserted(&mut self) -> Logged {
        while self.accept_any(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"]) {}
        self.name().map_or_else(unknown_change, change_of)
    }

    fn updated(&mut self) -> Logged {
        while self.accept_any(&["LOW_PRIORITY", "IGNORE"]) {}
        match self.name() {
            Some(table) if self.accept("SET") => change_of(table),
            _ => unknown_change(),
        }
    }

    fn deleted(&mut self) -> Logged {
        while self.accept_any(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {}
        if !self.accept("FROM") {
            return unknown_change();
        }
        let Some(table) = self.name() else { return unknown_change() };
        match self.0.peek() {
            // Whoever writes by hand into the database at hand rarely names it.
            None if table.database.is_some() => Logged::Change(LoggedChange::Emptied(table)),
            None => change_of(table),
            Some(word) if word.is("WHERE") || word.is("ORDER") || word.is("LIMIT") => {
                change_of(table)
            }
            Some(_) => unknown_change(),
        }
    }

    fn loaded(&mut self) -> Logged {
        while self.0.next_if(|word| !word.is("INTO")).is_some() {}
        match (self.accept("INTO") && self.accept("TABLE")).then(|| self.name()).flatten() {
            Some(table) => change_of(table),
            None => unknown_change(),
        }
    }

    fn alter(&mut self) -> Logged {
        while self.accept_any(&["ONLINE", "OFFLINE", "IGNORE"]) {}
        if self.accept_any(&["DATABASE", "SCHEMA"]) {
            return self.database();
        }
        if self.accept("TABLE") { tables(self.altered()) } else { Logged::Other }
    }

    fn drop(&mut self) -> Logged {
        if self.accept_any(&["DATABASE", "SCHEMA"]) {
            return self.database();
        }
        if self.accept_any(&["TABLE", "TABLES"]) {
            self.if_exists();
            return tables(self.names());
        }
        self.accept_any(&["ONLINE", "OFFLINE"]);
        if self.accept("INDEX") { tables(self.indexed()) } else { Logged::Other }
    }

    fn database(&mut self) -> Logged {
        if self.accept("IF") {
            self.accept("NOT");
            self.accept("EXISTS");
        }
        Logged::Database(self.identifier())
    }

    fn if_exists(&mut self) {
        let _ = self.accept("IF") && self.accept("EXISTS");
    }

    /// The table behind `INDEX ... ON`.
    fn indexed(&mut self) -> Option<Vec<LoggedTable>> {
        while self.0.next_if(|word| !word.is("ON")).is_some() {}
        self.accept("ON");
        Some(vec![self.name()?])
    }

    /// The table of an ALTER, and those that it becomes or changes places with.
    fn altered(&mut self) -> Option<Vec<LoggedTable>> {
        self.if_exists();
        let mut names = vec![self.name()?];
        let mut depth = 0_usize;
        // A column, a key or a value may be called like a keyword; RENAME begins a clause.
        let mut begins = true;
        while let Some(word) = self.0.next() {
            match word {
                Word::Sign("(") => depth += 1,
                Word::Sign(")") => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                word if begins && word.is("RENAME") => {
                    let part = ["COLUMN", "INDEX", "KEY"];
                    if !part.iter().any(|part| self.0.peek().is_some_and(|next| next.is(part))) {
                        let _ = self.accept_any(&["TO", "AS"]) || self.accept_sign("=");
                        names.push(self.name()?);
                    }
                }
                word if begins && word.is("EXCHANGE") => {
                    while self.0.next_if(|word| !word.is("WITH")).is_some() {}
                    self.accept("WITH");
                    self.accept("TABLE");
                    names.push(self.name()?);
                }
                _ => {}
            }
            begins = depth == 0 && (word == Word::Sign(",") || begins && is_option(word));
        }
        Some(names)
    }

    /// `a TO b, c TO d`
    fn renamed(&mut self) -> Option<Vec<LoggedTable>> {
        self.if_exists();
        let mut names = Vec::new();
        loop {
            names.push(self.name()?);
            while self.0.next_if(|word| !word.is("TO")).is_some() {}
            if !self.accept("TO") {
                return None;
            }
            names.push(self.name()?);
            if !self.accept_sign(",") {
                return Some(names);
            }
        }
    }

    fn names(&mut self) -> Option<Vec<LoggedTable>> {
        let mut names = vec![self.name()?];
        while self.accept_sign(",") {
            names.push(self.name()?);
        }
        Some(names)
    }

    fn name(&mut self) -> Option<LoggedTable> {
        let first = self.identifier()?;
        if !self.accept_sign(".") {
            return Some(LoggedTable { database: None, table: first });
        }
        Some(LoggedTable { database: Some(first), table: self.identifier()? })
    }

    /// A name; none if a character of it could not be told from the log's bytes.
    fn identifier(&mut self) -> Option<String> {
        self.any_identifier().filter(|name| !name.contains(char::REPLACEMENT_CHARACTER))
    }

    fn any_identifier(&mut self) -> Option<String> {
        match self.0.next()? {
            Word::Bare(name) => Some(name.to_owned()),
            // In a log, what stands in double quotes in place of a name is one: under ANSI_QUOTES.
            Word::Quoted(text) if !text.starts_with('\'') => {
                let mut inside = text.chars();
                let quote = inside.next()?;
                let inside = inside.as_str().strip_suffix(quote)?;
                let doubled: String = [quote, quote].iter().collect();
                Some(inside.replace(&doubled, quote.encode_utf8(&mut [0; 4])))
            }
            Word::Quoted(_) | Word::Sign(_) => None,
        }
    }
}

/// What may stand between the table of an ALTER and its first clause.
fn is_option(word: Word<'_>) -> bool {
    matches!(word, Word::Bare(text) if text.bytes().all(|byte| byte.is_ascii_digit()))
        || ["WAIT", "NOWAIT"].iter().any(|option| word.is(option))
}

/// Functions are looked for in the whole text.
const fn change_of(table: LoggedTable) -> Logged {
    Logged::Change(LoggedChange::Of(table, Vec::new()))
}

/// The names are looked for in the whole text.
const fn unknown_change() -> Logged {
    Logged::Change(LoggedChange::Unknown(Vec::new()))
}

fn tables(names: Option<Vec<LoggedTable>>) -> Logged {
    names.map_or(Logged::Unreadable, Logged::Tables)
}

#[cfg(test)]
mod tests {
    use super::{Logged, LoggedChange, LoggedTable};

    /// What the text is, tables as `name` or `database.name`.
    fn check(text: &str, expected: &str) {
        let name = |table: &LoggedTable| match &table.database {
            Some(database) => format!("{database}.{}", table.table),
            None => table.table.clone(),
        };
        let read = match Logged::read(text) {
            Logged::Tables(tables) => tables.iter().map(name).collect::<Vec<_>>().join(" "),
            Logged::TableWithRows(table) => format!("{} with rows", name(&table)),
            Logged::TableFromQuery(table) => format!("{} from a query", name(&table)),
            Logged::Change(LoggedChange::Of(table, called)) => {
                let called: String = called.iter().map(|of| format!(", by {of}")).collect();
                format!("rows of {}{called}", name(&table))
            }
            Logged::Change(LoggedChange::Emptied(table)) => format!("no rows of {}", name(&table)),
            Logged::Change(LoggedChange::Unknown(names)) => format!("rows, with {names:?}"),
            Logged::Truncate(table) => format!("{} emptied", name(&table)),
            Logged::Database(Some(name)) => format!("database {name}"),
            other => format!("{other:?}"),
        };
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn a_verb_holds_nothing_of_the_statement_behind_it() {
        for (text, verb) in [
            ("insert into t values ('secret')", "INSERT"),
            ("INSERT/**/INTO/**/t/**/VALUES('secret')", "INSERT"),
            ("/* from app */ -- x\nupdate`t`set a=1", "UPDATE"),
            ("/*!50000 delete*/from t", "DELETE"),
            ("load_secret", "LOAD"),
            ("'secret'", ""),
            ("", ""),
        ] {
            assert_eq!(Logged::verb(text), verb, "{text}");
        }
    }

    #[test]
    fn tables_are_found_by_every_way_to_change_them() {
        check("CREATE TABLE `t` (id int)", "t");
        check("create table if not exists a.`b``c` like d", "a.b`c");
        check("CREATE OR REPLACE TABLE t (a int)", "t");
        check("CREATE TABLE `t` (\n  `a` int\n) START TRANSACTION", "t with rows");
        check("CREATE TABLE start (transaction int)", "start");
        check("CREATE TABLE \"t\" (a int)", "t");
        check("/* lead */ CREATE /*!50100 TABLE */ t (a int) /* xid=7 */", "t");
        check("CREATE UNIQUE INDEX i USING BTREE ON ks.t (a)", "ks.t");
        check("DROP INDEX `ON` ON t", "t");
        check("ALTER TABLE t ADD COLUMN rename int", "t");
        check("ALTER TABLE t RENAME COLUMN a TO b", "t");
        check("ALTER ONLINE IGNORE TABLE t RENAME INDEX a TO b, RENAME TO u", "t u");
        check("ALTER TABLE t WAIT 5 RENAME AS x.u", "t x.u");
        check("ALTER TABLE t RENAME u", "t u");
        check("ALTER TABLE t ADD (a int, rename int), ENGINE=InnoDB", "t");
        check("ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u WITHOUT VALIDATION", "t u");
        check("DROP TABLE IF EXISTS `a`,b.c /* generated by server */", "a b.c");
        check("RENAME TABLE a TO b, c.d TO e", "a b c.d e");
        check("RENAME TABLE IF EXISTS a NOWAIT TO b", "a b");
        check("TRUNCATE t", "t emptied");
        check("TRUNCATE TABLE a.t", "a.t emptied");
        check("SET STATEMENT max_statement_time=1 FOR ALTER TABLE t ADD a int", "t");
    }

    #[test]
    fn what_cannot_be_read_counts_for_every_table() {
        check("ALTER TABLE", "Unreadable");
        check("CREATE TABLE 't' (a int)", "Unreadable");
        check("RENAME TABLE a", "Unreadable");
        check("DROP TABLE a,", "Unreadable");
        check("TRUNCATE `a\u{fffd}`", "Unreadable");
    }

    #[test]
    fn rows_that_only_their_statement_tells_of() {
        check("CREATE OR REPLACE TABLE t (a int) SELECT 1", "t from a query");
        check("CREATE TABLE t (SELECT 1 AS a)", "t from a query");
        check("CREATE TABLE ks.t TABLE u", "ks.t from a query");
        check("CREATE TABLE t (a int) VALUES ROW(1)", "t from a query");
        check("CREATE TABLE t (a int COMMENT 'select', `select` int)", "t");
        check(
            "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (9))",
            "t",
        );
        check("insert into t values (1)", "rows of t");
        check("INSERT LOW_PRIORITY IGNORE `a`.`t` SELECT * FROM b.u", "rows of a.t");
        check("REPLACE DELAYED INTO t SET a = 1", "rows of t");
        check("UPDATE IGNORE a.t SET a = 1 WHERE b.c = 1", "rows of a.t");
        check("INSERT INTO a.t SELECT b.f(c.g (1)), `d`.h FROM e.u", "rows of a.t, by b, by c");
        check("UPDATE t, a.u SET t.a = 1", "rows, with [\"a\", \"t\"]");
        check("UPDATE t AS x SET a = 1", "rows, with []");
        check("DELETE FROM `a`.`t`", "no rows of a.t");
        check("DELETE FROM `a`.`t` /* generated by server */", "no rows of a.t");
        check("DELETE FROM t", "rows of t");
        check("DELETE QUICK FROM t WHERE a IN (SELECT a FROM b.u)", "rows of t");
        check("DELETE t FROM t JOIN `b`.u USING (a)", "rows, with [\"b\"]");
        check("DELETE FROM t USING t, b.u", "rows, with [\"b\"]");
        check("LOAD DATA INFILE 'x into y' IGNORE INTO TABLE `a`.`t` (b)", "rows of a.t, by a");
        check("WITH c AS (SELECT 1) UPDATE b.t, c SET a = 1", "rows, with [\"b\"]");
        check("SELECT `b`.`f`('c.d')", "rows, with [\"b\"]");
        check("DO f()", "rows, with []");
        check("SET STATEMENT max_statement_time=1 FOR DELETE FROM t", "rows of t");
        check("INSERT INTO `a\u{fffd}` VALUES (1)", "rows, with []");
        check("INSERT INTO `a\u{fffd}`.b VALUES (1)", "rows, with [\"a\u{fffd}\"]");
    }

    #[test]
    fn other_statements_are_told_apart() {
        check("BEGIN", "Begin");
        check("COMMIT", "Commit");
        check("ROLLBACK", "Rollback");
        check("ROLLBACK /* x */", "Rollback");
        check("ROLLBACK TO `s`", "Savepoint");
        check("SAVEPOINT `s`", "Savepoint");
        check("XA START X'61',X'',1", "XaStart");
        check("XA END X'61',X'',1", "XaEnd");
        check("XA COMMIT X'61',X'',1", "XaCommit(\"X'61',X'',1\")");
        check("XA ROLLBACK X'61', X'', 1", "XaRollback(\"X'61',X'',1\")");
        check("DROP DATABASE IF EXISTS `x`", "database x");
        check("create schema if not exists x", "database x");
        check("ALTER DATABASE x CHARACTER SET utf8mb4", "database x");
        check("CREATE USER u IDENTIFIED BY 'secret'", "Other");
        check("CREATE TEMPORARY TABLE t (a int)", "Other");
        check("DROP TEMPORARY TABLE t", "Other");
        check("CREATE VIEW v AS SELECT 1", "Other");
        check(
            "CREATE DEFINER=`a`@`b` TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET @a = 1",
            "Other",
        );
        check("ALTER USER u IDENTIFIED BY 'secret'", "Other");
        check("GRANT ALL ON *.* TO u", "Other");
        check("# Dummy event replacing event type 160", "Other");
        check("", "Other");
    }
}
