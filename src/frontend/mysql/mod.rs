//! The MySQL door: accepts connections, and runs each as one task until it ends.
//!
//! A connection is greeted and logged in on our own link, then its commands go one by one through
//! opensrv (fenced in [`opensrv`]) to its [`client::Client`]. Every queue, packet and wait here has a
//! bound in [`DoorConfig`] or a named constant.

mod auth;
mod binary;
mod budget;
mod charsets;
mod client;
mod columns;
mod command;
mod connect;
mod constant;
mod error;
mod execute;
mod identity;
mod link;
mod older;
mod opensrv;
mod registry;
mod resultset;
mod session;
mod sha2_crypt;
mod show;
mod socket;
mod stream;
mod variables;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::{Instrument, debug, info, info_span, warn};

pub use auth::{Account, Accounts, VerifierError, native_digest};
pub use identity::{CertificateFiles, Identity, IdentityError};
pub use session::Keyspace;
pub use sha2_crypt::Salted;

use crate::access::Access;
use crate::engine::Engine;
use crate::shutdown::Shutdown;
use crate::source::Backend;
use crate::telemetry;
use auth::SALT_BYTES;
use budget::{Budget, FREE_BYTES, Holding};
use client::Client;
use command::Command;
use connect::Entrance;
use error::Failure;
use link::Link;
use registry::{End, Limits, Patience, Registry, Seat};
use variables::Preset;

/// The door's bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorConfig {
    /// Connections at once; one more is refused with error 1040.
    pub connections_max: usize,
    /// Connections at once that have not logged in.
    pub logins_max: usize,
    /// Of these, from one address.
    pub logins_per_address_max: usize,
    /// How long a client may take to log in.
    pub login_timeout: Duration,
    /// How long a client may send nothing between commands, unless it sets `wait_timeout`.
    pub idle_timeout: Duration,
    /// Whether every client must use TLS; one that does not is refused with error 3159.
    pub tls_required: bool,
    /// Bytes of one packet from a client that has logged in.
    pub packet_bytes_max: usize,
    /// Bytes of packets, beyond the first of each, that all connections hold at once.
    pub packets_bytes_max: usize,
    /// How long a packet may wait for its part of them before it is refused with error 1041.
    pub packet_timeout: Duration,
    /// How long connections get to end at shutdown.
    pub drain_timeout: Duration,
}

impl Default for DoorConfig {
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            logins_max: 1_000,
            logins_per_address_max: 500,
            login_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(28_800),
            tls_required: false,
            packet_bytes_max: 64 << 20,
            packets_bytes_max: 512 << 20,
            packet_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// What the door opens to.
pub struct Behind {
    /// Makes change streams.
    pub engine: Engine,
    /// Runs ordinary statements.
    pub backend: Arc<dyn Backend>,
    /// What clients can USE.
    pub keyspaces: Vec<Keyspace>,
    /// Who may log in.
    pub accounts: Accounts,
    /// What the door proves itself by.
    pub identity: Arc<Identity>,
    /// Who may do what.
    pub access: Access,
}

/// The MySQL door, not open yet.
pub struct Door {
    shared: Arc<Shared>,
}

/// What all connections of a door share.
struct Shared {
    config: DoorConfig,
    engine: Engine,
    backend: Arc<dyn Backend>,
    keyspaces: Arc<[Keyspace]>,
    entrance: Entrance,
    access: Access,
    registry: Arc<Registry>,
    preset: Arc<Preset>,
    budget: Arc<Budget>,
}

impl Door {
    /// A door to these parts. Fails only where the system gives no random bytes.
    pub fn new(config: DoorConfig, behind: Behind) -> io::Result<Self> {
        let mut node = [0; 2];
        getrandom::fill(&mut node)?;
        let limits = Limits {
            connections_max: config.connections_max,
            logins_max: config.logins_max,
            logins_per_address_max: config.logins_per_address_max,
        };
        let registry = Registry::new(u16::from_le_bytes(node), limits);
        let Behind { engine, backend, keyspaces, accounts, identity, access } = behind;
        let entrance = Entrance::new(accounts, identity, config.tls_required);
        let keyspaces = keyspaces.into();
        let preset = Arc::new(Preset::new(config.packet_bytes_max, config.idle_timeout));
        let bytes_max = (config.packets_bytes_max, config.packet_bytes_max);
        let budget = Budget::new(bytes_max.0, bytes_max.1, config.packet_timeout);
        let shared = Shared {
            config,
            engine,
            backend,
            keyspaces,
            entrance,
            access,
            registry,
            preset,
            budget,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Accepts connections until shutdown; then ends them all, and waits for them a bounded time.
    pub async fn serve(self, listener: TcpListener, mut shutdown: Shutdown) {
        let (running, mut ended) = mpsc::channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.requested() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.admit(socket, peer, running.clone()),
                Err(error) => {
                    warn!(error = %error, "accepting a connection failed; will retry");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            }
        }
        drop((listener, running));
        let registry = &self.shared.registry;
        registry.end_all();
        let deadline = self.shared.config.drain_timeout;
        if tokio::time::timeout(deadline, ended.recv()).await.is_err() {
            info!(connections = registry.connections(), "connections did not end in time");
        }
    }

    /// Gives a connection its task, or the reason why it gets none.
    fn admit(&self, socket: TcpStream, peer: SocketAddr, running: mpsc::Sender<()>) {
        let stranger =
            matches!(self.shared.entrance.accounts, Accounts::Anybody) && !peer.ip().is_loopback();
        if stranger {
            let text =
                format!("Host '{}' is not allowed to connect to this MySQL server", peer.ip());
            return refuse(&socket, &error::HOST_NOT_ALLOWED.with(text));
        }
        let Some(seat) = self.shared.registry.arrive(peer) else {
            return refuse(&socket, &error::TOO_MANY_CONNECTIONS.with("Too many connections"));
        };
        let span = info_span!("connection", id = seat.id().0, %peer, user = tracing::field::Empty);
        let connection = connection(Arc::clone(&self.shared), socket, seat, running);
        telemetry::spawn("mysql connection", connection.instrument(span));
    }
}

/// Tells a client that is not even greeted why. Its socket is fresh, so one short packet fits; and if
/// not, the client sees the connection close.
fn refuse(socket: &TcpStream, failure: &Failure) {
    let mut packet = vec![0; 4];
    wire::push_early_failure(&mut packet, failure);
    packet[0] = u8::try_from(packet.len() - 4).unwrap_or(u8::MAX);
    let _ = socket.try_write(&packet);
}

/// One connection's life; `_running` says so for as long as it lasts.
async fn connection(
    shared: Arc<Shared>,
    socket: TcpStream,
    mut seat: Seat,
    _running: mpsc::Sender<()>,
) {
    if let Err(error) = prepare(&socket) {
        return debug!(error = %error, "the connection ended at once");
    }
    let mut link = Link::new(socket, LOGIN_BYTES_MAX);
    // Boxed: what the login needs is gone once it is through.
    let Some((login, salt)) = Box::pin(log_in(&shared, &mut link, &seat)).await else { return };
    tracing::Span::current().record("user", login.user.as_str());
    seat.logged_in(&login.user);
    link.allow(shared.config.packet_bytes_max, Holding::new(Arc::clone(&shared.budget)));
    let seat = Arc::new(seat);
    let client = Client::new(shared, Arc::clone(&seat), &login, salt);
    let command = Command::Login { database: login.database };
    let next = move |link| {
        let seat = Arc::clone(&seat);
        Box::pin(next_command(link, seat)) as opensrv::NextCommand<Link>
    };
    match opensrv::run(client, link, command, next).await {
        Ok(()) => debug!("the client left"),
        Err(error) => debug!(error = %error, "the connection ended"),
    }
}

/// Lets the client prove who it is, in a bounded time. `None` once it has been refused.
async fn log_in(
    shared: &Shared,
    link: &mut Link,
    seat: &Seat,
) -> Option<(connect::Login, [u8; SALT_BYTES])> {
    let salt = match auth::salt() {
        Ok(salt) => salt,
        Err(error) => {
            warn!(error = %error, "the system gave no random bytes; a connection was refused");
            return None;
        }
    };
    let login = shared.entrance.login(link, seat.id(), &salt);
    let outcome = tokio::select! {
        biased;
        _ = seat.ended().fired() => return None,
        outcome = tokio::time::timeout(shared.config.login_timeout, login) => outcome,
    };
    let Ok(outcome) = outcome else {
        debug!("the login took too long");
        return None;
    };
    match outcome {
        Ok(login) => Some((login, salt)),
        Err(error) => {
            debug!(error = %error, "login refused");
            if let Some(failure) = error.failure(&seat.peer().ip().to_string()) {
                let refused = connect::refuse(link, &failure);
                let _ = tokio::time::timeout(REFUSAL_TIMEOUT, refused).await;
            }
            None
        }
    }
}

/// Waits for the client's next command; `None` where the connection ends in order.
async fn next_command(mut link: Link, seat: Arc<Seat>) -> io::Result<Option<(Link, Command)>> {
    link.restart();
    let packet = tokio::select! {
        biased;
        end = seat.ended().fired() => {
            if end == End::Shutdown {
                say_goodbye(&mut link, &error::of_end(end)).await;
            }
            return Ok(None);
        }
        packet = read_in_time(&mut link, seat.patience()) => packet,
    };
    match packet {
        Ok(Some(payload)) => {
            let command = Command::parse(payload, seat.charset());
            Ok(if command == Command::Quit { None } else { Some((link, command)) })
        }
        Ok(None) => Ok(None),
        Err(failure) => {
            if let Some(failure) = failure {
                say_goodbye(&mut link, &failure).await;
            }
            Ok(None)
        }
    }
}

/// The next packet, if it begins and goes on in time; else what the client is told, unless it is
/// gone. A packet of many MiB may take long, but something of it must come; more of one that takes
/// from what all connections share, so that nobody keeps that from them.
async fn read_in_time(
    link: &mut Link,
    patience: Patience,
) -> Result<Option<Vec<u8>>, Option<Failure>> {
    if tokio::time::timeout(patience.idle, link.arriving()).await.is_err() {
        return Err(Some(
            error::IDLE.with("The client was disconnected by the server because of inactivity"),
        ));
    }
    loop {
        let begun = link.begun();
        let least = if begun < FREE_BYTES { 1 } else { PROGRESS_BYTES };
        match tokio::time::timeout(patience.read, link.packet()).await {
            Ok(packet) => return packet.map_err(|error| error::of_link(&error)),
            Err(_) if link.begun() >= begun + least => {}
            Err(_) => {
                let text = "Got timeout reading communication packets";
                return Err(Some(error::READ_TIMEOUT.with(text)));
            }
        }
    }
}

/// The last packet of a connection, if the client takes it in time.
async fn say_goodbye(link: &mut Link, failure: &Failure) {
    let refused = connect::refuse(link, failure);
    let _ = tokio::time::timeout(REFUSAL_TIMEOUT, refused).await;
}

/// Rows leave at once, and a peer that vanished is noticed.
///
/// Deliberately without `TCP_USER_TIMEOUT`: Linux also gives up a peer that answers but reads
/// nothing for so long, and the client of a stream may read nothing for hours. Where rows are on
/// their way to a peer that vanished, the kernel's own retries end (about 15 minutes).
fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    socket2::SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Bytes of one packet before the login is through.
const LOGIN_BYTES_MAX: usize = 64 * 1024;
/// What must come of a large packet in each `net_read_timeout`.
const PROGRESS_BYTES: usize = 256 * 1024;
/// A pause after a failed accept: most often there are no descriptors left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// How long a client that is turned away may take to read why.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);
/// Silence after which the kernel asks whether the peer is there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// How long it waits for an answer before it asks again: the default, 75 s, is for another age.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How many questions without an answer end the connection.
const KEEPALIVE_RETRIES: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silent_peers_are_asked_and_frozen_ones_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        prepare(&server).unwrap();
        let socket = socket2::SockRef::from(&server);
        assert!(socket.keepalive().unwrap() && server.nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_RETRIES);
        assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    }

    /// How large the future is that a function makes.
    pub(super) fn size<A, F: Future>(_: impl Fn(A) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_a_connection_keeps_is_small() {
        let connection =
            size(|(shared, socket, seat, running)| connection(shared, socket, seat, running));
        assert!(connection < 4000, "{connection} bytes");
    }
}
