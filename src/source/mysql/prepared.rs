//! XA transactions between their prepare and their end.
//!
//! Their rows are kept, since only the end says whether they become real, and their GTID stays out
//! of every position, so that whoever resumes reads them again. A MySQL position can leave it out;
//! one of MariaDB says "all up to here", so there everything behind a prepared transaction of the
//! same domain waits for its end. Both are bounded: a transaction that nobody ends must not fill
//! the memory.

use std::collections::{HashMap, VecDeque};

use crate::event::{Event, Gtid, GtidSet, Timestamp};
use crate::source::SourceError;

/// The rows of a transaction that is not known to become real.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: Vec<Event>,
    bytes: usize,
}

impl Kept {
    pub fn push(&mut self, event: Event) {
        self.bytes += bytes(&event);
        self.events.push(event);
    }

    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn into_events(self) -> Vec<Event> {
        self.events
    }
}

/// All transactions that are prepared, and what waits for them.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    parked: HashMap<String, (Gtid, Kept)>,
    /// MariaDB: by domain, what waits in commit order, a prepared transaction first.
    lines: HashMap<u32, VecDeque<Place>>,
    bytes: usize,
}

#[derive(Debug)]
enum Place {
    Prepared(String),
    Ready(Kept),
}

impl Prepared {
    /// Whether what this GTID names has to wait for a prepared transaction.
    pub fn holds(&self, gtid: &Gtid) -> bool {
        domain(gtid).is_some_and(|domain| self.lines.contains_key(&domain))
    }

    /// Whether anything of these transactions still waits. What waits for a prepared transaction
    /// has a higher number in the same domain, so that a set which has it has that one, too.
    pub fn keeps_any_of(&self, set: &GtidSet) -> bool {
        self.parked.values().any(|(gtid, _)| set.contains(gtid))
    }

    /// Refuses to keep so many bytes more.
    pub fn check(&self, bytes: usize) -> Result<(), SourceError> {
        if self.bytes + bytes > PREPARED_BYTES_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    /// Keeps a transaction that was prepared.
    pub fn park(&mut self, xid: String, gtid: Gtid, kept: Kept) -> Result<(), SourceError> {
        self.check(kept.bytes())?;
        self.bytes += kept.bytes();
        if let Some(domain) = domain(&gtid) {
            self.lines.entry(domain).or_default().push_back(Place::Prepared(xid.clone()));
        }
        self.parked.insert(xid, (gtid, kept));
        Ok(())
    }

    /// The rows of a transaction that is prepared, for whoever looks for it alone.
    pub fn take(&mut self, xid: &str) -> Option<Vec<Event>> {
        self.parked.remove(xid).map(|(_, kept)| kept.into_events())
    }

    /// Lets what [`Self::holds`] wait.
    pub fn hold(&mut self, gtid: &Gtid, kept: Kept) -> Result<(), SourceError> {
        self.check(kept.bytes())?;
        self.bytes += kept.bytes();
        let domain = domain(gtid).unwrap_or_default();
        self.lines.entry(domain).or_default().push_back(Place::Ready(kept));
        Ok(())
    }

    /// The end of a prepared transaction, named `gtid`, and with a time if it is a commit: what
    /// can go out because of it. `None` if no such transaction was read.
    pub fn end(
        &mut self,
        xid: &str,
        gtid: Gtid,
        committed: Option<Timestamp>,
    ) -> Result<Option<Vec<Event>>, SourceError> {
        let Some((prepared, kept)) = self.parked.remove(xid) else { return Ok(None) };
        self.bytes -= kept.bytes();
        let mut events = vec![Event::Gtid(prepared)];
        let line = domain(&prepared);
        if line.is_none() {
            events.push(Event::Gtid(gtid));
        }
        match committed {
            Some(time) => {
                events.push(Event::Begin(time));
                events.extend(kept.into_events());
                events.push(Event::Commit(time));
            }
            None => events.push(Event::Other(0)),
        }
        let Some(line) = line else { return Ok(Some(events)) };
        self.fill(line, xid, events)?;
        let mut end = Kept::default();
        end.push(Event::Gtid(gtid));
        end.push(Event::Other(committed.unwrap_or_default()));
        self.hold(&gtid, end)?;
        Ok(Some(self.advance(line)))
    }

    /// Puts the events of a prepared transaction into its place.
    fn fill(&mut self, domain: u32, xid: &str, events: Vec<Event>) -> Result<(), SourceError> {
        let mut ready = Kept::default();
        for event in events {
            ready.push(event);
        }
        self.check(ready.bytes())?;
        self.bytes += ready.bytes();
        let line = self.lines.entry(domain).or_default();
        let place =
            line.iter_mut().find(|place| matches!(place, Place::Prepared(waits) if waits == xid));
        if let Some(place) = place {
            *place = Place::Ready(ready);
        }
        Ok(())
    }

    /// What no prepared transaction is in front of any more.
    fn advance(&mut self, domain: u32) -> Vec<Event> {
        let mut events = Vec::new();
        let Some(line) = self.lines.get_mut(&domain) else { return events };
        while let Some(Place::Ready(_)) = line.front() {
            if let Some(Place::Ready(kept)) = line.pop_front() {
                self.bytes -= kept.bytes();
                events.extend(kept.into_events());
            }
        }
        if line.is_empty() {
            self.lines.remove(&domain);
        }
        events
    }
}

fn too_large() -> SourceError {
    SourceError::Unfit {
        what: format!(
            "XA transactions that are prepared and not ended, and what waits for them, hold more \
             than {PREPARED_BYTES_MAX} bytes"
        ),
        mend: "end them with XA COMMIT or XA ROLLBACK (XA RECOVER lists them)".to_owned(),
    }
}

/// Where positions have no holes, what they are counted by.
const fn domain(gtid: &Gtid) -> Option<u32> {
    match gtid {
        Gtid::MariaDb { domain, .. } => Some(*domain),
        Gtid::Mysql { .. } => None,
    }
}

/// About what an event costs while it waits.
pub(super) fn bytes(event: &Event) -> usize {
    size_of::<Event>()
        + match event {
            Event::Row(rows) => rows.event.bytes(),
            Event::RowsQuery(text) => text.len(),
            Event::Ddl(ddl) => ddl.statement.len(),
            _ => 0,
        }
}

/// Bytes of rows that prepared transactions, and what waits for them, may hold per run of changes.
pub const PREPARED_BYTES_MAX: usize = 64 << 20;
