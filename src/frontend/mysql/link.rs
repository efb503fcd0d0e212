//! One client's socket: packets in, packets out, all of it bounded.
//!
//! Incoming, a packet is read to its end and never a byte is handed on past it; what a client sends
//! ahead waits here. Outgoing, packets collect in one buffer until somebody flushes it. A buffer that
//! grew is given back once it is empty, so that an idle connection costs little.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::budget::{Crowded, Holding};
use super::socket::{Agreed, Socket};

/// A payload of this size or more spans several frames.
pub const FRAME_BYTES: usize = 0xff_ffff;
/// Outgoing bytes that are worth a system call. Somewhat more than 64 KiB, so that a busy result
/// has no more than one call per 64 KiB, those of its beginning and end among them.
const FLUSH_BYTES: usize = 96 * 1024;
/// What a client may send ahead while a statement runs; the rest waits in its socket.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// How often a client that has sent so much ahead is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Room made for a read while nothing large is under way.
const READ_BYTES: usize = 1024;
/// Room made for a read of a large packet.
const READ_BYTES_MAX: usize = 64 * 1024;
/// A larger buffer is given back when it is empty.
const KEPT_BYTES: usize = 1024;
const HEADER_BYTES: usize = 4;

/// The framed, buffered connection to one client.
#[derive(Debug)]
pub struct Link {
    socket: Socket,
    incoming: BytesMut,
    /// The frame that is being read, and the payload read so far.
    frame: Option<Frame>,
    payload: Vec<u8>,
    payload_bytes_max: usize,
    /// What of all connections' bytes the packets of this exchange take.
    holding: Option<Holding>,
    outgoing: Vec<u8>,
    sent: usize,
    sequence: u8,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    remaining: usize,
    more_follow: bool,
}

/// Why nothing more can be read from a client.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The client is gone.
    #[error("the connection broke")]
    Broken(#[from] io::Error),
    /// A packet exceeds the bound of this phase.
    #[error("a packet exceeds {0} bytes")]
    TooLarge(usize),
    /// There is no room for a packet among those of the other connections.
    #[error("there is no room for the packet")]
    Crowded(#[from] Crowded),
    /// A frame's sequence number is not the one that must come.
    #[error("packets out of order: {found} in place of {expected}")]
    OutOfOrder {
        /// The number that must come.
        expected: u8,
        /// The number that came.
        found: u8,
    },
}

impl Link {
    /// Frames `socket`; a payload may have `payload_bytes_max` bytes.
    pub fn new(socket: TcpStream, payload_bytes_max: usize) -> Self {
        Self {
            socket: Socket::new(socket),
            incoming: BytesMut::new(),
            frame: None,
            payload: Vec::new(),
            payload_bytes_max,
            holding: None,
            outgoing: Vec::new(),
            sent: 0,
            sequence: 0,
        }
    }

    /// Changes the bound on a payload, and says where payloads are held.
    pub fn allow(&mut self, payload_bytes_max: usize, holding: Holding) {
        self.payload_bytes_max = payload_bytes_max;
        self.holding = Some(holding);
    }

    /// The next frame begins a new exchange: either side starts to count from 0, and nothing is left
    /// of the packets before.
    pub fn restart(&mut self) {
        self.sequence = 0;
        if let Some(holding) = &mut self.holding {
            holding.release();
        }
    }

    /// Goes on under TLS, which the client begins with what it may have sent ahead already.
    pub async fn begin_tls(&mut self, config: Arc<ServerConfig>) -> io::Result<()> {
        let ahead = std::mem::take(&mut self.incoming).freeze();
        self.socket.begin_tls(config, ahead).await
    }

    /// What TLS agreed on; `None` in the clear.
    pub fn agreed(&self) -> Option<Agreed> {
        self.socket.agreed()
    }

    /// The next packet's payload; `None` where the client closed between packets. Cancel-safe.
    pub async fn packet(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        loop {
            if let Some(payload) = self.buffered_packet()? {
                return Ok(Some(payload));
            }
            let wanted = self.frame.map_or(0, |frame| frame.remaining);
            let wanted = wanted.clamp(READ_BYTES, READ_BYTES_MAX);
            if let Some(holding) = &mut self.holding {
                holding.grow(self.payload.len() + self.incoming.len() + wanted).await?;
            }
            self.incoming.reserve(wanted);
            if self.socket.read_buf(&mut self.incoming).await? == 0 {
                let between = self.frame.is_none() && self.incoming.is_empty();
                let early = io::Error::from(io::ErrorKind::UnexpectedEof);
                return if between { Ok(None) } else { Err(early.into()) };
            }
        }
    }

    /// Resolves once something of the next packet is here, or nothing will come. Cancel-safe.
    pub async fn arriving(&mut self) {
        while self.begun() == 0 {
            self.incoming.reserve(READ_BYTES);
            match self.socket.read_buf(&mut self.incoming).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Bytes of the packet that is being read, as far as it is here.
    pub fn begun(&self) -> usize {
        let header = self.frame.map_or(0, |_| HEADER_BYTES);
        self.payload.len() + self.incoming.len() + header
    }

    /// Resolves once the client is gone; what it sends ahead is kept. Cancel-safe.
    pub async fn closed(&mut self) {
        while self.incoming.len() < AHEAD_BYTES_MAX {
            self.incoming.reserve(READ_BYTES);
            match self.socket.read_buf(&mut self.incoming).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // So much is kept that no more is read: the socket's state alone can tell of its end.
        self.socket.read_closed(LOOK_INTERVAL).await;
    }

    /// Appends one packet whose payload `encode` appends to the buffer.
    pub fn write(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let encode = |out: &mut Vec<u8>| {
            encode(out);
            Ok::<_, std::convert::Infallible>(())
        };
        let Ok(()) = self.try_write(encode);
    }

    /// Appends one packet whose payload `encode` appends to the buffer; none if it fails.
    pub fn try_write<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.outgoing.len();
        self.outgoing.extend_from_slice(&[0; HEADER_BYTES]);
        if let Err(error) = encode(&mut self.outgoing) {
            self.outgoing.truncate(start);
            return Err(error);
        }
        let length = self.outgoing.len() - start - HEADER_BYTES;
        if length < FRAME_BYTES {
            let header = self.header(length);
            self.outgoing[start..start + HEADER_BYTES].copy_from_slice(&header);
        } else {
            self.split(start);
        }
        Ok(())
    }

    /// Whether enough is buffered to be worth a system call.
    pub const fn is_full(&self) -> bool {
        self.outgoing.len() >= FLUSH_BYTES
    }

    /// Bytes that are buffered and not sent yet.
    pub const fn unsent(&self) -> usize {
        self.outgoing.len() - self.sent
    }

    /// Sends what is buffered. Cancel-safe: the next call goes on where this one was dropped.
    pub async fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.outgoing.len() {
            match self.socket.write(&self.outgoing[self.sent..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.sent += written,
            }
        }
        // TLS may hold a record back that the socket did not take yet.
        self.socket.flush().await?;
        self.sent = 0;
        self.outgoing.clear();
        Ok(())
    }

    /// Gives back what an idle connection does not need. Costs a later busy phase one allocation.
    pub fn shrink(&mut self) {
        if self.outgoing.is_empty() && self.outgoing.capacity() > KEPT_BYTES {
            self.outgoing = Vec::new();
        }
    }

    /// Ends the connection in both directions.
    pub async fn shut(&mut self) {
        // The peer may be gone already; there is nobody left to tell.
        let _ = self.socket.shutdown().await;
    }

    /// Takes a whole packet out of what was read; `None` if its end has not come yet.
    fn buffered_packet(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        loop {
            let Some(frame) = &mut self.frame else {
                if self.incoming.len() < HEADER_BYTES {
                    return Ok(None);
                }
                let header = self.incoming.get_u32_le();
                self.frame = Some(self.begin_frame(header)?);
                continue;
            };
            let taken = frame.remaining.min(self.incoming.len());
            self.payload.extend_from_slice(&self.incoming[..taken]);
            self.incoming.advance(taken);
            frame.remaining -= taken;
            let (remaining, more_follow) = (frame.remaining, frame.more_follow);
            if self.incoming.is_empty() && self.incoming.capacity() > KEPT_BYTES && remaining == 0 {
                self.incoming = BytesMut::new();
            }
            match (remaining, more_follow) {
                (0, false) => {
                    self.frame = None;
                    return Ok(Some(std::mem::take(&mut self.payload)));
                }
                (0, true) => self.frame = None,
                _ => return Ok(None),
            }
        }
    }

    fn begin_frame(&mut self, header: u32) -> Result<Frame, LinkError> {
        let [a, b, c, found] = header.to_le_bytes();
        let remaining = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if found != self.sequence {
            return Err(LinkError::OutOfOrder { expected: self.sequence, found });
        }
        self.sequence = self.sequence.wrapping_add(1);
        if self.payload.len() + remaining > self.payload_bytes_max {
            return Err(LinkError::TooLarge(self.payload_bytes_max));
        }
        Ok(Frame { remaining, more_follow: remaining == FRAME_BYTES })
    }

    /// Splits the payload behind `start` into frames; one that is full is followed by another, if
    /// need be by an empty one.
    fn split(&mut self, start: usize) {
        let whole = self.outgoing.split_off(start + HEADER_BYTES);
        self.outgoing.truncate(start);
        let mut rest = &whole[..];
        loop {
            let (part, behind) = rest.split_at(rest.len().min(FRAME_BYTES));
            let header = self.header(part.len());
            self.outgoing.extend_from_slice(&header);
            self.outgoing.extend_from_slice(part);
            rest = behind;
            if part.len() < FRAME_BYTES {
                return;
            }
        }
    }

    fn header(&mut self, length: usize) -> [u8; HEADER_BYTES] {
        let [a, b, c, ..] = length.to_le_bytes();
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        [a, b, c, sequence]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ends of one connection.
    async fn pair(payload_bytes_max: usize) -> (Link, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Link::new(server, payload_bytes_max), client)
    }

    #[tokio::test]
    async fn pipelined_packets_come_one_by_one() {
        let (mut link, mut client) = pair(64).await;
        client.write_all(b"\x03\0\0\0abc\x01\0\0\0d\x02\0\0\0e").await.unwrap();
        assert_eq!(link.packet().await.unwrap(), Some(b"abc".to_vec()));
        link.restart();
        assert_eq!(link.packet().await.unwrap(), Some(b"d".to_vec()));
        drop(client);
        link.restart();
        assert!(matches!(link.packet().await, Err(LinkError::Broken(_))), "cut in mid-packet");
    }

    #[tokio::test]
    async fn bounds_hold_before_the_payload_arrives() {
        let (mut link, mut client) = pair(64).await;
        client.write_all(b"\x41\0\0\0").await.unwrap();
        assert!(matches!(link.packet().await, Err(LinkError::TooLarge(64))));
        let (mut link, mut client) = pair(64).await;
        client.write_all(b"\x01\0\0\x01").await.unwrap();
        let error = link.packet().await.unwrap_err();
        assert!(matches!(error, LinkError::OutOfOrder { expected: 0, found: 1 }));
    }

    #[tokio::test]
    async fn payloads_of_full_frames_are_split_and_joined() {
        for length in [FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 2 * FRAME_BYTES] {
            let (mut sender, receiver) = pair(0).await;
            let mut receiver = Link::new(receiver, usize::MAX);
            sender.write(|out| out.resize(out.len() + length, 7));
            let (sent, received) = tokio::join!(sender.flush(), receiver.packet());
            sent.unwrap();
            assert_eq!(received.unwrap().unwrap().len(), length);
            assert_eq!(sender.sequence, receiver.sequence);
        }
    }

    #[tokio::test]
    async fn departure_is_noticed_behind_commands_sent_ahead() {
        let (mut link, mut client) = pair(64).await;
        client.write_all(b"\x01\0\0\0\x0e").await.unwrap();
        drop(client);
        link.closed().await;
        assert_eq!(link.packet().await.unwrap(), Some(vec![0x0e]));
    }
}
