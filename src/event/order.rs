//! The legal orders of events, as two state machines: what a source may emit, what a client may see.
//!
//! Engine, tests, simulation and fuzzers push every event through them. An error names the event
//! and what stood open; it is always a bug of ours, or of a server that we read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gtid::{Gtid, GtidSet};
use super::position::{Position, Start};
use super::row::Rows;
use super::schema::{ShardName, TableName, TableSchema};
use super::{Ddl, Event};

/// An event where it may not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The event may not come here at all.
    #[error("{event} {place}")]
    Misplaced {
        /// The event's name.
        event: &'static str,
        /// What stood open.
        place: &'static str,
    },
    /// Rows of a table whose shape was not told, or is not told any more.
    #[error("ROW of {0} without a FIELD that says its shape")]
    NoField(TableName),
    /// A ROW without any change.
    #[error("ROW of {0} without changes")]
    NoChanges(TableName),
    /// A transaction came twice.
    #[error("transaction {0} came twice")]
    Twice(Gtid),
    /// A shard's event inside the transaction of another.
    #[error("{event} of {shard} inside a transaction of {open}")]
    Interleaved {
        /// The event's name.
        event: &'static str,
        /// Whose event it is.
        shard: ShardName,
        /// Whose transaction is open.
        open: ShardName,
    },
    /// A VGTID that says less than one before it, or moves another shard, or forgets one.
    #[error("VGTID of {shard} {what}")]
    Vgtid {
        /// The shard it is wrong about.
        shard: ShardName,
        /// What is wrong.
        what: &'static str,
    },
}

fn misplaced(event: &Event, place: &'static str) -> Result<(), OrderError> {
    Err(OrderError::Misplaced { event: event.name(), place })
}

/// What a source may emit: `Gtid Begin Ddl? [Field | Row | Unreadable | RowsQuery | Journal]* Commit`, `Gtid Ddl`,
/// `Gtid Other`, heartbeats between those, and every transaction once. A transaction that was
/// prepared under a GTID of its own is named by that one and then by that of its end.
#[derive(Debug, Clone, Default)]
pub struct SourceOrder {
    open: SourceOpen,
    seen: GtidSet,
    shapes: BTreeMap<TableName, Arc<TableSchema>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum SourceOpen {
    #[default]
    Nothing,
    Named,
    NamedTwice,
    /// BEGIN, and nothing behind it.
    Begun,
    Transaction,
}

impl SourceOrder {
    /// The order of one run of changes, from its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the next event may be a transaction's first.
    pub fn is_between_transactions(&self) -> bool {
        self.open == SourceOpen::Nothing
    }

    /// Takes the next event.
    pub fn push(&mut self, event: &Event) -> Result<(), OrderError> {
        match (self.open, event) {
            (_, Event::Vgtid(_) | Event::CopyCompleted(_)) => {
                misplaced(event, "is not a source's to emit")
            }
            (SourceOpen::Nothing, Event::Heartbeat(_)) => Ok(()),
            (SourceOpen::Nothing, Event::Gtid(gtid)) => self.name(gtid, SourceOpen::Named),
            (SourceOpen::Named, Event::Gtid(gtid)) => self.name(gtid, SourceOpen::NamedTwice),
            (SourceOpen::Nothing, _) => misplaced(event, "without a GTID before it"),
            (SourceOpen::Named | SourceOpen::NamedTwice, Event::Begin(_)) => {
                self.go(SourceOpen::Begun)
            }
            (SourceOpen::Named | SourceOpen::NamedTwice, Event::Ddl(_) | Event::Other(_)) => {
                self.go(SourceOpen::Nothing)
            }
            (SourceOpen::Named | SourceOpen::NamedTwice, _) => {
                misplaced(event, "right behind a GTID")
            }
            (SourceOpen::Begun, Event::Ddl(_)) => self.go(SourceOpen::Transaction),
            (SourceOpen::Begun | SourceOpen::Transaction, _) => self.inside(event),
        }
    }

    fn inside(&mut self, event: &Event) -> Result<(), OrderError> {
        match event {
            Event::Commit(_) => return self.go(SourceOpen::Nothing),
            Event::RowsQuery(_) | Event::Journal(_) | Event::Unreadable(_) => {}
            Event::Field(schema) => {
                self.shapes.insert(schema.name.clone(), schema.clone());
            }
            Event::Row(rows) => self.row(rows)?,
            _ => misplaced(event, "inside a transaction")?,
        }
        self.go(SourceOpen::Transaction)
    }

    fn go(&mut self, open: SourceOpen) -> Result<(), OrderError> {
        self.open = open;
        Ok(())
    }

    fn name(&mut self, gtid: &Gtid, open: SourceOpen) -> Result<(), OrderError> {
        if self.seen.contains(gtid) {
            return Err(OrderError::Twice(*gtid));
        }
        self.seen.add(*gtid);
        self.go(open)
    }

    fn row(&self, rows: &Rows) -> Result<(), OrderError> {
        let schema = rows.event.schema();
        let told = self.shapes.get(&schema.name);
        if !told.is_some_and(|told| Arc::ptr_eq(told, schema) || told == schema) {
            return Err(OrderError::NoField(schema.name.clone()));
        }
        has_changes(rows)
    }
}

fn has_changes(rows: &Rows) -> Result<(), OrderError> {
    if rows.range.is_empty() || rows.range.end > rows.event.len() {
        return Err(OrderError::NoChanges(rows.event.schema().name.clone()));
    }
    Ok(())
}

/// What a client may see: the transactions of several shards, never inside each other.
///
/// ```text
/// BEGIN [FIELD | ROW | ROWS_QUERY | JOURNAL]* VGTID COMMIT         a transaction
/// VGTID DDL, VGTID OTHER                                           outside of transactions
/// BEGIN FIELD [VGTID] ROW* VGTID COMMIT, BEGIN ROW* VGTID COMMIT   while a shard copies
/// BEGIN FIELD [VGTID] BEGIN VGTID COMMIT                           an empty table
/// COPY_COMPLETED of a shard, then one without shard when all have
/// ```
/// A FIELD precedes the first ROW of its table on each shard, again behind a DDL that names it and
/// again when the source's shape has changed. A shard's position never goes back, and an event of
/// one shard leaves the positions of the others as they are.
#[derive(Debug, Clone, Default)]
pub struct ClientOrder {
    shards: BTreeMap<ShardName, Shard>,
    open: Option<ShardName>,
    last: Option<Arc<Position>>,
    is_complete: bool,
}

#[derive(Debug, Clone, Default)]
struct Shard {
    open: ClientOpen,
    copy: Copy,
    /// Tables whose FIELD was told, each with the source's shape once a ROW has shown it.
    told: BTreeMap<TableName, Option<Arc<TableSchema>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ClientOpen {
    #[default]
    Nothing,
    /// BEGIN, and what has followed it.
    Transaction(Content),
    /// BEGIN, that content, VGTID.
    Sealed(Content),
    /// VGTID without BEGIN.
    Alone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Fields,
    Changes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Copy {
    /// The shard may be copying; a COPY_COMPLETED will tell.
    #[default]
    Possible,
    Completed,
    /// The shard began behind its copy.
    Absent,
}

impl ClientOrder {
    /// The order of a stream of which it is not known which shards copy.
    pub fn new() -> Self {
        Self::default()
    }

    /// The order of a stream that begins at `position`, whose shards are all named there.
    pub fn starting(position: &Position) -> Self {
        let shards = position.shards.iter().map(|shard| {
            let copy = if shard.wants_copy() { Copy::Possible } else { Copy::Absent };
            (shard.shard.clone(), Shard { copy, ..Shard::default() })
        });
        Self { shards: shards.collect(), ..Self::default() }
    }

    /// Whether the next event may be of any shard.
    pub const fn is_between_transactions(&self) -> bool {
        self.open.is_none()
    }

    /// Takes the next event, which came from `shard`. The stream's own events, a HEARTBEAT and the
    /// last COPY_COMPLETED, may come with any shard.
    pub fn push(&mut self, shard: &ShardName, event: &Event) -> Result<(), OrderError> {
        if let Some(open) = self.open.as_ref().filter(|open| *open != shard) {
            let (shard, open) = (shard.clone(), open.clone());
            return Err(OrderError::Interleaved { event: event.name(), shard, open });
        }
        match event {
            Event::Gtid(_) | Event::Unreadable(_) => misplaced(event, "is not for clients"),
            Event::Heartbeat(_) if self.open.is_some() => misplaced(event, "inside a transaction"),
            Event::Heartbeat(_) => Ok(()),
            Event::CopyCompleted(None) => self.complete(event),
            Event::Vgtid(position) => {
                self.check_position(shard, position)?;
                self.step(shard, event)
            }
            _ => self.step(shard, event),
        }
    }

    fn step(&mut self, name: &ShardName, event: &Event) -> Result<(), OrderError> {
        let shard = self.shards.entry(name.clone()).or_default();
        shard.open = shard.next(name, event)?;
        self.open = (shard.open != ClientOpen::Nothing).then(|| name.clone());
        Ok(())
    }

    fn complete(&mut self, event: &Event) -> Result<(), OrderError> {
        if self.open.is_some() {
            return misplaced(event, "inside a transaction");
        }
        if self.is_complete {
            return misplaced(event, "of all shards for a second time");
        }
        let mut copies = self.shards.values().map(|shard| shard.copy);
        if !copies.clone().any(|copy| copy == Copy::Completed)
            || copies.any(|copy| copy == Copy::Possible)
        {
            return misplaced(event, "of all shards before each has its own");
        }
        self.is_complete = true;
        Ok(())
    }

    fn check_position(&mut self, shard: &ShardName, now: &Arc<Position>) -> Result<(), OrderError> {
        let wrong = |shard: &ShardName, what| Err(OrderError::Vgtid { shard: shard.clone(), what });
        let Some(own) = now.shard(shard) else { return wrong(shard, "leaves its own shard out") };
        if !matches!(own.start, Start::After(_)) {
            return wrong(shard, "has no GTID set for its own shard");
        }
        for before in self.last.iter().flat_map(|last| &last.shards) {
            // A shard may leave at a reshard; one that is still there may not go back.
            let Some(after) = now.shard(&before.shard) else { continue };
            // `current` becomes a set as soon as the shard's source has told it.
            let untold = before.start == Start::Now;
            if before.shard != *shard && before != after && !untold {
                return wrong(&before.shard, "moved by an event of another shard");
            }
            if let (Start::After(old), Start::After(new)) = (&before.start, &after.start)
                && !new.contains_set(old)
            {
                return wrong(&before.shard, "goes back");
            }
        }
        self.last = Some(now.clone());
        Ok(())
    }
}

impl Shard {
    fn next(&mut self, name: &ShardName, event: &Event) -> Result<ClientOpen, OrderError> {
        use ClientOpen::{Alone, Nothing, Sealed, Transaction};
        let opening = self.copy == Copy::Possible
            && matches!(self.open, Transaction(Content::Fields) | Sealed(Content::Fields));
        match (self.open, event) {
            (Nothing, Event::Begin(_)) => Ok(Transaction(Content::Nothing)),
            (Nothing, Event::Vgtid(_)) => Ok(Alone),
            (Nothing, Event::CopyCompleted(Some(shard))) if shard == name => {
                self.copy_completed(event)
            }
            // A table's first part: BEGIN FIELD [VGTID], then its rows or, if it has none, a BEGIN.
            (_, Event::Begin(_)) if opening => Ok(Transaction(Content::Nothing)),
            (Sealed(_), Event::Row(rows)) if opening => self.row(rows),
            (Transaction(content), Event::Field(schema)) => {
                self.told.insert(schema.name.clone(), None);
                let has_changes = content == Content::Changes;
                Ok(Transaction(if has_changes { content } else { Content::Fields }))
            }
            (Transaction(_), Event::Row(rows)) => self.row(rows),
            (Transaction(_), Event::RowsQuery(_) | Event::Journal(_)) => {
                Ok(Transaction(Content::Changes))
            }
            (Transaction(content), Event::Vgtid(_)) => Ok(Sealed(content)),
            (Sealed(_), Event::Commit(_)) => Ok(Nothing),
            (Alone, Event::Other(_)) => Ok(Nothing),
            (Alone, Event::Ddl(ddl)) => {
                self.forget(ddl);
                Ok(Nothing)
            }
            (open, _) => misplaced(event, open.place()).map(|()| open),
        }
    }

    fn copy_completed(&mut self, event: &Event) -> Result<ClientOpen, OrderError> {
        match self.copy {
            Copy::Possible => self.copy = Copy::Completed,
            Copy::Completed => misplaced(event, "of a shard for a second time")?,
            Copy::Absent => misplaced(event, "of a shard that did not copy")?,
        }
        Ok(ClientOpen::Nothing)
    }

    fn row(&mut self, rows: &Rows) -> Result<ClientOpen, OrderError> {
        has_changes(rows)?;
        let schema = rows.event.schema();
        let no_field = || OrderError::NoField(schema.name.clone());
        let shape = self.told.get_mut(&schema.name).ok_or_else(no_field)?;
        let shape = shape.get_or_insert_with(|| schema.clone());
        if !Arc::ptr_eq(shape, schema) && shape != schema {
            return Err(no_field());
        }
        Ok(ClientOpen::Transaction(Content::Changes))
    }

    fn forget(&mut self, ddl: &Ddl) {
        self.told.retain(|table, _| !ddl.tables.is_empty() && !ddl.tables.contains(table));
    }
}

impl ClientOpen {
    const fn place(self) -> &'static str {
        match self {
            Self::Nothing => "outside of a transaction",
            Self::Transaction(_) => "inside a transaction that has no VGTID yet",
            Self::Sealed(_) => "between a transaction's VGTID and its COMMIT",
            Self::Alone => "behind a VGTID outside of a transaction",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Unreadable;
    use crate::event::position::{ShardPosition, TableLastPk};
    use crate::event::row::{RowsEvent, push_cell};

    fn schema(table: &str, columns: usize) -> Arc<TableSchema> {
        let name = TableName::new("ks", table);
        let column = crate::event::Column {
            name: "id".into(),
            column_type: crate::event::ColumnType::Int { bytes: 8, unsigned: false },
            collation: crate::event::CollationId::BINARY,
            nullable: false,
            auto_increment: false,
            has_default: false,
            declared: "bigint".into(),
        };
        let columns = vec![column; columns];
        Arc::new(TableSchema { name, columns, key: vec![0], key_is_primary: true })
    }

    fn row(table: &str, columns: usize) -> Event {
        let mut event = RowsEvent::new(schema(table, columns));
        let mut cells = Vec::new();
        (0..columns).for_each(|_| push_cell(&mut cells, b"1"));
        event.push_encoded(None, Some(&cells));
        Event::Row(Rows::all(Arc::new(event)))
    }

    fn vgtid(shards: &[(&str, u64)]) -> Event {
        let position = |&(shard, sequence): &(&str, u64)| {
            let set = match sequence {
                0 => GtidSet::new(),
                _ => format!("0-1-{sequence}").parse().unwrap(),
            };
            ShardPosition::new(ShardName::new("ks", shard), Start::After(set))
        };
        let shards = shards.iter().map(position).collect();
        Event::Vgtid(Arc::new(Position { shards, plan_hash: None }))
    }

    /// One word per event: B C O H, G<n> GTID, F<table> and F<table>2, R<table> and R<table>2,
    /// U unreadable, V<n> VGTID of shard a, D<table> DDL, D of an unreadable one, Q ROWS_QUERY, CC, CC<shard>.
    fn event(word: &str) -> Event {
        let (kind, rest) = word.split_at(1);
        let (table, columns) = rest.strip_suffix('2').map_or((rest, 1), |table| (table, 2));
        match kind {
            "B" => Event::Begin(1),
            "C" if rest == "C" => Event::CopyCompleted(None),
            "C" if rest.starts_with('C') => {
                Event::CopyCompleted(Some(ShardName::new("ks", &rest[1..])))
            }
            "C" => Event::Commit(1),
            "O" => Event::Other(1),
            "H" => Event::Heartbeat(1),
            "G" => Event::Gtid(format!("0-1-{rest}").parse().unwrap()),
            "F" => Event::Field(schema(table, columns)),
            "R" => row(table, columns),
            "V" => vgtid(&[("a", rest.parse().unwrap())]),
            "Q" => Event::RowsQuery("update t".into()),
            "U" => Event::Unreadable(Arc::new(Unreadable {
                tables: vec![TableName::new("ks", rest)],
                what: String::new(),
                mend: String::new(),
            })),
            "D" => Event::Ddl(Arc::new(Ddl {
                timestamp: 1,
                statement: "alter table".into(),
                tables: if rest.is_empty() { vec![] } else { vec![TableName::new("ks", rest)] },
            })),
            _ => panic!("no event is called {word}"),
        }
    }

    fn source(words: &str) -> Result<(), OrderError> {
        let mut order = SourceOrder::new();
        words.split_whitespace().try_for_each(|word| order.push(&event(word)))
    }

    fn client(words: &str) -> Result<(), OrderError> {
        let mut order = ClientOrder::new();
        let shard = ShardName::new("ks", "a");
        words.split_whitespace().try_for_each(|word| order.push(&shard, &event(word)))
    }

    #[test]
    fn a_source_may_emit() {
        for words in [
            "",
            "H G1 B Ft Rt Rt C H G2 D G3 O G4 B C",
            "G1 B Ft Fu Rt Ru Q Rt C G2 B Rt Ru C",
            "G1 B Ft Rt C G2 Dt G3 B Ft2 Rt2 C",
            "G1 B Ft Rt",
            "G1 G2 B Ft Rt C G3 G4 O",
            "G1 B Dt Ft Rt C G2 B Dt C",
            "G1 B Ut Ft Rt Ut C",
        ] {
            assert_eq!(source(words), Ok(()), "{words}");
        }
    }

    #[test]
    fn a_source_may_not_emit() {
        for words in [
            "B",
            "C",
            "D",
            "Rt",
            "Ft",
            "G1 G2 G3",
            "G1 G2 H",
            "G1 H",
            "G1 C",
            "G1 Ft",
            "G1 B B",
            "G1 B H",
            "G1 B G2",
            "G1 B Q D",
            "G1 B D D",
            "G1 B Ft Rt D",
            "G1 D C",
            "G1 Ut",
            "G1 B Rt",
            "G1 B Ft Ru",
            "G1 B Ft Rt2",
            "G1 O G1",
            "G2 O G1",
            "V1",
            "G1 B V1",
            "CC",
            "CCa",
            "G1 B C C",
        ] {
            assert!(source(words).is_err(), "{words}");
        }
    }

    #[test]
    fn a_client_may_see() {
        for words in [
            "",
            "V1 O H B Ft Rt V2 C B Rt V3 C B V4 C V5 Dt B Ft2 Rt2 V6 C",
            "B Ft Rt V1 C B Ft2 Rt2 V2 C",
            // A copy of a table with rows, one without, and one whose position has not moved.
            "B Ft V1 Rt Rt V1 C B Rt V1 C B V1 C B Fu V1 B V1 C B Fw Rw V1 C B V1 C CCa CC V2 O",
            "B Ft B V1 C CCa CC",
            // A transaction that was caught up between two tables of a copy.
            "B Ft V1 Rt V1 C B V1 C B Ft Rt V2 C B Fu V3 Ru V3 C B V3 C CCa CC",
        ] {
            assert_eq!(client(words), Ok(()), "{words}");
        }
    }

    #[test]
    fn a_client_may_not_see() {
        for words in [
            "G1",
            "B Ut",
            "C",
            "O",
            "D",
            "Rt",
            "Ft",
            "V1 C",
            "V1 V2",
            "V1 B",
            "V1 H",
            "B C",
            "B H",
            "B O",
            "B B",
            "B Rt",
            "B Ft Ru",
            "B Ft Rt C",
            "B Ft Rt V1 V1",
            "B Ft Rt V1 Rt",
            "B V1 O",
            "B Ft Rt V1 H",
            "B V2 C B V1 C",
            "B Ft Rt V1 C V2 Dt B Rt",
            "B Ft Rt V1 C V2 D B Rt",
            "B Ft Rt Rt2",
            "CC",
            "CCa CCa",
            "CCa CC CC",
            "CCb",
            "B Ft Rt B",
            "B V1 B",
            // Behind its copy a shard has no open FIELD any more.
            "CCa B Ft V1 Rt",
            "CCa B Ft B",
        ] {
            assert!(client(words).is_err(), "{words}");
        }
    }

    #[test]
    fn a_shard_that_follows_from_the_start_shows_no_copy() {
        let shard = ShardName::new("ks", "a");
        let position = Position::starting(&Start::Now, std::slice::from_ref(&shard));
        let run = |words: &str| {
            let mut order = ClientOrder::starting(&position);
            words.split_whitespace().try_for_each(|word| order.push(&shard, &event(word)))
        };
        assert_eq!(run("V1 O B Ft Rt V2 C"), Ok(()));
        for words in ["CCa", "CC", "B Ft V1 Rt", "B Ft B"] {
            assert!(run(words).is_err(), "{words}");
        }
    }

    #[test]
    fn shards_alternate_but_never_interleave() {
        let (a, b) = (ShardName::new("ks", "a"), ShardName::new("ks", "b"));
        let mut order = ClientOrder::new();
        let mut push = |shard: &ShardName, event: &Event| order.push(shard, event);
        let both = |left, right| vgtid(&[("a", left), ("b", right)]);
        push(&a, &event("B")).unwrap();
        assert!(matches!(push(&b, &event("B")), Err(OrderError::Interleaved { .. })));
        assert!(matches!(push(&b, &event("H")), Err(OrderError::Interleaved { .. })));
        push(&a, &event("Ft")).unwrap();
        push(&a, &event("Rt")).unwrap();
        push(&a, &both(1, 1)).unwrap();
        push(&a, &event("C")).unwrap();
        push(&b, &event("B")).unwrap();
        assert_eq!(push(&b, &event("Rt")), Err(OrderError::NoField(TableName::new("ks", "t"))));
        assert!(matches!(push(&b, &both(2, 2)), Err(OrderError::Vgtid { .. })));
        assert!(matches!(push(&b, &vgtid(&[("a", 1)])), Err(OrderError::Vgtid { .. })));
        push(&b, &both(1, 2)).unwrap();
        push(&b, &event("C")).unwrap();
        push(&a, &event("CCa")).unwrap();
        assert!(push(&a, &event("CC")).is_err(), "b may still copy");
        push(&b, &event("CCb")).unwrap();
        push(&b, &event("CC")).unwrap();
    }

    #[test]
    fn a_position_may_gain_and_lose_last_keys() {
        let shard = ShardName::new("ks", "a");
        let mut order = ClientOrder::new();
        for word in ["B", "Ft", "V1", "Rt"] {
            order.push(&shard, &event(word)).unwrap();
        }
        let Event::Vgtid(position) = event("V1") else { panic!("V1 is a VGTID") };
        let mut position = Position::clone(&position);
        let (columns, cells) = (vec!["id".into()], b"\x011".to_vec());
        let last_pk = TableLastPk { table: "t".into(), columns, cells, copies: 1 };
        position.shards[0].table_pks.push(last_pk);
        order.push(&shard, &Event::Vgtid(Arc::new(position))).unwrap();
        for word in ["C", "B", "V1", "C", "CCa", "CC"] {
            order.push(&shard, &event(word)).unwrap();
        }
    }
}
