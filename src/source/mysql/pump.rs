//! The server's log as raw events: checked bytes, in order, from a position on.
//!
//! One connection, opened within the server's budget. What goes wrong on it is told apart here:
//! a position that the server cannot serve, and a connection that is to be made again.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event as LogEvent;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, DriverError, Error, IoError, Sid};

use super::Flavour;
use super::bounds::Bounds;
use super::budget::Permit;
use super::connect::{Purpose, Server};
use super::decode::{Decoded, Query, RawEvent, XaStep};
use super::names::Changed;
use super::preflight;
use super::transaction::Assembler;
use crate::event::{GtidSet, Timestamp};
use crate::source::{SourceError, now_seconds};

/// A server's log being read.
pub(super) struct Pump {
    stream: BinlogStream,
    server: Server,
    pub flavour: Flavour,
    /// The server takes names in any case.
    pub folds_names: bool,
    pub start: GtidSet,
    /// Where the last event ended, for errors.
    place: Place,
    /// The server has found the position and sends what follows.
    has_begun: bool,
    /// Events inside a compressed transaction that are still to come.
    inner: usize,
    _permit: Permit,
}

/// A place in a server's log.
#[derive(Debug, Clone, Default)]
struct Place {
    file: String,
    position: u32,
}

impl Pump {
    /// Asks the server for what `start` lacks.
    pub async fn open(server: &Server, start: &GtidSet) -> Result<Self, SourceError> {
        let connection = server.connect(Purpose::Changes).await?;
        let (flavour, folds_names) = (connection.flavour, connection.folds_names);
        let account = connection.account.clone();
        let (conn, permit) = connection.into_parts();
        let ask = Self::ask(server, (conn, flavour), &account, start);
        let stream = server.in_time(ask).await?;
        Ok(Self {
            stream,
            server: server.clone(),
            flavour,
            folds_names,
            start: start.clone(),
            place: Place::default(),
            has_begun: false,
            inner: 0,
            _permit: permit,
        })
    }

    async fn ask(
        server: &Server,
        (mut conn, flavour): (Conn, Flavour),
        account: &str,
        start: &GtidSet,
    ) -> Result<BinlogStream, SourceError> {
        let failed = |error| server.broken("ask for the log", error);
        preflight::require_fit(&mut conn, flavour, server).await?;
        Bounds::read(&mut conn, flavour, server).await?.check(start)?;
        let request = match flavour {
            Flavour::Mysql => {
                let uuid = random_uuid();
                let set_up = format!(
                    "SET @master_heartbeat_period = {HEARTBEAT_NANOSECONDS}, \
                     @source_heartbeat_period = {HEARTBEAT_NANOSECONDS}, \
                     @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'"
                );
                conn.query_drop(set_up).await.map_err(failed)?;
                let sids: Vec<Sid<'static>> = start
                    .entries()
                    .map(|entry| entry.parse())
                    .collect::<Result<_, _>>()
                    .map_err(|error| server.unreadable(error))?;
                BinlogStreamRequest::new(server_id()).with_gtid().with_gtid_set(sids)
            }
            Flavour::MariaDb => {
                let set_up = format!(
                    "SET @mariadb_slave_capability = 4, @slave_gtid_strict_mode = 1, \
                     @master_heartbeat_period = {HEARTBEAT_NANOSECONDS}, \
                     @slave_connect_state = '{}'",
                    start.bare()
                );
                conn.query_drop(set_up).await.map_err(failed)?;
                BinlogStreamRequest::new(server_id())
            }
        };
        let stream = conn.get_binlog_stream(request).await;
        stream.map_err(|error| dump_refused(server, account, error))
    }

    /// The next event. Waits for it, as long as the server shows that it is alive. Cancel-safe.
    pub async fn next(&mut self) -> Result<LogEvent, SourceError> {
        let next = poll_fn(|context| Pin::new(&mut self.stream).poll_next(context));
        let silence_max = if self.has_begun { SILENCE_MAX } else { SEEK_TIME_MAX };
        match tokio::time::timeout(silence_max, next).await {
            Ok(event) => self.received(event),
            Err(_) => Err(SourceError::Disconnected {
                context: format!(
                    "{} has said nothing for {silence_max:?}, not even that it is alive",
                    self.server.name()
                ),
                source: None,
            }),
        }
    }

    /// The next event if it is there.
    pub async fn ready(&mut self) -> Option<Result<LogEvent, SourceError>> {
        let stream = &mut self.stream;
        let event = poll_fn(|context| {
            Poll::Ready(match Pin::new(&mut *stream).poll_next(context) {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            })
        });
        let event = event.await?;
        Some(self.received(event))
    }

    fn received(
        &mut self,
        event: Option<mysql_async::Result<LogEvent>>,
    ) -> Result<LogEvent, SourceError> {
        let event = match event {
            Some(Ok(event)) => event,
            Some(Err(error)) => return Err(self.failed(error)),
            // A server that shuts down says that there is no more; there will be.
            None => {
                let context = format!("{} ended its log, as at a shutdown", self.server.name());
                return Err(SourceError::Disconnected { context, source: None });
            }
        };
        let header = event.header();
        // What stands for no place in the log may come before the server has looked for one.
        self.has_begun |= header.log_pos() != 0;
        if self.inner > 0 {
            if header.log_pos() != 0 {
                return Err(self.corrupt("a compressed transaction broke off"));
            }
            self.inner -= 1;
            return Ok(event);
        }
        if header.log_pos() != 0 {
            self.place.position = header.log_pos();
        }
        let checksum = event.checksum().map(u32::from_le_bytes);
        let computed = || event.calc_checksum(BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32);
        if checksum.is_some_and(|checksum| checksum != computed()) {
            return Err(self.corrupt("an event's checksum does not fit its bytes"));
        }
        Ok(event)
    }

    /// Hands on what an event says; what a statement changed besides rows.
    pub fn assemble(
        &mut self,
        decoded: Decoded,
        time: Timestamp,
        assembler: &mut Assembler,
    ) -> Result<Changed, SourceError> {
        match decoded {
            Decoded::Gtid { gtid, standalone, xa } => {
                assembler.gtid(gtid)?;
                match (self.flavour, xa) {
                    (Flavour::MariaDb, Some(XaStep::Prepared(_))) => assembler.prepare()?,
                    (Flavour::MariaDb, None) if !standalone => assembler.begin(time)?,
                    (Flavour::MariaDb | Flavour::Mysql, _) => {}
                }
            }
            Decoded::Query(Query { database, statement, .. }) => {
                return assembler.query(&database, &statement, time);
            }
            Decoded::Xid => assembler.commit(time)?,
            Decoded::XaPrepare { one_phase, xid } => {
                assembler.prepared(&xid.to_string(), one_phase, time)?;
            }
            Decoded::Rows(rows) => assembler.rows(rows)?,
            Decoded::RowsSkipped => assembler.rows_skipped(),
            Decoded::RowsUnreadable(why) => assembler.unreadable(why)?,
            Decoded::RowsQuery(text) => assembler.rows_query(text),
            Decoded::Heartbeat { .. } => assembler.heartbeat(now_seconds()),
            Decoded::Anonymous => return Err(self.no_gtids()),
            Decoded::Incident { message } => return Err(self.lacks_changes(&message)),
            Decoded::Payload { .. } | Decoded::Rotate { .. } => self.note(&decoded),
            Decoded::TableMap { .. }
            | Decoded::RowsAppended
            | Decoded::Skip
            | Decoded::Format
            | Decoded::GtidList(_)
            | Decoded::Stop => {}
        }
        Ok(Changed::Nothing)
    }

    /// Takes what an event says of the events behind it.
    pub fn note(&mut self, decoded: &Decoded) {
        match decoded {
            Decoded::Payload { events } => self.inner = *events,
            Decoded::Rotate { file, .. } => self.place = Place { file: file.clone(), position: 4 },
            _ => {}
        }
    }

    fn no_gtids(&self) -> SourceError {
        SourceError::Unfit {
            what: format!("{} logs transactions without GTIDs", self.server.name()),
            mend: "run SET GLOBAL gtid_mode = ON (by way of OFF_PERMISSIVE and ON_PERMISSIVE), \
                   and begin at a position after that"
                .to_owned(),
        }
    }

    fn lacks_changes(&self, message: &str) -> SourceError {
        SourceError::Unfit {
            what: format!("the log of {} lacks changes: {message}", self.server.name()),
            mend: "begin anew".to_owned(),
        }
    }

    /// Adds where in the log it was to what went wrong.
    pub fn corrupt(
        &self,
        what: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SourceError {
        let Place { file, position } = &self.place;
        let context = format!("read the log of {} at {file}:{position}", self.server.name());
        SourceError::Corrupt { context, source: Some(what.into()) }
    }

    fn failed(&self, error: Error) -> SourceError {
        match error {
            Error::Server(said) if said.code == READING_LOG => {
                // Another took the number that was drawn at random; the next draw differs. And what
                // was served may be served again: that is asked when it is read again.
                if self.has_begun || said.message.contains("same server_uuid/server_id") {
                    return self.server.broken("read the log", Error::Server(said));
                }
                SourceError::LogRefused {
                    server: self.server.name().to_owned(),
                    position: self.start.clone(),
                    message: said.message,
                }
            }
            // The library takes an event for what it is not.
            Error::Io(IoError::Io(source)) if source.kind() == std::io::ErrorKind::InvalidData => {
                self.corrupt(source)
            }
            Error::Driver(error @ DriverError::UnexpectedPacket { .. }) => self.corrupt(error),
            error => self.server.broken("read the log", error),
        }
    }
}

/// An event as the decoder takes it.
pub(super) fn raw(event: &LogEvent) -> RawEvent<'_> {
    let header = event.header();
    RawEvent {
        timestamp: header.timestamp(),
        kind: header.event_type_raw(),
        server_id: header.server_id(),
        log_pos: header.log_pos(),
        flags: header.flags_raw(),
        body: event.data(),
    }
}

/// What went wrong with the request for the log.
fn dump_refused(server: &Server, account: &str, error: Error) -> SourceError {
    preflight::refused_log(&error, account)
        .unwrap_or_else(|| server.broken("ask for the log", error))
}

/// What this reader calls itself: two of one number end each other on the server.
fn server_id() -> u32 {
    fastrand::u32(1 << 31..)
}

fn random_uuid() -> String {
    let mut hex = format!("{:032x}", fastrand::u128(..));
    for at in [20, 16, 12, 8] {
        hex.insert(at, '-');
    }
    hex
}

/// MySQL's number for all that may be wrong with reading its log.
const READING_LOG: u16 = 1236;
/// How often a server with nothing to say says so.
const HEARTBEAT_NANOSECONDS: u64 = 1_000_000_000;
/// How long a server may say nothing at all.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// The same while it looks for the position in its files.
const SEEK_TIME_MAX: Duration = Duration::from_secs(300);
