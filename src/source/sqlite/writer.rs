//! The one connection that writes, and the transaction open on it.
//!
//! Whoever holds the [`Writer`] is the only one who writes: a transaction's number in the journal
//! is known before it commits. Data and journal are in one file and one SQLite transaction, so that
//! a commit is in both or in neither, whatever ends the process.

use std::sync::{Arc, PoisonError, RwLock};

use rusqlite::Connection;
use tokio::sync::watch;

use super::StoreConfig;
use super::capture::Capture;
use super::connection::Opened;
use super::counters::Counters;
use super::functions::SessionState;
use super::identity::ServerId;
use super::journal::{self, EntryKind, Pending, Retention};
use super::lock::StoreLock;
use super::registry::Registry;
use super::write::{self, Written};
use crate::source::now_seconds;
use crate::sql::sqlite::{Dml, Fault};

/// What the writer tells everybody else.
#[derive(Debug)]
pub(super) struct Shared {
    /// Whose GTIDs these are.
    pub(super) server: ServerId,
    /// What exists, as of the last commit.
    pub(super) registry: RwLock<Arc<Registry>>,
    /// The last complete transaction.
    pub(super) committed: watch::Sender<u64>,
    /// AUTO_INCREMENT counters.
    pub(super) counters: Arc<Counters>,
    /// Keeps other processes out until the last connection is gone.
    pub(super) _lock: StoreLock,
}

impl Shared {
    /// What exists, as of the last commit.
    pub(super) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The writing connection. At most one transaction is open on it.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) opened: Opened,
    pub(super) capture: Arc<Capture>,
    pub(super) shared: Arc<Shared>,
    retention: Retention,
    pending: Option<Pending>,
}

impl Writer {
    /// Takes over a connection whose tables exist.
    pub(super) fn new(
        opened: Opened,
        shared: Arc<Shared>,
        config: &StoreConfig,
    ) -> rusqlite::Result<Self> {
        let retention = Retention {
            bytes_max: config.journal_bytes_max,
            age_max: config.journal_age_max.as_secs(),
        };
        let (bytes_max, cell_bytes_max) = (config.statement_bytes_max, config.cell_bytes_max);
        let capture = Capture::register(&opened, bytes_max, cell_bytes_max)?;
        for live in shared.registry().lives() {
            capture.watch(&opened.connection, live.version, &live.schema)?;
        }
        Ok(Self { opened, capture, shared, retention, pending: None })
    }

    /// The connection.
    pub(super) fn connection(&self) -> &Connection {
        &self.opened.connection
    }

    /// The number of the transaction in progress.
    pub(super) fn sequence(&self) -> u64 {
        self.pending.as_ref().map_or(0, Pending::sequence)
    }

    /// Appends an entry to the journal.
    pub(super) fn append(
        &mut self,
        kind: EntryKind,
        version: i64,
        payload: &[u8],
    ) -> rusqlite::Result<()> {
        let Some(pending) = &mut self.pending else { return Ok(()) };
        pending.append(&self.opened.connection, kind, version, payload)
    }

    /// Begins a transaction.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        self.connection().execute_batch("BEGIN IMMEDIATE").map_err(internal)?;
        let next = *self.shared.committed.borrow() + 1;
        self.pending = Some(Pending::new(next, now_seconds()));
        Ok(())
    }

    /// Commits: data, journal and what is trimmed of it, in one.
    pub(super) fn commit(&mut self) -> Result<(), Fault> {
        let outcome = self.try_commit();
        if outcome.is_err() {
            self.rollback();
        }
        outcome.map_err(internal)
    }

    fn try_commit(&mut self) -> rusqlite::Result<()> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        let connection = &self.opened.connection;
        let now = now_seconds();
        let entries = pending.finish(connection, now)?;
        if entries > 0 {
            journal::trim(connection, self.retention, entries, now)?;
        }
        let saved = self.shared.counters.save(connection)?;
        connection.execute_batch("COMMIT")?;
        self.shared.counters.settle(&saved);
        // Of the numbers taken, the last one may have stayed empty: then the one before it, of a
        // DDL for instance, is the last that is used.
        let last = if entries > 0 { pending.sequence() } else { pending.sequence() - 1 };
        self.shared.committed.send_if_modified(|committed| {
            let newer = *committed < last;
            *committed = last.max(*committed);
            newer
        });
        Ok(())
    }

    /// Removes some of what is too old or too much of the journal; whether there was any. Where
    /// nobody commits, nobody else does.
    pub(super) fn trim(&mut self) -> rusqlite::Result<bool> {
        let transaction = self.opened.connection.unchecked_transaction()?;
        let trimmed = journal::trim(&transaction, self.retention, TRIM_ENTRIES, now_seconds())?;
        transaction.commit()?;
        Ok(trimmed)
    }

    /// Ends the transaction's number and begins the next, in the same SQLite transaction.
    pub(super) fn next_number(&mut self) -> rusqlite::Result<()> {
        let now = now_seconds();
        if let Some(pending) = &mut self.pending
            && pending.finish(&self.opened.connection, now)? > 0
        {
            *pending = Pending::new(pending.sequence() + 1, now);
        }
        Ok(())
    }

    /// Rolls back, if a transaction is open.
    pub(super) fn rollback(&mut self) {
        self.pending = None;
        self.capture.take();
        if !self.connection().is_autocommit()
            && let Err(error) = self.connection().execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "rolling back failed");
        }
    }

    /// Runs one statement that changes rows; what it did before it failed is undone.
    pub(super) fn run(&mut self, dml: &Dml, session: &Arc<SessionState>) -> Result<Written, Fault> {
        let registry = self.shared.registry();
        self.atomically(session, |writer| write::run(writer, &*registry, dml, session))
    }

    /// Runs `statement` inside a savepoint and journals what it changed.
    pub(super) fn atomically<T>(
        &mut self,
        session: &Arc<SessionState>,
        statement: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.opened.current.set(session, session.kill_switch());
        self.execute("SAVEPOINT \"~statement\"")?;
        let outcome =
            statement(self).and_then(|answer| self.flush().map(|()| answer).map_err(internal));
        match outcome {
            Ok(answer) => {
                self.execute("RELEASE \"~statement\"")?;
                Ok(answer)
            }
            Err(fault) => {
                self.capture.take();
                // A full disk or the like ends SQLite's whole transaction: then ours is over too.
                if self.connection().is_autocommit() {
                    self.pending = None;
                } else {
                    self.execute("ROLLBACK TO \"~statement\"; RELEASE \"~statement\"")?;
                }
                Err(fault)
            }
        }
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.pending.is_some()
    }

    /// Writes what the statement changed into the journal.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        let runs = self.capture.take();
        let Some(pending) = &mut self.pending else { return Ok(()) };
        for run in &runs {
            for entry in run.entries() {
                pending.append(&self.opened.connection, EntryKind::Rows, run.version, entry)?;
            }
        }
        Ok(())
    }

    /// Runs a statement of our own.
    pub(super) fn execute(&self, sql: &str) -> Result<(), Fault> {
        self.connection().execute_batch(sql).map_err(internal)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.rollback();
    }
}

/// An error of SQLite's that no statement should be able to cause.
#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn internal(error: rusqlite::Error) -> Fault {
    Fault::Internal(error.to_string())
}

/// Half of the entries that one step of trimming removes at most.
const TRIM_ENTRIES: u64 = 500;
