//! XA transactions between their prepare and their end.
//!
//! Their rows are kept, since only the end says whether they become real, and come with it. On MySQL
//! the GTID of the prepare stays out of every position until then, so that whoever resumes reads it
//! again. A position of MariaDB says "all up to here" and has no room for that: whoever resumes in
//! between looks the rows up, see [`super::lookback`]. What is kept is bounded: a transaction that
//! nobody ends must not fill the memory.

use std::collections::HashMap;
use std::sync::Arc;

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
        if repeats(self.events.last(), &event) {
            return;
        }
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

/// All transactions that are prepared.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    parked: HashMap<String, (Gtid, Kept)>,
    bytes: usize,
}

impl Prepared {
    /// Whether any of these is not told before its end.
    pub fn keeps_any_of(&self, set: &GtidSet) -> bool {
        self.parked.values().any(|(gtid, _)| waits(gtid) && set.contains(gtid))
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
        self.parked.insert(xid, (gtid, kept));
        Ok(())
    }

    /// The rows of a transaction that is prepared, for whoever looks for it alone.
    pub fn take(&mut self, xid: &str) -> Option<Vec<Event>> {
        self.parked.remove(xid).map(|(_, kept)| kept.into_events())
    }

    /// The end of a prepared transaction, named `gtid`, and with a time if it is a commit: what
    /// can go out because of it. `None` if no such transaction was read.
    pub fn end(
        &mut self,
        xid: &str,
        gtid: Gtid,
        committed: Option<Timestamp>,
    ) -> Option<Vec<Event>> {
        let (prepared, kept) = self.parked.remove(xid)?;
        self.bytes -= kept.bytes();
        let first = waits(&prepared).then_some(Event::Gtid(prepared));
        let mut events: Vec<_> = first.into_iter().chain([Event::Gtid(gtid)]).collect();
        match committed {
            Some(time) => {
                events.push(Event::Begin(time));
                events.extend(kept.into_events());
                events.push(Event::Commit(time));
            }
            None => events.push(Event::Other(0)),
        }
        Some(events)
    }
}

/// Whether the GTID of a prepare can be left out of positions until the end.
pub(super) const fn waits(gtid: &Gtid) -> bool {
    matches!(gtid, Gtid::Mysql { .. })
}

fn too_large() -> SourceError {
    SourceError::Unfit {
        what: format!(
            "XA transactions that are prepared and not ended hold more than {PREPARED_BYTES_MAX} \
             bytes"
        ),
        mend: "end them with XA COMMIT or XA ROLLBACK (XA RECOVER lists them)".to_owned(),
    }
}

/// Whether it says nothing but what the event before it says: many changes that cannot be shown have
/// one reason.
pub(super) fn repeats(last: Option<&Event>, event: &Event) -> bool {
    match (last, event) {
        (Some(Event::Unreadable(last)), Event::Unreadable(why)) => {
            Arc::ptr_eq(last, why) || last == why
        }
        _ => false,
    }
}

/// About what an event costs while it waits.
pub(super) fn bytes(event: &Event) -> usize {
    size_of::<Event>()
        + match event {
            Event::Row(rows) => rows.event.bytes(),
            Event::RowsQuery(text) => text.len(),
            Event::Ddl(ddl) => ddl.statement.len(),
            Event::Unreadable(why) => why.what.len() + why.mend.len(),
            _ => 0,
        }
}

/// Bytes of rows that prepared transactions may hold per run of changes.
pub const PREPARED_BYTES_MAX: usize = 64 << 20;
