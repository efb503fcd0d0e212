//! The decoder against the logs that real servers write.

mod control;
mod corpus;
mod images;
pub mod oracle;
pub mod values;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row as Answer, Value};
use vstreamd::event::row::{Cell, Row};
use vstreamd::event::{RowsEvent, TableSchema};
use vstreamd::source::Source;
use vstreamd::source::mysql::decode::{
    Binding, DecodeError, Decoded, Decoder, Framing, PayloadReader, RawEvent, TRANSACTION_PAYLOAD,
};
use vstreamd::source::mysql::{Budget, Flavour, MysqlSource, Server as Upstream, ServerUrl};

use crate::harness::real::{Kind, Server};

/// An event of a log file, without its checksum.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEvent {
    pub timestamp: u32,
    pub kind: u8,
    pub server_id: u32,
    pub log_pos: u32,
    pub flags: u16,
    pub body: Vec<u8>,
}

impl LogEvent {
    pub fn raw(&self) -> RawEvent<'_> {
        let Self { timestamp, kind, server_id, log_pos, flags, ref body } = *self;
        RawEvent { timestamp, kind, server_id, log_pos, flags, body }
    }

    fn new(raw: RawEvent<'_>) -> Self {
        let RawEvent { timestamp, kind, server_id, log_pos, flags, body } = raw;
        Self { timestamp, kind, server_id, log_pos, flags, body: body.to_vec() }
    }
}

/// All events of a server's log, from its files; those of compressed transactions behind them.
pub fn log(server: &Server) -> Vec<LogEvent> {
    let data = server.dir.join("data");
    let index = std::fs::read_to_string(data.join("binlog.index")).unwrap();
    let mut events = Vec::new();
    for name in index.lines() {
        let file = PathBuf::from(name);
        let mut bytes = std::fs::read(data.join(file.file_name().unwrap())).unwrap();
        // The flag of a file that is still written to, which its checksum leaves out.
        bytes[4 + 17] &= !1;
        let mut framing = Framing::default();
        let mut rest = &bytes[4..];
        while let Some(length) = rest.get(9..13) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
            let (bytes, behind) = rest.split_at(length);
            rest = behind;
            let event = LogEvent::new(framing.event(bytes).unwrap());
            let inner = match event.kind {
                TRANSACTION_PAYLOAD => inner_events(&event).unwrap(),
                _ => Vec::new(),
            };
            events.push(event);
            events.extend(inner);
        }
    }
    events
}

/// The events of a compressed transaction.
fn inner_events(event: &LogEvent) -> Result<Vec<LogEvent>, DecodeError> {
    let mut payload = PayloadReader::default();
    payload.open(event.body.clone().into())?;
    let mut events = Vec::new();
    while let Some(event) = payload.next_event()? {
        events.push(LogEvent::new(event.raw()));
    }
    Ok(events)
}

pub fn flavour(kind: Kind) -> Flavour {
    match kind {
        Kind::MySql => Flavour::Mysql,
        Kind::MariaDb => Flavour::MariaDb,
    }
}

/// The tables of a database as `information_schema` has them.
pub async fn tables(server: &Server, database: &str) -> HashMap<String, Arc<TableSchema>> {
    let url = format!("mysql://root@{}/{database}", server.address());
    let budget = Arc::new(Budget::new(9));
    let upstream = Upstream::new("real", ServerUrl::parse(&url).unwrap(), budget);
    let tables = MysqlSource::new(upstream, database).tables().await.unwrap();
    tables.iter().map(|table| (table.name.table.to_string(), Arc::clone(table))).collect()
}

/// Decodes a log; rows of the given tables with their schemas, all others skipped.
pub fn decode(
    kind: Kind,
    events: &[LogEvent],
    known: &HashMap<String, Arc<TableSchema>>,
) -> Vec<Decoded> {
    let mut decoder = Decoder::new(flavour(kind));
    let mut decoded = Vec::new();
    for event in events.iter().filter(|event| event.kind != TRANSACTION_PAYLOAD) {
        let said = decoder.push(event.raw()).unwrap_or_else(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            panic!("{kind:?}: {error}: {cause:?} in {event:02x?}")
        });
        if let Decoded::TableMap { id, bound: false } = said {
            let map = decoder.table_map(id).unwrap();
            let table =
                known.get(&*map.table).filter(|table| *table.name.keyspace == *map.database);
            let binding = match table {
                Some(table) => Binding::Rows(Arc::new(
                    map.schema(Some(table))
                        .unwrap_or_else(|mismatch| panic!("{kind:?}: {mismatch}\n{map:#?}")),
                )),
                None => Binding::Skip,
            };
            decoder.bind(id, binding).unwrap();
        }
        decoded.push(said);
    }
    decoded
}

/// The rows events among what was decoded.
pub fn rows(decoded: Vec<Decoded>) -> Vec<RowsEvent> {
    let rows = decoded.into_iter().filter_map(|said| match said {
        Decoded::Rows(rows) => Some(rows),
        _ => None,
    });
    rows.collect()
}

/// The cells of an image: bytes, or none for NULL.
pub fn cells(row: Row<'_>) -> Vec<Option<Vec<u8>>> {
    row.cells().map(|cell| cell.bytes().map(<[u8]>::to_vec)).collect()
}

/// An image as text: cells by commas, `-` for what is not in it.
pub fn shown(row: Option<Row<'_>>) -> String {
    let Some(row) = row else { return "none".to_owned() };
    let cells = row.cells().map(|cell| match cell {
        Cell::Absent => "-".to_owned(),
        Cell::Null => "NULL".to_owned(),
        Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
    });
    cells.collect::<Vec<_>>().join(",")
}

/// A session that reads what is stored and stores what it can.
pub async fn session(server: &Server) -> Conn {
    let mut conn = Conn::from_url(server.url("mysql")).await.unwrap();
    run(
        &mut conn,
        "SET NAMES utf8mb4, character_set_results = NULL, time_zone = '+00:00', sql_mode = ''",
    )
    .await;
    conn
}

pub async fn run(conn: &mut Conn, statement: &str) {
    let done = conn.query_drop(statement).await;
    let shown: String = statement.chars().take(400).collect();
    done.unwrap_or_else(|error| panic!("{shown}: {error}"));
}

/// A SELECT's rows in the text protocol.
pub async fn select(conn: &mut Conn, statement: &str) -> Vec<Vec<Option<Vec<u8>>>> {
    let rows: Vec<Answer> = conn.query(statement).await.unwrap();
    let cell = |value: Value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => panic!("the text protocol has only texts, not {other:?}"),
    };
    rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect()).collect()
}
