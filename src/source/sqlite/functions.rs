//! MySQL's functions and operators as SQLite functions, and the session they see.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

mod aggregate;
mod call;
mod clock;
mod decimal;
mod document;
mod form;
mod json;
mod number;
mod text;
mod time;

use super::convert::time::Moment;
use super::counters::Counters;
use crate::sql::sqlite::{Fault, Value, Warning};

/// Ends one statement, on whatever threads it runs, and no other.
#[derive(Debug, Clone, Default)]
pub struct KillSwitch(Arc<AtomicBool>);

impl KillSwitch {
    /// Makes the statement end with 1317, soon.
    pub fn throw(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the statement is to end.
    pub fn is_thrown(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What functions see of the session whose statement runs; one per session, set on a connection
/// for as long as its statement runs there.
#[derive(Debug, Default)]
pub struct SessionState {
    kill: Mutex<KillSwitch>,
    counters: Arc<Counters>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    now_micros: i64,
    database: String,
    user: String,
    connection_id: u64,
    version: String,
    strict: bool,
    foreign_key_checks: bool,
    last_insert_id: u64,
    row_count: i64,
    found_rows: u64,
    variables: HashMap<String, Value>,
    warnings: Vec<Warning>,
    fault: Option<Fault>,
    writing: bool,
}

/// What a statement starts from.
#[derive(Debug, Clone, Default)]
pub struct StatementStart {
    /// Microseconds since 1970, UTC.
    pub now_micros: i64,
    /// DATABASE()
    pub database: String,
    /// USER(), as `name@host`.
    pub user: String,
    /// CONNECTION_ID()
    pub connection_id: u64,
    /// VERSION()
    pub version: String,
    /// sql_mode has a strict mode.
    pub strict: bool,
    /// `foreign_key_checks` is on.
    pub foreign_key_checks: bool,
    /// Values of user variables that the statement names.
    pub variables: HashMap<String, Value>,
}

impl SessionState {
    /// A session of a store with these counters.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { counters, ..Self::default() }
    }

    /// From here on a kill means the next statement. What is left of the one before keeps its own
    /// switch, thrown or not.
    pub fn expect_statement(&self) {
        *self.kill.lock().unwrap_or_else(PoisonError::into_inner) = KillSwitch::default();
    }

    /// Begins the statement that was expected.
    pub fn begin_statement(&self, start: StatementStart) {
        let mut inner = self.lock();
        inner.now_micros = start.now_micros;
        inner.database = start.database;
        inner.user = start.user;
        inner.connection_id = start.connection_id;
        inner.version = start.version;
        inner.strict = start.strict;
        inner.foreign_key_checks = start.foreign_key_checks;
        inner.variables = start.variables;
        inner.warnings.clear();
        inner.fault = None;
    }

    /// Ends a statement: what ROW_COUNT() and FOUND_ROWS() say next.
    pub fn end_statement(&self, row_count: i64, found_rows: u64) {
        let mut inner = self.lock();
        inner.row_count = row_count;
        inner.found_rows = found_rows;
    }

    /// What LAST_INSERT_ID() says.
    pub fn last_insert_id(&self) -> u64 {
        self.lock().last_insert_id
    }

    /// The warnings of the statement so far, taken away.
    pub fn take_warnings(&self) -> Vec<Warning> {
        std::mem::take(&mut self.lock().warnings)
    }

    /// The fault behind a SQLite error that a function of this session or a kill raised, else the
    /// error as an internal one.
    pub fn fault(&self, error: &rusqlite::Error) -> Fault {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return Fault::Interrupted;
        }
        self.lock().fault.take().unwrap_or_else(|| Fault::Internal(error.to_string()))
    }

    /// Makes the statement end with 1317, soon.
    pub fn kill(&self) {
        self.kill_switch().throw();
    }

    /// Whether the statement was killed.
    pub fn killed(&self) -> bool {
        self.kill_switch().is_thrown()
    }

    /// What ends the statement that runs or is expected, even after the session has gone on.
    pub fn kill_switch(&self) -> KillSwitch {
        self.kill.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a value that does not fit is an error.
    pub fn strict(&self) -> bool {
        self.lock().strict
    }

    /// Whether foreign keys are looked at.
    pub fn foreign_key_checks(&self) -> bool {
        self.lock().foreign_key_checks
    }

    /// Leaves a warning.
    pub fn warn(&self, warning: Warning) {
        let mut inner = self.lock();
        if inner.warnings.len() < WARNINGS_MAX {
            inner.warnings.push(warning);
        }
    }

    /// Says what the SQLite error stands for that a function is about to raise.
    pub fn fail(&self, fault: Fault) {
        self.lock().fault = Some(fault);
    }

    /// The AUTO_INCREMENT counters of the store.
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Sets what LAST_INSERT_ID() says.
    pub fn set_last_insert_id(&self, id: u64) {
        self.lock().last_insert_id = id;
    }

    /// The time of the statement, UTC, with so many digits of a second.
    pub fn now_text(&self, fsp: u8) -> String {
        let unit = 10_i64.pow(6 - u32::from(fsp.min(6)));
        let micros = self.lock().now_micros;
        let moment = Moment::from_unix_micros(micros - micros.rem_euclid(unit));
        moment.unwrap_or_default().text(fsp)
    }

    /// What would be an error while rows are written in strict mode, and is a warning otherwise.
    fn complain(&self, fault: Fault) -> Result<(), Fault> {
        let strict = {
            let inner = self.lock();
            inner.strict && inner.writing
        };
        if strict {
            return Err(fault);
        }
        self.warn(Warning { level: "Warning", code: fault.code(), message: fault.to_string() });
        Ok(())
    }

    /// Whether rows are being written, so that faulty values are errors in strict mode.
    pub fn set_writing(&self, writing: bool) {
        self.lock().writing = writing;
    }

    /// When the statement began, in microseconds since 1970.
    fn now_micros(&self) -> i64 {
        self.lock().now_micros
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session whose statement runs on a connection.
#[derive(Debug, Default)]
pub struct Current {
    statement: Mutex<(Arc<SessionState>, KillSwitch)>,
    reading: AtomicBool,
}

impl Current {
    /// Gives the connection to a session's statement until the next call.
    pub fn set(&self, session: &Arc<SessionState>, kill: KillSwitch) {
        *self.lock() = (Arc::clone(session), kill);
    }

    /// The session.
    pub fn session(&self) -> Arc<SessionState> {
        Arc::clone(&self.lock().0)
    }

    /// Whether the statement was killed.
    pub fn is_killed(&self) -> bool {
        self.lock().1.is_thrown()
    }

    /// Nothing but reading goes on until the answer is dropped. SQLite answers an interrupted write
    /// with a rollback of the whole transaction: it may be interrupted while it reads alone.
    pub fn reading(&self) -> Reading<'_> {
        Reading { before: self.reading.swap(true, Ordering::Relaxed), reading: &self.reading }
    }

    /// Whether the connection only reads now.
    pub fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Arc<SessionState>, KillSwitch)> {
        self.statement.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection reads and does not write.
#[derive(Debug)]
pub struct Reading<'a> {
    before: bool,
    reading: &'a AtomicBool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.reading.store(self.before, Ordering::Relaxed);
    }
}

/// Registers all functions on a connection.
pub fn register(connection: &Connection, current: &Arc<Current>) -> rusqlite::Result<()> {
    for list in [number::LIST, text::LIST, clock::LIST, document::LIST] {
        for definition in list {
            definition.register(connection, current)?;
        }
    }
    aggregate::register(connection)
}

/// Warnings that a statement keeps, as MySQL's max_error_count.
const WARNINGS_MAX: usize = 1024;
