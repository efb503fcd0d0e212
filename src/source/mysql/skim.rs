//! A server's log without its rows, for whoever looks for something in it: which transactions there
//! are, what statements they hold, and which of them are only prepared.

use super::connect::Server;
use super::decode::{Binding, Decoded, Decoder};
use super::pump::Pump;
use super::transaction;
use crate::event::{Gtid, GtidSet};
use crate::source::{SourceError, Span};
use crate::sql::Logged;

/// A log being skimmed.
pub(super) struct Skim {
    pump: Pump,
    decoder: Decoder,
    /// Everything read to its end.
    read: GtidSet,
    until: Option<GtidSet>,
    /// The transaction or statement being read.
    named: Option<Gtid>,
    /// All of it was read.
    is_over: bool,
}

/// What stands in the log besides rows.
#[derive(Debug)]
pub(super) enum Line {
    /// A transaction or statement begins.
    Gtid(Gtid),
    /// A statement, and the database that was its own.
    Statement(Logged, String),
    /// The transaction of this identity is prepared, and not committed at once.
    Prepare(String),
}

impl Skim {
    /// Asks the server for the log.
    pub async fn open(server: &Server, span: Span) -> Result<Self, SourceError> {
        let pump = Pump::open(server, &span.start).await?;
        Ok(Self {
            decoder: Decoder::new(pump.flavour),
            pump,
            read: span.start,
            until: span.until,
            named: None,
            is_over: false,
        })
    }

    /// The transaction or statement that the last line is of.
    pub const fn named(&self) -> Option<Gtid> {
        self.named
    }

    /// Everything read to its end before that.
    pub const fn before(&self) -> &GtidSet {
        &self.read
    }

    /// The next line; `None` at the end of the span.
    pub async fn next(&mut self) -> Result<Option<Line>, SourceError> {
        loop {
            if std::mem::take(&mut self.is_over) {
                self.named.take().into_iter().for_each(|gtid| self.read.add(gtid));
            }
            if self.until.as_ref().is_some_and(|until| self.read.contains_set(until)) {
                return Ok(None);
            }
            let event = self.pump.next().await?;
            let decoded = self.decoder.push(event.raw());
            let decoded = decoded.map_err(|error| self.pump.corrupt(error))?;
            if let Some(line) = self.line(decoded) {
                return Ok(Some(line));
            }
        }
    }

    fn line(&mut self, decoded: Decoded) -> Option<Line> {
        match decoded {
            Decoded::TableMap { id, bound: false } => {
                let skipped = self.decoder.bind(id, Binding::Skip);
                skipped.expect("only rows can be refused");
            }
            Decoded::Gtid { gtid, .. } => {
                self.named.replace(gtid).into_iter().for_each(|gtid| self.read.add(gtid));
                return Some(Line::Gtid(gtid));
            }
            Decoded::Query(query) => {
                let logged = Logged::read(&query.statement);
                self.is_over = logged.ends_transaction();
                return Some(Line::Statement(logged, query.database));
            }
            Decoded::XaPrepare { one_phase, xid } => {
                self.is_over = true;
                return (!one_phase).then(|| Line::Prepare(transaction::key(&xid.to_string())));
            }
            Decoded::Xid | Decoded::Heartbeat { .. } => self.is_over = true,
            other => self.pump.note(&other),
        }
        None
    }
}
