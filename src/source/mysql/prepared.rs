//! XA transactions between their prepare and their end.
//!
//! Their rows are kept, since only the end says whether they become real, and come with it. On MySQL
//! the GTID of the prepare stays out of every position until then, so that whoever resumes reads it
//! again. A position of MariaDB says "all up to here" and has no room for that: whoever resumes in
//! between looks the rows up, see [`super::lookback`]. What is kept is bounded: a transaction that
//! nobody ends must not fill the memory.

use std::collections::HashMap;

use super::ready;
use crate::event::{Event, Gtid, GtidSet};
use crate::source::SourceError;

/// The rows of a transaction that is not known to become real.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: Vec<Event>,
    bytes: usize,
}

impl Kept {
    pub fn push(&mut self, event: Event) {
        if ready::repeats(self.events.last(), &event) {
            return;
        }
        self.bytes += ready::bytes(&event);
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

    /// The GTID and the rows of a transaction that is not prepared any longer; `None` if no such
    /// transaction was read.
    pub fn take(&mut self, xid: &str) -> Option<(Gtid, Vec<Event>)> {
        let (gtid, kept) = self.parked.remove(xid)?;
        self.bytes -= kept.bytes();
        Some((gtid, kept.into_events()))
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

/// Bytes of rows that prepared transactions may hold per run of changes.
pub const PREPARED_BYTES_MAX: usize = 64 << 20;
