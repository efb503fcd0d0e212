//! One client's session: statements, transactions and savepoints as MySQL has them.
//!
//! A session holds no connection while it is idle. Outside a transaction, and in one that has not
//! written yet, it reads on any reading connection what is committed (READ COMMITTED). Its first
//! write takes the store's one writer, which it keeps until the transaction ends. Waiting for it is
//! fair, and ends with error 1205.

mod transaction;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot};

pub(super) use self::transaction::Held;
use self::transaction::Transaction;
use super::functions::{SessionState, StatementStart};
use super::registry::Registry;
use super::rows::{self, Ended, Place, Rows};
use super::write::Written;
use super::writer::internal;
use super::{Store, ddl};
use crate::event::ColumnType;
use crate::source::{
    BackendColumn, BackendError, BackendOk, BackendReply, BackendRows as _, BackendSession,
    BackendStatus, KillHandle, Left, ResultColumn, Variables, Warning, now_micros,
};
use crate::sql::sqlite::{Dml, Fault, Query, Translated, Value, translate};
use crate::telemetry::run_long;

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
    warnings: Vec<Warning>,
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
            warnings: Vec::new(),
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
            database: match variables.system("database") {
                Some(Value::Text(database)) => database,
                _ => self.store.config.keyspace.clone(),
            },
            user: if user.is_empty() { self.user.clone() } else { user },
            connection_id: number("connection_id"),
            version: text("version"),
            // Without a word about it, MySQL's default holds: strict.
            strict: !matches!(&mode, Some(Value::Text(mode)) if !mode.contains("STRICT_")),
            foreign_key_checks: !matches!(
                variables.system("foreign_key_checks"),
                Some(Value::Int(0))
            ),
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
    ) -> Result<(Arc<Registry>, Translated), BackendError> {
        let registry = self.store.shared.registry();
        let overlay = Overlay { session: &self.variables, door: variables };
        let translated = run_long(sql.len(), || translate(sql, &*registry, &overlay))?;
        Ok((registry, translated))
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
        if written.is_err() {
            // The error says enough, also if it ended the transaction.
            let _ = self.settle().await;
        }
        self.written(written?)
    }

    fn written(&mut self, written: Written) -> Result<BackendReply, BackendError> {
        self.state.end_statement(i64::try_from(written.affected_rows).unwrap_or(i64::MAX), 0);
        self.warnings = written.warnings;
        Ok(BackendReply::Ok(BackendOk {
            affected_rows: written.affected_rows,
            last_insert_id: written.last_insert_id,
            warnings: u16::try_from(self.warnings.len()).unwrap_or(u16::MAX),
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

    async fn select(
        &mut self,
        query: Query,
        generation: i64,
    ) -> Result<Option<Rows>, BackendError> {
        let place = match self.held.take() {
            Some(held) => Place::Writer(held),
            None => {
                let reader = tokio::select! {
                    biased;
                    () = transaction::interrupted(&self.state, &self.killed) => {
                        return Err(BackendError::interrupted());
                    }
                    reader = self.store.readers.take() => reader,
                };
                Place::Reader(reader.map_err(internal)?)
            }
        };
        let (mut rows, lent) = rows::select(place, query, generation, Arc::clone(&self.state));
        self.lent = lent;
        match rows.begin().await {
            Ok(()) => Ok(Some(rows)),
            Err(Ended::Failed(error)) => Err(error),
            Err(Ended::Stale) => Ok(None),
        }
    }

    async fn set_user(
        &mut self,
        names: Vec<String>,
        columns: Vec<ResultColumn>,
        mut rows: Rows,
    ) -> Result<(), BackendError> {
        let Some(block) = rows.next().await? else { return Ok(()) };
        let Some(mut cells) = block.rows().next() else { return Ok(()) };
        for (name, column) in names.into_iter().zip(columns) {
            let Some((cell, rest)) = crate::event::row::split_cell(cells) else { break };
            cells = rest;
            if cell.is_some_and(|cell| cell.len() > USER_VARIABLE_BYTES_MAX) {
                return Err(BackendError::new(
                    1105,
                    "HY000",
                    format!(
                        "user variable '{name}' is longer than {USER_VARIABLE_BYTES_MAX} bytes"
                    ),
                ));
            }
            let known = self.variables.contains_key(&name);
            if !known && self.variables.len() >= USER_VARIABLES_MAX {
                return Err(BackendError::new(1105, "HY000", "too many user variables"));
            }
            self.variables.insert(name, user_value(&column.column.column_type, cell));
        }
        Ok(())
    }

    /// FOR UPDATE locks what there is to lock: the writer.
    async fn lock_rows(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Query, BackendError> {
        match self.lock(sql, variables, None).await? {
            Translated::Select(query) => {
                self.open().await?;
                Ok(query)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// `None` if the tables changed between translation and reading.
    async fn dispatch(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Option<BackendReply>, BackendError> {
        let (registry, translated) = self.translate(sql, variables)?;
        let begins = matches!(translated, Translated::Dml(_) | Translated::Select(_));
        if begins && !self.autocommit && self.transaction.is_none() {
            self.transaction = Some(Transaction { implicit: true, ..Transaction::default() });
        }
        match translated {
            Translated::Select(query) => {
                let generation = registry.generation();
                let locks = query.locks && self.transaction.is_some();
                let query = if locks { self.lock_rows(sql, variables).await? } else { query };
                let rows = self.select(query, generation).await?;
                return Ok(rows.map(|rows| BackendReply::Rows(Box::new(rows))));
            }
            Translated::SetUser { names, query } => {
                let columns = query.columns.clone();
                match self.select(query, registry.generation()).await? {
                    Some(rows) => self.set_user(names, columns, rows).await?,
                    None => return Ok(None),
                }
            }
            Translated::Ready(ready) => {
                return Ok(Some(BackendReply::Rows(Box::new(Rows::ready(ready)))));
            }
            Translated::Dml(_) => {
                if self.transaction.as_ref().is_some_and(|open| open.read_only) {
                    return Err(BackendError::new(1792, "25006", READ_ONLY));
                }
                match self.lock(sql, variables, Some((registry, translated))).await? {
                    Translated::Dml(dml) => return self.dml(dml).await.map(Some),
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
                let statement = self.lock(sql, variables, Some((registry, translated))).await?;
                return self.ddl(statement, sql).await.map(Some);
            }
            control => self.control(control).await?,
        }
        Ok(Some(BackendReply::Ok(BackendOk::default())))
    }

    /// Statements about the session itself.
    async fn control(&mut self, statement: Translated) -> Result<(), BackendError> {
        match statement {
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
        self.state.expect_statement();
        self.settle().await?;
        self.warnings.clear();
        self.begin_statement(variables);
        self.follow_autocommit(variables).await?;
        for _ in 0..STALE_MAX {
            let reply = self.dispatch(sql, variables).await;
            // Nothing but a transaction keeps the writer.
            if !self.transaction.as_ref().is_some_and(|open| open.writes) {
                self.held = None;
            }
            if let Some(reply) = reply.transpose() {
                return reply;
            }
        }
        Err(BackendError::new(
            1412,
            "HY000",
            "Table definition has changed, please retry transaction",
        ))
    }

    async fn describe(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError> {
        let (_, translated) = self.translate(sql, variables)?;
        Ok(match translated {
            Translated::Select(query) => rows::declared(query.columns),
            Translated::Ready(ready) => rows::declared(ready.columns),
            _ => Vec::new(),
        })
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

    fn warnings(&self) -> Left {
        // A SELECT's are known once it is over.
        let selected = self.warnings.is_empty().then(|| self.state.take_warnings());
        Left::Known(selected.unwrap_or_else(|| self.warnings.clone()))
    }

    async fn reset(&mut self) -> Result<(), BackendError> {
        // A transaction that is lost already needs no rollback.
        let _ = self.settle().await;
        let rolled_back = self.rollback().await;
        self.variables.clear();
        self.warnings.clear();
        self.state.set_last_insert_id(0);
        self.autocommit = true;
        rolled_back
    }
}

impl Drop for StoreSession {
    /// Whoever is gone wants no answer: what still runs gives its reader or the writer back.
    fn drop(&mut self) {
        self.state.kill();
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

/// User variables of one session that hold what a query found; the door bounds all others alike.
const USER_VARIABLES_MAX: usize = 256;
/// Bytes of the value of one.
const USER_VARIABLE_BYTES_MAX: usize = 64 << 10;
/// How often a SELECT is translated again because of a DDL statement in between.
const STALE_MAX: u32 = 5;
const READ_ONLY: &str = "Cannot execute statement in a READ ONLY transaction.";
