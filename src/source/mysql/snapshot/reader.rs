//! Reads tables out of a view, on a task of its own that has the view's connection.
//!
//! One batch is read ahead of who wants it. A view keeps the server from forgetting old rows, and a
//! table that is being read keeps everybody from changing its definition: neither may depend on how
//! long a client sleeps. So a view that nobody reads on is given up, and whoever comes back is told
//! that it has expired.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::{Column as Sent, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::cell::{Form, Printer};
use super::query::{Query, SORT_BYTES_MAX};
use super::rows::Rows;
use super::thread::Thread;
use super::view::{self, DEADLOCK, LOCK_WAIT_TIMEOUT};
use crate::event::{RowsEvent, TableName};
use crate::source::mysql::connect::{Connection, Server};
use crate::source::mysql::copies::{CopyPlace, LOOK_INTERVAL};
use crate::source::mysql::names::Names;
use crate::source::mysql::protocol::RawConnection;
use crate::source::mysql::schema::{self, Table};
use crate::source::mysql::{Flavour, literal};
use crate::source::{BatchMax, Scarce, SourceError};
use crate::telemetry;

/// A scan to be made.
pub(super) struct Order {
    pub table: Table,
    pub query: Query,
    pub batch: BatchMax,
    /// Told once the table is being read, or cannot be.
    pub begun: oneshot::Sender<Result<(), SourceError>>,
    /// Where the batches go. It closes without [`Given::End`] if the view was given up.
    pub batches: mpsc::Sender<Given>,
}

/// What a scan gives.
pub(super) enum Given {
    Rows(RowsEvent),
    End,
    Failed(SourceError),
}

/// Why a scan stops.
enum Stop {
    /// All was read.
    End,
    /// The view is of no use any more.
    Broken,
    /// The same, and there may be rows that nobody wants.
    Unwanted,
}

/// Reads in the orders' order, until there are no more of them or none comes for long.
pub(super) fn start(
    server: &Server,
    names: &Names,
    connection: Connection<RawConnection>,
    place: CopyPlace,
) -> mpsc::Sender<Box<Order>> {
    let (orders, ordered) = mpsc::channel(1);
    let reader = Reader { server: server.clone(), names: names.clone(), connection, place };
    telemetry::spawn("read a snapshot", reader.run(ordered));
    orders
}

struct Reader {
    server: Server,
    names: Names,
    connection: Connection<RawConnection>,
    place: CopyPlace,
}

impl Reader {
    async fn run(mut self, mut orders: mpsc::Receiver<Box<Order>>) {
        let mut first = None;
        // MariaDB keeps hold of a table until the view ends.
        let keeps_hold = self.connection.flavour == Flavour::MariaDb;
        let idle_max = |held: bool| if held && keeps_hold { READ_IDLE_MAX } else { VIEW_IDLE_MAX };
        while let Ok(Some(order)) = timeout(idle_max(first.is_some()), orders.recv()).await {
            let first = *first.get_or_insert_with(Instant::now);
            match Box::pin(self.scan(*order)).await {
                Stop::End if keeps_hold && first.elapsed() > HOLD_MAX => return,
                Stop::End => {}
                Stop::Broken => return,
                Stop::Unwanted => return self.hang_up(),
            }
        }
    }

    async fn scan(&mut self, order: Order) -> Stop {
        let Order { table, query, batch: batch_max, begun, batches } = order;
        let may_yield = !table.schema.key.is_empty();
        let mut scarce = Box::pin(scarce(self.server.clone()));
        let thread = Thread::new(&self.server, &self.connection);
        let begin = thread.while_at_work(self.begin(&table, &query));
        let begin = tokio::select! {
            begin = begin => begin,
            scarce = &mut scarce, if may_yield => {
                let _ = begun.send(Err(SourceError::SnapshotYielded(scarce)));
                return Stop::Unwanted;
            }
            () = batches.closed() => return Stop::Unwanted,
        };
        let (printer, statement) = match begin {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) => {
                let _ = begun.send(Err(error));
                return Stop::Broken;
            }
            Err(silent) => {
                let _ = begun.send(Err(silent));
                return Stop::Unwanted;
            }
        };
        if begun.send(Ok(())).is_err() {
            return Stop::Unwanted;
        }
        let mut rows = Rows::new(Arc::clone(&table.schema), printer, query, thread);
        // A table without a key cannot always be read on in the middle.
        let idle_max = if table.schema.key.is_empty() { VIEW_IDLE_MAX } else { READ_IDLE_MAX };
        loop {
            let read = tokio::select! {
                read = rows.read(&mut self.connection.conn, &self.server, batch_max) => read,
                scarce = &mut scarce, if may_yield => Err(SourceError::SnapshotYielded(scarce)),
                () = batches.closed() => return Stop::Unwanted,
            };
            if let Err(error) = read {
                let _ = batches.send(Given::Failed(error)).await;
                return Stop::Unwanted;
            }
            let batch = rows.take();
            if batch.is_empty() {
                break;
            }
            let place = tokio::select! {
                place = timeout(idle_max, batches.reserve()) => place,
                // Who reads on finds the view given up, and waits until the server has recovered.
                _ = &mut scarce, if may_yield => return Stop::Unwanted,
            };
            match place {
                Ok(Ok(place)) => place.send(Given::Rows(batch)),
                Ok(Err(_)) | Err(_) => return Stop::Unwanted,
            }
        }
        if let Err(error) = self.end(&table.schema.name, statement).await {
            let _ = batches.send(Given::Failed(error)).await;
            return Stop::Broken;
        }
        let _ = batches.send(Given::End).await;
        Stop::End
    }

    /// Takes hold of a table, so that it cannot be changed, looks whether it was, and asks for its
    /// rows.
    async fn begin(
        &mut self,
        table: &Table,
        query: &Query,
    ) -> Result<(Printer, Option<u32>), SourceError> {
        let name = &table.schema.name;
        let failed = |error| failed(&self.server, name, error);
        let Connection { conn, flavour, .. } = &mut self.connection;
        if !query.has_condition {
            // Rows that are found one by one would be held back.
            conn.widen(WRITE_BYTES).await.map_err(failed)?;
        }
        let touch = format!("SELECT 1 FROM {} LIMIT 0", literal::name(&name.table));
        conn.run("SAVEPOINT scan").await.map_err(failed)?;
        conn.query::<u8>(&touch).await.map_err(failed)?;
        let which = view::among(std::slice::from_ref(name));
        let now = schema::read_tables(conn, *flavour, &self.server, &self.names, &which).await;
        if !now.map_err(failed)?.contains(table) {
            return Err(SourceError::SnapshotOutdated(name.clone()));
        }
        if query.sorts {
            let limits = format!(
                "SET max_sort_length = {SORT_BYTES_MAX}, sort_buffer_size = {SORT_BUFFER_BYTES}"
            );
            conn.run(&limits).await.map_err(failed)?;
        }
        let form = Form::of(&table.schema);
        let asked = match ask(conn, form, &query.sql).await {
            Err(Error::Server(said)) if said.code == NO_SUCH_INDEX => {
                ask(conn, form, &query.plain).await
            }
            asked => asked,
        };
        let (sent, statement) = asked.map_err(failed)?;
        let printer = Printer::new(form, &table.schema, &sent);
        Ok((printer.map_err(|misfit| misfit.in_table(&table.schema))?, statement))
    }

    /// Lets go of the table that was read, so that it can be changed again.
    async fn end(&mut self, table: &TableName, statement: Option<u32>) -> Result<(), SourceError> {
        let failed = |error| failed(&self.server, table, error);
        let conn = &mut self.connection.conn;
        if let Some(statement) = statement {
            conn.close(statement).await.map_err(failed)?;
        }
        conn.run("ROLLBACK TO SAVEPOINT scan").await.map_err(failed)
    }

    /// Ends the connection and with it the view, at once, whatever the server is doing for it.
    fn hang_up(self) {
        let thread = Thread::new(&self.server, &self.connection);
        let (conn, permit) = self.connection.into_parts();
        let place = self.place;
        drop(conn);
        telemetry::spawn("end a view", async move {
            thread.kill().await;
            drop((permit, place));
        });
    }
}

/// Asks for rows: the columns as they are sent, and the statement to be closed behind them.
async fn ask(
    conn: &mut RawConnection,
    form: Form,
    sql: &str,
) -> mysql_async::Result<(Vec<Sent>, Option<u32>)> {
    match form {
        Form::Text => {
            conn.ask(sql).await?;
            Ok((conn.columns_of_rows().await?, None))
        }
        Form::Binary => {
            let statement = conn.prepare_rows(sql).await?;
            Ok((conn.execute(statement).await?, Some(statement)))
        }
    }
}

/// Resolves once the server is short of what a view costs it.
async fn scarce(server: Server) -> Scarce {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        if let Some(scarce) = server.budget().copies().look(&server).await {
            return scarce;
        }
    }
}

/// What went wrong while a table was read.
pub(super) fn failed(server: &Server, table: &TableName, error: Error) -> SourceError {
    let Error::Server(said) = &error else {
        return server.broken(&format!("read rows of {table}"), error);
    };
    match said.code {
        TABLE_CHANGED | NO_SUCH_TABLE | NO_SUCH_COLUMN => {
            SourceError::SnapshotOutdated(table.clone())
        }
        // Somebody ended the statement, or the server is shutting down, or the table's definition is
        // being changed.
        1053 | 1317 | 1927 | 1969 | 3024 | 3032 | LOCK_WAIT_TIMEOUT | DEADLOCK => {
            server.broken(&format!("read rows of {table}"), error)
        }
        _ => SourceError::Corrupt {
            context: format!("read rows of {table} of {}", server.name()),
            source: Some(Box::new(said.clone())),
        },
    }
}

/// How long a table that is being read waits for who reads it: nobody can change its definition
/// meanwhile, and whoever tries to holds up all others.
pub(super) const READ_IDLE_MAX: Duration = Duration::from_secs(3);
/// After which no further table is read of a view that keeps hold of those that were.
const HOLD_MAX: Duration = Duration::from_secs(10);
/// How long a view waits between two tables, or for its reader to catch up with it.
const VIEW_IDLE_MAX: Duration = Duration::from_secs(600);
/// How much of a table's rows a server is to write at a time, where 16 KiB are what it does by itself.
const WRITE_BYTES: usize = 256 << 10;
/// Room to sort keys of the longest kind in.
const SORT_BUFFER_BYTES: usize = 16 << 20;
/// ER_TABLE_DEF_CHANGED, ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_KEY_DOES_NOT_EXITS.
const TABLE_CHANGED: u16 = 1412;
const NO_SUCH_TABLE: u16 = 1146;
const NO_SUCH_COLUMN: u16 = 1054;
const NO_SUCH_INDEX: u16 = 1176;

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;
    use crate::source::mysql::{Budget, ServerUrl};

    #[test]
    fn what_passes_is_tried_again() {
        let url = ServerUrl::parse("mysql://root@h/ks").expect("a URL");
        let server = Server::new("zone1-100", url, Arc::new(Budget::new(1)));
        let error = |code| {
            let (message, state) = ("said".to_owned(), "HY000".to_owned());
            let said = Error::Server(ServerError { code, message, state });
            failed(&server, &TableName::new("ks", "t"), said)
        };
        assert!(matches!(error(LOCK_WAIT_TIMEOUT), SourceError::Disconnected { .. }));
        assert!(matches!(error(DEADLOCK), SourceError::Disconnected { .. }));
        assert!(matches!(error(TABLE_CHANGED), SourceError::SnapshotOutdated(_)));
        let syntax = error(1064);
        assert!(matches!(syntax, SourceError::Corrupt { .. }), "{syntax}");
    }
}
