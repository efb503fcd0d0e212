//! One client's session: where its statements go, and the connection that they share.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::ahead::Ahead;
use super::connection::{Answer, Failed, ServerConnection, in_set_up_time};
use super::control::Control;
use super::place::{Asked, Place};
use super::rows::{GivenBack, Rows};
use super::{ServedKeyspace, Servers, errors};
use crate::source::{
    BackendColumn, BackendError, BackendOk, BackendReply, BackendSession, BackendStatus,
    Introduction, KillHandle, Left, Variables, Warning,
};
use crate::sql::Show;
use crate::sql::sqlite::Value;
use crate::telemetry::run_long;

/// One client's session.
pub(super) struct ServersSession {
    servers: Arc<Servers>,
    /// Answers what needs no server.
    local: Box<dyn BackendSession>,
    control: Arc<Control>,
    connection: Option<Box<ServerConnection>>,
    /// Rows have the connection, and give it back here.
    lent: Option<oneshot::Receiver<GivenBack>>,
    /// What the connection is to, wherever it is: without one it is lost, and nobody was told.
    entered: Option<Arc<ServedKeyspace>>,
    ahead: Ahead,
    /// The last statement was answered without a server.
    was_local: bool,
    client: Option<Introduction>,
}

impl ServersSession {
    pub fn new(servers: Arc<Servers>, local: Box<dyn BackendSession>) -> Self {
        let control = Arc::new(Control::new());
        Self {
            servers,
            local,
            control,
            connection: None,
            lent: None,
            entered: None,
            ahead: Ahead::default(),
            was_local: true,
            client: None,
        }
    }

    /// Waits until nothing of the statement before is under way. A connection that is gone is told
    /// of, once.
    async fn settle(&mut self) -> Result<(), BackendError> {
        if let Some(lent) = &mut self.lent {
            let given_back = lent.await;
            self.lent = None;
            match given_back {
                Ok(Some(connection)) => self.connection = Some(connection),
                Ok(None) => self.leave(),
                Err(_) => {}
            }
        }
        let was_killed = self.control.settled().await;
        if let Some(mut connection) = self.connection.take() {
            let gone = was_killed && connection.lift_kill().await.is_err();
            if !gone && connection.is_alive().await {
                self.connection = Some(connection);
                return Ok(());
            }
        }
        match self.entered.take() {
            Some(served) => {
                let lost = errors::lost_before(&served.keyspace, self.control.in_transaction());
                self.control.forget();
                Err(lost)
            }
            None => Ok(()),
        }
    }

    /// Closes the connection, if there is one.
    fn leave(&mut self) {
        self.connection = None;
        self.entered = None;
        self.control.forget();
    }

    /// The keyspace that the client has chosen.
    fn current(&self, variables: &dyn Variables) -> Option<&Arc<ServedKeyspace>> {
        match variables.system("database") {
            Some(Value::Text(name)) => self.servers.keyspaces.get(&name),
            _ => None,
        }
    }

    /// The keyspace whose server the statement is for; nothing if it is for none.
    fn target(
        &self,
        asked: &Asked,
        variables: &dyn Variables,
    ) -> Result<Option<Arc<ServedKeyspace>>, BackendError> {
        let follows = matches!(asked.place, Place::WhereOpen | Place::Transaction);
        if let Some(connection) = self.connection.as_ref().filter(|_| follows) {
            return Ok(Some(Arc::clone(connection.served())));
        }
        let keyspaces = &self.servers.keyspaces;
        let names = &asked.databases.names;
        let no_primary = match variables.system("tablet_type") {
            Some(Value::Text(kind)) if kind != "primary" => Some(kind),
            _ => None,
        };
        let needs_server = !asked.is_without_tables();
        let current = self
            .current(variables)
            .filter(|current| needs_server || no_primary.is_none() && current.primary.is_some());
        let named = || names.iter().find_map(|name| keyspaces.get(name));
        let entered = self.entered.as_ref().filter(|_| asked.needs_no_table);
        let Some(target) = current.or_else(named).or(entered) else {
            let unknown = names.first().filter(|_| asked.databases.certain && !asked.reads_lists());
            return unknown.map_or(Ok(None), |name| Err(errors::unknown_database(name)));
        };
        if let Some(kind) = no_primary.filter(|_| needs_server) {
            return Err(errors::not_primary(&kind));
        }
        for name in names {
            self.check_name(asked, target, name)?;
        }
        if let Some(open) = self.connection.as_ref().map(|connection| connection.served())
            && !Arc::ptr_eq(open, target)
            && self.control.in_transaction()
        {
            return Err(errors::other_transaction(&open.keyspace));
        }
        Ok(Some(Arc::clone(target)))
    }

    /// Whether the server of `target` means the same by a name of a database as the client.
    fn check_name(
        &self,
        asked: &Asked,
        target: &ServedKeyspace,
        name: &str,
    ) -> Result<(), BackendError> {
        let Some(named) = self.servers.keyspaces.get(name) else {
            let is_known = !asked.databases.certain
                || SYSTEM_SCHEMAS.iter().any(|known| known.eq_ignore_ascii_case(name));
            return if is_known { Ok(()) } else { Err(errors::unknown_database(name)) };
        };
        let (Some(here), Some(there)) = (&target.primary, &named.primary) else {
            let served = if target.primary.is_none() { target } else { named };
            return Err(errors::several_shards(&served.keyspace));
        };
        if here.address() != there.address() {
            return Err(errors::other_server(name, &target.keyspace));
        }
        if asked.show.is_none() && there.database() != name {
            return Err(errors::other_name(name, there.database()));
        }
        Ok(())
    }

    /// A SHOW names the keyspace as its server does.
    fn written(&self, asked: &Asked, text: &str) -> String {
        let rewritten = asked.show.clone().and_then(|mut show: Show| {
            let name = show.keyspace_mut()?;
            let server = self.servers.keyspaces.get(name.as_str())?.primary.as_ref()?;
            server.database().clone_into(name);
            Some(show.to_string())
        });
        rewritten.unwrap_or_else(|| text.to_owned())
    }

    /// The connection for a statement of this keyspace, set up for it; with whether the statement is
    /// done by that.
    async fn enter(
        &mut self,
        target: &Arc<ServedKeyspace>,
        asked: &Asked,
        variables: &dyn Variables,
    ) -> Result<(Box<ServerConnection>, bool), BackendError> {
        let in_database =
            self.current(variables).is_some_and(|current| Arc::ptr_eq(current, target));
        let is_new = self.entered.as_ref().is_none_or(|entered| !Arc::ptr_eq(entered, target));
        if is_new {
            self.leave();
            self.open(target, in_database).await?;
        }
        let mut connection = self.connection.take().expect("opened, or there before");
        let mut users = asked.reads.clone();
        if asked.is_step {
            users.extend_from_slice(&asked.sets);
        }
        let begins = is_new && self.local.status().in_transaction;
        let set_up = async {
            let new = connection.set(variables, &users, self.servers.read_only).await?;
            if in_database {
                connection.choose_database().await?;
            }
            // What was begun before there was a server; behind the settings, which are for it, too.
            if is_new {
                for statement in self.ahead.statements(begins) {
                    connection.run(&statement).await?;
                }
            }
            Ok(new)
        };
        // What changes later may be a commit, which takes its time.
        let set = if is_new { in_set_up_time(set_up).await } else { Some(set_up.await) };
        let Some(set) = set else {
            self.leave();
            return Err(connection.late());
        };
        let new = match set {
            Ok(new) => new,
            Err(failed) => {
                let told = self.failed(connection, failed);
                // What is to be set up is not used before it is.
                if is_new {
                    self.leave();
                }
                return Err(told);
            }
        };
        if begins {
            self.local.reset().await?;
        }
        if is_new {
            self.ahead.begun();
        }
        let is_done = |name: &String| {
            new.contains(name) && variables.user(name).is_some_and(|value| value != Value::Null)
        };
        let done = asked.is_step && asked.sets.iter().all(is_done);
        connection.know(&asked.sets);
        Ok((connection, done))
    }

    async fn open(
        &mut self,
        target: &Arc<ServedKeyspace>,
        in_database: bool,
    ) -> Result<(), BackendError> {
        let Some(server) = &target.primary else {
            return Err(errors::several_shards(&target.keyspace));
        };
        let show = |state| self.client.iter().for_each(|client| (client.show_state)(state));
        show("waiting for a connection to the server");
        let found_rows = self.client.as_ref().is_some_and(|client| client.counts_found_rows);
        let opened =
            ServerConnection::open(target, server, &self.control, in_database, found_rows).await;
        show("executing");
        self.connection = Some(Box::new(opened?));
        self.entered = Some(Arc::clone(target));
        Ok(())
    }

    /// Keeps the connection if it can be used again; what the client is told.
    fn failed(&mut self, connection: Box<ServerConnection>, failed: Failed) -> BackendError {
        let told = failed.told(&connection.served().keyspace, self.control.in_transaction());
        if connection.is_ready() {
            self.connection = Some(connection);
        } else {
            self.leave();
        }
        told
    }

    /// Where the statement runs; nothing if that is here.
    async fn route(
        &mut self,
        asked: &Asked,
        text: &str,
        variables: &dyn Variables,
    ) -> Result<Option<Routed>, BackendError> {
        self.settle().await?;
        if asked.place == Place::WhereOpen && self.connection.is_none() {
            return Ok(None);
        }
        let Some(target) = self.target(asked, variables)? else { return Ok(None) };
        if self.servers.read_only && !asked.reads_only {
            return Err(errors::read_only());
        }
        if misread(text, variables) {
            return Err(errors::other_quotes());
        }
        let text = self.written(asked, text);
        let (connection, done) = self.enter(&target, asked, variables).await?;
        Ok(Some(Routed { connection, text, done }))
    }

    /// A server has answered a statement, which was its next transaction if it has to do with any.
    fn pass(&mut self, asked: &Asked) {
        let is_aside = asked.needs_no_table && asked.step.is_none();
        if !is_aside && asked.show.is_none() {
            self.ahead.pass(asked.step.as_ref());
        }
    }

    async fn run(
        &mut self,
        asked: &Asked,
        text: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        let Some(routed) = self.route(asked, text, variables).await? else {
            self.was_local = true;
            let reply = self.local.execute(text, variables).await?;
            // Who may only read does so in a transaction of any other kind as well.
            let heeded = asked.reads_only || !self.servers.read_only;
            if let Some(step) = asked.step.as_ref().filter(|_| heeded) {
                self.ahead.take(step);
            }
            return Ok(reply);
        };
        self.was_local = false;
        let Routed { mut connection, text, done } = routed;
        if done {
            self.connection = Some(connection);
            return Ok(BackendReply::Ok(BackendOk::default()));
        }
        match connection.query(&text).await {
            Ok(Answer::Ok(outcome)) => {
                self.pass(asked);
                self.connection = Some(connection);
                Ok(BackendReply::Ok(BackendOk {
                    affected_rows: outcome.affected_rows,
                    last_insert_id: outcome.last_insert_id,
                    warnings: outcome.warnings,
                    info: outcome.info,
                }))
            }
            Ok(Answer::Rows(columns)) => {
                self.pass(asked);
                let control = Arc::clone(&self.control);
                let (rows, lent) = Rows::new(columns, connection, control);
                self.lent = Some(lent);
                Ok(BackendReply::Rows(Box::new(rows)))
            }
            Err(failed) => Err(self.failed(connection, failed)),
        }
    }

    /// The columns of a statement's rows.
    async fn columns(
        &mut self,
        text: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError> {
        let asked = run_long(text.len(), || Asked::of(text));
        if asked.place == Place::Session
            && let Ok(columns) = self.local.describe(text, variables).await
        {
            return Ok(columns);
        }
        let Some(routed) = self.route(&asked, text, variables).await? else {
            return self.local.describe(text, variables).await;
        };
        let Routed { mut connection, text, done: _ } = routed;
        match connection.describe(&text).await {
            Ok(columns) => {
                self.connection = Some(connection);
                Ok(columns)
            }
            Err(failed) => Err(self.failed(connection, failed)),
        }
    }

    /// What the last statement has left to SHOW WARNINGS on the server.
    async fn left(&mut self) -> Result<Vec<Warning>, BackendError> {
        self.settle().await?;
        let Some(mut connection) = self.connection.take() else { return Ok(Vec::new()) };
        match connection.warnings().await {
            Ok(warnings) => {
                self.connection = Some(connection);
                Ok(warnings)
            }
            Err(failed) => Err(self.failed(connection, failed)),
        }
    }

    /// Answers what is about the session alone; nothing if only a server can.
    async fn of_session(
        &mut self,
        asked: &Asked,
        text: &str,
        variables: &dyn Variables,
    ) -> Option<Result<BackendReply, BackendError>> {
        if asked.place != Place::Session {
            return None;
        }
        let reply = self.local.execute(text, variables).await;
        let answered = reply.as_ref().map_or_else(|error| error.code == INTERRUPTED, |_| true);
        self.was_local |= answered;
        answered.then_some(reply)
    }
}

/// A statement on its way to a server.
struct Routed {
    connection: Box<ServerConnection>,
    text: String,
    /// What came before it has done what it says.
    done: bool,
}

impl Asked {
    /// Whether it is a SHOW of what all servers have.
    fn reads_lists(&self) -> bool {
        matches!(self.show, Some(Show::List { .. }))
    }

    /// Whether it is about no more than the session and its transaction, or computes.
    fn is_without_tables(&self) -> bool {
        let needs_none = self.needs_no_table || self.place == Place::Transaction;
        needs_none && self.databases.names.is_empty()
    }
}

#[async_trait]
impl BackendSession for ServersSession {
    fn introduce(&mut self, client: Introduction) {
        self.client = Some(client);
    }

    async fn execute(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<BackendReply, BackendError> {
        self.control.begin();
        let asked = run_long(sql.len(), || Asked::of(sql));
        let reply = match self.of_session(&asked, sql, variables).await {
            Some(reply) => reply,
            None => self.run(&asked, sql, variables).await,
        };
        if self.lent.is_none() {
            self.control.end();
        }
        reply
    }

    async fn describe(
        &mut self,
        sql: &str,
        variables: &dyn Variables,
    ) -> Result<Vec<BackendColumn>, BackendError> {
        self.control.begin();
        let described = self.columns(sql, variables).await;
        self.control.end();
        described
    }

    fn status(&self) -> BackendStatus {
        let local = self.local.status();
        match self.connection.is_some() || self.lent.is_some() {
            true => BackendStatus { in_transaction: self.control.in_transaction(), ..local },
            false => local,
        }
    }

    fn kill_handle(&self) -> KillHandle {
        let (control, local) = (Arc::clone(&self.control), self.local.kill_handle());
        KillHandle::new(move || {
            local.interrupt();
            control.interrupt();
        })
    }

    fn warnings(&self) -> Left {
        match self.was_local {
            true => self.local.warnings(),
            false => Left::AtServer(self.control.warnings()),
        }
    }

    async fn ask_warnings(&mut self) -> Result<Vec<Warning>, BackendError> {
        self.control.begin();
        let left = self.left().await;
        self.control.end();
        left
    }

    async fn reset(&mut self) -> Result<(), BackendError> {
        // What is lost already needs no rollback.
        let _ = self.settle().await;
        self.leave();
        self.ahead = Ahead::default();
        self.local.reset().await
    }
}

/// Whether the server may see the ends of quoted texts elsewhere than those who read it here.
fn misread(text: &str, variables: &dyn Variables) -> bool {
    let Some(Value::Text(mode)) = variables.system("sql_mode") else { return false };
    let has = |word: &str| mode.split(',').any(|mode| mode == word);
    text.contains('\\')
        && (has("NO_BACKSLASH_ESCAPES")
            || text.contains('"') && (has("ANSI_QUOTES") || has("ANSI")))
}

/// Databases of every server that are no keyspaces.
const SYSTEM_SCHEMAS: [&str; 2] = ["information_schema", "performance_schema"];
/// ER_QUERY_INTERRUPTED.
const INTERRUPTED: u16 = 1317;
