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
    name: String,
    pub flavour: Flavour,
    start: GtidSet,
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
        let (flavour, account) = (connection.flavour, connection.account.clone());
        let (conn, permit) = connection.into_parts();
        let ask = Self::ask(server, (conn, flavour), &account, start);
        let stream = server.in_time(ask).await?;
        Ok(Self {
            stream,
            name: server.name().to_owned(),
            flavour,
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
        let failed = |error| disconnected(server.name(), "ask for its log", error);
        preflight::require_fit(&mut conn, flavour).await.map_err(failed)??;
        let request = match flavour {
            Flavour::Mysql => {
                let bounds = mysql_bounds(&mut conn).await.map_err(failed)?;
                bounds.check(start)?;
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
                    .map_err(|error| unreadable(server.name(), error))?;
                BinlogStreamRequest::new(server_id()).with_gtid().with_gtid_set(sids)
            }
            Flavour::MariaDb => {
                let set_up = format!(
                    "SET @mariadb_slave_capability = 4, @slave_gtid_strict_mode = 1, \
                     @master_heartbeat_period = {HEARTBEAT_NANOSECONDS}, \
                     @slave_connect_state = '{}'",
                    start.bare()
                );
                mariadb_bounds(&mut conn).await.map_err(failed)?.check(start)?;
                conn.query_drop(set_up).await.map_err(failed)?;
                BinlogStreamRequest::new(server_id())
            }
        };
        let stream = conn.get_binlog_stream(request).await;
        stream.map_err(|error| dump_refused(server.name(), account, error))
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
                    self.name
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
                let context = format!("{} ended its log, as at a shutdown", self.name);
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
            Decoded::RowsQuery(text) => assembler.rows_query(text),
            Decoded::Heartbeat { .. } => assembler.heartbeat(now_seconds()),
            Decoded::Anonymous => return Err(self.no_gtids()),
            Decoded::Incident { message } => return Err(self.lacks_changes(&message)),
            Decoded::Payload { .. } | Decoded::Rotate { .. } => self.note(&decoded),
            Decoded::TableMap { .. }
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
            what: format!("{} logs transactions without GTIDs", self.name),
            mend: "run SET GLOBAL gtid_mode = ON (by way of OFF_PERMISSIVE and ON_PERMISSIVE), \
                   and begin at a position after that"
                .to_owned(),
        }
    }

    fn lacks_changes(&self, message: &str) -> SourceError {
        SourceError::Unfit {
            what: format!("the log of {} lacks changes: {message}", self.name),
            mend: "begin anew".to_owned(),
        }
    }

    /// Adds where in the log it was to what went wrong.
    pub fn corrupt(
        &self,
        what: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> SourceError {
        let Place { file, position } = &self.place;
        let context = format!("read the log of {} at {file}:{position}", self.name);
        SourceError::Corrupt { context, source: Some(what.into()) }
    }

    fn failed(&self, error: Error) -> SourceError {
        match error {
            Error::Server(said) if said.code == READING_LOG => {
                if said.message.contains("same server_uuid/server_id") {
                    // Another took the number that was drawn at random; the next draw differs.
                    return disconnected(&self.name, "read its log", Error::Server(said));
                }
                if self.has_begun {
                    // It served the position; whether it still does is asked when it is read again.
                    return disconnected(&self.name, "read its log", Error::Server(said));
                }
                SourceError::LogRefused {
                    server: self.name.clone(),
                    position: self.start.clone(),
                    message: said.message,
                }
            }
            // The library takes an event for what it is not.
            Error::Io(IoError::Io(source)) if source.kind() == std::io::ErrorKind::InvalidData => {
                self.corrupt(source)
            }
            Error::Driver(error @ DriverError::UnexpectedPacket { .. }) => self.corrupt(error),
            error => disconnected(&self.name, "read its log", error),
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

/// What a server's log begins behind, and how far it goes.
struct Bounds {
    purged: GtidSet,
    executed: GtidSet,
}

impl Bounds {
    /// Refuses a position that the server cannot serve. Asked before the dump, since a server says
    /// the same number for all that may be wrong with one.
    fn check(&self, start: &GtidSet) -> Result<(), SourceError> {
        if !self.executed.contains_set(start) {
            return Err(SourceError::Future {
                position: start.clone(),
                current: self.executed.clone(),
            });
        }
        if !start.contains_set(&self.purged) {
            return Err(SourceError::Purged {
                position: start.clone(),
                oldest: self.purged.clone(),
            });
        }
        Ok(())
    }
}

async fn mysql_bounds(conn: &mut Conn) -> mysql_async::Result<Bounds> {
    let query = "SELECT @@GLOBAL.gtid_purged, @@GLOBAL.gtid_executed";
    let (purged, executed) = conn.query_first(query).await?.unwrap_or_default();
    Ok(Bounds { purged: set(purged)?, executed: set(executed)? })
}

/// A user without the right to see the log's files learns only from the server's refusal that a
/// position is too old.
async fn mariadb_bounds(conn: &mut Conn) -> mysql_async::Result<Bounds> {
    let executed = conn.query_first("SELECT @@GLOBAL.gtid_binlog_pos").await?.unwrap_or_default();
    let executed = set(executed)?;
    let first: mysql_async::Result<Option<(String, u64)>> =
        conn.query_first("SHOW BINARY LOGS").await;
    let purged = match first {
        Ok(Some((file, _))) => {
            let begins = "SELECT BINLOG_GTID_POS(?, 4)";
            let position: Option<Option<String>> = conn.exec_first(begins, (file,)).await?;
            set(position.flatten().unwrap_or_default())?
        }
        Ok(None) | Err(Error::Server(_)) => GtidSet::new(),
        Err(error) => return Err(error),
    };
    Ok(Bounds { purged, executed })
}

fn set(text: String) -> mysql_async::Result<GtidSet> {
    text.parse().map_err(|error| Error::Other(Box::new(error)))
}

/// What went wrong with the request for the log.
fn dump_refused(name: &str, account: &str, error: Error) -> SourceError {
    preflight::refused_log(&error, account)
        .unwrap_or_else(|| disconnected(name, "ask for its log", error))
}

pub(super) fn disconnected(name: &str, what: &str, error: Error) -> SourceError {
    SourceError::Disconnected {
        context: format!("{what}: the connection to {name} broke"),
        source: Some(Box::new(error)),
    }
}

/// A position that is none.
pub(super) fn unreadable(
    name: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SourceError {
    SourceError::Corrupt {
        context: format!("read the position of {name}"),
        source: Some(error.into()),
    }
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
