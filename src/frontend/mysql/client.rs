//! One logged-in client: takes its commands one by one, lets the session decide, and runs what it
//! decided.
//!
//! An `io::Error` is the end of the connection and nobody is told; a [`Failure`] is an ERR packet,
//! and the connection goes on.

mod backend;
mod prepared;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use super::auth::SALT_BYTES;
use super::budget::Holding;
use super::charsets;
use super::command::Command;
use super::connect::{Login, LoginError};
use super::error::{self, Failure};
use super::link::Link;
use super::opensrv::{CapabilityFlags, Serve, StatusFlags};
use super::registry::{ConnectionId, End, Patience, Process, Seat, Token};
use super::resultset::{Encoding, RowForm, Table};
use super::session::{Asked, Reply, Session, Stream, no_such_thread};
use super::show;
use super::socket::Agreed;
use super::stream::{self, Chain, Ending, RowWriter};
use super::variables::Variables;
use super::wire::Done;
use crate::access::Right;
use crate::event::TableName;
use crate::event::charset::Charset;
use crate::source::BackendSession;
use crate::{sql, telemetry};
use prepared::{Manner, Prepared};

/// A client's session and what it holds on to.
pub struct Client {
    shared: Arc<Shared>,
    seat: Arc<Seat>,
    session: Session,
    /// Why the login fails that is to be answered next.
    refused: Option<Failure>,
    /// Opened by the first statement that needs it.
    backend: Option<Box<dyn BackendSession>>,
    capabilities: CapabilityFlags,
    multi_statements: bool,
    /// What the client's proofs of a password are made from.
    salt: [u8; SALT_BYTES],
    prepared: Prepared,
    manner: Manner,
    /// The client has asked for a table's columns, as interactive ones do.
    completes_names: bool,
    told_of_shutdown: bool,
}

/// The session of a client whose login is through, and why it cannot be: it speaks in a character
/// set that statements cannot be in.
fn begin_session(shared: &Shared, seat: &Seat, login: &Login) -> (Session, Option<Failure>) {
    let mut variables = Variables::new(Arc::clone(&shared.preset));
    let refused = variables.begin(login.collation).err();
    let host = seat.peer().ip().to_string();
    let keyspaces = Arc::clone(&shared.keyspaces);
    (Session::new(seat.id(), &login.user, &host, keyspaces, variables), refused)
}

/// A text of very many statements fills no buffer, holds no thread, and can be killed.
async fn between_statements(
    link: &mut Link,
    token: &Token,
    patience: Duration,
) -> io::Result<Ending> {
    tokio::task::coop::consume_budget().await;
    let end = if link.is_full() {
        flush_unless_killed(link, token, patience).await?
    } else {
        token.end()
    };
    Ok(end.map_or(Ok(()), |end| Err(error::of_end(end))))
}

/// Waits for work, unless the statement is killed meanwhile or the client is gone. Then the work is
/// dropped.
async fn watched<T>(
    link: &mut Link,
    token: &Token,
    work: impl Future<Output = T>,
) -> io::Result<Result<T, End>> {
    tokio::select! {
        biased;
        end = token.fired() => Ok(Err(end)),
        done = work => Ok(Ok(done)),
        () = link.closed() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

/// Sends what is buffered. A client that takes nothing of it for `patience` is given up, so that it
/// holds nothing that others need.
async fn flush(link: &mut Link, patience: Duration) -> io::Result<()> {
    loop {
        let unsent = link.unsent();
        match tokio::time::timeout(patience, link.flush()).await {
            Ok(flushed) => return flushed,
            Err(_) if link.unsent() < unsent => {}
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Ends a statement whose time is up.
async fn in_time<T>(token: &Token, time_max: Option<Duration>, work: impl Future<Output = T>) -> T {
    let Some(time_max) = time_max else { return work.await };
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(time_max) => token.fire(End::Overtime),
    }
    work.await
}

async fn flush_unless_killed(
    link: &mut Link,
    token: &Token,
    patience: Duration,
) -> io::Result<Option<End>> {
    tokio::select! {
        biased;
        end = token.fired() => Ok(Some(end)),
        flushed = flush(link, patience) => flushed.map(|()| None),
    }
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
        self.seat.set_patience(Patience {
            idle: self.session.variables().seconds("wait_timeout"),
            read: self.session.variables().seconds("net_read_timeout"),
        });
        self.seat.set_charset(self.session.variables().client());
        self.seat.sleep();
        answered?;
        tokio::select! {
            biased;
            flushed = flush(link, self.write_timeout()) => flushed?,
            () = given_up(self.seat.ended()) => {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        link.shrink();
        // Whoever was told that the server ends need not be told again.
        if self.told_of_shutdown { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
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
        let (session, refused) = begin_session(&shared, &seat, login);
        let multi_statements =
            login.capabilities.contains(CapabilityFlags::CLIENT_MULTI_STATEMENTS);
        let capabilities = login.capabilities;
        let holding = Holding::new(Arc::clone(&shared.budget));
        Self {
            shared,
            seat,
            session,
            refused,
            backend: None,
            capabilities,
            multi_statements,
            salt,
            prepared: Prepared::new(holding),
            manner: Manner::default(),
            completes_names: false,
            told_of_shutdown: false,
        }
    }

    async fn command(&mut self, link: &mut Link, command: Command) -> io::Result<()> {
        let outcome = match command {
            Command::Login { database } => return self.login(link, &database).await,
            Command::Query(text) => return self.query(link, &text).await,
            Command::InitDb(name) => self.session.init_db(&name),
            Command::FieldList { table, wildcard } => {
                self.completes_names = true;
                let listed = Box::pin(self.field_list(link, &table, &wildcard)).await?;
                if listed.is_ok() {
                    self.encoding(false).end(link);
                    return Ok(());
                }
                listed
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
            Command::ResetConnection => Box::pin(self.reset(link)).await?,
            Command::SetOption { multi_statements } => {
                self.multi_statements = multi_statements;
                self.encoding(false).end(link);
                return Ok(());
            }
            Command::Prepare(text) => return Box::pin(self.prepare(link, &text)).await,
            Command::Execute(packet) => {
                return Box::pin(self.execute_prepared(link, &packet)).await;
            }
            Command::Fetch { statement, rows } => {
                return Box::pin(self.fetch(link, statement, rows)).await;
            }
            Command::LongData { statement, parameter, data } => {
                let bytes_max = self.shared.config.packet_bytes_max;
                self.prepared.append(statement, parameter, &data, bytes_max);
                return Ok(());
            }
            Command::ResetPrepared(statement) => self.prepared.reset(statement),
            Command::Close(statement) => {
                self.prepared.close(statement);
                return Ok(());
            }
            Command::Malformed => Err(error::malformed_packet()),
            Command::Ignored | Command::Quit => return Ok(()),
            Command::NotText(charset) => Err(error::NOT_TEXT
                .with(format!("Invalid {} character string in the statement", charset.name()))),
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
        let outcome = tokio::select! {
            biased;
            _ = self.seat.ended().fired() => return Err(io::ErrorKind::ConnectionAborted.into()),
            outcome = tokio::time::timeout(self.shared.config.login_timeout, change) => outcome,
        };
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
                    super::say_goodbye(link, &failure).await;
                }
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        self.backend = None;
        self.prepared.clear();
        (self.session, self.refused) = begin_session(&self.shared, &self.seat, &login);
        self.seat.set_user(&login.user);
        self.login(link, &login.database).await
    }

    /// Answers the login packet; a database that is not there ends the connection, as in MySQL.
    async fn login(&mut self, link: &mut Link, database: &str) -> io::Result<()> {
        let entered = match self.refused.take() {
            Some(refused) => Err(refused),
            None if database.is_empty() => Ok(()),
            None => self.session.init_db(database),
        };
        if let Err(failure) = entered {
            super::say_goodbye(link, &failure).await;
            return Err(io::ErrorKind::NotFound.into());
        }
        self.encoding(false).ok(link, &Done::default());
        Ok(())
    }

    /// Runs the statements of one text, each with its own result; an error ends the row of them.
    async fn query(&mut self, link: &mut Link, text: &str) -> io::Result<()> {
        if let Err(failure) = self.may_introduce(text) {
            self.encoding(false).failure(link, &failure);
            return Ok(());
        }
        let mut statements = sql::split(text);
        let mut take = || telemetry::run_long(text.len(), || statements.next());
        let mut following = take();
        if following.is_none() {
            let failure = error::EMPTY_QUERY.with("Query was empty");
            self.encoding(false).failure(link, &failure);
        }
        while let Some(statement) = following {
            following = take();
            let more = following.is_some();
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
                ending = between_statements(link, &token, self.write_timeout()).await?;
            }
            if let Err(failure) = ending {
                self.fail(link, &failure);
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
        let statement = match telemetry::run_long(text.len(), || sql::parse(text)) {
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
        } else if let Err(failure) = Box::pin(self.read_warnings(link, token)).await? {
            return Ok(Err(failure));
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
        match reply {
            Reply::Told(text) if self.backend.is_some() => {
                Box::pin(self.backend(link, &text, None, token, more)).await
            }
            Reply::Ok | Reply::Told(_) => {
                self.encoding(more).ok(link, &Done::default());
                Ok(Ok(()))
            }
            Reply::Stream(stream) => Box::pin(self.stream(link, &stream, token, more)).await,
            Reply::Backend { text, limit, time_max } => {
                let run = self.backend(link, &text, limit, token, more);
                Box::pin(in_time(token, time_max, run)).await
            }
            Reply::Under(saved, reply) => {
                let outcome = Box::pin(self.reply(link, *reply, token, more)).await;
                self.session.restore(saved);
                outcome
            }
            Reply::Kill { id, query } => {
                let end = if query { End::Statement } else { End::Connection };
                if let Err(failure) = self.kill(id, end) {
                    return Ok(Err(failure));
                }
                // Whoever kills itself is answered before it ends.
                self.encoding(more).ok(link, &Done::default());
                Ok(Ok(()))
            }
            Reply::Table(asked) => {
                let table = Box::pin(self.table(link, asked, token)).await?;
                Ok(table.and_then(|table| self.answer_table(link, &table, more)))
            }
        }
    }

    /// The small result that was asked for.
    async fn table(
        &mut self,
        link: &mut Link,
        asked: Asked,
        token: &Token,
    ) -> io::Result<Result<Table, Failure>> {
        let table = match asked {
            Asked::Made(table) => Ok(table),
            Asked::Explain(stream) => self.explain(link, &stream, token).await?,
            Asked::Listing { text, filter } => {
                self.listing(link, &text, filter.as_ref(), token).await?
            }
            Asked::Processlist { full } => Ok(show::processlist(&self.processes(), full)),
            Asked::Vstreams(filter) => self.vstreams(filter.as_ref()),
            Asked::Status(filter) => {
                show::status(self.status_entries(link.agreed()), filter.as_ref())
            }
        };
        Ok(table.map(|mut table| {
            table.fit();
            table
        }))
    }

    fn answer_table(&mut self, link: &mut Link, table: &Table, more: bool) -> Ending {
        if self.manner.cursor {
            self.open_rows(link, &table.columns, vec![table.block()]);
            return Ok(());
        }
        let written = self.encoding(more).table(link, table, self.manner.binary);
        written.map_err(|error| error::of_cell(&error))
    }

    /// Opens a stream and sends its rows until it ends.
    ///
    /// Its client may read nothing for as long as it likes: what a stream holds meanwhile is bounded,
    /// and nobody waits for it. So `net_write_timeout` is not for its rows.
    async fn stream(
        &mut self,
        link: &mut Link,
        stream: &Stream,
        token: &Token,
        more: bool,
    ) -> io::Result<Ending> {
        if let Err(failure) = self.may_read(&stream.table) {
            return Ok(Err(failure));
        }
        self.seat.set_state("opening the stream");
        let subscribe = self.shared.engine.subscribe(stream.request.clone());
        // Boxed: what opening a stream needs is gone while it waits for changes.
        let mut subscription = match Box::pin(watched(link, token, subscribe)).await? {
            Ok(Ok(subscription)) => subscription,
            Ok(Err(error)) => return Ok(Err(error::of_subscribe(&error))),
            Err(end) => return Ok(Err(error::of_end(end))),
        };
        let Some(output) = subscription.schema(&stream.table) else {
            return Ok(Err(error::no_such_table(&stream.table)));
        };
        let encoding = self.encoding(more);
        let columns = stream::columns(&stream.table, &stream.items, &output);
        let form = RowForm::new(self.manner.binary, &columns, encoding.results);
        let position = Arc::clone(subscription.position());
        let mut writer = RowWriter::new(stream, form, output, position);
        self.seat.begin_stream(subscription.id());
        if self.manner.cursor {
            self.open_stream(link, &columns, subscription, writer);
            return Ok(Ok(()));
        }
        if self.chains() {
            writer.chain(Chain::new(encoding, self.manner.binary));
        } else {
            encoding.columns(link, &columns);
        }
        let ending = if stream.request.limit == Some(0) {
            Ok(())
        } else {
            stream::run(link, &mut subscription, &mut writer, token).await?
        };
        drop(subscription);
        if ending.is_ok() {
            writer.finish(link, &encoding);
            // Whoever is killed now has its whole result, or will never read it.
            let _ = stream::flush(link, token).await?;
        }
        Ok(ending)
    }

    /// Whether a stream is a chain of result sets. A client that completes names has asked for those
    /// of a table's columns; it shows a result only once it is whole.
    fn chains(&self) -> bool {
        match self.session.variables().text("vstream_result_sets") {
            "chain" => true,
            "auto" => self.completes_names,
            _ => false,
        }
    }

    async fn explain(
        &mut self,
        link: &mut Link,
        stream: &Stream,
        token: &Token,
    ) -> io::Result<Result<Table, Failure>> {
        if let Err(failure) = self.may_read(&stream.table) {
            return Ok(Err(failure));
        }
        let explain = self.shared.engine.explain(&stream.request);
        Ok(match watched(link, token, explain).await? {
            Ok(Ok(entries)) => Ok(show::explained(&entries)),
            Ok(Err(error)) => Err(error::of_subscribe(&error)),
            Err(end) => Err(error::of_end(end)),
        })
    }

    async fn reset(&mut self, link: &mut Link) -> io::Result<Result<(), Failure>> {
        if let Some(backend) = &mut self.backend {
            match watched(link, self.seat.ended(), backend.reset()).await? {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Ok(Err(error::of_backend(&error))),
                Err(end) => return Ok(Err(error::of_end(end))),
            }
        }
        self.session.reset();
        self.prepared.clear();
        Ok(Ok(()))
    }

    fn may_read(&self, table: &TableName) -> Result<(), Failure> {
        self.may(Right::Read, Some(table))
    }

    fn may(&self, right: Right, table: Option<&TableName>) -> Result<(), Failure> {
        let checked = self.shared.access.check(self.session.user(), table, right);
        checked.map_err(|denied| error::of_denied(&denied, self.session.host()))
    }

    /// Whose connections are one's own can be seen and ended by everybody.
    fn processes(&self) -> Vec<Process> {
        let mut processes = self.seat.registry().processes();
        if self.may(Right::Process, None).is_err() {
            processes.retain(|process| process.user == self.session.user());
        }
        processes
    }

    fn vstreams(&self, filter: Option<&sql::show::Filter>) -> Result<Table, Failure> {
        let processes = self.processes();
        let mut streams = self.shared.engine.streams();
        if self.may(Right::Process, None).is_err() {
            let is_own = |id| processes.iter().any(|process| process.stream == Some(id));
            streams.retain(|stream| is_own(stream.id));
        }
        show::vstreams(&streams, &processes, filter)
    }

    fn kill(&self, id: ConnectionId, end: End) -> Result<(), Failure> {
        let unknown = || no_such_thread(u64::from(id.0));
        let owner = self.seat.registry().user(id).ok_or_else(unknown)?;
        if owner != self.session.user() && self.may(Right::Process, None).is_err() {
            let text = format!("You are not owner of thread {}", id.0);
            return Err(error::KILL_DENIED.with(text));
        }
        if self.seat.registry().kill(id, end) { Ok(()) } else { Err(unknown()) }
    }

    /// The bytes of a literal with an introducer are gone once its statement was converted.
    fn may_introduce(&self, text: &str) -> Result<(), Failure> {
        let client = self.session.variables().client();
        let kept = client.is_utf8() || client == Charset::Binary || text.is_ascii();
        if kept || !charsets::has_introducer(text) {
            return Ok(());
        }
        Err(error::NOT_SUPPORTED.with(format!(
            "an introducer before a text under character_set_client = {}; write the bytes as x'...'",
            client.name()
        )))
    }

    /// How long a client may take nothing of what is sent to it.
    fn write_timeout(&self) -> Duration {
        self.session.variables().seconds("net_write_timeout")
    }

    /// Answers a statement with its error, and keeps that for SHOW WARNINGS.
    fn fail(&mut self, link: &mut Link, failure: &Failure) {
        self.encoding(false).failure(link, failure);
        self.session.note_failure(failure);
        self.told_of_shutdown |= failure.code == error::SHUTDOWN.0;
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
        let results = self.session.variables().results();
        Encoding { capabilities: self.capabilities, status, warnings: 0, results }
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

    fn status_entries(&self, tls: Option<Agreed>) -> [(&'static str, String); 6] {
        let (started, statements) = self.seat.registry().activity();
        let (cipher, version) = tls.map(|tls| (tls.cipher, tls.version)).unwrap_or_default();
        [
            ("Questions", statements.to_string()),
            ("Ssl_cipher", cipher.to_owned()),
            ("Ssl_version", version.to_owned()),
            ("Threads_connected", self.seat.registry().connections().to_string()),
            ("Uptime", started.elapsed().as_secs().to_string()),
            ("Vstreams_open", self.shared.engine.streams().len().to_string()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::size;
    use super::*;

    #[test]
    fn what_an_open_stream_keeps_is_small() {
        type Whom = (&'static mut Client, &'static mut Link);
        let command = size(|(client, link): Whom| client.command(link, Command::Ping));
        let stream = size(|((client, link), stream, token): (Whom, &'static _, &'static _)| {
            client.stream(link, stream, token, false)
        });
        assert!(command < 1000, "{command} bytes");
        assert!(stream < 3000, "{stream} bytes");
    }
}
