//! Binary log bytes -> what they say. Synchronous and pure; bytes from a server never panic.
//!
//! [`Framing`] takes the events of a log out of a server's bytes, [`PayloadReader`] those of a
//! compressed transaction. The reader feeds each of them to one [`Decoder`], in the log's order. After each
//! [`Decoded::TableMap`] that is not bound it looks at [`Decoder::table_map`] and says by
//! [`Decoder::bind`] whether the rows behind it are wanted, and under which schema. A table map is
//! prepared once into a row decoder; rows then go straight into the buffer of a [`RowsEvent`], and
//! nothing is allocated per row.

#![deny(clippy::indexing_slicing, clippy::as_conversions)]
#![cfg_attr(test, allow(clippy::indexing_slicing, reason = "a test fails by panicking"))]

mod address;
mod bytes;
mod column;
mod error;
mod frame;
mod gtid;
mod inflate;
mod json;
mod number;
mod payload;
mod query;
mod row;
mod schema;
mod table_map;
mod temporal;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Gtid, Op, RowsEvent, TableSchema, Unreadable};

use self::bytes::Bytes;
use self::inflate::Inflate;
use self::row::{RowDecoder, RowsKind};
use super::Flavour;

pub(super) use column::zerofill;
pub use error::{DecodeError, Fault, RowsError};
pub use frame::{Framing, LogEvent};
pub use gtid::{GtidList, XaStep, Xid};
pub use inflate::INFLATED_BYTES_MAX;
pub use payload::{PAYLOAD_BYTES_MAX, PayloadReader};
pub use query::Query;
pub use schema::SchemaMismatch;
pub use table_map::{MappedColumn, StoredType, TableId, TableMap};

/// One event as it came from the server: its header, and its body without the checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// Seconds since 1970 at which the server executed it.
    pub timestamp: u32,
    /// The event's type as the server numbers them.
    pub kind: u8,
    /// The server that wrote it first.
    pub server_id: u32,
    /// Where the event ends in its file; 0 inside a compressed transaction.
    pub log_pos: u32,
    /// The header's flags.
    pub flags: u16,
    /// What follows the header.
    pub body: &'a [u8],
}

/// What an event says.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// Nothing that a stream needs.
    Skip,
    /// A new file begins: table maps before it are forgotten.
    Format,
    /// A transaction begins. On MariaDB this is its BEGIN as well.
    Gtid {
        /// Its identity.
        gtid: Gtid,
        /// MariaDB: one statement follows, and no COMMIT.
        standalone: bool,
        /// MariaDB: the transaction is one of two phases.
        xa: Option<XaStep>,
    },
    /// A transaction without identity begins: `gtid_mode` is OFF.
    Anonymous,
    /// A statement.
    Query(Query),
    /// The transaction is committed.
    Xid,
    /// The transaction is prepared, or committed at once.
    XaPrepare {
        /// Committed at once.
        one_phase: bool,
        /// The identity of its two phases.
        xid: Xid,
    },
    /// A table whose rows may follow.
    TableMap {
        /// Its number in the rows events.
        id: TableId,
        /// The same table map was bound before: nothing is to be done.
        bound: bool,
    },
    /// Changes of a table that was bound to a schema.
    Rows(RowsEvent),
    /// The same, appended to the changes before.
    RowsAppended,
    /// Changes of a table that nobody wants.
    RowsSkipped,
    /// Changes of a table whose rows cannot be read.
    RowsUnreadable(Arc<Unreadable>),
    /// The statement that caused the rows behind it.
    RowsQuery(Arc<str>),
    /// The log goes on in another file.
    Rotate {
        /// The file's name.
        file: String,
        /// Where in it.
        position: u64,
        /// Made up for this reader: not in the log itself.
        artificial: bool,
    },
    /// MariaDB: what the log contains up to here.
    GtidList(GtidList),
    /// Nothing happened.
    Heartbeat {
        /// The file in which the server waits.
        file: String,
        /// Where in it.
        position: u64,
    },
    /// The server was shut down.
    Stop,
    /// Changes may be missing from the log.
    Incident {
        /// What the server says of it.
        message: String,
    },
}

/// How the rows of a table map are to be read.
#[derive(Debug, Clone)]
pub enum Binding {
    /// Nobody wants them.
    Skip,
    /// As rows of this schema.
    Rows(Arc<TableSchema>),
    /// They cannot be read: this is why.
    Unreadable(Arc<Unreadable>),
}

/// Decodes the events of one log in order.
#[derive(Debug)]
pub struct Decoder {
    flavour: Flavour,
    tables: BTreeMap<TableId, Table>,
}

/// A table map and what became of it.
#[derive(Debug)]
struct Table {
    /// Behind the id: the same bytes say the same.
    body: Box<[u8]>,
    map: TableMap,
    bound: Option<Bound>,
}

#[derive(Debug)]
enum Bound {
    Skip,
    Rows(RowDecoder),
    Unreadable(Arc<Unreadable>),
}

impl Decoder {
    /// A decoder for one connection to a server.
    pub fn new(flavour: Flavour) -> Self {
        Self { flavour, tables: BTreeMap::new() }
    }

    /// Feeds the next event of the log.
    pub fn push(&mut self, event: RawEvent<'_>) -> Result<Decoded, DecodeError> {
        self.push_onto(event, None)
    }

    /// Feeds the next event of the log; if it holds rows that can be appended to those before,
    /// they are.
    pub fn push_onto(
        &mut self,
        event: RawEvent<'_>,
        before: Option<&mut RowsEvent>,
    ) -> Result<Decoded, DecodeError> {
        match (RowsForm::of(self.flavour, event.kind), self.flavour) {
            (Some(form), _) => self.rows(&form, Bytes(event.body), before),
            (None, Flavour::Mysql) => self.push_mysql(event),
            (None, Flavour::MariaDb) => self.push_mariadb(event),
        }
    }

    /// The table map that an id stands for.
    pub fn table_map(&self, id: TableId) -> Option<&TableMap> {
        self.tables.get(&id).map(|table| &table.map)
    }

    /// Says how the rows of a table map are to be decoded; asked for after each
    /// `Decoded::TableMap { bound: false }`. Only rows of a schema can be refused.
    pub fn bind(&mut self, id: TableId, binding: Binding) -> Result<(), SchemaMismatch> {
        let table = self.tables.get_mut(&id).expect("the decoder has told of the table map");
        table.bound = Some(match binding {
            Binding::Skip => Bound::Skip,
            Binding::Unreadable(unreadable) => Bound::Unreadable(unreadable),
            Binding::Rows(schema) => Bound::Rows(RowDecoder::new(&table.map, schema)?),
        });
        Ok(())
    }

    fn push_mysql(&mut self, event: RawEvent<'_>) -> Result<Decoded, DecodeError> {
        let body = Bytes(event.body);
        match event.kind {
            29 => named("ROWS_QUERY", rows_query(body)),
            33 => named("GTID", gtid::mysql(body).map(mysql_gtid)),
            42 => named("GTID_TAGGED", gtid::tagged(body).map(mysql_gtid)),
            34 => self.transaction_begins(Decoded::Anonymous),
            TRANSACTION_PAYLOAD => Err(DecodeError::Compressed),
            41 => named("HEARTBEAT", heartbeat_fields(body)),
            // PREVIOUS_GTIDS, and what group replication tells its members.
            35..=37 => Ok(Decoded::Skip),
            _ => self.push_any(event),
        }
    }

    fn push_mariadb(&mut self, event: RawEvent<'_>) -> Result<Decoded, DecodeError> {
        let body = Bytes(event.body);
        match event.kind {
            160 => named("ANNOTATE_ROWS", Ok(text(body.0))),
            162 => {
                let read = named("GTID", gtid::mariadb(event.server_id, body))?;
                let gtid::MariaDbGtid { gtid, standalone, xa } = read;
                self.transaction_begins(Decoded::Gtid { gtid, standalone, xa })
            }
            163 => named(
                "GTID_LIST",
                gtid::list(body).map(|gtids| {
                    let artificial = event.flags & ARTIFICIAL != 0;
                    Decoded::GtidList(GtidList { gtids, artificial })
                }),
            ),
            165 => named("QUERY", query::decode(body, 0, true).map(Decoded::Query)),
            // BINLOG_CHECKPOINT and START_ENCRYPTION.
            161 | 164 => Ok(Decoded::Skip),
            _ => self.push_any(event),
        }
    }

    /// What both families have.
    fn push_any(&mut self, event: RawEvent<'_>) -> Result<Decoded, DecodeError> {
        let body = Bytes(event.body);
        match event.kind {
            2 => named("QUERY", query::decode(body, 0, false).map(Decoded::Query)),
            // EXECUTE_LOAD_QUERY: the file that it loads, and where its name stands in the text.
            18 => named("QUERY", query::decode(body, 13, false).map(Decoded::Query)),
            3 => Ok(Decoded::Stop),
            4 => named("ROTATE", rotate(&event)),
            15 => {
                self.tables.clear();
                Ok(Decoded::Format)
            }
            16 => Ok(Decoded::Xid),
            19 => self.push_table_map(body),
            26 => named("INCIDENT", incident(body)),
            38 => named(
                "XA_PREPARE",
                gtid::xa_prepare(body)
                    .map(|(one_phase, xid)| Decoded::XaPrepare { one_phase, xid }),
            ),
            27 => {
                let file = String::from_utf8_lossy(event.body).into_owned();
                Ok(Decoded::Heartbeat { file, position: u64::from(event.log_pos) })
            }
            // What statements in place of rows need: INTVAR, APPEND_BLOCK, RAND, USER_VAR,
            // BEGIN_LOAD_QUERY. Their QUERY says enough.
            5 | 9 | 13 | 14 | 17 => Ok(Decoded::Skip),
            _ if event.flags & IGNORABLE != 0 => Ok(Decoded::Skip),
            kind => Err(DecodeError::UnknownEvent(kind)),
        }
    }

    /// Table maps are for the statement behind them; they are kept because the next statement
    /// mostly has the same, but not without bound.
    fn transaction_begins(&mut self, begun: Decoded) -> Result<Decoded, DecodeError> {
        if self.tables.len() > TABLE_MAPS_MAX {
            self.tables.clear();
        }
        Ok(begun)
    }

    fn push_table_map(&mut self, mut body: Bytes<'_>) -> Result<Decoded, DecodeError> {
        let id = named("TABLE_MAP", body.u48().map(TableId))?;
        if let Some(table) = self.tables.get(&id)
            && *table.body == *body.0
        {
            return Ok(Decoded::TableMap { id, bound: table.bound.is_some() });
        }
        let whole = body.0.into();
        let map = body.skip(FLAGS_BYTES).and_then(|()| table_map::decode(self.flavour, body));
        let map = named("TABLE_MAP", map)?;
        self.tables.insert(id, Table { body: whole, map, bound: None });
        Ok(Decoded::TableMap { id, bound: false })
    }

    fn rows(
        &self,
        form: &RowsForm,
        mut body: Bytes<'_>,
        before: Option<&mut RowsEvent>,
    ) -> Result<Decoded, DecodeError> {
        let id = named("rows", rows_header(&mut body, form.has_extensions))?;
        let Some(table) = self.tables.get(&id) else {
            return match id {
                TableId::DUMMY => Ok(Decoded::RowsSkipped),
                _ => Err(DecodeError::NoTableMap(id)),
            };
        };
        match &table.bound {
            None => Err(DecodeError::Unbound(table.map.name())),
            Some(Bound::Skip) => Ok(Decoded::RowsSkipped),
            Some(Bound::Unreadable(why)) => Ok(Decoded::RowsUnreadable(Arc::clone(why))),
            Some(Bound::Rows(decoder)) => {
                let rows = decoder.decode(form.kind, body, form.inflate, before)?;
                Ok(rows.map_or(Decoded::RowsAppended, Decoded::Rows))
            }
        }
    }
}

/// How a rows event is written.
struct RowsForm {
    kind: RowsKind,
    /// Room for extensions stands before the rows.
    has_extensions: bool,
    /// What makes rows of compressed ones.
    inflate: Option<Inflate>,
}

impl RowsForm {
    /// By the event's type; none if it holds no rows.
    fn of(flavour: Flavour, kind: u8) -> Option<Self> {
        let (op, has_extensions) = match (flavour, kind) {
            (_, 23) | (Flavour::MariaDb, 166) => (Op::Insert, false),
            (_, 24) | (Flavour::MariaDb, 167) => (Op::Update, false),
            (_, 25) | (Flavour::MariaDb, 168) => (Op::Delete, false),
            (_, 30) | (Flavour::MariaDb, 169) => (Op::Insert, true),
            (_, 31) | (Flavour::MariaDb, 170) | (Flavour::Mysql, 39) => (Op::Update, true),
            (_, 32) | (Flavour::MariaDb, 171) => (Op::Delete, true),
            _ => return None,
        };
        let inflate: Option<Inflate> = if kind >= 166 { Some(inflate::event) } else { None };
        Some(Self { kind: RowsKind { op, partial_json: kind == 39 }, has_extensions, inflate })
    }
}

fn rows_header(body: &mut Bytes<'_>, has_extensions: bool) -> Result<TableId, Fault> {
    let id = TableId(body.u48()?);
    body.skip(FLAGS_BYTES)?;
    if has_extensions {
        // The length counts itself.
        let length = usize::from(body.u16()?);
        body.skip(length.checked_sub(2).ok_or(Fault::Length)?)?;
    }
    Ok(id)
}

fn named<T>(event: &'static str, read: Result<T, Fault>) -> Result<T, DecodeError> {
    read.map_err(|fault| DecodeError::Event { event, fault })
}

const fn mysql_gtid(gtid: Gtid) -> Decoded {
    Decoded::Gtid { gtid, standalone: false, xa: None }
}

/// One byte of a length that is too short for most texts, so that it says nothing, and the text.
fn rows_query(mut body: Bytes<'_>) -> Result<Decoded, Fault> {
    body.skip(1)?;
    Ok(text(body.0))
}

fn text(bytes: &[u8]) -> Decoded {
    Decoded::RowsQuery(String::from_utf8_lossy(bytes).into())
}

fn incident(mut body: Bytes<'_>) -> Result<Decoded, Fault> {
    body.skip(2)?;
    let message = String::from_utf8_lossy(body.prefixed(1)?).into_owned();
    Ok(Decoded::Incident { message })
}

/// HEARTBEAT in its second form: fields of a kind, a length and a value.
fn heartbeat_fields(mut body: Bytes<'_>) -> Result<Decoded, Fault> {
    let (mut file, mut position) = (String::new(), 0);
    loop {
        let kind = body.packed()?;
        if kind == 0 {
            return Ok(Decoded::Heartbeat { file, position });
        }
        let mut field = Bytes(body.packed_prefixed()?);
        match kind {
            1 => file = String::from_utf8_lossy(field.0).into_owned(),
            2 => position = field.packed()?,
            _ => {}
        }
    }
}

fn rotate(event: &RawEvent<'_>) -> Result<Decoded, Fault> {
    let mut body = Bytes(event.body);
    let position = body.u64()?;
    let artificial = event.flags & ARTIFICIAL != 0 || event.log_pos == 0;
    let file = std::str::from_utf8(body.0).map_err(|_| Fault::Utf8)?.to_owned();
    Ok(Decoded::Rotate { file, position, artificial })
}

/// The kind of MySQL's compressed transactions: [`PayloadReader`] reads them.
pub const TRANSACTION_PAYLOAD: u8 = 40;
/// Table maps that are kept from one transaction to the next.
const TABLE_MAPS_MAX: usize = 4096;
const FLAGS_BYTES: usize = 2;
/// Header flag: made up for this reader, not in the log.
const ARTIFICIAL: u16 = 0x20;
/// Header flag: who does not know the event may go on without it.
const IGNORABLE: u16 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::Row;
    use crate::event::{CollationId, Column, ColumnType, Rows, TableName};

    fn event(kind: u8, body: &[u8]) -> RawEvent<'_> {
        RawEvent { timestamp: 0, kind, server_id: 1, log_pos: 500, flags: 0, body }
    }

    /// A table map of `d.t (a int, b varchar(9) latin1)`, the types as given.
    fn map(id: u8, kinds: [u8; 2]) -> Vec<u8> {
        let mut body = vec![id, 0, 0, 0, 0, 0, 1, 0, 1, b'd', 0, 1, b't', 0, 2];
        body.extend_from_slice(&kinds);
        body.extend_from_slice(&[2, 9, 0, 3]);
        body
    }

    fn schema() -> Arc<TableSchema> {
        let int = ColumnType::Int { bytes: 4, unsigned: false };
        let text = ColumnType::VarChar { length: 9 };
        let columns = vec![
            Column::plain("a", int, CollationId::BINARY),
            Column::plain("b", text, CollationId::LATIN1_SWEDISH_CI),
        ];
        let name = TableName::new("d", "t");
        Arc::new(TableSchema { name, columns, key: Vec::new(), key_is_primary: false })
    }

    fn bound() -> Decoder {
        let mut decoder = Decoder::new(Flavour::MariaDb);
        let id = TableId(7);
        let said = decoder.push(event(19, &map(7, [3, 15])));
        assert_eq!(said, Ok(Decoded::TableMap { id, bound: false }));
        decoder.bind(id, Binding::Rows(schema())).unwrap();
        decoder
    }

    #[test]
    fn a_table_map_is_prepared_once() {
        let mut decoder = bound();
        let id = TableId(7);
        let mut push = |body: &[u8]| decoder.push(event(19, body)).unwrap();
        assert_eq!(push(&map(7, [3, 15])), Decoded::TableMap { id, bound: true });
        assert_eq!(push(&map(7, [8, 15])), Decoded::TableMap { id, bound: false });
        assert_eq!(push(&map(7, [3, 15])), Decoded::TableMap { id, bound: false });
        let rows = [7, 0, 0, 0, 0, 0, 1, 0, 2, 3];
        let unbound = decoder.push(event(23, &rows));
        assert_eq!(unbound, Err(DecodeError::Unbound("d.t".into())));
        decoder.bind(id, Binding::Skip).unwrap();
        assert_eq!(decoder.push(event(23, &rows)), Ok(Decoded::RowsSkipped));
        assert_eq!(decoder.push(event(15, &[])), Ok(Decoded::Format));
        let unknown = decoder.push(event(23, &rows));
        assert_eq!(unknown, Err(DecodeError::NoTableMap(id)));
    }

    #[test]
    fn rows_that_fit_are_appended_to_those_before() {
        let mut decoder = bound();
        let body = |rows: &[u8]| [&[7, 0, 0, 0, 0, 0, 1, 0, 2][..], rows].concat();
        let first = decoder.push(event(23, &body(&[3, 0, 1, 0, 0, 0, 1, b'x'])));
        let Ok(Decoded::Rows(mut rows)) = first else { panic!("{first:?}") };
        let deleted = body(&[3, 0, 1, 0, 0, 0, 1, b'x', 2, 5, 0, 0, 0]);
        assert_eq!(
            decoder.push_onto(event(25, &deleted), Some(&mut rows)),
            Ok(Decoded::RowsAppended)
        );
        let broken = decoder.push_onto(event(23, &deleted[..12]), Some(&mut rows));
        assert!(matches!(broken, Err(DecodeError::Rows(RowsError::Cell { .. }))), "{broken:?}");
        // An image of some columns does not fit to images of all.
        let partial = decoder.push_onto(event(23, &body(&[1, 0, 5, 0, 0, 0])), Some(&mut rows));
        assert!(matches!(partial, Ok(Decoded::Rows(_))), "{partial:?}");
        let ops: Vec<Op> = rows.changes(0..rows.len()).map(|change| change.op()).collect();
        assert_eq!(ops, [Op::Insert, Op::Delete, Op::Delete]);
        let parts: Vec<_> = Rows::all(Arc::new(rows)).parts().collect();
        assert_eq!(parts, [0..1, 1..3]);
    }

    #[test]
    fn a_schema_that_does_not_fit_is_refused_with_what_differs() {
        let mut decoder = Decoder::new(Flavour::MariaDb);
        decoder.push(event(19, &map(7, [8, 15]))).unwrap();
        let mismatch = decoder.bind(TableId(7), Binding::Rows(schema())).unwrap_err();
        let text = "the log has column a as bigint, \
                    the table has Int { bytes: 4, unsigned: false }";
        assert_eq!(mismatch.to_string(), text);
        let map = decoder.table_map(TableId(7)).unwrap();
        assert_eq!(map.schema(None), Err(SchemaMismatch::Unknown));
    }

    #[test]
    fn a_table_of_a_type_that_is_not_known_can_be_skipped() {
        let mut decoder = Decoder::new(Flavour::MariaDb);
        let id = TableId(7);
        let said = decoder.push(event(19, &map(7, [3, 200])));
        assert_eq!(said, Ok(Decoded::TableMap { id, bound: false }));
        let map = decoder.table_map(id).unwrap();
        assert_eq!((&*map.database, &*map.table), ("d", "t"));
        assert_eq!(map.schema(Some(&schema())), Err(SchemaMismatch::UnknownType(200)));
        let refused = decoder.bind(id, Binding::Rows(schema()));
        assert_eq!(refused, Err(SchemaMismatch::UnknownType(200)));
        assert_eq!(decoder.bind(id, Binding::Skip), Ok(()));
        let rows = [7, 0, 0, 0, 0, 0, 1, 0, 2, 3];
        assert_eq!(decoder.push(event(23, &rows)), Ok(Decoded::RowsSkipped));
    }

    fn check(rows: &[u8], expected: &[&[u8]]) {
        let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0];
        body.extend_from_slice(rows);
        let Ok(Decoded::Rows(rows)) = bound().push(event(24, &body)) else { panic!("rows") };
        let encoded = |row: Option<Row<'_>>| row.unwrap().encoded().to_vec();
        let found: Vec<Vec<u8>> = rows
            .changes(0..rows.len())
            .flat_map(|change| [encoded(change.before), encoded(change.after)])
            .collect();
        assert_eq!(found, expected);
        for length in 0..body.len() {
            let cut = bound().push(event(24, &body[..length]));
            assert!(
                matches!(&cut, Ok(Decoded::Rows(part)) if part.len() < rows.len()) || cut.is_err()
            );
        }
    }

    #[test]
    fn images_after_are_completed_from_those_before() {
        // Full images, then MariaDB's FULL_NODUP, of which the one after has what has changed.
        check(
            &[2, 3, 3, 0, 1, 0, 0, 0, 2, b'x', b'y', 2, 5, 0, 0, 0],
            &[b"\x011\x02xy", b"\x015\xfb"],
        );
        check(
            &[2, 3, 1, 0, 1, 0, 0, 0, 2, b'x', b'y', 0, 5, 0, 0, 0],
            &[b"\x011\x02xy", b"\x015\x02xy"],
        );
        check(&[2, 3, 2, 2, 1, 0, 0, 0, 0, 1, b'z'], &[b"\x011\xfb", b"\x011\x01z"]);
    }

    #[test]
    fn unknown_events_are_errors_unless_they_may_be_ignored() {
        let mut decoder = Decoder::new(Flavour::Mysql);
        assert_eq!(decoder.push(event(99, &[])), Err(DecodeError::UnknownEvent(99)));
        let ignorable = RawEvent { flags: 0x80, ..event(99, &[]) };
        assert_eq!(decoder.push(ignorable), Ok(Decoded::Skip));
        // MariaDB's kinds are nothing to MySQL.
        assert_eq!(decoder.push(event(162, &[])), Err(DecodeError::UnknownEvent(162)));
    }
}
