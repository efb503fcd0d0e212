//! The rows of a SELECT, read on a thread of their own and handed over in blocks.
//!
//! Two blocks may wait for the client; then the thread waits too. A reader that is dropped stops
//! the statement at its next block.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::Reader;
use super::convert;
use super::functions::SessionState;
use super::journal;
use super::session::Held;
use crate::event::row;
use crate::source::{BackendError, BackendRows, ResultColumn, RowBlock};
use crate::sql::sqlite::{Query, Ready};

/// The connection that a SELECT runs on.
#[derive(Debug)]
pub(super) enum Place {
    /// Any that reads.
    Reader(Reader),
    /// The one that writes, inside of the session's transaction.
    Writer(Held),
}

/// The rows of a SELECT.
pub(super) struct Rows {
    columns: Vec<ResultColumn>,
    ready: VecDeque<RowBlock>,
    blocks: Option<Blocks>,
}

type Blocks = mpsc::Receiver<Result<RowBlock, Ended>>;

/// Why a SELECT ended before its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// It failed.
    Failed(BackendError),
    /// The tables are not those that it was translated for; nothing was read.
    Stale,
}

/// Begins a query; the writer, if it runs there, comes back once it is over.
pub(super) fn select(
    place: Place,
    query: Query,
    generation: i64,
    session: Arc<SessionState>,
) -> (Rows, Option<oneshot::Receiver<Held>>) {
    let (sender, blocks) = mpsc::channel(BLOCKS_WAITING);
    let (give_back, writer) = oneshot::channel();
    let writer = matches!(place, Place::Writer(_)).then_some(writer);
    let columns = query.columns.clone();
    tokio::task::spawn_blocking(move || {
        let opened = match &place {
            Place::Reader(reader) => reader.opened(),
            Place::Writer(held) => &held.writer().opened,
        };
        opened.current.set(&session);
        let work = Work { connection: &opened.connection, query: &query, session: &session };
        let reads = matches!(place, Place::Reader(_));
        let outcome = if reads { work.check(generation) } else { Ok(()) };
        opened.current.set_reading(true);
        let outcome = outcome.and_then(|()| work.run(&sender).map_err(Ended::Failed));
        opened.current.set_reading(false);
        if let Err(ended) = outcome {
            let _ = sender.blocking_send(Err(ended));
        }
        if let Place::Writer(held) = place {
            // Nobody waits for it if the session is gone: then the drop rolls back.
            let _ = give_back.send(held);
        }
    });
    (Rows { columns, ready: VecDeque::new(), blocks: Some(blocks) }, writer)
}

/// One query, on its thread.
struct Work<'a> {
    connection: &'a Connection,
    query: &'a Query,
    session: &'a SessionState,
}

impl Work<'_> {
    /// Opens a view and looks whether the tables in it are those of the translation.
    fn check(&self, generation: i64) -> Result<(), Ended> {
        let view = self.connection.execute_batch("BEGIN");
        let found = view.and_then(|()| journal::generation(self.connection));
        let found = found.map_err(|error| Ended::Failed(error_of(self.session, &error)))?;
        if found == generation { Ok(()) } else { Err(Ended::Stale) }
    }

    fn run(&self, sender: &mpsc::Sender<Result<RowBlock, Ended>>) -> Result<(), BackendError> {
        let failed = |error: rusqlite::Error| error_of(self.session, &error);
        let mut statement = self.connection.prepare_cached(&self.query.sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut block = RowBlock::default();
        let mut found = 0_u64;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut outcome = Ok(());
            block.push(|cells| {
                for (index, column) in self.query.columns.iter().enumerate() {
                    match row.get_ref(index) {
                        Ok(value) => convert::cell(&column.column, value, cells),
                        Err(error) => outcome = Err(error),
                    }
                }
            });
            outcome.map_err(failed)?;
            found += 1;
            if self.session.killed() {
                return Err(BackendError::interrupted());
            }
            if block.bytes() >= BLOCK_BYTES
                && sender.blocking_send(Ok(std::mem::take(&mut block))).is_err()
            {
                return Ok(());
            }
        }
        self.session.end_statement(-1, found);
        if !block.is_empty() {
            let _ = sender.blocking_send(Ok(block));
        }
        Ok(())
    }
}

/// What a failed query tells the client.
pub(super) fn error_of(session: &SessionState, error: &rusqlite::Error) -> BackendError {
    if session.killed() {
        return BackendError::interrupted();
    }
    session.fault(error).into()
}

impl Rows {
    /// Waits for the first block, so that an early error is the statement's, not its rows'.
    pub(super) async fn begin(&mut self) -> Result<(), Ended> {
        let Some(blocks) = &mut self.blocks else { return Ok(()) };
        if let Some(first) = blocks.recv().await {
            self.ready.push_back(first?);
        }
        Ok(())
    }

    /// A result that is known already.
    pub(super) fn ready(ready: Ready) -> Self {
        let mut block = RowBlock::default();
        for cells in &ready.rows {
            block.push(|buffer| {
                for cell in cells {
                    match cell {
                        Some(text) => row::push_cell(buffer, text.as_bytes()),
                        None => row::push_null(buffer),
                    }
                }
            });
        }
        let ready_blocks = if block.is_empty() { VecDeque::new() } else { VecDeque::from([block]) };
        Self { columns: ready.columns, ready: ready_blocks, blocks: None }
    }
}

#[async_trait]
impl BackendRows for Rows {
    fn columns(&self) -> &[ResultColumn] {
        &self.columns
    }

    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError> {
        if let Some(block) = self.ready.pop_front() {
            return Ok(Some(block));
        }
        match &mut self.blocks {
            Some(blocks) => match blocks.recv().await.transpose() {
                Ok(block) => Ok(block),
                Err(Ended::Failed(error)) => Err(error),
                Err(Ended::Stale) => Err(BackendError::new(1412, "HY000", CHANGED)),
            },
            None => Ok(None),
        }
    }
}

const CHANGED: &str = "Table definition has changed, please retry transaction";
/// Bytes of cells at which a block is handed over.
const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that wait for the client.
const BLOCKS_WAITING: usize = 2;
