//! The session's transaction: its writer, its savepoints, its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::StoreSession;
use crate::source::sqlite::Store;
use crate::source::sqlite::functions::SessionState;
use crate::source::sqlite::registry::Registry;
use crate::source::sqlite::writer::Writer;
use crate::source::{BackendError, Variables};
use crate::sql::sqlite::{Fault, Translated, Value};

/// The right to write. Dropping it rolls back whatever is open.
#[derive(Debug)]
pub(in crate::source::sqlite) struct Held(OwnedMutexGuard<Writer>);

impl Held {
    /// The writer.
    pub(in crate::source::sqlite) fn writer(&self) -> &Writer {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.rollback();
    }
}

#[derive(Debug, Default)]
pub(super) struct Transaction {
    /// Names, and the numbers that SQLite knows the savepoints by.
    pub(super) savepoints: Vec<(String, u64)>,
    pub(super) read_only: bool,
    /// Begun by a statement under `autocommit = 0`, not by BEGIN.
    pub(super) implicit: bool,
    /// Has, or had, the writer.
    pub(super) writes: bool,
}

impl StoreSession {
    /// Gets the writer back from what ran before, and drops it if no transaction needs it.
    ///
    /// A transaction whose writer is gone was rolled back; whoever goes on with it is told.
    pub(super) async fn settle(&mut self) -> Result<(), BackendError> {
        if let Some(lent) = &mut self.lent {
            self.held = lent.await.ok();
            self.lent = None;
        }
        let Some(open) = &self.transaction else {
            self.held = None;
            return Ok(());
        };
        if open.writes && self.held.as_ref().is_none_or(|held| !held.writer().is_open()) {
            self.transaction = None;
            self.held = None;
            return Err(BackendError::new(1105, "HY000", LOST));
        }
        Ok(())
    }

    /// Takes the writer, and translates again if the tables changed while it waited.
    pub(super) async fn lock(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
        known: Option<(Arc<Registry>, Translated)>,
    ) -> Result<Translated, BackendError> {
        if self.held.is_none() {
            let timeout = match variables.system("innodb_lock_wait_timeout") {
                Some(Value::Int(seconds)) => {
                    Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
                }
                _ => self.store.config.lock_wait_timeout,
            };
            let (store, state) = (Arc::clone(&self.store), Arc::clone(&self.state));
            let held = wait_for_writer(store, state, Arc::clone(&self.killed), timeout);
            self.held = Some(held.await?);
        }
        match known {
            Some((registry, translated))
                if Arc::ptr_eq(&registry, &self.store.shared.registry()) =>
            {
                Ok(translated)
            }
            _ => Ok(self.translate(sql, variables)?.1),
        }
    }

    /// Runs `job` on the writer, on a thread where it may block. If the caller stops waiting, the
    /// job still runs to its end, and the session waits for it before its next statement.
    pub(super) async fn write<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Writer) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BackendError> {
        let Some(mut held) = self.held.take() else {
            return Err(BackendError::new(1105, "HY000", LOST));
        };
        let (give_back, lent) = oneshot::channel();
        self.lent = Some(lent);
        let job = tokio::task::spawn_blocking(move || {
            let outcome = job(&mut held.0);
            let _ = give_back.send(held);
            outcome
        });
        let outcome = job.await;
        if let Some(lent) = &mut self.lent {
            self.held = lent.await.ok();
            self.lent = None;
        }
        match outcome {
            Ok(outcome) => outcome.map_err(BackendError::from),
            Err(error) => Err(BackendError::new(1105, "HY000", error.to_string())),
        }
    }

    /// Opens the session's transaction on the writer it has just taken.
    pub(super) async fn open(&mut self) -> Result<(), BackendError> {
        let savepoints = match &mut self.transaction {
            Some(open) if open.writes => return Ok(()),
            Some(open) => {
                open.writes = true;
                open.savepoints.iter().map(|(_, number)| *number).collect()
            }
            None => Vec::new(),
        };
        let opened = self
            .write(move |writer| {
                writer.begin()?;
                savepoints
                    .into_iter()
                    .try_for_each(|number| writer.execute(&format!("SAVEPOINT \"{number}\"")))
            })
            .await;
        if opened.is_err() {
            self.held = None;
            self.transaction = None;
        }
        opened
    }

    pub(super) async fn commit(&mut self) -> Result<(), BackendError> {
        let committed = match self.transaction.take() {
            Some(open) if open.writes => self.write(Writer::commit).await,
            _ => Ok(()),
        };
        self.held = None;
        committed
    }

    /// Rolling back is what dropping the writer does, on a thread where it may block.
    pub(super) async fn rollback(&mut self) -> Result<(), BackendError> {
        let rolled_back = match self.transaction.take() {
            Some(open) if open.writes => {
                self.write(|writer| {
                    writer.rollback();
                    Ok(())
                })
                .await
            }
            _ => Ok(()),
        };
        self.held = None;
        rolled_back
    }

    pub(super) fn begin(&mut self, read_only: bool) {
        self.transaction = Some(Transaction { read_only, ..Transaction::default() });
    }

    pub(super) async fn savepoint(&mut self, name: String) -> Result<(), BackendError> {
        // Outside of a transaction a savepoint ends with its own statement.
        let Some(open) = &mut self.transaction else { return Ok(()) };
        let number = self.next_savepoint;
        self.next_savepoint += 1;
        open.savepoints.retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        open.savepoints.push((name, number));
        if open.writes {
            self.write(move |writer| writer.execute(&format!("SAVEPOINT \"{number}\""))).await?;
        }
        Ok(())
    }

    /// Goes back to a savepoint, which stays, or forgets it and those after it.
    pub(super) async fn end_savepoint(
        &mut self,
        name: String,
        back: bool,
    ) -> Result<(), BackendError> {
        let Some(open) = &mut self.transaction else {
            return Err(Fault::NoSuchSavepoint(name).into());
        };
        let found = open.savepoints.iter().position(|(other, _)| other.eq_ignore_ascii_case(&name));
        let Some(place) = found else { return Err(Fault::NoSuchSavepoint(name).into()) };
        let number = open.savepoints[place].1;
        open.savepoints.truncate(place + usize::from(back));
        if open.writes {
            let verb = if back { "ROLLBACK TO" } else { "RELEASE" };
            self.write(move |writer| writer.execute(&format!("{verb} \"{number}\""))).await?;
        }
        Ok(())
    }
}

async fn wait_for_writer(
    store: Arc<Store>,
    state: Arc<SessionState>,
    killed: Arc<Notify>,
    timeout: Duration,
) -> Result<Held, BackendError> {
    let writer = Arc::clone(&store.writer).lock_owned();
    tokio::select! {
        biased;
        () = interrupted(&state, &killed) => Err(BackendError::interrupted()),
        held = tokio::time::timeout(timeout, writer) => {
            held.map(Held).map_err(|_| BackendError::lock_wait_timeout())
        }
    }
}

/// Resolves once the statement was killed, be it before the call.
pub(super) async fn interrupted(state: &SessionState, killed: &Notify) {
    let notified = killed.notified();
    tokio::pin!(notified);
    // Listens before it looks, so that a kill in between is heard.
    notified.as_mut().enable();
    if !state.killed() {
        notified.await;
    }
}

const LOST: &str = "the transaction was rolled back, as it lost its connection to the store";
