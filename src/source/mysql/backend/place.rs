//! Where a statement is to run, and what it asks for there.

use super::ahead::Step;
use crate::sql::set::Access;
use crate::sql::{self, Assignment, Command, CommandKind, Databases, Show, Statement};

/// A statement, as far as one must know it to pass it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where it runs.
    pub place: Place,
    /// It changes nothing, as far as its text tells, and shows nothing but data.
    pub reads_only: bool,
    /// The databases that it names.
    pub databases: Databases,
    /// A SHOW, which can be written anew.
    pub show: Option<Show>,
    /// What it does to the session's transaction.
    pub step: Option<Step>,
    /// It needs no keyspace, wherever it runs.
    pub needs_no_table: bool,
    /// The user variables whose values it reads.
    pub reads: Vec<String>,
    /// Those that it sets.
    pub sets: Vec<String>,
    /// It sets them to what it makes of their own values, which the door has done already.
    pub is_step: bool,
}

/// Where a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the session is, if it can be answered there; else on its server.
    Session,
    /// On the server that the session has a connection to; without one there is nothing to do there.
    WhereOpen,
    /// The same, but it makes no sense without a server.
    Transaction,
    /// On the server of its keyspace.
    Server,
}

impl Asked {
    /// Reads a statement.
    pub fn of(text: &str) -> Self {
        let asked = match sql::parse(text) {
            Ok(Statement::Backend(command)) => Self::of_command(&command),
            Ok(Statement::Show(show)) => Self::of_show(show),
            Ok(Statement::Set(assignments)) => Self::of_set(&assignments),
            Ok(
                Statement::Vstream(_)
                | Statement::Explain(_)
                | Statement::SetFor { .. }
                | Statement::Use(_)
                | Statement::Kill(_),
            )
            | Err(_) => Self::plain(Place::Server, false),
        };
        let reads_only = asked.reads_only && !sql::reaches_out(text);
        Self { reads_only, ..asked }
    }

    fn of_command(command: &Command) -> Self {
        let place = match command.kind {
            CommandKind::Select | CommandKind::Other if command.is_of_session() => {
                // DO tells a server what has changed, too.
                if command.is_do() { Place::WhereOpen } else { Place::Session }
            }
            CommandKind::Commit | CommandKind::Rollback if !command.chains() => Place::WhereOpen,
            CommandKind::Commit | CommandKind::Rollback | CommandKind::Savepoint => {
                Place::Transaction
            }
            CommandKind::Select
            | CommandKind::Insert
            | CommandKind::Update
            | CommandKind::Delete
            | CommandKind::Replace
            | CommandKind::Ddl
            | CommandKind::Begin
            | CommandKind::Explain
            | CommandKind::Lock
            | CommandKind::Other => Place::Server,
        };
        let step = match command.kind {
            CommandKind::Begin => Some(Step::Begin(command.text.clone())),
            CommandKind::Commit | CommandKind::Rollback if !command.chains() => Some(Step::End),
            CommandKind::Commit
            | CommandKind::Rollback
            | CommandKind::Savepoint
            | CommandKind::Select
            | CommandKind::Insert
            | CommandKind::Update
            | CommandKind::Delete
            | CommandKind::Replace
            | CommandKind::Ddl
            | CommandKind::Explain
            | CommandKind::Lock
            | CommandKind::Other => None,
        };
        Self {
            step,
            databases: command.databases(),
            needs_no_table: command.needs_no_table(),
            reads: sql::user_variables(&command.text),
            ..Self::plain(place, command.reads_only())
        }
    }

    /// Only user variables and the next transaction come here.
    fn of_set(assignments: &[Assignment]) -> Self {
        let (mut reads, mut sets, mut reads_only, mut step) = (Vec::new(), Vec::new(), true, None);
        for assignment in assignments {
            match assignment {
                Assignment::UserVariable { name, value } => {
                    reads.extend(sql::user_variables(&value.to_string()));
                    sets.push(name.clone());
                }
                &Assignment::Transaction { isolation, access, .. } => {
                    reads_only = access != Some(Access::ReadWrite);
                    step = Some(Step::Next { isolation, access });
                }
                Assignment::Variable { .. }
                | Assignment::Names { .. }
                | Assignment::CharacterSet { .. } => {}
            }
        }
        let is_step = sets.iter().any(|name| reads.contains(name));
        let plain = Self::plain(Place::Server, reads_only);
        Self { reads, sets, is_step, step, needs_no_table: true, ..plain }
    }

    fn of_show(mut show: Show) -> Self {
        if let Show::OfServer(text) = &show {
            let names = Command { kind: CommandKind::Other, text: text.clone() }.databases();
            let reads_only = !show.tells_of_others();
            return Self { databases: names, ..Self::plain(Place::Server, reads_only) };
        }
        let names = show.keyspace_mut().map(|name| name.clone()).into_iter().collect();
        let is_list = matches!(show, Show::List { .. });
        let place = if is_list { Place::Session } else { Place::Server };
        let databases = Databases { names, certain: true };
        Self { databases, show: Some(show), ..Self::plain(place, true) }
    }

    fn plain(place: Place, reads_only: bool) -> Self {
        Self {
            place,
            reads_only,
            databases: Databases::default(),
            show: None,
            step: None,
            needs_no_table: false,
            reads: Vec::new(),
            sets: Vec::new(),
            is_step: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_have_their_places() {
        let check = |text: &str, place, reads_only| {
            let asked = Asked::of(text);
            assert_eq!((asked.place, asked.reads_only), (place, reads_only), "{text}");
        };
        check("SELECT @@version", Place::Session, true);
        check("SHOW COLLATION", Place::Session, true);
        check("SELECT * FROM t", Place::Server, true);
        check("SELECT LAST_INSERT_ID()", Place::Server, true);
        check("SHOW TABLES FROM ks", Place::Server, true);
        check("SHOW ENGINE INNODB STATUS", Place::Server, true);
        check("SHOW CREATE VIEW v", Place::Server, true);
        check("SHOW CREATE USER u", Place::Server, false);
        check("SHOW BINLOG EVENTS", Place::Server, false);
        check("SELECT LOAD_FILE('/etc/passwd')", Place::Server, false);
        check("SHOW ENGINE x WHERE LOAD_FILE('x') > ''", Place::Server, false);
        check("SET @a = LOAD_FILE('/etc/passwd')", Place::Server, false);
        check("SET @a = 1", Place::Server, true);
        check("SET TRANSACTION READ ONLY", Place::Server, true);
        check("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE", Place::Server, false);
        check("BEGIN", Place::Server, true);
        check("INSERT INTO t VALUES (1)", Place::Server, false);
        check("CALL p()", Place::Server, false);
        check("DO 0", Place::WhereOpen, true);
        check("COMMIT", Place::WhereOpen, true);
        check("ROLLBACK AND CHAIN", Place::Transaction, true);
        check("ROLLBACK TO a", Place::Transaction, true);
        let check = |text: &str, reads: &[&str], sets: &[&str], is_step: bool| {
            let asked = Asked::of(text);
            assert_eq!(asked.reads, reads, "{text}");
            assert_eq!(asked.sets, sets, "{text}");
            assert_eq!(asked.is_step, is_step, "{text}");
        };
        check("SELECT @a", &["a"], &[], false);
        check("SET @a = 1", &[], &["a"], false);
        check("SET @a = @b", &["b"], &["a"], false);
        check("SET @a = @a + 1", &["a"], &["a"], true);
        assert_eq!(Asked::of("SHOW COLUMNS FROM t FROM ks").databases.names, ["ks"]);
        assert_eq!(Asked::of("SHOW CREATE VIEW ks.v").databases.names, ["ks"]);
    }
}
