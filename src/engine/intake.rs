//! A source's events as parts for a log: checks their order and cuts large transactions.

use std::fmt;

use crate::event::{Event, Gtid, OrderError, SourceOrder, Timestamp};

use super::log::Part;

/// Why a source's events cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum IntakeError {
    Order(OrderError),
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
    prepared: Option<Gtid>,
    open: Option<Open>,
    /// A transaction that broke off and has parts in the log.
    broken: Option<Gtid>,
}

/// The transaction being read.
#[derive(Debug)]
struct Open {
    gtid: Gtid,
    prepared: Option<Gtid>,
    /// None of it is in the log yet.
    first: bool,
    events: Vec<Event>,
    bytes: usize,
    /// There are rows among `events`, or what stands in their place.
    has_changes: bool,
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
        Self {
            order: SourceOrder::new(),
            part_bytes,
            gtid: None,
            prepared: None,
            open: None,
            broken: None,
        }
    }

    /// The source will be read again after the last complete transaction. One that broke off comes
    /// again from its first part: who has seen some of it skips that by count.
    pub fn reconnect(&mut self) {
        self.order = SourceOrder::new();
        (self.gtid, self.prepared) = (None, None);
        if let Some(open) = self.open.take().filter(|open| !open.first) {
            self.broken = Some(open.gtid);
        }
    }

    /// Whether the last event ended a transaction.
    pub const fn is_between_transactions(&self) -> bool {
        self.open.is_none() && self.gtid.is_none()
    }

    pub fn take(&mut self, events: Vec<Event>) -> Result<Taken, Box<IntakeError>> {
        let mut taken = Taken::default();
        for event in events {
            self.order.push(&event).map_err(|error| Box::new(IntakeError::Order(error)))?;
            match event {
                Event::Gtid(gtid) => self.prepared = self.gtid.replace(gtid),
                Event::Heartbeat(time) => taken.heartbeat = Some(time),
                Event::Begin(_) => self.begin(event)?,
                // One that fills its table stands inside of its transaction.
                Event::Ddl(_) if self.open.is_some() => self.push(event),
                Event::Ddl(_) | Event::Other(_) => self.begin(event)?,
                Event::Row(_)
                | Event::RowsQuery(_)
                | Event::Unreadable(_)
                | Event::Journal(_)
                | Event::Commit(_) => self.push(event),
                // Rows carry their shape.
                Event::Field(_) => {}
                Event::Vgtid(_) | Event::CopyCompleted(_) => {}
            }
            self.flush(&mut taken.parts);
        }
        Ok(taken)
    }

    fn begin(&mut self, event: Event) -> Result<(), Box<IntakeError>> {
        let gtid = self.gtid.take().expect("the order puts a GTID before this");
        if let Some(broken) = self.broken.filter(|broken| *broken != gtid) {
            return Err(Box::new(IntakeError::Replaced { gtid: broken, by: gtid }));
        }
        let bytes = event_bytes(&event);
        let prepared = self.prepared.take();
        let events = vec![event];
        self.open = Some(Open { gtid, prepared, first: true, events, bytes, has_changes: false });
        Ok(())
    }

    fn push(&mut self, event: Event) {
        if let Some(open) = &mut self.open {
            open.bytes += event_bytes(&event);
            open.has_changes |= matches!(event, Event::Row(_) | Event::Unreadable(_));
            open.events.push(event);
        }
    }

    fn flush(&mut self, parts: &mut Vec<Part>) {
        let Some(open) = &mut self.open else { return };
        let last = match open.events.as_slice() {
            [.., Event::Commit(_)] => true,
            [Event::Ddl(_) | Event::Other(_)] => open.first,
            _ => false,
        };
        if !last && (open.bytes < self.part_bytes || !open.has_changes) {
            return;
        }
        let bytes = open.bytes + PART_BYTES;
        let events = std::mem::take(&mut open.events);
        parts.push(Part {
            gtid: open.gtid,
            prepared: open.prepared,
            first: open.first,
            last,
            events,
            bytes,
        });
        open.first = false;
        open.bytes = 0;
        open.has_changes = false;
        if last {
            self.open = None;
            self.broken = None;
        }
    }
}

fn event_bytes(event: &Event) -> usize {
    let own = match event {
        Event::RowsQuery(text) => text.len(),
        Event::Ddl(ddl) => ddl.statement.len(),
        Event::Unreadable(unreadable) => unreadable.what.len() + unreadable.mend.len(),
        Event::Row(rows) => rows.event.bytes(),
        _ => 0,
    };
    own + size_of::<Event>()
}

impl fmt::Display for IntakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(error) => write!(f, "{error}"),
            Self::Replaced { gtid, by } => {
                write!(f, "transaction {gtid} broke off and {by} came in its place")
            }
        }
    }
}

/// What a part costs beside its events.
const PART_BYTES: usize = size_of::<Part>() + 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::Unreadable;

    #[test]
    fn a_transaction_that_cannot_be_shown_is_cut_as_well() {
        let (what, mend) = ("w".repeat(100), "m".repeat(100));
        let unreadable = Event::Unreadable(Arc::new(Unreadable { tables: Vec::new(), what, mend }));
        let gtid = Gtid::MariaDb { domain: 0, server: 1, sequence: 1 };
        let mut events = vec![Event::Gtid(gtid), Event::Begin(1)];
        events.extend(std::iter::repeat_n(unreadable, 100));
        events.push(Event::Commit(1));
        let parts = Intake::new(1000).take(events).unwrap().parts;
        assert!(parts.len() > 10, "{}", parts.len());
        assert!(parts.iter().all(|part| part.bytes < 1000 + 1000), "{parts:?}");
        let shape: Vec<_> = parts.iter().map(|part| (part.first, part.last)).collect();
        assert_eq!((shape.first(), shape.last()), (Some(&(true, false)), Some(&(false, true))));
    }
}
