//! What a session's statement is told from elsewhere, and what it tells: KILL, and the server's status.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_common::constants::StatusFlags;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::Server;
use crate::telemetry;

/// What a session shares with its rows and with who may interrupt it.
#[derive(Debug)]
pub(super) struct Control {
    /// When the statement under way was interrupted.
    killed: watch::Sender<Option<Instant>>,
    /// The number of the statement under way.
    running: watch::Sender<Option<u64>>,
    now: Mutex<Now>,
    /// What the server said last.
    status: AtomicU16,
    warnings: AtomicU16,
}

/// The part of a session that a KILL needs.
#[derive(Debug, Default)]
struct Now {
    /// How many statements there were.
    statements: u64,
    /// The connection that runs the statement.
    on: Option<(Server, u32)>,
    killing: Option<JoinHandle<()>>,
}

impl Control {
    pub fn new() -> Self {
        Self {
            killed: watch::Sender::new(None),
            running: watch::Sender::new(None),
            now: Mutex::default(),
            status: AtomicU16::new(0),
            warnings: AtomicU16::new(0),
        }
    }

    /// A statement begins; nothing was interrupted.
    pub fn begin(&self) {
        let mut now = self.lock();
        now.statements += 1;
        now.on = None;
        self.killed.send_replace(None);
        self.running.send_replace(Some(now.statements));
    }

    /// The statement goes to this connection; whether it still may.
    pub fn go_on(&self, server: &Server, connection: u32) -> bool {
        let mut now = self.lock();
        now.on = Some((server.clone(), connection));
        self.killed.borrow().is_none()
    }

    /// The statement is over: there is nothing left to interrupt.
    pub fn end(&self) {
        self.lock().on = None;
        self.running.send_replace(None);
    }

    /// Interrupts the statement under way, wherever it is.
    pub fn interrupt(&self) {
        let mut now = self.lock();
        let statement = *self.running.borrow();
        if statement.is_none() || self.killed.borrow().is_some() {
            return;
        }
        self.killed.send_replace(Some(Instant::now()));
        if let Some((server, connection)) = now.on.clone() {
            let running = self.running.subscribe();
            let kill = kill_query(server, connection, statement, running);
            now.killing = Some(telemetry::spawn("kill a statement", kill));
        }
    }

    /// Resolves once the statement was interrupted.
    pub async fn killed(&self) {
        let mut killed = self.killed.subscribe();
        drop(killed.wait_for(Option::is_some).await);
    }

    /// Resolves if the statement was interrupted and should have ended long since.
    pub async fn overdue(&self) {
        self.killed().await;
        let killed = *self.killed.borrow();
        tokio::time::sleep_until(killed.unwrap_or_else(Instant::now) + END_TIMEOUT).await;
    }

    /// Waits until no KILL of the statement before is under way; whether there was one.
    pub async fn settled(&self) -> bool {
        let killing = self.lock().killing.take();
        match killing {
            Some(killing) => {
                let _ = killing.await;
                true
            }
            None => false,
        }
    }

    /// Takes what the server says of its session.
    pub fn note(&self, status: StatusFlags, warnings: u16) {
        self.status.store(status.bits(), Ordering::Relaxed);
        self.warnings.store(warnings, Ordering::Relaxed);
    }

    /// The server has rolled back the transaction, and said so by an error, which tells no status.
    pub fn note_rollback(&self) {
        self.status.fetch_and(!StatusFlags::SERVER_STATUS_IN_TRANS.bits(), Ordering::Relaxed);
    }

    /// There is no connection any more.
    pub fn forget(&self) {
        self.note(StatusFlags::empty(), 0);
    }

    /// Whether a transaction is open on the server.
    pub fn in_transaction(&self) -> bool {
        let status = StatusFlags::from_bits_truncate(self.status.load(Ordering::Relaxed));
        status.contains(StatusFlags::SERVER_STATUS_IN_TRANS)
    }

    /// How many warnings the last statement has left on the server.
    pub fn warnings(&self) -> u16 {
        self.warnings.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the server to end what a connection runs, until it has ended: a server that has not begun
/// yet when it is asked takes no notice.
async fn kill_query(
    server: Server,
    connection: u32,
    statement: Option<u64>,
    mut running: watch::Receiver<Option<u64>>,
) {
    for _ in 0..ATTEMPTS_MAX {
        if *running.borrow() != statement {
            return;
        }
        kill(&server, &format!("KILL QUERY {connection}")).await;
        // The next one may have begun, and waits for this.
        let ended = running.wait_for(|now| *now != statement);
        if tokio::time::timeout(ATTEMPT_INTERVAL, ended).await.is_ok() {
            return;
        }
    }
}

/// Runs a KILL over a connection of its own, which the server's budget has beside all others.
pub(super) async fn kill(server: &Server, statement: &str) {
    let killed = tokio::time::timeout(END_TIMEOUT, async {
        let _turn = server.budget().take_spare().await;
        let mut connection =
            server.connect_raw().await.map_err(|error| telemetry::chain(&error))?;
        connection.run(statement).await.map_err(|error| error.to_string())?;
        connection.quit().await.map_err(|error| error.to_string())
    });
    match killed.await {
        Ok(Ok(())) => {}
        // It may have ended by itself.
        Ok(Err(error)) => tracing::debug!(server = server.name(), error, "a KILL had no effect"),
        Err(_) => tracing::debug!(server = server.name(), "a server did not take a KILL in time"),
    }
}

/// How long a statement that was interrupted may take to end before its connection is given up.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two requests to end a statement.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(300);
/// By then the connection has been given up.
const ATTEMPTS_MAX: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_interrupt_is_for_the_statement_under_way() {
        let control = Control::new();
        let is_killed =
            async || tokio::time::timeout(Duration::from_millis(1), control.killed()).await.is_ok();
        control.interrupt();
        control.begin();
        assert!(!is_killed().await, "what came before it is not for it");
        control.interrupt();
        assert!(is_killed().await);
        let overdue = tokio::time::timeout(END_TIMEOUT / 2, control.overdue()).await;
        assert!(overdue.is_err());
        control.overdue().await;
        control.begin();
        assert!(!is_killed().await);
        control.end();
        control.interrupt();
        assert!(!is_killed().await);
        assert!(!control.settled().await);
    }
}
