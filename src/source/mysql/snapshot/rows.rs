//! The rows of a statement, from the server's packets to batches of cells.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::cell::{Misfit, Printer};
use super::reader::{SORT_TIME_MAX, failed};
use crate::event::{Op, RowsEvent, TableSchema};
use crate::source::mysql::connect::Server;
use crate::source::mysql::protocol::{RawConnection, end};
use crate::source::{BatchMax, SourceError};

/// The rows that a connection is about to be sent.
pub(super) struct Rows {
    schema: Arc<TableSchema>,
    printer: Printer,
    batch: RowsEvent,
    skip: Option<(Vec<u8>, u64)>,
    /// The first row may take as long as sorting the table.
    has_begun: bool,
    has_ended: bool,
}

impl Rows {
    pub fn new(schema: Arc<TableSchema>, printer: Printer, skip: Option<(Vec<u8>, u64)>) -> Self {
        let batch = RowsEvent::new(Arc::clone(&schema));
        Self { schema, printer, batch, skip, has_begun: false, has_ended: false }
    }

    /// What was read since the last batch.
    pub fn take(&mut self) -> RowsEvent {
        let empty = self.batch.with_same_room();
        let mut batch = std::mem::replace(&mut self.batch, empty);
        batch.shrink();
        batch
    }

    /// Reads until there is a batch, or no more. Cancel-safe.
    pub async fn read(
        &mut self,
        conn: &mut RawConnection,
        server: &Server,
        max: BatchMax,
    ) -> Result<(), SourceError> {
        let schema = Arc::clone(&self.schema);
        let failed = |error| failed(server, &schema.name, error);
        while !self.has_ended && !max.is_met(&self.batch) {
            let read = conn.read_received(|packet| match end(packet) {
                Ok(None) => self.push(packet),
                Ok(Some(_)) => {
                    self.has_ended = true;
                    Ok(())
                }
                Err(error) => Err(failed(error)),
            });
            match read.map_err(failed)? {
                Some(read) => {
                    self.has_begun = true;
                    read?;
                }
                None => {
                    let limit = if self.has_begun { ROW_TIME_MAX } else { SORT_TIME_MAX };
                    let received = timeout(limit, conn.receive()).await;
                    received.map_err(|_| silent(limit))?.map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, packet: &[u8]) -> Result<(), SourceError> {
        let Self { printer, batch, skip, .. } = self;
        let pushed = push(printer, packet, skip, batch);
        pushed.map_err(|misfit| misfit.in_table(&self.schema))
    }
}

fn push(
    printer: &Printer,
    packet: &[u8],
    skip: &mut Option<(Vec<u8>, u64)>,
    batch: &mut RowsEvent,
) -> Result<(), Misfit> {
    let Some(skip) = skip else {
        return batch.push_with(Op::Insert, |out| {
            printer.print(packet, out)?;
            Ok(out.len())
        });
    };
    let mut image = Vec::new();
    printer.print(packet, &mut image)?;
    if !is_skipped(skip, &image) {
        batch.push_encoded(None, Some(&image));
    }
    Ok(())
}

/// Whether a row was read before, by an earlier scan.
fn is_skipped((cells, copies): &mut (Vec<u8>, u64), image: &[u8]) -> bool {
    let is_skipped = *copies > 0 && cells == image;
    *copies -= u64::from(is_skipped);
    is_skipped
}

/// What it means that the server sends nothing.
pub(super) fn silent(limit: Duration) -> SourceError {
    SourceError::Disconnected {
        context: format!("the server has sent no row for {limit:?}"),
        source: None,
    }
}

/// For each further row.
const ROW_TIME_MAX: Duration = Duration::from_secs(300);
