//! The rows of a statement, read from the session's connection, which goes back to it at their end.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::connection::ServerConnection;
use super::control::Control;
use crate::source::{BackendColumn, BackendError, BackendRows, RowBlock};

/// The rows of a statement that runs on a server. Dropping them before their end ends the statement,
/// and the connection with it.
pub(super) struct Rows {
    columns: Vec<BackendColumn>,
    /// What was read and nobody has waited for.
    block: RowBlock,
    /// Nothing once the rows are over.
    reading: Option<Reading>,
    control: Arc<Control>,
}

struct Reading {
    connection: Box<ServerConnection>,
    give_back: oneshot::Sender<GivenBack>,
}

/// The connection behind its rows; nothing if it is of no use any more and the client was told why.
pub(super) type GivenBack = Option<Box<ServerConnection>>;

impl Rows {
    /// The rows that follow these columns, and where the connection comes back.
    pub fn new(
        columns: Vec<BackendColumn>,
        connection: Box<ServerConnection>,
        control: Arc<Control>,
    ) -> (Self, oneshot::Receiver<GivenBack>) {
        let (give_back, lent) = oneshot::channel();
        let reading = Some(Reading { connection, give_back });
        (Self { columns, block: RowBlock::default(), reading, control }, lent)
    }

    /// The server has sent all, or an error: the session goes on.
    fn end(&mut self) {
        self.control.end();
        if let Some(Reading { connection, give_back }) = self.reading.take() {
            // Without a session there is nobody left who needs it.
            let _ = give_back.send(Some(connection).filter(|connection| connection.is_ready()));
        }
    }
}

#[async_trait]
impl BackendRows for Rows {
    fn columns(&self) -> &[BackendColumn] {
        &self.columns
    }

    async fn next(&mut self) -> Result<Option<RowBlock>, BackendError> {
        let Some(Reading { connection, .. }) = &mut self.reading else { return Ok(None) };
        match connection.rows(&mut self.block).await {
            Ok(false) => Ok(Some(std::mem::take(&mut self.block))),
            Ok(true) => {
                self.end();
                let last = std::mem::take(&mut self.block);
                Ok(Some(last).filter(|last| !last.is_empty()))
            }
            Err(failed) => {
                let keyspace = &connection.served().keyspace;
                let told = failed.told(keyspace, self.control.in_transaction());
                self.end();
                Err(told)
            }
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        if self.reading.is_some() {
            self.control.end();
        }
    }
}
