//! The next AUTO_INCREMENT values: in memory for who counts, in the file for the next start.
//!
//! As in InnoDB a counter outlives rollbacks, and a restart: each commit writes down what was
//! counted since the one before, so that the number of a deleted row is not given again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

/// The counters of all tables of a store. Only who has the writer counts.
#[derive(Debug, Default)]
pub struct Counters(Mutex<HashMap<String, Counter>>);

#[derive(Debug)]
struct Counter {
    next: u64,
    saved: bool,
}

impl Counters {
    /// The next value of a table; `first` finds it when the table was not asked for before.
    pub fn next<E>(&self, table: &str, first: impl FnOnce() -> Result<u64, E>) -> Result<u64, E> {
        let mut counters = self.lock();
        if let Some(counter) = counters.get(table) {
            return Ok(counter.next);
        }
        let next = first()?;
        counters.insert(table.to_owned(), Counter { next, saved: false });
        Ok(next)
    }

    /// Sets the next value of a table.
    pub fn set(&self, table: &str, next: u64) {
        self.lock().insert(table.to_owned(), Counter { next, saved: false });
    }

    /// Forgets a table that is dropped, truncated or altered, here and in the file.
    pub(super) fn forget(&self, connection: &Connection, table: &str) -> rusqlite::Result<()> {
        connection.execute("DELETE FROM \"_vt_counter\" WHERE name = ?1", [table])?;
        self.lock().remove(table);
        Ok(())
    }

    /// Writes down what moved, as a part of the open transaction. Returns what it wrote.
    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let counters = self.lock();
        let mut saved = Vec::new();
        for (table, counter) in counters.iter().filter(|(_, counter)| !counter.saved) {
            connection
                .prepare_cached("INSERT OR REPLACE INTO \"_vt_counter\" VALUES (?1, ?2)")?
                .execute(params![table, counter.next.cast_signed()])?;
            saved.push(table.clone());
        }
        Ok(saved)
    }

    /// The transaction in which these were written is committed.
    pub(super) fn settle(&self, saved: &[String]) {
        let mut counters = self.lock();
        for table in saved {
            if let Some(counter) = counters.get_mut(table) {
                counter.saved = true;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Counter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the table that holds the counters, if there is none.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS \"_vt_counter\" (name TEXT PRIMARY KEY, next INTEGER NOT NULL)",
    )
}

/// The value that was written down for a table.
pub(super) fn saved(connection: &Connection, table: &str) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached("SELECT next FROM \"_vt_counter\" WHERE name = ?1")?
        .query_row([table], |row| row.get(0))
        .map(i64::cast_unsigned)
        .optional()
}
