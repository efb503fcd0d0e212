//! A source's events as parts for a log: checks their order and cuts large transactions.

use std::fmt;

use crate::event::{Event, Gtid, OrderError, Rows, SourceOrder, Timestamp};

use super::log::Part;

/// Why a source's events cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IntakeError {
    Order(OrderError),
    /// A transaction that was read again has fewer row changes than before.
    Recount {
        gtid: Gtid,
        found: u64,
        sent: u64,
    },
    /// A transaction broke off, and another one came when it was read again.
    Replaced {
        gtid: Gtid,
        by: Gtid,
    },
}

/// Takes the events of one log's source, over reconnects.
#[derive(Debug)]
pub(super) struct Intake {
    order: SourceOrder,
    part_bytes: usize,
    gtid: Option<Gtid>,
    open: Option<Open>,
    /// A transaction that broke off, and the row changes of it that are in the log.
    broken: Option<(Gtid, u64)>,
}

/// The transaction being read.
#[derive(Debug)]
struct Open {
    gtid: Gtid,
    /// None of it is in the log yet.
    first: bool,
    events: Vec<Event>,
    bytes: usize,
    /// Row changes read, and how many of them the log has had before.
    counted: u64,
    skip: u64,
}

/// What came of some events.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub parts: Vec<Part>,
    /// The newest time told outside of transactions.
    pub heartbeat: Option<Timestamp>,
}

impl Intake {
    pub fn new(part_bytes: usize) -> Self {
        Self { order: SourceOrder::new(), part_bytes, gtid: None, open: None, broken: None }
    }

    /// The source will be read again after the last complete transaction.
    pub fn reconnect(&mut self) {
        self.order = SourceOrder::new();
        self.gtid = None;
        if let Some(open) = self.open.take() {
            let sent = open.counted.saturating_sub(open.pending()).max(open.skip);
            if !open.first {
                self.broken = Some((open.gtid, sent));
            }
        }
    }

    /// Whether the last event ended a transaction, and none is to be completed by reading again.
    pub fn is_between_transactions(&self) -> bool {
        self.open.is_none() && self.gtid.is_none() && self.broken.is_none()
    }

    pub fn take(&mut self, events: Vec<Event>) -> Result<Taken, Box<IntakeError>> {
        let mut taken = Taken::default();
        for event in events {
            self.order.push(&event).map_err(|error| Box::new(IntakeError::Order(error)))?;
            match event {
                Event::Gtid(gtid) => self.gtid = Some(gtid),
                Event::Heartbeat(time) => taken.heartbeat = Some(time),
                Event::Begin(_) => self.begin(event)?,
                Event::Ddl(_) | Event::Other(_) => self.begin(event)?,
                Event::Row(rows) => self.rows(rows),
                Event::RowsQuery(_) | Event::Journal(_) | Event::Commit(_) => self.push(event),
                // Rows carry their shape.
                Event::Field(_) => {}
                Event::Vgtid(_) | Event::CopyCompleted(_) => {}
            }
            self.flush(&mut taken.parts)?;
        }
        Ok(taken)
    }

    fn begin(&mut self, event: Event) -> Result<(), Box<IntakeError>> {
        let gtid = self.gtid.take().expect("the order puts a GTID before this");
        let skip = match self.broken.take() {
            None => 0,
            Some((broken, sent)) if broken == gtid => sent,
            Some((broken, _)) => {
                return Err(Box::new(IntakeError::Replaced { gtid: broken, by: gtid }));
            }
        };
        // What was broken off has its BEGIN in the log.
        let events = if skip == 0 { vec![event] } else { Vec::new() };
        self.open = Some(Open { gtid, first: skip == 0, events, bytes: 0, counted: 0, skip });
        Ok(())
    }

    fn push(&mut self, event: Event) {
        if let Some(open) = &mut self.open {
            open.bytes += event_bytes(&event);
            // A query or journal before rows that the log has is there as well.
            if open.counted >= open.skip || matches!(event, Event::Commit(_)) {
                open.events.push(event);
            }
        }
    }

    fn rows(&mut self, mut rows: Rows) {
        let Some(open) = &mut self.open else { return };
        let known = open.skip.saturating_sub(open.counted);
        open.counted += rows.range.len() as u64;
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(rows.range.len());
        rows.range.start += known;
        if !rows.range.is_empty() {
            open.bytes += rows.event.bytes();
            open.events.push(Event::Row(rows));
        }
    }

    fn flush(&mut self, parts: &mut Vec<Part>) -> Result<(), Box<IntakeError>> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let last =
            matches!(open.events.last(), Some(Event::Commit(_) | Event::Ddl(_) | Event::Other(_)));
        if last && open.counted < open.skip {
            let (gtid, found, sent) = (open.gtid, open.counted, open.skip);
            return Err(Box::new(IntakeError::Recount { gtid, found, sent }));
        }
        if !last && open.bytes < self.part_bytes {
            return Ok(());
        }
        if !last && open.pending() == 0 {
            return Ok(());
        }
        let bytes = open.bytes + PART_BYTES;
        let events = std::mem::take(&mut open.events);
        parts.push(Part { gtid: open.gtid, first: open.first, last, events, bytes });
        open.first = false;
        open.bytes = 0;
        if last {
            self.open = None;
        }
        Ok(())
    }
}

impl Open {
    /// Row changes that wait to go into the log.
    fn pending(&self) -> u64 {
        let changes = |event: &Event| match event {
            Event::Row(rows) => rows.range.len() as u64,
            _ => 0,
        };
        self.events.iter().map(changes).sum()
    }
}

fn event_bytes(event: &Event) -> usize {
    let own = match event {
        Event::RowsQuery(text) => text.len(),
        Event::Ddl(ddl) => ddl.statement.len(),
        Event::Row(rows) => rows.event.bytes(),
        _ => 0,
    };
    own + size_of::<Event>()
}

impl fmt::Display for IntakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(error) => write!(f, "{error}"),
            Self::Recount { gtid, found, sent } => {
                write!(f, "transaction {gtid} has {found} row changes, but had {sent} before")
            }
            Self::Replaced { gtid, by } => {
                write!(f, "transaction {gtid} broke off and {by} came in its place")
            }
        }
    }
}

/// What a part costs beside its events.
const PART_BYTES: usize = size_of::<Part>() + 64;
