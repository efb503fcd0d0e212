//! The fence around opensrv-mysql, the one file that knows it.
//!
//! opensrv 0.7.0 frees memory that it still uses when more than one packet is readable, panics on
//! malformed input, cannot flush rows, and answers what it does not know with OK. So it is given a
//! quiet place: it reads one packet at a time from [`Doorbell`], never a byte past it, and writes
//! into a sink. Our link does framing, bounds, login and all output. For each command that arrives,
//! the doorbell parks link and command together and rings an empty COM_QUERY; the shim takes both,
//! serves the command, and parks the link again.
//!
//! This relies on details of 0.7.0: its writers do nothing when dropped, an empty COM_QUERY reaches
//! `on_query`, an empty plugin name asks for no proof, and a login that names a database, even an
//! empty one, is answered by `on_init`. Hence the exact version, and the tests below.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use opensrv_mysql::{
    AsyncMysqlIntermediary, AsyncMysqlShim, InitWriter, IntermediaryOptions, ParamParser,
    QueryResultWriter, StatementMetaWriter,
};
pub use opensrv_mysql::{CapabilityFlags, ColumnFlags, ColumnType, StatusFlags};
use tokio::io::{AsyncRead, ReadBuf, Sink};

use super::command::Command;

/// Serves one connection's commands, in order.
#[async_trait]
pub trait Serve: Send {
    /// What carries the bytes.
    type Link: Send + 'static;

    /// Answers one command on the link; an error ends the connection.
    async fn serve(&mut self, link: &mut Self::Link, command: Command) -> io::Result<()>;
}

/// The next command of a link, and the link back; `None` at the end.
pub type NextCommand<L> = Pin<Box<dyn Future<Output = io::Result<Option<(L, Command)>>> + Send>>;

/// Runs a connection whose login is through: `login` is served first, then what `next` reads.
pub async fn run<S: Serve>(
    server: S,
    link: S::Link,
    login: Command,
    next: impl Fn(S::Link) -> NextCommand<S::Link> + Send + Unpin,
) -> io::Result<()> {
    let parked = Parked::default();
    parked.put(Turn::Serve(link, login));
    let doorbell = Doorbell { parked: parked.clone(), next, waiting: None, ring: LOGIN.to_vec() };
    let shim = Shim { server: Mutex::new(Box::new(server)), parked };
    let options = IntermediaryOptions::default();
    AsyncMysqlIntermediary::run_with_options(shim, doorbell, tokio::io::sink(), &options).await
}

/// Where link and command wait between doorbell and shim. Both live in one task: never contended.
struct Parked<L>(Arc<Mutex<Option<Turn<L>>>>);

/// Whose turn it is.
enum Turn<L> {
    /// The shim's, to serve this command.
    Serve(L, Command),
    /// The doorbell's, to wait for the next one.
    Wait(L),
}

impl<L> Default for Parked<L> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<L> Clone for Parked<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> Parked<L> {
    fn put(&self, turn: Turn<L>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    fn take(&self) -> Option<Turn<L>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What opensrv reads from: one small packet for each command that arrives.
struct Doorbell<L, N> {
    parked: Parked<L>,
    next: N,
    waiting: Option<NextCommand<L>>,
    /// The packet that opensrv reads next.
    ring: Vec<u8>,
}

impl<L, N> AsyncRead for Doorbell<L, N>
where
    L: Send + 'static,
    N: Fn(L) -> NextCommand<L> + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ring.is_empty() {
            if let Some(Turn::Wait(link)) = this.parked.take() {
                this.waiting = Some((this.next)(link));
            }
            // Without a link the shim has failed, and the connection ends.
            let Some(waiting) = &mut this.waiting else { return Poll::Ready(Ok(())) };
            let arrived = ready!(waiting.as_mut().poll(context));
            this.waiting = None;
            let Some((link, command)) = arrived? else { return Poll::Ready(Ok(())) };
            this.parked.put(Turn::Serve(link, command));
            this.ring.extend_from_slice(EMPTY_QUERY);
        }
        let part = this.ring.len().min(buffer.remaining());
        buffer.put_slice(&this.ring[..part]);
        this.ring.drain(..part);
        Poll::Ready(Ok(()))
    }
}

/// What opensrv calls. It wants something that threads can share, though it shares nothing: the
/// mutex is never locked.
struct Shim<S: Serve> {
    server: Mutex<Box<S>>,
    parked: Parked<S::Link>,
}

impl<S: Serve> Shim<S> {
    async fn answer(&mut self) -> io::Result<()> {
        let Some(Turn::Serve(mut link, command)) = self.parked.take() else {
            return Err(io::Error::other("opensrv rang without a command"));
        };
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner);
        server.serve(&mut link, command).await?;
        self.parked.put(Turn::Wait(link));
        Ok(())
    }
}

#[async_trait]
impl<S: Serve> AsyncMysqlShim<Sink> for Shim<S> {
    type Error = io::Error;

    async fn auth_plugin_for_username(&self, _user: &[u8]) -> &str {
        ""
    }

    async fn on_init<'a>(&'a mut self, _: &'a str, _: InitWriter<'a, Sink>) -> io::Result<()> {
        self.answer().await
    }

    async fn on_query<'a>(
        &'a mut self,
        _: &'a str,
        _: QueryResultWriter<'a, Sink>,
    ) -> io::Result<()> {
        self.answer().await
    }

    async fn on_prepare<'a>(
        &'a mut self,
        _: &'a str,
        _: StatementMetaWriter<'a, Sink>,
    ) -> io::Result<()> {
        Err(io::Error::other("the doorbell rings no COM_STMT_PREPARE"))
    }

    async fn on_execute<'a>(
        &'a mut self,
        _: u32,
        _: ParamParser<'a>,
        _: QueryResultWriter<'a, Sink>,
    ) -> io::Result<()> {
        Err(io::Error::other("the doorbell rings no COM_STMT_EXECUTE"))
    }

    async fn on_close<'a>(&'a mut self, _: u32) {}
}

/// The login that opensrv sees: PROTOCOL_41, CONNECT_WITH_DB, SECURE_CONNECTION and PLUGIN_AUTH, and
/// user, proof, database and plugin all empty.
const LOGIN: &[u8] =
    b"\x24\0\0\x01\x08\x82\x08\0\0\0\0\x01\x2d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// COM_QUERY without a text, as a whole packet.
const EMPTY_QUERY: &[u8] = b"\x01\0\0\0\x03";

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Notes what it served, in a link that is a queue of commands.
    struct Recorder(Arc<Mutex<Vec<Command>>>);

    #[async_trait]
    impl Serve for Recorder {
        type Link = VecDeque<Command>;

        async fn serve(&mut self, _: &mut VecDeque<Command>, command: Command) -> io::Result<()> {
            let fails = command == Command::Unknown;
            self.0.lock().unwrap().push(command);
            if fails { Err(io::Error::other("as announced")) } else { Ok(()) }
        }
    }

    async fn check(commands: &[Command], served: usize, ends_well: bool) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let login = Command::Login { database: String::new() };
        let link: VecDeque<_> = commands.iter().cloned().collect();
        let outcome = run(Recorder(Arc::clone(&seen)), link, login.clone(), |mut link| {
            Box::pin(async move { Ok(link.pop_front().map(|command| (link, command))) })
        })
        .await;
        assert_eq!(outcome.is_ok(), ends_well);
        let expected: Vec<_> =
            std::iter::once(login).chain(commands[..served].iter().cloned()).collect();
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn commands_are_served_in_order() {
        let query = Command::Query("select @@version_comment limit 1".into());
        check(&[query, Command::Ping, Command::InitDb("use".into()), Command::Ping], 4, true).await;
        check(&[], 0, true).await;
    }

    #[tokio::test]
    async fn a_failure_ends_the_connection() {
        check(&[Command::Ping, Command::Unknown, Command::Ping], 2, false).await;
    }
}
