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

/// A SELECT that has begun.
pub(super) struct Selected {
    /// Its rows.
    pub(super) rows: Rows,
    /// Gives the writer back once the SELECT is over.
    pub(super) writer: Option<oneshot::Receiver<Held>>,
}

/// The rows of a SELECT.
pub(super) struct Rows {
    columns: Vec<ResultColumn>,
    ready: VecDeque<RowBlock>,
    blocks: Option<mpsc::Receiver<Result<RowBlock, BackendError>>>,
}

/// Runs a query; an error before the first block is returned here.
pub(super) async fn select(
    place: Place,
    query: Query,
    session: Arc<SessionState>,
) -> Result<Selected, (BackendError, Option<oneshot::Receiver<Held>>)> {
    let (sender, mut blocks) = mpsc::channel(BLOCKS_WAITING);
    let (give_back, writer) = oneshot::channel();
    let held = matches!(place, Place::Writer(_));
    let columns = query.columns.clone();
    tokio::task::spawn_blocking(move || {
        let opened = match &place {
            Place::Reader(reader) => reader.opened(),
            Place::Writer(held) => &held.writer().opened,
        };
        opened.current.set(&session);
        if let Err(error) = run(&opened.connection, &query, &session, &sender) {
            let _ = sender.blocking_send(Err(error));
        }
        if let Place::Writer(held) = place {
            // Nobody waits for it if the session is gone: then the drop rolls back.
            let _ = give_back.send(held);
        }
    });
    let writer = held.then_some(writer);
    match blocks.recv().await {
        Some(Err(error)) => Err((error, writer)),
        first => {
            let ready = first.into_iter().filter_map(Result::ok).collect();
            Ok(Selected { rows: Rows { columns, ready, blocks: Some(blocks) }, writer })
        }
    }
}

fn run(
    connection: &Connection,
    query: &Query,
    session: &SessionState,
    sender: &mpsc::Sender<Result<RowBlock, BackendError>>,
) -> Result<(), BackendError> {
    let failed = |error: rusqlite::Error| error_of(session, &error);
    let mut statement = connection.prepare_cached(&query.sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut block = RowBlock::default();
    let mut found = 0_u64;
    while let Some(row) = rows.next().map_err(failed)? {
        let mut outcome = Ok(());
        block.push(|cells| {
            for (index, column) in query.columns.iter().enumerate() {
                match row.get_ref(index) {
                    Ok(value) => convert::cell(&column.column, value, cells),
                    Err(error) => outcome = Err(error),
                }
            }
        });
        outcome.map_err(failed)?;
        found += 1;
        if session.killed() {
            return Err(BackendError::interrupted());
        }
        if block.bytes() >= BLOCK_BYTES
            && sender.blocking_send(Ok(std::mem::take(&mut block))).is_err()
        {
            return Ok(());
        }
    }
    session.end_statement(-1, found);
    if !block.is_empty() {
        let _ = sender.blocking_send(Ok(block));
    }
    Ok(())
}

/// What a failed query tells the client.
pub(super) fn error_of(session: &SessionState, error: &rusqlite::Error) -> BackendError {
    if session.killed() {
        return BackendError::interrupted();
    }
    session.fault(error).into()
}

impl Rows {
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
            Some(blocks) => blocks.recv().await.transpose(),
            None => Ok(None),
        }
    }
}

/// Bytes of cells at which a block is handed over.
const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that wait for the client.
const BLOCKS_WAITING: usize = 2;
