//! Follows a server's log: raw events in, a source's events out.
//!
//! One connection reads the log; questions about schemas, which are rare, have one of their own.
//! Nothing is read ahead of the caller but what has arrived already.

use std::sync::Arc;

use async_trait::async_trait;

use super::connect::Server;
use super::decode::{Binding, DecodeError, Decoded, Decoder, LogEvent, RowsError, TableId};
use super::lookback::{Missing, Prepare, SEARCH_TIME_MAX, Searches};
use super::names::Names;
use super::pump::Pump;
use super::shapes::{self, Shapes};
use super::transaction::{Assembler, Lacking};
use crate::event::{Event, Gtid, GtidSet, TableName, Unreadable};
use crate::source::{Changes, Scope, SourceError, Span};

/// A run of changes of a server.
pub(super) struct LogChanges {
    server: Server,
    searches: Arc<Searches>,
    pump: Pump,
    decoder: Decoder,
    assembler: Assembler,
    shapes: Shapes,
    names: Names,
    scope: Scope,
    /// Where the run ends; none goes on for ever.
    goal: Option<Goal>,
    /// A table map whose rows nobody has said yet how to decode.
    unbound: Option<TableId>,
    /// What went wrong behind the events that are handed out first.
    failed: Option<SourceError>,
}

/// Where a run ends.
#[derive(Debug)]
enum Goal {
    /// All of this was handed over.
    Emitted(GtidSet),
    /// This first half of an XA transaction was read.
    Prepared(Gtid),
}

impl LogChanges {
    /// Asks the server for the log.
    pub async fn open(
        server: &Server,
        searches: &Arc<Searches>,
        names: Names,
        span: Span,
        scope: Scope,
    ) -> Result<Self, SourceError> {
        let pump = Pump::open(server, &span.start).await?;
        let names = names.spelled(pump.folds_names);
        Ok(Self {
            decoder: Decoder::new(pump.flavour),
            assembler: Assembler::new(names.clone(), span.start),
            shapes: Shapes::new(server.clone(), names.clone()),
            server: server.clone(),
            searches: Arc::clone(searches),
            pump,
            names,
            scope,
            goal: span.until.map(Goal::Emitted),
            unbound: None,
            failed: None,
        })
    }

    fn is_done(&self) -> bool {
        let is_reached = match &self.goal {
            None => false,
            Some(Goal::Emitted(until)) => self.assembler.has_emitted(until),
            Some(Goal::Prepared(gtid)) => self.assembler.read().contains(gtid),
        };
        is_reached && self.assembler.is_between_transactions()
    }

    /// Reads until there are events and nothing more has arrived, or enough of them, or the server
    /// has to be asked for what comes next, which takes its time.
    async fn read(&mut self) -> Result<(), SourceError> {
        while !self.is_done() && self.assembler.bytes() < BATCH_BYTES {
            if let Some(lacking) = self.assembler.lacking().cloned() {
                if !self.assembler.is_empty() {
                    return Ok(());
                }
                let rows = match self.prepared_before(&lacking).await? {
                    Ok(rows) => rows,
                    Err(missing) => vec![missing.event(&self.server, &lacking)],
                };
                self.assembler.supply(&lacking, rows)?;
                continue;
            }
            if let Some(id) = self.unbound {
                let table = self.wanted(id);
                if table.is_some() && !self.assembler.is_empty() {
                    return Ok(());
                }
                self.bind(id, table).await?;
                self.unbound = None;
            }
            let event = if self.assembler.is_empty() {
                self.pump.next().await?
            } else {
                match self.pump.ready().await {
                    Some(event) => event?,
                    None => return Ok(()),
                }
            };
            self.push(&event)?;
        }
        Ok(())
    }

    /// The rows of an XA transaction whose prepare this run has not read.
    async fn prepared_before(
        &self,
        lacking: &Lacking,
    ) -> Result<Result<Vec<Event>, Missing>, SourceError> {
        let found = self.searches.find(&self.server, &self.pump.start, lacking).await?;
        let Prepare { gtid, before } = match found {
            Ok(prepare) => prepare,
            Err(missing) => return Ok(Err(missing)),
        };
        let read = async {
            let span = Span { start: before, until: None };
            let (names, scope) = (self.names.clone(), self.scope.clone());
            let mut before = Self::open(&self.server, &self.searches, names, span, scope).await?;
            before.goal = Some(Goal::Prepared(gtid));
            while !before.is_done() {
                Box::pin(before.read()).await?;
                before.assembler.take();
            }
            Ok(before.assembler.take_prepared(&lacking.xid).ok_or(Missing::Purged))
        };
        match tokio::time::timeout(SEARCH_TIME_MAX, read).await {
            // The log was cut meanwhile.
            Ok(Err(SourceError::Purged { .. } | SourceError::LogRefused { .. })) => {
                Ok(Err(Missing::Purged))
            }
            Ok(read) => read,
            Err(_) => Ok(Err(Missing::Late)),
        }
    }

    /// The table of a table map if its rows are read.
    fn wanted(&self, id: TableId) -> Option<TableName> {
        let map = self.decoder.table_map(id).expect(TOLD);
        let name = self.names.table(&map.database, &map.table);
        name.filter(|name| self.scope.has(name))
    }

    async fn bind(&mut self, id: TableId, table: Option<TableName>) -> Result<(), SourceError> {
        let map = self.decoder.table_map(id).expect(TOLD);
        let place = (self.assembler.read(), self.assembler.named());
        let binding = match &table {
            Some(name) => self.shapes.of(name, map, place).await?,
            None => Binding::Skip,
        };
        if let (Err(mismatch), Some(name)) = (self.decoder.bind(id, binding), &table) {
            let unreadable = self.decoder.bind(id, shapes::unfit(name, &mismatch));
            unreadable.expect("only rows can be refused");
        }
        Ok(())
    }

    fn push(&mut self, event: &LogEvent) -> Result<(), SourceError> {
        let raw = event.raw();
        let open_rows = self.assembler.open_rows();
        let decoded = match self.decoder.push_onto(raw, open_rows) {
            Err(DecodeError::Rows(error)) => {
                let why = undecodable(&error, self.assembler.named());
                Decoded::RowsUnreadable(Arc::new(why))
            }
            decoded => decoded.map_err(|error| self.pump.corrupt(error))?,
        };
        if let Decoded::TableMap { id, bound } = decoded {
            self.unbound = (!bound).then_some(id);
            return Ok(());
        }
        let changed = self.pump.assemble(decoded, raw.timestamp.into(), &mut self.assembler)?;
        self.shapes.changed(&changed);
        Ok(())
    }
}

#[async_trait]
impl Changes for LogChanges {
    async fn next(&mut self) -> Result<Option<Vec<Event>>, SourceError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Err(error) = self.read().await {
            if self.assembler.is_empty() {
                return Err(error);
            }
            self.failed = Some(error);
        }
        let events = self.assembler.take();
        // Nothing is left to be handed out only at the end.
        Ok((!events.is_empty()).then_some(events))
    }
}

/// Rows that are not what their table map says. Others of the table may be: who begins behind them
/// goes on.
fn undecodable(error: &RowsError, gtid: Option<Gtid>) -> Unreadable {
    let because = std::error::Error::source(error).map(|fault| format!(": {fault}"));
    let after = gtid.map(|gtid| format!("begin at a position with {gtid} in it"));
    let after = after.unwrap_or_default();
    let mend = match error {
        RowsError::PartialJson { .. } => format!(
            "run SET GLOBAL binlog_row_value_options = '' or binlog_row_image = 'FULL', let all \
             sessions log in again, and {after}"
        ),
        RowsError::Layout { .. } | RowsError::Cell { .. } => after,
    };
    let what = format!("{error}{}", because.unwrap_or_default());
    Unreadable { tables: vec![error.table().clone()], what, mend }
}

const TOLD: &str = "the decoder has just told of it";
/// About how many bytes of events are handed out at once.
const BATCH_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::super::decode::Fault;
    use super::*;

    fn check(error: &RowsError, expected: &str) {
        let gtid = Gtid::MariaDb { domain: 0, server: 1, sequence: 7 };
        let Unreadable { tables, what, mend } = undecodable(error, Some(gtid));
        assert_eq!(tables, [TableName::new("ks", "t")]);
        assert_eq!(format!("{what}; {mend}"), expected);
    }

    #[test]
    fn rows_that_cannot_be_decoded_are_told_with_the_way_past_them() {
        let (table, column) = (TableName::new("ks", "t"), Box::from("c"));
        check(
            &RowsError::Layout { table: table.clone(), fault: Fault::ColumnCount },
            "decode rows of ks.t: the number of columns is not that of the table map; begin at a \
             position with 0-1-7 in it",
        );
        check(
            &RowsError::Cell {
                table: table.clone(),
                column: Box::clone(&column),
                fault: Fault::Range,
            },
            "decode column c of ks.t: a value is outside of its type; begin at a position with \
             0-1-7 in it",
        );
        check(
            &RowsError::PartialJson { table, column },
            "column c of ks.t was logged as a change of a document that is not in the log; run SET \
             GLOBAL binlog_row_value_options = '' or binlog_row_image = 'FULL', let all sessions \
             log in again, and begin at a position with 0-1-7 in it",
        );
    }
}
