//! Who is connected: ids, bounds, what each connection does now, and KILL.
//!
//! A connection's entry leaves with its [`Seat`], also when the connection's task panics. Every
//! statement has a kill token of its own, so that a late KILL QUERY never hits the next statement.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::event::charset::Charset;

/// A connection's number: 12 bits that are random per process, then a counter. So KILL of a
/// connection of another vstreamd behind the same balancer finds nothing, never somebody else. The
/// highest bit is none of them: MariaDB's Connector/J reads the number with a sign and would send
/// `KILL QUERY -1998585851`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// Why a statement or a connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The statement's time is up.
    Overtime,
    /// KILL QUERY.
    Statement,
    /// KILL.
    Connection,
    /// The process ends.
    Shutdown,
}

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub connections_max: usize,
    /// Before their login.
    pub logins_max: usize,
    /// Before their login, from one address.
    pub logins_per_address_max: usize,
}

/// Fires once, with a reason.
#[derive(Debug, Default)]
pub struct Token {
    fired: AtomicU8,
    notify: Notify,
    sending: AtomicBool,
}

impl Token {
    /// Resolves once fired. Cancel-safe.
    pub async fn fired(&self) -> End {
        loop {
            let notified = self.notify.notified();
            if let Some(end) = self.end() {
                return end;
            }
            notified.await;
        }
    }

    /// The statement waits for its client to take what is sent, until the answer is dropped.
    pub fn sending(&self) -> Sending<'_> {
        self.sending.store(true, Ordering::Relaxed);
        Sending(self)
    }

    /// The reason, if fired.
    pub fn end(&self) -> Option<End> {
        match self.fired.load(Ordering::Acquire) {
            OVERTIME => Some(End::Overtime),
            STATEMENT => Some(End::Statement),
            CONNECTION => Some(End::Connection),
            SHUTDOWN => Some(End::Shutdown),
            _ => None,
        }
    }

    /// Fires, unless it has fired for a reason that ends more.
    pub fn fire(&self, end: End) {
        let end = match end {
            End::Overtime => OVERTIME,
            End::Statement => STATEMENT,
            End::Connection => CONNECTION,
            End::Shutdown => SHUTDOWN,
        };
        self.fired.fetch_max(end, Ordering::AcqRel);
        self.notify.notify_waiters();
    }
}

/// A statement is sending.
#[derive(Debug)]
pub struct Sending<'a>(&'a Token);

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        self.0.sending.store(false, Ordering::Relaxed);
    }
}

/// What SHOW PROCESSLIST says about one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: ConnectionId,
    /// Who logged in.
    pub user: String,
    /// Where from.
    pub peer: SocketAddr,
    /// The current keyspace.
    pub database: Option<String>,
    /// The command's name; `Sleep` between commands.
    pub command: &'static str,
    /// Since when it does so.
    pub since: Instant,
    /// What the statement waits for or does.
    pub state: &'static str,
    /// The statement.
    pub info: Option<Arc<str>>,
    /// The engine's number of the stream that the statement has open.
    pub stream: Option<u64>,
}

/// All connections of one door.
#[derive(Debug)]
pub struct Registry {
    node: u32,
    limits: Limits,
    started: Instant,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    last: u32,
    statements: u64,
    taken: HashMap<ConnectionId, Arc<Entry>>,
    logins: usize,
    logins_by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    ended: Token,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    process: Process,
    statement: Option<Arc<Token>>,
}

impl Now {
    fn process(&self) -> Process {
        let mut process = self.process.clone();
        let is_sending = |token: &Arc<Token>| token.sending.load(Ordering::Relaxed);
        if self.statement.as_ref().is_some_and(is_sending) {
            process.state = SENDING;
        }
        process
    }
}

/// How long a connection waits for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the next command.
    pub idle: Duration,
    /// For the rest of a packet that was begun.
    pub read: Duration,
}

impl Registry {
    /// No connections yet; `node` tells this process's ids from others'.
    pub fn new(node: u16, limits: Limits) -> Arc<Self> {
        let node = (u32::from(node) % (1 << NODE_BITS)) << COUNTER_BITS;
        Arc::new(Self { node, limits, started: Instant::now(), seats: Mutex::default() })
    }

    /// Seats a connection that has not logged in yet; `None` if there is no room for it.
    pub fn arrive(self: &Arc<Self>, peer: SocketAddr) -> Option<Seat> {
        let mut seats = lock(&self.seats);
        let from_address = seats.logins_by_address.get(&peer.ip()).copied().unwrap_or(0);
        if seats.taken.len() >= self.limits.connections_max
            || seats.logins >= self.limits.logins_max
            || from_address >= self.limits.logins_per_address_max
        {
            return None;
        }
        let id = self.free_id(&mut seats);
        let process = Process {
            id,
            user: "unauthenticated user".to_owned(),
            peer,
            database: None,
            command: "Connect",
            since: Instant::now(),
            state: "login",
            info: None,
            stream: None,
        };
        let now = Mutex::new(Now { process, statement: None });
        let entry = Arc::new(Entry { ended: Token::default(), now });
        seats.taken.insert(id, Arc::clone(&entry));
        seats.logins += 1;
        *seats.logins_by_address.entry(peer.ip()).or_default() += 1;
        let patience = Mutex::new(PATIENCE);
        let charset = Mutex::new(Charset::Utf8mb4);
        let registry = Arc::clone(self);
        Some(Seat { registry, entry, id, peer, logging_in: true, patience, charset })
    }

    /// Ends a connection's statement or the connection; `false` if there is none of that id.
    pub fn kill(&self, id: ConnectionId, end: End) -> bool {
        let entry = lock(&self.seats).taken.get(&id).cloned();
        entry.inspect(|entry| entry.end(end)).is_some()
    }

    /// Ends every connection.
    pub fn end_all(&self) {
        let entries: Vec<_> = lock(&self.seats).taken.values().cloned().collect();
        for entry in entries {
            entry.end(End::Shutdown);
        }
    }

    /// What every connection does now, by id.
    pub fn processes(&self) -> Vec<Process> {
        let entries: Vec<_> = lock(&self.seats).taken.values().cloned().collect();
        let mut processes: Vec<_> =
            entries.iter().map(|entry| lock(&entry.now).process()).collect();
        processes.sort_by_key(|process| process.id);
        processes
    }

    /// Who logged in on a connection; none if there is none of that id.
    pub fn user(&self, id: ConnectionId) -> Option<String> {
        let entry = lock(&self.seats).taken.get(&id).cloned()?;
        let user = lock(&entry.now).process.user.clone();
        Some(user)
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        lock(&self.seats).taken.len()
    }

    /// Since when the door is open, and how many statements it has begun.
    pub fn activity(&self) -> (Instant, u64) {
        (self.started, lock(&self.seats).statements)
    }

    fn free_id(&self, seats: &mut Seats) -> ConnectionId {
        // Ends: connections_max is far below the number of ids.
        loop {
            seats.last = seats.last % COUNTER_MAX + 1;
            let id = ConnectionId(self.node | seats.last);
            if !seats.taken.contains_key(&id) {
                return id;
            }
        }
    }
}

impl Entry {
    fn end(&self, end: End) {
        // The token is fired under the lock that swaps tokens: it is this statement's or none's.
        let now = lock(&self.now);
        if let Some(statement) = &now.statement {
            statement.fire(end);
        }
        if end != End::Statement {
            self.ended.fire(end);
        }
    }
}

/// A connection's place in the registry, given up by dropping it.
#[derive(Debug)]
pub struct Seat {
    registry: Arc<Registry>,
    entry: Arc<Entry>,
    id: ConnectionId,
    peer: SocketAddr,
    logging_in: bool,
    patience: Mutex<Patience>,
    /// What the client's next command is in.
    charset: Mutex<Charset>,
}

impl Seat {
    /// The connection's number.
    pub const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Where the client is.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// All connections.
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// How long to wait for the client.
    pub fn patience(&self) -> Patience {
        *lock(&self.patience)
    }

    /// The session has its own mind about that.
    pub fn set_patience(&self, patience: Patience) {
        *lock(&self.patience) = patience;
    }

    /// The character set of the client's next command.
    pub fn charset(&self) -> Charset {
        *lock(&self.charset)
    }

    /// Changes the character set of the client's commands.
    pub fn set_charset(&self, charset: Charset) {
        *lock(&self.charset) = charset;
    }

    /// The client has logged in: it no longer counts as half open.
    pub fn logged_in(&mut self, user: &str) {
        self.leave_logins();
        self.set_user(user);
    }

    /// Who the client is now.
    pub fn set_user(&self, user: &str) {
        lock(&self.entry.now).process.user = user.to_owned();
    }

    /// Fires when the connection must end.
    pub fn ended(&self) -> &Token {
        &self.entry.ended
    }

    /// A command begins.
    pub fn begin_command(&self, command: &'static str) {
        let mut now = lock(&self.entry.now);
        now.process.command = command;
        now.process.since = Instant::now();
    }

    /// A statement begins: its token is what KILL QUERY fires from now on.
    pub fn begin_statement(&self, text: &str) -> Arc<Token> {
        let token = Arc::new(Token::default());
        lock(&self.registry.seats).statements += 1;
        let mut now = lock(&self.entry.now);
        now.process.info = Some(shown(text).into());
        now.process.stream = None;
        now.process.state = "executing";
        now.statement = Some(Arc::clone(&token));
        // A connection that was killed a moment ago begins nothing.
        if let Some(end) = self.entry.ended.end() {
            token.fire(end);
        }
        token
    }

    /// What the statement does now.
    pub fn set_state(&self, state: &'static str) {
        lock(&self.entry.now).process.state = state;
    }

    /// The statement has opened this stream.
    pub fn begin_stream(&self, id: u64) {
        let mut now = lock(&self.entry.now);
        now.process.state = "streaming";
        now.process.stream = Some(id);
    }

    /// The current keyspace changed.
    pub fn set_database(&self, database: Option<&str>) {
        lock(&self.entry.now).process.database = database.map(str::to_owned);
    }

    /// The command is done; a KILL QUERY from now on finds nothing to end.
    pub fn sleep(&self) {
        let mut now = lock(&self.entry.now);
        now.statement = None;
        now.process.command = "Sleep";
        now.process.since = Instant::now();
        now.process.state = "";
        now.process.info = None;
        now.process.stream = None;
    }

    fn leave_logins(&mut self) {
        if !std::mem::take(&mut self.logging_in) {
            return;
        }
        let mut seats = lock(&self.registry.seats);
        seats.logins -= 1;
        if let Some(count) = seats.logins_by_address.get_mut(&self.peer.ip()) {
            *count -= 1;
            if *count == 0 {
                seats.logins_by_address.remove(&self.peer.ip());
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave_logins();
        lock(&self.registry.seats).taken.remove(&self.id);
    }
}

/// The part of a statement's text that is kept for SHOW PROCESSLIST.
fn shown(text: &str) -> &str {
    let mut end = text.len().min(INFO_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whoever panicked under a lock left plain data: it is still good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const OVERTIME: u8 = 1;
const STATEMENT: u8 = 2;
const CONNECTION: u8 = 3;
const SHUTDOWN: u8 = 4;
const NODE_BITS: u32 = 12;
const COUNTER_BITS: u32 = 31 - NODE_BITS;
const COUNTER_MAX: u32 = (1 << COUNTER_BITS) - 1;
/// What holds until a session says something else: MySQL's defaults.
const PATIENCE: Patience =
    Patience { idle: Duration::from_secs(28_800), read: Duration::from_secs(30) };
/// The state of a connection whose client takes nothing.
pub const SENDING: &str = "sending to the client";
/// Bytes of a statement that SHOW FULL PROCESSLIST can show.
const INFO_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { connections_max: 3, logins_max: 2, logins_per_address_max: 1 };

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 1))
    }

    #[tokio::test]
    async fn bounds_count_logins_and_connections() {
        let registry = Registry::new(1, LIMITS);
        let mut first = registry.arrive(peer(1)).unwrap();
        assert!(registry.arrive(peer(1)).is_none(), "one login per address");
        let second = registry.arrive(peer(2)).unwrap();
        assert!(registry.arrive(peer(3)).is_none(), "two logins");
        first.logged_in("u");
        let _third = registry.arrive(peer(1)).unwrap();
        drop(second);
        let mut fourth = registry.arrive(peer(3)).unwrap();
        fourth.logged_in("u");
        assert!(registry.arrive(peer(4)).is_none(), "three connections");
        drop(first);
        assert_eq!(registry.connections(), 2);
        assert!(registry.arrive(peer(4)).is_some());
    }

    #[tokio::test]
    async fn a_late_kill_hits_nothing() {
        let registry = Registry::new(4095, LIMITS);
        let seat = registry.arrive(peer(1)).unwrap();
        let first = seat.begin_statement("select 1");
        seat.sleep();
        assert!(registry.kill(seat.id(), End::Statement));
        let second = seat.begin_statement("select 2");
        assert_eq!((first.end(), second.end()), (None, None));
        assert!(registry.kill(seat.id(), End::Statement));
        assert_eq!(second.fired().await, End::Statement);
        assert_eq!(seat.ended().end(), None);
        assert!(registry.kill(seat.id(), End::Connection));
        assert_eq!(seat.ended().fired().await, End::Connection);
        assert_eq!(seat.begin_statement("select 3").end(), Some(End::Connection));
        assert!(!registry.kill(ConnectionId(1), End::Connection), "another node's id");
        assert!(i32::try_from(seat.id().0).is_ok(), "no client takes it for a negative number");
    }
}
