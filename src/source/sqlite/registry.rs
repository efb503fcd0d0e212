//! The tables and views of a store, as of one moment, and their versions on disk.
//!
//! What a table is, is stored as its CREATE TABLE text. A version is never changed: DDL ends it and
//! adds another one, so that journal entries stay readable.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::journal::{self, signed};
use crate::event::TableSchema;
use crate::sql::sqlite::{Table, Tables, View, parse_table};

/// A table that exists.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// Its version.
    pub(super) version: i64,
    /// Its definition.
    pub(super) table: Arc<Table>,
    /// The definition as events show it.
    pub(super) schema: Arc<TableSchema>,
}

/// Everything that exists at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    database: String,
    generation: i64,
    tables: BTreeMap<String, Live>,
    views: BTreeMap<String, Arc<View>>,
}

impl Registry {
    /// Makes the tables that hold the registry, once.
    pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE \"_vt_schema\" (version INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
                text TEXT NOT NULL, ended INTEGER);
             CREATE TABLE \"_vt_view\" (name TEXT PRIMARY KEY, columns TEXT NOT NULL,
                text TEXT NOT NULL);",
        )
    }

    /// Reads what exists. A definition that cannot be read is an error: nothing is left out.
    pub(super) fn load(connection: &Connection, database: &str) -> rusqlite::Result<Self> {
        let generation = journal::generation(connection)?;
        let mut registry = Self { database: database.to_owned(), generation, ..Self::default() };
        let mut statement =
            connection.prepare("SELECT version, text FROM \"_vt_schema\" WHERE ended IS NULL")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let version = row.get(0)?;
            let table = parse(&row.get::<_, String>(1)?, database)?;
            registry.tables.insert(table.name.table.to_string(), Live::new(version, table));
        }
        let mut statement = connection.prepare("SELECT name, columns, text FROM \"_vt_view\"")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let columns: String = row.get(1)?;
            let columns = serde_json::from_str(&columns).map_err(conversion)?;
            let view = View { name: row.get(0)?, columns, text: row.get(2)? };
            registry.views.insert(view.name.clone(), Arc::new(view));
        }
        Ok(registry)
    }

    /// One table as the connection's view has it, which may be older than this registry.
    pub(super) fn find(
        &self,
        connection: &Connection,
        name: &str,
    ) -> rusqlite::Result<Option<Live>> {
        let found: Option<(i64, String)> = connection
            .prepare_cached(
                "SELECT version, text FROM \"_vt_schema\" WHERE ended IS NULL AND name = ?1",
            )?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((version, text)) = found else { return Ok(None) };
        match self.live(name) {
            Some(live) if live.version == version => Ok(Some(live.clone())),
            _ => Ok(Some(Live::new(version, parse(&text, &self.database)?))),
        }
    }

    /// Reads the schema of a version, live or ended.
    pub(super) fn version(
        connection: &Connection,
        database: &str,
        version: i64,
    ) -> rusqlite::Result<Arc<TableSchema>> {
        let text: String = connection
            .prepare_cached("SELECT text FROM \"_vt_schema\" WHERE version = ?1")?
            .query_row([version], |row| row.get(0))?;
        Ok(parse(&text, database)?.schema())
    }

    /// The version that the next table gets; none is used twice.
    pub(super) fn next_version(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row(
            "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = '_vt_schema'",
            [],
            |row| row.get(0),
        )
    }

    /// Adds a table of this version.
    pub(super) fn add(
        &mut self,
        connection: &Connection,
        version: i64,
        table: Arc<Table>,
    ) -> rusqlite::Result<Live> {
        let name = table.name.table.to_string();
        connection.execute(
            "INSERT INTO \"_vt_schema\" (version, name, text) VALUES (?1, ?2, ?3)",
            params![version, name, table.to_sql()],
        )?;
        let live = Live::new(version, table);
        self.tables.insert(name, live.clone());
        Ok(live)
    }

    /// Ends a table's version at a transaction.
    pub(super) fn remove(
        &mut self,
        connection: &Connection,
        name: &str,
        sequence: u64,
    ) -> rusqlite::Result<Option<Live>> {
        let Some(live) = self.tables.remove(name) else { return Ok(None) };
        connection.execute(
            "UPDATE \"_vt_schema\" SET ended = ?2 WHERE version = ?1",
            params![live.version, signed(sequence)],
        )?;
        Ok(Some(live))
    }

    /// Forgets versions that no entry of the journal can name any more.
    pub(super) fn forget(connection: &Connection, purged: u64) -> rusqlite::Result<()> {
        connection.execute("DELETE FROM \"_vt_schema\" WHERE ended <= ?1", [signed(purged)])?;
        Ok(())
    }

    /// Adds or replaces a view.
    pub(super) fn add_view(
        &mut self,
        connection: &Connection,
        view: Arc<View>,
    ) -> rusqlite::Result<()> {
        let columns = serde_json::to_string(&view.columns).map_err(conversion)?;
        connection.execute(
            "INSERT OR REPLACE INTO \"_vt_view\" VALUES (?1, ?2, ?3)",
            params![view.name, columns, view.text],
        )?;
        self.views.insert(view.name.clone(), view);
        Ok(())
    }

    /// Removes a view; `false` if there is none.
    pub(super) fn remove_view(
        &mut self,
        connection: &Connection,
        name: &str,
    ) -> rusqlite::Result<bool> {
        connection.execute("DELETE FROM \"_vt_view\" WHERE name = ?1", [name])?;
        Ok(self.views.remove(name).is_some())
    }

    /// How often the tables had changed; a view in which it is another number has other tables.
    pub(super) const fn generation(&self) -> i64 {
        self.generation
    }

    /// Counts a change of the tables.
    pub(super) fn next_generation(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.generation = journal::next_generation(connection)?;
        Ok(())
    }

    /// A table by name.
    pub(super) fn live(&self, name: &str) -> Option<&Live> {
        self.tables.get(name)
    }

    /// All tables, in bytewise order of their names.
    pub(super) fn lives(&self) -> impl Iterator<Item = &Live> {
        self.tables.values()
    }

    /// Whether a table or view has this name in any case: SQLite cannot tell the cases apart.
    pub(super) fn has(&self, name: &str) -> bool {
        let same = |other: &String| other.eq_ignore_ascii_case(name);
        self.tables.keys().any(same) || self.views.keys().any(same)
    }
}

impl Live {
    fn new(version: i64, table: Arc<Table>) -> Self {
        let schema = table.schema();
        Self { version, table, schema }
    }
}

impl Tables for Registry {
    fn database(&self) -> &str {
        &self.database
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.get(name).map(|live| Arc::clone(&live.table))
    }

    fn view(&self, name: &str) -> Option<Arc<View>> {
        self.views.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    fn view_names(&self) -> Vec<String> {
        self.views.keys().cloned().collect()
    }
}

/// Reads a definition back by the way it came in: as a statement.
fn parse(text: &str, database: &str) -> rusqlite::Result<Arc<Table>> {
    let empty = Registry { database: database.to_owned(), ..Registry::default() };
    parse_table(text, &empty).map(Arc::new).map_err(conversion)
}

fn conversion(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}
