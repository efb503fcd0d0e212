//! Which of a server's tables are the keyspace's: those of one database, under the keyspace's name.

use std::sync::Arc;

use crate::event::{TableName, collation};
use crate::sql::{Logged, LoggedChange, LoggedTable};

/// A keyspace and the database on the server that holds its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// What clients call it.
    pub keyspace: Arc<str>,
    /// What the server calls it.
    pub database: Arc<str>,
    /// The server takes names in any case; here they are in lower case then.
    pub folds: bool,
}

/// What a logged statement did to the keyspace's tables, their rows included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// These may have another shape now, or be gone.
    Tables(Vec<TableName>),
    /// Which ones cannot be told.
    Everything,
}

impl Names {
    /// The same on a server that takes names in any case, or does not.
    pub fn spelled(self, folds: bool) -> Self {
        Self { folds, ..self }
    }

    /// The keyspace's name of a table; `None` if it is another's.
    pub fn table(&self, database: &str, name: &str) -> Option<TableName> {
        let table =
            |table: &str| TableName { keyspace: Arc::clone(&self.keyspace), table: table.into() };
        match self.is_ours(database) {
            false => None,
            true if self.folds => Some(table(&collation::lower_name(name))),
            true => Some(table(name)),
        }
    }

    fn is_ours(&self, database: &str) -> bool {
        let lower = collation::lower_name;
        database == &*self.database || self.folds && lower(database) == lower(&self.database)
    }

    /// What a statement did, executed with `database` as its own.
    pub fn changed(&self, logged: &Logged, database: &str) -> Changed {
        let named = |table: &LoggedTable| {
            self.table(table.database.as_deref().unwrap_or(database), &table.table)
        };
        let tables: Vec<_> = match logged {
            Logged::Tables(tables) => tables.iter().filter_map(named).collect(),
            Logged::TableWithRows(table)
            | Logged::TableFromQuery(table)
            | Logged::Truncate(table) => named(table).into_iter().collect(),
            Logged::Unreadable => return Changed::Everything,
            Logged::Database(Some(name)) if !self.is_ours(name) => return Changed::Nothing,
            Logged::Database(_) => return Changed::Everything,
            _ => return Changed::Nothing,
        };
        if tables.is_empty() { Changed::Nothing } else { Changed::Tables(tables) }
    }

    /// Whose rows were changed by a statement that the log holds in place of them. What it changes
    /// in this one by way of a trigger, a view or a function of another database is beyond what a
    /// log can tell, and so is a function that is called without its database: so are those of
    /// the server itself.
    pub fn changed_rows(&self, change: &LoggedChange, database: &str) -> Changed {
        let own = |table: &LoggedTable| {
            self.table(table.database.as_deref().unwrap_or(database), &table.table)
        };
        let may_be_ours =
            |name: &String| self.is_ours(name) || name.contains(char::REPLACEMENT_CHARACTER);
        match change {
            // Triggers may have changed any other one.
            LoggedChange::Of(table, _) if own(table).is_some() => Changed::Everything,
            LoggedChange::Of(_, called) if called.iter().any(may_be_ours) => Changed::Everything,
            LoggedChange::Of(..) => Changed::Nothing,
            LoggedChange::Emptied(table) => {
                own(table).map_or(Changed::Nothing, |table| Changed::Tables(vec![table]))
            }
            LoggedChange::Unknown(names) => {
                let ours = self.is_ours(database) || names.iter().any(may_be_ours);
                if ours { Changed::Everything } else { Changed::Nothing }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Changed, Names};
    use crate::sql::Logged;

    fn check(database: &str, text: &str, expected: &str) {
        check_named("db", false, database, text, expected);
    }

    fn check_named(ours: &str, folds: bool, database: &str, text: &str, expected: &str) {
        let names = Names { keyspace: "ks".into(), database: ours.into(), folds };
        let changed = match Logged::read(text) {
            Logged::Change(change) => names.changed_rows(&change, database),
            logged => names.changed(&logged, database),
        };
        let changed = match changed {
            Changed::Tables(tables) => {
                tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        };
        assert_eq!(changed, expected, "{text}");
    }

    #[test]
    fn only_tables_of_the_database_count_under_the_name_of_the_keyspace() {
        check("db", "TRUNCATE t", "ks.t");
        check("", "TRUNCATE db.t", "ks.t");
        check("ks", "TRUNCATE t", "Nothing");
        check("db", "RENAME TABLE t TO ks.t, ks.u TO u", "ks.t ks.u");
        check("db", "DROP TABLE ks.t", "Nothing");
        check("db", "CREATE TABLE t (a int) START TRANSACTION", "ks.t");
        check("other", "ALTER TABLE 't'", "Everything");
        check("db", "DROP DATABASE x", "Nothing");
        check("", "DROP DATABASE db", "Everything");
        check("db", "GRANT ALL ON t TO u", "Nothing");
    }

    #[test]
    fn a_statement_in_place_of_rows_concerns_the_database_that_it_changes() {
        for (database, text, expected) in [
            ("db", "INSERT INTO t VALUES (1)", "Everything"),
            ("x", "INSERT INTO db.t VALUES (1)", "Everything"),
            ("x", "INSERT INTO t VALUES (1)", "Nothing"),
            ("db", "REPLACE INTO `x`.`checksums` SELECT 'db', COUNT(*) FROM `db`.`t`", "Nothing"),
            ("", "DELETE FROM `db`.`t`", "ks.t"),
            ("db", "DELETE FROM `x`.`t`", "Nothing"),
            ("x", "INSERT INTO t SELECT db.f(a) FROM u", "Everything"),
            ("x", "INSERT INTO t SELECT x.f(db.u.a) FROM db.u", "Nothing"),
            ("x", "UPDATE t SET a = `d\u{fffd}`.`f`()", "Everything"),
            ("x", "UPDATE t, u SET t.a = u.a", "Nothing"),
            ("x", "UPDATE t, db.u SET u.a = t.a", "Everything"),
            ("db", "UPDATE x.t, x.u SET t.a = u.a", "Everything"),
            ("x", "SELECT x.f()", "Nothing"),
            ("x", "SELECT db.f()", "Everything"),
            ("x", "WITH c AS (SELECT 1) UPDATE `d\u{fffd}`.t, c SET a = 1", "Everything"),
            ("x", "CREATE TABLE db.u SELECT 1", "ks.u"),
            ("x", "CREATE TABLE u SELECT * FROM db.t", "Nothing"),
        ] {
            check(database, text, expected);
        }
    }

    #[test]
    fn names_are_in_any_case_where_the_server_takes_them_so() {
        check("DB", "TRUNCATE T", "Nothing");
        check("db", "TRUNCATE T", "ks.T");
        for (ours, database) in [("db", "DB"), ("Db", "db")] {
            check_named(ours, true, database, "RENAME TABLE T TO dB.U, x.V TO Ä", "ks.t ks.u ks.ä");
            check_named(ours, true, "", "DROP DATABASE DB", "Everything");
            check_named(ours, true, "", "DROP DATABASE DBX", "Nothing");
        }
    }
}
