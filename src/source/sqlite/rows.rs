//! The rows of a SELECT, read on a thread of their own and handed over in blocks.
//!
//! Two blocks may wait for the client; then the thread waits too. Rows that are dropped stop the
//! statement, wherever in it SQLite is.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::connection::Reader;
use super::convert;
use super::functions::{KillSwitch, SessionState};
use super::handover::{BrokeOff, Given, Giver, Taker, handover};
use super::journal;
use super::session::Held;
use crate::event::row;
use crate::source::{BackendColumn, BackendError, BackendRows, ResultColumn, RowBlock};
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
    columns: Vec<BackendColumn>,
    ready: VecDeque<RowBlock>,
    blocks: Option<Taker<RowBlock, Ended>>,
    kill: KillSwitch,
}

/// Why a SELECT ended before its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// It failed.
    Failed(BackendError),
    /// The tables are not those that it was translated for; nothing was read.
    Stale,
}

impl From<BrokeOff> for Ended {
    fn from(_: BrokeOff) -> Self {
        Self::Failed(BackendError::new(1105, "HY000", BROKE_OFF))
    }
}

/// Begins a query; the writer, if it runs there, comes back once it is over.
pub(super) fn select(
    place: Place,
    query: Query,
    generation: i64,
    session: Arc<SessionState>,
) -> (Rows, Option<oneshot::Receiver<Held>>) {
    let (giver, blocks) = handover(BLOCKS_WAITING);
    let (give_back, writer) = oneshot::channel();
    let writer = matches!(place, Place::Writer(_)).then_some(writer);
    let columns = declared(query.columns.clone());
    // The statement's own: by the time the thread runs, the session may have gone on.
    let kill = session.kill_switch();
    let rows = Rows { columns, ready: VecDeque::new(), blocks: Some(blocks), kill: kill.clone() };
    tokio::task::spawn_blocking(move || {
        let opened = match &place {
            Place::Reader(reader) => reader.opened(),
            Place::Writer(held) => &held.writer().opened,
        };
        opened.current.set(&session, kill.clone());
        let connection = &opened.connection;
        let work = Work { connection, query: &query, session: &session, kill: &kill };
        let reads = matches!(place, Place::Reader(_));
        let reading = opened.current.reading();
        let outcome = if reads { work.check(generation) } else { Ok(()) };
        let outcome = outcome.and_then(|()| work.run(&giver).map_err(Ended::Failed));
        drop(reading);
        giver.end(outcome);
        if let Place::Writer(held) = place {
            // Nobody waits for it if the session is gone: then the drop rolls back.
            let _ = give_back.send(held);
        }
    });
    (rows, writer)
}

/// One query, on its thread.
struct Work<'a> {
    connection: &'a Connection,
    query: &'a Query,
    session: &'a SessionState,
    kill: &'a KillSwitch,
}

impl Work<'_> {
    /// Opens a view and looks whether the tables in it are those of the translation.
    fn check(&self, generation: i64) -> Result<(), Ended> {
        let view = self.connection.execute_batch("BEGIN");
        let found = view.and_then(|()| journal::generation(self.connection));
        let found = found.map_err(|error| Ended::Failed(self.failed(&error)))?;
        if found == generation { Ok(()) } else { Err(Ended::Stale) }
    }

    fn run(&self, giver: &Giver<RowBlock, Ended>) -> Result<(), BackendError> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement = self.connection.prepare(&self.query.sql).map_err(failed)?;
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
            if self.kill.is_thrown() {
                return Err(BackendError::interrupted());
            }
            if block.bytes() >= BLOCK_BYTES
                && giver.give(std::mem::take(&mut block)) != Given::Taken
            {
                return Ok(());
            }
        }
        self.session.end_statement(-1, found);
        if !block.is_empty() {
            giver.give(block);
        }
        Ok(())
    }

    /// What a failed query tells the client.
    fn failed(&self, error: &rusqlite::Error) -> BackendError {
        if self.kill.is_thrown() {
            return BackendError::interrupted();
        }
        self.session.fault(error).into()
    }
}

impl Rows {
    /// Waits for the first block, so that an early error is the statement's, not its rows'.
    pub(super) async fn begin(&mut self) -> Result<(), Ended> {
        let Some(blocks) = &mut self.blocks else { return Ok(()) };
        self.ready.extend(blocks.next().await?);
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
        let kill = KillSwitch::default();
        Self { columns: declared(ready.columns), ready: ready_blocks, blocks: None, kill }
    }
}

/// Columns of the store, whose types are known.
pub(super) fn declared(columns: Vec<ResultColumn>) -> Vec<BackendColumn> {
    columns.into_iter().map(BackendColumn::Declared).collect()
}

impl Drop for Rows {
    fn drop(&mut self) {
        if self.blocks.as_ref().is_some_and(|blocks| !blocks.is_over()) {
            self.kill.throw();
        }
    }
}

#[async_trait]
impl BackendRows for Rows {
    fn columns(&self) -> &[BackendColumn] {
        &self.columns
    }

    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError> {
        if let Some(block) = self.ready.pop_front() {
            return Ok(Some(block));
        }
        match &mut self.blocks {
            Some(blocks) => match blocks.next().await {
                Ok(block) => Ok(block),
                Err(Ended::Failed(error)) => Err(error),
                Err(Ended::Stale) => Err(BackendError::new(1412, "HY000", CHANGED)),
            },
            None => Ok(None),
        }
    }
}

const BROKE_OFF: &str = "reading the rows broke off before their end";
const CHANGED: &str = "Table definition has changed, please retry transaction";
/// Bytes of cells at which a block is handed over.
const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that wait for the client.
const BLOCKS_WAITING: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_that_break_off_have_not_ended() {
        let broken = || {
            let (giver, blocks) = handover(1);
            let thread = tokio::task::spawn_blocking(move || {
                let mut block = RowBlock::default();
                block.push(|cells| row::push_cell(cells, b"1"));
                giver.give(block);
                panic!("a SELECT's thread breaks down");
            });
            let kill = KillSwitch::default();
            (
                Rows { columns: Vec::new(), ready: VecDeque::new(), blocks: Some(blocks), kill },
                thread,
            )
        };
        let (mut rows, thread) = broken();
        rows.begin().await.unwrap();
        assert_eq!(rows.next().await.unwrap().map(|block| block.len()), Some(1));
        assert_eq!(rows.next().await.unwrap_err().code, 1105);
        assert!(thread.await.is_err());
        let (mut rows, thread) = broken();
        let _ = thread.await;
        rows.blocks.as_mut().unwrap().next().await.unwrap();
        assert!(matches!(rows.begin().await, Err(Ended::Failed(error)) if error.code == 1105));
    }
}
