//! The rows of a statement, from the server's packets to batches of cells.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::cell::{Misfit, Printer};
use super::query::Query;
use super::reader::failed;
use super::thread::{SILENCE_MAX, Thread, silent};
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
    thread: Thread,
    /// The server may have to sort the table, or to look through it, before it sends more.
    may_take_long: bool,
    has_condition: bool,
    has_ended: bool,
}

impl Rows {
    pub fn new(schema: Arc<TableSchema>, printer: Printer, query: Query, thread: Thread) -> Self {
        let batch = RowsEvent::new(Arc::clone(&schema));
        let skip = query.skip.filter(|(_, copies)| *copies > 0);
        let has_condition = query.has_condition;
        let (may_take_long, has_ended) = (true, false);
        Self { schema, printer, batch, skip, thread, may_take_long, has_condition, has_ended }
    }

    /// What was read since the last batch.
    pub fn take(&mut self) -> RowsEvent {
        let empty = self.batch.with_same_room();
        let mut batch = std::mem::replace(&mut self.batch, empty);
        batch.shrink();
        batch
    }

    /// Reads until there is a batch, or no more, or the server pauses behind some rows. Cancel-safe.
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
                Ok(None) => self.push(packet, max),
                Ok(Some(_)) => {
                    self.has_ended = true;
                    ControlFlow::Break(Ok(()))
                }
                Err(error) => ControlFlow::Break(Err(failed(error))),
            });
            match read.map_err(failed)? {
                Some(read) => read?,
                None => {
                    let receive = conn.receive();
                    let received = if !self.batch.is_empty() {
                        match timeout(PAUSE_TIME_MAX, receive).await {
                            Ok(received) => received,
                            Err(_) => return Ok(()),
                        }
                    } else if self.may_take_long {
                        self.thread.while_at_work(receive).await?
                    } else {
                        timeout(SILENCE_MAX, receive).await.map_err(|_| silent())?
                    };
                    received.map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, packet: &[u8], max: BatchMax) -> ControlFlow<Result<(), SourceError>> {
        let Self { printer, batch, skip, .. } = self;
        self.may_take_long = self.has_condition;
        match push(printer, packet, skip, batch) {
            Ok(()) if max.is_met(batch) => ControlFlow::Break(Ok(())),
            Ok(()) => ControlFlow::Continue(()),
            Err(misfit) => ControlFlow::Break(Err(misfit.in_table(&self.schema))),
        }
    }
}

fn push(
    printer: &Printer,
    packet: &[u8],
    skip: &mut Option<(Vec<u8>, u64)>,
    batch: &mut RowsEvent,
) -> Result<(), Misfit> {
    let Some((cells, copies)) = skip else {
        return batch.push_with(Op::Insert, |out| {
            printer.print(packet, out)?;
            Ok(out.len())
        });
    };
    let mut image = Vec::new();
    printer.print(packet, &mut image)?;
    if *cells != image {
        batch.push_encoded(None, Some(&image));
        return Ok(());
    }
    *copies -= 1;
    *skip = skip.take().filter(|(_, copies)| *copies > 0);
    Ok(())
}

/// How long rows that are here wait for those behind them.
const PAUSE_TIME_MAX: Duration = Duration::from_millis(100);
