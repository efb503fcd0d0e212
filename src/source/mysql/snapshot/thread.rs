//! What can be learnt of the connection that reads a view, and done about it, over another one.

use std::pin::pin;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use crate::source::mysql::connect::{Connection, Server};
use crate::source::mysql::protocol::RawConnection;
use crate::source::{ConnectError, SourceError};

/// A server's end of a connection.
#[derive(Clone)]
pub(super) struct Thread {
    server: Server,
    id: u32,
    /// Somebody else has that number on another server behind the same address.
    instance: String,
}

impl Thread {
    pub fn new(server: &Server, connection: &Connection<RawConnection>) -> Self {
        let (id, instance) = (connection.conn.id(), connection.instance.clone());
        Self { server: server.clone(), id, instance }
    }

    /// Waits for as long as the server is at work: it may have to sort a table, or to look through
    /// all of it, before it has anything to send.
    pub async fn while_at_work<T>(&self, wait: impl Future<Output = T>) -> Result<T, SourceError> {
        let mut wait = pin!(wait);
        loop {
            if let Ok(done) = timeout(SILENCE_MAX, &mut wait).await {
                return Ok(done);
            }
            self.require_work().await?;
        }
    }

    /// Fails if the server is known to do nothing for this connection.
    async fn require_work(&self) -> Result<(), SourceError> {
        let sql = format!(
            "SELECT COMMAND <> 'Sleep' FROM information_schema.PROCESSLIST WHERE ID = {}",
            self.id
        );
        match self.ask("ask for a statement's state", &sql).await {
            Ok(Some(is_at_work)) if is_at_work != [true] => Err(silent()),
            Ok(_) => Ok(()),
            // There are too many connections, which says nothing of this one.
            Err(SourceError::Connect(
                ConnectError::Budget { .. } | ConnectError::TooManyConnections { .. },
            )) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the connection: a server that sorts does not look whether anybody is still there.
    pub async fn kill(&self) {
        if let Err(error) = self.ask("end a view", &format!("KILL {}", self.id)).await {
            tracing::debug!(error = %error, "a view was left to end by itself");
        }
    }

    /// Runs a statement over another connection; `None` if another server has answered there.
    async fn ask(&self, what: &str, sql: &str) -> Result<Option<Vec<bool>>, SourceError> {
        let ask = async |other: &mut Connection| {
            if other.instance != self.instance {
                return Ok(None);
            }
            let answer = other.conn.query(sql).await;
            answer.map(Some).map_err(|error| self.server.broken(what, error))
        };
        self.server.ask(ask).await
    }
}

/// What it means that the server sends nothing.
pub(super) fn silent() -> SourceError {
    SourceError::Disconnected {
        context: format!("the server has sent no row for {SILENCE_MAX:?}"),
        source: None,
    }
}

/// How long a server may send nothing before it is asked why.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(300);
