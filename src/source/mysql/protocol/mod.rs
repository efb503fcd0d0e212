//! A connection to a server whose packets are read as they are.
//!
//! The library's connection hands out parsed results only, and copies each event of a log three times
//! on the way (ADR 0005). What is read here is handed out as a slice of the bytes received.

mod login;
mod packets;
mod query;
mod result;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use mysql_async::{DriverError, Error, IoError, ServerError};
use mysql_common::constants::{CapabilityFlags, Command};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{ErrPacket, SslRequest};
use mysql_common::proto::MySerialize;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) use self::login::Credentials;
use self::packets::Packets;
pub(super) use self::result::{COLUMNS_MAX, Head, Outcome, column, end, head, prepared};
use super::tls::Secure;

type Result<T> = std::result::Result<T, Error>;

/// A connection that is logged in, or on the way there.
pub struct RawConnection {
    stream: Box<dyn Transport>,
    packets: Packets,
    /// What both sides can do, as far as it was agreed on.
    capabilities: CapabilityFlags,
    /// What the server knows this connection by.
    id: u32,
    /// What the server calls itself.
    version: String,
}

/// TCP, or TLS over it.
trait Transport: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Transport for T {}

impl RawConnection {
    /// Connects to the first of the addresses that answers, and logs in.
    pub(super) async fn open(
        addresses: &[SocketAddr],
        secure: Option<Secure>,
        credentials: &Credentials<'_>,
        keepalive: Duration,
    ) -> Result<Self> {
        let socket = TcpStream::connect(addresses).await.map_err(io)?;
        socket.set_nodelay(true).map_err(io)?;
        let keepalive = TcpKeepalive::new().with_time(keepalive);
        SockRef::from(&socket).set_tcp_keepalive(&keepalive).map_err(io)?;
        let mut connection = Self::over(socket);
        login::log_in(&mut connection, secure, credentials).await?;
        connection.take_large();
        Ok(connection)
    }

    /// One on which nothing has been said.
    pub(super) fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
    ) -> Self {
        Self {
            stream: Box::new(stream),
            packets: Packets::default(),
            capabilities: CapabilityFlags::empty(),
            id: 0,
            version: String::new(),
        }
    }

    /// Takes packets of any size from now on.
    pub(super) const fn take_large(&mut self) {
        self.packets.take_large();
    }

    /// What the server knows this connection by: KILL takes it.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// What the server calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Runs a statement that has no rows.
    pub async fn run(&mut self, statement: &str) -> Result<()> {
        self.ask(statement).await?;
        self.expect_ok().await
    }

    /// Sends a statement; what answers it is to be read.
    pub async fn ask(&mut self, statement: &str) -> Result<()> {
        self.send_text(Command::COM_QUERY, statement).await
    }

    /// Has a statement prepared; what answers that is to be read.
    pub async fn prepare(&mut self, statement: &str) -> Result<()> {
        self.send_text(Command::COM_STMT_PREPARE, statement).await
    }

    /// Forgets a prepared statement; nothing answers that.
    pub async fn close(&mut self, statement: u32) -> Result<()> {
        let number = statement.to_le_bytes();
        self.send(&[&[Command::COM_STMT_CLOSE as u8], &number[..]].concat()).await
    }

    /// Takes leave, so that the server need not wonder where we are.
    pub async fn quit(mut self) -> Result<()> {
        self.send(&[Command::COM_QUIT as u8]).await
    }

    /// Answers a request for a file with none.
    pub async fn give_no_file(&mut self) -> Result<()> {
        self.write(&[]).await
    }

    /// Whether nothing was received that is not yet taken.
    pub fn is_quiet(&self) -> bool {
        self.packets.is_empty()
    }

    async fn send_text(&mut self, command: Command, text: &str) -> Result<()> {
        self.send(&[&[command as u8], text.as_bytes()].concat()).await
    }

    /// Sends a command; what answers it is to be read.
    pub async fn command(&mut self, command: &impl MySerialize) -> Result<()> {
        let mut packet = Vec::new();
        command.serialize(&mut packet);
        self.send(&packet).await
    }

    /// Has the server write so many bytes of rows at a time, or as many as it takes in a packet: it
    /// collects as many as the largest packet had that it was sent, and what stands behind a ping it
    /// does not read. One that refuses such a ping goes on as before.
    pub async fn widen(&mut self, bytes: usize) -> Result<()> {
        if self.packets.is_wide() {
            return Ok(());
        }
        let allowed: Vec<u64> = self.query("SELECT @@max_allowed_packet").await?;
        // It hangs up on whoever sends as much as that.
        let allowed = allowed.first().map_or(0, |allowed| allowed.saturating_sub(1));
        let bytes = bytes.min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let mut ping = vec![0; bytes.max(1)];
        ping[0] = Command::COM_PING as u8;
        self.send(&ping).await?;
        match self.expect_ok().await {
            Err(Error::Server(_)) => {}
            answered => answered?,
        }
        self.packets.widen(bytes);
        Ok(())
    }

    async fn send(&mut self, command: &[u8]) -> Result<()> {
        self.packets.begin_command();
        self.write(command).await
    }

    /// Reads the OK that answers a command.
    pub async fn expect_ok(&mut self) -> Result<()> {
        let packet = self.packet().await?;
        match packet.first() {
            Some(&OK) => Ok(()),
            _ => Err(unexpected(&packet)),
        }
    }

    /// The next packet; an error packet is an error. Cancel-safe.
    pub async fn packet(&mut self) -> Result<Bytes> {
        loop {
            if let Some(packet) = self.received()? {
                return Ok(packet);
            }
            self.receive().await?;
        }
    }

    /// The next packet if all of it has been received; an error packet is an error.
    pub fn received(&mut self) -> Result<Option<Bytes>> {
        let Some(packet) = self.packets.take().map_err(Error::Driver)? else { return Ok(None) };
        match packet.first() {
            Some(&ERR) => Err(self.refusal(&packet)),
            _ => Ok(Some(packet)),
        }
    }

    /// Bytes that were received of packets that are not yet taken.
    pub fn untaken(&self) -> usize {
        self.packets.len()
    }

    /// Reads complete packets where they were received, in turn, until `read` breaks; nothing if more
    /// is to be received before it does. An error packet is an error.
    pub fn read_received<B>(
        &mut self,
        mut read: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>> {
        let broken = self.packets.read(|packet| match packet.first() {
            Some(&ERR) => ControlFlow::Break(Err(Bytes::copy_from_slice(packet))),
            _ => read(packet).map_break(Ok),
        });
        match broken.map_err(Error::Driver)? {
            None => Ok(None),
            Some(Ok(broken)) => Ok(Some(broken)),
            Some(Err(packet)) => Err(self.refusal(&packet)),
        }
    }

    /// Waits for more bytes and takes them. Cancel-safe.
    pub async fn receive(&mut self) -> Result<()> {
        match self.stream.read_buf(self.packets.room()).await.map_err(io)? {
            0 => Err(Error::Driver(DriverError::ConnectionClosed)),
            _ => Ok(()),
        }
    }

    async fn write(&mut self, packet: &[u8]) -> Result<()> {
        let framed = self.packets.framed(packet);
        self.stream.write_all(&framed).await.map_err(io)?;
        self.stream.flush().await.map_err(io)
    }

    /// Goes on under TLS.
    async fn secure(&mut self, secure: Secure, max_packet: u32) -> Result<()> {
        let mut request = Vec::new();
        SslRequest::new(self.capabilities, max_packet, UTF8MB4_GENERAL_CI).serialize(&mut request);
        self.write(&request).await?;
        // What came before the server's half of the handshake came from somebody else.
        if !self.packets.is_empty() {
            return Err(Error::Driver(DriverError::PacketOutOfOrder));
        }
        let plain = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = Box::new(secure.handshake(plain).await?);
        Ok(())
    }

    fn refusal(&self, packet: &[u8]) -> Error {
        match ParseBuf(packet).parse::<ErrPacket<'_>>(self.capabilities) {
            Ok(ErrPacket::Error(error)) => Error::Server(ServerError {
                code: error.error_code(),
                message: error.message_str().into_owned(),
                state: error
                    .sql_state_ref()
                    .map_or_else(|| "HY000".to_owned(), |state| state.as_str().into_owned()),
            }),
            Ok(ErrPacket::Progress(_)) | Err(_) => unexpected(packet),
        }
    }
}

fn io(error: std::io::Error) -> Error {
    Error::Io(IoError::Io(error))
}

/// Its first bytes say what it was.
fn unexpected(packet: &[u8]) -> Error {
    let payload = packet.iter().take(64).copied().collect();
    Error::Driver(DriverError::UnexpectedPacket { payload })
}

const OK: u8 = 0x00;
const ERR: u8 = 0xff;
/// utf8mb4_general_ci, which both families know.
const UTF8MB4_GENERAL_CI: u8 = 45;
