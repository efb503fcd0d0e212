//! A client's byte stream, in the clear or under TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The socket of one client.
#[derive(Debug)]
pub struct Socket {
    tcp: Arc<TcpStream>,
    /// In a box: most of a TLS connection's state is large.
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Plain(Tcp),
    Tls(Box<TlsStream<Tcp>>),
}

/// What a TLS connection agreed on, in the names that MySQL's status variables use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// Such as `TLSv1.3`.
    pub version: &'static str,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
}

impl Socket {
    /// A connection in the clear.
    pub fn new(tcp: TcpStream) -> Self {
        let tcp = Arc::new(tcp);
        Self { stream: Stream::Plain(Tcp::new(&tcp, Bytes::new())), tcp }
    }

    /// Lets the client begin TLS; `ahead` are bytes that were read from it already.
    pub async fn begin_tls(&mut self, config: Arc<ServerConfig>, ahead: Bytes) -> io::Result<()> {
        let accepted = TlsAcceptor::from(config).accept(Tcp::new(&self.tcp, ahead)).await?;
        self.stream = Stream::Tls(Box::new(accepted));
        Ok(())
    }

    /// What TLS agreed on; `None` in the clear.
    pub fn agreed(&self) -> Option<Agreed> {
        let Stream::Tls(tls) = &self.stream else { return None };
        let (_, connection) = tls.get_ref();
        let is_13 = connection.protocol_version()? == rustls::ProtocolVersion::TLSv1_3;
        let version = if is_13 { "TLSv1.3" } else { "TLSv1.2" };
        let cipher = connection.negotiated_cipher_suite()?.suite().as_str().unwrap_or("unknown");
        // rustls names the suites of 1.3 for its own registry of both versions.
        let cipher = match cipher {
            "TLS13_AES_256_GCM_SHA384" => "TLS_AES_256_GCM_SHA384",
            "TLS13_AES_128_GCM_SHA256" => "TLS_AES_128_GCM_SHA256",
            "TLS13_CHACHA20_POLY1305_SHA256" => "TLS_CHACHA20_POLY1305_SHA256",
            other => other,
        };
        Some(Agreed { version, cipher })
    }

    /// Resolves once the peer has closed its side, without reading what is still unread. Looks
    /// again after `interval` while something unread keeps the socket readable.
    pub async fn read_closed(&self, interval: std::time::Duration) {
        loop {
            match self.tcp.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(interval).await,
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            // MySQL's clients leave without TLS's close_notify. Packets carry their lengths, so that
            // a cut stream is noticed without it.
            Stream::Tls(tls) => match ready!(Pin::new(tls).poll_read(context, buffer)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Stream::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}

/// A shared TCP connection behind bytes that were read from it already.
#[derive(Debug)]
struct Tcp {
    socket: Arc<TcpStream>,
    ahead: Bytes,
}

impl Tcp {
    fn new(socket: &Arc<TcpStream>, ahead: Bytes) -> Self {
        Self { socket: Arc::clone(socket), ahead }
    }

    /// Writes by `write` as soon as the socket takes something.
    fn poll_written(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_write_ready(context))?;
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.has_remaining() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(context))?;
            match self.socket.try_read_buf(buffer) {
                Ok(_) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_written(context, |socket| socket.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(socket2::SockRef::from(&*self.socket).shutdown(std::net::Shutdown::Write))
    }
}
