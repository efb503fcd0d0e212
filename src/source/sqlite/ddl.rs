//! DDL: each statement one SQLite transaction, with its journal entry and the new registry in it.
//!
//! A table is made under a name that is never used again and then renamed, because SQLite's indexes
//! keep the names they were made with. ALTER always makes a new table and copies the rows; the copy
//! is no row change to anybody.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};

use super::capture::COLUMNS_MAX;
use super::functions::SessionState;
use super::journal::{self, EntryKind};
use super::registry::{Live, Registry};
use super::write::{self, Written};
use super::writer::{Writer, internal};
use crate::event::{Ddl, TableName, Timestamp};
use crate::sql::sqlite::{Alter, Dml, Fault, Table, Tables, Translated, View, Warning, quote};

/// What the journal keeps of a DDL statement.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    statement: String,
    tables: Vec<String>,
}

/// Reads a journal entry; `None` if it is damaged.
pub(super) fn decode(payload: &[u8], database: &str, timestamp: Timestamp) -> Option<Ddl> {
    let record: Record = serde_json::from_slice(payload).ok()?;
    let tables = record.tables.iter().map(|table| TableName::new(database, table)).collect();
    Some(Ddl { timestamp, statement: record.statement, tables })
}

/// A statement in progress: the registry it works on, and the tables it touched.
struct Change<'a> {
    writer: &'a mut Writer,
    session: &'a Arc<SessionState>,
    registry: Registry,
    touched: BTreeSet<String>,
    /// Fills a table that the statement made.
    fill: Option<&'a Dml>,
    written: Written,
}

/// Runs a DDL statement and commits it. No transaction may be open.
pub(super) fn run(
    writer: &mut Writer,
    statement: &Translated,
    text: &str,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    writer.opened.current.set(session, session.kill_switch());
    writer.begin()?;
    let outcome = change(writer, statement, text, session);
    if outcome.is_err() {
        writer.rollback();
    }
    outcome
}

fn change(
    writer: &mut Writer,
    statement: &Translated,
    text: &str,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    let registry = (*writer.shared.registry()).clone();
    let mut change = Change {
        writer,
        session,
        registry,
        touched: BTreeSet::new(),
        fill: None,
        written: Written::default(),
    };
    change.apply(statement)?;
    if change.touched.is_empty() {
        change.writer.rollback();
        return Ok(change.written);
    }
    change.journal(text)?;
    if let Some(dml) = change.fill {
        change.fill(dml)?;
    }
    let Change { writer, mut registry, written, touched, .. } = change;
    registry.next_generation(writer.connection()).map_err(internal)?;
    let purged = journal::extent(writer.connection()).map_err(internal)?.purged;
    Registry::forget(writer.connection(), purged).map_err(internal)?;
    writer.capture.forget(|version| registry.lives().any(|live| live.version == version));
    let shared = Arc::clone(&writer.shared);
    // Nobody sees the new tables' data under the old registry, or the other way round.
    let mut current = shared.registry.write().unwrap_or_else(PoisonError::into_inner);
    for table in touched {
        shared.counters.forget(writer.connection(), &table).map_err(internal)?;
    }
    writer.commit()?;
    *current = Arc::new(registry);
    Ok(written)
}

impl<'a> Change<'a> {
    fn apply(&mut self, statement: &'a Translated) -> Result<(), Fault> {
        match statement {
            Translated::CreateTable { table, if_not_exists, fill } => {
                if self.registry.has(&table.name.table) {
                    let fault = Fault::TableExists(table.name.table.to_string());
                    return self.note(fault, *if_not_exists);
                }
                self.create(table)?;
                self.fill = fill.as_deref();
                Ok(())
            }
            Translated::AlterTable(alter) => self.alter(alter),
            Translated::DropTables { names, if_exists, unchecked } => {
                self.drop_tables(names, *if_exists, *unchecked)
            }
            Translated::RenameTables(pairs) => {
                pairs.iter().try_for_each(|(from, to)| self.rename(from, to))
            }
            Translated::Truncate(name) => self.truncate(name),
            Translated::CreateView { view, or_replace } => self.create_view(view, *or_replace),
            Translated::DropViews { names, if_exists } => {
                names.iter().try_for_each(|name| self.drop_view(name, *if_exists))
            }
            other => Err(Fault::Internal(format!("{other:?} is no DDL"))),
        }
    }

    fn create(&mut self, table: &Arc<Table>) -> Result<(), Fault> {
        let version = self.make(table)?;
        self.install(version, table)
    }

    /// Makes an empty table under its version's name.
    fn make(&mut self, table: &Table) -> Result<i64, Fault> {
        if table.columns.len() > COLUMNS_MAX {
            return Err(Fault::Unsupported(format!("a table of more than {COLUMNS_MAX} columns")));
        }
        let version = Registry::next_version(self.writer.connection()).map_err(internal)?;
        for sql in table.create_sql(&made_name(version)) {
            self.writer.execute(&sql)?;
        }
        Ok(version)
    }

    /// Gives a table that was made its name.
    fn install(&mut self, version: i64, table: &Arc<Table>) -> Result<(), Fault> {
        let name = &table.name.table;
        let made = quote(&made_name(version));
        self.writer.execute(&format!("ALTER TABLE {made} RENAME TO {}", quote(name)))?;
        let connection = self.writer.connection();
        let live = self.registry.add(connection, version, Arc::clone(table)).map_err(internal)?;
        self.writer.capture.watch(connection, version, &live.schema).map_err(internal)?;
        self.touched.insert(name.to_string());
        Ok(())
    }

    /// Ends a table's version; the SQLite table stays.
    fn end(&mut self, name: &str) -> Result<Live, Fault> {
        let sequence = self.writer.sequence();
        let connection = self.writer.connection();
        let live = self.registry.remove(connection, name, sequence).map_err(internal)?;
        let live = live.ok_or_else(|| self.no_such_table(name))?;
        self.writer.capture.unwatch(connection, live.version).map_err(internal)?;
        self.touched.insert(name.to_owned());
        Ok(live)
    }

    fn alter(&mut self, alter: &Alter) -> Result<(), Fault> {
        let (old, new) = (&alter.old.name.table, &alter.new.name.table);
        if !old.eq_ignore_ascii_case(new) && self.registry.has(new) {
            return Err(Fault::TableExists(new.to_string()));
        }
        self.end(old)?;
        let version = self.make(&alter.new)?;
        let mut written =
            write::rebuild(self.writer, alter, &made_name(version), &self.registry, self.session)?;
        written.warnings.splice(0..0, alter.warnings.iter().cloned());
        self.written = written;
        self.writer.execute(&format!("DROP TABLE {}", quote(old)))?;
        self.install(version, &alter.new)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Fault> {
        if !from.eq_ignore_ascii_case(to) && self.registry.has(to) {
            return Err(Fault::TableExists(to.to_owned()));
        }
        let live = self.end(from)?;
        let mut table = (*live.table).clone();
        table.name = TableName { keyspace: table.name.keyspace, table: to.into() };
        let version = Registry::next_version(self.writer.connection()).map_err(internal)?;
        let made = quote(&made_name(version));
        self.writer.execute(&format!("ALTER TABLE {} RENAME TO {made}", quote(from)))?;
        self.install(version, &Arc::new(table))
    }

    fn truncate(&mut self, name: &str) -> Result<(), Fault> {
        if self.session.foreign_key_checks()
            && let Some((child, constraint)) = self.child_of(name, |child| child != name)
        {
            return Err(Fault::TruncateParent(format!("`{child}`, CONSTRAINT `{constraint}`")));
        }
        let live = self.end(name)?;
        self.writer.execute(&format!("DROP TABLE {}", quote(name)))?;
        let mut table = (*live.table).clone();
        table.auto_increment = 1;
        self.create(&Arc::new(table))
    }

    fn drop_tables(
        &mut self,
        names: &[String],
        if_exists: bool,
        unchecked: bool,
    ) -> Result<(), Fault> {
        for name in names {
            if self.registry.live(name).is_none() {
                self.note(Fault::UnknownTable(self.qualified(name)), if_exists)?;
                continue;
            }
            let staying = |child: &str| !names.iter().any(|other| other == child);
            if !unchecked && let Some((child, constraint)) = self.child_of(name, staying) {
                return Err(Fault::DropParent { table: name.clone(), constraint, child });
            }
            self.end(name)?;
            self.writer.execute(&format!("DROP TABLE {}", quote(name)))?;
        }
        Ok(())
    }

    /// A table that refers to this one, and its constraint.
    fn child_of(&self, name: &str, counts: impl Fn(&str) -> bool) -> Option<(String, String)> {
        let mut children = self.registry.lives().filter(|live| counts(&live.table.name.table));
        children.find_map(|live| {
            let key = live.table.foreign_keys.iter().find(|key| key.parent == *name)?;
            Some((live.table.name.table.to_string(), key.name.clone()))
        })
    }

    fn create_view(&mut self, view: &Arc<View>, or_replace: bool) -> Result<(), Fault> {
        let same = self.registry.view(&view.name).is_some();
        if self.registry.has(&view.name) && !(same && or_replace) {
            return Err(Fault::TableExists(view.name.clone()));
        }
        let connection = self.writer.connection();
        self.registry.add_view(connection, Arc::clone(view)).map_err(internal)?;
        self.touched.insert(view.name.clone());
        Ok(())
    }

    fn drop_view(&mut self, name: &str, if_exists: bool) -> Result<(), Fault> {
        if self.registry.remove_view(self.writer.connection(), name).map_err(internal)? {
            self.touched.insert(name.to_owned());
            return Ok(());
        }
        self.note(Fault::UnknownTable(self.qualified(name)), if_exists)
    }

    fn journal(&mut self, text: &str) -> Result<(), Fault> {
        let tables = self.touched.iter().cloned().collect();
        let record = Record { statement: text.to_owned(), tables };
        let payload = serde_json::to_vec(&record).map_err(|e| Fault::Internal(e.to_string()))?;
        self.writer.append(EntryKind::Ddl, 0, &payload).map_err(internal)
    }

    /// Fills a table that AS SELECT made: a transaction of its own to those who follow.
    fn fill(&mut self, dml: &Dml) -> Result<(), Fault> {
        self.writer.next_number().map_err(internal)?;
        self.written = write::run(self.writer, &self.registry, dml, self.session)?;
        self.writer.flush().map_err(internal)
    }

    /// A failure that IF EXISTS or IF NOT EXISTS turns into a note.
    fn note(&mut self, fault: Fault, forgiven: bool) -> Result<(), Fault> {
        if !forgiven {
            return Err(fault);
        }
        let message = fault.to_string();
        self.written.warnings.push(Warning { level: "Note", code: fault.code(), message });
        Ok(())
    }

    fn qualified(&self, name: &str) -> String {
        format!("{}.{name}", self.registry.database())
    }

    fn no_such_table(&self, name: &str) -> Fault {
        Fault::NoSuchTable(self.qualified(name))
    }
}

fn made_name(version: i64) -> String {
    format!("~{version}")
}
