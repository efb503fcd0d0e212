//! Runs one statement that changes rows, row by row as MySQL does.
//!
//! The caller has opened a savepoint on the one writing connection and rolls back to it when this
//! fails; so a statement is atomic. SQLite sees plain inserts, updates and deletes of rows whose
//! values are already in stored form.

use std::sync::Arc;

use rusqlite::Connection;

use super::functions::SessionState;
use crate::sql::sqlite::{Alter, Dml, Fault, Tables, Warning};

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows changed, in MySQL's counting.
    pub affected_rows: u64,
    /// The first AUTO_INCREMENT value made, 0 if none.
    pub last_insert_id: u64,
    /// Warnings and notes.
    pub warnings: Vec<Warning>,
    /// `Records: 3  Duplicates: 0  Warnings: 0`, or empty.
    pub info: String,
}

/// Runs `dml` on the writing connection.
pub fn run(
    connection: &Connection,
    tables: &dyn Tables,
    dml: &Dml,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    let _ = (connection, tables, dml, session);
    Err(Fault::Unsupported("writing".to_owned()))
}

/// Copies the rows of `alter.old`, under its SQLite name, into the empty table `into` that has the
/// shape of `alter.new`.
pub fn rebuild(
    connection: &Connection,
    alter: &Alter,
    into: &str,
    session: &Arc<SessionState>,
) -> Result<Written, Fault> {
    let _ = (connection, alter, into, session);
    Err(Fault::Unsupported("ALTER TABLE".to_owned()))
}
