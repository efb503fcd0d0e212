//! Connections to the SQLite file: one that writes, a bounded number that read.
//!
//! The file is in WAL mode, so readers see one committed state each and nobody waits for them.
//! `synchronous = FULL` syncs the log at every commit: what was acknowledged survives the loss of
//! power, not only a kill. `NORMAL` would be faster and survive a kill as well; a store that calls
//! itself durable takes the sync. Many small commits cost one sync each; a transaction costs one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::functions::{self, Current};

/// A connection with our functions, and the session that they see.
#[derive(Debug)]
pub(super) struct Opened {
    /// The connection.
    pub(super) connection: Connection,
    /// Whose statement runs on it.
    pub(super) current: Arc<Current>,
}

impl Opened {
    /// Opens the connection that writes, making the file if there is none.
    pub(super) fn writer(path: &Path, cell_bytes_max: usize) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "recursive_triggers", true)?;
        connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT, |_| Ok(()))?;
        let mut opened = Self::prepare(connection, cell_bytes_max)?;
        let current = Arc::clone(&opened.current);
        // A write is never interrupted in its step: statements look for themselves between rows.
        opened.connection.progress_handler(
            PROGRESS_STEPS,
            Some(move || current.is_reading() && current.is_killed()),
        )?;
        Ok(opened)
    }

    /// Opens a connection that reads.
    fn reader(path: &Path, cell_bytes_max: usize) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let mut opened = Self::prepare(connection, cell_bytes_max)?;
        let current = Arc::clone(&opened.current);
        opened.connection.progress_handler(PROGRESS_STEPS, Some(move || current.is_killed()))?;
        Ok(opened)
    }

    fn prepare(connection: Connection, cell_bytes_max: usize) -> rusqlite::Result<Self> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        let cell = i32::try_from(cell_bytes_max).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, cell.saturating_add(ROW_MARGIN))?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        let current = Arc::new(Current::default());
        functions::register(&connection, &current)?;
        Ok(Self { connection, current })
    }
}

/// The connections that read: idle ones are kept, and no more than a limit are in use.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    cell_bytes_max: usize,
    idle: Arc<Mutex<Vec<Opened>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// At most `max` at a time.
    pub(super) fn new(path: &Path, cell_bytes_max: usize, max: usize) -> Self {
        Self {
            path: path.to_owned(),
            cell_bytes_max,
            idle: Arc::default(),
            permits: Arc::new(Semaphore::new(max)),
        }
    }

    /// A connection, once one is free.
    pub(super) async fn take(&self) -> rusqlite::Result<Reader> {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .expect("the readers' semaphore is never closed");
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let opened = match idle {
            Some(opened) => opened,
            None => Opened::reader(&self.path, self.cell_bytes_max)?,
        };
        Ok(Reader { opened: Some(opened), idle: Arc::clone(&self.idle), _permit: permit })
    }
}

/// A connection in use; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Reader {
    opened: Option<Opened>,
    idle: Arc<Mutex<Vec<Opened>>>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The connection.
    pub(super) fn opened(&self) -> &Opened {
        self.opened.as_ref().expect("a reader has its connection until it is dropped")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(opened) = self.opened.take() else { return };
        // A view that is still open would hold the log's old pages: such a connection is closed.
        if !opened.connection.is_autocommit()
            && opened.connection.execute_batch("ROLLBACK").is_err()
        {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(opened);
        }
    }
}

/// How long to wait for SQLite's own locks: only its recovery and checkpoints take any.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Page cache per connection, in KiB (SQLite: negative for KiB).
const CACHE_KIB: i64 = -8192;
/// Prepared statements that a connection keeps, all of them the store's own: a client's holds its
/// literals, which may be many MiB, in its text and again in its code, and is hardly ever repeated.
const STATEMENTS_CACHED: usize = 64;
/// SQLite's length limit also holds for whole rows and journal entries.
const ROW_MARGIN: i32 = 64 << 20;
/// Steps of SQLite's machine between two looks at whether the statement was killed.
const PROGRESS_STEPS: i32 = 10_000;
/// Idle connections that are kept.
const IDLE_MAX: usize = 8;
/// Bytes that the write-ahead log's file keeps after a checkpoint.
const WAL_KEPT: i64 = 64 << 20;
