//! One logged-in client: takes its commands one by one, lets the session decide, and runs what it
//! decided.
//!
//! An `io::Error` is the end of the connection and nobody is told; a [`Failure`] is an ERR packet,
//! and the connection goes on.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use super::auth::SALT_BYTES;
use super::columns::ColumnDefinition;
use super::command::Command;
use super::connect::{self, Login, LoginError};
use super::error::{self, Failure};
use super::link::Link;
use super::opensrv::{CapabilityFlags, Serve, StatusFlags};
use super::registry::{ConnectionId, End, Seat, Token};
use super::resultset::{Encoding, Table};
use super::session::{Reply, Session, Stream, no_such_thread};
use super::show;
use super::stream::{self, Ending, RowWriter};
use super::wire::Done;
use crate::access::Right;
use crate::event::{Cell, Row};
use crate::plan::StreamRequest;
use crate::source::{BackendReply, BackendRows, BackendSession};
use crate::sql;

/// A client's session and what it holds on to.
pub struct Client {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    session: Session,
    /// Opened by the first statement that needs it.
    backend: Option<Box<dyn BackendSession>>,
    capabilities: CapabilityFlags,
    multi_statements: bool,
    /// What the client's proofs of a password are made from.
    salt: [u8; SALT_BYTES],
}

/// A text of very many statements fills no buffer, holds no thread, and can be killed.
async fn between_statements(link: &mut Link, token: &Token) -> io::Result<Ending> {
    tokio::task::coop::consume_budget().await;
    let end = if link.is_full() { stream::flush(link, token).await? } else { token.end() };
    Ok(end.map_or(Ok(()), |end| Err(error::of_end(end))))
}

/// Resolves when the client has had its time to take what is written: none if it was killed, a
/// moment at shutdown, so that it reads why its statement ended.
async fn given_up(ended: &Token) {
    if ended.fired().await == End::Shutdown {
        tokio::time::sleep(super::REFUSAL_TIMEOUT).await;
    }
}

#[async_trait]
impl Serve for Client {
    type Link = Link;

    async fn serve(&mut self, link: &mut Link, command: Command) -> io::Result<()> {
        self.seat.begin_command(command.name());
        let answered = self.command(link, command).await;
        self.seat.set_database(self.session.database());
        self.seat.sleep();
        answered?;
        tokio::select! {
            biased;
            flushed = link.flush() => flushed?,
            () = given_up(self.seat.ended()) => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        link.shrink();
        Ok(())
    }
}

impl Client {
    /// A client whose login is through.
    pub fn new(
        shared: Arc<Shared>,
        seat: Arc<Seat>,
        login: &Login,
        salt: [u8; SALT_BYTES],
    ) -> Self {
        let host = seat.peer().ip().to_string();
        let keyspaces = Arc::clone(&shared.keyspaces);
        let session = Session::new(seat.id(), &login.user, &host, keyspaces);
        let multi_statements =
            login.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        let capabilities = login.capabilities;
        Self { shared, seat, session, backend: None, capabilities, multi_statements, salt }
    }

    async fn command(&mut self, link: &mut Link, command: Command) -> io::Result<()> {
        let outcome = match command {
            Command::Login { database } => return self.login(link, &database).await,
            Command::Query(text) => return self.query(link, &text).await,
            Command::InitDb(name) => self.session.init_db(&name),
            Command::FieldList { table } => {
                return Box::pin(self.field_list(link, &table)).await;
            }
            Command::Ping => Ok(()),
            Command::Statistics => {
                let text = self.statistics();
                link.write(|out| out.extend_from_slice(text.as_bytes()));
                return Ok(());
            }
            Command::ProcessKill(id) => self.kill(ConnectionId(id), End::Connection),
            Command::ChangeUser(payload) => {
                return Box::pin(self.change_user(link, &payload)).await;
            }
            Command::ResetConnection => self.reset().await,
            Command::SetOption { multi_statements } => {
                self.multi_statements = multi_statements;
                self.encoding(false).end(link);
                return Ok(());
            }
            Command::Prepare => Err(error::NOT_PREPARABLE
                .with("This command is not supported in the prepared statement protocol yet")),
            Command::Close | Command::Quit => return Ok(()),
            Command::NotUtf8 => {
                Err(error::NOT_UTF8.with("Invalid utf8mb4 character string in the statement"))
            }
            Command::Unknown => Err(error::UNKNOWN_COMMAND.with("Unknown command")),
        };
        match outcome {
            Ok(()) => self.encoding(false).ok(link, &Done::default()),
            Err(failure) => self.encoding(false).failure(link, &failure),
        }
        Ok(())
    }

    /// Lets the client become somebody else, with nothing left of the session. One that cannot prove
    /// who it is loses the connection, as in MySQL.
    async fn change_user(&mut self, link: &mut Link, payload: &[u8]) -> io::Result<()> {
        let entrance = &self.shared.entrance;
        let change = entrance.change_user(link, &self.salt, self.capabilities, payload);
        let outcome = tokio::time::timeout(self.shared.config.login_timeout, change).await;
        let login = match outcome {
            Ok(Ok(login)) => login,
            // MySQL takes it for no command at all.
            Ok(Err(LoginError::Malformed)) => {
                let failure = error::UNKNOWN_COMMAND.with("Unknown command");
                self.encoding(false).failure(link, &failure);
                return Ok(());
            }
            Ok(Err(error)) => {
                if let Some(failure) = error.failure(&self.seat.peer().ip().to_string()) {
                    connect::refuse(link, &failure).await;
                }
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        let host = self.seat.peer().ip().to_string();
        let keyspaces = Arc::clone(&self.shared.keyspaces);
        self.backend = None;
        self.session = Session::new(self.seat.id(), &login.user, &host, keyspaces);
        self.seat.set_user(&login.user);
        self.login(link, &login.database).await
    }

    /// Answers the login packet; a database that is not there ends the connection, as in MySQL.
    async fn login(&mut self, link: &mut Link, database: &str) -> io::Result<()> {
        if !database.is_empty()
            && let Err(failure) = self.session.init_db(database)
        {
            self.encoding(false).failure(link, &failure);
            link.flush().await?;
            return Err(io::ErrorKind::NotFound.into());
        }
        self.encoding(false).ok(link, &Done::default());
        Ok(())
    }

    /// Runs the statements of one text, each with its own result; an error ends the row of them.
    async fn query(&mut self, link: &mut Link, text: &str) -> io::Result<()> {
        let mut statements = sql::split(text).peekable();
        if statements.peek().is_none() {
            let failure = error::EMPTY_QUERY.with("Query was empty");
            self.encoding(false).failure(link, &failure);
        }
        while let Some(statement) = statements.next() {
            let more = statements.peek().is_some();
            if more && !self.multi_statements {
                let failure = error::PARSE.with(
                    "You have an error in your SQL syntax; this connection takes one statement at \
                     a time",
                );
                self.encoding(false).failure(link, &failure);
                return Ok(());
            }
            let token = self.seat.begin_statement(statement);
            let mut ending = self.statement(link, statement, &token, more).await?;
            if ending.is_ok() && more {
                ending = between_statements(link, &token).await?;
            }
            if let Err(failure) = ending {
                self.encoding(false).failure(link, &failure);
                self.session.note_failure(&failure);
                return Ok(());
            }
        }
        Ok(())
    }

    async fn statement(
        &mut self,
        link: &mut Link,
        text: &str,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        let statement = match sql::parse(text) {
            Ok(statement) => statement,
            Err(error) => return Ok(Err(error::of_sql(&error))),
        };
        let asks_for_diagnostics = matches!(
            statement,
            sql::Statement::Show(
                sql::Show::Diagnostics { .. } | sql::Show::DiagnosticsCount { .. }
            )
        );
        if !asks_for_diagnostics {
            self.session.note(Vec::new());
        }
        match self.session.decide(statement) {
            Ok(reply) => self.reply(link, reply, token, more).await,
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Runs what was decided. What is long or large is boxed, so that a waiting stream does not keep
    /// room for all that it does not do.
    async fn reply(
        &mut self,
        link: &mut Link,
        reply: Reply,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        let table = match reply {
            Reply::Told(text) if self.backend.is_some() => {
                return Box::pin(self.backend(link, &text, None, token, more)).await;
            }
            Reply::Ok | Reply::Told(_) => {
                self.encoding(more).ok(link, &Done::default());
                return Ok(Ok(()));
            }
            Reply::Rows(table) => Ok(table),
            Reply::Stream(stream) => {
                return Box::pin(self.stream(link, &stream, token, more)).await;
            }
            Reply::Explain(request) => Box::pin(self.explain(&request)).await,
            Reply::Backend { text, limit } => {
                return Box::pin(self.backend(link, &text, limit, token, more)).await;
            }
            Reply::Listing { text, filter } => {
                Box::pin(self.listing(link, &text, filter.as_ref(), token)).await?
            }
            Reply::Under(variables, reply) => {
                let before = self.session.replace_variables(*variables);
                let outcome = Box::pin(self.reply(link, *reply, token, more)).await;
                self.session.replace_variables(before);
                return outcome;
            }
            Reply::Processlist { full } => {
                Ok(show::processlist(&self.seat.registry().processes(), full))
            }
            Reply::Vstreams(filter) => {
                let processes = self.seat.registry().processes();
                show::vstreams(&self.shared.engine.streams(), &processes, filter.as_ref())
            }
            Reply::Status(filter) => show::status(&self.status_entries(), filter.as_ref()),
            Reply::Kill { id, query } => {
                let end = if query { End::Statement } else { End::Connection };
                if let Err(failure) = self.kill(id, end) {
                    return Ok(Err(failure));
                }
                // Whoever kills itself is answered before it ends.
                self.encoding(more).ok(link, &Done::default());
                return Ok(Ok(()));
            }
        };
        Ok(table.map(|mut table| {
            table.fit();
            self.encoding(more).table(link, &table)
        }))
    }

    /// Opens a stream and sends its rows until it ends.
    async fn stream(
        &mut self,
        link: &mut Link,
        stream: &Stream,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        let access = &self.shared.access;
        if let Err(denied) = access.check(self.session.user(), Some(&stream.table), Right::Read) {
            return Ok(Err(error::of_denied(&denied)));
        }
        self.seat.set_state("opening the stream");
        let subscribed = tokio::select! {
            biased;
            end = token.fired() => return Ok(Err(error::of_end(end))),
            () = link.closed() => return Err(io::ErrorKind::ConnectionAborted.into()),
            subscribed = self.shared.engine.subscribe(stream.request.clone()) => subscribed,
        };
        let mut subscription = match subscribed {
            Ok(subscription) => subscription,
            Err(error) => return Ok(Err(error::of_subscribe(&error))),
        };
        let Some(output) = subscription.schema(&stream.table) else {
            return Ok(Err(error::no_such_table(&stream.table)));
        };
        let encoding = self.encoding(more);
        encoding.columns(link, &stream::columns(stream, &output));
        let position = Arc::clone(subscription.position());
        let mut writer = RowWriter::new(&stream.items, output, position);
        self.seat.begin_stream(subscription.id());
        let ending = if stream.request.limit == Some(0) {
            Ok(())
        } else {
            stream::run(link, &mut subscription, &mut writer, token).await?
        };
        if ending.is_ok() {
            encoding.end(link);
        }
        Ok(ending)
    }

    async fn explain(&mut self, request: &StreamRequest) -> Result<Table, Failure> {
        let explained = self.shared.engine.explain(request).await;
        explained.map(|entries| show::explained(&entries)).map_err(|e| error::of_subscribe(&e))
    }

    /// Passes a statement through and sends whatever comes back.
    async fn backend(
        &mut self,
        link: &mut Link,
        text: &str,
        limit: Option<u64>,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        match self.execute(link, text, token).await? {
            Ok(BackendReply::Ok(ok)) => {
                let done = Done {
                    affected_rows: ok.affected_rows,
                    last_insert_id: ok.last_insert_id,
                    warnings: ok.warnings,
                    info: ok.info,
                };
                self.note_warnings();
                self.encoding(more).ok(link, &done);
                Ok(Ok(()))
            }
            Ok(BackendReply::Rows(mut rows)) => {
                let ending = self.rows(link, &mut *rows, limit, token, more).await?;
                drop(rows);
                if ending.is_ok() {
                    let warnings = self.note_warnings();
                    Encoding { warnings, ..self.encoding(more) }.end(link);
                }
                Ok(ending)
            }
            Err(failure) => Ok(Err(failure)),
        }
    }

    /// Runs a statement on the backend, unless the client is killed or gone before it is done.
    async fn execute(
        &mut self,
        link: &mut Link,
        text: &str,
        token: &Token,
    ) -> io::Result<Result<BackendReply, Failure>> {
        let access = &self.shared.access;
        if let Err(denied) = access.check(self.session.user(), None, Right::Execute) {
            return Ok(Err(error::of_denied(&denied)));
        }
        if let Err(failure) = self.open_backend().await {
            return Ok(Err(failure));
        }
        let backend = self.backend.as_mut().expect("opened a moment ago");
        let kill = backend.kill_handle();
        let execute = backend.execute(text, &self.session);
        tokio::pin!(execute);
        let reply = tokio::select! {
            biased;
            reply = &mut execute => reply,
            end = token.fired() => {
                kill.interrupt();
                // The statement may be over already; then what it did counts, unless the connection
                // ends as well.
                let reply = execute.await;
                if end == End::Statement { reply } else { return Ok(Err(error::of_end(end))) }
            }
            () = link.closed() => {
                kill.interrupt();
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        };
        Ok(reply.map_err(|error| error::of_backend(&error)))
    }

    /// The rows of a backend's SHOW that the filter keeps.
    async fn listing(
        &mut self,
        link: &mut Link,
        text: &str,
        filter: Option<&sql::show::Filter>,
        token: &Token,
    ) -> io::Result<Result<Table, Failure>> {
        let mut rows = match self.execute(link, text, token).await? {
            Ok(BackendReply::Rows(rows)) => rows,
            Ok(BackendReply::Ok(_)) => return Ok(Ok(Table::default())),
            Err(failure) => return Ok(Err(failure)),
        };
        let columns = rows.columns().iter().map(|column| definition(column, "")).collect();
        let mut table = Table { columns, rows: Vec::new() };
        let text = |cell: Cell<'_>| cell.bytes().map(|b| String::from_utf8_lossy(b).into_owned());
        loop {
            let next = tokio::select! {
                biased;
                end = token.fired() => return Ok(Err(error::of_end(end))),
                next = rows.next() => next,
            };
            match next {
                Ok(Some(block)) => table.rows.extend(
                    block.rows().map(|row| Row::new(row, None).cells().map(text).collect()),
                ),
                Ok(None) => return Ok(show::keep(table, filter)),
                Err(error) => return Ok(Err(error::of_backend(&error))),
            }
        }
    }

    async fn rows(
        &mut self,
        link: &mut Link,
        rows: &mut dyn BackendRows,
        limit: Option<u64>,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        let schema = self.session.database().unwrap_or_default();
        let columns: Vec<_> = rows.columns().iter().map(|c| definition(c, schema)).collect();
        self.encoding(more).columns(link, &columns);
        self.seat.set_state("sending rows");
        let mut left = limit.unwrap_or(u64::MAX);
        while left > 0 {
            let next = tokio::select! {
                biased;
                end = token.fired() => return Ok(Err(error::of_end(end))),
                next = rows.next() => next,
            };
            let block = match next {
                Ok(Some(block)) => block,
                Ok(None) => break,
                Err(error) => return Ok(Err(error::of_backend(&error))),
            };
            for row in block.rows().take(usize::try_from(left).unwrap_or(usize::MAX)) {
                link.write(|out| out.extend_from_slice(row));
                left -= 1;
                if link.is_full()
                    && let Some(end) = stream::flush(link, token).await?
                {
                    return Ok(Err(error::of_end(end)));
                }
            }
        }
        Ok(Ok(()))
    }

    /// COM_FIELD_LIST: the columns of a table, each with its default, here always NULL.
    async fn field_list(&mut self, link: &mut Link, table: &str) -> io::Result<()> {
        let token = self.seat.begin_statement("");
        let text = format!("SELECT * FROM `{}` LIMIT 0", table.replace('`', "``"));
        let reply = match self.open_backend().await {
            Ok(()) => {
                let backend = self.backend.as_mut().expect("opened a moment ago");
                tokio::select! {
                    biased;
                    end = token.fired() => Err(error::of_end(end)),
                    reply = backend.execute(&text, &self.session) => {
                        reply.map_err(|error| error::of_backend(&error))
                    }
                }
            }
            Err(failure) => Err(failure),
        };
        match reply {
            Ok(BackendReply::Rows(rows)) => {
                let schema = self.session.database().unwrap_or_default();
                for column in rows.columns() {
                    link.write(|out| {
                        definition(column, schema).push(out);
                        crate::event::row::push_null(out);
                    });
                }
                drop(rows);
                self.encoding(false).end(link);
            }
            Ok(BackendReply::Ok(_)) => self.encoding(false).end(link),
            Err(failure) => self.encoding(false).failure(link, &failure),
        }
        Ok(())
    }

    /// Keeps what the backend's statement left to SHOW WARNINGS; says how many.
    fn note_warnings(&mut self) -> u16 {
        let left = self.backend.as_ref().map(|backend| backend.warnings()).unwrap_or_default();
        let count = u16::try_from(left.len()).unwrap_or(u16::MAX);
        self.session.note(left);
        count
    }

    async fn open_backend(&mut self) -> Result<(), Failure> {
        if self.backend.is_none() {
            let session = self.shared.backend.session(self.session.user()).await;
            self.backend = Some(session.map_err(|error| error::of_backend(&error))?);
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), Failure> {
        if let Some(backend) = &mut self.backend {
            backend.reset().await.map_err(|error| error::of_backend(&error))?;
        }
        self.session.reset();
        Ok(())
    }

    fn kill(&self, id: ConnectionId, end: End) -> Result<(), Failure> {
        let access = &self.shared.access;
        access
            .check(self.session.user(), None, Right::Process)
            .map_err(|denied| error::of_denied(&denied))?;
        let found = self.seat.registry().kill(id, end);
        if found { Ok(()) } else { Err(no_such_thread(u64::from(id.0))) }
    }

    /// How results are encoded now; `more` if another statement of the same text follows.
    fn encoding(&self, more: bool) -> Encoding {
        let mut status = StatusFlags::empty();
        let in_transaction =
            self.backend.as_ref().is_some_and(|backend| backend.status().in_transaction);
        let autocommit = self.session.variables().is_on("autocommit");
        status.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, autocommit);
        status.set(StatusFlags::SERVER_STATUS_IN_TRANS, in_transaction);
        status.set(StatusFlags::SERVER_MORE_RESULTS_EXISTS, more);
        Encoding { capabilities: self.capabilities, status, warnings: 0 }
    }

    fn statistics(&self) -> String {
        let (started, statements) = self.seat.registry().activity();
        format!(
            "Uptime: {}  Threads: {}  Questions: {statements}  Streams: {}",
            started.elapsed().as_secs(),
            self.seat.registry().connections(),
            self.shared.engine.streams().len(),
        )
    }

    fn status_entries(&self) -> [(&'static str, u64); 4] {
        let (started, statements) = self.seat.registry().activity();
        [
            ("Questions", statements),
            ("Threads_connected", self.seat.registry().connections() as u64),
            ("Uptime", started.elapsed().as_secs()),
            ("Vstreams_open", self.shared.engine.streams().len() as u64),
        ]
    }
}

fn definition(column: &sql::sqlite::ResultColumn, schema: &str) -> ColumnDefinition {
    match &column.table {
        Some((alias, name)) => {
            ColumnDefinition::of(&column.column, schema, (alias, name), &column.name)
        }
        None => {
            let mut definition = ColumnDefinition::of(&column.column, "", ("", ""), &column.name);
            definition.original_name.clear();
            definition
        }
    }
}
