//! The server's log as raw events: checked bytes, in order, from a position on.
//!
//! One connection, opened within the server's budget. What goes wrong on it is told apart here:
//! a position that the server cannot serve, and a connection that is to be made again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Buf;
use mysql_async::{Conn, DriverError, Error, Sid};
use mysql_common::packets::{ComBinlogDump, ComBinlogDumpGtid, ComRegisterSlave};

use super::Flavour;
use super::bounds::Bounds;
use super::budget::Permit;
use super::connect::{Connection, INSTANCE, NET_WRITE_TIMEOUT_SECONDS, Server};
use super::decode::{
    Decoded, Framing, LogEvent, PayloadReader, Query, TRANSACTION_PAYLOAD, XaStep,
};
use super::literal;
use super::names::Changed;
use super::preflight;
use super::protocol::RawConnection;
use super::transaction::Assembler;
use crate::event::{GtidSet, Timestamp};
use crate::source::{SourceError, now_seconds};

/// A server's log being read.
pub(super) struct Pump {
    connection: RawConnection,
    server: Server,
    pub flavour: Flavour,
    /// The server takes names in any case.
    pub folds_names: bool,
    pub start: GtidSet,
    framing: Framing,
    /// Where the last event ended, for errors.
    place: Place,
    /// The server has found the position and sends what follows.
    has_begun: bool,
    /// Of compressed transactions.
    payloads: PayloadReader,
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
        let mut asked = server.connect().await?;
        server.in_time(check(server, &mut asked, start)).await?;
        let instance = asked.instance.clone();
        let (flavour, folds_names) = (asked.flavour, asked.folds_names);
        let account = asked.account.clone();
        let (conn, permit) = asked.into_parts();
        // The log takes this connection's place in the budget.
        server.in_time(leave(conn)).await?;
        let mut connection = server.connect_raw().await?;
        let set_up = set_up(flavour, start, &instance);
        server.in_time(ask(server, &mut connection, &set_up, (flavour, start, &account))).await?;
        Ok(Self {
            connection,
            server: server.clone(),
            flavour,
            folds_names,
            start: start.clone(),
            framing: Framing::default(),
            place: Place::default(),
            has_begun: false,
            payloads: PayloadReader::default(),
            _permit: permit,
        })
    }

    /// The next event. Waits for it, as long as the server shows that it is alive. Cancel-safe.
    pub async fn next(&mut self) -> Result<LogEvent, SourceError> {
        loop {
            // What has been received, and what inflates from it, can be much.
            tokio::task::coop::consume_budget().await;
            if let Some(event) = self.received()? {
                return Ok(event);
            }
            let silence_max = if self.has_begun { SILENCE_MAX } else { SEEK_TIME_MAX };
            match tokio::time::timeout(silence_max, self.receive_part()).await {
                Ok(received) => {
                    if let Some(event) = received? {
                        return Ok(event);
                    }
                }
                Err(_) => {
                    let context = format!(
                        "{} has said nothing whole for {silence_max:?}, not even that it is alive",
                        self.server.name()
                    );
                    return Err(SourceError::Disconnected { context, source: None });
                }
            }
        }
    }

    /// Waits for the next event, or for as much of a large one as shows that it is being sent.
    /// Cancel-safe.
    async fn receive_part(&mut self) -> Result<Option<LogEvent>, SourceError> {
        let enough = self.connection.untaken() + PART_BYTES_MIN;
        loop {
            self.connection.receive().await.map_err(|error| self.failed(error))?;
            let event = self.received()?;
            if event.is_some() || self.connection.untaken() >= enough {
                return Ok(event);
            }
        }
    }

    /// The next event if it is there.
    pub async fn ready(&mut self) -> Option<Result<LogEvent, SourceError>> {
        loop {
            if let Some(event) = self.received().transpose() {
                return Some(event);
            }
            let received = {
                let mut receive = pin!(self.connection.receive());
                poll_fn(|context| Poll::Ready(receive.as_mut().poll(context))).await
            };
            match received {
                Poll::Pending => return None,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Some(Err(self.failed(error))),
            }
        }
    }

    /// The next event if all of it has been received.
    fn received(&mut self) -> Result<Option<LogEvent>, SourceError> {
        loop {
            if let Some(event) = self.payloads.next_event().map_err(|error| self.corrupt(error))? {
                return Ok(Some(event));
            }
            let packet = self.connection.received().map_err(|error| self.failed(error))?;
            let Some(mut packet) = packet else { return Ok(None) };
            match packet.first() {
                Some(&EVENT) => packet.advance(1),
                // A server that shuts down says that there is no more; there will be.
                Some(&END) if packet.len() < END_BYTES_MAX => {
                    let context = format!("{} ended its log, as at a shutdown", self.server.name());
                    return Err(SourceError::Disconnected { context, source: None });
                }
                _ => return Err(self.corrupt("the server sent something else than an event")),
            }
            let raw = self.framing.event(&packet).map_err(|error| self.corrupt(error))?;
            // What stands for no place in the log may come before the server has looked for one.
            if raw.log_pos != 0 {
                self.has_begun = true;
                self.place.position = raw.log_pos;
            }
            let body = packet.slice_ref(raw.body);
            if (self.flavour, raw.kind) != (Flavour::Mysql, TRANSACTION_PAYLOAD) {
                return Ok(Some(LogEvent::new(raw, body)));
            }
            self.payloads.open(body).map_err(|error| self.corrupt(error))?;
        }
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
            Decoded::Rotate { .. } => self.note(&decoded),
            Decoded::TableMap { .. }
            | Decoded::RowsAppended
            | Decoded::Skip
            | Decoded::Format
            | Decoded::GtidList(_)
            | Decoded::Stop => {}
        }
        Ok(Changed::Nothing)
    }

    /// Takes what an event says of the place of those behind it.
    pub fn note(&mut self, decoded: &Decoded) {
        if let Decoded::Rotate { file, .. } = decoded {
            self.place = Place { file: file.clone(), position: 4 };
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
            Error::Driver(
                error @ (DriverError::PacketTooLarge | DriverError::UnexpectedPacket { .. }),
            ) => self.corrupt(error),
            error => self.server.broken("read the log", error),
        }
    }
}

/// Refuses a server or a position of which no log can be had.
async fn check(
    server: &Server,
    connection: &mut Connection,
    start: &GtidSet,
) -> Result<(), SourceError> {
    let Connection { conn, flavour, .. } = connection;
    preflight::require_fit(conn, *flavour, server).await?;
    Bounds::read(conn, *flavour, server).await?.check(start)
}

/// Whether the server has heard of it is its own business.
async fn leave(conn: Conn) -> Result<(), SourceError> {
    if let Err(error) = conn.disconnect().await {
        tracing::debug!(error = %error, "a session was left to end by itself");
    }
    Ok(())
}

/// Asks for the log as a replica does.
async fn ask(
    server: &Server,
    connection: &mut RawConnection,
    set_up: &str,
    (flavour, start, account): (Flavour, &GtidSet, &str),
) -> Result<(), SourceError> {
    let refused = |error| dump_refused(server, account, error);
    connection.run(set_up).await.map_err(refused)?;
    let id = server_id();
    connection.command(&ComRegisterSlave::new(id)).await.map_err(refused)?;
    connection.expect_ok().await.map_err(refused)?;
    let asked = match flavour {
        Flavour::Mysql => {
            let sids: Vec<Sid<'static>> = start
                .entries()
                .map(|entry| entry.parse())
                .collect::<Result<_, _>>()
                .map_err(|error| server.unreadable(error))?;
            let dump = ComBinlogDumpGtid::new(id).with_pos(FIRST_EVENT_AT.into()).with_sids(sids);
            connection.command(&dump).await
        }
        Flavour::MariaDb => {
            let dump = ComBinlogDump::new(id).with_pos(FIRST_EVENT_AT);
            connection.command(&dump).await
        }
    };
    asked.map_err(refused)
}

/// Tells the server what this reader of its log knows and wants. It fails on another server than the
/// one that was asked about its log: behind one address there may be several.
fn set_up(flavour: Flavour, start: &GtidSet, asked: &str) -> String {
    let asked = literal::text(asked);
    let mut statement = format!(
        "SET @same = IF({INSTANCE} = {asked}, 1, (SELECT 1 UNION SELECT 2)), \
         net_write_timeout = {NET_WRITE_TIMEOUT_SECONDS}, \
         @master_binlog_checksum = @@GLOBAL.binlog_checksum, \
         @master_heartbeat_period = {HEARTBEAT_NANOSECONDS}, "
    );
    statement.push_str(&match flavour {
        Flavour::Mysql => {
            let uuid = random_uuid();
            format!(
                "@source_binlog_checksum = @@GLOBAL.binlog_checksum, \
                 @source_heartbeat_period = {HEARTBEAT_NANOSECONDS}, \
                 @slave_uuid = '{uuid}', @replica_uuid = '{uuid}'"
            )
        }
        Flavour::MariaDb => format!(
            "@mariadb_slave_capability = 4, @slave_gtid_strict_mode = 1, \
             @slave_connect_state = '{}'",
            start.bare()
        ),
    });
    statement
}

/// What went wrong with the request for the log.
fn dump_refused(server: &Server, account: &str, error: Error) -> SourceError {
    if let Error::Server(said) = &error
        && said.code == MORE_THAN_ONE_ROW
    {
        let context = format!(
            "another server answers at {} than the one that was asked about its log",
            server.address()
        );
        return SourceError::Disconnected { context, source: None };
    }
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

/// ER_SUBQUERY_NO_1_ROW, made on purpose.
const MORE_THAN_ONE_ROW: u16 = 1242;
/// MySQL's number for all that may be wrong with reading its log.
const READING_LOG: u16 = 1236;
/// Behind the bytes that name a file of the log.
const FIRST_EVENT_AT: u32 = 4;
/// First bytes of what a server sends of its log.
const EVENT: u8 = 0x00;
const END: u8 = 0xfe;
/// A longer packet is no end.
const END_BYTES_MAX: usize = 9;
/// How often a server with nothing to say says so.
const HEARTBEAT_NANOSECONDS: u64 = 1_000_000_000;
/// How long a server may say nothing at all, or so little that it never comes to an event.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// The same while it looks for the position in its files.
const SEEK_TIME_MAX: Duration = Duration::from_secs(300);
/// What comes of a large event in that time, over the slowest of networks.
const PART_BYTES_MIN: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::source::mysql::{Budget, ServerUrl};

    /// A pump that reads what is written at the other end.
    async fn pump() -> (Pump, DuplexStream) {
        let url = ServerUrl::parse("mysql://root@127.0.0.1/ks").unwrap();
        let server = Server::new("one", url, Arc::new(Budget::new(1)));
        let (near, far) = duplex(1 << 16);
        let mut connection = RawConnection::over(near);
        connection.take_large();
        let pump = Pump {
            connection,
            flavour: Flavour::Mysql,
            folds_names: false,
            start: GtidSet::new(),
            framing: Framing::default(),
            place: Place::default(),
            has_begun: true,
            payloads: PayloadReader::default(),
            _permit: server.budget().take().await.unwrap(),
            server,
        };
        (pump, far)
    }

    /// What a server sends of an event whose body has so many bytes.
    fn sent(body_bytes: u32) -> Vec<u8> {
        let event_bytes = 19 + body_bytes;
        let packet_bytes = (1 + event_bytes).to_le_bytes();
        let mut sent = vec![packet_bytes[0], packet_bytes[1], packet_bytes[2], 0, EVENT];
        sent.extend_from_slice(&[0, 0, 0, 0, 27, 1, 0, 0, 0]);
        sent.extend_from_slice(&event_bytes.to_le_bytes());
        sent.resize(sent.len() + 6 + body_bytes as usize, 0);
        sent
    }

    /// Whether an event comes that is sent in parts of so many bytes, each after a pause; and how
    /// long it is waited for.
    async fn check(body_bytes: u32, part_bytes: usize, pause: Duration) -> (bool, Duration) {
        let (mut pump, mut server) = pump().await;
        let bytes = sent(body_bytes);
        let begun = Instant::now();
        let sending = async {
            for part in bytes.chunks(part_bytes) {
                sleep(pause).await;
                server.write_all(part).await.unwrap();
            }
            std::future::pending().await
        };
        let came = tokio::select! {
            next = pump.next() => match next {
                Ok(event) => event.raw().body.len() == body_bytes as usize,
                Err(SourceError::Disconnected { .. }) => false,
                Err(error) => panic!("{error}"),
            },
            () = sending => panic!("it waits for ever"),
        };
        (came, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn events_show_that_a_server_is_alive_and_single_bytes_do_not() {
        let second = Duration::from_secs(1);
        assert_eq!(check(20, 44, 19 * second).await, (true, 19 * second));
        assert_eq!(check(20, 1, 19 * second).await, (false, SILENCE_MAX));
        assert_eq!(check(1 << 20, 1, second).await, (false, SILENCE_MAX));
        // A large one comes as slowly as it does.
        let (came, after) = check(1 << 20, 1 << 10, second).await;
        assert!(came && after > 1_000 * second, "{after:?}");
        let (came, after) = check(15 << 20, 1 << 14, 19 * second).await;
        assert!(came && after > 900 * 19 * second, "{after:?}");
    }
}
