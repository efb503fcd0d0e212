//! Tables of a server as of one position, read one after the other over one connection.
//!
//! The server's own view gives the rows; `view` says how its position is known. While a table is
//! being read nobody can change its definition; before and after that anybody can, which shows when
//! it is its turn.

mod cell;
mod query;
mod reader;
mod rows;
mod thread;
mod view;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::query::{Query, Unplaced};
use self::reader::{Given, Order, READ_IDLE_MAX};
pub(super) use self::view::among;
use self::view::{Inexact, View};
use super::connect::Server;
use super::names::Names;
use super::preflight;
use super::schema::Table;
use crate::event::{GtidSet, RowsEvent, TableName, TableSchema};
use crate::source::{Scan, Snapshot, SourceError};

/// Tables of a server as of one position. Once it is dropped, the server lets go of the view.
pub(super) struct ServerSnapshot {
    database: String,
    /// As whom the server knows us.
    account: String,
    view: View,
    scans: mpsc::Sender<Box<Order>>,
    /// Those of the scan that was ordered last.
    batches: Option<mpsc::Receiver<Given>>,
}

impl ServerSnapshot {
    /// Opens a view of the first of these tables, in the order in which they are given.
    pub async fn open(
        server: &Server,
        names: &Names,
        tables: &[TableName],
    ) -> Result<Self, SourceError> {
        let place = server.budget().copies().begin(server).await;
        let (view, connection) = View::open(server, names, tables).await?;
        let account = connection.account.clone();
        let scans = reader::start(server, names, connection, place);
        let database = server.database().to_owned();
        Ok(Self { database, account, view, scans, batches: None })
    }

    /// Refuses a table whose rows might come twice where nobody could tell.
    fn check_exact(&self, table: &Table) -> Result<(), SourceError> {
        if !table.schema.key.is_empty() {
            return Ok(());
        }
        let name = &table.schema.name;
        if !WITH_VIEWS.iter().any(|engine| engine.eq_ignore_ascii_case(&table.engine)) {
            return Err(SourceError::Unfit {
                what: format!(
                    "{name} has no key and is stored by {}, which shows no past state: rows that \
                     change while it is copied might come twice",
                    table.engine
                ),
                mend: format!("give {name} a primary key or ENGINE = InnoDB"),
            });
        }
        match self.view.inexact {
            None => Ok(()),
            Some(Inexact::Forbidden) => Err(preflight::lock_denied(&self.database, &self.account)),
            Some(Inexact::Busy) => Err(SourceError::Unfit {
                what: format!(
                    "{name} has no key, and the tables to be copied could not be locked for the \
                     moment in which a view is opened: a transaction that has changed one of them \
                     stays open"
                ),
                mend: format!("end that transaction, or give {name} a primary key"),
            }),
        }
    }
}

#[async_trait]
impl Snapshot for ServerSnapshot {
    fn position(&self) -> &GtidSet {
        &self.view.position
    }

    fn covers(&self, table: &TableName) -> bool {
        self.view.covered.contains(table)
    }

    fn schema(&self, table: &TableName) -> Option<Arc<TableSchema>> {
        self.view.tables.get(table).map(|table| Arc::clone(&table.schema))
    }

    async fn scan(&mut self, scan: Scan) -> Result<(), SourceError> {
        // A scan that goes on ends, and the view with it.
        self.batches = None;
        let table = self.view.tables.get(&scan.table);
        let table = table.ok_or_else(|| SourceError::NoSuchTable(scan.table.clone()))?;
        self.check_exact(table)?;
        let query = Query::new(table, &scan).map_err(|why| unplaced(&scan.table, why))?;
        let ((begun, beginning), (batches, given)) = (oneshot::channel(), mpsc::channel(1));
        let (table, batch) = (table.clone(), scan.batch);
        let order = Order { table, query, batch, begun, batches };
        self.scans.send(Box::new(order)).await.map_err(|_| expired())?;
        self.batches = Some(given);
        beginning.await.unwrap_or_else(|_| Err(expired()))
    }

    async fn next(&mut self) -> Result<Option<RowsEvent>, SourceError> {
        let Some(batches) = &mut self.batches else { return Ok(None) };
        match batches.recv().await {
            Some(Given::Rows(rows)) => Ok(Some(rows)),
            Some(Given::Failed(error)) => Err(error),
            Some(Given::End) => {
                self.batches = None;
                Ok(None)
            }
            None => Err(expired()),
        }
    }
}

const fn expired() -> SourceError {
    SourceError::SnapshotExpired(READ_IDLE_MAX)
}

fn unplaced(table: &TableName, why: Unplaced) -> SourceError {
    match why {
        Unplaced::Key => SourceError::Corrupt {
            context: format!("the last key copied does not fit the key of {table}"),
            source: None,
        },
        Unplaced::Unsorted => SourceError::Unfit {
            what: format!(
                "{table} has no key, and columns too long to sort it by: its copy cannot go on in \
                 the middle"
            ),
            mend: format!("copy again from the beginning, or give {table} a primary key"),
        },
    }
}

/// What shows tables as they were when a view was opened.
const WITH_VIEWS: &[&str] = &["InnoDB", "ROCKSDB", "TokuDB"];
