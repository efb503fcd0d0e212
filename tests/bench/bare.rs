//! A server's log, read by the library and one decoder and nothing else: the yardstick for what an
//! engine and a door cost on top.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_core::Stream;
use mysql_async::binlog::events::{Event, EventData};
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, Opts, Sid};
use vstreamd::source::Source;
use vstreamd::source::mysql::decode::{Binding, Decoded, Decoder, RawEvent};
use vstreamd::source::mysql::{Budget, Flavour, MysqlSource, Server as Upstream, ServerUrl};

use super::figures::cpu;
use super::real::{Kind, Server};

/// Whose decoder turns events into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// vstreamd's.
    Ours,
    /// mysql_common's.
    Theirs,
}

/// Seconds that reading took.
#[derive(Debug, Clone, Copy)]
pub struct Seconds {
    pub cpu: f64,
    pub wall: f64,
}

/// Reads so many row changes of the server's database `bench` that follow a position.
pub fn read(server: &Server, begin: &str, changes: u64, whose: Whose) -> Seconds {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("make a runtime").block_on(async {
        let mut reader = Reader::open(server, begin).await;
        let (own, begun) = (std::process::id(), Instant::now());
        let before = cpu(own);
        let mut rows = 0;
        while rows < changes {
            let event = reader.next().await;
            rows += match whose {
                Whose::Ours => reader.decode(&event),
                Whose::Theirs => reader.library(&event),
            };
        }
        assert_eq!(rows, changes);
        Seconds { cpu: (cpu(own) - before).as_secs_f64(), wall: begun.elapsed().as_secs_f64() }
    })
}

/// A server's log from a position on.
pub struct Reader {
    stream: BinlogStream,
    decoder: Decoder,
    tables: Vec<Arc<vstreamd::event::TableSchema>>,
}

impl Reader {
    /// Asks for the log.
    pub async fn open(server: &Server, begin: &str) -> Reader {
        let url = ServerUrl::parse(&format!("mysql://root@{}/bench", server.address()));
        let upstream = Upstream::new("bare", url.expect("a URL"), Arc::new(Budget::new(2)));
        let tables = MysqlSource::new(upstream, "bench").tables().await.expect("read the tables");
        let opts = Opts::from_url(&server.url("bench")).expect("a URL");
        let mut conn = Conn::new(opts).await.expect("connect");
        let (flavour, request) = match server.kind {
            Kind::MySql => {
                let sids = begin.split(',').filter(|entry| !entry.trim().is_empty());
                let sids: Result<Vec<Sid<'static>>, _> =
                    sids.map(|entry| entry.trim().parse()).collect();
                let request = BinlogStreamRequest::new(fastrand::u32(1 << 31..));
                (Flavour::Mysql, request.with_gtid().with_gtid_set(sids.expect("a GTID set")))
            }
            Kind::MariaDb => {
                let set_up =
                    format!("SET @mariadb_slave_capability = 4, @slave_connect_state = '{begin}'");
                conn.query_drop(set_up).await.expect("set up");
                (Flavour::MariaDb, BinlogStreamRequest::new(fastrand::u32(1 << 31..)))
            }
        };
        let stream = conn.get_binlog_stream(request).await.expect("ask for the log");
        Reader { stream, decoder: Decoder::new(flavour), tables }
    }

    /// The next event.
    pub async fn next(&mut self) -> Event {
        let next = poll_fn(|context| Pin::new(&mut self.stream).poll_next(context)).await;
        next.expect("the log goes on").expect("read the log")
    }

    /// How many row changes an event holds, all cells written.
    pub fn decode(&mut self, event: &Event) -> u64 {
        let header = event.header();
        // The library leaves the checksum behind the first one in its place.
        if header.event_type_raw() == ROTATE {
            return 0;
        }
        let raw = RawEvent {
            timestamp: header.timestamp(),
            kind: header.event_type_raw(),
            server_id: header.server_id(),
            log_pos: header.log_pos(),
            flags: header.flags_raw(),
            body: event.data(),
        };
        match self.decoder.push(raw).expect("decode") {
            Decoded::TableMap { id, bound: false } => {
                let map = self.decoder.table_map(id).expect("it was just told of");
                let known = self.tables.iter().find(|table| *table.name.table == *map.table);
                let schema = map.schema(known.map(|schema| &**schema)).expect("it fits");
                self.decoder.bind(id, Binding::Rows(Arc::new(schema))).expect("it fits");
                0
            }
            Decoded::Rows(rows) => rows.len() as u64,
            _ => 0,
        }
    }

    /// The same by the library's decoder.
    fn library(&mut self, event: &Event) -> u64 {
        let Some(EventData::RowsEvent(rows)) = event.read_data().expect("read the event") else {
            return 0;
        };
        let map = self.stream.get_tme(rows.table_id()).expect("its table map came before");
        let mut count = 0;
        for row in rows.rows(map) {
            std::hint::black_box(row.expect("decode"));
            count += 1;
        }
        count
    }
}

const ROTATE: u8 = 4;
