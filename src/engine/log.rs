//! A bounded ring of recent transactions, and the rule by which a cursor may enter it.
//!
//! **The cursor rule.** A cursor may enter the log if its set contains everything that the log no
//! longer holds; it then skips each transaction that its set contains. Attaching, meeting the log
//! after a catch-up, and moving to a server with another commit order are all this one rule.
//!
//! The ring never waits for its readers: who is too slow finds its place gone and is lagged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::event::{Event, Gtid, GtidSet, Timestamp};
use crate::source::{Scope, SourceError};

use super::intake::IntakeError;

/// A whole transaction, a part of a large one, or a statement outside of transactions.
#[derive(Debug)]
pub(super) struct Part {
    pub gtid: Gtid,
    /// Under which name the transaction was prepared: it is in no position before `gtid` is.
    pub prepared: Option<Gtid>,
    /// The transaction begins here.
    pub first: bool,
    /// The transaction ends here.
    pub last: bool,
    /// The source's events without GTID and FIELD: rows know their shape.
    pub events: Vec<Event>,
    pub bytes: usize,
}

/// Why nothing more will come.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The source failed.
    Failed(Arc<SourceError>),
    /// The source's events make no sense.
    Broken(Arc<IntakeError>),
    /// The reader was stopped in favour of others; nothing is wrong.
    Retired,
}

/// What a look into the log finds.
#[derive(Debug)]
pub(super) enum Read {
    Part(Arc<Part>),
    /// Everything was read; wait for [`Log::changed`].
    Empty,
    /// The place is no longer held.
    Lagged,
    Ended(End),
}

/// A log shared by the one who fills it and any number of cursors.
#[derive(Debug)]
pub(super) struct Log {
    ring: Mutex<Ring>,
    bytes_max: usize,
    /// Only what a cursor has read may go: its reader waits instead.
    keeps_unread: bool,
    changed: Notify,
    /// Told when the furthest cursor moves.
    read: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    parts: VecDeque<Arc<Part>>,
    /// The index of `parts[0]`; indexes are never used twice.
    front: u64,
    bytes: usize,
    /// Everything that a cursor must have seen in order to enter at the front.
    first: GtidSet,
    /// `first` and every complete transaction behind it.
    last: GtidSet,
    /// From where on which tables are read. Empty before the first reading.
    segments: VecDeque<Segment>,
    timestamp: Timestamp,
    /// Bytes appended, and those of them that the furthest cursor has read.
    appended: u64,
    furthest: u64,
    furthest_bytes: u64,
    end: Option<End>,
}

#[derive(Debug)]
struct Segment {
    index: u64,
    /// The log's last set when the segment began.
    before: GtidSet,
    scope: Scope,
}

impl Log {
    /// A tail's log, which lets go of what is oldest.
    pub fn of_tail(bytes_max: usize) -> Self {
        Self::new(bytes_max, false)
    }

    /// A catch-up reader's log: what no cursor has read stays, even beyond the bound.
    pub fn of_reader(bytes_max: usize) -> Self {
        Self::new(bytes_max, true)
    }

    fn new(bytes_max: usize, keeps_unread: bool) -> Self {
        Self {
            ring: Mutex::default(),
            bytes_max,
            keeps_unread,
            changed: Notify::new(),
            read: Notify::new(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no one panics while holding the log")
    }

    /// Empties the log; what comes next follows `position`.
    pub fn reset(&self, position: GtidSet) {
        let mut ring = self.ring();
        // One further than the end: who has read all of the old log is lagged in the new one, too.
        let front = ring.front + ring.parts.len() as u64 + 1;
        let timestamp = ring.timestamp;
        *ring = Ring {
            front,
            first: position.clone(),
            last: position,
            timestamp,
            furthest: front,
            ..Ring::default()
        };
    }

    /// From here on rows of the tables of `scope` are in the log.
    pub fn open_segment(&self, scope: Scope) {
        let mut ring = self.ring();
        let reads = |ring: &Ring| ring.segments.back().is_some_and(|last| last.scope == scope);
        // Reading again after a broken connection changes nothing.
        if reads(&ring) {
            return;
        }
        let index = ring.front + ring.parts.len() as u64;
        // Nothing was read under the scope before this one, if a server is quiet.
        ring.segments.pop_back_if(|last| last.index == index);
        if !reads(&ring) {
            let before = ring.last.clone();
            ring.segments.push_back(Segment { index, before, scope });
        }
        drop(ring);
        self.changed.notify_waiters();
    }

    /// Appends parts and lets go of the oldest ones beyond the bound; the newest always stays.
    pub fn append(&self, parts: impl IntoIterator<Item = Part>) {
        let mut ring = self.ring();
        for part in parts {
            ring.push(part);
        }
        while ring.bytes > self.bytes_max
            && ring.parts.len() > 1
            && (!self.keeps_unread || ring.front < ring.furthest)
        {
            ring.evict();
        }
        drop(ring);
        self.changed.notify_waiters();
    }

    /// Notes that the source had nothing else up to this time.
    pub fn note_time(&self, timestamp: Timestamp) {
        let mut ring = self.ring();
        ring.timestamp = ring.timestamp.max(timestamp);
    }

    /// Nothing more will come. What is held can still be read, but for a retired reader's.
    pub fn end(&self, end: End) {
        let mut ring = self.ring();
        if matches!(end, End::Retired) {
            ring.front += ring.parts.len() as u64;
            ring.parts = VecDeque::new();
            ring.bytes = 0;
        }
        ring.end = Some(end);
        drop(ring);
        self.changed.notify_waiters();
    }

    /// Where a cursor that has seen `seen` and wants `scope` may begin to read.
    pub fn enter(&self, seen: &GtidSet, scope: &Scope) -> Option<u64> {
        let ring = self.ring();
        // What nobody wanted any more was left out from the next segment on.
        let lacks = |segment: &Segment| !segment.scope.covers(scope);
        let at = ring.segments.iter().rposition(lacks).map_or(0, |lacking| lacking + 1);
        let segment = ring.segments.get(at)?;
        let needed = if at == 0 { &ring.first } else { &segment.before };
        seen.contains_set(needed).then_some(segment.index.max(ring.front))
    }

    /// The end of the log and everything before it, once it is read under a scope that covers this.
    pub fn now(&self, scope: &Scope) -> Option<GtidSet> {
        let ring = self.ring();
        let covered = ring.segments.back().is_some_and(|segment| segment.scope.covers(scope));
        covered.then(|| ring.last.clone())
    }

    /// Everything that has been read completely, of whatever tables; none if nothing is being read.
    pub fn known(&self) -> Option<GtidSet> {
        let ring = self.ring();
        let reads = ring.end.is_none() && !ring.segments.is_empty();
        reads.then(|| ring.last.clone())
    }

    /// Everything that has been read completely.
    pub fn last(&self) -> GtidSet {
        self.ring().last.clone()
    }

    /// The newest time that the source has told.
    pub fn timestamp(&self) -> Timestamp {
        self.ring().timestamp
    }

    pub fn ended(&self) -> Option<End> {
        self.ring().end.clone()
    }

    pub fn bytes(&self) -> usize {
        self.ring().bytes
    }

    pub fn read(&self, index: u64) -> Read {
        let mut ring = self.ring();
        let Some(offset) = index.checked_sub(ring.front) else { return Read::Lagged };
        let part = usize::try_from(offset).ok().and_then(|offset| ring.parts.get(offset)).cloned();
        let Some(part) = part else {
            return ring.end.clone().map_or(Read::Empty, Read::Ended);
        };
        if index >= ring.furthest {
            // Cursors enter where they may, so what lies between was nobody's to read.
            let passed = usize::try_from(ring.furthest.saturating_sub(ring.front)).unwrap_or(0);
            let end = usize::try_from(offset).unwrap_or(usize::MAX);
            let behind: usize = ring.parts.range(passed..=end).map(|part| part.bytes).sum();
            ring.furthest_bytes += behind as u64;
            ring.furthest = index + 1;
            drop(ring);
            self.read.notify_waiters();
        }
        Read::Part(part)
    }

    /// Bytes that no cursor has read yet.
    pub fn unread_bytes(&self) -> u64 {
        let ring = self.ring();
        ring.appended.saturating_sub(ring.furthest_bytes)
    }

    /// How far the furthest cursor is.
    pub fn furthest(&self) -> u64 {
        self.ring().furthest
    }

    /// Resolves when the log has changed since this call.
    pub fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Resolves when the furthest cursor has moved since this call.
    pub fn read_on(&self) -> tokio::sync::futures::Notified<'_> {
        self.read.notified()
    }
}

impl Part {
    /// Notes the transaction as one that was executed.
    pub fn add_to(&self, set: &mut GtidSet) {
        if let Some(prepared) = self.prepared {
            set.add(prepared);
        }
        set.add(self.gtid);
    }
}

impl Ring {
    fn push(&mut self, part: Part) {
        if part.last {
            part.add_to(&mut self.last);
        }
        for event in &part.events {
            if let Event::Commit(time) | Event::Other(time) = event {
                self.timestamp = self.timestamp.max(*time);
            }
        }
        self.bytes += part.bytes;
        self.appended += part.bytes as u64;
        self.parts.push_back(Arc::new(part));
    }

    fn evict(&mut self) {
        let Some(part) = self.parts.pop_front() else { return };
        self.front += 1;
        self.bytes -= part.bytes;
        if self.furthest < self.front {
            self.furthest = self.front;
            self.furthest_bytes += part.bytes as u64;
        }
        // Without its first part a transaction is of use only to who is in the middle of it.
        if part.first {
            part.add_to(&mut self.first);
        }
        while self.segments.get(1).is_some_and(|next| next.index <= self.front) {
            self.segments.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TableName;

    #[test]
    fn scopes_that_take_turns_on_a_quiet_server_need_no_room() {
        let scope = |table: &str| Scope::tables([TableName::new("ks", table)]);
        let gtid = |sequence| Gtid::MariaDb { domain: 0, server: 1, sequence };
        let part = |sequence| Part {
            gtid: gtid(sequence),
            prepared: None,
            first: true,
            last: true,
            events: vec![Event::Other(1)],
            bytes: 1,
        };
        let log = Log::of_tail(1 << 20);
        let seen = GtidSet::new();
        log.reset(seen.clone());
        log.open_segment(scope("a"));
        log.append([part(1)]);
        for _ in 0..3 {
            log.open_segment(scope("b"));
            assert!(log.now(&scope("b")).is_some() && log.now(&scope("a")).is_none());
            assert_eq!(log.ring().segments.len(), 2);
            assert_eq!(log.enter(&seen, &scope("b")), None);
            log.open_segment(scope("a"));
            assert!(log.now(&scope("a")).is_some() && log.now(&scope("b")).is_none());
            assert_eq!(log.ring().segments.len(), 1);
            assert!(log.enter(&seen, &scope("a")).is_some());
        }
        log.open_segment(scope("b"));
        log.append([part(2)]);
        log.open_segment(scope("a"));
        assert_eq!(log.ring().segments.len(), 3);
        assert_eq!(log.enter(&seen, &scope("a")), None);
    }
}
