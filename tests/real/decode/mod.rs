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
use vstreamd::source::mysql::decode::{Binding, Decoded, Decoder, RawEvent};
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

    /// Reads the first event of `bytes`, and how long it is.
    fn read(bytes: &[u8], checksum: usize) -> Option<(Self, usize)> {
        let number =
            |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().unwrap()));
        let length = usize::try_from(number(9)?).unwrap();
        let event = Self {
            timestamp: number(0)?,
            kind: bytes[4],
            server_id: number(5)?,
            log_pos: number(13)?,
            flags: u16::from_le_bytes(bytes.get(17..19)?.try_into().unwrap()),
            body: bytes.get(19..length - checksum)?.to_vec(),
        };
        Some((event, length))
    }

    /// All events that follow each other in `bytes`.
    fn read_all(mut bytes: &[u8], checksum: usize) -> Vec<Self> {
        let mut events = Vec::new();
        while let Some((event, length)) = Self::read(bytes, checksum) {
            bytes = &bytes[length..];
            events.push(event);
        }
        events
    }
}

/// All events of a server's log, from its files; those of compressed transactions behind them.
pub fn log(server: &Server) -> Vec<LogEvent> {
    let data = server.dir.join("data");
    let index = std::fs::read_to_string(data.join("binlog.index")).unwrap();
    let mut events = Vec::new();
    for name in index.lines() {
        let file = PathBuf::from(name);
        let bytes = std::fs::read(data.join(file.file_name().unwrap())).unwrap();
        for event in LogEvent::read_all(&bytes[4..], 4) {
            let inner = if event.kind == 40 { inner_events(&event.body) } else { Vec::new() };
            events.push(event);
            events.extend(inner);
        }
    }
    events
}

/// What BinlogStream makes of a compressed transaction.
fn inner_events(body: &[u8]) -> Vec<LogEvent> {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let start = body.windows(4).position(|window| window == magic).unwrap();
    LogEvent::read_all(&zstd::decode_all(&body[start..]).unwrap(), 0)
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
    for event in events {
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
