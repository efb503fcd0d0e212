//! What a client can ask for, and how each statement prints.

use std::fmt;

use super::lexer;
use super::name::Identifier;
use super::set::Assignment;
use super::show::Show;
use super::target::Target;
use super::vstream::Vstream;

/// One statement. It prints as a text that parses to itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Statement {
    /// VSTREAM.
    Vstream(Vstream),
    /// EXPLAIN VSTREAM: what it would do.
    Explain(Vstream),
    /// SET; never empty.
    Set(Vec<Assignment>),
    /// MariaDB's `SET STATEMENT ... FOR <statement>`.
    SetFor {
        /// Holds while the statement runs; only `Assignment::Variable`.
        assignments: Vec<Assignment>,
        /// Not a `SetFor` itself.
        statement: Box<Statement>,
    },
    /// USE.
    Use(Target),
    /// KILL.
    Kill(Kill),
    /// SHOW and DESCRIBE.
    Show(Show),
    /// All that a backend or the catalog answers.
    Backend(Command),
}

/// KILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kill {
    /// End the statement only, not the connection.
    pub query: bool,
    /// Whose.
    pub connection: u64,
}

/// A statement that somebody else understands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// As far as its first words tell.
    pub kind: CommandKind,
    /// As written, without a final `;`, the blanks and comments at its ends, and the marks of
    /// version comments (`/*!40101 x */` is ` x `).
    pub text: String,
}

impl Command {
    /// Whether the statement as a whole has a LIMIT, not only a query inside of it.
    pub fn has_limit(&self) -> bool {
        let mut depth = 0_usize;
        let mut before = String::new();
        // The statement itself is what stands in the fewest parentheses.
        let (mut outermost, mut limit) = (usize::MAX, usize::MAX);
        for word in lexer::words(&self.text) {
            match word.as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                other => {
                    outermost = outermost.min(depth);
                    // Behind a dot it is a name.
                    if other == "LIMIT" && before != "." {
                        limit = limit.min(depth);
                    }
                }
            }
            before = word;
        }
        limit == outermost && limit != usize::MAX
    }
}

/// What a [`Command`] does, as far as a session must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// SELECT, also in parentheses or behind WITH; TABLE, VALUES.
    Select,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// REPLACE.
    Replace,
    /// CREATE, ALTER, DROP, RENAME, TRUNCATE.
    Ddl,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK, not to a savepoint.
    Rollback,
    /// SAVEPOINT, RELEASE SAVEPOINT, ROLLBACK TO.
    Savepoint,
    /// EXPLAIN of anything but VSTREAM.
    Explain,
    /// LOCK TABLES, UNLOCK TABLES.
    Lock,
    /// Anything else.
    Other,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vstream(vstream) => vstream.fmt(f),
            Self::Explain(vstream) => write!(f, "EXPLAIN {vstream}"),
            Self::Set(assignments) => {
                f.write_str("SET ")?;
                list(f, assignments)
            }
            Self::SetFor { assignments, statement } => {
                f.write_str("SET STATEMENT ")?;
                list(f, assignments)?;
                write!(f, " FOR {statement}")
            }
            Self::Use(target) => write!(f, "USE {}", Identifier(&target.to_string())),
            Self::Kill(Kill { query: true, connection }) => write!(f, "KILL QUERY {connection}"),
            Self::Kill(Kill { query: false, connection }) => write!(f, "KILL {connection}"),
            Self::Show(show) => show.fmt(f),
            Self::Backend(command) => f.write_str(&command.text),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, assignments: &[Assignment]) -> fmt::Result {
    for (index, assignment) in assignments.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{assignment}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_token_of_the_whole_statement() {
        let check = |text: &str, expected| {
            let Ok(Statement::Backend(command)) = super::super::parse(text) else {
                panic!("{text}")
            };
            assert_eq!(command.has_limit(), expected, "{text}");
        };
        check("SELECT * FROM t", false);
        check("SELECT * FROM t LIMIT 3", true);
        check("SELECT * FROM t limit 3 FOR UPDATE", true);
        check("SELECT * FROM t ORDER BY a\nLIMIT\t3, 4", true);
        check("SELECT * FROM t WHERE a IN (1)LIMIT/**/3", true);
        check("SELECT ' limit ', \"no limit here\" FROM t", false);
        check("SELECT 'it''s the limit 1' FROM t", false);
        check("SELECT 'a\\' limit 1' FROM t", false);
        check("SELECT 1 /* limit 3 */ FROM t -- limit 3\n WHERE a = 1", false);
        check("SELECT 1 FROM t # no limit", false);
        check("SELECT 1 FROM t /*!40100 LIMIT 3 */", true);
        check("SELECT `limit`, t.limit FROM t", false);
        check("SELECT @limit, limit_of FROM t", false);
        check("SELECT * FROM (SELECT * FROM t LIMIT 3) a", false);
        check("WITH a AS (SELECT * FROM t LIMIT 3) SELECT * FROM a", false);
        check("(SELECT 1 LIMIT 3)", true);
        check("((SELECT 1 LIMIT 3))", true);
        check("((SELECT 1) LIMIT 3)", true);
        check("(SELECT 1 LIMIT 3) UNION (SELECT 2 LIMIT 3)", false);
        check("(SELECT 1) UNION (SELECT 2) LIMIT 3", true);
        check("SELECT 1 FROM t WHERE a = (((", false);
        check("SELECT 1))) LIMIT 3", true);
    }
}
