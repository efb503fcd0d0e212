//! One client's session: statements, transactions and savepoints as MySQL has them.
//!
//! A session holds no connection while it is idle. Outside a transaction, and in one that has not
//! written yet, it reads on any reading connection what is committed (READ COMMITTED). Its first
//! write takes the store's one writer, which it keeps until the transaction ends. Waiting for it is
//! fair, and ends with error 1205.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedMutexGuard, oneshot};

use super::functions::{SessionState, StatementStart};
use super::rows::{self, Place, Rows};
use super::write::Written;
use super::writer::{Writer, internal, now_micros};
use super::{Store, ddl};
use crate::event::ColumnType;
use crate::source::{
    BackendError, BackendOk, BackendReply, BackendSession, BackendStatus, KillHandle, Variables,
};
use crate::sql::sqlite::{Dml, Fault, Query, Translated, Value, translate};

/// The right to write. Dropping it rolls back whatever is open.
#[derive(Debug)]
pub(super) struct Held(OwnedMutexGuard<Writer>);

impl Held {
    /// The writer.
    pub(super) fn writer(&self) -> &Writer {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.rollback();
    }
}

/// One client's session.
pub(super) struct StoreSession {
    store: Arc<Store>,
    user: String,
    state: Arc<SessionState>,
    killed: Arc<Notify>,
    transaction: Option<Transaction>,
    held: Option<Held>,
    /// A SELECT inside the transaction has the writer, and gives it back here.
    lent: Option<oneshot::Receiver<Held>>,
    autocommit: bool,
    variables: HashMap<String, Value>,
    next_savepoint: u64,
}

#[derive(Debug, Default)]
struct Transaction {
    /// Names, and the numbers that SQLite knows the savepoints by.
    savepoints: Vec<(String, u64)>,
    read_only: bool,
    /// Begun by a statement under `autocommit = 0`, not by BEGIN.
    implicit: bool,
    /// Has, or had, the writer.
    writes: bool,
}

impl StoreSession {
    /// A session without a transaction.
    pub(super) fn new(store: Arc<Store>, user: &str) -> Self {
        let state = Arc::new(SessionState::new(Arc::clone(&store.shared.counters)));
        Self {
            store,
            user: user.to_owned(),
            state,
            killed: Arc::default(),
            transaction: None,
            held: None,
            lent: None,
            autocommit: true,
            variables: HashMap::new(),
            next_savepoint: 0,
        }
    }

    /// Gets the writer back from the SELECT before, and notices a transaction that was lost.
    async fn settle(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.held = lent.await.ok();
        }
        let lost = self.held.as_ref().is_none_or(|held| !held.writer().is_open());
        if lost && self.transaction.as_ref().is_some_and(|open| open.writes) {
            self.transaction = None;
            self.held = None;
        }
    }

    fn begin_statement(&self, variables: &dyn Variables) {
        let text = |name| match variables.system(name) {
            Some(Value::Text(text)) => text,
            _ => String::new(),
        };
        let number = |name| match variables.system(name) {
            Some(Value::Int(number)) => u64::try_from(number).unwrap_or_default(),
            _ => 0,
        };
        let mode = variables.system("sql_mode");
        let user = text("user");
        self.state.begin_statement(StatementStart {
            now_micros: i64::try_from(now_micros()).unwrap_or(i64::MAX),
            database: self.store.config.keyspace.clone(),
            user: if user.is_empty() { self.user.clone() } else { user },
            connection_id: number("connection_id"),
            version: text("version"),
            // Without a word about it, MySQL's default holds: strict.
            strict: !matches!(&mode, Some(Value::Text(mode)) if !mode.contains("STRICT_")),
            variables: self.variables.clone(),
        });
    }

    /// `SET autocommit` takes effect with the next statement; switched on, it commits.
    async fn follow_autocommit(&mut self, variables: &dyn Variables) -> Result<(), BackendError> {
        self.autocommit = match variables.system("autocommit") {
            Some(Value::Int(number)) => number != 0,
            Some(Value::Text(text)) => !matches!(text.to_ascii_uppercase().as_str(), "0" | "OFF"),
            _ => true,
        };
        let implicit = self.transaction.as_ref().is_some_and(|open| open.implicit);
        if self.autocommit && implicit { self.commit().await } else { Ok(()) }
    }

    fn translate(
        &self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<(Arc<super::registry::Registry>, Translated), BackendError> {
        let registry = self.store.shared.registry();
        let overlay = Overlay { session: &self.variables, door: variables };
        let translated = translate(sql, &*registry, &overlay)?;
        Ok((registry, translated))
    }

    /// Takes the writer, and translates again if the tables changed while it waited.
    async fn lock(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
        translated: (Arc<super::registry::Registry>, Translated),
    ) -> Result<Translated, BackendError> {
        if self.held.is_none() {
            let timeout = match variables.system("innodb_lock_wait_timeout") {
                Some(Value::Int(seconds)) => {
                    Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
                }
                _ => self.store.config.lock_wait_timeout,
            };
            let held = wait_for_writer(Arc::clone(&self.store), Arc::clone(&self.killed), timeout);
            self.held = Some(held.await?);
        }
        let (registry, translated) = translated;
        if Arc::ptr_eq(&registry, &self.store.shared.registry()) {
            return Ok(translated);
        }
        Ok(self.translate(sql, variables)?.1)
    }

    /// Runs `job` on the writer, on a thread where it may block.
    async fn write<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Writer) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BackendError> {
        let Some(mut held) = self.held.take() else {
            return Err(BackendError::new(1105, "HY000", "the session has lost its transaction"));
        };
        let job = tokio::task::spawn_blocking(move || {
            let outcome = job(&mut held.0);
            (held, outcome)
        });
        let (held, outcome) =
            job.await.map_err(|error| BackendError::new(1105, "HY000", error.to_string()))?;
        self.held = Some(held);
        outcome.map_err(BackendError::from)
    }

    /// Opens the session's transaction on the writer it has just taken.
    async fn open(&mut self) -> Result<(), BackendError> {
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

    async fn dml(&mut self, dml: Dml) -> Result<BackendReply, BackendError> {
        self.open().await?;
        let state = Arc::clone(&self.state);
        let alone = self.transaction.is_none();
        let written = self
            .write(move |writer| {
                let written = writer.run(&dml, &state)?;
                if alone {
                    writer.commit()?;
                }
                Ok(written)
            })
            .await;
        if alone {
            self.held = None;
        }
        self.settle().await;
        self.written(written?)
    }

    fn written(&self, written: Written) -> Result<BackendReply, BackendError> {
        self.state.end_statement(i64::try_from(written.affected_rows).unwrap_or(i64::MAX), 0);
        Ok(BackendReply::Ok(BackendOk {
            affected_rows: written.affected_rows,
            last_insert_id: written.last_insert_id,
            warnings: u16::try_from(written.warnings.len()).unwrap_or(u16::MAX),
            info: written.info,
        }))
    }

    async fn ddl(
        &mut self,
        statement: Translated,
        text: &str,
    ) -> Result<BackendReply, BackendError> {
        let (state, text) = (Arc::clone(&self.state), text.to_owned());
        let written = self.write(move |writer| ddl::run(writer, &statement, &text, &state)).await;
        self.held = None;
        self.written(written?)
    }

    async fn select(&mut self, query: Query) -> Result<Rows, BackendError> {
        let place = match self.held.take() {
            Some(held) => Place::Writer(held),
            None => Place::Reader(self.store.readers.take().await.map_err(internal)?),
        };
        match rows::select(place, query, Arc::clone(&self.state)).await {
            Ok(selected) => {
                self.lent = selected.writer;
                Ok(selected.rows)
            }
            Err((error, writer)) => {
                self.lent = writer;
                self.settle().await;
                Err(error)
            }
        }
    }

    async fn commit(&mut self) -> Result<(), BackendError> {
        let committed = match self.transaction.take() {
            Some(open) if open.writes => self.write(Writer::commit).await,
            _ => Ok(()),
        };
        self.held = None;
        committed
    }

    /// Rolling back is what dropping the writer does, on a thread where it may block.
    async fn rollback(&mut self) -> Result<(), BackendError> {
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

    fn begin(&mut self, read_only: bool) {
        self.transaction = Some(Transaction { read_only, ..Transaction::default() });
    }

    async fn savepoint(&mut self, name: String) -> Result<(), BackendError> {
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
    async fn end_savepoint(&mut self, name: String, back: bool) -> Result<(), BackendError> {
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

    async fn set_user(&mut self, names: Vec<String>, query: Query) -> Result<(), BackendError> {
        use crate::source::BackendRows as _;
        let mut rows = self.select(query).await?;
        let Some(block) = rows.next().await? else { return Ok(()) };
        let Some(mut cells) = block.rows().next() else { return Ok(()) };
        for (name, column) in names.into_iter().zip(rows.columns()) {
            let Some((cell, rest)) = crate::event::row::split_cell(cells) else { break };
            cells = rest;
            self.variables.insert(name, user_value(&column.column.column_type, cell));
        }
        Ok(())
    }

    async fn dispatch(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        let (registry, translated) = self.translate(sql, variables)?;
        let begins = matches!(translated, Translated::Dml(_) | Translated::Select(_));
        if begins && !self.autocommit && self.transaction.is_none() {
            self.transaction = Some(Transaction { implicit: true, ..Transaction::default() });
        }
        match translated {
            Translated::Select(query) => {
                if query.locks && self.transaction.is_some() {
                    self.lock(sql, variables, (registry, Translated::Select(query.clone())))
                        .await?;
                    self.open().await?;
                }
                return Ok(BackendReply::Rows(Box::new(self.select(query).await?)));
            }
            Translated::Ready(ready) => {
                return Ok(BackendReply::Rows(Box::new(Rows::ready(ready))));
            }
            Translated::Dml(_) => {
                if self.transaction.as_ref().is_some_and(|open| open.read_only) {
                    return Err(BackendError::new(1792, "25006", READ_ONLY));
                }
                match self.lock(sql, variables, (registry, translated)).await? {
                    Translated::Dml(dml) => return self.dml(dml).await,
                    other => return Err(unexpected(&other)),
                }
            }
            Translated::CreateTable { .. }
            | Translated::AlterTable(_)
            | Translated::DropTables { .. }
            | Translated::RenameTables(_)
            | Translated::Truncate(_)
            | Translated::CreateView { .. }
            | Translated::DropViews { .. } => {
                self.commit().await?;
                let statement = self.lock(sql, variables, (registry, translated)).await?;
                return self.ddl(statement, sql).await;
            }
            control => self.control(control).await?,
        }
        Ok(BackendReply::Ok(BackendOk::default()))
    }

    /// Statements about the session itself.
    async fn control(&mut self, statement: Translated) -> Result<(), BackendError> {
        match statement {
            Translated::SetUser { names, query } => self.set_user(names, query).await,
            Translated::Begin { read_only, snapshot: _ } => {
                self.commit().await?;
                self.begin(read_only);
                Ok(())
            }
            Translated::Commit { chain } => {
                let read_only = self.transaction.as_ref().is_some_and(|open| open.read_only);
                self.commit().await?;
                if chain {
                    self.begin(read_only);
                }
                Ok(())
            }
            Translated::Rollback { chain } => {
                let read_only = self.transaction.as_ref().is_some_and(|open| open.read_only);
                self.rollback().await?;
                if chain {
                    self.begin(read_only);
                }
                Ok(())
            }
            Translated::Savepoint(name) => self.savepoint(name).await,
            Translated::RollbackTo(name) => self.end_savepoint(name, true).await,
            Translated::Release(name) => self.end_savepoint(name, false).await,
            Translated::Nothing { implicit_commit: true, .. } => self.commit().await,
            Translated::Nothing { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

#[async_trait]
impl BackendSession for StoreSession {
    async fn execute(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        self.settle().await;
        self.begin_statement(variables);
        self.follow_autocommit(variables).await?;
        let reply = self.dispatch(sql, variables).await;
        // A statement that failed outside of a transaction must not keep the writer.
        if self.transaction.is_none() {
            self.held = None;
        }
        reply
    }

    fn status(&self) -> BackendStatus {
        BackendStatus { in_transaction: self.transaction.is_some(), autocommit: self.autocommit }
    }

    fn kill_handle(&self) -> KillHandle {
        let (state, waiting) = (Arc::clone(&self.state), Arc::clone(&self.killed));
        KillHandle::new(move || {
            state.kill();
            waiting.notify_waiters();
        })
    }

    async fn reset(&mut self) -> Result<(), BackendError> {
        self.settle().await;
        let rolled_back = self.rollback().await;
        self.variables.clear();
        self.autocommit = true;
        rolled_back
    }
}

async fn wait_for_writer(
    store: Arc<Store>,
    killed: Arc<Notify>,
    timeout: Duration,
) -> Result<Held, BackendError> {
    let writer = Arc::clone(&store.writer).lock_owned();
    tokio::select! {
        held = tokio::time::timeout(timeout, writer) => {
            held.map(Held).map_err(|_| BackendError::lock_wait_timeout())
        }
        () = killed.notified() => Err(BackendError::interrupted()),
    }
}

/// The door's variables, with the user variables that ran through here before them.
struct Overlay<'a> {
    session: &'a HashMap<String, Value>,
    door: &'a dyn Variables,
}

impl Variables for Overlay<'_> {
    fn system(&self, name: &str) -> Option<Value> {
        self.door.system(name)
    }

    fn user(&self, name: &str) -> Option<Value> {
        self.session.get(name).cloned().or_else(|| self.door.user(name))
    }
}

fn user_value(column_type: &ColumnType, cell: Option<&[u8]>) -> Value {
    let Some(bytes) = cell else { return Value::Null };
    let Ok(text) = std::str::from_utf8(bytes) else { return Value::Bytes(bytes.to_vec()) };
    let number = match column_type {
        ColumnType::Int { .. } | ColumnType::Year => text.parse().ok().map(Value::Int),
        ColumnType::Double { .. } | ColumnType::Float { .. } => {
            text.parse().ok().map(Value::Double)
        }
        ColumnType::Decimal { .. } => Some(Value::Decimal(text.to_owned())),
        _ => None,
    };
    number.unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn unexpected(statement: &Translated) -> BackendError {
    Fault::Internal(format!("{statement:?} is not run here")).into()
}

const READ_ONLY: &str = "Cannot execute statement in a READ ONLY transaction.";
